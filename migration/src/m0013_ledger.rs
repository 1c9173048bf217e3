//! The ledger, double entry and append-only; and the heads of the businesses' audit chains.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0013_ledger", "journal_entries", "postings", "audit_heads");

/// A tenant's rows that are read and added, and never changed.
const APPEND_ONLY: Wall = Wall::Own { grants: "select, insert", using: "business_id = (select app_tenant())", check: None };

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "journal_entries",
        APPEND_ONLY,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         kind text not null check (kind in ('INVOICE_ISSUED', 'CREDIT_USED', 'PAYMENT_CAPTURED', 'CREDIT_NOTE_ISSUED', 'INVOICE_VOIDED', 'ROUNDED_OFF', 'WRITTEN_OFF', 'RECOVERED', 'REFUND_PAID', 'REFUND_FAILED', 'DISPUTE_OPENED', 'DISPUTE_WON')),
         subject_id {uuid} not null,
         currency text not null,
         at {timestamp} not null,
         primary key (business_id, id)",
    )
    .await?;
    // What happens once to its subject is booked once, by these indexes and not by care.
    run(
        manager,
        "create unique index journal_entries_once on journal_entries (business_id, kind, subject_id)
           where kind in ('INVOICE_ISSUED', 'PAYMENT_CAPTURED', 'CREDIT_NOTE_ISSUED', 'INVOICE_VOIDED', 'ROUNDED_OFF', 'REFUND_PAID', 'REFUND_FAILED');
         create index journal_entries_by_time on journal_entries (business_id, at, id);
         create index all_journal_entries_by_time on journal_entries (at, id);
         create index all_journal_entries_by_id on journal_entries (id)",
    )
    .await?;
    table(
        manager,
        "postings",
        APPEND_ONLY,
        "business_id {uuid} not null,
         id {uuid} not null,
         entry_id {uuid} not null,
         position {int} not null,
         account text not null check (account in ('RECEIVABLE', 'CASH', 'ACCOUNT_CREDIT', 'REVENUE', 'TAX_PAYABLE', 'WRITE_OFF', 'WRITE_OFF_ALLOWANCE', 'ROUNDING', 'REFUNDS', 'DISPUTES')),
         amount_minor {bigint} not null check (amount_minor <> 0),
         primary key (business_id, id),
         unique (business_id, entry_id, position),
         foreign key (business_id, entry_id) references journal_entries (business_id, id)",
    )
    .await?;
    run(manager, "create index postings_by_account on postings (business_id, account, entry_id)").await?;
    // The last event of each chain: without it, whoever removes the last events of a chain would not be found out.
    table(
        manager,
        "audit_heads",
        Wall::Own { grants: "select, insert, update", using: "business_id = (select app_tenant())", check: None },
        "business_id {uuid} primary key references businesses (business_id),
         sequence {bigint} not null check (sequence >= 1),
         hash {bytes} not null",
    )
    .await
}
