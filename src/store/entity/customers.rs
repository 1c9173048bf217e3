//! Businesses, users, members, sessions, second factors, people of an identity provider.

/// `businesses`.
pub mod business {
    use sea_orm::entity::prelude::*;

    use crate::ids::BusinessId;
    use crate::money::Currency;
    use crate::store::types::{CompanySize, Instant, VerificationStatus};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "businesses")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        pub business_name: String,
        pub business_email: String,
        pub industry: String,
        pub company_size: CompanySize,
        pub country: String,
        pub postal_code: String,
        pub address_line: Option<String>,
        pub city: Option<String>,
        pub phone_sealed: Option<Vec<u8>>,
        pub tax_id_sealed: Option<Vec<u8>>,
        pub wrapped_key: Vec<u8>,
        pub previous_wrapped_key: Option<Vec<u8>>,
        pub key_made_at: Option<Instant>,
        pub tax_exempt: bool,
        pub time_zone: String,
        pub currency: Currency,
        pub verification_status: VerificationStatus,
        pub balance_minor: i64,
        pub suspended_at: Option<Instant>,
        pub created_at: Instant,
        pub updated_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, BusinessId, placed);
    crate::store::rows::by_place! {
        business_id: required,
        business_name: required,
        business_email: required,
        industry: required,
        company_size: required,
        country: required,
        postal_code: required,
        address_line: optional,
        city: optional,
        phone_sealed: optional,
        tax_id_sealed: optional,
        wrapped_key: required,
        previous_wrapped_key: optional,
        key_made_at: optional,
        tax_exempt: required,
        time_zone: required,
        currency: required,
        verification_status: required,
        balance_minor: required,
        suspended_at: optional,
        created_at: required,
        updated_at: required,
    }
}

/// `users`.
pub mod user {
    use sea_orm::entity::prelude::*;

    use crate::ids::UserId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: UserId,
        pub email: String,
        pub email_key: String,
        pub full_name: String,
        pub password_hash: String,
        pub locale: String,
        pub email_verified_at: Option<Instant>,
        pub two_factor_at: Option<Instant>,
        pub created_at: Instant,
        pub updated_at: Instant,
    }

    crate::store::entity::system_entity!();
}

/// `members`.
pub mod member {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, MemberId, UserId};
    use crate::store::types::{Instant, Role};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "members")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: MemberId,
        pub user_id: UserId,
        pub role: Role,
        pub joined_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `invitations`.
pub mod invitation {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, InvitationId, UserId};
    use crate::store::types::{Instant, Role};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invitations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: InvitationId,
        pub email: String,
        pub email_key: String,
        pub role: Role,
        pub invited_by: UserId,
        pub created_at: Instant,
        pub expires_at: Instant,
        pub accepted_at: Option<Instant>,
        pub revoked_at: Option<Instant>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `invitation_tokens`.
pub mod invitation_token {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, InvitationId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invitation_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: Vec<u8>,
        pub business_id: BusinessId,
        pub invitation_id: InvitationId,
        pub created_at: Instant,
    }

    crate::store::entity::system_entity!();
}

/// `sessions`.
pub mod session {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, SessionId, UserId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: SessionId,
        pub user_id: UserId,
        pub business_id: BusinessId,
        pub user_agent: Option<String>,
        pub created_at: Instant,
        pub last_used_at: Instant,
        pub expires_at: Instant,
        pub revoked_at: Option<Instant>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `refresh_tokens`.
pub mod refresh_token {
    use sea_orm::entity::prelude::*;

    use crate::ids::SessionId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refresh_tokens")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: Vec<u8>,
        pub session_id: SessionId,
        pub created_at: Instant,
        pub expires_at: Instant,
        pub spent_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `second_factors`.
pub mod second_factor {
    use sea_orm::entity::prelude::*;

    use crate::ids::{StaffId, UserId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "second_factors")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub holder_id: uuid::Uuid,
        pub user_id: Option<UserId>,
        pub staff_id: Option<StaffId>,
        pub wrapped_key: Vec<u8>,
        pub secret_sealed: Vec<u8>,
        pub last_step: Option<i64>,
        pub created_at: Instant,
        pub confirmed_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `recovery_codes`.
pub mod recovery_code {
    use sea_orm::entity::prelude::*;

    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "recovery_codes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: Vec<u8>,
        pub holder_id: uuid::Uuid,
        pub created_at: Instant,
        pub spent_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `email_changes`.
pub mod email_change {
    use sea_orm::entity::prelude::*;

    use crate::ids::UserId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "email_changes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: UserId,
        pub email: String,
        pub email_key: String,
        pub old_email: String,
        pub asked_at: Instant,
        pub confirmed_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `external_identities`.
pub mod external_identity {
    use sea_orm::entity::prelude::*;

    use crate::ids::UserId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "external_identities")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub issuer: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: String,
        pub user_id: UserId,
        pub created_at: Instant,
    }

    crate::store::entity::system_entity!();
}

/// `external_sessions`.
pub mod external_session {
    use sea_orm::entity::prelude::*;

    use crate::ids::SessionId;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "external_sessions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub hash: Vec<u8>,
        pub session_id: SessionId,
        pub created_at: Instant,
    }

    crate::store::entity::system_entity!();
}
