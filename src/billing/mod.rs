//! The pure rules of billing: what is charged, credited, taxed and due, and which states may follow which.
//!
//! This room owns the arithmetic of money and calendar. It must never do IO, ask a clock, draw randomness, use
//! floats or be async: instants, rates and settings come in as values, so that a preview and the real thing run
//! the same code on the same inputs and come out the same to the cent.
//!
//! Amounts are whole minor units (`…_minor`, `i64`) of one currency, that of the subscription. Fractions are exact
//! and rounded once, half away from zero, at the line. Intervals of time are half-open, `[start, end)`.
//!
//! | Room | Owns |
//! |---|---|
//! | [`exact`] | fractions, rounding, shares by largest remainder |
//! | [`period`] | anchors, boundaries, periods, trials, zones |
//! | [`proration`] | the lines of a whole or a partial period |
//! | [`discount`], [`tax`], [`invoice`] | from lines to totals |
//! | [`credit`] | credit notes, refunds, where they go |
//! | [`cycle`] | how a subscription begins and what each boundary brings |
//! | [`change`], [`cancel`] | what a change of plan or a cancellation does |
//! | [`collect`] | what a gateway is asked to take |
//! | [`lifecycle`], [`dunning`] | states and the ladder of a payment that fails |
//! | [`usage`] | usage periods, and what units past a plan's cost |
//! | [`ledger`] | double entry |
//! | [`revenue`] | recurring revenue and its movements |
//! | [`quote`] | a scenario evaluated from start to end |
#![deny(clippy::missing_docs_in_private_items, clippy::arithmetic_side_effects, clippy::as_conversions)]

/// A closed list that is kept as text: the enum, all its values, and both directions.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// Every value, in the order of its declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text that the database and the API know it by.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value of a text; `None` for any other.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

pub mod cancel;
pub mod change;
pub mod collect;
pub mod credit;
pub mod cycle;
pub mod discount;
pub mod dispute;
pub mod dunning;
pub mod exact;
pub mod invoice;
pub mod ledger;
pub mod lifecycle;
pub mod period;
pub mod proration;
pub mod quote;
pub mod revenue;
pub mod tax;
pub mod usage;
mod zone;

#[cfg(test)]
mod tests;

/// Why a rule could not be evaluated at all: inputs past every limit, or a caller's mistake. Not a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// An amount or product is past what an amount may be.
    #[error("an amount is too large")]
    TooLarge,
    /// A date or instant is past the calendar's end.
    #[error("a date is out of range")]
    OutOfTime,
    /// A fraction without a positive denominator, or a share of nothing.
    #[error("a fraction has no positive denominator")]
    NoDenominator,
    /// A boundary that is due was not billed before the rule was asked.
    #[error("the running period has ended; bill its boundary first")]
    BoundaryDue,
    /// Postings that do not add up to zero.
    #[error("the entry does not balance")]
    Unbalanced,
    /// Parts that do not add up to their whole, or an amount that may not be negative and is.
    #[error("the amounts contradict each other")]
    Inconsistent,
}
