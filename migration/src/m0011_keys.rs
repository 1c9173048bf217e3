//! Keys that programs sign in by: those of businesses and those of products.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0011_keys", "api_keys", "api_key_hashes", "service_keys");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // `prefix` is the part that may be shown; `scopes` are names with a space between them.
    table(
        manager,
        "api_keys",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         name text not null,
         prefix text not null,
         scopes text not null,
         created_at {timestamp} not null,
         expires_at {timestamp},
         last_used_at {timestamp},
         revoked_at {timestamp},
         primary key (business_id, id)",
    )
    .await?;
    run(manager, "create index api_keys_live on api_keys (business_id, created_at) where revoked_at is null").await?;
    // A key is looked up before anybody is known, by SHA-256 of its text; for the system alone.
    table(
        manager,
        "api_key_hashes",
        Wall::SystemOnly,
        "hash {bytes} primary key,
         business_id {uuid} not null,
         key_id {uuid} not null,
         foreign key (business_id, key_id) references api_keys (business_id, id)",
    )
    .await?;
    run(manager, "create index api_key_hashes_by_key on api_key_hashes (business_id, key_id)").await?;
    table(
        manager,
        "service_keys",
        Wall::SystemOnly,
        "id {uuid} primary key,
         product_id {uuid} not null references products (id),
         name text not null,
         prefix text not null,
         hash {bytes} not null unique,
         created_by text not null,
         created_at {timestamp} not null,
         expires_at {timestamp},
         last_used_at {timestamp},
         revoked_by text,
         revoked_at {timestamp}",
    )
    .await?;
    run(manager, "create index service_keys_live on service_keys (created_at) where revoked_at is null").await
}
