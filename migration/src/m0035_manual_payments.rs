//! Payments that came outside any gateway and were recorded by hand.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, run};

migration!(
    "m0035_manual_payments",;
    before: "drop index payments_by_hand; alter table payments drop column received_on"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The day on which the money came, as the bank's statement has it. A receipt is one payment: recorded twice is impossible by
    // this index, not by care.
    run(
        manager,
        "alter table payments add column received_on {date};
         create unique index payments_by_hand on payments (business_id, receipt) where gateway = 'manual'",
    )
    .await
}
