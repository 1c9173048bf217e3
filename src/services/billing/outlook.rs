//! What lies ahead of what is not paid: the attempts that are still made, and what becomes of the subscription when all of them fail. Read
//! where people are told of it; nothing is decided here.

use jiff::{SignedDuration, Timestamp};

use super::collect::rungs_of;
use super::incomplete::given_up_at;
use super::standing::Standing;
use crate::billing::dunning::StepKind;
use crate::billing::lifecycle::{PaymentStatus, SubscriptionStatus};
use crate::error::Error;
use crate::ids::{InvoiceId, SubscriptionId};
use crate::store::invoices::Invoice;
use crate::store::{Tenant, invoices, payments, subscriptions};

/// What lies no further apart was written by one transaction, which reads the clock more than once.
const SAME_TIME: SignedDuration = SignedDuration::from_mins(1);

/// What lies ahead of a subscription, or of an invoice of it, where nobody pays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ahead {
    /// When payment is tried again.
    pub retries: Vec<Timestamp>,
    /// When access ends.
    pub suspended_at: Option<Timestamp>,
    /// When the subscription ends whose access has ended.
    pub canceled_at: Option<Timestamp>,
    /// Until when a customer who pushes the money has time for it.
    pub due_at: Option<Timestamp>,
    /// When a first invoice is given up on, and the subscription with it.
    pub given_up_at: Option<Timestamp>,
}

/// What lies ahead of an invoice from `now` on; nothing where it is settled or called off, or its subscription has ended.
///
/// # Errors
/// The database's fault.
pub async fn ahead_of_invoice(tenant: &Tenant, id: InvoiceId, now: Timestamp) -> Result<Ahead, Error> {
    let invoice = invoices::find(tenant, id).await?.filter(|invoice| invoice.status.is_payable());
    let Some((invoice, subscription)) = invoice.and_then(|invoice| invoice.subscription_id.map(|id| (invoice, id))) else {
        return Ok(Ahead::default());
    };
    let Some(row) = subscriptions::find(tenant, subscription).await? else { return Ok(Ahead::default()) };
    if row.status == SubscriptionStatus::Incomplete {
        return Ok(Ahead { given_up_at: Some(given_up_at(tenant, &row, &invoice).await?), ..Ahead::default() });
    }
    let on_ladder = of_standing(&Standing::of(tenant, row).await?, now)?;
    if on_ladder == Ahead::default() {
        return Ok(Ahead { due_at: not_yet_due(&invoice, now), ..Ahead::default() });
    }
    Ok(on_ladder)
}

/// What lies ahead of a subscription that is past due, with the invoice that began its ladder; `None` where it is not so any more, or
/// where an attempt that failed began it: that was told of.
///
/// # Errors
/// The database's fault.
pub async fn ahead_of_past_due(tenant: &Tenant, id: SubscriptionId, now: Timestamp) -> Result<Option<(Ahead, Invoice)>, Error> {
    let row = subscriptions::find(tenant, id).await?.filter(|row| row.status == SubscriptionStatus::PastDue);
    let Some((row, (began, started))) = row.and_then(|row| row.dunning_invoice_id.zip(row.dunning_started_at).map(|ladder| (row, ladder)))
    else {
        return Ok(None);
    };
    let last = payments::last_attempt(tenant, began).await?;
    let at_its_end = |payment: &payments::Payment| payment.updated_at.get().saturating_add(SAME_TIME).is_ok_and(|at| started.get() <= at);
    if last.is_some_and(|payment| payment.status == PaymentStatus::Failed && at_its_end(&payment)) {
        return Ok(None);
    }
    let Some(invoice) = invoices::find(tenant, began).await?.filter(|invoice| invoice.status.is_payable()) else { return Ok(None) };
    Ok(Some((of_standing(&Standing::of(tenant, row).await?, now)?, invoice)))
}

/// What lies ahead of a subscription on its ladder, with its open invoices; `None` where it is not suspended.
///
/// # Errors
/// The database's fault.
pub async fn ahead_of_suspended(tenant: &Tenant, id: SubscriptionId, now: Timestamp) -> Result<Option<(Ahead, Vec<Invoice>)>, Error> {
    let row = subscriptions::find(tenant, id).await?.filter(|row| row.status == SubscriptionStatus::Suspended);
    let Some(row) = row else { return Ok(None) };
    let open = invoices::open(tenant, Some(id)).await?;
    Ok(Some((of_standing(&Standing::of(tenant, row).await?, now)?, open)))
}

/// The rungs of a subscription's ladder that are still to come.
fn of_standing(standing: &Standing, now: Timestamp) -> Result<Ahead, Error> {
    let mut ahead = Ahead::default();
    for step in rungs_of(standing)?.into_iter().filter(|step| step.at > now) {
        match step.kind {
            StepKind::Retry(_) if !standing.row.dunning_hard => ahead.retries.push(step.at),
            StepKind::Suspend => ahead.suspended_at = Some(step.at),
            // Of what has access still its end is too far to be told of.
            StepKind::Cancel if standing.row.status == SubscriptionStatus::Suspended => ahead.canceled_at = Some(step.at),
            StepKind::PastDue | StepKind::Retry(_) | StepKind::Cancel => {}
        }
    }
    Ok(ahead)
}

/// Until when whoever pushes the money has time, where that is still to come.
fn not_yet_due(invoice: &Invoice, now: Timestamp) -> Option<Timestamp> {
    invoice.due_at.filter(|due| now < due.get()).map(crate::store::Instant::get)
}
