//! Work that takes longer than a claim holds: it is done once, by whoever has the claim, and little of it at once.

use std::sync::Arc;
use std::time::Duration;

use evolve_business::clock::{Clock as _, SystemClock};
use evolve_business::security::random::{Rng, SharedRng};
use evolve_business::services::{Parts, Ports};
use evolve_business::worker::{Worker, WorkerSettings};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::downloads::many_rows;
use crate::world::World;
use crate::world_lives::{PASSWORD, register};
use crate::world_payments::until;
use crate::world_privacy::{newest_export, unzipped};

both!(
    an_export_that_takes_longer_than_a_lease_is_made_once_while_others_look_for_work,
    an_export_whose_claim_is_lost_is_stopped,
    no_more_than_two_exports_are_made_at_once,
);

const NOW: &str = "2027-01-31T09:00:00Z";
/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(2);
/// How long each of the three parts of the export takes.
const PART: Duration = Duration::from_millis(1_500);

/// Randomness that takes its time for each value that is sealed.
struct Slow(SharedRng);

impl Rng for Slow {
    fn fill(&self, bytes: &mut [u8]) {
        // A nonce.
        if bytes.len() == 24 {
            std::thread::sleep(PART);
        }
        self.0.fill(bytes);
    }
}

/// A world whose business has asked for an export of three parts.
async fn asked(db: TestDatabase) -> (World, Server, Client) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    world.run_due_jobs().await;
    // As where it is measured how such an export is kept: 2.8 MB.
    many_rows(&world, 14_000).await;
    ask(&ann).await;
    (world, server, ann)
}

/// Asks for an export.
async fn ask(client: &Client) {
    let asked = client.mutate("requestDataExport", json!({ "password": PASSWORD }), "export { status }").await;
    assert_eq!(asked["export"]["status"], "PENDING");
}

/// A worker whose claims hold for a moment, and to which sealing takes long, until the token is cancelled.
fn slow_worker(world: &World) -> (CancellationToken, JoinHandle<()>) {
    let rng: SharedRng = Arc::new(Slow(world.ports.rng.clone()));
    let ports = Ports::new(Parts { rng, ..world.parts(Arc::new(world.gateway.clone())) });
    let (stop, settings) = (CancellationToken::new(), WorkerSettings { lease: LEASE, ..WorkerSettings::default() });
    let worker = tokio::spawn(Worker::new(ports, settings, stop.clone()).run());
    (stop, worker)
}

/// Lets the world's clock go as the system's does, as long as what it answers is held.
fn going(world: &World) -> DropGuard {
    let (stop, clock, from, began) = (CancellationToken::new(), world.clock.clone(), world.clock.now(), SystemClock.now());
    let guard = stop.clone().drop_guard();
    tokio::spawn(async move {
        while !stop.is_cancelled() {
            clock.set(from + since(began));
            SystemClock.sleep(Duration::from_millis(10)).await;
        }
    });
    guard
}

/// How much time has passed by the system's clock.
fn since(began: Timestamp) -> SignedDuration {
    SystemClock.now().duration_since(began)
}

async fn an_export_that_takes_longer_than_a_lease_is_made_once_while_others_look_for_work(db: TestDatabase) {
    let (world, _server, ann) = asked(db).await;
    let (_going, began) = (going(&world), SystemClock.now());
    let workers = [slow_worker(&world), slow_worker(&world)];
    until(async || world.count("jobs", "kind = 'export_data' and fence = 1").await == 1).await;
    until(async || world.count("data_exports", "status = 'READY'").await == 1).await;
    assert!(since(began) > SignedDuration::try_from(LEASE * 2).unwrap(), "it took {:?}", since(began));
    for (stop, worker) in workers {
        stop.cancel();
        worker.await.unwrap();
    }
    let once = "kind = 'export_data' and status = 'DONE' and fence = 1 and attempts = 1 and leased_until is null";
    assert_eq!(world.count("jobs", once).await, 1);
    let (status, _, content) = ann.fetch(&newest_export(&ann).await["url"]).await;
    assert_eq!(status, 200);
    let keys: serde_json::Value = serde_json::from_slice(&unzipped(&content)["idempotency_keys.json"]).unwrap();
    assert_eq!(keys.as_array().unwrap().len(), 14_000);
}

async fn an_export_whose_claim_is_lost_is_stopped(db: TestDatabase) {
    let (world, _server, ann) = asked(db).await;
    let began = SystemClock.now();
    let (stop, worker) = slow_worker(&world);
    until(async || world.count("jobs", "kind = 'export_data' and fence = 1").await == 1).await;
    // As if the database had been away for longer than the lease, and somebody else had claimed it meanwhile.
    assert_eq!(world.run_sql("update jobs set fence = 2 where kind = 'export_data'").await, 1);
    // A stop waits for what runs: that is over before the export is.
    stop.cancel();
    worker.await.unwrap();
    assert!(since(began) < SignedDuration::try_from(PART * 3).unwrap(), "it took {:?}", since(began));
    assert_eq!(world.count("data_exports", "status = 'PENDING'").await, 1);
    assert_eq!(world.count("jobs", "kind = 'export_data' and status = 'READY' and fence = 2 and leased_until is not null").await, 1);
    // Whoever has it makes it.
    assert_eq!(world.run_sql("update jobs set leased_until = null where kind = 'export_data'").await, 1);
    world.run_due_jobs().await;
    assert_eq!(ann.fetch(&newest_export(&ann).await["url"]).await.0, 200);
}

async fn no_more_than_two_exports_are_made_at_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let mut clients = Vec::new();
    for name in ["ann", "ben", "cat"] {
        clients.push(register(&server, name).await.0);
    }
    world.run_due_jobs().await;
    for client in &clients {
        ask(client).await;
    }
    world.run_due_jobs().await;
    assert_eq!(world.count("data_exports", "status = 'READY'").await, 2);
    assert_eq!(world.count("jobs", "kind = 'export_data' and status = 'READY' and attempts = 0 and last_error is null").await, 1);
    world.advance(SignedDuration::from_secs(4));
    world.run_due_jobs().await;
    assert_eq!(world.count("data_exports", "status = 'PENDING'").await, 1);
    world.advance(SignedDuration::from_secs(1));
    world.run_due_jobs().await;
    assert_eq!(world.count("data_exports", "status = 'READY'").await, 3);
}
