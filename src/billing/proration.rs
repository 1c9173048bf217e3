//! The lines of a period: the whole or partial period itself, and at a change the unused time taken back and the
//! rest charged at the new price.

use jiff::Timestamp;

use super::RuleError;
use super::discount::{Discount, discounted};
use super::exact::{difference, negated};
use super::invoice::{Line, LineKind};
use super::period::{Granularity, Period};
use super::tax::Tax;

/// A price as it is charged for one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeriodPrice {
    /// Of a whole period, before the discount. Minor units.
    pub price_minor: i64,
    /// What that charge is taxed at.
    pub tax: Tax,
    /// The discount in force for that period.
    pub discount: Option<Discount>,
}

impl PeriodPrice {
    /// The price of a whole period less its discount, rounded. Minor units.
    ///
    /// # Errors
    /// As [`Discount::discounted`].
    pub fn net_minor(&self) -> Result<i64, RuleError> {
        discounted(self.price_minor, self.discount)
    }
}

/// The line that charges `period` as it is opened: in full, or pro rata where it is a partial first one. What it
/// comes to less its discount is the discounted price pro rata, so that no credit ever exceeds it. `None` where
/// nothing is charged.
///
/// # Errors
/// [`RuleError::TooLarge`].
pub fn recurring_line(period: &Period, granularity: Granularity, price: &PeriodPrice) -> Result<Option<Line>, RuleError> {
    let fraction = period.fraction_opened(granularity)?;
    let amount_minor = fraction.of(price.price_minor)?;
    let discount_minor = difference(amount_minor, fraction.of(price.net_minor()?)?)?;
    Ok((amount_minor != 0).then_some(Line {
        kind: LineKind::Recurring,
        start: period.start,
        end: period.end,
        fraction,
        unit_price_minor: price.price_minor,
        amount_minor,
        discount_minor,
        tax: price.tax,
    }))
}

/// The line that takes back the time of `period` that is unused at `at`, by what was last charged for it. `None`
/// where that is zero.
///
/// # Errors
/// [`RuleError::TooLarge`].
pub fn credit_line(period: &Period, at: Timestamp, granularity: Granularity, charged: &PeriodPrice) -> Result<Option<Line>, RuleError> {
    let unused = rest(period, at, granularity, charged, LineKind::ProrationCredit)?;
    unused.map(|line| Ok(Line { amount_minor: negated(line.amount_minor)?, ..line })).transpose()
}

/// The line that charges the rest of `period` from `at` at a new price. `None` where that is zero.
///
/// # Errors
/// [`RuleError::TooLarge`].
pub fn charge_line(period: &Period, at: Timestamp, granularity: Granularity, price: &PeriodPrice) -> Result<Option<Line>, RuleError> {
    rest(period, at, granularity, price, LineKind::ProrationCharge)
}

/// The rest of `period` from `at` at `price`, net of its discount, unless it is zero.
fn rest(period: &Period, at: Timestamp, granularity: Granularity, price: &PeriodPrice, kind: LineKind) -> Result<Option<Line>, RuleError> {
    let fraction = period.fraction_left(at, granularity)?;
    let unit_price_minor = price.net_minor()?;
    let amount_minor = fraction.of(unit_price_minor)?;
    Ok((amount_minor != 0).then_some(Line {
        kind,
        start: at.max(period.start),
        end: period.end,
        fraction,
        unit_price_minor,
        amount_minor,
        discount_minor: 0,
        tax: price.tax,
    }))
}
