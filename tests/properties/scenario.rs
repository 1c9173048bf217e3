//! Random scenarios, from sign-up to long after.

use std::collections::BTreeSet;

use evolve_business::billing::quote;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::ZONES;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_scenario_loses_no_money_and_no_time(
        zone in select(&ZONES[..]), anchor in select(vec!["anniversary", "calendar", "fixed_day"]), granularity in select(vec!["day", "second"]),
        behavior in select(vec!["inclusive", "exclusive"]), trial in 0_u16..20, percent_off in 0_u32..=100,
        events in prop::collection::vec((1_i64..60, 0_u32..9_000_000, 0_usize..2, 0_usize..3, 0_usize..4, 0_usize..12), 0..14),
    ) {
        let mut at: Timestamp = "2027-01-30T21:30:00Z".parse().unwrap();
        let mut base = json!({
            "time_zone": zone, "currency": "KES", "anchor": anchor, "granularity": granularity,
            "tax": { "rate": "0.16", "behavior": behavior }, "coupon": { "percent_off": percent_off.to_string(), "periods": 3 },
        });
        if anchor == "fixed_day" {
            base["fixed_day"] = json!(31);
        }
        let mut written = vec![json!({ "at": at.to_string(), "subscribe": { "price": "3000.00", "interval": "monthly", "trial_days": trial } })];
        for (days, minor, interval, timing, proration, kind) in events {
            at += SignedDuration::from_hours(days * 24 + 7);
            written.push(random_event(at, minor, interval, timing, proration, kind));
            // What is refused is left out; the rest must go on.
            if let Err(refusal) = quote::run(&until(&base, &written, at)) {
                prop_assert!(matches!(refusal, quote::QuoteError::Event { .. }), "{refusal}");
                written.pop();
            }
        }
        let answer = quote::run(&until(&base, &written, at + SignedDuration::from_hours(24 * 500))).unwrap();
        check_answer(&serde_json::from_str(&answer).unwrap(), behavior)?;
    }

    #[test]
    fn no_text_makes_a_scenario_panic(text in ".{0,200}") {
        prop_assert!(quote::run(&text).is_err());
    }
}

/// An event of a random scenario.
fn random_event(at: Timestamp, minor: u32, interval: usize, timing: usize, proration: usize, kind: usize) -> Value {
    let price = Decimal::new(i64::from(minor), 2).to_string();
    let interval = ["monthly", "yearly"][interval];
    let unused = ["none", "credit", "refund"][timing];
    let timing = ["default", "now", "period_end"][timing];
    let moved = ZONES[proration];
    let proration = ["prorate_now", "prorate_next_invoice", "reset_cycle", "none"][proration];
    match kind {
        0 => json!({ "at": at.to_string(), "cancel": { "timing": "now", "unused_time": unused } }),
        1 => json!({ "at": at.to_string(), "cancel": { "timing": "period_end" } }),
        2 => json!({ "at": at.to_string(), "reactivate": {} }),
        3 => json!({ "at": at.to_string(), "subscribe": { "price": price, "interval": interval } }),
        4 => json!({ "at": at.to_string(), "zone": moved }),
        _ => json!({ "at": at.to_string(), "change": {
            "price": price, "interval": interval,
            "timing": timing, "proration": proration,
        } }),
    }
}

/// A scenario with its events and its end.
fn until(base: &Value, events: &[Value], end: Timestamp) -> String {
    let mut scenario = base.clone();
    scenario["events"] = Value::from(events);
    scenario["until"] = Value::from(end.to_string());
    scenario.to_string()
}

/// An amount of a printed answer in minor units.
fn minor(value: &Value) -> i64 {
    value.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// 16 % of a priced sum, or what of it is that tax, rounded half away from zero.
fn tax_of(priced_minor: i64, behavior: &str) -> i64 {
    let denominator = if behavior == "exclusive" { 100 } else { 116 };
    (priced_minor.abs() * 32 + denominator) / (2 * denominator) * priced_minor.signum()
}

/// That what an invoice shows adds up to what it says.
fn check_sums(invoice: &Value, behavior: &str) -> Result<(), TestCaseError> {
    let of = |member: &str| minor(&invoice[member]);
    let lines: i64 = invoice["lines"].as_array().unwrap().iter().map(|line| minor(&line["amount"])).sum();
    prop_assert_eq!(of("subtotal"), lines);
    let priced = lines - of("discount");
    prop_assert_eq!(of("tax"), tax_of(priced, behavior));
    let total = priced + if behavior == "exclusive" { of("tax") } else { 0 };
    // What is credited instead has no total, and grants no more than it comes to.
    prop_assert_eq!(of("total"), total.max(0));
    prop_assert!(of("credit_granted") <= -total.min(0));
    Ok(())
}

/// What every answer must fulfil.
fn check_answer(answer: &Value, behavior: &str) -> Result<(), TestCaseError> {
    let mut before = None;
    for period in answer["periods"].as_array().unwrap() {
        let span = |member: &str| period[member].as_str().unwrap().parse::<Timestamp>().unwrap();
        prop_assert!(span("start") < span("end"));
        prop_assert!(before.is_none_or(|end| end <= span("start")), "periods overlap");
        before = Some(span("end"));
    }
    let mut credit = 0;
    let mut kinds = BTreeSet::new();
    for invoice in answer["invoices"].as_array().unwrap() {
        check_sums(invoice, behavior)?;
        prop_assert_eq!(minor(&invoice["due"]) + minor(&invoice["credit_applied"]), minor(&invoice["total"]));
        prop_assert!(minor(&invoice["due"]) >= 0 && minor(&invoice["credit_granted"]) >= 0);
        prop_assert!(minor(&invoice["credit_granted"]) == 0 || minor(&invoice["total"]) == 0);
        credit -= minor(&invoice["credit_applied"]);
        for line in invoice["lines"].as_array().unwrap() {
            kinds.insert(line["kind"].as_str().unwrap().to_owned());
            prop_assert!(line["numerator"].as_i64().unwrap() <= line["denominator"].as_i64().unwrap());
            prop_assert_eq!(minor(&line["amount"]) < 0, line["kind"] == "proration_credit");
        }
    }
    for note in answer["credit_notes"].as_array().unwrap() {
        prop_assert_eq!(minor(&note["net"]) + minor(&note["tax"]), minor(&note["total"]));
        prop_assert_eq!(minor(&note["to_credit"]) + minor(&note["to_refund"]), minor(&note["total"]));
        credit += minor(&note["to_credit"]);
    }
    prop_assert_eq!(credit, minor(&answer["credit_balance"]), "credit was lost or made");
    prop_assert!(kinds.iter().all(|kind| ["recurring", "proration_credit", "proration_charge"].contains(&kind.as_str())));
    Ok(())
}
