//! The adapter to Stripe against a simulator that keeps the truth about what was charged: without a database, call by call.

use std::sync::Arc;
use std::time::Duration;

use evolve_business::adapters::payment::stripe::{StripeGateway, StripeOptions};
use evolve_business::adapters::payment::{
    AttachError, AttachedMethod, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, LookUpAnswer, MethodSource, PaymentGateway as _,
    RefundAnswer, RefundLookUpAnswer, RefundRequest, WayBack,
};
use evolve_business::clock::SystemClock;
use evolve_business::money::{Currency, Money};

use crate::stripe_simulator::{Card, Fault, SECRET_KEY, Simulator};

/// The gateway at a simulator, whose requests may take so long.
pub(crate) fn gateway_at(simulator: &Simulator, limit: Duration) -> StripeGateway {
    let options = StripeOptions {
        url: simulator.url.clone(),
        secret_key: SECRET_KEY.into(),
        publishable_key: "pk_test_simulator".to_owned(),
        request_limit: limit,
        call_limit: limit * 4,
    };
    StripeGateway::new(&options, Arc::new(SystemClock)).unwrap()
}

async fn pair() -> (StripeGateway, Simulator) {
    let simulator = Simulator::start().await;
    (gateway_at(&simulator, Duration::from_secs(10)), simulator)
}

async fn attached(gateway: &StripeGateway, simulator: &Simulator, card: Card) -> AttachedMethod {
    gateway.attach(MethodSource::CardToken(simulator.card(card))).await.unwrap()
}

fn shillings(amount: &str) -> Money {
    Money::parse(amount, Currency::from_code("KES").unwrap()).unwrap()
}

fn request(key: &str, method: &AttachedMethod) -> ChargeRequest {
    ChargeRequest {
        key: key.to_owned(),
        amount: shillings("34.80"),
        method_reference: method.reference.clone(),
        description: "Invoice INV-2027-000001".to_owned(),
        age: Duration::ZERO,
        back: WayBack::default(),
    }
}

/// The same charge, to be asked about.
fn begun(request: &ChargeRequest) -> BegunCharge {
    BegunCharge {
        key: request.key.clone(),
        amount: request.amount,
        method_reference: request.method_reference.clone(),
        reference: None,
        age: Duration::ZERO,
        back: WayBack::default(),
    }
}

fn refund(key: &str, charge: &str, reference: &str, amount: &str) -> RefundRequest {
    RefundRequest {
        key: key.into(),
        charge_key: charge.into(),
        charge_reference: reference.into(),
        charge_receipt: None,
        amount: shillings(amount),
        again: false,
        back: WayBack::default(),
    }
}

#[tokio::test]
async fn a_card_becomes_a_method_of_a_customer_of_its_own() {
    let (gateway, simulator) = pair().await;
    let made = attached(&gateway, &simulator, Card::Good).await;
    assert_eq!((made.label.as_str(), made.expires_on.unwrap().to_string().as_str()), ("Visa •••• 4242", "2028-02-29"));
    let (customer, method) = made.reference.split_once(':').unwrap();
    assert!(customer.starts_with("cus_") && method.starts_with("pm_"), "{}", made.reference);
    // What a setup intent of Stripe's form has set up.
    let setup = simulator.card(Card::Good).replacen("pm_", "seti_", 1);
    assert!(gateway.attach(MethodSource::CardToken(setup)).await.is_ok());
}

#[tokio::test]
async fn what_is_no_card_or_is_somebodys_already_is_refused() {
    let (gateway, simulator) = pair().await;
    let mine = simulator.card(Card::Good);
    gateway.attach(MethodSource::CardToken(mine.clone())).await.unwrap();
    for token in [mine.as_str(), "pm_none", "seti_none", "tok_visa", "pm_1/../../charges", "pm_1?x=y"] {
        let refused = gateway.attach(MethodSource::CardToken(token.to_owned())).await;
        assert!(matches!(refused, Err(AttachError::Refused(_))), "{token}: {refused:?}");
    }
    assert_eq!(gateway.attach(MethodSource::MpesaPhone("+254712345678".into())).await, Err(AttachError::Unsupported));
}

#[tokio::test]
async fn the_same_charge_again_is_the_same_charge() {
    let (gateway, simulator) = pair().await;
    let charge = request("pay_1", &attached(&gateway, &simulator, Card::Good).await);
    let first = gateway.charge(charge.clone()).await;
    assert!(matches!(first, ChargeAnswer::Succeeded(_)), "{first:?}");
    assert_eq!(gateway.charge(charge.clone()).await, first);
    assert_eq!(simulator.charged(), [("pay_1".to_owned(), 3_480)]);
    // Another amount under the same key is a fault of ours and takes nothing.
    let other = ChargeRequest { amount: shillings("34.81"), ..charge };
    assert_eq!(gateway.charge(other).await, ChargeAnswer::Unknown);
    assert_eq!(simulator.charged().len(), 1);
}

#[tokio::test]
async fn a_key_that_stripe_may_have_forgotten_is_asked_about_and_not_sent_again() {
    let (gateway, simulator) = pair().await;
    let method = attached(&gateway, &simulator, Card::Good).await;
    let charge = request("pay_1", &method);
    simulator.fail([Fault::AnswerLost]);
    assert_eq!(gateway.charge(charge.clone()).await, ChargeAnswer::Unknown);
    simulator.forget_keys();
    let sent = simulator.calls("POST /v1/payment_intents");
    let late = ChargeRequest { age: Duration::from_secs(23 * 3_600 + 1), ..charge };
    assert!(matches!(gateway.charge(late.clone()).await, ChargeAnswer::Succeeded(_)));
    let unheard = ChargeRequest { key: "pay_2".to_owned(), ..late };
    assert_eq!(gateway.charge(unheard).await, ChargeAnswer::Unknown);
    assert_eq!((simulator.calls("POST /v1/payment_intents"), simulator.charged().len()), (sent, 1));
}

#[tokio::test]
async fn each_fault_is_told_apart_by_asking() {
    for (fault, takes) in [(Fault::RequestLost, false), (Fault::AnswerLost, true), (Fault::ErrorAfterEffect, true), (Fault::Late, false)] {
        let (gateway, simulator) = pair().await;
        let charge = request("pay_1", &attached(&gateway, &simulator, Card::Good).await);
        simulator.fail([fault]);
        assert_eq!(gateway.charge(charge.clone()).await, ChargeAnswer::Unknown, "{fault:?}");
        let (found, canceled) = (gateway.look_up(&begun(&charge)).await, gateway.cancel(&begun(&charge)).await);
        if takes {
            assert!(matches!(found, LookUpAnswer::Succeeded(_)), "{fault:?}: {found:?}");
            assert!(matches!(canceled, CancelAnswer::AlreadySucceeded(_)), "{fault:?}: {canceled:?}");
        } else {
            assert_eq!((found, canceled), (LookUpAnswer::NotFound, CancelAnswer::Canceled), "{fault:?}");
            // Called off twice is called off, and known as that.
            assert_eq!(gateway.cancel(&begun(&charge)).await, CancelAnswer::Canceled);
            assert_eq!(gateway.look_up(&begun(&charge)).await, LookUpAnswer::Canceled);
        }
        // What arrives late, or is sent by a worker that was given up, takes nothing any more.
        assert!(simulator.let_late_arrive().iter().all(|status| *status == 400), "{fault:?}");
        gateway.charge(charge).await;
        assert_eq!(simulator.charged().len(), usize::from(takes), "{fault:?}");
    }
}

#[tokio::test]
async fn a_late_request_that_comes_before_the_bar_is_found_by_it() {
    let (gateway, simulator) = pair().await;
    let charge = request("pay_1", &attached(&gateway, &simulator, Card::Good).await);
    simulator.fail([Fault::Late]);
    assert_eq!(gateway.charge(charge.clone()).await, ChargeAnswer::Unknown);
    assert_eq!(gateway.look_up(&begun(&charge)).await, LookUpAnswer::NotFound);
    assert_eq!(simulator.let_late_arrive(), [200]);
    assert!(matches!(gateway.cancel(&begun(&charge)).await, CancelAnswer::AlreadySucceeded(_)));
    assert_eq!(simulator.charged().len(), 1);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_lost_and_found() {
    let simulator = Simulator::start().await;
    let patient = gateway_at(&simulator, Duration::from_secs(10));
    let charge = request("pay_1", &attached(&patient, &simulator, Card::Good).await);
    simulator.fail([Fault::Slow(Duration::from_millis(1_500))]);
    let hasty = gateway_at(&simulator, Duration::from_millis(300));
    assert_eq!(hasty.charge(charge.clone()).await, ChargeAnswer::Unknown);
    // It is still on its way, or done: the same request tells, and charges once.
    assert!(matches!(patient.charge(charge).await, ChargeAnswer::Succeeded(_)));
    assert_eq!(simulator.charged().len(), 1);
}

#[tokio::test]
async fn what_stripe_has_no_room_for_is_sent_again_and_twice_at_most() {
    let (gateway, simulator) = pair().await;
    let method = attached(&gateway, &simulator, Card::Good).await;
    simulator.fail([Fault::Busy, Fault::Busy]);
    assert!(matches!(gateway.charge(request("pay_1", &method)).await, ChargeAnswer::Succeeded(_)));
    simulator.fail([Fault::Busy, Fault::Busy, Fault::Busy]);
    assert_eq!(gateway.charge(request("pay_2", &method)).await, ChargeAnswer::Unknown);
    assert_eq!((simulator.charged().len(), simulator.calls("POST /v1/payment_intents")), (1, 6));
}

#[tokio::test]
async fn a_decline_is_final_and_says_what_the_payer_may_know() {
    let (gateway, simulator) = pair().await;
    for (reason, code, hard) in
        [("insufficient_funds", "insufficient_funds", false), ("lost_card", "card_declined", true), ("expired_card", "expired_card", true)]
    {
        let charge = request(&format!("pay_{reason}"), &attached(&gateway, &simulator, Card::Declines(reason)).await);
        let ChargeAnswer::Failed(decline) = gateway.charge(charge.clone()).await else { panic!("{reason} did not fail") };
        assert_eq!((decline.code.as_str(), decline.hard), (code, hard));
        // Asked about, it failed too, and nobody can confirm it any more.
        assert_eq!(gateway.look_up(&begun(&charge)).await, LookUpAnswer::Failed(decline));
    }
    assert_eq!((simulator.intents(), simulator.charged()), (vec!["canceled"; 3], Vec::new()));
}

#[tokio::test]
async fn a_bank_that_asks_for_the_customer_is_answered_by_the_customer_or_called_off() {
    for (acts, charged) in [(Some(true), 1), (Some(false), 0), (None, 0)] {
        let (gateway, simulator) = pair().await;
        let charge = request("pay_1", &attached(&gateway, &simulator, Card::Authenticates).await);
        let ChargeAnswer::RequiresAction(action) = gateway.charge(charge.clone()).await else { panic!("nobody was asked") };
        let (reference, secret) = (action.reference.unwrap(), action.client_secret.unwrap());
        assert_eq!((secret, action.expires_in), (format!("{reference}_secret_x"), Duration::from_hours(1)));
        let known = BegunCharge { reference: Some(reference), ..begun(&charge) };
        assert!(matches!(gateway.look_up(&known).await, LookUpAnswer::RequiresAction(_)));
        if let Some(passes) = acts {
            simulator.act(passes);
            let found = gateway.look_up(&known).await;
            assert!(
                matches!((passes, &found), (true, LookUpAnswer::Succeeded(_)) | (false, LookUpAnswer::Failed(_))),
                "{passes} {found:?}"
            );
        } else {
            assert_eq!(gateway.cancel(&known).await, CancelAnswer::Canceled);
        }
        assert_eq!(simulator.intents(), [if charged == 1 { "succeeded" } else { "canceled" }]);
        assert_eq!(simulator.charged().len(), charged);
    }
}

#[tokio::test]
async fn a_refund_is_paid_once_whatever_becomes_of_its_answer_or_its_key() {
    let (gateway, simulator) = pair().await;
    let charge = request("pay_1", &attached(&gateway, &simulator, Card::Good).await);
    let ChargeAnswer::Succeeded(success) = gateway.charge(charge).await else { panic!("it did not succeed") };
    let asked = refund("ref_1", "pay_1", &success.reference, "10.00");
    assert_eq!(gateway.look_up_refund(&asked).await, RefundLookUpAnswer::NotFound);
    simulator.fail([Fault::AnswerLost]);
    assert_eq!(gateway.refund(asked.clone()).await, RefundAnswer::Unknown);
    simulator.forget_keys();
    assert!(matches!(gateway.refund(asked.clone()).await, RefundAnswer::Succeeded(_)));
    assert!(matches!(gateway.look_up_refund(&asked).await, RefundLookUpAnswer::Succeeded(_)));
    assert_eq!(simulator.refunded(), [1_000]);
    // Another amount under its key, and more than is left of 34.80.
    let other = refund("ref_1", "pay_1", &success.reference, "10.01");
    assert_eq!(gateway.refund(other).await, RefundAnswer::KeyReused);
    let too_much = refund("ref_2", "pay_1", &success.reference, "24.81");
    assert!(matches!(gateway.refund(too_much).await, RefundAnswer::Failed(_)));
    assert_eq!(simulator.refunded(), [1_000]);
}

#[tokio::test]
async fn without_the_right_key_nothing_is_known_and_nothing_fails() {
    let simulator = Simulator::start().await;
    let good = gateway_at(&simulator, Duration::from_secs(10));
    let charge = request("pay_1", &attached(&good, &simulator, Card::Good).await);
    let options = StripeOptions {
        url: simulator.url.clone(),
        secret_key: "sk_test_wrong".into(),
        publishable_key: "pk_test_x".to_owned(),
        request_limit: Duration::from_secs(10),
        call_limit: Duration::from_secs(20),
    };
    let stranger = StripeGateway::new(&options, Arc::new(SystemClock)).unwrap();
    assert_eq!(stranger.charge(charge.clone()).await, ChargeAnswer::Unknown);
    assert_eq!(stranger.look_up(&begun(&charge)).await, LookUpAnswer::Unknown);
    assert_eq!(stranger.cancel(&begun(&charge)).await, CancelAnswer::Unknown);
    assert!(!format!("{options:?} {stranger:?}").contains("sk_test"), "secrets are not shown");
}
