//! Events.

/// `events`.
pub mod event {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, EventId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: EventId,
        pub aggregate: String,
        pub sequence: i64,
        pub name: String,
        pub version: i32,
        pub payload: String,
        pub created_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
