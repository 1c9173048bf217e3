//! A success that comes after its attempt was taken for over: the money is there, so it is account credit, and somebody is told.

use std::time::Duration;

use jiff::SignedDuration;

use super::outcome::{facts, record};
use super::protocol::begun;
use super::{Ports, ladder};
use crate::adapters::payment::{CALL_LIMIT, LookUpAnswer, Success, within};
use crate::billing::lifecycle::PaymentStatus;
use crate::error::{Error, Outcome};
use crate::ids::PaymentId;
use crate::services::billing::{self, Account};
use crate::services::events::{self, Event};
use crate::store::jobs::{Finish, Job};
use crate::store::payments::{self, NewLate, Payment};
use crate::store::{Snapshot, Tenant, TenantScope, customers};

/// How long it is asked about what was told.
const ASKED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Runs a job of the kind [`super::LATE`]: asks the gateway whether the attempt succeeded, and books what it took.
///
/// # Errors
/// A fault, after which the job is to be run again.
pub(super) async fn run(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    let named = job.job_key.split_once(':').and_then(|(payment, _)| PaymentId::parse(payment));
    let Some(id) = named else { return Ok(Finish::Dead("the job's key is no payment's id".to_owned())) };
    let Some((payment, ports)) = over(&ports.of_job(job), scope, id).await? else { return Ok(Finish::Done) };
    let age = Duration::try_from(ports.now().duration_since(payment.updated_at.get())).unwrap_or_default();
    let charge = begun(&ports, scope, &payment, age).await?;
    let answer = match ports.gateways.named(&payment.gateway) {
        Some(gateway) => within(CALL_LIMIT, gateway.look_up(&charge), LookUpAnswer::Unknown).await,
        None => LookUpAnswer::Unknown,
    };
    match answer {
        LookUpAnswer::Succeeded(success) => {
            book(&ports, scope, id, success).await?;
            Ok(Finish::Done)
        }
        LookUpAnswer::Failed(_) | LookUpAnswer::Canceled | LookUpAnswer::NotFound => {
            tracing::warn!(payment = %id, "the gateway does not confirm that an attempt that was over has succeeded");
            Ok(Finish::Done)
        }
        LookUpAnswer::RequiresAction(_) | LookUpAnswer::Unknown => {
            let (told, now) = (job.created_at.get(), ports.now());
            if now.duration_since(told) > ASKED_FOR {
                return Ok(Finish::Dead("the gateway told of a success and never confirmed it".to_owned()));
            }
            Ok(Finish::Again(ladder::after_lost(told, now).into()))
        }
    }
}

/// The attempt, where it is over without money, and the outside as its business has it.
async fn over(ports: &Ports, scope: TenantScope, id: PaymentId) -> Result<Option<(Payment, Ports)>, Error> {
    let view = Snapshot::new(ports.store.clone(), Some(scope));
    let tenant = view.tenant().await?;
    let ports = ports.of(&tenant).await?;
    let payment = payments::payment(&tenant, id).await?;
    let is_over = |payment: &Payment| matches!(payment.status, PaymentStatus::Failed | PaymentStatus::Canceled);
    Ok(payment.filter(is_over).map(|payment| (payment, ports)))
}

/// Books what was taken as account credit, once.
async fn book(ports: &Ports, scope: TenantScope, id: PaymentId, success: Success) -> Outcome<()> {
    let outside = ports.clone();
    let write = move |tenant: Tenant| {
        let (ports, success) = (outside.clone(), success.clone());
        async move {
            let ports = ports.of(&tenant).await?;
            let business = customers::lock_business(&tenant).await?;
            let of = payments::lock_payment(&tenant, id).await?;
            if payments::is_settled(&tenant, &of.gateway, &success.reference).await? {
                return Ok(());
            }
            let mut account = Account::of_locked(&tenant, business, ports.now()).await?;
            Ok(Box::pin(credit(&tenant, &ports, &mut account, &of, success)).await?)
        }
    };
    ports.store.write(scope, write).await
}

/// Writes the payment, and its money as account credit. The locks of business and attempt are held.
async fn credit(tenant: &Tenant, ports: &Ports, account: &mut Account, of: &Payment, success: Success) -> Result<(), Error> {
    let last = payments::last_attempt(tenant, of.invoice_id).await?;
    let new = NewLate {
        id: ports.ids.next(),
        of,
        gateway_reference: success.reference,
        receipt: success.receipt,
        attempt: last.map_or(0, |payment| payment.attempt).saturating_add(1),
        at: ports.now().into(),
    };
    let written = payments::insert_late(tenant, new).await?;
    tracing::error!(payment = %written.id, attempt = %of.id, "money came for an attempt that was over; it is account credit, and somebody must look");
    let charged = billing::lock_charged(tenant, of.invoice_id).await?.late();
    record(tenant, ports, &written, "payment.came_late", "system").await?;
    let facts = facts(&written, &charged.invoice, None)?;
    events::emit(tenant, ports, &Event::PaymentSucceeded(facts.clone())).await?;
    events::emit(tenant, ports, &Event::PaymentCameLate(facts)).await?;
    billing::settle_payment(tenant, ports, account, written.id, charged, written.amount()?).await
}
