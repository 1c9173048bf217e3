//! What may be asked below `/simulator/`, and what may not.

use evolve_business::adapters::payment::simulator::daraja::Holder;
use evolve_business::adapters::payment::{AttachError, ChargeAnswer};
use serde_json::{Value, json};

use crate::bench::{Bench, pause, until};

const FAULTS: &str = "/simulator/faults";
const ACT: &str = "/simulator/act";

/// Asks for what must be refused; answers the sentence.
async fn refused(bench: &Bench, path: &str, body: &Value) -> String {
    let (status, said) = bench.post(path, body).await;
    assert_eq!(status, 400, "{body}: {said}");
    said["error"].as_str().unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[tokio::test]
async fn faults_that_make_no_sense_are_refused_and_none_is_taken() {
    let bench = Bench::start().await;
    for (body, sentence) in [
        (json!({}), "missing field `gateway`"),
        (json!({ "gateway": "paypal", "lost_percent": 1 }), "unknown variant `paypal`"),
        (json!({ "gateway": "stripe" }), "Say what is to go wrong"),
        (json!({ "gateway": "stripe", "requests": ["answer_lost", "burns"] }), "unknown variant `burns`"),
        (json!({ "gateway": "stripe", "requests": "answer_lost" }), "invalid type"),
        (json!({ "gateway": "stripe", "requests": ["answer_lost"], "request": [] }), "unknown field `request`"),
        (json!({ "gateway": "stripe", "requests": ["answer_lost", { "slow": 600_001 }] }), "more than 600000 milliseconds"),
        (json!({ "gateway": "stripe", "requests": ["answer_lost"], "callbacks": [{ "late": 600_001 }] }), "more than 600000 milliseconds"),
        (json!({ "gateway": "stripe", "requests": [{ "slow": -1 }] }), "invalid value"),
        (json!({ "gateway": "stripe", "requests": ["answer_lost"], "lost_percent": 101 }), "at most 100"),
        (json!({ "gateway": "stripe", "requests": vec!["busy"; 1_001] }), "No more than 1000 faults"),
        (json!({ "gateway": "stripe", "requests": ["busy"], "callbacks": vec!["missing"; 1_001] }), "No more than 1000 faults"),
        (json!([]), "cannot be read"),
    ] {
        let said = refused(&bench, FAULTS, &body).await;
        assert!(said.contains(sentence), "{body}: {said}");
    }
    assert_eq!(bench.simulation.stripe.faults(), (0, 0));
    let card = bench.card("pm_card_visa").await.unwrap();
    assert!(matches!(bench.charge("pay_1", &card).await, ChargeAnswer::Succeeded(_)));
    bench.heard(1).await;
}

#[tokio::test]
async fn only_json_that_says_so_and_is_no_more_than_a_mebibyte_is_read() {
    let bench = Bench::start().await;
    let asked = |kind: &'static str, body: String| {
        let request = reqwest::Client::new().post(format!("{}{FAULTS}", bench.url));
        async move { request.header("content-type", kind).body(body).send().await.unwrap().status().as_u16() }
    };
    let good = || json!({ "gateway": "stripe", "requests": ["busy"] }).to_string();
    assert_eq!(asked("text/plain", good()).await, 400, "a page of a stranger may have a browser send that");
    assert_eq!(asked("application/json; charset=utf-8", good()).await, 200);
    assert_eq!(asked("application/json", "{".to_owned()).await, 400);
    assert_eq!(asked("application/json", format!("{}{}", good(), " ".repeat(1024 * 1024))).await, 413);
    assert_eq!(bench.simulation.stripe.faults(), (1, 0));
    let elsewhere = reqwest::get(format!("{}/simulator", bench.url)).await.unwrap();
    assert_eq!(elsewhere.status().as_u16(), 404);
    assert!(elsewhere.text().await.unwrap().contains("GET /simulator/ledger"));
}

#[tokio::test]
async fn each_fault_that_is_asked_for_happens_once_and_the_ledger_has_what_was_truly_charged() {
    let bench = Bench::start().await;
    for (fault, charged, unknown) in [
        (json!("request_lost"), 0, true),
        (json!("answer_lost"), 1, true),
        (json!("error_after_effect"), 1, true),
        (json!({ "slow": 300 }), 1, false),
        (json!("late"), 1, true),
        (json!("busy"), 1, false),
        (json!("no_token"), 0, true),
    ] {
        let key = format!("pay_{fault}").replace(['{', '}', '"', ':'], "");
        let card = bench.card("pm_card_visa").await.unwrap();
        let said = bench.done(FAULTS, json!({ "gateway": "stripe", "requests": [fault] })).await;
        assert_eq!(said, json!({ "gateway": "stripe", "waiting": { "requests": 1, "callbacks": 0 }, "lost_percent": 0 }));
        let answer = bench.charge(&key, &card).await;
        assert_eq!(answer == ChargeAnswer::Unknown, unknown, "{fault}: {answer:?}");
        // What is late comes a moment later.
        until(|| fault != json!("late") || bench.simulation.stripe.charged().iter().any(|(payment, _)| *payment == key)).await;
        let ledger = bench.ledger().await;
        let of = ledger["stripe"]["intents"].as_array().unwrap().iter();
        let taken: Vec<&Value> = of.filter(|intent| intent["payment"] == json!(key)).map(|intent| &intent["amount"]).collect();
        assert_eq!(taken, vec![&json!(3_480); charged], "{fault}");
        assert_eq!(bench.simulation.stripe.faults(), (0, 0), "{fault}");
    }
    // What Daraja refuses before it does anything is sent again by the adapter.
    bench.done(FAULTS, json!({ "gateway": "mpesa", "requests": ["no_token", "busy"] })).await;
    bench.push("254712345678").await;
    assert_eq!((bench.simulation.daraja.faults(), bench.simulation.daraja.paid().len()), ((0, 0), 1));
    let said = bench.done(FAULTS, json!({ "gateway": "mpesa", "lost_percent": 100 })).await;
    assert_eq!(said["lost_percent"], json!(100));
    for _ in 0..3 {
        assert_eq!(bench.prompt("254712345678").await, ChargeAnswer::Unknown);
    }
}

#[tokio::test]
async fn a_customer_passes_or_fails_a_banks_check() {
    let bench = Bench::start().await;
    let card = bench.card("pm_card_authenticationRequired").await.unwrap();
    for key in ["pay_1", "pay_2", "pay_3"] {
        assert!(matches!(bench.charge(key, &card).await, ChargeAnswer::RequiresAction(_)));
    }
    bench.done(ACT, json!({ "does": "passes_check", "payment": "pay_1" })).await;
    // The newest that waits.
    bench.done(ACT, json!({ "does": "fails_check" })).await;
    let ledger = bench.ledger().await;
    let intents = ledger["stripe"]["intents"].as_array().unwrap().iter();
    let stand: Vec<(&Value, &Value)> = intents.map(|intent| (&intent["status"], &intent["waits_for_customer"])).collect();
    let (paid, open) = (json!("succeeded"), json!("requires_payment_method"));
    assert_eq!(stand, [(&paid, &json!(false)), (&open, &json!(true)), (&open, &json!(false))]);
    assert_eq!(bench.simulation.stripe.charged(), [("pay_1".to_owned(), 3_480)]);
    let kinds: Vec<String> = bench.heard(5).await.iter().map(|heard| heard.body.clone()).collect();
    assert!(kinds[3].contains("payment_intent.succeeded") && kinds[4].contains("payment_intent.payment_failed"), "{kinds:#?}");
}

#[tokio::test]
async fn a_bank_takes_back_what_was_charged_and_decides() {
    let bench = Bench::start().await;
    let card = bench.card("pm_card_visa").await.unwrap();
    for key in ["pay_1", "pay_2"] {
        bench.charge(key, &card).await;
    }
    let first = bench.done(ACT, json!({ "does": "disputes", "payment": "pay_1" })).await["dispute"].clone();
    let second = bench.done(ACT, json!({ "does": "disputes", "payment": "pay_2", "amount": 1_000 })).await["dispute"].clone();
    bench.done(ACT, json!({ "does": "dispute_won", "dispute": first })).await;
    bench.done(ACT, json!({ "does": "dispute_lost", "dispute": second })).await;
    bench.done(ACT, json!({ "does": "refunds_by_hand", "payment": "pay_1", "amount": 480 })).await;
    let again = json!({ "does": "refunds_by_hand", "payment": "pay_1", "amount": 3_001 });
    assert_eq!(refused(&bench, ACT, &again).await, "So much is not left of that payment.");
    bench.done(ACT, json!({ "does": "charges_by_hand", "amount": 700, "currency": "KES" })).await;
    let ledger = bench.ledger().await;
    let disputes = ledger["stripe"]["disputes"].as_array().unwrap().iter();
    let stand: Vec<Value> = disputes.map(|dispute| json!([dispute["status"], dispute["amount"], dispute["moved"]])).collect();
    assert_eq!(stand, [json!(["won", 3_480, [-3_480, 3_480]]), json!(["lost", 1_000, [-1_000]])]);
    assert_eq!((ledger["stripe"]["refunds"][0]["amount"].as_i64(), bench.simulation.stripe.charged().len()), (Some(480), 3));
    bench.heard(6).await;
}

#[tokio::test]
async fn a_holder_of_a_phone_pays_or_ends_a_prompt_once() {
    let bench = Bench::start().await;
    let (one, other) = ("254712345671", "254712345672");
    for phone in [one, other] {
        bench.simulation.daraja.holder(phone, Holder::Waits);
        bench.push(phone).await;
    }
    bench.done(ACT, json!({ "does": "pays", "phone": "+254712345671" })).await;
    assert_eq!(refused(&bench, ACT, &json!({ "does": "pays", "phone": one })).await, "No such prompt is open.");
    bench.done(ACT, json!({ "does": "ends", "code": "2001" })).await;
    assert_eq!(refused(&bench, ACT, &json!({ "does": "pays" })).await, "No such prompt is open.");
    let ledger = bench.ledger().await;
    let prompts = ledger["mpesa"]["prompts"].as_array().unwrap().iter();
    let stand: Vec<Value> = prompts.map(|prompt| json!([prompt["phone"], prompt["code"], prompt["paid"]])).collect();
    assert_eq!(stand, [json!([one, "0", true]), json!([other, "2001", false])]);
    bench.heard(2).await;
}

#[tokio::test]
async fn a_holder_who_takes_a_while_ends_a_prompt_unless_somebody_was_quicker() {
    let bench = Bench::start().await;
    let (slow, quick) = ("254712345671", "254712345672");
    for phone in [slow, quick] {
        bench.simulation.daraja.holder(phone, Holder::After(std::time::Duration::from_millis(500), "1037"));
        bench.push(phone).await;
    }
    bench.done(ACT, json!({ "does": "pays", "phone": quick })).await;
    let heard = bench.heard(1).await;
    assert!(heard[0].body.contains("\"ResultCode\":0"), "{heard:?}");
    let heard = bench.heard(1).await;
    assert!(heard[0].body.contains("\"ResultCode\":1037"), "{heard:?}");
    pause(500).await;
    let ledger = bench.ledger().await;
    let prompts = ledger["mpesa"]["prompts"].as_array().unwrap().iter();
    let stand: Vec<Value> = prompts.map(|prompt| json!([prompt["phone"], prompt["code"]])).collect();
    assert_eq!(stand, [json!([slow, "1037"]), json!([quick, "0"])]);
    bench.heard(0).await;
}

#[tokio::test]
async fn acts_that_make_no_sense_are_refused_and_change_nothing() {
    let bench = Bench::start().await;
    let card = bench.card("pm_card_visa").await.unwrap();
    bench.charge("pay_1", &card).await;
    bench.heard(1).await;
    let before = bench.ledger().await;
    for (body, sentence) in [
        (json!({}), "missing field `does`"),
        (json!({ "does": "dances" }), "unknown variant `dances`"),
        (json!({ "does": "passes_check", "intent": "pi_1" }), "unknown field `intent`"),
        (json!({ "does": "late_arrives", "payment": "x" }), "unknown field `payment`"),
        (json!({ "does": "passes_check" }), "No such payment waits"),
        (json!({ "does": "fails_check", "payment": "pay_1" }), "No such payment waits"),
        (json!({ "does": "pays" }), "No such prompt"),
        (json!({ "does": "ends" }), "missing field `code`"),
        (json!({ "does": "ends", "code": "0" }), "code must be"),
        (json!({ "does": "ends", "code": "" }), "code must be"),
        (json!({ "does": "ends", "code": "10 32" }), "code must be"),
        (json!({ "does": "ends", "code": "12345678901234567" }), "code must be"),
        (json!({ "does": "disputes", "payment": "pay_2" }), "No such payment was charged"),
        (json!({ "does": "disputes", "payment": "pay_1", "amount": 0 }), "amount must be 1 to 3480"),
        (json!({ "does": "disputes", "payment": "pay_1", "amount": 3_481 }), "amount must be 1 to 3480"),
        (json!({ "does": "dispute_won", "dispute": "du_1" }), "No such dispute"),
        (json!({ "does": "dispute_lost", "dispute": "" }), "No such dispute"),
        (json!({ "does": "charges_by_hand", "amount": 0, "currency": "kes" }), "amount must be 1 to 99999999"),
        (json!({ "does": "charges_by_hand", "amount": 100_000_000, "currency": "kes" }), "amount must be 1 to 99999999"),
        (json!({ "does": "charges_by_hand", "amount": 1, "currency": "shillings" }), "three letters"),
        (json!({ "does": "refunds_by_hand", "payment": "pay_1", "amount": i64::MIN }), "amount must be 1 to 3480"),
    ] {
        let said = refused(&bench, ACT, &body).await;
        assert!(said.contains(sentence), "{body}: {said}");
    }
    assert_eq!(bench.ledger().await, before);
}

#[tokio::test]
async fn test_tokens_stand_for_cards_any_number_of_times() {
    let bench = Bench::start().await;
    let (first, second) = (bench.card("pm_card_visa").await.unwrap(), bench.card("pm_card_visa").await.unwrap());
    assert_ne!(first.reference, second.reference, "each is a card of its own");
    assert_eq!(first.label, "Visa •••• 4242");
    for (token, label) in [("pm_card_mastercard", "Mastercard •••• 4444"), ("pm_card_amex", "American Express •••• 0005")] {
        assert_eq!(bench.card(token).await.unwrap().label, label);
    }
    for token in
        ["pm_card_chargeDeclined", "pm_card_visa_chargeDeclinedInsufficientFunds", "pm_card_chargeDeclinedExpiredCard", "pm_card_x"]
    {
        let refused = bench.card(token).await;
        assert!(matches!(refused, Err(AttachError::Refused(_))), "{token}: {refused:?}");
    }
    for (token, code) in [
        ("pm_card_chargeCustomerFail", "generic_decline"),
        ("pm_simulator_insufficient_funds", "insufficient_funds"),
        ("pm_simulator_lost_card", "card_declined"),
    ] {
        let card = bench.card(token).await.unwrap();
        let answer = bench.charge(&format!("pay_{token}"), &card).await;
        assert!(matches!(&answer, ChargeAnswer::Failed(decline) if decline.code == code), "{token}: {answer:?}");
    }
    assert_eq!(bench.simulation.stripe.charged(), []);
}

#[tokio::test]
async fn a_request_is_done_whether_or_not_its_sender_waits() {
    let bench = Bench::start().await;
    let card = bench.card("pm_card_visa").await.unwrap();
    bench.done(FAULTS, json!({ "gateway": "stripe", "requests": [{ "slow": 1_500 }] })).await;
    let gone = tokio::time::timeout(std::time::Duration::from_millis(200), bench.charge("pay_1", &card)).await;
    assert!(gone.is_err(), "nobody waits any more");
    assert_eq!(bench.simulation.stripe.charged(), []);
    until(|| bench.simulation.stripe.charged().len() == 1).await;
}
