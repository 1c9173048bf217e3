//! Whole scenarios, from sign-up to end.

use serde_json::{Value, json};

use super::super::quote::{QuoteError, run};

/// The answer to a scenario.
fn quote(scenario: &Value) -> Value {
    serde_json::from_str(&run(&scenario.to_string()).unwrap()).unwrap()
}

/// One member of each entry of a list.
fn each<'a>(answer: &'a Value, list: &str, member: &str) -> Vec<&'a str> {
    answer[list].as_array().unwrap().iter().map(|entry| entry[member].as_str().unwrap()).collect()
}

/// A scenario in Nairobi, KES, 16 % exclusive.
fn nairobi(events: &Value, until: &str) -> Value {
    json!({
        "time_zone": "Africa/Nairobi", "currency": "KES", "anchor": "anniversary", "granularity": "day",
        "tax": { "rate": "0.16", "behavior": "exclusive" }, "events": events, "until": until
    })
}

#[test]
fn a_life_from_sign_up_to_cancellation_comes_out_to_the_cent() {
    let answer = quote(&nairobi(
        &json!([
            { "at": "2027-01-31T09:00:00Z", "subscribe": { "price": "3000.00", "interval": "monthly", "trial_days": 0 } },
            { "at": "2027-03-10T12:00:00Z", "change": { "price": "9000.00", "interval": "monthly", "timing": "now", "proration": "prorate_now" } },
            { "at": "2027-05-02T08:00:00Z", "cancel": { "timing": "now", "unused_time": "credit" } }
        ]),
        "2027-06-30T00:00:00Z",
    ));
    // 3000 × 1.16; 21 of 31 days: −2032.26 + 6096.77 = 4064.51, tax 650.32; 9000 × 1.16.
    assert_eq!(each(&answer, "invoices", "total"), ["3480.00", "3480.00", "4714.83", "10440.00", "10440.00"]);
    assert_eq!(
        each(&answer, "invoices", "at"),
        ["2027-01-31T09:00:00Z", "2027-02-27T21:00:00Z", "2027-03-10T12:00:00Z", "2027-03-30T21:00:00Z", "2027-04-29T21:00:00Z"]
    );
    let change = &answer["invoices"][2];
    assert_eq!(change["tax"], "650.32");
    assert_eq!(
        change["lines"],
        json!([
            { "kind": "proration_credit", "start": "2027-03-10T12:00:00Z", "end": "2027-03-30T21:00:00Z", "numerator": 21, "denominator": 31, "amount": "-2032.26" },
            { "kind": "proration_charge", "start": "2027-03-10T12:00:00Z", "end": "2027-03-30T21:00:00Z", "numerator": 21, "denominator": 31, "amount": "6096.77" }
        ])
    );
    // 9000 × 29/31 = 8419.35; × 0.16 = 1347.10.
    assert_eq!(
        answer["credit_notes"],
        json!([{ "at": "2027-05-02T08:00:00Z", "net": "8419.35", "tax": "1347.10", "total": "9766.45", "to_credit": "9766.45", "to_refund": "0.00" }])
    );
    assert_eq!(answer["credit_balance"], "9766.45");
    assert_eq!(
        each(&answer, "periods", "end"),
        ["2027-02-27T21:00:00Z", "2027-03-30T21:00:00Z", "2027-04-29T21:00:00Z", "2027-05-02T08:00:00Z"]
    );
}

#[test]
fn a_downgrade_at_once_prints_its_lines_and_what_it_grants() {
    let answer = quote(&nairobi(
        &json!([
            { "at": "2027-06-01T06:00:00Z", "subscribe": { "price": "60.00", "interval": "monthly" } },
            { "at": "2027-06-16T06:00:00Z", "change": { "price": "30.00", "interval": "monthly", "timing": "now", "proration": "prorate_next_invoice" } }
        ]),
        "2027-07-01T00:00:00Z",
    ));
    // 15 of 30 days: −30.00 + 15.00 = −15.00, tax −2.40. In July 30.00 × 1.16 = 34.80, of which 17.40 is credit.
    assert_eq!(each(&answer, "invoices", "total"), ["69.60", "0.00", "34.80"]);
    assert_eq!(each(&answer, "invoices", "credit_granted"), ["0.00", "17.40", "0.00"]);
    assert_eq!(each(&answer, "invoices", "due"), ["69.60", "0.00", "17.40"]);
    assert_eq!(each(&answer, "credit_notes", "net"), ["15.00"]);
    assert_eq!(each(&answer, "credit_notes", "tax"), ["2.40"]);
    assert_eq!(answer["credit_balance"], "0.00");
}

#[test]
fn what_waits_for_the_next_invoice_is_on_it() {
    let answer = quote(&nairobi(
        &json!([
            { "at": "2027-06-01T06:00:00Z", "subscribe": { "price": "30.00", "interval": "monthly" } },
            { "at": "2027-06-16T06:00:00Z", "change": { "price": "60.00", "interval": "monthly", "timing": "now", "proration": "prorate_next_invoice" } },
            { "at": "2027-06-20T06:00:00Z", "cancel": { "timing": "now" } }
        ]),
        "2027-07-10T00:00:00Z",
    ));
    // −15.00 + 30.00 = 15.00, tax 2.40, on the final invoice.
    assert_eq!(each(&answer, "invoices", "total"), ["34.80", "17.40"]);
    assert_eq!(each(&answer, "invoices", "at"), ["2027-06-01T06:00:00Z", "2027-06-20T06:00:00Z"]);
    assert_eq!(answer["credit_notes"], json!([]));
}

#[test]
fn pending_charges_that_are_taken_back_are_never_billed_nor_credited_beyond_what_was_charged() {
    let answer = quote(&nairobi(
        &json!([
            { "at": "2027-06-01T06:00:00Z", "subscribe": { "price": "30.00", "interval": "monthly" } },
            { "at": "2027-06-01T07:00:00Z", "change": { "price": "300.00", "interval": "monthly", "timing": "now", "proration": "prorate_next_invoice" } },
            { "at": "2027-06-01T08:00:00Z", "change": { "price": "30.00", "interval": "monthly", "timing": "now", "proration": "prorate_now" } }
        ]),
        "2027-07-01T00:00:00Z",
    ));
    // +270.00 waits; −270.00 with tax is 313.20, of which the invoice of 34.80 takes 34.80; 278.40 (240.00 net) waits beside
    // the 270.00. In July: 270.00 − 240.00 + 30.00 = 60.00, × 1.16 = 69.60, of which 34.80 is credit: June and July at 30.00.
    assert_eq!(each(&answer, "invoices", "total"), ["34.80", "0.00", "69.60"]);
    assert_eq!(each(&answer, "invoices", "credit_granted"), ["0.00", "34.80", "0.00"]);
    assert_eq!(each(&answer, "invoices", "due"), ["34.80", "0.00", "34.80"]);
}

#[test]
fn a_trial_charges_nothing_and_its_end_is_the_anchor() {
    let answer = quote(&nairobi(
        &json!([
            { "at": "2027-01-17T09:00:00Z", "subscribe": { "price": "10.00", "interval": "monthly", "trial_days": 14 } },
            { "at": "2027-01-20T09:00:00Z", "change": { "price": "20.00", "interval": "monthly", "proration": "reset_cycle" } }
        ]),
        "2027-03-01T00:00:00Z",
    ));
    // 17 + 14 = 31 January, midnight in Nairobi; then 28 February.
    assert_eq!(each(&answer, "periods", "end"), ["2027-01-30T21:00:00Z", "2027-02-27T21:00:00Z", "2027-03-30T21:00:00Z"]);
    assert_eq!(each(&answer, "invoices", "total"), ["23.20", "23.20"]);
}

#[test]
fn a_refund_pays_back_no_more_than_gateways_took_beyond_the_value_used() {
    let answer = quote(&json!({
        "time_zone": "UTC", "currency": "KES", "events": [
            { "at": "2027-04-01T00:00:00Z", "subscribe": { "price": "24.00", "interval": "monthly" } },
            { "at": "2027-04-16T00:00:00Z", "cancel": { "timing": "now", "unused_time": "credit" } },
            { "at": "2027-06-01T00:00:00Z", "subscribe": { "price": "30.00", "interval": "monthly" } },
            { "at": "2027-06-16T00:00:00Z", "cancel": { "timing": "now", "unused_time": "refund" } }],
        "until": "2027-07-01T00:00:00Z"
    }));
    // April: 24.00 × 15/30 = 12.00 credit. June: 30.00, 12.00 by credit, 18.00 by card; U 15.00, refund 18.00 − 15.00 = 3.00.
    assert_eq!(each(&answer, "invoices", "due"), ["24.00", "18.00"]);
    assert_eq!(each(&answer, "credit_notes", "to_credit"), ["12.00", "12.00"]);
    assert_eq!(each(&answer, "credit_notes", "to_refund"), ["0.00", "3.00"]);
    assert_eq!(answer["credit_balance"], "12.00");
}

#[test]
fn a_partial_first_period_has_its_part_of_a_fixed_discount() {
    let answer = quote(&json!({
        "time_zone": "UTC", "currency": "KES", "anchor": "calendar", "coupon": { "amount_off": "10.00", "periods": 1 },
        "events": [{ "at": "2027-06-16T11:00:00Z", "subscribe": { "price": "30.00", "interval": "monthly" } }],
        "until": "2027-07-01T00:00:00Z"
    }));
    // 15 of 30 days: 15.00 less 5.00; the boundary at `until` itself is billed, without the coupon.
    assert_eq!(each(&answer, "invoices", "subtotal"), ["15.00", "30.00"]);
    assert_eq!(each(&answer, "invoices", "discount"), ["5.00", "0.00"]);
    assert_eq!(each(&answer, "invoices", "total"), ["10.00", "30.00"]);
}

#[test]
fn what_is_scheduled_later_takes_back_what_was_scheduled_before() {
    let subscribe = json!({ "at": "2027-06-01T06:00:00Z", "subscribe": { "price": "60.00", "interval": "monthly" } });
    let lower = |at: &str| json!({ "at": at, "change": { "price": "30.00", "interval": "monthly" } });
    let cancel = |at: &str| json!({ "at": at, "cancel": {} });
    let (first, second, third) = ("2027-06-10T06:00:00Z", "2027-06-11T06:00:00Z", "2027-06-12T06:00:00Z");
    let at_once = json!({ "at": second, "change": { "price": "90.00", "interval": "monthly", "proration": "none" } });
    for (events, renewal) in [
        (vec![lower(first)], vec!["34.80"]),
        (vec![lower(first), cancel(second)], vec![]),
        (vec![lower(first), cancel(second), json!({ "at": third, "reactivate": {} })], vec!["69.60"]),
        (vec![cancel(first), lower(second)], vec!["34.80"]),
        (vec![lower(first), at_once.clone()], vec!["104.40"]),
        (vec![cancel(first), at_once], vec!["104.40"]),
    ] {
        let all: Vec<Value> = std::iter::once(subscribe.clone()).chain(events).collect();
        let answer = quote(&nairobi(&json!(all), "2027-07-10T00:00:00Z"));
        assert_eq!(each(&answer, "invoices", "total")[1..], renewal, "{all:?}");
    }
}

#[test]
fn a_move_to_another_zone_moves_the_next_boundary() {
    let answer = quote(&json!({
        "time_zone": "Africa/Nairobi", "currency": "UGX", "events": [
            { "at": "2027-01-15T09:00:00Z", "subscribe": { "price": "3000", "interval": "monthly" } },
            { "at": "2027-01-20T09:00:00Z", "zone": "America/New_York" }],
        "until": "2027-03-01T00:00:00Z"
    }));
    assert_eq!(each(&answer, "periods", "start"), ["2027-01-15T09:00:00Z", "2027-02-14T21:00:00Z"]);
    assert_eq!(each(&answer, "periods", "end"), ["2027-02-14T21:00:00Z", "2027-03-15T04:00:00Z"]);
    assert_eq!(each(&answer, "invoices", "total"), ["3000", "3000"]);
}

#[test]
fn a_leap_day_counts_where_there_is_one() {
    // (sign-up, interval, price, change, new price, units left, units, credit, charge)
    for (start, interval, price, at, new, (left, of), amounts) in [
        // February 2028 has 29 days, that of 2027 has 28; from the 15th 15 and 14 are left.
        ("2028-02-01T06:00:00Z", "monthly", "29.00", "2028-02-15T06:00:00Z", "58.00", (15, 29), ["-15.00", "30.00"]),
        ("2027-02-01T06:00:00Z", "monthly", "28.00", "2027-02-15T06:00:00Z", "56.00", (14, 28), ["-14.00", "28.00"]),
        // A shilling a day in 2028; from 1 July 31 + 31 + 30 + 31 + 30 + 31 = 184 are left.
        ("2028-01-01T06:00:00Z", "yearly", "366.00", "2028-07-01T06:00:00Z", "732.00", (184, 366), ["-184.00", "368.00"]),
        ("2027-01-01T06:00:00Z", "yearly", "365.00", "2027-07-01T06:00:00Z", "730.00", (184, 365), ["-184.00", "368.00"]),
    ] {
        let answer = quote(&nairobi(
            &json!([
                { "at": start, "subscribe": { "price": price, "interval": interval } },
                { "at": at, "change": { "price": new, "interval": interval } }
            ]),
            at,
        ));
        let lines = answer["invoices"][1]["lines"].as_array().unwrap();
        let found: Vec<_> = lines.iter().map(|line| (&line["numerator"], &line["denominator"], &line["amount"])).collect();
        let expected = amounts.map(|amount| (json!(left), json!(of), json!(amount)));
        assert_eq!(found, expected.iter().map(|(left, of, amount)| (left, of, amount)).collect::<Vec<_>>(), "{start}");
    }
}

#[test]
fn what_is_credited_goes_on_the_newest_invoice_first() {
    let answer = quote(&nairobi(
        &json!([
            { "at": "2027-06-01T06:00:00Z", "subscribe": { "price": "30.00", "interval": "monthly" } },
            { "at": "2027-06-16T06:00:00Z", "change": { "price": "90.00", "interval": "monthly" } },
            { "at": "2027-06-16T07:00:00Z", "cancel": { "timing": "now", "unused_time": "credit" } }
        ]),
        "2027-07-30T00:00:00Z",
    ));
    // 15 of 30 days: −15.00 + 45.00 = 30.00, with tax 34.80. Unused are 45.00, with tax 52.20: 34.80 on that invoice, 17.40 on the first.
    assert_eq!(each(&answer, "invoices", "total"), ["34.80", "34.80"]);
    assert_eq!(each(&answer, "credit_notes", "total"), ["34.80", "17.40"]);
    assert_eq!(each(&answer, "credit_notes", "tax"), ["4.80", "2.40"]);
    assert_eq!(answer["credit_balance"], "52.20");
}

#[test]
fn a_scenario_that_breaks_a_rule_is_refused_by_the_events_name() {
    let subscribe = json!({ "at": "2027-01-31T09:00:00Z", "subscribe": { "price": "10.00", "interval": "monthly" } });
    let usage = |quantity: &str, included: &str, tiers: &Value| json!({ "at": "2027-02-01T00:00:00Z", "usage": { "quantity": quantity, "included": included, "tiers": tiers } });
    for (second, reason) in [
        (
            json!({ "at": "2027-02-01T00:00:00Z", "change": { "price": "10.00", "interval": "monthly" } }),
            "has this plan and interval already",
        ),
        (json!({ "at": "2027-02-01T00:00:00Z", "subscribe": { "price": "1.00", "interval": "monthly" } }), "live subscription already"),
        (
            json!({ "at": "2027-02-01T00:00:00Z", "change": { "price": "99.00", "interval": "yearly", "timing": "now", "proration": "none" } }),
            "RESET_CYCLE",
        ),
        (json!({ "at": "2027-02-01T00:00:00Z", "change": { "price": "1.001", "interval": "monthly" } }), "`price`"),
        (json!({ "at": "2027-02-01T00:00:00Z", "reactivate": {} }), "No cancellation"),
        (json!({ "at": "2027-02-01T00:00:00Z", "zone": "Africa/Atlantis" }), "`zone`"),
        (json!({ "at": "2027-02-01T00:00:00Z" }), "exactly one"),
        (json!({ "at": "2027-02-01T00:00:00Z", "usage": { "quantity": "5" } }), "It needs `included` and `tiers`"),
        (json!({ "at": "2027-02-01T00:00:00Z", "usage": { "quantity": "-5" } }), "`quantity`"),
        (json!({ "at": "2027-02-01T00:00:00Z", "usage": { "quantity": "5", "included": "10" } }), "`tiers`"),
        (json!({ "at": "2027-02-01T00:00:00Z", "usage": { "quantity": "5", "tiers": [{ "unit_price": "1" }] } }), "`included`"),
        (usage("5", "10", &json!([{ "up_to": "5", "unit_price": "1" }])), "`tiers`"),
        (
            usage("5", "10", &json!([{ "up_to": "5", "unit_price": "1" }, { "up_to": "5", "unit_price": "1" }, { "unit_price": "1" }])),
            "`tiers`",
        ),
        (usage("5", "10", &json!([])), "`tiers`"),
        (usage("5", "0.0000001", &json!([{ "unit_price": "1" }])), "`included`"),
        (
            json!({ "at": "2027-02-01T00:00:00Z", "change": { "price": "9.00", "interval": "monthly", "quantity": 2 } }),
            "`quantity` is not evaluated",
        ),
        (json!({ "at": "2027-01-01T00:00:00Z", "reactivate": {} }), "before the event above"),
    ] {
        let refusal = run(&nairobi(&json!([subscribe, second]), "2027-03-01T00:00:00Z").to_string()).unwrap_err();
        assert!(matches!(refusal, QuoteError::Event { number: 2, .. }), "{refusal}");
        assert!(refusal.to_string().contains(reason), "{refusal}");
    }
    for malformed in ["", "[]", "{}", "{\"events\": 1}"] {
        assert!(matches!(run(malformed), Err(QuoteError::Malformed(_))), "{malformed}");
    }
    for member in ["usage", "quantity"] {
        let mut scenario = nairobi(&json!([subscribe]), "2027-03-01T00:00:00Z");
        scenario[member] = json!([{ "included": 10 }]);
        assert_eq!(run(&scenario.to_string()), Err(QuoteError::NotEvaluated));
    }
    let far = nairobi(&json!([subscribe]), "9999-01-01T00:00:00Z");
    assert_eq!(run(&far.to_string()), Err(QuoteError::TooLong));
}

/// Something that is used; past 1000 it is 2.50 each up to 500 more, and 2.00 each after that.
fn used(at: &str, quantity: &str) -> Value {
    let tiers = json!([{ "up_to": "500", "unit_price": "2.50" }, { "unit_price": "2.00" }]);
    json!({ "at": at, "usage": { "quantity": quantity, "included": "1000", "tiers": tiers } })
}

/// The kind, start, end and amount of each line of an invoice.
fn lines(answer: &Value, invoice: usize) -> Vec<[String; 4]> {
    let text = |line: &Value, member: &str| line[member].as_str().unwrap().to_owned();
    let lines = answer["invoices"][invoice]["lines"].as_array().unwrap();
    lines.iter().map(|line| ["kind", "start", "end", "amount"].map(|member| text(line, member))).collect()
}

#[test]
fn what_is_used_in_a_scenario_is_billed_when_its_usage_period_is_over() {
    let answer = quote(&nairobi(
        &json!([
            { "at": "2027-01-31T09:00:00Z", "subscribe": { "price": "3000.00", "interval": "monthly" } },
            used("2027-02-01T00:00:00Z", "900"),
            { "at": "2027-02-10T00:00:00Z", "usage": { "quantity": "700" } },
            // The boundary's own instant is of the next usage period.
            { "at": "2027-02-27T21:00:00Z", "usage": { "quantity": "1000" } },
        ]),
        "2027-03-30T21:00:00Z",
    ));
    // 600 past 1000: 500 × 2.50 + 100 × 2.00 = 1450.00; with 3000.00 4450.00, tax 712.00. In March 1000 of 1000.
    assert_eq!(each(&answer, "invoices", "total"), ["3480.00", "5162.00", "3480.00"]);
    let (start, end) = ("2027-01-31T09:00:00Z", "2027-02-27T21:00:00Z");
    assert_eq!(lines(&answer, 1)[0], ["usage", start, end, "1450.00"].map(str::to_owned));
    assert_eq!(lines(&answer, 1)[1][0], "recurring");
}

#[test]
fn what_is_used_in_a_month_of_a_year_is_billed_by_itself_and_a_trial_bills_nothing_of_it() {
    let answer = quote(&nairobi(
        &json!([
            { "at": "2027-01-31T09:00:00Z", "subscribe": { "price": "30000.00", "interval": "yearly", "trial_days": 10 } },
            used("2027-02-01T00:00:00Z", "5000"),
            used("2027-02-20T00:00:00Z", "1001"),
            used("2027-03-15T00:00:00Z", "1010"),
            { "at": "2027-03-20T00:00:00Z", "cancel": { "timing": "now", "unused_time": "none" } },
        ]),
        "2027-06-30T00:00:00Z",
    ));
    // The trial ends on 10 February. 1 × 2.50, tax 0.40; until the end 10 × 2.50, tax 4.00.
    assert_eq!(each(&answer, "invoices", "total"), ["34800.00", "2.90", "29.00"]);
    assert_eq!(each(&answer, "invoices", "at"), ["2027-02-09T21:00:00Z", "2027-03-09T21:00:00Z", "2027-03-20T00:00:00Z"]);
    assert_eq!(lines(&answer, 1), [["usage", "2027-02-09T21:00:00Z", "2027-03-09T21:00:00Z", "2.50"].map(str::to_owned)]);
    assert_eq!(lines(&answer, 2), [["usage", "2027-03-09T21:00:00Z", "2027-03-20T00:00:00Z", "25.00"].map(str::to_owned)]);
}

#[test]
fn a_cycle_that_starts_again_in_a_scenario_bills_what_was_used_by_the_old_terms() {
    let answer = quote(&nairobi(
        &json!([
            { "at": "2027-06-01T09:00:00Z", "subscribe": { "price": "30.00", "interval": "monthly" } },
            used("2027-06-05T00:00:00Z", "1002"),
            { "at": "2027-06-16T00:00:00Z", "change": { "price": "60.00", "interval": "monthly", "timing": "now", "proration": "reset_cycle" } },
            { "at": "2027-06-20T00:00:00Z", "usage": { "quantity": "3", "included": "1", "model": "package", "package_size": "5", "tiers": [{ "unit_price": "7.00" }] } },
        ]),
        "2027-07-15T21:00:00Z",
    ));
    // −15.00 + 60.00 + 2 × 2.50 = 50.00, tax 8.00. Then 2 past 1 begin one package of 5: 60.00 + 7.00, tax 10.72.
    assert_eq!(each(&answer, "invoices", "total"), ["34.80", "58.00", "77.72"]);
    let kinds: Vec<String> = lines(&answer, 1).into_iter().map(|[kind, ..]| kind).collect();
    assert_eq!(kinds, ["usage", "proration_credit", "recurring"]);
}
