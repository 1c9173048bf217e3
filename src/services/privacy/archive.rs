//! The file of an export: a zip of one JSON file for each kind of thing that is held, and of the documents as they were sent.

use std::io::Write as _;

use serde_json::{Map, Value};
use uuid::Uuid;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use crate::error::Error;
use crate::security::envelope::Place;
use crate::security::key_ring::BusinessKeys;
use crate::services::sealing::{Spool, Spooled};
use crate::store::privacy::{Column, Opens, Row, Table};

/// What an export's file says of itself.
const ABOUT: &str = "This is what is held of your business and of the people who work in it.\n\n\
    Each .json file is a list of one kind of thing. Instants are in UTC, and ids are UUIDs. Amounts whose names end in _minor are in the\n\
    smallest unit of their currency. The folder \"documents\" has the files that were submitted for verification, by their ids. Passwords,\n\
    keys and the like are left out, since they are held as hashes or sealed: they say nothing of you, and unlock something.\n";

/// A file that is being made. Of it no more is in memory than a part, and what is being put in.
pub(super) struct Archive {
    zip: ZipWriter<StreamWriter<Spool>>,
}

impl Archive {
    /// A file that says what it is, written into `spool`.
    ///
    /// # Errors
    /// Where nothing can be compressed.
    pub(super) fn begin(spool: Spool) -> Result<Self, Error> {
        let mut archive = Self { zip: ZipWriter::new_stream(spool) };
        archive.add("README.txt", ABOUT.as_bytes())?;
        Ok(archive)
    }

    /// Begins a file in it; what is written belongs to it.
    fn start(&mut self, name: &str) -> Result<(), Error> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(true);
        self.zip.start_file(name, options).map_err(fault)
    }

    /// Puts a file in.
    ///
    /// # Errors
    /// Where it cannot be compressed.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        self.start(name)?;
        self.zip.write_all(content).map_err(fault)
    }

    /// Begins the list of a table's rows.
    ///
    /// # Errors
    /// Where it cannot be compressed.
    pub(super) fn begin_list(&mut self, table: &Table) -> Result<(), Error> {
        self.start(&format!("{}.json", table.name))?;
        self.zip.write_all(b"[").map_err(fault)
    }

    /// Puts rows into the list that was begun; `is_first` for those that nothing stands before.
    ///
    /// # Errors
    /// Where a sealed value does not open, or nothing can be compressed.
    pub(super) fn write_rows(&mut self, table: &Table, rows: &[Row], holder: &Holder, is_first: bool) -> Result<(), Error> {
        for (at, row) in rows.iter().enumerate() {
            let shown = holder.object(table, row)?;
            self.zip.write_all(if is_first && at == 0 { b"\n" } else { b",\n" }).map_err(fault)?;
            serde_json::to_writer(&mut self.zip, &shown).map_err(|error| Error::Task(Box::new(error)))?;
        }
        Ok(())
    }

    /// Ends the list that was begun.
    ///
    /// # Errors
    /// Where it cannot be compressed.
    pub(super) fn end_list(&mut self) -> Result<(), Error> {
        self.zip.write_all(b"\n]\n").map_err(fault)
    }

    /// The file.
    ///
    /// # Errors
    /// Where it cannot be ended.
    pub(super) fn finish(self) -> Result<Spooled, Error> {
        self.zip.finish().map_err(fault)?.into_inner().finish()
    }
}

/// Whose rows are shown, and the key that opens what is sealed in them.
#[derive(Clone)]
pub(super) struct Holder {
    /// The business.
    pub(super) business: Uuid,
    /// Its keys.
    pub(super) keys: BusinessKeys,
}

impl Holder {
    /// A row as an object.
    fn object(&self, table: &Table, row: &Row) -> Result<Value, Error> {
        let id = table.exported().zip(row).find(|((name, column), _)| *name == "id" && *column == Column::Id);
        let id = id.and_then(|(_, text)| text.as_deref()).and_then(|text| Uuid::try_parse(text).ok());
        let mut object = Map::new();
        for ((name, column), text) in table.exported().zip(row) {
            let shown = match text {
                None => Value::Null,
                Some(text) => self.value(table.name, (name, column), id, text)?,
            };
            object.insert(name.to_owned(), shown);
        }
        Ok(Value::Object(object))
    }

    /// The value of a column that has one.
    fn value(&self, table: &'static str, (name, column): (&'static str, Column), id: Option<Uuid>, text: &str) -> Result<Value, Error> {
        Ok(match column {
            Column::Id => Value::from(Uuid::try_parse(text).map_err(|_| broken("an id is none"))?.to_string()),
            Column::Number => Value::from(text.parse::<i64>().map_err(|_| broken("a number is none"))?),
            Column::Flag => Value::from(matches!(text, "1" | "true")),
            Column::Sealed(opens) | Column::TaxSealed(opens) => {
                let (business, row) = (self.business, id.unwrap_or(self.business));
                let place = match opens {
                    Opens::InBusiness(column) => Place { business, table: "businesses", column, row: business },
                    Opens::InRow => Place { business, table, column: name, row },
                };
                Value::from(self.keys.open_text(&place, &bytes(text)?)?)
            }
            Column::Time | Column::Day | Column::Plain | Column::Bytes | Column::Personal(_) | Column::Tax | Column::Secret => {
                Value::from(text)
            }
        })
    }
}

/// The bytes of hexadecimal digits.
fn bytes(digits: &str) -> Result<Vec<u8>, Error> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some((digit(high)? << 4) | digit(low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>().ok_or_else(|| broken("bytes are no digits"))
}

/// What is stored contradicts its own list.
fn broken(what: &'static str) -> Error {
    Error::Corrupt(what.into())
}

/// What compressing met.
fn fault(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Task(Box::new(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_as_bytes_or_not_at_all() {
        assert_eq!(bytes("00ff1a").unwrap(), [0, 255, 26]);
        assert_eq!(bytes("").unwrap(), [0_u8; 0]);
        assert!(bytes("0").is_err() && bytes("0g").is_err());
    }
}
