//! IANA time zones, from the database that the binary carries, and how a local time becomes an instant.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::RuleError;

/// A time zone with a name of the IANA database.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone of a name such as `Africa/Nairobi`; `None` for one that the database does not have.
    pub fn parse(name: &str) -> Option<Self> {
        let zone = TimeZone::get(name).ok()?;
        (!zone.is_unknown() && zone.iana_name().is_some()).then_some(Self(zone))
    }

    /// The name as the database spells it.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The local date of an instant.
    pub fn date_of(&self, at: Timestamp) -> Date {
        self.0.to_datetime(at).date()
    }

    /// The local time of day of an instant, in whole seconds.
    pub fn time_of(&self, at: Timestamp) -> Time {
        let time = self.0.to_datetime(at).time();
        Time::constant(time.hour(), time.minute(), time.second(), 0)
    }

    /// The instant of a local time. One that does not exist is the first instant after the gap; one that exists
    /// twice is the first.
    ///
    /// # Errors
    /// [`RuleError::OutOfTime`] past the calendar's end.
    pub fn instant(&self, date: Date, time: Time) -> Result<Timestamp, RuleError> {
        let local = DateTime::from_parts(date, time);
        match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(local).map_err(|_| RuleError::OutOfTime)
            }
            AmbiguousOffset::Gap { before, .. } => {
                // Read with the offset of before, the time lies at or after the transition: the latest one up to it is the gap's.
                let past = before.to_timestamp(local).map_err(|_| RuleError::OutOfTime)?;
                let bound = past.checked_add(SignedDuration::from_nanos(1)).map_err(|_| RuleError::OutOfTime)?;
                self.0.preceding(bound).next().map(|transition| transition.timestamp()).ok_or(RuleError::OutOfTime)
            }
        }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
