//! What is sent to break the program, over plain TCP to the program itself: each has a name and its own right answer, is answered
//! quickly, and all of it together leaves the memory as it was.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "hostile/case.rs"]
mod case;
#[path = "hostile/corpus.rs"]
mod corpus;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "shared with the tests that kill it")]
#[path = "crash/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::case::{Caller, Case};
use crate::corpus::cases;
use crate::database::{Kind, TestDatabase};
use crate::server::Server;

/// How long an answer may take of a debug build on a busy machine.
const QUICKLY: Duration = Duration::from_secs(3);
/// How long one that the server waits for may take: a body has 20 seconds.
const SLOWLY: Duration = Duration::from_secs(40);
/// How much more the server may hold after the whole corpus was sent four times than after the first: an allocator keeps some
/// pages, and what leaks with each round is more than that.
const MORE_KB: u64 = 24_000;
/// How many rounds the memory is measured over.
const ROUNDS: u32 = 4;

/// Everything that the server sends until it closes, and how long that took.
async fn answer(server: &Server, request: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).await.unwrap();
    // The server may close before it has read all, with an answer that says why.
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let exchange = async {
        let send = async { drop(writing.write_all(request).await) };
        let read = async { drop(reading.read_to_end(&mut answer).await) };
        tokio::join!(send, read)
    };
    let ended = tokio::time::timeout(SLOWLY, exchange).await;
    assert!(ended.is_ok(), "no end of an answer: {}", String::from_utf8_lossy(&answer));
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

/// The status of an answer and its first code: of a top-level error, or of a payload's first user error; empty where it has neither.
fn verdict(answer: &str) -> (u16, String) {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let refused = body["data"].as_object().into_iter().flatten().find_map(|(_, payload)| payload["userErrors"][0]["code"].as_str());
    (status, body["errors"][0]["extensions"]["code"].as_str().or(refused).unwrap_or_default().to_owned())
}

/// The demo user's access token.
async fn token(server: &Server) -> String {
    let query = "mutation($input: SignInInput!) { signIn(input: $input) { session { accessToken } } }";
    let input = json!({ "email": "demo@evolve.test", "password": "demo-evolve-2027" });
    let sent = reqwest::Client::new().post(server.endpoint()).json(&json!({ "query": query, "variables": { "input": input } }));
    let answer: Value = sent.send().await.unwrap().json().await.unwrap();
    answer["data"]["signIn"]["session"]["accessToken"].as_str().unwrap().to_owned()
}

/// Sends one, and says how it is not answered as it should be.
async fn wrong(server: &Server, case: &Case, token: &str) -> Option<String> {
    let (answer, took) = answer(server, &case.bytes(token)).await;
    let (status, code) = verdict(&answer);
    let quickly = if case.is_slow { SLOWLY } else { QUICKLY };
    let leaks = ["panicked", ".rs:", "sqlx", "SELECT ", "/tmp"].into_iter().find(|word| answer.contains(word));
    let is_right = (status, code.as_str()) == (case.status, case.code) && took < quickly && leaks.is_none() && answer.len() < 20_000;
    let shown: String = answer.chars().take(700).collect();
    (!is_right).then(|| format!("{}: {status} {code:?} in {took:?}, and not {} {:?}: {shown}", case.name, case.status, case.code))
}

/// What the process holds that is its own, in kilobytes.
fn held_kb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

async fn answers_all_of_it(db: TestDatabase) {
    // With the demo data that the server makes by itself; a caller may ask as often as the rounds need.
    let unlimited = ["EVOLVE_REQUESTS_PER_CALLER", "EVOLVE_REQUESTS_PER_ADDRESS", "EVOLVE_POINTS_PER_CALLER", "EVOLVE_POINTS_PER_ADDRESS"];
    let server = Server::start(&db, &unlimited.map(|setting| (setting, "0"))).await;
    let token = token(&server).await;
    let cases = cases();
    let (slow, quick): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.is_slow);

    let mut problems = Vec::new();
    let mut held = Vec::new();
    for _ in 0..ROUNDS {
        for case in &quick {
            problems.extend(wrong(&server, case, &token).await);
        }
        assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), cases.len(), problems.join("\n"));
        held.push(held_kb(&server));
    }
    assert!(held[held.len() - 1] <= held[0] + MORE_KB, "what the server holds grows: {held:?} kB");

    // These wait for the server, all at once, and it answers others meanwhile.
    let waiting = futures::future::join_all(slow.iter().map(|case| wrong(&server, case, &token)));
    let fine = Case { code: "", status: 200, ..Case::query("what everybody may ask", "{ products { code } }", json!({})) };
    let (waited, meanwhile) = tokio::join!(waiting, wrong(&server, &fine, &token));
    let problems: Vec<String> = waited.into_iter().flatten().chain(meanwhile).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

mod each_hostile_request_has_its_answer_and_leaves_nothing_behind {
    use super::{Kind, database};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, super::answers_all_of_it).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, super::answers_all_of_it).await;
    }
}

#[test]
fn the_corpus_has_a_hundred_requests_each_with_a_name_of_its_own() {
    let cases = cases();
    let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 100, "only {}", cases.len());
    assert!(cases.iter().any(|case| case.caller == Caller::Nobody) && cases.iter().any(|case| case.is_slow));
}
