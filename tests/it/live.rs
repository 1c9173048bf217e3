//! Live updates: what is told to whom, over a socket and as an event stream.

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::Role;
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::statements::{seen, subscribe};
use crate::world::World;
use crate::world_keys::{make_key, program};
use crate::world_live::{Socket, Stream, listening, quick, serving, until};
use crate::world_lives::{add_method, plans, register};
use crate::world_usage::{Erp, event};

const NOW: &str = "2027-01-10T09:00:00Z";
const INVOICES: &str = "subscription { invoiceChanged { id number status } }";
const TICKETS: &str = "subscription { supportTicketChanged { id subject status } }";

both!(
    each_change_reaches_whoever_listens_for_it,
    a_threshold_that_is_reached_is_told_with_what_is_used,
    another_business_hears_nothing,
    who_may_not_read_it_may_not_listen_for_it,
    a_payment_is_shown_as_it_is_and_then_as_it_changes,
    a_plain_member_hears_of_their_own_tickets_alone,
    queries_and_mutations_work_over_a_socket_as_by_post,
    an_event_stream_tells_the_same_and_ends_with_a_word,
    an_event_stream_comes_by_get_too_and_changes_nothing_then,
    whoever_lost_their_part_in_money_hears_of_no_more,
    a_change_takes_two_statements_for_each_who_listens,
);

/// Opens a ticket; answers its id.
async fn ask_support(client: &crate::client::Client) -> Value {
    let opened = client.mutate("openSupportTicket", json!({ "subject": "A question", "body": "Why?" }), "ticket { id }").await;
    opened["ticket"]["id"].clone()
}

async fn each_change_reaches_whoever_listens_for_it(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let (server, _) = serving(&world, quick()).await;
    let (client, _) = register(&server, "ann").await;
    let method = add_method(&client, "SUCCEEDS").await;
    let plan = plans(&client).await["erp"][0].clone();
    world.run_due_jobs().await;

    let mut socket = Socket::of(&server, &client).await;
    let fields = [
        "subscriptionChanged { status }",
        "invoiceChanged { status }",
        "paymentChanged { status }",
        "supportTicketChanged { subject }",
        "notificationAdded { kind }",
        "verificationChanged { status }",
    ];
    for (place, field) in fields.iter().enumerate() {
        socket.listen(&world, place, field.split(' ').next().unwrap(), &format!("subscription {{ {field} }}")).await;
    }
    subscribe(&world, &client, &plan, &method).await;
    ask_support(&client).await;
    client.submitted().await;
    world.run_due_jobs().await;

    // Each hears of the last state at least; the ones before may have passed before they were read.
    let last = [
        ("subscriptionChanged", json!({ "status": "ACTIVE" })),
        ("invoiceChanged", json!({ "status": "PAID" })),
        ("paymentChanged", json!({ "status": "SUCCEEDED" })),
        ("supportTicketChanged", json!({ "subject": "A question" })),
        ("notificationAdded", json!({ "kind": "invoice.paid" })),
        ("verificationChanged", json!({ "status": "PENDING" })),
    ];
    let mut missing: Vec<_> = last.to_vec();
    while !missing.is_empty() {
        let heard = socket.hear().await;
        assert_eq!((&heard["type"], heard["payload"].get("errors")), (&json!("next"), None), "{heard:#}");
        let id = heard["id"].as_str().unwrap();
        let told = &heard["payload"]["data"][id];
        assert!(!told.is_null(), "{heard:#}");
        missing.retain(|(field, state)| !(*field == id && state == told));
    }
    socket.say(json!({ "type": "complete", "id": "invoiceChanged" })).await;
    until(|| world.ports.store.live().watchers() == fields.len() - 1).await;
}

async fn a_threshold_that_is_reached_is_told_with_what_is_used(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    let server = Server::start(&erp.world).await;
    let mut socket = Socket::of(&server, &erp.owner).await;
    let field = "usageThresholdReached { threshold at product { code } usage { used included feature { key } } }";
    socket.listen(&erp.world, 0, "u", &format!("subscription {{ {field} }}")).await;
    erp.record(json!([event("a", "calls", "79.5")])).await;
    socket.is_silent().await;
    // Of 100 calls.
    erp.record(json!([event("b", "calls", "0.5")])).await;
    let told = socket.next_of("u").await;
    let expected = json!({
        "threshold": "0.8", "at": "2027-01-10T09:00:00Z", "product": { "code": "erp" },
        "usage": { "used": "80", "included": "100", "feature": { "key": "calls" } },
    });
    assert_eq!(told["usageThresholdReached"], expected);
    erp.record(json!([event("c", "calls", "1")])).await;
    socket.is_silent().await;
}

async fn another_business_hears_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let ((ann, _), (ben, _)) = (register(&server, "ann").await, register(&server, "ben").await);
    let (mut of_ann, mut of_ben) = (Socket::of(&server, &ann).await, Socket::of(&server, &ben).await);
    of_ann.listen(&world, 0, "t", TICKETS).await;
    of_ben.listen(&world, 1, "t", TICKETS).await;
    let ticket = ask_support(&ann).await;
    assert_eq!(of_ann.next_of("t").await["supportTicketChanged"]["id"], ticket);
    of_ben.is_silent().await;

    // A word of another business's ticket, as if it were ben's: he has no such ticket.
    let (id, business) = (ticket.as_str().unwrap(), ben.data("{ profile { id } }", json!({})).await);
    let subject = evolve_business::store::live::Subject::Ticket(evolve_business::ids::TicketId::parse(id).unwrap());
    let business = BusinessId::parse(business["profile"]["id"].as_str().unwrap()).unwrap();
    world.ports.store.live().spread(&[evolve_business::store::live::Change { business, subject, events: Vec::new() }]);
    let own = ask_support(&ben).await;
    assert_eq!(of_ben.next_of("t").await["supportTicketChanged"]["id"], own);
    of_ann.is_silent().await;
}

async fn who_may_not_read_it_may_not_listen_for_it(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, business) = register(&server, "ann").await;
    world.colleague(TenantScope::proved(BusinessId::parse(&business).unwrap()), Role::Member, "max@example.com").await;
    let max = crate::matrix::sign_in(server.client(), "signIn", "max@example.com").await;
    let mut socket = Socket::of(&server, &max).await;
    socket.subscribe("i", INVOICES, json!({})).await;
    assert_eq!(socket.error_of("i").await, "FORBIDDEN");
    // The id is free again.
    socket.listen(&world, 0, "i", "subscription { subscriptionChanged { id } }").await;

    let reader = program(&server, &make_key(&ann, &["READ"]).await.1);
    let mut socket = Socket::of(&server, &reader).await;
    socket.subscribe("n", "subscription { notificationAdded { id } }", json!({})).await;
    assert_eq!(socket.error_of("n").await, "FORBIDDEN");
    socket.listen(&world, 1, "i", INVOICES).await;
    let writer = program(&server, &make_key(&ann, &["USAGE_WRITE"]).await.1);
    let mut socket = Socket::of(&server, &writer).await;
    socket.subscribe("i", INVOICES, json!({})).await;
    assert_eq!(socket.error_of("i").await, "FORBIDDEN");

    let mut product = program(&server, &world.service_key().await);
    product.about = Some(business);
    let mut socket = Socket::of(&server, &product).await;
    socket.subscribe("u", "subscription { usageThresholdReached { threshold } }", json!({})).await;
    assert_eq!(socket.error_of("u").await, "FORBIDDEN");
    assert_eq!(world.ports.store.live().watchers(), 2);
}

async fn a_payment_is_shown_as_it_is_and_then_as_it_changes(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, _) = register(&server, "ann").await;
    let method = add_method(&ann, "REQUIRES_ACTION").await;
    let plan = plans(&ann).await["erp"][0].clone();
    let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": "s" });
    let begun = world.working(ann.mutate("subscribe", input, "payment { id status action { url } }")).await;
    assert_eq!(begun["payment"]["status"], "REQUIRES_ACTION", "{begun:#}");
    let (id, query) = (begun["payment"]["id"].clone(), "subscription($id: ID) { paymentChanged(paymentId: $id) { id status } }");
    let (ben, _) = register(&server, "ben").await;
    let (mut of_ann, mut of_ben) = (Socket::of(&server, &ann).await, Socket::of(&server, &ben).await);
    of_ann.subscribe("p", query, json!({ "id": id })).await;
    assert_eq!(of_ann.next_of("p").await["paymentChanged"], json!({ "id": id, "status": "REQUIRES_ACTION" }));
    // Of what is not theirs, or is nothing, they hear as little as of each other.
    for (place, id) in [id.as_str().unwrap(), "pay_none", "inv_01k2x3y4z5e8f9g0h1j2k3m4n5"].into_iter().enumerate() {
        of_ben.subscribe(&place.to_string(), query, json!({ "id": id })).await;
        listening(&world, place + 2).await;
    }
    of_ben.is_silent().await;

    let (_, path) = begun["payment"]["action"]["url"].as_str().unwrap().split_once("/gateways/").unwrap();
    let chosen = reqwest::Client::new().post(format!("{}/gateways/{path}?outcome=confirm", server.url)).send().await.unwrap();
    assert_eq!(chosen.status(), 200);
    world.run_due_jobs().await;
    loop {
        let told = of_ann.next_of("p").await;
        if told["paymentChanged"]["status"] == "SUCCEEDED" {
            break;
        }
    }
    of_ben.is_silent().await;
}

async fn a_plain_member_hears_of_their_own_tickets_alone(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, business) = register(&server, "ann").await;
    world.colleague(TenantScope::proved(BusinessId::parse(&business).unwrap()), Role::Member, "max@example.com").await;
    let max = crate::matrix::sign_in(server.client(), "signIn", "max@example.com").await;
    let mut socket = Socket::of(&server, &max).await;
    socket.listen(&world, 0, "t", TICKETS).await;
    ask_support(&ann).await;
    let own = ask_support(&max).await;
    assert_eq!(socket.next_of("t").await["supportTicketChanged"]["id"], own);
}

async fn queries_and_mutations_work_over_a_socket_as_by_post(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, business) = register(&server, "ann").await;
    let mut socket = Socket::of(&server, &ann).await;
    socket.subscribe("q", "{ profile { id } }", json!({})).await;
    assert_eq!(socket.next_of("q").await, json!({ "profile": { "id": business } }));
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "q" }));
    let opens = "mutation($input: OpenSupportTicketInput!) { openSupportTicket(input: $input) { ticket { subject } userErrors { code } } }";
    socket.subscribe("m", opens, json!({ "input": { "subject": "By socket", "body": "Why?" } })).await;
    assert_eq!(socket.next_of("m").await["openSupportTicket"], json!({ "ticket": { "subject": "By socket" }, "userErrors": [] }));
    assert_eq!(socket.hear().await["type"], "complete");

    // The front door lets nothing more in than by POST.
    let deep = format!("subscription {{ subscriptionChanged {{ id {}{} }} }}", "plan { product { plans { ".repeat(8), "id } } }".repeat(8));
    for (query, code) in [
        ("subscription { invoiceChanged { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { a: invoiceChanged { id } b: invoiceChanged { id } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        (deep.as_str(), "COST_EXCEEDED"),
        ("subscription($id: ID!) { paymentChanged(paymentId: $id) { id } }", "BAD_USER_INPUT"),
    ] {
        socket.subscribe("x", query, json!({})).await;
        assert_eq!(socket.error_of("x").await, code, "{query}");
    }
    let refused = ann.ask(INVOICES, json!({})).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "a subscription is nothing for a POST: {refused:#}");
}

async fn an_event_stream_tells_the_same_and_ends_with_a_word(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, connections) = serving(&world, quick()).await;
    let (ann, business) = register(&server, "ann").await;
    let mut stream = Stream::ask(&ann, TICKETS, json!({})).await.ok().unwrap();
    listening(&world, 1).await;
    let ticket = ask_support(&ann).await;
    let (event, told) = stream.next().await.unwrap();
    assert_eq!((event.as_str(), &told["data"]["supportTicketChanged"]["id"]), ("next", &ticket), "{told:#}");
    drop(stream);
    listening(&world, 0).await;

    let mut query = Stream::ask(&ann, "{ profile { id } }", json!({})).await.ok().unwrap();
    let cost = json!({ "requested": 2, "limit": 20_000 });
    let whole = json!({ "data": { "profile": { "id": business } }, "extensions": { "cost": cost } });
    assert_eq!(query.next().await.unwrap(), ("next".to_owned(), whole));
    assert_eq!(query.next().await.unwrap().0, "complete");
    assert_eq!(query.next().await, None);
    let mut refused = Stream::ask(&ann, "subscription { nothing }", json!({})).await.ok().unwrap();
    assert_eq!(refused.next().await.unwrap().1["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(refused.next().await.unwrap().0, "complete");
    let mut nobody = Stream::ask(&server.client(), TICKETS, json!({})).await.ok().unwrap();
    assert_eq!(nobody.next().await.unwrap().1["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let wrong = server.holder(&json!("eyJhbGciOiJFZERTQSJ9.e30.AAAA"));
    assert_eq!(Stream::ask(&wrong, TICKETS, json!({})).await.err().unwrap().0, 401);

    let mut last = Stream::ask(&ann, TICKETS, json!({})).await.ok().unwrap();
    listening(&world, 1).await;
    connections.stop();
    assert_eq!(last.next().await.unwrap().0, "complete");
    assert_eq!(last.next().await, None);
}

async fn an_event_stream_comes_by_get_too_and_changes_nothing_then(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, business) = register(&server, "ann").await;
    let get = |pairs: &[(&str, &str)]| {
        let url = reqwest::Url::parse_with_params(&format!("{}/graphql", server.url), pairs).unwrap();
        reqwest::Client::new().get(url).header("accept", "text/event-stream").bearer_auth(ann.token.clone().unwrap())
    };
    let mut stream = Stream::of(get(&[("query", TICKETS)])).await.ok().unwrap();
    listening(&world, 1).await;
    let ticket = ask_support(&ann).await;
    assert_eq!(stream.next().await.unwrap().1["data"]["supportTicketChanged"]["id"], ticket);
    drop(stream);
    listening(&world, 0).await;
    let named = [("query", "query A { viewer { role } } query B { profile { id } }"), ("operationName", "B"), ("variables", "{}")];
    let mut query = Stream::of(get(&named)).await.ok().unwrap();
    assert_eq!(query.next().await.unwrap().1["data"]["profile"]["id"], business);
    assert_eq!(query.next().await.unwrap().0, "complete");

    let sign_out = "mutation { signOut(input: {}) { userErrors { code } } }";
    let (status, refused) = Stream::of(get(&[("query", sign_out)])).await.err().unwrap();
    assert_eq!((status, &refused["errors"][0]["extensions"]["code"]), (405, &json!("BAD_USER_INPUT")));
    assert_eq!(ann.data("{ viewer { role } }", json!({})).await["viewer"]["role"], "OWNER", "still signed in");
    assert_eq!(Stream::of(get(&[])).await.err().unwrap().0, 400);
}

async fn whoever_lost_their_part_in_money_hears_of_no_more(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let (server, _) = serving(&world, quick()).await;
    let (ann, business) = register(&server, "ann").await;
    world.colleague(TenantScope::proved(BusinessId::parse(&business).unwrap()), Role::Billing, "bo@example.com").await;
    let bo = crate::matrix::sign_in(server.client(), "signIn", "bo@example.com").await;
    let mut socket = Socket::of(&server, &bo).await;
    socket.listen(&world, 0, "i", INVOICES).await;
    let members = ann.data("{ profile { members { nodes { id role } } } }", json!({})).await;
    let members = members["profile"]["members"]["nodes"].as_array().unwrap();
    let member = members.iter().find(|member| member["role"] == "BILLING").unwrap();
    ann.mutate("updateMember", json!({ "memberId": member["id"], "role": "MEMBER" }), "member { role }").await;
    let method = add_method(&ann, "SUCCEEDS").await;
    let plan = plans(&ann).await["erp"][0].clone();
    subscribe(&world, &ann, &plan, &method).await;
    let told = socket.hear().await;
    assert_eq!((&told["type"], &told["payload"]["errors"][0]["extensions"]["code"]), (&json!("next"), &json!("FORBIDDEN")), "{told:#}");
    assert_eq!(told["payload"]["data"], Value::Null);
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "i" }));
}

async fn a_change_takes_two_statements_for_each_who_listens(db: TestDatabase) {
    let (world, statements) = seen(db, NOW).await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let mut socket = Socket::of(&server, &ann).await;
    socket.listen(&world, 0, "a", TICKETS).await;
    socket.listen(&world, 1, "b", TICKETS).await;
    socket.listen(&world, 2, "c", INVOICES).await;
    let ticket = ask_support(&ann).await;
    socket.hear().await;
    socket.hear().await;
    socket.is_silent().await;
    statements.clear();
    let subject = evolve_business::store::live::Subject::Ticket(evolve_business::ids::TicketId::parse(ticket.as_str().unwrap()).unwrap());
    let business = BusinessId::parse(&business).unwrap();
    world.ports.store.live().spread(&[evolve_business::store::live::Change { business, subject, events: Vec::new() }]);
    socket.hear().await;
    socket.hear().await;
    let texts = statements.texts();
    // Of each of the two who listen for tickets: who they are, and the ticket.
    assert_eq!(texts.len(), 4, "{}", texts.join("\n"));
}
