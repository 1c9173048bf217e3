//! Invoices, credit notes, account credit, numbers.

/// `invoices`.
pub mod invoice {
    use sea_orm::entity::prelude::*;

    use crate::billing::lifecycle::InvoiceStatus;
    use crate::billing::tax::TaxBehavior;
    use crate::ids::{BusinessId, InvoiceId, PlanId, SubscriptionId};
    use crate::money::Currency;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoices")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: InvoiceId,
        pub subscription_id: Option<SubscriptionId>,
        pub number: Option<String>,
        pub status: InvoiceStatus,
        pub currency: Currency,
        pub seller: String,
        pub billed_to: String,
        pub billed_tax_id_sealed: Option<Vec<u8>>,
        pub subtotal_minor: i64,
        pub discount_minor: i64,
        pub tax_minor: i64,
        pub total_minor: i64,
        pub credit_applied_minor: i64,
        pub amount_paid_minor: i64,
        pub amount_credited_minor: i64,
        pub amount_due_minor: i64,
        pub exclusive_tax_minor: i64,
        pub attempts: i32,
        pub next_attempt_at: Option<Instant>,
        pub issued_at: Option<Instant>,
        pub due_at: Option<Instant>,
        pub paid_at: Option<Instant>,
        pub voided_at: Option<Instant>,
        pub created_at: Instant,
        pub draft_until: Option<Instant>,
        pub draft_plan_id: Option<PlanId>,
        pub draft_plan_version: Option<i32>,
        pub draft_tax_behavior: Option<TaxBehavior>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id, placed);
    crate::store::rows::by_place! {
        business_id: required,
        id: required,
        subscription_id: optional,
        number: optional,
        status: required,
        currency: required,
        seller: required,
        billed_to: required,
        billed_tax_id_sealed: optional,
        subtotal_minor: required,
        discount_minor: required,
        tax_minor: required,
        total_minor: required,
        credit_applied_minor: required,
        amount_paid_minor: required,
        amount_credited_minor: required,
        amount_due_minor: required,
        exclusive_tax_minor: required,
        attempts: required,
        next_attempt_at: optional,
        issued_at: optional,
        due_at: optional,
        paid_at: optional,
        voided_at: optional,
        created_at: required,
        draft_until: optional,
        draft_plan_id: optional,
        draft_plan_version: optional,
        draft_tax_behavior: optional,
    }
}

/// `invoice_lines`.
pub mod invoice_line {
    use sea_orm::entity::prelude::*;

    use crate::billing::invoice::LineKind;
    use crate::billing::tax::TaxBehavior;
    use crate::ids::{BusinessId, InvoiceId, InvoiceLineId, PeriodId};
    use crate::money::Rate;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice_lines")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: InvoiceLineId,
        pub invoice_id: InvoiceId,
        pub position: i32,
        pub kind: LineKind,
        pub description: String,
        pub period_start: Option<Instant>,
        pub period_end: Option<Instant>,
        pub quantity: Rate,
        pub unit_price: Rate,
        pub amount_minor: i64,
        pub discount_minor: i64,
        pub tax_minor: i64,
        pub tax_rate: Rate,
        pub tax_behavior: TaxBehavior,
        pub period_id: Option<PeriodId>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id, placed);
    crate::store::rows::by_place! {
        business_id: required,
        id: required,
        invoice_id: required,
        position: required,
        kind: required,
        description: required,
        period_start: optional,
        period_end: optional,
        quantity: required,
        unit_price: required,
        amount_minor: required,
        discount_minor: required,
        tax_minor: required,
        tax_rate: required,
        tax_behavior: required,
        period_id: optional,
    }
}

/// `invoice_taxes`.
pub mod invoice_tax {
    use sea_orm::entity::prelude::*;

    use crate::billing::tax::TaxBehavior;
    use crate::ids::{BusinessId, InvoiceId, InvoiceTaxId};
    use crate::money::Rate;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice_taxes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: InvoiceTaxId,
        pub invoice_id: InvoiceId,
        pub position: i32,
        pub name: String,
        pub rate: Rate,
        pub behavior: TaxBehavior,
        pub taxable_minor: i64,
        pub amount_minor: i64,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `credit_notes`.
pub mod credit_note {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, CreditNoteId, InvoiceId};
    use crate::money::Currency;
    use crate::store::types::{CreditNoteReason, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_notes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: CreditNoteId,
        pub invoice_id: InvoiceId,
        pub number: String,
        pub currency: Currency,
        pub amount_minor: i64,
        pub tax_minor: i64,
        pub took_off_due_minor: i64,
        pub to_credit_minor: i64,
        pub to_refund_minor: i64,
        pub reason: CreditNoteReason,
        pub memo: Option<String>,
        pub issued_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `credit_note_lines`.
pub mod credit_note_line {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, CreditNoteId, CreditNoteLineId, InvoiceLineId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_note_lines")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: CreditNoteLineId,
        pub credit_note_id: CreditNoteId,
        pub position: i32,
        pub description: String,
        pub period_start: Option<Instant>,
        pub period_end: Option<Instant>,
        pub amount_minor: i64,
        pub invoice_line_id: Option<InvoiceLineId>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `credit_entries`.
pub mod credit_entry {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, CreditEntryId, CreditNoteId, InvoiceId};
    use crate::money::Currency;
    use crate::store::types::{CreditReason, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "credit_entries")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: CreditEntryId,
        pub reason: CreditReason,
        pub currency: Currency,
        pub amount_minor: i64,
        pub balance_after_minor: i64,
        pub invoice_id: Option<InvoiceId>,
        pub credit_note_id: Option<CreditNoteId>,
        pub at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `invoice_counters`.
pub mod invoice_counter {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice_counters")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub series: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub year: i32,
        pub last_number: i64,
    }

    crate::store::entity::system_entity!();
}

/// `invoice_register`.
pub mod invoice_register {
    use sea_orm::entity::prelude::*;

    use crate::ids::BusinessId;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invoice_register")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub series: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub year: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub business_id: BusinessId,
        pub document_id: uuid::Uuid,
    }

    crate::store::entity::system_entity!();
}
