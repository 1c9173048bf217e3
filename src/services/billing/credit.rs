//! Account credit and credit notes: every movement is an entry with the balance that it leaves.

use serde_json::json;

use super::account::Account;
use super::issue::{credit_note_number, position, shown, tell_if_paid};
use super::ledger::{self, enter};
use super::refund::{RefundPart, total_of};
use super::rule;
use super::standing::Standing;
use crate::billing::collect::{Collection, GatewayAmounts, collect};
use crate::billing::credit::{CreditNote as RuledNote, CreditNotes, Creditable, Destination, place};
use crate::billing::exact::{difference, sum};
use crate::billing::invoice::Line;
use crate::billing::ledger::{CreditNotePosting, EntryKind, credit_note_issued, credit_used, rounded_off};
use crate::billing::lifecycle::InvoiceEvent;
use crate::billing::tax::Tax;
use crate::error::Error;
use crate::ids::{CreditNoteId, InvoiceId, InvoiceLineId, RefundId};
use crate::services::Ports;
use crate::services::audit::{Act, record};
use crate::services::events::{self, CreditNoteFacts, Event};
use crate::services::payments::begin_refunds;
use crate::store::invoices::{CreditEntry, CreditNote, CreditNoteLine, Invoice};
use crate::store::types::{CreditNoteReason, CreditReason, Instant};
use crate::store::{Tenant, invoices, payments, subscriptions};

/// Why account credit moves, and between what.
#[derive(Debug, Clone, Copy)]
pub struct Movement {
    /// Why.
    pub reason: CreditReason,
    /// On which invoice.
    pub invoice: Option<InvoiceId>,
    /// By which credit note.
    pub credit_note: Option<CreditNoteId>,
}

/// Adds `amount_minor` (below zero: takes it) to the account credit.
///
/// # Errors
/// The database's fault: a balance below zero is one.
pub async fn post(tenant: &Tenant, ports: &Ports, account: &mut Account, amount_minor: i64, movement: Movement) -> Result<(), Error> {
    let balance_minor = sum([account.business.balance_minor, amount_minor]).map_err(rule)?;
    let entry = CreditEntry {
        business_id: account.business.business_id,
        id: ports.ids.next(),
        reason: movement.reason,
        currency: account.business.currency,
        amount_minor,
        balance_after_minor: balance_minor,
        invoice_id: movement.invoice,
        credit_note_id: movement.credit_note,
        at: account.instant(),
    };
    invoices::post_credit(tenant, entry).await?;
    account.business.balance_minor = balance_minor;
    Ok(())
}

/// Uses `amount_minor` of the account credit on an invoice; nothing for zero.
///
/// # Errors
/// As [`post`].
pub(super) async fn spend(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    invoice: InvoiceId,
    amount_minor: i64,
) -> Result<(), Error> {
    if amount_minor == 0 {
        return Ok(());
    }
    let used = Movement { reason: CreditReason::AppliedToInvoice, invoice: Some(invoice), credit_note: None };
    post(tenant, ports, account, difference(0, amount_minor).map_err(rule)?, used).await?;
    enter(tenant, ports, account, (EntryKind::CreditUsed, invoice.uuid()), credit_used(amount_minor)).await
}

/// Takes `amount_minor` off what is due, by `on`; an invoice with nothing due is paid.
///
/// # Errors
/// [`Error::Corrupt`] where more is taken than is due.
pub(super) fn take_off(account: &Account, invoice: &mut Invoice, amount_minor: i64, on: fn(&mut Invoice) -> &mut i64) -> Result<(), Error> {
    invoice.amount_due_minor = difference(invoice.amount_due_minor, amount_minor).map_err(rule)?;
    let column = on(invoice);
    *column = sum([*column, amount_minor]).map_err(rule)?;
    if invoice.amount_due_minor < 0 {
        return Err(Error::Corrupt("more is taken off an invoice than is due".into()));
    }
    if invoice.amount_due_minor == 0 {
        invoice.status = invoice.status.apply(InvoiceEvent::Settled).map_err(|error| Error::Corrupt(error.to_string().into()))?;
        invoice.paid_at = Some(account.instant());
    }
    Ok(())
}

/// Uses account credit on the open invoices, the oldest first, but for those that are being paid; answers the
/// invoices that it settled.
///
/// # Errors
/// The database's fault.
pub async fn use_on_open(tenant: &Tenant, ports: &Ports, account: &mut Account) -> Result<Vec<Invoice>, Error> {
    let mut settled = Vec::new();
    if account.business.balance_minor == 0 {
        return Ok(settled);
    }
    for mut invoice in account.open_invoices(tenant).await? {
        let used_minor = account.business.balance_minor.min(invoice.amount_due_minor);
        if used_minor == 0 || invoices::has_live_attempt(tenant, invoice.id).await? {
            continue;
        }
        take_off(account, &mut invoice, used_minor, |invoice| &mut invoice.credit_applied_minor)?;
        invoices::save(tenant, &invoice).await?;
        tell_if_paid(tenant, ports, &invoice).await?;
        spend(tenant, ports, account, invoice.id, used_minor).await?;
        if invoice.amount_due_minor == 0 {
            settled.push(invoice);
        }
    }
    Ok(settled)
}

/// Writes off what is due where it is less than the gateway of the default method takes (without one, than any takes), so that nobody is dunned for what cannot be paid:
/// the rest becomes account credit, and is used on the invoice at once. Answers whether it did.
///
/// # Errors
/// The database's fault.
pub async fn write_off_rest(tenant: &Tenant, ports: &Ports, account: &mut Account, invoice: &mut Invoice) -> Result<bool, Error> {
    let due_minor = invoice.amount_due_minor;
    // What every gateway takes asks nothing of the database.
    if ports.gateways.highest_least(invoice.currency).is_none_or(|least_minor| due_minor >= least_minor) {
        return Ok(false);
    }
    let method = payments::default_method(tenant).await?;
    let by_method = method.and_then(|method| ports.gateways.terms_of(&method.gateway, invoice.currency));
    let Some(terms) = by_method.or_else(|| ports.gateways.most_modest(invoice.currency)) else { return Ok(false) };
    let takes = GatewayAmounts { unit_minor: terms.unit_minor, least_minor: terms.least_minor, most_minor: Some(terms.most_minor) };
    if !matches!(collect(due_minor, &takes).map_err(rule)?, Collection::WriteOff(_)) {
        return Ok(false);
    }
    let given = Movement { reason: CreditReason::Rounding, invoice: Some(invoice.id), credit_note: None };
    post(tenant, ports, account, due_minor, given).await?;
    enter(tenant, ports, account, (EntryKind::RoundedOff, invoice.id.uuid()), rounded_off(due_minor)).await?;
    spend(tenant, ports, account, invoice.id, due_minor).await?;
    take_off(account, invoice, due_minor, |invoice| &mut invoice.credit_applied_minor)?;
    invoices::save(tenant, invoice).await?;
    tell_if_paid(tenant, ports, invoice).await?;
    Ok(true)
}

/// The invoices that charged the running period, the newest first, as rows and as credit notes see them.
#[derive(Debug, Clone)]
pub struct Charging {
    /// The rows.
    pub invoices: Vec<Invoice>,
    /// The same, in the same order.
    pub creditable: Vec<Creditable>,
}

/// Finds the invoices that charged the running period: those with charges of it, or of a period before it that the
/// last renewal opened, since a reset that was settled by a credit has no invoice of its own.
///
/// # Errors
/// The database's fault.
pub async fn charging(tenant: &Tenant, standing: &Standing) -> Result<Charging, Error> {
    let row = &standing.row;
    let periods = subscriptions::periods_from(tenant, row.id, row.charged_from).await?;
    let lines = invoices::charging_lines(tenant, &periods).await?;
    let mut ids: Vec<InvoiceId> = lines.iter().map(|line| line.invoice_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let invoices = invoices::standing(tenant, &ids).await?;
    let notes = invoices::credit_notes(tenant, &ids).await?;
    let creditable = invoices.iter().map(|invoice| {
        let tax = lines.iter().find(|line| line.invoice_id == invoice.id);
        let on_it = || notes.iter().filter(|note| note.invoice_id == invoice.id);
        Ok(Creditable {
            tax: tax.map_or(Tax::NONE, |line| Tax { rate: line.tax_rate, behavior: line.tax_behavior }),
            total_minor: invoice.total_minor,
            tax_minor: invoice.tax_minor,
            credited_total_minor: sum(on_it().map(|note| note.amount_minor)).map_err(rule)?,
            credited_tax_minor: sum(on_it().map(|note| note.tax_minor)).map_err(rule)?,
        })
    });
    let creditable = creditable.collect::<Result<_, Error>>()?;
    Ok(Charging { invoices, creditable })
}

/// How much of these notes would become account credit as things stand. Minor units.
///
/// # Errors
/// The database's fault.
pub async fn to_account_credit(tenant: &Tenant, standing: &Standing, notes: &CreditNotes) -> Result<i64, Error> {
    let open = invoices::open(tenant, Some(standing.row.id)).await?;
    let places = place(&notes.notes, &dues(&open), 0).map_err(rule)?;
    sum(places.iter().map(|place| place.to_credit_minor)).map_err(rule)
}

/// What is due on each.
pub(super) fn dues(open: &[Invoice]) -> Vec<i64> {
    open.iter().map(|invoice| invoice.amount_due_minor).collect()
}

/// What credit notes say beside their figures.
#[derive(Debug, Clone)]
pub struct Credited<'a> {
    /// Why.
    pub reason: CreditNoteReason,
    /// The line that takes the time back.
    pub line: &'a Line,
    /// What it is, in words.
    pub description: String,
    /// What of it gateways pay back; the rest lowers what is due or is account credit.
    pub refund: Vec<RefundPart>,
}

/// Credit notes that were issued, and the refunds that they began.
#[derive(Debug, Clone, Default)]
pub struct IssuedNotes {
    /// The credit notes.
    pub notes: Vec<CreditNote>,
    /// The refunds, which a worker is to send.
    pub refunds: Vec<RefundId>,
}

/// What one credit note says beside its figures.
#[derive(Debug, Clone)]
pub(super) struct Wording {
    /// Why.
    pub(super) reason: CreditNoteReason,
    /// In words, for the customer.
    pub(super) memo: Option<String>,
    /// Its lines, in their order.
    pub(super) lines: Vec<NoteLine>,
}

/// A line of a credit note.
#[derive(Debug, Clone)]
pub(super) struct NoteLine {
    /// In words.
    pub(super) description: String,
    /// The time it covers.
    pub(super) period: (Option<Instant>, Option<Instant>),
    /// What it takes back. Minor units.
    pub(super) amount_minor: i64,
    /// The line of the invoice that it takes back a part of, where it is of one.
    pub(super) invoice_line: Option<InvoiceLineId>,
}

/// Issues credit notes on the invoices that charged: what is to be refunded is begun to be paid back, the rest lowers what is due on
/// the subscription's open invoices, the oldest first, and what is left is account credit.
///
/// # Errors
/// The database's fault.
pub async fn issue_notes(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    standing: &Standing,
    charging: &Charging,
    notes: &CreditNotes,
    credited: &Credited<'_>,
) -> Result<IssuedNotes, Error> {
    let mut open = invoices::open(tenant, Some(standing.row.id)).await?;
    let places = place(&notes.notes, &dues(&open), total_of(&credited.refund)?).map_err(rule)?;
    let mut issued = Vec::with_capacity(places.len());
    for (note, place) in notes.notes.iter().zip(&places) {
        let invoice = charging.invoices.get(note.invoice).ok_or_else(|| Error::Corrupt("a credit note is on no invoice".into()))?;
        let line = NoteLine {
            description: credited.description.clone(),
            period: (Some(credited.line.start.into()), Some(credited.line.end.into())),
            amount_minor: note.net_minor,
            invoice_line: None,
        };
        let wording = Wording { reason: credited.reason, memo: None, lines: vec![line] };
        let made = issue_note(tenant, ports, account, (invoice.id, &mut open), (note, place), wording).await?;
        write_down(tenant, ports, &made, "system").await?;
        issued.push(made);
    }
    let refunds = begin_refunds(tenant, ports, &issued, &credited.refund).await?;
    Ok(IssuedNotes { notes: issued, refunds })
}

/// Issues one credit note on an invoice: what it takes off is taken off `open`, the rest is account credit.
///
/// # Errors
/// The database's fault.
pub(super) async fn issue_note(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    (on, open): (InvoiceId, &mut [Invoice]),
    (note, place): (&RuledNote, &Destination),
    wording: Wording,
) -> Result<CreditNote, Error> {
    let made = insert_note(tenant, ports, account, on, (note, place), wording).await?;
    for &(index, amount_minor) in &place.took_off {
        let due = open.get_mut(index).ok_or_else(|| Error::Corrupt("a credit note lowers no invoice".into()))?;
        ledger::taken_off(tenant, ports, account, (due, due.status), amount_minor).await?;
        take_off(account, due, amount_minor, |invoice| &mut invoice.amount_credited_minor)?;
        invoices::save(tenant, due).await?;
        tell_if_paid(tenant, ports, due).await?;
    }
    if place.to_credit_minor > 0 {
        let granted = Movement { reason: CreditReason::CreditNote, invoice: Some(on), credit_note: Some(made.id) };
        post(tenant, ports, account, place.to_credit_minor, granted).await?;
    }
    Ok(made)
}

/// Writes a credit note that `actor` issued down in the audit trail, and tells of it.
///
/// # Errors
/// The database's fault.
pub async fn write_down(tenant: &Tenant, ports: &Ports, note: &CreditNote, actor: &str) -> Result<(), Error> {
    let details = json!({
        "invoice": note.invoice_id.to_string(), "number": note.number, "reason": note.reason.as_str(), "currency": note.currency.code(),
        "amount_minor": note.amount_minor, "tax_minor": note.tax_minor,
        "took_off_due_minor": note.took_off_due_minor, "to_credit_minor": note.to_credit_minor, "to_refund_minor": note.to_refund_minor,
    });
    record(tenant, ports, Act { action: "credit_note.issued", actor, subject: &note.id.to_string(), details }).await?;
    let shown = |minor| shown(minor, note.currency);
    let facts = CreditNoteFacts {
        credit_note_id: note.id.to_string(),
        number: note.number.clone(),
        invoice_id: note.invoice_id.to_string(),
        reason: note.reason.as_str().to_owned(),
        currency: note.currency.code().to_owned(),
        amount: shown(note.amount_minor)?,
        took_off_due: shown(note.took_off_due_minor)?,
        to_credit: shown(note.to_credit_minor)?,
        to_refund: shown(note.to_refund_minor)?,
    };
    events::emit(tenant, ports, &Event::CreditNoteIssued(facts)).await
}

/// Writes one credit note.
async fn insert_note(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    invoice: InvoiceId,
    (note, place): (&RuledNote, &Destination),
    wording: Wording,
) -> Result<CreditNote, Error> {
    let id: CreditNoteId = ports.ids.next();
    let took_off_minor = sum(place.took_off.iter().map(|&(_, minor)| minor)).map_err(rule)?;
    let row = CreditNote {
        business_id: account.business.business_id,
        id,
        invoice_id: invoice,
        number: credit_note_number(tenant, account, id.uuid()).await?,
        currency: account.business.currency,
        amount_minor: note.total_minor,
        tax_minor: note.tax_minor,
        took_off_due_minor: took_off_minor,
        to_credit_minor: place.to_credit_minor,
        to_refund_minor: place.to_refund_minor,
        reason: wording.reason,
        memo: wording.memo,
        issued_at: account.instant(),
    };
    let lines = wording.lines.into_iter().enumerate().map(|(index, line)| {
        Ok(CreditNoteLine {
            business_id: account.business.business_id,
            id: ports.ids.next(),
            credit_note_id: id,
            position: position(index)?,
            description: line.description,
            period_start: line.period.0,
            period_end: line.period.1,
            amount_minor: line.amount_minor,
            invoice_line_id: line.invoice_line,
        })
    });
    let posting = CreditNotePosting {
        total_minor: row.amount_minor,
        tax_minor: row.tax_minor,
        took_off_minor,
        to_credit_minor: row.to_credit_minor,
        to_refund_minor: row.to_refund_minor,
    };
    let made = invoices::insert_credit_note(tenant, row, lines.collect::<Result<_, Error>>()?).await?;
    enter(tenant, ports, account, (EntryKind::CreditNoteIssued, id.uuid()), credit_note_issued(&posting)).await?;
    Ok(made)
}
