//! Exports of what is held of businesses.

/// `data_exports`.
pub mod data_export {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, DataExportId, UserId};
    use crate::store::types::{ExportStatus, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "data_exports")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: DataExportId,
        pub requested_by: UserId,
        pub status: ExportStatus,
        pub created_at: Instant,
        pub expires_at: Option<Instant>,
        pub byte_size: Option<i64>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
