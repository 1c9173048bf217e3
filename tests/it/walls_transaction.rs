//! The transaction helper: all or nothing, run again where the database asks for it, and no update lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use evolve_business::clock::SystemClock;
use evolve_business::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use evolve_business::ids::{AuditEventId, IdGen as _, IdempotencyKeyId, JobId, SystemIds};
use evolve_business::services::access::{Access, Person, Who};
use evolve_business::services::idempotency;
use evolve_business::store::jobs::{self, NewJob};
use evolve_business::store::types::Role;
use evolve_business::store::work::{self, NewAuditEvent, NewIdempotencyKey};
use evolve_business::store::{Store, StoreOptions, Tenant, TenantScope, customers};
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Connection as _};
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::database::{Kind, TestDatabase, run};
use crate::postgres::{APPLICATION, execute};
use crate::walls_raw::{NOW, Raw, instant, pause};
use crate::world::World;

both!(a_transaction_that_fails_leaves_nothing, a_key_that_exists_is_a_unique_violation, sixteen_tasks_of_two_stores_lose_no_update,);

/// Makes a test on PostgreSQL alone of an `async fn name(db: TestDatabase)`.
macro_rules! on_postgres {
    ($($test:ident = $body:ident),+ $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            run(Kind::Postgres, $body).await;
        }
    )+ };
}

on_postgres!(
    transactions_that_deadlock_are_both_run_to_their_end = deadlock,
    what_the_database_asks_to_run_again_is_run_again_and_nothing_else = run_again,
    a_connection_that_the_server_ends_is_replaced = connection_ends,
    a_lock_that_is_held_for_five_seconds_is_given_up = lock_is_held,
    a_connection_on_which_no_transaction_could_begin_is_not_handed_on = begin_fails,
);

async fn schedule(tenant: &Tenant, key: &str) -> Result<bool, Error> {
    let at = instant(NOW);
    jobs::schedule(tenant, NewJob { id: JobId::from(SystemIds.next_uuid()), kind: "boundary", key, due_at: at, clock: None, now: at }).await
}

fn audit_event(sequence: i64) -> NewAuditEvent<'static> {
    let (action, actor, subject) = ("plan.changed", "usr_1", "sub_1");
    let id = AuditEventId::from(SystemIds.next_uuid());
    NewAuditEvent {
        id,
        sequence,
        action,
        actor,
        subject,
        details: "{}".into(),
        at: instant(NOW),
        previous: vec![0],
        salt: Vec::new(),
        hash: vec![1],
    }
}

async fn a_transaction_that_fails_leaves_nothing(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let world = World::with(db, NOW, |options| (options.pool_size, options.writers) = (1, 1)).await;
    let store = &world.ports.store;

    let refuse = async |tenant: Tenant| {
        schedule(&tenant, "refused").await?;
        Err::<(), Failure>(UserError::new(UserErrorCode::Conflict, "As meant.").into())
    };
    let refused = store.write(scope, refuse).await;
    assert!(matches!(refused, Err(Failure::Refused(errors)) if errors[0].code == UserErrorCode::Conflict));

    let fail = async |tenant: Tenant| {
        schedule(&tenant, "failed").await?;
        Err::<(), Failure>(Error::Corrupt("as meant".into()).into())
    };
    let failed = store.write(scope, fail).await;
    assert!(matches!(failed, Err(Failure::Fault(Error::Corrupt(_)))), "{failed:?}");

    let panic = async |tenant: Tenant| -> Outcome<()> {
        schedule(&tenant, "panicked").await?;
        panic!("as meant");
    };
    let panicked = store.write(scope, panic).await;
    assert!(matches!(panicked, Err(Failure::Fault(Error::Task(_)))), "{panicked:?}");

    // A tenant that is kept would see a transaction that is over; it is refused instead.
    let leak = async |tenant: Tenant| {
        schedule(&tenant, "leaked").await?;
        Ok(tenant)
    };
    let leaked = store.write(scope, leak).await;
    assert!(matches!(leaked.map(drop), Err(Failure::Fault(Error::Corrupt(_)))));

    let works = async |tenant: Tenant| Ok(schedule(&tenant, "written").await?);
    assert!(store.write(scope, works).await.unwrap());
    raw.settled().await;
    assert_eq!(raw.column::<String>("select job_key as v from jobs", vec![]).await, ["written"]);
}

async fn a_key_that_exists_is_a_unique_violation(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let world = World::at(db, NOW).await;
    let insert = |tenant: Tenant| async move { Ok(work::insert_audit_event(&tenant, audit_event(1)).await?) };
    world.ports.store.write(scope, insert).await.unwrap();
    let again = world.ports.store.write(scope, insert).await;
    assert!(matches!(again, Err(Failure::Fault(Error::UniqueViolation(_)))), "{again:?}");
    let other = world.ports.store.write(raw.business().await, insert).await;
    assert!(other.is_ok(), "another business's chain begins at 1 too");
}

/// The number that each task reads and writes back one higher: the outcome of an idempotency key.
fn counter() -> NewIdempotencyKey<'static> {
    let id = IdempotencyKeyId::from(SystemIds.next_uuid());
    NewIdempotencyKey { id, actor: Uuid::nil(), key: "counter", operation: "count", input_hash: vec![1], at: instant(NOW) }
}

async fn sixteen_tasks_of_two_stores_lose_no_update(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let options = StoreOptions { durable: false, ..StoreOptions::new(&db.url) };
        let store = Store::open(&options, Arc::new(SystemClock)).await.unwrap();
        for _ in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                for _ in 0..20 {
                    store.write(scope, |tenant| async move { count_one(&tenant).await }).await.unwrap();
                }
            });
        }
    }
    tasks.join_all().await;
    assert_eq!(raw.one::<String>("select outcome as v from idempotency_keys", vec![]).await, "320");
}

async fn count_one(tenant: &Tenant) -> Outcome<()> {
    customers::lock_business(tenant).await?;
    let new = counter();
    let (id, count) = match work::claim_idempotency_key(tenant, new.clone()).await? {
        None => (new.id, 0),
        Some(held) => (held.id, held.outcome.parse::<u32>().unwrap()),
    };
    Ok(work::set_idempotency_outcome(tenant, id, (count + 1).to_string()).await?)
}

async fn deadlock(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    raw.script("do $$ begin execute format('alter database %I set deadlock_timeout = ''50ms''', current_database()); end $$").await;
    let (first, second) = (raw.business().await, raw.business().await);
    let world = World::at(db, NOW).await;
    let runs = Arc::new(AtomicU32::new(0));
    let both_hold_one = Arc::new(Barrier::new(2));
    let lock_both = |order: [TenantScope; 2]| {
        let (runs, barrier) = (Arc::clone(&runs), Arc::clone(&both_hold_one));
        world.ports.store.write_system(move |system| {
            let (runs, barrier) = (Arc::clone(&runs), Arc::clone(&barrier));
            async move {
                customers::lock_business(&system.tenant(order[0])).await?;
                if runs.fetch_add(1, Ordering::SeqCst) < 2 {
                    barrier.wait().await;
                }
                customers::lock_business(&system.tenant(order[1])).await?;
                Ok(schedule(&system.tenant(order[0]), "done").await?)
            }
        })
    };
    let (one, other) = tokio::join!(lock_both([first, second]), lock_both([second, first]));
    assert!(one.unwrap() && other.unwrap());
    assert_eq!(runs.load(Ordering::SeqCst), 3, "one of the two was run again");
    assert_eq!((raw.jobs(first, "done").await, raw.jobs(second, "done").await), (1, 1));
}

/// A trigger raises a code for the first so many rows that are written; see [`run_again`].
async fn raise(raw: &Raw, code: &str, times: u32) {
    let sql = format!(
        "drop sequence if exists tries; create sequence tries;
         create or replace function raise_code() returns trigger language plpgsql security definer as $$ begin
           if nextval('tries') <= {times} then raise exception 'as meant' using errcode = '{code}'; end if; return new; end $$;"
    );
    raw.script(&sql).await;
}

async fn run_again(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let world = World::at(db, NOW).await;
    raise(&raw, "40001", 0).await;
    // One when the row is written, one when the transaction is committed.
    raw.script("create trigger raise_code before insert on jobs for each row execute function raise_code()").await;
    raw.script("create constraint trigger raise_code after insert on audit_events deferrable initially deferred for each row execute function raise_code()").await;
    // The code, how often it is raised, whether that is at the commit; then how often the work is run, and the end.
    let cases = [
        ("40001", 3, false, 4, "done"),
        ("40P01", 1, false, 2, "done"),
        ("57P01", 1, false, 2, "done"),
        ("40001", 2, true, 3, "done"),
        ("40001", 99, false, 8, "contention"),
        ("55P03", 1, false, 1, "lock timeout"),
        ("23505", 1, false, 1, "unique violation"),
        ("P0001", 1, false, 1, "fault"),
        ("P0001", 1, true, 1, "fault"),
    ];
    for (number, (code, times, at_commit, expected_runs, end)) in (1_i64..).zip(cases) {
        raise(&raw, code, times).await;
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let work = move |tenant: Tenant| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move {
                if at_commit {
                    work::insert_audit_event(&tenant, audit_event(number)).await?;
                } else {
                    schedule(&tenant, &number.to_string()).await?;
                }
                Ok(())
            }
        };
        let found = match world.ports.store.write(scope, work).await {
            Ok(()) => "done",
            Err(Failure::Fault(Error::Contention(_))) => "contention",
            Err(Failure::Fault(Error::LockTimeout(_))) => "lock timeout",
            Err(Failure::Fault(Error::UniqueViolation(_))) => "unique violation",
            Err(Failure::Fault(Error::Store(_))) => "fault",
            Err(other) => panic!("{code}: {other:?}"),
        };
        assert_eq!((found, runs.load(Ordering::SeqCst)), (end, expected_runs), "{code} {times} times, at commit: {at_commit}");
        let sql = "select count(*) as v from (select job_key from jobs union all select sequence::text from audit_events) as r where job_key = $1";
        assert_eq!(raw.one::<i64>(sql, vec![number.to_string().into()]).await, i64::from(end == "done"), "{code}");
    }
}

async fn connection_ends(db: TestDatabase) {
    let raw = Arc::new(Raw::open(&db).await);
    let scope = raw.business().await;
    let world = World::with(db, NOW, |options| (options.pool_size, options.writers) = (3, 3)).await;
    let end = "select count(pg_terminate_backend(pid)) as v from pg_stat_activity
               where datname = current_database() and application_name = 'evolve-business' and state = $1";
    let runs = Arc::new(AtomicU32::new(0));
    let (counted, killer) = (Arc::clone(&runs), Arc::clone(&raw));
    let work = move |tenant: Tenant| {
        let (runs, raw) = (Arc::clone(&counted), Arc::clone(&killer));
        async move {
            customers::lock_business(&tenant).await?;
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                assert_eq!(raw.one::<i64>(end, vec!["idle in transaction".into()]).await, 1);
                pause(20).await;
            }
            Ok(schedule(&tenant, "written").await?)
        }
    };
    assert!(world.ports.store.write(scope, work).await.unwrap());
    assert_eq!((runs.load(Ordering::SeqCst), raw.jobs(scope, "written").await), (2, 1));

    // The server restarts, say: every connection of both pools is gone while nobody uses it.
    let read = async || {
        let snapshot = evolve_business::store::Snapshot::new(world.ports.store.clone(), Some(scope));
        customers::business(&snapshot.tenant().await?).await.map(drop)
    };
    let (one, two, three) = tokio::join!(read(), read(), read());
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    raw.settled().await;
    assert!(raw.one::<i64>(end, vec!["idle".into()]).await >= 2);
    pause(20).await;
    read().await.unwrap();
    assert!(world.ports.store.write(scope, |tenant| async move { Ok(schedule(&tenant, "afterwards").await?) }).await.unwrap());
}

/// A login that may not take the role meets the refusal inside the transaction that it has begun.
async fn begin_fails(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let login = format!("newcomer_{}", SystemIds.next_uuid().simple());
    let mut admin = PgConnection::connect(&db.migration_url).await.unwrap();
    execute(&mut admin, &format!("create role {login} login noinherit password '{login}'")).await;
    let url = db.url.replacen(&format!("{APPLICATION}:{APPLICATION}@"), &format!("{login}:{login}@"), 1);
    assert_ne!(url, db.url);
    let store = Store::open(&StoreOptions { pool_size: 1, writers: 1, ..StoreOptions::new(url) }, Arc::new(SystemClock)).await.unwrap();
    let write = async || store.write(scope, |tenant| async move { Ok(schedule(&tenant, "written").await?) }).await;
    for _ in 0..2 {
        assert!(matches!(write().await, Err(Failure::Fault(Error::Store(_)))));
    }
    execute(&mut admin, &format!("grant evolve_app to {login}")).await;
    assert!(write().await.unwrap());
    assert_eq!(raw.jobs(scope, "written").await, 1);
    store.close().await.unwrap();
    execute(&mut admin, &format!("drop role {login}")).await;
}

/// Takes 5 s: the time that a transaction waits for a lock.
async fn lock_is_held(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let (scope, keyed) = (raw.business().await, raw.business().await);
    let mut holder = PgConnection::connect(&db.migration_url).await.unwrap();
    let world = World::at(db, NOW).await;
    let ports = world.ports.clone();
    let person = Person { user: SystemIds.next_uuid().into(), session: SystemIds.next_uuid().into(), role: Role::Owner };
    let access = Access { who: Who::Person(person), business_suspended: false };
    let mut held = holder.begin().await.unwrap();
    let lock = "select from businesses where business_id = $1 for update";
    sqlx::query(lock).bind(scope.business().uuid()).execute(&mut *held).await.unwrap();
    let claim = "insert into idempotency_keys select $1, gen_random_uuid(), $2, 'one', 'changePlan', '\\x00', '1', now()";
    sqlx::query(claim).bind(keyed.business().uuid()).bind(access.actor_uuid()).execute(&mut *held).await.unwrap();

    let began = std::time::Instant::now();
    let locks = world.ports.store.write(scope, |tenant| async move { Ok(customers::lock_business(&tenant).await.map(drop)?) });
    let claims = world.ports.store.write(keyed, move |tenant| {
        let ports = ports.clone();
        async move { idempotency::claim::<u32>(&tenant, &ports, access.actor_uuid(), "one", "changePlan", &"input").await.map(drop) }
    });
    let (locked, claimed) = tokio::join!(locks, claims);
    let took = began.elapsed();
    held.rollback().await.unwrap();
    assert!(matches!(locked, Err(Failure::Fault(Error::LockTimeout(_)))), "{locked:?}");
    assert!(matches!(&claimed, Err(Failure::Refused(errors)) if errors[0].code == UserErrorCode::IdempotencyInProgress), "{claimed:?}");
    assert!((Duration::from_millis(4_900)..Duration::from_secs(8)).contains(&took), "{took:?}");
}
