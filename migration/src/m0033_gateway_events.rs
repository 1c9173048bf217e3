//! What gateways have said: each event once, so that one that is sent again does nothing again.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0033_gateway_events", "gateway_events");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "gateway_events",
        Wall::SystemOnly,
        "gateway text not null,
         event_id text not null,
         kind text not null,
         received_at {timestamp} not null,
         primary key (gateway, event_id)",
    )
    .await?;
    run(manager, "create index gateway_events_by_time on gateway_events (received_at)").await
}
