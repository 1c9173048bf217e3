//! Changes to subscriptions.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::catalog::BillingInterval;
use super::credit_notes::CreditNote;
use super::invoices::Invoice;
use super::money_mutations::{invoice_of, note_replay, payment_of};
use super::payments::Payment;
use super::refunds::Refund;
use super::subscriptions::{ChangeTiming, ProrationBehavior, Subscription, UnusedTime};
use crate::billing::cancel::CancelTiming as StoredCancelTiming;
use crate::error::Outcome;
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::ids::{BusinessId, CreditNoteId, PaymentMethodId, PlanId, RefundId, SubscriptionId};
use crate::services::subscriptions::{Billed, Cancel, ChangePlan, PreviewChange, PreviewSubscribe, Subscribe, SubscriptionService};
use crate::store::reads::{invoices, refunds, subscriptions};

/// When a subscription ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "StoredCancelTiming")]
pub enum CancelTiming {
    /// At the end of the period that is paid.
    PeriodEnd,
    /// At once.
    Now,
}

/// A subscription to begin.
#[derive(InputObject)]
pub struct SubscribeInput {
    /// The plan.
    plan_id: ID,
    /// How long a period is.
    interval: BillingInterval,
    /// Default: the default one. Not needed while a trial runs or where nothing is due.
    payment_method_id: Option<ID>,
    /// A coupon's code.
    coupon: Option<String>,
    /// False skips the plan's trial.
    #[graphql(default = true)]
    trial: bool,
    /// False: ends with the first paid period, or with the trial.
    #[graphql(default = true)]
    auto_renewal: bool,
    /// What `subscribePreview` gave: bills exactly what it showed, or answers STALE_PREVIEW.
    preview_token: Option<String>,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// A change of plan.
#[derive(InputObject)]
pub struct ChangePlanInput {
    /// Which subscription.
    subscription_id: ID,
    /// The new plan.
    plan_id: ID,
    /// Default: as it is. A switch of interval starts the cycle again.
    interval: Option<BillingInterval>,
    /// When it takes effect.
    #[graphql(default_with = "ChangeTiming::Default")]
    timing: ChangeTiming,
    /// What it bills where it takes effect at once.
    #[graphql(default_with = "ProrationBehavior::ProrateNow")]
    proration: ProrationBehavior,
    /// What `changePlanPreview` gave: bills exactly what it showed, or answers STALE_PREVIEW.
    preview_token: Option<String>,
    /// With what it is paid; default: the subscription's, else the default one.
    payment_method_id: Option<ID>,
    /// `Subscription.version` that the caller saw; another one answers CONFLICT.
    if_version: Option<i32>,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// A scheduled change to take back.
#[derive(InputObject)]
pub struct CancelPlanChangeInput {
    /// Which subscription.
    subscription_id: ID,
}

/// A cancellation.
#[derive(InputObject)]
pub struct CancelInput {
    /// Which subscription.
    subscription_id: ID,
    /// When it ends.
    #[graphql(default_with = "CancelTiming::PeriodEnd")]
    timing: CancelTiming,
    /// What becomes of time that is paid and not used, for NOW.
    #[graphql(default_with = "UnusedTime::None")]
    unused_time: UnusedTime,
    /// Why, in the customer's words.
    reason: Option<String>,
    /// `Subscription.version` that the caller saw; another one answers CONFLICT.
    if_version: Option<i32>,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// A scheduled cancellation to take back.
#[derive(InputObject)]
pub struct ReactivateInput {
    /// Which subscription.
    subscription_id: ID,
}

/// Whether a subscription goes on at the end of its period.
#[derive(InputObject)]
pub struct SetAutoRenewalInput {
    /// Which subscription.
    subscription_id: ID,
    /// Whether it goes on.
    auto_renewal: bool,
}

/// What became of subscribing. A charge that fails is a payment with status FAILED, not a user error.
#[derive(SimpleObject)]
pub struct SubscribePayload {
    /// The subscription.
    subscription: Option<Subscription>,
    /// Its first invoice; none in a trial.
    invoice: Option<Invoice>,
    /// The attempt to pay it.
    payment: Option<Payment>,
    /// What the caller can put right; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// What became of a change of plan: `invoice` where something is to be paid now, `creditNotes` where something is credited, neither for a change that waits.
#[derive(SimpleObject)]
pub struct ChangePlanPayload {
    /// The subscription as it is now.
    subscription: Option<Subscription>,
    /// What is to be paid now.
    invoice: Option<Invoice>,
    /// The attempt to pay it.
    payment: Option<Payment>,
    /// What is credited.
    credit_notes: Vec<CreditNote>,
    /// What the caller can put right; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// What became of a cancellation: `invoice` is the final one, for pending lines and usage; unused time may lie on several invoices, each with its credit note.
#[derive(SimpleObject)]
pub struct CancelPayload {
    /// The subscription as it is now.
    subscription: Option<Subscription>,
    /// The final invoice.
    invoice: Option<Invoice>,
    /// What is credited.
    credit_notes: Vec<CreditNote>,
    /// What is paid back.
    refunds: Vec<Refund>,
    /// What the caller can put right; then nothing was changed.
    user_errors: Vec<UserError>,
}

/// Declares the payload of a mutation that changes a subscription and bills nothing.
macro_rules! subscription_payload {
    ($($(#[$doc:meta])* $name:ident),*) => {
        $(
            $(#[$doc])*
            #[derive(SimpleObject)]
            pub struct $name {
                /// The subscription as it is now.
                subscription: Option<Subscription>,
                /// What the caller can put right; then nothing was changed.
                user_errors: Vec<UserError>,
            }
        )*
    };
}

subscription_payload!(
    /// What became of taking back a scheduled change.
    CancelPlanChangePayload,
    /// What became of taking back a scheduled cancellation.
    ReactivatePayload,
    /// What became of choosing whether it goes on.
    SetAutoRenewalPayload
);

/// What a mutation made, as it is now.
struct Shown {
    subscription: Option<Subscription>,
    invoice: Option<Invoice>,
    payment: Option<Payment>,
    credit_notes: Vec<CreditNote>,
    refunds: Vec<Refund>,
    user_errors: Vec<UserError>,
}

/// Reads in a new view what a mutation made.
async fn show(context: &Context<'_>, outcome: Outcome<Billed>) -> Result<Shown> {
    let (billed, user_errors) = split(outcome)?;
    request(context).refresh();
    let Some(billed) = billed else {
        let (credit_notes, refunds) = (Vec::new(), Vec::new());
        return Ok(Shown { subscription: None, invoice: None, payment: None, credit_notes, refunds, user_errors });
    };
    note_replay(context, billed.replayed);
    let subscription = subscriptions::by_id(&request(context).reader().await?, billed.subscription).await?;
    let (credit_notes, refunds) = match &subscription {
        Some(row) => (
            credit_notes_of(context, row.business_id, &billed.credit_notes).await?,
            refunds_of(context, row.business_id, &billed.refunds).await?,
        ),
        None => (Vec::new(), Vec::new()),
    };
    Ok(Shown {
        subscription: subscription.map(Subscription::new),
        invoice: invoice_of(context, billed.invoice).await?,
        payment: payment_of(context, billed.payment).await?,
        credit_notes,
        refunds,
        user_errors,
    })
}

/// A business's credit notes of these ids, in their order.
async fn credit_notes_of(context: &Context<'_>, business: BusinessId, ids: &[CreditNoteId]) -> Result<Vec<CreditNote>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<_> = ids.iter().map(|id| (business, *id)).collect();
    let mut found = invoices::credit_notes_by_ids(&request(context).reader().await?, &keys).await?;
    Ok(keys.iter().filter_map(|key| found.remove(key)).map(CreditNote::new).collect())
}

/// A business's refunds of these ids, in their order.
async fn refunds_of(context: &Context<'_>, business: BusinessId, ids: &[RefundId]) -> Result<Vec<Refund>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<_> = ids.iter().map(|id| (business, *id)).collect();
    let mut found = refunds::by_ids(&request(context).reader().await?, &keys).await?;
    Ok(keys.iter().filter_map(|key| found.remove(key)).map(Refund::new).collect())
}

impl From<ChangePlanInput> for ChangePlan {
    fn from(input: ChangePlanInput) -> Self {
        let (subscription, plan) = (SubscriptionId::parse(&input.subscription_id), PlanId::parse(&input.plan_id));
        let (timing, proration) = (input.timing.into(), input.proration.into());
        Self {
            change: PreviewChange { subscription, plan, interval: input.interval.map(Into::into), timing, proration },
            method: input.payment_method_id.map(|id| PaymentMethodId::parse(&id)),
            if_version: input.if_version,
            preview_token: input.preview_token,
            idempotency_key: input.idempotency_key,
        }
    }
}

impl From<CancelInput> for Cancel {
    fn from(input: CancelInput) -> Self {
        Self {
            subscription: SubscriptionId::parse(&input.subscription_id),
            timing: input.timing.into(),
            unused_time: input.unused_time.into(),
            reason: input.reason,
            if_version: input.if_version,
            idempotency_key: input.idempotency_key,
        }
    }
}

impl ChangePlanPayload {
    /// What became of a change, whoever asked for it.
    ///
    /// # Errors
    /// A fault.
    pub(in crate::graphql) async fn of(context: &Context<'_>, outcome: Outcome<Billed>) -> Result<Self> {
        let Shown { subscription, invoice, payment, credit_notes, user_errors, .. } = show(context, outcome).await?;
        Ok(Self { subscription, invoice, payment, credit_notes, user_errors })
    }
}

impl CancelPayload {
    /// What became of a cancellation, whoever asked for it.
    ///
    /// # Errors
    /// A fault.
    pub(in crate::graphql) async fn of(context: &Context<'_>, outcome: Outcome<Billed>) -> Result<Self> {
        let Shown { subscription, invoice, credit_notes, refunds, user_errors, .. } = show(context, outcome).await?;
        Ok(Self { subscription, invoice, credit_notes, refunds, user_errors })
    }
}

/// The service.
pub(in crate::graphql) fn service(context: &Context<'_>) -> SubscriptionService {
    SubscriptionService::new(request(context).ports.clone())
}

/// Mutations of subscriptions.
#[derive(Default)]
pub struct SubscriptionMutation;

#[Object]
impl SubscriptionMutation {
    /// Begins a subscription. Waits up to 5 seconds for the outcome of its first payment.
    async fn subscribe(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SubscribeInput,
    ) -> Option<Result<SubscribePayload>> {
        nullable(async {
            let plan = PlanId::parse(&input.plan_id);
            let asked = Subscribe {
                offer: PreviewSubscribe { plan, interval: input.interval.into(), coupon: input.coupon, trial: input.trial },
                method: input.payment_method_id.map(|id| PaymentMethodId::parse(&id)),
                auto_renewal: input.auto_renewal,
                preview_token: input.preview_token,
                idempotency_key: input.idempotency_key,
            };
            let outcome = service(context).subscribe(request(context).caller, asked).await;
            let Shown { subscription, invoice, payment, user_errors, .. } = show(context, outcome).await?;
            Ok(Some(SubscribePayload { subscription, invoice, payment, user_errors }))
        })
        .await
    }

    /// Moves to another plan or interval, at once or at the end of the period.
    async fn change_plan(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ChangePlanInput,
    ) -> Option<Result<ChangePlanPayload>> {
        nullable(async {
            let outcome = service(context).change_plan(request(context).caller, input.into()).await;
            ChangePlanPayload::of(context, outcome).await.map(Some)
        })
        .await
    }

    /// Takes back a change that waits for the end of the period.
    async fn cancel_plan_change(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CancelPlanChangeInput,
    ) -> Option<Result<CancelPlanChangePayload>> {
        nullable(async {
            let subscription = SubscriptionId::parse(&input.subscription_id);
            let outcome = service(context).cancel_plan_change(request(context).caller, subscription).await;
            let Shown { subscription, user_errors, .. } = show(context, outcome.map(Billed::nothing)).await?;
            Ok(Some(CancelPlanChangePayload { subscription, user_errors }))
        })
        .await
    }

    /// Ends a subscription, at the end of the period or at once. Waits up to 5 seconds for the outcome of refunds.
    async fn cancel(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CancelInput,
    ) -> Option<Result<CancelPayload>> {
        nullable(async {
            let outcome = service(context).cancel(request(context).caller, input.into()).await;
            CancelPayload::of(context, outcome).await.map(Some)
        })
        .await
    }

    /// Takes back a scheduled cancellation.
    async fn reactivate(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ReactivateInput,
    ) -> Option<Result<ReactivatePayload>> {
        nullable(async {
            let subscription = SubscriptionId::parse(&input.subscription_id);
            let outcome = service(context).reactivate(request(context).caller, subscription).await;
            let Shown { subscription, user_errors, .. } = show(context, outcome.map(Billed::nothing)).await?;
            Ok(Some(ReactivatePayload { subscription, user_errors }))
        })
        .await
    }

    /// Chooses whether a subscription goes on at the end of its period. False is a scheduled cancellation by another name.
    async fn set_auto_renewal(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SetAutoRenewalInput,
    ) -> Option<Result<SetAutoRenewalPayload>> {
        nullable(async {
            let subscription = SubscriptionId::parse(&input.subscription_id);
            let outcome = service(context).set_auto_renewal(request(context).caller, subscription, input.auto_renewal).await;
            let Shown { subscription, user_errors, .. } = show(context, outcome.map(Billed::nothing)).await?;
            Ok(Some(SetAutoRenewalPayload { subscription, user_errors }))
        })
        .await
    }
}
