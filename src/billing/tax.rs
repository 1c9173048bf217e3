//! Tax: one sum per rate and behaviour, rounded once and shared back over the lines.

use super::RuleError;
use super::exact::{Ratio, round_ratio, share_out, sum};
use crate::money::Rate;

text_enum! {
    /// Whether prices contain their tax.
    TaxBehavior {
        /// They do: it is taken out of them.
        Inclusive = "INCLUSIVE",
        /// They do not: it comes on top.
        Exclusive = "EXCLUSIVE",
    }
}

/// What a line is taxed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tax {
    /// As a part of one: `0.16`. Zero for what is exempt or zero-rated, which makes no tax line.
    pub rate: Rate,
    /// Whether the price contains it.
    pub behavior: TaxBehavior,
}

impl Tax {
    /// No tax; a price stays what it is.
    pub const NONE: Self = Self { rate: Rate::ZERO, behavior: TaxBehavior::Exclusive };

    /// The exact part of a priced amount that is tax.
    fn ratio(self) -> Result<Ratio, RuleError> {
        let rate = Ratio::of_rate(self.rate)?;
        if rate.numerator < 0 {
            return Err(RuleError::Inconsistent);
        }
        match self.behavior {
            TaxBehavior::Exclusive => Ok(rate),
            TaxBehavior::Inclusive => contained(rate),
        }
    }

    /// The tax on one priced sum, rounded: on top of it, or contained in it.
    ///
    /// # Errors
    /// [`RuleError::TooLarge`]; [`RuleError::Inconsistent`] for a negative rate.
    pub fn on(self, priced_minor: i64) -> Result<i64, RuleError> {
        let ratio = self.ratio()?;
        round_ratio(i128::from(priced_minor).checked_mul(ratio.numerator).ok_or(RuleError::TooLarge)?, ratio.denominator)
    }

    /// The tax in an amount that contains it already, rounded, whatever the behaviour: of a credit note by its total.
    ///
    /// # Errors
    /// As [`Tax::on`].
    pub fn contained_in(self, total_minor: i64) -> Result<i64, RuleError> {
        Self { behavior: TaxBehavior::Inclusive, ..self }.on(total_minor)
    }

    /// The tax on several priced amounts of this rate and behaviour: of their sum, rounded once, shared back by
    /// largest remainder, ties to the earlier. The shares add up to [`Tax::on`] the sum.
    ///
    /// # Errors
    /// As [`Tax::on`].
    pub fn shared(self, priced_minor: &[i64]) -> Result<Vec<i64>, RuleError> {
        let ratio = self.ratio()?;
        let total = self.on(sum(priced_minor.iter().copied())?)?;
        let numerators = priced_minor
            .iter()
            .map(|&amount| i128::from(amount).checked_mul(ratio.numerator).ok_or(RuleError::TooLarge))
            .collect::<Result<Vec<_>, _>>()?;
        share_out(total, &numerators, ratio.denominator)
    }
}

/// `r ÷ (1 + r)`: the part of a price that is tax where it is contained.
fn contained(rate: Ratio) -> Result<Ratio, RuleError> {
    let denominator = rate.denominator.checked_add(rate.numerator).ok_or(RuleError::TooLarge)?;
    Ok(Ratio { numerator: rate.numerator, denominator })
}
