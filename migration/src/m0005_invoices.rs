//! Invoices, credit notes, account credit; the counters and the register of their numbers.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!(
    "m0005_invoices",
    "invoices",
    "invoice_lines",
    "invoice_taxes",
    "credit_notes",
    "credit_note_lines",
    "credit_entries",
    "invoice_counters",
    "invoice_register"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    invoices(manager).await?;
    credit(manager).await?;
    // Gapless numbers: one row per series and year, locked last in the transaction that issues.
    table(
        manager,
        "invoice_counters",
        Wall::Own { grants: "select, insert, update", using: "true", check: Some("true") },
        "series text not null,
         year {int} not null,
         last_number {bigint} not null check (last_number >= 0),
         primary key (series, year)",
    )
    .await?;
    table(
        manager,
        "invoice_register",
        Wall::Own { grants: "select, insert", using: "business_id = (select app_tenant())", check: None },
        "series text not null,
         year {int} not null,
         number {bigint} not null,
         business_id {uuid} not null references businesses (business_id),
         document_id {uuid} not null,
         primary key (series, year, number)",
    )
    .await
}

async fn invoices(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "invoices",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         subscription_id {uuid},
         number text,
         status text not null check (status in ('DRAFT', 'OPEN', 'PAID', 'VOID', 'UNCOLLECTIBLE')),
         currency text not null,
         seller text not null,
         billed_to text not null,
         billed_tax_id_sealed {bytes},
         subtotal_minor {bigint} not null,
         discount_minor {bigint} not null,
         tax_minor {bigint} not null,
         total_minor {bigint} not null check (total_minor >= 0),
         credit_applied_minor {bigint} not null check (credit_applied_minor >= 0),
         amount_paid_minor {bigint} not null check (amount_paid_minor >= 0),
         amount_credited_minor {bigint} not null check (amount_credited_minor >= 0),
         amount_due_minor {bigint} not null check (amount_due_minor >= 0),
         exclusive_tax_minor {bigint} not null,
         attempts {int} not null,
         next_attempt_at {timestamp},
         issued_at {timestamp},
         due_at {timestamp},
         paid_at {timestamp},
         voided_at {timestamp},
         created_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, number),
         foreign key (business_id, subscription_id) references subscriptions (business_id, id),
         check (total_minor = subtotal_minor - discount_minor + exclusive_tax_minor),
         check (amount_due_minor = case status when 'VOID' then 0
           else total_minor - credit_applied_minor - amount_paid_minor - amount_credited_minor end)",
    )
    .await?;
    run(
        manager,
        "create index invoices_by_creation on invoices (business_id, created_at, id);
         create index invoices_by_subscription on invoices (business_id, subscription_id, created_at, id)",
    )
    .await?;
    table(
        manager,
        "invoice_lines",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         invoice_id {uuid} not null,
         position {int} not null,
         kind text not null check (kind in ('RECURRING', 'PRORATION_CREDIT', 'PRORATION_CHARGE', 'USAGE', 'ONE_OFF')),
         description text not null,
         period_start {timestamp},
         period_end {timestamp},
         quantity text not null,
         unit_price text not null,
         amount_minor {bigint} not null,
         discount_minor {bigint} not null,
         tax_minor {bigint} not null,
         tax_rate text not null,
         tax_behavior text not null check (tax_behavior in ('INCLUSIVE', 'EXCLUSIVE')),
         period_id {uuid},
         primary key (business_id, id),
         unique (business_id, invoice_id, position),
         foreign key (business_id, invoice_id) references invoices (business_id, id),
         foreign key (business_id, period_id) references periods (business_id, id)",
    )
    .await?;
    run(manager, "create index invoice_lines_by_period on invoice_lines (business_id, period_id)").await?;
    table(
        manager,
        "invoice_taxes",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         invoice_id {uuid} not null,
         position {int} not null,
         name text not null,
         rate text not null,
         behavior text not null check (behavior in ('INCLUSIVE', 'EXCLUSIVE')),
         taxable_minor {bigint} not null,
         amount_minor {bigint} not null,
         primary key (business_id, id),
         unique (business_id, invoice_id, position),
         foreign key (business_id, invoice_id) references invoices (business_id, id)",
    )
    .await
}

async fn credit(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "credit_notes",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         invoice_id {uuid} not null,
         number text not null,
         currency text not null,
         amount_minor {bigint} not null check (amount_minor > 0),
         tax_minor {bigint} not null check (tax_minor >= 0),
         took_off_due_minor {bigint} not null check (took_off_due_minor >= 0),
         to_credit_minor {bigint} not null check (to_credit_minor >= 0),
         to_refund_minor {bigint} not null check (to_refund_minor >= 0),
         reason text not null check (reason in ('PLAN_CHANGE', 'CANCELLATION', 'DUPLICATE', 'ERROR', 'GOODWILL', 'DISPUTE')),
         memo text,
         issued_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, number),
         foreign key (business_id, invoice_id) references invoices (business_id, id),
         check (amount_minor = took_off_due_minor + to_credit_minor + to_refund_minor)",
    )
    .await?;
    run(manager, "create index credit_notes_by_invoice on credit_notes (business_id, invoice_id)").await?;
    table(
        manager,
        "credit_note_lines",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         credit_note_id {uuid} not null,
         position {int} not null,
         description text not null,
         period_start {timestamp},
         period_end {timestamp},
         amount_minor {bigint} not null,
         primary key (business_id, id),
         unique (business_id, credit_note_id, position),
         foreign key (business_id, credit_note_id) references credit_notes (business_id, id)",
    )
    .await?;
    table(
        manager,
        "credit_entries",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         reason text not null check (reason in ('CREDIT_NOTE', 'APPLIED_TO_INVOICE', 'OVERPAYMENT', 'ROUNDING', 'LATE_PAYMENT', 'VOIDED_INVOICE', 'FAILED_REFUND', 'GRANTED_BY_STAFF')),
         currency text not null,
         amount_minor {bigint} not null,
         balance_after_minor {bigint} not null check (balance_after_minor >= 0),
         invoice_id {uuid},
         credit_note_id {uuid},
         at {timestamp} not null,
         primary key (business_id, id),
         foreign key (business_id, invoice_id) references invoices (business_id, id),
         foreign key (business_id, credit_note_id) references credit_notes (business_id, id)",
    )
    .await
}
