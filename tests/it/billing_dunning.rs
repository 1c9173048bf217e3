//! What happens where nobody pays, and what when somebody does after all.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use evolve_business::adapters::payment::sandbox::SandboxGateway;
use evolve_business::adapters::payment::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, Decline, GatewayKind, LookUpAnswer,
    MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest, SandboxBehavior,
};
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::ids::SubscriptionId;
use evolve_business::money::Currency;
use evolve_business::services::Ports;
use evolve_business::services::subscriptions::SubscriptionService;
use evolve_business::worker::{Worker, WorkerSettings};
use tokio_util::sync::CancellationToken;

use crate::database::TestDatabase;
use crate::payment_methods::Shillings;
use crate::world::World;
use crate::world_payments::Payer;

both!(
    an_unpaid_renewal_is_retried_then_suspended_then_canceled_then_given_up_on,
    a_product_says_on_which_days_it_is_tried_again_and_given_up,
    a_ladder_that_became_shorter_suspends_at_its_next_rung,
    paying_what_is_overdue_makes_all_well_again,
    access_comes_back_with_the_payment_and_the_rest_of_the_period_is_billed,
    a_renewal_without_a_usable_method_is_past_due_at_once,
    more_than_is_due_becomes_account_credit_that_pays_what_is_open,
    what_the_gateway_rounds_up_is_credit_and_what_it_does_not_take_is_written_off,
    a_hard_decline_drops_the_attempts_and_keeps_the_dates,
    a_new_default_after_a_hard_decline_is_tried_at_once_and_by_the_ladder,
    later_invoices_join_the_ladder_and_a_new_default_pays_them_all,
);

async fn an_unpaid_renewal_is_retried_then_suspended_then_canceled_then_given_up_on(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    // The renewal, and 1, 3, 5 and 7 days after its failure.
    for (now, attempts, status) in [
        ("2027-06-30T21:00:00Z", 1, SubscriptionStatus::PastDue),
        ("2027-07-01T20:59:59Z", 1, SubscriptionStatus::PastDue),
        ("2027-07-01T21:00:00Z", 2, SubscriptionStatus::PastDue),
        ("2027-07-03T21:00:00Z", 3, SubscriptionStatus::PastDue),
        ("2027-07-05T21:00:00Z", 4, SubscriptionStatus::PastDue),
        ("2027-07-07T20:59:59Z", 4, SubscriptionStatus::PastDue),
        ("2027-07-07T21:00:00Z", 5, SubscriptionStatus::Suspended),
        // A boundary passes without access: nothing is billed.
        ("2027-08-01T06:00:00Z", 5, SubscriptionStatus::Suspended),
        ("2027-08-06T21:00:00Z", 5, SubscriptionStatus::Canceled),
    ] {
        world.run_at(now).await;
        assert_eq!(world.count("payments", "status = 'FAILED'").await, attempts, "{now}");
        assert_eq!(world.subscription(payer, id).await.status, status, "{now}");
        assert_eq!(world.count("invoices", "true").await, 2, "{now}");
    }
    assert_eq!(world.count("invoices", "status = 'OPEN'").await, 1);
    world.run_at("2027-09-05T21:00:00Z").await;
    assert_eq!(world.count("invoices", "status = 'UNCOLLECTIBLE' and amount_due_minor = 3480").await, 1);
    assert_eq!(world.count("jobs", "status <> 'DONE'").await, 0);
}

/// One retry after 2 days, and the end 5 days after that.
const SHORT: &str = "[products.dunning]\nretry_after_days = [2]\ncancel_after_days = 5\n";

async fn a_product_says_on_which_days_it_is_tried_again_and_given_up(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    world.set_up_shop("", SHORT).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    for (now, attempts, status) in [
        ("2027-06-30T21:00:00Z", 1, SubscriptionStatus::PastDue),
        ("2027-07-02T20:59:59Z", 1, SubscriptionStatus::PastDue),
        ("2027-07-02T21:00:00Z", 2, SubscriptionStatus::Suspended),
        ("2027-07-07T20:59:59Z", 2, SubscriptionStatus::Suspended),
        ("2027-07-07T21:00:00Z", 2, SubscriptionStatus::Canceled),
    ] {
        world.run_at(now).await;
        assert_eq!(world.count("payments", "status = 'FAILED'").await, attempts, "{now}");
        assert_eq!(world.subscription(payer, id).await.status, status, "{now}");
    }
    // 30 days after the end.
    world.run_at("2027-08-06T21:00:00Z").await;
    assert_eq!(world.count("invoices", "status = 'UNCOLLECTIBLE' and amount_due_minor = 3480").await, 1);
    assert_eq!(world.count("jobs", "status <> 'DONE'").await, 0);
}

async fn a_ladder_that_became_shorter_suspends_at_its_next_rung(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    for now in ["2027-06-30T21:00:00Z", "2027-07-01T21:00:00Z", "2027-07-03T21:00:00Z"] {
        world.run_at(now).await;
    }
    assert_eq!(world.count("payments", "status = 'FAILED'").await, 3);
    world.set_up_shop("", SHORT).await;
    // The third retry was written for the fifth day; there is none any more.
    for (now, status) in [
        ("2027-07-05T20:59:59Z", SubscriptionStatus::PastDue),
        ("2027-07-05T21:00:00Z", SubscriptionStatus::Suspended),
        ("2027-07-07T20:59:59Z", SubscriptionStatus::Suspended),
        ("2027-07-07T21:00:00Z", SubscriptionStatus::Canceled),
    ] {
        world.run_at(now).await;
        assert_eq!(world.subscription(payer, id).await.status, status, "{now}");
    }
    assert_eq!(world.count("payments", "status = 'FAILED'").await, 3);
}

async fn paying_what_is_overdue_makes_all_well_again(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    world.run_at("2027-06-30T21:00:00Z").await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::PastDue);
    // A new default method is tried at once.
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.run_due_jobs().await;
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.dunning_invoice_id), (SubscriptionStatus::Active, None));
    world.run_at("2027-07-20T21:00:00Z").await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Active);
    assert_eq!(world.count("payments", "status = 'FAILED'").await, 1);
}

async fn access_comes_back_with_the_payment_and_the_rest_of_the_period_is_billed(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    for now in ["2027-06-30T21:00:00Z", "2027-07-01T21:00:00Z", "2027-07-03T21:00:00Z", "2027-07-05T21:00:00Z", "2027-07-07T21:00:00Z"] {
        world.run_at(now).await;
    }
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Suspended);
    world.run_at("2027-08-02T06:00:00Z").await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.run_due_jobs().await;
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.period_number), (SubscriptionStatus::Active, 3));
    // August from the 2nd: 30/31 of 30.00 is 29.03, tax 4.64.
    assert_eq!((world.billed(3, "total_minor").await, world.billed(3, "amount_paid_minor").await), (3_367, 3_367));
    assert_eq!(world.count("invoices", "true").await, 3);
}

async fn a_renewal_without_a_usable_method_is_past_due_at_once(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.payer().await;
    let id = world.subscribe(payer, "tried").await.subscription;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Trialing);
    world.run_at("2027-06-14T21:00:00Z").await;
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, world.count("payments", "true").await), (SubscriptionStatus::PastDue, 0));
    // The ladder goes on without attempts.
    for now in ["2027-06-15T21:00:00Z", "2027-06-17T21:00:00Z", "2027-06-19T21:00:00Z", "2027-06-21T21:00:00Z"] {
        world.run_at(now).await;
    }
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Suspended);
}

async fn more_than_is_due_becomes_account_credit_that_pays_what_is_open(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    let made = world.subscribe(payer, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.run_at("2027-06-30T21:00:00Z").await;
    // 10.00 comes late for an invoice that is paid: it lowers what is due on the open one to 24.80.
    world.settle(payer, made.invoice.unwrap(), 1_000).await;
    assert_eq!((world.billed(2, "credit_applied_minor").await, world.billed(2, "amount_due_minor").await), (1_000, 2_480));
    assert_eq!(world.count("credit_entries", "reason = 'LATE_PAYMENT' and amount_minor = 1000").await, 1);
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::PastDue);
    world.settle(payer, made.invoice.unwrap(), 3_000).await;
    assert_eq!((world.billed(2, "amount_due_minor").await, world.balance(payer).await), (0, 520));
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Active);
}

async fn what_the_gateway_rounds_up_is_credit_and_what_it_does_not_take_is_written_off(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    // Whole shillings, 5.00 at least.
    let ports = world.through(Arc::new(Shillings(world.gateway.clone())));
    let stop = CancellationToken::new();
    let worker = tokio::spawn(Worker::new(ports.clone(), WorkerSettings::default(), stop.clone()).run());
    let order = world.order("basic").await;
    let made = SubscriptionService::new(ports.clone()).subscribe(payer.caller, order).await.unwrap();
    stop.cancel();
    worker.await.unwrap();
    // 34.80 is collected as 35.00.
    assert_eq!(world.payment(payer, made.payment.unwrap()).await.amount_minor, 3_500);
    assert_eq!(world.count("credit_entries", "reason = 'ROUNDING' and amount_minor = 20").await, 1);
    // 30.80 more makes a credit of 31.00, and leaves 3.80 due on the next 34.80.
    world.settle(payer, made.invoice.unwrap(), 3_080).await;
    world.clock.set("2027-06-30T21:00:00Z".parse().unwrap());
    World::worker(&ports).run_due_jobs().await.unwrap();
    assert_eq!((world.billed(2, "amount_due_minor").await, world.billed(2, "credit_applied_minor").await), (0, 3_480));
    assert_eq!(world.count("credit_entries", "reason = 'ROUNDING' and amount_minor = 380").await, 1);
    assert_eq!((world.balance(payer).await, world.count("payments", "true").await), (0, 1));
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Active);
}

/// The sandbox, where the first charge of a method that declines says that the card is lost.
struct LostCard {
    then: SandboxGateway,
    is_told: AtomicBool,
}

#[async_trait]
impl PaymentGateway for LostCard {
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
        match self.then.charge(request).await {
            ChargeAnswer::Failed(decline) => {
                let hard = !self.is_told.swap(true, Ordering::SeqCst);
                ChargeAnswer::Failed(Decline { hard, ..decline })
            }
            other => other,
        }
    }
    async fn look_up(&self, charge: &BegunCharge) -> LookUpAnswer {
        self.then.look_up(&charge.key).await
    }
    async fn cancel(&self, charge: &BegunCharge) -> CancelAnswer {
        self.then.cancel(&charge.key).await
    }
    async fn refund(&self, request: RefundRequest) -> RefundAnswer {
        self.then.refund(request).await
    }
    async fn look_up_refund(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        self.then.look_up_refund(&refund.key).await
    }
}

/// A customer of "basic" whose card is lost when the renewal is charged, and the ports that say so.
pub(crate) async fn lost_card(world: &World) -> (Payer, SubscriptionId, Ports) {
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    let ports = world.through(Arc::new(LostCard { then: world.gateway.clone(), is_told: AtomicBool::new(false) }));
    (payer, id, ports)
}

/// Runs what is due at an instant through these ports; answers how many charges have failed by then, and the state.
async fn failed_by(world: &World, ports: &Ports, (payer, id): (Payer, SubscriptionId), now: &str) -> (i64, SubscriptionStatus) {
    world.clock.set(now.parse().unwrap());
    World::worker(ports).run_due_jobs().await.unwrap();
    assert_eq!(world.examine().await, [""; 0], "{now}");
    (world.count("payments", "status = 'FAILED'").await, world.subscription(payer, id).await.status)
}

async fn a_hard_decline_drops_the_attempts_and_keeps_the_dates(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let (payer, id, ports) = lost_card(&world).await;
    for (now, status) in [
        ("2027-06-30T21:00:00Z", SubscriptionStatus::PastDue),
        ("2027-07-05T21:00:00Z", SubscriptionStatus::PastDue),
        ("2027-07-07T20:59:59Z", SubscriptionStatus::PastDue),
        ("2027-07-07T21:00:00Z", SubscriptionStatus::Suspended),
        ("2027-08-06T20:59:59Z", SubscriptionStatus::Suspended),
        ("2027-08-06T21:00:00Z", SubscriptionStatus::Canceled),
    ] {
        assert_eq!(failed_by(&world, &ports, (payer, id), now).await, (1, status), "{now}");
        assert_eq!(world.count("invoices", "next_attempt_at is not null").await, 0, "{now}");
    }
}

async fn a_new_default_after_a_hard_decline_is_tried_at_once_and_by_the_ladder(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let (payer, id, ports) = lost_card(&world).await;
    assert_eq!(failed_by(&world, &ports, (payer, id), "2027-06-30T21:00:00Z").await, (1, SubscriptionStatus::PastDue));
    // Another card on 2 July, which declines softly: at once, and on the fourth, sixth and eighth.
    world.clock.set("2027-07-02T06:00:00Z".parse().unwrap());
    world.method(payer, SandboxBehavior::Declines).await;
    for (now, failed, status) in [
        ("2027-07-02T06:00:00Z", 2, SubscriptionStatus::PastDue),
        ("2027-07-03T21:00:00Z", 3, SubscriptionStatus::PastDue),
        ("2027-07-05T21:00:00Z", 4, SubscriptionStatus::PastDue),
        ("2027-07-07T21:00:00Z", 5, SubscriptionStatus::Suspended),
    ] {
        assert_eq!(failed_by(&world, &ports, (payer, id), now).await, (failed, status), "{now}");
    }
}

/// A second retry that comes after the next renewal.
const LONG: &str = "[products.dunning]\nretry_after_days = [10, 40]\ncancel_after_days = 30\n";

async fn later_invoices_join_the_ladder_and_a_new_default_pays_them_all(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    world.set_up_shop("", LONG).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    for (now, failed) in [
        ("2027-06-30T21:00:00Z", 1),
        ("2027-07-10T21:00:00Z", 2),
        // August is billed too: it is tried once and begins no ladder of its own.
        ("2027-07-31T21:00:00Z", 3),
        ("2027-08-08T20:59:59Z", 3),
    ] {
        world.run_at(now).await;
        assert_eq!(world.count("payments", "status = 'FAILED'").await, failed, "{now}");
    }
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.dunning_taken), (SubscriptionStatus::PastDue, 2));
    assert_eq!(world.count("jobs", "kind = 'dunning' and status = 'READY'").await, 1);
    // A new default pays both at once, 34.80 each, and the ladder is over.
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.run_at("2027-08-08T20:59:59Z").await;
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.dunning_invoice_id), (SubscriptionStatus::Active, None));
    assert_eq!((world.count("invoices", "status = 'PAID'").await, world.charges().await), (3, 3));
    world.run_at("2027-08-09T21:00:00Z").await;
    assert_eq!((world.count("payments", "status = 'FAILED'").await, world.charges().await), (3, 3));
}
