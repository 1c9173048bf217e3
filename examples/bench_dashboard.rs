//! How much of a bare handler's speed the API keeps.
//!
//! ```text
//! cargo run --release --example bench_dashboard
//! ```
//!
//! The dashboard (profile, subscription with its plan, 20 invoices with their lines) over HTTP on loopback: the server's own
//! router, against a handler written by hand on axum and sqlx that runs the very statements the server is heard to run,
//! in a transaction begun alike, and writes the same data as JSON. Both run in this process on one PostgreSQL and take turns.
//! PostgreSQL is started as the tests start it; `TEST_POSTGRES_URL` names another.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "it shows what it measures, and stops where it cannot")]

#[path = "bench_dashboard/bare.rs"]
mod bare;
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../tests/it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the benchmark of usage, which needs more of it")]
#[path = "bench_dashboard/load.rs"]
mod load;
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../tests/it/postgres.rs"]
mod postgres;
#[path = "bench_dashboard/seed.rs"]
mod seed;
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../tests/it/world.rs"]
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::Parser;
use evolve_business::app::App;
use evolve_business::clock::{Clock as _, SystemClock};
use evolve_business::graphql::front_door::Limits;
use evolve_business::http::graphql::Settings;
use evolve_business::http::server::{self, ServerLimits};
use evolve_business::security::keys::Keys;
use evolve_business::security::random::SystemRng;
use sea_orm::sqlx::{self, Connection as _, Row as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::database::{Kind, TestDatabase};
use crate::world::World;

/// Both sides allocate as the server does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DASHBOARD: &str = include_str!("bench_dashboard/dashboard.graphql");
const SIGN_IN: &str = "mutation($input: SignInInput!) { signIn(input: $input) { session { accessToken } userErrors { message } } }";
/// Connections of either pool: the server's default.
const CONNECTIONS: u32 = 8;

/// Measures the dashboard against a bare handler.
#[derive(Parser, Clone, Copy)]
struct Arguments {
    /// Rounds: in each, both are asked in turn
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long each is asked in a round
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Clients that ask at once, each on a connection that stays open
    #[arg(long, default_value_t = 8)]
    clients: usize,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    database::run(Kind::Postgres, async |db| bench(db, arguments).await).await;
}

async fn bench(db: TestDatabase, arguments: Arguments) {
    if cfg!(debug_assertions) {
        println!("This is a debug build: its figures say nothing. Run it with --release.");
    }
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let (url, world) = (db.url.clone(), lived_world(db, &heard).await);
    let now = world.ports.at_another_time(Arc::new(SystemClock), Arc::new(world.gateway.clone()));
    let server = serve(app(&world, now)).await;
    let input = json!({ "input": { "email": seed::EMAIL, "password": seed::PASSWORD } });
    let signed_in = seed::ask(&format!("http://{server}"), "", SIGN_IN, input).await;
    let token = signed_in["signIn"]["session"]["accessToken"].as_str().unwrap();

    let all = seed::ask(&format!("http://{server}"), token, "{ invoices { totalCount } }", json!({})).await;
    assert_eq!(all["invoices"]["totalCount"], json!(seed::INVOICES));

    let body = json!({ "query": DASHBOARD }).to_string();
    let to_server = load::request(server, token, &body);
    heard.lock().unwrap().clear();
    let from_server = load::once(server, &to_server).await;
    let statements = bare::Statements::of(&heard.lock().unwrap());
    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let bare = peer.local_addr().unwrap();
    let router = bare::router(&url, CONNECTIONS, statements, whose(&world).await).await;
    tokio::spawn(async move { axum::serve(peer, router).await });
    let to_bare = load::request(bare, token, &body);
    let from_bare = load::once(bare, &to_bare).await;
    let json_of = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
    // Beside it the server tells what the operation costs.
    assert_eq!(json_of(&from_server)["data"], json_of(&from_bare)["data"], "both must write the same data");
    println!("{} bytes of JSON, {} clients, {} s each in every round", from_server.len(), arguments.clients, arguments.seconds);

    let time = Duration::from_secs(arguments.seconds);
    for (address, request, expected) in [(server, &to_server, &from_server), (bare, &to_bare, &from_bare)] {
        load::run(arguments.clients, Duration::from_secs(1), address, request, expected).await;
    }
    let mut ratios = Vec::new();
    println!("round   server   bare    ratio");
    for round in 1..=arguments.rounds {
        let of_server = load::run(arguments.clients, time, server, &to_server, &from_server).await.per_second();
        let of_bare = load::run(arguments.clients, time, bare, &to_bare, &from_bare).await.per_second();
        let ratio = of_server.saturating_mul(1_000) / of_bare.max(1);
        println!("{round:>5} {of_server:>8} {of_bare:>6}    {}", thousandths(ratio));
        ratios.push(ratio);
    }
    ratios.sort_unstable();
    println!("requests a second; the median ratio is {}", thousandths(ratios.get(ratios.len() / 2).copied().unwrap_or_default()));
}

/// A business with its invoices, and every statement that its store runs heard from then on.
async fn lived_world(db: TestDatabase, heard: &Arc<Mutex<Vec<String>>>) -> World {
    let ear = Arc::clone(heard);
    let months = jiff::Span::new().months(i64::try_from(seed::INVOICES).unwrap());
    let begin = SystemClock.now().to_zoned(jiff::tz::TimeZone::UTC).saturating_sub(months);
    // A whole second: then both write instants alike.
    let begin = begin.round(jiff::Unit::Minute).unwrap().timestamp();
    let listen = move |sql: &str| ear.lock().unwrap().push(sql.to_owned());
    let world = World::with(db, &begin.to_string(), |options| options.observer = Some(Arc::new(listen))).await;
    let then = app(&world, world.ports.clone());
    seed::seed(&world, then).await;
    world
}

fn app(world: &World, ports: evolve_business::services::Ports) -> axum::Router {
    let keys = Keys::load_or_create(world.database.dir.path(), &SystemRng).unwrap();
    let app = App::of(ports, keys.cursor, Some(world.gateway.clone()), Limits::default()).unwrap();
    app.router(Settings::default(), None, Vec::new())
}

pub(crate) async fn serve(router: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server::serve(listener, router, ServerLimits::default(), std::future::pending()));
    address
}

/// What the server reads from the token, by its tables.
async fn whose(world: &World) -> bare::Whose {
    let mut connection = sqlx::PgConnection::connect(&world.database.migration_url).await.unwrap();
    let newest = "select business_id, id, user_id from sessions order by created_at desc limit 1";
    let row = sqlx::query(newest).fetch_one(&mut connection).await.unwrap();
    bare::Whose { business: row.get("business_id"), session: row.get("id"), user: row.get("user_id") }
}

fn thousandths(ratio: u64) -> String {
    format!("{}.{:03}", ratio / 1_000, ratio % 1_000)
}
