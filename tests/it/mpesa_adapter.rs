//! The adapter to M-Pesa against a simulator of Daraja that keeps the truth about who paid: without a database, call by call.

use std::sync::Arc;
use std::time::Duration;

use evolve_business::adapters::payment::mpesa::{MpesaGateway, MpesaOptions, callback};
use evolve_business::adapters::payment::{
    ActionKind, AttachError, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, Heard, HeardOf, LookUpAnswer, MethodSource,
    PaymentGateway as _, RefundAnswer, RefundLookUpAnswer, RefundRequest, WayBack,
};
use evolve_business::clock::{ManualClock, SharedClock, SystemClock};
use evolve_business::config::MpesaSettings;
use evolve_business::money::{Currency, Money};
use futures::future::join_all;
use jiff::SignedDuration;

use crate::mpesa_simulator::{
    CALLBACK_URL, CONSUMER_KEY, CONSUMER_SECRET, CREDENTIAL, Daraja, Fault, Holder, INITIATOR, PASSKEY, SHORT_CODE,
};

const PHONE: &str = "254712345678";
const HOUR: Duration = Duration::from_hours(1);

/// The gateway at a simulator.
pub(crate) fn gateway_at(daraja: &Daraja, clock: SharedClock) -> MpesaGateway {
    let settings = MpesaSettings {
        url: daraja.url.clone(),
        consumer_key: CONSUMER_KEY.into(),
        consumer_secret: CONSUMER_SECRET.into(),
        short_code: SHORT_CODE.to_owned(),
        passkey: PASSKEY.into(),
        initiator: INITIATOR.to_owned(),
        security_credential: CREDENTIAL.into(),
        callback_url: CALLBACK_URL.to_owned(),
    };
    let limit = Duration::from_secs(10);
    MpesaGateway::new(&MpesaOptions { settings, request_limit: limit, call_limit: limit * 4 }, clock).unwrap()
}

async fn pair() -> (MpesaGateway, Daraja) {
    let daraja = Daraja::start().await;
    (gateway_at(&daraja, Arc::new(SystemClock)), daraja)
}

fn shillings(amount: &str) -> Money {
    Money::parse(amount, Currency::from_code("KES").unwrap()).unwrap()
}

fn back() -> WayBack {
    WayBack { secret: "own".to_owned(), status_secret: "status".to_owned(), heard: Vec::new() }
}

fn request(phone: &str, amount: &str) -> ChargeRequest {
    ChargeRequest {
        key: "pay_1".to_owned(),
        amount: shillings(amount),
        method_reference: phone.to_owned(),
        description: "Invoice INV-2027-000001".to_owned(),
        age: Duration::ZERO,
        back: back(),
    }
}

/// The charge, to be asked about.
fn begun(reference: Option<&str>, amount: &str) -> BegunCharge {
    BegunCharge {
        key: "pay_1".to_owned(),
        amount: shillings(amount),
        method_reference: String::new(),
        reference: reference.map(str::to_owned),
        age: Duration::ZERO,
        back: back(),
    }
}

/// What the simulator has to tell, as the adapter reads it.
fn heard(daraja: &Daraja) -> Vec<Heard> {
    let told = daraja.callbacks().into_iter().map(|(address, body)| {
        let of = if address.ends_with("/status") { HeardOf::Status } else { HeardOf::Charge };
        callback::read(of, body.as_bytes()).unwrap()
    });
    told.collect()
}

/// Pushes, and answers the prompt's id.
async fn pushed(gateway: &MpesaGateway, phone: &str) -> String {
    match gateway.charge(request(phone, "35.00")).await {
        ChargeAnswer::RequiresAction(action) => action.reference.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_phone_is_prompted_for_whole_shillings_by_an_address_of_its_own() {
    let (gateway, daraja) = pair().await;
    daraja.holder(PHONE, Holder::Waits);
    let ChargeAnswer::RequiresAction(action) = gateway.charge(request(PHONE, "35.00")).await else { panic!("a prompt") };
    assert_eq!((action.kind, action.expires_in, action.url, action.client_secret), (ActionKind::Phone, Duration::from_mins(3), None, None));
    let prompts = daraja.prompts();
    let [prompt] = &prompts[..] else { panic!("one prompt") };
    assert_eq!((prompt.phone.as_str(), prompt.amount, prompt.account.as_str()), (PHONE, 35, "2027-000001"));
    assert_eq!(prompt.callback, format!("{CALLBACK_URL}/gateways/mpesa/events/own"));
    assert_eq!(Some(&prompt.id), action.reference.as_ref());
    // Of cents, of another currency, of too much and to no phone nothing is sent.
    let dollars = ChargeRequest { amount: Money::parse("35.00", Currency::from_code("USD").unwrap()).unwrap(), ..request(PHONE, "1.00") };
    for refused in [request(PHONE, "34.80"), request(PHONE, "250001.00"), request("12345", "35.00"), request("", "35.00"), dollars] {
        assert!(
            matches!(gateway.charge(refused.clone()).await, ChargeAnswer::Failed(decline) if decline.code == "invalid_request"),
            "{refused:?}"
        );
    }
    assert_eq!(daraja.prompts().len(), 1);
}

#[tokio::test]
async fn only_kenyan_mobile_numbers_are_taken() {
    let (gateway, _) = pair().await;
    let attached = gateway.attach(MethodSource::MpesaPhone("+254712345678".to_owned())).await.unwrap();
    assert_eq!((attached.reference.as_str(), attached.label.as_str()), (PHONE, "M-Pesa •••• 678"));
    assert!(matches!(gateway.attach(MethodSource::MpesaPhone("+255712345678".to_owned())).await, Err(AttachError::Refused(_))));
    assert_eq!(gateway.attach(MethodSource::CardToken("pm_1".to_owned())).await, Err(AttachError::Unsupported));
    let terms = gateway.terms(Currency::from_code("KES").unwrap()).unwrap();
    assert_eq!((terms.unit_minor, terms.least_minor, terms.most_minor), (100, 100, 25_000_000));
    assert_eq!(gateway.terms(Currency::from_code("UGX").unwrap()), None);
}

#[tokio::test]
async fn one_token_serves_all_until_it_ends_or_is_not_known_any_more() {
    let daraja = Daraja::start().await;
    let clock = Arc::new(ManualClock::at("2027-01-31T09:00:00Z".parse().unwrap()));
    let gateway = gateway_at(&daraja, clock.clone());
    let phones: Vec<String> = (0..20).map(|at| format!("2547000000{at:02}")).collect();
    join_all(phones.iter().map(|phone| pushed(&gateway, phone))).await;
    assert_eq!((daraja.tokens(), daraja.prompts().len()), (1, 20), "one asks for it, and the others wait");
    // It lasts 3599 seconds, and is replaced a minute before.
    clock.advance(SignedDuration::from_secs(3_538));
    pushed(&gateway, "254711111111").await;
    assert_eq!(daraja.tokens(), 1);
    clock.advance(SignedDuration::from_secs(1));
    pushed(&gateway, "254711111112").await;
    assert_eq!(daraja.tokens(), 2);
    // What Daraja refuses for its token did nothing, and is sent once more.
    daraja.forget_token();
    pushed(&gateway, "254711111113").await;
    daraja.fail([Fault::NoToken]);
    pushed(&gateway, "254711111114").await;
    assert_eq!((daraja.tokens(), daraja.prompts().len()), (4, 24));
    // 12:00 of East Africa, and 58:59 later.
    let stamps: Vec<String> = daraja.prompts().into_iter().map(|prompt| prompt.timestamp).collect();
    assert_eq!((stamps[0].as_str(), stamps[23].as_str()), ("20270131120000", "20270131125859"));
}

#[tokio::test]
async fn each_fault_is_told_as_what_it_is_and_nothing_is_pushed_twice() {
    let (gateway, daraja) = pair().await;
    for (fault, is_unknown, prompts) in [
        (Fault::RequestLost, true, 0),
        (Fault::AnswerLost, true, 1),
        (Fault::ErrorAfterEffect, true, 1),
        (Fault::Late, true, 0),
        (Fault::Slow(Duration::from_millis(100)), false, 1),
        (Fault::Busy, false, 1),
    ] {
        let before = daraja.prompts().len();
        daraja.fail([fault]);
        let answer = gateway.charge(request(PHONE, "35.00")).await;
        assert_eq!(answer == ChargeAnswer::Unknown, is_unknown, "{fault:?}: {answer:?}");
        assert_eq!(daraja.prompts().len() - before, prompts, "{fault:?}");
        // In hand again: it is not sent.
        let again = ChargeRequest { age: Duration::from_micros(1), ..request(PHONE, "35.00") };
        assert_eq!(gateway.charge(again).await, ChargeAnswer::Unknown, "{fault:?}");
        assert_eq!(daraja.prompts().len() - before, prompts, "{fault:?}");
        // What arrives late is the one prompt.
        daraja.let_late_arrive();
        assert_eq!(daraja.prompts().len() - before, prompts + usize::from(fault == Fault::Late), "{fault:?}");
    }
}

#[tokio::test]
async fn a_prompt_is_asked_about_until_it_is_over() {
    let (gateway, daraja) = pair().await;
    daraja.holder(PHONE, Holder::Waits);
    for (code, expected) in [("1", "insufficient_funds"), ("1032", "canceled_by_payer"), ("1037", "unreachable"), ("2001", "wrong_pin")] {
        let id = pushed(&gateway, PHONE).await;
        let charge = begun(Some(&id), "35.00");
        assert_eq!(gateway.look_up(&charge).await, LookUpAnswer::Unknown, "it is still on the phone");
        assert_eq!(gateway.cancel(&charge).await, CancelAnswer::Unknown, "it cannot be called off");
        // A second prompt of the same phone is refused, and did nothing.
        assert!(matches!(gateway.charge(request(PHONE, "35.00")).await, ChargeAnswer::Failed(decline) if decline.code == "payer_busy"));
        daraja.act(Some(code));
        assert!(matches!(gateway.look_up(&charge).await, LookUpAnswer::Failed(decline) if decline.code == expected), "{code}");
        assert!(matches!(gateway.cancel(&charge).await, CancelAnswer::AlreadyFailed(decline) if decline.code == expected), "{code}");
    }
    let id = pushed(&gateway, PHONE).await;
    daraja.act(None);
    let LookUpAnswer::Succeeded(success) = gateway.look_up(&begun(Some(&id), "35.00")).await else { panic!("paid") };
    assert_eq!((success.reference, success.receipt), (id.clone(), None), "no query tells the receipt");
    let told = BegunCharge { back: WayBack { heard: heard(&daraja), ..back() }, ..begun(Some(&id), "35.00") };
    let LookUpAnswer::Succeeded(success) = gateway.look_up(&told).await else { panic!("paid") };
    assert!(success.receipt.is_some_and(|receipt| receipt.starts_with("SFC")));
}

#[tokio::test]
async fn a_push_whose_answer_was_lost_is_believed_by_a_query_of_its_receipt_alone() {
    let (gateway, daraja) = pair().await;
    daraja.fail([Fault::AnswerLost]);
    assert_eq!(gateway.charge(request(PHONE, "35.00")).await, ChargeAnswer::Unknown);
    let silent = begun(None, "35.00");
    assert_eq!(gateway.look_up(&silent).await, LookUpAnswer::Unknown, "a callback may still come");
    let over = BegunCharge { age: HOUR, ..silent.clone() };
    assert!(matches!(gateway.look_up(&over).await, LookUpAnswer::Failed(decline) if decline.code == "no_callback"));

    let first = heard(&daraja);
    let with = |heard: Vec<Heard>| BegunCharge { age: HOUR, back: WayBack { heard, ..back() }, ..begun(None, "35.00") };
    assert_eq!(gateway.look_up(&with(first.clone())).await, LookUpAnswer::Unknown, "its receipt is asked about");
    let status = heard(&daraja);
    assert_eq!((status.len(), daraja.statuses()), (1, 1));
    let both = || first.iter().chain(&status).cloned();
    let LookUpAnswer::Succeeded(success) = gateway.look_up(&with(both().collect())).await else { panic!("paid") };
    assert_eq!((Some(success.reference), success.receipt), (Some(first[0].reference.clone()), first[0].receipt.clone()));
    // Another amount, receiver or receipt is not ours.
    let spoilt: [fn(&mut Heard); 4] = [
        |heard| heard.amount_minor = Some(3_400),
        |heard| heard.receiver = Some("600611".to_owned()),
        |heard| heard.receipt = Some("SFC0".to_owned()),
        |heard| heard.succeeded = false,
    ];
    for spoil in spoilt {
        let mut told: Vec<Heard> = both().collect();
        spoil(&mut told[1]);
        assert_eq!(gateway.look_up(&with(told)).await, LookUpAnswer::Unknown);
    }
    // A callback of another amount counts as none.
    let mut lie = first.clone();
    lie[0].amount_minor = Some(100);
    assert!(matches!(gateway.look_up(&with(lie)).await, LookUpAnswer::Failed(decline) if decline.code == "no_callback"));
    // One of a prompt that was never sent stays unknown, and is somebody's to look at.
    let mut lie = first;
    lie[0].reference = "ws_CO_999".to_owned();
    assert_eq!(gateway.look_up(&with(lie)).await, LookUpAnswer::Unknown);
}

#[tokio::test]
async fn a_reversal_is_sent_once_and_believed_by_a_query_of_it() {
    let (gateway, daraja) = pair().await;
    pushed(&gateway, PHONE).await;
    let receipt = heard(&daraja).remove(0).receipt;
    let refund = |amount: &str, again: bool, heard: Vec<Heard>| RefundRequest {
        key: "ref_1".to_owned(),
        charge_key: "pay_1".to_owned(),
        charge_reference: "ws_CO_1".to_owned(),
        charge_receipt: receipt.clone(),
        amount: shillings(amount),
        again,
        back: WayBack { heard, ..back() },
    };
    assert_eq!(gateway.refund(refund("17.00", false, Vec::new())).await, RefundAnswer::Accepted);
    // In hand again: it is asked about, and not sent.
    assert_eq!(gateway.refund(refund("17.00", true, Vec::new())).await, RefundAnswer::Unknown);
    assert_eq!(daraja.reversed(), [17]);
    let (_, body) = daraja.callbacks().remove(0);
    let result = callback::read(HeardOf::Refund, body.as_bytes()).unwrap();
    let told = vec![result.clone()];
    assert_eq!(gateway.look_up_refund(&refund("17.00", false, told.clone())).await, RefundLookUpAnswer::Accepted, "it is asked about");
    let told = [told, heard(&daraja)].concat();
    assert_eq!(gateway.look_up_refund(&refund("17.00", false, told.clone())).await, RefundLookUpAnswer::Succeeded(result.receipt.unwrap()));
    assert_eq!(gateway.look_up_refund(&refund("18.00", false, told)).await, RefundLookUpAnswer::Accepted, "of another amount");
    // More than is left is refused by itself.
    assert_eq!(gateway.refund(refund("19.00", false, Vec::new())).await, RefundAnswer::Accepted);
    let told = daraja.callbacks().pop().and_then(|(_, body)| callback::read(HeardOf::Refund, body.as_bytes())).unwrap();
    let answer = gateway.look_up_refund(&refund("19.00", false, vec![told])).await;
    assert!(matches!(answer, RefundLookUpAnswer::Failed(decline) if decline.code == "mpesa_r000001"));
    // Without a receipt, and of cents, nothing is sent.
    let calls = daraja.calls("/mpesa/reversal/v1/request");
    let nameless = RefundRequest { charge_receipt: None, ..refund("17.00", false, Vec::new()) };
    for refused in [nameless, refund("0.50", false, Vec::new())] {
        assert!(matches!(gateway.refund(refused).await, RefundAnswer::Failed(_)));
    }
    assert_eq!((daraja.calls("/mpesa/reversal/v1/request"), daraja.reversed()), (calls, vec![17]));
}
