//! The rules: each takes the files and says what is wrong where.

use std::fmt;

use crate::lexer::{Path, Token, paths, tokens};
use crate::lists::{
    BANNED_IN_BILLING, BILLING_MAY_USE, DATABASE_CRATES, FOREIGN_WORDS, LEAVES, MAX_LINES, NO_VERSION, ONE_VERSION, ROOMS, UNFINISHED,
};

/// A file of the project.
pub(crate) struct Source {
    /// From the project's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Of a Rust file; none of another.
    pub(crate) tokens: Vec<Token>,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let tokens = if is_rust(&path) { tokens(&text) } else { Vec::new() };
        Self { path, text, tokens }
    }

    /// The modules from the crate's root down to this file: `src/graphql/page.rs` is `graphql`, `page`.
    fn module(&self) -> Vec<String> {
        let below = self.path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs")).unwrap_or_default();
        below.split('/').filter(|part| !matches!(*part, "" | "mod" | "lib" | "main")).map(str::to_owned).collect()
    }

    /// The room it is in: `graphql`; `main` and `lib` for the crate's roots. None outside `src/`.
    fn room(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        Some(below.split_once('/').map_or_else(|| below.trim_end_matches(".rs"), |(room, _)| room))
    }

    fn is_code(&self) -> bool {
        is_rust(&self.path)
    }

    /// Lines of code where the tokens `pattern` stand in a row.
    fn lines_with(&self, pattern: &[&str]) -> Vec<usize> {
        let windows = self.tokens.windows(pattern.len());
        windows
            .filter(|window| window.iter().map(|token| token.text.as_str()).eq(pattern.iter().copied()))
            .map(|window| window[0].line)
            .collect()
    }

    fn violation(&self, line: usize, rule: &'static str, message: impl Into<String>) -> Violation {
        Violation { path: self.path.clone(), line, rule, message: message.into() }
    }
}

fn is_rust(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    pub(crate) message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: [{}] {}", self.path, self.line, self.rule, self.message)
    }
}

/// Whether a file of the room `from` may name something of the room `to`.
fn may_use(from: &str, to: &str) -> bool {
    match from {
        _ if from == to => true,
        // The crate's root declares the rooms.
        "lib" => true,
        "billing" => BILLING_MAY_USE.contains(&to),
        "main" => to == "cli",
        _ if LEAVES.contains(&from) => LEAVES.contains(&to),
        _ => LEAVES.contains(&to) || ROOMS.iter().any(|(room, uses)| *room == from && uses.contains(&to)),
    }
}

/// Rooms are used in the direction drawn in `src/lib.rs`, and only `store` sees its entities.
pub(crate) fn directions(sources: &[Source]) -> Vec<Violation> {
    const RULE: &str = "directions";
    let mut found = Vec::new();
    for source in sources {
        let Some(from) = source.room() else { continue };
        if !(matches!(from, "lib" | "billing") || LEAVES.contains(&from) || ROOMS.iter().any(|(room, _)| *room == from)) {
            found.push(source.violation(1, RULE, format!("`{from}` is no room that tests/tidy/lists.rs knows")));
        }
        for Path { line, segments } in paths(&source.tokens, &source.module()) {
            let Some(to) = segments.first() else { continue };
            if !may_use(from, to) {
                found.push(source.violation(line, RULE, format!("`{from}` must not use `{}`", segments.join("::"))));
            }
            if from != "store" && segments.iter().take(2).eq(["store", "entity"]) {
                found.push(source.violation(line, RULE, "the entities are private to `store`"));
            }
        }
    }
    found
}

/// The database's crates are named in the store alone.
pub(crate) fn database_crates(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.room().is_some()) {
        for (name, places) in DATABASE_CRATES {
            if !places.iter().any(|place| source.path.starts_with(place)) {
                let hits = source.lines_with(&[name]);
                found.extend(hits.into_iter().map(|line| source.violation(line, "database", format!("`{name}` outside of {places:?}"))));
            }
        }
    }
    found
}

/// Files stay short.
pub(crate) fn lengths(sources: &[Source], longer: &[(&str, usize, &str)]) -> Vec<Violation> {
    const RULE: &str = "length";
    /// How far below its allowance a listed file may get before the allowance follows.
    const SLACK: usize = 25;
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_code()) {
        let mut lines: Vec<usize> = source.tokens.iter().flat_map(|token| token.line..=token.last_line).collect();
        lines.dedup();
        let (long, allowed) = (lines.len(), longer.iter().find(|(path, ..)| *path == source.path).map(|(_, allowed, _)| *allowed));
        let message = match allowed {
            None if long > MAX_LINES => format!("{long} lines of code, more than {MAX_LINES}"),
            Some(allowed) if long > allowed => format!("{long} lines of code, more than the {allowed} it is allowed"),
            Some(_) if long <= MAX_LINES => "short enough: take it off LONGER_FILES".to_owned(),
            Some(allowed) if long + SLACK < allowed => format!("{long} lines of code: lower its allowance of {allowed}"),
            _ => continue,
        };
        found.push(source.violation(1, RULE, message));
    }
    found.extend(gone(sources, RULE, longer.iter().map(|(path, _, reason)| (*path, *reason))));
    found
}

/// Entries of a list that name no file, or give no reason.
fn gone<'a>(sources: &[Source], rule: &'static str, listed: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Violation> {
    let is_gone = |path: &str, reason: &str| reason.is_empty() || !sources.iter().any(|source| source.path == path);
    let entry = |(path, _): (&str, _)| Violation {
        path: path.to_owned(),
        line: 0,
        rule,
        message: "listed, but gone or without a reason".to_owned(),
    };
    listed.filter(|(path, reason)| is_gone(path, reason)).map(entry).collect()
}

/// `billing` computes, and nothing else.
pub(crate) fn pure_billing(sources: &[Source]) -> Vec<Violation> {
    const RULE: &str = "pure billing";
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.room() == Some("billing")) {
        for token in &source.tokens {
            let is_float =
                ["f32", "f64"].iter().any(|kind| token.text.ends_with(kind) && token.text.starts_with(|c: char| c.is_ascii_digit()));
            if is_float || BANNED_IN_BILLING.contains(&token.text.as_str()) {
                found.push(source.violation(token.line, RULE, format!("`{}` has no place here", token.text)));
            }
        }
        for kind in ["Timestamp", "Zoned", "Utc", "Local"] {
            let hits = source.lines_with(&[kind, "::", "now"]);
            found.extend(hits.into_iter().map(|line| source.violation(line, RULE, format!("`{kind}::now`: the instant is an argument"))));
        }
    }
    found
}

/// What is allowed in the listed files alone. `patterns` are runs of tokens.
pub(crate) fn only_in(sources: &[Source], rule: &'static str, listed: &[(&str, &str)], patterns: &[&[&str]]) -> Vec<Violation> {
    let mut found = gone(sources, rule, listed.iter().copied());
    for source in sources {
        let hits: Vec<usize> = patterns.iter().flat_map(|pattern| source.lines_with(pattern)).collect();
        if !listed.iter().any(|(path, _)| *path == source.path) {
            found.extend(hits.iter().map(|line| source.violation(*line, rule, "not in this file: see tests/tidy/lists.rs")));
        } else if hits.is_empty() {
            found.push(source.violation(0, rule, "listed, but has none: take it off tests/tidy/lists.rs"));
        }
    }
    found
}

/// The project speaks of itself alone, and is finished.
pub(crate) fn words(sources: &[Source]) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            for word in FOREIGN_WORDS.iter().filter(|word| line.contains(**word)) {
                found.push(source.violation(index + 1, "words", format!("`{word}` is nothing a reader of the project could find")));
            }
            for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
                found.push(source.violation(index + 1, "unfinished", format!("`{word}`: do it, or leave it")));
            }
        }
    }
    found
}

/// Whether `word` stands in `line` by itself, not inside a longer one.
fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|part| part == word)
}

/// Every invariant in the head of `src/lib.rs` names tests that exist: a numbered item under `# Invariants`, in it
/// `` test: `name` `` or `` tests: `one`, `two` ``.
pub(crate) fn invariants(sources: &[Source]) -> Vec<Violation> {
    const RULE: &str = "invariants";
    let Some(map) = sources.iter().find(|source| source.path == "src/lib.rs") else { return Vec::new() };
    let mut items: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (index, line) in map.text.lines().enumerate() {
        let Some(line) = line.strip_prefix("//!").map(str::trim) else { break };
        if line.starts_with('#') {
            inside = line.trim_start_matches('#').trim() == "Invariants";
        } else if inside && line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok()) {
            items.push((index + 1, line.to_owned()));
        } else if inside && let Some((_, item)) = items.last_mut() {
            item.push(' ');
            item.push_str(line);
        }
    }
    let mut found = Vec::new();
    for (line, item) in items {
        let after = item.split_once("test: ").or_else(|| item.split_once("tests: ")).map_or("", |(_, after)| after);
        // Between backquotes; what is not is prose.
        let names: Vec<&str> = after.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            found.push(map.violation(line, RULE, "names no test: end it with test: and the name in backquotes"));
        }
        for name in names {
            let name = name.rsplit("::").next().unwrap_or(name);
            if !sources.iter().any(|source| !source.lines_with(&["fn", name]).is_empty()) {
                found.push(map.violation(line, RULE, format!("there is no test `{name}`")));
            }
        }
    }
    found
}

/// The lock file has one version of what must be one, and nothing that needs more than Rust and a C compiler.
pub(crate) fn versions(lock: &Source) -> Vec<Violation> {
    let mut found = Vec::new();
    let lines_of = |name: &str| -> Vec<usize> {
        let wanted = format!("name = \"{name}\"");
        lock.text.lines().enumerate().filter(|(_, line)| *line == wanted).map(|(index, _)| index + 1).collect()
    };
    for name in ONE_VERSION {
        let lines = lines_of(name);
        if lines.len() != 1 {
            let line = lines.last().copied().unwrap_or(0);
            found.push(lock.violation(line, "versions", format!("{} versions of {name}, not one", lines.len())));
        }
    }
    for name in NO_VERSION {
        found.extend(lines_of(name).into_iter().map(|line| lock.violation(line, "versions", format!("{name} must not come in"))));
    }
    found
}
