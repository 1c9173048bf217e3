//! Settings of the operator that the catalogue file has: how long payment is waited for, and the prefixes of documents' numbers.
//! And what a credit note's line takes back, by the line of the invoice that it names.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, on_postgres, run};

migration!(
    "m0015_settings",;
    before: "alter table products drop column retry_after_days; \
     alter table products drop column cancel_after_days; \
     alter table sellers drop column invoice_prefix; \
     alter table sellers drop column credit_note_prefix; \
     alter table credit_note_lines drop column invoice_line_id"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // What was done before these were settings.
    run(
        manager,
        "alter table products add column retry_after_days text not null default '1,3,5,7';
         alter table products add column cancel_after_days {int} not null default 30 check (cancel_after_days >= 1);
         alter table sellers add column invoice_prefix text not null default 'INV';
         alter table sellers add column credit_note_prefix text not null default 'CN'",
    )
    .await?;
    run(manager, "alter table credit_note_lines add column invoice_line_id {uuid}").await?;
    // SQLite takes no constraint of two columns with a column that is added.
    on_postgres(
        manager,
        "alter table credit_note_lines add constraint credit_note_lines_invoice_line
           foreign key (business_id, invoice_line_id) references invoice_lines (business_id, id)",
    )
    .await
}
