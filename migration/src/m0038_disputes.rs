//! Disputes: what a payer's bank does about a charge, as its gateway tells when it is asked.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0038_disputes", "disputes"; before: "drop index payments_by_reference");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // `funds` is where the money is; what of it is lost is the refund that was written for it, and `loss_minor`, for which nothing
    // could be credited. `ordinal` counts a business's disputes. A gateway's dispute is one row, by the key and not by care.
    table(
        manager,
        "disputes",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         payment_id {uuid} not null,
         ordinal {bigint} not null check (ordinal >= 1),
         gateway text not null,
         gateway_reference text not null,
         currency text not null,
         amount_minor {bigint} not null check (amount_minor > 0),
         reason text not null,
         status text not null check (status in ('INQUIRY', 'INQUIRY_CLOSED', 'NEEDS_RESPONSE', 'UNDER_REVIEW', 'WON', 'LOST')),
         funds text not null check (funds in ('NOT_TAKEN', 'TAKEN', 'GIVEN_BACK', 'LOST')),
         respond_by {timestamp},
         refund_id {uuid},
         loss_minor {bigint} not null default 0 check (loss_minor >= 0 and loss_minor <= amount_minor),
         opened_at {timestamp} not null,
         closed_at {timestamp},
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, gateway, gateway_reference),
         unique (business_id, ordinal),
         foreign key (business_id, payment_id) references payments (business_id, id),
         foreign key (business_id, refund_id) references refunds (business_id, id)",
    )
    .await?;
    // A gateway names a charge by its own id alone: whose it is, only the payment tells.
    run(
        manager,
        "create index disputes_by_payment on disputes (business_id, payment_id);
         create index disputes_by_time on disputes (business_id, created_at, id);
         create index all_disputes_by_time on disputes (created_at, id);
         create index all_disputes_by_id on disputes (id);
         create index payments_by_reference on payments (gateway_reference) where gateway_reference is not null",
    )
    .await
}
