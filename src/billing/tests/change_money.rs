//! What a change at once credits and charges.

use super::super::change::{AtOnce, ChangeFacts, ChangeOutcome, ChangeRequest, Proration, Settlement, change};
use super::super::discount::Discount;
use super::super::invoice::LineKind;
use super::super::period::{AnchorMode, Granularity, Interval, Schedule, Zone};
use super::super::proration::{PeriodPrice, recurring_line};
use super::super::tax::Tax;
use super::{at, creditable, exclusive, inclusive, june, price, to_monthly};

/// A change that takes effect at once.
fn at_once(facts: &ChangeFacts, request: &ChangeRequest) -> AtOnce {
    match change(facts, request).unwrap() {
        ChangeOutcome::AtOnce(done) => *done,
        ChangeOutcome::Scheduled(scheduled) => panic!("it waits: {scheduled:?}"),
    }
}

/// The amounts of its lines.
fn amounts(done: &AtOnce) -> Vec<i64> {
    done.lines.iter().map(|line| line.amount_minor).collect()
}

/// (total, tax, due) of its invoice.
fn invoiced(done: &AtOnce) -> (i64, i64, i64) {
    match &done.settlement {
        Settlement::Invoice(totals) => (totals.total_minor, totals.tax_minor, totals.amount_due_minor),
        other => panic!("no invoice: {other:?}"),
    }
}

#[test]
fn upgrading_mid_period_credits_the_unused_days() {
    // 15 of 30 days: 30.00 → −15.00, 60.00 → +30.00; tax on 15.00 is 2.40.
    let mut facts = june();
    let first = at_once(&facts, &to_monthly(6000));
    assert_eq!((amounts(&first), first.net_minor, invoiced(&first)), (vec![-1500, 3000], 1500, (1740, 240, 1740)));
    assert_eq!(first.lines.iter().map(|line| line.kind).collect::<Vec<_>>(), [LineKind::ProrationCredit, LineKind::ProrationCharge]);
    // Then 10 of 30 days: 60.00 → −20.00, 90.00 → +30.00.
    facts.charged = first.charged;
    let second = at_once(&facts, &ChangeRequest { at: at("2027-06-21T23:59:59Z"), ..to_monthly(9000) });
    assert_eq!((amounts(&second), second.net_minor), (vec![-2000, 3000], 1000));
}

#[test]
fn by_the_second_elapsed_seconds_count_floored() {
    let mut facts = june();
    facts.schedule.granularity = Granularity::Second;
    // 16 June 12:00:00.9 is floored: 14½ of 30 days, 1,252,800 of 2,592,000 s. 30.00 → 14.50; 60.00 → 29.00.
    let done = at_once(&facts, &ChangeRequest { at: at("2027-06-16T12:00:00.9Z"), ..to_monthly(6000) });
    assert_eq!(amounts(&done), [-1450, 2900]);
    assert_eq!((done.lines[0].fraction.numerator(), done.lines[0].fraction.denominator()), (1_252_800, 2_592_000));
}

#[test]
fn each_line_is_rounded_once_half_away_from_zero() {
    // 7 of 30 days from 24 June: 33.33 × 7/30 = 7.777 → 7.78; 0.15 × 1/30 on the 30th = 0.005 → 0.01.
    for (day, old, new, expected) in
        [("24", 3333, 6667, vec![-778, 1556]), ("30", 15, 45, vec![-1, 2]), ("30", 14, 16, vec![1]), ("30", 15, 10, vec![-1])]
    {
        let mut facts = june();
        facts.charged = facts.charged.map(|charged| PeriodPrice { price_minor: old, ..charged });
        facts.agreed_price_minor = old;
        let done = at_once(&facts, &ChangeRequest { at: at(&format!("2027-06-{day}T09:00:00Z")), ..to_monthly(new) });
        assert_eq!(amounts(&done), expected, "{day} {old} {new}");
    }
}

#[test]
fn a_net_below_zero_is_credited_at_once_with_its_tax() {
    let mut facts = june();
    facts.agreed_price_minor = 6000;
    facts.charged = facts.charged.map(|charged| PeriodPrice { price_minor: 6000, ..charged });
    facts.charging_invoices = vec![creditable(6960, 960)];
    for proration in [Proration::ProrateNow, Proration::ProrateNextInvoice] {
        let done = at_once(&facts, &ChangeRequest { proration, ..to_monthly(3000) });
        assert_eq!((amounts(&done), done.net_minor), (vec![-3000, 1500], -1500));
        // 15.00 × 0.16 = 2.40; 17.40 in all.
        let Settlement::Credit { total_minor, notes, pending, .. } = done.settlement else { panic!("not credited") };
        assert_eq!((total_minor, notes.notes[0].net_minor, notes.notes[0].tax_minor), (1740, 1500, 240));
        assert_eq!((notes.uncovered_minor, pending), (0, None));
    }
}

#[test]
fn what_waits_for_the_next_invoice_is_on_it_with_the_rest() {
    let mut facts = june();
    let waits = at_once(&facts, &ChangeRequest { proration: Proration::ProrateNextInvoice, ..to_monthly(6000) });
    assert_eq!((amounts(&waits), &waits.settlement), (vec![-1500, 3000], &Settlement::Pend));
    // On the 21st to 90.00: its invoice takes the 15.00 too. 25.00 + 4.00 tax, of which 9.00 is account credit.
    facts.pending_lines = waits.lines;
    facts.charged = waits.charged;
    facts.account_credit_minor = 900;
    let billed = at_once(&facts, &ChangeRequest { at: at("2027-06-21T00:00:00Z"), ..to_monthly(9000) });
    assert_eq!((billed.net_minor, invoiced(&billed)), (1000, (2900, 400, 2000)));
}

#[test]
fn pending_charges_that_are_taken_back_stay_pending_with_their_credit() {
    let mut facts = june();
    let start = at("2027-06-01T00:00:00Z");
    let waits = at_once(&facts, &ChangeRequest { at: start, proration: Proration::ProrateNextInvoice, ..to_monthly(30_000) });
    facts.pending_lines = waits.lines;
    facts.charged = waits.charged;
    facts.agreed_price_minor = 30_000;
    // −300.00 + 30.00 = −270.00, with tax 313.20. The invoice takes 34.80; 278.40 is left, 240.00 without tax.
    let back = at_once(&facts, &ChangeRequest { at: start, ..to_monthly(3000) });
    let Settlement::Credit { total_minor, notes, pending, .. } = back.settlement else { panic!("not credited") };
    assert_eq!((total_minor, notes.uncovered_minor), (31_320, 27_840));
    assert_eq!(pending.map(|line| (line.kind, line.amount_minor)), Some((LineKind::ProrationCredit, -24_000)));
}

#[test]
fn none_changes_the_plan_and_the_next_change_credits_what_was_charged() {
    let mut facts = june();
    let none = at_once(&facts, &ChangeRequest { proration: Proration::None, ..to_monthly(6000) });
    assert_eq!((amounts(&none), &none.settlement, none.price), (vec![], &Settlement::Nothing, price(6000)));
    facts.charged = none.charged;
    facts.agreed_price_minor = 6000;
    // The 30.00 that was charged comes back, not the 60.00 that was not: −15.00 + 45.00.
    assert_eq!(amounts(&at_once(&facts, &to_monthly(9000))), [-1500, 4500]);
}

#[test]
fn a_reset_credits_the_unused_time_and_charges_a_whole_period_from_today() {
    let done = at_once(&june(), &ChangeRequest { proration: Proration::ResetCycle, ..to_monthly(6000) });
    assert_eq!((amounts(&done), done.net_minor), (vec![-1500, 6000], 4500));
    assert_eq!(done.lines[1].kind, LineKind::Recurring);
    let reset = done.reset.unwrap();
    assert_eq!((reset.period.number, reset.period.start), (2, at("2027-06-16T09:00:00Z")));
    assert_eq!((reset.schedule.anchor.to_string(), reset.period.end), ("2027-06-16".to_owned(), at("2027-07-16T00:00:00Z")));
}

#[test]
fn a_switch_to_a_year_at_once_starts_the_year_today() {
    let request = ChangeRequest { interval: Interval::Yearly, ..to_monthly(6000) };
    let done = at_once(&june(), &request);
    assert_eq!(amounts(&done), [-1500, 72_000]);
    let reset = done.reset.unwrap();
    assert_eq!((reset.schedule.interval, reset.period.end), (Interval::Yearly, at("2028-06-16T00:00:00Z")));
}

#[test]
fn a_reset_under_a_calendar_charges_to_the_calendars_next_boundary() {
    let start = at("2027-06-01T00:00:00Z");
    let schedule = Schedule::starting(start, Zone::UTC, Interval::Monthly, AnchorMode::Calendar, Granularity::Day);
    let facts = ChangeFacts { schedule, ..june() };
    let month = at_once(&facts, &ChangeRequest { proration: Proration::ResetCycle, ..to_monthly(6000) });
    assert_eq!(amounts(&month), [-1500, 3000]);
    assert_eq!(month.reset.unwrap().period.end, at("2027-07-01T00:00:00Z"));
    // A year of 720.00 from 16 June to 1 January: 199 of 365 days, 392.548 → 392.55.
    let year = at_once(&facts, &ChangeRequest { interval: Interval::Yearly, ..to_monthly(6000) });
    assert_eq!(amounts(&year), [-1500, 39_255]);
    assert_eq!(year.reset.unwrap().period.end, at("2028-01-01T00:00:00Z"));
}

#[test]
fn discounts_reduce_credits_and_charges_of_their_period_alike() {
    let half = Discount::Percent("50".parse().unwrap());
    let ten = Discount::Fixed(1000);
    // Half of 30.00 and 60.00 is 15.00 and 30.00; less 10.00 they are 20.00 and 50.00; × 15/30.
    for (discount, expected) in [(half, vec![-750, 1500]), (ten, vec![-1000, 2500])] {
        let mut facts = june();
        facts.charged = facts.charged.map(|charged| PeriodPrice { discount: Some(discount), ..charged });
        assert_eq!(amounts(&at_once(&facts, &to_monthly(6000))), expected);
        // A coupon for one period does not reach the period that a reset begins.
        let reset = at_once(&facts, &ChangeRequest { proration: Proration::ResetCycle, ..to_monthly(6000) });
        assert_eq!((amounts(&reset)[1], reset.lines[1].discount_minor), (6000, 0));
        facts.discount_of_new_period = Some(discount);
        let reset = at_once(&facts, &ChangeRequest { proration: Proration::ResetCycle, ..to_monthly(6000) });
        assert_eq!((amounts(&reset)[1], reset.lines[1].discount_minor), (6000, if discount == half { 3000 } else { 1000 }));
    }
}

#[test]
fn a_discounted_partial_period_is_charged_what_could_be_credited_for_it() {
    // 1.01 at 50 %: 0.51 off (half away from zero), 0.50 for a period. 15 of 30 days: 0.51 less 0.26 = 0.25.
    let start = at("2027-06-16T09:00:00Z");
    let schedule = Schedule::starting(start, Zone::UTC, Interval::Monthly, AnchorMode::Calendar, Granularity::Day);
    let period = schedule.first_period(start, 1).unwrap();
    let price = PeriodPrice { price_minor: 101, tax: Tax::NONE, discount: Some(Discount::Percent("50".parse().unwrap())) };
    let line = recurring_line(&period, Granularity::Day, &price).unwrap().unwrap();
    assert_eq!((line.amount_minor, line.discount_minor), (51, 26));
    // Ten off a whole period is five off half of one.
    let price = PeriodPrice { price_minor: 3000, tax: Tax::NONE, discount: Some(Discount::Fixed(1000)) };
    let line = recurring_line(&period, Granularity::Day, &price).unwrap().unwrap();
    assert_eq!((line.amount_minor, line.discount_minor), (1500, 500));
}

#[test]
fn a_credit_carries_the_tax_of_the_charge_it_takes_back() {
    // Old rate 14 %: −15.00 → −2.10; new 16 %: +30.00 → +4.80.
    let mut facts = june();
    facts.charged = facts.charged.map(|charged| PeriodPrice { tax: exclusive("0.14"), ..charged });
    assert_eq!(invoiced(&at_once(&facts, &to_monthly(6000))), (1770, 270, 1770));
    // Contained on both sides: 15.00 × 16/116 = 2.069.
    facts.charged = facts.charged.map(|charged| PeriodPrice { tax: inclusive("0.16"), ..charged });
    let mut request = to_monthly(6000);
    request.prices.monthly = request.prices.monthly.map(|price| super::Price { tax: inclusive("0.16"), ..price });
    assert_eq!(invoiced(&at_once(&facts, &request)), (1500, 207, 1500));
}

#[test]
fn a_change_without_lines_makes_no_invoice_and_one_of_zero_does() {
    let mut facts = june();
    assert_eq!(invoiced(&at_once(&facts, &to_monthly(3000))), (0, 0, 0));
    facts.charged = facts.charged.map(|charged| PeriodPrice { price_minor: 0, ..charged });
    facts.agreed_price_minor = 0;
    let done = at_once(&facts, &to_monthly(0));
    assert_eq!((amounts(&done), done.settlement), (vec![], Settlement::Nothing));
    assert_eq!(amounts(&at_once(&facts, &to_monthly(3000))), [1500]);
}

#[test]
fn amounts_past_every_limit_are_an_error_and_do_not_wrap() {
    let facts = june();
    assert!(change(&facts, &to_monthly(i64::MAX / 12)).is_err());
}
