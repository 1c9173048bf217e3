//! The ladder of a payment that fails.

use super::super::dunning::{DunningSettings, Step, StepKind, due_at, following_step, next_step, prompt_time, rungs_ahead};
use super::{at, zone};

#[test]
fn the_ladder_retries_then_suspends_then_cancels() {
    let start = at("2027-03-01T10:00:00Z");
    let rungs: Vec<Step> = (0..).map_while(|taken| next_step(start, taken, &DunningSettings::default()).unwrap()).collect();
    let expected = [
        (StepKind::PastDue, "2027-03-01T10:00:00Z"),
        (StepKind::Retry(1), "2027-03-02T10:00:00Z"),
        (StepKind::Retry(2), "2027-03-04T10:00:00Z"),
        (StepKind::Retry(3), "2027-03-06T10:00:00Z"),
        (StepKind::Retry(4), "2027-03-08T10:00:00Z"),
        (StepKind::Suspend, "2027-03-08T10:00:00Z"),
        // The 8th and 30 days.
        (StepKind::Cancel, "2027-04-07T10:00:00Z"),
    ];
    assert_eq!(rungs, expected.map(|(kind, when)| Step { kind, at: at(when) }));
}

#[test]
fn without_retries_it_suspends_at_once() {
    let start = at("2027-03-01T10:00:00Z");
    let settings = DunningSettings { retry_after_days: vec![], cancel_after_days: 2 };
    let kinds: Vec<StepKind> = (0..).map_while(|taken| next_step(start, taken, &settings).unwrap()).map(|step| step.kind).collect();
    assert_eq!(kinds, [StepKind::PastDue, StepKind::Suspend, StepKind::Cancel]);
}

#[test]
fn what_the_customer_pushes_is_due_a_week_later() {
    let issued = at("2027-03-01T10:00:00Z");
    assert_eq!((due_at(issued, false), due_at(issued, true)), (Ok(issued), Ok(at("2027-03-08T10:00:00Z"))));
}

#[test]
fn phones_are_prompted_by_day() {
    let nairobi = zone("Africa/Nairobi");
    // Local time is three hours ahead.
    for (asked, prompted) in [
        ("2027-03-01T04:59:59Z", "2027-03-01T05:00:00Z"), // 07:59:59 → 08:00
        ("2027-03-01T05:00:00Z", "2027-03-01T05:00:00Z"), // 08:00
        ("2027-03-01T16:59:59Z", "2027-03-01T16:59:59Z"), // 19:59:59
        ("2027-03-01T17:00:00Z", "2027-03-02T05:00:00Z"), // 20:00 → tomorrow
        ("2027-03-01T22:00:00Z", "2027-03-02T05:00:00Z"), // 01:00 of the 2nd → 08:00
    ] {
        assert_eq!(prompt_time(at(asked), &nairobi), Ok(at(prompted)), "{asked}");
    }
}

#[test]
fn a_ladder_goes_on_whatever_became_of_its_settings() {
    let start = at("2027-06-01T00:00:00Z");
    let step = |days: &[u16], taken, is_suspended| {
        let settings = DunningSettings { retry_after_days: days.to_vec(), cancel_after_days: 5 };
        let step = following_step(start, taken, is_suspended, &settings).unwrap().unwrap();
        (step.kind, step.at.to_string())
    };
    // As it was: the second retry of two, the suspension at its date, the end 5 days after that.
    assert_eq!(step(&[2, 4], 2, false), (StepKind::Retry(2), "2027-06-05T00:00:00Z".to_owned()));
    assert_eq!(step(&[2, 4], 3, false), (StepKind::Suspend, "2027-06-05T00:00:00Z".to_owned()));
    assert_eq!(step(&[2, 4], 4, true), (StepKind::Cancel, "2027-06-10T00:00:00Z".to_owned()));
    // Shorter since then: the suspension is next, and nothing is passed by.
    assert_eq!(step(&[2], 4, false), (StepKind::Suspend, "2027-06-03T00:00:00Z".to_owned()));
    // Longer since then: who is suspended is not tried again.
    assert_eq!(step(&[2, 4, 6, 8], 4, true), (StepKind::Cancel, "2027-06-14T00:00:00Z".to_owned()));
}

#[test]
fn all_that_is_ahead_begins_with_the_rung_that_follows() {
    let start = at("2027-06-01T00:00:00Z");
    let ahead = |days: &[u16], taken, is_suspended| {
        let settings = DunningSettings { retry_after_days: days.to_vec(), cancel_after_days: 5 };
        let rungs = rungs_ahead(start, taken, is_suspended, &settings).unwrap();
        let first = following_step(start, taken, is_suspended, &settings).unwrap();
        assert_eq!(rungs.first(), first.as_ref());
        rungs.into_iter().map(|step| format!("{:?} {}", step.kind, step.at.strftime("%d"))).collect::<Vec<_>>()
    };
    assert_eq!(ahead(&[2, 4], 1, false), ["Retry(1) 03", "Retry(2) 05", "Suspend 05", "Cancel 10"]);
    assert_eq!(ahead(&[2, 4], 3, false), ["Suspend 05", "Cancel 10"]);
    assert_eq!(ahead(&[2, 4], 1, true), ["Cancel 10"]);
    assert_eq!(ahead(&[2], 7, false), ["Suspend 03", "Cancel 08"]);
}
