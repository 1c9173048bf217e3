//! Mails to staff: what happened to an account of theirs, told to them once.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0044_staff_mails", "staff_mails");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Until `due_at` nobody takes one in hand: so one that was taken is tried again where nothing came of it.
    table(
        manager,
        "staff_mails",
        Wall::SystemOnly,
        "id {uuid} primary key,
         staff_id {uuid} not null references staff_users (id),
         kind text not null,
         status text not null check (status in ('QUEUED', 'SENT', 'FAILED')),
         attempts {int} not null check (attempts >= 0),
         due_at {timestamp} not null,
         error text,
         created_at {timestamp} not null,
         updated_at {timestamp} not null",
    )
    .await?;
    run(manager, "create index staff_mails_due on staff_mails (due_at) where status = 'QUEUED'").await?;
    run(manager, "create index staff_mails_over on staff_mails (updated_at) where status <> 'QUEUED'").await
}
