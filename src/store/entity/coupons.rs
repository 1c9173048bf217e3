//! Coupons, and the plans they are for.

/// `coupons`.
pub mod coupon {
    use sea_orm::entity::prelude::*;

    use crate::ids::CouponId;
    use crate::money::{Currency, Rate};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "coupons")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: CouponId,
        pub code: String,
        pub code_key: String,
        pub percent_off: Option<Rate>,
        pub amount_off_minor: Option<i64>,
        pub currency: Option<Currency>,
        pub periods: Option<i32>,
        pub max_redemptions: Option<i32>,
        pub redemptions: i32,
        pub expires_at: Option<Instant>,
        pub created_at: Instant,
    }

    crate::store::entity::catalogue_entity!();
}

/// `coupon_plans`.
pub mod coupon_plan {
    use sea_orm::entity::prelude::*;

    use crate::ids::{CouponId, PlanId};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "coupon_plans")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub coupon_id: CouponId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub plan_id: PlanId,
    }

    crate::store::entity::catalogue_entity!();
}
