//! What gateways have said: each event once, so that one that is sent again does nothing again. And payments by the gateway's own
//! id, since that is all that some events name.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0033_gateway_events", "gateway_events"; before: "drop index payments_by_gateway_reference");

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
    run(
        manager,
        "create index gateway_events_by_time on gateway_events (received_at);
         create index payments_by_gateway_reference on payments (gateway_reference) where gateway_reference is not null",
    )
    .await
}
