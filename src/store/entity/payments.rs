//! Payment methods, payments, refunds, and what gateways have said.

/// `payment_methods`.
pub mod payment_method {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, PaymentMethodId};
    use crate::store::types::{Day, Instant, PaymentMethodKind};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payment_methods")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: PaymentMethodId,
        pub kind: PaymentMethodKind,
        pub gateway: String,
        pub reference: String,
        pub reference_sealed: Option<Vec<u8>>,
        pub label: String,
        pub is_default: bool,
        pub expires_on: Option<Day>,
        pub removed_at: Option<Instant>,
        pub created_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `payments`.
pub mod payment {
    use sea_orm::entity::prelude::*;

    use crate::billing::lifecycle::PaymentStatus;
    use crate::ids::{BusinessId, InvoiceId, PaymentId, PaymentMethodId};
    use crate::money::Currency;
    use crate::store::types::{Day, Instant, PaymentMethodKind};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "payments")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: PaymentId,
        pub invoice_id: InvoiceId,
        pub method_id: Option<PaymentMethodId>,
        pub method_kind: PaymentMethodKind,
        pub method_label: String,
        pub currency: Currency,
        pub amount_minor: i64,
        pub refunded_minor: i64,
        pub refunding_minor: i64,
        pub status: PaymentStatus,
        pub gateway: String,
        pub gateway_method: String,
        pub gateway_reference: Option<String>,
        pub receipt: Option<String>,
        pub failure_code: Option<String>,
        pub failure_message: Option<String>,
        pub hard_decline: bool,
        pub action_kind: Option<String>,
        pub action_url: Option<String>,
        pub action_client_secret: Option<String>,
        pub action_client_secret_sealed: Option<Vec<u8>>,
        pub action_expires_at: Option<Instant>,
        pub attempt: i32,
        pub fence: i64,
        pub created_at: Instant,
        pub updated_at: Instant,
        pub settled_at: Option<Instant>,
        pub received_on: Option<Day>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `refunds`.
pub mod refund {
    use sea_orm::entity::prelude::*;

    use crate::billing::lifecycle::RefundStatus;
    use crate::ids::{BusinessId, CreditNoteId, PaymentId, RefundId};
    use crate::money::Currency;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "refunds")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: RefundId,
        pub payment_id: PaymentId,
        pub credit_note_id: CreditNoteId,
        pub currency: Currency,
        pub amount_minor: i64,
        pub status: RefundStatus,
        pub gateway: String,
        pub gateway_reference: Option<String>,
        pub failure_code: Option<String>,
        pub failure_message: Option<String>,
        pub fence: i64,
        pub created_at: Instant,
        pub updated_at: Instant,
        pub settled_at: Option<Instant>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `disputes`.
pub mod dispute {
    use sea_orm::entity::prelude::*;

    use crate::billing::dispute::{DisputeFunds, DisputeStatus};
    use crate::ids::{BusinessId, DisputeId, PaymentId, RefundId};
    use crate::money::Currency;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "disputes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: DisputeId,
        pub payment_id: PaymentId,
        pub ordinal: i64,
        pub gateway: String,
        pub gateway_reference: String,
        pub currency: Currency,
        pub amount_minor: i64,
        pub reason: String,
        pub status: DisputeStatus,
        pub funds: DisputeFunds,
        pub respond_by: Option<Instant>,
        pub refund_id: Option<RefundId>,
        pub loss_minor: i64,
        pub opened_at: Instant,
        pub closed_at: Option<Instant>,
        pub created_at: Instant,
        pub updated_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `gateway_events`.
pub mod gateway_event {
    use sea_orm::entity::prelude::*;

    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_events")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub gateway: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub event_id: String,
        pub kind: String,
        pub received_at: Instant,
    }

    crate::store::entity::system_entity!();
}

/// `gateway_comparisons`.
pub mod gateway_comparison {
    use sea_orm::entity::prelude::*;

    use crate::store::types::{Day, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_comparisons")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub gateway: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub day: Day,
        pub leased_until: Instant,
        pub compared_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `gateway_differences`.
pub mod gateway_difference {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, GatewayDifferenceId, PaymentId, RefundId};
    use crate::store::types::{Day, DifferenceKind, DifferenceSubject, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_differences")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: GatewayDifferenceId,
        pub gateway: String,
        pub day: Day,
        pub subject: DifferenceSubject,
        pub kind: DifferenceKind,
        pub reference: String,
        pub concerned_id: Option<BusinessId>,
        pub payment_id: Option<PaymentId>,
        pub refund_id: Option<RefundId>,
        pub ours: Option<String>,
        pub theirs: Option<String>,
        pub found_at: Instant,
        pub told_at: Option<Instant>,
        pub cleared_at: Option<Instant>,
    }

    crate::store::entity::system_entity!();
}

/// `gateway_hints`.
pub mod gateway_hint {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, GatewayHintId, PaymentId, RefundId};
    use crate::store::types::{HeardKind, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "gateway_hints")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: GatewayHintId,
        pub payment_id: PaymentId,
        pub refund_id: Option<RefundId>,
        pub heard_of: HeardKind,
        pub digest: String,
        pub reference: String,
        pub succeeded: bool,
        pub code: String,
        pub receipt: Option<String>,
        pub amount_minor: Option<i64>,
        pub receiver: Option<String>,
        pub received_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
