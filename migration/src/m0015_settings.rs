//! What a credit note's line takes back, by the line of the invoice that it names.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, on_postgres, run};

migration!("m0015_settings",; before: "alter table credit_note_lines drop column invoice_line_id");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    run(manager, "alter table credit_note_lines add column invoice_line_id {uuid}").await?;
    // SQLite takes no constraint of two columns with a column that is added.
    on_postgres(
        manager,
        "alter table credit_note_lines add constraint credit_note_lines_invoice_line
           foreign key (business_id, invoice_line_id) references invoice_lines (business_id, id)",
    )
    .await
}
