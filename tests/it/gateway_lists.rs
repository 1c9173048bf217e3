//! The daily comparison with what gateways list: every way in which they can differ, told once and marked when it has cleared.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::ids::{InvoiceId, PaymentId};
use evolve_business::services::payments::compare_due;
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::stripe_simulator::{Card, Fault, Simulator};
use crate::world::World;
use crate::world_payments::Payer;
use crate::world_staff::signed_in;

both!(
    what_agrees_is_compared_once_a_day_and_nothing_is_said,
    every_way_in_which_stripes_list_differs_is_found,
    what_differs_is_told_once_and_marked_when_it_has_cleared,
    a_list_that_cannot_be_read_is_read_again_later_and_missed_days_are_caught_up_with,
    what_was_begun_before_midnight_and_made_after_it_is_asked_for,
    a_dispute_that_nobody_told_of_is_found_on_the_list_and_asked_about,
    a_list_of_many_pages_is_read_to_its_end,
    the_sandbox_is_held_against_its_own_ledger,
    of_two_processes_that_compare_one_day_one_does,
);

/// A day in the middle of the month, at noon in UTC.
const NOON: &str = "2027-03-10T12:00:00Z";
/// The day after, when it has been over for an hour.
const NEXT: &str = "2027-03-11T01:00:00Z";
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A world with Stripe, and somebody with a card.
struct Desk {
    world: World,
    server: Server,
    simulator: Simulator,
    /// Their address.
    staff: String,
    payer: Payer,
}

impl Desk {
    async fn new(db: TestDatabase) -> Self {
        let simulator = Simulator::start().await;
        simulator.at(NOON);
        let world = World::at(db, NOON).await.with_stripe(&simulator);
        let server = Server::start(&world).await;
        let staff = world.add_staff(StaffRole::Finance).await;
        let payer = world.payer().await;
        world.try_card(payer, simulator.card(Card::Good)).await.unwrap();
        Self { world, server, simulator, staff, payer }
    }

    /// A member of staff who signs in now.
    async fn staff(&self) -> Client {
        signed_in(&self.server, &self.staff).await
    }

    /// Somebody pays so much.
    async fn paid(&self, minor: i64) -> (InvoiceId, PaymentId) {
        let invoice = self.world.invoice(self.payer, minor).await;
        let paid = self.world.pay(self.payer, invoice).await.unwrap().payment;
        assert_eq!(self.world.status(self.payer, paid).await, "SUCCEEDED");
        (invoice, paid)
    }

    /// The clock of everybody shows `now`, and what is due is compared; answers how many days were.
    async fn compare_at(&self, now: &str) -> usize {
        self.world.clock.set(now.parse().unwrap());
        self.simulator.at(now);
        compare_due(&self.world.ports).await.unwrap()
    }

    /// What differs, or has: `SUBJECT KIND ours theirs`, sorted.
    async fn differences(&self, open: bool) -> Vec<String> {
        let query = "query($o: Boolean) { gatewayDifferences(filter: { open: $o }) { totalCount nodes { id gateway day subject kind ours theirs business { id } } } }";
        let found = self.staff().await.data(query, json!({ "o": open })).await["gatewayDifferences"].take();
        let line = |node: &Value| {
            let text = |field: &str| node[field].as_str().unwrap_or("-").to_owned();
            format!("{} {} {} | {}", text("subject"), text("kind"), text("ours"), text("theirs"))
        };
        let mut lines: Vec<String> = found["nodes"].as_array().unwrap().iter().map(line).collect();
        assert_eq!(found["totalCount"], lines.len());
        lines.sort();
        lines
    }

    fn told(&self) -> Vec<String> {
        self.world.subjects_to("support@evolve.test")
    }
}

async fn what_agrees_is_compared_once_a_day_and_nothing_is_said(db: TestDatabase) {
    let desk = Desk::new(db).await;
    desk.paid(500).await;
    desk.paid(3_480).await;
    // The day is not over; then not for long enough.
    for early in ["2027-03-10T23:00:00Z", "2027-03-11T00:59:59Z"] {
        assert_eq!(desk.compare_at(early).await, usize::from(early.starts_with("2027-03-10")) * 2, "{early}");
    }
    // Of both gateways.
    assert_eq!((desk.compare_at(NEXT).await, desk.compare_at("2027-03-11T02:00:00Z").await), (2, 0));
    assert_eq!((desk.differences(true).await, desk.told().len()), (Vec::new(), 0));
    // 24 hours of 9 March and 24 of 10 March, and nothing twice.
    assert_eq!(desk.simulator.calls("GET /v1/payment_intents"), 48);
}

async fn every_way_in_which_stripes_list_differs_is_found(db: TestDatabase) {
    let desk = Desk::new(db).await;
    let (world, simulator) = (&desk.world, &desk.simulator);
    let payments = [desk.paid(500).await.1, desk.paid(600).await.1, desk.paid(700).await.1, desk.paid(800).await.1, desk.paid(900).await.1];
    let [amount, currency, canceled, lost, _] = payments.map(|payment| payment.to_string());
    simulator.tamper(&amount, |intent| intent["amount"] = json!(501));
    simulator.tamper(&currency, |intent| intent["currency"] = json!("usd"));
    simulator.tamper(&canceled, |intent| intent["status"] = json!("canceled"));
    simulator.forget(&lost);
    world.sql(&format!("update payments set status = 'FAILED' where id = {{id:{}}}", payments[4].uuid())).await;
    // Made at Stripe by hand, and a second charge of a payment.
    simulator.made_by_hand(1_234, None);
    simulator.made_by_hand(500, Some(&amount));
    // One of which nothing is known, and one that was declined, which is as it is here.
    simulator.is_silent(true);
    simulator.fail([Fault::AnswerLost]);
    let unknown = world.invoice(desk.payer, 1_000).await;
    world.pay(desk.payer, unknown).await.unwrap();
    simulator.is_silent(false);
    // A refund that was made at Stripe by hand.
    simulator.refunded_by_hand(&amount, 100);

    assert_eq!(desk.compare_at(NEXT).await, 2);
    let expected = [
        "CHARGE AMOUNT SUCCEEDED KES 5.00 | moved KES 5.01",
        "CHARGE AMOUNT SUCCEEDED KES 6.00 | moved USD 6.00",
        "CHARGE NOT_HERE - | moved KES 12.34",
        "CHARGE NOT_HERE SUCCEEDED KES 5.00 | moved KES 5.00",
        "CHARGE NOT_THERE SUCCEEDED KES 8.00 | not on the list, and no answer",
        "CHARGE STATUS FAILED KES 9.00 | moved KES 9.00",
        "CHARGE STATUS SUCCEEDED KES 7.00 | not moved KES 7.00",
        "CHARGE STATUS UNKNOWN KES 10.00 | moved KES 10.00",
        "CHARGE UNSETTLED UNKNOWN KES 10.00 | -",
        "REFUND NOT_HERE - | moved KES 1.00",
    ];
    assert_eq!(desk.differences(true).await, expected);
    assert_eq!(desk.told(), ["A gateway's list differs from ours: 10"]);
    // Nothing was changed by it.
    assert_eq!((world.count("payments", "status = 'SUCCEEDED'").await, world.count("refunds", "1 = 1").await), (4, 0));
    assert_eq!(world.invoice_is(desk.payer, unknown).await, ("OPEN", 0, 1_000));
}

async fn what_differs_is_told_once_and_marked_when_it_has_cleared(db: TestDatabase) {
    let desk = Desk::new(db).await;
    let payment = desk.paid(500).await.1.to_string();
    desk.simulator.tamper(&payment, |intent| intent["amount"] = json!(501));
    let differs = ["CHARGE AMOUNT SUCCEEDED KES 5.00 | moved KES 5.01"];
    desk.compare_at(NEXT).await;
    assert_eq!((desk.differences(true).await, desk.told().len()), (differs.map(str::to_owned).to_vec(), 1));
    let query = "{ gatewayDifferences { nodes { id gateway day reference clearedAt payment { id } business { id } refund { id } } } }";
    let shown = desk.staff().await.data(query, json!({})).await["gatewayDifferences"]["nodes"][0].take();
    assert_eq!((&shown["gateway"], &shown["day"], &shown["clearedAt"]), (&json!("stripe"), &json!("2027-03-10"), &Value::Null));
    assert_eq!((&shown["payment"]["id"], &shown["refund"]), (&json!(payment), &Value::Null));
    let again =
        desk.staff().await.data("query($i: ID!) { node(id: $i) { ... on GatewayDifference { kind } } }", json!({ "i": shown["id"] })).await;
    assert_eq!(again["node"]["kind"], "AMOUNT");

    // The same day again, a day later: nothing is there twice, and nobody is told twice.
    assert_eq!(desk.compare_at("2027-03-12T01:00:00Z").await, 3);
    assert_eq!((desk.differences(true).await.len(), desk.told().len()), (1, 1));
    desk.simulator.tamper(&payment, |intent| intent["amount"] = json!(500));
    desk.compare_at("2027-03-13T01:00:00Z").await;
    assert_eq!((desk.differences(true).await, desk.differences(false).await.len()), (Vec::new(), 1));
    // What has cleared is looked at no more.
    let asked = desk.simulator.calls("GET /v1/payment_intents");
    desk.compare_at("2027-03-14T01:00:00Z").await;
    assert_eq!(desk.simulator.calls("GET /v1/payment_intents"), asked + 24);
}

async fn a_list_that_cannot_be_read_is_read_again_later_and_missed_days_are_caught_up_with(db: TestDatabase) {
    let desk = Desk::new(db).await;
    let payment = desk.paid(500).await.1.to_string();
    desk.compare_at("2027-03-10T12:30:00Z").await;
    desk.simulator.tamper(&payment, |intent| intent["amount"] = json!(501));
    desk.simulator.is_silent(true);
    // The sandbox alone.
    assert_eq!(desk.compare_at(NEXT).await, 1);
    assert_eq!((desk.differences(true).await.len(), desk.told().len()), (0, 0));
    desk.simulator.is_silent(false);
    // Whoever began it may be at it for an hour; after that it is begun anew.
    assert_eq!(desk.compare_at("2027-03-11T01:59:59Z").await, 0);
    assert_eq!(desk.compare_at("2027-03-11T02:00:00Z").await, 1);
    assert_eq!(desk.differences(true).await.len(), 1);
    // Three days without anybody: each of them of both gateways, and 10 March, of which something differs.
    assert_eq!(desk.compare_at("2027-03-14T01:00:00Z").await, 7);
    // Two weeks without anybody: the last week of both, and 10 March.
    assert_eq!(desk.compare_at("2027-03-28T01:00:00Z").await, 15);
    // After five weeks what still differs is left to people.
    desk.compare_at("2027-04-14T01:00:00Z").await;
    assert_eq!(desk.compare_at("2027-04-15T01:00:00Z").await, 2);
}

async fn what_was_begun_before_midnight_and_made_after_it_is_asked_for(db: TestDatabase) {
    let desk = Desk::new(db).await;
    desk.world.clock.set("2027-03-10T23:59:59Z".parse().unwrap());
    desk.simulator.at("2027-03-11T00:00:01Z");
    desk.paid(500).await;
    assert_eq!(desk.compare_at(NEXT).await, 2);
    assert_eq!(desk.differences(true).await, [""; 0]);
    assert_eq!(desk.compare_at("2027-03-12T01:00:00Z").await, 2);
    assert_eq!(desk.differences(true).await, [""; 0]);
}

async fn a_dispute_that_nobody_told_of_is_found_on_the_list_and_asked_about(db: TestDatabase) {
    let desk = Desk::new(db).await;
    let payment = desk.paid(3_480).await.1;
    desk.simulator.dispute(&payment.to_string(), 3_480, "needs_response", &[-3_480]);
    desk.simulator.events();
    desk.compare_at(NEXT).await;
    assert_eq!(desk.differences(true).await.len(), 1);
    desk.world.run_due_jobs().await;
    assert_eq!((desk.world.status(desk.payer, payment).await, desk.world.count("disputes", "1 = 1").await), ("DISPUTED", 1));
    desk.compare_at("2027-03-12T01:00:00Z").await;
    assert_eq!((desk.differences(true).await.len(), desk.differences(false).await.len()), (0, 1));
}

async fn a_list_of_many_pages_is_read_to_its_end(db: TestDatabase) {
    let desk = Desk::new(db).await;
    for number in 0..250 {
        desk.simulator.made_by_hand(1_000 + number, None);
    }
    desk.compare_at(NEXT).await;
    let found = desk.world.count("gateway_differences", "kind = 'NOT_HERE' and cleared_at is null").await;
    assert_eq!((found, desk.simulator.calls("GET /v1/payment_intents")), (250, 26));
}

async fn the_sandbox_is_held_against_its_own_ledger(db: TestDatabase) {
    let world = World::at(db, NOON).await;
    let server = Server::start(&world).await;
    let payer = world.customer().await;
    let invoice = world.invoice(payer, 500).await;
    let paid = world.pay(payer, invoice).await.unwrap().payment;
    world.method(payer, SandboxBehavior::SucceedsLate).await;
    let late = world.invoice(payer, 700).await;
    world.pay(payer, late).await.unwrap();
    // By our row less was taken than by its ledger.
    world.sql(&format!("update payments set amount_minor = 400 where id = {{id:{}}}", paid.uuid())).await;
    world.clock.set(NEXT.parse().unwrap());
    assert_eq!(compare_due(&world.ports).await.unwrap(), 1);
    let query = "{ gatewayDifferences { nodes { gateway subject kind ours theirs } } }";
    let staff = world.staff(&server, StaffRole::Finance).await;
    let found = staff.data(query, json!({})).await["gatewayDifferences"]["nodes"].take();
    let mut kinds: Vec<String> = found.as_array().unwrap().iter().map(|node| format!("{} {}", node["gateway"], node["kind"])).collect();
    kinds.sort();
    assert_eq!(kinds, ["\"sandbox\" \"AMOUNT\"", "\"sandbox\" \"STATUS\"", "\"sandbox\" \"UNSETTLED\""], "{found:#}");
    // The one whose answer was lost is found by asking, and clears.
    world.run_due_jobs().await;
    world.clock.set("2027-03-12T01:00:00Z".parse().unwrap());
    compare_due(&world.ports).await.unwrap();
    assert_eq!(world.count("gateway_differences", "cleared_at is null").await, 1);
}

async fn of_two_processes_that_compare_one_day_one_does(db: TestDatabase) {
    let desk = Desk::new(db).await;
    let payment = desk.paid(500).await.1.to_string();
    desk.simulator.tamper(&payment, |intent| intent["amount"] = json!(501));
    desk.world.clock.set(NEXT.parse().unwrap());
    let (one, two) = tokio::join!(compare_due(&desk.world.ports), compare_due(&desk.world.ports));
    assert_eq!(one.unwrap() + two.unwrap(), 2);
    assert_eq!(desk.differences(true).await.len(), 1);
    desk.world.advance(DAY);
    assert_eq!(compare_due(&desk.world.ports).await.unwrap(), 3);
}
