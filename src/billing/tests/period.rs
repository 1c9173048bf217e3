//! Anchors, boundaries and periods.

use super::super::RuleError;
use super::super::exact::Fraction;
use super::super::period::{AnchorMode, DayOfMonth, Granularity, Interval, Period, Schedule, Zone};
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
}

#[test]
fn a_midnight_that_does_not_exist_is_the_first_instant_after_the_gap() {
    // Cairo goes from 00:00 to 01:00 on 30 April 2027 (the last Friday): 22:00 UTC of the 29th is 01:00 local.
    let start = "2027-03-30T09:00:00Z";
    let cairo = schedule(start, "Africa/Cairo", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let found = periods(&cairo, start, 2);
    assert_eq!(found[0].end, at("2027-04-29T22:00:00Z"));
    assert_eq!(found[1].end, at("2027-05-29T21:00:00Z"));
    assert_eq!(found[1].fraction_opened(Granularity::Day).unwrap(), Fraction::new(30, 30).unwrap());
}

#[test]
fn a_midnight_that_exists_twice_is_the_first() {
    // Havana goes from 01:00 back to 00:00 on 7 November 2027 (the first Sunday): the first midnight is at UTC−4.
    let start = "2027-10-07T12:00:00Z";
    let havana = schedule(start, "America/Havana", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    assert_eq!(periods(&havana, start, 1)[0].end, at("2027-11-07T04:00:00Z"));
}

#[test]
fn by_the_second_the_anchors_time_of_day_meets_gaps_and_folds() {
    // 02:30 in New York; on 14 March 2027 the clocks go from 02:00 to 03:00, which is 07:00 UTC.
    let start = "2027-02-14T07:30:00.75Z";
    let spring = schedule(start, "America/New_York", Interval::Monthly, AnchorMode::Anniversary, Granularity::Second);
    let found = periods(&spring, start, 2);
    assert_eq!(found[0].start, at("2027-02-14T07:30:00Z"));
    assert_eq!(found[0].end, at("2027-03-14T07:00:00Z"));
    assert_eq!(found[1].end, at("2027-04-14T06:30:00Z"));
    // 31 days less half an hour: 2,678,400 − 1,800.
    assert_eq!(found[1].fraction_opened(Granularity::Second).unwrap().denominator(), 2_676_600);

    // 01:30, which is twice on 7 November 2027; the first is at UTC−4.
    let start = "2027-10-07T05:30:00Z";
    let autumn = schedule(start, "America/New_York", Interval::Monthly, AnchorMode::Anniversary, Granularity::Second);
    assert_eq!(periods(&autumn, start, 1)[0].end, at("2027-11-07T05:30:00Z"));
}

#[test]
fn a_change_of_zone_takes_effect_with_the_next_period_and_alters_no_fraction() {
    let start = "2027-01-15T09:00:00Z";
    let mut schedule = schedule(start, "Africa/Nairobi", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let first = schedule.first_period(at(start), 1).unwrap();
    assert_eq!(first.end, at("2027-02-14T21:00:00Z"));
    schedule.zone = zone("America/New_York");
    let second = schedule.next_period(&first).unwrap();
    assert_eq!((second.start, second.whole_start), (first.end, first.end));
    // Midnight of 15 March in New York, on summer time since the 14th.
    assert_eq!(second.end, at("2027-03-15T04:00:00Z"));
    // 28 dates from 15 February; an hour into the period it is still the 14th in New York, and all of it is left.
    assert_eq!(second.fraction_left(at("2027-02-14T22:00:00Z"), Granularity::Day).unwrap(), Fraction::new(28, 28).unwrap());
    assert_eq!(second.fraction_left(at("2027-03-14T23:00:00Z"), Granularity::Day).unwrap(), Fraction::new(1, 28).unwrap());
    // The running period keeps counting in Nairobi, where 22:00 UTC of 1 February is the 2nd: 13 of 31.
    assert_eq!(first.fraction_left(at("2027-02-01T22:00:00Z"), Granularity::Day).unwrap(), Fraction::new(13, 31).unwrap());
}

#[test]
fn a_move_across_the_date_line_takes_nothing_from_a_change_at_the_boundary() {
    let start = "2027-01-15T12:00:00Z";
    let mut schedule = schedule(start, "Pacific/Pago_Pago", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let first = schedule.first_period(at(start), 1).unwrap();
    assert_eq!(first.end, at("2027-02-15T11:00:00Z"));
    // There it is the 16th already.
    schedule.zone = zone("Pacific/Apia");
    let second = schedule.next_period(&first).unwrap();
    assert_eq!(second.fraction_left(second.start, Granularity::Day).unwrap(), Fraction::new(28, 28).unwrap());
    assert_eq!(second.fraction_left(at("2027-02-15T12:00:00Z"), Granularity::Day).unwrap(), Fraction::new(27, 28).unwrap());
}

#[test]
fn a_boundary_that_a_move_during_the_trial_puts_into_the_past_begins_the_period() {
    let start = "2027-11-06T11:00:00Z";
    let schedule = schedule(start, "Pacific/Pago_Pago", Interval::Monthly, fixed(25), Granularity::Day);
    // 6 + 18 = 24 November, midnight in Pago Pago: 11:00 UTC, which is 25 November 01:00 in Kiritimati.
    let (trial, mut after) = schedule.trial(at(start), 18).unwrap();
    assert_eq!(trial.end, at("2027-11-24T11:00:00Z"));
    after.zone = zone("Pacific/Kiritimati");
    let first = after.next_period(&trial).unwrap();
    assert_eq!((first.start, first.nominal_end.to_string().as_str()), (trial.end, "2027-12-25"));
    assert_eq!(first.fraction_opened(Granularity::Day).unwrap(), Fraction::new(30, 30).unwrap());
}

#[test]
fn anchor_modes_begin_with_a_partial_period_unless_it_is_the_very_date() {
    use Interval::{Monthly, Yearly};
    // (sign-up, mode, interval, nominal start, nominal end, dates charged, dates of the whole)
    for (start, mode, interval, nominal, dates) in [
        ("2027-06-16T11:20:00Z", AnchorMode::Calendar, Monthly, ("2027-06-01", "2027-07-01"), (15, 30)),
        ("2027-06-01T11:20:00Z", AnchorMode::Calendar, Monthly, ("2027-06-01", "2027-07-01"), (30, 30)),
        // 15 in June, 31 + 31 + 30 + 31 + 30 + 31 = 184 after it.
        ("2027-06-16T11:20:00Z", AnchorMode::Calendar, Yearly, ("2027-01-01", "2028-01-01"), (199, 365)),
        ("2027-02-28T11:20:00Z", fixed(31), Monthly, ("2027-02-28", "2027-03-31"), (31, 31)),
        ("2027-03-10T11:20:00Z", fixed(31), Monthly, ("2027-02-28", "2027-03-31"), (21, 31)),
        // The 5th has passed: next year's, 366 dates with 29 February 2028, less 5.
        ("2027-03-10T11:20:00Z", fixed(5), Yearly, ("2027-03-05", "2028-03-05"), (361, 366)),
        ("2027-03-10T11:20:00Z", fixed(20), Yearly, ("2026-03-20", "2027-03-20"), (10, 365)),
    ] {
        let schedule = schedule(start, "Africa/Nairobi", interval, mode, Granularity::Day);
        let found = schedule.first_period(at(start), 1).unwrap();
        assert_eq!((found.nominal_start.to_string().as_str(), found.nominal_end.to_string().as_str()), nominal, "{start} {mode:?}");
        assert_eq!(found.fraction_opened(Granularity::Day).unwrap(), Fraction::new(dates.0, dates.1).unwrap(), "{start} {mode:?}");
        assert_eq!(found.start, at(start));
        let next = schedule.next_period(&found).unwrap();
        assert!(next.fraction_opened(Granularity::Day).unwrap().is_whole(), "{start} {mode:?}");
        assert_eq!(next.start, found.end);
    }
}

#[test]
fn by_the_second_even_the_very_date_is_partial() {
    let start = "2027-06-01T12:00:00Z";
    let calendar = schedule(start, "UTC", Interval::Monthly, AnchorMode::Calendar, Granularity::Second);
    let first = calendar.first_period(at(start), 1).unwrap();
    // 29½ of 30 days.
    assert_eq!(first.fraction_opened(Granularity::Second).unwrap(), Fraction::new(2_548_800, 2_592_000).unwrap());
    assert_eq!(first.end, at("2027-07-01T00:00:00Z"));
    assert!(calendar.next_period(&first).unwrap().fraction_opened(Granularity::Second).unwrap().is_whole());
}

#[test]
fn under_a_calendar_a_monthly_subscription_turns_yearly_with_a_partial_year() {
    let start = "2027-01-01T00:00:00Z";
    let mut calendar = schedule(start, "UTC", Interval::Monthly, AnchorMode::Calendar, Granularity::Day);
    let february = periods(&calendar, start, 2).pop().unwrap();
    calendar.interval = Interval::Yearly;
    let rest = calendar.next_period(&february).unwrap();
    // 365 less 31 and 28.
    assert_eq!(rest.fraction_opened(Granularity::Day).unwrap(), Fraction::new(306, 365).unwrap());
    assert_eq!(rest.end, at("2028-01-01T00:00:00Z"));
    assert_eq!(calendar.next_period(&rest).unwrap().end, at("2029-01-01T00:00:00Z"));
}

#[test]
fn a_trial_ends_at_the_start_of_a_local_date_and_is_the_anchor() {
    let start = "2027-01-17T20:30:00Z";
    let schedule = schedule(start, "Africa/Nairobi", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let (trial, after) = schedule.trial(at(start), 14).unwrap();
    // 23:30 on the 17th in Nairobi; 17 + 14 = 31.
    assert_eq!((trial.number, trial.end), (0, at("2027-01-30T21:00:00Z")));
    let first = after.next_period(&trial).unwrap();
    assert_eq!((first.number, first.start, first.end), (1, trial.end, at("2027-02-27T21:00:00Z")));
    assert_eq!(after.next_period(&first).unwrap().nominal_end.to_string(), "2027-03-31");
}

#[test]
fn by_the_second_a_trial_ends_at_the_same_local_time() {
    // 12:00 in New York on 7 March; on the 21st summer time has begun.
    let start = "2027-03-07T17:00:00Z";
    let schedule = schedule(start, "America/New_York", Interval::Monthly, AnchorMode::Anniversary, Granularity::Second);
    let (trial, after) = schedule.trial(at(start), 14).unwrap();
    assert_eq!(trial.end, at("2027-03-21T16:00:00Z"));
    assert_eq!(after.next_period(&trial).unwrap().end, at("2027-04-21T16:00:00Z"));
}

#[test]
fn a_trial_under_another_mode_begins_a_partial_period() {
    // (sign-up, days, mode, interval, dates charged, dates of the whole)
    for (start, days, mode, interval, dates) in [
        ("2027-01-10T09:00:00Z", 10, AnchorMode::Calendar, Interval::Monthly, (12, 31)),
        ("2027-01-22T09:00:00Z", 10, AnchorMode::Calendar, Interval::Monthly, (28, 28)),
        // Ends on 8 February; the year is that of the sign-up's month, from 5 January, 34 dates before.
        ("2027-01-25T09:00:00Z", 14, fixed(5), Interval::Yearly, (331, 365)),
    ] {
        let schedule = schedule(start, "UTC", interval, mode, Granularity::Day);
        let (trial, after) = schedule.trial(at(start), days).unwrap();
        let first = after.next_period(&trial).unwrap();
        assert_eq!(first.start, trial.end);
        assert_eq!(first.fraction_opened(Granularity::Day).unwrap(), Fraction::new(dates.0, dates.1).unwrap(), "{start}");
    }
}

#[test]
fn a_reset_moves_the_anchor_of_an_anniversary_alone() {
    let start = "2027-01-31T09:00:00Z";
    let reset_at = at("2027-03-10T22:00:00Z");
    let anniversary = schedule(start, "Africa/Nairobi", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let yearly = anniversary.reset(reset_at, Interval::Yearly);
    let period = yearly.first_period(reset_at, 3).unwrap();
    // 22:00 UTC is the 11th in Nairobi.
    assert_eq!((period.number, period.start, period.nominal_end.to_string()), (3, reset_at, "2028-03-11".to_owned()));
    let calendar = schedule(start, "Africa/Nairobi", Interval::Monthly, AnchorMode::Calendar, Granularity::Day);
    assert_eq!(calendar.reset(reset_at, Interval::Monthly), calendar);
}

#[test]
fn what_a_row_keeps_of_a_schedule_reads_back() {
    for mode in [AnchorMode::Anniversary, AnchorMode::Calendar, fixed(1), fixed(31)] {
        assert_eq!(AnchorMode::parse(mode.as_str(), mode.day()), Some(mode));
    }
    for (text, day) in [("CALENDAR", Some(1)), ("FIXED_DAY", None), ("FIXED_DAY", Some(0)), ("FIXED_DAY", Some(32)), ("anniversary", None)]
    {
        assert_eq!(AnchorMode::parse(text, day), None);
    }
    for name in ["Africa/Nairobi", "UTC", "America/Argentina/Buenos_Aires"] {
        assert_eq!(zone(name).name(), name);
    }
    for name in ["", "Africa/Atlantis", "Etc/Unknown", "+03:00", "../UTC"] {
        assert_eq!(Zone::parse(name), None, "{name}");
    }
    assert_eq!(
        Interval::ALL.iter().map(|value| Interval::parse(value.as_str())).collect::<Vec<_>>(),
        [Some(Interval::Monthly), Some(Interval::Yearly)]
    );
}

#[test]
fn the_end_of_the_calendar_is_an_error() {
    let start = "9999-12-01T00:00:00Z";
    let last = schedule(start, "UTC", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    assert_eq!(last.first_period(at(start), 1), Err(RuleError::OutOfTime));
}
