//! Products, plans and their versions, tax rates, the seller. Global: every tenant reads the same catalogue.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, table};

migration!("m0002_catalogue", "products", "plans", "plan_versions", "plan_prices", "plan_features", "tax_rates", "sellers");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "products",
        Wall::ReadByAll,
        "id {uuid} primary key,
         code text not null unique,
         name text not null,
         description text not null,
         position {int} not null,
         anchor_mode text not null check (anchor_mode in ('ANNIVERSARY', 'CALENDAR', 'FIXED_DAY')),
         anchor_day {int} check (anchor_day between 1 and 31),
         granularity text not null check (granularity in ('DAY', 'SECOND')),
         prorations text not null,
         downgrade_now {bool} not null,
         cancel_unused_time text not null,
         created_at {timestamp} not null",
    )
    .await?;
    table(
        manager,
        "plans",
        Wall::ReadByAll,
        "id {uuid} primary key,
         product_id {uuid} not null references products (id),
         code text not null,
         current_version {int} not null,
         archived_at {timestamp},
         created_at {timestamp} not null,
         unique (product_id, code)",
    )
    .await?;
    // A version never changes: a subscription keeps the one it began with.
    table(
        manager,
        "plan_versions",
        Wall::ReadByAll,
        "plan_id {uuid} not null references plans (id),
         version {int} not null,
         name text not null,
         description text not null,
         trial_days {int} not null check (trial_days between 0 and 730),
         max_users {int} check (max_users >= 0),
         storage_limit {bigint} check (storage_limit >= 0),
         requires_verification {bool} not null,
         created_at {timestamp} not null,
         primary key (plan_id, version)",
    )
    .await?;
    table(
        manager,
        "plan_prices",
        Wall::ReadByAll,
        "plan_id {uuid} not null,
         version {int} not null,
         billing_interval text not null check (billing_interval in ('MONTHLY', 'YEARLY')),
         currency text not null,
         amount_minor {bigint} not null check (amount_minor >= 0),
         tax_behavior text not null check (tax_behavior in ('INCLUSIVE', 'EXCLUSIVE')),
         primary key (plan_id, version, billing_interval, currency),
         foreign key (plan_id, version) references plan_versions (plan_id, version)",
    )
    .await?;
    table(
        manager,
        "plan_features",
        Wall::ReadByAll,
        "plan_id {uuid} not null,
         version {int} not null,
         feature_key text not null,
         position {int} not null,
         name text not null,
         kind text not null check (kind in ('SWITCH', 'LIMIT', 'METERED')),
         enabled {bool} not null,
         included text,
         unit text,
         overage text not null,
         primary key (plan_id, version, feature_key),
         foreign key (plan_id, version) references plan_versions (plan_id, version)",
    )
    .await?;
    table(
        manager,
        "tax_rates",
        Wall::ReadByAll,
        "country text not null,
         valid_from {date} not null,
         name text not null,
         rate text not null,
         primary key (country, valid_from)",
    )
    .await?;
    table(
        manager,
        "sellers",
        Wall::ReadByAll,
        "id {int} primary key check (id = 1),
         name text not null,
         tax_id text,
         address_line text,
         city text,
         postal_code text,
         country text not null,
         time_zone text not null,
         platform_currency text not null",
    )
    .await
}
