//! The index by which jobs are claimed has the whole of their order: many that are due at one midnight would else be sorted
//! anew by each claim.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, run};

migration!(
    "m0017_jobs_in_order",;
    before: "drop index jobs_due; create index jobs_due on jobs (due_at) where status = 'READY'"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(
        manager,
        "drop index jobs_due;
         create index jobs_due on jobs (due_at, id) where status = 'READY' and test_clock_id is null",
    )
    .await
}
