//! Disputes: what a payer's bank does about a charge, told by the simulator of Stripe, to the cent. 16 % comes on top of every price.

use evolve_business::ids::{InvoiceId, PaymentId, SubscriptionId};
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::ledger::entries;
use crate::stripe_simulator::{Card, Simulator};
use crate::world::World;
use crate::world_payments::Payer;
use crate::world_staff::text;
use crate::world_staff_money::{JUNE, refused};

both!(
    a_dispute_that_is_lost_is_credited_refunded_and_suspends_the_subscription,
    a_dispute_that_is_won_leaves_everything_as_it_was,
    what_is_lost_beyond_what_is_left_of_the_payment_is_a_cost,
    an_inquiry_changes_nothing_and_may_be_settled_by_a_refund,
    an_inquiry_that_becomes_a_dispute_is_told_of_again,
    a_dispute_told_of_many_times_and_in_no_order_counts_once,
    a_dispute_of_which_nothing_is_told_any_more_is_asked_about_daily,
    the_money_of_a_won_dispute_may_come_later,
    a_payment_with_two_disputes_is_disputed_until_both_are_won,
    what_contradicts_a_decided_dispute_is_for_people_and_changes_nothing,
    a_dispute_of_nobodys_charge_does_nothing,
    a_dispute_on_a_test_clock_goes_by_that_clock,
    what_contradicts_a_dispute_is_found_by_its_check,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Somebody who paid 34.80 by card for June.
pub(crate) struct Case {
    pub(crate) world: World,
    server: Server,
    pub(crate) simulator: Simulator,
    pub(crate) staff: Client,
    pub(crate) payer: Payer,
    pub(crate) subscription: SubscriptionId,
    pub(crate) invoice: InvoiceId,
    pub(crate) payment: PaymentId,
}

impl Case {
    pub(crate) async fn new(db: TestDatabase) -> Self {
        let simulator = Simulator::start().await;
        simulator.at(JUNE);
        let world = World::shop_at(db, JUNE).await.with_stripe(&simulator);
        let server = Server::start(&world).await;
        let staff = world.staff(&server, StaffRole::Finance).await;
        let payer = world.payer().await;
        world.try_card(payer, simulator.card(Card::Good)).await.unwrap();
        let billed = world.subscribe(payer, "basic").await;
        let (invoice, payment) = (billed.invoice.unwrap(), billed.payment.unwrap());
        simulator.events();
        Self { world, server, simulator, staff, payer, subscription: billed.subscription, invoice, payment }
    }

    /// The payer's bank disputes so much, and has taken it.
    pub(crate) fn dispute(&self, amount: i64) -> String {
        self.simulator.dispute(&self.payment.to_string(), amount, "needs_response", &[-amount])
    }

    /// Tells the server what Stripe has to tell, and does what follows.
    pub(crate) async fn hear(&self) {
        for event in self.simulator.events() {
            assert_eq!(self.world.tell(&self.server, &event).await, 200, "{event}");
        }
        self.world.run_due_jobs().await;
    }

    /// The states of payment, invoice and subscription.
    pub(crate) async fn stand(&self) -> [&'static str; 3] {
        let payment = self.world.status(self.payer, self.payment).await;
        let invoice = self.world.invoice_is(self.payer, self.invoice).await.0;
        [payment, invoice, self.world.subscription(self.payer, self.subscription).await.status.as_str()]
    }

    /// What was entered after the invoice and its payment.
    pub(crate) async fn entered(&self) -> Vec<String> {
        entries(&self.world).await.split_off(2)
    }

    /// The disputes as staff see them.
    async fn shown(&self) -> Value {
        let query = "{ disputes { totalCount nodes { id status funds reason amount { amount currency } loss { amount } respondBy closedAt
          refund { amount { amount } status creditNote { reason tax { amount } } } payment { id status amountRefunded { amount } } business { id } } } }";
        self.staff.data(query, json!({})).await["disputes"].take()
    }

    /// Staff wish to pay the payment back, or so much of it.
    pub(crate) async fn pay_back(&self, amount: Option<&str>, key: &str) -> Value {
        let input = json!({ "paymentId": self.payment.to_string(), "amount": amount, "reason": "GOODWILL", "idempotencyKey": key });
        self.world.working(self.staff.payload("refundPayment", input, "refund { status } payment { status }")).await
    }

    async fn audited(&self) -> Vec<String> {
        self.world.read_texts("select action from audit_events where action like 'dispute.%' order by sequence").await
    }

    fn told_support(&self) -> Vec<String> {
        self.world.subjects_to("support@evolve.test")
    }
}

async fn a_dispute_that_is_lost_is_credited_refunded_and_suspends_the_subscription(db: TestDatabase) {
    let case = Case::new(db).await;
    let id = case.dispute(3_480);
    case.hear().await;
    assert_eq!(case.stand().await, ["DISPUTED", "PAID", "ACTIVE"]);
    let mut expected = vec!["DISPUTE_OPENED: DISPUTES 3480, CASH -3480".to_owned()];
    assert_eq!(case.entered().await, expected);
    let shown = case.shown().await;
    let dispute = &shown["nodes"][0];
    assert_eq!((&shown["totalCount"], &dispute["status"], &dispute["funds"]), (&json!(1), &json!("NEEDS_RESPONSE"), &json!("TAKEN")));
    assert_eq!((&dispute["amount"]["amount"], &dispute["reason"]), (&json!("34.80"), &json!("fraudulent")));
    assert_eq!((&dispute["respondBy"], &dispute["refund"]), (&json!("2027-06-08T06:00:00Z"), &Value::Null));
    assert_eq!(case.told_support(), ["A payment of Acme is disputed"]);
    // What the bank has taken is not paid back beside it.
    let refusal = case.pay_back(None, "one").await;
    assert_eq!(refused(&refusal), ("INVALID_TRANSITION".to_owned(), "paymentId".to_owned()));

    case.simulator.dispute_goes(&id, "under_review", &[-3_480]);
    case.hear().await;
    case.simulator.dispute_goes(&id, "lost", &[-3_480]);
    case.hear().await;
    // The bank keeps it: 30.00 and 4.80 are credited, nothing is sent to Stripe, and as much is charged once more.
    assert_eq!(case.stand().await, ["DISPUTED", "PAID", "SUSPENDED"]);
    expected.push("INVOICE_ISSUED: RECEIVABLE 3480, REVENUE -3000, TAX_PAYABLE -480".to_owned());
    expected.push("CREDIT_NOTE_ISSUED: REVENUE 3000, TAX_PAYABLE 480, REFUNDS -3480".to_owned());
    expected.push("REFUND_PAID: REFUNDS 3480, DISPUTES -3480".to_owned());
    assert_eq!(case.entered().await, expected);
    assert_eq!((case.world.balance(case.payer).await, case.simulator.calls("POST /v1/refunds")), (0, 0));
    let lost = case.shown().await["nodes"][0].take();
    assert_eq!((&lost["status"], &lost["funds"], &lost["loss"]["amount"]), (&json!("LOST"), &json!("LOST"), &json!("0.00")));
    let refund = json!({ "amount": { "amount": "34.80" }, "status": "SUCCEEDED", "creditNote": { "reason": "DISPUTE", "tax": { "amount": "4.80" } } });
    assert_eq!((&lost["refund"], &lost["payment"]["amountRefunded"]["amount"]), (&refund, &json!("34.80")));
    let found = case.staff.data("query($i: ID!) { node(id: $i) { id ... on Dispute { status } } }", json!({ "i": lost["id"] })).await;
    assert_eq!(found["node"], json!({ "id": lost["id"], "status": "LOST" }));
    assert_eq!(case.audited().await, ["dispute.opened", "dispute.changed", "dispute.closed"]);
    assert_eq!(case.told_support().len(), 2);
    assert_eq!(case.world.examine().await, [""; 0]);

    // It renews nothing, and ends thirty days later, on 1 July.
    case.world.run_at("2027-06-30T21:00:00Z").await;
    assert_eq!((case.stand().await[2], case.world.count("invoices", "1 = 1").await), ("SUSPENDED", 2));
    case.world.run_at("2027-07-01T06:00:00Z").await;
    assert_eq!(case.stand().await[2], "CANCELED");
}

async fn a_dispute_that_is_won_leaves_everything_as_it_was(db: TestDatabase) {
    let case = Case::new(db).await;
    let id = case.dispute(3_480);
    case.hear().await;
    case.simulator.dispute_goes(&id, "won", &[-3_480, 3_480]);
    case.hear().await;
    assert_eq!(case.stand().await, ["SUCCEEDED", "PAID", "ACTIVE"]);
    assert_eq!(case.entered().await, ["DISPUTE_OPENED: DISPUTES 3480, CASH -3480", "DISPUTE_WON: CASH 3480, DISPUTES -3480"]);
    let shown = case.shown().await["nodes"][0].take();
    assert_eq!((&shown["status"], &shown["funds"], &shown["refund"]), (&json!("WON"), &json!("GIVEN_BACK"), &Value::Null));
    assert_eq!(case.told_support(), ["A payment of Acme is disputed", "A dispute with Acme is decided: WON"]);
    // It can be paid back as any other.
    assert_eq!(case.pay_back(None, "one").await["payment"]["status"], "REFUNDED");
    assert_eq!(case.world.examine().await, [""; 0]);
}

async fn what_is_lost_beyond_what_is_left_of_the_payment_is_a_cost(db: TestDatabase) {
    let case = Case::new(db).await;
    // 11.60 of 34.80 are paid back, and then the bank takes all of it.
    assert_eq!(case.pay_back(Some("11.60"), "one").await["refund"]["status"], "SUCCEEDED");
    let id = case.dispute(3_480);
    case.hear().await;
    assert_eq!(case.stand().await[0], "DISPUTED");
    case.simulator.dispute_goes(&id, "lost", &[-3_480]);
    case.hear().await;
    // 23.20 are left to be credited, with 3.20 of tax; 11.60 are lost for nothing.
    let lost = [
        "DISPUTE_OPENED: DISPUTES 3480, CASH -3480",
        "INVOICE_ISSUED: RECEIVABLE 2320, REVENUE -2000, TAX_PAYABLE -320",
        "CREDIT_NOTE_ISSUED: REVENUE 2000, TAX_PAYABLE 320, REFUNDS -2320",
        "REFUND_PAID: REFUNDS 2320, DISPUTES -2320",
        "WRITTEN_OFF: WRITE_OFF 1160, DISPUTES -1160",
    ];
    assert_eq!(case.entered().await[2..], lost);
    let shown = case.shown().await["nodes"][0].take();
    assert_eq!((&shown["refund"]["amount"]["amount"], &shown["loss"]["amount"]), (&json!("23.20"), &json!("11.60")));
    assert_eq!(case.world.examine().await, [""; 0]);
}

async fn an_inquiry_changes_nothing_and_may_be_settled_by_a_refund(db: TestDatabase) {
    let case = Case::new(db).await;
    let id = case.simulator.dispute(&case.payment.to_string(), 3_480, "warning_needs_response", &[]);
    case.hear().await;
    assert_eq!(case.stand().await, ["SUCCEEDED", "PAID", "ACTIVE"]);
    assert_eq!((case.shown().await["nodes"][0]["status"].take(), case.entered().await.len()), (json!("INQUIRY"), 0));
    assert_eq!(case.pay_back(None, "one").await["payment"]["status"], "REFUNDED");
    case.simulator.dispute_goes(&id, "warning_closed", &[]);
    case.hear().await;
    assert_eq!(
        (case.stand().await, case.shown().await["nodes"][0]["status"].take()),
        (["REFUNDED", "PAID", "ACTIVE"], json!("INQUIRY_CLOSED"))
    );
    assert_eq!(
        (case.audited().await, case.world.examine().await),
        (vec!["dispute.opened".to_owned(), "dispute.closed".to_owned()], Vec::new())
    );
}

async fn an_inquiry_that_becomes_a_dispute_is_told_of_again(db: TestDatabase) {
    let case = Case::new(db).await;
    let id = case.simulator.dispute(&case.payment.to_string(), 3_480, "warning_needs_response", &[]);
    case.hear().await;
    // Paid back, and taken by the bank all the same: the second time is a cost.
    assert_eq!(case.pay_back(None, "one").await["payment"]["status"], "REFUNDED");
    case.simulator.dispute_goes(&id, "needs_response", &[-3_480]);
    case.hear().await;
    assert_eq!((case.stand().await[0], case.told_support().len()), ("DISPUTED", 2));
    case.simulator.dispute_goes(&id, "won", &[-3_480, 3_480]);
    case.hear().await;
    assert_eq!((case.stand().await[0], case.world.examine().await), ("REFUNDED", Vec::new()));
}

async fn a_dispute_told_of_many_times_and_in_no_order_counts_once(db: TestDatabase) {
    let case = Case::new(db).await;
    let id = case.dispute(3_480);
    case.simulator.dispute_goes(&id, "under_review", &[-3_480]);
    case.simulator.dispute_goes(&id, "lost", &[-3_480]);
    let told = case.simulator.events();
    // The last first, each of them twice, and each once more by an id of its own.
    let tell = told.iter().rev().chain(&told).cloned().chain(told.iter().map(|event| event.replace("\"id\":\"evt_", "\"id\":\"evt_9")));
    for event in tell {
        assert_eq!(case.world.tell(&case.server, &event).await, 200);
    }
    case.world.run_due_jobs().await;
    assert_eq!(case.stand().await, ["DISPUTED", "PAID", "SUSPENDED"]);
    assert_eq!(
        (case.entered().await.len(), case.world.count("disputes", "1 = 1").await, case.world.count("credit_notes", "1 = 1").await),
        (4, 1, 1)
    );
    assert_eq!(case.world.count("invoices", "1 = 1").await, 2);
    assert_eq!((case.audited().await, case.world.examine().await), (vec!["dispute.closed".to_owned()], Vec::new()));
}

async fn a_dispute_of_which_nothing_is_told_any_more_is_asked_about_daily(db: TestDatabase) {
    let case = Case::new(db).await;
    let id = case.dispute(3_480);
    case.hear().await;
    case.simulator.dispute_goes(&id, "lost", &[-3_480]);
    case.simulator.events();
    case.world.pass(DAY - SignedDuration::from_secs(1)).await;
    assert_eq!(case.stand().await[2], "ACTIVE");
    // It is not answered, then it is: a minute later.
    case.simulator.is_silent(true);
    case.world.pass(SignedDuration::from_secs(1)).await;
    assert_eq!(case.stand().await[2], "ACTIVE");
    case.simulator.is_silent(false);
    case.world.pass(DAY).await;
    assert_eq!((case.stand().await, case.world.examine().await), (["DISPUTED", "PAID", "SUSPENDED"], Vec::new()));
    // What is over is asked about no more.
    let asked = case.simulator.calls(&format!("GET /v1/disputes/{id}"));
    case.world.pass(DAY).await;
    case.world.pass(DAY).await;
    assert_eq!(case.simulator.calls(&format!("GET /v1/disputes/{id}")), asked);
}

async fn the_money_of_a_won_dispute_may_come_later(db: TestDatabase) {
    let case = Case::new(db).await;
    let id = case.dispute(3_480);
    case.hear().await;
    case.simulator.dispute_goes(&id, "won", &[-3_480]);
    case.hear().await;
    assert_eq!((case.stand().await[0], case.shown().await["nodes"][0]["funds"].take()), ("SUCCEEDED", json!("TAKEN")));
    assert_eq!(case.world.examine().await, [""; 0]);
    case.simulator.dispute_pays(&id, &[-3_480, 3_480]);
    case.hear().await;
    assert_eq!(case.shown().await["nodes"][0]["funds"], "GIVEN_BACK");
    assert_eq!(case.entered().await.last().unwrap(), "DISPUTE_WON: CASH 3480, DISPUTES -3480");
    assert_eq!(case.world.examine().await, [""; 0]);
}

async fn a_payment_with_two_disputes_is_disputed_until_both_are_won(db: TestDatabase) {
    let case = Case::new(db).await;
    let (one, two) = (case.dispute(1_000), case.dispute(2_000));
    case.hear().await;
    for (id, amount, status) in [(&one, 1_000, "DISPUTED"), (&two, 2_000, "SUCCEEDED")] {
        case.simulator.dispute_goes(id, "won", &[-amount, amount]);
        case.hear().await;
        assert_eq!((case.stand().await[0], case.world.examine().await), (status, Vec::new()));
    }
    assert_eq!(case.entered().await.len(), 4);
}

async fn what_contradicts_a_decided_dispute_is_for_people_and_changes_nothing(db: TestDatabase) {
    let case = Case::new(db).await;
    let id = case.dispute(3_480);
    case.hear().await;
    case.simulator.dispute_goes(&id, "won", &[-3_480, 3_480]);
    case.hear().await;
    case.simulator.dispute_goes(&id, "lost", &[-3_480, 3_480, -3_480]);
    case.hear().await;
    assert_eq!((case.stand().await, case.entered().await.len()), (["SUCCEEDED", "PAID", "ACTIVE"], 2));
    let wrong = case.world.examine().await;
    assert!(wrong.len() == 1 && wrong[0].starts_with("jobs: ") && wrong[0].contains("contradicts what is known"), "{wrong:#?}");
}

async fn a_dispute_of_nobodys_charge_does_nothing(db: TestDatabase) {
    let case = Case::new(db).await;
    for object in [
        r#"{"id":"du_x","object":"dispute","payment_intent":"pi_of_another_shop"}"#,
        r#"{"id":"du_x","object":"dispute","payment_intent":null}"#,
        r#"{"object":"dispute","payment_intent":"pi_1"}"#,
    ] {
        let event = format!(r#"{{"id":"evt_{}","type":"charge.dispute.created","data":{{"object":{object}}}}}"#, object.len());
        assert_eq!(case.world.tell(&case.server, &event).await, 200, "{event}");
    }
    // One that Stripe does not know, about a charge that is ours: whoever made that up gains nothing.
    let intent = case.world.payment(case.payer, case.payment).await.gateway_reference.unwrap();
    let event = format!(
        r#"{{"id":"evt_a","type":"charge.dispute.created","data":{{"object":{{"id":"du_made_up","object":"dispute","payment_intent":"{intent}"}}}}}}"#
    );
    assert_eq!(case.world.tell(&case.server, &event).await, 200);
    case.world.run_due_jobs().await;
    assert_eq!((case.shown().await["totalCount"].take(), case.stand().await[0]), (json!(0), "SUCCEEDED"));
    assert_eq!(case.world.examine().await, [""; 0]);
}

async fn a_dispute_on_a_test_clock_goes_by_that_clock(db: TestDatabase) {
    let simulator = Simulator::start().await;
    let world = World::shop_at(db, JUNE).await.with_stripe(&simulator);
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let (client, business) = crate::world_lives::register(&server, "ann").await;
    world.clock_with(&staff, &business, "2028-01-10T09:00:00Z").await;
    client.mutate("addPaymentMethod", json!({ "source": { "cardToken": simulator.card(Card::Good) } }), "paymentMethod { id }").await;
    let plan = world.plan("books", "basic").await.to_string();
    let input = json!({ "planId": plan, "interval": "MONTHLY", "idempotencyKey": "one" });
    let bought = world.working(client.mutate("subscribe", input, "payment { id status } subscription { id }")).await;
    assert_eq!(bought["payment"]["status"], "SUCCEEDED");
    simulator.events();
    simulator.dispute(&text(&bought["payment"]["id"]), 3_480, "lost", &[-3_480]);
    for event in simulator.events() {
        assert_eq!(world.tell(&server, &event).await, 200);
    }
    world.run_due_jobs().await;
    let found = client.data("{ subscription(product: \"books\") { status } creditNotes { nodes { reason issuedAt } } }", json!({})).await;
    assert_eq!(found["subscription"]["status"], "SUSPENDED");
    assert_eq!(found["creditNotes"]["nodes"], json!([{ "reason": "DISPUTE", "issuedAt": "2028-01-10T09:00:00Z" }]));
    assert_eq!(world.examine().await, [""; 0]);
}

/// What is done to a database with a dispute that was lost and one that is open, what undoes it, and the check that finds it.
pub(crate) const CONTRADICTIONS: &[(&str, &str, &str)] = &[
    (
        "update disputes set funds = 'NOT_TAKEN' where ordinal = 2",
        "update disputes set funds = 'TAKEN' where ordinal = 2",
        "disputed money",
    ),
    (
        "update disputes set amount_minor = 999 where ordinal = 2",
        "update disputes set amount_minor = 1000 where ordinal = 2",
        "disputed money",
    ),
    ("update disputes set loss_minor = 5 where ordinal = 1", "update disputes set loss_minor = 0 where ordinal = 1", "disputes"),
    ("update disputes set status = 'WON' where ordinal = 1", "update disputes set status = 'LOST' where ordinal = 1", "disputes"),
    ("update payments set status = 'PARTIALLY_REFUNDED'", "update payments set status = 'DISPUTED'", "disputes"),
    (
        "update invoices set subscription_id = null where status = 'OPEN'",
        "update invoices set subscription_id = (select id from subscriptions) where subscription_id is null",
        "suspensions",
    ),
];

async fn what_contradicts_a_dispute_is_found_by_its_check(db: TestDatabase) {
    let case = Case::new(db).await;
    let lost = case.dispute(1_740);
    case.hear().await;
    case.simulator.dispute_goes(&lost, "lost", &[-1_740]);
    case.hear().await;
    case.dispute(1_000);
    case.hear().await;
    assert_eq!(case.world.examine().await, [""; 0]);
    for (done, undone, check) in CONTRADICTIONS {
        assert!(case.world.run_sql(done).await > 0, "{done}");
        let wrong = case.world.examine().await;
        assert!(wrong.iter().any(|finding| finding.starts_with(&format!("{check}: "))), "{done}: {wrong:#?}");
        assert!(case.world.run_sql(undone).await > 0, "{undone}");
        assert_eq!(case.world.examine().await, [""; 0], "{undone}");
    }
    case.world.run_sql("update disputes set status = 'WON'").await;
    let wrong = case.world.examine().await;
    assert!(wrong.iter().any(|finding| finding.starts_with("disputes: pay_")), "{wrong:#?}");
}
