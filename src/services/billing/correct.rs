//! Corrections that staff make to an invoice, and what they do to its subscription. What an invoice says never changes: it
//! is called off, given up on, or a credit note takes a part of it back.

use super::account::Account;
use super::collect::give_up_on;
use super::credit::{NoteLine, Wording, charging, dues, issue_note};
use super::end::expire;
use super::issue::void;
use super::lines::minor_of;
use super::refund::{RefundPart, Taken, total_of};
use super::rule;
use super::settle::follow_up;
use super::standing::Standing;
use crate::billing::credit::{Left, note_on_lines, place, refundable_of_note};
use crate::billing::exact::{difference, sum};
use crate::billing::invoice::LineKind;
use crate::billing::lifecycle::{InvoiceStatus, SubscriptionStatus};
use crate::billing::proration::PeriodPrice;
use crate::billing::tax::Tax;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::{InvoiceId, InvoiceLineId, RefundId};
use crate::services::Ports;
use crate::services::payments::begin_refunds;
use crate::store::invoices::{CreditNote, CreditNoteLine, Invoice, InvoiceLine};
use crate::store::types::CreditNoteReason;
use crate::store::{Tenant, invoices};

/// Calls an invoice off. A subscription that waits for it to begin has expired; one that it kept from being well goes on.
/// The locks of business, subscription and invoice are held, and what was due of the subscription is billed.
///
/// # Errors
/// Those of [`void`].
pub async fn void_invoice(tenant: &Tenant, ports: &Ports, account: &mut Account, invoice: &mut Invoice, actor: &str) -> Outcome<()> {
    void(tenant, ports, account, invoice).await?;
    let Some(mut standing) = standing_of(tenant, invoice).await? else { return Ok(follow_up(tenant, ports, account, None).await?) };
    if standing.row.status == SubscriptionStatus::Incomplete {
        expire(tenant, ports, account, &mut standing, actor).await?;
        return Ok(follow_up(tenant, ports, account, None).await?);
    }
    follow_up(tenant, ports, account, invoice.subscription_id).await?;
    // Read again: it may have gone on.
    match standing_of(tenant, invoice).await? {
        Some(mut standing) => Ok(uncharge(tenant, ports, account, &mut standing, invoice).await?),
        None => Ok(()),
    }
}

/// The subscription of an invoice, locked.
async fn standing_of(tenant: &Tenant, invoice: &Invoice) -> Result<Option<Standing>, Error> {
    match invoice.subscription_id {
        Some(id) => Standing::lock(tenant, id).await,
        None => Ok(None),
    }
}

/// Where the void invoice charged the running period, that is charged what was charged before it: what its first line took
/// back, or nothing. Otherwise a later change would credit time that nobody is charged for. A change that was billed
/// since then stands on this one, and leaves things as they are.
async fn uncharge(tenant: &Tenant, ports: &Ports, account: &Account, standing: &mut Standing, invoice: &Invoice) -> Result<(), Error> {
    let lines = invoices::lines(tenant, invoice.id).await?;
    let Some(first) = lines.iter().find(|line| line.period_id == Some(standing.period.id)) else { return Ok(()) };
    let others = charging(tenant, standing).await?;
    if others.invoices.iter().any(|other| other.issued_at > invoice.issued_at) {
        return Ok(());
    }
    let before = match first.kind {
        LineKind::ProrationCredit => {
            Some(PeriodPrice { price_minor: minor_of(first.unit_price, account)?, tax: tax_of(first), discount: None })
        }
        _ => None,
    };
    standing.set_charged(before);
    standing.save(tenant, ports, account).await
}

/// What a line is taxed at.
const fn tax_of(line: &InvoiceLine) -> Tax {
    Tax { rate: line.tax_rate, behavior: line.tax_behavior }
}

/// Gives up on what is due on an open invoice; it may still be paid. A subscription that it kept from being well goes on; one
/// that waits for it to begin waits on. The locks are those of [`void_invoice`].
///
/// # Errors
/// INVALID_TRANSITION where it is not open; or the database's fault.
pub async fn mark_uncollectible(tenant: &Tenant, ports: &Ports, account: &mut Account, invoice: &mut Invoice) -> Outcome<()> {
    if invoice.status != InvoiceStatus::Open {
        let sentence = format!("An invoice that is {} cannot be given up on.", invoice.status.as_str());
        return Err(UserError::at("invoiceId", UserErrorCode::InvalidTransition, sentence).into());
    }
    give_up_on(tenant, ports, account, invoice).await?;
    Ok(follow_up(tenant, ports, account, invoice.subscription_id).await?)
}

/// A part of an invoice's line to take back.
#[derive(Debug, Clone, Copy)]
pub struct LineCredit {
    /// The line; `None` for an id that names none.
    pub line: Option<InvoiceLineId>,
    /// As it was priced, without exclusive tax. Minor units, above zero.
    pub amount_minor: i64,
}

/// A credit note on lines of an invoice.
#[derive(Debug, Clone)]
pub struct OnLines {
    /// What is taken back.
    pub lines: Vec<LineCredit>,
    /// Why.
    pub reason: CreditNoteReason,
    /// In words, for the customer.
    pub memo: Option<String>,
    /// Whether what gateways took is paid back.
    pub is_refunded: bool,
}

/// Issues a credit note on lines of an invoice. It lowers what is due on that invoice first, then on the subscription's other
/// open ones, the oldest first; the rest is account credit. Where it is to be refunded, what gateways took for the invoice and is not
/// due on it is paid back before the other invoices are lowered. The locks are those of [`void_invoice`].
///
/// # Errors
/// INVALID_TRANSITION for an invoice that is no claim; NOT_FOUND for a line that is not on it, TOO_LARGE past what is left of a
/// line or of the invoice, each with its place in `lines`; or the database's fault.
pub async fn credit_on_lines(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    invoice: Invoice,
    asked: OnLines,
) -> Outcome<(CreditNote, Vec<RefundId>)> {
    if !matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Paid | InvoiceStatus::Uncollectible) {
        let sentence = format!("An invoice that is {} cannot be credited.", invoice.status.as_str());
        return Err(UserError::at("invoiceId", UserErrorCode::InvalidTransition, sentence).into());
    }
    let notes = invoices::credit_notes(tenant, &[invoice.id]).await?;
    let before = invoices::credit_note_lines(tenant, &notes.iter().map(|note| note.id).collect::<Vec<_>>()).await?;
    let (id, subscription) = (invoice.id, invoice.subscription_id);
    let credited = credited_lines(&invoices::lines(tenant, id).await?, &before, &asked.lines)?;
    let amounts: Vec<(Tax, i64)> = credited.iter().map(|(tax, line)| (*tax, line.amount_minor)).collect();
    let note = note_on_lines(&amounts, &left_of(&invoice, &notes, &before)?).map_err(rule)?;
    let sentence = "This is more than the invoice's total less its credit notes.";
    let note = note.ok_or_else(|| UserError::at("lines", UserErrorCode::TooLarge, sentence))?;
    let refund = if asked.is_refunded { paid_back(tenant, ports, &invoice, note.total_minor).await? } else { Vec::new() };
    let mut open = lowered(tenant, invoice).await?;
    let places = place(&[note], &dues(&open), total_of(&refund)?).map_err(rule)?;
    let place = places.first().ok_or_else(|| Error::Corrupt("a credit note goes nowhere".into()))?;
    let wording = Wording { reason: asked.reason, memo: asked.memo, lines: credited.into_iter().map(|(_, line)| line).collect() };
    let made = issue_note(tenant, ports, account, (id, &mut open), (&note, place), wording).await?;
    let refunds = begin_refunds(tenant, ports, std::slice::from_ref(&made), &refund).await?;
    follow_up(tenant, ports, account, subscription).await?;
    Ok((made, refunds))
}

/// What of a credit note over `note_minor` on an invoice is paid back, and out of which payments.
async fn paid_back(tenant: &Tenant, ports: &Ports, invoice: &Invoice, note_minor: i64) -> Result<Vec<RefundPart>, Error> {
    let taken = Taken::for_invoices(tenant, &[invoice.id]).await?;
    let due_minor = if invoice.status.is_payable() { invoice.amount_due_minor } else { 0 };
    let refund_minor = refundable_of_note(note_minor, due_minor, invoice.amount_paid_minor, taken.refunded_minor()?).map_err(rule)?;
    taken.split(ports, refund_minor)
}

/// The invoices that a credit note on `invoice` lowers, in their order: that one, and the subscription's other open ones.
async fn lowered(tenant: &Tenant, invoice: Invoice) -> Result<Vec<Invoice>, Error> {
    let others = match invoice.subscription_id {
        Some(subscription) => invoices::open(tenant, Some(subscription)).await?,
        None => Vec::new(),
    };
    let own: InvoiceId = invoice.id;
    let mut open: Vec<Invoice> = others.into_iter().filter(|other| other.id != own).collect();
    if invoice.status.is_payable() {
        open.insert(0, invoice);
    }
    Ok(open)
}

/// What an invoice has left for a credit note.
pub(super) fn left_of(invoice: &Invoice, notes: &[CreditNote], lines: &[CreditNoteLine]) -> Result<Left, Error> {
    let credited = sum(notes.iter().map(|note| note.amount_minor)).map_err(rule)?;
    let tax = sum(notes.iter().map(|note| note.tax_minor)).map_err(rule)?;
    // A note's lines are without exclusive tax: what it comes to beyond them is that.
    let on_top = difference(credited, sum(lines.iter().map(|line| line.amount_minor)).map_err(rule)?).map_err(rule)?;
    let total_minor = difference(invoice.total_minor, credited).map_err(rule)?;
    let tax_minor = difference(invoice.tax_minor, tax).map_err(rule)?;
    let exclusive = difference(invoice.exclusive_tax_minor, on_top).map_err(rule)?;
    Ok(Left { total_minor, tax_minor, exclusive_tax_minor: exclusive.min(tax_minor).min(total_minor).max(0) })
}

/// The lines of a credit note, each with what its line of the invoice was taxed at.
fn credited_lines(of_invoice: &[InvoiceLine], before: &[CreditNoteLine], asked: &[LineCredit]) -> Outcome<Vec<(Tax, NoteLine)>> {
    let mut taken: Vec<(InvoiceLineId, i64)> = before.iter().filter_map(|line| Some((line.invoice_line_id?, line.amount_minor))).collect();
    let mut made = Vec::with_capacity(asked.len());
    for (place, credit) in asked.iter().enumerate() {
        let at = |field: &'static str, code, message: &str| {
            let field = vec!["lines".into(), place.to_string().into(), field.into()];
            UserError { code, message: message.to_owned(), field }
        };
        let line = of_invoice.iter().find(|line| Some(line.id) == credit.line);
        let line = line.ok_or_else(|| at("invoiceLineId", UserErrorCode::NotFound, "The invoice has no such line."))?;
        let credited = sum(taken.iter().filter(|(id, _)| *id == line.id).map(|&(_, minor)| minor)).map_err(rule)?;
        let priced = difference(line.amount_minor, line.discount_minor).map_err(rule)?;
        if credit.amount_minor > difference(priced, credited).map_err(rule)? {
            return Err(at("amount", UserErrorCode::TooLarge, "This is more than is left of the line.").into());
        }
        taken.push((line.id, credit.amount_minor));
        let note_line = NoteLine {
            description: line.description.clone(),
            period: (line.period_start, line.period_end),
            amount_minor: credit.amount_minor,
            invoice_line: Some(line.id),
        };
        made.push((tax_of(line), note_line));
    }
    Ok(made)
}
