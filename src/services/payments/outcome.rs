//! Writing down what became of an attempt, in one transaction with what follows from it.

use serde_json::json;

use super::attempt::Sender;
use super::{CHARGE, LOOK_UP, Ports, ladder, secrets};
use crate::adapters::payment::{Action, ActionKind, Decline, Success};
use crate::billing::lifecycle::{PaymentEvent, PaymentStatus};
use crate::error::{Error, Outcome};
use crate::services::audit::{self, Act};
use crate::services::billing::{self, Account};
use crate::services::events::{self, Event, PaymentFacts};
use crate::store::customers::{self, Business};
use crate::store::invoices::Invoice;
use crate::store::payments::{self, Payment, PaymentAction, PaymentChange};
use crate::store::{Instant, Tenant, TenantScope, jobs};

/// What is known of an attempt after a call to the gateway.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// Money was taken.
    Succeeded(Success),
    /// No money was taken, and none will be.
    Failed(Decline),
    /// The customer must act.
    Waiting(Action),
    /// The answer was lost.
    Lost,
    /// The gateway has confirmed that it was called off: nothing was taken, and nothing will be.
    CalledOff,
}

/// Where an attempt stands after its outcome was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// The state.
    pub(super) status: PaymentStatus,
    /// Since when.
    pub(super) since: Instant,
    /// Until when the customer may act.
    pub(super) expires_at: Option<Instant>,
}

/// Writes `verdict` on the attempt that was taken as `taken`, with what follows from it: the invoice settled, or its failure
/// reported, or the question that is to be asked again. Answers `None`, having written nothing, where somebody else has taken
/// the attempt since, or settled it. The job that waits in case a beginner is never heard of again is taken back with it.
pub(super) async fn conclude(
    ports: &Ports,
    scope: TenantScope,
    taken: &Payment,
    verdict: Verdict,
    sender: Sender,
) -> Outcome<Option<Standing>> {
    let (id, fence, outside) = (taken.id, taken.fence, ports.clone());
    let write = move |tenant: Tenant| {
        let (ports, verdict) = (outside.clone(), verdict.clone());
        async move {
            let ports = ports.of(&tenant).await?;
            let business = customers::lock_business(&tenant).await?;
            let held = payments::lock_payment(&tenant, id).await?;
            if held.fence != fence || !held.status.is_live() {
                return Ok(None);
            }
            if sender == Sender::Beginner {
                jobs::withdraw(&tenant, CHARGE, &id.to_string(), ports.now().into()).await?;
            }
            Box::pin(apply(&tenant, &ports, business, &held, verdict)).await.map(Some).map_err(Into::into)
        }
    };
    let written = ports.store.write(scope, write).await?;
    if written.is_none() {
        tracing::warn!(payment = %id, fence, "an outcome came too late: the attempt is in other hands or settled");
    }
    Ok(written)
}

/// Writes a verdict on a locked attempt of a locked business.
async fn apply(tenant: &Tenant, ports: &Ports, business: Business, held: &Payment, verdict: Verdict) -> Result<Standing, Error> {
    match verdict {
        Verdict::Succeeded(success) => {
            let mut account = Account::of_locked(tenant, business, ports.now()).await?;
            let told = (Some(success.reference), success.receipt);
            Box::pin(succeed(tenant, ports, &mut account, held, told, "system")).await
        }
        Verdict::Failed(decline) => {
            let mut account = Account::of_locked(tenant, business, ports.now()).await?;
            Box::pin(fail(tenant, ports, &mut account, held, decline, "system")).await
        }
        Verdict::Waiting(action) => wait(tenant, ports, &business, held, action).await,
        Verdict::Lost if held.status == PaymentStatus::Unknown => Ok(standing(held)),
        Verdict::Lost => lose(tenant, ports, held).await,
        // An attempt of which nothing was known is over as a failure; one that waited for the customer has lapsed.
        Verdict::CalledOff if held.status == PaymentStatus::Unknown => {
            let mut account = Account::of_locked(tenant, business, ports.now()).await?;
            Box::pin(fail(tenant, ports, &mut account, held, never_charged(), "system")).await
        }
        Verdict::CalledOff => {
            let standing = call_off(tenant, ports, held, "system").await?;
            let mut account = Account::of_locked(tenant, business, ports.now()).await?;
            let charged = billing::lock_charged(tenant, held.invoice_id).await?;
            billing::charge_failed(tenant, ports, &mut account, charged, false).await?;
            Ok(standing)
        }
    }
}

/// Where a stored attempt stands.
pub(super) fn standing(payment: &Payment) -> Standing {
    Standing { status: payment.status, since: payment.updated_at, expires_at: payment.action_expires_at }
}

/// What an attempt that never reached the gateway is told to have failed of.
fn never_charged() -> Decline {
    Decline {
        code: "not_charged".to_owned(),
        message: "The payment did not reach the gateway; nothing was charged.".to_owned(),
        hard: false,
    }
}

/// Money was taken, as `actor` found out: the invoice is settled, or where that has happened otherwise, it becomes account credit.
/// The gateway's reference and its receipt are kept as far as they are told. The locks of business and payment are held.
pub(super) async fn succeed(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    held: &Payment,
    (gateway_reference, receipt): (Option<String>, Option<String>),
    actor: &str,
) -> Result<Standing, Error> {
    let settled_at = Some(Instant::from(ports.now()));
    let change = PaymentChange { gateway_reference, receipt, settled_at, ..PaymentChange::default() };
    let charged = billing::lock_charged(tenant, held.invoice_id).await?;
    let standing = change_to(tenant, ports, held, PaymentEvent::Succeeded, change).await?;
    record(tenant, ports, held, "payment.succeeded", actor).await?;
    events::emit(tenant, ports, &Event::PaymentSucceeded(facts(held, &charged.invoice, None)?)).await?;
    billing::settle_payment(tenant, ports, account, held.id, charged, held.amount()?).await?;
    Ok(standing)
}

/// No money was taken, as `actor` found out. The locks are those of [`succeed`].
pub(super) async fn fail(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    held: &Payment,
    decline: Decline,
    actor: &str,
) -> Result<Standing, Error> {
    let charged = billing::lock_charged(tenant, held.invoice_id).await?;
    let facts = facts(held, &charged.invoice, Some(decline.code.clone()))?;
    let change = PaymentChange { failure: Some((decline.code, decline.message, decline.hard)), ..PaymentChange::default() };
    let standing = change_to(tenant, ports, held, PaymentEvent::Failed, change).await?;
    record(tenant, ports, held, "payment.failed", actor).await?;
    events::emit(tenant, ports, &Event::PaymentFailed(facts)).await?;
    billing::charge_failed(tenant, ports, account, charged, decline.hard).await?;
    Ok(standing)
}

/// An attempt on an invoice, for an event.
pub(super) fn facts(held: &Payment, invoice: &Invoice, failure_code: Option<String>) -> Result<PaymentFacts, Error> {
    let amount = held.amount()?;
    Ok(PaymentFacts {
        payment_id: held.id.to_string(),
        invoice_id: held.invoice_id.to_string(),
        invoice_number: invoice.number.clone().unwrap_or_default(),
        currency: amount.currency().code().to_owned(),
        amount: amount.amount(),
        failure_code,
    })
}

/// The customer must act; the gateway is asked meanwhile whether that has happened.
async fn wait(tenant: &Tenant, ports: &Ports, business: &Business, held: &Payment, action: Action) -> Result<Standing, Error> {
    let now = ports.now();
    let expires_at = now.saturating_add(action.expires_in).unwrap_or(jiff::Timestamp::MAX);
    let sealed = action.client_secret.map(|secret| secrets::seal(ports, business, held, &secret)).transpose()?;
    let stored = PaymentAction {
        kind: match action.kind {
            ActionKind::Redirect => "REDIRECT",
            ActionKind::ClientSecret => "CLIENT_SECRET",
            ActionKind::Phone => "PHONE",
        },
        url: action.url,
        client_secret_sealed: sealed,
        expires_at: expires_at.into(),
    };
    let change = PaymentChange { action: Some(stored), gateway_reference: action.reference, ..PaymentChange::default() };
    let standing = change_to(tenant, ports, held, PaymentEvent::ActionRequired, change).await?;
    ask_again(tenant, ports, held, ladder::while_waiting(now, expires_at, now)).await?;
    Ok(standing)
}

/// The answer was lost: nothing new is charged for the invoice until it is known what became of it.
async fn lose(tenant: &Tenant, ports: &Ports, held: &Payment) -> Result<Standing, Error> {
    let now = ports.now();
    let standing = change_to(tenant, ports, held, PaymentEvent::AnswerLost, PaymentChange::default()).await?;
    ask_again(tenant, ports, held, ladder::after_lost(now, now)).await?;
    Ok(standing)
}

/// It was called off before anything was charged, by `actor`.
pub(super) async fn call_off(tenant: &Tenant, ports: &Ports, held: &Payment, actor: &str) -> Result<Standing, Error> {
    let standing = change_to(tenant, ports, held, PaymentEvent::Canceled, PaymentChange::default()).await?;
    record(tenant, ports, held, "payment.canceled", actor).await?;
    Ok(standing)
}

/// Gives an attempt the state that follows `event`.
pub(super) async fn change_to(
    tenant: &Tenant,
    ports: &Ports,
    held: &Payment,
    event: PaymentEvent,
    change: PaymentChange,
) -> Result<Standing, Error> {
    let status = held.status.apply(event).map_err(|error| Error::Corrupt(format!("payment {}: {error}", held.id).into()))?;
    let now = Instant::from(ports.now());
    let expires_at = change.action.as_ref().map(|action| action.expires_at);
    payments::change_status(tenant, held, status, change, now).await?;
    Ok(Standing { status, since: now, expires_at })
}

/// Writes the job that asks the gateway; the one that exists already goes on.
async fn ask_again(tenant: &Tenant, ports: &Ports, held: &Payment, due_at: jiff::Timestamp) -> Result<(), Error> {
    let key = held.id.to_string();
    let (due_at, now) = (due_at.into(), ports.now().into());
    let new = jobs::NewJob { id: ports.ids.next(), kind: LOOK_UP, key: &key, due_at, clock: ports.test_clock(), now };
    jobs::schedule(tenant, new).await.map(drop)
}

/// Writes an attempt's end, or its beginning, into the audit trail.
pub(super) async fn record(tenant: &Tenant, ports: &Ports, held: &Payment, action: &str, actor: &str) -> Result<(), Error> {
    let details = json!({ "invoice": held.invoice_id.to_string(), "amountMinor": held.amount_minor, "currency": held.currency.code() });
    audit::record(tenant, ports, Act { action, actor, subject: &held.id.to_string(), details }).await
}
