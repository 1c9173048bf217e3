//! The shape of the house, checked: who uses whom, how long files are, and what is nowhere to be found.
//! What is allowed, and where, stands in `tidy/lists.rs`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "tidy/lexer.rs"]
mod lexer;
#[path = "tidy/lists.rs"]
mod lists;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/rules_fire.rs"]
mod rules_fire;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use lists::{BANNED_CALLS, LONGER_FILES, SYSTEM_OPENED, TENANT_SCOPE_MADE};
use rules::{Source, Violation};

/// Folders that hold nothing of ours.
const SKIPPED_FOLDERS: &[&str] = &[".git", "target", "node_modules", "data", "dist"];
/// Files that tools write.
const WRITTEN_BY_TOOLS: &[&str] = &["Cargo.lock", "package-lock.json"];

/// Every text file of the project.
static TREE: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut sources = Vec::new();
    walk(Path::new(env!("CARGO_MANIFEST_DIR")), "", &mut sources);
    assert!(sources.len() > 20, "only {} files found: the walk is broken", sources.len());
    sources
});

/// The Rust of the program, its migrations, tests and examples.
static CODE: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let code = below(&["src/", "migration/", "tests/", "examples/"]);
    for needed in ["src/lib.rs", "migration/src/lib.rs", "tests/tidy.rs"] {
        assert!(code.iter().any(|source| source.path == needed), "{needed} was not found: the walk is broken");
    }
    code
});

/// The program's own source: what a test does with its capabilities is its own affair.
static PROGRAM: LazyLock<Vec<Source>> = LazyLock::new(|| below(&["src/"]));

fn below(folders: &[&str]) -> Vec<Source> {
    let is_below = |source: &&Source| folders.iter().any(|folder| source.path.starts_with(folder));
    TREE.iter().filter(is_below).map(|source| Source::new(source.path.as_str(), source.text.as_str())).collect()
}

fn walk(folder: &Path, below: &str, sources: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
            walk(&entry.path(), &path, sources);
        } else if kind.is_file() && name != ".git" && !WRITTEN_BY_TOOLS.contains(&name.as_str()) {
            // What is no text (pictures, the packed GraphiQL) holds no words.
            if let Ok(text) = String::from_utf8(std::fs::read(entry.path()).unwrap()) {
                sources.push(Source::new(path, text));
            }
        }
    }
}

/// Fails with every violation, one a line.
fn none(violations: &[Violation]) {
    let mut list = String::new();
    for violation in violations {
        writeln!(list, "{violation}").unwrap();
    }
    assert!(violations.is_empty(), "{} violations:\n{list}", violations.len());
}

#[test]
fn rooms_are_used_in_the_direction_that_is_drawn() {
    none(&rules::directions(&CODE));
}

#[test]
fn only_the_store_names_the_crates_of_the_database() {
    none(&rules::database_crates(&CODE));
}

#[test]
fn files_are_short() {
    none(&rules::lengths(&CODE, LONGER_FILES));
}

#[test]
fn billing_has_no_clock_no_waiting_and_no_floats() {
    none(&rules::pure_billing(&CODE));
}

#[test]
fn banned_calls_are_expected_in_the_listed_files_alone() {
    none(&rules::only_in(&CODE, "banned calls", BANNED_CALLS, &[&["disallowed_methods"], &["disallowed_types"]]));
}

#[test]
fn a_tenant_scope_is_made_in_the_listed_files_alone() {
    none(&rules::only_in(&PROGRAM, "tenant scope", TENANT_SCOPE_MADE, &[&["TenantScope", "::"], &["::", "proved"]]));
}

#[test]
fn the_system_capability_is_opened_in_the_listed_files_alone() {
    none(&rules::only_in(
        &PROGRAM,
        "system",
        SYSTEM_OPENED,
        &[&[".", "write_system", "("], &[".", "read_system", "("], &["::", "of_system", "("]],
    ));
}

#[test]
fn the_tree_speaks_of_itself_alone_and_is_finished() {
    none(&rules::words(&TREE));
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    none(&rules::invariants(&CODE));
}

#[test]
fn the_lock_file_has_one_version_of_what_must_be_one() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    none(&rules::versions(&Source::new("Cargo.lock", lock)));
}
