//! What a gateway knows of a dispute, which a payer's bank has begun.

use jiff::Timestamp;

use crate::money::Money;

/// Where a dispute stands at its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisputeState {
    /// The bank asks, and has taken nothing back.
    Inquiry,
    /// It asked, and nothing came of it.
    InquiryClosed,
    /// Evidence is waited for.
    NeedsResponse,
    /// The bank looks at the evidence.
    UnderReview,
    /// The charge stands.
    Won,
    /// The charge is the payer's again.
    Lost,
}

/// A dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeFound {
    /// The gateway's own id of it.
    pub reference: String,
    /// The gateway's own id of the charge.
    pub charge_reference: String,
    /// How much is disputed.
    pub amount: Money,
    /// Why, in a word of the gateway's: `fraudulent`.
    pub reason: String,
    /// Where it stands.
    pub state: DisputeState,
    /// Whether the bank has the money at this moment.
    pub is_taken: bool,
    /// Until when evidence is taken.
    pub respond_by: Option<Timestamp>,
    /// When it was begun.
    pub opened_at: Timestamp,
}

/// What the gateway knows of a dispute's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisputeAnswer {
    /// This.
    Found(Box<DisputeFound>),
    /// It has no such dispute of a charge of ours.
    NotFound,
    /// The answer was lost, or is none that this was written for.
    Unknown,
}
