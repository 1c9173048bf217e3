//! Recurring revenue, by tables that are worked out by hand.

use jiff::civil::{Date, date};

use crate::billing::discount::Discount;
use crate::billing::period::Interval;
use crate::billing::revenue::{BucketSize, Counted, MAX_DAYS, MAX_MONTHS, Moved, MovementKind, annual_minor, buckets, starts};
use crate::billing::tax::{Tax, TaxBehavior};
use crate::money::Rate;

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

#[test]
fn a_subscription_counts_with_its_price_before_tax_net_of_what_is_off_for_ever() {
    let vat = |behavior| Tax { rate: rate("0.16"), behavior };
    let (on_top, within) = (vat(TaxBehavior::Exclusive), vat(TaxBehavior::Inclusive));
    let quarter = Some(Discount::Percent(rate("25")));
    for (price, interval, tax, for_ever, annual) in [
        (3_000, Interval::Monthly, on_top, None, 36_000),
        (30_000, Interval::Yearly, on_top, None, 30_000),
        // 34.80 contains 4.80.
        (3_480, Interval::Monthly, within, None, 36_000),
        // 99.99 × 0.16 ÷ 1.16 = 13.7917…: 86.20 × 12.
        (9_999, Interval::Monthly, within, None, 103_440),
        // 22.50 × 12.
        (3_000, Interval::Monthly, on_top, quarter, 27_000),
        // 34.80 less a quarter is 26.10, which contains 3.60.
        (3_480, Interval::Monthly, within, quarter, 27_000),
        (3_000, Interval::Monthly, on_top, Some(Discount::Fixed(500)), 30_000),
        (3_000, Interval::Monthly, on_top, Some(Discount::Fixed(5_000)), 0),
        (0, Interval::Yearly, on_top, None, 0),
    ] {
        assert_eq!(annual_minor(price, interval, tax, for_ever).unwrap(), annual, "{price} {interval:?} {tax:?} {for_ever:?}");
    }
}

fn moved(day: Date, kind: MovementKind, annual_minor: i64, subscriptions: i64, businesses: i64) -> Moved {
    Moved { day, kind, by: Counted { annual_minor, subscriptions, businesses } }
}

#[test]
fn movements_come_to_the_revenue_at_the_end_of_each_month() {
    let opening = Counted { annual_minor: 120_000, subscriptions: 4, businesses: 3 };
    let all = [
        // February: two new ones, of 30.00 a month and of 100.00 a year; one goes up by 10.00 a month.
        moved(date(2027, 2, 1), MovementKind::New, 46_000, 2, 2),
        moved(date(2027, 2, 28), MovementKind::Expansion, 12_000, 0, 0),
        // March: one of 20.00 a month ends, with its business; another goes down by 5.00.
        moved(date(2027, 3, 1), MovementKind::Churned, -24_000, -1, -1),
        moved(date(2027, 3, 31), MovementKind::Contraction, -6_000, 0, 0),
        // May: it comes back, and leaves again.
        moved(date(2027, 5, 10), MovementKind::Reactivated, 24_000, 1, 1),
        moved(date(2027, 5, 20), MovementKind::Churned, -24_000, -1, -1),
    ];
    let months = starts(date(2027, 2, 10), date(2027, 5, 1), BucketSize::Month).unwrap();
    assert_eq!(months, [2, 3, 4, 5].map(|month| date(2027, month, 1)));
    let told: Vec<_> = buckets(opening, &all, &months, BucketSize::Month)
        .unwrap()
        .into_iter()
        .map(|bucket| {
            let moves =
                [bucket.new_minor, bucket.expansion_minor, bucket.contraction_minor, bucket.churned_minor, bucket.reactivated_minor];
            let rate = bucket.customer_churn_rate.to_string();
            (bucket.arr_minor, bucket.mrr_minor, moves, bucket.active_subscriptions, rate, bucket.average_minor)
        })
        .collect();
    let none = [0; 5];
    let expected = [
        // 1780.00 a year: 148.33 a month, of 5 businesses 29.67 each. 460.00 ÷ 12 = 38.33.
        (178_000, 14_833, [3_833, 1_000, 0, 0, 0], 6, "0", 2_967),
        // One of five businesses is lost. 1480.00: 123.33, of four 30.83.
        (148_000, 12_333, [0, 0, 500, 2_000, 0], 5, "0.2", 3_083),
        (148_000, 12_333, none, 5, "0", 3_083),
        // Whoever comes and goes within a month was not there at its start, and is lost all the same: one of four.
        (148_000, 12_333, [0, 0, 0, 2_000, 2_000], 5, "0.25", 3_083),
    ];
    assert_eq!(told, expected.map(|(arr, mrr, moves, active, rate, average)| (arr, mrr, moves, active, rate.to_owned(), average)));
}

#[test]
fn days_are_buckets_too_and_nothing_counts_before_the_first_movement() {
    let all = [moved(date(2028, 2, 29), MovementKind::New, 1_000, 1, 1)];
    let days = starts(date(2028, 2, 28), date(2028, 3, 1), BucketSize::Day).unwrap();
    let told: Vec<_> = buckets(Counted::default(), &all, &days, BucketSize::Day)
        .unwrap()
        .into_iter()
        .map(|bucket| (bucket.start, bucket.mrr_minor, bucket.new_minor, bucket.average_minor, bucket.customer_churn_rate.to_string()))
        .collect();
    // 10.00 ÷ 12 = 0.83.
    let zero = "0".to_owned();
    let expected =
        [(date(2028, 2, 28), 0, 0, 0, zero.clone()), (date(2028, 2, 29), 83, 83, 83, zero.clone()), (date(2028, 3, 1), 83, 0, 83, zero)];
    assert_eq!(told, expected);
}

#[test]
fn a_report_shows_so_many_days_or_months_and_none_that_end_before_they_begin() {
    let count = |from, to, size| starts(from, to, size).map(|starts| starts.len());
    assert_eq!(count(date(2028, 1, 1), date(2028, 12, 31), BucketSize::Day), Some(MAX_DAYS));
    assert_eq!(count(date(2028, 1, 1), date(2029, 1, 1), BucketSize::Day), None);
    assert_eq!(count(date(2020, 1, 31), date(2029, 12, 1), BucketSize::Month), Some(MAX_MONTHS));
    assert_eq!(count(date(2020, 1, 31), date(2030, 1, 1), BucketSize::Month), None);
    assert_eq!(count(date(2027, 3, 2), date(2027, 3, 1), BucketSize::Month), None);
    assert_eq!(count(date(2027, 3, 2), date(2027, 3, 1), BucketSize::Day), None);
    assert_eq!(count(date(9999, 12, 31), date(9999, 12, 31), BucketSize::Day), Some(1));
}
