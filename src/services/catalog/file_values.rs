//! Reads single values of the catalogue file. A refusal is the rest of a sentence that begins with the key's name.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use toml::de::DeValue;

use super::countries;
use crate::billing::period::DayOfMonth;
use crate::money::{Currency, Money, MoneyError, Rate, parse_decimal};

/// The longest code or key, in bytes.
pub(super) const MAX_CODE_BYTES: usize = 60;
/// The longest prefix of a document's number, in bytes.
const MAX_PREFIX_BYTES: usize = 10;
/// The most hours for late usage.
const MAX_GRACE_HOURS: i64 = 72;
/// The most days to wait for something.
const MAX_DAYS: i64 = 365;
/// The most things to wait for one after the other.
const MAX_WAITS: usize = 20;
/// The most thresholds of one feature.
const MAX_PARTS: usize = 10;
/// The most that a threshold may be, in parts of what is included.
const MAX_PART: i64 = 10;
/// The most digits of a threshold after the point.
const PART_DIGITS: u32 = 4;
/// The most of a quantity.
const MAX_QUANTITY: i64 = 1_000_000_000_000_000;
/// The most digits of a quantity after the point.
const QUANTITY_DIGITS: u32 = 6;
/// The most digits of a unit price after the point.
const UNIT_PRICE_DIGITS: u32 = 12;
/// The most of a unit price.
const MAX_UNIT_PRICE: i64 = 1_000_000_000;

type Parsed<T> = Result<T, String>;

fn string<'v>(value: &'v DeValue<'_>) -> Parsed<&'v str> {
    value.as_str().ok_or_else(|| "must be a text in quotes.".to_owned())
}

fn checked_text(value: &DeValue<'_>, max_chars: usize) -> Parsed<String> {
    let text = string(value)?;
    if text.trim().is_empty() {
        return Err("must not be empty.".to_owned());
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err("must be one line without spaces around it.".to_owned());
    }
    if text.chars().count() > max_chars {
        return Err(format!("is longer than {max_chars} characters."));
    }
    Ok(text.to_owned())
}

/// A line of 1 to `max_chars` characters.
pub(super) fn text(max_chars: usize) -> impl FnOnce(&DeValue<'_>) -> Parsed<String> {
    move |value| checked_text(value, max_chars)
}

/// A name for programs: `erp`, `invoices.sent`.
pub(super) fn code(value: &DeValue<'_>) -> Parsed<String> {
    let code = string(value)?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.');
    let fits = code.len() <= MAX_CODE_BYTES && code.bytes().next().is_some_and(|b| b.is_ascii_lowercase()) && code.bytes().all(plain);
    if fits {
        Ok(code.to_owned())
    } else {
        Err(format!("must be 1 to {MAX_CODE_BYTES} of a-z, 0-9, \"_\", \"-\" and \".\", and begin with a letter."))
    }
}

/// True or false.
pub(super) fn flag(value: &DeValue<'_>) -> Parsed<bool> {
    value.as_bool().ok_or_else(|| "must be true or false, without quotes.".to_owned())
}

/// One of `offered`, by its word.
pub(super) fn choice<T: Copy>(value: &DeValue<'_>, offered: &[(&str, T)]) -> Parsed<T> {
    let word = value.as_str();
    let found = offered.iter().find(|(name, _)| word == Some(name)).map(|(_, choice)| *choice);
    found.ok_or_else(|| {
        let names: Vec<String> = offered.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        format!("must be one of {}.", names.join(", "))
    })
}

/// Some of `offered`, at least one and each once.
pub(super) fn choices<T: Copy + PartialEq>(value: &DeValue<'_>, offered: &[(&str, T)]) -> Parsed<Vec<T>> {
    let items = value.as_array().ok_or("must be a list in brackets.")?;
    let mut chosen = Vec::new();
    for item in items {
        let one = choice(item.get_ref(), offered).map_err(|sentence| format!("holds something else: each {sentence}"))?;
        if chosen.contains(&one) {
            return Err("names something twice.".to_owned());
        }
        chosen.push(one);
    }
    if chosen.is_empty() { Err("must not be empty.".to_owned()) } else { Ok(chosen) }
}

/// A whole number from `least` to `most`.
pub(super) fn whole(least: i64, most: i64) -> impl FnOnce(&DeValue<'_>) -> Parsed<i64> {
    move |value| {
        let number = value.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok());
        number
            .filter(|n| (least..=most).contains(n))
            .ok_or_else(|| format!("must be a whole number from {least} to {most}, without quotes."))
    }
}

/// Days to wait.
pub(super) fn days(value: &DeValue<'_>) -> Parsed<u16> {
    let days = whole(1, MAX_DAYS)(value)?;
    u16::try_from(days).map_err(|_| "must be a number of days.".to_owned())
}

/// Hours for late usage; zero for none.
pub(super) fn grace_hours(value: &DeValue<'_>) -> Parsed<u16> {
    let hours = whole(0, MAX_GRACE_HOURS)(value)?;
    u16::try_from(hours).map_err(|_| "must be a number of hours.".to_owned())
}

/// Days to wait for one thing after the other: at least one, each later than the one before it.
pub(super) fn increasing_days(value: &DeValue<'_>) -> Parsed<Vec<u16>> {
    let items = value.as_array().ok_or("must be a list in brackets.")?;
    if items.is_empty() || items.len() > MAX_WAITS {
        return Err(format!("must list 1 to {MAX_WAITS} numbers of days."));
    }
    let one = |item: &toml::Spanned<DeValue<'_>>| days(item.get_ref()).map_err(|sentence| format!("holds something else: each {sentence}"));
    let found = items.iter().map(one).collect::<Parsed<Vec<u16>>>()?;
    if found.is_sorted_by(|earlier, later| earlier < later) {
        Ok(found)
    } else {
        Err("must list each day after the one before it.".to_owned())
    }
}

/// What the numbers of documents begin with: `INV`.
pub(super) fn prefix(value: &DeValue<'_>) -> Parsed<String> {
    let prefix = string(value)?;
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
    if (1..=MAX_PREFIX_BYTES).contains(&prefix.len()) && prefix.bytes().all(plain) {
        Ok(prefix.to_owned())
    } else {
        Err(format!("must be 1 to {MAX_PREFIX_BYTES} of A-Z, 0-9 and \"-\"."))
    }
}

/// A day of the month.
pub(super) fn day_of_month(value: &DeValue<'_>) -> Parsed<DayOfMonth> {
    let day = whole(1, 31)(value)?;
    i8::try_from(day).ok().and_then(DayOfMonth::new).ok_or_else(|| "must be a day of the month.".to_owned())
}

/// A number that is not negative: a whole one, or any in quotes. Never a float, which is not exact.
pub(super) fn quantity(value: &DeValue<'_>) -> Parsed<Decimal> {
    let refusal =
        || format!("must be a number from 0 to {MAX_QUANTITY}: whole, or in quotes with at most {QUANTITY_DIGITS} digits after the point.");
    let number = match value {
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(Decimal::from),
        DeValue::String(text) => parse_decimal(text),
        _ => None,
    };
    let fits = |n: &Decimal| !n.is_sign_negative() && *n <= Decimal::from(MAX_QUANTITY) && n.normalize().scale() <= QUANTITY_DIGITS;
    number.filter(fits).map(|n| n.normalize()).ok_or_else(refusal)
}

/// Parts of something, each more than zero and more than the one before it. None at all is fine.
pub(super) fn rising_parts(value: &DeValue<'_>) -> Parsed<Vec<Rate>> {
    let items = value.as_array().ok_or("must be a list in brackets.")?;
    if items.len() > MAX_PARTS {
        return Err(format!("must list at most {MAX_PARTS} parts."));
    }
    let fits = |n: &Decimal| !n.is_zero() && *n <= Decimal::from(MAX_PART) && n.scale() <= PART_DIGITS;
    let refusal = || {
        format!(
            "holds something else: each must be a part, \"0.8\" for 80 %: more than 0, at most {MAX_PART}, with at most {PART_DIGITS} digits after the point."
        )
    };
    let one = |item: &toml::Spanned<DeValue<'_>>| quantity(item.get_ref()).ok().filter(fits).map(Rate::from).ok_or_else(refusal);
    let found = items.iter().map(one).collect::<Parsed<Vec<Rate>>>()?;
    if found.is_sorted_by(|less, more| less.decimal() < more.decimal()) {
        Ok(found)
    } else {
        Err("must list each part after those that are less.".to_owned())
    }
}

/// A quantity above zero.
pub(super) fn positive_quantity(value: &DeValue<'_>) -> Parsed<Decimal> {
    quantity(value).and_then(|n| if n.is_zero() { Err("must be more than zero.".to_owned()) } else { Ok(n) })
}

/// A currency's code.
pub(super) fn currency(value: &DeValue<'_>) -> Parsed<Currency> {
    let code = string(value)?;
    Currency::from_code(code).ok_or_else(|| format!("\"{code}\" is no currency of ISO 4217."))
}

/// An amount of `currency` that is not negative.
pub(super) fn amount(value: &DeValue<'_>, currency: Currency) -> Parsed<Money> {
    let text = value.as_str().ok_or_else(|| format!("must be in quotes: {}.", example(currency)))?;
    match Money::parse(text, currency) {
        Ok(money) if money.minor() >= 0 => Ok(money),
        Ok(_) => Err("must not be negative.".to_owned()),
        Err(MoneyError::TooLarge) => Err("is too large.".to_owned()),
        Err(MoneyError::Malformed | MoneyError::CurrencyMismatch) => Err(format!(
            "must be an amount of {currency} with at most {} digits after the point: {}.",
            currency.digits(),
            example(currency)
        )),
    }
}

fn example(currency: Currency) -> String {
    let digits = usize::try_from(currency.digits()).unwrap_or_default();
    if digits == 0 { "\"1500\"".to_owned() } else { format!("\"1500.{}\"", "0".repeat(digits)) }
}

/// The price of a unit; may be finer than a minor unit.
pub(super) fn unit_price(value: &DeValue<'_>) -> Parsed<Rate> {
    let fits = |n: &Decimal| !n.is_sign_negative() && *n <= Decimal::from(MAX_UNIT_PRICE) && n.normalize().scale() <= UNIT_PRICE_DIGITS;
    let number = value.as_str().and_then(parse_decimal).filter(fits);
    number.map(Rate::from).ok_or_else(|| {
        format!("must be a number in quotes from \"0\" to \"{MAX_UNIT_PRICE}\" with at most {UNIT_PRICE_DIGITS} digits after the point.")
    })
}

/// A part of one, with at most six digits after the point.
pub(super) fn tax_rate(value: &DeValue<'_>) -> Parsed<Rate> {
    let fits = |n: &Decimal| !n.is_sign_negative() && *n <= Decimal::ONE && n.normalize().scale() <= 6;
    let number = value.as_str().and_then(parse_decimal).filter(fits);
    number.map(Rate::from).ok_or_else(|| "must be a part of one in quotes: \"0.16\" for 16 %.".to_owned())
}

/// A day.
pub(super) fn local_date(value: &DeValue<'_>) -> Parsed<Date> {
    let refusal = || "must be a date without quotes: 2020-01-31.".to_owned();
    let whole = value.as_datetime().filter(|at| at.time.is_none() && at.offset.is_none());
    let date = whole.and_then(|at| at.date).ok_or_else(refusal)?;
    date.to_string().parse().map_err(|_| refusal())
}

/// A country's code, as the table of countries has it.
pub(super) fn country(value: &DeValue<'_>) -> Parsed<&'static str> {
    let code = string(value)?;
    countries::find(code).map(|country| country.code).ok_or_else(|| format!("\"{code}\" is no country of ISO 3166-1 alpha-2."))
}

/// A time zone, by its exact name.
pub(super) fn time_zone(value: &DeValue<'_>) -> Parsed<String> {
    let name = string(value)?;
    let found = TimeZone::get(name).ok().and_then(|zone| zone.iana_name().map(str::to_owned));
    found.filter(|exact| exact == name).ok_or_else(|| format!("\"{name}\" is no time zone of the IANA database."))
}
