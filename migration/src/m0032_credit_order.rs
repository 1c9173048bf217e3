//! Movements of account credit are read a page at a time, the newest first.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, run};

migration!("m0032_credit_order",; before: "drop index credit_entries_by_time");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, "create index credit_entries_by_time on credit_entries (business_id, at, id)").await
}
