//! Movements of recurring revenue.

/// `revenue_movements`.
pub mod movement {
    use sea_orm::entity::prelude::*;

    use crate::billing::revenue::MovementKind;
    use crate::ids::{BusinessId, ProductId, RevenueMovementId, SubscriptionId};
    use crate::money::Currency;
    use crate::store::types::{Day, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "revenue_movements")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: RevenueMovementId,
        pub subscription_id: SubscriptionId,
        pub product_id: ProductId,
        pub kind: MovementKind,
        pub currency: Currency,
        pub annual_minor: i64,
        pub subscriptions: i32,
        pub businesses: i32,
        pub day: Day,
        pub at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
