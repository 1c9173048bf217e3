use std::collections::HashSet;
use std::time::Instant;

use futures::future::join_all;
use tempfile::TempDir;

use super::*;
use crate::adapters::payment::{Success, WayBack};
use crate::clock::ManualClock;
use crate::money::Money;

struct World {
    dir: TempDir,
    clock: Arc<ManualClock>,
    gateway: SandboxGateway,
}

impl World {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::at("2027-01-31T09:00:00Z".parse().unwrap()));
        let gateway = SandboxGateway::open(dir.path(), clock.clone(), SandboxOptions::default()).await.unwrap();
        Self { dir, clock, gateway }
    }

    async fn another(&self, options: SandboxOptions) -> SandboxGateway {
        SandboxGateway::open(self.dir.path(), self.clock.clone(), options).await.unwrap()
    }

    async fn charged_keys(&self) -> Vec<String> {
        self.gateway.charges().await.unwrap().into_iter().map(|charge| charge.key).collect()
    }
}

fn kes(text: &str) -> Money {
    Money::parse(text, Currency::from_code("KES").unwrap()).unwrap()
}

fn request(key: &str, method: &str) -> ChargeRequest {
    ChargeRequest {
        key: key.to_owned(),
        amount: kes("3480.00"),
        method_reference: method.to_owned(),
        description: "INV-2027-000001".to_owned(),
        age: Duration::ZERO,
        back: WayBack::default(),
    }
}

fn first_success(key: &str) -> Success {
    Success { reference: format!("sbx_{key}"), receipt: Some("SBX0000001".to_owned()) }
}

#[tokio::test]
async fn every_behavior_can_be_attached_and_is_told_by_its_reference() {
    let world = World::new().await;
    let mut references = HashSet::new();
    for behavior in BEHAVIORS {
        let method = world.gateway.attach(MethodSource::Sandbox(behavior)).await.unwrap();
        assert_eq!(behavior_of(&method.reference), Some(behavior));
        assert_eq!((method.kind, method.expires_on), (MethodKind::Sandbox, None));
        references.insert(method.reference);
    }
    assert_eq!(references.len(), 5);
    let card = world.gateway.attach(MethodSource::CardToken("tok_1".to_owned())).await;
    assert_eq!(card, Err(AttachError::Unsupported));
}

#[tokio::test]
async fn a_charge_that_succeeds_is_remembered_with_what_was_asked() {
    let world = World::new().await;
    let answer = world.gateway.charge(request("pay_1", "sandbox_succeeds")).await;
    assert_eq!(answer, ChargeAnswer::Succeeded(first_success("pay_1")));
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::Succeeded(first_success("pay_1")));
    assert_eq!(world.gateway.cancel("pay_1").await, CancelAnswer::AlreadySucceeded(first_success("pay_1")));
    let charge = SandboxCharge {
        key: "pay_1".to_owned(),
        amount: kes("3480.00"),
        method_reference: "sandbox_succeeds".to_owned(),
        description: "INV-2027-000001".to_owned(),
        reference: "sbx_pay_1".to_owned(),
        receipt: "SBX0000001".to_owned(),
        charged_at: "2027-01-31T09:00:00Z".parse().unwrap(),
    };
    assert_eq!(world.gateway.charges().await.unwrap(), std::slice::from_ref(&charge));
    assert_eq!(world.gateway.charge_of("pay_1").await.unwrap(), Some(charge));
    assert_eq!(world.gateway.charge_of("pay_2").await.unwrap(), None);
}

#[tokio::test]
async fn a_declined_charge_takes_nothing_and_stays_declined() {
    let world = World::new().await;
    for _ in 0..2 {
        let answer = world.gateway.charge(request("pay_1", "sandbox_declines")).await;
        assert!(matches!(&answer, ChargeAnswer::Failed(d) if d.code == "card_declined" && !d.hard), "{answer:?}");
    }
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::Failed(card_declined()));
    assert_eq!(world.gateway.cancel("pay_1").await, CancelAnswer::AlreadyFailed(card_declined()));
    assert!(world.charged_keys().await.is_empty());
}

#[tokio::test]
async fn a_charge_that_times_out_never_reached_the_gateway() {
    let world = World::new().await;
    assert_eq!(world.gateway.charge(request("pay_1", "sandbox_times_out")).await, ChargeAnswer::Unknown);
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::NotFound);
    assert!(world.charged_keys().await.is_empty());
}

#[tokio::test]
async fn a_late_success_loses_its_answer_and_keeps_its_charge() {
    let world = World::new().await;
    for _ in 0..2 {
        assert_eq!(world.gateway.charge(request("pay_1", "sandbox_succeeds_late")).await, ChargeAnswer::Unknown);
    }
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::Succeeded(first_success("pay_1")));
    assert_eq!(world.gateway.cancel("pay_1").await, CancelAnswer::AlreadySucceeded(first_success("pay_1")));
    assert_eq!(world.charged_keys().await, ["pay_1"]);
}

#[tokio::test]
async fn a_customer_who_acts_settles_the_charge_once() {
    let world = World::new().await;
    let answer = world.gateway.charge(request("pay_1", "sandbox_requires_action")).await;
    let action = Action {
        kind: ActionKind::Redirect,
        url: Some("http://127.0.0.1:8080/gateways/sandbox/actions/pay_1".to_owned()),
        client_secret: None,
        expires_in: Duration::from_hours(1),
        reference: None,
    };
    assert_eq!(answer, ChargeAnswer::RequiresAction(action.clone()));
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::RequiresAction(action));
    assert!(world.charged_keys().await.is_empty());

    world.clock.advance(SignedDuration::from_mins(20));
    let again = world.gateway.charge(request("pay_1", "sandbox_requires_action")).await;
    assert!(matches!(again, ChargeAnswer::RequiresAction(a) if a.expires_in == Duration::from_mins(40)));

    world.gateway.complete_action("pay_1", true).await.unwrap();
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::Succeeded(first_success("pay_1")));
    assert_eq!(world.gateway.charges().await.unwrap()[0].charged_at.to_string(), "2027-01-31T09:20:00Z");
    assert!(matches!(world.gateway.complete_action("pay_1", false).await, Err(ActionError::NotWaiting)));
    assert_eq!(world.charged_keys().await, ["pay_1"]);
}

#[tokio::test]
async fn a_customer_who_fails_the_check_is_not_charged() {
    let world = World::new().await;
    world.gateway.charge(request("pay_1", "sandbox_requires_action")).await;
    world.gateway.complete_action("pay_1", false).await.unwrap();
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::Failed(authentication_failed()));
    assert!(world.charged_keys().await.is_empty());
    assert!(matches!(world.gateway.complete_action("pay_2", true).await, Err(ActionError::NotFound)));
}

#[tokio::test]
async fn an_action_lapses_after_an_hour_and_not_a_moment_before() {
    let world = World::new().await;
    world.gateway.charge(request("pay_1", "sandbox_requires_action")).await;
    world.clock.set("2027-01-31T09:59:59.999999Z".parse().unwrap());
    assert!(matches!(world.gateway.look_up("pay_1").await, LookUpAnswer::RequiresAction(_)));
    world.clock.set("2027-01-31T10:00:00Z".parse().unwrap());
    assert!(matches!(world.gateway.complete_action("pay_1", true).await, Err(ActionError::NotWaiting)));
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::Canceled);
    assert_eq!(world.gateway.cancel("pay_1").await, CancelAnswer::Canceled);
    let again = world.gateway.charge(request("pay_1", "sandbox_requires_action")).await;
    assert_eq!(again, ChargeAnswer::Failed(canceled()));
    assert!(world.charged_keys().await.is_empty());
}

#[tokio::test]
async fn a_canceled_key_takes_nothing_even_when_its_charge_arrives_later() {
    let world = World::new().await;
    world.gateway.charge(request("pay_1", "sandbox_requires_action")).await;
    for key in ["pay_1", "pay_2"] {
        assert_eq!(world.gateway.cancel(key).await, CancelAnswer::Canceled);
        assert_eq!(world.gateway.cancel(key).await, CancelAnswer::Canceled);
        assert_eq!(world.gateway.look_up(key).await, LookUpAnswer::Canceled);
    }
    assert!(matches!(world.gateway.complete_action("pay_1", true).await, Err(ActionError::NotWaiting)));
    assert_eq!(world.gateway.charge(request("pay_2", "sandbox_succeeds")).await, ChargeAnswer::Failed(canceled()));
    assert!(world.charged_keys().await.is_empty());
}

#[tokio::test]
async fn sixteen_calls_with_one_key_through_two_openings_make_one_charge() {
    let world = World::new().await;
    let other = world.another(SandboxOptions::default()).await;
    let calls = (0..16).map(|n| {
        let gateway = if n % 2 == 0 { world.gateway.clone() } else { other.clone() };
        tokio::spawn(async move { gateway.charge(request("pay_1", "sandbox_succeeds")).await })
    });
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), ChargeAnswer::Succeeded(first_success("pay_1")));
    }
    assert_eq!(world.charged_keys().await, ["pay_1"]);
}

#[tokio::test]
async fn a_key_cannot_stand_for_another_amount_currency_or_method() {
    let world = World::new().await;
    let first = request("pay_1", "sandbox_succeeds");
    world.gateway.charge(first.clone()).await;
    let dearer = ChargeRequest { amount: kes("3480.01"), ..first.clone() };
    let dollars = ChargeRequest { amount: Money::parse("3480.00", Currency::from_code("USD").unwrap()).unwrap(), ..first.clone() };
    for other in [dearer, dollars, request("pay_1", "sandbox_declines")] {
        assert_eq!(world.gateway.charge(other).await, ChargeAnswer::KeyReused);
    }
    assert_eq!(world.gateway.charge(first).await, ChargeAnswer::Succeeded(first_success("pay_1")));
    assert_eq!(world.gateway.charges().await.unwrap()[0].amount, kes("3480.00"));
    assert_eq!(world.charged_keys().await, ["pay_1"]);
}

#[tokio::test]
async fn what_was_charged_is_still_known_when_the_file_is_opened_again() {
    let world = World::new().await;
    world.gateway.charge(request("pay_1", "sandbox_succeeds")).await;
    world.gateway.charge(request("pay_2", "sandbox_requires_action")).await;
    world.gateway.close().await;
    // A closed gateway does not answer, and that is not a failed payment.
    assert_eq!(world.gateway.charge(request("pay_3", "sandbox_succeeds")).await, ChargeAnswer::Unknown);
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::Unknown);
    assert_eq!(world.gateway.cancel("pay_1").await, CancelAnswer::Unknown);

    let reopened = world.another(SandboxOptions::default()).await;
    assert_eq!(reopened.charge(request("pay_1", "sandbox_succeeds")).await, ChargeAnswer::Succeeded(first_success("pay_1")));
    reopened.complete_action("pay_2", true).await.unwrap();
    let keys: Vec<_> = reopened.charges().await.unwrap().into_iter().map(|charge| (charge.key, charge.receipt)).collect();
    assert_eq!(keys, [("pay_1".to_owned(), "SBX0000001".to_owned()), ("pay_2".to_owned(), "SBX0000002".to_owned())]);
}

#[tokio::test]
async fn eight_processes_may_make_the_file_at_once() {
    let dir = TempDir::new().unwrap();
    let clock: SharedClock = Arc::new(ManualClock::at("2027-01-31T09:00:00Z".parse().unwrap()));
    let opens = (0..8).map(|n| {
        let (path, clock) = (dir.path().to_owned(), clock.clone());
        tokio::spawn(async move {
            let gateway = SandboxGateway::open(&path, clock, SandboxOptions::default()).await.unwrap();
            gateway.charge(request(&format!("pay_{n}"), "sandbox_succeeds")).await
        })
    });
    for answer in join_all(opens).await {
        assert!(matches!(answer.unwrap(), ChargeAnswer::Succeeded(_)));
    }
    let gateway = SandboxGateway::open(dir.path(), clock, SandboxOptions::default()).await.unwrap();
    assert_eq!(gateway.charges().await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_held_answer_is_lost_while_others_already_see_the_charge() {
    let world = World::new().await;
    let options = SandboxOptions {
        hold_after_commit: Some(Duration::from_mins(1)),
        call_limit: Duration::from_millis(500),
        ..SandboxOptions::default()
    };
    let holding = world.another(options).await;
    let started = Instant::now();
    assert_eq!(holding.charge(request("pay_1", "sandbox_succeeds")).await, ChargeAnswer::Unknown);
    assert!(started.elapsed() < Duration::from_secs(30), "the call is bounded in time");
    assert_eq!(world.charged_keys().await, ["pay_1"]);
    // A replay is not held: the charge is not new.
    assert_eq!(holding.charge(request("pay_1", "sandbox_succeeds")).await, ChargeAnswer::Succeeded(first_success("pay_1")));
}

#[tokio::test]
async fn what_cannot_be_charged_is_refused_before_anything_is_written() {
    let world = World::new().await;
    for key in ["", "pay 1", "pay/1", "pay_é", &"k".repeat(256)] {
        let answer = world.gateway.charge(request(key, "sandbox_succeeds")).await;
        assert_eq!(answer, ChargeAnswer::Failed(invalid_request()), "{key:?}");
    }
    for amount in ["0.00", "-1.00"] {
        let answer = world.gateway.charge(ChargeRequest { amount: kes(amount), ..request("pay_1", "sandbox_succeeds") }).await;
        assert_eq!(answer, ChargeAnswer::Failed(invalid_request()), "{amount}");
    }
    let answer = world.gateway.charge(request("pay_1", "card_4242")).await;
    assert_eq!(answer, ChargeAnswer::Failed(method_unknown()));
    assert_eq!(world.gateway.look_up("pay_1").await, LookUpAnswer::NotFound);
    assert_eq!(world.gateway.charge(request("pay_1", "sandbox_succeeds")).await, ChargeAnswer::Succeeded(first_success("pay_1")));
}

#[test]
fn an_amount_fits_the_terms_when_it_is_whole_units_within_both_bounds() {
    let terms = AmountTerms { unit_minor: 100, least_minor: 1_000, most_minor: 25_000_000 };
    for (minor, fits) in [(900, false), (1_000, true), (1_050, false), (25_000_000, true), (25_000_100, false), (-1_000, false)] {
        assert_eq!(terms.take(minor), fits, "{minor}");
    }
}

fn refund(key: &str, charge_key: &str, amount: &str) -> RefundRequest {
    let (key, charge_key) = (key.to_owned(), charge_key.to_owned());
    RefundRequest {
        charge_reference: format!("sbx_{charge_key}"),
        charge_receipt: None,
        key,
        charge_key,
        amount: kes(amount),
        again: false,
        back: WayBack::default(),
    }
}

#[tokio::test]
async fn a_refund_is_paid_once_per_key_and_never_beyond_what_was_charged() {
    let world = World::new().await;
    world.gateway.charge(request("pay_1", "sandbox_succeeds")).await;
    for _ in 0..2 {
        let answer = world.gateway.refund(refund("ref_1", "pay_1", "3000.00")).await;
        assert_eq!(answer, RefundAnswer::Succeeded("sbx_ref_1".to_owned()));
    }
    assert_eq!(world.gateway.look_up_refund("ref_1").await, RefundLookUpAnswer::Succeeded("sbx_ref_1".to_owned()));
    assert_eq!(world.gateway.look_up_refund("ref_2").await, RefundLookUpAnswer::NotFound);
    for (asked, code) in [
        (refund("ref_2", "pay_1", "480.01"), "refund_exceeds_charge"),
        (refund("ref_3", "pay_2", "1.00"), "charge_unknown"),
        (refund("ref 4", "pay_1", "1.00"), "invalid_request"),
    ] {
        let answer = world.gateway.refund(asked).await;
        assert!(matches!(&answer, RefundAnswer::Failed(refused) if refused.code == code), "{answer:?}");
    }
    // What was refused stays refused, whatever the charge has left.
    assert!(matches!(world.gateway.look_up_refund("ref_2").await, RefundLookUpAnswer::Failed(_)));
    assert_eq!(world.gateway.refund(refund("ref_1", "pay_1", "1.00")).await, RefundAnswer::KeyReused);
    assert_eq!(world.gateway.refund(refund("ref_5", "pay_1", "480.00")).await, RefundAnswer::Succeeded("sbx_ref_5".to_owned()));
    let paid = world.gateway.refunds().await.unwrap().into_iter().filter(|refund| refund.refused.is_none());
    assert_eq!(paid.map(|refund| refund.amount.minor()).sum::<i64>(), 348_000);
}

#[tokio::test]
async fn a_refund_of_a_late_charge_is_paid_and_its_answer_lost() {
    let world = World::new().await;
    world.gateway.charge(request("pay_1", "sandbox_succeeds_late")).await;
    assert_eq!(world.gateway.refund(refund("ref_1", "pay_1", "1.00")).await, RefundAnswer::Unknown);
    assert_eq!(world.gateway.look_up_refund("ref_1").await, RefundLookUpAnswer::Succeeded("sbx_ref_1".to_owned()));
    assert_eq!(world.gateway.refunds().await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_refunds_at_once_no_more_is_paid_than_was_charged() {
    let world = World::new().await;
    world.gateway.charge(request("pay_1", "sandbox_succeeds")).await;
    let another = world.another(SandboxOptions::default()).await;
    let asked = (0..20).map(|number| {
        let gateway = if number % 2 == 0 { &world.gateway } else { &another };
        gateway.refund(refund(&format!("ref_{number}"), "pay_1", "1000.00"))
    });
    let answers = join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, RefundAnswer::Succeeded(_))).count(), 3);
}
