//! Beginning a subscription.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::sale::{Sale, anchor_columns, sale};
use super::token::{self, Shown};
use super::{Agent, Begun as Asked, Billed, PreviewSubscribe, Subscribe, SubscriptionService, Work, begin, customer, settled};
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::{Outcome, UserError, UserErrorCode};
use crate::ids::{PaymentMethodId, SubscriptionId};
use crate::services::Ports;
use crate::services::access::{Caller, Need, check};
use crate::services::billing::credit::write_off_rest;
use crate::services::billing::{
    Account, Change, InvoicePreview, Standing, bill, bill_due_boundaries, due_in_days, expire, follow_up, give_up_later, period_row,
    periods_left, tell_before_end,
};
use crate::services::coupons::redeem;
use crate::services::idempotency;
use crate::services::payments::{Begun, Sender, begin_attempt};
use crate::store::subscriptions::Subscription;
use crate::store::types::PaymentMethodKind;
use crate::store::{Snapshot, Tenant, payments, subscriptions};

/// The operation's name in tokens and under idempotency keys.
const OPERATION: &str = "subscribe";

/// What a sign-up would bill.
#[derive(Debug, Clone)]
pub struct SubscribePreview {
    /// What is billed now; `None` where that is nothing.
    pub preview: Option<InvoicePreview>,
    /// What the end of the trial will bill.
    pub first_invoice: Option<InvoicePreview>,
    /// When the trial ends.
    pub trial_end: Option<Timestamp>,
    /// For `subscribe`.
    pub preview_token: String,
}

impl PreviewSubscribe {
    /// What makes two offers the same.
    fn canonical(&self) -> Value {
        json!([self.plan.map(|id| id.to_string()), self.interval.as_str(), self.coupon, self.trial])
    }
}

impl SubscriptionService {
    /// Shows what a sign-up would bill, by the function that bills it.
    ///
    /// # Errors
    /// Those of [`SubscriptionService::subscribe`] that do not come from paying.
    pub async fn subscribe_preview(&self, caller: Caller, input: PreviewSubscribe) -> Outcome<SubscribePreview> {
        let scope = caller.require_scope()?;
        let snapshot = Snapshot::new(self.ports.store.clone(), Some(scope));
        let tenant = snapshot.tenant().await?;
        check(&tenant, caller).await?.require(Need::ReadMoney)?;
        let ports = self.ports.of(&tenant).await?;
        let account = Account::read(&tenant, ports.now()).await?;
        let sale = sale(&tenant, &account, &input).await?;
        let business = scope.business();
        let preview_token = token::seal(&ports, business, OPERATION, &input.canonical(), account.at, &sale.shown());
        Ok(SubscribePreview { trial_end: sale.trial_end(), preview: sale.preview, first_invoice: sale.first_invoice, preview_token })
    }

    /// Subscribes to a plan: in a trial, or with the first invoice, whose payment is waited for a while. A charge that
    /// fails is no refusal: the subscription is INCOMPLETE then.
    ///
    /// # Errors
    /// NOT_FOUND at `planId` or `paymentMethodId`; PLAN_NOT_AVAILABLE, CURRENCY_MISMATCH, COUPON_NOT_APPLICABLE, VERIFICATION_REQUIRED,
    /// ALREADY_SUBSCRIBED, PAYMENT_METHOD_REQUIRED, PAYMENT_IN_PROGRESS, STALE_PREVIEW; those of idempotency keys and of
    /// payments; [`crate::error::Error::Unauthenticated`], [`crate::error::Error::Forbidden`] or the database's fault.
    pub async fn subscribe(&self, caller: Caller, input: Subscribe) -> Outcome<Billed> {
        let scope = caller.require_scope()?;
        let (outside, offer) = (self.ports.clone(), input.offer.canonical());
        let method = input.method.map(|named| named.map(|id| id.to_string()).unwrap_or_default());
        let canonical = json!([offer, method, input.auto_renewal, input.preview_token]);
        let write = move |tenant: Tenant| {
            let (ports, input, canonical, offer) = (outside.clone(), input.clone(), canonical.clone(), offer.clone());
            async move {
                let ports = ports.of(&tenant).await?;
                let agent = customer(&tenant, caller).await?;
                let opened = input.preview_token.as_deref();
                let shown = opened.map(|sent| token::open(&ports, scope.business(), OPERATION, &offer, sent));
                let at = shown.as_ref().and_then(|shown| shown.as_ref().ok()).map_or_else(|| ports.now(), |shown| shown.at);
                match begin(&tenant, &ports, agent, at, (&input.idempotency_key, OPERATION, &canonical)).await? {
                    Asked::Replay(billed) => Ok(billed),
                    Asked::New(work) => Box::pin(start(&tenant, &ports, *work, &input, shown.transpose()?)).await,
                }
            }
        };
        settled(&self.ports, scope, self.ports.store.write(scope, write).await?).await
    }
}

/// The transaction of `subscribe`.
async fn start(tenant: &Tenant, ports: &Ports, work: Work, input: &Subscribe, shown: Option<Shown>) -> Outcome<Billed> {
    let Work { agent: Agent { name: actor, .. }, mut account, claimed } = work;
    let method = match input.method {
        Some(named) => Some(known_method(tenant, named).await?),
        None => None,
    };
    let sale = {
        let (plan, _) = super::sale::plan_on_offer(tenant, &account, &input.offer).await?;
        make_room(tenant, ports, &mut account, plan.product.id, &actor).await?;
        sale(tenant, &account, &input.offer).await?
    };
    if let Some(shown) = shown {
        shown.check(&sale.shown())?;
    }
    if let Some((coupon, _)) = sale.coupon {
        redeem(tenant, coupon).await?;
    }
    let mut standing = write(tenant, ports, &account, &sale, input, method).await?;
    let mut details = json!({ "plan": sale.plan.id.to_string(), "interval": input.offer.interval.as_str() });
    if let Some((coupon, _)) = sale.coupon {
        details["coupon"] = json!(coupon.to_string());
    }
    standing.write_down(tenant, ports, Change { kind: "created", actor: &actor, at: account.at, details }).await?;
    let billed = charge(tenant, ports, &mut account, &mut standing, sale, method).await?;
    idempotency::store(tenant, claimed, &super::Made::from(&billed)).await?;
    Ok(billed)
}

/// The method that is named, where the business has it.
///
/// # Errors
/// NOT_FOUND at `paymentMethodId`.
pub(super) async fn known_method(tenant: &Tenant, named: Option<PaymentMethodId>) -> Outcome<PaymentMethodId> {
    let found = match named {
        Some(id) => payments::method(tenant, id).await?,
        None => None,
    };
    let missing = || UserError::at("paymentMethodId", UserErrorCode::NotFound, "There is no such payment method.");
    Ok(found.ok_or_else(missing)?.id)
}

/// Makes room for a new subscription to the product: one whose first invoice was never settled is replaced.
async fn make_room(tenant: &Tenant, ports: &Ports, account: &mut Account, product: crate::ids::ProductId, actor: &str) -> Outcome<()> {
    let Some(live) = subscriptions::live(tenant, product).await? else { return Ok(()) };
    let Some(mut standing) = Standing::lock(tenant, live.id).await? else { return Ok(()) };
    bill_due_boundaries(tenant, ports, account, &mut standing).await?;
    match standing.row.status {
        status if status.is_final() => Ok(()),
        SubscriptionStatus::Incomplete => expire(tenant, ports, account, &mut standing, actor).await,
        _ => Err(UserError::at("planId", UserErrorCode::AlreadySubscribed, "You are subscribed to this product; change the plan.").into()),
    }
}

/// Writes the subscription with its first period and its jobs.
async fn write(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    sale: &Sale,
    input: &Subscribe,
    method: Option<PaymentMethodId>,
) -> Outcome<Standing> {
    let id: SubscriptionId = ports.ids.next();
    let interval = input.offer.interval;
    let period = period_row(ports, account, id, interval, &sale.period)?;
    let mut row = row(account, sale, id, &period);
    row.auto_renewal = input.auto_renewal;
    row.cancel_at = (!input.auto_renewal).then_some(row.period_end);
    row.payment_method_id = method;
    row.coupon_id = sale.coupon.map(|(id, _)| id);
    let coupon = sale.coupon.map(|(_, coupon)| coupon);
    row.coupon_remaining_periods = periods_left(coupon)?;
    let row = subscriptions::insert(tenant, row).await?;
    let period = subscriptions::insert_period(tenant, period).await?;
    let mut standing = Standing { row, period, plan: sale.plan.plan.clone(), coupon };
    standing.set_charged(sale.charged);
    standing.save(tenant, ports, account).await?;
    standing.schedule_renewal(tenant, ports).await?;
    tell_before_end(tenant, ports, &standing).await?;
    give_up_later(tenant, ports, account, &standing).await?;
    Ok(standing)
}

/// The row of a new subscription.
fn row(account: &Account, sale: &Sale, id: SubscriptionId, period: &subscriptions::Period) -> Subscription {
    let (anchor_mode, anchor_day, anchor_date, anchor_time) = anchor_columns(&sale.schedule);
    Subscription {
        business_id: account.business.business_id,
        id,
        product_id: sale.plan.product.id,
        plan_id: sale.plan.id,
        plan_version: sale.plan.version,
        billing_interval: sale.price.interval,
        currency: account.business.currency,
        price_minor: sale.price.amount_minor,
        tax_behavior: sale.price.tax_behavior,
        charged_price_minor: None,
        charged_tax_rate: None,
        charged_tax_behavior: None,
        charged_from: period.number,
        charged_discount_percent: None,
        charged_discount_minor: None,
        coupon_id: None,
        coupon_remaining_periods: None,
        status: sale.status(),
        anchor_mode,
        anchor_day,
        anchor_date,
        anchor_time,
        granularity: sale.schedule.granularity,
        period_number: period.number,
        started_at: account.instant(),
        period_start: period.starts_at,
        period_end: period.ends_at,
        trial_end: sale.trial_end().map(Into::into),
        auto_renewal: true,
        cancel_at: None,
        canceled_at: None,
        cancel_reason: None,
        pending_plan_id: None,
        pending_plan_version: None,
        pending_interval: None,
        pending_price_minor: None,
        pending_tax_behavior: None,
        pending_effective_at: None,
        pending_scheduled_at: None,
        payment_method_id: None,
        dunning_invoice_id: None,
        dunning_started_at: None,
        dunning_taken: 0,
        dunning_hard: false,
        version: 1,
        created_at: account.instant(),
        updated_at: account.instant(),
        counted_annual_minor: None,
    }
}

/// Issues the first invoice and begins to collect it.
async fn charge(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    standing: &mut Standing,
    sale: Sale,
    method: Option<PaymentMethodId>,
) -> Outcome<Billed> {
    let mut billed = Billed::nothing(standing.row.id);
    let own = sale.line.map(|line| crate::services::billing::DraftLine { period: Some(standing.period.id), ..line });
    let Some(mut invoice) = bill(tenant, ports, account, standing.row.id, own.into_iter().collect()).await? else { return Ok(billed) };
    subscriptions::set_period_invoice(tenant, standing.period.id, invoice.id).await?;
    billed.invoice = Some(invoice.id);
    if write_off_rest(tenant, ports, account, &mut invoice).await? {
        follow_up(tenant, ports, account, Some(standing.row.id)).await?;
    } else if invoice.amount_due_minor > 0 {
        let begun = begin_attempt(tenant, ports, &invoice, method, Sender::Job).await?;
        let missing = || UserError::at("paymentMethodId", UserErrorCode::PaymentMethodRequired, "Add a payment method that can be used.");
        billed.payment = match begun {
            Begun::Attempt(payment) => {
                if payment.method_kind == PaymentMethodKind::Mpesa {
                    due_in_days(tenant, ports, &mut invoice).await?;
                }
                Some(payment.id)
            }
            Begun::ByHand | Begun::NotBefore(_) => {
                due_in_days(tenant, ports, &mut invoice).await?;
                None
            }
            Begun::NoMethod | Begun::TooLittle => return Err(missing().into()),
        };
    }
    Ok(billed)
}
