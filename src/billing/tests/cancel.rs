//! Cancellations.

use super::super::RuleError;
use super::super::cancel::{CancelFacts, CancelOutcome, CancelRequest, CancelTiming, Ended, UnusedTime, cancel};
use super::super::change::{ChangeError, Refusal};
use super::super::lifecycle::SubscriptionStatus;
use super::super::period::Granularity;
use super::super::proration::PeriodPrice;
use super::super::tax::Tax;
use super::{at, creditable, june};

/// A subscription at 30.00 since 1 June, paid by card, seen by staff.
fn facts(status: SubscriptionStatus) -> CancelFacts {
    let june = june();
    CancelFacts {
        status,
        period: june.period,
        granularity: Granularity::Day,
        charged: june.charged,
        charging_invoices: june.charging_invoices,
        taken_minor: 3480,
        refunded_minor: 0,
        options: None,
    }
}

/// Asked on 16 June.
fn request(timing: CancelTiming, unused_time: UnusedTime) -> CancelRequest {
    CancelRequest { at: at("2027-06-16T09:00:00Z"), timing, unused_time }
}

/// A cancellation that takes effect at once.
fn at_once(facts: &CancelFacts, request: &CancelRequest) -> Ended {
    match cancel(facts, request).unwrap() {
        CancelOutcome::AtOnce(ended) => *ended,
        scheduled @ CancelOutcome::AtPeriodEnd { .. } => panic!("it waits: {scheduled:?}"),
    }
}

#[test]
fn a_cancellation_at_the_end_waits_where_there_is_access() {
    use SubscriptionStatus as Status;
    let at_end = request(CancelTiming::PeriodEnd, UnusedTime::None);
    for status in [Status::Trialing, Status::Active, Status::PastDue] {
        let expected = CancelOutcome::AtPeriodEnd { cancel_at: at("2027-07-01T00:00:00Z") };
        assert_eq!(cancel(&facts(status), &at_end), Ok(expected));
    }
    assert_eq!(at_once(&facts(Status::Suspended), &at_end).status, Status::Canceled);
    assert_eq!(at_once(&facts(Status::Incomplete), &at_end).status, Status::Expired);
}

#[test]
fn now_ends_access_at_once() {
    use SubscriptionStatus as Status;
    for timing in CancelTiming::ALL {
        for status in [Status::Canceled, Status::Expired] {
            let refused = cancel(&facts(status), &request(*timing, UnusedTime::None));
            assert_eq!(refused, Err(ChangeError::Refused(Refusal::InvalidTransition)));
        }
    }
    for status in [Status::Trialing, Status::Active, Status::PastDue, Status::Suspended] {
        let ended = at_once(&facts(status), &request(CancelTiming::Now, UnusedTime::None));
        assert_eq!((ended.status, ended.unused_minor, ended.notes.notes.len()), (Status::Canceled, 0, 0));
    }
    let incomplete = at_once(&facts(Status::Incomplete), &request(CancelTiming::Now, UnusedTime::Credit));
    assert_eq!((incomplete.status, incomplete.unused_minor), (Status::Expired, 0));
}

#[test]
fn unused_time_is_credited_with_its_tax_the_day_of_the_cancel_being_unused() {
    // 15 of 30 days of 30.00: 15.00 and 2.40.
    let ended = at_once(&facts(SubscriptionStatus::Active), &request(CancelTiming::Now, UnusedTime::Credit));
    assert_eq!((ended.unused_minor, ended.refund_minor), (1740, 0));
    assert_eq!((ended.notes.notes[0].net_minor, ended.notes.notes[0].tax_minor), (1500, 240));
}

#[test]
fn a_refund_leaves_what_account_credit_paid_as_credit() {
    // Without tax: 30.00, 12.00 by account credit and 18.00 by card, half used: U 15.00, refund 3.00, credit 12.00.
    let mut facts = facts(SubscriptionStatus::Active);
    facts.charged = facts.charged.map(|charged| PeriodPrice { tax: Tax::NONE, ..charged });
    facts.charging_invoices = vec![super::Creditable { tax: Tax::NONE, ..creditable(3000, 0) }];
    facts.taken_minor = 1800;
    let ended = at_once(&facts, &request(CancelTiming::Now, UnusedTime::Refund));
    assert_eq!((ended.unused_minor, ended.refund_minor), (1500, 300));
    // Paid by card alone: all of it.
    facts.taken_minor = 3000;
    assert_eq!(at_once(&facts, &request(CancelTiming::Now, UnusedTime::Refund)).refund_minor, 1500);
}

#[test]
fn a_refund_is_with_its_tax_and_no_more_than_gateways_took_beyond_the_value_used() {
    // 34.80 with tax, half used: U is 17.40, and as much was used.
    for (by_card, refund) in [
        (3480, 1740), // all by card: all of U
        (2480, 740),  // 10.00 by account credit: 24.80 − 17.40, and the 10.00 is credit again
        (1740, 0),    // the card paid for what was used
        (0, 0),
    ] {
        let facts = CancelFacts { taken_minor: by_card, ..facts(SubscriptionStatus::Active) };
        let ended = at_once(&facts, &request(CancelTiming::Now, UnusedTime::Refund));
        assert_eq!((ended.unused_minor, ended.refund_minor), (1740, refund), "{by_card}");
        assert_eq!((ended.notes.notes[0].net_minor, ended.notes.notes[0].tax_minor), (1500, 240), "{by_card}");
    }
    // 5.00 were paid back before: 34.80 − 5.00 − 17.40.
    let facts = CancelFacts { refunded_minor: 500, ..facts(SubscriptionStatus::Active) };
    assert_eq!(at_once(&facts, &request(CancelTiming::Now, UnusedTime::Refund)).refund_minor, 1240);
}

#[test]
fn what_was_not_charged_cannot_be_credited() {
    let trial = CancelFacts { charged: None, ..facts(SubscriptionStatus::Trialing) };
    let ended = at_once(&trial, &request(CancelTiming::Now, UnusedTime::Refund));
    assert_eq!((ended.line, ended.unused_minor, ended.refund_minor), (None, 0, 0));
}

#[test]
fn a_customer_gets_for_unused_time_what_the_operator_offers() {
    let offered = CancelFacts { options: Some(vec![UnusedTime::Credit]), ..facts(SubscriptionStatus::Active) };
    assert_eq!(cancel(&offered, &request(CancelTiming::Now, UnusedTime::Refund)), Err(ChangeError::Refused(Refusal::NotAllowed)));
    assert_eq!(at_once(&offered, &request(CancelTiming::Now, UnusedTime::Credit)).unused_minor, 1740);
    assert_eq!(at_once(&offered, &request(CancelTiming::Now, UnusedTime::None)).unused_minor, 0);
}

#[test]
fn a_boundary_that_is_due_must_be_billed_before_a_cancellation() {
    for (timing, unused_time) in [(CancelTiming::PeriodEnd, UnusedTime::None), (CancelTiming::Now, UnusedTime::Credit)] {
        let late = CancelRequest { at: at("2027-07-01T00:00:00Z"), timing, unused_time };
        assert_eq!(cancel(&facts(SubscriptionStatus::Active), &late), Err(ChangeError::Rule(RuleError::BoundaryDue)));
    }
}
