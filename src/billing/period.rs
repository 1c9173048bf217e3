//! Anchors, boundaries and periods.
//!
//! The n-th boundary is computed from the anchor, never from the boundary before it, so a subscription anchored on
//! the 31st renews on 28 February and again on 31 March. A period keeps the zone it was opened in and counts its days
//! between nominal dates, so neither daylight saving nor a change of zone alters a fraction.

use jiff::civil::{Date, Time};
use jiff::{Span, Timestamp};

use super::RuleError;
use super::exact::Fraction;
pub use super::zone::Zone;

text_enum! {
    /// How long a period is.
    Interval {
        /// One month.
        Monthly = "MONTHLY",
        /// Twelve months.
        Yearly = "YEARLY",
    }
}

text_enum! {
    /// In what a part of a period is counted: a setting of the product.
    Granularity {
        /// Dates; boundaries are local midnights.
        Day = "DAY",
        /// Elapsed seconds; boundaries keep the anchor's time of day.
        Second = "SECOND",
    }
}

impl Interval {
    /// Its length in months.
    pub const fn months(self) -> i32 {
        match self {
            Self::Monthly => 1,
            Self::Yearly => 12,
        }
    }
}

/// Where boundaries lie: a setting of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnchorMode {
    /// On the day of the sign-up, or of the trial's end.
    Anniversary,
    /// On the 1st of the month; yearly on 1 January.
    Calendar,
    /// On this day of the month, clamped to its length; yearly in the sign-up's month.
    FixedDay(DayOfMonth),
}

/// 1 to 31.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DayOfMonth(i8);

impl DayOfMonth {
    /// A day from 1 to 31; `None` for any other.
    pub const fn new(day: i8) -> Option<Self> {
        if day >= 1 && day <= 31 { Some(Self(day)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> i8 {
        self.0
    }
}

impl AnchorMode {
    /// The text that it is kept as, beside [`AnchorMode::day`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anniversary => "ANNIVERSARY",
            Self::Calendar => "CALENDAR",
            Self::FixedDay(_) => "FIXED_DAY",
        }
    }

    /// The day of FIXED_DAY.
    pub const fn day(self) -> Option<i8> {
        match self {
            Self::FixedDay(day) => Some(day.get()),
            Self::Anniversary | Self::Calendar => None,
        }
    }

    /// The mode of its two columns; `None` for an unknown text, a FIXED_DAY without a day, or another with one.
    pub fn parse(text: &str, day: Option<i8>) -> Option<Self> {
        match (text, day) {
            ("ANNIVERSARY", None) => Some(Self::Anniversary),
            ("CALENDAR", None) => Some(Self::Calendar),
            ("FIXED_DAY", Some(day)) => DayOfMonth::new(day).map(Self::FixedDay),
            _ => None,
        }
    }
}

/// From what the boundaries of a subscription are computed. Rebuilt from the subscription's columns and the
/// business's present zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Local date of the sign-up, of the trial's end or of the last reset (ANNIVERSARY); of the sign-up (other modes).
    pub anchor: Date,
    /// Local time of day of the anchor, in whole seconds: counts for SECOND with ANNIVERSARY alone, else midnight.
    pub anchor_time: Time,
    /// The business's zone as it is now.
    pub zone: Zone,
    /// How long the periods are from here on.
    pub interval: Interval,
    /// Where boundaries lie.
    pub mode: AnchorMode,
    /// In what parts are counted.
    pub granularity: Granularity,
}

/// One period of a subscription: a row of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    /// 0 is the trial; the first charged period is 1; a reset raises it too.
    pub number: u32,
    /// First instant of it.
    pub start: Timestamp,
    /// First instant that is no longer of it.
    pub end: Timestamp,
    /// Where the whole anchored period starts: before `start` in a partial first period, else the same.
    pub whole_start: Timestamp,
    /// First date of the whole anchored period.
    pub nominal_start: Date,
    /// The date it ends on, which belongs to the next.
    pub nominal_end: Date,
    /// The date it was really opened on: after `nominal_start` in a partial first period, else the same.
    pub opened_on: Date,
    /// The zone it was opened in, and counts its dates in.
    pub zone: Zone,
}

impl Period {
    /// Whether nothing is charged in it.
    pub const fn is_trial(&self) -> bool {
        self.number == 0
    }

    /// Whether `at` lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// The part of the whole anchored period that is left at `at`: dates from the date of `at` (DAY), or seconds
    /// from its second (SECOND), to the end. Never more than the part it was opened with, never below zero.
    ///
    /// # Errors
    /// [`RuleError::NoDenominator`] for a period without length.
    pub fn fraction_left(&self, at: Timestamp, granularity: Granularity) -> Result<Fraction, RuleError> {
        match granularity {
            Granularity::Day => {
                // After a move across the date line the period's first instant may be dated a day late; all of it is left then.
                let date = if at <= self.start { self.opened_on } else { self.zone.date_of(at) };
                let date = date.max(self.opened_on).min(self.nominal_end);
                Fraction::new(days(date, self.nominal_end)?, days(self.nominal_start, self.nominal_end)?)
            }
            Granularity::Second => {
                let from = at.max(self.start).min(self.end);
                Fraction::new(seconds(from, self.end)?, seconds(self.whole_start, self.end)?)
            }
        }
    }

    /// The part of the whole anchored period that it was opened with: 1 but for a partial first period.
    ///
    /// # Errors
    /// As [`Period::fraction_left`].
    pub fn fraction_opened(&self, granularity: Granularity) -> Result<Fraction, RuleError> {
        match granularity {
            Granularity::Day => Fraction::new(days(self.opened_on, self.nominal_end)?, days(self.nominal_start, self.nominal_end)?),
            Granularity::Second => self.fraction_left(self.start, granularity),
        }
    }
}

/// Dates from `start` to `end`, without the last.
fn days(start: Date, end: Date) -> Result<i64, RuleError> {
    start.until(end).map(|span| i64::from(span.get_days())).map_err(|_| RuleError::OutOfTime)
}

/// Seconds from `start` to `end`, both floored to the second.
fn seconds(start: Timestamp, end: Timestamp) -> Result<i64, RuleError> {
    end.as_second().checked_sub(start.as_second()).ok_or(RuleError::OutOfTime)
}

impl Schedule {
    /// The schedule of a sign-up at `at` without a trial.
    pub fn starting(at: Timestamp, zone: Zone, interval: Interval, mode: AnchorMode, granularity: Granularity) -> Self {
        let anchor = zone.date_of(at);
        let mut schedule = Self { anchor, anchor_time: Time::midnight(), zone, interval, mode, granularity };
        schedule.anchor_time = schedule.time_of_anchor(at);
        schedule
    }

    /// The first period of a sign-up, or of a reset, at `at`; `number` is 1 for the first charged one. With
    /// CALENDAR and FIXED_DAY it may be partial.
    ///
    /// # Errors
    /// [`RuleError::OutOfTime`] past the calendar's end.
    pub fn first_period(&self, at: Timestamp, number: u32) -> Result<Period, RuleError> {
        let start = self.granular(at)?;
        self.open(number, start, self.zone.date_of(start), false)
    }

    /// The period that follows `after`, and starts exactly where it ends, in the zone of now and at this
    /// schedule's interval. After a trial it may be partial, as [`Schedule::first_period`].
    ///
    /// # Errors
    /// [`RuleError::OutOfTime`] past the calendar's end.
    pub fn next_period(&self, after: &Period) -> Result<Period, RuleError> {
        let number = after.number.checked_add(1).ok_or(RuleError::TooLarge)?;
        self.open(number, after.end, after.nominal_end, !after.is_trial())
    }

    /// A trial of `days` that starts at `at`, as the period with number 0, and the schedule that goes on from it:
    /// under ANNIVERSARY its end is the anchor.
    ///
    /// # Errors
    /// [`RuleError::OutOfTime`] past the calendar's end.
    pub fn trial(&self, at: Timestamp, days: u16) -> Result<(Period, Self), RuleError> {
        let start = self.granular(at)?;
        let opened_on = self.zone.date_of(start);
        let span = Span::new().try_days(i64::from(days)).map_err(|_| RuleError::OutOfTime)?;
        let nominal_end = opened_on.checked_add(span).map_err(|_| RuleError::OutOfTime)?;
        let time = match self.granularity {
            Granularity::Day => Time::midnight(),
            Granularity::Second => self.zone.time_of(start),
        };
        let end = self.zone.instant(nominal_end, time)?;
        let period =
            Period { number: 0, start, end, whole_start: start, nominal_start: opened_on, nominal_end, opened_on, zone: self.zone.clone() };
        let mut schedule = self.clone();
        if self.mode == AnchorMode::Anniversary {
            schedule.anchor = nominal_end;
            schedule.anchor_time = time;
        }
        Ok((period, schedule))
    }

    /// The schedule after a reset at `at` to `interval`: under ANNIVERSARY the anchor is that local date; under the
    /// other modes it stays the mode's.
    #[must_use]
    pub fn reset(&self, at: Timestamp, interval: Interval) -> Self {
        let mut schedule = Self { interval, ..self.clone() };
        if self.mode == AnchorMode::Anniversary {
            schedule.anchor = self.zone.date_of(at);
            schedule.anchor_time = self.time_of_anchor(at);
        }
        schedule
    }

    /// The boundary that lies `months` months from the anchor's month, in the present zone.
    ///
    /// # Errors
    /// [`RuleError::OutOfTime`] past the calendar's end.
    pub fn boundary(&self, months: i32) -> Result<Timestamp, RuleError> {
        self.zone.instant(self.boundary_date(months)?, self.boundary_time())
    }

    /// The local date of [`Schedule::boundary`]: the anchor's day, or the mode's, clamped to the month's length.
    ///
    /// # Errors
    /// [`RuleError::OutOfTime`] past the calendar's end.
    pub fn boundary_date(&self, months: i32) -> Result<Date, RuleError> {
        let span = Span::new().try_months(months).map_err(|_| RuleError::OutOfTime)?;
        let month = self.base_month().checked_add(span).map_err(|_| RuleError::OutOfTime)?;
        let day = match self.mode {
            AnchorMode::Anniversary => self.anchor.day(),
            AnchorMode::Calendar => 1,
            AnchorMode::FixedDay(day) => day.get(),
        };
        month.with().day(day.min(month.days_in_month())).build().map_err(|_| RuleError::OutOfTime)
    }

    /// Opens the period that starts at `start` and nominally on `opened_on`. `on_boundary`: it continues a period that
    /// ended on a boundary, so it is whole wherever a change of zone has put that instant.
    fn open(&self, number: u32, start: Timestamp, opened_on: Date, on_boundary: bool) -> Result<Period, RuleError> {
        let (mut from, mut to) = self.whole_period(opened_on)?;
        if self.boundary(to)? <= start {
            // The business moved east during its trial, and where it is now this boundary has passed already.
            (from, to) = (to, to.checked_add(self.interval.months()).ok_or(RuleError::OutOfTime)?);
        }
        let nominal_start = self.boundary_date(from)?;
        let nominal_end = self.boundary_date(to)?;
        let opened_on = opened_on.max(nominal_start);
        let is_whole = self.mode == AnchorMode::Anniversary || (on_boundary && nominal_start == opened_on);
        let whole_start = if is_whole { start } else { self.boundary(from)?.min(start) };
        let end = self.boundary(to)?;
        Ok(Period { number, start, end, whole_start, nominal_start, nominal_end, opened_on, zone: self.zone.clone() })
    }

    /// The boundaries, in months from the anchor's month, of the whole period that `date` lies in. Under ANNIVERSARY
    /// any month may begin a year: a change of interval at a boundary goes on from there, on the anchor's day.
    pub(super) fn whole_period(&self, date: Date) -> Result<(i32, i32), RuleError> {
        let step = self.interval.months();
        let base = self.base_month();
        let years = i32::from(date.year()).checked_sub(i32::from(base.year())).ok_or(RuleError::OutOfTime)?;
        let months = i32::from(date.month()).checked_sub(i32::from(base.month())).ok_or(RuleError::OutOfTime)?;
        let index = years.checked_mul(12).and_then(|all| all.checked_add(months)).ok_or(RuleError::OutOfTime)?;
        let mut from = match self.mode {
            AnchorMode::Anniversary => index,
            AnchorMode::Calendar | AnchorMode::FixedDay(_) => {
                index.checked_sub(index.checked_rem_euclid(step).ok_or(RuleError::OutOfTime)?).ok_or(RuleError::OutOfTime)?
            }
        };
        if self.boundary_date(from)? > date {
            from = from.checked_sub(step).ok_or(RuleError::OutOfTime)?;
        }
        Ok((from, from.checked_add(step).ok_or(RuleError::OutOfTime)?))
    }

    /// The first of the month that boundaries are counted from.
    fn base_month(&self) -> Date {
        let first = self.anchor.first_of_month();
        match (self.mode, self.interval) {
            (AnchorMode::Calendar, Interval::Yearly) => first.first_of_year(),
            _ => first,
        }
    }

    /// The local time of day of a boundary.
    fn boundary_time(&self) -> Time {
        match (self.mode, self.granularity) {
            (AnchorMode::Anniversary, Granularity::Second) => self.anchor_time,
            _ => Time::midnight(),
        }
    }

    /// The time of day that an anchor at `at` has.
    fn time_of_anchor(&self, at: Timestamp) -> Time {
        match (self.mode, self.granularity) {
            (AnchorMode::Anniversary, Granularity::Second) => self.zone.time_of(at),
            _ => Time::midnight(),
        }
    }

    /// The instant itself, floored to the second where seconds are counted.
    fn granular(&self, at: Timestamp) -> Result<Timestamp, RuleError> {
        match self.granularity {
            Granularity::Day => Ok(at),
            Granularity::Second => Timestamp::from_second(at.as_second()).map_err(|_| RuleError::OutOfTime),
        }
    }
}
