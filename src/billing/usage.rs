//! Usage: the months that it is counted in, and what units past a plan's `included` cost.
//!
//! Metered use is counted within a usage period, which is a month, and is never prorated. A standing quantity belongs to
//! no period and is never billed.

use jiff::Timestamp;
use jiff::civil::Time;
use rust_decimal::Decimal;

use super::RuleError;
use super::exact::{difference, round_ratio};
use super::period::{AnchorMode, Granularity, Interval, Period, Schedule, Zone};
use crate::money::{Currency, Money, Rate};

/// Digits after the point that a quantity has at most.
pub const QUANTITY_DIGITS: u32 = 6;
/// Digits after the point that a unit price has at most, in major units.
const PRICE_DIGITS: u32 = 12;
/// The most that a quantity may be.
pub const MAX_QUANTITY: Decimal = Decimal::from_parts(2_764_472_320, 232_830, 0, false, 0);
/// The most periods that are looked ahead for one that is not opened yet: fifty years of months.
const MAX_AHEAD: usize = 600;

/// How units past what is included are priced in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overage {
    /// Which currency.
    pub currency: Currency,
    /// How units become money.
    pub model: OverageModel,
    /// At least one; `up_to` rises, and the last has none.
    pub tiers: Vec<Tier>,
}

/// How units become money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverageModel {
    /// Each unit at the one tier's price.
    PerUnit,
    /// Each begun package of this many units at the one tier's price.
    Package {
        /// Units in one; more than zero.
        size: Decimal,
    },
    /// Each unit at the price of the tier it falls in.
    Graduated,
    /// All units at the price of the tier that the last one falls in.
    Volume,
}

impl OverageModel {
    /// Units in a package, for that model alone.
    pub const fn package_size(self) -> Option<Decimal> {
        match self {
            Self::Package { size } => Some(size),
            Self::PerUnit | Self::Graduated | Self::Volume => None,
        }
    }
}

/// A range of units and its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The last unit in it, counted from the first past `included`; `None` in the last tier.
    pub up_to: Option<Decimal>,
    /// For each unit, or package, in major units; may be finer than a minor unit.
    pub unit_price: Rate,
    /// Once, where the tier is reached.
    pub flat_amount: Money,
}

/// A usage period, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsagePeriod {
    /// First instant of it.
    pub start: Timestamp,
    /// First instant that is no longer of it.
    pub end: Timestamp,
}

/// The period that `at` lies in, of a subscription whose running period is `running`: that one, or one that is not opened
/// yet, since nothing has billed the boundaries between.
///
/// # Errors
/// [`RuleError::OutOfTime`] past the calendar's end.
pub fn period_at(schedule: &Schedule, running: &Period, at: Timestamp) -> Result<Period, RuleError> {
    let mut period = running.clone();
    for _ in 0..MAX_AHEAD {
        if at < period.end {
            return Ok(period);
        }
        period = schedule.next_period(&period)?;
    }
    Err(RuleError::OutOfTime)
}

/// The usage period of `period` that `at` lies in: of a month it is the period itself, of a year or a long trial each month
/// from the anchor, as far as the period reaches. `schedule` is the subscription's, and `interval` how long the period is.
///
/// # Errors
/// [`RuleError::OutOfTime`] past the calendar's end.
pub fn usage_period(schedule: &Schedule, period: &Period, interval: Interval, at: Timestamp) -> Result<UsagePeriod, RuleError> {
    let whole = UsagePeriod { start: period.start, end: period.end };
    if interval == Interval::Monthly && !period.is_trial() {
        return Ok(whole);
    }
    let months = months_of(schedule, period)?;
    let date = if at <= period.start { period.opened_on } else { period.zone.date_of(at) };
    let (mut from, mut to) = months.whole_period(date)?;
    if months.boundary(from)? > at {
        (from, to) = (before(from)?, from);
    } else if months.boundary(to)? <= at {
        (from, to) = (to, after(to)?);
    }
    Ok(UsagePeriod { start: months.boundary(from)?.max(period.start), end: months.boundary(to)?.min(period.end) })
}

/// The schedule by whose boundaries a period is parted into months, in the zone that the period was opened in. A trial's are
/// counted from its start; so are those of a period that the present anchor does not explain, since the cycle has started
/// again after it.
fn months_of(schedule: &Schedule, period: &Period) -> Result<Schedule, RuleError> {
    let monthly = Schedule { zone: period.zone.clone(), interval: Interval::Monthly, ..schedule.clone() };
    let explained = !period.is_trial() && {
        let (from, _) = monthly.whole_period(period.nominal_start)?;
        monthly.boundary_date(from)? == period.nominal_start
    };
    if explained {
        return Ok(monthly);
    }
    let anchor_time = match monthly.granularity {
        Granularity::Day => Time::midnight(),
        Granularity::Second => period.zone.time_of(period.whole_start),
    };
    Ok(Schedule { anchor: period.nominal_start, anchor_time, mode: AnchorMode::Anniversary, ..monthly })
}

/// A month earlier.
fn before(month: i32) -> Result<i32, RuleError> {
    month.checked_sub(1).ok_or(RuleError::OutOfTime)
}

/// A month later.
fn after(month: i32) -> Result<i32, RuleError> {
    month.checked_add(1).ok_or(RuleError::OutOfTime)
}

text_enum! {
    /// What a history of usage is parted into.
    BucketSize {
        /// Hours by the local clock.
        Hour = "HOUR",
        /// Local days.
        Day = "DAY",
        /// Calendar months by the local calendar.
        Month = "MONTH",
    }
}

/// The first instant of the bucket that `at` lies in, by the clock of `zone`.
///
/// # Errors
/// [`RuleError::OutOfTime`] past the calendar's end.
pub fn bucket_start(zone: &Zone, size: BucketSize, at: Timestamp) -> Result<Timestamp, RuleError> {
    let date = zone.date_of(at);
    match size {
        // By what the clock shows past the hour, and not by the hour it shows: one that comes twice is two.
        BucketSize::Hour => {
            let second = Timestamp::from_second(at.as_second()).map_err(|_| RuleError::OutOfTime)?;
            let time = zone.time_of(second);
            let past = i64::from(time.minute()).checked_mul(60).and_then(|seconds| seconds.checked_add(i64::from(time.second())));
            let start = past.and_then(|past| second.as_second().checked_sub(past)).ok_or(RuleError::OutOfTime)?;
            Timestamp::from_second(start).map_err(|_| RuleError::OutOfTime)
        }
        BucketSize::Day => zone.instant(date, Time::midnight()),
        BucketSize::Month => zone.instant(date.first_of_month(), Time::midnight()),
    }
}

/// Where people are told, of a feature that says nothing of it: at 80 % and at all of what is included.
pub const THRESHOLDS: [Decimal; 2] = [Decimal::from_parts(8, 0, 0, false, 1), Decimal::ONE];

/// The thresholds that a quantity reaches which goes from `before` to `after`: it was below, and is there or past it. Each is a
/// part of `included`; those in `told` were told of in this usage period already. Where nothing limits it, or nothing is
/// included, there is nothing to reach.
pub fn thresholds_reached(before: Decimal, after: Decimal, included: Option<Decimal>, thresholds: &[Rate], told: &[Rate]) -> Vec<Rate> {
    let is_reached = |threshold: &&Rate| {
        // What is past the most that a number may be is past the most that a quantity may be.
        let at = included.and_then(|included| included.checked_mul(threshold.decimal()));
        at.is_some_and(|at| before < at && at <= after)
    };
    thresholds.iter().filter(is_reached).filter(|threshold| !told.contains(threshold)).copied().collect()
}

/// Units past `included`; none where nothing limits them.
pub fn past_included(used: Decimal, included: Option<Decimal>) -> Decimal {
    let past = included.and_then(|included| used.checked_sub(included));
    past.filter(Decimal::is_sign_positive).unwrap_or(Decimal::ZERO).normalize()
}

/// Units that are left of `included`; `None` where nothing limits them.
pub fn left_of_included(used: Decimal, included: Option<Decimal>) -> Option<Decimal> {
    included.map(|included| {
        let left = included.checked_sub(used);
        left.filter(Decimal::is_sign_positive).unwrap_or(Decimal::ZERO).normalize()
    })
}

/// What `past` units past `included` cost: one amount in minor units, exact over all tiers and rounded once.
///
/// # Errors
/// [`RuleError::TooLarge`] past the most that an amount may be, or for finer numbers than are sold;
/// [`RuleError::Inconsistent`] for tiers that end, or a quantity below zero.
pub fn rate(past: Decimal, overage: &Overage) -> Result<i64, RuleError> {
    if past.is_zero() {
        return Ok(0);
    }
    if past.is_sign_negative() {
        return Err(RuleError::Inconsistent);
    }
    let mut cost = Cost::default();
    match overage.model {
        OverageModel::PerUnit => cost.add(scaled(past, QUANTITY_DIGITS)?, only(&overage.tiers)?)?,
        OverageModel::Package { size } => cost.add(whole(begun(past, size)?)?, only(&overage.tiers)?)?,
        OverageModel::Volume => {
            let reached = overage.tiers.iter().find(|tier| tier.up_to.is_none_or(|up_to| past <= up_to));
            cost.add(scaled(past, QUANTITY_DIGITS)?, reached.ok_or(RuleError::Inconsistent)?)?;
        }
        OverageModel::Graduated => {
            let mut below = Decimal::ZERO;
            for tier in &overage.tiers {
                let end = tier.up_to.map_or(past, |up_to| up_to.min(past));
                let units = end.checked_sub(below).ok_or(RuleError::TooLarge)?;
                if units.is_sign_negative() {
                    return Err(RuleError::Inconsistent);
                }
                cost.add(scaled(units, QUANTITY_DIGITS)?, tier)?;
                below = end;
                if below == past {
                    break;
                }
            }
            if below != past {
                return Err(RuleError::Inconsistent);
            }
        }
    }
    cost.rounded(overage.currency)
}

/// How many units, or packages, at which price, where one price explains what `past` units cost: nothing of a tier's own
/// amount, and no tiers with different prices.
pub fn priced(past: Decimal, overage: &Overage) -> Option<(Rate, Rate)> {
    let tier = match overage.model {
        OverageModel::Volume => overage.tiers.iter().find(|tier| tier.up_to.is_none_or(|up_to| past <= up_to))?,
        OverageModel::PerUnit | OverageModel::Package { .. } | OverageModel::Graduated => only(&overage.tiers).ok()?,
    };
    if !tier.flat_amount.is_zero() {
        return None;
    }
    match overage.model {
        OverageModel::Package { size } => {
            Some((Rate::from(Decimal::try_from_i128_with_scale(begun(past, size).ok()?, 0).ok()?), tier.unit_price))
        }
        OverageModel::PerUnit | OverageModel::Graduated | OverageModel::Volume => Some((Rate::from(past), tier.unit_price)),
    }
}

/// What a late event adds to a usage period that is billed: the rating with it less the rating without.
///
/// # Errors
/// As [`rate`].
pub fn late(past_with: Decimal, past_without: Decimal, overage: &Overage) -> Result<i64, RuleError> {
    difference(rate(past_with, overage)?, rate(past_without, overage)?)
}

/// Packages of `size` that `units` have begun.
///
/// # Errors
/// [`RuleError::NoDenominator`] for a package of nothing; [`RuleError::TooLarge`].
pub fn begun(units: Decimal, size: Decimal) -> Result<i128, RuleError> {
    let (units, size) = (scaled(units, QUANTITY_DIGITS)?, scaled(size, QUANTITY_DIGITS)?);
    if size <= 0 {
        return Err(RuleError::NoDenominator);
    }
    let to_the_next = size.checked_sub(1).and_then(|rest| units.checked_add(rest)).ok_or(RuleError::TooLarge)?;
    to_the_next.checked_div_euclid(size).ok_or(RuleError::NoDenominator)
}

/// The tier of a model that has one.
fn only(tiers: &[Tier]) -> Result<&Tier, RuleError> {
    match tiers {
        [only] => Ok(only),
        _ => Err(RuleError::Inconsistent),
    }
}

/// A number in whole units of its last digit.
fn scaled(number: Decimal, digits: u32) -> Result<i128, RuleError> {
    let number = number.normalize();
    let more = digits.checked_sub(number.scale()).ok_or(RuleError::TooLarge)?;
    let factor = 10_i128.checked_pow(more).ok_or(RuleError::TooLarge)?;
    number.mantissa().checked_mul(factor).ok_or(RuleError::TooLarge)
}

/// So many whole units, as [`scaled`] has them.
fn whole(units: i128) -> Result<i128, RuleError> {
    10_i128.checked_pow(QUANTITY_DIGITS).and_then(|factor| units.checked_mul(factor)).ok_or(RuleError::TooLarge)
}

/// An amount on its way to be rounded.
#[derive(Debug, Default)]
struct Cost {
    /// Units times prices, in major units, with the digits of both.
    units: i128,
    /// Amounts of tiers that were reached. Minor units.
    flat_minor: i64,
}

impl Cost {
    /// Adds units at a tier's price, and the tier's own amount.
    fn add(&mut self, units: i128, tier: &Tier) -> Result<(), RuleError> {
        let product = units.checked_mul(scaled(tier.unit_price.decimal(), PRICE_DIGITS)?);
        self.units = product.and_then(|product| self.units.checked_add(product)).ok_or(RuleError::TooLarge)?;
        self.flat_minor = self.flat_minor.checked_add(tier.flat_amount.minor()).ok_or(RuleError::TooLarge)?;
        Ok(())
    }

    /// The amount, in whole minor units.
    fn rounded(self, currency: Currency) -> Result<i64, RuleError> {
        let digits = QUANTITY_DIGITS.checked_add(PRICE_DIGITS).and_then(|all| all.checked_sub(currency.digits()));
        let denominator = digits.and_then(|digits| 10_i128.checked_pow(digits)).ok_or(RuleError::TooLarge)?;
        let flat = i128::from(self.flat_minor).checked_mul(denominator).ok_or(RuleError::TooLarge)?;
        round_ratio(self.units.checked_add(flat).ok_or(RuleError::TooLarge)?, denominator)
    }
}
