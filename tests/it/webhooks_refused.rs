//! Webhooks that are refused, and what they cost those who have none.

use evolve_business::services::events::{Event, emit_all};
use evolve_business::store::types::Role;
use evolve_business::store::{Tenant, customers};
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::statements::{counted, seen};
use crate::world_keys::{make_key, program};
use crate::world_lives::register;
use crate::world_mail::{changed_to, subscription};
use crate::world_webhooks::Told;

const NOW: &str = "2027-01-31T09:00:00Z";
const LIST: &str = "{ webhookEndpoints { id url deliveries(first: 2) { totalCount nodes { id } } } }";

both!(
    what_cannot_be_an_endpoint_is_refused_and_changes_nothing,
    what_cannot_become_of_an_endpoint_is_refused_and_changes_nothing,
    a_business_has_ten_endpoints_at_most,
    a_key_for_webhooks_changes_them_and_reads_nothing,
    a_member_sees_no_webhook,
    an_event_costs_a_business_without_webhooks_no_statement_more,
    many_events_at_once_are_told_in_their_order,
    endpoints_and_their_deliveries_take_the_same_statements_for_one_and_for_ten,
);

async fn what_cannot_be_an_endpoint_is_refused_and_changes_nothing(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let good = json!(["invoice.paid"]);
    let url = |text: &str| json!({ "url": text, "events": good });
    let of = |events: Value| json!({ "url": "https://hooks.example.com/", "events": events });
    let long = format!("https://hooks.example.com/{}", "a".repeat(2_000));
    for (input, refusals) in [
        (url("http://hooks.example.com/"), vec![("INVALID", "url")]),
        (url("https://10.0.0.1/"), vec![("INVALID", "url")]),
        (url("https://169.254.169.254/latest"), vec![("INVALID", "url")]),
        (url("https://[fd00::1]/"), vec![("INVALID", "url")]),
        (url("https://[::ffff:10.0.0.1]/"), vec![("INVALID", "url")]),
        (url("https://0x0a000001/"), vec![("INVALID", "url")]),
        (url("https://ann:secret@hooks.example.com/"), vec![("INVALID", "url")]),
        (url("https://hooks.example.com/#a"), vec![("INVALID", "url")]),
        (of(json!([])), vec![("REQUIRED", "events")]),
        (of(json!(["invoice.eaten"])), vec![("INVALID", "events")]),
        (of(json!(["business.registered"])), vec![("INVALID", "events")]),
        (of(json!(["*"])), vec![("INVALID", "events")]),
        (of(json!(vec!["invoice.paid"; 101])), vec![("TOO_LARGE", "events")]),
        (json!({ "url": "https://127.0.0.1@10.0.0.1/", "events": [] }), vec![("INVALID", "url"), ("REQUIRED", "events")]),
    ] {
        let refused = told.ann.payload("createWebhookEndpoint", input.clone(), "endpoint { id } secret").await;
        assert_eq!((&refused["endpoint"], &refused["secret"]), (&Value::Null, &Value::Null), "{input}");
        let found: Vec<_> =
            refused["userErrors"].as_array().unwrap().iter().map(|one| (one["code"].as_str().unwrap(), one["field"].clone())).collect();
        let wanted: Vec<_> = refusals.iter().map(|(code, field)| (*code, json!(["input", field]))).collect();
        assert_eq!(found, wanted, "{input}");
    }
    for text in ["hooks.example.com", "ftp://hooks.example.com/", ""] {
        let answer = told
            .ann
            .ask("mutation($i: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $i) { secret } }", json!({ "i": url(text) }))
            .await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{text}");
    }
    let made = told.ann.mutate("createWebhookEndpoint", url(&long), "endpoint { url events }").await;
    assert_eq!(made["endpoint"], json!({ "url": long, "events": good }));
    let twice = of(json!(["invoice.paid", "invoice.issued", "invoice.paid"]));
    let made = told.ann.mutate("createWebhookEndpoint", twice, "endpoint { events }").await;
    assert_eq!(made["endpoint"]["events"], json!(["invoice.issued", "invoice.paid"]));
    assert_eq!(told.world.number("select count(*) from webhook_endpoints").await, 2);
}

async fn what_cannot_become_of_an_endpoint_is_refused_and_changes_nothing(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let (id, _) = told.endpoint("/").await;
    let before = told.world.rows_of(told.scope.business().uuid()).await;
    for (change, code, field) in [
        (json!({ "url": null }), "INVALID", "url"),
        (json!({ "events": null }), "INVALID", "events"),
        (json!({ "enabled": null }), "INVALID", "enabled"),
        (json!({ "url": "https://192.168.1.1/" }), "INVALID", "url"),
        (json!({ "events": [] }), "REQUIRED", "events"),
        (json!({ "endpointId": "whk_none" }), "NOT_FOUND", "endpointId"),
    ] {
        let mut input = json!({ "endpointId": id });
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = told.ann.payload("updateWebhookEndpoint", input, "endpoint { id }").await;
        assert_eq!((&refused["userErrors"][0]["code"], &refused["userErrors"][0]["field"][1]), (&json!(code), &json!(field)), "{change}");
    }
    for (field, input, selection) in [
        ("rotateWebhookSecret", json!({ "endpointId": "whk_none" }), "secret"),
        ("deleteWebhookEndpoint", json!({ "endpointId": told.scope.business().to_string() }), "deletedId"),
        ("resendWebhookDelivery", json!({ "deliveryId": id }), "delivery { id }"),
    ] {
        let refused = told.ann.payload(field, input, selection).await;
        assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND", "{field}");
    }
    assert_eq!(told.world.rows_of(told.scope.business().uuid()).await, before);
}

async fn a_business_has_ten_endpoints_at_most(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let mut last = String::new();
    for number in 0..10 {
        last = told.endpoint(&format!("/{number}")).await.0;
    }
    let input = json!({ "url": "https://hooks.example.com/", "events": ["invoice.paid"] });
    let refused = told.ann.payload("createWebhookEndpoint", input.clone(), "endpoint { id }").await;
    assert_eq!(refused["userErrors"][0]["code"], "LIMIT_EXCEEDED");
    told.ann.mutate("deleteWebhookEndpoint", json!({ "endpointId": last }), "deletedId").await;
    told.ann.mutate("createWebhookEndpoint", input, "endpoint { id }").await;
}

async fn a_key_for_webhooks_changes_them_and_reads_nothing(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let (_, key) = make_key(&told.ann, &["WEBHOOK_WRITE"]).await;
    let program = program(&told.server, &key);
    let input = json!({ "url": format!("{}/", told.receiver.url), "events": ["subscription.plan_changed"] });
    let made = program.mutate("createWebhookEndpoint", input.clone(), "endpoint { id url }").await;
    assert_eq!(made["endpoint"]["url"], input["url"]);
    told.change_plans(&["A"]).await;
    told.world.run_due_jobs().await;
    let document =
        "mutation($i: UpdateWebhookEndpointInput!) { updateWebhookEndpoint(input: $i) { endpoint { deliveries { nodes { id } } } } }";
    let nested = program.ask(document, json!({ "i": { "endpointId": made["endpoint"]["id"] } })).await;
    let listed = program.ask(LIST, json!({})).await;
    for answer in [nested, listed] {
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer:#}");
    }
    let actors = told.world.read_texts("select actor from audit_events where action = 'webhook_endpoint.created'").await;
    assert!(actors[0].starts_with("key_"), "{actors:?}");
}

async fn a_member_sees_no_webhook(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let (id, _) = told.endpoint("/").await;
    for (role, email) in [(Role::Member, "mia@example.com"), (Role::Billing, "bob@example.com")] {
        told.world.colleague(told.scope, role, email).await;
        let mut client = told.server.client();
        let session = client
            .mutate("signIn", json!({ "email": email, "password": crate::world_accounts::PASSWORD }), "session { accessToken }")
            .await;
        client.token = Some(session["session"]["accessToken"].as_str().unwrap().to_owned());
        let node = client.data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
        assert_eq!(node["node"], Value::Null, "{email}");
        let listed = client.ask(LIST, json!({})).await;
        assert_eq!(listed["errors"][0]["extensions"]["code"], "FORBIDDEN", "{email}");
    }
}

async fn an_event_costs_a_business_without_webhooks_no_statement_more(db: TestDatabase) {
    let (world, statements) = seen(db, NOW).await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let scope = evolve_business::store::TenantScope::proved(evolve_business::ids::BusinessId::parse(&business).unwrap());
    statements.clear();
    world.emit(scope, vec![changed_to(&subscription(), "A")]).await;
    // The business is locked; the event; the job that tells of it.
    assert_eq!(statements.count(), 3, "{:#?}", statements.texts());
    // One that takes something else adds one: which events its endpoints take.
    let input = json!({ "url": "https://hooks.example.com/", "events": ["invoice.paid"] });
    ann.mutate("createWebhookEndpoint", input, "endpoint { id }").await;
    statements.clear();
    world.emit(scope, vec![changed_to(&subscription(), "A")]).await;
    assert_eq!(statements.count(), 4, "{:#?}", statements.texts());
}

async fn many_events_at_once_are_told_in_their_order(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    told.endpoint("/one").await;
    told.endpoint("/two").await;
    let plans: Vec<String> = (0..30).map(|number| format!("P{number}")).collect();
    let events: Vec<Event> = plans.iter().map(|plan| changed_to(&subscription(), plan)).collect();
    let outside = told.world.ports.clone();
    let write = move |tenant: Tenant| {
        let (ports, events) = (outside.clone(), events.clone());
        async move {
            customers::lock_business(&tenant).await?;
            Ok(emit_all(&tenant, &ports, &events).await?)
        }
    };
    told.world.ports.store.write(told.scope, write).await.unwrap();
    told.world.run_due_jobs().await;
    assert_eq!((told.receiver.took("/one"), told.receiver.took("/two")), (plans.clone(), plans));
}

async fn endpoints_and_their_deliveries_take_the_same_statements_for_one_and_for_ten(db: TestDatabase) {
    let (world, statements) = seen(db, NOW).await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let scope = evolve_business::store::TenantScope::proved(evolve_business::ids::BusinessId::parse(&business).unwrap());
    let mut numbers = Vec::new();
    for count in [1, 10] {
        while world.number("select count(*) from webhook_endpoints").await < count {
            let input = json!({ "url": "https://hooks.example.com/", "events": ["subscription.plan_changed"] });
            ann.mutate("createWebhookEndpoint", input, "endpoint { id }").await;
        }
        let events = (0..3).map(|_| changed_to(&subscription(), "A")).collect();
        world.emit(scope, events).await;
        let (shown, texts) = counted(&ann, &statements, LIST).await;
        let shown = shown["webhookEndpoints"].as_array().unwrap().clone();
        assert_eq!(i64::try_from(shown.len()).unwrap(), count);
        assert!(shown.iter().all(|one| one["deliveries"]["nodes"].as_array().unwrap().len() == 2), "{shown:#?}");
        numbers.push(texts.len());
    }
    assert_eq!(numbers[0], numbers[1]);
}
