//! Jobs are handed to one claimer at a time, and an idempotency key to one transaction.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use evolve_business::error::{Failure, Outcome, UserError, UserErrorCode};
use evolve_business::ids::{IdGen as _, JobId, SystemIds};
use evolve_business::services::Ports;
use evolve_business::services::access::{Access, Person, Who};
use evolve_business::services::idempotency::{self, Claim};
use evolve_business::store::jobs::{self, Finish, Job, NewJob};
use evolve_business::store::types::Role;
use evolve_business::store::{Instant, Store, Tenant};

use crate::database::TestDatabase;
use crate::walls_raw::{NOW, Raw, instant};
use crate::world::World;
use crate::world_catalog::Statements;

both!(
    eight_claimers_share_the_jobs_and_none_is_handed_out_twice,
    a_lease_that_ran_out_is_claimed_again_and_the_old_claim_is_void,
    a_job_that_was_withdrawn_cannot_be_finished,
    jobs_that_are_finished_together_end_each_by_its_own_claim,
    sixteen_jobs_are_claimed_and_finished_in_as_many_statements_as_one,
    thirty_two_transactions_with_one_key_act_once,
);

const JOBS: u32 = 60;

async fn schedule(tenant: &Tenant, key: &str) -> Outcome<bool> {
    let at = instant(NOW);
    let new = NewJob { id: JobId::from(SystemIds.next_uuid()), kind: "boundary", key, due_at: at, clock: None, now: at };
    Ok(jobs::schedule(tenant, new).await?)
}

async fn claim(store: &Store, now: &'static str, until: &'static str, most: u64) -> Vec<Job> {
    let work = move |system| async move { Ok(jobs::claim_due(&system, instant(now), instant(until), most).await?) };
    store.write_system(work).await.unwrap()
}

async fn finish(store: &Store, job: &Job, how: Finish, now: Instant) -> bool {
    let job = job.clone();
    store
        .write_system(move |system| {
            let (job, how) = (job.clone(), how.clone());
            async move { Ok(jobs::finish(&system, &job, how, now).await?) }
        })
        .await
        .unwrap()
}

async fn eight_claimers_share_the_jobs_and_none_is_handed_out_twice(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let world = World::at(db, NOW).await;
    for scope in [raw.business().await, raw.business().await] {
        let work = |tenant: Tenant| async move {
            for number in 0..JOBS / 2 {
                assert!(schedule(&tenant, &number.to_string()).await?);
            }
            assert!(!schedule(&tenant, "0").await?, "one job of a kind and key");
            Ok(())
        };
        world.ports.store.write(scope, work).await.unwrap();
    }
    let mut claimers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = world.ports.store.clone();
        claimers.spawn(async move {
            let mut claimed = Vec::new();
            // Skipped rows are another's for the moment only: whoever finds none asks a few times more.
            let mut empty = 0;
            while empty < 3 {
                let some = claim(&store, NOW, "2027-01-31T09:05:00Z", 4).await;
                empty = if some.is_empty() { empty + 1 } else { 0 };
                claimed.extend(some);
            }
            claimed
        });
    }
    let claimed: Vec<Job> = claimers.join_all().await.into_iter().flatten().collect();
    assert_eq!(claimed.len(), JOBS as usize);
    assert_eq!(claimed.iter().map(|job| job.id).collect::<HashSet<_>>().len(), JOBS as usize, "each once");
    assert!(claimed.iter().all(|job| (job.fence, job.attempts) == (1, 1)));
}

async fn a_lease_that_ran_out_is_claimed_again_and_the_old_claim_is_void(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let world = World::at(db, NOW).await;
    let store = &world.ports.store;
    assert!(store.write(scope, |tenant| async move { schedule(&tenant, "one").await }).await.unwrap());
    assert_eq!(claim(store, "2027-01-31T08:59:59.999999Z", "2027-01-31T09:05:00Z", 9).await, [], "not due yet");
    let first = claim(store, NOW, "2027-01-31T09:05:00Z", 9).await.remove(0);
    assert_eq!(claim(store, "2027-01-31T09:04:59.999999Z", "2027-01-31T09:09:00Z", 9).await, [], "leased");
    let second = claim(store, "2027-01-31T09:05:00Z", "2027-01-31T09:10:00Z", 9).await.remove(0);
    assert_eq!((first.id, first.fence, second.id, second.fence, second.attempts), (second.id, 1, first.id, 2, 2));

    let now = instant("2027-01-31T09:06:00Z");
    for how in [Finish::Done, Finish::Again(now), Finish::Retry(now, "late".into()), Finish::Dead("late".into())] {
        assert!(!finish(store, &first, how, now).await, "the claim that lost its lease changes nothing");
    }
    let state = "select status || ' ' || fence || ' ' || coalesce(last_error, '-') as v from jobs";
    assert_eq!(raw.one::<String>(state, vec![]).await, "READY 2 -");
    assert!(finish(store, &second, Finish::Retry(now, "declined".into()), now).await);
    assert_eq!(raw.one::<String>(state, vec![]).await, "READY 2 declined");
    let third = claim(store, "2027-01-31T09:06:00Z", "2027-01-31T09:11:00Z", 9).await.remove(0);
    assert_eq!((third.fence, third.attempts), (3, 3));
    assert!(finish(store, &third, Finish::Done, now).await);
    assert!(!finish(store, &third, Finish::Done, now).await, "done is done");
    assert_eq!(claim(store, "2027-02-28T09:00:00Z", "2027-02-28T09:05:00Z", 9).await, []);
    assert_eq!(raw.one::<String>(state, vec![]).await, "DONE 3 -");
}

async fn a_job_that_was_withdrawn_cannot_be_finished(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let world = World::at(db, NOW).await;
    let store = &world.ports.store;
    assert!(store.write(scope, |tenant| async move { schedule(&tenant, "one").await }).await.unwrap());
    let claimed = claim(store, NOW, "2027-01-31T09:05:00Z", 9).await.remove(0);
    let withdraw = |tenant: Tenant| async move { Ok(jobs::withdraw(&tenant, "boundary", "one", instant(NOW)).await?) };
    store.write(scope, withdraw).await.unwrap();
    assert!(!finish(store, &claimed, Finish::Again(instant(NOW)), instant(NOW)).await);
    assert_eq!(claim(store, "2027-02-28T09:00:00Z", "2027-02-28T09:05:00Z", 9).await, []);
}

async fn finish_all(store: &Store, over: Vec<(Job, Finish)>, now: Instant) -> usize {
    let write = move |system| {
        let over = over.clone();
        async move { Ok(jobs::finish_all(&system, &over, now).await?) }
    };
    store.write_system(write).await.unwrap()
}

async fn jobs_that_are_finished_together_end_each_by_its_own_claim(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scopes = [raw.business().await, raw.business().await];
    let world = World::at(db, NOW).await;
    let store = &world.ports.store;
    for (scope, key) in [(scopes[0], "done"), (scopes[1], "done too"), (scopes[0], "lost"), (scopes[1], "again"), (scopes[0], "dead")] {
        assert!(store.write(scope, move |tenant| async move { schedule(&tenant, key).await }).await.unwrap());
    }
    let first = claim(store, NOW, "2027-01-31T09:05:00Z", 9).await;
    assert_eq!(first.len(), 5);
    let state = "select job_key || ' ' || status || ' ' || fence || ' ' || attempts || ' ' || coalesce(last_error, '-') as v from jobs order by job_key";
    assert_eq!(raw.column::<String>(state, vec![]).await[0], "again READY 1 1 -");
    // The lease of one ran out, and another has it now.
    let late = instant("2027-01-31T09:05:00Z");
    let is_lost = |job: &&Job| job.job_key == "lost";
    for job in first.iter().filter(|job| !is_lost(job)) {
        assert!(finish(store, job, Finish::Again(late), late).await);
    }
    let second = claim(store, "2027-01-31T09:05:00Z", "2027-01-31T09:10:00Z", 9).await;
    assert_eq!(second.len(), 5);
    let from_before = first.iter().filter(is_lost);
    let over = second.iter().filter(|job| !is_lost(job)).chain(from_before).cloned().map(|job| {
        let how = match job.job_key.as_str() {
            "again" => Finish::Again(late),
            "dead" => Finish::Dead("no such dance".to_owned()),
            _ => Finish::Done,
        };
        (job, how)
    });
    assert_eq!(finish_all(store, over.collect(), late).await, 4, "all but the one whose claim another has");
    // What is asked again has begun afresh.
    assert_eq!(
        raw.column::<String>(state, vec![]).await,
        ["again READY 2 0 -", "dead DEAD 2 1 no such dance", "done DONE 2 1 -", "done too DONE 2 1 -", "lost READY 2 2 -"]
    );
    assert_eq!(finish_all(store, Vec::new(), late).await, 0);
}

/// A claim finds the jobs and marks them; their end is written once for all that are done.
async fn sixteen_jobs_are_claimed_and_finished_in_as_many_statements_as_one(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    let store = &world.ports.store;
    for most in [1, 16] {
        let write = move |tenant: Tenant| async move {
            for number in 0..most {
                assert!(schedule(&tenant, &format!("{number} of {most}")).await?);
            }
            Ok(())
        };
        store.write(scope, write).await.unwrap();
        statements.clear();
        let claimed = claim(store, NOW, "2027-01-31T09:05:00Z", most).await;
        assert_eq!((claimed.len() as u64, statements.count()), (most, 2), "{}", statements.texts().join("\n"));
        statements.clear();
        let over = claimed.into_iter().map(|job| (job, Finish::Done)).collect::<Vec<_>>();
        assert_eq!(
            (finish_all(store, over, instant(NOW)).await as u64, statements.count()),
            (most, 1),
            "{}",
            statements.texts().join("\n")
        );
    }
    assert_eq!(claim(store, "2027-02-28T09:00:00Z", "2027-02-28T09:05:00Z", 99).await, []);
}

/// Acts under the key "one" unless somebody has; answers the number of who acted. The first to act is refused.
async fn act(tenant: Tenant, ports: Ports, access: Access, number: u32, is_first: Arc<AtomicBool>, acted: Arc<AtomicU32>) -> Outcome<u32> {
    match idempotency::claim(&tenant, &ports, access.actor_uuid(), "one", "changePlan", &"input").await? {
        Claim::Replay(made) => Ok(made),
        Claim::New(claimed) => {
            acted.fetch_add(1, Ordering::SeqCst);
            assert!(schedule(&tenant, &format!("act of {number}")).await?);
            idempotency::store(&tenant, claimed, &number).await?;
            if is_first.swap(false, Ordering::SeqCst) {
                return Err(UserError::new(UserErrorCode::Conflict, "As meant.").into());
            }
            Ok(number)
        }
    }
}

async fn thirty_two_transactions_with_one_key_act_once(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let world = World::at(db, NOW).await;
    let (user, session) = (SystemIds.next_uuid().into(), SystemIds.next_uuid().into());
    let person = Person { user, session, role: Role::Owner };
    let access = Access { who: Who::Person(person), business_suspended: false };
    let (is_first, acted) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..32 {
        let (ports, is_first, acted) = (world.ports.clone(), Arc::clone(&is_first), Arc::clone(&acted));
        let store = ports.store.clone();
        tasks.spawn(async move {
            let work = move |tenant| act(tenant, ports.clone(), access, number, Arc::clone(&is_first), Arc::clone(&acted));
            store.write(scope, work).await
        });
    }
    let (made, refused): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().partition(Result::is_ok);
    let made: HashSet<u32> = made.into_iter().map(Result::unwrap).collect();
    assert!(matches!(&refused[..], [Err(Failure::Refused(_))]), "{refused:?}");
    assert_eq!((made.len(), acted.load(Ordering::SeqCst)), (1, 2), "the refused one left the key free for one other");
    let written: Vec<String> = raw.column("select job_key as v from jobs", vec![]).await;
    assert_eq!(written, made.iter().map(|number| format!("act of {number}")).collect::<Vec<_>>());

    // Another input under the same key, and the same key of another person.
    let other = Access { who: Who::Person(Person { user: SystemIds.next_uuid().into(), ..person }), ..access };
    let ports = world.ports.clone();
    let reuse = move |tenant: Tenant| {
        let ports = ports.clone();
        async move { idempotency::claim::<u32>(&tenant, &ports, access.actor_uuid(), "one", "changePlan", &"another").await.map(drop) }
    };
    let refused = world.ports.store.write(scope, reuse).await;
    assert!(matches!(&refused, Err(Failure::Refused(errors)) if errors[0].code == UserErrorCode::IdempotencyKeyReused), "{refused:?}");
    let (is_first, ports) = (Arc::new(AtomicBool::new(false)), world.ports.clone());
    let anew = move |tenant| act(tenant, ports.clone(), other, 99, Arc::clone(&is_first), Arc::clone(&acted));
    assert_eq!(world.ports.store.write(scope, anew).await.unwrap(), 99);
}
