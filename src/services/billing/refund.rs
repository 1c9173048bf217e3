//! Refunds as billing sees them: what gateways took and may pay back, and what a refund does to the ledger and to account credit.

use super::account::Account;
use super::credit::{Movement, post};
use super::issue::shown;
use super::ledger::enter;
use super::rule;
use super::settle::follow_up;
use crate::billing::credit::{LeftToRefund, split_refund};
use crate::billing::exact::{difference, sum};
use crate::billing::ledger::{self, EntryKind};
use crate::billing::lifecycle::PaymentStatus;
use crate::error::Error;
use crate::ids::InvoiceId;
use crate::services::Ports;
use crate::services::events::{self, Event, RefundFacts};
use crate::store::Tenant;
use crate::store::payments::Payment;
use crate::store::refunds::{self, Refund};
use crate::store::types::CreditReason;

/// A part of a payment that is to be paid back.
#[derive(Debug, Clone)]
pub struct RefundPart {
    /// The payment.
    pub payment: Payment,
    /// How much of it. Minor units, above zero.
    pub amount_minor: i64,
}

/// The payments that took money for some invoices, the newest first.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Their rows.
    payments: Vec<Payment>,
}

impl Taken {
    /// What was taken for these invoices. The lock of the business is held, so that it stays what it is.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn for_invoices(tenant: &Tenant, invoices: &[InvoiceId]) -> Result<Self, Error> {
        let payments = if invoices.is_empty() { Vec::new() } else { refunds::captured(tenant, invoices).await? };
        Ok(Self { payments })
    }

    /// What is paid back of it, or being paid back. Minor units.
    ///
    /// # Errors
    /// [`Error::Corrupt`] past every limit.
    pub fn refunded_minor(&self) -> Result<i64, Error> {
        sum(self.payments.iter().map(|payment| payment.refunding_minor)).map_err(rule)
    }

    /// Splits a refund over the payments, the newest first: as far as they have so much left, in whole units of the gateway, and
    /// were not taken back by the payer's bank. What is not among the parts is account credit.
    ///
    /// # Errors
    /// [`Error::Corrupt`] past every limit.
    pub fn split(&self, ports: &Ports, refund_minor: i64) -> Result<Vec<RefundPart>, Error> {
        let at_hand = |payment: &&Payment| {
            let is_ours = matches!(payment.status, PaymentStatus::Succeeded | PaymentStatus::PartiallyRefunded);
            is_ours && !payment.is_paid_back_by_hand() && ports.gateways.named(&payment.gateway).is_some()
        };
        let payments: Vec<&Payment> = self.payments.iter().filter(at_hand).collect();
        let left = payments.iter().map(|payment| {
            let terms = ports.gateways.terms_of(&payment.gateway, payment.currency);
            let left_minor = difference(payment.amount_minor, payment.refunding_minor).map_err(rule)?;
            Ok(LeftToRefund { left_minor, unit_minor: terms.map_or(1, |terms| terms.unit_minor) })
        });
        let split = split_refund(refund_minor, &left.collect::<Result<Vec<_>, Error>>()?).map_err(rule)?;
        let of = |(index, amount_minor): (usize, i64)| {
            let payment = payments.get(index).ok_or_else(|| Error::Corrupt("a refund is of no payment".into()))?;
            Ok(RefundPart { payment: (*payment).clone(), amount_minor })
        };
        split.into_iter().map(of).collect()
    }
}

/// What some parts come to. Minor units.
///
/// # Errors
/// [`Error::Corrupt`] past every limit.
pub(super) fn total_of(parts: &[RefundPart]) -> Result<i64, Error> {
    sum(parts.iter().map(|part| part.amount_minor)).map_err(rule)
}

/// Books that a refund was paid: by a gateway or by hand, or `by_dispute`, out of what the payer's bank took. The lock of the business is
/// held.
///
/// # Errors
/// The database's fault.
pub async fn refund_paid(tenant: &Tenant, ports: &Ports, refund: &Refund, by_dispute: bool) -> Result<(), Error> {
    let account = Account::lock(tenant, ports.now()).await?;
    let paid = (EntryKind::RefundPaid, refund.id.uuid());
    let entry = if by_dispute { ledger::refund_by_dispute(refund.amount_minor) } else { ledger::refund_paid(refund.amount_minor) };
    enter(tenant, ports, &account, paid, entry).await?;
    events::emit(tenant, ports, &Event::RefundSucceeded(facts(refund)?)).await
}

/// A refund, for an event.
fn facts(refund: &Refund) -> Result<RefundFacts, Error> {
    Ok(RefundFacts {
        refund_id: refund.id.to_string(),
        payment_id: refund.payment_id.to_string(),
        credit_note_id: refund.credit_note_id.to_string(),
        currency: refund.currency.code().to_owned(),
        amount: shown(refund.amount_minor, refund.currency)?,
    })
}

/// Books that a gateway will not pay a refund: it becomes account credit, which is used on what is open. The lock of the business is
/// held.
///
/// # Errors
/// The database's fault.
pub async fn refund_failed(tenant: &Tenant, ports: &Ports, refund: &Refund, of: InvoiceId) -> Result<(), Error> {
    let mut account = Account::lock(tenant, ports.now()).await?;
    let failed = (EntryKind::RefundFailed, refund.id.uuid());
    enter(tenant, ports, &account, failed, ledger::refund_failed(refund.amount_minor)).await?;
    let given = Movement { reason: CreditReason::FailedRefund, invoice: Some(of), credit_note: Some(refund.credit_note_id) };
    post(tenant, ports, &mut account, refund.amount_minor, given).await?;
    events::emit(tenant, ports, &Event::RefundFailed(facts(refund)?)).await?;
    follow_up(tenant, ports, &mut account, None).await
}
