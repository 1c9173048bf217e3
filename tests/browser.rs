//! The program as clients of other makes meet it: GraphiQL in a browser, the audits of GraphQL over HTTP, and clients of live updates. They need
//! Node, Chromium and what `npm ci` installs in `tests/browser` and `tests/audits`, so they run where those are:
//! `cargo test --test browser -- --ignored`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "shared with the tests that kill it")]
#[path = "crash/server.rs"]
mod server;

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;

use crate::database::TestDatabase;
use crate::server::Server;

/// How long one script may take.
const SCRIPT_LIMIT: Duration = Duration::from_mins(5);

/// Makes two tests of each body: on SQLite and on PostgreSQL.
macro_rules! both {
    ($($name:ident => $body:path;)*) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs Node, Chromium and what npm installs"]
            async fn sqlite() {
                crate::database::run(crate::database::Kind::Sqlite, $body).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs Node, Chromium and what npm installs"]
            async fn postgres() {
                crate::database::run(crate::database::Kind::Postgres, $body).await;
            }
        }
    )* };
}

both! {
    the_demo_user_subscribes_pays_upgrades_and_cancels_in_graphiql => crate::walks_through_graphiql;
    every_audit_of_graphql_over_http_passes => crate::passes_the_audits;
    clients_of_other_makes_hear_of_a_change_at_another_server => crate::hears_live_updates;
}

/// With the demo data that the server makes by itself on an empty database.
async fn walks_through_graphiql(db: TestDatabase) {
    let server = Server::start(&db, &[]).await;
    let picture = db.dir.path().join("graphiql.png");
    node("tests/browser/main_job.mjs", &[server.url(), picture.to_str().unwrap()], &server).await;
    assert!(picture.metadata().unwrap().len() > 10_000, "a picture of the page");
}

async fn passes_the_audits(db: TestDatabase) {
    server::seed(&db);
    let server = Server::start(&db, &[]).await;
    node("tests/audits/run.mjs", &[&server.endpoint()], &server).await;
}

async fn hears_live_updates(db: TestDatabase) {
    server::seed(&db);
    let within = if db.kind == database::Kind::Postgres { "1000" } else { "30000" };
    let (one, other) = (Server::start(&db, &[]).await, Server::start(&db, &[]).await);
    node_with("tests/audits/live.mjs", &[&one.endpoint(), &other.endpoint()], &other, &[("WITHIN_MS", within)]).await;
}

/// Runs a script; what it and the server said is shown when it fails.
async fn node(script: &str, arguments: &[&str], server: &Server) {
    node_with(script, arguments, server, &[]).await;
}

/// The same, with more in its environment.
async fn node_with(script: &str, arguments: &[&str], server: &Server, environment: &[(&str, &str)]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = Command::new("node")
        .arg(root.join(script))
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root)
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SCRIPT_LIMIT, run).await.unwrap().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {}\n{said}\n{}", output.status, server.log());
}
