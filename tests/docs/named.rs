//! The names of all tests, as documents name them.

use std::collections::BTreeSet;
use std::path::Path;

/// Macros that make a test of each name, or of what stands before each `=`.
const MACROS: [&str; 3] = ["both!", "on_both!", "on_postgres!"];

/// The text of each Rust file below a folder of the project.
fn rust_below(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("node_modules") {
            rust_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The word after `before` in a line, where it is there: the name of a function or module.
fn name_after<'a>(line: &'a str, before: &str) -> Option<&'a str> {
    let (_, after) = line.split_once(before)?;
    after.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().filter(|name| !name.is_empty())
}

/// The names of the tests in a file: functions marked as such, modules of a test for each database, and what is given
/// to a macro that makes those.
fn tests_in(text: &str) -> BTreeSet<String> {
    let (mut found, mut module, mut is_marked, mut in_macro) = (BTreeSet::new(), "", false, false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("//") {
            continue;
        }
        let mut listed = in_macro.then_some(line);
        if let Some(named) = MACROS.iter().find_map(|name| line.strip_prefix(name)) {
            in_macro = true;
            listed = Some(named.trim_start_matches([' ', '(', '{']));
        }
        if let Some(listed) = listed {
            let names = listed.split(',').map(|name| name.split('=').next().unwrap_or_default().trim_matches([' ', ')', '}', ';']));
            found.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
            in_macro = !line.ends_with([';', '}']);
        } else if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_marked = true;
        } else if line.starts_with("mod ") && line.ends_with('{') {
            module = name_after(line, "mod ").unwrap_or_default();
        } else if is_marked && let Some(name) = name_after(line, "fn ") {
            // In the macros themselves the module has no name yet.
            let name = if ["sqlite", "postgres"].contains(&name) { module } else { name };
            if !name.is_empty() {
                found.insert(name.to_owned());
            }
            is_marked = false;
        }
    }
    found
}

/// The names of all tests.
pub(crate) fn tests() -> BTreeSet<String> {
    let (root, mut files) = (Path::new(env!("CARGO_MANIFEST_DIR")), Vec::new());
    for folder in ["src", "tests"] {
        rust_below(&root.join(folder), &mut files);
    }
    files.iter().flat_map(|text| tests_in(text)).collect()
}
