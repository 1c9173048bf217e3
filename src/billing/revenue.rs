//! Recurring revenue: what a subscription counts for, and what its movements come to in days and months.
//!
//! Everything is kept a year at a time, so that nothing is rounded before it is summed: a month's price counts twelve times, a year's once.
//! Monthly recurring revenue is a twelfth of the sum, rounded once.

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use rust_decimal::Decimal;

use super::RuleError;
use super::discount::{Discount, discounted};
use super::exact::{difference, round_ratio, sum};
use super::period::Interval;
use super::tax::{Tax, TaxBehavior};
use crate::money::Rate;

/// Months of a year.
const MONTHS: i64 = 12;
/// The most days that a report shows, one by one.
pub const MAX_DAYS: usize = 366;
/// The most months that a report shows.
pub const MAX_MONTHS: usize = 120;
/// Digits after the point of a rate of churn.
const RATE_DIGITS: u32 = 4;

text_enum! {
    /// How recurring revenue moves.
    MovementKind {
        /// A subscription begins to count, of a business that never had one to its product.
        New = "NEW",
        /// It counts for more.
        Expansion = "EXPANSION",
        /// It counts for less.
        Contraction = "CONTRACTION",
        /// It ends.
        Churned = "CHURNED",
        /// A subscription begins to count, of a business that had one to its product which ended.
        Reactivated = "REACTIVATED",
    }
}

/// What a subscription counts for in a year, minor units: its price before tax, net of a discount that is for ever.
///
/// # Errors
/// [`RuleError::TooLarge`] past every limit; [`RuleError::Inconsistent`] for a discount or a rate below zero.
pub fn annual_minor(price_minor: i64, interval: Interval, tax: Tax, for_ever: Option<Discount>) -> Result<i64, RuleError> {
    let price = discounted(price_minor, for_ever)?;
    let net = match tax.behavior {
        TaxBehavior::Exclusive => price,
        TaxBehavior::Inclusive => difference(price, tax.on(price)?)?,
    };
    let times = match interval {
        Interval::Monthly => MONTHS,
        Interval::Yearly => 1,
    };
    net.checked_mul(times).ok_or(RuleError::TooLarge)
}

/// What counts at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// In a year, minor units.
    pub annual_minor: i64,
    /// How many subscriptions.
    pub subscriptions: i64,
    /// How many businesses.
    pub businesses: i64,
}

/// The movements of one kind on one day, summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// The day.
    pub day: Date,
    /// Which way.
    pub kind: MovementKind,
    /// By how much.
    pub by: Counted,
}

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketSize {
    /// A day.
    Day,
    /// A calendar month.
    Month,
}

/// Recurring revenue at the end of a day or month, and how it moved within. All amounts are minor units, a month of them but for
/// `arr_minor`; what was lost is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Its first day.
    pub start: Date,
    /// A month, at its end.
    pub mrr_minor: i64,
    /// A year, at its end.
    pub arr_minor: i64,
    /// Of subscriptions that are new.
    pub new_minor: i64,
    /// Of those that count for more.
    pub expansion_minor: i64,
    /// Of those that count for less.
    pub contraction_minor: i64,
    /// Of those that ended.
    pub churned_minor: i64,
    /// Of those that came back.
    pub reactivated_minor: i64,
    /// Those that count at its end.
    pub active_subscriptions: i64,
    /// Of the businesses that counted at its start, the part that was lost in it.
    pub customer_churn_rate: Rate,
    /// `mrr_minor` over the businesses that count at its end; zero without one.
    pub average_minor: i64,
}

/// The first days of the buckets from that of `from` to that of `to`. `None` for more than a report shows, or where `to` is before
/// `from`.
pub fn starts(from: Date, to: Date, size: BucketSize) -> Option<Vec<Date>> {
    let (first, step, most) = match size {
        BucketSize::Day => (from, 1.day(), MAX_DAYS),
        BucketSize::Month => (from.first_of_month(), 1.month(), MAX_MONTHS),
    };
    let mut starts = Vec::new();
    let mut start = first;
    while start <= to {
        if starts.len() >= most {
            return None;
        }
        starts.push(start);
        let Ok(next) = start.checked_add(step) else { break };
        start = next;
    }
    (from <= to).then_some(starts)
}

/// The first day after a bucket; `None` past the calendar's end.
pub fn end(start: Date, size: BucketSize) -> Option<Date> {
    let step: Span = match size {
        BucketSize::Day => 1.day(),
        BucketSize::Month => 1.month(),
    };
    start.checked_add(step).ok()
}

/// The buckets that begin on `starts`, from what counted before the first and what moved since, in the order of its days.
///
/// # Errors
/// [`RuleError::TooLarge`] past every limit.
pub fn buckets(opening: Counted, moved: &[Moved], starts: &[Date], size: BucketSize) -> Result<Vec<Bucket>, RuleError> {
    let mut stands = opening;
    starts
        .iter()
        .map(|start| {
            let end = end(*start, size);
            let within: Vec<&Moved> = moved.iter().filter(|moved| moved.day >= *start && end.is_none_or(|end| moved.day < end)).collect();
            let opened = stands;
            stands = after(opened, &within)?;
            bucket(*start, opened, stands, &within)
        })
        .collect()
}

/// What counts after these movements.
fn after(before: Counted, moved: &[&Moved]) -> Result<Counted, RuleError> {
    let total = |of: fn(&Counted) -> i64| {
        moved.iter().try_fold(of(&before), |total, moved| total.checked_add(of(&moved.by))).ok_or(RuleError::TooLarge)
    };
    Ok(Counted {
        annual_minor: total(|counted| counted.annual_minor)?,
        subscriptions: total(|counted| counted.subscriptions)?,
        businesses: total(|counted| counted.businesses)?,
    })
}

/// One bucket.
fn bucket(start: Date, opened: Counted, stands: Counted, moved: &[&Moved]) -> Result<Bucket, RuleError> {
    let of_kind = |kind: MovementKind| {
        let annual = sum(moved.iter().filter(|moved| moved.kind == kind).map(|moved| moved.by.annual_minor.saturating_abs()))?;
        monthly(annual)
    };
    let lost = moved.iter().filter(|moved| moved.kind == MovementKind::Churned).map(|moved| moved.by.businesses.saturating_abs());
    let lost = lost.fold(0_i64, i64::saturating_add);
    let mrr_minor = monthly(stands.annual_minor)?;
    Ok(Bucket {
        start,
        mrr_minor,
        arr_minor: stands.annual_minor,
        new_minor: of_kind(MovementKind::New)?,
        expansion_minor: of_kind(MovementKind::Expansion)?,
        contraction_minor: of_kind(MovementKind::Contraction)?,
        churned_minor: of_kind(MovementKind::Churned)?,
        reactivated_minor: of_kind(MovementKind::Reactivated)?,
        active_subscriptions: stands.subscriptions,
        customer_churn_rate: part(lost, opened.businesses),
        average_minor: if stands.businesses > 0 { round_ratio(mrr_minor.into(), stands.businesses.into())? } else { 0 },
    })
}

/// A twelfth, rounded.
fn monthly(annual_minor: i64) -> Result<i64, RuleError> {
    round_ratio(annual_minor.into(), MONTHS.into())
}

/// A part of a whole, with four digits after the point; zero of nothing.
fn part(of: i64, whole: i64) -> Rate {
    let part = Decimal::from(of).checked_div(Decimal::from(whole)).unwrap_or(Decimal::ZERO);
    Rate::from(part.round_dp_with_strategy(RATE_DIGITS, rust_decimal::RoundingStrategy::MidpointAwayFromZero).normalize())
}
