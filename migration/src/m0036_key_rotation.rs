//! Keys of businesses are replaced while they are in use, and registration numbers are sealed.

use sea_orm_migration::prelude::*;

use crate::dialect::{migration, run};

migration!("m0036_key_rotation",;
    before: "alter table verifications drop column registration_number_sealed; \
     alter table businesses drop column key_made_at; \
     alter table businesses drop column previous_wrapped_key"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // The key before the present one, until what it sealed is sealed anew.
    run(manager, "alter table businesses add column previous_wrapped_key {bytes}").await?;
    // When the present key was made; null for the first one, which came with the business.
    run(manager, "alter table businesses add column key_made_at {timestamp}").await?;
    // Takes the place of `registration_number`, which is left empty: what was written in plain before is sealed by `keys rotate`, since
    // a migration has no key.
    run(manager, "alter table verifications add column registration_number_sealed {bytes}").await
}
