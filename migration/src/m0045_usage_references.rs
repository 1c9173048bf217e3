//! Usage: what an event refers to is proved once a statement, not once a row, and only what stands is found by its feature.

use sea_orm_migration::prelude::*;

use crate::dialect::{on_postgres, run};

/// One step.
#[derive(Debug)]
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0045_usage_references"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        on_postgres(manager, PROVED_BY_THE_WALL).await?;
        // Only a SET that comes late looks for events: for those after it of what stands, which belong to no usage period.
        run(
            manager,
            "drop index usage_events_by_feature;
             create index usage_events_standing on usage_events (business_id, subscription_id, feature_key, occurred_at)
               where usage_period_start is null",
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            "drop index usage_events_standing;
             create index usage_events_by_feature on usage_events (business_id, subscription_id, feature_key, occurred_at)",
        )
        .await?;
        on_postgres(manager, PROVED_BY_ROW).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// PostgreSQL proves a reference by a look-up for each row, which was half of what recording an event cost it. The wall has them
/// proved for all rows of a statement at once: a tenant writes no event but of a subscription of its own that is there. What is
/// referred to stays: nobody may remove subscriptions or businesses.
const PROVED_BY_THE_WALL: &str = "
    alter table usage_events drop constraint usage_events_business_id_subscription_id_fkey;
    alter table usage_event_ids drop constraint usage_event_ids_business_id_fkey;
    drop policy tenant on usage_events;
    create policy tenant on usage_events to evolve_app using (business_id = (select app_tenant()))
      with check (business_id = (select app_tenant())
        and subscription_id in (select id from subscriptions where business_id = (select app_tenant())));
    revoke delete on subscriptions, businesses from evolve_app, evolve_system;
";

/// As before. While the references are made the owner sees the rows that they are to.
const PROVED_BY_ROW: &str = "
    alter table subscriptions no force row level security;
    alter table businesses no force row level security;
    alter table usage_events no force row level security;
    alter table usage_event_ids no force row level security;
    drop policy tenant on usage_events;
    create policy tenant on usage_events to evolve_app using (business_id = (select app_tenant()));
    alter table usage_events add constraint usage_events_business_id_subscription_id_fkey
      foreign key (business_id, subscription_id) references subscriptions (business_id, id);
    alter table usage_event_ids add constraint usage_event_ids_business_id_fkey
      foreign key (business_id) references businesses (business_id);
    alter table subscriptions force row level security;
    alter table businesses force row level security;
    alter table usage_events force row level security;
    alter table usage_event_ids force row level security;
    grant delete on subscriptions, businesses to evolve_app, evolve_system;
";
