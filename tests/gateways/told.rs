//! What the simulators tell a server by themselves, and what goes wrong with that on demand.

use evolve_business::adapters::payment::simulator::stripe::WEBHOOK_SECRET;
use evolve_business::adapters::payment::stripe::signature::is_signed;
use evolve_business::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::bench::{Bench, Heard, pause};

const PHONE: &str = "254712345678";

/// Has something go wrong with what a gateway tells next.
async fn fail(bench: &Bench, gateway: &str, callbacks: Value) {
    bench.done("/simulator/faults", json!({ "gateway": gateway, "callbacks": callbacks })).await;
}

/// Charges so many times by a card; answers what the events of these charges are called, in their order.
async fn charged(bench: &Bench, times: usize) -> Vec<String> {
    let card = bench.card("pm_card_visa").await.unwrap();
    for at in 0..times {
        bench.charge(&format!("pay_{at}"), &card).await;
        pause(60).await;
    }
    let ledger = bench.ledger().await;
    let deliveries = ledger["deliveries"].as_array().unwrap().iter();
    deliveries.map(|one| one["of"].as_str().unwrap().to_owned()).collect()
}

fn ids(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(Heard::of).collect()
}

fn is_good(heard: &Heard) -> bool {
    is_signed(&heard.signature, heard.body.as_bytes(), &[WEBHOOK_SECRET.into()], SystemClock.now())
}

#[tokio::test]
async fn an_event_is_signed_and_a_callback_comes_at_the_address_of_its_prompt() {
    let bench = Bench::start().await;
    let events = charged(&bench, 1).await;
    let heard = bench.heard(1).await;
    assert_eq!((heard[0].path.as_str(), ids(&heard), is_good(&heard[0])), ("/events", events, true));
    let prompt = bench.push(PHONE).await;
    let heard = bench.heard(1).await;
    assert_eq!((heard[0].path.as_str(), ids(&heard)), ("/gateways/mpesa/events/secret", vec![prompt]));
    assert_eq!(bench.deliveries().await, [("taken".to_owned(), 1), ("taken".to_owned(), 1)]);
    assert!(!bench.ledger().await.to_string().contains("events/secret"), "the ledger has no address");
}

#[tokio::test]
async fn an_event_that_is_not_taken_comes_again_until_its_tries_are_over_and_a_callback_does_not() {
    let bench = Bench::start().await;
    bench.refuse(2);
    let events = charged(&bench, 1).await;
    let heard = bench.heard(3).await;
    assert_eq!(ids(&heard), [events[0].as_str(); 3]);
    assert!(heard.iter().all(is_good));
    bench.refuse(3);
    let card = bench.card("pm_card_visa").await.unwrap();
    bench.charge("pay_x", &card).await;
    bench.heard(3).await;
    bench.refuse(1);
    bench.push(PHONE).await;
    bench.heard(1).await;
    assert_eq!(bench.deliveries().await, [("taken".to_owned(), 3), ("given_up".to_owned(), 3), ("given_up".to_owned(), 1)]);
}

#[tokio::test]
async fn a_duplicate_is_told_twice_and_what_is_missing_is_not_told() {
    let bench = Bench::start().await;
    fail(&bench, "stripe", json!(["duplicate", "missing"])).await;
    let events = charged(&bench, 3).await;
    assert_eq!(ids(&bench.heard(3).await), [events[0].as_str(), &events[0], &events[2]]);
    fail(&bench, "mpesa", json!(["missing", "duplicate"])).await;
    bench.push(PHONE).await;
    let second = bench.push(PHONE).await;
    assert_eq!(ids(&bench.heard(2).await), [second.as_str(), &second]);
    let taken = |tries| ("taken".to_owned(), tries);
    let missing = || ("missing".to_owned(), 0);
    assert_eq!(bench.deliveries().await, [taken(2), missing(), taken(1), missing(), taken(2)]);
}

#[tokio::test]
async fn what_is_reordered_is_told_after_the_next_of_its_gateway_and_what_is_late_later() {
    let bench = Bench::start().await;
    fail(&bench, "stripe", json!(["reordered", "reordered"])).await;
    let events = charged(&bench, 3).await;
    assert_eq!(ids(&bench.heard(3).await), [events[2].as_str(), &events[0], &events[1]]);
    // The next of another gateway is not its next.
    fail(&bench, "mpesa", json!(["reordered"])).await;
    let first = bench.push(PHONE).await;
    let card = bench.card("pm_card_visa").await.unwrap();
    bench.charge("pay_x", &card).await;
    assert_eq!(bench.heard(1).await[0].path, "/events");
    let second = bench.push(PHONE).await;
    assert_eq!(ids(&bench.heard(2).await), [second, first]);
    fail(&bench, "mpesa", json!([{ "late": 1_500 }])).await;
    let (late, after) = (bench.push(PHONE).await, bench.push(PHONE).await);
    assert_eq!(ids(&bench.heard(1).await), [after]);
    assert_eq!(ids(&bench.heard(1).await), [late]);
}

#[tokio::test]
async fn what_somebody_else_tells_is_signed_by_another_secret_or_comes_at_an_address_that_was_never_given() {
    let bench = Bench::start().await;
    fail(&bench, "stripe", json!(["wrong_signature"])).await;
    charged(&bench, 2).await;
    let heard = bench.heard(2).await;
    assert_eq!(heard.iter().map(is_good).collect::<Vec<_>>(), [false, true]);
    assert!(heard[0].signature.starts_with("t="), "{}", heard[0].signature);
    fail(&bench, "mpesa", json!(["wrong_signature"])).await;
    bench.push(PHONE).await;
    assert_eq!(bench.heard(1).await[0].path, "/gateways/mpesa/events/secrex");
    // One that is not taken is not told again, since nobody would.
    bench.refuse(1);
    fail(&bench, "stripe", json!(["wrong_signature"])).await;
    let card = bench.card("pm_card_visa").await.unwrap();
    bench.charge("pay_x", &card).await;
    bench.heard(1).await;
    assert_eq!(bench.deliveries().await.last(), Some(&("given_up".to_owned(), 1)));
}

#[tokio::test]
async fn nobody_on_another_machine_is_told() {
    let bench = Bench::start().await;
    for address in ["http://192.0.2.1/secret", "https://127.0.0.1:1/secret"] {
        let (status, said) = bench.push_with(&json!({ "CallBackURL": address })).await;
        assert_eq!((status, &said["ResponseCode"]), (200, &json!("0")), "{said}");
    }
    bench.heard(0).await;
    assert_eq!(bench.ledger().await["mpesa"]["prompts"][0]["paid"], json!(true));
    assert_eq!(bench.deliveries().await, [("given_up".to_owned(), 1), ("given_up".to_owned(), 1)]);
}
