//! A change of plan: one pure function for the preview and for the real thing.
//!
//! It is asked after every boundary that is due has been billed. It decides whether the change is allowed, when it
//! takes effect, what is credited and charged, and what becomes of the result; it never writes anything.

use jiff::Timestamp;

use super::RuleError;
use super::credit::{CreditNotes, Creditable, credit_notes, pending_credit};
use super::discount::Discount;
use super::exact::negated;
use super::invoice::{Line, Totals, totals};
use super::lifecycle::SubscriptionStatus;
use super::period::{Interval, Period, Schedule};
use super::proration::{PeriodPrice, charge_line, credit_line, recurring_line};
use super::tax::Tax;

text_enum! {
    /// When a change is to take effect.
    ChangeTiming {
        /// At once where the plan is not lower and the interval not shorter, else at the period's end.
        Default = "DEFAULT",
        /// At once.
        Now = "NOW",
        /// At the period's end.
        PeriodEnd = "PERIOD_END",
    }
}

text_enum! {
    /// What a change at once bills.
    Proration {
        /// Credit the unused time, charge the rest, bill the difference at once.
        ProrateNow = "PRORATE_NOW",
        /// As PRORATE_NOW, but what is to be paid waits for the next invoice.
        ProrateNextInvoice = "PRORATE_NEXT_INVOICE",
        /// Credit the unused time and start a new period at the full price.
        ResetCycle = "RESET_CYCLE",
        /// Nothing until the next renewal.
        None = "NONE",
    }
}

/// What is kept of a price: per whole period of its interval, and how it is taxed today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Of a whole period. Minor units.
    pub amount_minor: i64,
    /// Today's rate, and the price's behaviour.
    pub tax: Tax,
}

/// The prices at which a plan is sold in the business's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanPrices {
    /// A month; `None` where it is not sold so.
    pub monthly: Option<Price>,
    /// A year; `None` where it is not sold so.
    pub yearly: Option<Price>,
}

impl PlanPrices {
    /// The price at an interval.
    pub const fn at(&self, interval: Interval) -> Option<Price> {
        match interval {
            Interval::Monthly => self.monthly,
            Interval::Yearly => self.yearly,
        }
    }
}

/// What the operator lets customers choose, a setting of the product. Staff are not bound by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeOptions {
    /// Allowed prorations.
    pub prorations: Vec<Proration>,
    /// Whether a lower plan or a shorter interval may take effect at once.
    pub downgrade_now: bool,
}

impl Default for ChangeOptions {
    fn default() -> Self {
        Self { prorations: vec![Proration::ProrateNow], downgrade_now: false }
    }
}

/// The subscription as it stands at the instant of the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFacts {
    /// Its state.
    pub status: SubscriptionStatus,
    /// Its anchor, interval in force and settings, in the business's present zone.
    pub schedule: Schedule,
    /// The running period (the trial's, in a trial).
    pub period: Period,
    /// The price agreed for the plan in force, per whole period of the interval in force. Minor units.
    pub agreed_price_minor: i64,
    /// What was last charged for the running period: the plan in force or, after a change with NONE, the one
    /// charged before it; `None` where nothing was, as in a trial.
    pub charged: Option<PeriodPrice>,
    /// The discount that a new period which began now would have.
    pub discount_of_new_period: Option<Discount>,
    /// Lines that wait for the subscription's next invoice.
    pub pending_lines: Vec<Line>,
    /// The invoices that charged the running period, newest first. Where a reset began it, those of the period that it cut short
    /// too, since the reset's own invoice is net of their credit.
    pub charging_invoices: Vec<Creditable>,
    /// Account credit at hand. Minor units.
    pub account_credit_minor: i64,
    /// What the caller may choose; `None` for staff.
    pub options: Option<ChangeOptions>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeRequest {
    /// When it is asked, and takes effect if at once.
    pub at: Timestamp,
    /// Whether it is the plan in force.
    pub is_same_plan: bool,
    /// Whether it is a plan of this product and on sale, not archived.
    pub is_available: bool,
    /// The plan's prices: for the plan in force those that a new agreement would have.
    pub prices: PlanPrices,
    /// The interval that is wanted.
    pub interval: Interval,
    /// When it is wanted.
    pub timing: ChangeTiming,
    /// What it should bill.
    pub proration: Proration,
}

/// An expected no. Nothing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The plan and interval in force.
    #[error("The subscription has this plan and interval already.")]
    NoChange,
    /// Of another product, archived, or not sold in the business's currency at that interval.
    #[error("This plan is not on sale for the subscription.")]
    PlanNotAvailable,
    /// The state does not allow it.
    #[error("The subscription's state does not allow this.")]
    InvalidTransition,
    /// The operator does not offer the choice.
    #[error("This choice is not offered.")]
    NotAllowed,
    /// The choices contradict each other.
    #[error("A switch of interval at once starts the cycle again; choose RESET_CYCLE or PRORATE_NOW.")]
    Invalid,
}

/// Why there is no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Refused; an expected answer.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Not computable; a fault.
    #[error(transparent)]
    Rule(#[from] RuleError),
}

/// What a change does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeOutcome {
    /// It takes effect at its instant.
    AtOnce(Box<AtOnce>),
    /// It waits for the period's end.
    Scheduled(Scheduled),
}

/// A change that takes effect at its instant. It removes a pending change and a scheduled cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtOnce {
    /// What it credits and charges, before tax; those alone, without pending lines from before.
    pub lines: Vec<Line>,
    /// The sum of `lines`. Minor units.
    pub net_minor: i64,
    /// What becomes of them.
    pub settlement: Settlement,
    /// The interval from now on.
    pub interval: Interval,
    /// The agreed price from now on.
    pub price: Price,
    /// What is charged for the running (or the new) period from now on: the next change's `charged`.
    pub charged: Option<PeriodPrice>,
    /// The new anchor and period where the cycle starts again; the running period then ends at the change.
    pub reset: Option<Reset>,
}

/// A cycle that starts again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// The schedule from now on.
    pub schedule: Schedule,
    /// The period that begins.
    pub period: Period,
}

/// What becomes of the lines of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// There are none, or none that is not zero.
    Nothing,
    /// An invoice now, of the pending lines and these.
    Invoice(Box<Totals>),
    /// They wait for the subscription's next invoice.
    Pend,
    /// Credited at once, with tax.
    Credit {
        /// What is credited, with tax. Minor units.
        total_minor: i64,
        /// The lines added up, with a total below zero: for the preview.
        totals: Box<Totals>,
        /// The notes, by the index of `charging_invoices`.
        notes: CreditNotes,
        /// What no invoice had room for, since its charge is pending still: it waits beside that.
        pending: Option<Line>,
    },
}

/// A change that waits. It replaces the pending change before it and takes back a scheduled cancellation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduled {
    /// The period's end: a boundary, which renews at the new plan, interval and price.
    pub effective_at: Timestamp,
    /// The interval from then on.
    pub interval: Interval,
    /// The price of today, which it keeps.
    pub price: Price,
}

/// What a change of plan does, or why not.
///
/// # Errors
/// [`Refusal`]s, and [`RuleError::BoundaryDue`] where the running period has ended.
pub fn change(facts: &ChangeFacts, request: &ChangeRequest) -> Result<ChangeOutcome, ChangeError> {
    let price = allowed(facts, request)?;
    if request.at >= facts.period.end {
        return Err(RuleError::BoundaryDue.into());
    }
    match resolve_timing(facts, request)? {
        ChangeTiming::PeriodEnd => {
            Ok(ChangeOutcome::Scheduled(Scheduled { effective_at: facts.period.end, interval: request.interval, price }))
        }
        ChangeTiming::Now | ChangeTiming::Default => at_once(facts, request, price).map(|done| ChangeOutcome::AtOnce(Box::new(done))),
    }
}

/// The price of the plan that is asked for, unless state, plan or sameness forbid it.
fn allowed(facts: &ChangeFacts, request: &ChangeRequest) -> Result<Price, Refusal> {
    match facts.status {
        SubscriptionStatus::Trialing | SubscriptionStatus::Active | SubscriptionStatus::PastDue => {}
        _ => return Err(Refusal::InvalidTransition),
    }
    if request.is_same_plan && request.interval == facts.schedule.interval {
        return Err(Refusal::NoChange);
    }
    if !request.is_available {
        return Err(Refusal::PlanNotAvailable);
    }
    request.prices.at(request.interval).ok_or(Refusal::PlanNotAvailable)
}

/// NOW or PERIOD_END, where both are allowed to this caller in this state.
fn resolve_timing(facts: &ChangeFacts, request: &ChangeRequest) -> Result<ChangeTiming, ChangeError> {
    if facts.status == SubscriptionStatus::Trialing {
        // Nothing is billed in a trial, so nothing is to be refused.
        return Ok(if request.timing == ChangeTiming::PeriodEnd { ChangeTiming::PeriodEnd } else { ChangeTiming::Now });
    }
    let is_downgrade = is_lower(facts, request)? || request.interval.months() < facts.schedule.interval.months();
    let timing = match request.timing {
        ChangeTiming::Default if is_downgrade || facts.status == SubscriptionStatus::PastDue => ChangeTiming::PeriodEnd,
        ChangeTiming::Default => ChangeTiming::Now,
        chosen => chosen,
    };
    if timing == ChangeTiming::PeriodEnd {
        return Ok(timing);
    }
    if facts.status == SubscriptionStatus::PastDue {
        return Err(Refusal::InvalidTransition.into());
    }
    let switches = request.interval != facts.schedule.interval;
    if switches && matches!(request.proration, Proration::None | Proration::ProrateNextInvoice) {
        return Err(Refusal::Invalid.into());
    }
    if let Some(options) = &facts.options
        && (!options.prorations.contains(&request.proration) || (is_downgrade && !options.downgrade_now))
    {
        return Err(Refusal::NotAllowed.into());
    }
    Ok(timing)
}

/// Whether the plan is lower: its price at the interval in force is below the agreed one; where it is not sold so,
/// a year is compared with twelve months. The same plan is never lower.
fn is_lower(facts: &ChangeFacts, request: &ChangeRequest) -> Result<bool, RuleError> {
    let twelve = |minor: i64| minor.checked_mul(12).ok_or(RuleError::TooLarge);
    if request.is_same_plan {
        return Ok(false);
    }
    let agreed = facts.agreed_price_minor;
    Ok(match (facts.schedule.interval, request.prices.monthly, request.prices.yearly) {
        (Interval::Monthly, Some(monthly), _) => monthly.amount_minor < agreed,
        (Interval::Monthly, None, Some(yearly)) => yearly.amount_minor < twelve(agreed)?,
        (Interval::Yearly, _, Some(yearly)) => yearly.amount_minor < agreed,
        (Interval::Yearly, Some(monthly), None) => twelve(monthly.amount_minor)? < agreed,
        (_, None, None) => false,
    })
}

/// The change at its instant.
fn at_once(facts: &ChangeFacts, request: &ChangeRequest, price: Price) -> Result<AtOnce, ChangeError> {
    let mut done = AtOnce {
        lines: Vec::new(),
        net_minor: 0,
        settlement: Settlement::Nothing,
        interval: request.interval,
        price,
        charged: facts.charged,
        reset: None,
    };
    if facts.status == SubscriptionStatus::Trialing {
        return Ok(done);
    }
    let resets = request.proration == Proration::ResetCycle || request.interval != facts.schedule.interval;
    if request.proration == Proration::None && !resets {
        return Ok(done);
    }
    let granularity = facts.schedule.granularity;
    if let Some(charged) = &facts.charged {
        done.lines.extend(credit_line(&facts.period, request.at, granularity, charged)?);
    }
    let mut new = PeriodPrice { price_minor: price.amount_minor, tax: price.tax, discount: None };
    if resets {
        new.discount = facts.discount_of_new_period;
        let schedule = facts.schedule.reset(request.at, request.interval);
        let number = facts.period.number.checked_add(1).ok_or(RuleError::TooLarge)?;
        let period = schedule.first_period(request.at.max(facts.period.start), number)?;
        done.lines.extend(recurring_line(&period, granularity, &new)?);
        done.reset = Some(Reset { schedule, period });
    } else {
        new.discount = facts.charged.and_then(|charged| charged.discount);
        done.lines.extend(charge_line(&facts.period, request.at, granularity, &new)?);
    }
    done.charged = Some(new);
    (done.net_minor, done.settlement) = settle(facts, request, &done.lines)?;
    Ok(done)
}

/// The net of the lines, and what becomes of them.
fn settle(facts: &ChangeFacts, request: &ChangeRequest, lines: &[Line]) -> Result<(i64, Settlement), RuleError> {
    if lines.is_empty() {
        return Ok((0, Settlement::Nothing));
    }
    let alone = totals(lines.to_vec(), 0)?;
    let net_minor = super::exact::difference(alone.subtotal_minor, alone.discount_minor)?;
    if alone.total_minor < 0 {
        let total_minor = negated(alone.total_minor)?;
        let notes = credit_notes(total_minor, &facts.charging_invoices)?;
        // Only a credit line can bring the total below zero, and it comes first.
        let first = lines.first().ok_or(RuleError::Inconsistent)?;
        let pending = pending_credit(notes.uncovered_minor, first)?;
        return Ok((net_minor, Settlement::Credit { total_minor, totals: Box::new(alone), notes, pending }));
    }
    if request.proration == Proration::ProrateNextInvoice {
        return Ok((net_minor, Settlement::Pend));
    }
    let all = facts.pending_lines.iter().chain(lines).copied().collect();
    let invoice = totals(all, facts.account_credit_minor)?;
    // Pending credits that outweigh this charge wait for an invoice that can carry them.
    Ok((net_minor, if invoice.total_minor < 0 { Settlement::Pend } else { Settlement::Invoice(Box::new(invoice)) }))
}
