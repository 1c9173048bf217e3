//! Production as the README sets it up: its own SQL, logins that may do little, keys in files.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Connection as _};
use serde_json::{Value, json};

use crate::postgres::{Cluster, execute};

const README: &str = include_str!("../README.md");

/// 32 bytes each, in base64: no secrets.
const KEYS: [(&str, &str); 3] = [
    ("EVOLVE_MASTER_KEY_FILE", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
    ("EVOLVE_TOKEN_KEY_FILE", "YWJjZGVmZ2hpamFiY2RlZmdoaWphYmNkZWZnaGlqYWI="),
    ("EVOLVE_CURSOR_KEY_FILE", "QUJDREVGR0hJSkFCQ0RFRkdISUpBQkNERUZHSElKQUI="),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn production_serves_as_the_readme_sets_it_up_and_refuses_a_login_that_is_too_strong() {
    let Some(programs) = postgres::find_programs() else {
        assert!(std::env::var_os("CI").is_none(), "no PostgreSQL under CI");
        return;
    };
    // A cluster of its own, whose roles nobody has made yet. It ends with this process.
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&programs)).await.unwrap();
    let url = |login: &str, database: &str| format!("postgres://{login}:secret@127.0.0.1:{}/{database}", cluster.port);
    let mut superuser = PgConnection::connect(&url("postgres", "postgres")).await.unwrap();
    for statement in statements() {
        execute(&mut superuser, &statement).await;
    }

    let folder = tempfile::tempdir().unwrap();
    let (owner, login) = (url("evolve_owner", "evolve"), url("evolve", "evolve"));
    let refused = run(folder.path(), &login, None, &["serve"]);
    assert!(said(&refused).contains("The database's tables are not up to date"), "{}", said(&refused));
    let migrated = run(folder.path(), &login, Some(&owner), &["migrate"]);
    assert!(migrated.status.success(), "{}", said(&migrated));
    let status = run(folder.path(), &login, None, &["migrate", "status"]);
    assert!(status.status.success() && !said(&status).contains("pending"), "{}", said(&status));
    let catalogue = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogue/demo.toml");
    let seeded = run(folder.path(), &login, None, &["seed", catalogue]);
    assert!(seeded.status.success(), "{}", said(&seeded));

    for (too_strong, why) in [(url("postgres", "evolve"), "superuser"), (owner, "owner of tables")] {
        let refused = run(folder.path(), &too_strong, None, &["serve"]);
        assert!(refused.status.code() == Some(1) && said(&refused).contains(why), "{}", said(&refused));
    }

    let server = Serving::start(folder.path(), &login);
    let products = server.products().await;
    assert_eq!(products["data"], json!({ "products": [{ "code": "erp" }, { "code": "sacco" }, { "code": "payroll" }] }));
    assert_eq!(products.get("errors"), None, "{products}");
    // What this cost is taken from what the address may spend, of which something may be restored already.
    assert_eq!(products["extensions"]["cost"], json!({ "requested": 11, "limit": 20_000 }));
    assert!(products["extensions"]["rateLimit"]["remaining"].as_u64().unwrap() >= 300_000 - 11, "{products}");
    let mut login = PgConnection::connect(&login).await.unwrap();
    let read = sqlx::query("select * from businesses").execute(&mut login).await;
    assert!(read.unwrap_err().to_string().contains("permission denied"), "the login by itself reads nothing");
}

/// The README's statements, each with a password.
fn statements() -> Vec<String> {
    let (_, after) = README.split_once("```sql\n").unwrap();
    let (sql, _) = after.split_once("```").unwrap();
    let lines = sql.lines().map(|line| line.split("--").next().unwrap().trim().replace('…', "secret"));
    let statements: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
    assert_eq!(statements.len(), 3, "{statements:?}");
    statements
}

fn command(folder: &Path, database_url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evolve-business"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command.env("EVOLVE_MODE", "production").env("EVOLVE_PUBLIC_URL", "https://api.example.com").env("DATABASE_URL", database_url);
    // A server that is not asked for anything here.
    command.env("EVOLVE_SMTP_HOST", "smtp.example.com").env("EVOLVE_MAIL_FROM", "billing@example.com");
    for (name, key) in KEYS {
        let file = folder.join(name);
        std::fs::write(&file, key).unwrap();
        command.env(name, file);
    }
    command
}

fn run(folder: &Path, database_url: &str, migration_url: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = command(folder, database_url);
    command.args(arguments).envs(migration_url.map(|url| ("EVOLVE_MIGRATION_URL", url)));
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}: {}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A server that runs; killed when it is dropped.
struct Serving {
    child: Child,
    url: String,
}

impl Serving {
    fn start(folder: &Path, database_url: &str) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = command(folder, database_url);
        let child = command.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).stdout(Stdio::null()).spawn().unwrap();
        Self { child, url: format!("http://127.0.0.1:{port}/graphql") }
    }

    /// What is on sale, as soon as the server answers.
    async fn products(&self) -> Value {
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..600 {
            looks.tick().await;
            let asked = reqwest::Client::new().post(&self.url).json(&json!({ "query": "{ products { code } }" })).send().await;
            if let Ok(answer) = asked {
                return answer.json().await.unwrap();
            }
        }
        panic!("the server does not answer");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A server that has ended already is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
