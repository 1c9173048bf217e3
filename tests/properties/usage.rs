//! Usage: its periods tile a period, and its price neither falls nor depends on when events were told of.

use evolve_business::billing::period::{Granularity, Interval, Schedule};
use evolve_business::billing::usage::{Overage, OverageModel, Tier, late, rate, thresholds_reached, usage_period};
use evolve_business::money::{Currency, Money, Rate};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;

use super::{instant, mode, zone};

/// Millionths of a unit.
fn units() -> impl Strategy<Value = Decimal> {
    (0_i64..2_000_000_000).prop_map(|millionths| Decimal::new(millionths, 6))
}

/// A way to price units, of one to four tiers.
fn overage() -> impl Strategy<Value = Overage> {
    let tiers = prop::collection::vec((1_i64..600, 0_i64..5_000_000, 0_i64..2_000), 1..5);
    (tiers, select(&["KES", "UGX", "KWD"][..]), 0..4_u8).prop_map(|(parts, code, model)| {
        let currency = Currency::from_code(code).unwrap();
        let (mut tiers, mut up_to) = (Vec::new(), Decimal::ZERO);
        for (width, price, flat) in &parts {
            up_to += Decimal::from(*width);
            tiers.push(Tier {
                up_to: Some(up_to),
                unit_price: Decimal::new(*price, 6).into(),
                flat_amount: Money::new(*flat, currency).unwrap(),
            });
        }
        let model = match model {
            0 => OverageModel::PerUnit,
            1 => OverageModel::Package { size: Decimal::from(parts[0].0) },
            2 => OverageModel::Graduated,
            _ => OverageModel::Volume,
        };
        if matches!(model, OverageModel::PerUnit | OverageModel::Package { .. }) {
            tiers.truncate(1);
        }
        tiers.last_mut().unwrap().up_to = None;
        Overage { currency, model, tiers }
    })
}

proptest! {
    #[test]
    fn what_units_cost_never_falls_as_they_grow_but_by_volume(overage in overage(), less in units(), more in units()) {
        prop_assume!(overage.model != OverageModel::Volume);
        let (less, more) = (less.min(more), less.max(more));
        prop_assert!(rate(less, &overage).unwrap() <= rate(more, &overage).unwrap());
    }

    #[test]
    fn late_events_come_to_what_one_rating_of_all_would(overage in overage(), events in prop::collection::vec(units(), 1..6)) {
        let (mut counted, mut billed) = (Decimal::ZERO, 0);
        for event in events {
            billed += late(counted + event, counted, &overage).unwrap();
            counted += event;
        }
        prop_assert_eq!(billed, rate(counted, &overage).unwrap());
    }

    #[test]
    fn a_quantity_reaches_each_threshold_once_however_it_comes_there(
        included in units(),
        parts in prop::collection::btree_set(1_i64..20_000, 0..6),
        moves in prop::collection::vec(units(), 1..12),
    ) {
        let thresholds: Vec<Rate> = parts.into_iter().map(|part| Decimal::new(part, 4).into()).collect();
        let (mut at, mut most, mut told) = (Decimal::ZERO, Decimal::ZERO, Vec::new());
        for to in moves {
            let reached = thresholds_reached(at, to, Some(included), &thresholds, &told);
            prop_assert!(reached.iter().all(|threshold| !told.contains(threshold) && threshold.decimal() * included <= to));
            told.extend(reached);
            (at, most) = (to, most.max(to));
        }
        let passed: Vec<Rate> =
            thresholds.into_iter().filter(|part| !included.is_zero() && part.decimal() * included <= most).collect();
        told.sort_by_key(|threshold| threshold.decimal());
        prop_assert_eq!(told, passed);
    }

    #[test]
    fn usage_periods_tile_a_period_without_gap_or_overlap(
        since in instant(),
        zone in zone(),
        mode in mode(),
        granularity in select(&[Granularity::Day, Granularity::Second][..]),
    ) {
        let schedule = Schedule::starting(since, zone, Interval::Yearly, mode, granularity);
        let period = schedule.first_period(since, 1).unwrap();
        let mut at = period.start;
        let mut months = 0;
        while at < period.end {
            let month = usage_period(&schedule, &period, Interval::Yearly, at).unwrap();
            prop_assert_eq!(month.start, at, "it begins where the one before it ends");
            prop_assert!(month.end > at && month.end <= period.end);
            let last = month.end.checked_sub(SignedDuration::from_micros(1)).unwrap();
            prop_assert_eq!(usage_period(&schedule, &period, Interval::Yearly, last).unwrap(), month);
            (at, months) = (month.end, months + 1);
        }
        prop_assert!((1..=12).contains(&months), "{months}");
    }
}
