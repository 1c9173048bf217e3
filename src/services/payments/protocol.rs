//! The jobs of an attempt: handing it to the gateway, and asking the gateway what became of it.

use std::time::Duration;

use jiff::SignedDuration;

use super::attempt::{Sender, sent};
use super::outcome::{Standing, Verdict, call_off, conclude};
use super::{CHARGE, DISPUTE, LATE, LOOK_UP, Ports, REFUND, disputes, hints, ladder, late, refunds};
use crate::adapters::payment::{BegunCharge, CALL_LIMIT, CancelAnswer, ChargeAnswer, ChargeRequest, LookUpAnswer, within};
use crate::billing::lifecycle::PaymentStatus;
use crate::error::{Error, Failure, Outcome};
use crate::ids::PaymentId;
use crate::store::jobs::{Finish, Job};
use crate::store::payments::{self, Payment};
use crate::store::{Instant, Tenant, TenantScope, customers, invoices, jobs};

/// When a look-up that another one overtook is tried again.
const OVERTAKEN: SignedDuration = SignedDuration::from_secs(5);
/// An answer that stays lost for longer is an error in the log, and no longer a warning.
const ALARMING: SignedDuration = SignedDuration::from_hours(1);

/// What was handed over before is never of no age at all, whatever a clock shows.
const AGAIN: Duration = Duration::from_micros(1);

/// Runs a job of one of [`super::JOB_KINDS`].
///
/// # Errors
/// A fault, after which the job is to be run again: by the attempt's state it goes on where it was, with the same key.
pub async fn run_job(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    if job.kind == REFUND {
        return refunds::run(ports, scope, job).await;
    }
    if job.kind == LATE {
        return late::run(ports, scope, job).await;
    }
    if job.kind == DISPUTE {
        return disputes::run(&ports.of_job(job), scope, job).await;
    }
    let Some(payment) = PaymentId::parse(&job.job_key) else { return Ok(Finish::Dead("the job's key is no payment's id".to_owned())) };
    let ports = ports.of_job(job);
    match job.kind.as_str() {
        CHARGE => charge(&ports, scope, payment).await,
        LOOK_UP => look_up(&ports, scope, payment).await,
        other => Ok(Finish::Dead(format!("payments have no job of the kind {other}"))),
    }
}

/// Hands an attempt to the gateway. One that was handed over before, by somebody who did not write down the answer, is handed
/// over again with the same key, which charges once.
async fn charge(ports: &Ports, scope: TenantScope, id: PaymentId) -> Outcome<Finish> {
    let Some((begun, age)) = take_to_send(ports, scope, id).await? else { return Ok(Finish::Done) };
    send(ports, scope, begun, age, Sender::Job).await?;
    Ok(Finish::Done)
}

/// An attempt in the hands of who began it, and the number of its invoice.
#[derive(Debug, Clone)]
pub struct BegunAttempt {
    /// The attempt, as it was written.
    pub payment: Payment,
    /// What its invoice is called.
    pub number: Option<String>,
}

/// Hands attempts to the gateway, one after the other, and writes down what becomes of each: those that were begun by
/// [`Sender::Beginner`] in a transaction that is committed by now. What a fault leaves undone is done by their jobs.
///
/// # Errors
/// The database's fault.
pub async fn send_begun(ports: &Ports, scope: TenantScope, begun: Vec<BegunAttempt>) -> Outcome<()> {
    for begun in begun {
        send(ports, scope, begun, Duration::ZERO, Sender::Beginner).await?;
    }
    Ok(())
}

/// Hands an attempt that was taken, and was first handed over so long ago, to the gateway, and writes down what becomes of it.
async fn send(ports: &Ports, scope: TenantScope, begun: BegunAttempt, age: Duration, sender: Sender) -> Outcome<()> {
    let BegunAttempt { payment: taken, number } = begun;
    let id = taken.id;
    // What the payer's statement is to say.
    let description = number.map_or_else(|| "Invoice".to_owned(), |number| format!("Invoice {number}"));
    let request = ChargeRequest {
        key: id.to_string(),
        amount: taken.amount()?,
        method_reference: hints::method_reference(ports, scope, &taken).await?,
        description,
        age,
        back: hints::of_payment(ports, scope.business(), id, Vec::new()),
    };
    let answer = match ports.gateways.named(&taken.gateway) {
        Some(gateway) => within(CALL_LIMIT, gateway.charge(request), ChargeAnswer::Unknown).await,
        None => not_configured(&taken, ChargeAnswer::Unknown),
    };
    let verdict = match answer {
        ChargeAnswer::Succeeded(success) => Verdict::Succeeded(success),
        ChargeAnswer::Failed(decline) => Verdict::Failed(decline),
        ChargeAnswer::RequiresAction(action) => Verdict::Waiting(action),
        ChargeAnswer::Unknown => {
            tracing::warn!(payment = %id, "the answer to a charge was lost; nothing is charged until it is known");
            Verdict::Lost
        }
        ChargeAnswer::KeyReused => {
            tracing::error!(payment = %id, "the gateway knows this payment's key with another amount or method");
            Verdict::Lost
        }
    };
    // Where the outcome came too late, whoever took the attempt writes one.
    conclude(ports, scope, &taken, verdict, sender).await.map(drop)
}

/// Takes an attempt that is to be sent, or whose sender never told of an answer, and answers how long ago it was first handed over too.
/// One whose invoice has been settled otherwise meanwhile is called off.
async fn take_to_send(ports: &Ports, scope: TenantScope, id: PaymentId) -> Outcome<Option<(BegunAttempt, Duration)>> {
    let outside = ports.clone();
    let take = move |tenant: Tenant| {
        let ports = outside.clone();
        async move {
            let ports = ports.of(&tenant).await?;
            customers::lock_business(&tenant).await?;
            let held = payments::lock_payment(&tenant, id).await?;
            if !matches!(held.status, PaymentStatus::Created | PaymentStatus::Sending) {
                return Ok(None);
            }
            let gone = || Error::Corrupt("a payment's invoice is gone".into());
            let invoice = invoices::find(&tenant, held.invoice_id).await?.ok_or_else(gone)?;
            let is_first = held.status == PaymentStatus::Created;
            let taken = if is_first {
                if !invoice.status.is_payable() || invoice.amount_due_minor == 0 {
                    call_off(&tenant, &ports, &held, "system").await?;
                    return Ok(None);
                }
                payments::take_as(&tenant, &held, sent(held.status)?, Instant::from(ports.now())).await?
            } else {
                payments::take(&tenant, &held).await?
            };
            // It is SENDING since then, by its business's clock, which may show another year than ours.
            let age = if is_first { Duration::ZERO } else { since(&ports, &taken).max(AGAIN) };
            Ok(Some((BegunAttempt { payment: taken, number: invoice.number }, age)))
        }
    };
    ports.store.write(scope, take).await
}

/// Asks the gateway about an attempt that waits for the customer, or of which nothing is known.
async fn look_up(ports: &Ports, scope: TenantScope, id: PaymentId) -> Outcome<Finish> {
    let Some((taken, ports)) = take_to_ask(ports, scope, id, None).await? else { return Ok(Finish::Done) };
    let (charge, ports) = (begun(&ports, scope, &taken, since(&ports, &taken)).await?, &ports);
    let waits = taken.status == PaymentStatus::RequiresAction && taken.action_expires_at.is_some_and(|end| ports.now() < end.get());
    let answer = match ports.gateways.named(&taken.gateway) {
        Some(gateway) => within(CALL_LIMIT, gateway.look_up(&charge), LookUpAnswer::Unknown).await,
        None => not_configured(&taken, LookUpAnswer::Unknown),
    };
    let verdict = match answer {
        LookUpAnswer::Succeeded(success) => Verdict::Succeeded(success),
        LookUpAnswer::Failed(decline) => Verdict::Failed(decline),
        LookUpAnswer::Canceled => Verdict::CalledOff,
        LookUpAnswer::RequiresAction(_) | LookUpAnswer::Unknown if waits => return Ok(again(ports, &super::outcome::standing(&taken))),
        LookUpAnswer::Unknown => Verdict::Lost,
        // The request may still be on its way, or the customer may still act: only a cancel that the gateway confirms ends it.
        LookUpAnswer::NotFound | LookUpAnswer::RequiresAction(_) => cancel(ports, scope, &taken).await?,
    };
    if matches!(verdict, Verdict::Lost) {
        tell_of_silence(ports, &taken);
    }
    Ok(match conclude(ports, scope, &taken, verdict, Sender::Job).await? {
        Some(standing) if standing.status.is_live() => again(ports, &standing),
        Some(_) => Finish::Done,
        None => Finish::Again(ports.now().saturating_add(OVERTAKEN).unwrap_or(jiff::Timestamp::MAX).into()),
    })
}

/// Calls an attempt off at the gateway.
///
/// # Errors
/// [`Error::Corrupt`] for an amount that no amount can be.
pub(super) async fn cancel(ports: &Ports, scope: TenantScope, taken: &Payment) -> Result<Verdict, Error> {
    let charge = begun(ports, scope, taken, since(ports, taken)).await?;
    let answer = match ports.gateways.named(&taken.gateway) {
        Some(gateway) => within(CALL_LIMIT, gateway.cancel(&charge), CancelAnswer::Unknown).await,
        None => not_configured(taken, CancelAnswer::Unknown),
    };
    Ok(match answer {
        CancelAnswer::Canceled => Verdict::CalledOff,
        CancelAnswer::AlreadySucceeded(success) => Verdict::Succeeded(success),
        CancelAnswer::AlreadyFailed(decline) => Verdict::Failed(decline),
        CancelAnswer::Unknown => Verdict::Lost,
    })
}

/// What a gateway can find an attempt by.
pub(super) async fn begun(ports: &Ports, scope: TenantScope, taken: &Payment, age: Duration) -> Result<BegunCharge, Error> {
    let heard = hints::heard(ports, scope, taken, None).await?;
    Ok(BegunCharge {
        key: taken.id.to_string(),
        amount: taken.amount()?,
        method_reference: taken.gateway_method.clone(),
        reference: taken.gateway_reference.clone(),
        age,
        back: hints::of_payment(ports, scope.business(), taken.id, heard),
    })
}

/// How long ago an attempt came to stand where it stands.
fn since(ports: &Ports, taken: &Payment) -> Duration {
    Duration::try_from(ports.now().duration_since(taken.updated_at.get())).unwrap_or_default()
}

/// What is known of an attempt whose gateway is not configured any more: nothing, until an operator brings it back.
fn not_configured<T>(taken: &Payment, unknown: T) -> T {
    tracing::error!(payment = %taken.id, gateway = taken.gateway, "an attempt is at a gateway that is not configured");
    unknown
}

/// Takes an attempt that waits for the customer or of which nothing is known; with `only`, one in that state alone. Answers
/// it with the outside as its business has it.
pub(super) async fn take_to_ask(
    ports: &Ports,
    scope: TenantScope,
    id: PaymentId,
    only: Option<PaymentStatus>,
) -> Outcome<Option<(Payment, Ports)>> {
    let outside = ports.clone();
    let take = move |tenant: Tenant| {
        let ports = outside.clone();
        async move {
            let ports = ports.of(&tenant).await?;
            customers::lock_business(&tenant).await?;
            let held = payments::lock_payment(&tenant, id).await?;
            let open = matches!(held.status, PaymentStatus::RequiresAction | PaymentStatus::Unknown);
            if !open || only.is_some_and(|only| only != held.status) {
                return Ok(None);
            }
            Ok(Some((payments::take(&tenant, &held).await?, ports)))
        }
    };
    ports.store.write(scope, take).await
}

/// Has the gateway asked at once about the attempt with that key, since it said that something became of it. Nothing that was said is
/// believed: the gateway is asked. A key that no attempt waits for does nothing.
///
/// # Errors
/// The database's fault.
pub async fn gateway_spoke(ports: &Ports, key: PaymentId) -> Result<(), Error> {
    let (key, now) = (key.to_string(), Instant::from(ports.real_now()));
    let hasten = move |system| {
        let key = key.clone();
        async move { jobs::hasten(&system, LOOK_UP, &key, now).await.map_err(Failure::from) }
    };
    match ports.store.write_system(hasten).await {
        Ok(()) => {
            ports.work.notify_one();
            Ok(())
        }
        Err(Failure::Fault(error)) => Err(error),
        Err(Failure::Refused(_)) => Err(Error::Corrupt("a job's date was refused".into())),
    }
}

/// When the gateway is asked again about an attempt that stands where it stands.
fn again(ports: &Ports, standing: &Standing) -> Finish {
    let now = ports.now();
    let at = match (standing.status, standing.expires_at) {
        (PaymentStatus::RequiresAction, Some(end)) => ladder::while_waiting(standing.since.get(), end.get(), now),
        _ => ladder::after_lost(standing.since.get(), now),
    };
    Finish::Again(at.into())
}

/// Says in the log that the gateway still does not tell what became of an attempt.
fn tell_of_silence(ports: &Ports, taken: &Payment) {
    let (payment, since) = (taken.id, taken.updated_at);
    if ports.now().duration_since(since.get()) >= ALARMING {
        tracing::error!(%payment, ?since, "the gateway still does not tell what became of a charge; somebody must look");
    } else {
        tracing::warn!(%payment, ?since, "the gateway does not tell what became of a charge");
    }
}
