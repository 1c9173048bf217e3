//! Walks a TOML document and collects what is wrong with it, each with its line. Knows nothing of catalogues.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::Problem;

/// What was found wrong so far.
pub(super) struct Problems {
    line_starts: Vec<usize>,
    found: RefCell<Vec<Problem>>,
}

impl Problems {
    pub(super) fn of(input: &str) -> Self {
        let after_breaks = input.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at.saturating_add(1));
        Self { line_starts: std::iter::once(0).chain(after_breaks).collect(), found: RefCell::default() }
    }

    /// The line, from 1, of the byte at `offset`.
    pub(super) fn line_at(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    pub(super) fn add(&self, line: usize, sentence: String) {
        self.found.borrow_mut().push(Problem { line, sentence });
    }

    /// Everything found, in the order of the lines.
    pub(super) fn sorted(&self) -> Vec<Problem> {
        let mut found = self.found.borrow().clone();
        found.sort();
        found
    }
}

/// A table that is being read. Every key that is read becomes known; [`Section::finish`] tells of the others.
pub(super) struct Section<'f> {
    table: &'f DeTable<'f>,
    line: usize,
    problems: &'f Problems,
    known: Vec<&'static str>,
}

impl<'f> Section<'f> {
    pub(super) fn root(table: &'f DeTable<'f>, problems: &'f Problems) -> Self {
        Self { table, line: 1, problems, known: Vec::new() }
    }

    /// The value of `key`; `None` when there is none, or, after telling so, when `parse` refuses it. Its sentence
    /// goes on after the key's name.
    pub(super) fn read<T>(&mut self, key: &'static str, parse: impl FnOnce(&DeValue<'_>) -> Result<T, String>) -> Option<T> {
        self.known.push(key);
        let value = self.table.get(key)?;
        parse(value.get_ref()).map_err(|sentence| self.problem(key, &sentence)).ok()
    }

    /// As [`Section::read`], and a missing key is a problem.
    pub(super) fn need<T>(&mut self, key: &'static str, parse: impl FnOnce(&DeValue<'_>) -> Result<T, String>) -> Option<T> {
        if !self.has(key) {
            self.problem(key, "is missing.");
        }
        self.read(key, parse)
    }

    /// The table `key`; a missing one is a problem.
    pub(super) fn need_table(&mut self, key: &'static str) -> Option<Self> {
        self.known.push(key);
        let Some(value) = self.table.get(key) else {
            self.problem(key, "is missing.");
            return None;
        };
        self.child(key, value)
    }

    /// The table `key`; none when there is no such key.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Self> {
        self.known.push(key);
        self.child(key, self.table.get(key)?)
    }

    /// The tables of the list `key`; none when there is no such key.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        self.known.push(key);
        let Some(value) = self.table.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.problem(key, "must be a list of tables.");
            return Vec::new();
        };
        items.iter().filter_map(|item| self.child(key, item)).collect()
    }

    fn child(&self, key: &'static str, value: &'f Spanned<DeValue<'f>>) -> Option<Self> {
        let line = self.problems.line_at(value.span().start);
        let DeValue::Table(table) = value.get_ref() else {
            self.problems.add(line, format!("`{key}` must be a table."));
            return None;
        };
        Some(Self { table, line, problems: self.problems, known: Vec::new() })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        self.table.get(key).and_then(|value| value.get_ref().as_array()).is_some_and(|items| items.is_empty())
    }

    /// The line of the value of `key`, or of the table where it has none.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.table.get(key).map_or(self.line, |value| self.problems.line_at(value.span().start))
    }

    /// Tells of something wrong with `key`: `sentence` goes on after its name.
    pub(super) fn problem(&self, key: &str, sentence: &str) {
        self.problems.add(self.line_of(key), format!("`{key}` {sentence}"));
    }

    /// Tells of something wrong with the table as a whole.
    pub(super) fn problem_here(&self, sentence: String) {
        self.problems.add(self.line, sentence);
    }

    /// Tells of every key that nobody read.
    pub(super) fn finish(self) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !self.known.contains(&name) {
                let line = self.problems.line_at(key.span().start);
                self.problems.add(line, format!("`{name}` is not known here; known are {}.", self.known.join(", ")));
            }
        }
    }
}
