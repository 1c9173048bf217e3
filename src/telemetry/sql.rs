//! What of a statement may be told: what it does, and to which table. Never a value, and never its text.

/// What a statement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Reads.
    Select,
    /// Adds rows.
    Insert,
    /// Changes rows.
    Update,
    /// Removes rows.
    Delete,
    /// Begins with a table of its own.
    With,
    /// Anything else.
    Other,
}

/// Each of them, in the order of their numbers.
pub(super) const VERBS: [Verb; 6] = [Verb::Select, Verb::Insert, Verb::Update, Verb::Delete, Verb::With, Verb::Other];

impl Verb {
    /// Its word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::With => "with",
            Self::Other => "other",
        }
    }

    /// The word before the name of a table.
    const fn before_table(self) -> Option<&'static str> {
        match self {
            Self::Select | Self::Delete | Self::With => Some("from"),
            Self::Insert => Some("into"),
            Self::Update => Some("update"),
            Self::Other => None,
        }
    }
}

/// What a statement does, by its first word.
pub(super) fn verb(sql: &str) -> Verb {
    let first = sql.split_ascii_whitespace().next().unwrap_or_default();
    VERBS.into_iter().find(|verb| verb.as_str().eq_ignore_ascii_case(first)).unwrap_or(Verb::Other)
}

/// The first table that a statement names; empty where none is found.
pub(super) fn table(verb: Verb, sql: &str) -> &str {
    let Some(before) = verb.before_table() else { return "" };
    let mut words = sql.split_ascii_whitespace();
    while let Some(word) = words.next() {
        if !word.eq_ignore_ascii_case(before) {
            continue;
        }
        let name = words.clone().next().map(plain).unwrap_or_default();
        if !name.is_empty() {
            return name;
        }
    }
    ""
}

/// The name that a word begins with, between quotes or not.
fn plain(word: &str) -> &str {
    let word = word.strip_prefix('"').unwrap_or(word);
    let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(word.len());
    let name = &word[..end];
    if name.starts_with(|c: char| c.is_ascii_digit()) { "" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_told_by_its_verb_and_its_first_table() {
        for (sql, word, name) in [
            (r#"SELECT "invoices"."id" FROM "invoices" WHERE "id" = $1"#, "select", "invoices"),
            ("select set_config('role', $1, true)", "select", ""),
            ("select a from (select b from payments) as x", "select", "payments"),
            (r#"INSERT INTO "users" ("email") VALUES ('ann@example.com')"#, "insert", "users"),
            (r#"UPDATE "jobs" SET "status" = $1"#, "update", "jobs"),
            ("delete from usage_events where id = '7'", "delete", "usage_events"),
            ("with x as (select 1 from plans) select * from x", "with", "plans"),
            ("insert into usage_event_ids(id) values ($1)", "insert", "usage_event_ids"),
            ("vacuum", "other", ""),
            ("", "other", ""),
            ("select 1 from 'ann@example.com'", "select", ""),
        ] {
            let found = verb(sql);
            assert_eq!((found.as_str(), table(found, sql)), (word, name), "{sql}");
        }
    }
}
