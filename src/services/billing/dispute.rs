//! Disputes as billing sees them: what a payer's bank takes, gives back or keeps is entered, and what it keeps is credited as a refund is.

use serde_json::json;

use super::account::Account;
use super::collect::schedule_rung;
use super::credit::write_down;
use super::ledger::enter;
use super::refund_note::{creditable, note_over_payment};
use super::renew::bill_due_boundaries;
use super::rule;
use super::standing::{Change, Standing};
use crate::billing::dispute::split_loss;
use crate::billing::dunning::days_before;
use crate::billing::ledger::{EntryKind, dispute_opened, dispute_won, lost_to_dispute};
use crate::billing::lifecycle::{InvoiceStatus, SubscriptionEvent, SubscriptionStatus};
use crate::error::{Error, Failure};
use crate::ids::InvoiceId;
use crate::services::Ports;
use crate::store::Tenant;
use crate::store::disputes::Dispute;
use crate::store::invoices::{CreditNote, Invoice};
use crate::store::payments::Payment;
use crate::store::types::CreditNoteReason;

/// What its line says.
const DESCRIPTION: &str = "Taken back by the payer's bank";
/// The first rung of a ladder that a dispute puts a subscription on: past those of any ladder for what is not paid, so that the keys
/// of their jobs do not meet.
const FIRST_RUNG: i64 = 1_000;

/// Enters that the bank took what is disputed.
///
/// # Errors
/// The database's fault.
pub async fn enter_taken(tenant: &Tenant, ports: &Ports, account: &Account, dispute: &Dispute) -> Result<(), Error> {
    let opened = (EntryKind::DisputeOpened, dispute.payment_id.uuid());
    enter(tenant, ports, account, opened, dispute_opened(dispute.amount_minor)).await
}

/// Enters that the bank gave it back.
///
/// # Errors
/// The database's fault.
pub async fn enter_given_back(tenant: &Tenant, ports: &Ports, account: &Account, dispute: &Dispute) -> Result<(), Error> {
    let won = (EntryKind::DisputeWon, dispute.payment_id.uuid());
    enter(tenant, ports, account, won, dispute_won(dispute.amount_minor)).await
}

/// Issues the credit note of what the bank keeps, as far as the payment and its invoice have it left; answers it, and what nothing can be
/// credited for. The refund is for the caller to write. The locks of business, subscription, invoice and payment are held.
///
/// # Errors
/// The database's fault.
pub async fn credit_for_dispute(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    (invoice, payment): (&Invoice, &Payment),
    dispute: &Dispute,
) -> Result<(Option<CreditNote>, i64), Error> {
    let is_claim = matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Paid | InvoiceStatus::Uncollectible);
    // What it brought where its invoice was settled otherwise is account credit, and is not taken from there.
    if !is_claim {
        return Ok((None, dispute.amount_minor));
    }
    let (left, most_minor) = creditable(tenant, invoice, payment, 1).await?;
    let loss = split_loss(dispute.amount_minor, most_minor).map_err(rule)?;
    if loss.credited_minor == 0 {
        return Ok((None, loss.written_off_minor));
    }
    let (over, why) = ((loss.credited_minor, DESCRIPTION.to_owned()), (CreditNoteReason::Dispute, None));
    let note = match note_over_payment(tenant, ports, account, (invoice, &left), over, why).await {
        Ok(note) => note,
        Err(Failure::Fault(error)) => return Err(error),
        Err(Failure::Refused(_)) => return Err(Error::Corrupt("a dispute is over more than its invoice has left".into())),
    };
    write_down(tenant, ports, &note, "system").await?;
    Ok((Some(note), loss.written_off_minor))
}

/// Enters what nothing could be credited for; nothing where that is zero.
///
/// # Errors
/// The database's fault.
pub async fn enter_loss(tenant: &Tenant, ports: &Ports, account: &Account, invoice: InvoiceId, loss_minor: i64) -> Result<(), Error> {
    enter(tenant, ports, account, (EntryKind::WrittenOff, invoice.uuid()), lost_to_dispute(loss_minor)).await
}

/// Suspends the subscription of an invoice whose payment the bank keeps, where it is ACTIVE or PAST_DUE: its ladder goes on with its end.
///
/// # Errors
/// The database's fault.
pub async fn suspend_for_dispute(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    invoice: &Invoice,
    dispute: &Dispute,
) -> Result<(), Error> {
    let Some(id) = invoice.subscription_id else { return Ok(()) };
    let Some(mut standing) = Standing::lock(tenant, id).await? else { return Ok(()) };
    bill_due_boundaries(tenant, ports, account, &mut standing).await?;
    if !matches!(standing.row.status, SubscriptionStatus::Active | SubscriptionStatus::PastDue) {
        return Ok(());
    }
    let rung = FIRST_RUNG.checked_add(dispute.ordinal).and_then(|rung| i32::try_from(rung).ok());
    standing.apply(SubscriptionEvent::DisputeLost)?;
    standing.row.dunning_invoice_id = Some(invoice.id);
    // Its end is counted from today, as if the last retry had failed now.
    let retries = standing.plan.product.dunning.retry_after_days.last().copied().unwrap_or(0);
    standing.row.dunning_started_at = Some(days_before(account.at, retries).map_err(rule)?.into());
    standing.row.dunning_taken = rung.ok_or_else(|| Error::Corrupt("a business has too many disputes".into()))?;
    standing.row.dunning_hard = true;
    let details = json!({ "dispute": dispute.id.to_string() });
    standing.changed(tenant, ports, account, Change { kind: "suspended", actor: "system", at: account.at, details }).await?;
    schedule_rung(tenant, ports, &standing).await.map(drop)
}
