//! State machines, held to the list of what may follow what.

use std::collections::BTreeSet;

use super::super::lifecycle::{
    InvalidTransition, InvoiceEvent, InvoiceStatus, PaymentEvent, PaymentStatus, RefundEvent, RefundStatus, SubscriptionEvent,
    SubscriptionStatus,
};

/// `from → to, to` as pairs.
fn pairs(list: &[(&'static str, &[&'static str])]) -> BTreeSet<(&'static str, &'static str)> {
    list.iter().flat_map(|(from, tos)| tos.iter().map(move |to| (*from, *to))).collect()
}

#[test]
fn a_subscription_goes_where_it_may_and_nowhere_else() {
    let mut found = BTreeSet::new();
    for from in SubscriptionStatus::ALL {
        for event in SubscriptionEvent::ALL {
            found.extend(from.apply(*event).ok().map(|to| (from.as_str(), to.as_str())));
        }
    }
    assert_eq!(
        found,
        pairs(&[
            ("INCOMPLETE", &["ACTIVE", "EXPIRED"]),
            ("TRIALING", &["ACTIVE", "PAST_DUE", "CANCELED"]),
            // SUSPENDED from ACTIVE: by a lost dispute alone.
            ("ACTIVE", &["PAST_DUE", "SUSPENDED", "CANCELED"]),
            ("PAST_DUE", &["ACTIVE", "SUSPENDED", "CANCELED"]),
            ("SUSPENDED", &["ACTIVE", "CANCELED"]),
        ])
    );
    assert_eq!(SubscriptionStatus::initial(true, true), SubscriptionStatus::Trialing);
    assert_eq!(SubscriptionStatus::initial(false, true), SubscriptionStatus::Incomplete);
    assert_eq!(SubscriptionStatus::initial(false, false), SubscriptionStatus::Active);
    assert_eq!(
        SubscriptionStatus::Expired.apply(SubscriptionEvent::Canceled),
        Err(InvalidTransition { state: "EXPIRED", event: "CANCELED" })
    );
}

#[test]
fn nothing_leaves_an_invoice_that_is_paid_or_void() {
    let mut found = BTreeSet::new();
    for from in InvoiceStatus::ALL {
        for event in InvoiceEvent::ALL {
            found.extend(from.apply(*event).ok().map(|to| (from.as_str(), to.as_str())));
        }
    }
    assert_eq!(found, pairs(&[("DRAFT", &["OPEN"]), ("OPEN", &["PAID", "VOID", "UNCOLLECTIBLE"]), ("UNCOLLECTIBLE", &["PAID", "VOID"])]));
}

#[test]
fn a_lost_answer_is_unknown_and_a_failed_attempt_is_final() {
    let mut found = BTreeSet::new();
    for from in PaymentStatus::ALL {
        for event in PaymentEvent::ALL {
            found.extend(from.apply(*event).ok().map(|to| (from.as_str(), to.as_str())));
        }
    }
    assert_eq!(
        found,
        pairs(&[
            ("CREATED", &["SENDING", "CANCELED"]),
            ("SENDING", &["SUCCEEDED", "FAILED", "REQUIRES_ACTION", "UNKNOWN"]),
            ("REQUIRES_ACTION", &["SUCCEEDED", "FAILED", "CANCELED", "UNKNOWN"]),
            ("UNKNOWN", &["SUCCEEDED", "FAILED"]),
            ("SUCCEEDED", &["PARTIALLY_REFUNDED", "REFUNDED", "DISPUTED"]),
            ("PARTIALLY_REFUNDED", &["PARTIALLY_REFUNDED", "REFUNDED", "DISPUTED"]),
            ("REFUNDED", &["DISPUTED"]),
            ("DISPUTED", &["SUCCEEDED", "PARTIALLY_REFUNDED", "REFUNDED"]),
        ])
    );
    assert_eq!(PaymentStatus::Unknown.apply(PaymentEvent::AnswerLost).ok(), None);
    assert_eq!(
        (PaymentStatus::Created.shown(), PaymentStatus::Sending.shown(), PaymentStatus::Failed.shown()),
        ("PENDING", "PENDING", "FAILED")
    );
}

#[test]
fn states_read_back_from_their_text() {
    assert!(SubscriptionStatus::ALL.iter().all(|state| SubscriptionStatus::parse(state.as_str()) == Some(*state)));
    assert!(InvoiceStatus::ALL.iter().all(|state| InvoiceStatus::parse(state.as_str()) == Some(*state)));
    assert!(PaymentStatus::ALL.iter().all(|state| PaymentStatus::parse(state.as_str()) == Some(*state)));
    assert_eq!(SubscriptionStatus::parse("active"), None);
    assert!(SubscriptionStatus::Suspended.is_live() && !SubscriptionStatus::Expired.is_live());
}

#[test]
fn a_refund_ends_once_and_what_is_on_its_way_is_pending() {
    let mut found = BTreeSet::new();
    for from in RefundStatus::ALL {
        for event in RefundEvent::ALL {
            found.extend(from.apply(*event).ok().map(|to| (from.as_str(), to.as_str())));
        }
    }
    assert_eq!(
        found,
        pairs(&[
            ("CREATED", &["SENDING"]),
            ("SENDING", &["ACCEPTED", "UNKNOWN", "SUCCEEDED", "FAILED"]),
            ("ACCEPTED", &["SUCCEEDED", "FAILED"]),
            ("UNKNOWN", &["ACCEPTED", "SUCCEEDED", "FAILED"]),
        ])
    );
    let shown: Vec<&str> = RefundStatus::ALL.iter().map(|status| status.shown()).collect();
    assert_eq!(shown, ["PENDING", "PENDING", "PENDING", "UNKNOWN", "SUCCEEDED", "FAILED"]);
}
