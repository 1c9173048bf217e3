//! The walls between businesses: what one cannot see, lock, change or insert of another, through the store and, on
//! PostgreSQL, by row-level security alone.

use evolve_business::error::{Error, Failure};
use evolve_business::ids::{AuditEventId, BusinessId, IdGen, IdempotencyKeyId, InvoiceId, JobId, SystemIds};
use evolve_business::store::jobs::{self, NewJob};
use evolve_business::store::page::Window;
use evolve_business::store::reads::invoices::{self, InvoiceFilter};
use evolve_business::store::work::{self, NewAuditEvent, NewIdempotencyKey};
use evolve_business::store::{Snapshot, Store, Tenant, TenantScope, customers};
use sea_orm::{SqlErr, Value};
use uuid::Uuid;

use crate::database::TestDatabase;
use crate::walls_raw::{NOW, Raw, instant};
use crate::world::World;

both!(
    a_business_that_does_not_exist_has_no_row,
    a_caller_without_a_business_gets_no_tenant,
    two_businesses_neither_see_nor_change_each_other,
    a_reference_across_businesses_cannot_be_stored,
);

async fn a_business_that_does_not_exist_has_no_row(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let scope = TenantScope::proved(BusinessId::from(SystemIds.next_uuid()));
    let snapshot = Snapshot::new(world.ports.store.clone(), Some(scope));
    let read = customers::business(&snapshot.tenant().await.unwrap()).await;
    assert!(matches!(read, Err(Error::Corrupt(_))), "{read:?}");
    let refused: Result<(), Failure> =
        world.ports.store.write(scope, |tenant| async move { Ok(customers::lock_business(&tenant).await.map(drop)?) }).await;
    assert!(matches!(refused, Err(Failure::Fault(Error::Corrupt(_)))), "{refused:?}");
}

async fn a_caller_without_a_business_gets_no_tenant(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let snapshot = Snapshot::new(world.ports.store.clone(), None);
    assert!(matches!(snapshot.tenant().await.map(drop), Err(Error::Unauthenticated)));
    assert!(snapshot.catalogue().await.is_ok(), "the catalogue is everybody's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_level_security_alone_keeps_two_businesses_apart() {
    crate::database::run(crate::database::Kind::Postgres, |db| try_both_ways(db, false)).await;
}

async fn two_businesses_neither_see_nor_change_each_other(db: TestDatabase) {
    try_both_ways(db, true).await;
}

/// What a business has in these tests. Both have a job of the same kind and key, and a key of the same actor.
struct Business {
    scope: TenantScope,
    invoice: InvoiceId,
    event: AuditEventId,
    key: IdempotencyKeyId,
}

async fn try_both_ways(db: TestDatabase, application_filter: bool) {
    let raw = Raw::open(&db).await;
    let world = World::with(db, NOW, |options| options.application_filter = application_filter).await;
    let (first, second) = (business(&world.ports.store, &raw).await, business(&world.ports.store, &raw).await);
    for (own, other) in [(&first, &second), (&second, &first)] {
        sees_its_own_alone(&world.ports.store, own, other).await;
        changes_its_own_alone(&world.ports.store, &raw, own, other).await;
    }
}

/// A business with one row of each kind that the store's API can write.
async fn business(store: &Store, raw: &Raw) -> Business {
    let scope = raw.business().await;
    let (event, key): (AuditEventId, IdempotencyKeyId) = (SystemIds.next_uuid().into(), SystemIds.next_uuid().into());
    let work = move |tenant: Tenant| async move {
        assert!(jobs::schedule(&tenant, job("shared")).await?);
        assert_eq!(work::claim_idempotency_key(&tenant, idempotency_key(key)).await?, None, "nobody else's key is in the way");
        work::insert_audit_event(&tenant, audit_event(event)).await?;
        Ok(())
    };
    store.write(scope, work).await.unwrap();
    Business { scope, invoice: raw.invoice(scope, 4_990).await, event, key }
}

fn job(key: &str) -> NewJob<'_> {
    NewJob { id: JobId::from(SystemIds.next_uuid()), kind: "boundary", key, due_at: instant(NOW), clock: None, now: instant(NOW) }
}

fn idempotency_key(id: IdempotencyKeyId) -> NewIdempotencyKey<'static> {
    NewIdempotencyKey { id, actor: Uuid::nil(), key: "one", operation: "changePlan", input_hash: vec![1], at: instant(NOW) }
}

fn audit_event(id: AuditEventId) -> NewAuditEvent<'static> {
    let (action, actor, subject) = ("plan.changed", "usr_1", "sub_1");
    let (previous, hash) = (vec![0; 32], vec![1; 32]);
    NewAuditEvent { id, sequence: 1, action, actor, subject, details: "{}".into(), at: instant(NOW), previous, salt: Vec::new(), hash }
}

async fn sees_its_own_alone(store: &Store, own: &Business, other: &Business) {
    let snapshot = Snapshot::new(store.clone(), Some(own.scope));
    let tenant = snapshot.tenant().await.unwrap();
    assert_eq!(customers::business(&tenant).await.unwrap().business_id, own.scope.business());
    assert_eq!(invoices::by_id(&tenant, other.invoice).await.unwrap(), None);
    assert!(invoices::by_id(&tenant, own.invoice).await.unwrap().is_some());
    let keys = [own, other].map(|of| (of.scope.business(), of.invoice));
    let found = invoices::by_ids(&tenant, &keys).await.unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), [keys[0]]);
    let window = Window { after: None, before: None, limit: 10, from_end: false };
    let page = invoices::page(&tenant, &InvoiceFilter::default(), window).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [own.invoice]);
    assert_eq!(invoices::count(&tenant, &InvoiceFilter::default()).await.unwrap(), 1);
    assert_eq!(work::last_audit_event(&tenant).await.unwrap().map(|event| event.id), Some(own.event));
}

async fn changes_its_own_alone(store: &Store, raw: &Raw, own: &Business, other: &Business) {
    let (foreign_key, own_key) = (other.key, own.key);
    let change = move |tenant: Tenant| async move {
        customers::lock_business(&tenant).await?;
        work::set_idempotency_outcome(&tenant, foreign_key, "theirs".into()).await?;
        work::set_idempotency_outcome(&tenant, own_key, "ours".into()).await?;
        jobs::withdraw(&tenant, "boundary", "shared", instant(NOW)).await?;
        assert!(!jobs::schedule(&tenant, job("shared")).await?, "a job of that kind and key is there already");
        Ok(())
    };
    let before = rows_of(raw, other.scope).await;
    store.write(own.scope, change).await.unwrap();
    assert_eq!(rows_of(raw, other.scope).await, before, "the other business's rows are as they were");
    let outcome = "select outcome as v from idempotency_keys where business_id = $1";
    assert_eq!(raw.one::<String>(outcome, vec![own.scope.business().into()]).await, "ours");
    assert_eq!(raw.one::<String>("select status as v from jobs where business_id = $1", vec![own.scope.business().into()]).await, "DONE");
}

/// What a change could have touched, as text.
async fn rows_of(raw: &Raw, scope: TenantScope) -> Vec<String> {
    let sql = "select status || ' ' || job_key as v from jobs where business_id = $1
               union all select 'outcome ' || outcome from idempotency_keys where business_id = $1";
    raw.column(sql, vec![scope.business().into()]).await
}

/// The database itself refuses it: no filter and no role is asked, the connection is the superuser's.
async fn a_reference_across_businesses_cannot_be_stored(db: TestDatabase) {
    let raw = Raw::open(&db).await;
    let (first, second) = (raw.business().await, raw.business().await);
    let (invoice, foreign) = (raw.invoice(first, 100).await, raw.invoice(second, 100).await);
    let tax = |owner: TenantScope, invoice: InvoiceId| -> Vec<(&str, Value)> {
        vec![
            ("business_id", owner.business().into()),
            ("id", SystemIds.next_uuid().into()),
            ("invoice_id", invoice.into()),
            ("position", 1.into()),
            ("name", "VAT".into()),
            ("rate", "0.16".into()),
            ("behavior", "INCLUSIVE".into()),
            ("taxable_minor", 100_i64.into()),
            ("amount_minor", 14_i64.into()),
        ]
    };
    let entry = |owner: TenantScope, invoice: InvoiceId| -> Vec<(&str, Value)> {
        vec![
            ("business_id", owner.business().into()),
            ("id", SystemIds.next_uuid().into()),
            ("reason", "LATE_PAYMENT".into()),
            ("currency", "KES".into()),
            ("amount_minor", 100_i64.into()),
            ("balance_after_minor", 100_i64.into()),
            ("invoice_id", invoice.into()),
            ("at", instant(NOW).into()),
        ]
    };
    for (owner, theirs) in [(first, foreign), (second, invoice)] {
        for (table, row) in [("invoice_taxes", tax(owner, theirs)), ("credit_entries", entry(owner, theirs))] {
            let refused = raw.try_insert(table, row).await.unwrap_err();
            assert!(matches!(refused.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_))), "{table}: {refused}");
        }
    }
    raw.insert("invoice_taxes", tax(first, invoice)).await;
    raw.insert("credit_entries", entry(second, foreign)).await;
    let moved = raw.try_run("update invoice_taxes set business_id = $1", vec![second.business().into()]).await.unwrap_err();
    assert!(matches!(moved.sql_err(), Some(SqlErr::ForeignKeyConstraintViolation(_))), "a row cannot move to another business: {moved}");
}
