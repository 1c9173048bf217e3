//! Refunds: one row is one attempt to pay a part of a payment back, on a credit note.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!(
    "m0018_refunds",
    "refunds";
    before: "alter table payments drop column refunding_minor"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // What refunds of a payment come to that have not failed. No refund is written without it, so that together they never come
    // to more than was taken: not by care, but by this check.
    run(
        manager,
        "alter table payments add column refunding_minor {bigint} not null default 0
           check (refunding_minor >= refunded_minor and refunding_minor <= amount_minor)",
    )
    .await?;
    table(
        manager,
        "refunds",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         payment_id {uuid} not null,
         credit_note_id {uuid} not null,
         currency text not null,
         amount_minor {bigint} not null check (amount_minor > 0),
         status text not null check (status in ('CREATED', 'SENDING', 'ACCEPTED', 'UNKNOWN', 'SUCCEEDED', 'FAILED')),
         gateway text not null,
         gateway_reference text,
         failure_code text,
         failure_message text,
         fence {bigint} not null,
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         settled_at {timestamp},
         primary key (business_id, id),
         foreign key (business_id, payment_id) references payments (business_id, id),
         foreign key (business_id, credit_note_id) references credit_notes (business_id, id)",
    )
    .await?;
    run(
        manager,
        "create index refunds_by_payment on refunds (business_id, payment_id);
         create index refunds_by_credit_note on refunds (business_id, credit_note_id)",
    )
    .await
}
