//! Test clocks: clocks of a sandbox that businesses are put on, so that a year of billing passes in seconds.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!(
    "m0016_test_clocks",
    "test_clocks",
    "clock_attachments";
    before: "drop index jobs_due_by_clock; alter table jobs drop column test_clock_id"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // `goal` is where an advance ends; `advanced_at` is real time, and tells what failed in it from what failed before.
    table(
        manager,
        "test_clocks",
        Wall::SystemOnly,
        "id {uuid} primary key,
         name text not null,
         now {timestamp} not null,
         status text not null check (status in ('READY', 'ADVANCING', 'FAILED')),
         goal {timestamp},
         failure text,
         advanced_at {timestamp} not null,
         created_at {timestamp} not null,
         check ((status = 'ADVANCING') = (goal is not null)),
         check ((status = 'FAILED') = (failure is not null))",
    )
    .await?;
    run(manager, "create index test_clocks_advancing on test_clocks (id) where status = 'ADVANCING'").await?;
    table(
        manager,
        "clock_attachments",
        Wall::Tenant,
        "business_id {uuid} primary key references businesses (business_id),
         test_clock_id {uuid} not null references test_clocks (id)",
    )
    .await?;
    crate::dialect::on_postgres(
        manager,
        "create policy tenant on test_clocks to evolve_app using (id in (select test_clock_id from clock_attachments));
         grant select on test_clocks to evolve_app",
    )
    .await?;
    // A job of a business on a test clock is due by that clock.
    run(
        manager,
        "alter table jobs add column test_clock_id {uuid};
         create index jobs_due_by_clock on jobs (test_clock_id, due_at) where test_clock_id is not null and status = 'READY'",
    )
    .await
}
