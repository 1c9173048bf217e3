//! Paying back what gateways took, to the cent: 16 % comes on top of every price of the shop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use evolve_business::adapters::payment::sandbox::SandboxGateway;
use evolve_business::adapters::payment::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, Decline, GatewayKind, LookUpAnswer,
    MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest, SandboxBehavior,
};
use evolve_business::billing::cancel::{CancelTiming, UnusedTime};
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::error::UserErrorCode;
use evolve_business::ids::SubscriptionId;
use evolve_business::money::Currency;
use evolve_business::services::Ports;
use evolve_business::services::subscriptions::{Billed, Cancel, SubscriptionService};
use evolve_business::worker::{Worker, WorkerSettings};
use jiff::SignedDuration;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::ledger::entries;
use crate::payment_methods::Shillings;
use crate::statements::{counted, seen, subscribe};
use crate::world::World;
use crate::world_lives::{add_method, plans, register};
use crate::world_payments::Payer;
use crate::world_staff_money::{JULY, JUNE, MIDDLE};
use crate::world_subscriptions::code;

both!(
    a_cancellation_pays_back_what_is_unused_with_its_tax,
    a_cancellation_leaves_what_account_credit_paid_as_credit,
    a_refund_takes_the_newest_payment_first,
    a_customer_cancels_with_a_refund_over_the_api,
    a_lost_refund_is_asked_about_and_paid_once,
    a_refund_that_never_arrived_is_sent_again_with_its_key,
    a_refund_in_the_gateways_hands_is_asked_about_until_it_is_paid,
    a_refund_that_fails_becomes_account_credit,
    a_refund_whose_outcome_was_lost_with_its_worker_is_paid_once,
    a_refund_is_in_whole_units_of_the_gateway,
    refunds_come_to_no_more_than_was_taken_by_the_databases_own_check,
    a_refund_that_the_operator_does_not_offer_is_refused,
    what_contradicts_a_refund_is_found_by_its_check,
    refunds_of_many_payments_are_read_at_once,
);

/// Cancels at once with a refund, through these ports, while a worker runs on them.
async fn cancel(ports: &Ports, payer: Payer, id: SubscriptionId) -> Billed {
    let input = Cancel {
        subscription: Some(id),
        timing: CancelTiming::Now,
        unused_time: UnusedTime::Refund,
        reason: None,
        if_version: None,
        idempotency_key: ports.ids.next_uuid().to_string(),
    };
    let stop = CancellationToken::new();
    let worker = tokio::spawn(Worker::new(ports.clone(), WorkerSettings::default(), stop.clone()).run());
    let made = SubscriptionService::new(ports.clone()).cancel(payer.caller, input).await.unwrap();
    stop.cancel();
    worker.await.unwrap();
    made
}

impl World {
    /// Cancels at once with a refund while a worker runs.
    async fn cancel_and_refund(&self, payer: Payer, id: SubscriptionId) -> Billed {
        self.try_cancel(payer, id, CancelTiming::Now, UnusedTime::Refund).await.unwrap()
    }

    /// Each refund in its order: its state and its amount.
    async fn refunds(&self) -> Vec<String> {
        self.read_texts("select status || ' ' || cast(amount_minor as text) from refunds order by created_at, id").await
    }

    /// Each payment in its order: its state, and what of it was paid back and is being paid back.
    async fn payments_are(&self) -> Vec<String> {
        let sql = "select status || ' ' || cast(refunded_minor as text) || ' ' || cast(refunding_minor as text) from payments order by created_at, id";
        self.read_texts(sql).await
    }

    /// What the gateway really paid back, in minor units, the least first: jobs that are due together run together.
    async fn paid_back(&self) -> Vec<i64> {
        let refunds = self.gateway.refunds().await.unwrap().into_iter().filter(|refund| refund.refused.is_none());
        let mut amounts: Vec<i64> = refunds.map(|refund| refund.amount.minor()).collect();
        amounts.sort_unstable();
        amounts
    }
}

async fn a_cancellation_pays_back_what_is_unused_with_its_tax(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    // 15/30 of 30.00 is 15.00, its tax 2.40. All of it was taken by the gateway: 34.80 − 17.40 used.
    let made = world.cancel_and_refund(payer, id).await;
    assert_eq!((made.credit_notes.len(), made.refunds.len()), (1, 1));
    assert_eq!(world.refunds().await, ["SUCCEEDED 1740"]);
    assert_eq!(world.payments_are().await, ["PARTIALLY_REFUNDED 1740 1740"]);
    assert_eq!((world.paid_back().await, world.balance(payer).await), (vec![1_740], 0));
    let entries = entries(&world).await;
    let last = ["CREDIT_NOTE_ISSUED: REVENUE 1500, TAX_PAYABLE 240, REFUNDS -1740", "REFUND_PAID: REFUNDS 1740, CASH -1740"];
    assert_eq!(entries[entries.len() - 2..], last.map(str::to_owned));
    assert_eq!(world.count("audit_events", "action = 'refund.succeeded'").await, 1);
    assert_eq!(world.examine().await, [""; 0]);
    // Nothing is left to do, and nothing is paid again.
    world.run_at("2027-08-01T00:00:00Z").await;
    assert_eq!(world.paid_back().await, [1_740]);
}

async fn a_cancellation_leaves_what_account_credit_paid_as_credit(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    // On 16 June 15/30 of 90.00 are taken back and 15/30 of 30.00 charged: 30.00 + 4.80 are credit, which pays the whole of July.
    let id = world.subscribe(payer, "max").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    world.change(payer, id, "basic", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.balance(payer).await, 3_480);
    world.run_at(JULY).await;
    assert_eq!((world.balance(payer).await, world.charges().await), (0, 1));
    // On 16 July 16 of 31 days are unused: 15.48, tax 2.48. No gateway took anything for July: all of it is credit again.
    world.clock.set("2027-07-16T06:00:00Z".parse().unwrap());
    world.cancel_and_refund(payer, id).await;
    assert_eq!((world.paid_back().await, world.balance(payer).await), (Vec::new(), 1_796));
    assert_eq!(world.examine().await, [""; 0]);

    // Another, with 12.00 + 1.92 of credit when July begins: 34.80 − 13.92 = 20.88 are taken. On 16 July 16 of 31 days are unused:
    // 15.48, tax 2.48, 17.96. Used are 34.80 − 17.96 = 16.84, so that 20.88 − 16.84 = 4.04 are paid back, and 13.92 are credit.
    world.clock.set("2028-06-01T06:00:00Z".parse().unwrap());
    let second = world.customer().await;
    let id = world.subscribe(second, "basic").await.subscription;
    world.clock.set("2028-06-19T06:00:00Z".parse().unwrap());
    // 12/30: −12.00 + 24.00 = 12.00 more, and back at once: 12.00 + 1.92 are credit.
    world.change(second, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    world.change(second, id, "basic", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.balance(second).await, 1_392);
    world.run_at("2028-06-30T21:00:00Z").await;
    world.clock.set("2028-07-16T06:00:00Z".parse().unwrap());
    world.cancel_and_refund(second, id).await;
    assert_eq!((world.paid_back().await, world.balance(second).await), (vec![404], 1_392));
    assert_eq!(world.count("credit_notes", "amount_minor = 1796 and to_refund_minor = 404 and to_credit_minor = 1392").await, 1);
    assert_eq!(world.examine().await, [""; 0]);
}

async fn a_refund_takes_the_newest_payment_first(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    // −15.00 + 45.00 = 30.00, tax 4.80: 34.80 a second time.
    world.change(payer, id, "max", ChangeTiming::Now, Proration::ProrateNow).await;
    // 15/30 of 90.00 is 45.00, tax 7.20: 52.20, of which the newer payment has 34.80 and the older 17.40.
    world.cancel_and_refund(payer, id).await;
    assert_eq!(world.payments_are().await, ["PARTIALLY_REFUNDED 1740 1740", "REFUNDED 3480 3480"]);
    assert_eq!(world.paid_back().await, [1_740, 3_480]);
    // Each on the credit note of its invoice.
    let pairs = "select cast(n.amount_minor as text) || ' ' || cast(n.to_refund_minor as text) || ' ' || cast(r.amount_minor as text) from refunds r
                 join credit_notes n on n.id = r.credit_note_id order by r.created_at, r.id";
    assert_eq!(world.read_texts(pairs).await, ["3480 3480 3480", "1740 1740 1740"]);
    assert_eq!((world.balance(payer).await, world.examine().await), (0, Vec::new()));
}

async fn a_customer_cancels_with_a_refund_over_the_api(db: TestDatabase) {
    let world = World::at(db, JUNE).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let worker = world.background_worker();
    let (client, _) = register(&server, "ann").await;
    add_method(&client, "SUCCEEDS").await;
    let plan = &plans(&client).await["erp"][0];
    let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "idempotencyKey": "one" });
    let begun = client.mutate("subscribe", input, "subscription { id } invoice { total { amount } }").await;
    // On the day that it begins all of it is unused.
    let total = begun["invoice"]["total"].clone();
    let input = json!({ "subscriptionId": begun["subscription"]["id"], "timing": "NOW", "unusedTime": "REFUND", "idempotencyKey": "two" });
    let selection = "subscription { status } creditNotes { toRefund { amount } toAccountCredit { amount } refunds { id } }
      refunds { id status amount { amount } failureMessage settledAt creditNote { reason refunds { id } } payment { status amountRefunded { amount } refunds { id status } } }";
    let canceled = client.mutate("cancel", input.clone(), selection).await;
    worker.stop().await;
    let id = canceled["refunds"][0]["id"].clone();
    let own = json!([{ "id": id }]);
    assert_eq!(canceled["creditNotes"], json!([{ "toRefund": total, "toAccountCredit": { "amount": "0.00" }, "refunds": own }]));
    let expected = json!([{
        "id": id, "status": "SUCCEEDED", "amount": total, "failureMessage": null, "settledAt": JUNE,
        "creditNote": { "reason": "CANCELLATION", "refunds": own },
        "payment": { "status": "REFUNDED", "amountRefunded": total, "refunds": [{ "id": id, "status": "SUCCEEDED" }] },
    }]);
    assert_eq!(canceled["refunds"], expected);
    let found = client.data("query($id: ID!) { node(id: $id) { ... on Refund { id status } } }", json!({ "id": id })).await;
    assert_eq!(found["node"], json!({ "id": id, "status": "SUCCEEDED" }));
    // The same request again pays nothing again, and shows the same.
    assert_eq!(client.mutate("cancel", input, selection).await, canceled);
    assert_eq!(world.paid_back().await.len(), 1);
}

async fn a_lost_refund_is_asked_about_and_paid_once(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    world.method(payer, SandboxBehavior::SucceedsLate).await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.run_at("2027-06-01T06:01:00Z").await;
    world.clock.set(MIDDLE.parse().unwrap());
    world.cancel_and_refund(payer, id).await;
    // It was paid, and its answer lost: nobody may say that it failed, and nothing is credited.
    assert_eq!((world.refunds().await, world.paid_back().await), (vec!["UNKNOWN 1740".to_owned()], vec![1_740]));
    assert_eq!(world.payments_are().await, ["SUCCEEDED 0 1740"]);
    assert_eq!((world.balance(payer).await, world.examine().await), (0, Vec::new()));
    world.run_at("2027-06-16T06:00:59Z").await;
    assert_eq!(world.refunds().await, ["UNKNOWN 1740"]);
    world.run_at("2027-06-16T06:01:00Z").await;
    assert_eq!((world.refunds().await, world.paid_back().await), (vec!["SUCCEEDED 1740".to_owned()], vec![1_740]));
    assert_eq!(world.payments_are().await, ["PARTIALLY_REFUNDED 1740 1740"]);
}

/// What a gateway answers to refunds.
enum Refunds {
    /// The first so many requests do not arrive, and no answer comes.
    Lost(AtomicUsize),
    /// They are in hand for so many questions, and paid then.
    InHand(AtomicUsize),
    /// They are refused.
    Refused,
    /// They are paid, and the worker dies before it can write that down.
    Deadly(AtomicUsize),
}

/// The sandbox, which pays back so.
struct PaysBack {
    then: SandboxGateway,
    refunds: Refunds,
}

/// Whether there is one left to take.
fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

#[async_trait]
impl PaymentGateway for PaysBack {
    fn kind(&self) -> GatewayKind {
        self.then.kind()
    }
    fn terms(&self, currency: Currency) -> Option<AmountTerms> {
        self.then.terms(currency)
    }
    async fn attach(&self, source: MethodSource) -> Result<AttachedMethod, AttachError> {
        self.then.attach(source).await
    }
    async fn charge(&self, request: ChargeRequest) -> ChargeAnswer {
        self.then.charge(request).await
    }
    async fn look_up(&self, charge: &BegunCharge) -> LookUpAnswer {
        self.then.look_up(&charge.key).await
    }
    async fn cancel(&self, charge: &BegunCharge) -> CancelAnswer {
        self.then.cancel(&charge.key).await
    }
    async fn refund(&self, request: RefundRequest) -> RefundAnswer {
        match &self.refunds {
            Refunds::Lost(left) if take_one(left) => RefundAnswer::Unknown,
            Refunds::InHand(_) => RefundAnswer::Accepted,
            Refunds::Refused => {
                let message = "The card was closed.".to_owned();
                RefundAnswer::Failed(Decline { code: "expired_or_canceled_card".to_owned(), message, hard: true })
            }
            Refunds::Deadly(left) => {
                let answer = self.then.refund(request).await;
                assert!(!take_one(left), "as meant");
                answer
            }
            Refunds::Lost(_) => self.then.refund(request).await,
        }
    }
    async fn look_up_refund(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        match &self.refunds {
            Refunds::InHand(left) if take_one(left) => RefundLookUpAnswer::Accepted,
            Refunds::InHand(_) => RefundLookUpAnswer::Succeeded(format!("theirs_{}", refund.key)),
            _ => self.then.look_up_refund(&refund.key).await,
        }
    }
}

impl World {
    /// A customer of "basic" in the middle of June, who cancels with a refund at a gateway that pays back so.
    async fn canceled_at(&self, refunds: Refunds) -> (Payer, Ports) {
        let payer = self.customer().await;
        let id = self.subscribe(payer, "basic").await.subscription;
        self.clock.set(MIDDLE.parse().unwrap());
        let ports = self.through(Arc::new(PaysBack { then: self.gateway.clone(), refunds }));
        assert_eq!(cancel(&ports, payer, id).await.refunds.len(), 1);
        assert_eq!(self.examine().await, [""; 0]);
        (payer, ports)
    }

    /// Moves the clock to an instant and runs what is due then, through these ports.
    async fn run_through(&self, ports: &Ports, now: &str) {
        self.clock.set(now.parse().unwrap());
        World::worker(ports).run_due_jobs().await.unwrap();
        assert_eq!(self.examine().await, [""; 0], "{now}");
    }
}

async fn a_refund_that_never_arrived_is_sent_again_with_its_key(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let (payer, ports) = world.canceled_at(Refunds::Lost(AtomicUsize::new(2))).await;
    // Lost on the way; after a minute the gateway knows nothing, it is sent again and lost again; after five it is paid.
    for (now, stands, paid) in [
        (MIDDLE, "UNKNOWN 1740", 0),
        ("2027-06-16T06:01:10Z", "UNKNOWN 1740", 0),
        ("2027-06-16T06:05:10Z", "SUCCEEDED 1740", 1),
        ("2027-06-18T06:00:00Z", "SUCCEEDED 1740", 1),
    ] {
        world.run_through(&ports, now).await;
        assert_eq!((world.refunds().await, world.paid_back().await.len()), (vec![stands.to_owned()], paid), "{now}");
    }
    assert_eq!(world.balance(payer).await, 0);
}

async fn a_refund_in_the_gateways_hands_is_asked_about_until_it_is_paid(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let (_, ports) = world.canceled_at(Refunds::InHand(AtomicUsize::new(2))).await;
    for (now, stands) in [
        (MIDDLE, "ACCEPTED 1740"),
        ("2027-06-16T06:01:10Z", "ACCEPTED 1740"),
        ("2027-06-16T06:05:10Z", "ACCEPTED 1740"),
        ("2027-06-16T07:00:10Z", "SUCCEEDED 1740"),
    ] {
        world.run_through(&ports, now).await;
        assert_eq!(world.refunds().await, [stands], "{now}");
    }
    assert_eq!(world.payments_are().await, ["PARTIALLY_REFUNDED 1740 1740"]);
    assert_eq!(world.count("refunds", "gateway_reference like 'theirs_ref_%'").await, 1);
}

async fn a_refund_that_fails_becomes_account_credit(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let (payer, _) = world.canceled_at(Refunds::Refused).await;
    assert_eq!(world.refunds().await, ["FAILED 1740"]);
    assert_eq!(world.payments_are().await, ["SUCCEEDED 0 0"]);
    assert_eq!((world.balance(payer).await, world.paid_back().await), (1_740, Vec::new()));
    let entries = entries(&world).await;
    assert_eq!(entries.last().unwrap(), "REFUND_FAILED: REFUNDS 1740, ACCOUNT_CREDIT -1740");
    assert_eq!(world.count("credit_entries", "reason = 'FAILED_REFUND' and amount_minor = 1740").await, 1);
    assert_eq!(world.count("audit_events", "action = 'refund.failed'").await, 1);
    assert_eq!(world.count("refunds", "failure_message = 'The card was closed.'").await, 1);
    // It pays what comes next: 34.80 − 17.40.
    world.subscribe(payer, "basic").await;
    let charged = world.gateway.charges().await.unwrap();
    assert_eq!((charged.last().unwrap().amount.minor(), world.balance(payer).await), (1_740, 0));
}

async fn a_refund_whose_outcome_was_lost_with_its_worker_is_paid_once(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let (payer, ports) = world.canceled_at(Refunds::Deadly(AtomicUsize::new(1))).await;
    assert_eq!((world.refunds().await, world.paid_back().await), (vec!["SENDING 1740".to_owned()], vec![1_740]));
    // It is sent again with its key, which pays once.
    world.clock.advance(SignedDuration::from_secs(5));
    World::worker(&ports).run_due_jobs().await.unwrap();
    assert_eq!((world.refunds().await, world.paid_back().await), (vec!["SUCCEEDED 1740".to_owned()], vec![1_740]));
    assert_eq!((world.balance(payer).await, world.examine().await), (0, Vec::new()));
}

async fn a_refund_is_in_whole_units_of_the_gateway(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let ports = world.through(Arc::new(Shillings(world.gateway.clone())));
    cancel(&ports, payer, id).await;
    // 17.40 are unused: 17.00 in whole shillings, and 0.40 of credit.
    assert_eq!((world.paid_back().await, world.balance(payer).await), (vec![1_700], 40));
    assert_eq!(world.count("credit_notes", "to_refund_minor = 1700 and to_credit_minor = 40").await, 1);
}

async fn refunds_come_to_no_more_than_was_taken_by_the_databases_own_check(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    world.canceled_at(Refunds::InHand(AtomicUsize::new(9))).await;
    // Of 34.80 are 17.40 being paid back.
    for (change, is_refused) in [
        ("update payments set refunding_minor = 3481", true),
        ("update payments set refunded_minor = 1741", true),
        ("update payments set refunding_minor = 3480", false),
    ] {
        assert_eq!(world.try_sql(change).await.is_err(), is_refused, "{change}");
    }
}

async fn a_refund_that_the_operator_does_not_offer_is_refused(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let mut order = world.order("basic").await;
    order.offer.plan = Some(world.plan("strict", "basic").await);
    let id = world.try_subscribe(payer, order).await.unwrap().subscription;
    let refused = world.try_cancel(payer, id, CancelTiming::Now, UnusedTime::Refund).await;
    assert_eq!(code(refused), UserErrorCode::NotAllowed);
    assert_eq!((world.count("refunds", "true").await, world.count("credit_notes", "true").await), (0, 0));
}

/// What is done to a database with one refund that was paid, what undoes it, and the check that finds it.
pub(crate) const CONTRADICTIONS: &[(&str, &str, &str)] = &[
    ("update payments set refunding_minor = 1800", "update payments set refunding_minor = 1740", "refunds"),
    ("update payments set refunded_minor = 1700", "update payments set refunded_minor = 1740", "refunds"),
    ("update payments set status = 'SUCCEEDED'", "update payments set status = 'PARTIALLY_REFUNDED'", "refunds"),
    ("update payments set status = 'REFUNDED'", "update payments set status = 'PARTIALLY_REFUNDED'", "refunds"),
    (
        "update credit_notes set to_refund_minor = 1700, to_credit_minor = 40",
        "update credit_notes set to_refund_minor = 1740, to_credit_minor = 0",
        "refunds of credit notes",
    ),
    ("update refunds set status = 'UNKNOWN'", "update refunds set status = 'SUCCEEDED'", "settled refunds"),
    ("update refunds set status = 'FAILED'", "update refunds set status = 'SUCCEEDED'", "settled refunds"),
    ("update refunds set amount_minor = 1700", "update refunds set amount_minor = 1740", "settled refunds"),
    (
        "update journal_entries set kind = 'REFUND_FAILED' where kind = 'REFUND_PAID'",
        "update journal_entries set kind = 'REFUND_PAID' where kind = 'REFUND_FAILED'",
        "settled refunds",
    ),
];

async fn what_contradicts_a_refund_is_found_by_its_check(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    world.cancel_and_refund(payer, id).await;
    for (done, undone, check) in CONTRADICTIONS {
        assert!(world.run_sql(done).await > 0, "{done}");
        let wrong = world.examine().await;
        assert!(wrong.iter().any(|finding| finding.starts_with(&format!("{check}: "))), "{done}: {wrong:#?}");
        assert!(world.run_sql(undone).await > 0, "{undone}");
        assert_eq!(world.examine().await, [""; 0], "{undone}");
    }
}

async fn refunds_of_many_payments_are_read_at_once(db: TestDatabase) {
    const REFUNDS: &str = "{
      payments { nodes { status refunds { amount { amount } creditNote { number } payment { id } } } }
      creditNotes { nodes { refunds { id } } }
    }";
    let (world, statements) = seen(db, JUNE).await;
    let server = Server::start(&world).await;
    let (client, _) = register(&server, "ann").await;
    let method = add_method(&client, "SUCCEEDS").await;
    let plans = plans(&client).await;
    let mut counts = Vec::new();
    for (number, product) in ["erp", "payroll", "sacco"].into_iter().enumerate() {
        let plan = plans[product].first().unwrap();
        subscribe(&world, &client, plan, &method).await;
        let found = client.data("query($p: String) { subscription(product: $p) { id } }", json!({ "p": product })).await;
        let input =
            json!({ "subscriptionId": found["subscription"]["id"], "timing": "NOW", "unusedTime": "REFUND", "idempotencyKey": product });
        world.working(client.mutate("cancel", input, "refunds { status }")).await;
        let (data, texts) = counted(&client, &statements, REFUNDS).await;
        let refunds = data["payments"]["nodes"].as_array().unwrap().iter().map(|payment| payment["refunds"].as_array().unwrap().len());
        assert_eq!(refunds.sum::<usize>(), number + 1, "{data:#}");
        counts.push(texts.len());
    }
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}
