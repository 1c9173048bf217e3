//! The outbox: an event is written with what it tells of, reaches each consumer in its aggregate's order, and tells once.

use std::collections::BTreeMap;

use evolve_business::error::{Error, Failure};
use evolve_business::services::events::{Event, emit};
use evolve_business::store::jobs::{self, Finish, Job};
use evolve_business::store::{Instant, Tenant, customers};
use jiff::SignedDuration;
use serde_json::json;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::Life;
use crate::world_mail::{changed_to, subscription};

const NOW: &str = "2027-01-31T09:00:00Z";

both!(
    what_a_business_lives_through_is_told_in_events_of_the_catalogue,
    an_event_of_a_transaction_that_fails_is_none,
    an_event_waits_for_the_one_before_it_and_for_no_other,
    a_dead_delivery_holds_nothing_up,
    an_event_that_is_brought_twice_tells_once,
);

/// The names of all events, each aggregate's in its order, and a check that each is of the catalogue.
async fn told(world: &World) -> BTreeMap<String, Vec<String>> {
    let sql =
        "select aggregate || ' ' || sequence || ' ' || name || ' ' || version || ' ' || payload from events order by aggregate, sequence";
    let mut told = BTreeMap::<String, Vec<String>>::new();
    for line in world.read_texts(sql).await {
        let parts: Vec<&str> = line.splitn(5, ' ').collect();
        let [aggregate, sequence, name, version, payload] = parts[..] else { panic!("{line}") };
        let event = Event::read(name, version.parse().unwrap(), payload).unwrap();
        assert_eq!((event.name(), event.aggregate().as_str()), (name, aggregate));
        let names = told.entry(aggregate.to_owned()).or_default();
        names.push(name.to_owned());
        assert_eq!(sequence.parse::<usize>().unwrap(), names.len(), "places have no gaps: {line}");
    }
    told
}

async fn what_a_business_lives_through_is_told_in_events_of_the_catalogue(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let life = Life::lived(&world, &server, "ann").await;
    let later = json!({ "subscriptionId": life.subscription, "timing": "PERIOD_END", "idempotencyKey": "a" });
    life.client.mutate("cancel", later, "subscription { status }").await;
    life.client.mutate("reactivate", json!({ "subscriptionId": life.subscription }), "subscription { status }").await;
    let now = json!({ "subscriptionId": life.subscription, "planId": life.dearer_plan, "timing": "NOW", "idempotencyKey": "b" });
    world.working(life.client.mutate("changePlan", now, "invoice { status }")).await;
    let end = json!({ "subscriptionId": life.subscription, "timing": "NOW", "idempotencyKey": "c" });
    world.working(life.client.mutate("cancel", end, "subscription { status }")).await;

    let told = told(&world).await;
    assert_eq!(told[&life.business], ["business.registered"]);
    assert_eq!(
        told[&life.subscription],
        ["created", "activated", "cancellation_scheduled", "reactivated", "plan_changed", "canceled"]
            .map(|what| format!("subscription.{what}"))
    );
    assert_eq!(told[&life.open_invoice], ["invoice.issued"]);
    let of = |prefix: &str| -> Vec<Vec<String>> {
        told.iter().filter(|(aggregate, _)| aggregate.starts_with(prefix)).map(|(_, names)| names.clone()).collect()
    };
    // The first month and the change were paid; Payroll's first month was declined.
    assert_eq!(of("inv_").iter().filter(|names| **names == ["invoice.issued", "invoice.paid"]).count(), 2, "{told:#?}");
    assert_eq!(of("pay_").concat().iter().filter(|name| *name == "payment.succeeded").count(), 2);
    assert_eq!(of("pay_").concat().iter().filter(|name| *name == "payment.failed").count(), 1);
}

async fn an_event_of_a_transaction_that_fails_is_none(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    let (outside, event) = (world.ports.clone(), changed_to(&subscription(), "Plus"));
    let write = move |tenant: Tenant| {
        let (ports, event) = (outside.clone(), event.clone());
        async move {
            customers::lock_business(&tenant).await?;
            emit(&tenant, &ports, &event).await?;
            Err::<(), _>(Failure::Fault(Error::Corrupt("as meant".into())))
        }
    };
    world.ports.store.write(payer.scope, write).await.unwrap_err();
    assert_eq!(world.number("select count(*) from events").await, 0);
    assert_eq!(world.number("select count(*) from jobs").await, 0);
}

/// Claims all that is due.
async fn claim(world: &World) -> Vec<Job> {
    let now = Instant::from(world.ports.now());
    let until = Instant::from(world.ports.now() + SignedDuration::from_mins(1));
    let claim = move |system| async move { Ok(jobs::claim_due(&system, now, until, 100).await?) };
    world.ports.store.write_system(claim).await.unwrap()
}

/// Writes what became of a job.
async fn finish(world: &World, job: &Job, finish: Finish) {
    let (job, now) = (job.clone(), Instant::from(world.ports.now()));
    let write = move |system| {
        let (job, finish) = (job.clone(), finish.clone());
        async move { Ok(jobs::finish(&system, &job, finish, now).await?) }
    };
    assert!(world.ports.store.write_system(write).await.unwrap());
}

/// The places and consumers of claimed deliveries.
fn places(jobs: &[Job]) -> Vec<(i64, &str)> {
    let mut places: Vec<_> = jobs.iter().map(|job| (job.lane_position.unwrap(), job.kind.as_str())).collect();
    places.sort_unstable();
    places
}

async fn an_event_waits_for_the_one_before_it_and_for_no_other(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    let (one, other) = (subscription(), subscription());
    world.emit(payer.scope, vec![changed_to(&one, "A"), changed_to(&one, "B"), changed_to(&other, "C")]).await;
    let claimed = claim(&world).await;
    assert_eq!(places(&claimed), [(1, "notify"), (1, "notify")], "the first of each aggregate");
    assert!(claim(&world).await.is_empty(), "one that is under way holds up the next");
    let now = Instant::from(world.ports.now());
    let next = world.ports.store.write_system(move |system| async move { Ok(jobs::next_due(&system, now).await?) });
    assert_eq!(next.await.unwrap(), None, "nobody is woken for what has to wait");

    let mine = claimed.iter().find(|job| job.lane.as_ref().unwrap().ends_with(&one)).unwrap();
    let later = Instant::from(world.ports.now() + SignedDuration::from_secs(5));
    finish(&world, mine, Finish::Retry(later, "not now".to_owned())).await;
    assert!(claim(&world).await.is_empty(), "one that is tried again holds up the next too");
    world.advance(SignedDuration::from_secs(5));
    let again = claim(&world).await;
    assert_eq!(places(&again), [(1, "notify")]);
    finish(&world, &again[0], Finish::Done).await;
    let next = claim(&world).await;
    assert_eq!((places(&next), next[0].lane == mine.lane), (vec![(2, "notify")], true));
}

async fn a_dead_delivery_holds_nothing_up(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    let one = subscription();
    world.emit(payer.scope, vec![changed_to(&one, "A"), changed_to(&one, "B")]).await;
    for job in claim(&world).await {
        finish(&world, &job, Finish::Dead("as meant".to_owned())).await;
    }
    assert_eq!(places(&claim(&world).await), [(2, "notify")]);
}

async fn an_event_that_is_brought_twice_tells_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    let one = subscription();
    world.emit(payer.scope, vec![changed_to(&one, "A"), changed_to(&one, "B")]).await;
    // For each event: it is told, and its mail is sent.
    assert_eq!(world.run_due_jobs().await, 4);
    world.sql("update jobs set status = 'READY'").await;
    assert_eq!(world.run_due_jobs().await, 4);
    assert_eq!(world.number("select count(*) from notifications").await, 2);
    assert_eq!(world.number("select count(*) from mails where status = 'SENT'").await, 2);
    assert_eq!(world.mails().len(), 2);
    let titles = world.read_texts("select title from notifications order by id").await;
    assert_eq!(titles, ["Your plan is now A", "Your plan is now B"]);
}
