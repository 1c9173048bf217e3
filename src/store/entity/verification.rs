//! The verification of businesses, and its documents.

/// `verification_rules`.
pub mod rule {
    use sea_orm::entity::prelude::*;

    use crate::store::types::DocumentKinds;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "verification_rules")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub country: String,
        pub documents: DocumentKinds,
        pub approval_days: i32,
    }

    crate::store::entity::catalogue_entity!();
}

/// `verifications`.
pub mod submission {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, VerificationId};
    use crate::store::types::{DocumentKinds, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "verifications")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: VerificationId,
        pub registration_number: String,
        pub registration_number_sealed: Option<Vec<u8>>,
        pub submitted_at: Instant,
        pub reviewed_at: Option<Instant>,
        pub reason: Option<String>,
        pub missing: DocumentKinds,
        pub expires_at: Option<Instant>,
        pub approvals: i32,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `verification_documents`.
pub mod document {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, DocumentId};
    use crate::store::types::{DocumentKind, DocumentStatus, Instant, ScanStatus};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "verification_documents")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: DocumentId,
        pub kind: DocumentKind,
        pub file_name: String,
        pub content_type: String,
        pub byte_size: i64,
        pub sha256: String,
        pub status: DocumentStatus,
        pub scan: ScanStatus,
        pub reason: Option<String>,
        pub uploaded_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
