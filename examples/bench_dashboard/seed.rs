//! A business that subscribes, and one that has lived for forty months, made by the API and the worker themselves on a clock that is moved.

use evolve_business::clock::Clock as _;
use evolve_business::services::catalog::{CatalogService, file};
use evolve_business::worker::{Worker, WorkerSettings};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// Invoices of the business.
pub(crate) const INVOICES: usize = 40;

pub(crate) const EMAIL: &str = "amina@example.com";
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple-9";

const REGISTER: &str = "mutation($input: RegisterInput!) { register(input: $input) { session { accessToken } userErrors { message } } }";
const ADD_METHOD: &str = "mutation { addPaymentMethod(input: { source: { sandbox: SUCCEEDS } }) { userErrors { message } } }";
const OFFERS: &str = "{ plans(product: \"erp\", first: 1) { nodes { id } } }";
const SUBSCRIBE: &str = "mutation($input: SubscribeInput!) { subscribe(input: $input) { invoice { status } userErrors { message } } }";

/// Registers the business at the world's time, and lives on until it has [`INVOICES`].
pub(crate) async fn seed(world: &World, then: axum::Router) {
    subscribe(world, then).await;
    let worker = Worker::new(world.ports.clone(), WorkerSettings::default(), CancellationToken::new());
    // One invoice a month: the last falls into the month that the clock is moved to.
    for _ in 1..INVOICES {
        world.clock.set(world.clock.now().to_zoned(jiff::tz::TimeZone::UTC).saturating_add(jiff::Span::new().months(1)).timestamp());
        world.clock.advance(SignedDuration::from_hours(1));
        worker.run_due_jobs().await.unwrap();
    }
}

/// Registers the business at the world's time, and has it pay for the first month of a plan.
pub(crate) async fn subscribe(world: &World, then: axum::Router) {
    let catalogue = file::parse(include_str!("../../catalogue/demo.toml")).unwrap();
    CatalogService::new(world.ports.clone()).apply(&catalogue).await.unwrap();
    let stop = CancellationToken::new();
    let beside = tokio::spawn(Worker::new(world.ports.clone(), WorkerSettings::default(), stop.clone()).run());
    let url = format!("http://{}", crate::serve(then).await);
    let input = json!({ "input": {
        "businessName": "Amani Traders", "businessEmail": "office@example.com", "industry": "Retail", "companySize": "SIZE_11_50",
        "country": "KE", "postalCode": "00100", "fullName": "Amina Otieno", "email": EMAIL, "password": PASSWORD,
    } });
    let registered = ask(&url, "", REGISTER, input).await;
    let token = registered["register"]["session"]["accessToken"].as_str().unwrap().to_owned();
    ask(&url, &token, ADD_METHOD, json!({})).await;
    let offers = ask(&url, &token, OFFERS, json!({})).await;
    let plan = &offers["plans"]["nodes"][0]["id"];
    let input = json!({ "input": { "planId": plan, "interval": "MONTHLY", "trial": false, "idempotencyKey": "the-order" } });
    let subscribed = ask(&url, &token, SUBSCRIBE, input).await;
    assert_eq!(subscribed["subscribe"]["invoice"]["status"], "PAID", "{subscribed}");
    stop.cancel();
    beside.await.unwrap();
}

/// Asks once; stops at the first thing that is wrong.
pub(crate) async fn ask(url: &str, token: &str, operation: &str, variables: Value) -> Value {
    let request = reqwest::Client::new().post(format!("{url}/graphql"));
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    let answer: Value = request.json(&json!({ "query": operation, "variables": variables })).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["errors"], Value::Null, "{answer}");
    let refused = answer["data"]
        .as_object()
        .unwrap()
        .values()
        .find(|payload| payload["userErrors"].as_array().is_some_and(|errors| !errors.is_empty()));
    assert_eq!(refused, None, "{answer}");
    answer["data"].clone()
}
