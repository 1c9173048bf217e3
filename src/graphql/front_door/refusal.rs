//! Why a request was not let in, in words for the client: bounded in number and in length.

use std::fmt;

use apollo_compiler::validation::DiagnosticList;

use super::cost::Cost;
use super::limits::Limit;
use crate::error::{Code, Exceeded};

/// How many problems of one request are told, and how long each may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Problems told.
    pub errors: usize,
    /// Characters of a message.
    pub message_chars: usize,
}

/// A place in the document, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which of the closed list.
    pub code: Code,
    /// One sentence or so.
    pub message: String,
    /// Where in the document, if anywhere.
    pub locations: Vec<Location>,
}

impl Problem {
    /// A problem that no place in the document is at fault for.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), locations: Vec::new() }
    }
}

/// Whether the transport itself is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The request as such: document, variables, cost.
    Request,
    /// The operation may not be sent in this way: a mutation or subscription over GET.
    Method,
}

/// A request that was not let in: nothing of it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Whether another method would have been right.
    pub kind: Kind,
    /// Never empty.
    pub problems: Vec<Problem>,
    /// The limit that was passed, if that is why.
    pub exceeded: Option<Exceeded>,
    /// What the operation would cost, where it was counted.
    pub cost: Option<Cost>,
}

impl Refusal {
    /// A refusal for one reason.
    pub fn one(code: Code, message: impl Into<String>) -> Self {
        Self::of(vec![Problem::new(code, message)])
    }

    /// A refusal for these reasons, of which there is at least one.
    pub(super) const fn of(problems: Vec<Problem>) -> Self {
        Self { kind: Kind::Request, problems, exceeded: None, cost: None }
    }

    /// A limit that was passed; `None` where nobody counted how far.
    pub(super) fn over(what: Limit, reached: Option<u64>, limit: u64) -> Self {
        let count = reached.map_or_else(|| format!("more than {limit}"), |reached| reached.to_string());
        let refusal = Self::one(Code::CostExceeded, format!("{}: {count}, and the limit is {limit}.", what.words()));
        Self { exceeded: Some(Exceeded { code: what.code(), reached, limit }), ..refusal }
    }

    /// The same of an operation that costs that.
    pub(super) fn costing(self, cost: Cost) -> Self {
        Self { cost: Some(cost), ..self }
    }

    /// An operation that this method may not carry.
    pub(super) fn method(message: &str) -> Self {
        Self { kind: Kind::Method, ..Self::one(Code::BadUserInput, message) }
    }

    /// What the compiler found, as problems of `code`.
    pub(super) fn from_diagnostics(code: Code, list: &DiagnosticList, bounds: Bounds) -> Self {
        let mut problems: Vec<Problem> = Vec::new();
        for diagnostic in list.iter().take(bounds.errors) {
            let location = diagnostic.line_column_range().map(|range| Location { line: range.start.line, column: range.start.column });
            let message = shorten(&diagnostic.error.to_string(), bounds.message_chars);
            let problem = Problem { code, message, locations: location.into_iter().collect() };
            // What is missing at the end is missed by each bracket that is open.
            if problems.last() != Some(&problem) {
                problems.push(problem);
            }
        }
        if problems.is_empty() {
            return Self::one(code, "The document could not be read.");
        }
        Self::of(problems)
    }

    /// Several problems, of which the first few are kept; `None` when there are none.
    pub(super) fn from_problems(mut problems: Vec<Problem>, bounds: Bounds) -> Option<Self> {
        if problems.is_empty() {
            return None;
        }
        problems.truncate(bounds.errors);
        for problem in &mut problems {
            problem.message = shorten(&problem.message, bounds.message_chars);
        }
        Some(Self::of(problems))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            f.write_str(&problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// The first `chars` characters of `text`, with an ellipsis when something was cut.
pub fn shorten(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        None => text.to_owned(),
        Some(_) => text.chars().take(chars.saturating_sub(1)).chain(std::iter::once('…')).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_cut_at_a_character_and_says_so() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("longer", 5), "long…");
        assert_eq!(shorten("ünïcödé", 3), "ün…");
    }
}
