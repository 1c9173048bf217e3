//! What a customer's browser finishes a payment with lies sealed.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, run};

migration!("m0046_sealed_actions",; before: "alter table payments drop column action_client_secret_sealed");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Takes the place of `action_client_secret`, which is left empty. What was written there in plain before goes when its payment is no
    // longer waited for, within the hour, and is sealed by `keys rotate`, since a migration has no key.
    run(manager, "alter table payments add column action_client_secret_sealed {bytes}").await
}
