//! The rules by example: each table has the arithmetic, worked out by hand, beside the case.

mod period;
mod quote;

use jiff::Timestamp;

use super::period::Zone;

/// An instant.
fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A zone.
fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}
