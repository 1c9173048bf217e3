//! The course of a subscription: how it begins, what happens at each boundary, and how it comes back from suspension.
//! The worker's renewal, the sign-up, their previews and the upcoming invoice are all answers of these functions.

use jiff::Timestamp;

use super::RuleError;
use super::change::{Price, Scheduled};
use super::discount::Coupon;
use super::invoice::{Line, Totals, totals};
use super::period::{Granularity, Period, Schedule};
use super::proration::{PeriodPrice, charge_line, recurring_line};

/// A sign-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeginFacts {
    /// Its instant.
    pub at: Timestamp,
    /// Of [`Schedule::starting`] at that instant.
    pub schedule: Schedule,
    /// Days of trial; 0 for none, which is for whoever has had one of this product, too.
    pub trial_days: u16,
    /// The price agreed, per whole period.
    pub price: Price,
    /// The coupon it brings.
    pub coupon: Option<Coupon>,
    /// Account credit at hand. Minor units.
    pub account_credit_minor: i64,
}

/// A period that begins, at a sign-up or at a boundary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The schedule from now on.
    pub schedule: Schedule,
    /// The period; number 0 is a trial.
    pub period: Period,
    /// The price agreed from now on.
    pub price: Price,
    /// What is charged for the period; `None` in a trial and in suspension.
    pub charged: Option<PeriodPrice>,
    /// The coupon as it is from now on.
    pub coupon: Option<Coupon>,
    /// The invoice of this boundary; `None` without a line that is not zero.
    pub invoice: Option<Totals>,
    /// What waits for the next invoice from now on.
    pub pending_lines: Vec<Line>,
}

/// A sign-up: its trial, or its first period with its invoice.
///
/// # Errors
/// [`RuleError`] past limits.
pub fn begin(facts: &BeginFacts) -> Result<Begun, RuleError> {
    let mut begun = Begun {
        schedule: facts.schedule.clone(),
        period: facts.schedule.first_period(facts.at, 1)?,
        price: facts.price,
        charged: None,
        coupon: facts.coupon,
        invoice: None,
        pending_lines: Vec::new(),
    };
    if facts.trial_days > 0 {
        (begun.period, begun.schedule) = facts.schedule.trial(facts.at, facts.trial_days)?;
        return Ok(begun);
    }
    charge(&mut begun, facts.account_credit_minor)?;
    Ok(begun)
}

/// A subscription at the end of its running period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundaryFacts {
    /// In the business's present zone, at the interval in force.
    pub schedule: Schedule,
    /// The period that ends, or the trial.
    pub period: Period,
    /// The price agreed, at today's tax.
    pub price: Price,
    /// Its coupon.
    pub coupon: Option<Coupon>,
    /// A change that waits for this boundary.
    pub pending_change: Option<Scheduled>,
    /// Whether a cancellation is scheduled for this boundary.
    pub is_ending: bool,
    /// Whether it is SUSPENDED: the boundary passes and bills nothing.
    pub is_suspended: bool,
    /// What waits for the next invoice.
    pub pending_lines: Vec<Line>,
    /// Account credit at hand. Minor units.
    pub account_credit_minor: i64,
}

/// What a boundary brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boundary {
    /// It ends, with a final invoice of what was pending.
    Ended {
        /// `None` where nothing was.
        invoice: Option<Totals>,
    },
    /// The next period.
    Renewed(Box<Begun>),
}

/// What the end of the running period brings: the end, or the next period with its invoice, with the change that waited.
///
/// # Errors
/// [`RuleError`] past limits.
pub fn boundary(facts: &BoundaryFacts) -> Result<Boundary, RuleError> {
    if facts.is_ending {
        return Ok(Boundary::Ended { invoice: invoice_of(&facts.pending_lines, facts.account_credit_minor)? });
    }
    let mut schedule = facts.schedule.clone();
    let mut price = facts.price;
    if let Some(change) = &facts.pending_change {
        schedule.interval = change.interval;
        price = change.price;
    }
    let period = schedule.next_period(&facts.period)?;
    let mut begun =
        Begun { schedule, period, price, charged: None, coupon: facts.coupon, invoice: None, pending_lines: facts.pending_lines.clone() };
    if !facts.is_suspended {
        charge(&mut begun, facts.account_credit_minor)?;
    }
    Ok(Boundary::Renewed(Box::new(begun)))
}

/// The line for the rest of a period whose boundary passed in SUSPENDED, from `at`, when access is back; and what is
/// charged for it from then on. Nothing where the period was charged already.
///
/// # Errors
/// [`RuleError`] past limits.
pub fn resume(
    period: &Period,
    at: Timestamp,
    granularity: Granularity,
    charged: Option<&PeriodPrice>,
    price: &PeriodPrice,
) -> Result<Option<Line>, RuleError> {
    if charged.is_some() || period.is_trial() { Ok(None) } else { charge_line(period, at, granularity, price) }
}

/// An invoice of these lines; `None` where none of them is other than zero, or where they come to less than zero: pending
/// credits never exceed the pending charges beside them but by the rounding of tax, and that waits for the next charge.
///
/// # Errors
/// As [`totals`].
pub fn invoice_of(lines: &[Line], account_credit_minor: i64) -> Result<Option<Totals>, RuleError> {
    let lines: Vec<Line> = lines.iter().filter(|line| line.amount_minor != 0).copied().collect();
    if lines.is_empty() {
        return Ok(None);
    }
    Ok(Some(totals(lines, account_credit_minor)?).filter(|totals| totals.total_minor >= 0))
}

/// Charges the period that begins, with what is pending, and spends the coupon on it.
fn charge(begun: &mut Begun, account_credit_minor: i64) -> Result<(), RuleError> {
    let (discount, coupon) = match begun.coupon.map(Coupon::for_new_period) {
        Some((discount, coupon)) => (discount, Some(coupon)),
        None => (None, None),
    };
    begun.coupon = coupon;
    let price = PeriodPrice { price_minor: begun.price.amount_minor, tax: begun.price.tax, discount };
    begun.charged = Some(price);
    begun.pending_lines.extend(recurring_line(&begun.period, begun.schedule.granularity, &price)?);
    begun.invoice = invoice_of(&begun.pending_lines, account_credit_minor)?;
    if begun.invoice.is_some() {
        begun.pending_lines.clear();
    }
    Ok(())
}
