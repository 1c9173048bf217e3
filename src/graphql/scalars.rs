//! The scalars of the API. Money and large numbers are strings, exact both ways; a JSON number is refused.
//!
//! Each scalar has one function that reads it, which the front door calls for literals and variables before anything
//! runs, and the schema calls when it does.

use async_graphql::{InputType, InputValueError, InputValueResult, Object, Scalar, ScalarType, Value};

use super::in_turn::{AtHand, InTurn};
use crate::ids::{Id, Kind};
use crate::money::{self, Rate};
use crate::store::types::{Day, Instant};

/// The most characters of an e-mail address.
const MAX_EMAIL_CHARS: usize = 254;
/// The most characters of a URL.
const MAX_URL_CHARS: usize = 2_048;
/// The most characters of the key of a file.
const MAX_UPLOAD_CHARS: usize = 64;

/// Reads a scalar's text.
type Read<T> = fn(&str) -> Result<T, String>;

/// The text of a string value, read by `read`.
fn from_text<S: InputType + From<T>, T>(value: Value, read: Read<T>) -> InputValueResult<S> {
    match value {
        Value::String(text) => read(&text).map(S::from).map_err(InputValueError::custom),
        other => Err(InputValueError::expected_type(other)),
    }
}

/// Declares a scalar over `$inner` with the function that reads it and the one that shows it.
macro_rules! text_scalar {
    ($(#[$doc:meta])* $name:ident, $graphql:literal, $inner:ty, $read:path, $show:expr $(, $url:literal)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl From<$inner> for $name {
            fn from(inner: $inner) -> Self {
                Self(inner)
            }
        }

        $(#[$doc])*
        #[Scalar(name = $graphql $(, specified_by_url = $url)?)]
        impl ScalarType for $name {
            fn parse(value: Value) -> InputValueResult<Self> {
                from_text(value, $read)
            }
            fn to_value(&self) -> Value {
                let show: fn(&$inner) -> String = $show;
                Value::String(show(&self.0))
            }
        }
    };
}

text_scalar!(
    /// An instant, RFC 3339 in UTC with at most microseconds: `2026-11-23T08:15:30Z`.
    DateTime, "DateTime", Instant, read_date_time, |at| at.get().to_string(), "https://www.rfc-editor.org/rfc/rfc3339"
);
text_scalar!(
    /// A calendar day `YYYY-MM-DD` in the business's time zone.
    Date, "Date", Day, read_date, |day| day.get().to_string()
);
text_scalar!(
    /// An exact decimal as a string: `"49.90"`. As `Money.amount` it has exactly the currency's digits.
    Decimal, "Decimal", String, read_decimal, String::clone
);
text_scalar!(
    /// A 64-bit integer as a string: `"107374182400"`.
    BigInt, "BigInt", i64, read_big_int, i64::to_string
);
text_scalar!(
    /// ISO 4217, e.g. `KES`.
    CurrencyCode, "CurrencyCode", money::Currency, read_currency, |currency| currency.code().to_owned()
);
text_scalar!(
    /// ISO 3166-1 alpha-2, e.g. `KE`.
    CountryCode, "CountryCode", String, read_country, String::clone
);
text_scalar!(
    /// IANA time zone, e.g. `Africa/Nairobi`.
    TimeZone, "TimeZone", String, read_time_zone, String::clone
);
text_scalar!(
    /// An e-mail address, e.g. `ann@example.com`.
    EmailAddress, "EmailAddress", String, read_email, String::clone
);
text_scalar!(
    /// An absolute URL.
    Url, "URL", String, read_url, String::clone
);

text_scalar!(
    /// A file of a multipart request (graphql-multipart-request-spec).
    Upload, "Upload", String, read_upload, String::clone
);

impl From<Rate> for Decimal {
    fn from(rate: Rate) -> Self {
        Self(rate.to_string())
    }
}

impl From<jiff::Timestamp> for DateTime {
    fn from(at: jiff::Timestamp) -> Self {
        Self(Instant::from(at))
    }
}

/// Exact money.
#[derive(Debug, Clone)]
pub struct Amount(money::Money);

/// Exact money.
#[Object(name = "Money")]
impl Amount {
    /// With exactly the currency's digits.
    async fn amount(&self) -> Decimal {
        Decimal(self.0.amount())
    }
    /// The currency.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency())
    }
    /// `amount` in minor units: `"4990"`.
    async fn minor_units(&self) -> BigInt {
        BigInt(self.0.minor())
    }
}

impl AtHand for Amount {}

/// Exact money.
pub type Money = InTurn<Amount>;

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self(Amount(money))
    }
}

/// An amount of `minor` minor units that the database holds.
///
/// # Errors
/// [`crate::error::Error::Corrupt`] where it is past every limit.
pub fn stored_money(minor: i64, currency: money::Currency) -> Result<Money, crate::error::Error> {
    let money = money::Money::new(minor, currency).map_err(|_| crate::error::Error::Corrupt("an amount is too large".into()))?;
    Ok(money.into())
}

/// An id as the API shows it.
pub fn show_id<K: Kind>(id: Id<K>) -> async_graphql::ID {
    async_graphql::ID(id.to_string())
}

/// Whether a text is within `most` characters and has no control characters.
fn plain(text: &str, most: usize) -> bool {
    text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// Reads a [`DateTime`].
///
/// # Errors
/// One sentence.
pub fn read_date_time(text: &str) -> Result<Instant, String> {
    let refuse = || "A DateTime is RFC 3339 in UTC with at most microseconds, e.g. 2026-11-23T08:15:30Z.".to_owned();
    if !text.ends_with('Z') || !text.is_ascii() || text.as_bytes().get(10) != Some(&b'T') {
        return Err(refuse());
    }
    let at: jiff::Timestamp = text.parse().map_err(|_| refuse())?;
    if at.as_nanosecond() % 1_000 == 0 { Ok(Instant::from(at)) } else { Err(refuse()) }
}

/// Reads a [`Date`].
///
/// # Errors
/// One sentence.
pub fn read_date(text: &str) -> Result<Day, String> {
    let refuse = || "A Date is YYYY-MM-DD.".to_owned();
    if text.len() != 10 {
        return Err(refuse());
    }
    text.parse::<jiff::civil::Date>().map(Day::from).map_err(|_| refuse())
}

/// Reads a [`Decimal`].
///
/// # Errors
/// One sentence.
pub fn read_decimal(text: &str) -> Result<String, String> {
    money::parse_decimal(text)
        .map(|_| text.to_owned())
        .ok_or_else(|| "A Decimal is a string of digits with an optional point, e.g. \"49.90\".".to_owned())
}

/// Reads a [`BigInt`].
///
/// # Errors
/// One sentence.
pub fn read_big_int(text: &str) -> Result<i64, String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten().ok_or_else(|| "A BigInt is a 64-bit integer as a string.".to_owned())
}

/// Reads a [`CurrencyCode`].
///
/// # Errors
/// One sentence.
pub fn read_currency(text: &str) -> Result<money::Currency, String> {
    money::Currency::from_code(text).ok_or_else(|| "A CurrencyCode is one of ISO 4217, e.g. KES.".to_owned())
}

/// Reads a [`CountryCode`].
///
/// # Errors
/// One sentence.
pub fn read_country(text: &str) -> Result<String, String> {
    let known = crate::services::catalog::countries::find(text).is_some();
    if known { Ok(text.to_owned()) } else { Err("A CountryCode is one of ISO 3166-1 alpha-2, e.g. KE.".to_owned()) }
}

/// Reads a [`TimeZone`].
///
/// # Errors
/// One sentence.
pub fn read_time_zone(text: &str) -> Result<String, String> {
    let known = crate::billing::period::Zone::parse(text).map(|zone| zone.name().to_owned());
    known.ok_or_else(|| "A TimeZone is one of IANA's, e.g. Africa/Nairobi.".to_owned())
}

/// Reads an [`EmailAddress`].
///
/// # Errors
/// One sentence.
pub fn read_email(text: &str) -> Result<String, String> {
    let refuse = || "An EmailAddress has a name, an @ and a domain, e.g. ann@example.com.".to_owned();
    let (name, domain) = text.rsplit_once('@').ok_or_else(refuse)?;
    let atom = |part: &str| {
        !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && !matches!(c, '@' | '<' | '>' | '"' | ',' | ';' | '\\' | '(' | ')'))
    };
    let named = name.len() <= 64 && atom(name);
    let hosted = domain.contains('.') && domain.split('.').all(|label| atom(label) && !label.starts_with('-') && !label.ends_with('-'));
    if named && hosted && plain(text, MAX_EMAIL_CHARS) { Ok(text.to_owned()) } else { Err(refuse()) }
}

/// Reads a [`Url`].
///
/// # Errors
/// One sentence.
pub fn read_url(text: &str) -> Result<String, String> {
    let absolute = text
        .parse::<http::Uri>()
        .is_ok_and(|uri| uri.scheme_str().is_some_and(|scheme| matches!(scheme, "http" | "https")) && uri.host().is_some());
    if absolute && plain(text, MAX_URL_CHARS) { Ok(text.to_owned()) } else { Err("A URL is absolute, with http or https.".to_owned()) }
}

/// Reads an [`Upload`]: the key of a part of the request.
///
/// # Errors
/// One sentence.
pub fn read_upload(text: &str) -> Result<String, String> {
    if plain(text, MAX_UPLOAD_CHARS) { Ok(text.to_owned()) } else { Err("An Upload is a file of a multipart request.".to_owned()) }
}

/// What the front door asks of each scalar, by name: the very functions that read it.
pub const CHECKS: &[(&str, crate::graphql::front_door::ScalarCheck)] = &[
    ("DateTime", |value| checked(value, read_date_time)),
    ("Date", |value| checked(value, read_date)),
    ("Decimal", |value| checked(value, read_decimal)),
    ("BigInt", |value| checked(value, read_big_int)),
    ("CurrencyCode", |value| checked(value, read_currency)),
    ("CountryCode", |value| checked(value, read_country)),
    ("TimeZone", |value| checked(value, read_time_zone)),
    ("EmailAddress", |value| checked(value, read_email)),
    ("URL", |value| checked(value, read_url)),
    ("Upload", |value| checked(value, read_upload)),
    // Whatever JSON there is.
    ("JSON", |_| Ok(())),
];

/// Whether a JSON value is a string that `read` takes.
fn checked<T>(value: &serde_json::Value, read: Read<T>) -> Result<(), String> {
    match value {
        // A clause, which the front door makes a sentence of.
        serde_json::Value::String(text) => read(text).map(drop).map_err(|sentence| sentence.trim_end_matches('.').to_owned()),
        _ => Err("a value of this scalar is a JSON string".to_owned()),
    }
}
