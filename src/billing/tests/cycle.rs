//! How a subscription begins, and what its boundaries bring.

use super::super::change::{Price, Scheduled};
use super::super::cycle::{BeginFacts, Begun, Boundary, BoundaryFacts, begin, boundary, resume};
use super::super::discount::{Coupon, Discount};
use super::super::invoice::{Line, LineKind, Totals};
use super::super::period::{AnchorMode, Granularity, Interval, Schedule, Zone};
use super::super::proration::PeriodPrice;
use super::{at, exclusive, june, price};

/// A sign-up on 1 June at 30.00 a month.
fn sign_up(trial_days: u16, coupon: Option<Coupon>) -> Begun {
    let start = at("2027-06-01T00:00:00Z");
    let schedule = Schedule::starting(start, Zone::UTC, Interval::Monthly, AnchorMode::Anniversary, Granularity::Day);
    begin(&BeginFacts { at: start, schedule, trial_days, price: price(3000), coupon, account_credit_minor: 0 }).unwrap()
}

/// The boundary that follows.
fn after(begun: &Begun) -> BoundaryFacts {
    BoundaryFacts {
        schedule: begun.schedule.clone(),
        period: begun.period.clone(),
        price: begun.price,
        coupon: begun.coupon,
        pending_change: None,
        is_ending: false,
        is_suspended: false,
        pending_lines: Vec::new(),
        account_credit_minor: 0,
    }
}

/// The next period.
fn renewed(facts: &BoundaryFacts) -> Begun {
    match boundary(facts).unwrap() {
        Boundary::Renewed(begun) => *begun,
        ended @ Boundary::Ended { .. } => panic!("it ended: {ended:?}"),
    }
}

/// The total of an invoice.
fn total(invoice: Option<&Totals>) -> Option<i64> {
    invoice.map(|totals| totals.total_minor)
}

/// A pending charge of 15.00.
fn pending() -> Line {
    let june = june();
    Line {
        kind: LineKind::ProrationCharge,
        start: june.period.start,
        end: june.period.end,
        fraction: june.period.fraction_opened(Granularity::Day).unwrap(),
        unit_price_minor: 1500,
        amount_minor: 1500,
        discount_minor: 0,
        tax: exclusive("0.16"),
    }
}

#[test]
fn a_sign_up_pays_its_first_period_and_a_trial_nothing() {
    let paid = sign_up(0, None);
    assert_eq!((paid.period.number, total(paid.invoice.as_ref())), (1, Some(3480)));
    let trial = sign_up(14, None);
    assert_eq!((trial.period.number, trial.period.end, trial.invoice, trial.charged), (0, at("2027-06-15T00:00:00Z"), None, None));
}

#[test]
fn a_renewal_bills_what_was_pending_too_and_uses_account_credit() {
    let facts = BoundaryFacts { pending_lines: vec![pending()], account_credit_minor: 1000, ..after(&sign_up(0, None)) };
    let next = renewed(&facts);
    // 15.00 + 30.00 = 45.00, tax 7.20, of which 10.00 is credit.
    let invoice = next.invoice.unwrap();
    assert_eq!((invoice.total_minor, invoice.amount_due_minor, next.pending_lines.len()), (5220, 4220, 0));
    assert_eq!((next.period.number, next.period.end), (2, at("2027-08-01T00:00:00Z")));
}

#[test]
fn a_scheduled_change_renews_at_its_own_price_and_interval() {
    let scheduled = Scheduled { effective_at: at("2027-07-01T00:00:00Z"), interval: Interval::Yearly, price: price(30_000) };
    let next = renewed(&BoundaryFacts { pending_change: Some(scheduled), ..after(&sign_up(0, None)) });
    assert_eq!((total(next.invoice.as_ref()), next.period.end), (Some(34_800), at("2028-07-01T00:00:00Z")));
    assert_eq!((next.price, next.schedule.interval), (price(30_000), Interval::Yearly));
}

#[test]
fn a_renewal_is_at_the_agreed_price_and_the_tax_of_its_own_day() {
    // From 16 % to 18 % on 1 July: 30.00 and 5.40.
    let facts = after(&sign_up(0, None));
    let next = renewed(&BoundaryFacts { price: Price { tax: exclusive("0.18"), ..facts.price }, ..facts });
    assert_eq!((total(next.invoice.as_ref()), next.charged.map(|charged| charged.price_minor)), (Some(3540), Some(3000)));
    // What waited from June is still taxed as it was charged: 15.00 × 0.16 = 2.40 beside 5.40.
    let facts = BoundaryFacts { pending_lines: vec![pending()], ..after(&sign_up(0, None)) };
    let next = renewed(&BoundaryFacts { price: Price { tax: exclusive("0.18"), ..facts.price }, ..facts }).invoice.unwrap();
    assert_eq!(next.taxes.iter().map(|sum| (sum.taxable_minor, sum.amount_minor)).collect::<Vec<_>>(), [(1500, 240), (3000, 540)]);
    assert_eq!(next.total_minor, 5280);
}

#[test]
fn a_coupon_is_spent_by_the_first_charged_period_not_by_the_trial() {
    let once = Coupon { discount: Discount::Percent("50".parse().unwrap()), remaining_periods: Some(1) };
    let trial = sign_up(14, Some(once));
    assert_eq!(trial.coupon, Some(once));
    let first = renewed(&after(&trial));
    let second = renewed(&after(&first));
    // 15.00 + 2.40, then 30.00 + 4.80.
    assert_eq!((total(first.invoice.as_ref()), total(second.invoice.as_ref())), (Some(1740), Some(3480)));
}

#[test]
fn an_end_bills_what_was_pending_and_no_more() {
    let facts = BoundaryFacts { is_ending: true, ..after(&sign_up(0, None)) };
    assert_eq!(boundary(&facts), Ok(Boundary::Ended { invoice: None }));
    let Boundary::Ended { invoice } = boundary(&BoundaryFacts { pending_lines: vec![pending()], ..facts }).unwrap() else {
        panic!("it renewed")
    };
    assert_eq!(total(invoice.as_ref()), Some(1740));
}

#[test]
fn a_boundary_in_suspension_bills_nothing_and_the_rest_is_billed_when_access_is_back() {
    let facts = BoundaryFacts { is_suspended: true, pending_lines: vec![pending()], ..after(&sign_up(0, None)) };
    let next = renewed(&facts);
    assert_eq!((next.invoice, next.charged, next.pending_lines.len()), (None, None, 1));
    // July has 31 days; from the 22nd 10 are left: 30.00 × 10/31 = 9.677.
    let charged = PeriodPrice { price_minor: 3000, tax: exclusive("0.16"), discount: None };
    let back = at("2027-07-22T10:00:00Z");
    let line = resume(&next.period, back, Granularity::Day, next.charged.as_ref(), &charged).unwrap().unwrap();
    assert_eq!((line.kind, line.amount_minor), (LineKind::ProrationCharge, 968));
    assert_eq!(resume(&next.period, back, Granularity::Day, Some(&charged), &charged), Ok(None));
}

#[test]
fn what_is_free_makes_no_invoice() {
    let mut facts = after(&sign_up(0, None));
    facts.price = price(0);
    assert_eq!(renewed(&facts).invoice, None);
    // With a coupon of all of it there is a line, and an invoice of zero.
    let all = Coupon { discount: Discount::Percent("100".parse().unwrap()), remaining_periods: None };
    assert_eq!(total(sign_up(0, Some(all)).invoice.as_ref()), Some(0));
}
