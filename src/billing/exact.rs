//! Exact arithmetic: fractions that are never reduced, one rounding, and shares that add up to their whole.

use rust_decimal::Decimal;

use super::RuleError;
use crate::money::{MAX_MINOR, Rate};

/// A part of a whole, kept as it was counted (21 of 31 days), with `0 ≤ numerator` and `0 < denominator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fraction {
    /// Units that are meant.
    numerator: i64,
    /// Units of the whole.
    denominator: i64,
}

impl Fraction {
    /// All of it.
    pub const WHOLE: Self = Self { numerator: 1, denominator: 1 };

    /// `numerator` of `denominator` units.
    ///
    /// # Errors
    /// [`RuleError::NoDenominator`] unless `0 ≤ numerator` and `0 < denominator`.
    pub const fn new(numerator: i64, denominator: i64) -> Result<Self, RuleError> {
        if denominator > 0 && numerator >= 0 { Ok(Self { numerator, denominator }) } else { Err(RuleError::NoDenominator) }
    }

    /// Units that are meant.
    pub const fn numerator(self) -> i64 {
        self.numerator
    }

    /// Units of the whole.
    pub const fn denominator(self) -> i64 {
        self.denominator
    }

    /// Whether it is one whole.
    pub const fn is_whole(self) -> bool {
        self.numerator == self.denominator
    }

    /// This part of `amount_minor`, rounded half away from zero to a whole minor unit.
    ///
    /// # Errors
    /// [`RuleError::TooLarge`] past the most that an amount may be.
    pub fn of(self, amount_minor: i64) -> Result<i64, RuleError> {
        let product = i128::from(amount_minor).checked_mul(i128::from(self.numerator)).ok_or(RuleError::TooLarge)?;
        round_ratio(product, i128::from(self.denominator))
    }
}

/// An exact ratio of two integers, such as a tax rate, with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ratio {
    /// Above the line.
    pub(crate) numerator: i128,
    /// Below the line; positive.
    pub(crate) denominator: i128,
}

impl Ratio {
    /// A decimal as a ratio: 0.16 is 16 of 100.
    pub(crate) fn of_rate(rate: Rate) -> Result<Self, RuleError> {
        Self::of_decimal(rate.decimal())
    }

    /// As [`Ratio::of_rate`].
    pub(crate) fn of_decimal(decimal: Decimal) -> Result<Self, RuleError> {
        let denominator = 10_i128.checked_pow(decimal.scale()).ok_or(RuleError::TooLarge)?;
        Ok(Self { numerator: decimal.mantissa(), denominator })
    }
}

/// `numerator ÷ denominator`, rounded half away from zero.
///
/// # Errors
/// [`RuleError::NoDenominator`] where it is not positive, [`RuleError::TooLarge`] past the most that an amount may be.
pub(crate) fn round_ratio(numerator: i128, denominator: i128) -> Result<i64, RuleError> {
    if denominator <= 0 {
        return Err(RuleError::NoDenominator);
    }
    let magnitude = i128::try_from(numerator.unsigned_abs()).map_err(|_| RuleError::TooLarge)?;
    let doubled = magnitude.checked_mul(2).and_then(|twice| twice.checked_add(denominator)).ok_or(RuleError::TooLarge)?;
    let below = denominator.checked_mul(2).ok_or(RuleError::TooLarge)?;
    let rounded = doubled.checked_div(below).ok_or(RuleError::NoDenominator)?;
    let minor = i64::try_from(rounded).map_err(|_| RuleError::TooLarge)?;
    bounded(if numerator < 0 { minor.checked_neg().ok_or(RuleError::TooLarge)? } else { minor })
}

/// The amount itself where it is one.
///
/// # Errors
/// [`RuleError::TooLarge`] past the most that an amount may be.
pub(crate) const fn bounded(minor: i64) -> Result<i64, RuleError> {
    if minor > MAX_MINOR || minor < -MAX_MINOR { Err(RuleError::TooLarge) } else { Ok(minor) }
}

/// The sum of amounts.
///
/// # Errors
/// [`RuleError::TooLarge`] past the most that an amount may be.
pub fn sum(amounts: impl IntoIterator<Item = i64>) -> Result<i64, RuleError> {
    amounts.into_iter().try_fold(0_i64, |total, amount| total.checked_add(amount).ok_or(RuleError::TooLarge)).and_then(bounded)
}

/// The difference of two amounts.
///
/// # Errors
/// [`RuleError::TooLarge`] past the most that an amount may be.
pub fn difference(left: i64, right: i64) -> Result<i64, RuleError> {
    left.checked_sub(right).ok_or(RuleError::TooLarge).and_then(bounded)
}

/// The same amount the other way.
///
/// # Errors
/// [`RuleError::TooLarge`] past the most that an amount may be.
pub(crate) fn negated(minor: i64) -> Result<i64, RuleError> {
    difference(0, minor)
}

/// Shares `total` out over parts whose exact sizes are `numerators[i] ÷ denominator`: each gets its size rounded
/// down, and what is left goes, a unit each, to the largest remainders, ties to the earlier part. `total` is the
/// sum of the exact sizes, rounded; so the shares add up to it.
///
/// # Errors
/// [`RuleError::Inconsistent`] where `total` is no rounding of the sum.
pub(crate) fn share_out(total: i64, numerators: &[i128], denominator: i128) -> Result<Vec<i64>, RuleError> {
    let mut shares = Vec::with_capacity(numerators.len());
    let mut remainders = Vec::with_capacity(numerators.len());
    for (index, numerator) in numerators.iter().enumerate() {
        let floor = numerator.checked_div_euclid(denominator).ok_or(RuleError::NoDenominator)?;
        shares.push(i64::try_from(floor).map_err(|_| RuleError::TooLarge)?);
        remainders.push((numerator.checked_rem_euclid(denominator).ok_or(RuleError::NoDenominator)?, index));
    }
    let left = usize::try_from(difference(total, sum(shares.iter().copied())?)?).map_err(|_| RuleError::Inconsistent)?;
    if left > shares.len() {
        return Err(RuleError::Inconsistent);
    }
    // A stable sort keeps the earlier part first where remainders are equal.
    remainders.sort_by_key(|&(remainder, _)| std::cmp::Reverse(remainder));
    for &(_, index) in remainders.iter().take(left) {
        if let Some(share) = shares.get_mut(index) {
            *share = share.checked_add(1).ok_or(RuleError::TooLarge)?;
        }
    }
    Ok(shares)
}
