//! Webhooks: what a business lives through is told to its endpoints, signed, in order, at least once; over the real API and to a
//! real receiver.

use evolve_business::services::webhooks;
use evolve_business::store::types::StaffRole;
use evolve_business::worker::{Worker, WorkerSettings};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::{add_method, plans};
use crate::world_payments::until;
use crate::world_webhooks::Told;

const NOW: &str = "2027-01-31T09:00:00Z";
const RESEND: &str = "delivery { id status attempts nextAttemptAt }";

both!(
    what_a_business_lives_through_is_told_in_order_and_shown,
    a_receiver_that_was_down_for_a_day_has_every_event_in_order_once_by_id,
    a_receiver_that_answers_410_is_switched_off_and_those_who_manage_are_told,
    three_days_of_failures_switch_an_endpoint_off_and_what_it_missed_can_be_sent_again,
    a_receiver_says_when_to_come_back,
    a_redirect_is_a_failure_and_is_not_followed,
    endpoints_are_served_side_by_side_and_each_one_call_at_a_time_by_any_number_of_workers,
    a_call_whose_outcome_was_lost_is_made_again_by_the_same_id,
    what_waits_for_another_url_is_tried_there_at_once,
    an_endpoint_that_is_off_or_gone_gets_nothing,
    a_suspended_business_is_told_on,
    what_is_over_is_kept_for_thirty_days,
);

async fn what_a_business_lives_through_is_told_in_order_and_shown(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let types = told.ann.data("{ webhookEventTypes }", json!({})).await["webhookEventTypes"].take();
    let input = json!({ "url": format!("{}/all", told.receiver.url), "events": types });
    let made = told.ann.mutate("createWebhookEndpoint", input, "endpoint { id url events enabled disabledReason } secret").await;
    let endpoint = &made["endpoint"];
    assert_eq!((&endpoint["events"], &endpoint["enabled"], &endpoint["disabledReason"]), (&types, &json!(true), &Value::Null));
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    let method = add_method(&told.ann, "SUCCEEDS").await;
    let plan = plans(&told.ann).await["erp"][0].clone();
    let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": "a" });
    let selection = "subscription { id } invoice { id number status total { amount currency } } payment { id }";
    let bought = told.world.working(told.ann.mutate("subscribe", input, selection)).await;
    told.world.run_due_jobs().await;

    let came = told.receiver.came();
    let names: Vec<String> = came.iter().map(|came| came.json()["type"].as_str().unwrap().to_owned()).collect();
    let emitted = told.world.read_texts("select name from events where name <> 'business.registered' order by id").await;
    assert_eq!(names, emitted, "each, in the order in which it happened");
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["invoice.issued", "invoice.paid", "payment.succeeded", "subscription.activated", "subscription.created"]);
    let paid = came.iter().find(|came| came.json()["type"] == "invoice.paid").unwrap();
    let invoice = &bought["invoice"];
    assert_eq!(
        paid.json(),
        json!({
            "type": "invoice.paid", "timestamp": NOW,
            "data": {
                "invoiceId": invoice["id"], "number": invoice["number"], "subscriptionId": bought["subscription"]["id"], "status": "PAID",
                "currency": invoice["total"]["currency"], "total": invoice["total"]["amount"], "amountDue": "0.00",
            },
        })
    );
    assert_eq!((paid.path.as_str(), paid.headers["content-type"].as_str()), ("/all", "application/json"));
    assert!(paid.headers["user-agent"].starts_with("evolve-business/"));
    assert_eq!(paid.headers["webhook-timestamp"], "1801386000", "2027-01-31T09:00:00Z");

    let shown = told.shown().await;
    let deliveries = &shown[0]["deliveries"];
    assert_eq!(deliveries["totalCount"], names.len());
    let shown = deliveries["nodes"].as_array().unwrap().iter().rev();
    for (one, came) in shown.zip(&came) {
        assert_eq!(
            *one,
            json!({
                "id": came.id(), "event": came.json()["type"], "payload": came.json(), "status": "DELIVERED", "attempts": 1,
                "responseStatus": 204, "error": null, "nextAttemptAt": null,
            })
        );
    }
    let acts = told.world.read_texts("select action from audit_events where action like 'webhook%'").await;
    assert_eq!(acts, ["webhook_endpoint.created"]);
}

async fn a_receiver_that_was_down_for_a_day_has_every_event_in_order_once_by_id(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    told.endpoint("/").await;
    told.receiver.answer(503);
    for plans in [["A", "B"], ["C", "D"], ["E", "F"]] {
        told.change_plans(&plans).await;
        // Eight hours, by the minute of the first and then by the hour.
        for _ in 0..10 {
            told.world.pass(SignedDuration::from_mins(1)).await;
        }
        for _ in 0..8 {
            told.world.pass(SignedDuration::from_hours(1)).await;
        }
    }
    let tried = told.receiver.came();
    // The first holds the others back. By pauses of 5 s, 30 s, 2, 10 and 30 min, 1 h and then at most 2 h: some 20 tries in a day.
    assert!(tried.iter().all(|came| came.plan() == "A" && came.id() == tried[0].id()), "{tried:#?}");
    assert!((12..=25).contains(&tried.len()), "{}", tried.len());
    told.receiver.answer(200);
    told.world.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(told.receiver.took("/"), ["A", "B", "C", "D", "E", "F"]);
    let came = told.receiver.came();
    let mut ids: Vec<&str> = came.iter().map(crate::world_webhooks::Came::id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 6, "each by an id of its own, and the same for each try");
    let counted = format!("select count(*) from webhook_deliveries where status = 'DELIVERED' and attempts = {}", tried.len() + 1);
    assert_eq!(told.world.number(&counted).await, 1);
    told.world.pass(SignedDuration::from_hours(100)).await;
    assert_eq!(told.receiver.came().len(), came.len(), "nothing comes twice");
}

async fn a_receiver_that_answers_410_is_switched_off_and_those_who_manage_are_told(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let (id, _) = told.endpoint("/gone").await;
    told.receiver.answer_once(410, &[]);
    told.change_plans(&["A", "B"]).await;
    told.world.run_due_jobs().await;
    assert_eq!(told.receiver.came().len(), 1, "nothing more is sent");
    let shown = told.shown().await;
    assert_eq!((&shown[0]["enabled"], &shown[0]["disabledReason"]), (&json!(false), &json!("410")));
    let states: Vec<_> = shown[0]["deliveries"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["status"].clone(), one["attempts"].clone(), one["responseStatus"].clone()))
        .collect();
    assert_eq!(states, [(json!("FAILED"), json!(0), Value::Null), (json!("FAILED"), json!(1), json!(410))]);
    let title = "A webhook was switched off: 127.0.0.1";
    let notes = told.ann.data("{ notifications(first: 1) { nodes { kind title subject { __typename id } } } }", json!({})).await;
    assert_eq!(
        notes["notifications"]["nodes"],
        json!([{ "kind": "webhook_endpoint.disabled", "title": title, "subject": { "__typename": "WebhookEndpoint", "id": id } }])
    );
    assert_eq!(told.world.subjects_to("ann@example.com").pop().unwrap(), title);
    let acts = told
        .world
        .read_texts("select action || ' ' || actor || ' ' || details from audit_events where action = 'webhook_endpoint.disabled'")
        .await;
    assert_eq!(acts, ["webhook_endpoint.disabled system {\"host\":\"127.0.0.1\",\"reason\":\"410\"}"]);
    told.change_plans(&["C"]).await;
    told.world.run_due_jobs().await;
    assert_eq!(told.world.number("select count(*) from webhook_deliveries").await, 2, "one that is off is told of nothing");

    // On again, it takes what happens from then on; the rest where it is asked for.
    let on =
        told.ann.mutate("updateWebhookEndpoint", json!({ "endpointId": id, "enabled": true }), "endpoint { enabled disabledReason }").await;
    assert_eq!(on["endpoint"], json!({ "enabled": true, "disabledReason": null }));
    told.change_plans(&["D"]).await;
    told.world.run_due_jobs().await;
    assert_eq!(told.receiver.took("/gone"), ["D"]);
}

async fn three_days_of_failures_switch_an_endpoint_off_and_what_it_missed_can_be_sent_again(db: TestDatabase) {
    let mut told = Told::at(db, NOW).await;
    let (id, _) = told.endpoint("/").await;
    told.receiver.answer(500);
    told.change_plans(&["A", "B"]).await;
    told.world.run_due_jobs().await;
    for _ in 0..71 {
        told.world.pass(SignedDuration::from_hours(1)).await;
    }
    told.come_back().await;
    assert_eq!(told.shown().await[0]["enabled"], true);
    // The last attempt is where three days have passed since the first.
    told.world.pass(SignedDuration::from_mins(59)).await;
    told.world.pass(SignedDuration::from_mins(1)).await;
    told.come_back().await;
    let shown = told.shown().await;
    assert_eq!((&shown[0]["enabled"], &shown[0]["disabledReason"]), (&json!(false), &json!("failures for three days")));
    let deliveries = shown[0]["deliveries"]["nodes"].as_array().unwrap().clone();
    assert!(deliveries.iter().all(|one| one["status"] == "FAILED" && one["nextAttemptAt"].is_null()), "{deliveries:#?}");
    assert_eq!(told.world.subjects_to("ann@example.com").pop().unwrap(), "A webhook was switched off: 127.0.0.1");
    let tried = told.receiver.came().len();
    // At 0 h, 1 to 6 h (the pauses are shorter, and the clock goes by hours), then every other hour to 70 h is 39; the next is between 71:36
    // and 72 h, and where it is before the end, one at the end.
    assert!((40..=41).contains(&tried), "{tried}");

    let resend = |at: usize| json!({ "deliveryId": deliveries[at]["id"] });
    let refused = told.ann.payload("resendWebhookDelivery", resend(0), RESEND).await;
    assert_eq!((&refused["delivery"], &refused["userErrors"][0]["code"]), (&Value::Null, &json!("INVALID_TRANSITION")));
    told.ann.mutate("updateWebhookEndpoint", json!({ "endpointId": id, "enabled": true }), "endpoint { id }").await;
    told.receiver.answer(204);
    let again = told.ann.mutate("resendWebhookDelivery", resend(1), RESEND).await["delivery"].take();
    assert_eq!((&again["status"], &again["attempts"]), (&json!("PENDING"), &json!(tried)));
    told.ann.mutate("resendWebhookDelivery", resend(0), RESEND).await;
    told.world.run_due_jobs().await;
    assert_eq!(told.receiver.took("/"), ["A", "B"]);
    let first = told.receiver.came()[0].id().to_owned();
    assert_eq!(told.receiver.came()[tried].id(), first, "by the same id");
    // One that was delivered is sent again too, once each time that it is asked for.
    told.ann.mutate("resendWebhookDelivery", resend(1), RESEND).await;
    told.world.run_due_jobs().await;
    told.world.run_due_jobs().await;
    assert_eq!(told.receiver.took("/"), ["A", "B", "A"]);
}

async fn a_receiver_says_when_to_come_back(db: TestDatabase) {
    let mut told = Told::at(db, NOW).await;
    told.endpoint("/").await;
    told.receiver.answer_once(429, &[("retry-after", "3600")]);
    told.receiver.answer_once(503, &[("retry-after", "Sun, 31 Jan 2027 12:00:00 GMT")]);
    told.change_plans(&["A"]).await;
    told.world.run_due_jobs().await;
    told.world.pass(SignedDuration::from_secs(3_599)).await;
    assert_eq!(told.receiver.came().len(), 1);
    told.world.pass(SignedDuration::from_secs(1)).await;
    assert_eq!(told.receiver.came().len(), 2);
    told.come_back().await;
    assert_eq!(told.shown().await[0]["deliveries"]["nodes"][0]["nextAttemptAt"], "2027-01-31T12:00:00Z");
    told.world.pass(SignedDuration::from_secs(7_199)).await;
    assert_eq!(told.receiver.came().len(), 2);
    told.world.pass(SignedDuration::from_secs(1)).await;
    assert_eq!(told.receiver.took("/"), ["A"]);
}

async fn a_redirect_is_a_failure_and_is_not_followed(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    told.endpoint("/moved").await;
    let elsewhere = format!("{}/elsewhere", told.receiver.url);
    for status in [301, 302, 303, 307, 308] {
        told.receiver.answer_once(status, &[("location", &elsewhere)]);
    }
    told.change_plans(&["A"]).await;
    told.world.run_due_jobs().await;
    let shown = told.shown().await;
    let one = &shown[0]["deliveries"]["nodes"][0];
    assert_eq!(
        (&one["status"], &one["responseStatus"], &one["error"]),
        (&json!("PENDING"), &json!(301), &json!("A redirect is not followed."))
    );
    for _ in 0..6 {
        told.world.pass(SignedDuration::from_hours(1)).await;
    }
    let came = told.receiver.came();
    assert!(came.iter().all(|came| came.path == "/moved"), "{came:#?}");
    assert_eq!(came.iter().map(|came| came.status).collect::<Vec<_>>(), [301, 302, 303, 307, 308, 204]);
}

async fn endpoints_are_served_side_by_side_and_each_one_call_at_a_time_by_any_number_of_workers(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    told.endpoint("/held").await;
    told.endpoint("/free").await;
    let plans: Vec<String> = (0..20).map(|number| format!("P{number}")).collect();
    told.change_plans(&plans.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let stop = CancellationToken::new();
    let workers: Vec<_> =
        (0..2).map(|_| tokio::spawn(Worker::new(told.world.ports.clone(), WorkerSettings::default(), stop.clone()).run())).collect();
    until(async || told.receiver.took("/free").len() == 20).await;
    assert_eq!(told.receiver.took("/held"), ["P0"], "the others wait for the one that is not answered");
    told.receiver.gate.add_permits(20);
    until(async || told.world.number("select count(*) from webhook_deliveries where status = 'DELIVERED'").await == 40).await;
    stop.cancel();
    for worker in workers {
        worker.await.unwrap();
    }
    for path in ["/held", "/free"] {
        assert_eq!(told.receiver.took(path), plans, "{path}: each once, in order");
    }
    assert_eq!(told.receiver.most_under_way(), 1, "one at a time for each endpoint");
    assert_eq!(told.world.number("select count(*) from webhook_deliveries where attempts = 1").await, 40);
}

async fn a_call_whose_outcome_was_lost_is_made_again_by_the_same_id(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    told.endpoint("/held").await;
    told.change_plans(&["A", "B"]).await;
    let worker = World::worker(&told.world.ports);
    let killed = tokio::spawn(async move { worker.run_due_jobs().await });
    until(async || told.receiver.came().len() == 1).await;
    // As by kill -9: the receiver has it, and nobody wrote that down. The job's task ends with the worker's.
    killed.abort();
    assert!(killed.await.is_err());
    told.receiver.gate.add_permits(10);
    told.world.run_due_jobs().await;
    assert_eq!(told.receiver.came().len(), 1, "its lease holds still");
    told.world.pass(SignedDuration::from_secs(61)).await;
    let came = told.receiver.came();
    assert_eq!(came.iter().map(crate::world_webhooks::Came::plan).collect::<Vec<_>>(), ["A", "A", "B"]);
    assert_eq!(came[0].id(), came[1].id());
    assert_eq!(told.world.number("select count(*) from webhook_deliveries where status = 'DELIVERED'").await, 2);
}

async fn what_waits_for_another_url_is_tried_there_at_once(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}/", gone.local_addr().unwrap());
    drop(gone);
    let input = json!({ "url": nobody, "events": ["subscription.plan_changed"] });
    let id = told.ann.mutate("createWebhookEndpoint", input, "endpoint { id }").await["endpoint"]["id"].take();
    told.change_plans(&["A", "B"]).await;
    told.world.run_due_jobs().await;
    for _ in 0..4 {
        told.world.pass(SignedDuration::from_mins(3)).await;
    }
    let shown = told.shown().await;
    let first = &shown[0]["deliveries"]["nodes"][1];
    assert_eq!(
        (&first["status"], &first["responseStatus"], &first["error"]),
        (&json!("PENDING"), &Value::Null, &json!("The host could not be reached."))
    );
    // Hastened, and still nobody there.
    let tries = first["attempts"].as_i64().unwrap();
    told.ann.mutate("resendWebhookDelivery", json!({ "deliveryId": first["id"] }), RESEND).await;
    told.world.run_due_jobs().await;
    let attempts = told.world.number("select cast(max(attempts) as bigint) from webhook_deliveries").await;
    assert_eq!(attempts, tries + 1);
    let moved =
        json!({ "endpointId": id, "url": format!("{}/new", told.receiver.url), "events": ["invoice.paid", "subscription.plan_changed"] });
    let moved = told.ann.mutate("updateWebhookEndpoint", moved, "endpoint { url events }").await;
    assert_eq!(moved["endpoint"]["events"], json!(["subscription.plan_changed", "invoice.paid"]), "in the order of the catalogue");
    told.world.run_due_jobs().await;
    assert_eq!(told.receiver.took("/new"), ["A", "B"]);
}

async fn an_endpoint_that_is_off_or_gone_gets_nothing(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let ((off, _), (gone, _)) = (told.endpoint("/off").await, told.endpoint("/gone").await);
    told.change_plans(&["A"]).await;
    let switched = told
        .ann
        .mutate("updateWebhookEndpoint", json!({ "endpointId": off, "enabled": false }), "endpoint { enabled disabledReason }")
        .await;
    assert_eq!(switched["endpoint"], json!({ "enabled": false, "disabledReason": null }));
    let deleted = told.ann.mutate("deleteWebhookEndpoint", json!({ "endpointId": gone }), "deletedId").await;
    assert_eq!(deleted["deletedId"], gone);
    told.change_plans(&["B"]).await;
    told.world.run_due_jobs().await;
    assert_eq!(told.receiver.came().len(), 0);
    let shown = told.shown().await;
    assert_eq!(shown.as_array().unwrap().len(), 1);
    assert_eq!((&shown[0]["id"], &shown[0]["deliveries"]["totalCount"]), (&json!(off), &json!(1)));
    assert_eq!(shown[0]["deliveries"]["nodes"][0]["status"], "FAILED");
    assert_eq!(told.world.number("select count(*) from webhook_deliveries").await, 1);
    let again = told.ann.payload("deleteWebhookEndpoint", json!({ "endpointId": gone }), "deletedId").await;
    assert_eq!((&again["deletedId"], &again["userErrors"][0]["code"]), (&Value::Null, &json!("NOT_FOUND")));
}

async fn a_suspended_business_is_told_on(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    let (id, _) = told.endpoint("/").await;
    let staff = told.world.staff(&told.server, StaffRole::Compliance).await;
    let business = told.scope.business().to_string();
    staff.mutate("suspendBusiness", json!({ "businessId": business, "reason": "Papers" }), "business { id }").await;
    told.change_plans(&["A"]).await;
    told.world.run_due_jobs().await;
    assert_eq!(told.receiver.took("/"), ["A"]);
    let refused =
        told.ann.ask("mutation($i: ID!) { deleteWebhookEndpoint(input: { endpointId: $i }) { deletedId } }", json!({ "i": id })).await;
    assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");
}

async fn what_is_over_is_kept_for_thirty_days(db: TestDatabase) {
    let told = Told::at(db, NOW).await;
    told.endpoint("/").await;
    let kept = async || told.world.read_texts("select status from webhook_deliveries order by created_at").await;
    told.change_plans(&["A"]).await;
    told.world.run_due_jobs().await;
    told.world.advance(SignedDuration::from_hours(1));
    told.receiver.answer(500);
    told.change_plans(&["B"]).await;
    told.world.run_due_jobs().await;
    let sweep = async || webhooks::retention::sweep(&told.world.ports).await.unwrap_or_else(|failure| panic!("{failure:?}"));
    told.world.advance(SignedDuration::from_hours(30 * 24 - 1));
    assert_eq!((sweep().await, kept().await), (0, vec!["DELIVERED".to_owned(), "PENDING".to_owned()]));
    told.world.advance(SignedDuration::from_secs(1));
    assert_eq!((sweep().await, kept().await), (1, vec!["PENDING".to_owned()]));
    told.world.advance(SignedDuration::from_hours(30 * 24));
    assert_eq!((sweep().await, kept().await), (0, vec!["PENDING".to_owned()]), "what waits is kept");
}
