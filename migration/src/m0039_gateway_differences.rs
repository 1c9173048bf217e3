//! The daily comparison with what gateways list, and what it found to differ.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0039_gateway_differences", "gateway_comparisons", "gateway_differences");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // One day of one gateway is compared by one process at a time, by the lease.
    table(
        manager,
        "gateway_comparisons",
        Wall::SystemOnly,
        "gateway text not null,
         day {date} not null,
         leased_until {timestamp} not null,
         compared_at {timestamp},
         primary key (gateway, day)",
    )
    .await?;
    // What differs may be of nobody that we know: so it belongs to no business, and `concerned_id` names the one that it is known to concern. The
    // reference is the gateway's, or ours where the gateway has none.
    table(
        manager,
        "gateway_differences",
        Wall::SystemOnly,
        "id {uuid} primary key,
         gateway text not null,
         day {date} not null,
         subject text not null check (subject in ('CHARGE', 'REFUND', 'DISPUTE')),
         kind text not null check (kind in ('NOT_HERE', 'NOT_THERE', 'AMOUNT', 'STATUS', 'UNSETTLED')),
         reference text not null,
         concerned_id {uuid},
         payment_id {uuid},
         refund_id {uuid},
         ours text,
         theirs text,
         found_at {timestamp} not null,
         told_at {timestamp},
         cleared_at {timestamp},
         unique (gateway, subject, kind, reference)",
    )
    .await?;
    run(
        manager,
        "create index gateway_differences_by_time on gateway_differences (found_at, id);
         create index gateway_differences_by_day on gateway_differences (gateway, day)",
    )
    .await
}
