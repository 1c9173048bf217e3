//! Jobs, idempotency keys, audit events.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0007_work", "jobs", "idempotency_keys", "audit_events");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "jobs",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         kind text not null,
         job_key text not null,
         due_at {timestamp} not null,
         status text not null check (status in ('READY', 'DONE', 'DEAD')),
         leased_until {timestamp},
         fence {bigint} not null,
         attempts {int} not null,
         last_error text,
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, kind, job_key)",
    )
    .await?;
    run(manager, "create index jobs_due on jobs (due_at) where status = 'READY'").await?;
    table(
        manager,
        "idempotency_keys",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         actor {uuid} not null,
         idempotency_key text not null,
         operation text not null,
         input_hash {bytes} not null,
         outcome text not null,
         created_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, actor, idempotency_key)",
    )
    .await?;
    table(
        manager,
        "audit_events",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         sequence {bigint} not null check (sequence >= 1),
         action text not null,
         actor text not null,
         subject text not null,
         details text not null,
         at {timestamp} not null,
         previous_hash {bytes} not null,
         hash {bytes} not null,
         primary key (business_id, id),
         unique (business_id, sequence)",
    )
    .await
}
