//! Disputes as billing sees them: what a payer's bank takes, gives back or keeps is entered, and what it keeps is credited as a refund is.

use serde_json::json;

use super::account::Account;
use super::collect::schedule_rung;
use super::credit::{write_down, write_off_rest};
use super::draft::issue_drafts;
use super::issue::issue;
use super::ledger::enter;
use super::lines::DraftLine;
use super::refund_note::{creditable, note_over_payment, taxed};
use super::renew::bill_due_boundaries;
use super::rule;
use super::standing::{Change, Standing};
use crate::billing::credit::charged_again;
use crate::billing::dispute::split_loss;
use crate::billing::dunning::days_before;
use crate::billing::exact::Fraction;
use crate::billing::invoice::{Line, LineKind};
use crate::billing::ledger::{EntryKind, dispute_opened, dispute_won, lost_to_dispute};
use crate::billing::lifecycle::{InvoiceStatus, SubscriptionEvent, SubscriptionStatus};
use crate::error::{Error, Failure};
use crate::ids::InvoiceId;
use crate::services::Ports;
use crate::store::disputes::Dispute;
use crate::store::invoices::{CreditNote, Invoice};
use crate::store::payments::Payment;
use crate::store::types::CreditNoteReason;
use crate::store::{Instant, Tenant, invoices};

/// What its line says.
const DESCRIPTION: &str = "Taken back by the payer's bank";
/// What a line of the invoice says that charges it once more, before the number of the one that was paid.
const CLAIM_DESCRIPTION: &str = "Taken back by the payer's bank of what was paid for";

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

/// What a dispute that was lost has left behind.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// The credit note of what the bank keeps; the refund is for the caller to write.
    pub note: Option<CreditNote>,
    /// What nothing could be credited for. Minor units.
    pub loss_minor: i64,
    /// The invoice that charges what was credited once more, of a subscription that runs.
    claim: Option<Invoice>,
}

/// Issues the credit note of what the bank keeps, as far as the payment and its invoice have it left, and charges as much once more where
/// its subscription runs: what was bought is paid by nobody now. The locks of business, subscription, invoice and payment are held.
///
/// # Errors
/// The database's fault.
pub async fn credit_for_dispute(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    (invoice, payment): (&Invoice, &Payment),
    dispute: &Dispute,
) -> Result<Kept, Error> {
    let is_claim = matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Paid | InvoiceStatus::Uncollectible);
    // What it brought where its invoice was settled otherwise is account credit, and is not taken from there.
    if !is_claim {
        return Ok(Kept { loss_minor: dispute.amount_minor, ..Kept::default() });
    }
    let (left, most_minor) = creditable(tenant, invoice, payment, 1).await?;
    let loss = split_loss(dispute.amount_minor, most_minor).map_err(rule)?;
    if loss.credited_minor == 0 {
        return Ok(Kept { loss_minor: loss.written_off_minor, ..Kept::default() });
    }
    // Invoices are numbered before credit notes, as everywhere.
    let claim = charge_again(tenant, ports, account, invoice, loss.credited_minor).await?;
    let (over, why) = ((loss.credited_minor, DESCRIPTION.to_owned()), (CreditNoteReason::Dispute, None));
    let note = match note_over_payment(tenant, ports, account, (invoice, &left), over, why).await {
        Ok(note) => note,
        Err(Failure::Fault(error)) => return Err(error),
        Err(Failure::Refused(_)) => return Err(Error::Corrupt("a dispute is over more than its invoice has left".into())),
    };
    write_down(tenant, ports, &note, "system").await?;
    Ok(Kept { note: Some(note), loss_minor: loss.written_off_minor, claim })
}

/// The subscription of an invoice, locked, with all billed that was due; `None` where there is none that runs.
async fn running(tenant: &Tenant, ports: &Ports, account: &mut Account, invoice: &Invoice) -> Result<Option<Standing>, Error> {
    use SubscriptionStatus::{Active, PastDue, Suspended};
    let Some(id) = invoice.subscription_id else { return Ok(None) };
    let Some(mut standing) = Standing::lock(tenant, id).await? else { return Ok(None) };
    bill_due_boundaries(tenant, ports, account, &mut standing).await?;
    Ok(Some(standing).filter(|standing| matches!(standing.row.status, Active | PastDue | Suspended)))
}

/// Issues the invoice that charges so much of another one once more. It is due at once, and no method is charged for it unasked.
async fn charge_again(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    invoice: &Invoice,
    amount_minor: i64,
) -> Result<Option<Invoice>, Error> {
    let Some(mut standing) = running(tenant, ports, account, invoice).await? else { return Ok(None) };
    Box::pin(issue_drafts(tenant, ports, account, &mut standing)).await?;
    let lines = invoices::lines(tenant, invoice.id).await?;
    let charges_running = lines.iter().any(|line| line.period_id == Some(standing.period.id));
    let description = format!("{CLAIM_DESCRIPTION} {}", invoice.number.as_deref().unwrap_or_default());
    let priced = charged_again(amount_minor, invoice.total_minor, &taxed(tenant, invoice).await?).map_err(rule)?;
    let drafts = priced.into_iter().map(|(tax, amount_minor)| {
        let line = Line {
            kind: LineKind::OneOff,
            start: lines.iter().filter_map(|line| line.period_start).min().map_or(account.at, Instant::get),
            end: lines.iter().filter_map(|line| line.period_end).max().map_or(account.at, Instant::get),
            fraction: Fraction::WHOLE,
            unit_price_minor: amount_minor,
            amount_minor,
            discount_minor: 0,
            tax,
        };
        // It takes the place of what charged the running period: that is what a later change credits.
        DraftLine::new(line, description.clone(), charges_running.then_some(standing.period.id))
    });
    let drafts = drafts.collect();
    issue(tenant, ports, account, standing.row.id, drafts, None).await
}

/// Enters what nothing could be credited for; nothing where that is zero.
///
/// # Errors
/// The database's fault.
pub async fn enter_loss(tenant: &Tenant, ports: &Ports, account: &Account, invoice: InvoiceId, loss_minor: i64) -> Result<(), Error> {
    enter(tenant, ports, account, (EntryKind::WrittenOff, invoice.uuid()), lost_to_dispute(loss_minor)).await
}

/// Suspends the subscription of an invoice whose payment the bank keeps until what is charged once more is settled, where it is ACTIVE or
/// PAST_DUE: its ladder goes on with its end. Where account credit has paid for it, or so little is due that no gateway takes it, it goes
/// on.
///
/// # Errors
/// The database's fault.
pub async fn suspend_for_dispute(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    (invoice, kept): (&Invoice, Kept),
    dispute: &Dispute,
) -> Result<(), Error> {
    let Some(mut claim) = kept.claim else { return Ok(()) };
    if claim.amount_due_minor == 0 || write_off_rest(tenant, ports, account, &mut claim).await? {
        return Ok(());
    }
    let Some(mut standing) = running(tenant, ports, account, invoice).await? else { return Ok(()) };
    if standing.row.status == SubscriptionStatus::Suspended {
        // It waits for this one too.
        return Ok(());
    }
    standing.apply(SubscriptionEvent::DisputeLost)?;
    standing.row.dunning_invoice_id = Some(claim.id);
    // Its end is counted from today, as if the last retry had failed now.
    let retries = standing.plan.product.dunning.retry_after_days.last().copied().unwrap_or(0);
    standing.row.dunning_started_at = Some(days_before(account.at, retries).map_err(rule)?.into());
    standing.row.dunning_taken = 1;
    standing.row.dunning_hard = true;
    let details = json!({ "dispute": dispute.id.to_string(), "invoice": claim.id.to_string() });
    standing.changed(tenant, ports, account, Change { kind: "suspended", actor: "system", at: account.at, details }).await?;
    schedule_rung(tenant, ports, &standing).await.map(drop)
}
