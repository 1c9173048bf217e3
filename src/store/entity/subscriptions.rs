//! Subscriptions, periods, changes, waiting lines.

/// `subscriptions`.
pub mod subscription {
    use sea_orm::entity::prelude::*;

    use crate::billing::lifecycle::SubscriptionStatus;
    use crate::billing::period::Granularity;
    use crate::billing::period::Interval;
    use crate::billing::tax::TaxBehavior;
    use crate::ids::{BusinessId, CouponId, InvoiceId, PaymentMethodId, PlanId, ProductId, SubscriptionId};
    use crate::money::{Currency, Rate};
    use crate::store::types::{Day, Instant};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "subscriptions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: SubscriptionId,
        pub product_id: ProductId,
        pub plan_id: PlanId,
        pub plan_version: i32,
        pub billing_interval: Interval,
        pub currency: Currency,
        pub price_minor: i64,
        pub tax_behavior: TaxBehavior,
        pub charged_price_minor: Option<i64>,
        pub charged_tax_rate: Option<Rate>,
        pub charged_tax_behavior: Option<TaxBehavior>,
        pub charged_from: i32,
        pub charged_discount_percent: Option<Rate>,
        pub charged_discount_minor: Option<i64>,
        pub coupon_id: Option<CouponId>,
        pub coupon_remaining_periods: Option<i32>,
        pub status: SubscriptionStatus,
        pub anchor_mode: String,
        pub anchor_day: Option<i32>,
        pub anchor_date: Day,
        pub anchor_time: String,
        pub granularity: Granularity,
        pub period_number: i32,
        pub started_at: Instant,
        pub period_start: Instant,
        pub period_end: Instant,
        pub trial_end: Option<Instant>,
        pub auto_renewal: bool,
        pub cancel_at: Option<Instant>,
        pub canceled_at: Option<Instant>,
        pub cancel_reason: Option<String>,
        pub pending_plan_id: Option<PlanId>,
        pub pending_plan_version: Option<i32>,
        pub pending_interval: Option<Interval>,
        pub pending_price_minor: Option<i64>,
        pub pending_tax_behavior: Option<TaxBehavior>,
        pub pending_effective_at: Option<Instant>,
        pub pending_scheduled_at: Option<Instant>,
        pub payment_method_id: Option<PaymentMethodId>,
        pub dunning_invoice_id: Option<InvoiceId>,
        pub dunning_started_at: Option<Instant>,
        pub dunning_taken: i32,
        pub dunning_hard: bool,
        pub version: i32,
        pub created_at: Instant,
        pub updated_at: Instant,
        pub counted_annual_minor: Option<i64>,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id, placed);
    crate::store::rows::by_place! {
        business_id: required,
        id: required,
        product_id: required,
        plan_id: required,
        plan_version: required,
        billing_interval: required,
        currency: required,
        price_minor: required,
        tax_behavior: required,
        charged_price_minor: optional,
        charged_tax_rate: optional,
        charged_tax_behavior: optional,
        charged_from: required,
        charged_discount_percent: optional,
        charged_discount_minor: optional,
        coupon_id: optional,
        coupon_remaining_periods: optional,
        status: required,
        anchor_mode: required,
        anchor_day: optional,
        anchor_date: required,
        anchor_time: required,
        granularity: required,
        period_number: required,
        started_at: required,
        period_start: required,
        period_end: required,
        trial_end: optional,
        auto_renewal: required,
        cancel_at: optional,
        canceled_at: optional,
        cancel_reason: optional,
        pending_plan_id: optional,
        pending_plan_version: optional,
        pending_interval: optional,
        pending_price_minor: optional,
        pending_tax_behavior: optional,
        pending_effective_at: optional,
        pending_scheduled_at: optional,
        payment_method_id: optional,
        dunning_invoice_id: optional,
        dunning_started_at: optional,
        dunning_taken: required,
        dunning_hard: required,
        version: required,
        created_at: required,
        updated_at: required,
        counted_annual_minor: optional,
    }
}

/// `periods`.
pub mod period {
    use sea_orm::entity::prelude::*;

    use crate::billing::period::Interval;
    use crate::ids::{BusinessId, InvoiceId, PeriodId, SubscriptionId};
    use crate::store::types::{Day, Instant, PeriodKind};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "periods")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: PeriodId,
        pub subscription_id: SubscriptionId,
        pub number: i32,
        pub kind: PeriodKind,
        pub billing_interval: Interval,
        pub starts_at: Instant,
        pub ends_at: Instant,
        pub nominal_start: Day,
        pub nominal_end: Day,
        pub opened_on: Day,
        pub whole_start: Instant,
        pub time_zone: String,
        pub invoice_id: Option<InvoiceId>,
        pub created_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `subscription_changes`.
pub mod subscription_change {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, SubscriptionChangeId, SubscriptionId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "subscription_changes")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: SubscriptionChangeId,
        pub subscription_id: SubscriptionId,
        pub version: i32,
        pub kind: String,
        pub at: Instant,
        pub details: String,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `pending_lines`.
pub mod pending_line {
    use sea_orm::entity::prelude::*;

    use crate::billing::invoice::LineKind;
    use crate::billing::tax::TaxBehavior;
    use crate::ids::{BusinessId, InvoiceId, InvoiceLineId, PeriodId, SubscriptionId};
    use crate::money::Rate;
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "pending_lines")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: InvoiceLineId,
        pub subscription_id: SubscriptionId,
        pub period_id: Option<PeriodId>,
        pub kind: LineKind,
        pub description: String,
        pub period_start: Option<Instant>,
        pub period_end: Option<Instant>,
        pub quantity: Rate,
        pub unit_price: Rate,
        pub amount_minor: i64,
        pub discount_minor: i64,
        pub tax_behavior: TaxBehavior,
        pub tax_rate: Option<Rate>,
        pub tax_name: Option<String>,
        pub invoice_id: Option<InvoiceId>,
        pub created_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
