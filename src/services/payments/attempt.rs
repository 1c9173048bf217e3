//! Beginning an attempt, and waiting for what becomes of it.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{CHARGE, Ports};
use crate::adapters::payment::AmountTerms;
use crate::billing::dunning::prompt_time;
use crate::billing::lifecycle::{PaymentEvent, PaymentStatus, RefundStatus};
use crate::billing::period::Zone;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::{PaymentId, PaymentMethodId, RefundId};
use crate::money::Money;
use crate::store::invoices::Invoice;
use crate::store::payments::{self, Payment, PaymentMethod};
use crate::store::types::PaymentMethodKind;
use crate::store::{Instant, Snapshot, Tenant, TenantScope, customers, jobs, reads};

/// How long a beginner has to hand its attempt over and to write the outcome down, before the attempt's job does; longer than a job may
/// run and than a call to the gateway takes.
const HEARD_OF_WITHIN: SignedDuration = SignedDuration::from_mins(1);
/// How long a mutation waits for a payment's outcome.
const OUTCOME_WAIT: Duration = Duration::from_secs(5);
/// The pause before the first look at an outcome; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// The longest pause between two looks at an outcome.
const LONGEST_PAUSE: Duration = Duration::from_millis(160);

/// Who hands an attempt to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Its job.
    Job,
    /// Whoever begins it, by [`super::send_begun`] once that is committed: the attempt is SENDING from the first, in their hands. Its job
    /// is leased to them, and takes it over where they were never heard of again.
    Beginner,
}

/// What became of the wish to begin an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// It is written, with its job.
    Attempt(Box<Payment>),
    /// The customer pays by hand: nothing is charged.
    ByHand,
    /// It would reach a phone at night: it may at that instant.
    NotBefore(Timestamp),
    /// No usable method.
    NoMethod,
    /// So little is due that the gateway does not take it.
    TooLittle,
}

/// Begins an attempt to collect what is due on `invoice`, in the caller's transaction, which has locked the business:
/// writes a payment and the job that charges it, unless its sender is who begins it. With `method` `None`, the default one pays.
/// Says why there is none, where that is no refusal; the invoice stays open then. After the commit, [`wait_for`] wakes the worker.
///
/// # Errors
/// NOT_FOUND at `paymentMethodId` for a method that this business does not have, PAYMENT_IN_PROGRESS where an attempt on the
/// invoice is live, LIMIT_EXCEEDED where more is due than the gateway takes at once, INVALID_TRANSITION for an invoice that
/// cannot be paid; or the database's fault.
pub async fn begin_attempt(
    tenant: &Tenant,
    ports: &Ports,
    invoice: &Invoice,
    method: Option<PaymentMethodId>,
    sender: Sender,
) -> Outcome<Begun> {
    if !invoice.status.is_payable() {
        return Err(UserError::at("invoiceId", UserErrorCode::InvalidTransition, "This invoice cannot be paid.").into());
    }
    let last = if invoice.attempts == 0 { None } else { payments::last_attempt(tenant, invoice.id).await? };
    if last.as_ref().is_some_and(|payment| payment.status.is_live()) {
        return Err(in_progress().into());
    }
    let found = match method {
        Some(id) => Some(payments::method(tenant, id).await?.ok_or_else(method_not_found)?),
        None => payments::default_method(tenant).await?,
    };
    let Some(method) = found else { return Ok(Begun::NoMethod) };
    let terms = ports.gateways.terms_of(&method.gateway, invoice.currency);
    let (true, Some(terms)) = (is_usable(tenant, ports, &method).await?, terms) else { return Ok(Begun::NoMethod) };
    if method.kind == PaymentMethodKind::BankTransfer {
        return Ok(Begun::ByHand);
    }
    if let (PaymentMethodKind::Mpesa, Sender::Beginner) = (method.kind, sender)
        && let Some(at) = night_ends(tenant, ports).await?
    {
        return Ok(Begun::NotBefore(at));
    }
    let Some(amount) = to_collect(invoice, terms)? else {
        tracing::warn!(invoice = %invoice.id, due_minor = invoice.amount_due_minor, "less is due than the gateway takes; the invoice stays open");
        return Ok(Begun::TooLittle);
    };
    let (id, now) = (ports.ids.next(), Instant::from(ports.now()));
    let attempt = last.map_or(0, |payment| payment.attempt).saturating_add(1);
    let status = match sender {
        Sender::Job => PaymentStatus::Created,
        Sender::Beginner => sent(PaymentStatus::Created)?,
    };
    let new = payments::NewAttempt { id, invoice: invoice.id, method: &method, amount, status, attempt, at: now };
    let written = payments::insert_attempt(tenant, new).await?;
    let key = id.to_string();
    let job = jobs::NewJob { id: ports.ids.next(), kind: CHARGE, key: &key, due_at: now, clock: ports.test_clock(), now };
    match sender {
        Sender::Job => jobs::schedule(tenant, job).await?,
        Sender::Beginner => {
            let until = ports.real_now().saturating_add(HEARD_OF_WITHIN).unwrap_or(jiff::Timestamp::MAX);
            jobs::schedule_leased(tenant, job, until.into()).await?
        }
    };
    Ok(Begun::Attempt(Box::new(written)))
}

/// When a phone may be prompted that nobody asked to be, where that is not now.
async fn night_ends(tenant: &Tenant, ports: &Ports) -> Outcome<Option<Timestamp>> {
    let (now, zone) = (ports.now(), customers::business(tenant).await?.time_zone);
    let zone = Zone::parse(&zone).ok_or_else(|| Error::Corrupt("a business is in no known time zone".into()))?;
    let at = prompt_time(now, &zone).map_err(|error| Error::Corrupt(error.to_string().into()))?;
    Ok((now < at).then_some(at))
}

/// The state of an attempt that is handed to the gateway.
///
/// # Errors
/// [`Error::Corrupt`] for a state from which none is.
pub(super) fn sent(status: PaymentStatus) -> Result<PaymentStatus, Error> {
    status.apply(PaymentEvent::Sent).map_err(|error| Error::Corrupt(error.to_string().into()))
}

/// Whether a method that is not removed can be charged today, by the business's calendar: its gateway is still configured.
pub(super) async fn is_usable(tenant: &Tenant, ports: &Ports, method: &PaymentMethod) -> Result<bool, Error> {
    is_usable_at(tenant, ports, method, ports.now()).await
}

/// The method that what is due then would be collected by: `named`, or where that is not usable (any more), the default one; `None` where
/// none is.
///
/// # Errors
/// The database's fault.
pub async fn method_at(
    tenant: &Tenant,
    ports: &Ports,
    named: Option<PaymentMethodId>,
    at: Timestamp,
) -> Result<Option<PaymentMethod>, Error> {
    let currency = customers::business(tenant).await?.currency;
    let named = match named {
        Some(id) => payments::method(tenant, id).await?,
        None => None,
    };
    for method in named.into_iter().chain(payments::default_method(tenant).await?) {
        let has_terms = ports.gateways.terms_of(&method.gateway, currency).is_some();
        if has_terms && is_usable_at(tenant, ports, &method, at).await? {
            return Ok(Some(method));
        }
    }
    Ok(None)
}

/// Whether a method that is not removed can be charged at that instant.
async fn is_usable_at(tenant: &Tenant, ports: &Ports, method: &PaymentMethod, at: Timestamp) -> Result<bool, Error> {
    if ports.gateways.named(&method.gateway).is_none() {
        return Ok(false);
    }
    let Some(last_day) = method.expires_on else { return Ok(true) };
    let zone = customers::business(tenant).await?.time_zone;
    let zone = TimeZone::get(&zone).map_err(|_| Error::Corrupt("a business is in no known time zone".into()))?;
    Ok(at.to_zoned(zone).date() <= last_day.get())
}

/// What is due, rounded up to what the gateway takes; `None` below its least.
fn to_collect(invoice: &Invoice, terms: AmountTerms) -> Outcome<Option<Money>> {
    let due = invoice.amount_due_minor;
    let units = terms.unit_minor.checked_sub(1).and_then(|rest| due.checked_add(rest)).and_then(|sum| sum.checked_div(terms.unit_minor));
    let rounded = units.and_then(|units| units.checked_mul(terms.unit_minor)).filter(|rounded| *rounded <= terms.most_minor);
    let Some(rounded) = rounded else {
        let sentence = "More is due than can be paid this way at once.";
        return Err(UserError::at("paymentMethodId", UserErrorCode::LimitExceeded, sentence).into());
    };
    if rounded <= 0 || rounded < terms.least_minor {
        return Ok(None);
    }
    Ok(Some(Money::new(rounded, invoice.currency).map_err(|_| Error::Corrupt("more is due than an amount may be".into()))?))
}

/// The refusal while an attempt is live.
pub(super) fn in_progress() -> UserError {
    UserError::at("invoiceId", UserErrorCode::PaymentInProgress, "A payment of this invoice is under way.")
}

/// The refusal of a method that this business does not have.
pub(super) fn method_not_found() -> UserError {
    UserError::at("paymentMethodId", UserErrorCode::NotFound, "There is no such payment method.")
}

/// Wakes the worker and waits until the gateway's first answer for `payment` is written, for 5 s at most. To be called
/// after the commit of [`begin_attempt`]; answers `Ok` also when the time is over.
///
/// # Errors
/// The database's fault.
pub async fn wait_for(ports: &Ports, scope: TenantScope, payment: PaymentId) -> Result<(), Error> {
    wait_for_all(ports, scope, Some(payment), &[]).await
}

/// As [`wait_for`], and for the gateway's first answers for these refunds.
///
/// # Errors
/// The database's fault.
pub async fn wait_for_all(ports: &Ports, scope: TenantScope, payment: Option<PaymentId>, refunds: &[RefundId]) -> Result<(), Error> {
    if payment.is_none() && refunds.is_empty() {
        return Ok(());
    }
    ports.work.notify_one();
    let (mut pause, mut waited) = (FIRST_PAUSE, Duration::ZERO);
    loop {
        if !is_under_way(ports, scope, payment, refunds).await? || waited >= OUTCOME_WAIT {
            return Ok(());
        }
        ports.clock.sleep(pause).await;
        waited = waited.saturating_add(pause);
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
}

/// Whether the gateway has not answered yet.
async fn is_under_way(ports: &Ports, scope: TenantScope, payment: Option<PaymentId>, refunds: &[RefundId]) -> Result<bool, Error> {
    let snapshot = Snapshot::new(ports.store.clone(), Some(scope));
    let tenant = snapshot.tenant().await?;
    if let Some(id) = payment {
        let found = payments::payment(&tenant, id).await?;
        if found.is_some_and(|payment| matches!(payment.status, PaymentStatus::Created | PaymentStatus::Sending)) {
            return Ok(true);
        }
    }
    if refunds.is_empty() {
        return Ok(false);
    }
    let keys: Vec<_> = refunds.iter().map(|id| (scope.business(), *id)).collect();
    let found = reads::refunds::by_ids(&tenant, &keys).await?;
    Ok(found.values().any(|refund| matches!(refund.status, RefundStatus::Created | RefundStatus::Sending)))
}
