//! A cancellation: when the subscription ends, and what becomes of time that is paid and not used.

use jiff::Timestamp;

use super::RuleError;
use super::change::{ChangeError, Refusal};
use super::credit::{CreditNotes, Creditable, credit_notes, pending_credit, refundable};
use super::exact::negated;
use super::invoice::{Line, totals};
use super::lifecycle::SubscriptionStatus;
use super::period::{Granularity, Period};
use super::proration::{PeriodPrice, credit_line};

text_enum! {
    /// When a cancellation is to take effect.
    CancelTiming {
        /// At the end of the running period or trial.
        PeriodEnd = "PERIOD_END",
        /// At once.
        Now = "NOW",
    }
}

text_enum! {
    /// What becomes of time that is paid and not used, at a cancellation at once.
    UnusedTime {
        /// It is dropped.
        None = "NONE",
        /// It becomes account credit.
        Credit = "CREDIT",
        /// What gateways took for it is paid back; the rest becomes account credit.
        Refund = "REFUND",
    }
}

/// The subscription as it stands at the instant of the cancellation. Amounts with tax, in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelFacts {
    /// Its state.
    pub status: SubscriptionStatus,
    /// The running period.
    pub period: Period,
    /// In what its parts are counted.
    pub granularity: Granularity,
    /// What was last charged for the running period; `None` where nothing was.
    pub charged: Option<PeriodPrice>,
    /// The invoices that charged the running period, newest first; as [`super::change::ChangeFacts::charging_invoices`].
    pub charging_invoices: Vec<Creditable>,
    /// What gateways took for those invoices.
    pub taken_minor: i64,
    /// What was refunded of that.
    pub refunded_minor: i64,
    /// Choices for unused time that the caller has beside NONE; `None` for staff, who are not bound.
    pub options: Option<Vec<UnusedTime>>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CancelRequest {
    /// When it is asked, and takes effect if at once.
    pub at: Timestamp,
    /// When it is wanted.
    pub timing: CancelTiming,
    /// What becomes of unused time, for NOW.
    pub unused_time: UnusedTime,
}

/// What a cancellation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It is scheduled, may be taken back until then, and removes a pending change.
    AtPeriodEnd {
        /// The end of the running period, or of the trial.
        cancel_at: Timestamp,
    },
    /// It ends at once.
    AtOnce(Box<Ended>),
}

/// An end at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// CANCELED; EXPIRED for one whose first invoice was never settled, which is then void.
    pub status: SubscriptionStatus,
    /// The unused time as a line before tax, where it is credited or refunded; its amount is negative.
    pub line: Option<Line>,
    /// The unused time with its tax. Minor units; zero where it is dropped.
    pub unused_minor: i64,
    /// What of it gateways pay back, newest payment first. Minor units.
    pub refund_minor: i64,
    /// The credit notes, by the index of `charging_invoices`.
    pub notes: CreditNotes,
    /// What no invoice had room for, since its charge is pending still: a line of the final invoice beside that.
    pub pending: Option<Line>,
}

/// What a cancellation does, or why not.
///
/// # Errors
/// [`Refusal::InvalidTransition`] for one that has ended, [`Refusal::NotAllowed`] for a choice that is not offered,
/// [`RuleError::BoundaryDue`] where the running period has ended.
pub fn cancel(facts: &CancelFacts, request: &CancelRequest) -> Result<CancelOutcome, ChangeError> {
    let mut ended = Ended {
        status: SubscriptionStatus::Canceled,
        line: None,
        unused_minor: 0,
        refund_minor: 0,
        notes: CreditNotes { notes: Vec::new(), uncovered_minor: 0 },
        pending: None,
    };
    match (facts.status, request.timing) {
        (SubscriptionStatus::Canceled | SubscriptionStatus::Expired, _) => return Err(Refusal::InvalidTransition.into()),
        (SubscriptionStatus::Incomplete, _) => {
            ended.status = SubscriptionStatus::Expired;
            return Ok(CancelOutcome::AtOnce(Box::new(ended)));
        }
        // Without access there is no rest of a period to wait for.
        (SubscriptionStatus::Suspended, CancelTiming::PeriodEnd) => return Ok(CancelOutcome::AtOnce(Box::new(ended))),
        (_, CancelTiming::PeriodEnd) if request.at >= facts.period.end => return Err(RuleError::BoundaryDue.into()),
        (_, CancelTiming::PeriodEnd) => return Ok(CancelOutcome::AtPeriodEnd { cancel_at: facts.period.end }),
        (_, CancelTiming::Now) => {}
    }
    if request.unused_time == UnusedTime::None {
        return Ok(CancelOutcome::AtOnce(Box::new(ended)));
    }
    if facts.options.as_ref().is_some_and(|options| !options.contains(&request.unused_time)) {
        return Err(Refusal::NotAllowed.into());
    }
    if request.at >= facts.period.end && facts.status != SubscriptionStatus::Suspended {
        return Err(RuleError::BoundaryDue.into());
    }
    credit_unused(facts, request, &mut ended)?;
    Ok(CancelOutcome::AtOnce(Box::new(ended)))
}

/// Credits the unused time on the invoices that charged it, and finds what of it is refunded.
fn credit_unused(facts: &CancelFacts, request: &CancelRequest, ended: &mut Ended) -> Result<(), RuleError> {
    let Some(charged) = &facts.charged else { return Ok(()) };
    ended.line = credit_line(&facts.period, request.at, facts.granularity, charged)?;
    let Some(line) = ended.line else { return Ok(()) };
    ended.unused_minor = negated(totals(vec![line], 0)?.total_minor)?;
    ended.notes = credit_notes(ended.unused_minor, &facts.charging_invoices)?;
    ended.pending = pending_credit(ended.notes.uncovered_minor, &line)?;
    if request.unused_time == UnusedTime::Refund {
        let left = facts.charging_invoices.iter().map(Creditable::left_minor).collect::<Result<Vec<_>, _>>()?;
        let charged_minor = super::exact::sum(left)?;
        let credited = super::exact::difference(ended.unused_minor, ended.notes.uncovered_minor)?;
        ended.refund_minor = refundable(credited, charged_minor, facts.taken_minor, facts.refunded_minor)?;
    }
    Ok(())
}
