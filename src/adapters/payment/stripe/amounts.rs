//! What Stripe takes of each currency, and how it writes an amount: from its pages on currencies and on minimum charge amounts.

use super::super::AmountTerms;
use crate::money::{Currency, Money};

/// Stripe writes no decimals of these.
const ZERO_DECIMALS: &[&str] = &["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Stripe writes three decimals of these, of which the last is 0.
const THREE_DECIMALS: &[&str] = &["BHD", "JOD", "KWD", "OMR", "TND"];
/// Stripe writes two decimals of these: also of ISK and UGX, which have none.
const TWO_DECIMALS: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND", "BOB", "BRL", "BSD",
    "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ETB", "EUR", "FJD", "FKP",
    "GBP", "GEL", "GIP", "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "ISK", "JMD", "KES", "KGS", "KHR", "KYD",
    "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MKD", "MMK", "MNT", "MOP", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD",
    "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SEK",
    "SGD", "SHP", "SLE", "SOS", "SRD", "STD", "SZL", "THB", "TJS", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS",
    "WST", "XCD", "YER", "ZAR", "ZMW",
];
/// The least charge, in minor units, where Stripe names one. Of others it asks for what its least in the account's own currency comes
/// to, which nobody but Stripe knows: what is below that is declined as `amount_too_small`.
const LEAST: &[(&str, i64)] = &[
    ("AED", 200),
    ("AUD", 50),
    ("BGN", 100),
    ("BRL", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("CZK", 1_500),
    ("DKK", 250),
    ("EUR", 50),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17_500),
    ("INR", 50),
    ("JPY", 50),
    ("MXN", 1_000),
    ("MYR", 200),
    ("NOK", 300),
    ("NZD", 50),
    ("PLN", 200),
    ("RON", 200),
    ("SEK", 300),
    ("SGD", 50),
    ("THB", 1_000),
    ("USD", 50),
];
/// The most that one charge may be, as Stripe writes it.
const MOST_WIRE: i64 = 99_999_999;

/// How many decimals Stripe writes of a currency; `None` where it takes none of it.
fn wire_digits(code: &str) -> Option<u32> {
    [(ZERO_DECIMALS, 0), (TWO_DECIMALS, 2), (THREE_DECIMALS, 3)]
        .into_iter()
        .find_map(|(codes, digits)| codes.contains(&code).then_some(digits))
}

/// How a minor unit and a unit of Stripe's compare: the one is `more` of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// A minor unit is so many of Stripe's (UGX 1 is 100).
    Finer(i64),
    /// A unit of Stripe's is so many minor units (MGA 1 is 100).
    Coarser(i64),
}

/// The scale of a currency that Stripe takes.
fn scale(currency: Currency) -> Option<Scale> {
    let (ours, wire) = (currency.digits(), wire_digits(currency.code())?);
    if wire >= ours { Some(Scale::Finer(10_i64.checked_pow(wire - ours)?)) } else { Some(Scale::Coarser(10_i64.checked_pow(ours - wire)?)) }
}

/// What Stripe takes of a currency.
pub(super) fn terms(currency: Currency) -> Option<AmountTerms> {
    let code = currency.code();
    let (unit_minor, most_minor) = match scale(currency)? {
        Scale::Finer(factor) => (if THREE_DECIMALS.contains(&code) { 10 } else { 1 }, MOST_WIRE.checked_div(factor)?),
        Scale::Coarser(factor) => (factor, MOST_WIRE.checked_mul(factor)?),
    };
    let most_minor = most_minor.checked_sub(most_minor.checked_rem(unit_minor)?)?;
    let least_minor = LEAST.iter().find(|(named, _)| *named == code).map_or(unit_minor, |(_, least_minor)| *least_minor);
    Some(AmountTerms { unit_minor, least_minor, most_minor })
}

/// An amount as Stripe writes it; `None` where Stripe does not take it.
pub(super) fn wire(amount: Money) -> Option<i64> {
    if !terms(amount.currency())?.take(amount.minor()) {
        return None;
    }
    part(amount)
}

/// As [`wire`], of a part of a charge, which may be less than a charge may be.
pub(super) fn part(amount: Money) -> Option<i64> {
    let terms = terms(amount.currency())?;
    if amount.minor() <= 0 || amount.minor() > terms.most_minor || amount.minor().checked_rem(terms.unit_minor)? != 0 {
        return None;
    }
    match scale(amount.currency())? {
        Scale::Finer(factor) => amount.minor().checked_mul(factor),
        Scale::Coarser(factor) => amount.minor().checked_div(factor),
    }
}

/// The amount that Stripe writes so; `None` where it is none of a currency that Stripe takes, or not in whole minor units.
pub(super) fn money(wire: i64, code: &str) -> Option<Money> {
    let currency = Currency::from_code(&code.to_ascii_uppercase())?;
    let minor = match scale(currency)? {
        Scale::Finer(factor) if wire.checked_rem(factor)? != 0 => return None,
        Scale::Finer(factor) => wire.checked_div(factor)?,
        Scale::Coarser(factor) => wire.checked_mul(factor)?,
    };
    Money::new(minor, currency).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(amount: &str, code: &str) -> Money {
        Money::parse(amount, Currency::from_code(code).unwrap()).unwrap()
    }

    #[test]
    fn an_amount_is_written_as_stripe_writes_its_currency() {
        for (amount, code, expected) in [
            ("34.80", "USD", Some(3_480)),
            ("3480.00", "KES", Some(348_000)),
            // No decimals with either.
            ("500", "JPY", Some(500)),
            // None by ISO 4217, two at Stripe.
            ("5", "UGX", Some(500)),
            ("5", "ISK", Some(500)),
            // Two by ISO 4217, none at Stripe: whole ariary alone.
            ("500.00", "MGA", Some(500)),
            ("500.50", "MGA", None),
            // Three, of which the last is 0.
            ("5.120", "KWD", Some(5_120)),
            ("5.125", "KWD", None),
            // The least and the most.
            ("0.49", "USD", None),
            ("0.50", "USD", Some(50)),
            ("999999.99", "USD", Some(99_999_999)),
            ("1000000.00", "USD", None),
            // Not at Stripe.
            ("5.00", "SSP", None),
        ] {
            assert_eq!(wire(given(amount, code)), expected, "{code} {amount}");
            if let Some(wire) = expected {
                assert_eq!(money(wire, &code.to_ascii_lowercase()), Some(given(amount, code)), "{code} {amount}");
            }
        }
        // A part of a shilling that has none, a currency that is not at Stripe, and none at all.
        assert_eq!((money(550, "ugx"), money(500, "ssp"), money(500, "xxx1")), (None, None, None));
    }

    #[test]
    fn the_terms_of_a_currency_are_in_its_own_minor_units() {
        for (code, unit_minor, least_minor, most_minor) in [
            ("USD", 1, 50, 99_999_999),
            ("UGX", 1, 1, 999_999),
            ("MGA", 100, 100, 9_999_999_900),
            ("KWD", 10, 10, 99_999_990),
            ("JPY", 1, 50, 99_999_999),
        ] {
            let expected = AmountTerms { unit_minor, least_minor, most_minor };
            assert_eq!(terms(Currency::from_code(code).unwrap()), Some(expected), "{code}");
        }
        assert_eq!(terms(Currency::from_code("IQD").unwrap()), None);
    }

    #[test]
    fn a_part_that_is_paid_back_may_be_less_than_a_charge() {
        assert_eq!((part(given("0.01", "USD")), part(given("0.001", "KWD")), part(given("0.00", "USD"))), (Some(1), None, None));
    }

    #[test]
    fn every_currency_of_the_lists_is_one_and_stands_in_one_list() {
        let all: Vec<_> = [ZERO_DECIMALS, TWO_DECIMALS, THREE_DECIMALS].concat();
        for code in &all {
            assert_eq!(all.iter().filter(|other| *other == code).count(), 1, "{code}");
        }
        assert!(LEAST.iter().all(|(code, _)| Currency::from_code(code).is_some() && wire_digits(code).is_some()));
    }
}
