//! `evolve-business quote`, run as an operator runs it: a file or stdin in, JSON or one sentence out.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// The scenario that `docs/billing.md` and `quote --help` work through.
const SCENARIO: &str = r#"{
  "time_zone": "Africa/Nairobi", "currency": "KES", "anchor": "anniversary", "granularity": "day",
  "tax": { "rate": "0.16", "behavior": "exclusive" },
  "events": [
    { "at": "2027-01-31T09:00:00Z", "subscribe": { "price": "3000.00", "interval": "monthly", "trial_days": 0 } },
    { "at": "2027-03-10T12:00:00Z", "change": { "price": "9000.00", "interval": "monthly", "timing": "now", "proration": "prorate_now" } },
    { "at": "2027-05-02T08:00:00Z", "cancel": { "timing": "now", "unused_time": "credit" } } ],
  "until": "2027-06-30T00:00:00Z" }"#;

/// The program in an empty directory, in production mode without a key: what it needs no settings for must not mind.
fn quote(directory: &Path, argument: &str, stdin: &str) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_evolve-business"))
        .args(["quote", argument])
        .current_dir(directory)
        .env_clear()
        .env("EVOLVE_MODE", "production")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses may have gone before all of it is written.
    let _ = program.stdin.take().unwrap().write_all(stdin.as_bytes());
    program.wait_with_output().unwrap()
}

/// What it printed, where it succeeded.
fn answer(output: &Output) -> Value {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.is_empty(), "{}: {told}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The sentence on stderr, where it failed with the exit code 1 and printed nothing else.
fn sentence(output: &Output) -> String {
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), b"".as_slice()));
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// One member of each entry of a list.
fn each<'a>(answer: &'a Value, list: &str, member: &str) -> Vec<&'a str> {
    answer[list].as_array().unwrap().iter().map(|entry| entry[member].as_str().unwrap()).collect()
}

#[test]
fn a_scenario_in_a_file_is_answered_to_the_cent_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("scenario.json"), SCENARIO).unwrap();
    let answer = answer(&quote(directory.path(), "scenario.json", ""));
    // January and February 3000.00 + 16 % = 3480.00. 10 March: of 31 days (28 February to 31 March) 21 are left:
    // 3000.00 × 21/31 = 2032.258 → 2032.26; 9000.00 × 21/31 = 6096.774 → 6096.77; 4064.51, 16 % = 650.3216 → 650.32; 4714.83.
    // March and April 9000.00 + 1440.00 = 10440.00.
    assert_eq!(each(&answer, "invoices", "total"), ["3480.00", "3480.00", "4714.83", "10440.00", "10440.00"]);
    assert_eq!(each(&answer, "invoices", "tax"), ["480.00", "480.00", "650.32", "1440.00", "1440.00"]);
    let lines = answer["invoices"][2]["lines"].as_array().unwrap();
    assert_eq!(lines.iter().map(|line| line["amount"].as_str().unwrap()).collect::<Vec<_>>(), ["-2032.26", "6096.77"]);
    assert!(lines.iter().all(|line| line["numerator"] == json!(21) && line["denominator"] == json!(31)));
    // Midnight in Nairobi is 21:00 UTC of the day before.
    assert_eq!(
        each(&answer, "invoices", "at"),
        ["2027-01-31T09:00:00Z", "2027-02-27T21:00:00Z", "2027-03-10T12:00:00Z", "2027-03-30T21:00:00Z", "2027-04-29T21:00:00Z"]
    );
    // 2 May: of 31 days (30 April to 31 May) 29 are left: 9000.00 × 29/31 = 8419.354; with 16 % (1347.0966) 9766.45.
    let note = json!({ "at": "2027-05-02T08:00:00Z", "net": "8419.35", "tax": "1347.10", "total": "9766.45", "to_credit": "9766.45", "to_refund": "0.00" });
    assert_eq!(answer["credit_notes"], json!([note]));
    assert_eq!(answer["credit_balance"], "9766.45");
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["scenario.json"], "it made a file");
}

#[test]
fn a_scenario_on_stdin_is_answered_as_the_same_in_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("scenario.json");
    std::fs::write(&file, SCENARIO).unwrap();
    let from_stdin = quote(directory.path(), "-", SCENARIO);
    assert_eq!(answer(&from_stdin)["credit_balance"], "9766.45");
    assert_eq!(from_stdin.stdout, quote(directory.path(), file.to_str().unwrap(), "").stdout);
}

#[test]
fn a_scenario_that_breaks_a_rule_is_one_sentence_that_names_the_event() {
    let directory = tempfile::tempdir().unwrap();
    let same = SCENARIO.replace("\"9000.00\"", "\"3000.00\"");
    assert_eq!(
        sentence(&quote(directory.path(), "-", &same)),
        "Event 2 (change at 2027-03-10T12:00:00Z) is refused: The subscription has this plan and interval already.\n"
    );
    let usage = SCENARIO.replace("\"trial_days\": 0", "\"quantity\": 3");
    let told = sentence(&quote(directory.path(), "-", &usage));
    assert!(told.starts_with("Event 1 (subscribe at 2027-01-31T09:00:00Z) is refused: `quantity` is not evaluated"), "{told}");
    let cut = sentence(&quote(directory.path(), "-", &SCENARIO[..SCENARIO.len() - 1]));
    assert!(cut.starts_with("The scenario cannot be read: EOF") && cut.lines().count() == 1, "{cut}");
}

#[test]
fn a_file_that_is_missing_or_too_long_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = sentence(&quote(directory.path(), "nowhere.json", ""));
    assert!(missing.starts_with("The scenario nowhere.json cannot be read\n  because: "), "{missing}");
    // A whole scenario and blanks: only its length is wrong.
    let long = format!("{SCENARIO}{}", " ".repeat(1024 * 1024));
    std::fs::write(directory.path().join("long.json"), &long).unwrap();
    let told = sentence(&quote(directory.path(), "long.json", ""));
    assert_eq!(told, "The scenario long.json is too long: at most 1048576 bytes are read.\n");
    assert_eq!(sentence(&quote(directory.path(), "-", &long)), "The scenario on stdin is too long: at most 1048576 bytes are read.\n");
    let most = format!("{SCENARIO}{}", " ".repeat(1024 * 1024 - SCENARIO.len()));
    assert_eq!(answer(&quote(directory.path(), "-", &most))["credit_balance"], "9766.45");
}

#[test]
fn the_help_shows_a_scenario_and_none_of_the_settings_it_does_not_need() {
    let help = Command::new(env!("CARGO_BIN_EXE_evolve-business")).args(["quote", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for part in
        ["Usage: evolve-business quote <FILE>", "reads it from stdin", "\"subscribe\": { \"price\": \"3000.00\"", "prorate_next_invoice"]
    {
        assert!(help.contains(part), "{part} is missing:\n{help}");
    }
    assert!(!help.contains("--database-url") && !help.contains("--listen"), "{help}");
}
