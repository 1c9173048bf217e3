//! Many at once: no change is lost, and what happened is explained by some order of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::error::{Failure, UserErrorCode};
use evolve_business::services::subscriptions::{ChangePlan, PreviewChange, SubscriptionService};
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::{add_method, register};

both!(
    sixty_four_clients_change_one_plan_a_thousand_times_and_no_change_is_lost,
    of_thirty_two_requests_at_once_with_one_key_one_acts_and_all_answer_the_same,
);

/// Those who change the plan at once.
const CLIENTS: usize = 64;
/// How often they try in all.
const CHANGES: usize = 1_000;

async fn sixty_four_clients_change_one_plan_a_thousand_times_and_no_change_is_lost(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    let subscription = world.subscribe(payer, "basic").await.subscription;
    let before = world.subscription(payer, subscription).await.version;
    world.clock.set("2027-06-11T06:00:00Z".parse().unwrap());
    let targets = Arc::new([world.plan("books", "basic").await, world.plan("books", "plus").await, world.plan("books", "max").await]);
    let clients = (0..CLIENTS).map(|client| {
        let (service, ids, targets) = (SubscriptionService::new(world.ports.clone()), world.ports.ids.clone(), Arc::clone(&targets));
        tokio::spawn(async move {
            let mut changed: i64 = 0;
            for turn in (client..CHANGES).step_by(CLIENTS) {
                // Not in step with each other, and never a thousand times the same.
                let plan = targets[(turn / CLIENTS + client * 7) % targets.len()];
                let proration = if turn % 10 == 0 { Proration::ProrateNextInvoice } else { Proration::None };
                let change = PreviewChange {
                    subscription: Some(subscription),
                    plan: Some(plan),
                    interval: None,
                    timing: ChangeTiming::Now,
                    proration,
                };
                let idempotency_key = ids.next_uuid().to_string();
                let asked = ChangePlan { change, method: None, if_version: None, preview_token: None, idempotency_key };
                match service.change_plan(payer.caller, asked).await {
                    Ok(_) => changed += 1,
                    Err(Failure::Refused(refusals)) => assert_eq!(refusals[0].code, UserErrorCode::NoChange, "{refusals:?}"),
                    Err(Failure::Fault(error)) => panic!("{error:?}"),
                }
            }
            changed
        })
    });
    let mut changed = 0;
    for client in clients.collect::<Vec<_>>() {
        changed += client.await.unwrap();
    }
    assert!(changed > 400, "{changed} changes of {CHANGES} were to another plan");

    // Every change that was answered with success is in the history, numbered without a gap, each from where the one before it led.
    let history = world.read_texts("select details from subscription_changes where kind = 'plan_changed' order by version").await;
    let history: Vec<Value> = history.iter().map(|details| serde_json::from_str(details).unwrap()).collect();
    assert_eq!(i64::try_from(history.len()).unwrap(), changed);
    let basic = targets[0].to_string();
    let mut stands = (before, basic.as_str());
    for change in &history {
        assert_eq!((&change["version"], &change["what"]["from"]), (&json!(stands.0 + 1), &json!(stands.1)));
        stands = (stands.0 + 1, change["what"]["to"].as_str().unwrap());
    }
    let row = world.subscription(payer, subscription).await;
    assert_eq!((row.version, row.plan_id.to_string()), (stands.0, stands.1.to_owned()));
    // The period's end bills what waits and the plan that is in force, and nothing contradicts itself.
    world.run_at("2027-06-30T21:00:00Z").await;
}

async fn of_thirty_two_requests_at_once_with_one_key_one_acts_and_all_answer_the_same(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let server = Server::start(&world).await;
    let worker = world.background_worker();
    let (ann, _) = register(&server, "ann").await;
    add_method(&ann, "SUCCEEDS").await;
    let (basic, plus) = (world.plan("books", "basic").await.to_string(), world.plan("books", "plus").await.to_string());
    let input = json!({ "planId": basic, "interval": "MONTHLY", "idempotencyKey": "first" });
    let begun = ann.mutate("subscribe", input, "subscription { id }").await;
    let subscription = begun["subscription"]["id"].clone();
    let query =
        "mutation($input: ChangePlanInput!) { changePlan(input: $input) { subscription { id } invoice { id } userErrors { code } } }";
    let input = json!({ "input": { "subscriptionId": subscription, "planId": plus, "idempotencyKey": "up" } });
    let asked = (0..32).map(|_| {
        let (ann, input) = (ann.clone(), input.clone());
        tokio::spawn(async move { ann.ask(query, input).await })
    });
    let (mut acted, mut invoices) = (0, BTreeSet::new());
    for answer in asked.collect::<Vec<_>>() {
        let answer = answer.await.unwrap();
        let payload = &answer["data"]["changePlan"];
        let refused = &payload["userErrors"];
        if refused[0]["code"] == "IDEMPOTENCY_IN_PROGRESS" {
            continue;
        }
        assert_eq!(refused, &json!([]), "{answer:#}");
        invoices.insert(payload["invoice"]["id"].as_str().unwrap().to_owned());
        if answer["extensions"]["idempotentReplay"].is_null() {
            acted += 1;
        }
    }
    assert_eq!((acted, invoices.len()), (1, 1));
    assert_eq!(world.count("subscription_changes", "kind = 'plan_changed'").await, 1);
    assert_eq!((world.count("invoices", "true").await, world.count("payments", "true").await), (2, 2));
    worker.stop().await;
    assert_eq!(world.examine().await, [""; 0]);
}
