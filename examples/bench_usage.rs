//! How fast usage is counted, and how soon it is said whether something may be used.
//!
//! ```text
//! cargo run --release --example bench_usage
//! ```
//!
//! Batches of a thousand events over HTTP on loopback, each checked, counted once and kept, against COPY of the very rows
//! that they became into a bare table; and `featureAccess`, against a handler written by hand on axum and sqlx that reads one
//! counter by its primary key. All of it runs in this process on one PostgreSQL, which is started as the tests start it;
//! `TEST_POSTGRES_URL` names another.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "it shows what it measures, and stops where it cannot")]

#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../tests/it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the dashboard's benchmark, which needs more of it")]
#[path = "bench_dashboard/load.rs"]
mod load;
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../tests/it/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "shared with the dashboard's benchmark, which needs more of it")]
#[path = "bench_dashboard/seed.rs"]
mod seed;
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../tests/it/world.rs"]
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use clap::Parser;
use evolve_business::app::App;
use evolve_business::graphql::front_door::Limits;
use evolve_business::http::graphql::Settings;
use evolve_business::http::server::{self, ServerLimits};
use evolve_business::security::keys::Keys;
use evolve_business::security::random::SystemRng;
use evolve_business::services::doctor;
use evolve_business::services::usage::retention::sweep;
use futures::TryStreamExt as _;
use jiff::SignedDuration;
use sea_orm::sqlx::postgres::{PgConnection, PgPool, PgPoolCopyExt as _, PgPoolOptions};
use sea_orm::sqlx::{self, Connection as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::database::{Kind, TestDatabase};
use crate::world::World;

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// When the business subscribes.
const BEGIN: &str = "2027-01-31T06:00:00Z";
const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) { session { accessToken } userErrors { message } } }";
const RECORD: &str =
    "mutation($input: RecordUsageInput!) { recordUsage(input: $input) { accepted rejected { index } userErrors { message } } }";
const ACCESS: &str = "{ featureAccess(product: \"erp\", feature: \"invoices.sent\") { allowed reason used included remaining resetsAt } }";
/// Events of one call: the most there may be.
const BATCH: usize = 1_000;
/// Connections of the bare handler: as many as the server reads by.
const CONNECTIONS: u32 = 8;

/// Measures usage.
#[derive(Parser, Clone, Copy)]
struct Arguments {
    /// Events that are stored before, written by the database itself
    #[arg(long, default_value_t = 0)]
    stored: usize,
    /// Calls of a thousand events
    #[arg(long, default_value_t = 100)]
    batches: usize,
    /// Clients that record at once
    #[arg(long, default_value_t = 4)]
    recorders: usize,
    /// Clients that ask at once, each on a connection that stays open
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// How long each is asked in a round
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Rounds: in each, both are asked in turn
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        println!("This is a debug build: its figures say nothing. Run it with --release.");
    }
    database::run(Kind::Postgres, async move |db| bench(db, arguments).await).await;
}

async fn bench(db: TestDatabase, arguments: Arguments) {
    let world = World::at(db, BEGIN).await;
    let keys = Keys::load_or_create(world.database.dir.path(), &SystemRng).unwrap();
    let app = App::of(world.ports.clone(), keys.cursor, Some(world.gateway.clone()), Limits::default()).unwrap();
    let router = app.router(Settings::default(), None, Vec::new());
    seed::subscribe(&world, router.clone()).await;
    assert!(sweep(&world.ports, SignedDuration::from_hours(90 * 24)).await.is_ok(), "the months cannot be made");
    let server = serve(router).await;
    let url = format!("http://{server}");
    let input = json!({ "input": { "email": seed::EMAIL, "password": seed::PASSWORD } });
    let signed_in = seed::ask(&url, "", SIGN_IN, input).await;
    let token = signed_in["signIn"]["session"]["accessToken"].as_str().unwrap();

    if arguments.stored > 0 {
        record(&url, token, Arguments { batches: 1, ..arguments }, "first").await;
        store(&world, arguments.stored).await;
        println!("{} events were stored before", arguments.stored);
    }
    let recorded = record(&url, token, arguments, "then").await;
    let copied = copy(&world, arguments.batches * BATCH).await;
    let of = |took: Duration| u128::try_from(arguments.batches * BATCH).unwrap() * 1_000_000 / took.as_micros().max(1);
    println!("events a second: {} counted by the server, {} copied into a bare table", of(recorded), of(copied));
    println!("the ratio is {}", hundredths(of(recorded) * 100 / of(copied).max(1)));

    let bare = serve_bare(&world).await;
    let (to_server, to_bare) = (load::request(server, token, &json!({ "query": ACCESS }).to_string()), load::request(bare, token, "{}"));
    let time = Duration::from_secs(arguments.seconds);
    let mut ratios = Vec::new();
    println!("round   server p50 p99   bare p50 p99   ratio of p99");
    for round in 0..=arguments.rounds {
        let of_server = load::latencies(arguments.clients, time, server, &to_server).await;
        let of_bare = load::latencies(arguments.clients, time, bare, &to_bare).await;
        let ratio = percentile(&of_server, 99).as_nanos() * 100 / percentile(&of_bare, 99).as_nanos().max(1);
        // The first is for warming up.
        if round > 0 {
            let [server, bare] = [&of_server, &of_bare].map(|of| format!("{:.1?} {:.1?}", percentile(of, 50), percentile(of, 99)));
            println!("{round:>5}   {server}   {bare}   {}", hundredths(ratio));
            ratios.push(ratio);
        }
    }
    ratios.sort_unstable();
    println!("the median ratio of p99 is {}", hundredths(ratios.get(ratios.len() / 2).copied().unwrap_or_default()));
    for check in doctor::examine(&world.ports.store).await.unwrap() {
        assert!(check.findings.is_empty(), "{}: {:?}", check.name, check.findings);
    }
}

/// How long it takes until all events are counted. What the clients send is made before, as the rows are that are copied.
async fn record(url: &str, token: &str, arguments: Arguments, call: &'static str) -> Duration {
    let (url, token) = (Arc::<str>::from(url), Arc::<str>::from(token));
    let body = |batch: usize| {
        let event =
            |n: usize| json!({ "eventId": format!("{call}-{batch}-{n}"), "product": "erp", "feature": "invoices.sent", "quantity": "1" });
        let input = json!({ "events": (0..BATCH).map(event).collect::<Vec<_>>(), "enforceLimits": false });
        json!({ "query": RECORD, "variables": { "input": input } }).to_string()
    };
    let bodies: Vec<Vec<String>> =
        (0..arguments.recorders).map(|recorder| (recorder..arguments.batches).step_by(arguments.recorders).map(body).collect()).collect();
    let began = Instant::now();
    let recorders = bodies.into_iter().map(|bodies| {
        let (url, token) = (Arc::clone(&url), Arc::clone(&token));
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            for body in bodies {
                let request = client.post(format!("{url}/graphql")).bearer_auth(&token).header("content-type", "application/json");
                let answer: Value = request.body(body).send().await.unwrap().json().await.unwrap();
                assert_eq!(answer["data"]["recordUsage"]["accepted"], BATCH, "{answer}");
            }
        })
    });
    futures::future::try_join_all(recorders.collect::<Vec<_>>()).await.unwrap();
    began.elapsed()
}

/// Stores so many events more of the counter that there is, as if each had been recorded, one every quarter of a second until now.
async fn store(world: &World, events: usize) {
    let mut connection = PgConnection::connect(&world.database.migration_url).await.unwrap();
    for sql in STORED {
        let sql = sql.replace("{events}", &events.to_string());
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
}

/// The rows of {events} events. Triggers that prove references are off: what they prove holds.
const STORED: [&str; 5] = [
    "set session_replication_role = replica",
    "insert into usage_event_ids (business_id, event_id, recorded_at)
     select business_id, 'stored-' || n, recorded_at - make_interval(secs => ({events} - n) / 4.0)
     from (select * from usage_events limit 1) as one, generate_series(1, {events}) as n",
    "insert into usage_events
     select business_id, lpad(to_hex(n), 32, '0')::uuid, recorded_at - make_interval(secs => ({events} - n) / 4.0), subscription_id, feature_key,
       'stored-' || n, action, quantity, occurred_at, usage_period_start, properties
     from (select * from usage_events limit 1) as one, generate_series(1, {events}) as n",
    "update usage_counters set used = (used::numeric + {events})::text; update usage_buckets set quantity = (quantity::numeric + {events})::text",
    "analyze",
];

/// How long it takes to copy the rows of the events, as they are kept, into a table without keys.
async fn copy(world: &World, expected: usize) -> Duration {
    let pool = PgPool::connect(&world.database.migration_url).await.unwrap();
    let parts = pool.copy_out_raw("copy (select * from usage_events where event_id like 'then-%') to stdout").await.unwrap();
    let rows = parts.try_fold(Vec::new(), async |mut all, part| {
        all.extend_from_slice(&part);
        Ok(all)
    });
    let rows = rows.await.unwrap();
    sqlx::query("create table bare_events (like usage_events)").execute(&pool).await.unwrap();
    let began = Instant::now();
    let mut copy = pool.copy_in_raw("copy bare_events from stdin").await.unwrap();
    copy.send(rows).await.unwrap();
    let copied = copy.finish().await.unwrap();
    let took = began.elapsed();
    assert_eq!(copied, u64::try_from(expected).unwrap());
    took
}

/// A handler that reads one counter by its primary key.
async fn serve_bare(world: &World) -> SocketAddr {
    let mut connection = PgConnection::connect(&world.database.migration_url).await.unwrap();
    let key: (Uuid, Uuid) = sqlx::query_as("select business_id, id from usage_counters").fetch_one(&mut connection).await.unwrap();
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&world.database.migration_url).await.unwrap();
    let read = async |State((pool, (business, id))): State<(PgPool, (Uuid, Uuid))>| {
        let sql = "select used from usage_counters where business_id = $1 and id = $2";
        let used: String = sqlx::query_scalar(sql).bind(business).bind(id).fetch_one(&pool).await.unwrap();
        axum::Json(json!({ "used": used }))
    };
    let router = axum::Router::new().route("/graphql", axum::routing::post(read)).with_state((pool, key));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Serves until the process ends.
pub(crate) async fn serve(router: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, router, ServerLimits::default(), std::future::pending()));
    address
}

/// Of sorted times, the one that so many in a hundred do not exceed.
fn percentile(sorted: &[Duration], of_hundred: usize) -> Duration {
    sorted.get((sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn hundredths(ratio: u128) -> String {
    format!("{}.{:02}", ratio / 100, ratio % 100)
}
