//! Payments by card at a simulator of Stripe, which alone knows what was truly charged: each fault, and what Stripe tells of itself.

use std::sync::Arc;
use std::time::Duration;

use evolve_business::adapters::payment::registry::Gateways;
use evolve_business::adapters::payment::{MethodSource, SandboxBehavior};
use evolve_business::billing::cancel::{CancelTiming, UnusedTime};
use evolve_business::error::{Outcome, UserErrorCode as Code};
use evolve_business::ids::PaymentMethodId;
use evolve_business::services::payments::{AddPaymentMethod, sweep_events};
use evolve_business::services::{Parts, Ports};
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::stripe_adapter::gateway_at;
use crate::stripe_simulator::{Card, Fault, Simulator, WEBHOOK_SECRET};
use crate::world::World;
use crate::world_lives::register;
use crate::world_payments::{Payer, refused};
use crate::world_staff_money::JUNE;

both!(
    a_card_is_added_and_charged_over_the_api,
    a_business_on_a_test_clock_of_another_year_is_charged_at_once,
    each_fault_of_a_charge_ends_in_one_charge_or_none,
    a_customer_whose_bank_asks_is_heard_of_at_once_and_settled_once,
    what_stripe_says_twice_late_or_of_nobody_does_nothing_wrong,
    what_stripe_did_not_sign_changes_nothing,
    a_refund_whose_answer_is_lost_is_paid_once,
    a_method_of_a_gateway_that_is_not_configured_is_not_usable,
    an_attempt_at_a_gateway_that_is_gone_waits_for_it,
    two_gateways_stand_side_by_side,
);

const NOW: &str = "2027-01-31T09:00:00Z";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

impl World {
    /// The same world with Stripe beside the sandbox.
    pub(crate) fn with_stripe(self, simulator: &Simulator) -> Self {
        let sandbox = Arc::new(self.gateway.clone());
        let stripe = gateway_at(simulator, Duration::from_secs(10));
        let gateways = Gateways::new(vec![sandbox.clone(), Arc::new(stripe)]);
        let ports = Ports::new(Parts { gateways, ..self.parts(sandbox) });
        Self { ports, ..self }
    }

    /// Adds a card and makes it the default.
    pub(crate) async fn try_card(&self, payer: Payer, token: String) -> Outcome<PaymentMethodId> {
        let input = AddPaymentMethod { source: MethodSource::CardToken(token), make_default: true };
        self.payments().add_payment_method(payer.caller, input).await
    }

    /// Signs an event now and tells a server of it; answers the status.
    pub(crate) async fn tell(&self, server: &Server, event: &str) -> u16 {
        let header = Simulator::sign(WEBHOOK_SECRET, event, self.ports.real_now());
        Simulator::tell(&server.url, event, &header).await
    }
}

/// Buys the cheapest plan of the shop by the card that is the default.
async fn buy(world: &World, client: &Client) -> Value {
    let products = client.data("{ products { code plans { id code } } }", json!({})).await;
    let books = products["products"].as_array().unwrap().iter().find(|product| product["code"] == "books").unwrap();
    let plan = books["plans"].as_array().unwrap().iter().find(|plan| plan["code"] == "basic").unwrap()["id"].clone();
    let input = json!({ "planId": plan, "interval": "MONTHLY", "idempotencyKey": "one" });
    let selection = "payment { id status amount { amount } methodLabel } invoice { status }";
    world.working(client.mutate("subscribe", input, selection)).await
}

async fn a_business_on_a_test_clock_of_another_year_is_charged_at_once(db: TestDatabase) {
    let simulator = Simulator::start().await;
    let world = World::shop_at(db, JUNE).await.with_stripe(&simulator);
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    for (name, now) in [("ann", "2025-06-10T09:00:00Z"), ("ben", "2028-01-10T09:00:00Z")] {
        let (client, business) = register(&server, name).await;
        world.clock_with(&staff, &business, now).await;
        client.mutate("addPaymentMethod", json!({ "source": { "cardToken": simulator.card(Card::Good) } }), "paymentMethod { id }").await;
        let bought = buy(&world, &client).await;
        assert_eq!((&bought["payment"]["status"], &bought["invoice"]["status"]), (&json!("SUCCEEDED"), &json!("PAID")), "{bought:#}");
    }
    assert_eq!(simulator.charged().len(), 2);
}

/// A world with Stripe, and somebody with a card that behaves so.
async fn with_card(db: TestDatabase, card: Card) -> (World, Simulator, Payer) {
    let simulator = Simulator::start().await;
    let world = World::at(db, NOW).await.with_stripe(&simulator);
    let payer = world.keyed_payer().await;
    world.try_card(payer, simulator.card(card)).await.unwrap();
    (world, simulator, payer)
}

async fn a_card_is_added_and_charged_over_the_api(db: TestDatabase) {
    let simulator = Simulator::start().await;
    let world = World::shop_at(db, JUNE).await.with_stripe(&simulator);
    let server = Server::start(&world).await;
    let (client, _) = register(&server, "ann").await;
    let options =
        client.data("{ paymentOptions { kind currencies publishableKey limit { amount currency } instructions } }", json!({})).await;
    assert_eq!(
        options["paymentOptions"],
        json!([
            { "kind": "CARD", "currencies": ["KES"], "publishableKey": "pk_test_simulator", "limit": { "amount": "999999.99", "currency": "KES" }, "instructions": null },
            { "kind": "SANDBOX", "currencies": ["KES"], "publishableKey": null, "limit": null, "instructions": null },
        ])
    );
    let token = simulator.card(Card::Good);
    let added = client
        .mutate("addPaymentMethod", json!({ "source": { "cardToken": token } }), "paymentMethod { kind label isDefault expiresOn }")
        .await;
    let expected = json!({ "kind": "CARD", "label": "Visa •••• 4242", "isDefault": true, "expiresOn": "2028-02-29" });
    assert_eq!(added["paymentMethod"], expected);
    // Somebody else's card is not charged by whoever knows its id.
    let (other, _) = register(&server, "ben").await;
    let refused = other.payload("addPaymentMethod", json!({ "source": { "cardToken": token } }), "paymentMethod { id }").await;
    assert_eq!(refused["userErrors"][0]["code"], "PAYMENT_FAILED");

    let bought = buy(&world, &client).await;
    // 30.00 and 16 %.
    let payment = json!({ "status": "SUCCEEDED", "amount": { "amount": "34.80" }, "methodLabel": "Visa •••• 4242" });
    for (name, value) in payment.as_object().unwrap() {
        assert_eq!(bought["payment"][name], *value, "{name}");
    }
    assert_eq!(bought["invoice"]["status"], "PAID");
    assert_eq!(simulator.charged(), [(bought["payment"]["id"].as_str().unwrap().to_owned(), 3_480)]);
}

async fn each_fault_of_a_charge_ends_in_one_charge_or_none(db: TestDatabase) {
    let (world, simulator, payer) = with_card(db, Card::Good).await;
    let mut charged = 0;
    for (fault, first, then) in [
        (Fault::RequestLost, "UNKNOWN", "FAILED"),
        (Fault::AnswerLost, "UNKNOWN", "SUCCEEDED"),
        (Fault::ErrorAfterEffect, "UNKNOWN", "SUCCEEDED"),
        (Fault::Slow(Duration::from_millis(200)), "SUCCEEDED", "SUCCEEDED"),
        (Fault::Late, "UNKNOWN", "FAILED"),
    ] {
        let invoice = world.invoice(payer, 500).await;
        simulator.fail([fault]);
        let paid = world.pay(payer, invoice).await.unwrap();
        assert_eq!(world.status(payer, paid.payment).await, first, "{fault:?}");
        if first == "UNKNOWN" {
            assert_eq!(refused(world.pay(payer, invoice).await), [(Code::PaymentInProgress, "invoiceId".to_owned())]);
        }
        world.pass(MINUTE).await;
        assert_eq!(world.status(payer, paid.payment).await, then, "{fault:?}");
        // What arrives after that is refused by its own key.
        assert!(simulator.let_late_arrive().iter().all(|status| *status == 400), "{fault:?}");
        if then == "FAILED" {
            let payment = world.payment(payer, paid.payment).await;
            assert_eq!((payment.failure_code.as_deref(), payment.hard_decline), (Some("not_charged"), false));
            assert_eq!(world.invoice_is(payer, invoice).await, ("OPEN", 0, 500));
            world.pay(payer, invoice).await.unwrap();
        }
        charged += 1;
        assert_eq!(world.invoice_is(payer, invoice).await, ("PAID", 500, 0), "{fault:?}");
        assert_eq!(simulator.charged().len(), charged, "{fault:?}");
    }
    assert!(simulator.charged().iter().all(|(_, amount)| *amount == 500));
    // No callback was told, and none was needed.
    assert_eq!(world.number("select count(*) from gateway_events").await, 0);
}

async fn a_customer_whose_bank_asks_is_heard_of_at_once_and_settled_once(db: TestDatabase) {
    let (world, simulator, payer) = with_card(db, Card::Authenticates).await;
    let server = Server::start(&world).await;
    for (passes, status, invoice_is) in [(true, "SUCCEEDED", ("PAID", 700, 0)), (false, "FAILED", ("OPEN", 0, 700))] {
        let invoice = world.invoice(payer, 700).await;
        let paid = world.pay(payer, invoice).await.unwrap();
        let payment = world.payment(payer, paid.payment).await;
        assert_eq!((payment.status.as_str(), payment.action_kind.as_deref()), ("REQUIRES_ACTION", Some("CLIENT_SECRET")));
        let secret = world.client_secret(&payment).await;
        assert_eq!(secret, payment.gateway_reference.clone().map(|intent| format!("{intent}_secret_x")));
        simulator.events();
        simulator.act(passes);
        // Nothing is due before the first question, in five seconds, but for what Stripe says.
        world.run_due_jobs().await;
        assert_eq!(world.status(payer, paid.payment).await, "REQUIRES_ACTION");
        for event in simulator.events() {
            assert_eq!(world.tell(&server, &event).await, 200);
        }
        world.run_due_jobs().await;
        assert_eq!(world.status(payer, paid.payment).await, status);
        assert_eq!(world.invoice_is(payer, invoice).await, invoice_is);
    }
    // One that nobody acts on lapses, and can be confirmed by nobody after that.
    let invoice = world.invoice(payer, 900).await;
    let paid = world.pay(payer, invoice).await.unwrap();
    world.pass(SignedDuration::from_mins(60)).await;
    assert_eq!(world.status(payer, paid.payment).await, "CANCELED");
    assert_eq!((simulator.intents(), simulator.charged().len()), (vec!["succeeded", "canceled", "canceled"], 1));
}

async fn what_stripe_says_twice_late_or_of_nobody_does_nothing_wrong(db: TestDatabase) {
    let (world, simulator, payer) = with_card(db, Card::Good).await;
    let server = Server::start(&world).await;
    let invoice = world.invoice(payer, 500).await;
    simulator.fail([Fault::AnswerLost]);
    let paid = world.pay(payer, invoice).await.unwrap();
    assert_eq!(world.status(payer, paid.payment).await, "UNKNOWN");
    // It says that it failed: it is asked, and not believed.
    let events = simulator.events();
    let [said] = &events[..] else { panic!("one event") };
    let lie = said.replace("payment_intent.succeeded", "payment_intent.payment_failed").replace("\"succeeded\"", "\"canceled\"");
    assert_eq!(world.tell(&server, &lie).await, 200);
    world.run_due_jobs().await;
    assert_eq!((world.status(payer, paid.payment).await, world.invoice_is(payer, invoice).await), ("SUCCEEDED", ("PAID", 500, 0)));
    // The same again, of an event of another id, and of what does not exist or is no concern of ours.
    let other = said.replace("\"id\":\"evt_", "\"id\":\"evt_9");
    for event in [
        lie.as_str(),
        said,
        &other,
        r#"{"id":"evt_a","type":"payment_intent.succeeded","data":{"object":{"object":"payment_intent","metadata":{"evolve_payment":"pay_01h455vb4pex5vsknk084sn02q"}}}}"#,
        r#"{"id":"evt_b","type":"payment_intent.succeeded","data":{"object":{"object":"payment_intent","metadata":{"evolve_payment":"nonsense"}}}}"#,
        r#"{"id":"evt_c","type":"account.updated","data":{"object":{"object":"account","metadata":null}}}"#,
        r#"{"id":"evt_d","type":"a.kind.of.tomorrow","data":{"object":{}}}"#,
    ] {
        assert_eq!(world.tell(&server, event).await, 200, "{event}");
        world.run_due_jobs().await;
    }
    assert_eq!((world.invoice_is(payer, invoice).await, simulator.charged().len()), (("PAID", 500, 0), 1));
    // The lie had the id of what was said, so that is one; then another id, and four of nobody.
    assert_eq!(world.number("select count(*) from gateway_events").await, 6);
    assert_eq!(world.number("select count(*) from payments").await, 1);
    // They are forgotten after thirty days.
    world.advance(SignedDuration::from_hours(30 * 24));
    assert_eq!(sweep_events(&world.ports).await.unwrap(), 0);
    world.advance(SignedDuration::from_secs(1));
    assert_eq!((sweep_events(&world.ports).await.unwrap(), world.number("select count(*) from gateway_events").await), (6, 0));
}

async fn what_stripe_did_not_sign_changes_nothing(db: TestDatabase) {
    let (world, simulator, payer) = with_card(db, Card::Good).await;
    let server = Server::start(&world).await;
    let invoice = world.invoice(payer, 500).await;
    simulator.fail([Fault::AnswerLost]);
    let paid = world.pay(payer, invoice).await.unwrap();
    let event = simulator.events().remove(0);
    let now = world.ports.real_now();
    let good = Simulator::sign(WEBHOOK_SECRET, &event, now);
    let too_old = Simulator::sign(WEBHOOK_SECRET, &event, now - SignedDuration::from_secs(301));
    let of_another = Simulator::sign("whsec_another", &event, now);
    let longer = format!("{event}{}", " ".repeat(256 * 1024));
    for (header, body, status) in [
        (of_another.as_str(), event.as_str(), 400),
        (&too_old, &event, 400),
        (&good, &event.replace("succeeded", "Succeeded"), 400),
        ("", &event, 400),
        (&Simulator::sign(WEBHOOK_SECRET, "{}", now), "{}", 400),
        (&Simulator::sign(WEBHOOK_SECRET, &longer, now), &longer, 413),
    ] {
        assert_eq!(Simulator::tell(&server.url, body, header).await, status, "{header}");
    }
    world.run_due_jobs().await;
    assert_eq!((world.status(payer, paid.payment).await, world.number("select count(*) from gateway_events").await), ("UNKNOWN", 0));
    assert_eq!(Simulator::tell(&server.url, &event, &good).await, 200);
    world.run_due_jobs().await;
    assert_eq!(world.status(payer, paid.payment).await, "SUCCEEDED");
}

async fn a_refund_whose_answer_is_lost_is_paid_once(db: TestDatabase) {
    for_each_fault(db, &[Fault::AnswerLost, Fault::ErrorAfterEffect, Fault::RequestLost]).await;
}

/// Cancels with a refund in the middle of June, and lets each fault befall it: 34.80 was paid, and half of it is paid back.
async fn for_each_fault(db: TestDatabase, faults: &[Fault]) {
    let simulator = Simulator::start().await;
    let world = World::shop_at(db, JUNE).await.with_stripe(&simulator);
    let mut paid_back = Vec::new();
    let mut subscriptions = Vec::new();
    for _ in faults {
        let payer = world.payer().await;
        world.try_card(payer, simulator.card(Card::Good)).await.unwrap();
        subscriptions.push((payer, world.subscribe(payer, "basic").await.subscription));
    }
    world.clock.set(crate::world_staff_money::MIDDLE.parse().unwrap());
    for ((payer, id), fault) in subscriptions.into_iter().zip(faults) {
        simulator.fail([*fault]);
        world.try_cancel(payer, id, CancelTiming::Now, UnusedTime::Refund).await.unwrap();
        paid_back.push(1_740);
        assert_eq!(world.count("refunds", "status = 'UNKNOWN'").await, 1, "{fault:?}");
        world.pass(MINUTE).await;
        assert_eq!(world.count("refunds", "status = 'SUCCEEDED'").await, i64::try_from(paid_back.len()).unwrap(), "{fault:?}");
        assert_eq!(simulator.refunded(), paid_back, "{fault:?}");
        assert_eq!(world.examine().await, [""; 0]);
    }
}

async fn a_method_of_a_gateway_that_is_not_configured_is_not_usable(db: TestDatabase) {
    let (world, simulator, payer) = with_card(db, Card::Good).await;
    let invoice = world.invoice(payer, 500).await;
    let without = World { ports: world.through(Arc::new(world.gateway.clone())), ..world };
    let missing = [(Code::PaymentMethodRequired, "paymentMethodId".to_owned())];
    assert_eq!(refused(without.pay(payer, invoice).await), missing);
    let offered = without.try_card(payer, simulator.card(Card::Good)).await;
    assert_eq!(refused(offered), [(Code::PaymentFailed, "source".to_owned())]);
    assert_eq!((without.invoice_is(payer, invoice).await, simulator.charged().len()), (("OPEN", 0, 500), 0));
    let world = without.with_stripe(&simulator);
    world.pay(payer, invoice).await.unwrap();
    assert_eq!(world.invoice_is(payer, invoice).await, ("PAID", 500, 0));
}

async fn an_attempt_at_a_gateway_that_is_gone_waits_for_it(db: TestDatabase) {
    let (world, simulator, payer) = with_card(db, Card::Good).await;
    let invoice = world.invoice(payer, 500).await;
    simulator.fail([Fault::AnswerLost]);
    let paid = world.pay(payer, invoice).await.unwrap();
    let without = World { ports: world.through(Arc::new(world.gateway.clone())), ..world };
    for _ in 0..30 {
        without.pass(SignedDuration::from_hours(24)).await;
        assert_eq!(without.status(payer, paid.payment).await, "UNKNOWN");
    }
    let world = without.with_stripe(&simulator);
    world.pass(SignedDuration::from_hours(24)).await;
    assert_eq!((world.status(payer, paid.payment).await, simulator.charged().len()), ("SUCCEEDED", 1));
}

async fn two_gateways_stand_side_by_side(db: TestDatabase) {
    let (world, simulator, payer) = with_card(db, Card::Declines("lost_card")).await;
    let invoice = world.invoice(payer, 500).await;
    let failed = world.pay(payer, invoice).await.unwrap();
    let payment = world.payment(payer, failed.payment).await;
    assert_eq!((payment.gateway.as_str(), payment.failure_code.as_deref(), payment.hard_decline), ("stripe", Some("card_declined"), true));
    world.method(payer, SandboxBehavior::Succeeds).await;
    let paid = world.pay(payer, invoice).await.unwrap();
    assert_eq!(world.payment(payer, paid.payment).await.gateway, "sandbox");
    assert_eq!((world.charges().await, simulator.charged().len()), (1, 0));
    // Each by its own terms: Stripe takes no more than 999,999.99 at once.
    let dear = world.invoice(payer, 100_000_000).await;
    world.pay(payer, dear).await.unwrap();
    world.try_card(payer, simulator.card(Card::Good)).await.unwrap();
    let dear = world.invoice(payer, 100_000_000).await;
    assert_eq!(refused(world.pay(payer, dear).await), [(Code::LimitExceeded, "paymentMethodId".to_owned())]);
}
