//! Notifications, preferences, mails, links of accounts.

/// `notifications`.
pub mod notification {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, EventId, NotificationId, UserId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "notifications")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: NotificationId,
        pub event_id: EventId,
        pub user_id: UserId,
        pub kind: String,
        pub title: String,
        pub body: String,
        pub subject: Option<String>,
        pub created_at: Instant,
        pub read_at: Option<Instant>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `notification_preferences`.
pub mod notification_preference {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, NotificationPreferenceId, UserId};
    use crate::store::types::{Channel, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "notification_preferences")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: NotificationPreferenceId,
        pub user_id: UserId,
        pub kind: String,
        pub channel: Channel,
        pub enabled: bool,
        pub updated_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `mails`.
pub mod mail {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, EventId, InvitationId, MailId, UserId};
    use crate::store::types::{Instant, MailStatus};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "mails")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: MailId,
        pub event_id: Option<EventId>,
        pub user_id: Option<UserId>,
        pub invitation_id: Option<InvitationId>,
        pub kind: String,
        pub details: String,
        pub status: MailStatus,
        pub error: Option<String>,
        pub created_at: Instant,
        pub updated_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `account_tokens`.
pub mod account_token {
    use sea_orm::entity::prelude::*;

    use crate::ids::UserId;
    use crate::store::types::{Instant, LinkPurpose};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: Vec<u8>,
        pub user_id: UserId,
        pub purpose: LinkPurpose,
        pub email_key: String,
        pub created_at: Instant,
        pub expires_at: Instant,
        pub spent_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `account_requests`.
pub mod account_request {
    use sea_orm::entity::prelude::*;

    use crate::store::types::{Instant, LinkPurpose};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account_requests")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: uuid::Uuid,
        pub email_hash: Vec<u8>,
        pub purpose: LinkPurpose,
        pub at: Instant,
    }

    crate::store::entity::system_entity!();
}
