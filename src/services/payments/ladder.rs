//! When a gateway is asked again: pure dates, counted from when the attempt came to stand where it stands.

use jiff::{SignedDuration, Timestamp};

/// A lost answer: asked about after these, then daily.
const LOST: [SignedDuration; 3] = [SignedDuration::from_mins(1), SignedDuration::from_mins(5), SignedDuration::from_hours(1)];
/// How often a lost answer is asked about in the end.
const LOST_THEN: SignedDuration = SignedDuration::from_hours(24);
/// A customer who must act: asked about after these, for gateways that do not call us, then every five minutes.
const WAITING: [SignedDuration; 4] =
    [SignedDuration::from_secs(5), SignedDuration::from_secs(15), SignedDuration::from_mins(1), SignedDuration::from_mins(5)];
/// How often a customer who must act is asked about in the end.
const WAITING_THEN: SignedDuration = SignedDuration::from_mins(5);

/// When an answer that was lost at `since` is asked about next.
pub(super) fn after_lost(since: Timestamp, now: Timestamp) -> Timestamp {
    next(&LOST, LOST_THEN, since, now)
}

/// When a customer who must act since `since`, until `expires_at`, is asked about next. After the end: now.
pub(super) fn while_waiting(since: Timestamp, expires_at: Timestamp, now: Timestamp) -> Timestamp {
    next(&WAITING, WAITING_THEN, since, now).min(expires_at).max(now)
}

/// The first of `rungs` after `since`, or of every `then` after the last, that is later than `now`.
fn next(rungs: &[SignedDuration], then: SignedDuration, since: Timestamp, now: Timestamp) -> Timestamp {
    let passed = now.duration_since(since).max(SignedDuration::ZERO);
    let rung = rungs.iter().copied().find(|rung| *rung > passed).unwrap_or_else(|| {
        let last = rungs.last().copied().unwrap_or_default();
        let beyond = passed.saturating_sub(last).as_secs().checked_div(then.as_secs()).unwrap_or_default().saturating_add(1);
        last.saturating_add(SignedDuration::from_secs(then.as_secs().saturating_mul(beyond)))
    });
    since.saturating_add(rung).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_lost_answer_is_asked_about_after_a_minute_five_an_hour_and_then_daily() {
        let since = at("2027-01-31T09:00:00Z");
        for (now, next) in [
            ("2027-01-31T09:00:00Z", "2027-01-31T09:01:00Z"),
            ("2027-01-31T09:00:59Z", "2027-01-31T09:01:00Z"),
            ("2027-01-31T09:01:00Z", "2027-01-31T09:05:00Z"),
            ("2027-01-31T09:05:02Z", "2027-01-31T10:00:00Z"),
            ("2027-01-31T10:00:00Z", "2027-02-01T10:00:00Z"),
            ("2027-02-01T10:00:00Z", "2027-02-02T10:00:00Z"),
            ("2027-02-05T09:59:59Z", "2027-02-05T10:00:00Z"),
        ] {
            assert_eq!(after_lost(since, at(now)), at(next), "{now}");
        }
    }

    #[test]
    fn a_clock_that_steps_back_does_not_put_the_question_off() {
        assert_eq!(after_lost(at("2027-01-31T09:00:00Z"), at("2027-01-31T08:00:00Z")), at("2027-01-31T09:01:00Z"));
    }

    #[test]
    fn a_customer_who_must_act_is_asked_about_until_the_end_and_at_the_end() {
        let (since, end) = (at("2027-01-31T09:00:00Z"), at("2027-01-31T09:12:00Z"));
        for (now, next) in [
            ("2027-01-31T09:00:00Z", "2027-01-31T09:00:05Z"),
            ("2027-01-31T09:00:05Z", "2027-01-31T09:00:15Z"),
            ("2027-01-31T09:00:15Z", "2027-01-31T09:01:00Z"),
            ("2027-01-31T09:01:00Z", "2027-01-31T09:05:00Z"),
            ("2027-01-31T09:05:00Z", "2027-01-31T09:10:00Z"),
            ("2027-01-31T09:10:00Z", "2027-01-31T09:12:00Z"),
            ("2027-01-31T09:13:00Z", "2027-01-31T09:13:00Z"),
        ] {
            assert_eq!(while_waiting(since, end, at(now)), at(next), "{now}");
        }
    }
}
