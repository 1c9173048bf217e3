//! The program as clients of other makes meet it: GraphiQL in a browser, the audits of GraphQL over HTTP, clients of live updates, and the
//! clients of `examples/clients`. They need Node, Chromium and what `npm ci` installs in `tests/browser`, `tests/audits` and
//! `examples/clients` (where `npm run check` and `npm run build` are to follow), so they run where those are:
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

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::database::TestDatabase;
use crate::server::Server;

/// Names a folder, from the root of the repository, that the pictures of the README are to be put into: `docs/images`.
const PICTURES: &str = "EVOLVE_PICTURES";
/// The most bytes of a picture.
const PICTURE_BYTES: u64 = 300 * 1024;
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
    a_member_of_staff_runs_every_tab_of_the_staff_apis_graphiql => crate::walks_through_the_staffs_graphiql;
    every_audit_of_graphql_over_http_passes => crate::passes_the_audits;
    clients_of_other_makes_hear_of_a_change_at_another_server => crate::hears_live_updates;
    the_clients_of_the_examples_do_what_they_are_for => crate::runs_the_clients;
}

/// With the demo data that the server makes by itself on an empty database. The pictures are taken as the README shows them, and kept
/// where somebody asks for them.
async fn walks_through_graphiql(db: TestDatabase) {
    let server = Server::start(&db, &[]).await;
    let asked = std::env::var(PICTURES).ok().filter(|_| db.kind == database::Kind::Sqlite);
    let folder = asked.map_or_else(|| db.dir.path().join("pictures"), |folder| root().join(folder));
    std::fs::create_dir_all(&folder).unwrap();
    node("tests/browser/main_job.mjs", &[server.url(), folder.to_str().unwrap()], &server).await;
    for picture in ["graphiql.png", "graphiql-dark.png"] {
        let bytes = folder.join(picture).metadata().unwrap().len();
        assert!((50_000..=PICTURE_BYTES).contains(&bytes), "{picture} has {bytes} bytes");
    }
}

async fn walks_through_the_staffs_graphiql(db: TestDatabase) {
    let server = Server::start(&db, &[]).await;
    let said = server::run(&db, &["staff", "add", "ann@example.com", "--role", "ADMIN"]);
    let (_, password) = said.trim().rsplit_once(": ").unwrap();
    node("tests/browser/staff.mjs", &[server.url(), "ann@example.com", password], &server).await;
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
    let mut command = script("tests/audits/live.mjs", &[&one.endpoint(), &other.endpoint()]);
    ends_well(command.env("WITHIN_MS", within), "tests/audits/live.mjs", &other).await;
}

/// One after the other as the demo user, and the first again: each leaves things as it found them. Relay's has no documents in it, so
/// its server has the manifests of Relay and graphql-codegen, and runs nothing else.
async fn runs_the_clients(db: TestDatabase) {
    let mut server = Server::start(&db, &[]).await;
    for client in ["urql", "apollo", "urql"] {
        npm_start(client, &server).await;
    }
    server.stop(Duration::from_secs(30)).await;
    let clients = root().join("examples/clients");
    let manifests = ["relay/persisted.json", "apollo/src/gql/persisted-documents.json"].map(|name| clients.join(name));
    let listed = manifests.each_ref().map(|path| path.to_str().unwrap()).join(",");
    let server = Server::start(&db, &[("EVOLVE_TRUSTED_DOCUMENTS", &listed), ("EVOLVE_ONLY_TRUSTED_DOCUMENTS", "true")]).await;
    npm_start("relay", &server).await;
    let codes = |answer: &Value| answer["errors"][0]["extensions"]["code"].as_str().map(str::to_owned);
    for manifest in &manifests {
        let documents: BTreeMap<String, String> = serde_json::from_str(&std::fs::read_to_string(manifest).unwrap()).unwrap();
        assert!(documents.len() >= 3, "{documents:?}");
        for (id, text) in documents {
            // Some need variables, which is another matter than not to be known.
            let named = ask(&server, json!({ "documentId": id })).await;
            assert!(codes(&named).is_none_or(|code| ["BAD_USER_INPUT", "UNAUTHENTICATED"].contains(&code.as_str())), "{named}: {text}");
        }
    }
    let other = ask(&server, json!({ "query": "{ products { code } }" })).await;
    assert_eq!(codes(&other).as_deref(), Some("DOCUMENT_NOT_TRUSTED"));
}

/// The answer to a request of nobody.
async fn ask(server: &Server, body: Value) -> Value {
    reqwest::Client::new().post(server.endpoint()).json(&body).send().await.unwrap().json().await.unwrap()
}

/// Runs a client of the examples to its end, as whoever copies it does.
async fn npm_start(client: &str, server: &Server) {
    let folder = root().join("examples/clients").join(client);
    let mut command = Command::new("npm");
    command.args(["start", "--", server.url()]).current_dir(&folder);
    let said = ends_well(&mut command, client, server).await;
    assert!(said.contains("\ndone\n"), "{client} stopped on its way: {said}");
}

/// Runs a script to its end.
async fn node(name: &str, arguments: &[&str], server: &Server) {
    ends_well(&mut script(name, arguments), name, server).await;
}

fn script(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("node");
    command.arg(root().join(name)).args(arguments).current_dir(root());
    command
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a program says that ends well; what it and the server said is shown when it does not.
async fn ends_well(command: &mut Command, name: &str, server: &Server) -> String {
    let run = command.kill_on_drop(true).output();
    let output = tokio::time::timeout(SCRIPT_LIMIT, run).await.unwrap().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{said}\n{}", output.status, server.log());
    said
}
