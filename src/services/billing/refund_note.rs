//! The credit note of a payment that is paid back: on its invoice, and over as much as is paid back.

use super::account::Account;
use super::correct::left_of;
use super::credit::{NoteLine, Wording, issue_note};
use super::refund::{RefundPart, Taken};
use super::rule;
use crate::billing::credit::{Destination, Left, note_over, refundable_of_payment};
use crate::billing::exact::{difference, sum};
use crate::billing::lifecycle::{InvoiceStatus, PaymentStatus};
use crate::billing::tax::Tax;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::services::Ports;
use crate::store::invoices::{CreditNote, Invoice};
use crate::store::payments::Payment;
use crate::store::types::CreditNoteReason;
use crate::store::{Tenant, invoices};

/// What its line says where the payment has no receipt.
const DESCRIPTION: &str = "Refund";

/// What of a payment is to be paid back, and why.
#[derive(Debug, Clone)]
pub struct RefundAsked {
    /// How much, with tax; `None` is all that is left. Minor units, above zero.
    pub amount_minor: Option<i64>,
    /// Why.
    pub reason: CreditNoteReason,
    /// In words, for the customer.
    pub memo: Option<String>,
}

/// Issues the credit note of a payment that is to be paid back, or of a part of it. What is due on the invoice stays what it is. The
/// refund is for the caller to write. The locks of business, subscription, invoice and payment are held.
///
/// # Errors
/// INVALID_TRANSITION at `paymentId` where it took no money, is disputed, has nothing left, or its invoice is no claim; TOO_LARGE,
/// INVALID at `amount`; or the database's fault.
pub async fn credit_for_refund(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    invoice: &Invoice,
    payment: Payment,
    asked: RefundAsked,
) -> Outcome<(CreditNote, RefundPart)> {
    check(ports, invoice, &payment)?;
    let unit_minor = unit_of(ports, &payment);
    let (left, most) = creditable(tenant, invoice, &payment, unit_minor).await?;
    let amount_minor = amount(asked.amount_minor, most, unit_minor)?;
    let description = payment.receipt.as_ref().map_or_else(|| DESCRIPTION.to_owned(), |receipt| format!("{DESCRIPTION}: {receipt}"));
    let made = note_over_payment(tenant, ports, account, (invoice, &left), (amount_minor, description), (asked.reason, asked.memo)).await?;
    Ok((made, RefundPart { payment, amount_minor }))
}

/// What an invoice has left for a credit note, and how much of a payment of it can be paid back in whole `unit_minor`. Minor units.
pub(super) async fn creditable(tenant: &Tenant, invoice: &Invoice, payment: &Payment, unit_minor: i64) -> Result<(Left, i64), Error> {
    let notes = invoices::credit_notes(tenant, &[invoice.id]).await?;
    let lines = invoices::credit_note_lines(tenant, &notes.iter().map(|note| note.id).collect::<Vec<_>>()).await?;
    let left = left_of(invoice, &notes, &lines)?;
    let payment_left = difference(payment.amount_minor, payment.refunding_minor).map_err(rule)?;
    let refunded = Taken::for_invoices(tenant, &[invoice.id]).await?.refunded_minor()?;
    let paid_left = difference(invoice.amount_paid_minor, refunded).map_err(rule)?;
    let most = refundable_of_payment(payment_left, paid_left, left.total_minor, unit_minor).map_err(rule)?;
    Ok((left, most))
}

/// Issues a credit note over so much that is paid back.
///
/// # Errors
/// TOO_LARGE at `amount` where it is more than the invoice has left; or the database's fault.
pub(super) async fn note_over_payment(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    (invoice, left): (&Invoice, &Left),
    (amount_minor, description): (i64, String),
    (reason, memo): (CreditNoteReason, Option<String>),
) -> Outcome<CreditNote> {
    let taxed = taxed(tenant, invoice).await?;
    let (note, priced_minor) = note_over(amount_minor, invoice.total_minor, &taxed, left).map_err(rule)?.ok_or_else(too_large)?;
    let line = NoteLine { description, period: (None, None), amount_minor: priced_minor, invoice_line: None };
    let place = Destination { took_off: Vec::new(), to_refund_minor: amount_minor, to_credit_minor: 0 };
    let wording = Wording { reason, memo, lines: vec![line] };
    Ok(issue_note(tenant, ports, account, (invoice.id, &mut []), (&note, &place), wording).await?)
}

/// Refuses what cannot be paid back.
fn check(ports: &Ports, invoice: &Invoice, payment: &Payment) -> Result<(), UserError> {
    let refuse = |sentence: String| Err(UserError::at("paymentId", UserErrorCode::InvalidTransition, sentence));
    if !matches!(payment.status, PaymentStatus::Succeeded | PaymentStatus::PartiallyRefunded) {
        return refuse(format!("A payment that is {} cannot be paid back.", payment.status.shown()));
    }
    if !matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Paid | InvoiceStatus::Uncollectible) {
        return refuse(format!("Its invoice is {}: what it brought is account credit.", invoice.status.as_str()));
    }
    if !payment.is_paid_back_by_hand() && ports.gateways.named(&payment.gateway).is_none() {
        return refuse("The gateway that took it is not in use.".to_owned());
    }
    Ok(())
}

/// The smallest amount that can be paid back of a payment. Minor units.
fn unit_of(ports: &Ports, payment: &Payment) -> i64 {
    let terms = ports.gateways.terms_of(&payment.gateway, payment.currency).filter(|_| !payment.is_paid_back_by_hand());
    terms.map_or(1, |terms| terms.unit_minor)
}

/// How much is paid back: what was asked for, or all that is left.
fn amount(asked_minor: Option<i64>, most_minor: i64, unit_minor: i64) -> Result<i64, UserError> {
    if most_minor == 0 {
        let sentence = "Nothing of what this payment settled is left to be paid back.";
        return Err(UserError::at("paymentId", UserErrorCode::InvalidTransition, sentence));
    }
    match asked_minor {
        None => Ok(most_minor),
        Some(minor) if minor > most_minor => Err(too_large()),
        Some(minor) if minor.checked_rem(unit_minor).is_none_or(|rest| rest != 0) => {
            Err(UserError::at("amount", UserErrorCode::Invalid, "The gateway pays back whole units alone."))
        }
        Some(minor) => Ok(minor),
    }
}

/// The refusal of more than is left.
fn too_large() -> UserError {
    let sentence =
        "This is more than is left of the payment, of what was paid on its invoice, or of the invoice's total less its credit notes.";
    UserError::at("amount", UserErrorCode::TooLarge, sentence)
}

/// What an invoice comes to with tax, at each rate and behaviour that taxes it.
pub(super) async fn taxed(tenant: &Tenant, invoice: &Invoice) -> Result<Vec<(Tax, i64)>, Error> {
    let taxes = invoices::taxes(tenant, invoice.id).await?;
    let whole = taxes.into_iter().map(|row| {
        let gross = sum([row.taxable_minor, row.amount_minor]).map_err(rule)?;
        Ok((Tax { rate: row.rate, behavior: row.behavior }, gross))
    });
    whole.collect()
}
