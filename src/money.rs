//! Money, exact: whole minor units of a currency, and rates as decimals. No floats anywhere.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;

/// The most that one amount may be, either way, in minor units: far above any invoice, far below where
/// products of two amounts leave `i128`.
pub const MAX_MINOR: i64 = 1_000_000_000_000_000;

/// A currency of ISO 4217 that has minor units (KES 2, UGX 0, KWD 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The currency of an upper-case ISO 4217 code; `None` for an unknown one and for funds and metals without digits.
    pub fn from_code(code: &str) -> Option<Self> {
        let currency = iso_currency::Currency::from_code(code)?;
        currency.exponent().is_some_and(|digits| digits <= 4).then_some(Self(currency))
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Digits after the point: ISO 4217's exponent.
    pub fn digits(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why an amount could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result is past [`MAX_MINOR`].
    #[error("the amount is too large")]
    TooLarge,
    /// Two currencies met.
    #[error("the currencies differ")]
    CurrencyMismatch,
    /// No decimal number, or finer than the currency's minor unit.
    #[error("not an amount of this currency")]
    Malformed,
}

/// An amount in whole minor units of a currency. Negative is allowed: credits are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// An amount of `minor` minor units.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] past [`MAX_MINOR`].
    pub const fn new(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if minor > MAX_MINOR || minor < -MAX_MINOR { Err(MoneyError::TooLarge) } else { Ok(Self { minor, currency }) }
    }

    /// Nothing.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Whole minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Reads `"49.90"`: a plain decimal with no more digits than the currency has.
    ///
    /// # Errors
    /// [`MoneyError::Malformed`] for anything else, [`MoneyError::TooLarge`] past [`MAX_MINOR`].
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let decimal = parse_decimal(text).ok_or(MoneyError::Malformed)?;
        let scaled = decimal.checked_mul(Decimal::from(10_u64.pow(currency.digits()))).ok_or(MoneyError::TooLarge)?;
        if !scaled.fract().is_zero() {
            return Err(MoneyError::Malformed);
        }
        Self::new(
            i64::try_from(scaled.trunc().mantissa().checked_div(10_i128.pow(scaled.trunc().scale())).ok_or(MoneyError::TooLarge)?)
                .map_err(|_| MoneyError::TooLarge)?,
            currency,
        )
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        Self::new(self.minor.checked_add(other.minor).ok_or(MoneyError::TooLarge)?, self.currency)
    }

    /// The difference.
    ///
    /// # Errors
    /// As [`Money::checked_add`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.checked_add(other.negated())
    }

    /// The same amount the other way. Cannot overflow, since the bound is symmetric.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self { minor: self.minor.wrapping_neg(), currency: self.currency }
    }

    /// `"49.90"`: exactly the currency's digits, no grouping.
    pub fn amount(self) -> String {
        let digits = usize::try_from(self.currency.digits()).unwrap_or_default();
        let sign = if self.minor < 0 { "-" } else { "" };
        let units = format!("{:0>width$}", self.minor.unsigned_abs(), width = digits.saturating_add(1));
        let (whole, fraction) = units.split_at(units.len().saturating_sub(digits));
        if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.amount())
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads a plain decimal number (`-12.50`): an optional minus, digits, an optional point with digits.
/// No exponent, no plus, no grouping, at most 28 significant digits; `None` for anything else.
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    let body = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = body.split_once('.').map_or((body, None), |(w, f)| (w, Some(f)));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let fits = body.len() <= 29 && all_digits(whole) && fraction.is_none_or(all_digits);
    if fits { Decimal::from_str_exact(text).ok() } else { None }
}

/// A rate or unit price that may be finer than a minor unit: `0.16`, `0.0035`. Never compared or summed in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(Decimal);

impl Rate {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// The number.
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}

impl From<Decimal> for Rate {
    fn from(decimal: Decimal) -> Self {
        Self(decimal.normalize())
    }
}

impl FromStr for Rate {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_decimal(text).map(Self::from).ok_or(MoneyError::Malformed)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::from_code(code).unwrap()
    }

    #[test]
    fn an_amount_has_exactly_the_digits_of_its_currency() {
        for (minor, code, text) in [
            (4990, "KES", "49.90"),
            (5, "KES", "0.05"),
            (-5, "KES", "-0.05"),
            (1234, "UGX", "1234"),
            (0, "JPY", "0"),
            (1, "KWD", "0.001"),
            (-1_000_001, "KWD", "-1000.001"),
        ] {
            let money = Money::new(minor, currency(code)).unwrap();
            assert_eq!(money.amount(), text);
            assert_eq!(Money::parse(text, currency(code)), Ok(money));
        }
    }

    #[test]
    fn what_is_finer_than_a_minor_unit_or_no_plain_decimal_is_refused() {
        for text in ["", "-", ".", "1.", ".5", "1e3", "+1", "1,000", " 1", "1.001", "١", "0x1", "NaN"] {
            assert_eq!(Money::parse(text, currency("KES")), Err(MoneyError::Malformed), "{text:?}");
        }
        assert_eq!(Money::parse("1.50", currency("UGX")), Err(MoneyError::Malformed));
        assert_eq!(Money::parse("1.00", currency("UGX")).map(Money::minor), Ok(1));
        assert_eq!(Money::parse("10000000000000.01", currency("KES")), Err(MoneyError::TooLarge));
    }

    #[test]
    fn currencies_do_not_mix_and_sums_do_not_wrap() {
        let most = Money::new(MAX_MINOR, currency("KES")).unwrap();
        assert_eq!(most.checked_add(Money::new(1, currency("KES")).unwrap()), Err(MoneyError::TooLarge));
        assert_eq!(most.checked_add(Money::zero(currency("USD"))), Err(MoneyError::CurrencyMismatch));
        assert_eq!(Currency::from_code("XAU").map(Currency::code), None);
        assert_eq!(Currency::from_code("kes").map(Currency::code), None);
    }
}
