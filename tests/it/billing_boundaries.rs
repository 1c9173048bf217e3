//! Boundaries: each is billed once, in order, whoever comes first.

use std::sync::Arc;
use std::time::Duration;

use evolve_business::adapters::payment::sandbox::{SandboxGateway, SandboxOptions};
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::services::billing::run_job;
use evolve_business::store::jobs::{Job, claim_due};
use evolve_business::worker::{Worker, WorkerSettings};
use futures::future::join_all;
use jiff::SignedDuration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_payments::until;

both!(
    catching_up_bills_every_missed_period_once_and_in_order,
    two_renewals_at_once_bill_once,
    a_change_at_a_boundary_meets_the_new_period,
    a_clock_that_steps_back_bills_nothing_twice,
    a_renewal_that_is_free_makes_no_invoice,
    a_renewal_charges_by_its_own_job,
    a_renewal_that_dies_after_the_gateways_charge_ends_with_one_charge_and_one_settled_payment,
    a_stop_in_the_middle_of_a_renewals_charge_leaves_it_to_the_next_worker_at_once,
);

async fn catching_up_bills_every_missed_period_once_and_in_order(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-31T09:00:00Z").await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    // Missed: the renewals of 28 February, 31 March and 30 April.
    world.run_at("2027-05-02T08:00:00Z").await;
    assert_eq!(world.count("invoices", "status = 'PAID' and total_minor = 3480").await, 4);
    for (number, start) in [(2, "2027-02-27"), (3, "2027-03-30"), (4, "2027-04-29")] {
        let of_invoice = format!("select id from invoices where number = 'INV-2027-00000{number}'");
        let line = format!("invoice_id = ({of_invoice}) and cast(period_start as text) like '{start}%'");
        assert_eq!(world.count("invoice_lines", &line).await, 1, "{start}");
    }
    // They are issued on the day on which they are made.
    assert_eq!(world.count("invoices", "cast(issued_at as text) like '2027-05-02%'").await, 3);
    let row = world.subscription(payer, id).await;
    assert_eq!((row.period_number, row.period_end.get().to_string()), (4, "2027-05-30T21:00:00Z".to_owned()));
    world.run_due_jobs().await;
    assert_eq!((world.count("invoices", "true").await, world.count("periods", "true").await), (4, 4));
    assert_eq!(world.count("jobs", "kind = 'renewal' and status = 'READY'").await, 1);
}

/// What is due now, claimed.
async fn claimed(world: &World) -> Vec<Job> {
    let now = world.ports.now();
    let claim = move |system| async move { Ok(claim_due(&system, now.into(), (now + SignedDuration::from_mins(1)).into(), 10).await?) };
    world.ports.store.write_system(claim).await.unwrap()
}

async fn two_renewals_at_once_bill_once(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set("2027-06-30T21:00:00Z".parse().unwrap());
    let jobs = claimed(&world).await;
    let renewal = jobs.iter().find(|job| job.kind == "renewal").unwrap();
    for done in join_all((0..4).map(|_| run_job(&world.ports, payer.scope, renewal))).await {
        done.unwrap();
    }
    assert_eq!((world.count("invoices", "true").await, world.count("periods", "true").await), (2, 2));
    assert_eq!(world.count("payments", "true").await, 2);
    assert_eq!(world.subscription(payer, id).await.period_number, 2);
}

async fn a_change_at_a_boundary_meets_the_new_period(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set("2027-06-30T21:00:00Z".parse().unwrap());
    let made = world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    // The renewal first, 34.80; then the whole of July: −30.00 + 60.00 = 30.00, tax 4.80.
    assert_eq!((world.billed(2, "total_minor").await, world.billed(2, "subtotal_minor").await), (3_480, 3_000));
    assert_eq!(world.count("invoice_lines", "kind = 'PRORATION_CREDIT' and amount_minor = -3000 and quantity = '1'").await, 1);
    assert_eq!((made.invoice.is_some(), world.billed(3, "total_minor").await), (true, 3_480));
    world.run_due_jobs().await;
    assert_eq!(world.count("invoices", "status = 'PAID'").await, 3);
}

async fn a_clock_that_steps_back_bills_nothing_twice(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    world.subscribe(payer, "basic").await;
    for now in ["2027-07-01T06:00:00Z", "2027-06-29T06:00:00Z", "2027-07-01T06:00:00Z"] {
        world.run_at(now).await;
    }
    assert_eq!(world.count("invoices", "true").await, 2);
}

async fn a_renewal_that_is_free_makes_no_invoice(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.payer().await;
    let made = world.subscribe(payer, "free").await;
    world.run_at("2027-07-01T06:00:00Z").await;
    assert_eq!((made.invoice, world.count("invoices", "true").await), (None, 0));
    assert_eq!(world.subscription(payer, made.subscription).await.period_number, 2);
}

async fn a_renewal_charges_by_its_own_job(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    world.subscribe(payer, "basic").await;
    world.clock.set("2027-06-30T21:00:00Z".parse().unwrap());
    let jobs = claimed(&world).await;
    let renewal = jobs.iter().find(|job| job.kind == "renewal").unwrap();
    run_job(&world.ports, payer.scope, renewal).await.unwrap();
    assert_eq!(world.count("invoices", "status = 'PAID'").await, 2);
    assert_eq!(world.charges().await, 2);
    // The job that would have charged if it had not.
    assert_eq!(world.count("jobs", "kind = 'charge' and status = 'DONE'").await, 2);
    assert_eq!(world.count("jobs", "kind = 'charge' and fence = 0 and leased_until is null").await, 1, "nobody claimed it, or holds it");
}

/// A subscription whose renewal has charged, and whose worker waits for the gateway to say so.
async fn charging(db: TestDatabase, stop_within: Duration) -> (World, CancellationToken, JoinHandle<()>) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let payer = world.customer().await;
    world.subscribe(payer, "basic").await;
    world.clock.set("2027-06-30T21:00:00Z".parse().unwrap());
    let options =
        SandboxOptions { hold_after_commit: Some(Duration::from_mins(1)), call_limit: Duration::from_mins(2), ..SandboxOptions::default() };
    let holding = SandboxGateway::open(world.database.dir.path(), world.ports.clock.clone(), options).await.unwrap();
    let (stop, settings) = (CancellationToken::new(), WorkerSettings { stop_within, ..WorkerSettings::default() });
    let worker = tokio::spawn(Worker::new(world.through(Arc::new(holding)), settings, stop.clone()).run());
    until(async || world.charges().await == 2).await;
    assert_eq!(world.count("payments", "status = 'SENDING' and fence = 1").await, 1);
    (world, stop, worker)
}

/// The renewal is charged and settled, once.
async fn charged_once(world: &World) {
    assert_eq!(world.count("payments", "status = 'SUCCEEDED'").await, 2);
    assert_eq!((world.count("payments", "true").await, world.charges().await), (2, 2));
    assert_eq!(world.count("invoices", "status = 'PAID'").await, 2);
    assert_eq!(world.examine().await, [""; 0]);
}

async fn a_renewal_that_dies_after_the_gateways_charge_ends_with_one_charge_and_one_settled_payment(db: TestDatabase) {
    let (world, _stop, worker) = charging(db, Duration::ZERO).await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());
    world.pass(SignedDuration::from_secs(59)).await;
    assert_eq!(world.count("payments", "status = 'SENDING'").await, 1, "whoever charged may still say so");
    world.pass(SignedDuration::from_secs(2)).await;
    charged_once(&world).await;
}

async fn a_stop_in_the_middle_of_a_renewals_charge_leaves_it_to_the_next_worker_at_once(db: TestDatabase) {
    let (world, stop, worker) = charging(db, Duration::from_millis(50)).await;
    stop.cancel();
    worker.await.unwrap();
    assert_eq!(world.count("jobs", "leased_until is not null").await, 0);
    world.run_due_jobs().await;
    charged_once(&world).await;
}
