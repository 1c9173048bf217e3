//! Collecting: an attempt for what is due, and the ladder of a subscription whose invoices are not paid: PAST_DUE, the
//! retries, SUSPENDED, CANCELED. Each rung is one job, keyed by the invoice that began the ladder and the rung.

use jiff::Timestamp;
use serde_json::json;

use super::account::Account;
use super::credit::write_off_rest;
use super::end::end;
use super::issue::facts;
use super::ledger::enter;
use super::renew::bill_due_boundaries;
use super::rule;
use super::standing::{Change, Standing};
use crate::billing::dunning::{Step, StepKind, UNCOLLECTIBLE_AFTER_DAYS, days_after, due_at, following_step, rungs_ahead};
use crate::billing::ledger::{EntryKind, given_up};
use crate::billing::lifecycle::{InvoiceEvent, InvoiceStatus, SubscriptionEvent, SubscriptionStatus};
use crate::error::{Error, Failure, Outcome};
use crate::ids::{InvoiceId, PaymentId, PaymentMethodId, SubscriptionId};
use crate::services::Ports;
use crate::services::audit::{Act, record};
use crate::services::events::{self, Event};
use crate::services::payments::Begun;
use crate::store::invoices::Invoice;
use crate::store::jobs::{NewJob, schedule};
use crate::store::types::PaymentMethodKind;
use crate::store::{Tenant, invoices};

/// The job that takes the next rung of a ladder.
pub const DUNNING: &str = "dunning";
/// The job that prompts a phone in the morning.
pub const PROMPT: &str = "prompt";
/// The rung before the first: the days of a customer who pushes the money are over.
const FALLS_DUE: i32 = 0;
/// The job that gives up on what an ended subscription still owes.
pub const WRITE_OFF: &str = "write_off";

/// Begins an attempt for what is due on an invoice, with `method` or the subscription's own or the default one; where
/// none is usable the invoice is overdue at once, and where the customer pushes the money it is in some days. What is less than the
/// gateway takes is written off.
///
/// # Errors
/// The database's fault.
pub async fn collect(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    standing: &mut Standing,
    invoice: &mut Invoice,
    method: Option<PaymentMethodId>,
) -> Result<Option<PaymentId>, Error> {
    if invoice.amount_due_minor == 0 || write_off_rest(tenant, ports, account, invoice).await? {
        return Ok(None);
    }
    match attempt(tenant, ports, account, invoice, method.or(standing.row.payment_method_id)).await? {
        Collecting::Charged(payment) => Ok(Some(payment)),
        Collecting::Prompted(payment) => {
            due_in_days(tenant, ports, invoice).await?;
            Ok(Some(payment))
        }
        Collecting::InTheMorning | Collecting::ByHand => {
            due_in_days(tenant, ports, invoice).await?;
            Ok(None)
        }
        Collecting::Nothing => {
            overdue(tenant, ports, account, standing, invoice, false).await?;
            Ok(None)
        }
    }
}

/// What is done to collect an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Collecting {
    /// It is charged.
    Charged(PaymentId),
    /// The customer is prompted, and pushes it.
    Prompted(PaymentId),
    /// The customer will be prompted in the morning.
    InTheMorning,
    /// The customer pays by hand.
    ByHand,
    /// Nothing: there is no usable method.
    Nothing,
}

/// Gives an invoice the days that a customer has who pushes the money, and writes the job that looks at it then.
///
/// # Errors
/// The database's fault.
pub async fn due_in_days(tenant: &Tenant, ports: &Ports, invoice: &mut Invoice) -> Result<(), Error> {
    let Some(issued) = invoice.issued_at else { return Ok(()) };
    let due = due_at(issued.get(), true).map_err(rule)?.into();
    invoice.due_at = Some(due);
    invoices::fall_due(tenant, invoice.id, due).await?;
    let key = format!("{}:{FALLS_DUE}", invoice.id);
    let now = ports.now().into();
    schedule(tenant, NewJob { id: ports.ids.next(), kind: DUNNING, key: &key, due_at: due, clock: ports.test_clock(), now }).await.map(drop)
}

/// Begins an attempt with `method`, or where that is not usable (any more), with the default one. At night a prompt waits for the morning.
async fn attempt(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    invoice: &Invoice,
    method: Option<PaymentMethodId>,
) -> Result<Collecting, Error> {
    if method.is_some() {
        let begun = usable(account.begin_attempt(tenant, ports, invoice, method).await)?;
        let collecting = collecting(tenant, ports, invoice, begun).await?;
        if collecting != Collecting::Nothing {
            return Ok(collecting);
        }
    }
    let begun = usable(account.begin_attempt(tenant, ports, invoice, None).await)?;
    collecting(tenant, ports, invoice, begun).await
}

/// A method that is refused is one that is not usable.
fn usable(begun: Outcome<Begun>) -> Result<Begun, Error> {
    match begun {
        Ok(begun) => Ok(begun),
        Err(Failure::Refused(_)) => Ok(Begun::NoMethod),
        Err(Failure::Fault(error)) => Err(error),
    }
}

/// What the wish to begin an attempt has come to; a prompt that must wait has a job.
async fn collecting(tenant: &Tenant, ports: &Ports, invoice: &Invoice, begun: Begun) -> Result<Collecting, Error> {
    Ok(match begun {
        Begun::Attempt(payment) if payment.method_kind == PaymentMethodKind::Mpesa => Collecting::Prompted(payment.id),
        Begun::Attempt(payment) => Collecting::Charged(payment.id),
        Begun::ByHand => Collecting::ByHand,
        Begun::NotBefore(morning) => {
            let (key, now) = (format!("{}:{}", invoice.id, morning.as_second()), ports.now().into());
            let (id, clock) = (ports.ids.next(), ports.test_clock());
            schedule(tenant, NewJob { id, kind: PROMPT, key: &key, due_at: morning.into(), clock, now }).await?;
            invoices::try_next_at(tenant, invoice.id, Some(morning.into())).await?;
            Collecting::InTheMorning
        }
        Begun::NoMethod | Begun::TooLittle => Collecting::Nothing,
    })
}

/// Prompts for an invoice that was to be prompted for at night, unless it is paid or being paid by now.
///
/// # Errors
/// The database's fault.
pub(super) async fn prompt(tenant: &Tenant, ports: &Ports, account: &mut Account, invoice: InvoiceId) -> Result<(), Error> {
    let subscription = invoices::find(tenant, invoice).await?.and_then(|invoice| invoice.subscription_id);
    let Some(subscription) = subscription else { return Ok(()) };
    let Some(mut standing) = Standing::lock(tenant, subscription).await? else { return Ok(()) };
    bill_due_boundaries(tenant, ports, account, &mut standing).await?;
    let Some(invoice) = invoices::find(tenant, invoice).await? else { return Ok(()) };
    if invoice.status != InvoiceStatus::Open || invoice.amount_due_minor == 0 || invoices::has_live_attempt(tenant, invoice.id).await? {
        return Ok(());
    }
    invoices::try_next_at(tenant, invoice.id, None).await?;
    if attempt(tenant, ports, account, &invoice, standing.row.payment_method_id).await? == Collecting::Nothing {
        overdue(tenant, ports, account, &mut standing, &invoice, false).await?;
    }
    Ok(())
}

/// The days of a customer who pushes the money are over: what is not paid is overdue.
async fn fall_due(tenant: &Tenant, ports: &Ports, account: &mut Account, invoice: InvoiceId, standing: &mut Standing) -> Result<(), Error> {
    let Some(invoice) = invoices::find(tenant, invoice).await? else { return Ok(()) };
    let is_due = invoice.due_at.is_some_and(|due| due.get() <= account.at);
    if invoice.status != InvoiceStatus::Open || invoice.amount_due_minor == 0 || !is_due {
        return Ok(());
    }
    overdue(tenant, ports, account, standing, &invoice, false).await
}

/// An attempt failed, or none can be made: the ladder begins, or goes on to its next rung.
///
/// # Errors
/// The database's fault.
pub(super) async fn overdue(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    standing: &mut Standing,
    invoice: &Invoice,
    hard: bool,
) -> Result<(), Error> {
    let status = standing.row.status;
    if matches!(status, SubscriptionStatus::Incomplete | SubscriptionStatus::Expired | SubscriptionStatus::Trialing) {
        return Ok(());
    }
    if standing.row.dunning_invoice_id.is_none() {
        standing.row.dunning_invoice_id = Some(invoice.id);
        standing.row.dunning_started_at = Some(account.instant());
        standing.row.dunning_taken = 1;
        standing.row.dunning_hard = false;
    }
    standing.row.dunning_hard |= hard;
    if status == SubscriptionStatus::Active {
        standing.apply(SubscriptionEvent::PaymentOverdue)?;
        log(tenant, ports, account, standing, "past_due").await?;
    } else {
        standing.save(tenant, ports, account).await?;
    }
    let next = schedule_rung(tenant, ports, standing).await?;
    if let Some(mut row) = invoices::lock(tenant, invoice.id).await? {
        row.next_attempt_at = next.filter(|_| !standing.row.dunning_hard).map(Into::into);
        invoices::save(tenant, &row).await?;
    }
    Ok(())
}

/// Writes a change of state down.
async fn log(tenant: &Tenant, ports: &Ports, account: &Account, standing: &mut Standing, kind: &str) -> Result<(), Error> {
    let change = Change { kind, actor: "system", at: account.at, details: json!({}) };
    standing.changed(tenant, ports, account, change).await
}

/// Writes the job of the next rung; answers when it retries, where it does.
pub(super) async fn schedule_rung(tenant: &Tenant, ports: &Ports, standing: &Standing) -> Result<Option<Timestamp>, Error> {
    let row = &standing.row;
    let (Some(invoice), Some(started)) = (row.dunning_invoice_id, row.dunning_started_at) else { return Ok(None) };
    let Some(step) = next_rung(standing, started.get())? else { return Ok(None) };
    let key = format!("{invoice}:{}", row.dunning_taken);
    let job = NewJob {
        id: ports.ids.next(),
        kind: DUNNING,
        key: &key,
        due_at: step.at.into(),
        clock: ports.test_clock(),
        now: ports.now().into(),
    };
    schedule(tenant, job).await?;
    Ok(matches!(step.kind, StepKind::Retry(_)).then_some(step.at))
}

/// The rung that follows, by the settings of the subscription's product as they are now.
fn next_rung(standing: &Standing, started: Timestamp) -> Result<Option<Step>, Error> {
    let is_suspended = standing.row.status == SubscriptionStatus::Suspended;
    following_step(started, rungs(standing.row.dunning_taken)?, is_suspended, &standing.plan.product.dunning).map_err(rule)
}

/// All the rungs of its ladder that are still to come; none where it is on none, or has ended.
///
/// # Errors
/// [`Error::Corrupt`] past every limit.
pub(super) fn rungs_of(standing: &Standing) -> Result<Vec<Step>, Error> {
    let row = &standing.row;
    let Some(started) = row.dunning_started_at.filter(|_| row.dunning_invoice_id.is_some() && !row.status.is_final()) else {
        return Ok(Vec::new());
    };
    let is_suspended = row.status == SubscriptionStatus::Suspended;
    rungs_ahead(started.get(), rungs(row.dunning_taken)?, is_suspended, &standing.plan.product.dunning).map_err(rule)
}

/// How many rungs were taken.
fn rungs(taken: i32) -> Result<u16, Error> {
    u16::try_from(taken).map_err(|_| Error::Corrupt("a ladder has too many rungs".into()))
}

/// Takes a rung of the ladder, unless the ladder is over or has passed it.
///
/// # Errors
/// The database's fault.
pub(super) async fn climb(tenant: &Tenant, ports: &Ports, account: &mut Account, began: InvoiceId, rung: i32) -> Result<(), Error> {
    let subscription = invoices::find(tenant, began).await?.and_then(|invoice| invoice.subscription_id);
    let Some(subscription) = subscription else { return Ok(()) };
    let Some(mut standing) = Standing::lock(tenant, subscription).await? else { return Ok(()) };
    bill_due_boundaries(tenant, ports, account, &mut standing).await?;
    if rung == FALLS_DUE {
        return fall_due(tenant, ports, account, began, &mut standing).await;
    }
    let (Some(ladder), Some(started)) = (standing.row.dunning_invoice_id, standing.row.dunning_started_at) else { return Ok(()) };
    if ladder != began || standing.row.dunning_taken != rung {
        return Ok(());
    }
    let Some(step) = next_rung(&standing, started.get())? else { return Ok(()) };
    standing.row.dunning_taken = rung.saturating_add(1);
    standing.save(tenant, ports, account).await?;
    match (step.kind, standing.row.status) {
        (StepKind::Retry(_), _) => {
            if !retry(tenant, ports, account, &standing).await? {
                schedule_rung(tenant, ports, &standing).await?;
            }
        }
        (StepKind::Suspend, SubscriptionStatus::PastDue) => {
            standing.apply(SubscriptionEvent::RetriesExhausted)?;
            log(tenant, ports, account, &mut standing, "suspended").await?;
            schedule_rung(tenant, ports, &standing).await?;
        }
        (StepKind::Cancel, SubscriptionStatus::Suspended) => {
            let at = account.at;
            end(tenant, ports, account, &mut standing, at, "system").await?;
        }
        // It has ended meanwhile: what it owes is given up on by a job of its own. The first rung was taken when the ladder began.
        (StepKind::PastDue | StepKind::Suspend | StepKind::Cancel, _) => {}
    }
    Ok(())
}

/// Tries every open invoice of the subscription again; answers whether anything is being tried.
async fn retry(tenant: &Tenant, ports: &Ports, account: &mut Account, standing: &Standing) -> Result<bool, Error> {
    if standing.row.dunning_hard {
        return Ok(false);
    }
    let mut began = false;
    for invoice in invoices::open(tenant, Some(standing.row.id)).await? {
        let live = invoices::has_live_attempt(tenant, invoice.id).await?;
        if live {
            began = true;
            continue;
        }
        let collecting = attempt(tenant, ports, account, &invoice, standing.row.payment_method_id).await?;
        // What is paid by hand is not tried: the ladder goes on by its dates.
        began |= !matches!(collecting, Collecting::Nothing | Collecting::ByHand);
    }
    Ok(began)
}

/// Writes the job that gives up on what an ended subscription owes.
///
/// # Errors
/// The database's fault.
pub async fn write_off_later(tenant: &Tenant, ports: &Ports, account: &Account, standing: &Standing) -> Result<(), Error> {
    if invoices::open(tenant, Some(standing.row.id)).await?.is_empty() {
        return Ok(());
    }
    let due_at = days_after(account.at, UNCOLLECTIBLE_AFTER_DAYS).map_err(rule)?;
    let key = standing.row.id.to_string();
    let job = NewJob {
        id: ports.ids.next(),
        kind: WRITE_OFF,
        key: &key,
        due_at: due_at.into(),
        clock: ports.test_clock(),
        now: ports.now().into(),
    };
    schedule(tenant, job).await.map(drop)
}

/// Gives up on what an ended subscription owes; it may still be paid.
///
/// # Errors
/// The database's fault.
pub(super) async fn write_off(tenant: &Tenant, ports: &Ports, account: &Account, subscription: SubscriptionId) -> Result<(), Error> {
    let Some(standing) = Standing::lock(tenant, subscription).await?.filter(|found| found.row.status.is_final()) else { return Ok(()) };
    for mut invoice in invoices::open(tenant, Some(standing.row.id)).await? {
        let was = invoice.status;
        give_up_on(tenant, ports, account, &mut invoice).await?;
        let details = json!({ "number": invoice.number, "from": was.as_str(), "to": invoice.status.as_str() });
        let act = Act { action: "invoice.marked_uncollectible", actor: "system", subject: &invoice.id.to_string(), details };
        record(tenant, ports, act).await?;
    }
    Ok(())
}

/// Gives up on what is due on an open invoice; it may still be paid.
///
/// # Errors
/// [`Error::Corrupt`] where it is not open: whoever calls has looked. Or the database's fault.
pub(super) async fn give_up_on(tenant: &Tenant, ports: &Ports, account: &Account, invoice: &mut Invoice) -> Result<(), Error> {
    invoice.status = invoice.status.apply(InvoiceEvent::WrittenOff).map_err(|error| Error::Corrupt(error.to_string().into()))?;
    invoice.next_attempt_at = None;
    invoices::save(tenant, invoice).await?;
    let written_off = (EntryKind::WrittenOff, invoice.id.uuid());
    enter(tenant, ports, account, written_off, given_up(invoice.amount_due_minor)).await?;
    events::emit(tenant, ports, &Event::InvoiceMarkedUncollectible(facts(invoice)?)).await
}
