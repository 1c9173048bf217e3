//! Tries to sign in that failed, by whom they were meant for and where they came from, and the places that people have signed in
//! from. Neither keeps an e-mail address or a network address, but a hash of both with what it is for. And the addresses that people
//! have asked to change to.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0026_sign_in", "sign_in_tries", "known_places", "email_changes");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "sign_in_tries",
        Wall::SystemOnly,
        "subject {bytes} primary key,
         failures {int} not null check (failures >= 0),
         last_at {timestamp} not null",
    )
    .await?;
    table(
        manager,
        "known_places",
        Wall::SystemOnly,
        "place {bytes} primary key,
         last_at {timestamp} not null",
    )
    .await?;
    // The newest of each person; the old address is told of it, also where it has taken effect by then.
    table(
        manager,
        "email_changes",
        Wall::SystemOnly,
        "user_id {uuid} primary key references users (id),
         email text not null,
         email_key text not null,
         old_email text not null,
         asked_at {timestamp} not null,
         confirmed_at {timestamp}",
    )
    .await?;
    run(
        manager,
        "create index sign_in_tries_by_time on sign_in_tries (last_at);
         create index known_places_by_time on known_places (last_at)",
    )
    .await
}
