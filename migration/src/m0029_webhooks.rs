//! Webhooks: where a business wants to be told of events, and what it was told.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0029_webhooks", "webhook_endpoints", "webhook_deliveries");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // As long as something waits, a job sends it: `sending`, and `sender` is its number.
    table(
        manager,
        "webhook_endpoints",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         url text not null,
         events text not null,
         enabled {bool} not null,
         disabled_reason text,
         secret_sealed {bytes} not null,
         previous_secret_sealed {bytes},
         previous_until {timestamp},
         last_position {bigint} not null check (last_position >= 0),
         sending {bool} not null,
         sender {bigint} not null check (sender >= 0),
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         primary key (business_id, id),
         check ((previous_secret_sealed is null) = (previous_until is null)),
         check (disabled_reason is null or not enabled),
         check (enabled or not sending)",
    )
    .await?;
    // What waits is sent by its position. The tries are those since it waits, the attempts all that there were.
    table(
        manager,
        "webhook_deliveries",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         endpoint_id {uuid} not null,
         event_id {uuid} not null,
         event text not null,
         payload text not null,
         status text not null check (status in ('PENDING', 'DELIVERED', 'FAILED')),
         position {bigint} not null check (position >= 1),
         attempts {int} not null check (attempts >= tries),
         tries {int} not null check (tries >= 0),
         first_tried_at {timestamp},
         response_status {int},
         error text,
         next_attempt_at {timestamp},
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, endpoint_id, event_id),
         foreign key (business_id, endpoint_id) references webhook_endpoints (business_id, id),
         foreign key (business_id, event_id) references events (business_id, id),
         check ((status = 'PENDING') = (next_attempt_at is not null))",
    )
    .await?;
    run(
        manager,
        "create index webhook_endpoints_by_creation on webhook_endpoints (business_id, created_at, id);
         create index webhook_deliveries_by_creation on webhook_deliveries (business_id, endpoint_id, created_at, id);
         create index webhook_deliveries_waiting on webhook_deliveries (business_id, endpoint_id, position) where status = 'PENDING';
         create index webhook_deliveries_of_event on webhook_deliveries (business_id, event_id);
         create index all_webhook_deliveries_over on webhook_deliveries (created_at) where status <> 'PENDING'",
    )
    .await
}
