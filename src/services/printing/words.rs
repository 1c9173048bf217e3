//! The words of printed documents: one file a language, English where there is none. Amounts and days are written as that language does.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The words of a language.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) invoice: String,
    pub(super) seller: String,
    pub(super) billed_to: String,
    pub(super) tax_id: String,
    pub(super) number: String,
    pub(super) issued: String,
    pub(super) due: String,
    pub(super) paid_on: String,
    pub(super) voided_on: String,
    pub(super) description: String,
    pub(super) quantity: String,
    pub(super) unit_price: String,
    pub(super) discount: String,
    pub(super) tax: String,
    pub(super) amount: String,
    pub(super) subtotal: String,
    pub(super) included: String,
    pub(super) total: String,
    pub(super) credit_applied: String,
    pub(super) amount_paid: String,
    pub(super) amount_credited: String,
    pub(super) amount_due: String,
    pub(super) payments: String,
    pub(super) date: String,
    pub(super) method: String,
    pub(super) receipt: String,
    pub(super) refunded: String,
    pub(super) credit_notes: String,
    pub(super) transfer: String,
    months: [String; 12],
    states: BTreeMap<String, String>,
}

/// The languages, English first: it stands in for any other.
const LANGUAGES: [(&str, &str); 2] =
    [("en", include_str!("../../../templates/print/en.toml")), ("sw", include_str!("../../../templates/print/sw.toml"))];

static BOOKS: LazyLock<Result<Vec<(&str, Words)>, String>> = LazyLock::new(|| {
    let read = |(name, text): (&'static str, &str)| toml::from_str(text).map(|words| (name, words));
    LANGUAGES.into_iter().map(read).collect::<Result<_, _>>().map_err(|error| error.to_string())
});

/// The words in the language of a locale, and the language's name.
///
/// # Errors
/// [`Error::Corrupt`] where they cannot be read.
pub(super) fn words(locale: &str) -> Result<(&'static str, &'static Words), Error> {
    let books = BOOKS.as_ref().map_err(|_| Error::Corrupt("the words of documents cannot be read".into()))?;
    let primary = locale.split(['-', '_']).next().unwrap_or_default();
    let chosen = books.iter().find(|(name, _)| name.eq_ignore_ascii_case(primary)).or_else(|| books.first());
    chosen.map(|(name, words)| (*name, words)).ok_or_else(|| Error::Corrupt("there are no words of documents".into()))
}

impl Words {
    /// A day: `16 June 2027`.
    pub(super) fn day(&self, day: Date) -> String {
        let index = usize::try_from(day.month().saturating_sub(1)).unwrap_or_default();
        let month = self.months.get(index).map_or("", String::as_str);
        format!("{} {month} {}", day.day(), day.year())
    }

    /// What a state of invoices is called.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for one without words.
    pub(super) fn state(&self, state: &str) -> Result<&str, Error> {
        self.states.get(state).map(String::as_str).ok_or_else(|| Error::Corrupt("a state has no words".into()))
    }
}

/// A decimal number with its thousands apart: `1,234,567.80`. Each of the languages writes it so.
pub(super) fn grouped(number: &str) -> String {
    let (sign, body) = number.strip_prefix('-').map_or(("", number), |body| ("\u{2212}", body));
    let (whole, fraction) = body.split_once('.').map_or((body, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut apart = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && whole.len().saturating_sub(place).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    fraction.map_or_else(|| format!("{sign}{apart}"), |fraction| format!("{sign}{apart}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart_in_every_number() {
        for (number, expected) in [
            ("0", "0"),
            ("7.05", "7.05"),
            ("999", "999"),
            ("1000.00", "1,000.00"),
            ("-1234567.800", "\u{2212}1,234,567.800"),
            ("12345", "12,345"),
            ("0.003500", "0.003500"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn a_locale_chooses_its_language_and_english_stands_in() {
        let day = jiff::civil::date(2027, 6, 16);
        for (locale, expected) in [("sw-KE", ("sw", "16 Juni 2027")), ("en", ("en", "16 June 2027")), ("fr", ("en", "16 June 2027"))] {
            let (name, words) = words(locale).unwrap();
            assert_eq!((name, words.day(day).as_str()), expected, "{locale}");
        }
    }

    #[test]
    fn every_language_has_words_for_every_state_of_an_issued_invoice() {
        for (language, _) in LANGUAGES {
            let (_, words) = words(language).unwrap();
            for state in ["OPEN", "PAID", "VOID", "UNCOLLECTIBLE"] {
                assert!(!words.state(state).unwrap().is_empty(), "{language} {state}");
            }
            assert!(words.state("DRAFT").is_err());
        }
    }
}
