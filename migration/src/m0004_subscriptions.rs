//! Subscriptions, their periods, their changes, and lines that wait for the next invoice.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0004_subscriptions", "subscriptions", "periods", "subscription_changes", "pending_lines");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // `charged_…` is what was last charged for the running period, null where nothing was. `charged_from` is the number of
    // the period that the last renewal opened: the invoices of that one and those after it take the credit notes of now.
    // `dunning_…` is the ladder of payments that fail: which invoice began it and when, and how many rungs are taken.
    table(
        manager,
        "subscriptions",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         product_id {uuid} not null references products (id),
         plan_id {uuid} not null,
         plan_version {int} not null,
         billing_interval text not null check (billing_interval in ('MONTHLY', 'YEARLY')),
         currency text not null,
         price_minor {bigint} not null check (price_minor >= 0),
         tax_behavior text not null check (tax_behavior in ('INCLUSIVE', 'EXCLUSIVE')),
         charged_price_minor {bigint} check (charged_price_minor >= 0),
         charged_tax_rate text,
         charged_tax_behavior text check (charged_tax_behavior in ('INCLUSIVE', 'EXCLUSIVE')),
         charged_from {int} not null,
         status text not null check (status in ('INCOMPLETE', 'TRIALING', 'ACTIVE', 'PAST_DUE', 'SUSPENDED', 'CANCELED', 'EXPIRED')),
         anchor_mode text not null check (anchor_mode in ('ANNIVERSARY', 'CALENDAR', 'FIXED_DAY')),
         anchor_day {int},
         anchor_date {date} not null,
         anchor_time text not null,
         granularity text not null check (granularity in ('DAY', 'SECOND')),
         period_number {int} not null,
         started_at {timestamp} not null,
         period_start {timestamp} not null,
         period_end {timestamp} not null,
         trial_end {timestamp},
         auto_renewal {bool} not null,
         cancel_at {timestamp},
         canceled_at {timestamp},
         cancel_reason text,
         pending_plan_id {uuid},
         pending_plan_version {int},
         pending_interval text,
         pending_price_minor {bigint},
         pending_tax_behavior text,
         pending_effective_at {timestamp},
         pending_scheduled_at {timestamp},
         payment_method_id {uuid},
         dunning_invoice_id {uuid},
         dunning_started_at {timestamp},
         dunning_taken {int} not null check (dunning_taken >= 0),
         dunning_hard {bool} not null,
         version {int} not null,
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         primary key (business_id, id),
         foreign key (plan_id, plan_version) references plan_versions (plan_id, version),
         foreign key (pending_plan_id, pending_plan_version) references plan_versions (plan_id, version),
         check (period_start < period_end),
         check ((pending_plan_id is null) = (pending_effective_at is null)),
         check ((charged_price_minor is null) = (charged_tax_rate is null)),
         check ((charged_price_minor is null) = (charged_tax_behavior is null)),
         check ((dunning_invoice_id is null) = (dunning_started_at is null))",
    )
    .await?;
    run(
        manager,
        "create unique index subscriptions_one_live on subscriptions (business_id, product_id)
           where status in ('INCOMPLETE', 'TRIALING', 'ACTIVE', 'PAST_DUE', 'SUSPENDED');
         create index subscriptions_by_creation on subscriptions (business_id, created_at, id)",
    )
    .await?;
    table(
        manager,
        "periods",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         subscription_id {uuid} not null,
         number {int} not null,
         kind text not null check (kind in ('TRIAL', 'PAID')),
         billing_interval text not null check (billing_interval in ('MONTHLY', 'YEARLY')),
         starts_at {timestamp} not null,
         ends_at {timestamp} not null,
         nominal_start {date} not null,
         nominal_end {date} not null,
         opened_on {date} not null,
         whole_start {timestamp} not null,
         time_zone text not null,
         invoice_id {uuid},
         created_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, subscription_id, number),
         foreign key (business_id, subscription_id) references subscriptions (business_id, id),
         check (starts_at <= ends_at)",
    )
    .await?;
    table(
        manager,
        "subscription_changes",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         subscription_id {uuid} not null,
         version {int} not null,
         kind text not null,
         at {timestamp} not null,
         details text not null,
         primary key (business_id, id),
         unique (business_id, subscription_id, version),
         foreign key (business_id, subscription_id) references subscriptions (business_id, id)",
    )
    .await?;
    table(
        manager,
        "pending_lines",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         subscription_id {uuid} not null,
         period_id {uuid},
         kind text not null check (kind in ('RECURRING', 'PRORATION_CREDIT', 'PRORATION_CHARGE', 'USAGE', 'ONE_OFF')),
         description text not null,
         period_start {timestamp},
         period_end {timestamp},
         quantity text not null,
         unit_price text not null,
         amount_minor {bigint} not null,
         tax_behavior text not null check (tax_behavior in ('INCLUSIVE', 'EXCLUSIVE')),
         tax_rate text,
         tax_name text,
         invoice_id {uuid},
         created_at {timestamp} not null,
         primary key (business_id, id),
         foreign key (business_id, subscription_id) references subscriptions (business_id, id),
         foreign key (business_id, period_id) references periods (business_id, id)",
    )
    .await?;
    run(manager, "create index pending_lines_waiting on pending_lines (business_id, subscription_id) where invoice_id is null").await
}
