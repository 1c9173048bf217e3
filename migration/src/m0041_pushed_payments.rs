//! Payments that a customer pushes: a phone's number that is sealed, and what a gateway that signs nothing has said of an attempt.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0041_pushed_payments", "gateway_hints";
    before: "drop index payments_by_prompt; alter table payment_methods drop column reference_sealed"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // In the place of `reference`, which is empty then, where that would tell a person's number.
    run(manager, "alter table payment_methods add column reference_sealed {bytes}").await?;
    // What was heard of a payment, or of a refund of it. The digest is the body's, so that what is said twice is there once.
    table(
        manager,
        "gateway_hints",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         payment_id {uuid} not null,
         refund_id {uuid},
         heard_of text not null check (heard_of in ('CHARGE', 'STATUS', 'REFUND')),
         digest text not null,
         reference text not null,
         succeeded {bool} not null,
         code text not null,
         receipt text,
         amount_minor {bigint},
         receiver text,
         received_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, payment_id, digest),
         foreign key (business_id, payment_id) references payments (business_id, id),
         foreign key (business_id, refund_id) references refunds (business_id, id)",
    )
    .await?;
    // A prompt is one payment: one that is booked late, and twice, is impossible by this index, not by care.
    run(
        manager,
        "create index gateway_hints_by_time on gateway_hints (received_at);
         create unique index payments_by_prompt on payments (business_id, gateway_reference)
           where gateway = 'mpesa' and status in ('SUCCEEDED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'DISPUTED')",
    )
    .await
}
