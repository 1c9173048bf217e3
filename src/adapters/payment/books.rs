//! What a gateway lists of a span of time, for comparing it with our rows.

use crate::money::Money;

/// Whether a charge or a refund moved money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moved {
    /// It did.
    Yes,
    /// It did not, and will not.
    No,
    /// It may do so yet.
    NotYet,
}

/// A charge on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedCharge {
    /// The gateway's own id of it.
    pub reference: String,
    /// Our payment's id as text, where it carries one.
    pub key: Option<String>,
    /// How much; `None` for what no amount of ours can be.
    pub amount: Option<Money>,
    /// Whether money was taken.
    pub moved: Moved,
}

/// A refund on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRefund {
    /// The gateway's own id of it.
    pub reference: String,
    /// Our refund's id as text, where it carries one.
    pub key: Option<String>,
    /// The gateway's own id of the charge, where it is of one.
    pub charge_reference: Option<String>,
    /// How much; `None` for what no amount of ours can be.
    pub amount: Option<Money>,
    /// Whether it was paid.
    pub moved: Moved,
}

/// A dispute on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDispute {
    /// The gateway's own id of it.
    pub reference: String,
    /// The gateway's own id of the charge.
    pub charge_reference: String,
}

/// What was begun in a span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// Charges.
    pub charges: Vec<ListedCharge>,
    /// Refunds.
    pub refunds: Vec<ListedRefund>,
    /// Disputes of charges.
    pub disputes: Vec<ListedDispute>,
}

/// A gateway's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BooksAnswer {
    /// This.
    Books(Books),
    /// It offers none.
    NotOffered,
    /// The answer was lost, or is longer than is read.
    Unknown,
}
