//! The outbox: events, and the lanes in which jobs that deliver them wait for each other.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0009_outbox", "events"; before: "drop index jobs_by_lane; alter table jobs drop column lane; alter table jobs drop column lane_position");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // A sequence is taken under the lock of the business, so that an event of an aggregate is never seen before its predecessors.
    table(
        manager,
        "events",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         aggregate text not null,
         sequence {bigint} not null check (sequence >= 1),
         name text not null,
         version {int} not null check (version >= 1),
         payload text not null,
         created_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, aggregate, sequence)",
    )
    .await?;
    // A job in a lane is claimed only when no earlier one of its lane waits. The status is part of the key: what is done is skipped.
    run(
        manager,
        "alter table jobs add column lane text;
         alter table jobs add column lane_position {bigint};
         create index jobs_by_lane on jobs (business_id, lane, status, lane_position) where lane is not null",
    )
    .await
}
