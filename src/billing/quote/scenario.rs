//! The form of a scenario: JSON parsed into values that are valid.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::cancel::{CancelTiming, UnusedTime};
use super::super::change::{ChangeTiming, Proration};
use super::super::discount::{Coupon, Discount};
use super::super::period::{AnchorMode, Granularity, Interval, Zone};
use super::super::tax::{Tax, TaxBehavior};
use super::usage::{Usage, WrittenUsage};
use super::{MAX_EVENTS, QuoteError};
use crate::money::{Currency, Money, Rate};

/// A scenario as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// An IANA name.
    time_zone: String,
    /// ISO 4217.
    currency: String,
    /// `anniversary` (default), `calendar` or `fixed_day`.
    anchor: Option<String>,
    /// The day of `fixed_day`.
    fixed_day: Option<i8>,
    /// `day` (default) or `second`.
    granularity: Option<String>,
    /// No tax where it is left out.
    tax: Option<WrittenTax>,
    /// The coupon of the subscriptions that bring none of their own.
    coupon: Option<WrittenCoupon>,
    /// Refused: usage is an event.
    usage: Option<IgnoredAny>,
    /// Refused: it is not evaluated.
    quantity: Option<IgnoredAny>,
    /// In order.
    events: Vec<WrittenEvent>,
    /// The last instant that is evaluated.
    until: String,
}

/// A tax as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTax {
    /// As a part of one.
    rate: String,
    /// `inclusive` or `exclusive`.
    behavior: String,
}

/// A coupon as it is written: exactly one of the first two.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCoupon {
    /// 0 to 100.
    percent_off: Option<String>,
    /// An amount.
    amount_off: Option<String>,
    /// Charged periods it has; for ever where it is left out.
    periods: Option<u32>,
}

/// An event as it is written: exactly one member beside `at`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenEvent {
    /// RFC 3339.
    at: String,
    /// A sign-up.
    subscribe: Option<WrittenSubscribe>,
    /// A change of plan.
    change: Option<WrittenChange>,
    /// A cancellation.
    cancel: Option<WrittenCancel>,
    /// A scheduled cancellation is taken back.
    reactivate: Option<Empty>,
    /// The business moves to this IANA zone.
    zone: Option<String>,
    /// Something is used that is metered.
    usage: Option<WrittenUsage>,
}

/// `{}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}

/// A sign-up as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSubscribe {
    /// Of a whole period.
    price: String,
    /// `monthly` or `yearly`.
    interval: String,
    /// None where it is left out.
    trial_days: Option<u16>,
    /// The plan's name, by which a change to the same plan is known.
    plan: Option<String>,
    /// Instead of the scenario's.
    coupon: Option<WrittenCoupon>,
    /// Refused: it is not evaluated.
    quantity: Option<IgnoredAny>,
}

/// A change as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenChange {
    /// Of a whole period.
    price: String,
    /// `monthly` or `yearly`.
    interval: String,
    /// `default` where it is left out.
    timing: Option<String>,
    /// `prorate_now` where it is left out.
    proration: Option<String>,
    /// The plan's name.
    plan: Option<String>,
    /// Refused: it is not evaluated.
    quantity: Option<IgnoredAny>,
}

/// A cancellation as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCancel {
    /// `period_end` where it is left out.
    timing: Option<String>,
    /// `none` where it is left out.
    unused_time: Option<String>,
}

/// A valid scenario.
pub(super) struct Scenario {
    /// The business's zone at the start.
    pub(super) zone: Zone,
    /// Of all amounts.
    pub(super) currency: Currency,
    /// Where boundaries lie.
    pub(super) mode: AnchorMode,
    /// In what parts are counted.
    pub(super) granularity: Granularity,
    /// What everything is taxed at.
    pub(super) tax: Tax,
    /// In order of time, none after `until`.
    pub(super) events: Vec<Event>,
    /// The last instant that is evaluated.
    pub(super) until: Timestamp,
}

/// A valid event.
pub(super) struct Event {
    /// Its place among the events, from 1.
    pub(super) number: usize,
    /// When.
    pub(super) at: Timestamp,
    /// `at` as it was written.
    pub(super) written_at: String,
    /// What.
    pub(super) action: Action,
}

/// What an event does.
pub(super) enum Action {
    /// A sign-up.
    Subscribe(Subscribe),
    /// A change of plan.
    Change(Change),
    /// A cancellation.
    Cancel {
        /// When it is wanted.
        timing: CancelTiming,
        /// What becomes of unused time.
        unused_time: UnusedTime,
    },
    /// A scheduled cancellation is taken back.
    Reactivate,
    /// The business moves.
    Zone(Zone),
    /// Something is used.
    Usage(Usage),
}

/// A valid sign-up.
pub(super) struct Subscribe {
    /// Of a whole period. Minor units.
    pub(super) price_minor: i64,
    /// How long periods are.
    pub(super) interval: Interval,
    /// Days of trial.
    pub(super) trial_days: u16,
    /// The plan's name.
    pub(super) plan: Option<String>,
    /// The coupon it brings.
    pub(super) coupon: Option<Coupon>,
}

/// A valid change of plan.
pub(super) struct Change {
    /// Of a whole period. Minor units.
    pub(super) price_minor: i64,
    /// The interval that is wanted.
    pub(super) interval: Interval,
    /// When it is wanted.
    pub(super) timing: ChangeTiming,
    /// What it should bill.
    pub(super) proration: Proration,
    /// The plan's name.
    pub(super) plan: Option<String>,
}

impl Action {
    /// What it is called in the scenario.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Subscribe(_) => "subscribe",
            Self::Change(_) => "change",
            Self::Cancel { .. } => "cancel",
            Self::Reactivate => "reactivate",
            Self::Zone(_) => "zone",
            Self::Usage(_) => "usage",
        }
    }
}

impl Event {
    /// This event is refused, with one sentence.
    pub(super) fn refused(&self, reason: impl Into<String>) -> QuoteError {
        QuoteError::Event { number: self.number, name: self.action.name(), at: self.written_at.clone(), reason: reason.into() }
    }
}

/// The value of a lower-case text of a closed list.
fn closed<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) { None } else { parse(&text.to_ascii_uppercase()) }
}

/// As [`closed`], with a default for what is left out.
fn closed_or<T>(text: Option<&String>, default: T, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    text.map_or(Some(default), |text| closed(text, parse))
}

/// An amount that is not negative, in minor units.
pub(super) fn amount(text: &str, currency: Currency) -> Option<i64> {
    Money::parse(text, currency).ok().map(Money::minor).filter(|&minor| minor >= 0)
}

/// A rate from zero to `most`.
fn rate(text: &str, most: i64) -> Option<Rate> {
    text.parse::<Rate>().ok().filter(|rate| *rate >= Rate::ZERO && *rate <= Rate::from(rust_decimal::Decimal::from(most)))
}

impl WrittenCoupon {
    /// The coupon, where it is valid.
    fn read(&self, currency: Currency) -> Option<Coupon> {
        let discount = match (&self.percent_off, &self.amount_off) {
            (Some(percent), None) => Discount::Percent(rate(percent, 100)?),
            (None, Some(off)) => Discount::Fixed(amount(off, currency)?),
            _ => return None,
        };
        Some(Coupon { discount, remaining_periods: self.periods })
    }
}

/// Why an event is none.
#[derive(Clone, Copy)]
enum Fault {
    /// It is nothing that happens, or several things at once.
    NotOne,
    /// This member has a value that means nothing.
    Value(&'static str),
    /// This member is of what is not evaluated.
    NotEvaluated(&'static str),
}

impl Fault {
    /// As one sentence.
    fn sentence(self) -> String {
        match self {
            Self::NotOne => "It must be exactly one of subscribe, change, cancel, reactivate, zone and usage.".to_owned(),
            Self::Value(member) => format!("Its `{member}` is not valid."),
            Self::NotEvaluated(member) => format!("`{member}` is not evaluated: quantities are not part of this version."),
        }
    }
}

impl WrittenEvent {
    /// What it does.
    fn action(&self, currency: Currency, coupon: Option<Coupon>) -> Result<Action, Fault> {
        let quantities =
            [self.subscribe.as_ref().and_then(|written| written.quantity), self.change.as_ref().and_then(|written| written.quantity)];
        if quantities.iter().any(Option::is_some) {
            return Err(Fault::NotEvaluated("quantity"));
        }
        match (&self.subscribe, &self.change, &self.cancel, &self.reactivate, &self.zone, &self.usage) {
            (Some(written), None, None, None, None, None) => Ok(Action::Subscribe(Subscribe {
                price_minor: amount(&written.price, currency).ok_or(Fault::Value("price"))?,
                interval: closed(&written.interval, Interval::parse).ok_or(Fault::Value("interval"))?,
                trial_days: written.trial_days.unwrap_or(0),
                plan: written.plan.clone(),
                coupon: match &written.coupon {
                    Some(written) => Some(written.read(currency).ok_or(Fault::Value("coupon"))?),
                    None => coupon,
                },
            })),
            (None, Some(written), None, None, None, None) => Ok(Action::Change(Change {
                price_minor: amount(&written.price, currency).ok_or(Fault::Value("price"))?,
                interval: closed(&written.interval, Interval::parse).ok_or(Fault::Value("interval"))?,
                timing: closed_or(written.timing.as_ref(), ChangeTiming::Default, ChangeTiming::parse).ok_or(Fault::Value("timing"))?,
                proration: closed_or(written.proration.as_ref(), Proration::ProrateNow, Proration::parse)
                    .ok_or(Fault::Value("proration"))?,
                plan: written.plan.clone(),
            })),
            (None, None, Some(written), None, None, None) => Ok(Action::Cancel {
                timing: closed_or(written.timing.as_ref(), CancelTiming::PeriodEnd, CancelTiming::parse).ok_or(Fault::Value("timing"))?,
                unused_time: closed_or(written.unused_time.as_ref(), UnusedTime::None, UnusedTime::parse)
                    .ok_or(Fault::Value("unused_time"))?,
            }),
            (None, None, None, Some(Empty {}), None, None) => Ok(Action::Reactivate),
            (None, None, None, None, Some(name), None) => Zone::parse(name).map(Action::Zone).ok_or(Fault::Value("zone")),
            (None, None, None, None, None, Some(written)) => written.read(currency).map(Action::Usage).map_err(Fault::Value),
            _ => Err(Fault::NotOne),
        }
    }

    /// What it is called, as far as it can be told.
    const fn name(&self) -> &'static str {
        match (&self.subscribe, &self.change, &self.cancel, &self.zone, &self.usage) {
            (Some(_), ..) => "subscribe",
            (_, Some(_), ..) => "change",
            (_, _, Some(_), ..) => "cancel",
            (_, _, _, Some(_), _) => "zone",
            (_, _, _, _, Some(_)) => "usage",
            _ => "event",
        }
    }

    /// The valid event.
    fn read(self, number: usize, currency: Currency, coupon: Option<Coupon>) -> Result<Event, QuoteError> {
        let refused = |at: &str, reason: String| QuoteError::Event { number, name: self.name(), at: at.to_owned(), reason };
        let at = self.at.parse().map_err(|_| refused(&self.at, "Its `at` is no instant.".to_owned()))?;
        let action = self.action(currency, coupon).map_err(|fault| refused(&self.at, fault.sentence()))?;
        Ok(Event { number, at, written_at: self.at, action })
    }
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// [`QuoteError`] for what is malformed or out of order.
    pub(super) fn parse(text: &str) -> Result<Self, QuoteError> {
        let written: Written = serde_json::from_str(text).map_err(|error| QuoteError::Malformed(error.to_string()))?;
        if written.events.len() > MAX_EVENTS {
            return Err(QuoteError::TooLong);
        }
        if written.usage.is_some() || written.quantity.is_some() {
            return Err(QuoteError::NotEvaluated);
        }
        let not_valid = |member| QuoteError::Member { member };
        let currency = Currency::from_code(&written.currency).ok_or(not_valid("currency"))?;
        let tax = written
            .tax
            .as_ref()
            .map_or(Some(Tax::NONE), |tax| Some(Tax { rate: rate(&tax.rate, 1)?, behavior: closed(&tax.behavior, TaxBehavior::parse)? }));
        let coupon = match &written.coupon {
            Some(coupon) => Some(coupon.read(currency).ok_or(not_valid("coupon"))?),
            None => None,
        };
        let mode = match written.anchor.as_deref() {
            None => AnchorMode::parse("ANNIVERSARY", written.fixed_day),
            Some(anchor) => closed(anchor, |text| AnchorMode::parse(text, written.fixed_day)),
        };
        let until: Timestamp = written.until.parse().map_err(|_| not_valid("until"))?;
        let mut events: Vec<Event> = Vec::with_capacity(written.events.len());
        for (number, event) in (1..).zip(written.events) {
            let event = event.read(number, currency, coupon)?;
            if events.last().is_some_and(|before| before.at > event.at) {
                return Err(event.refused("It comes before the event above it."));
            }
            events.push(event);
        }
        events.retain(|event| event.at <= until);
        Ok(Self {
            zone: Zone::parse(&written.time_zone).ok_or(not_valid("time_zone"))?,
            currency,
            mode: mode.ok_or(not_valid("anchor"))?,
            granularity: closed_or(written.granularity.as_ref(), Granularity::Day, Granularity::parse).ok_or(not_valid("granularity"))?,
            tax: tax.ok_or(not_valid("tax"))?,
            events,
            until,
        })
    }
}
