//! Keys of businesses and of products.

/// `api_keys`.
pub mod api_key {
    use sea_orm::entity::prelude::*;

    use crate::ids::{ApiKeyId, BusinessId};
    use crate::store::types::{Instant, Scopes};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: ApiKeyId,
        pub name: String,
        pub prefix: String,
        pub scopes: Scopes,
        pub created_at: Instant,
        pub expires_at: Option<Instant>,
        pub last_used_at: Option<Instant>,
        pub revoked_at: Option<Instant>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `api_key_hashes`.
pub mod api_key_hash {
    use sea_orm::entity::prelude::*;

    use crate::ids::{ApiKeyId, BusinessId};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "api_key_hashes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: Vec<u8>,
        pub business_id: BusinessId,
        pub key_id: ApiKeyId,
    }

    crate::store::entity::system_entity!();
}

/// `service_keys`.
pub mod service_key {
    use sea_orm::entity::prelude::*;

    use crate::ids::{ProductId, ServiceKeyId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "service_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: ServiceKeyId,
        pub product_id: ProductId,
        pub name: String,
        pub prefix: String,
        pub hash: Vec<u8>,
        pub created_by: String,
        pub created_at: Instant,
        pub expires_at: Option<Instant>,
        pub last_used_at: Option<Instant>,
        pub revoked_by: Option<String>,
        pub revoked_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}
