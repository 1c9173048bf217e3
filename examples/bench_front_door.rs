//! How long the front door takes: for the dashboard operation, whose document it knows, and to refuse what is sent to break it.
//!
//! ```text
//! cargo run --release --example bench_front_door
//! ```
//!
//! The door of the business API, with the limits that a server has by default, in this process and without a database. Of each request the
//! least time of many rounds is told, by the clock: one round in which nobody else had the processor is enough. Beside it stands
//! its share of what it may take: 60 µs for the dashboard (its document is in the cache: hash, operation, variables, cost), 5 ms
//! for a refusal, whatever was sent. In a release build it fails where one takes longer.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it shows what it measures, and stops where it cannot")]

#[path = "bench_front_door/hostile.rs"]
mod hostile;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use evolve_business::graphql::business;
use evolve_business::graphql::front_door::{FrontDoor, GraphqlRequest, Limits, Method};
use evolve_business::graphql::schema::front_door;
use serde_json::{Map, json};

/// The door allocates as the server does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DASHBOARD: &str = include_str!("bench_dashboard/dashboard.graphql");
/// What the dashboard may take.
const KNOWN_NANOS: u64 = 60_000;
/// What a refusal may take.
const REFUSED_NANOS: u64 = 5_000_000;

/// Measures the front door.
#[derive(Parser, Clone, Copy)]
struct Arguments {
    /// Rounds: the least time of them is told
    #[arg(long, default_value_t = 25)]
    rounds: usize,
    /// How often the dashboard is let in in each round
    #[arg(long, default_value_t = 2_000)]
    requests: u32,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        println!("This is a debug build: its figures say little. Run it with --release.");
    }
    let door = front_door(&business::schema(), business::SIGN_INS, Limits::default()).unwrap();
    let rounds = arguments.rounds.max(1);

    let known = (0..rounds).map(|_| let_in(&door, arguments.requests.max(1))).min().unwrap();
    let mut is_within = told("the dashboard, whose document is known", DASHBOARD.len(), known, KNOWN_NANOS);
    println!();
    let mut longest = ("", 0);
    for (name, text) in hostile::documents() {
        let least = (0..rounds).map(|_| refused(&door, name, &text)).min().unwrap();
        is_within &= told(name, text.len(), least, REFUSED_NANOS);
        if least >= longest.1 {
            longest = (name, least);
        }
    }
    println!(
        "\nthe longest refusal: {}, {} % of the {} ms it may take",
        longest.0,
        percent(longest.1, REFUSED_NANOS),
        REFUSED_NANOS / 1_000_000
    );
    if is_within || cfg!(debug_assertions) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Lets the dashboard in so often; the time of one.
fn let_in(door: &FrontDoor, requests: u32) -> u64 {
    let began = Instant::now();
    for _ in 0..requests {
        let variables = Map::from_iter([("first".to_owned(), json!(20))]);
        let request = GraphqlRequest { query: Some(DASHBOARD.to_owned()), variables, ..GraphqlRequest::default() };
        let _admitted = std::hint::black_box(door.admit(request, Method::Post).unwrap());
    }
    nanos_since(began) / u64::from(requests)
}

/// The time of one refusal. What was refused is not kept, so that each is the first.
fn refused(door: &FrontDoor, name: &str, text: &str) -> u64 {
    let request = GraphqlRequest { query: Some(text.to_owned()), ..GraphqlRequest::default() };
    let began = Instant::now();
    let answer = door.admit(request, Method::Post);
    let took = nanos_since(began);
    assert!(answer.is_err(), "{name} is let in");
    took
}

/// Says what was measured, and whether it is within what it may take.
fn told(name: &str, bytes: usize, nanos: u64, bound: u64) -> bool {
    println!("{:>9} µs {:>4} % {bytes:>8} bytes  {name}", format!("{}.{}", nanos / 1_000, nanos % 1_000 / 100), percent(nanos, bound));
    nanos <= bound
}

const fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100) / whole
}

fn nanos_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap()
}
