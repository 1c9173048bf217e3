//! What is held of a business and of its people: every column by what it is, the rows as they are exported, and their erasure.
//!
//! The statements are made of this list alone, which is fixed text; what comes from outside is bound. They are the system's: much of what is
//! held of people belongs to no business.

use sea_orm::Value;
use uuid::Uuid;

use super::System;
use crate::error::Error;
use crate::ids::BusinessId;

mod columns;
mod erasing;

pub use columns::TABLES;
pub use erasing::{ERASED, Unsettled, erase, live_subscriptions, mails, people_of_no_other, unsettled};

/// How many rows are read at once.
const PART: usize = 500;

/// A table.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Whose its rows are.
    pub of: Of,
    /// What an erasure makes of them.
    pub fate: Fate,
    /// Each column, and what it is.
    pub columns: &'static [(&'static str, Column)],
}

/// Whose the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The business's of the column `business_id`.
    Business,
    /// A person's, by the column that names them.
    People(&'static str),
    /// Those of a session, by the column that names it.
    Sessions(&'static str),
    /// Of nobody who buys.
    Nobody,
}

/// What an erasure makes of the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They stay, without what is personal or secret in them.
    Kept,
    /// They are removed.
    Removed,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// An id.
    Id,
    /// An instant.
    Time,
    /// A day.
    Day,
    /// A number.
    Number,
    /// Yes or no.
    Flag,
    /// Text that says nothing of a person: a state, a rate, a code.
    Plain,
    /// Bytes that say nothing of a person.
    Bytes,
    /// Text of or about a person or a business. It is exported, and erased.
    Personal(To),
    /// The same, sealed under the business's key. It is exported opened, and erased.
    Sealed(Opens),
    /// Text that tax law has kept. It is exported, and stays.
    Tax,
    /// The same, sealed under the business's key: sealed anew by an erasure.
    TaxSealed(Opens),
    /// What proves or unlocks something: it is exported to nobody, and erased.
    Secret,
}

/// What takes the place of something personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Nothing.
    Null,
    /// An empty text, where there must be one.
    Empty,
    /// A word that shows what happened.
    Erased,
    /// A text that no other row has.
    Own,
}

/// In which place a sealed value opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opens {
    /// In that column of the row of the business.
    InBusiness(&'static str),
    /// In its own column and row.
    InRow,
}

impl Column {
    /// Whether it is in an export.
    pub const fn is_exported(self) -> bool {
        !matches!(self, Self::Secret)
    }

    /// Whether it says something of a person or a business.
    pub const fn is_personal(self) -> bool {
        matches!(self, Self::Personal(_) | Self::Sealed(_) | Self::Tax | Self::TaxSealed(_))
    }

    /// Whether the database has text or bytes in it.
    pub const fn is_text_or_bytes(self) -> bool {
        !matches!(self, Self::Id | Self::Time | Self::Day | Self::Number | Self::Flag)
    }

    /// The column as text.
    fn shown(self, name: &str, on_postgres: bool) -> String {
        match (self, on_postgres) {
            (Self::Bytes | Self::Sealed(_) | Self::TaxSealed(_), true) => format!("encode({name}, 'hex')"),
            (Self::Id | Self::Bytes | Self::Sealed(_) | Self::TaxSealed(_), false) => {
                format!("case when {name} is not null then lower(hex({name})) end")
            }
            (Self::Time, true) => format!("to_char({name} at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
            _ => format!("cast({name} as text)"),
        }
    }
}

impl Table {
    /// The column by whose order the rows are read in parts, where there may be many.
    fn key(&self) -> Option<(&'static str, Column)> {
        let has = |wanted: &str| self.columns.iter().copied().find(|(name, _)| *name == wanted);
        has("id")
            .filter(|(_, column)| *column == Column::Id)
            .or_else(|| (self.name == "usage_event_ids").then(|| has("event_id")).flatten())
    }

    /// The columns that are exported.
    pub fn exported(&self) -> impl Iterator<Item = (&'static str, Column)> {
        self.columns.iter().copied().filter(|(_, column)| column.is_exported())
    }

    /// Which rows are a business's, whose id is bound first; `None` for a table of nobody.
    fn of_business(&self) -> Option<String> {
        match self.of {
            Of::Business => Some("business_id = $1".to_owned()),
            Of::People(column) => Some(format!("{column} in (select user_id from members where business_id = $1)")),
            Of::Sessions(column) => Some(format!("{column} in (select id from sessions where business_id = $1)")),
            Of::Nobody => None,
        }
    }
}

/// A row of a table: each exported column as text, in the table's order; `None` where it has nothing.
pub type Row = Vec<Option<String>>;

/// Where a further part of a table's rows begins.
#[derive(Debug, Clone)]
pub struct After(Value);

/// The next rows of a table that are a business's and its people's, and where those behind them begin.
///
/// # Errors
/// The database's fault.
pub async fn part(system: &System, table: &Table, business: BusinessId, after: Option<After>) -> Result<(Vec<Row>, Option<After>), Error> {
    let Some(own) = table.of_business() else { return Ok((Vec::new(), None)) };
    let on_postgres = system.is_postgres();
    let columns: Vec<(&str, Column)> = table.exported().collect();
    let shown: Vec<String> = columns.iter().map(|(name, column)| column.shown(name, on_postgres)).collect();
    let mut sql = format!("select {} from {} where {own}", shown.join(", "), table.name);
    let mut values: Vec<Value> = vec![business.into()];
    if let Some((key, _)) = table.key() {
        if let Some(After(value)) = after {
            sql = format!("{sql} and {key} > $2");
            values.push(value);
        }
        sql = format!("{sql} order by {key} limit {PART}");
    }
    let mut rows = Vec::new();
    for row in system.read_made(&sql, values).await? {
        rows.push((0..columns.len()).map(|at| row.try_get_by_index(at)).collect::<Result<Row, _>>()?);
    }
    let next = match table.key() {
        Some((key, column)) if rows.len() == PART => {
            let at = columns.iter().position(|(name, _)| *name == key);
            let last = rows.last().zip(at).and_then(|(row, at)| row.get(at)).and_then(Clone::clone);
            last.map(|text| cursor(&text, column)).transpose()?
        }
        _ => None,
    };
    Ok((rows, next))
}

/// A key's value as it is compared.
fn cursor(text: &str, column: Column) -> Result<After, Error> {
    if column != Column::Id {
        return Ok(After(text.into()));
    }
    Ok(After(Uuid::try_parse(text).map_err(|_| Error::Corrupt("an id is none".into()))?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_and_no_column_stands_twice_and_what_is_removed_refers_to_what_comes_later() {
        let mut names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLES.len());
        for table in TABLES {
            let mut columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
            columns.sort_unstable();
            columns.dedup();
            assert_eq!(columns.len(), table.columns.len(), "{}", table.name);
            let is_business = table.columns.iter().any(|(name, _)| *name == "business_id");
            assert_eq!(is_business, table.of == Of::Business, "{}", table.name);
        }
    }
}
