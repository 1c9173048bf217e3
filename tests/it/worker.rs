//! The worker: each job once, whoever runs it; what fails is tried again; a stop leaves no lease behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use evolve_business::adapters::payment::sandbox::{SandboxGateway, SandboxOptions};
use evolve_business::adapters::payment::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, GatewayKind, LookUpAnswer,
    MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest, SandboxBehavior,
};
use evolve_business::money::Currency;
use evolve_business::store::{Tenant, jobs};
use evolve_business::worker::{Worker, WorkerSettings};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_payments::until;

const NOW: &str = "2027-01-31T09:00:00Z";

both!(
    two_workers_on_one_store_run_each_of_two_hundred_jobs_once,
    a_stop_waits_for_the_job_that_runs,
    a_stop_that_cannot_wait_gives_the_leases_back,
    a_job_that_panics_is_tried_again,
    a_job_of_an_unknown_kind_is_dead,
    a_job_that_always_fails_is_dead_after_twenty_attempts,
);

async fn two_workers_on_one_store_run_each_of_two_hundred_jobs_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    for _ in 0..200 {
        let invoice = world.invoice(payer, 100).await;
        world.begin(payer, invoice).await;
    }
    let (one, two) = (World::worker(&world.ports), World::worker(&world.ports));
    let (one, two) =
        tokio::join!(tokio::spawn(async move { one.run_due_jobs().await }), tokio::spawn(async move { two.run_due_jobs().await }));
    // Each charge, and the notification that its invoice is paid.
    assert_eq!(one.unwrap().unwrap() + two.unwrap().unwrap(), 400);
    assert_eq!(world.number("select count(*) from jobs where status = 'DONE' and fence = 1").await, 400);
    assert_eq!(world.number("select count(*) from notifications where kind = 'invoice.paid'").await, 200);
    assert_eq!(world.number("select count(*) from payments where status = 'SUCCEEDED' and fence = 1").await, 200);
    assert_eq!(world.charges().await, 200);
}

/// A world in which one charge is under way at a gateway that answers after `hold`, and the worker that runs it.
async fn charging(db: TestDatabase, hold: Duration, stop_within: Duration) -> (World, CancellationToken, tokio::task::JoinHandle<()>) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 100).await;
    world.begin(payer, invoice).await;
    let options = SandboxOptions { hold_after_commit: Some(hold), call_limit: Duration::from_mins(2), ..SandboxOptions::default() };
    let gateway = SandboxGateway::open(world.database.dir.path(), world.ports.clock.clone(), options).await.unwrap();
    let stop = CancellationToken::new();
    let settings = WorkerSettings { stop_within, ..WorkerSettings::default() };
    let worker = tokio::spawn(Worker::new(world.through(Arc::new(gateway)), settings, stop.clone()).run());
    until(async || world.charges().await == 1).await;
    (world, stop, worker)
}

async fn a_stop_waits_for_the_job_that_runs(db: TestDatabase) {
    let (world, stop, worker) = charging(db, Duration::from_millis(500), Duration::from_secs(20)).await;
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(world.number("select count(*) from payments where status = 'SUCCEEDED'").await, 1);
    assert_eq!(world.number("select count(*) from jobs where status = 'DONE' and leased_until is null").await, 1);
}

async fn a_stop_that_cannot_wait_gives_the_leases_back(db: TestDatabase) {
    let (world, stop, worker) = charging(db, Duration::from_mins(1), Duration::from_millis(50)).await;
    assert_eq!(world.number("select count(*) from jobs where leased_until is not null").await, 1);
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(world.number("select count(*) from jobs where leased_until is not null").await, 0);
    // No time has passed: the next worker has the job at once, and the gateway charges nothing anew.
    assert_eq!(world.run_due_jobs().await, 2, "the charge, and the notification of it");
    assert_eq!(world.number("select count(*) from payments where status = 'SUCCEEDED'").await, 1);
    assert_eq!(world.charges().await, 1);
}

/// A gateway whose adapter panics once, and whose charges then go to the sandbox.
struct Panics {
    then: SandboxGateway,
    first: AtomicBool,
    always: bool,
}

#[async_trait]
impl PaymentGateway for Panics {
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
        assert!(!self.always && !self.first.swap(false, Ordering::SeqCst), "as meant");
        self.then.charge(request).await
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

async fn a_job_that_panics_is_tried_again(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 100).await;
    let payment = world.begin(payer, invoice).await;
    let gateway = Panics { then: world.gateway.clone(), first: AtomicBool::new(true), always: false };
    let worker = World::worker(&world.through(Arc::new(gateway)));
    assert_eq!(worker.run_due_jobs().await.unwrap(), 1);
    assert_eq!(world.status(payer, payment).await, "SENDING");
    assert_eq!(world.number("select count(*) from jobs where last_error = 'it panicked' and leased_until is null").await, 1);
    world.advance(SignedDuration::from_secs(1));
    assert_eq!(worker.run_due_jobs().await.unwrap(), 2, "the charge, and the notification of it");
    assert_eq!(world.status(payer, payment).await, "SUCCEEDED");
}

async fn a_job_of_an_unknown_kind_is_dead(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (payer, id, now) = (world.payer().await, world.ports.ids.next(), world.ports.now().into());
    let write = move |tenant: Tenant| async move {
        let new = jobs::NewJob { id, kind: "dance", key: "tango", due_at: now, clock: None, now };
        Ok(jobs::schedule(&tenant, new).await?)
    };
    assert!(world.ports.store.write(payer.scope, write).await.unwrap());
    assert_eq!(world.run_due_jobs().await, 1);
    assert_eq!(world.number("select count(*) from jobs where status = 'DEAD' and last_error like '%dance%'").await, 1);
}

async fn a_job_that_always_fails_is_dead_after_twenty_attempts(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 100).await;
    world.begin(payer, invoice).await;
    let gateway = Panics { then: world.gateway.clone(), first: AtomicBool::new(true), always: true };
    let worker = World::worker(&world.through(Arc::new(gateway)));
    for attempt in 1..=20 {
        assert_eq!(worker.run_due_jobs().await.unwrap(), 1, "attempt {attempt}");
        world.advance(SignedDuration::from_hours(1));
    }
    assert_eq!(worker.run_due_jobs().await.unwrap(), 0);
    assert_eq!(world.number("select count(*) from jobs where status = 'DEAD' and attempts = 20").await, 1);
}
