//! Staff, their sessions, tries to sign in, the platform's own audit trail, suspensions of businesses.

/// `staff_users`.
pub mod staff_user {
    use sea_orm::entity::prelude::*;

    use crate::ids::StaffId;
    use crate::store::types::{Instant, StaffRole};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "staff_users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: StaffId,
        pub email: String,
        pub email_key: String,
        pub full_name: String,
        pub password_hash: String,
        pub role: StaffRole,
        pub two_factor_at: Option<Instant>,
        pub created_at: Instant,
        pub updated_at: Instant,
        pub removed_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `staff_sessions`.
pub mod staff_session {
    use sea_orm::entity::prelude::*;

    use crate::ids::{StaffId, StaffSessionId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "staff_sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: StaffSessionId,
        pub staff_id: StaffId,
        pub user_agent: Option<String>,
        pub created_at: Instant,
        pub last_used_at: Instant,
        pub expires_at: Instant,
        pub revoked_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `staff_refresh_tokens`.
pub mod staff_refresh_token {
    use sea_orm::entity::prelude::*;

    use crate::ids::StaffSessionId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "staff_refresh_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: Vec<u8>,
        pub session_id: StaffSessionId,
        pub created_at: Instant,
        pub expires_at: Instant,
        pub spent_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `staff_mails`.
pub mod staff_mail {
    use sea_orm::entity::prelude::*;

    use crate::ids::{MailId, StaffId};
    use crate::store::types::{Instant, MailStatus};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "staff_mails")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: MailId,
        pub staff_id: StaffId,
        pub kind: String,
        pub status: MailStatus,
        pub attempts: i32,
        pub due_at: Instant,
        pub error: Option<String>,
        pub created_at: Instant,
        pub updated_at: Instant,
    }

    crate::store::entity::system_entity!();
}

/// `platform_audit_heads`.
pub mod platform_audit_head {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "platform_audit_heads")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub sequence: i64,
        pub hash: Vec<u8>,
    }

    crate::store::entity::system_entity!();
}

/// `platform_audit_events`.
pub mod platform_audit_event {
    use sea_orm::entity::prelude::*;

    use crate::ids::AuditEventId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "platform_audit_events")]
    pub struct Model {
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
    }

    crate::store::entity::system_entity!();
}

/// `suspensions`.
pub mod suspension {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, StaffId, SuspensionId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "suspensions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: SuspensionId,
        pub suspended_by: StaffId,
        pub reason: String,
        pub suspended_at: Instant,
        pub restored_by: Option<StaffId>,
        pub restored_at: Option<Instant>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `sign_in_tries`.
pub mod sign_in_try {
    use sea_orm::entity::prelude::*;

    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sign_in_tries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: Vec<u8>,
        pub failures: i32,
        pub last_at: Instant,
    }

    crate::store::entity::system_entity!();
}

/// `known_places`.
pub mod known_place {
    use sea_orm::entity::prelude::*;

    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "known_places")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub place: Vec<u8>,
        pub last_at: Instant,
    }

    crate::store::entity::system_entity!();
}
