//! Paying back: an attempt like a charge's. It is written and committed before the gateway is called, and its outcome after; a lost
//! answer is asked about until it is known. One that fails becomes account credit.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Ports, REFUND, Resolution, hints, ladder};
use crate::adapters::payment::{CALL_LIMIT, Decline, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest, within};
use crate::billing::credit::pair_refunds;
use crate::billing::lifecycle::{InvalidTransition, PaymentEvent, PaymentStatus, RefundEvent, RefundStatus};
use crate::error::{Error, Outcome};
use crate::ids::RefundId;
use crate::services::audit::{self, Act};
use crate::services::billing::{self, RefundPart};
use crate::store::invoices::CreditNote;
use crate::store::jobs::{self, Finish, Job, NewJob};
use crate::store::payments::{self, Payment};
use crate::store::refunds::{self, NewRefund, Refund, RefundChange};
use crate::store::{Instant, Tenant, TenantScope, customers};

/// When a refund that another worker has in hand is looked at again.
const OVERTAKEN: SignedDuration = SignedDuration::from_secs(5);
/// An answer that stays lost for longer is an error in the log, and no longer a warning.
const ALARMING: SignedDuration = SignedDuration::from_hours(1);

/// Writes the refunds of what `notes` leave to be paid back, `out_of` parts of payments, each with the job that sends it, in the
/// caller's transaction, which has locked the business. What both come to is the same.
///
/// # Errors
/// The database's fault: more than was taken is one; [`Error::Corrupt`] where notes and parts differ.
pub async fn begin_refunds(tenant: &Tenant, ports: &Ports, notes: &[CreditNote], out_of: &[RefundPart]) -> Result<Vec<RefundId>, Error> {
    let to_refund: Vec<i64> = notes.iter().map(|note| note.to_refund_minor).collect();
    let amounts: Vec<(usize, i64)> = out_of.iter().map(|taken| taken.amount_minor).enumerate().collect();
    let mut rows: Vec<Payment> = out_of.iter().map(|taken| taken.payment.clone()).collect();
    let mut begun = Vec::new();
    for (note, row, amount_minor) in pair_refunds(&to_refund, &amounts).map_err(billing::rule)? {
        let missing = || Error::Corrupt("a refund is of no payment or on no credit note".into());
        let (note, row) = (notes.get(note).ok_or_else(missing)?, rows.get_mut(row).ok_or_else(missing)?);
        let (id, at): (RefundId, Instant) = (ports.ids.next(), ports.now().into());
        *row = refunds::insert(tenant, NewRefund { id, payment: row, credit_note: note.id, amount_minor, at }).await?;
        let key = id.to_string();
        let job = NewJob { id: ports.ids.next(), kind: REFUND, key: &key, due_at: at, clock: ports.test_clock(), now: at };
        jobs::schedule(tenant, job).await?;
        begun.push(id);
    }
    Ok(begun)
}

/// Writes the refund of what `note` leaves to be paid back as paid out by hand by `actor`, in the caller's transaction, which has
/// locked the business and the payment. No gateway hears of it.
///
/// # Errors
/// The database's fault: more than was taken is one.
pub async fn pay_out_by_hand(tenant: &Tenant, ports: &Ports, note: &CreditNote, payment: &Payment, actor: &str) -> Result<RefundId, Error> {
    let (id, at): (RefundId, Instant) = (ports.ids.next(), ports.now().into());
    let new = NewRefund { id, payment, credit_note: note.id, amount_minor: note.to_refund_minor, at };
    let payment = refunds::insert(tenant, new).await?;
    let written = refunds::lock(tenant, id).await?;
    let sent = written.status.apply(RefundEvent::Sent).map_err(illegal)?;
    let taken = refunds::take(tenant, &written, sent, at).await?;
    Ok(succeed(tenant, ports, (&taken, &payment), PaidBack::ByUs(None), actor).await?.id)
}

/// Writes the refund of what `note` leaves to be paid back as paid by the payer's bank, which keeps what it took by the dispute that
/// its gateway knows by `reference`, in the caller's transaction, which has locked the business and the payment. No gateway hears of it.
///
/// # Errors
/// The database's fault: more than was taken is one.
pub(super) async fn kept_by_the_bank(
    tenant: &Tenant,
    ports: &Ports,
    note: &CreditNote,
    payment: &Payment,
    reference: &str,
) -> Result<RefundId, Error> {
    let (id, at): (RefundId, Instant) = (ports.ids.next(), ports.now().into());
    let new = NewRefund { id, payment, credit_note: note.id, amount_minor: note.to_refund_minor, at };
    let payment = refunds::insert(tenant, new).await?;
    let written = refunds::lock(tenant, id).await?;
    let sent = written.status.apply(RefundEvent::Sent).map_err(illegal)?;
    let taken = refunds::take(tenant, &written, sent, at).await?;
    Ok(succeed(tenant, ports, (&taken, &payment), PaidBack::ByTheBank(reference.to_owned()), "system").await?.id)
}

/// By whom a refund was paid.
#[derive(Debug, Clone)]
enum PaidBack {
    /// By us: by a gateway, which has a name for it, or by hand.
    ByUs(Option<String>),
    /// By the payer's bank, in a dispute that its gateway has a name for.
    ByTheBank(String),
}

/// What is known of a refund after a call to the gateway.
#[derive(Debug, Clone)]
enum Verdict {
    /// It was paid; the gateway's own id of it.
    Succeeded(String),
    /// It was not paid, and will not be.
    Failed(Decline),
    /// The gateway has it in hand.
    Accepted,
    /// The answer was lost.
    Lost,
}

/// Runs a job of the kind [`REFUND`]: sends the refund, or asks what became of it.
///
/// # Errors
/// A fault, after which the job is to be run again: by the refund's state it goes on where it was, with the same key.
pub(super) async fn run(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    let Some(id) = RefundId::parse(&job.job_key) else { return Ok(Finish::Dead("the job's key is no refund's id".to_owned())) };
    let Some((taken, payment, is_first, ports)) = take(ports, scope, id).await? else { return Ok(Finish::Done) };
    let request = request(&ports, scope, (&taken, &payment), !is_first).await?;
    let verdict = match (ports.gateways.named(&taken.gateway), taken.status) {
        (None, _) => {
            tracing::error!(refund = %taken.id, gateway = taken.gateway, "a refund is to be paid by a gateway that is not configured");
            Verdict::Lost
        }
        (Some(gateway), RefundStatus::Accepted | RefundStatus::Unknown) => ask(gateway, request).await,
        (Some(gateway), _) => send(gateway, request).await,
    };
    if matches!(verdict, Verdict::Lost) {
        tell_of_silence(&ports, &taken);
    }
    let now = ports.now();
    Ok(match conclude(&ports, scope, &taken, verdict).await? {
        Some(refund) if refund.status.is_final() => Finish::Done,
        Some(refund) => Finish::Again(ladder::after_lost(refund.updated_at.get(), now).into()),
        None => Finish::Again(now.saturating_add(OVERTAKEN).unwrap_or(Timestamp::MAX).into()),
    })
}

/// Takes a refund in hand that is not over, with its payment, whether it was never sent, and the outside as its business has it. One that
/// was never sent is being sent from here on.
async fn take(ports: &Ports, scope: TenantScope, id: RefundId) -> Outcome<Option<(Refund, Payment, bool, Ports)>> {
    let outside = ports.clone();
    let take = move |tenant: Tenant| {
        let ports = outside.clone();
        async move {
            let ports = ports.of(&tenant).await?;
            customers::lock_business(&tenant).await?;
            let held = refunds::lock(&tenant, id).await?;
            let status = match held.status {
                RefundStatus::Succeeded | RefundStatus::Failed => return Ok(None),
                RefundStatus::Created => held.status.apply(RefundEvent::Sent).map_err(illegal)?,
                other => other,
            };
            let payment = payments::payment(&tenant, held.payment_id).await?.ok_or_else(no_payment)?;
            let taken = refunds::take(&tenant, &held, status, ports.now().into()).await?;
            Ok(Some((taken, payment, held.status == RefundStatus::Created, ports)))
        }
    };
    ports.store.write(scope, take).await
}

/// Hands a refund to the gateway. One that was handed over before is handed over again with the same key, which pays once.
async fn send(gateway: &dyn PaymentGateway, request: RefundRequest) -> Verdict {
    let refund = request.key.clone();
    match within(CALL_LIMIT, gateway.refund(request), RefundAnswer::Unknown).await {
        RefundAnswer::Succeeded(reference) => Verdict::Succeeded(reference),
        RefundAnswer::Failed(decline) => Verdict::Failed(decline),
        RefundAnswer::Accepted => Verdict::Accepted,
        RefundAnswer::Unknown => Verdict::Lost,
        RefundAnswer::KeyReused => {
            tracing::error!(refund, "the gateway knows this refund's key with another charge or amount");
            Verdict::Lost
        }
    }
}

/// What a gateway is told of a refund.
async fn request(ports: &Ports, scope: TenantScope, (taken, payment): (&Refund, &Payment), again: bool) -> Result<RefundRequest, Error> {
    let heard = hints::heard(ports, scope, payment, Some(taken.id)).await?;
    let charge_reference = payment.gateway_reference.clone().ok_or_else(|| Error::Corrupt("a payment has no reference".into()))?;
    Ok(RefundRequest {
        key: taken.id.to_string(),
        charge_key: payment.id.to_string(),
        charge_reference,
        charge_receipt: payment.receipt.clone(),
        amount: taken.amount()?,
        again,
        back: hints::of_refund(ports, scope.business(), taken.id, heard),
    })
}

/// Asks what became of a refund; one that the gateway never heard of is handed over again.
async fn ask(gateway: &dyn PaymentGateway, request: RefundRequest) -> Verdict {
    match within(CALL_LIMIT, gateway.look_up_refund(&request), RefundLookUpAnswer::Unknown).await {
        RefundLookUpAnswer::Succeeded(reference) => Verdict::Succeeded(reference),
        RefundLookUpAnswer::Failed(decline) => Verdict::Failed(decline),
        RefundLookUpAnswer::Accepted => Verdict::Accepted,
        RefundLookUpAnswer::NotFound => send(gateway, request).await,
        RefundLookUpAnswer::Unknown => Verdict::Lost,
    }
}

/// Writes `verdict` on the refund that was taken as `taken`, with what follows from it. Answers the refund as it is then; `None`,
/// having written nothing, where somebody else has taken it since, or settled it.
async fn conclude(ports: &Ports, scope: TenantScope, taken: &Refund, verdict: Verdict) -> Outcome<Option<Refund>> {
    let (id, of, fence, outside) = (taken.id, taken.payment_id, taken.fence, ports.clone());
    let write = move |tenant: Tenant| {
        let (ports, verdict) = (outside.clone(), verdict.clone());
        async move {
            let ports = ports.of(&tenant).await?;
            customers::lock_business(&tenant).await?;
            let payment = payments::lock_payment(&tenant, of).await?;
            let held = refunds::lock(&tenant, id).await?;
            if held.fence != fence || held.status.is_final() {
                return Ok(None);
            }
            Ok(Some(apply(&tenant, &ports, (held, &payment), verdict).await?))
        }
    };
    let written = ports.store.write(scope, write).await?;
    if written.is_none() {
        tracing::warn!(refund = %id, fence, "an outcome came too late: the refund is in other hands or settled");
    }
    Ok(written)
}

/// Writes a verdict on a locked refund of a locked payment.
async fn apply(tenant: &Tenant, ports: &Ports, (held, payment): (Refund, &Payment), verdict: Verdict) -> Result<Refund, Error> {
    match verdict {
        Verdict::Succeeded(reference) => succeed(tenant, ports, (&held, payment), PaidBack::ByUs(Some(reference)), "system").await,
        Verdict::Failed(decline) => fail(tenant, ports, (&held, payment), decline, "system").await,
        Verdict::Accepted if held.status == RefundStatus::Accepted => Ok(held),
        Verdict::Accepted => change_to(tenant, ports, &held, RefundEvent::Accepted, RefundChange::default()).await,
        Verdict::Lost if held.status == RefundStatus::Sending => {
            change_to(tenant, ports, &held, RefundEvent::AnswerLost, RefundChange::default()).await
        }
        Verdict::Lost => Ok(held),
    }
}

/// It was paid, as `actor` says. The locks of business and payment are held.
async fn succeed(tenant: &Tenant, ports: &Ports, (held, payment): (&Refund, &Payment), by: PaidBack, actor: &str) -> Result<Refund, Error> {
    let now = Instant::from(ports.now());
    let (gateway_reference, by_dispute) = match by {
        PaidBack::ByUs(reference) => (reference, false),
        PaidBack::ByTheBank(reference) => (Some(reference), true),
    };
    let change = RefundChange { gateway_reference, settled_at: Some(now), ..RefundChange::default() };
    let refund = change_to(tenant, ports, held, RefundEvent::Succeeded, change).await?;
    let is_all = payment.refunded_minor.saturating_add(refund.amount_minor) >= payment.amount_minor;
    let event = if is_all { PaymentEvent::FullyRefunded } else { PaymentEvent::PartlyRefunded };
    // One that the payer's bank disputes meanwhile stays disputed.
    let status = if payment.status == PaymentStatus::Disputed { payment.status } else { payment.status.apply(event).map_err(illegal)? };
    refunds::paid_back(tenant, payment, refund.amount_minor, status, now).await?;
    record(tenant, ports, &refund, "refund.succeeded", actor).await?;
    billing::refund_paid(tenant, ports, &refund, by_dispute).await?;
    Ok(refund)
}

/// It was paid or not, as the gateway's statement says and `actor` has read there. The locks of business and payment are held.
pub(super) async fn settle_by_statement(
    tenant: &Tenant,
    ports: &Ports,
    of: (&Refund, &Payment),
    resolution: Resolution,
    actor: &str,
) -> Result<(), Error> {
    match resolution {
        Resolution::Succeeded(receipt) => succeed(tenant, ports, of, PaidBack::ByUs(receipt), actor).await.map(drop),
        Resolution::Failed => {
            let message = "The gateway's statement shows no such refund; nothing was paid back.".to_owned();
            let decline = Decline { code: "not_on_statement".to_owned(), message, hard: true };
            fail(tenant, ports, of, decline, actor).await.map(drop)
        }
    }
}

/// It was not paid, and will not be, as `actor` says.
async fn fail(
    tenant: &Tenant,
    ports: &Ports,
    (held, payment): (&Refund, &Payment),
    decline: Decline,
    actor: &str,
) -> Result<Refund, Error> {
    tracing::error!(refund = %held.id, payment = %payment.id, code = decline.code, "a refund failed and becomes account credit; somebody must look");
    let settled_at = Some(Instant::from(ports.now()));
    let change = RefundChange { failure: Some((decline.code, decline.message)), settled_at, ..RefundChange::default() };
    let refund = change_to(tenant, ports, held, RefundEvent::Failed, change).await?;
    refunds::give_up(tenant, payment, refund.amount_minor).await?;
    record(tenant, ports, &refund, "refund.failed", actor).await?;
    billing::refund_failed(tenant, ports, &refund, payment.invoice_id).await?;
    Ok(refund)
}

/// Gives a refund the state that follows `event`.
async fn change_to(tenant: &Tenant, ports: &Ports, held: &Refund, event: RefundEvent, change: RefundChange) -> Result<Refund, Error> {
    let status = held.status.apply(event).map_err(illegal)?;
    refunds::change_status(tenant, held, status, change, ports.now().into()).await
}

/// Writes a refund's end into the audit trail.
async fn record(tenant: &Tenant, ports: &Ports, refund: &Refund, action: &str, actor: &str) -> Result<(), Error> {
    let details = json!({
        "payment": refund.payment_id.to_string(), "creditNote": refund.credit_note_id.to_string(),
        "amountMinor": refund.amount_minor, "currency": refund.currency.code(),
    });
    audit::record(tenant, ports, Act { action, actor, subject: &refund.id.to_string(), details }).await
}

/// A state that does not know what happened.
fn illegal(error: InvalidTransition) -> Error {
    Error::Corrupt(error.to_string().into())
}

/// A refund without its payment.
fn no_payment() -> Error {
    Error::Corrupt("a refund's payment is gone".into())
}

/// Says in the log that the gateway does not tell what became of a refund.
fn tell_of_silence(ports: &Ports, taken: &Refund) {
    let (refund, since) = (taken.id, taken.updated_at);
    if ports.now().duration_since(since.get()) >= ALARMING {
        tracing::error!(%refund, ?since, "the gateway still does not tell what became of a refund; somebody must look");
    } else {
        tracing::warn!(%refund, ?since, "the gateway does not tell what became of a refund");
    }
}
