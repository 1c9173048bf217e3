//! Movements of recurring revenue, which the reports of revenue are summed from.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0031_revenue", "revenue_movements"; before: "alter table subscriptions drop column counted_annual_minor");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // What a subscription counts for now, a year of it; null while it counts for nothing. The sum of its movements.
    run(manager, "alter table subscriptions add column counted_annual_minor {bigint} check (counted_annual_minor >= 0)").await?;
    // Read and added, never changed. `day` is that of the seller's calendar.
    table(
        manager,
        "revenue_movements",
        Wall::Own { grants: "select, insert", using: "business_id = (select app_tenant())", check: None },
        "business_id {uuid} not null,
         id {uuid} not null,
         subscription_id {uuid} not null,
         product_id {uuid} not null references products (id),
         kind text not null check (kind in ('NEW', 'EXPANSION', 'CONTRACTION', 'CHURNED', 'REACTIVATED')),
         currency text not null,
         annual_minor {bigint} not null,
         subscriptions {int} not null check (subscriptions between -1 and 1),
         businesses {int} not null check (businesses between -1 and 1),
         day {date} not null,
         at {timestamp} not null,
         primary key (business_id, id),
         foreign key (business_id, subscription_id) references subscriptions (business_id, id),
         check ((kind in ('NEW', 'REACTIVATED')) = (subscriptions = 1)),
         check ((kind = 'CHURNED') = (subscriptions = -1)),
         check (businesses = 0 or businesses = subscriptions)",
    )
    .await?;
    run(manager, "create index revenue_movements_by_day on revenue_movements (currency, day)").await
}
