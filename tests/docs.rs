//! `docs/billing.md` says how the program bills: each rule names tests that exist, and each scenario comes to what
//! stands beside it. `docs/security.md` names the tests that show each item.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod docs {
    pub(crate) mod named;
    mod security;
}

use std::collections::BTreeSet;

use evolve_business::billing::quote;
use serde_json::Value;

use crate::docs::named::tests;

const DOCUMENT: &str = include_str!("../docs/billing.md");
/// What begins the paragraph that names the tests of a rule.
const HELD_BY: &str = "Held by ";
/// The headings of that depth, each with its text down to the next of any depth.
fn sections(marks: &str) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    let mut inside = false;
    for line in DOCUMENT.lines() {
        if let Some(heading) = line.strip_prefix(marks).and_then(|rest| rest.strip_prefix(' ')) {
            found.push((heading, String::new()));
            inside = true;
        } else if line.starts_with('#') {
            inside = false;
        } else if inside && let Some((_, text)) = found.last_mut() {
            text.push_str(line);
            text.push('\n');
        }
    }
    found
}

/// Whether it begins with a number, as `1. Time` and `1.1 A period …` do.
fn is_numbered(heading: &str) -> bool {
    heading.starts_with(|first: char| first.is_ascii_digit())
}

/// The names between backquotes in the paragraphs that begin with `Held by`.
fn held_by(text: &str) -> Vec<&str> {
    let paragraphs = text.split("\n\n").map(str::trim_start).filter(|paragraph| paragraph.starts_with(HELD_BY));
    paragraphs.flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2)).collect()
}

/// A scenario and what stands beside it.
struct Worked {
    scenario: &'static str,
    result: Value,
    /// Whether all of the answer stands there, and not a part.
    is_whole: bool,
}

/// Every scenario of the document, in order.
fn worked() -> Vec<Worked> {
    let blocks: Vec<(&str, &str)> = DOCUMENT
        .split("\n```json ")
        .skip(1)
        .map(|block| {
            let (kind, rest) = block.split_once('\n').unwrap();
            (kind, rest.split_once("\n```").unwrap_or_else(|| panic!("a block has no end: {kind}")).0)
        })
        .collect();
    let pair = |pair: &[(&'static str, &'static str)]| {
        let [("scenario", scenario), (kind @ ("result" | "whole result"), result)] = *pair else {
            panic!("a scenario is followed by its result: {pair:?}")
        };
        let result = serde_json::from_str(result).unwrap_or_else(|error| panic!("{error}: {result}"));
        Worked { scenario, result, is_whole: kind == "whole result" }
    };
    blocks.chunks(2).map(pair).collect()
}

/// Whether a part stands so in the whole: each member of an object, each entry of a list.
fn shows(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(member, value)| whole.get(member).is_some_and(|other| shows(value, other)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(one, other)| shows(one, other))
        }
        (part, whole) => part == whole,
    }
}

#[test]
fn every_scenario_in_the_document_comes_to_what_stands_beside_it() {
    let worked = worked();
    assert!(worked.len() >= 25, "only {} scenarios were found", worked.len());
    for Worked { scenario, result, is_whole } in &worked {
        let answer = quote::run(scenario).unwrap_or_else(|refusal| panic!("{refusal}\n{scenario}"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let is_so = if *is_whole { *result == answer } else { shows(result, &answer) };
        assert!(is_so, "{scenario}\ncomes to\n{answer:#}\nand not to\n{result:#}");
    }
    // The one that is worked through in full.
    let whole: Vec<&Worked> = worked.iter().filter(|worked| worked.is_whole).collect();
    assert!(!whole.is_empty() && whole.iter().any(|worked| worked.result["credit_balance"] == "9766.45"));
}

#[test]
fn a_part_is_shown_by_what_has_it_and_by_nothing_else() {
    let whole = serde_json::json!({ "a": [{ "b": "1", "c": "2" }, { "b": "3" }] });
    assert!(shows(&serde_json::json!({ "a": [{ "b": "1" }, {}] }), &whole));
    for other in [serde_json::json!({ "a": [{ "b": "2" }, {}] }), serde_json::json!({ "a": [{}] }), serde_json::json!({ "d": [] })] {
        assert!(!shows(&other, &whole), "{other}");
    }
}

#[test]
fn every_rule_names_tests_and_all_of_them_exist() {
    let tests = tests();
    // A function of a rule, one on both databases, one by name, one on PostgreSQL alone, a property.
    for known in [
        "boundaries_come_from_the_anchor_and_do_not_drift",
        "two_renewals_at_once_bill_once",
        "a_kill_between_charge_and_answer_charges_once_and_settles_after_a_restart",
        "a_lock_that_is_held_for_five_seconds_is_given_up",
        "shares_add_up_to_the_whole",
    ] {
        assert!(tests.contains(known), "the walk does not find {known}");
    }
    for none in ["sqlite", "june", "tests_in", ""] {
        assert!(!tests.contains(none), "{none:?} is no test");
    }
    let rules: Vec<_> = sections("###").into_iter().filter(|(heading, _)| is_numbered(heading)).collect();
    assert!(rules.len() > 40, "only {} rules were found", rules.len());
    for (heading, text) in &rules {
        let names = held_by(text);
        assert!(!names.is_empty(), "{heading} names no test");
        for name in names {
            assert!(tests.contains(name), "{heading} is held by `{name}`, which is no test");
        }
    }
    let below: BTreeSet<&str> = rules.iter().map(|(heading, _)| heading.split('.').next().unwrap()).collect();
    for (heading, _) in sections("##").iter().filter(|(heading, _)| is_numbered(heading)) {
        assert!(below.contains(heading.split('.').next().unwrap()), "{heading} has no rule");
    }
    let named: usize = DOCUMENT.split("\n\n").filter(|paragraph| paragraph.trim_start().starts_with(HELD_BY)).count();
    assert_eq!(named, rules.len(), "each rule ends with the one paragraph that names its tests");
}

#[test]
fn every_link_within_the_document_leads_somewhere() {
    let anchor = |heading: &str| -> String {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    let headings: BTreeSet<String> = ["##", "###"].into_iter().flat_map(sections).map(|(heading, _)| anchor(heading)).collect();
    let links: Vec<&str> = DOCUMENT.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 15, "only {links:?}");
    for link in links {
        assert!(headings.contains(link), "#{link} is no heading");
    }
}
