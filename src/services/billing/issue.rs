//! Issuing: lines become a numbered invoice with its totals, its tax, the account credit it uses, and copies of who
//! sells and who is billed. Voiding takes one back.

use serde_json::json;

use super::account::Account;
use super::credit::{Movement, post, spend};
use super::ledger::{self, enter};
use super::lines::DraftLine;
use super::rule;
use crate::billing::credit::given_back;
use crate::billing::exact::{difference, sum};
use crate::billing::invoice::{Totals, totals};
use crate::billing::ledger::{EntryKind, invoice_issued, invoice_voided};
use crate::billing::lifecycle::{InvoiceEvent, InvoiceStatus};
use crate::billing::tax::TaxBehavior;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::{InvoiceId, SubscriptionId};
use crate::money::{Currency, Money};
use crate::services::Ports;
use crate::services::audit::{Act, record};
use crate::services::events::{self, Event, InvoiceFacts};
use crate::store::invoices::{Invoice, InvoiceLine, InvoiceTax, next_number};
use crate::store::types::CreditReason;
use crate::store::{Tenant, invoices, subscriptions};

/// The number of a document as it is printed. A prefix is a series of its own.
async fn numbered(tenant: &Tenant, account: &Account, series: &str, document: uuid::Uuid) -> Result<String, Error> {
    let year = account.seller_zone.date_of(account.at).year();
    let number = next_number(tenant, series, year.into(), document).await?;
    Ok(format!("{series}-{year}-{number:06}"))
}

/// The number of a credit note.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] before a catalogue was seeded.
pub(super) async fn credit_note_number(tenant: &Tenant, account: &Account, document: uuid::Uuid) -> Result<String, Error> {
    numbered(tenant, account, &account.seller()?.credit_note_prefix, document).await
}

/// Issues an invoice of the subscription's lines that wait and of `own`; `None` where there is none to pay for. The
/// business's row is locked.
///
/// # Errors
/// The database's fault.
pub async fn bill(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    subscription: SubscriptionId,
    own: Vec<DraftLine>,
) -> Result<Option<Invoice>, Error> {
    let mut drafts = waiting(tenant, account, subscription).await?;
    let some_waited = !drafts.is_empty();
    drafts.extend(own.iter().cloned());
    let Some(invoice) = issue(tenant, ports, account, subscription, drafts, None).await? else {
        // Credits that outweigh what is charged now wait with it for an invoice that can carry them.
        let waits = own.iter().filter(|draft| draft.line.amount_minor != 0).map(|draft| draft.to_wait(ports, account, subscription));
        subscriptions::insert_pending_lines(tenant, waits.collect()).await?;
        return Ok(None);
    };
    if some_waited {
        subscriptions::take_pending_lines(tenant, subscription, invoice.id).await?;
    }
    Ok(Some(invoice))
}

/// The lines that wait for the subscription's next invoice.
///
/// # Errors
/// The database's fault.
pub async fn waiting(tenant: &Tenant, account: &Account, subscription: SubscriptionId) -> Result<Vec<DraftLine>, Error> {
    let rows = subscriptions::pending_lines(tenant, subscription).await?;
    rows.iter().map(|row| DraftLine::waited(row, account)).collect()
}

/// The totals of an invoice of these lines, of which `credit_minor` of account credit pays. Without a line that is not zero there is
/// none, nor where more is credited than charged.
///
/// # Errors
/// [`Error::Corrupt`] past every limit.
pub(super) fn totals_of(drafts: &[DraftLine], credit_minor: i64) -> Result<Option<Totals>, Error> {
    if drafts.iter().all(|draft| draft.line.amount_minor == 0) {
        return Ok(None);
    }
    let totals = totals(drafts.iter().map(|draft| draft.line).collect(), credit_minor).map_err(rule)?;
    Ok((totals.total_minor >= 0).then_some(totals))
}

/// Issues an invoice of these lines, or the draft that stands for it. Without a line that is not zero there is none; one with nothing
/// due is paid.
///
/// # Errors
/// The database's fault.
pub(super) async fn issue(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    subscription: SubscriptionId,
    drafts: Vec<DraftLine>,
    draft: Option<Invoice>,
) -> Result<Option<Invoice>, Error> {
    let Some(totals) = totals_of(&drafts, account.business.balance_minor)? else { return Ok(None) };
    let id: InvoiceId = draft.as_ref().map_or_else(|| ports.ids.next(), |draft| draft.id);
    let issued = (EntryKind::InvoiceIssued, id.uuid());
    enter(tenant, ports, account, issued, invoice_issued(totals.total_minor, totals.tax_minor)).await?;
    // From here to the commit nobody else is given a number of the series: what needs none stands before.
    let number = numbered(tenant, account, &account.seller()?.invoice_prefix, id.uuid()).await?;
    let row = Invoice { number: Some(number), ..invoice_row(account, id, subscription, &totals)? };
    let lines = line_rows(ports, account, id, &drafts, &totals)?;
    let taxes = tax_rows(ports, account, id, &totals)?;
    let invoice = match draft {
        Some(draft) => invoices::replace(tenant, Invoice { created_at: draft.created_at, ..row }, lines, taxes).await?,
        None => invoices::insert(tenant, row, lines, taxes).await?,
    };
    spend(tenant, ports, account, id, totals.credit_applied_minor).await?;
    let details = json!({
        "number": invoice.number, "currency": invoice.currency.code(), "total_minor": invoice.total_minor, "tax_minor": invoice.tax_minor,
        "credit_applied_minor": invoice.credit_applied_minor, "amount_due_minor": invoice.amount_due_minor,
    });
    record(tenant, ports, Act { action: "invoice.issued", actor: "system", subject: &id.to_string(), details }).await?;
    events::emit(tenant, ports, &Event::InvoiceIssued(facts(&invoice)?)).await?;
    tell_if_paid(tenant, ports, &invoice).await?;
    Ok(Some(invoice))
}

/// Tells that an invoice is paid, where it is: after whatever took the last of it off.
///
/// # Errors
/// The database's fault.
pub(super) async fn tell_if_paid(tenant: &Tenant, ports: &Ports, invoice: &Invoice) -> Result<(), Error> {
    if invoice.status == InvoiceStatus::Paid {
        events::emit(tenant, ports, &Event::InvoicePaid(facts(invoice)?)).await?;
    }
    Ok(())
}

/// An amount, for an event.
///
/// # Errors
/// [`Error::Corrupt`] past every limit.
pub(super) fn shown(minor: i64, currency: Currency) -> Result<String, Error> {
    Money::new(minor, currency).map(Money::amount).map_err(|_| Error::Corrupt("an amount is too large".into()))
}

/// An invoice, for an event.
///
/// # Errors
/// As [`shown`].
pub(super) fn facts(invoice: &Invoice) -> Result<InvoiceFacts, Error> {
    Ok(InvoiceFacts {
        invoice_id: invoice.id.to_string(),
        number: invoice.number.clone().unwrap_or_default(),
        subscription_id: invoice.subscription_id.map(|id| id.to_string()),
        status: invoice.status.as_str().to_owned(),
        currency: invoice.currency.code().to_owned(),
        total: shown(invoice.total_minor, invoice.currency)?,
        amount_due: shown(invoice.amount_due_minor, invoice.currency)?,
    })
}

/// The invoice's own row, still without a number. Once it is issued it never changes but in what is paid and credited.
///
/// # Errors
/// [`Error::Corrupt`] before a catalogue was seeded, or past every limit.
pub(super) fn invoice_row(account: &Account, id: InvoiceId, subscription: SubscriptionId, totals: &Totals) -> Result<Invoice, Error> {
    let (seller, business) = (account.seller()?, &account.business);
    let on_top = totals.taxes.iter().filter(|tax| tax.tax.behavior == TaxBehavior::Exclusive).map(|tax| tax.amount_minor);
    let is_settled = totals.amount_due_minor == 0;
    Ok(Invoice {
        business_id: business.business_id,
        id,
        subscription_id: Some(subscription),
        number: None,
        status: if is_settled { InvoiceStatus::Paid } else { InvoiceStatus::Open },
        currency: business.currency,
        seller: json!({
            "name": seller.name, "tax_id": seller.tax_id, "address_line": seller.address_line,
            "city": seller.city, "postal_code": seller.postal_code, "country": seller.country,
        })
        .to_string(),
        billed_to: json!({
            "name": business.business_name, "address_line": business.address_line, "city": business.city,
            "postal_code": business.postal_code, "country": business.country,
        })
        .to_string(),
        // Sealed for its place in the business's row, and opened as such.
        billed_tax_id_sealed: business.tax_id_sealed.clone(),
        subtotal_minor: totals.subtotal_minor,
        discount_minor: totals.discount_minor,
        tax_minor: totals.tax_minor,
        total_minor: totals.total_minor,
        credit_applied_minor: totals.credit_applied_minor,
        amount_paid_minor: 0,
        amount_credited_minor: 0,
        amount_due_minor: totals.amount_due_minor,
        exclusive_tax_minor: sum(on_top).map_err(rule)?,
        attempts: 0,
        next_attempt_at: None,
        issued_at: Some(account.instant()),
        due_at: Some(account.instant()),
        paid_at: is_settled.then(|| account.instant()),
        voided_at: None,
        created_at: account.instant(),
        draft_until: None,
        draft_plan_id: None,
        draft_plan_version: None,
        draft_tax_behavior: None,
    })
}

/// The rows of its lines.
///
/// # Errors
/// [`Error::Corrupt`] for more lines than can be.
pub(super) fn line_rows(
    ports: &Ports,
    account: &Account,
    invoice: InvoiceId,
    drafts: &[DraftLine],
    totals: &Totals,
) -> Result<Vec<InvoiceLine>, Error> {
    let rows = drafts.iter().zip(&totals.lines).enumerate().map(|(index, (draft, taxed))| {
        Ok(InvoiceLine {
            business_id: account.business.business_id,
            id: ports.ids.next(),
            invoice_id: invoice,
            position: position(index)?,
            kind: draft.line.kind,
            description: draft.description.clone(),
            period_start: Some(draft.line.start.into()),
            period_end: Some(draft.line.end.into()),
            quantity: draft.quantity,
            unit_price: draft.unit_price(account),
            amount_minor: draft.line.amount_minor,
            discount_minor: draft.line.discount_minor,
            tax_minor: taxed.tax_minor,
            tax_rate: draft.line.tax.rate,
            tax_behavior: draft.line.tax.behavior,
            period_id: draft.period,
        })
    });
    rows.collect()
}

/// The rows of its taxes.
///
/// # Errors
/// As [`line_rows`].
pub(super) fn tax_rows(ports: &Ports, account: &Account, invoice: InvoiceId, totals: &Totals) -> Result<Vec<InvoiceTax>, Error> {
    let rows = totals.taxes.iter().enumerate().map(|(index, tax)| {
        Ok(InvoiceTax {
            business_id: account.business.business_id,
            id: ports.ids.next(),
            invoice_id: invoice,
            position: position(index)?,
            name: account.tax_name().to_owned(),
            rate: tax.tax.rate,
            behavior: tax.tax.behavior,
            taxable_minor: tax.taxable_minor,
            amount_minor: tax.amount_minor,
        })
    });
    rows.collect()
}

/// A place in a list, from 1.
pub(super) fn position(index: usize) -> Result<i32, Error> {
    i32::try_from(index).ok().and_then(|index| index.checked_add(1)).ok_or_else(|| Error::Corrupt("an invoice has too many lines".into()))
}

/// Calls an invoice off: nothing of it is owed any more, and what had lowered what was due on it is given back: the account
/// credit that it used, what was paid of it, and credit notes on other invoices.
///
/// # Errors
/// PAYMENT_IN_PROGRESS while an attempt may still charge it, INVALID_TRANSITION where it is settled, or where a credit note
/// on it lowered another invoice; the database's fault.
pub async fn void(tenant: &Tenant, ports: &Ports, account: &mut Account, invoice: &mut Invoice) -> Outcome<()> {
    if invoices::has_live_attempt(tenant, invoice.id).await? {
        let sentence = "A payment of the invoice is under way; wait until it is settled.";
        return Err(UserError::new(UserErrorCode::PaymentInProgress, sentence).into());
    }
    let (was, due_minor) = (invoice.status, invoice.amount_due_minor);
    let status = was.apply(InvoiceEvent::Voided);
    invoice.status = status.map_err(|error| UserError::new(UserErrorCode::InvalidTransition, error.to_string()))?;
    let notes = invoices::credit_notes(tenant, &[invoice.id]).await?;
    let credited_minor = sum(notes.iter().map(|note| note.amount_minor)).map_err(rule)?;
    let credited_tax_minor = sum(notes.iter().map(|note| note.tax_minor)).map_err(rule)?;
    let back_minor = given_back(invoice.total_minor, due_minor, credited_minor).map_err(rule)?;
    let sentence = "A credit note on the invoice has lowered another one; credit the rest of it instead.";
    let back_minor = back_minor.ok_or_else(|| UserError::new(UserErrorCode::InvalidTransition, sentence))?;
    ledger::taken_off(tenant, ports, account, (invoice, was), due_minor).await?;
    invoice.amount_due_minor = 0;
    invoice.next_attempt_at = None;
    invoice.voided_at = Some(account.instant());
    invoices::save(tenant, invoice).await?;
    let total_minor = difference(invoice.total_minor, credited_minor).map_err(rule)?;
    let tax_minor = difference(invoice.tax_minor, credited_tax_minor).map_err(rule)?;
    let voided = (EntryKind::InvoiceVoided, invoice.id.uuid());
    enter(tenant, ports, account, voided, invoice_voided(total_minor, tax_minor, due_minor, back_minor)).await?;
    if back_minor > 0 {
        let back = Movement { reason: CreditReason::VoidedInvoice, invoice: Some(invoice.id), credit_note: None };
        post(tenant, ports, account, back_minor, back).await?;
    }
    Ok(events::emit(tenant, ports, &Event::InvoiceVoided(facts(invoice)?)).await?)
}
