//! How many SQL statements an operation takes: a number that does not grow with the rows it shows.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_catalog::Statements;
use crate::world_lives::{PASSWORD, add_method, plans, register};

/// What a customer's dashboard asks for.
const DASHBOARD: &str = "{
  profile { businessName country currency taxId balance { amount } }
  subscription { id status endDate price { amount } plan { code name product { code name } } }
  invoices(first: 20) {
    nodes { id number status total { amount } amountDue { amount } issuedAt lines { kind description amount { amount } period { start end } } }
    pageInfo { hasNextPage endCursor }
  }
}";

/// Every subscription with its plan, and of each its last invoices with what was paid.
const SUBSCRIPTIONS: &str = "{
  subscriptions { nodes { id plan { name product { name } } invoices(first: 3) { nodes { id payments { status } } } } }
}";

both!(
    the_dashboard_takes_six_statements_for_one_invoice_and_for_a_hundred,
    a_dashboard_after_the_end_takes_no_more,
    plans_and_payments_of_all_subscriptions_are_read_at_once
);

/// The answer to a document, and how many statements it took.
async fn counted(client: &Client, statements: &Statements, document: &str) -> (Value, Vec<String>) {
    statements.clear();
    let data = client.data(document, json!({})).await;
    (data, statements.texts())
}

/// A world whose statements are seen, at `now`.
pub(crate) async fn seen(db: TestDatabase, now: &str) -> (World, Statements) {
    let statements = Statements::default();
    let world = World::with(db, now, |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    (world, statements)
}

/// Subscribes by the month, without a trial.
async fn subscribe(world: &World, client: &Client, plan: &str, method: &str) {
    let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": plan });
    let paid = world.working(client.mutate("subscribe", input, "invoice { status }")).await;
    assert_eq!(paid["invoice"]["status"], "PAID", "{paid:#}");
}

/// Signs in again: an access token does not live through the months that the clock is moved on.
pub(crate) async fn sign_in_again(client: &mut Client, name: &str) {
    client.token = None;
    let input = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
    let came = client.mutate("signIn", input, "session { accessToken }").await;
    client.token = Some(came["session"]["accessToken"].as_str().unwrap().to_owned());
}

async fn the_dashboard_takes_six_statements_for_one_invoice_and_for_a_hundred(db: TestDatabase) {
    let (world, statements) = seen(db, "2027-01-10T09:00:00Z").await;
    let server = Server::start(&world).await;
    let (mut client, _) = register(&server, "ann").await;
    let method = add_method(&client, "SUCCEEDS").await;
    let plan = plans(&client).await["erp"][0].clone();
    subscribe(&world, &client, &plan, &method).await;

    let (shown, first) = counted(&client, &statements, DASHBOARD).await;
    assert_eq!(shown["invoices"]["nodes"].as_array().unwrap().len(), 1);
    assert_eq!(shown["invoices"]["nodes"][0]["lines"].as_array().unwrap().len(), 1);
    assert!(first.len() <= 6, "{}:\n{}", first.len(), first.join("\n"));

    // 99 renewals, the last on 10 April 2035.
    world.clock.set("2035-04-10T09:00:00Z".parse().unwrap());
    world.run_due_jobs().await;
    sign_in_again(&mut client, "ann").await;
    assert_eq!(client.data("{ invoices { totalCount } }", json!({})).await["invoices"]["totalCount"], 100);
    let (shown, last) = counted(&client, &statements, DASHBOARD).await;
    assert_eq!(shown["invoices"]["nodes"].as_array().unwrap().len(), 20);
    assert!(shown["invoices"]["nodes"].as_array().unwrap().iter().all(|invoice| invoice["lines"].as_array().unwrap().len() == 1));
    assert_eq!(last.len(), first.len(), "one invoice:\n{}\n\na hundred:\n{}", first.join("\n"), last.join("\n"));
}

async fn plans_and_payments_of_all_subscriptions_are_read_at_once(db: TestDatabase) {
    let (world, statements) = seen(db, "2027-01-10T09:00:00Z").await;
    let server = Server::start(&world).await;
    let (mut client, _) = register(&server, "ann").await;
    let method = add_method(&client, "SUCCEEDS").await;
    let plans = plans(&client).await;
    subscribe(&world, &client, &plans["erp"][0], &method).await;
    let (_, one) = counted(&client, &statements, SUBSCRIPTIONS).await;

    subscribe(&world, &client, &plans["payroll"][1], &method).await;
    subscribe(&world, &client, &plans["sacco"][0], &method).await;
    world.clock.set("2027-03-10T09:00:00Z".parse().unwrap());
    world.run_due_jobs().await;
    sign_in_again(&mut client, "ann").await;
    let (shown, three) = counted(&client, &statements, SUBSCRIPTIONS).await;
    let nodes = shown["subscriptions"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        let invoices = node["invoices"]["nodes"].as_array().unwrap();
        assert_eq!(invoices.len(), 3, "{node:#}");
        assert!(invoices.iter().all(|invoice| invoice["payments"] == json!([{ "status": "SUCCEEDED" }])), "{node:#}");
    }
    // The pages of invoices of all subscriptions are one statement too.
    assert_eq!(three.len(), one.len(), "one subscription:\n{}\n\nthree:\n{}", one.join("\n"), three.join("\n"));
}

/// Payroll begins after the ERP and ends before it: what is shown is what ended last.
async fn a_dashboard_after_the_end_takes_no_more(db: TestDatabase) {
    let (world, statements) = seen(db, "2027-01-10T09:00:00Z").await;
    let server = Server::start(&world).await;
    let (client, _) = register(&server, "ann").await;
    let method = add_method(&client, "SUCCEEDS").await;
    let plans = plans(&client).await;
    for plan in [&plans["erp"][0], &plans["payroll"][0]] {
        subscribe(&world, &client, plan, &method).await;
        world.advance(SignedDuration::from_secs(1));
    }
    let (several, most) = counted(&client, &statements, DASHBOARD).await;
    assert_eq!((&several["subscription"], most.len() <= 6), (&Value::Null, true), "{}", most.join("\n"));
    for (product, left) in [("payroll", "erp"), ("erp", "erp")] {
        let id = client.data("query($p: String) { subscription(product: $p) { id } }", json!({ "p": product })).await["subscription"]["id"]
            .take();
        let now = json!({ "subscriptionId": id, "timing": "NOW", "idempotencyKey": product });
        world.working(client.mutate("cancel", now, "subscription { status }")).await;
        world.advance(SignedDuration::from_secs(1));
        let (shown, texts) = counted(&client, &statements, DASHBOARD).await;
        assert_eq!(shown["subscription"]["plan"]["product"]["code"], left);
        assert!(texts.len() <= 6, "{}:\n{}", texts.len(), texts.join("\n"));
        let ended = client.data("query($p: String) { subscription(product: $p) { id status } }", json!({ "p": product })).await;
        assert_eq!(ended["subscription"], json!({ "id": id, "status": "CANCELED" }));
    }
}
