//! A snapshot is one state of the database, whatever is written meanwhile, and cannot write itself.

use evolve_business::error::{Error, Failure};
use evolve_business::ids::{AuditEventId, IdGen as _, JobId, SystemIds};
use evolve_business::store::jobs::{self, NewJob};
use evolve_business::store::reads::invoices::{self, InvoiceFilter};
use evolve_business::store::work::{self, NewAuditEvent};
use evolve_business::store::{Snapshot, System, Tenant, customers};

use crate::database::{Kind, TestDatabase};
use crate::walls_raw::{NOW, Raw, instant};
use crate::world::World;

both!(a_snapshot_is_one_state_while_others_write, a_snapshot_cannot_write);

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

/// The name of the business, how many invoices it has, and how long its audit chain is.
async fn look(tenant: &Tenant) -> (String, u64, i64) {
    let name = customers::business(tenant).await.unwrap().business_name;
    let count = invoices::count(tenant, &InvoiceFilter::default()).await.unwrap();
    let last = work::last_audit_event(tenant).await.unwrap();
    (name, count, last.map_or(0, |event| event.sequence))
}

async fn a_snapshot_is_one_state_while_others_write(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    raw.invoice(scope, 100).await;
    let world = World::at(db, NOW).await;
    let store = &world.ports.store;
    let write =
        |sequence| store.write(scope, move |tenant| async move { Ok(work::insert_audit_event(&tenant, audit_event(sequence)).await?) });
    write(1).await.unwrap();

    let snapshot = Snapshot::new(store.clone(), Some(scope));
    // The first read alone: what the others see is settled by it, though they have not been made yet.
    assert_eq!(customers::business(&snapshot.tenant().await.unwrap()).await.unwrap().business_name, "Acme");
    write(2).await.unwrap();
    raw.invoice(scope, 200).await;
    raw.run("update businesses set business_name = 'Renamed' where business_id = $1", vec![scope.business().into()]).await;
    for _ in 0..2 {
        assert_eq!(look(&snapshot.tenant().await.unwrap()).await, ("Acme".into(), 1, 1));
    }
    let later = Snapshot::new(store.clone(), Some(scope));
    assert_eq!(look(&later.tenant().await.unwrap()).await, ("Renamed".into(), 2, 2));
    assert_eq!(look(&snapshot.tenant().await.unwrap()).await, ("Acme".into(), 1, 1));
}

async fn a_snapshot_cannot_write(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let scope = raw.business().await;
    let world = World::at(db, NOW).await;
    let new = |key| NewJob {
        id: JobId::from(SystemIds.next_uuid()),
        kind: "boundary",
        key,
        due_at: instant(NOW),
        clock: None,
        now: instant(NOW),
    };
    let works = world.ports.store.write(scope, move |tenant| async move { Ok(jobs::schedule(&tenant, new("written")).await?) }).await;
    assert!(works.unwrap());

    let tries = async |key: &'static str| {
        let snapshot = Snapshot::new(world.ports.store.clone(), Some(scope));
        let tenant = snapshot.tenant().await.unwrap();
        if key == "insert" {
            jobs::schedule(&tenant, new(key)).await.map(drop)
        } else {
            jobs::withdraw(&tenant, "boundary", "written", instant(NOW)).await
        }
    };
    for key in ["insert", "update"] {
        let refused = tries(key).await;
        assert!(matches!(refused, Err(Error::Store(_))), "{key}: {refused:?}");
    }
    let system = move |system: System| async move { Ok(jobs::schedule(&system.tenant(scope), new("system")).await?) };
    let refused = world.ports.store.read_system(system).await;
    assert!(matches!(refused, Err(Failure::Fault(Error::Store(_)))), "the system's snapshot neither: {refused:?}");
    assert_eq!(raw.column::<String>("select job_key || ' ' || status as v from jobs", vec![]).await, ["written READY"]);
}

/// A policy shows businesses to those alone whose transaction is such: the store says so by seeing its row, or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_is_repeatable_read_and_read_only_and_a_write_is_neither() {
    crate::database::run(Kind::Postgres, |db| async move {
        let raw = Raw::open(&db).await;
        let scope = raw.business().await;
        let world = World::at(db, NOW).await;
        let store = &world.ports.store;
        let cases = [("repeatable read", "on", true, false), ("read committed", "off", false, true), ("repeatable read", "off", false, false)];
        for (isolation, read_only, in_snapshot, in_write) in cases {
            let sql = format!(
                "drop policy if exists such on businesses; create policy such on businesses as restrictive to evolve_app
                   using (current_setting('transaction_isolation') = '{isolation}' and current_setting('transaction_read_only') = '{read_only}')"
            );
            raw.script(&sql).await;
            let snapshot = Snapshot::new(store.clone(), Some(scope));
            let seen = customers::business(&snapshot.tenant().await.unwrap()).await.is_ok();
            let written = store.write(scope, |tenant| async move { Ok(customers::business(&tenant).await.map(drop)?) }).await.is_ok();
            assert_eq!((seen, written), (in_snapshot, in_write), "{isolation}, read only {read_only}");
        }
    })
    .await;
}
