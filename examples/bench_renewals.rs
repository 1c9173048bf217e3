//! How many subscriptions a renewal day renews, invoices and charges in a second, and whether time grows with their number.
//!
//! ```text
//! cargo run --release --example bench_renewals
//! cargo run --release --example bench_renewals -- --sizes 1000,50000
//! ```
//!
//! For each size a database of its own on one PostgreSQL: so many businesses whose one subscription is due at the same
//! midnight, and one worker as `serve` runs it, with the sandbox gateway. What is told to people is written down by the same
//! worker meanwhile. PostgreSQL is started as the tests start it; `TEST_POSTGRES_URL` names another.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "it shows what it measures, and stops where it cannot")]

#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../tests/it/database.rs"]
mod database;
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
use std::time::{Duration, Instant};

use clap::Parser;
use evolve_business::app::App;
use evolve_business::clock::{Clock as _, SystemClock};
use evolve_business::graphql::front_door::Limits;
use evolve_business::http::graphql::Settings;
use evolve_business::http::server::{self, ServerLimits};
use evolve_business::ids::{IdGen as _, SubscriptionId, SystemIds};
use evolve_business::security::keys::Keys;
use evolve_business::security::random::SystemRng;
use evolve_business::services::doctor;
use evolve_business::worker::{Worker, WorkerSettings};
use sea_orm::sqlx::{self, Connection as _, PgConnection};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::database::{Kind, TestDatabase};
use crate::world::World;

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// When the first business subscribes.
const BEGIN: &str = "2027-01-31T06:00:00Z";
/// When all are due: midnight of 28 February in Nairobi.
const DUE: &str = "2027-02-27T21:00:00Z";
/// How often it is looked whether all are paid.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Measures a renewal day.
#[derive(Parser, Clone)]
struct Arguments {
    /// How many subscriptions are due, one run each
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 2_000, 4_000])]
    sizes: Vec<u32>,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        println!("This is a debug build: its figures say nothing. Run it with --release.");
    }
    println!("subscriptions   seconds   a second   time for each against the first size   (seeded in, doctor's pass)");
    let mut first: Option<u128> = None;
    for size in arguments.sizes {
        let (tell, told) = tokio::sync::oneshot::channel();
        database::run(Kind::Postgres, async move |db| tell.send(renew(db, size).await).unwrap()).await;
        let Day { seeded, took, examined } = told.await.unwrap();
        let each = took.as_nanos() / u128::from(size);
        let against = each * 100 / *first.get_or_insert(each);
        let rate = u128::from(size) * 1_000 / took.as_millis().max(1);
        let (whole, hundredths) = (against / 100, against % 100);
        println!("{size:>13} {took:>9.1?} {rate:>10}   {whole}.{hundredths:02}   ({seeded:.1?}, {examined:.1?})");
    }
}

/// How long a renewal day took, and what came before and after it.
#[derive(Debug)]
struct Day {
    seeded: Duration,
    took: Duration,
    examined: Duration,
}

/// How long a renewal day of so many subscriptions takes.
async fn renew(db: TestDatabase, size: u32) -> Day {
    let began = Instant::now();
    let world = World::at(db, BEGIN).await;
    let keys = Keys::load_or_create(world.database.dir.path(), &SystemRng).unwrap();
    let app = App::of(world.ports.clone(), keys.cursor, Some(world.gateway.clone()), Limits::default()).unwrap();
    seed::subscribe(&world, app.router(Settings::default(), None, Vec::new())).await;
    let mut database = PgConnection::connect(&world.database.migration_url).await.unwrap();
    multiply(&mut database, size).await;
    let seeded = began.elapsed();

    world.clock.set(DUE.parse().unwrap());
    let stop = CancellationToken::new();
    let began = Instant::now();
    let worker = tokio::spawn(Worker::new(world.ports.clone(), WorkerSettings::default(), stop.clone()).run());
    // A look reads every invoice, so it is taken the less often the longer the day: it sees the end within a hundredth of its time.
    while paid(&mut database).await < i64::from(size) {
        SystemClock.sleep((began.elapsed() / 100).max(LOOK_EVERY)).await;
    }
    let took = began.elapsed();
    stop.cancel();
    worker.await.unwrap();
    let ended = Instant::now();
    for check in doctor::examine(&world.ports.store).await.unwrap() {
        assert!(check.findings.is_empty(), "{}: {:?}", check.name, check.findings);
    }
    Day { seeded, took, examined: ended.elapsed() }
}

/// Serves until the process ends.
pub(crate) async fn serve(router: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, router, ServerLimits::default(), std::future::pending()));
    address
}

/// The renewals that are invoiced and charged.
async fn paid(database: &mut PgConnection) -> i64 {
    let sql = "select count(*) from invoices where status = 'PAID' and issued_at >= $1::timestamptz";
    sqlx::query_scalar(sql).bind(DUE).fetch_one(database).await.unwrap()
}

/// Copies the one business with its method, subscription, period and renewal, so that there are `size` of them.
async fn multiply(database: &mut PgConnection, size: u32) {
    let copies = usize::try_from(size).unwrap() - 1;
    let fresh = || (0..copies).map(|_| SystemIds.next_uuid()).collect::<Vec<Uuid>>();
    let (businesses, subscriptions, methods) = (fresh(), fresh(), fresh());
    let keys: Vec<String> = subscriptions.iter().map(|id| SubscriptionId::from(*id).to_string()).collect();
    let table = "create temporary table copies as
                 select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) as c (business, subscription, method, key)";
    sqlx::query(table).bind(businesses).bind(subscriptions).bind(methods).bind(keys).execute(&mut *database).await.unwrap();
    for (name, changes, which) in [
        ("businesses", "'business_id', c.business", "true"),
        ("payment_methods", "'business_id', c.business, 'id', c.method", "true"),
        ("subscriptions", "'business_id', c.business, 'id', c.subscription, 'payment_method_id', null", "true"),
        ("revenue_movements", "'business_id', c.business, 'id', gen_random_uuid(), 'subscription_id', c.subscription", "true"),
        ("periods", "'business_id', c.business, 'id', gen_random_uuid(), 'subscription_id', c.subscription, 'invoice_id', null", "true"),
        (
            "jobs",
            "'business_id', c.business, 'id', gen_random_uuid(), 'job_key', c.key || ':1'",
            "t.kind = 'renewal' and t.status = 'READY'",
        ),
    ] {
        let copy = format!(
            "insert into {name} select copy.* from {name} t cross join copies c
             cross join lateral jsonb_populate_record(null::{name}, to_jsonb(t) || jsonb_build_object({changes})) as copy where {which}"
        );
        sqlx::query(sqlx::AssertSqlSafe(copy)).execute(&mut *database).await.unwrap();
    }
    sqlx::query("analyze").execute(database).await.unwrap();
}
