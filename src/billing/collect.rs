//! What a gateway is asked to take for an amount that is due: its unit, its least and its most.

use super::RuleError;
use super::exact::bounded;

/// What a gateway takes in one currency: a setting. All in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayAmounts {
    /// Whole multiples of this alone, e.g. 100 for whole shillings; positive.
    pub unit_minor: i64,
    /// Not less than this.
    pub least_minor: i64,
    /// Not more than this; `None` for no bound.
    pub most_minor: Option<i64>,
}

/// What to do about an amount that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collection {
    /// Nothing is due.
    Nothing,
    /// Take this much, due rounded up to the unit; what is more than due becomes account credit when it succeeds.
    Take(i64),
    /// It is below what the gateway takes: write it off to rounding.
    WriteOff(i64),
    /// It is above what the gateway takes in one payment.
    LimitExceeded,
}

/// What to do about `due_minor` at a gateway.
///
/// # Errors
/// [`RuleError::NoDenominator`] for a unit that is not positive, [`RuleError::TooLarge`].
pub fn collect(due_minor: i64, gateway: &GatewayAmounts) -> Result<Collection, RuleError> {
    if gateway.unit_minor <= 0 {
        return Err(RuleError::NoDenominator);
    }
    if due_minor <= 0 {
        return Ok(Collection::Nothing);
    }
    if due_minor < gateway.least_minor {
        return Ok(Collection::WriteOff(due_minor));
    }
    let over = due_minor.checked_rem(gateway.unit_minor).ok_or(RuleError::NoDenominator)?;
    let missing = if over == 0 { 0 } else { gateway.unit_minor.checked_sub(over).ok_or(RuleError::TooLarge)? };
    let amount = bounded(due_minor.checked_add(missing).ok_or(RuleError::TooLarge)?)?;
    if gateway.most_minor.is_some_and(|most| amount > most) { Ok(Collection::LimitExceeded) } else { Ok(Collection::Take(amount)) }
}
