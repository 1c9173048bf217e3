//! Which changes are allowed, and when they take effect.

use super::super::RuleError;
use super::super::change::{
    ChangeError, ChangeFacts, ChangeOptions, ChangeOutcome, ChangeRequest, ChangeTiming, PlanPrices, Proration, Refusal, Scheduled, change,
};
use super::super::lifecycle::SubscriptionStatus;
use super::super::period::Interval;
use super::{at, june, june_for_customer, price, to_monthly};

/// The refusal of a change.
fn refusal(facts: &ChangeFacts, request: &ChangeRequest) -> Refusal {
    match change(facts, request) {
        Err(ChangeError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// Whether the change takes effect at its instant.
fn is_at_once(facts: &ChangeFacts, request: &ChangeRequest) -> bool {
    matches!(change(facts, request).unwrap(), ChangeOutcome::AtOnce(_))
}

#[test]
fn by_default_an_upgrade_is_at_once_and_a_downgrade_at_the_end() {
    use Interval::{Monthly, Yearly};
    // (interval in force, agreed, new monthly, new yearly, wanted interval, same plan) → at once?
    for (in_force, agreed, monthly, yearly, wanted, same, expected) in [
        (Monthly, 3000, Some(6000), None, Monthly, false, true),
        (Monthly, 3000, Some(3000), None, Monthly, false, true),
        (Monthly, 3000, Some(2999), None, Monthly, false, false),
        // The same plan is never lower, though twelve months for the price of ten.
        (Monthly, 3000, Some(3000), Some(30_000), Yearly, true, true),
        (Yearly, 30_000, Some(3000), Some(30_000), Monthly, true, false),
        // Compared at the interval in force, whatever it costs at the wanted one.
        (Monthly, 3000, Some(2000), Some(99_999), Yearly, false, false),
        (Monthly, 3000, Some(4000), Some(10_000), Yearly, false, true),
        // Not sold at the interval in force: a year against twelve months, 36,000.
        (Monthly, 3000, None, Some(35_999), Yearly, false, false),
        (Monthly, 3000, None, Some(36_000), Yearly, false, true),
        // A shorter interval waits, even for a higher plan.
        (Yearly, 36_000, Some(9000), None, Monthly, false, false),
        (Yearly, 36_000, Some(9000), Some(90_000), Monthly, false, false),
        (Yearly, 36_000, None, Some(36_001), Yearly, false, true),
    ] {
        let mut facts = june();
        facts.schedule.interval = in_force;
        facts.period = facts.schedule.first_period(facts.period.start, 1).unwrap();
        facts.agreed_price_minor = agreed;
        let request = ChangeRequest {
            is_same_plan: same,
            prices: PlanPrices { monthly: monthly.map(price), yearly: yearly.map(price) },
            interval: wanted,
            timing: ChangeTiming::Default,
            ..to_monthly(0)
        };
        assert_eq!(is_at_once(&facts, &request), expected, "{in_force:?} {agreed} → {monthly:?} {yearly:?} {wanted:?}");
    }
}

#[test]
fn a_change_at_the_end_keeps_the_price_of_today() {
    let request = ChangeRequest { timing: ChangeTiming::PeriodEnd, ..to_monthly(6000) };
    let expected = Scheduled { effective_at: at("2027-07-01T00:00:00Z"), interval: Interval::Monthly, price: price(6000) };
    assert_eq!(change(&june(), &request), Ok(ChangeOutcome::Scheduled(expected)));
}

#[test]
fn what_has_no_access_or_has_ended_cannot_change() {
    use SubscriptionStatus as Status;
    for status in [Status::Incomplete, Status::Suspended, Status::Canceled, Status::Expired] {
        for timing in ChangeTiming::ALL {
            let facts = ChangeFacts { status, ..june() };
            assert_eq!(refusal(&facts, &ChangeRequest { timing: *timing, ..to_monthly(6000) }), Refusal::InvalidTransition);
        }
    }
}

#[test]
fn what_is_past_due_changes_at_the_periods_end_alone() {
    let facts = ChangeFacts { status: SubscriptionStatus::PastDue, ..june() };
    assert_eq!(refusal(&facts, &to_monthly(6000)), Refusal::InvalidTransition);
    for timing in [ChangeTiming::Default, ChangeTiming::PeriodEnd] {
        assert!(!is_at_once(&facts, &ChangeRequest { timing, ..to_monthly(6000) }));
    }
}

#[test]
fn the_same_plan_and_interval_is_no_change() {
    let same = ChangeRequest { is_same_plan: true, ..to_monthly(3000) };
    assert_eq!(refusal(&june(), &same), Refusal::NoChange);
    assert_eq!(refusal(&june(), &ChangeRequest { is_available: false, ..same }), Refusal::NoChange);
}

#[test]
fn a_plan_that_is_not_sold_cannot_be_chosen() {
    assert_eq!(refusal(&june(), &ChangeRequest { is_available: false, ..to_monthly(6000) }), Refusal::PlanNotAvailable);
    let yearly_alone = PlanPrices { monthly: None, yearly: Some(price(60_000)) };
    assert_eq!(refusal(&june(), &ChangeRequest { prices: yearly_alone, ..to_monthly(0) }), Refusal::PlanNotAvailable);
}

#[test]
fn a_switch_of_interval_at_once_starts_the_cycle_or_is_invalid() {
    let switch = ChangeRequest { interval: Interval::Yearly, ..to_monthly(6000) };
    for proration in [Proration::None, Proration::ProrateNextInvoice] {
        assert_eq!(refusal(&june(), &ChangeRequest { proration, ..switch }), Refusal::Invalid);
        // At the period's end it is a plain renewal.
        assert!(!is_at_once(&june(), &ChangeRequest { proration, timing: ChangeTiming::PeriodEnd, ..switch }));
    }
    for proration in [Proration::ProrateNow, Proration::ResetCycle] {
        assert!(is_at_once(&june(), &ChangeRequest { proration, ..switch }));
    }
}

#[test]
fn customers_choose_what_the_operator_offers_and_staff_are_not_bound() {
    let downgrade = to_monthly(2000);
    for (request, is_offered) in [
        (to_monthly(6000), true),
        (ChangeRequest { interval: Interval::Yearly, ..to_monthly(6000) }, true),
        (ChangeRequest { proration: Proration::None, ..to_monthly(6000) }, false),
        (ChangeRequest { proration: Proration::ResetCycle, ..to_monthly(6000) }, false),
        (ChangeRequest { proration: Proration::ProrateNextInvoice, ..to_monthly(6000) }, false),
        (downgrade, false),
        (ChangeRequest { timing: ChangeTiming::Default, ..downgrade }, true),
    ] {
        if is_offered {
            assert!(change(&june_for_customer(), &request).is_ok(), "{request:?}");
        } else {
            assert_eq!(refusal(&june_for_customer(), &request), Refusal::NotAllowed, "{request:?}");
        }
        assert!(change(&june(), &request).is_ok(), "{request:?}");
    }
    let generous = ChangeOptions { prorations: Proration::ALL.to_vec(), downgrade_now: true };
    assert!(is_at_once(&ChangeFacts { options: Some(generous), ..june() }, &downgrade));
}

#[test]
fn in_a_trial_every_change_is_at_once_bills_nothing_and_leaves_its_end() {
    let start = at("2027-06-01T09:00:00Z");
    let (period, schedule) = june().schedule.trial(start, 30).unwrap();
    let facts = ChangeFacts { status: SubscriptionStatus::Trialing, period, schedule, charged: None, ..june_for_customer() };
    for proration in Proration::ALL {
        for interval in Interval::ALL {
            for timing in [ChangeTiming::Default, ChangeTiming::Now] {
                let request = ChangeRequest { proration: *proration, interval: *interval, timing, ..to_monthly(2000) };
                let ChangeOutcome::AtOnce(done) = change(&facts, &request).unwrap() else { panic!("it waits: {request:?}") };
                assert_eq!((done.lines.len(), done.reset, done.charged, done.interval), (0, None, None, *interval));
            }
        }
    }
    let later = ChangeRequest { timing: ChangeTiming::PeriodEnd, ..to_monthly(2000) };
    assert!(!is_at_once(&facts, &later));
}

#[test]
fn a_boundary_that_is_due_must_be_billed_first() {
    let late = ChangeRequest { at: at("2027-07-01T00:00:00Z"), ..to_monthly(6000) };
    assert_eq!(change(&june(), &late), Err(ChangeError::Rule(RuleError::BoundaryDue)));
}
