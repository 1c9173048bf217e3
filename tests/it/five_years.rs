//! A business lives five years on a test clock, by nothing but the two APIs: renewals, changes of plan, payments that
//! fail, suspension, recovery, a cancellation and a return. Every figure is worked out by hand.

use evolve_business::services::audit;
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::test_clocks::advance;
use crate::world::World;
use crate::world_lives::{add_method, register};
use crate::world_payments::until;
use crate::world_staff::text;

both!(five_years_pass_through_graphql_alone_and_the_doctor_finds_nothing);

/// Somebody's subscription, on a clock.
struct Customer<'a> {
    world: &'a World,
    client: Client,
    staff: Client,
    clock: String,
    subscription: String,
}

impl Customer<'_> {
    /// Advances the clock; afterwards nothing contradicts itself.
    async fn live_until(&self, to: &str) {
        advance(&self.staff, &self.clock, to).await;
        assert_eq!(self.world.examine().await, [""; 0], "{to}");
    }

    /// How the subscription stands.
    async fn status(&self) -> String {
        let query = "query($id: ID!) { node(id: $id) { ... on Subscription { status } } }";
        text(&self.client.data(query, json!({ "id": self.subscription })).await["node"]["status"])
    }

    /// How many invoices there are, and what the newest comes to: total, account credit used, paid, status.
    async fn billed(&self) -> (u64, [String; 4]) {
        let query =
            "{ invoices(first: 1) { totalCount nodes { status total { amount } creditApplied { amount } amountPaid { amount } } } }";
        let invoices = self.client.data(query, json!({})).await["invoices"].take();
        let newest = &invoices["nodes"][0];
        let figures = ["total", "creditApplied", "amountPaid"].map(|figure| text(&newest[figure]["amount"]));
        let [total, credit, paid] = figures;
        (invoices["totalCount"].as_u64().unwrap(), [total, credit, paid, text(&newest["status"])])
    }

    /// The account credit.
    async fn credit(&self) -> String {
        text(&self.client.data("{ profile { balance { amount } } }", json!({})).await["profile"]["balance"]["amount"])
    }

    /// Changes the plan, at once or as asked.
    async fn change(&self, key: &str, more: Value) -> Value {
        let mut input = json!({ "subscriptionId": self.subscription, "idempotencyKey": key });
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.client.mutate("changePlan", input, "invoice { status total { amount } } creditNotes { id } subscription { status }").await
    }
}

/// Figures of an invoice, as [`Customer::billed`] answers them.
fn figures(total: &str, credit: &str, paid: &str) -> [String; 4] {
    [total, credit, paid, "PAID"].map(str::to_owned)
}

async fn five_years_pass_through_graphql_alone_and_the_doctor_finds_nothing(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-10T09:00:00Z").await;
    let server = Server::start(&world).await;
    let worker = world.background_worker();
    let staff = world.staff(&server, StaffRole::Admin).await;
    let (client, business) = register(&server, "ann").await;
    let clock = world.clock_with(&staff, &business, "2027-01-31T06:00:00Z").await;
    let (basic, plus) = (world.plan("books", "basic").await.to_string(), world.plan("books", "plus").await.to_string());
    add_method(&client, "SUCCEEDS").await;
    let first = json!({ "planId": basic, "interval": "MONTHLY", "idempotencyKey": "first" });
    let begun = client.mutate("subscribe", first, "subscription { id status } invoice { status }").await;
    assert_eq!(begun["subscription"]["status"], "ACTIVE");
    let mut ann = Customer { world: &world, client, staff, clock, subscription: text(&begun["subscription"]["id"]) };

    // The first year. 31 January, 28 February, 31 March, 30 April, 31 May: five invoices of 30.00 and 4.80 tax.
    ann.live_until("2027-06-15T09:00:00Z").await;
    assert_eq!(ann.billed().await, (5, figures("34.80", "0.00", "34.80")));
    // 15 of the 30 days from 31 May to 30 June are left: −15.00 + 30.00, tax 2.40.
    let changed = ann.change("up", json!({ "planId": plus })).await;
    assert_eq!(changed["invoice"], json!({ "status": "PAID", "total": { "amount": "17.40" } }));
    // A card that declines: the renewal of 30 June over 69.60 fails, and again 1 and 3 days later.
    add_method(&ann.client, "DECLINES").await;
    ann.live_until("2027-07-04T00:00:00Z").await;
    assert_eq!(ann.status().await, "PAST_DUE");
    assert_eq!(ann.billed().await, (7, ["69.60", "0.00", "0.00", "OPEN"].map(str::to_owned)));
    // One that does not is tried at once.
    add_method(&ann.client, "SUCCEEDS").await;
    until(async || ann.status().await == "ACTIVE").await;
    assert_eq!(ann.billed().await, (7, figures("69.60", "0.00", "69.60")));
    // The ends of July to December, and 31 January: seven more.
    ann.live_until("2028-01-31T06:00:00Z").await;
    assert_eq!(ann.billed().await, (14, figures("69.60", "0.00", "69.60")));

    // The second year: a downgrade at the period's end, which is 29 February 2028.
    ann.live_until("2028-02-10T09:00:00Z").await;
    let changed = ann.change("down", json!({ "planId": basic, "timing": "PERIOD_END" })).await;
    assert_eq!((&changed["invoice"], &changed["creditNotes"]), (&Value::Null, &json!([])));
    ann.live_until("2028-02-28T21:00:00Z").await;
    assert_eq!(ann.billed().await, (15, figures("34.80", "0.00", "34.80")));
    // The ends of March to December, and 31 January: eleven.
    ann.live_until("2029-01-31T06:00:00Z").await;
    assert_eq!(ann.billed().await, (26, figures("34.80", "0.00", "34.80")));

    // The third year: from a month to a year on 10 February, with 18 of 28 days left: 300.00 − 19.29 = 280.71, tax 44.91.
    ann.live_until("2029-02-10T09:00:00Z").await;
    let changed = ann.change("yearly", json!({ "planId": basic, "interval": "YEARLY" })).await;
    assert_eq!(changed["invoice"], json!({ "status": "PAID", "total": { "amount": "325.62" } }));
    // A year later the card declines: four retries in seven days, then no access.
    add_method(&ann.client, "DECLINES").await;
    ann.live_until("2030-02-16T00:00:00Z").await;
    assert_eq!(ann.status().await, "PAST_DUE");
    ann.live_until("2030-02-20T00:00:00Z").await;
    assert_eq!(ann.status().await, "SUSPENDED");
    add_method(&ann.client, "SUCCEEDS").await;
    until(async || ann.status().await == "ACTIVE").await;
    assert_eq!(ann.billed().await, (28, figures("348.00", "0.00", "348.00")));

    // The fourth year is paid, and given up on 10 June 2031 with 245 of its 365 days left: 201.37, tax 32.22.
    ann.live_until("2031-06-10T09:00:00Z").await;
    assert_eq!(ann.billed().await, (29, figures("348.00", "0.00", "348.00")));
    let now = json!({ "subscriptionId": ann.subscription, "timing": "NOW", "unusedTime": "CREDIT", "idempotencyKey": "end" });
    let ended =
        ann.client.mutate("cancel", now, "subscription { status } creditNotes { amount { amount } tax { amount } } invoice { id }").await;
    assert_eq!(ended["subscription"]["status"], "CANCELED");
    assert_eq!(ended["creditNotes"], json!([{ "amount": { "amount": "233.59" }, "tax": { "amount": "32.22" } }]));
    assert_eq!(ann.credit().await, "233.59");
    assert_eq!(world.examine().await, [""; 0]);

    // Back on the same day: 69.60 a month, paid by that credit until September, when 24.79 of it is left.
    let again = json!({ "planId": plus, "interval": "MONTHLY", "idempotencyKey": "again" });
    let begun = ann.client.mutate("subscribe", again, "subscription { id status } payment { id }").await;
    assert_eq!((&begun["subscription"]["status"], &begun["payment"]), (&json!("ACTIVE"), &Value::Null));
    ann.subscription = text(&begun["subscription"]["id"]);
    assert_eq!((ann.billed().await, ann.credit().await), ((30, figures("69.60", "69.60", "0.00")), "163.99".to_owned()));
    ann.live_until("2031-09-10T00:00:00Z").await;
    assert_eq!((ann.billed().await, ann.credit().await), ((33, figures("69.60", "24.79", "44.81")), "0.00".to_owned()));
    ann.live_until("2032-01-31T06:00:00Z").await;
    assert_eq!((ann.status().await, ann.billed().await), ("ACTIVE".to_owned(), (37, figures("69.60", "0.00", "69.60"))));

    worker.stop().await;
    world.run_due_jobs().await;
    assert_eq!(world.examine().await, [""; 0]);
    let verified = audit::verify(&world.ports.store).await.unwrap();
    assert_eq!(verified.breaks, Vec::new());
    assert!(verified.events > 100, "{verified:?}");
}
