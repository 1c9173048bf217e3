//! A storm of usage: the same events in one call, in parallel calls and days later, events that come late, plans that change,
//! months that end, and servers that are killed. In the end each event is counted once.
//!
//! Runs the real program. Whoever sends knows what was sent and keeps sending it until it is acknowledged; what the database
//! counts is compared with that, event by event and in sum, and the doctor looks at all of it. What happens is drawn from a
//! seed, which is printed; `EVOLVE_STORM_SEED` draws the same again.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "whoever sees a storm fail wants its seed")]

#[path = "crash/server.rs"]
#[expect(dead_code, reason = "shared with the tests of a crash")]
mod server;

#[path = "it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use evolve_business::ids::{IdGen as _, SystemIds};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use sea_orm::sqlx::{self, Connection as _};
use serde_json::{Value, json};

use crate::database::{Kind, TestDatabase};
use crate::server::{Server, run, seed};

/// How often the clock is moved on, and servers are killed.
const ROUNDS: usize = 5;
/// Who sends at once.
const SENDERS: usize = 4;
/// How many calls each makes in a round.
const CALLS: usize = 8;
/// The most events of one.
const MOST_EVENTS: usize = 40;
/// How long a killed worker's jobs stay claimed.
const SHORT_LEASE: (&str, &str) = ("EVOLVE_LEASE_SECONDS", "2");
/// The most tries of a request: one in 50 ms.
const TRIES: usize = 1_200;
/// When the business begins, by its test clock.
const BEGAN: &str = "2027-01-10T09:00:00Z";
/// How late an event is at most: a day less than it may be, since the clock moves while it is sent.
const LATEST: SignedDuration = SignedDuration::from_hours(34 * 24);

const REGISTER: &str =
    "mutation($input: RegisterInput!) { register(input: $input) { business { id } session { accessToken } userErrors { code } } }";
const ADD_METHOD: &str = "mutation { addPaymentMethod(input: { source: { sandbox: SUCCEEDS } }) { userErrors { code } } }";
const PLANS: &str = "{ plans(product: \"erp\", first: 10) { nodes { id code } } }";
const SUBSCRIBE: &str = "mutation($input: SubscribeInput!) { subscribe(input: $input) { subscription { id status } userErrors { code } } }";
const CHANGE: &str =
    "mutation($input: ChangePlanInput!) { changePlan(input: $input) { subscription { version } userErrors { code message } } }";
const RECORD: &str = "mutation($input: RecordUsageInput!) {
  recordUsage(input: $input) { accepted duplicates rejected { eventId error { code message } } userErrors { code } } }";
const SIGN_IN: &str = "mutation($input: StaffSignInInput!) { staffSignIn(input: $input) { session { accessToken } userErrors { code } } }";
const CREATE_CLOCK: &str =
    "mutation($input: CreateTestClockInput!) { createTestClock(input: $input) { testClock { id } userErrors { code } } }";
const ATTACH: &str = "mutation($input: AttachTestClockInput!) { attachTestClock(input: $input) { business { id } userErrors { code } } }";
const ADVANCE: &str =
    "mutation($input: AdvanceTestClockInput!) { advanceTestClock(input: $input) { testClock { id } userErrors { code } } }";
const CLOCKS: &str = "{ testClocks { now status failure } }";

mod each_event_is_counted_once_whatever_storm_it_comes_through {
    use super::{Kind, database};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, super::each_event_is_counted_once_whatever_storm_it_comes_through).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, super::each_event_is_counted_once_whatever_storm_it_comes_through).await;
    }
}

async fn each_event_is_counted_once_whatever_storm_it_comes_through(db: TestDatabase) {
    let given = std::env::var("EVOLVE_STORM_SEED").ok().map(|text| text.parse().unwrap());
    let mut draw = Draw(given.unwrap_or_else(|| u64::from_be_bytes(SystemIds.next_uuid().as_bytes()[8..].try_into().unwrap())));
    eprintln!("EVOLVE_STORM_SEED={} draws this storm again", draw.0);
    seed(&db);
    let added = run(&db, &["staff", "add", "sam@example.com", "--role", "ADMIN"]);
    let password = added.split("shown this once: ").nth(1).unwrap().trim().to_owned();
    // On PostgreSQL one server goes on while the other is killed.
    let mut servers = vec![Server::start(&db, &[SHORT_LEASE]).await];
    if db.kind == Kind::Postgres {
        servers.push(Server::start(&db, &[SHORT_LEASE]).await);
    }
    let net = Arc::new(Net::default());
    net.reach(&servers);
    let customer = Customer::begin(&net, &password, &mut draw).await;
    let sent = Arc::new(Mutex::new(Sent::default()));
    let mut now: Timestamp = BEGAN.parse().unwrap();
    let (mut changed, mut acknowledged) = (0, 0);
    for _ in 0..ROUNDS {
        let senders = (0..SENDERS).map(|_| tokio::spawn(send(Arc::clone(&net), customer.clone(), Arc::clone(&sent), now, draw.part())));
        let senders: Vec<_> = senders.collect();
        let planner = tokio::spawn(change_plans(Arc::clone(&net), customer.clone(), draw.part()));
        pause(draw.below(400)).await;
        let doomed = draw.below(servers.len());
        servers[doomed].kill();
        pause(draw.below(300)).await;
        servers[doomed] = Server::start(&db, &[SHORT_LEASE]).await;
        net.reach(&servers);
        for sender in senders {
            acknowledged += sender.await.unwrap();
        }
        changed += planner.await.unwrap();
        now = now.checked_add(SignedDuration::from_hours(24 * i64::try_from(6 + draw.below(6)).unwrap())).unwrap();
        customer.pass_to(&net, now).await;
    }
    drop(servers);
    let sent = std::mem::take(&mut *sent.lock().unwrap());
    compare(&db, &sent, acknowledged).await;
    assert!(changed > 0, "no plan was changed");
    let said = run(&db, &["doctor"]);
    assert!(said.contains("usage"), "{said}");
}

/// What the database counts is what was sent.
async fn compare(db: &TestDatabase, sent: &Sent, acknowledged: usize) {
    let distinct = sent.events.len();
    assert!(distinct > 200 && acknowledged > distinct, "{distinct} events, {acknowledged} with those that were sent again");
    let mut sums: BTreeMap<String, Decimal> = BTreeMap::new();
    for event in &sent.events {
        *sums.entry(event.feature.to_owned()).or_default() += event.quantity;
    }
    let mut counted: BTreeMap<String, Decimal> = BTreeMap::new();
    let counters =
        "select feature_key || ' ' || used from usage_counters union all select feature_key || ' ' || quantity from usage_standings";
    for row in texts(db, counters).await {
        let (feature, used) = row.split_once(' ').unwrap();
        *counted.entry(feature.to_owned()).or_default() += used.parse::<Decimal>().unwrap();
    }
    assert_eq!(counted, sums);
    let ids: BTreeSet<String> = sent.events.iter().map(|event| event.id.clone()).collect();
    for table in ["select event_id from usage_events", "select event_id from usage_event_ids"] {
        let found = texts(db, table).await;
        assert_eq!((found.len(), &found.into_iter().collect::<BTreeSet<_>>()), (distinct, &ids), "{table}");
    }
    // Each threshold is told of once in a usage period.
    let told = texts(db, "select payload from events where name = 'usage.threshold_reached'").await;
    let told: Vec<String> = told
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).unwrap())
        .map(|facts| format!("{} {} {}", facts["feature"], facts["threshold"], facts["periodStart"]))
        .collect();
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "{told:#?}");
    assert!(!told.is_empty(), "five branches are more than there are in any plan");
}

/// Numbers that a seed draws (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `end`, which is not in it.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// One for somebody else.
    fn part(&mut self) -> Self {
        Self(self.next())
    }
}

/// An event as it is sent.
#[derive(Clone)]
struct Event {
    id: String,
    feature: &'static str,
    quantity: Decimal,
    at: Timestamp,
}

/// What was ever sent; each is sent until it is acknowledged.
#[derive(Default)]
struct Sent {
    events: Vec<Event>,
}

impl Sent {
    /// A new event, or one that was sent before and is not too late: by now it may be acknowledged, or under way.
    fn draw(&mut self, draw: &mut Draw, now: Timestamp) -> Event {
        let earliest = now.checked_sub(LATEST).unwrap().max(BEGAN.parse().unwrap());
        if draw.below(5) < 2 && !self.events.is_empty() {
            let again = self.events[draw.below(self.events.len())].clone();
            if again.at >= earliest {
                return again;
            }
        }
        let span = usize::try_from(now.duration_since(earliest).as_secs()).unwrap();
        // Half of them have happened just now.
        let ago = if draw.below(2) == 0 { 0 } else { draw.below(span + 1) };
        let (feature, quantity) = match draw.below(6) {
            0 => ("branches", Decimal::ONE),
            1 | 2 => ("api.calls", Decimal::new(i64::try_from(1 + draw.below(9_999_999_999)).unwrap(), 6)),
            _ => ("invoices.sent", Decimal::new(i64::try_from(1 + draw.below(999)).unwrap(), 2)),
        };
        let event = Event {
            id: format!("e{}", self.events.len()),
            feature,
            quantity: quantity.normalize(),
            at: now.checked_sub(SignedDuration::from_secs(i64::try_from(ago).unwrap())).unwrap(),
        };
        self.events.push(event.clone());
        event
    }
}

/// Sends events in calls of many, each until it is acknowledged; answers how many were.
async fn send(net: Arc<Net>, customer: Customer, sent: Arc<Mutex<Sent>>, now: Timestamp, mut draw: Draw) -> usize {
    let mut acknowledged = 0;
    for _ in 0..CALLS {
        let count = 1 + draw.below(MOST_EVENTS);
        let mut events: Vec<Event> = (0..count).map(|_| sent.lock().unwrap().draw(&mut draw, now)).collect();
        // The same one twice in a call.
        events.push(events[draw.below(count)].clone());
        let told = events.iter().map(|event| {
            json!({ "eventId": event.id, "product": "erp", "feature": event.feature, "quantity": event.quantity.to_string(),
                    "occurredAt": event.at.to_string() })
        });
        let input = json!({ "input": { "events": told.collect::<Vec<_>>(), "enforceLimits": false } });
        let answer = net.insist("graphql", &customer.token, RECORD, &input, &mut draw).await;
        let recorded = &answer["recordUsage"];
        assert_eq!((&recorded["userErrors"], &recorded["rejected"]), (&json!([]), &json!([])), "{answer:#}");
        let each = ["accepted", "duplicates"].map(|member| usize::try_from(recorded[member].as_u64().unwrap()).unwrap());
        assert_eq!(each[0] + each[1], events.len(), "{answer:#}");
        acknowledged += events.len();
    }
    acknowledged
}

/// Changes the plan a few times, at once; answers how often that was done.
async fn change_plans(net: Arc<Net>, customer: Customer, mut draw: Draw) -> usize {
    let mut changed = 0;
    for _ in 0..3 {
        pause(draw.below(300)).await;
        let plan = &customer.plans[draw.below(customer.plans.len())];
        let proration = ["PRORATE_NOW", "PRORATE_NEXT_INVOICE", "NONE", "RESET_CYCLE"][draw.below(4)];
        let key = format!("{:016x}", draw.next());
        let input = json!({ "input": { "subscriptionId": customer.subscription, "planId": plan, "timing": "NOW", "proration": proration,
                                       "idempotencyKey": key } });
        let answer = net.insist("graphql", &customer.token, CHANGE, &input, &mut draw).await;
        changed += usize::from(answer["changePlan"]["userErrors"] == json!([]));
    }
    changed
}

/// Where the servers are now.
#[derive(Default)]
struct Net {
    urls: Mutex<Vec<String>>,
    client: reqwest::Client,
}

impl Net {
    fn reach(&self, servers: &[Server]) {
        *self.urls.lock().unwrap() = servers.iter().map(|server| server.url().to_owned()).collect();
    }

    /// Asks one of the servers until one answers with data: what is lost with a server is sent again.
    async fn insist(&self, path: &str, token: &str, query: &str, variables: &Value, draw: &mut Draw) -> Value {
        let mut last = String::new();
        for _ in 0..TRIES {
            let url = {
                let urls = self.urls.lock().unwrap();
                urls[draw.below(urls.len())].clone()
            };
            let request = self.client.post(format!("{url}/{path}")).timeout(Duration::from_secs(20));
            let request = if token.is_empty() { request } else { request.bearer_auth(token) };
            match request.json(&json!({ "query": query, "variables": variables })).send().await {
                Ok(answer) => match answer.json::<Value>().await {
                    Ok(mut answer) if answer.get("errors").is_none() => return answer["data"].take(),
                    Ok(answer) => last = answer.to_string(),
                    Err(error) => last = error.to_string(),
                },
                Err(error) => last = error.to_string(),
            }
            pause(50).await;
        }
        panic!("no server answers {query}: {last}");
    }

    /// One mutation of the staff API or of the customer's, which must refuse nothing.
    async fn done(&self, path: &str, token: &str, query: &str, input: Value, draw: &mut Draw) -> Value {
        let answer = self.insist(path, token, query, &json!({ "input": input }), draw).await;
        let payload = answer.as_object().unwrap().values().next().unwrap().clone();
        assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
        payload
    }
}

/// A business on a test clock that is subscribed to the ERP.
#[derive(Clone)]
struct Customer {
    /// Of its owner.
    token: String,
    subscription: String,
    /// The plans that it changes between.
    plans: Vec<String>,
    /// Of the member of staff who moves the clock.
    staff: String,
    clock: String,
}

impl Customer {
    async fn begin(net: &Net, password: &str, draw: &mut Draw) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
        let input = json!({ "email": "sam@example.com", "password": password });
        let staff = text(&net.done("staff/graphql", "", SIGN_IN, input, draw).await["session"]["accessToken"]);
        let input = json!({
            "businessName": "Amani Traders", "businessEmail": "office@example.com", "industry": "Retail", "companySize": "SIZE_2_10",
            "country": "KE", "postalCode": "00100", "fullName": "Amina Otieno", "email": "amina@example.com",
            "password": "correct-horse-battery-staple-9",
        });
        let registered = net.done("graphql", "", REGISTER, input, draw).await;
        let token = text(&registered["session"]["accessToken"]);
        let clock = net.done("staff/graphql", &staff, CREATE_CLOCK, json!({ "name": "Storm", "now": BEGAN }), draw).await;
        let clock = text(&clock["testClock"]["id"]);
        let input = json!({ "testClockId": clock, "businessId": registered["business"]["id"] });
        net.done("staff/graphql", &staff, ATTACH, input, draw).await;
        net.insist("graphql", &token, ADD_METHOD, &json!({}), draw).await;
        let plans = net.insist("graphql", &token, PLANS, &json!({}), draw).await;
        let wanted = plans["plans"]["nodes"].as_array().unwrap().iter().filter(|plan| plan["code"] != "enterprise");
        let plans: Vec<String> = wanted.map(|plan| text(&plan["id"])).collect();
        let input = json!({ "planId": plans[0], "interval": "MONTHLY", "trial": false, "idempotencyKey": "the-order" });
        let made = net.done("graphql", &token, SUBSCRIBE, input, draw).await;
        assert_eq!(made["subscription"]["status"], "ACTIVE", "{made:#}");
        Self { token, subscription: text(&made["subscription"]["id"]), plans, staff, clock }
    }

    /// Moves the clock on, through whatever is due until then.
    async fn pass_to(&self, net: &Net, to: Timestamp) {
        let mut draw = Draw(0);
        let input = json!({ "testClockId": self.clock, "to": to.to_string() });
        net.done("staff/graphql", &self.staff, ADVANCE, input, &mut draw).await;
        for _ in 0..TRIES {
            let shown = net.insist("staff/graphql", &self.staff, CLOCKS, &json!({}), &mut draw).await;
            let clock = &shown["testClocks"][0];
            assert_eq!(clock["failure"], Value::Null, "{clock}");
            if clock["status"] == "READY" {
                assert_eq!(clock["now"].as_str().unwrap().parse::<Timestamp>().unwrap(), to);
                return;
            }
            pause(50).await;
        }
        panic!("the clock does not reach {to}");
    }
}

/// Waits so many milliseconds.
async fn pause(ms: usize) {
    let wait = tokio::time::timeout(Duration::from_millis(u64::try_from(ms).unwrap()), std::future::pending::<()>());
    assert!(wait.await.is_err());
}

/// The texts that a statement answers, past the servers.
async fn texts(db: &TestDatabase, statement: &'static str) -> Vec<String> {
    match db.kind {
        Kind::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&db.url).await.unwrap();
            sqlx::query_scalar(statement).fetch_all(&mut connection).await.unwrap()
        }
        Kind::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&db.migration_url).await.unwrap();
            sqlx::query_scalar(statement).fetch_all(&mut connection).await.unwrap()
        }
    }
}
