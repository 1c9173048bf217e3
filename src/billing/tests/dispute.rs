//! Disputes: what follows from what a gateway tells, and what one that was lost comes to.

use super::super::dispute::{DisputeFunds as Funds, DisputeStatus as Status, Loss, Stand, Told, split_loss, won};
use super::super::lifecycle::PaymentEvent;

/// Follows what is told, one after the other: each step's entries, then how it stands. Stops at what cannot be.
fn told(steps: &[(Status, bool)]) -> (Vec<&'static str>, Option<Stand>) {
    let mut stand = Stand::new(steps[0].0);
    let mut entered = Vec::new();
    for &(status, is_taken) in steps {
        let Ok(followed) = stand.follow(Told { status, is_taken }) else { return (entered, None) };
        entered.extend(followed.takes.then_some("taken"));
        entered.extend(followed.gives_back.then_some("given back"));
        entered.extend(followed.loses.then_some("lost"));
        stand = followed.stand;
    }
    (entered, Some(stand))
}

#[test]
fn the_money_of_a_dispute_moves_once_however_it_is_told() {
    use Status::{Inquiry, InquiryClosed, Lost, NeedsResponse, UnderReview, Won};
    for (steps, entered, status, funds, is_over) in [
        // Told in order, and each thing twice.
        (
            vec![(NeedsResponse, false), (NeedsResponse, true), (NeedsResponse, true), (UnderReview, true)],
            vec!["taken"],
            UnderReview,
            Funds::Taken,
            false,
        ),
        (vec![(NeedsResponse, true), (Lost, true), (Lost, true)], vec!["taken", "lost"], Lost, Funds::Lost, true),
        (vec![(NeedsResponse, true), (Won, true), (Won, false), (Won, false)], vec!["taken", "given back"], Won, Funds::GivenBack, true),
        // The money comes back before the decision is told.
        (vec![(UnderReview, true), (UnderReview, false), (Won, false)], vec!["taken", "given back"], Won, Funds::GivenBack, true),
        // First heard of when it was over.
        (vec![(Lost, true)], vec!["taken", "lost"], Lost, Funds::Lost, true),
        (vec![(Won, false)], vec![], Won, Funds::NotTaken, true),
        // Decided, and the money follows.
        (vec![(NeedsResponse, false), (Lost, false)], vec![], Lost, Funds::NotTaken, false),
        (vec![(NeedsResponse, true), (Won, true)], vec!["taken"], Won, Funds::Taken, false),
        // The bank only asks; or asks, and takes.
        (vec![(Inquiry, false), (Inquiry, false), (InquiryClosed, false)], vec![], InquiryClosed, Funds::NotTaken, true),
        (vec![(Inquiry, false), (NeedsResponse, true), (Lost, true)], vec!["taken", "lost"], Lost, Funds::Lost, true),
        // Lost, and the money was given back all the same.
        (vec![(NeedsResponse, true), (NeedsResponse, false), (Lost, false)], vec!["taken", "given back"], Lost, Funds::GivenBack, true),
    ] {
        let found = told(&steps);
        assert_eq!(found, (entered, Some(Stand { status, funds })), "{steps:?}");
        assert_eq!(found.1.unwrap().is_over(), is_over, "{steps:?}");
    }
}

#[test]
fn what_is_final_is_not_told_otherwise() {
    use Status::{Inquiry, InquiryClosed, Lost, NeedsResponse, Won};
    for steps in [
        [(NeedsResponse, true), (Won, false), (Lost, true)],
        [(NeedsResponse, true), (Lost, true), (Won, false)],
        [(NeedsResponse, true), (Lost, true), (Lost, false)],
        [(NeedsResponse, true), (NeedsResponse, false), (NeedsResponse, true)],
        [(Inquiry, false), (InquiryClosed, false), (NeedsResponse, true)],
        [(Inquiry, false), (NeedsResponse, true), (Inquiry, false)],
    ] {
        assert_eq!(told(&steps).1, None, "{steps:?}");
    }
}

#[test]
fn a_payment_holds_while_its_bank_disputes_or_keeps_it() {
    let holding: Vec<&str> = Status::ALL.iter().filter(|status| status.holds_the_payment()).map(|status| status.as_str()).collect();
    assert_eq!(holding, ["NEEDS_RESPONSE", "UNDER_REVIEW", "LOST"]);
    // Of 34.80.
    for (refunded, event) in
        [(0, PaymentEvent::DisputeWon), (1_160, PaymentEvent::DisputeWonPartlyRefunded), (3_480, PaymentEvent::DisputeWonRefunded)]
    {
        assert_eq!(won(refunded, 3_480), event);
    }
}

#[test]
fn a_lost_dispute_is_credited_as_far_as_there_is_something_left_and_the_rest_is_a_cost() {
    for (disputed, most, credited, written_off) in
        [(3_480, 3_480, 3_480, 0), (1_000, 3_480, 1_000, 0), (3_480, 2_320, 2_320, 1_160), (3_480, 0, 0, 3_480)]
    {
        assert_eq!(split_loss(disputed, most), Ok(Loss { credited_minor: credited, written_off_minor: written_off }));
    }
}
