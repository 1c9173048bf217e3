//! How long the rules of billing take, without a database: a long scenario evaluated from sign-up to end.
//!
//! ```text
//! cargo run --release --example bench_quote
//! ```
//!
//! Ten years of a monthly subscription with a hundred changes of plan, of every kind, is evaluated many times: the median
//! is printed in milliseconds of the processor, with its ratio to what an evaluation may take. Twenty years with two
//! hundred changes follow, to show how the time grows: where it doubles, nothing in the rules looks back over the
//! whole past.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "it shows what it measures, and stops where it cannot")]

use std::hint::black_box;
use std::time::Instant;

use clap::Parser;
use evolve_business::billing::quote;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::{Value, json};

/// What one evaluation may take, in microseconds.
const BOUND_MICROS: u64 = 10_000;
/// Where the scenario begins.
const BEGIN: &str = "2027-01-31T09:00:00Z";
/// Hours of a year's tenth, as nearly as whole hours come.
const HOURS_BETWEEN_CHANGES: i64 = 876;

/// Measures the evaluation of long scenarios.
#[derive(Parser, Clone, Copy)]
struct Arguments {
    /// Rounds: the median of them is told
    #[arg(long, default_value_t = 15)]
    rounds: usize,
    /// Evaluations in each round
    #[arg(long, default_value_t = 200)]
    evaluations: u32,
}

fn main() {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        println!("This is a debug build: its figures say little. Run it with --release.");
    }
    let clock = if processor_nanos().is_some() { "processor" } else { "clock, since this system does not tell its processor's time" };
    let mut medians = Vec::new();
    for years in [10, 20] {
        let changes = years * 10;
        let scenario = scenario(years, changes);
        check(&scenario, years, changes);
        let median = median(arguments, &scenario);
        let (of_bound, micros) = (median.saturating_mul(100) / BOUND_MICROS, thousandths(median));
        println!(
            "{years} years, {changes} changes: {micros} ms by the {clock}, {of_bound} % of the {} ms it may take",
            BOUND_MICROS / 1_000
        );
        medians.push(median);
    }
    if let [once, twice] = medians[..] {
        println!("twice the length takes {} times as long", thousandths(twice.saturating_mul(1_000) / once.max(1)));
    }
}

/// A monthly subscription over so many years, with a coupon, and so many changes of plan at even distances: at once with
/// each proration, at the end of the period, and as the rules choose.
fn scenario(years: i64, changes: i64) -> String {
    let begin: Timestamp = BEGIN.parse().unwrap();
    let coupon = json!({ "percent_off": "10" });
    let subscribe = json!({ "price": "3000.00", "interval": "monthly", "trial_days": 14, "coupon": coupon });
    let mut events = vec![json!({ "at": begin.to_string(), "subscribe": subscribe })];
    for change in 1..=changes {
        let at = begin + SignedDuration::from_hours(change * HOURS_BETWEEN_CHANGES - 400);
        let kinds = [
            ("now", "prorate_now"),
            ("now", "prorate_next_invoice"),
            ("default", "prorate_now"),
            ("now", "reset_cycle"),
            ("period_end", "prorate_now"),
            ("now", "none"),
        ];
        let (timing, proration) = kinds[usize::try_from(change).unwrap() % kinds.len()];
        // Up and down, and never the price before it.
        let price = format!("{}.{:02}", 2_000 + change * 739 % 1_997, change % 100);
        events.push(json!({
            "at": at.to_string(),
            "change": { "price": price, "interval": "monthly", "timing": timing, "proration": proration, "plan": format!("plan {change}") },
        }));
    }
    let until = begin.to_zoned(jiff::tz::TimeZone::UTC).checked_add(years.years()).unwrap().timestamp();
    json!({
        "time_zone": "Africa/Nairobi", "currency": "KES", "tax": { "rate": "0.16", "behavior": "exclusive" },
        "events": events, "until": until.to_string(),
    })
    .to_string()
}

/// That what is measured is what is told: all of the years, and changes that charge.
fn check(scenario: &str, years: i64, changes: i64) {
    let answer: Value = serde_json::from_str(&quote::run(scenario).unwrap()).unwrap();
    let periods = answer["periods"].as_array().unwrap();
    // A trial comes first, and resets cut periods short.
    let (fewest, found) = (usize::try_from(years * 12).unwrap(), periods.len());
    assert!(found >= fewest, "{found} periods, and not {fewest}");
    let lines = answer["invoices"].as_array().unwrap().iter().flat_map(|invoice| invoice["lines"].as_array().unwrap());
    let prorated = lines.filter(|line| line["kind"] == "proration_charge").count();
    let fewest = usize::try_from(changes / 3).unwrap();
    assert!(prorated >= fewest, "{prorated} changes charged, and not {fewest}");
}

/// The median of the rounds, in microseconds for one evaluation.
fn median(arguments: Arguments, scenario: &str) -> u64 {
    let mut rounds: Vec<u64> = (0..arguments.rounds.max(1)).map(|_| round(arguments.evaluations.max(1), scenario)).collect();
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}

/// Evaluates the scenario so many times; microseconds for one.
fn round(evaluations: u32, scenario: &str) -> u64 {
    let (began, began_on_clock) = (processor_nanos(), Instant::now());
    for _ in 0..evaluations {
        let answer = quote::run(black_box(scenario));
        let _answer = black_box(answer.unwrap());
    }
    let nanos = match (began, processor_nanos()) {
        (Some(began), Some(ended)) => ended.saturating_sub(began),
        _ => u64::try_from(began_on_clock.elapsed().as_nanos()).unwrap(),
    };
    nanos / u64::from(evaluations) / 1_000
}

/// The processor's time that this thread, the only one that works, has had. Linux tells it to a scheduler's tick.
fn processor_nanos() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    told.split_ascii_whitespace().next()?.parse().ok()
}

fn thousandths(value: u64) -> String {
    format!("{}.{:03}", value / 1_000, value % 1_000)
}
