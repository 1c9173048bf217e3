//! Usage: the ids of events, the events, what they come to, and the hours of their history.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0019_usage", "usage_event_ids", "usage_events", "usage_counters", "usage_standings", "usage_buckets");

/// A tenant's rows that are read and added, and never changed; those that are old enough the system removes.
const APPEND_ONLY: Wall = Wall::Own { grants: "select, insert", using: "business_id = (select app_tenant())", check: None };

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // An event counts once by its id, whenever it happened and whenever it is sent: so its id is unique in a table that is
    // never parted by time.
    table(
        manager,
        "usage_event_ids",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         event_id text not null,
         recorded_at {timestamp} not null,
         primary key (business_id, event_id)",
    )
    .await?;
    // The time when it was recorded is part of the key, so that the table may be parted by it.
    table(
        manager,
        "usage_events",
        APPEND_ONLY,
        "business_id {uuid} not null,
         id {uuid} not null,
         recorded_at {timestamp} not null,
         subscription_id {uuid} not null,
         feature_key text not null,
         event_id text not null,
         action text not null check (action in ('ADD', 'SET')),
         quantity text not null,
         occurred_at {timestamp} not null,
         usage_period_start {timestamp},
         properties text,
         primary key (business_id, id, recorded_at),
         foreign key (business_id, subscription_id) references subscriptions (business_id, id)",
    )
    .await?;
    run(manager, "create index usage_events_by_feature on usage_events (business_id, subscription_id, feature_key, occurred_at)").await?;
    // `plan_…` is the last plan of the usage period that had the feature: it rates what the plan in force lacks. `billed_…` is
    // what was rated already; a late event makes `used` more than that, and `unbilled`.
    table(
        manager,
        "usage_counters",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         subscription_id {uuid} not null,
         feature_key text not null,
         period_start {timestamp} not null,
         period_end {timestamp} not null,
         used text not null,
         plan_id {uuid},
         plan_version {int},
         unbilled {bool} not null,
         billed_used text,
         billed_at {timestamp},
         updated_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, subscription_id, feature_key, period_start),
         foreign key (business_id, subscription_id) references subscriptions (business_id, id),
         foreign key (plan_id, plan_version) references plan_versions (plan_id, version),
         check ((plan_id is null) = (plan_version is null)),
         check ((billed_used is null) = (billed_at is null))",
    )
    .await?;
    run(manager, "create index usage_counters_unbilled on usage_counters (business_id, subscription_id, period_start) where unbilled")
        .await?;
    // A standing quantity outlives periods and subscriptions. `set_at` is the instant of the last SET, which outweighs all
    // that happened before it; `last_at` that of the last event of any kind.
    table(
        manager,
        "usage_standings",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         product_id {uuid} not null references products (id),
         feature_key text not null,
         quantity text not null,
         set_at {timestamp},
         last_at {timestamp} not null,
         updated_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, product_id, feature_key)",
    )
    .await?;
    // Days and months are sums of hours. Metered: what was counted in the hour; a standing quantity: what stood at its end.
    table(
        manager,
        "usage_buckets",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         subscription_id {uuid} not null,
         feature_key text not null,
         starts_at {timestamp} not null,
         quantity text not null,
         primary key (business_id, id),
         unique (business_id, subscription_id, feature_key, starts_at),
         foreign key (business_id, subscription_id) references subscriptions (business_id, id)",
    )
    .await
}
