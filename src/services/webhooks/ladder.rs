//! When a delivery that failed is tried again.

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// After so long without success a delivery is given up, and its endpoint switched off.
pub(super) const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// The pauses after the first failures.
const PAUSES: [SignedDuration; 6] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_secs(30),
    SignedDuration::from_mins(2),
    SignedDuration::from_mins(10),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(1),
];
/// The pause after any other.
const LAST_PAUSE: SignedDuration = SignedDuration::from_hours(2);
/// Chance takes away up to one part in so many, so that those that failed together are not tried together.
const JITTER_PART: i32 = 5;
/// The longest that a receiver may put us off for at once.
const MAX_RETRY_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// When to try again after the `tries`-th failure in a row, from 1, where the first was at `first`; `None` to give up. The last
/// attempt is where the three days end, whatever the pause would be.
pub(super) fn next(first: Timestamp, now: Timestamp, tries: i32, asked: Option<SignedDuration>, chance: u64) -> Option<Timestamp> {
    let end = first.saturating_add(GIVE_UP_AFTER).unwrap_or(Timestamp::MAX);
    if now >= end {
        return None;
    }
    let step = usize::try_from(tries.saturating_sub(1)).unwrap_or_default();
    let whole = PAUSES.get(step).copied().unwrap_or(LAST_PAUSE);
    let part = u64::try_from((whole / JITTER_PART).as_millis()).unwrap_or_default().saturating_add(1);
    let pause = whole - SignedDuration::from_millis(i64::try_from(chance % part).unwrap_or_default());
    let pause = pause.max(asked.unwrap_or(SignedDuration::ZERO).min(MAX_RETRY_AFTER));
    Some(now.saturating_add(pause).unwrap_or(Timestamp::MAX).min(end))
}

/// How long a `Retry-After` asks us to wait: seconds, or until an instant. `None` for what is neither.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<SignedDuration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().map_or(SignedDuration::MAX, SignedDuration::from_secs));
    }
    let until = DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(until.duration_since(now).max(SignedDuration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "2027-01-31T09:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn pauses_grow_to_two_hours() {
        for (tries, seconds) in [(1, 5), (2, 30), (3, 120), (4, 600), (5, 1_800), (6, 3_600), (7, 7_200), (40, 7_200), (i32::MAX, 7_200)] {
            let next = next(at(FIRST), at(FIRST), tries, None, 0).unwrap();
            assert_eq!(next.duration_since(at(FIRST)), SignedDuration::from_secs(seconds), "{tries}");
        }
    }

    #[test]
    fn chance_takes_away_up_to_a_fifth() {
        for chance in [0, 1, 719, 720_000, 1_440_000, 123_456_789, u64::MAX] {
            let pause = next(at(FIRST), at(FIRST), 7, None, chance).unwrap().duration_since(at(FIRST));
            // A fifth of two hours is 24 minutes: 96 minutes are left.
            assert!(SignedDuration::from_mins(96) <= pause && pause <= SignedDuration::from_mins(120), "{chance}: {pause:?}");
        }
        assert_eq!(next(at(FIRST), at(FIRST), 7, None, 1_440_000).unwrap(), at("2027-01-31T10:36:00Z"));
    }

    #[test]
    fn the_last_attempt_is_where_three_days_end() {
        assert_eq!(next(at(FIRST), at("2027-02-03T08:59:59Z"), 40, None, 0), Some(at("2027-02-03T09:00:00Z")));
        assert_eq!(next(at(FIRST), at("2027-02-03T09:00:00Z"), 41, None, 0), None);
        assert_eq!(next(at(FIRST), at("2027-02-03T09:00:01Z"), 41, Some(SignedDuration::from_secs(60)), 0), None);
    }

    #[test]
    fn a_receiver_may_put_us_off_for_a_day_at_once_and_never_hasten_us() {
        let after =
            |asked| next(at(FIRST), at(FIRST), 1, Some(SignedDuration::from_secs(asked)), 0).unwrap().duration_since(at(FIRST)).as_secs();
        assert_eq!((after(0), after(3), after(90), after(86_400), after(i64::MAX)), (5, 5, 90, 86_400, 86_400));
        let near_the_end = next(at(FIRST), at("2027-02-03T08:00:00Z"), 40, Some(SignedDuration::from_hours(20)), 0);
        assert_eq!(near_the_end, Some(at("2027-02-03T09:00:00Z")));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let read = |value| retry_after(value, at("1994-11-06T08:49:00Z")).map(|asked| asked.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read(" 0 "), Some(0));
        assert_eq!(read("99999999999999999999"), Some(i64::MAX));
        // The date of RFC 9110, 37 seconds later.
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(read("Sun, 06 Nov 1994 08:48:00 GMT"), Some(0));
        for value in ["", "soon", "-1", "1.5", "1h", "2027-01-31T09:00:00Z"] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
