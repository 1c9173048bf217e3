//! The server killed at the worst instant: the gateway has taken the money, and the answer is not in yet.
//!
//! Runs the real program on data of its own. The sandbox gateway is told to wait between committing a charge and
//! answering; its own memory, which no kill reaches, says afterwards what was really taken.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "crash/server.rs"]
#[expect(dead_code, reason = "shared with the test of the examples")]
mod server;

#[path = "it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use evolve_business::adapters::payment::sandbox::{SandboxCharge, SandboxGateway, SandboxOptions};
use evolve_business::clock::SystemClock;
use sea_orm::sqlx::{self, Connection as _};
use serde_json::{Value, json};

use crate::database::{Kind, TestDatabase};
use crate::server::{Server, seed};

/// How long the gateway waits between taking the money and answering: longer than any test here.
const HOLD: (&str, &str) = ("EVOLVE_SANDBOX_HOLD_SECONDS", "30");
/// How long a killed worker's jobs stay claimed.
const SHORT_LEASE: (&str, &str) = ("EVOLVE_LEASE_SECONDS", "4");
/// Requests and worker together may take so long to stop.
const STOPPED_WITHIN: Duration = Duration::from_secs(45);

const REGISTER: &str =
    "mutation($input: RegisterInput!) { register(input: $input) { session { accessToken } userErrors { code message } } }";
const OFFERS: &str = "{ plans(product: \"payroll\", first: 1) { nodes { id requiresVerification } } }";
const ADD_METHOD: &str = "mutation { addPaymentMethod(input: { source: { sandbox: SUCCEEDS } }) { userErrors { code message } } }";
const SUBSCRIBE: &str = "mutation($input: SubscribeInput!) {
  subscribe(input: $input) { subscription { id } invoice { id } payment { id status } userErrors { code message } }
}";
const STATE: &str = "{
  subscriptions { nodes { status } }
  invoices { nodes { status total { minorUnits } amountPaid { minorUnits } amountDue { minorUnits } } }
  payments { nodes { id status attempt amount { minorUnits } } }
}";

mod a_kill_between_charge_and_answer_charges_once_and_settles_after_a_restart {
    use super::{Kind, database, killed_between_charge_and_answer};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, killed_between_charge_and_answer).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, killed_between_charge_and_answer).await;
    }
}

mod a_stop_between_charge_and_answer_is_graceful_and_leaves_no_lease {
    use super::{Kind, database, stopped_between_charge_and_answer};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, stopped_between_charge_and_answer).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, stopped_between_charge_and_answer).await;
    }
}

async fn killed_between_charge_and_answer(db: TestDatabase) {
    seed(&db);
    let mut server = Server::start(&db, &[HOLD, SHORT_LEASE]).await;
    let token = customer(&server).await;
    // The answer never comes: the server dies while the customer waits for it.
    let order = tokio::spawn(ask(server.endpoint(), token.clone(), SUBSCRIBE, order(&server, &token).await));
    let charged = first_charge(db.dir.path()).await;
    server.kill();
    assert!(order.await.unwrap().is_err(), "a server that was killed has answered");

    let server = Server::start(&db, &[SHORT_LEASE]).await;
    let state = settled(&server, &token).await;
    assert_paid_once(&state, &charged, db.dir.path()).await;
}

async fn stopped_between_charge_and_answer(db: TestDatabase) {
    seed(&db);
    let mut server = Server::start(&db, &[HOLD]).await;
    let token = customer(&server).await;
    let order = tokio::spawn(ask(server.endpoint(), token.clone(), SUBSCRIBE, order(&server, &token).await));
    let charged = first_charge(db.dir.path()).await;
    let status = server.stop(STOPPED_WITHIN).await;
    assert!(status.success(), "{status}: {}", server.log());

    let answer = order.await.unwrap().unwrap_or_else(|error| panic!("a request in flight was cut: {error}\n{}", server.log()));
    let payment = &answer["data"]["subscribe"]["payment"];
    assert_eq!(payment["id"], json!(charged.key), "{answer}");
    assert!(["PENDING", "UNKNOWN"].contains(&payment["status"].as_str().unwrap()), "nobody knows yet: {answer}");
    assert_eq!(count(&db, "select count(*) from jobs where leased_until is not null").await, 0, "{}", server.log());

    // The lost answer is asked about in a minute; the test asks at once.
    execute(&db, "update jobs set due_at = created_at where status = 'READY'").await;
    let server = Server::start(&db, &[]).await;
    let state = settled(&server, &token).await;
    assert_paid_once(&state, &charged, db.dir.path()).await;
}

/// Registers a business with a payment method that always pays, and answers its access token.
async fn customer(server: &Server) -> String {
    let input = json!({ "input": {
        "businessName": "Amani Traders", "businessEmail": "office@example.com", "industry": "Retail", "companySize": "SIZE_2_10",
        "country": "KE", "postalCode": "00100", "fullName": "Amina Otieno", "email": "amina@example.com",
        "password": "correct-horse-battery-staple-9",
    } });
    let registered = done(server, "", REGISTER, input, "register").await;
    let token = registered["session"]["accessToken"].as_str().unwrap().to_owned();
    done(server, &token, ADD_METHOD, json!({}), "addPaymentMethod").await;
    token
}

/// The order of the cheapest payroll plan, paid now.
async fn order(server: &Server, token: &str) -> Value {
    let offers = ask(server.endpoint(), token.to_owned(), OFFERS, json!({})).await.unwrap();
    let plan = &offers["data"]["plans"]["nodes"][0];
    assert_eq!(plan["requiresVerification"], json!(false), "{offers}");
    json!({ "input": { "planId": plan["id"], "interval": "MONTHLY", "trial": false, "idempotencyKey": "the-order" } })
}

/// One request; the error is the connection's.
async fn ask(endpoint: String, token: String, operation: &'static str, variables: Value) -> Result<Value, reqwest::Error> {
    let request = reqwest::Client::new().post(endpoint).timeout(Duration::from_mins(1));
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    request.json(&json!({ "query": operation, "variables": variables })).send().await?.json().await
}

/// The payload of a mutation that must go through.
async fn done(server: &Server, token: &str, operation: &'static str, variables: Value, field: &str) -> Value {
    let mut answer = ask(server.endpoint(), token.to_owned(), operation, variables).await.unwrap();
    assert_eq!(answer["data"][field]["userErrors"], json!([]), "{answer}\n{}", server.log());
    answer["data"][field].take()
}

/// Waits until the gateway has taken money, which it commits before it answers.
async fn first_charge(data_dir: &Path) -> SandboxCharge {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..1_500 {
        looks.tick().await;
        if let Some(charge) = charges(data_dir).await.into_iter().next() {
            return charge;
        }
    }
    panic!("the gateway was not asked for money within 30 s");
}

/// What the gateway took, by its own books.
async fn charges(data_dir: &Path) -> Vec<SandboxCharge> {
    let gateway = SandboxGateway::open(data_dir, Arc::new(SystemClock), SandboxOptions::default()).await.unwrap();
    let charges = gateway.charges().await.unwrap();
    gateway.close().await;
    charges
}

/// Waits until the customer sees a payment that went through, and answers all that the customer sees.
async fn settled(server: &Server, token: &str) -> Value {
    let mut state = Value::Null;
    let mut looks = tokio::time::interval(Duration::from_millis(200));
    for _ in 0..150 {
        looks.tick().await;
        state = ask(server.endpoint(), token.to_owned(), STATE, json!({})).await.unwrap()["data"].take();
        if state["payments"]["nodes"][0]["status"] == json!("SUCCEEDED") {
            return state;
        }
    }
    panic!("no payment is settled 30 s after the restart: {state}\n{}", server.log());
}

/// One charge at the gateway, one payment of that amount, the invoice paid by it, and access.
async fn assert_paid_once(state: &Value, charged: &SandboxCharge, data_dir: &Path) {
    assert_eq!(charges(data_dir).await, std::slice::from_ref(charged), "the gateway's own books");
    // Payroll Starter: 2,000.00 and 16 % on top.
    assert_eq!((charged.amount.minor(), charged.amount.currency().code()), (232_000, "KES"));
    let total = json!({ "minorUnits": "232000" });
    assert_eq!(state["payments"]["nodes"], json!([{ "id": charged.key, "status": "SUCCEEDED", "attempt": 1, "amount": total }]));
    let invoice = json!({ "status": "PAID", "total": total, "amountPaid": total, "amountDue": { "minorUnits": "0" } });
    assert_eq!(state["invoices"]["nodes"], json!([invoice]));
    assert_eq!(state["subscriptions"]["nodes"], json!([{ "status": "ACTIVE" }]));
}

/// The figure that a statement answers, past the server.
async fn count(db: &TestDatabase, statement: &'static str) -> i64 {
    match db.kind {
        Kind::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&db.url).await.unwrap();
            sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
        }
        Kind::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&db.migration_url).await.unwrap();
            sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
        }
    }
}

/// Runs a statement past the server, which is stopped.
async fn execute(db: &TestDatabase, statement: &'static str) {
    match db.kind {
        Kind::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&db.url).await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
        Kind::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&db.migration_url).await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
        }
    }
}
