//! Usage: the months it is counted in, and what units past `included` cost at and around each edge.

use jiff::Timestamp;
use jiff::civil::date;
use rust_decimal::Decimal;

use super::super::RuleError;
use super::super::period::{AnchorMode, Granularity, Interval, Period, Schedule};
use super::super::usage::{
    BucketSize, MAX_QUANTITY, Overage, OverageModel, THRESHOLDS, Tier, begun, bucket_start, late, left_of_included, past_included,
    period_at, rate, thresholds_reached, usage_period,
};
use super::{at, zone};
use crate::money::{Currency, Money, Rate, parse_decimal};

/// A number.
fn number(text: &str) -> Decimal {
    parse_decimal(text).unwrap()
}

/// Tiers: the last unit (empty: none), the price of a unit, the amount of the tier in minor units.
fn overage(currency: &str, model: OverageModel, tiers: &[(&str, &str, i64)]) -> Overage {
    let currency = Currency::from_code(currency).unwrap();
    let tier = |(up_to, price, flat): &(&str, &str, i64)| Tier {
        up_to: (!up_to.is_empty()).then(|| number(up_to)),
        unit_price: price.parse().unwrap(),
        flat_amount: Money::new(*flat, currency).unwrap(),
    };
    Overage { currency, model, tiers: tiers.iter().map(tier).collect() }
}

/// Asserts what so many units cost, in minor units.
fn costs(overage: &Overage, table: &[(&str, i64, &str)]) {
    for (past, minor, why) in table {
        assert_eq!(rate(number(past), overage), Ok(*minor), "{past} units: {why}");
    }
}

/// Up to 10 at 2.00; up to 30 at 1.50 and 5.00 once; the rest at 0.75.
const STEPS: &[(&str, &str, i64)] = &[("10", "2.00", 0), ("30", "1.50", 500), ("", "0.75", 0)];

#[test]
fn units_are_priced_one_by_one_and_the_line_is_rounded_once() {
    costs(
        &overage("KES", OverageModel::PerUnit, &[("", "2.50", 0)]),
        &[("0", 0, "nothing"), ("1", 250, "1 × 2.50"), ("3", 750, "3 × 2.50"), ("0.5", 125, "½ × 2.50")],
    );
    costs(
        &overage("KES", OverageModel::PerUnit, &[("", "0.005", 100)]),
        &[
            ("0", 0, "no unit, no amount of the tier"),
            ("1", 101, "0.5 of a cent is 1, and 1.00"),
            ("3", 102, "1.5 is 2"),
            ("100", 150, "100 × 0.005"),
        ],
    );
    // Shillings without cents, and dinars with three digits.
    costs(&overage("UGX", OverageModel::PerUnit, &[("", "0.4", 0)]), &[("1", 0, "0.4"), ("2", 1, "0.8"), ("1000", 400, "400")]);
    costs(&overage("KWD", OverageModel::PerUnit, &[("", "0.0005", 0)]), &[("1", 1, "half a fils"), ("1000", 500, "0.500")]);
    // The finest price and the smallest part of a unit.
    let finest = overage("KES", OverageModel::PerUnit, &[("", "0.000000000001", 0)]);
    costs(&finest, &[("0.000001", 0, "10⁻¹⁸"), ("1000000000000000", 100_000, "10¹⁵ × 10⁻¹² is 1,000.00")]);
}

#[test]
fn a_package_that_is_begun_counts_whole() {
    let package = overage("KES", OverageModel::Package { size: number("1000") }, &[("", "45.00", 0)]);
    costs(
        &package,
        &[
            ("0.000001", 4_500, "begun"),
            ("1", 4_500, "begun"),
            ("1000", 4_500, "full"),
            ("1000.000001", 9_000, "the second begun"),
            ("1001", 9_000, "the second begun"),
            ("2000", 9_000, "the second full"),
            ("2001", 13_500, "the third begun"),
        ],
    );
    assert_eq!((begun(number("7.5"), number("2.5")), begun(number("7.6"), number("2.5"))), (Ok(3), Ok(4)));
    assert_eq!(begun(number("1"), Decimal::ZERO), Err(RuleError::NoDenominator));
}

#[test]
fn graduated_prices_each_unit_by_the_tier_it_falls_in() {
    costs(
        &overage("KES", OverageModel::Graduated, STEPS),
        &[
            ("1", 200, "1 × 2.00"),
            ("9.5", 1_900, "9.5 × 2.00"),
            ("10", 2_000, "10 × 2.00: the tier's last unit is in it"),
            ("10.5", 2_575, "20.00 + 0.5 × 1.50 + 5.00"),
            ("11", 2_650, "20.00 + 1.50 + 5.00"),
            ("30", 5_500, "20.00 + 20 × 1.50 + 5.00"),
            ("31", 5_575, "55.00 + 0.75"),
            ("130", 13_000, "55.00 + 100 × 0.75"),
        ],
    );
    // 0.4 and 0.4 of a cent are 0.8, which is 1: each tier by itself would be nothing.
    costs(&overage("KES", OverageModel::Graduated, &[("1", "0.004", 0), ("", "0.004", 0)]), &[("2", 1, "rounded once")]);
}

#[test]
fn volume_prices_all_units_by_the_tier_that_the_last_one_falls_in() {
    costs(
        &overage("KES", OverageModel::Volume, STEPS),
        &[
            ("10", 2_000, "10 × 2.00"),
            ("10.000001", 2_000, "10.000001 × 1.50 is 15.00, and 5.00"),
            ("11", 2_150, "11 × 1.50 + 5.00"),
            ("30", 5_000, "30 × 1.50 + 5.00"),
            ("31", 2_325, "31 × 0.75"),
        ],
    );
}

#[test]
fn a_late_event_is_the_rating_with_it_less_the_rating_without() {
    let each = overage("KES", OverageModel::PerUnit, &[("", "0.005", 0)]);
    // 1.5 of a cent is 2, 1 of a cent is 1.
    assert_eq!((late(number("3"), number("2"), &each), late(number("1"), number("0"), &each)), (Ok(1), Ok(1)));
    let volume = overage("KES", OverageModel::Volume, STEPS);
    assert_eq!(late(number("11"), number("10"), &volume), Ok(150), "21.50 − 20.00");
    assert_eq!(late(number("31"), number("30"), &volume), Ok(-2_675), "23.25 − 50.00: one more unit makes all of them cheaper");
}

#[test]
fn what_is_past_included_and_what_is_left_of_it() {
    for (used, included, past, left) in
        [("0", "10", "0", "10"), ("9.5", "10", "0", "0.5"), ("10", "10", "0", "0"), ("10.25", "10", "0.25", "0"), ("3", "0", "3", "0")]
    {
        let (used, included) = (number(used), Some(number(included)));
        assert_eq!((past_included(used, included), left_of_included(used, included)), (number(past), Some(number(left))), "{used}");
    }
    assert_eq!((past_included(number("3"), None), left_of_included(number("3"), None)), (Decimal::ZERO, None));
    assert_eq!(MAX_QUANTITY, number("1000000000000000"));
}

#[test]
fn a_threshold_is_reached_by_the_unit_that_fills_it_and_told_of_once() {
    let rates = |texts: &str| texts.split_whitespace().map(|text| text.parse::<Rate>().unwrap()).collect::<Vec<_>>();
    for (before, after, included, thresholds, told, reached, why) in [
        ("0", "79.999999", "100", "0.8 1", "", "", "80 are 80 %"),
        ("79.999999", "80", "100", "0.8 1", "", "0.8", "the last unit is in it"),
        ("80", "99", "100", "0.8 1", "", "", "it was there before"),
        ("99", "100", "100", "0.8 1", "0.8", "1", "all of it"),
        ("0", "250", "100", "0.8 1 2", "", "0.8 1 2", "several at once"),
        ("0", "250", "100", "0.8 1 2", "0.8 2", "1", "those that were told of are not told of again"),
        ("100", "79", "100", "0.8 1", "", "", "what falls reaches nothing"),
        ("80", "80", "100", "0.8 1", "", "", "nor what stays"),
        ("2", "3", "3", "0.3333 0.6667 1", "", "0.6667 1", "0.6667 × 3 is 2.0001"),
        ("0", "1000000000000000", "1000000000000000", "0.0001 1 10", "", "0.0001 1", "the most there is"),
        ("0", "5", "0", "0.8 1", "", "", "of nothing there is no part"),
    ] {
        let found = thresholds_reached(number(before), number(after), Some(number(included)), &rates(thresholds), &rates(told));
        assert_eq!(found, rates(reached), "{before} → {after} of {included}: {why}");
    }
    assert_eq!(thresholds_reached(number("0"), number("5"), None, &rates("0.8 1"), &[]), [], "nothing limits it");
    assert_eq!(thresholds_reached(number("0"), number("5"), Some(Decimal::MAX), &rates("10"), &[]), [], "past every number");
    assert_eq!(THRESHOLDS.map(|threshold| threshold.to_string()), ["0.8", "1"]);
}

#[test]
fn what_cannot_be_rated_is_no_amount() {
    let ends = overage("KES", OverageModel::Graduated, &[("10", "1", 0)]);
    assert_eq!((rate(number("10"), &ends), rate(number("11"), &ends)), (Ok(1_000), Err(RuleError::Inconsistent)));
    assert_eq!(rate(number("11"), &overage("KES", OverageModel::Volume, &[("10", "1", 0)])), Err(RuleError::Inconsistent));
    assert_eq!(rate(number("1"), &overage("KES", OverageModel::PerUnit, STEPS)), Err(RuleError::Inconsistent));
    let dear = overage("KES", OverageModel::PerUnit, &[("", "1000000000", 0)]);
    assert_eq!(rate(number("-1"), &dear), Err(RuleError::Inconsistent));
    assert_eq!((rate(number("10000"), &dear), rate(number("10001"), &dear)), (Ok(1_000_000_000_000_000), Err(RuleError::TooLarge)));
    assert_eq!(rate(MAX_QUANTITY, &dear), Err(RuleError::TooLarge));
}

/// A subscription that began at an instant, with its first period.
fn began(since: &str, name: &str, interval: Interval, mode: AnchorMode, granularity: Granularity) -> (Schedule, Period) {
    let schedule = Schedule::starting(at(since), zone(name), interval, mode, granularity);
    let period = schedule.first_period(at(since), 1).unwrap();
    (schedule, period)
}

/// Asserts the usage period at each instant.
fn counted((schedule, period): &(Schedule, Period), interval: Interval, table: &[(&str, &str, &str)]) {
    for (instant, start, end) in table {
        let found = usage_period(schedule, period, interval, at(instant)).unwrap();
        assert_eq!((found.start, found.end), (at(start), at(end)), "{instant}");
    }
}

#[test]
fn a_month_is_its_own_usage_period() {
    let monthly = began("2027-01-31T11:20:00Z", "Africa/Nairobi", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let whole = ("2027-01-31T11:20:00Z", "2027-02-27T21:00:00Z");
    counted(&monthly, Interval::Monthly, &[("2027-01-31T11:20:00Z", whole.0, whole.1), ("2027-02-27T20:59:59Z", whole.0, whole.1)]);
    // The boundary is not billed yet, and what comes after it is counted in what follows all the same.
    let next = period_at(&monthly.0, &monthly.1, at("2027-03-31T00:00:00Z")).unwrap();
    assert_eq!((next.number, next.start, next.end), (3, at("2027-03-30T21:00:00Z"), at("2027-04-29T21:00:00Z")));
    assert_eq!(period_at(&monthly.0, &monthly.1, at(whole.0)).unwrap(), monthly.1);
    assert!(period_at(&monthly.0, &monthly.1, Timestamp::MAX).is_err());
}

#[test]
fn a_year_has_a_usage_period_each_month_from_its_anchor() {
    // Midnight in Nairobi is 21:00 in UTC of the day before.
    let yearly = began("2027-01-31T11:20:00Z", "Africa/Nairobi", Interval::Yearly, AnchorMode::Anniversary, Granularity::Day);
    counted(
        &yearly,
        Interval::Yearly,
        &[
            ("2027-01-31T11:20:00Z", "2027-01-31T11:20:00Z", "2027-02-27T21:00:00Z"),
            ("2027-02-27T20:59:59.999999Z", "2027-01-31T11:20:00Z", "2027-02-27T21:00:00Z"),
            ("2027-02-27T21:00:00Z", "2027-02-27T21:00:00Z", "2027-03-30T21:00:00Z"),
            ("2027-04-01T00:00:00Z", "2027-03-30T21:00:00Z", "2027-04-29T21:00:00Z"),
            ("2028-01-30T20:59:59Z", "2027-12-30T21:00:00Z", "2028-01-30T21:00:00Z"),
        ],
    );
    let by_seconds = began("2027-01-31T11:20:00Z", "Africa/Nairobi", Interval::Yearly, AnchorMode::Anniversary, Granularity::Second);
    counted(
        &by_seconds,
        Interval::Yearly,
        &[
            ("2027-02-28T11:19:59Z", "2027-01-31T11:20:00Z", "2027-02-28T11:20:00Z"),
            ("2027-02-28T11:20:00Z", "2027-02-28T11:20:00Z", "2027-03-31T11:20:00Z"),
        ],
    );
    let calendar = began("2027-06-10T08:00:00Z", "UTC", Interval::Yearly, AnchorMode::Calendar, Granularity::Day);
    counted(
        &calendar,
        Interval::Yearly,
        &[
            ("2027-06-30T23:59:59Z", "2027-06-10T08:00:00Z", "2027-07-01T00:00:00Z"),
            ("2027-12-31T23:59:59Z", "2027-12-01T00:00:00Z", "2028-01-01T00:00:00Z"),
        ],
    );
}

#[test]
fn a_year_that_follows_months_keeps_the_anchors_day_and_one_that_was_cut_short_ends_there() {
    let (mut schedule, january) = began("2027-01-31T00:00:00Z", "UTC", Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    schedule.interval = Interval::Yearly;
    let mut year = schedule.next_period(&january).unwrap();
    assert_eq!((year.nominal_start, year.nominal_end), (date(2027, 2, 28), date(2028, 2, 29)));
    counted(
        &(schedule.clone(), year.clone()),
        Interval::Yearly,
        &[
            ("2027-03-30T12:00:00Z", "2027-02-28T00:00:00Z", "2027-03-31T00:00:00Z"),
            ("2027-03-31T00:00:00Z", "2027-03-31T00:00:00Z", "2027-04-30T00:00:00Z"),
        ],
    );
    // A cycle that started again on 10 April ends the usage period too, and has an anchor of its own.
    year.end = at("2027-04-10T09:00:00Z");
    let april = ("2027-04-05T00:00:00Z", "2027-03-31T00:00:00Z", "2027-04-10T09:00:00Z");
    counted(&(schedule.clone(), year.clone()), Interval::Yearly, &[april]);
    let again = schedule.reset(at("2027-04-10T09:00:00Z"), Interval::Monthly);
    counted(&(again, year), Interval::Yearly, &[("2027-04-05T00:00:00Z", "2027-03-28T00:00:00Z", "2027-04-10T09:00:00Z")]);
}

#[test]
fn a_trial_is_a_usage_period_and_a_long_one_has_months() {
    let start = at("2027-01-10T06:00:00Z");
    let schedule = Schedule::starting(start, zone("Africa/Nairobi"), Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    let (short, after) = schedule.trial(start, 14).unwrap();
    counted(&(after, short), Interval::Monthly, &[("2027-01-20T00:00:00Z", "2027-01-10T06:00:00Z", "2027-01-23T21:00:00Z")]);
    let (long, after) = schedule.trial(start, 45).unwrap();
    counted(
        &(after, long),
        Interval::Monthly,
        &[
            ("2027-02-09T20:59:59Z", "2027-01-10T06:00:00Z", "2027-02-09T21:00:00Z"),
            ("2027-02-09T21:00:00Z", "2027-02-09T21:00:00Z", "2027-02-23T21:00:00Z"),
        ],
    );
}

#[test]
fn a_history_goes_by_the_local_clock() {
    for (name, size, instant, start) in [
        ("Asia/Kathmandu", BucketSize::Hour, "2027-01-10T00:00:00.5Z", "2027-01-09T23:15:00Z"),
        ("America/New_York", BucketSize::Hour, "2027-11-07T05:30:00Z", "2027-11-07T05:00:00Z"),
        // The hour that comes twice is two.
        ("America/New_York", BucketSize::Hour, "2027-11-07T06:30:00Z", "2027-11-07T06:00:00Z"),
        ("Africa/Nairobi", BucketSize::Day, "2027-01-09T21:00:00Z", "2027-01-09T21:00:00Z"),
        ("Africa/Nairobi", BucketSize::Day, "2027-01-09T20:59:59Z", "2027-01-08T21:00:00Z"),
        ("Africa/Nairobi", BucketSize::Month, "2027-01-31T21:00:00Z", "2027-01-31T21:00:00Z"),
        ("Africa/Nairobi", BucketSize::Month, "2027-01-31T20:00:00Z", "2026-12-31T21:00:00Z"),
    ] {
        assert_eq!(bucket_start(&zone(name), size, at(instant)), Ok(at(start)), "{name} {instant}");
    }
}
