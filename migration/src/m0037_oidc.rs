//! People of an identity provider: whom its subjects are here, and the sessions that its tokens carry.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0037_oidc", "external_identities", "external_sessions");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // A subject means something at its issuer alone, and is one person here for ever: an address may change hands, a subject does not.
    table(
        manager,
        "external_identities",
        Wall::SystemOnly,
        "issuer text not null,
         subject text not null,
         user_id {uuid} not null references users (id),
         created_at {timestamp} not null,
         primary key (issuer, subject)",
    )
    .await?;
    // Nor is a person two subjects: whoever gets the address of somebody who has left the provider does not get their place here.
    run(manager, "create unique index external_identities_by_user on external_identities (user_id, issuer)").await?;
    // The hash is of what the provider calls the session, or of the one token where it names none, and of the business.
    table(
        manager,
        "external_sessions",
        Wall::SystemOnly,
        "hash {bytes} primary key,
         session_id {uuid} not null references sessions (id),
         created_at {timestamp} not null",
    )
    .await?;
    run(manager, "create index external_sessions_by_session on external_sessions (session_id)").await
}
