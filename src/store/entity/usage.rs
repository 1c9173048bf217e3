//! Usage: ids of events, events, counters, standing quantities, hours.

/// `usage_event_ids`.
pub mod usage_event_id {
    use sea_orm::entity::prelude::*;

    use crate::ids::BusinessId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_event_ids")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: String,
        pub recorded_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, EventId);
}

/// `usage_events`.
pub mod usage_event {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, SubscriptionId, UsageEventId};
    use crate::money::Rate;
    use crate::store::types::{Instant, UsageAction};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: UsageEventId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub recorded_at: Instant,
        pub subscription_id: SubscriptionId,
        pub feature_key: String,
        pub event_id: String,
        pub action: UsageAction,
        pub quantity: Rate,
        pub occurred_at: Instant,
        pub usage_period_start: Option<Instant>,
        pub properties: Option<String>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `usage_counters`.
pub mod usage_counter {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, PlanId, SubscriptionId, UsageCounterId};
    use crate::money::Rate;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_counters")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: UsageCounterId,
        pub subscription_id: SubscriptionId,
        pub feature_key: String,
        pub period_start: Instant,
        pub period_end: Instant,
        pub used: Rate,
        pub plan_id: Option<PlanId>,
        pub plan_version: Option<i32>,
        pub unbilled: bool,
        pub billed_used: Option<Rate>,
        pub billed_at: Option<Instant>,
        pub updated_at: Instant,
        pub told: String,
        pub begun_at: Option<Instant>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `usage_standings`.
pub mod usage_standing {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, ProductId, UsageStandingId};
    use crate::money::Rate;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_standings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: UsageStandingId,
        pub product_id: ProductId,
        pub feature_key: String,
        pub quantity: Rate,
        pub set_at: Option<Instant>,
        pub last_at: Instant,
        pub updated_at: Instant,
        pub told: String,
        pub told_in: Option<Instant>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `usage_buckets`.
pub mod usage_bucket {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, SubscriptionId, UsageBucketId};
    use crate::money::Rate;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "usage_buckets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: UsageBucketId,
        pub subscription_id: SubscriptionId,
        pub feature_key: String,
        pub starts_at: Instant,
        pub quantity: Rate,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
