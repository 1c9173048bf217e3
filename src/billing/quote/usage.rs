//! Usage in a scenario: how it is written, and what was used so far in the usage period that runs.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::super::RuleError;
use super::super::exact::Fraction;
use super::super::invoice::{Line, LineKind};
use super::super::period::{Period, Schedule};
use super::super::tax::Tax;
use super::super::usage::{MAX_QUANTITY, Overage, OverageModel, QUANTITY_DIGITS, Tier, UsagePeriod, past_included, rate, usage_period};
use super::scenario::amount;
use crate::money::{Currency, Money, Rate, parse_decimal};

/// Digits after the point that a unit price has at most.
const PRICE_DIGITS: u32 = 12;
/// The most of a unit price.
const MAX_PRICE: i64 = 1_000_000_000;

/// Usage as it is written. Where `included` and `tiers` are left out, what was said last goes on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenUsage {
    /// How much is used.
    quantity: String,
    /// How much of it is in the plan's price, for each usage period.
    included: Option<String>,
    /// `graduated` where it is left out.
    model: Option<String>,
    /// Of the model `package`.
    package_size: Option<String>,
    /// What is past it costs.
    tiers: Option<Vec<WrittenTier>>,
}

/// A tier as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTier {
    /// Left out in the last alone.
    up_to: Option<String>,
    /// For each unit, or package.
    unit_price: String,
    /// Once, where the tier is reached; nothing where it is left out.
    flat_amount: Option<String>,
}

/// Something that is used.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    /// How much.
    pub(super) quantity: Decimal,
    /// By what it is rated from now on.
    pub(super) terms: Option<Terms>,
}

/// What a plan includes, and what more costs.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// For each usage period.
    included: Decimal,
    /// What is past it.
    overage: Overage,
}

/// A quantity that is not negative.
fn quantity(text: &str) -> Option<Decimal> {
    let fits = |n: &Decimal| !n.is_sign_negative() && *n <= MAX_QUANTITY && n.scale() <= QUANTITY_DIGITS;
    parse_decimal(text).map(|n| n.normalize()).filter(fits)
}

/// A quantity above zero.
fn some(text: &str) -> Option<Decimal> {
    quantity(text).filter(|n| !n.is_zero())
}

impl WrittenUsage {
    /// The valid usage.
    ///
    /// # Errors
    /// The member that is not.
    pub(super) fn read(&self, currency: Currency) -> Result<Usage, &'static str> {
        let terms = match (&self.included, &self.tiers) {
            (None, None) if self.model.is_none() && self.package_size.is_none() => None,
            (None, _) => return Err("included"),
            (_, None) => return Err("tiers"),
            (Some(included), Some(tiers)) => {
                let tiers = read_tiers(tiers, currency).ok_or("tiers")?;
                let model = self.model().ok_or("model")?;
                let has_one = matches!(model, OverageModel::PerUnit | OverageModel::Package { .. });
                if has_one && tiers.len() != 1 {
                    return Err("tiers");
                }
                Some(Terms { included: quantity(included).ok_or("included")?, overage: Overage { currency, model, tiers } })
            }
        };
        Ok(Usage { quantity: quantity(&self.quantity).ok_or("quantity")?, terms })
    }

    /// How units become money.
    fn model(&self) -> Option<OverageModel> {
        match (self.model.as_deref(), &self.package_size) {
            (None | Some("graduated"), None) => Some(OverageModel::Graduated),
            (Some("per_unit"), None) => Some(OverageModel::PerUnit),
            (Some("volume"), None) => Some(OverageModel::Volume),
            (Some("package"), Some(size)) => some(size).map(|size| OverageModel::Package { size }),
            _ => None,
        }
    }
}

/// Tiers that rise, and of which the last has no end.
fn read_tiers(written: &[WrittenTier], currency: Currency) -> Option<Vec<Tier>> {
    let (last, before) = written.split_last()?;
    let mut below = Decimal::ZERO;
    let mut tiers = Vec::with_capacity(written.len());
    for tier in before {
        let up_to = tier.up_to.as_deref().and_then(some).filter(|up_to| *up_to > below)?;
        below = up_to;
        tiers.push(read_tier(tier, Some(up_to), currency)?);
    }
    if last.up_to.is_some() {
        return None;
    }
    tiers.push(read_tier(last, None, currency)?);
    Some(tiers)
}

/// One of them.
fn read_tier(written: &WrittenTier, up_to: Option<Decimal>, currency: Currency) -> Option<Tier> {
    let fits = |n: &Decimal| !n.is_sign_negative() && *n <= Decimal::from(MAX_PRICE) && n.scale() <= PRICE_DIGITS;
    let unit_price = parse_decimal(&written.unit_price).map(|n| n.normalize()).filter(fits).map(Rate::from)?;
    let flat_minor = written.flat_amount.as_deref().map_or(Some(0), |text| amount(text, currency))?;
    Some(Tier { up_to, unit_price, flat_amount: Money::new(flat_minor, currency).ok()? })
}

/// What was used in the usage period that runs, and by what it is rated.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Of the plan in force.
    terms: Option<Terms>,
    /// The usage period and how much; `None` before anything is used in it.
    used: Option<(UsagePeriod, Decimal)>,
}

impl Meter {
    /// Counts what is used at `at`.
    ///
    /// # Errors
    /// [`RuleError`] past limits. `Ok(false)` where nothing says by what it is rated.
    pub(super) fn count(&mut self, usage: &Usage, (schedule, period): (&Schedule, &Period), at: Timestamp) -> Result<bool, RuleError> {
        if let Some(terms) = &usage.terms {
            self.terms = Some(terms.clone());
        }
        let so_far = self.used.map_or(Decimal::ZERO, |(_, used)| used);
        let used = so_far.checked_add(usage.quantity).filter(|used| *used <= MAX_QUANTITY).ok_or(RuleError::TooLarge)?;
        self.used = Some((usage_period(schedule, period, schedule.interval, at)?, used));
        Ok(self.terms.is_some())
    }

    /// The end of the usage period in which something was used.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.used.map(|(period, _)| period.end)
    }

    /// The line of what was used in the usage period, which is over at `until`; the next begins with nothing used.
    ///
    /// # Errors
    /// [`RuleError`] past limits.
    pub(super) fn close(&mut self, until: Timestamp, is_trial: bool, tax: Tax) -> Result<Option<Line>, RuleError> {
        let (Some((period, used)), Some(terms)) = (self.used.take(), &self.terms) else { return Ok(None) };
        // A trial charges nothing.
        let amount_minor = if is_trial { 0 } else { rate(past_included(used, Some(terms.included)), &terms.overage)? };
        let line = Line {
            kind: LineKind::Usage,
            start: period.start,
            end: period.end.min(until),
            fraction: Fraction::WHOLE,
            unit_price_minor: amount_minor,
            amount_minor,
            discount_minor: 0,
            tax,
        };
        Ok((amount_minor != 0).then_some(line))
    }
}
