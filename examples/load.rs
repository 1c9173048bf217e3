//! Customers and a product who use the API all at once, and how long each operation takes.
//!
//! ```text
//! cargo run --release --example load                                        # on SQLite, then on PostgreSQL
//! cargo run --release --example load -- --url http://127.0.0.1:8080         # on a server that runs
//! ```
//!
//! Each client is a customer with a business of its own that looks at its dashboard, changes its plan, subscribes to a second
//! product and cancels that, and the product that tells what it used, on one connection that stays open. What it does is
//! drawn from the seed. It knows what every answer must show: one that shows something else is wrong, and then, as at any
//! error, the exit code is 1. On a server of its own the doctor looks at the books in the end.
//!
//! The server is the program itself, in a process of its own, with its defaults but for the limits of requests a minute.
//! PostgreSQL is started as the tests start it; `TEST_POSTGRES_URL` names another.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::print_stderr, reason = "it shows what it measures")]

#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../tests/it/database.rs"]
mod database;
#[path = "load/drive.rs"]
mod drive;
#[expect(dead_code, reason = "shared with the tests, which need more of it")]
#[path = "../tests/it/postgres.rs"]
mod postgres;
#[path = "load/program.rs"]
mod program;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use evolve_business::cli::{self, Cli};

use crate::database::{Kind, TestDatabase};
use crate::drive::{Load, Outcome, Report, drive};
use crate::program::Program;

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The member of staff who makes the product's key.
const STAFF: &str = "staff@example.com";

/// Drives customers and a product against a server, and prints how long they waited.
#[derive(Parser)]
struct Arguments {
    /// A server that runs; without it one is started on each database
    #[arg(long)]
    url: Option<String>,
    /// The key of a product there (`createServiceKey`); without it each business makes a key of its own
    #[arg(long, requires = "url")]
    service_key: Option<String>,
    /// How long each database is asked
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Clients that ask at once, each on a connection that stays open
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    clients: u32,
    /// What the clients do is drawn from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if program::is_asked_for() {
        return runtime.block_on(cli::run(Cli::parse()));
    }
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        println!("This is a debug build: its figures say nothing. Run it with --release.");
    }
    match runtime.block_on(run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("Stopped: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything was answered, and rightly.
async fn run(arguments: &Arguments) -> Outcome<bool> {
    let &Arguments { clients, seconds, seed, .. } = arguments;
    let load = Load { clients, time: Duration::from_secs(seconds), seed, may_be_limited: arguments.url.is_some() };
    if let Some(url) = &arguments.url {
        let report = drive(url, load, arguments.service_key.as_deref()).await?;
        return Ok(shown(url, load, &report));
    }
    let mut is_well = true;
    for kind in [Kind::Sqlite, Kind::Postgres] {
        let mut outcome = Err(format!("{kind:?} is not there"));
        database::run(kind, async |db| outcome = on_its_own(&db, load).await).await;
        let report = outcome?;
        is_well &= shown(&format!("{kind:?}"), load, &report);
    }
    Ok(is_well)
}

/// Starts the program on a database, asks it, stops it, and has the doctor look at what it left.
async fn on_its_own(db: &TestDatabase, load: Load) -> Outcome<Report> {
    let program = Program::on(db)?;
    program.run(&["seed"]).await?;
    let said = program.run(&["staff", "add", STAFF, "--role", "ADMIN"]).await?;
    let password = said.trim().rsplit_once(": ").ok_or_else(|| format!("no password in {said}"))?.1;
    let server = program.serve().await?;
    let asked = async {
        let key = drive::service_key(server.url(), STAFF, password).await?;
        drive(server.url(), load, Some(&key)).await
    };
    let report = asked.await.map_err(|sentence| format!("{sentence}\n{}", server.log()))?;
    server.stop().await?;
    let verdict = program.run(&["doctor"]).await;
    verdict.map_err(|findings| format!("the doctor found something: {findings}"))?;
    Ok(report)
}

/// Prints the table and what was wrong; answers whether nothing was.
fn shown(server: &str, load: Load, report: &Report) -> bool {
    println!("\n{server}, {} clients, {} s, seed {}", load.clients, load.time.as_secs(), load.seed);
    println!("{}", report.table());
    for (code, sentence) in &report.errors {
        eprintln!("the first {code}: {sentence}");
    }
    for wrong in report.wrong.iter().take(10) {
        eprintln!("wrong: {wrong}");
    }
    if report.wrong.len() > 10 {
        eprintln!("wrong: {} more", report.wrong.len() - 10);
    }
    report.is_well()
}
