//! Jobs, idempotency keys, audit events.

/// `jobs`.
pub mod job {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, JobId, TestClockId};
    use crate::store::types::{Instant, JobStatus};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "jobs")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: JobId,
        pub kind: String,
        pub job_key: String,
        pub due_at: Instant,
        pub status: JobStatus,
        pub leased_until: Option<Instant>,
        pub fence: i64,
        pub attempts: i32,
        pub last_error: Option<String>,
        pub created_at: Instant,
        pub updated_at: Instant,
        pub lane: Option<String>,
        pub lane_position: Option<i64>,
        pub test_clock_id: Option<TestClockId>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `idempotency_keys`.
pub mod idempotency_key {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, IdempotencyKeyId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency_keys")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: IdempotencyKeyId,
        pub actor: uuid::Uuid,
        pub idempotency_key: String,
        pub operation: String,
        pub input_hash: Vec<u8>,
        pub outcome: String,
        pub created_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `audit_events`.
pub mod audit_event {
    use sea_orm::entity::prelude::*;

    use crate::ids::{AuditEventId, BusinessId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: AuditEventId,
        pub sequence: i64,
        pub action: String,
        pub actor: String,
        pub subject: String,
        pub details: String,
        pub at: Instant,
        pub previous_hash: Vec<u8>,
        pub hash: Vec<u8>,
        pub salt: Option<Vec<u8>>,
        pub details_digest: Option<Vec<u8>>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `audit_heads`.
pub mod audit_head {
    use sea_orm::entity::prelude::*;

    use crate::ids::BusinessId;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_heads")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        pub sequence: i64,
        pub hash: Vec<u8>,
    }

    crate::store::entity::tenant_entity!(BusinessId, BusinessId);
}
