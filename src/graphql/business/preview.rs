//! What would be billed: computed by the very code that bills.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::catalog::BillingInterval;
use super::invoices::InvoiceLineKind;
use super::subscriptions::{ChangeTiming, Period, ProrationBehavior};
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{DateTime, Decimal, Money};
use crate::ids::{PlanId, SubscriptionId};
use crate::services::billing as preview;
use crate::services::subscriptions::{PreviewChange, PreviewSubscribe, SubscriptionService};

/// What would be billed; computed by the very code that bills.
#[derive(SimpleObject)]
pub struct InvoicePreview {
    /// What it would bill, in order.
    lines: Vec<InvoiceLinePreview>,
    /// Sum of the lines as priced.
    subtotal: Money,
    /// What the discount takes off.
    discount: Money,
    /// All tax, that included in prices too.
    tax: Money,
    /// What would be to pay in all.
    total: Money,
    /// Account credit that would be used.
    credit_applied: Money,
    /// What would be left to pay.
    amount_due: Money,
    /// What becomes account credit instead, tax included, where the change is worth less than the unused time; `total` is zero then.
    credit_granted: Money,
    /// When it would be billed.
    billed_at: DateTime,
}

/// One line of what would be billed.
#[derive(SimpleObject)]
pub struct InvoiceLinePreview {
    /// What it is for.
    kind: InvoiceLineKind,
    /// In words.
    description: String,
    /// The time it covers.
    period: Option<Period>,
    /// How many.
    quantity: Decimal,
    /// Of one.
    unit_price: Decimal,
    /// Negative for a credit.
    amount: Money,
    /// This line's share of the discount.
    discount: Money,
    /// This line's share of the tax.
    tax: Money,
}

impl InvoicePreview {
    /// The preview that billing computed.
    pub fn new(preview: preview::InvoicePreview) -> Self {
        let line = |line: preview::PreviewLine| InvoiceLinePreview {
            kind: line.kind.into(),
            description: line.description,
            period: Period::of(Some(line.period.0.into()), Some(line.period.1.into())),
            quantity: line.quantity.into(),
            unit_price: line.unit_price.into(),
            amount: line.amount.into(),
            discount: line.discount.into(),
            tax: line.tax.into(),
        };
        Self {
            lines: preview.lines.into_iter().map(line).collect(),
            subtotal: preview.subtotal.into(),
            discount: preview.discount.into(),
            tax: preview.tax.into(),
            total: preview.total.into(),
            credit_applied: preview.credit_applied.into(),
            amount_due: preview.amount_due.into(),
            credit_granted: preview.credit_granted.into(),
            billed_at: preview.billed_at.into(),
        }
    }
}

/// A subscription that might begin.
#[derive(InputObject)]
pub struct SubscribePreviewInput {
    /// The plan.
    plan_id: ID,
    /// How long a period is.
    interval: BillingInterval,
    /// A coupon's code.
    coupon: Option<String>,
    /// False skips the plan's trial.
    #[graphql(default = true)]
    trial: bool,
}

/// `preview` is what is billed now (nothing in a trial), `firstInvoice` what the trial's end will bill.
#[derive(SimpleObject)]
pub struct SubscribePreviewPayload {
    /// What is billed now; null where that is nothing.
    preview: Option<InvoicePreview>,
    /// What the trial's end will bill.
    first_invoice: Option<InvoicePreview>,
    /// When the trial would end.
    trial_end: Option<DateTime>,
    /// Good for 15 minutes. `subscribe` with it and the same input bills exactly this, or answers STALE_PREVIEW.
    preview_token: Option<String>,
    /// What the caller can put right.
    user_errors: Vec<UserError>,
}

/// A change of plan that might be made.
#[derive(InputObject)]
pub struct ChangePlanPreviewInput {
    /// Which subscription.
    subscription_id: ID,
    /// The new plan.
    plan_id: ID,
    /// Default: as it is.
    interval: Option<BillingInterval>,
    /// When it would take effect.
    #[graphql(default_with = "ChangeTiming::Default")]
    timing: ChangeTiming,
    /// What it would bill where it takes effect at once.
    #[graphql(default_with = "ProrationBehavior::ProrateNow")]
    proration: ProrationBehavior,
}

/// What a change of plan would do.
#[derive(SimpleObject)]
pub struct ChangePlanPreviewPayload {
    /// What would be billed at once; null where that is nothing.
    preview: Option<InvoicePreview>,
    /// When it would take effect.
    effective_at: Option<DateTime>,
    /// Good for 15 minutes. `changePlan` with it and the same input takes effect at the preview's instant and bills exactly this, or answers STALE_PREVIEW.
    preview_token: Option<String>,
    /// What the caller can put right.
    user_errors: Vec<UserError>,
}

/// Queries about what would be billed.
#[derive(Default)]
pub struct PreviewQuery;

#[Object]
impl PreviewQuery {
    /// What a new subscription would bill.
    async fn subscribe_preview(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What would be done.")] input: SubscribePreviewInput,
    ) -> Option<Result<SubscribePreviewPayload>> {
        nullable(async {
            let request = request(context);
            let asked = PreviewSubscribe {
                plan: PlanId::parse(&input.plan_id),
                interval: input.interval.into(),
                coupon: input.coupon,
                trial: input.trial,
            };
            let (shown, user_errors) =
                split(SubscriptionService::new(request.ports.clone()).subscribe_preview(request.caller, asked).await)?;
            let Some(shown) = shown else {
                return Ok(Some(SubscribePreviewPayload {
                    preview: None,
                    first_invoice: None,
                    trial_end: None,
                    preview_token: None,
                    user_errors,
                }));
            };
            Ok(Some(SubscribePreviewPayload {
                preview: shown.preview.map(InvoicePreview::new),
                first_invoice: shown.first_invoice.map(InvoicePreview::new),
                trial_end: shown.trial_end.map(DateTime::from),
                preview_token: Some(shown.preview_token),
                user_errors,
            }))
        })
        .await
    }

    /// What a change of plan would bill, and when it would take effect.
    async fn change_plan_preview(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What would be done.")] input: ChangePlanPreviewInput,
    ) -> Option<Result<ChangePlanPreviewPayload>> {
        nullable(async {
            let request = request(context);
            let asked = PreviewChange {
                subscription: SubscriptionId::parse(&input.subscription_id),
                plan: PlanId::parse(&input.plan_id),
                interval: input.interval.map(Into::into),
                timing: input.timing.into(),
                proration: input.proration.into(),
            };
            let (shown, user_errors) =
                split(SubscriptionService::new(request.ports.clone()).change_plan_preview(request.caller, asked).await)?;
            let Some(shown) = shown else {
                return Ok(Some(ChangePlanPreviewPayload { preview: None, effective_at: None, preview_token: None, user_errors }));
            };
            Ok(Some(ChangePlanPreviewPayload {
                preview: shown.preview.map(InvoicePreview::new),
                effective_at: Some(shown.effective_at.into()),
                preview_token: Some(shown.preview_token),
                user_errors,
            }))
        })
        .await
    }
}
