//! What people type, parsed: a value of one of these types is one that may be stored.

use crate::adapters::mail::MailAddress;
use crate::billing::period::Zone;
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::services::catalog::countries::{self, Country};

/// The fewest digits of a phone number with its country code.
const PHONE_DIGITS_MIN: usize = 7;
/// The most, by E.164.
const PHONE_DIGITS_MAX: usize = 15;

/// Declares a line of text of 1 to `$max` characters.
macro_rules! line {
    ($($(#[$doc:meta])* $name:ident, $max:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(in crate::services) struct $name(String);

        impl $name {
            /// The most characters.
            pub(in crate::services) const MAX_CHARS: usize = $max;

            /// Reads it, for the input field `field`. Spaces around it are dropped.
            ///
            /// # Errors
            /// REQUIRED, TOO_LONG or INVALID.
            pub(in crate::services) fn parse(field: &'static str, text: &str) -> Result<Self, UserError> {
                line(field, text, Self::MAX_CHARS).map(Self)
            }

            /// The text.
            pub(in crate::services) fn into_string(self) -> String {
                self.0
            }
        }
    )* };
}

line! {
    /// What a business is called.
    BusinessName, 120;
    /// What it does.
    Industry, 80;
    /// Where post goes.
    PostalCode, 20;
    /// Street and house.
    AddressLine, 200;
    /// The town.
    City, 80;
    /// As the tax office gave it.
    TaxId, 40;
    /// What a person is called.
    FullName, 120;
}

/// One line of 1 to `max` characters that shows as it is written.
///
/// # Errors
/// REQUIRED, TOO_LONG or INVALID.
pub(in crate::services) fn line(field: &'static str, text: &str, max: usize) -> Result<String, UserError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(UserError::at(field, UserErrorCode::Required, "This is needed."));
    }
    if text.chars().nth(max).is_some() {
        return Err(UserError::at(field, UserErrorCode::TooLong, format!("At most {max} characters fit here.")));
    }
    if text.chars().any(breaks_the_line) {
        return Err(UserError::at(field, UserErrorCode::Invalid, "Write it in one line without control characters."));
    }
    Ok(text.to_owned())
}

/// At most `max` characters, of several lines if need be, without the spaces around them.
///
/// # Errors
/// TOO_LONG or INVALID.
pub(in crate::services) fn lines(field: &'static str, text: &str, max: usize) -> Result<String, UserError> {
    let text = text.trim();
    if text.chars().nth(max).is_some() {
        return Err(UserError::at(field, UserErrorCode::TooLong, format!("At most {max} characters fit here.")));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(UserError::at(field, UserErrorCode::Invalid, "Write it without control characters."));
    }
    Ok(text.to_owned())
}

/// Control characters, line ends, and the marks that turn the direction of what follows.
fn breaks_the_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// An address of mail, with the form that tells two of them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::services) struct Email {
    /// As it was given.
    pub(in crate::services) address: String,
    /// In small letters.
    pub(in crate::services) key: String,
}

impl Email {
    /// Reads it. Spaces around it are dropped.
    pub(in crate::services) fn read(text: &str) -> Option<Self> {
        let address = MailAddress::parse(text.trim())?;
        Some(Self { key: address.as_str().to_lowercase(), address: address.as_str().to_owned() })
    }

    /// Reads it, for the input field `field`.
    ///
    /// # Errors
    /// INVALID.
    pub(in crate::services) fn parse(field: &'static str, text: &str) -> Result<Self, UserError> {
        let refusal = || UserError::at(field, UserErrorCode::Invalid, "Give an e-mail address, e.g. ann@example.com.");
        Self::read(text).ok_or_else(refusal)
    }
}

/// A phone number of E.164: `+254712345678`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::services) struct Phone(String);

impl Phone {
    /// Reads it, for the input field `field`.
    ///
    /// # Errors
    /// INVALID.
    pub(in crate::services) fn parse(field: &'static str, text: &str) -> Result<Self, UserError> {
        let digits = text.trim().strip_prefix('+').unwrap_or_default();
        let fits = (PHONE_DIGITS_MIN..=PHONE_DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        let refusal = || UserError::at(field, UserErrorCode::Invalid, "Give a phone number with its country code, e.g. +254712345678.");
        fits.then(|| Self(format!("+{digits}"))).ok_or_else(refusal)
    }

    /// The text.
    pub(in crate::services) fn into_string(self) -> String {
        self.0
    }
}

/// The country of a code, for the input field `field`.
///
/// # Errors
/// INVALID.
pub(in crate::services) fn country(field: &'static str, code: &str) -> Result<&'static Country, UserError> {
    countries::find(code).ok_or_else(|| UserError::at(field, UserErrorCode::Invalid, "Give a country of ISO 3166-1, e.g. KE."))
}

/// The time zone of a name as the database of zones spells it, for the input field `field`.
///
/// # Errors
/// INVALID.
pub(in crate::services) fn time_zone(field: &'static str, name: &str) -> Result<String, UserError> {
    let zone = Zone::parse(name).map(|zone| zone.name().to_owned());
    zone.ok_or_else(|| UserError::at(field, UserErrorCode::Invalid, "Give a time zone of IANA's, e.g. Africa/Nairobi."))
}

/// Reads a BCP 47 tag: its form, whatever it names.
///
/// # Errors
/// INVALID.
pub(in crate::services) fn locale(field: &'static str, text: &str) -> Result<String, UserError> {
    /// The most characters, by the RFC that names them.
    const MAX_CHARS: usize = 35;
    let mut parts = text.split('-');
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let language = parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic()));
    let good = language && parts.all(is_part) && text.len() <= MAX_CHARS;
    good.then(|| text.to_owned()).ok_or_else(|| UserError::at(field, UserErrorCode::Invalid, "Give a language tag, e.g. en or sw-KE."))
}

/// What was read, and all the refusals of what was not.
#[derive(Debug, Default)]
pub(in crate::services) struct Refusals(Vec<UserError>);

impl Refusals {
    /// Takes note of a refusal.
    pub(in crate::services) fn note<T>(&mut self, read: Result<T, UserError>) -> Option<T> {
        read.map_err(|error| self.0.push(error)).ok()
    }

    /// Takes note of what another part refused.
    ///
    /// # Errors
    /// A fault, which is no refusal.
    pub(in crate::services) fn note_all<T>(&mut self, outcome: Outcome<T>) -> Result<Option<T>, Error> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Refused(errors)) => {
                self.0.extend(errors);
                Ok(None)
            }
            Err(Failure::Fault(error)) => Err(error),
        }
    }

    /// All of them.
    pub(in crate::services) fn into_vec(self) -> Vec<UserError> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(read: Result<T, UserError>) -> Option<UserErrorCode> {
        read.err().map(|error| error.code)
    }

    #[test]
    fn a_line_is_trimmed_counted_in_characters_and_shows_as_it_is_written() {
        assert_eq!(
            BusinessName::parse("businessName", "  Mama Mboga Ltd ").map(BusinessName::into_string),
            Ok("Mama Mboga Ltd".to_owned())
        );
        assert_eq!(code(BusinessName::parse("businessName", &"ü".repeat(120))), None);
        assert_eq!(code(BusinessName::parse("businessName", &"ü".repeat(121))), Some(UserErrorCode::TooLong));
        assert_eq!(code(PostalCode::parse("postalCode", &"1".repeat(21))), Some(UserErrorCode::TooLong));
        assert_eq!(code(Industry::parse("industry", " \t ")), Some(UserErrorCode::Required));
        for bad in ["a\nb", "a\0b", "a\u{7f}b", "a\u{85}b", "a\u{202e}b", "a\u{2028}b"] {
            assert_eq!(code(FullName::parse("fullName", bad)), Some(UserErrorCode::Invalid), "{bad:?}");
        }
    }

    #[test]
    fn two_spellings_of_an_address_have_one_key() {
        let (one, other) = (Email::read(" Ann@Example.COM ").unwrap(), Email::read("ann@example.com").unwrap());
        assert_eq!((one.address.as_str(), &one.key), ("Ann@Example.COM", &other.key));
        for bad in ["", "ann", "ann@", "@example.com", "a nn@example.com", "ann@exa\0mple.com", "ann@b@c"] {
            assert_eq!(Email::read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_locale_is_of_the_form_of_bcp_47() {
        for good in ["en", "sw", "sw-KE", "zh-Hant-TW", "de-CH-1996"] {
            assert_eq!(locale("locale", good), Ok(good.to_owned()));
        }
        let long = format!("en{}", "-abcdefgh".repeat(4));
        for bad in ["", "e", "engl", "en_GB", "en-", "e1", "en-toolong12", "en ", "ен", &long] {
            assert_eq!(code(locale("locale", bad)), Some(UserErrorCode::Invalid), "{bad:?}");
        }
    }

    #[test]
    fn a_phone_number_is_of_e164() {
        assert_eq!(Phone::parse("phone", "+254712345678").map(Phone::into_string), Ok("+254712345678".to_owned()));
        for bad in
            ["", "+", "0712345678", "254712345678", "+0712345678", "+25471234567890123", "+123456", "+2547 12345678", "+٢٥٤٧١٢٣٤٥٦٧٨"]
        {
            assert_eq!(code(Phone::parse("phone", bad)), Some(UserErrorCode::Invalid), "{bad:?}");
        }
    }
}
