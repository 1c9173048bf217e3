//! Disputes: what a payer's bank does about a charge, as the gateway tells it, and what follows from it.

use super::RuleError;
use super::exact::difference;
use super::lifecycle::{InvalidTransition, PaymentEvent};

text_enum! {
    /// Where a dispute stands.
    DisputeStatus {
        /// The bank asks, and has taken nothing back.
        Inquiry = "INQUIRY",
        /// It asked, and nothing came of it. Final.
        InquiryClosed = "INQUIRY_CLOSED",
        /// The bank has taken the charge back or will; evidence is waited for.
        NeedsResponse = "NEEDS_RESPONSE",
        /// The bank looks at the evidence.
        UnderReview = "UNDER_REVIEW",
        /// The charge stands. Final.
        Won = "WON",
        /// The charge is the payer's again. Final.
        Lost = "LOST",
    }
}

text_enum! {
    /// Where a dispute's money is.
    DisputeFunds {
        /// With us: nothing was taken back.
        NotTaken = "NOT_TAKEN",
        /// With the bank, until it has decided.
        Taken = "TAKEN",
        /// With us again. Final.
        GivenBack = "GIVEN_BACK",
        /// The payer's. Final.
        Lost = "LOST",
    }
}

impl DisputeStatus {
    /// Whether the gateway will tell nothing more of it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::InquiryClosed | Self::Won | Self::Lost)
    }

    /// Whether the payment counts as disputed: the bank has done more than ask, and not given in.
    pub const fn holds_the_payment(self) -> bool {
        matches!(self, Self::NeedsResponse | Self::UnderReview | Self::Lost)
    }

    /// The state that follows where the gateway tells of `told`.
    const fn follow(self, told: Self) -> Result<Self, InvalidTransition> {
        match (self, told) {
            (Self::Inquiry, _)
            | (Self::NeedsResponse | Self::UnderReview, Self::NeedsResponse | Self::UnderReview | Self::Won | Self::Lost)
            | (Self::InquiryClosed, Self::InquiryClosed)
            | (Self::Won, Self::Won)
            | (Self::Lost, Self::Lost) => Ok(told),
            _ => Err(InvalidTransition { state: self.as_str(), event: told.as_str() }),
        }
    }
}

/// A dispute as it is kept, or as the gateway tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// Its state.
    pub status: DisputeStatus,
    /// Where its money is.
    pub funds: DisputeFunds,
}

/// What the gateway tells of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Its state.
    pub status: DisputeStatus,
    /// Whether the bank has the money at this moment.
    pub is_taken: bool,
}

/// What follows from what a gateway tells of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    /// How it stands then.
    pub stand: Stand,
    /// The bank took the money back: it is to be entered.
    pub takes: bool,
    /// The bank gave it back.
    pub gives_back: bool,
    /// It is the payer's for good.
    pub loses: bool,
}

impl Stand {
    /// One of which nothing was heard before.
    pub const fn new(status: DisputeStatus) -> Self {
        Self { status, funds: DisputeFunds::NotTaken }
    }

    /// Whether nothing of it is waited for any more.
    pub const fn is_over(self) -> bool {
        match self.status {
            DisputeStatus::InquiryClosed => true,
            DisputeStatus::Won => !matches!(self.funds, DisputeFunds::Taken),
            DisputeStatus::Lost => matches!(self.funds, DisputeFunds::Lost | DisputeFunds::GivenBack),
            DisputeStatus::Inquiry | DisputeStatus::NeedsResponse | DisputeStatus::UnderReview => false,
        }
    }

    /// What follows where the gateway tells `told`. The same told twice has nothing follow.
    ///
    /// # Errors
    /// [`InvalidTransition`] where this stand does not know it: what is final is told of otherwise, or money that came back goes again.
    pub const fn follow(self, told: Told) -> Result<Followed, InvalidTransition> {
        let status = match self.status.follow(told.status) {
            Ok(status) => status,
            Err(refused) => return Err(refused),
        };
        let impossible = InvalidTransition { state: self.funds.as_str(), event: if told.is_taken { "TAKEN" } else { "GIVEN_BACK" } };
        let (held, takes, gives_back) = match (self.funds, told.is_taken) {
            (DisputeFunds::NotTaken, true) => (DisputeFunds::Taken, true, false),
            (DisputeFunds::Taken, false) => (DisputeFunds::GivenBack, false, true),
            (DisputeFunds::NotTaken | DisputeFunds::GivenBack, false) | (DisputeFunds::Taken | DisputeFunds::Lost, true) => {
                (self.funds, false, false)
            }
            (DisputeFunds::GivenBack, true) | (DisputeFunds::Lost, false) => return Err(impossible),
        };
        let loses = matches!((status, held), (DisputeStatus::Lost, DisputeFunds::Taken));
        let funds = if loses { DisputeFunds::Lost } else { held };
        Ok(Followed { stand: Self { status, funds }, takes, gives_back, loses })
    }
}

/// What happens to a payment whose dispute was won, by what of it was paid back. Minor units.
pub const fn won(refunded_minor: i64, amount_minor: i64) -> PaymentEvent {
    if refunded_minor == 0 {
        PaymentEvent::DisputeWon
    } else if refunded_minor < amount_minor {
        PaymentEvent::DisputeWonPartlyRefunded
    } else {
        PaymentEvent::DisputeWonRefunded
    }
}

/// What a dispute that was lost comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// What is credited on the payment's invoice, as if it were paid back. Minor units.
    pub credited_minor: i64,
    /// What nothing can be credited for, since the payment or the invoice has no more left: a cost. Minor units.
    pub written_off_minor: i64,
}

/// Splits a dispute that was lost over `disputed_minor`, of which `most_minor` can be credited on the payment's invoice.
///
/// # Errors
/// [`RuleError::TooLarge`], never for amounts.
pub fn split_loss(disputed_minor: i64, most_minor: i64) -> Result<Loss, RuleError> {
    let credited_minor = disputed_minor.min(most_minor).max(0);
    Ok(Loss { credited_minor, written_off_minor: difference(disputed_minor, credited_minor)? })
}
