//! Second factors of people and of staff: the sealed secret of each, and the hashes of its recovery codes.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, on_postgres, run, table};

migration!(
    "m0024_two_factor",
    "second_factors",
    "recovery_codes";
    before: "alter table users drop column two_factor_at; \
     alter table staff_users drop column two_factor_at"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // Since when signing in asks for it; what is begun and not confirmed asks for nothing.
    run(
        manager,
        "alter table users add column two_factor_at {timestamp};
         alter table staff_users add column two_factor_at {timestamp}",
    )
    .await?;
    on_postgres(manager, "grant select (two_factor_at) on users to evolve_app").await?;
    // `last_step` is the last 30 seconds whose digits were taken: none are taken twice.
    table(
        manager,
        "second_factors",
        Wall::SystemOnly,
        "holder_id {uuid} primary key,
         user_id {uuid} references users (id),
         staff_id {uuid} references staff_users (id),
         wrapped_key {bytes} not null,
         secret_sealed {bytes} not null,
         last_step {bigint},
         created_at {timestamp} not null,
         confirmed_at {timestamp},
         check ((user_id is null and staff_id = holder_id) or (staff_id is null and user_id = holder_id))",
    )
    .await?;
    table(
        manager,
        "recovery_codes",
        Wall::SystemOnly,
        "hash {bytes} primary key,
         holder_id {uuid} not null references second_factors (holder_id),
         created_at {timestamp} not null,
         spent_at {timestamp}",
    )
    .await?;
    run(manager, "create index recovery_codes_by_holder on recovery_codes (holder_id)").await
}
