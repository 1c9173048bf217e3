//! Discounts. One coupon a subscription; it belongs to charged periods, not to invoices, and reduces what is charged
//! and credited for one period alike.

use super::RuleError;
use super::exact::{Ratio, difference, round_ratio};
use crate::money::Rate;

/// What a coupon takes off the price of a whole period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discount {
    /// So many percent, 0 to 100: `25` is a quarter.
    Percent(Rate),
    /// So many minor units of the subscription's currency.
    Fixed(i64),
}

impl Discount {
    /// The price of a whole period less this discount, rounded, never below zero.
    ///
    /// # Errors
    /// [`RuleError::TooLarge`]; [`RuleError::Inconsistent`] for a negative discount.
    pub fn discounted(self, price_minor: i64) -> Result<i64, RuleError> {
        let off = match self {
            Self::Percent(percent) => {
                let ratio = Ratio::of_rate(percent)?;
                let numerator = i128::from(price_minor).checked_mul(ratio.numerator).ok_or(RuleError::TooLarge)?;
                round_ratio(numerator, ratio.denominator.checked_mul(100).ok_or(RuleError::TooLarge)?)?
            }
            Self::Fixed(off_minor) => off_minor,
        };
        if off < 0 {
            return Err(RuleError::Inconsistent);
        }
        Ok(difference(price_minor, off)?.max(0))
    }
}

/// The price of a whole period less the discount that is in force for it, if there is one.
///
/// # Errors
/// As [`Discount::discounted`].
pub fn discounted(price_minor: i64, discount: Option<Discount>) -> Result<i64, RuleError> {
    discount.map_or(Ok(price_minor), |discount| discount.discounted(price_minor))
}

/// A coupon on a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coupon {
    /// What it takes off.
    pub discount: Discount,
    /// Charged periods it still has; `None` is for ever.
    pub remaining_periods: Option<u32>,
}

impl Coupon {
    /// The discount of the charged period that begins now, and the coupon as it is afterwards.
    #[must_use]
    pub fn for_new_period(self) -> (Option<Discount>, Self) {
        match self.remaining_periods {
            None => (Some(self.discount), self),
            Some(0) => (None, self),
            Some(left) => (Some(self.discount), Self { remaining_periods: Some(left.saturating_sub(1)), ..self }),
        }
    }
}
