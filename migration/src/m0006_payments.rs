//! Payment methods, and payments: one row is one attempt.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0006_payments", "payment_methods", "payments");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "payment_methods",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         kind text not null check (kind in ('CARD', 'MPESA', 'BANK_TRANSFER', 'SANDBOX')),
         gateway text not null,
         reference text not null,
         label text not null,
         is_default {bool} not null,
         expires_on {date},
         removed_at {timestamp},
         created_at {timestamp} not null,
         primary key (business_id, id)",
    )
    .await?;
    run(
        manager,
        "create unique index payment_methods_one_default on payment_methods (business_id) where is_default and removed_at is null",
    )
    .await?;
    table(
        manager,
        "payments",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         invoice_id {uuid} not null,
         method_id {uuid},
         method_kind text not null check (method_kind in ('CARD', 'MPESA', 'BANK_TRANSFER', 'SANDBOX')),
         method_label text not null,
         currency text not null,
         amount_minor {bigint} not null check (amount_minor > 0),
         refunded_minor {bigint} not null check (refunded_minor >= 0 and refunded_minor <= amount_minor),
         status text not null check (status in ('CREATED', 'SENDING', 'REQUIRES_ACTION', 'UNKNOWN', 'SUCCEEDED', 'FAILED', 'CANCELED', 'PARTIALLY_REFUNDED', 'REFUNDED', 'DISPUTED')),
         gateway text not null,
         gateway_method text not null,
         gateway_reference text,
         receipt text,
         failure_code text,
         failure_message text,
         hard_decline {bool} not null,
         action_kind text,
         action_url text,
         action_client_secret text,
         action_expires_at {timestamp},
         attempt {int} not null check (attempt >= 1),
         fence {bigint} not null,
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         settled_at {timestamp},
         primary key (business_id, id),
         unique (business_id, invoice_id, attempt),
         foreign key (business_id, invoice_id) references invoices (business_id, id),
         foreign key (business_id, method_id) references payment_methods (business_id, id)",
    )
    .await?;
    // One live attempt per invoice: charged twice is impossible by this index, not by care.
    run(
        manager,
        "create unique index payments_one_live on payments (business_id, invoice_id)
           where status in ('CREATED', 'SENDING', 'REQUIRES_ACTION', 'UNKNOWN');
         create index payments_by_creation on payments (business_id, created_at, id)",
    )
    .await
}
