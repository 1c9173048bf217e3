//! What nobody may ask of the originals is answered as they answer it, and remembered; and no more is remembered than there is room for.

use evolve_business::adapters::payment::simulator::daraja::INITIATOR;
use serde_json::json;

use crate::bench::Bench;

const VERSION: &str = "2024-06-20";

#[tokio::test]
async fn what_stripe_would_refuse_is_refused_and_remembered() {
    let bench = Bench::start().await;
    let intent = "amount=500&currency=kes&customer=cus_1&payment_method_types[0]=card";
    for (path, form, version, status, sentence) in [
        ("/v1/customers", "payment_method=pm_card_visa", "2020-08-27", 400, "Invalid Stripe API version."),
        ("/v1/charges", "amount=500", VERSION, 404, "Unrecognized request URL (POST: /v1/charges)."),
        ("/v1/customers", "", VERSION, 400, "Missing required param: payment_method."),
        ("/v1/payment_intents", "amount=500", VERSION, 400, "Missing required param: customer."),
        ("/v1/payment_intents", &intent.replace("500", "5x"), VERSION, 400, "Invalid integer: amount."),
        (
            "/v1/payment_intents",
            &intent.replace("=card", "=sepa_debit"),
            VERSION,
            400,
            "Invalid payment_method_types: the simulator knows cards alone.",
        ),
        ("/v1/refunds", "payment_intent=pi_1&amount=-1", VERSION, 400, "Invalid positive integer: amount."),
    ] {
        let (answered, said) = bench.ask_stripe(path, form, version).await;
        assert_eq!((answered, &said["error"]["message"]), (status, &json!(sentence)), "{path} {form}");
        assert_eq!(said["error"]["type"], json!("invalid_request_error"));
        assert_eq!(bench.simulation.stripe.malformed(), [format!("POST {path}: {sentence}")]);
    }
    // A refusal of what may be asked is nothing malformed.
    for (form, code) in [
        (intent.replace("500", "49"), "amount_too_small"),
        (intent.replace("500", "100000000"), "amount_too_large"),
        (format!("{intent}&confirm=true&off_session=true&payment_method=pm_none"), "resource_missing"),
    ] {
        let (answered, said) = bench.ask_stripe("/v1/payment_intents", &form, VERSION).await;
        assert_eq!((answered, &said["error"]["code"]), (400, &json!(code)), "{form}");
    }
    assert_eq!((bench.simulation.stripe.malformed().len(), bench.simulation.stripe.charged().len()), (0, 0));
}

#[tokio::test]
async fn what_daraja_would_refuse_is_refused_and_remembered() {
    let bench = Bench::start().await;
    for (changes, status, code) in [
        (json!({ "Password": "x" }), 500, "500.001.1001"),
        (json!({ "Timestamp": "2027" }), 400, "400.002.02"),
        (json!({ "BusinessShortCode": "600611" }), 400, "400.002.02"),
        (json!({ "PartyA": "254700000000" }), 400, "400.002.02"),
        (json!({ "TransactionType": "CustomerBuyGoodsOnline" }), 400, "400.002.02"),
        (json!({ "Amount": "35.5" }), 400, "400.002.02"),
        (json!({ "Amount": 35 }), 400, "400.002.02"),
        (json!({ "AccountReference": "1234567890123" }), 400, "400.002.02"),
        (json!({ "CallBackURL": "nowhere" }), 400, "400.002.02"),
        (json!({ "PhoneNumber": null }), 400, "400.002.02"),
    ] {
        let (answered, said) = bench.push_with(&changes).await;
        assert_eq!((answered, &said["errorCode"]), (status, &json!(code)), "{changes}: {said}");
        assert_eq!(bench.simulation.daraja.malformed().len(), 1, "{changes}");
    }
    let (answered, said) = bench.ask_daraja("/mpesa/b2c/v1/paymentrequest", &json!({})).await;
    assert_eq!((answered, &said["errorCode"]), (404, &json!("404.001.01")));
    // Who may not ask for a reversal hears so by its result.
    let address = "http://127.0.0.1:1/x";
    let reversal = json!({
        "Initiator": INITIATOR, "SecurityCredential": "wrong", "TransactionID": "SFC1", "Amount": "1", "RecieverIdentifierType": "11",
        "ResultURL": address, "QueueTimeOutURL": address,
    });
    assert_eq!(bench.ask_daraja("/mpesa/reversal/v1/request", &reversal).await.0, 200);
    assert_eq!(bench.simulation.daraja.malformed().len(), 2);
    // A second prompt of a phone is refused as well, and is nothing malformed.
    assert_eq!(bench.push_with(&json!({ "Amount": "250001" })).await.0, 400);
    assert_eq!((bench.simulation.daraja.malformed().len(), bench.simulation.daraja.prompts().len()), (0, 0));
}

#[tokio::test]
async fn the_newest_are_remembered_and_the_oldest_go() {
    let bench = Bench::remembering(3).await;
    let card = bench.card("pm_card_visa").await.unwrap();
    for at in 1..=5 {
        bench.charge(&format!("pay_{at}"), &card).await;
        bench.push("254712345678").await;
    }
    bench.heard(10).await;
    let ledger = bench.ledger().await;
    let count = |list: &serde_json::Value| list.as_array().unwrap().len();
    assert_eq!([&ledger["stripe"]["intents"], &ledger["mpesa"]["prompts"], &ledger["deliveries"]].map(count), [3, 3, 3], "{ledger:#}");
    let kept: Vec<String> = bench.simulation.stripe.charged().into_iter().map(|(payment, _)| payment).collect();
    assert_eq!(kept, ["pay_3", "pay_4", "pay_5"]);
    for _ in 0..5 {
        bench.ask_stripe("/v1/charges", "", VERSION).await;
    }
    assert_eq!(bench.simulation.stripe.malformed().len(), 3);
}
