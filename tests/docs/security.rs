//! `docs/security.md`: each item of the standard that it says is met names tests that exist.

use std::collections::BTreeSet;

use crate::docs::named::tests;

const DOCUMENT: &str = include_str!("../../docs/security.md");
/// The section of the standard's items.
const STANDARD: &str = "\n## OWASP ASVS 5.0, level 2\n";
/// The last part of it, whose items name none.
const NOT_MET: &str = "\n### What is not met, or is the operator's\n";

/// The rows of the tables in a text, each cell trimmed.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with('|') && !line.starts_with("| ---") && !line.starts_with("| Item "));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// Whether it is three numbers with points between, as the standard numbers its items.
fn is_item(text: &str) -> bool {
    text.split('.').count() == 3 && text.split('.').all(|part| part.parse::<u8>().is_ok())
}

/// The items of a cell.
fn items(cell: &str) -> Vec<&str> {
    cell.split(", ").collect()
}

#[test]
fn each_item_that_is_met_names_tests_that_exist_and_none_is_named_twice() {
    let (_, standard) = DOCUMENT.split_once(STANDARD).unwrap();
    let (met, not_met) = standard.split_once(NOT_MET).unwrap();
    let (tests, mut seen) = (tests(), BTreeSet::new());
    let rows_of_met = rows(met);
    assert!(rows_of_met.len() > 50, "only {} rows were found", rows_of_met.len());
    for row in &rows_of_met {
        let [item, how, shown_by] = row[..] else { panic!("three cells: {row:?}") };
        let names: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
        assert!(!how.is_empty() && !names.is_empty(), "{item} names no test");
        for name in names {
            assert!(tests.contains(name), "{item} is shown by `{name}`, which is no test");
        }
    }
    for row in rows_of_met.iter().chain(&rows(not_met)) {
        for item in items(row[0]) {
            assert!(is_item(item), "{item:?} is no item of the standard");
            assert!(seen.insert(item), "{item} stands twice");
        }
    }
}

#[test]
fn whatever_the_document_leads_to_within_the_project_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let links: Vec<&str> = DOCUMENT.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 4, "only {links:?}");
    for link in links {
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{link}: {error}"));
        let anchor = |line: &str| -> String {
            let kept = line.trim_start_matches(['#', ' ']).chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
        };
        let is_there = heading.is_empty() || text.lines().any(|line| line.starts_with('#') && anchor(line) == heading);
        assert!(is_there, "{link} leads nowhere");
    }
}
