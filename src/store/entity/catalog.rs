//! Products, plans, their versions, tax rates, the seller.

/// `products`.
pub mod product {
    use sea_orm::entity::prelude::*;

    use crate::billing::period::Granularity;
    use crate::ids::ProductId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "products")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: ProductId,
        pub code: String,
        pub name: String,
        pub description: String,
        pub position: i32,
        pub anchor_mode: String,
        pub anchor_day: Option<i32>,
        pub granularity: Granularity,
        pub prorations: String,
        pub downgrade_now: bool,
        pub cancel_unused_time: String,
        pub created_at: Instant,
        pub retry_after_days: String,
        pub cancel_after_days: i32,
        pub grace_hours: i32,
    }

    crate::store::entity::catalogue_entity!(placed);
    crate::store::rows::by_place! {
        id: required,
        code: required,
        name: required,
        description: required,
        position: required,
        anchor_mode: required,
        anchor_day: optional,
        granularity: required,
        prorations: required,
        downgrade_now: required,
        cancel_unused_time: required,
        created_at: required,
        retry_after_days: required,
        cancel_after_days: required,
        grace_hours: required,
    }
}

/// `plans`.
pub mod plan {
    use sea_orm::entity::prelude::*;

    use crate::ids::{PlanId, ProductId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "plans")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: PlanId,
        pub product_id: ProductId,
        pub code: String,
        pub current_version: i32,
        pub archived_at: Option<Instant>,
        pub created_at: Instant,
    }

    crate::store::entity::catalogue_entity!(placed);
    crate::store::rows::by_place! {
        id: required,
        product_id: required,
        code: required,
        current_version: required,
        archived_at: optional,
        created_at: required,
    }
}

/// `plan_versions`.
pub mod plan_version {
    use sea_orm::entity::prelude::*;

    use crate::ids::PlanId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "plan_versions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub plan_id: PlanId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i32,
        pub name: String,
        pub description: String,
        pub trial_days: i32,
        pub max_users: Option<i32>,
        pub storage_limit: Option<i64>,
        pub requires_verification: bool,
        pub created_at: Instant,
    }

    crate::store::entity::catalogue_entity!(placed);
    crate::store::rows::by_place! {
        plan_id: required,
        version: required,
        name: required,
        description: required,
        trial_days: required,
        max_users: optional,
        storage_limit: optional,
        requires_verification: required,
        created_at: required,
    }
}

/// `plan_prices`.
pub mod plan_price {
    use sea_orm::entity::prelude::*;

    use crate::billing::period::Interval;
    use crate::billing::tax::TaxBehavior;
    use crate::ids::PlanId;
    use crate::money::Currency;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "plan_prices")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub plan_id: PlanId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub billing_interval: Interval,
        #[sea_orm(primary_key, auto_increment = false)]
        pub currency: Currency,
        pub amount_minor: i64,
        pub tax_behavior: TaxBehavior,
    }

    crate::store::entity::catalogue_entity!();
}

/// `plan_features`.
pub mod plan_feature {
    use sea_orm::entity::prelude::*;

    use crate::ids::PlanId;
    use crate::money::Rate;
    use crate::store::types::FeatureKind;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "plan_features")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub plan_id: PlanId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub feature_key: String,
        pub position: i32,
        pub name: String,
        pub kind: FeatureKind,
        pub enabled: bool,
        pub included: Option<Rate>,
        pub unit: Option<String>,
        pub overage: String,
        pub thresholds: String,
    }

    crate::store::entity::catalogue_entity!();
}

/// `tax_rates`.
pub mod tax_rate {
    use sea_orm::entity::prelude::*;

    use crate::money::Rate;
    use crate::store::types::Day;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tax_rates")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub country: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub valid_from: Day,
        pub name: String,
        pub rate: Rate,
    }

    crate::store::entity::catalogue_entity!();
}

/// `sellers`.
pub mod seller {
    use sea_orm::entity::prelude::*;

    use crate::money::Currency;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sellers")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub tax_id: Option<String>,
        pub address_line: Option<String>,
        pub city: Option<String>,
        pub postal_code: Option<String>,
        pub country: String,
        pub time_zone: String,
        pub platform_currency: Currency,
        pub invoice_prefix: String,
        pub credit_note_prefix: String,
    }

    crate::store::entity::catalogue_entity!();
}
