//! Webhooks: where a business wants to be told of events, and what it was told.

/// `webhook_endpoints`.
pub mod endpoint {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, WebhookEndpointId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "webhook_endpoints")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: WebhookEndpointId,
        pub url: String,
        pub events: String,
        pub enabled: bool,
        pub disabled_reason: Option<String>,
        pub secret_sealed: Vec<u8>,
        pub previous_secret_sealed: Option<Vec<u8>>,
        pub previous_until: Option<Instant>,
        pub last_position: i64,
        pub sending: bool,
        pub sender: i64,
        pub created_at: Instant,
        pub updated_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `webhook_deliveries`.
pub mod delivery {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, EventId, WebhookDeliveryId, WebhookEndpointId};
    use crate::store::types::{DeliveryStatus, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "webhook_deliveries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: WebhookDeliveryId,
        pub endpoint_id: WebhookEndpointId,
        pub event_id: EventId,
        pub event: String,
        pub payload: String,
        pub status: DeliveryStatus,
        pub position: i64,
        pub attempts: i32,
        pub tries: i32,
        pub first_tried_at: Option<Instant>,
        pub response_status: Option<i32>,
        pub error: Option<String>,
        pub next_attempt_at: Option<Instant>,
        pub created_at: Instant,
        pub updated_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
