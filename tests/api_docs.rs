//! `docs/api.md` is run: each operation and command is sent to the server, which answers what stands beside it, and its tables say
//! what the program does.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "shared with the tests that kill it")]
#[path = "crash/server.rs"]
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use evolve_business::error::Code;
use evolve_business::graphql::front_door::{Limit, Limits};
use evolve_business::graphql::page::MAX_PAGE;
use evolve_business::http::graphql::Settings;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::database::{Kind, TestDatabase};
use crate::server::Server;

const DOCUMENT: &str = include_str!("../docs/api.md");
const SCHEMA: &str = include_str!("../schema.graphql");
/// Where a reader's server is.
const READERS: &str = "http://127.0.0.1:8080";
/// What is another each time; at the end of a list, any further entries.
const ANYTHING: &str = "…";
/// How long one command may take.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// What is sent, as the page has it.
#[derive(Debug)]
enum Sent {
    /// An operation, with the caller's token or without.
    Operation { text: &'static str, variables: &'static str, by_nobody: bool },
    /// A command for a shell.
    Command(&'static str),
}

/// Something to send, and what is answered.
#[derive(Debug)]
struct Snippet {
    sent: Sent,
    answer: &'static str,
    /// What the command prints after the answer.
    status: &'static str,
}

/// The blocks of the page: what stands behind the backquotes, and what is inside.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let block = |block: &'static str| {
        let (kind, rest) = block.split_once('\n').unwrap();
        (kind, rest)
    };
    // Every second piece is inside of a fence.
    DOCUMENT.split("```").skip(1).step_by(2).map(block).collect()
}

/// Everything of the page that is sent, in its order.
fn snippets() -> Vec<Snippet> {
    let mut blocks = blocks().into_iter().peekable();
    let mut found = Vec::new();
    while let Some((kind, text)) = blocks.next() {
        let variables = blocks.next_if(|(kind, _)| *kind == "json variables").map_or("{}", |(_, text)| text);
        let sent = match kind {
            "graphql" | "graphql nobody" => Sent::Operation { text, variables, by_nobody: kind.ends_with("nobody") },
            "sh" => Sent::Command(text),
            _ => panic!("nothing is known of a block {kind:?}: {text}"),
        };
        let answered = blocks.next().and_then(|(kind, answer)| Some((kind.strip_prefix("json answer")?, answer)));
        let (status, answer) = answered.unwrap_or_else(|| panic!("no answer stands beside {text}"));
        found.push(Snippet { sent, answer, status: status.trim() });
    }
    found
}

/// The text with each `<NAME>` that is known replaced.
fn filled(text: &str, names: &BTreeMap<String, String>) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
}

/// The answer without what is told of cost and points beside it, which must be there where something was let in.
fn without_terms(mut answer: Value) -> Value {
    let Some(extensions) = answer.get_mut("extensions").and_then(Value::as_object_mut) else {
        assert!(answer.get("data").is_none(), "nothing is told of what it cost: {answer}");
        return answer;
    };
    let numbers = |terms: &Value, names: &[&str]| {
        terms.as_object().is_some_and(|terms| terms.len() == names.len() && names.iter().all(|name| terms[*name].is_u64()))
    };
    let cost = extensions.remove("cost").unwrap_or_default();
    assert!(numbers(&cost, &["requested", "limit"]), "{cost}");
    if let Some(left) = extensions.remove("rateLimit") {
        assert!(numbers(&left, &["limit", "remaining", "resetSeconds"]), "{left}");
    }
    if extensions.is_empty() {
        answer.as_object_mut().unwrap().remove("extensions");
    }
    answer
}

/// Whether the answer is what was expected; what `<NAME>` stands for is noted.
fn fits(expected: &Value, answer: &Value, names: &mut BTreeMap<String, String>) -> bool {
    match (expected, answer) {
        (Value::String(text), _) if text == ANYTHING => true,
        (Value::String(text), Value::String(value)) if text.starts_with('<') && text.ends_with('>') => {
            let name = text.trim_matches(['<', '>']).to_owned();
            // A token is another when it is renewed; all else is the same wherever it stands.
            let before = names.insert(name.clone(), value.clone());
            before.is_none_or(|before| before == *value || name == "TOKEN")
        }
        (Value::Object(expected), Value::Object(answer)) => {
            expected.len() == answer.len()
                && expected.iter().all(|(key, value)| answer.get(key).is_some_and(|answer| fits(value, answer, names)))
        }
        (Value::Array(expected), Value::Array(answer)) => {
            let (rows, is_open) = match expected.split_last() {
                Some((last, rows)) if last == ANYTHING => (rows, true),
                _ => (expected.as_slice(), false),
            };
            (if is_open { rows.len() <= answer.len() } else { rows.len() == answer.len() })
                && rows.iter().zip(answer).all(|(row, answer)| fits(row, answer, names))
        }
        (expected, answer) => expected == answer,
    }
}

/// The answer to an operation.
async fn asked(server: &Server, text: &str, variables: &str, token: Option<&String>) -> String {
    let variables: Value = serde_json::from_str(variables).unwrap_or_else(|error| panic!("{error}: {variables}"));
    let mut request = reqwest::Client::new().post(server.endpoint()).json(&json!({ "query": text.trim(), "variables": variables }));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap().text().await.unwrap()
}

/// What a command prints.
async fn printed(server: &Server, command: &str, names: &BTreeMap<String, String>, db: &TestDatabase) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-euc", &command.replace(READERS, server.url())]).envs(names).current_dir(db.dir.path()).kill_on_drop(true);
    let output = tokio::time::timeout(COMMAND_LIMIT, shell.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{command}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn runs_the_page(db: TestDatabase) {
    // With the demo data that the server makes by itself on an empty database.
    let server = Server::start(&db, &[]).await;
    let snippets = snippets();
    assert!(snippets.len() >= 20, "only {} were found", snippets.len());
    let mut names = BTreeMap::new();
    for Snippet { sent, answer, status } in &snippets {
        let text = match sent {
            Sent::Operation { text, variables, by_nobody } => {
                asked(&server, text, &filled(variables, &names), names.get("TOKEN").filter(|_| !by_nobody)).await
            }
            Sent::Command(command) => printed(&server, command, &names, &db).await,
        };
        let text = text.strip_suffix(status).unwrap_or_else(|| panic!("{sent:?} answers {text} and not {status}"));
        let answered: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {sent:?} answers {text}"));
        let expected: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        let answered = if expected["extensions"].get("cost").is_some() { answered } else { without_terms(answered) };
        assert!(fits(&expected, &answered, &mut names), "{sent:?}\nanswers\n{answered:#}\nand not\n{answer}\n{}", server.log());
    }
}

mod what_the_page_says_is_answered_is_answered {
    use super::{Kind, database};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, super::runs_the_page).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, super::runs_the_page).await;
    }
}

#[test]
fn an_answer_fits_what_is_like_it_and_nothing_else() {
    let fits = |expected: Value| fits(&expected, &json!({ "a": [{ "b": "1" }, { "b": "2" }], "c": null }), &mut BTreeMap::new());
    assert!(fits(json!({ "a": [{ "b": "<X>" }, "…"], "c": null })) && fits(json!({ "a": "…", "c": "…" })));
    for other in [
        json!({ "a": [{ "b": "1" }], "c": null }),
        json!({ "a": [{ "b": "<X>" }, { "b": "<X>" }], "c": null }),
        json!({ "a": [{ "b": "1" }, { "b": "2" }, {}, "…"], "c": null }),
        json!({ "a": "…" }),
        json!({ "a": "…", "c": "…", "d": "…" }),
        json!({ "a": "…", "c": "<X>" }),
    ] {
        assert!(!fits(other.clone()), "{other}");
    }
}

/// The rows of the table below that heading, without its head.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, after) = DOCUMENT.split_once(&format!("\n## {heading}\n")).unwrap();
    let rows = after.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| "));
    rows.skip(2).map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect()).collect()
}

/// A cell without what it leads to: ` ([Limits](#limits))`.
fn without_links(cell: &str) -> String {
    let mut parts = cell.split(" ([");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("))").unwrap().1)
}

#[test]
fn the_codes_of_errors_with_their_statuses_and_meanings_are_those_of_the_page() {
    let told: Vec<Vec<String>> = table("Errors").iter().map(|row| row.iter().map(|cell| without_links(cell)).collect()).collect();
    let cells = |code: &Code| vec![code.as_str().to_owned(), code.status().to_string(), code.meaning().trim_matches('`').to_owned()];
    assert_eq!(told, Code::ALL.iter().map(cells).collect::<Vec<_>>());
}

#[test]
fn the_codes_of_user_errors_are_those_of_the_page() {
    let (_, after) = DOCUMENT.split_once("\nThe codes of `userErrors`: ").unwrap();
    let told: Vec<&str> = after.split("\n\n").next().unwrap().split('`').skip(1).step_by(2).collect();
    let schema = apollo_compiler::Schema::parse_and_validate(SCHEMA, "schema.graphql").unwrap();
    let real: Vec<&str> = schema.get_enum("UserErrorCode").unwrap().values.keys().map(apollo_compiler::Name::as_str).collect();
    assert!(real.len() > 20);
    assert_eq!(told, real);
}

#[test]
fn the_limits_are_those_of_the_page() {
    let (limits, settings) = (Limits::default(), Settings::default());
    let real = [
        (settings.max_body_bytes.to_string(), "BODY_BYTES", "EVOLVE_BODY_BYTES"),
        (limits.document_bytes.to_string(), Limit::DocumentBytes.code(), "EVOLVE_QUERY_BYTES"),
        (limits.tokens.to_string(), Limit::Tokens.code(), "EVOLVE_QUERY_TOKENS"),
        (limits.recursion.to_string(), Limit::Brackets.code(), ""),
        (limits.operations.to_string(), Limit::Operations.code(), ""),
        (limits.nesting.to_string(), Limit::Nesting.code(), ""),
        (limits.depth.to_string(), Limit::Depth.code(), "EVOLVE_QUERY_DEPTH"),
        (limits.selections.to_string(), Limit::Selections.code(), ""),
        (limits.aliases.to_string(), Limit::Aliases.code(), "EVOLVE_QUERY_ALIASES"),
        (limits.root_fields.to_string(), Limit::RootFields.code(), "EVOLVE_QUERY_ROOT_FIELDS"),
        (limits.directives.to_string(), Limit::Directives.code(), "EVOLVE_QUERY_DIRECTIVES"),
        (limits.complexity.to_string(), Limit::Cost.code(), "EVOLVE_QUERY_COST"),
        (limits.introspection_depth.to_string(), Limit::IntrospectionDepth.code(), "EVOLVE_INTROSPECTION_DEPTH"),
        (limits.introspection_lists.to_string(), Limit::IntrospectionLists.code(), ""),
        (limits.introspection_cost.to_string(), Limit::IntrospectionCost.code(), "EVOLVE_INTROSPECTION_COST"),
        ("1".to_owned(), Limit::SignIns.code(), ""),
        (MAX_PAGE.to_string(), "PAGE_ROWS", "EVOLVE_PAGE_ROWS"),
        (settings.time_limit.as_secs().to_string(), "SECONDS", "EVOLVE_REQUEST_SECONDS"),
    ];
    let rows = table("Limits");
    let told: Vec<_> = rows.iter().map(|row| (row[1].to_owned(), row[2], row[3])).collect();
    assert_eq!(told, real);
    // What the program does unless it is told otherwise is what the page says.
    let given = evolve_business::config::Settings::resolve(evolve_business::config::Given::default()).unwrap();
    assert_eq!(evolve_business::app::door_limits(&given), limits);
    assert_eq!(evolve_business::app::request_limits(&given), settings);
    let fewer = evolve_business::config::Given { query_aliases: Some(7), page_rows: Some(5), ..Default::default() };
    let fewer = evolve_business::config::Settings::resolve(fewer).unwrap();
    let door = evolve_business::app::door_limits(&fewer);
    assert_eq!((door.aliases, door.default_page, evolve_business::app::request_limits(&fewer).page_rows), (7, 5, 5));
    for number in [given.rates.caller_points.most, given.rates.address_points.most] {
        assert!(DOCUMENT.contains(&format!("{},000 of a", number / 1_000)), "{number}");
    }
}

#[test]
fn every_link_of_the_page_leads_somewhere() {
    let anchor = |heading: &str| heading.to_lowercase().replace(' ', "-");
    let headings: BTreeSet<String> = DOCUMENT.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let links: Vec<&str> = DOCUMENT.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 15, "only {links:?}");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for link in links.into_iter().filter(|link| !link.starts_with("http")) {
        let is_there = link.strip_prefix('#').map_or_else(|| folder.join(link).exists(), |anchor| headings.contains(anchor));
        assert!(is_there, "{link} leads nowhere");
    }
}
