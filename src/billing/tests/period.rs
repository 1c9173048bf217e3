//! Anchors, boundaries and periods.

use super::super::period::{AnchorMode, DayOfMonth, Granularity, Interval, Period, Schedule};
use super::{at, zone};

/// A schedule that starts at an instant.
fn schedule(start: &str, zone_name: &str, interval: Interval, mode: AnchorMode, granularity: Granularity) -> Schedule {
    Schedule::starting(at(start), zone(zone_name), interval, mode, granularity)
}

/// The mode FIXED_DAY.
fn fixed(day: i8) -> AnchorMode {
    AnchorMode::FixedDay(DayOfMonth::new(day).unwrap())
}

/// The first `count` periods of a sign-up.
fn periods(schedule: &Schedule, start: &str, count: usize) -> Vec<Period> {
    let first = schedule.first_period(at(start), 1).unwrap();
    std::iter::successors(Some(first), |after| schedule.next_period(after).ok()).take(count).collect()
}

/// Their nominal ends.
fn ends(periods: &[Period]) -> Vec<String> {
    periods.iter().map(|period| period.nominal_end.to_string()).collect()
}

#[test]
fn boundaries_come_from_the_anchor_and_do_not_drift() {
    let monthly = schedule("2027-01-31T09:00:00Z", "Africa/Nairobi", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let found = periods(&monthly, "2027-01-31T09:00:00Z", 5);
    assert_eq!(ends(&found), ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30"]);
    // A midnight in Nairobi, three hours ahead, is 21:00 of the day before.
    assert_eq!(found[0].start, at("2027-01-31T09:00:00Z"));
    assert_eq!(found[0].end, at("2027-02-27T21:00:00Z"));
    assert_eq!(found[1].start, found[0].end);
    assert_eq!(found[4].number, 5);

    let yearly = schedule("2028-02-29T09:00:00Z", "Africa/Nairobi", Interval::Yearly, AnchorMode::Anniversary, Granularity::Day);
    assert_eq!(ends(&periods(&yearly, "2028-02-29T09:00:00Z", 4)), ["2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]);
}

#[test]
fn a_change_of_interval_at_a_boundary_keeps_the_anchors_day() {
    let mut schedule = schedule("2027-01-31T09:00:00Z", "Africa/Nairobi", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let first = schedule.first_period(at("2027-01-31T09:00:00Z"), 1).unwrap();
    assert_eq!(first.nominal_end.to_string(), "2027-02-28");
    schedule.interval = Interval::Yearly;
    let second = schedule.next_period(&first).unwrap();
    let third = schedule.next_period(&second).unwrap();
    assert_eq!(ends(&[second, third]), ["2028-02-29", "2029-02-28"]);
    assert_eq!(fixed(31).as_str(), "FIXED_DAY");
}
