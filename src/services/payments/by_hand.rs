//! Money that staff tell of: what came outside any gateway, and what a gateway's statement says of an attempt or a refund whose answer was lost.
//! Both settle by the code that a gateway's own answer does.

use serde_json::json;

use super::Ports;
use super::attempt::in_progress;
use super::outcome::{facts, fail, succeed};
use super::refunds::settle_by_statement;
use crate::adapters::payment::Decline;
use crate::billing::lifecycle::{InvoiceStatus, PaymentStatus, RefundStatus};
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::PaymentId;
use crate::money::Money;
use crate::services::audit::{self, Act};
use crate::services::billing::{self, Account};
use crate::services::events::{self, Event};
use crate::store::invoices::Invoice;
use crate::store::payments::{self, NewRecorded, Payment};
use crate::store::refunds::{self as rows, Refund};
use crate::store::types::Day;
use crate::store::{Instant, Tenant, invoices};

/// What a payment that came outside any gateway was made with, for people.
const LABEL: &str = "Transfer, cheque or cash";

/// Money that came outside any gateway.
#[derive(Debug, Clone)]
pub struct ByHand {
    /// How much, above zero.
    pub amount: Money,
    /// What it is called on the statement.
    pub receipt: String,
    /// The day on which it came.
    pub received_on: Day,
}

/// Records money that came outside any gateway for an invoice: a payment that has succeeded. What is due goes down, and more than
/// that is account credit; all of it where the invoice was settled otherwise meanwhile. The locks of business, subscription and
/// invoice are held.
///
/// # Errors
/// INVALID_TRANSITION at `invoiceId` for a draft, PAYMENT_IN_PROGRESS there while an attempt may still charge it; CURRENCY_MISMATCH at
/// `amount`; TAKEN at `receipt`; or the database's fault.
pub async fn record_by_hand(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    invoice: &Invoice,
    came: ByHand,
    actor: &str,
) -> Outcome<PaymentId> {
    if invoice.status == InvoiceStatus::Draft {
        return Err(
            UserError::at("invoiceId", UserErrorCode::InvalidTransition, "A draft is not issued yet: nothing is owed on it.").into()
        );
    }
    if invoices::has_live_attempt(tenant, invoice.id).await? {
        return Err(in_progress().into());
    }
    if came.amount.currency() != invoice.currency {
        let sentence = format!("The invoice is in {}.", invoice.currency.code());
        return Err(UserError::at("amount", UserErrorCode::CurrencyMismatch, sentence).into());
    }
    if payments::is_recorded(tenant, &came.receipt).await? {
        return Err(UserError::at("receipt", UserErrorCode::Taken, "A payment with this receipt is recorded already.").into());
    }
    let last = payments::last_attempt(tenant, invoice.id).await?;
    let new = NewRecorded {
        id: ports.ids.next(),
        invoice: invoice.id,
        amount: came.amount,
        receipt: came.receipt.clone(),
        received_on: came.received_on,
        label: LABEL,
        attempt: last.map_or(0, |payment| payment.attempt).saturating_add(1),
        at: Instant::from(ports.now()),
    };
    let written = payments::insert_recorded(tenant, new).await?;
    let charged = billing::lock_charged(tenant, invoice.id).await?.by_hand();
    let details = json!({
        "invoice": invoice.id.to_string(), "amountMinor": written.amount_minor, "currency": written.currency.code(),
        "receipt": came.receipt, "receivedOn": came.received_on.get().to_string(),
    });
    let act = Act { action: "payment.recorded", actor, subject: &written.id.to_string(), details };
    audit::record(tenant, ports, act).await?;
    events::emit(tenant, ports, &Event::PaymentSucceeded(facts(&written, &charged.invoice, None)?)).await?;
    Box::pin(billing::settle_payment(tenant, ports, account, written.id, charged, came.amount)).await?;
    Ok(written.id)
}

/// What a gateway's statement says of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Money was taken; what it is called there, by which it can be paid back.
    Succeeded(Option<String>),
    /// No money was taken.
    Failed,
}

impl Resolution {
    /// As it is written down.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "SUCCEEDED",
            Self::Failed => "FAILED",
        }
    }

    /// What it is called on the statement.
    pub fn receipt(&self) -> Option<&str> {
        match self {
            Self::Succeeded(receipt) => receipt.as_deref(),
            Self::Failed => None,
        }
    }
}

/// Settles an attempt whose answer was lost by what the gateway's statement says. Whoever asks the gateway about it meanwhile is
/// overtaken: its fence is raised, and what is found is not written. The locks of business, subscription and invoice are held.
///
/// # Errors
/// INVALID_TRANSITION at `paymentId` where it is not UNKNOWN (any more); or the database's fault.
pub async fn resolve(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    payment: PaymentId,
    resolution: Resolution,
    actor: &str,
) -> Outcome<()> {
    let held = payments::lock_payment(tenant, payment).await?;
    if held.status != PaymentStatus::Unknown {
        let sentence = format!("A payment that is {} cannot be resolved: only one that is UNKNOWN can.", held.status.shown());
        return Err(UserError::at("paymentId", UserErrorCode::InvalidTransition, sentence).into());
    }
    let held = payments::take(tenant, &held).await?;
    note(tenant, ports, &held, &resolution, actor).await?;
    match resolution {
        Resolution::Succeeded(receipt) => {
            Box::pin(succeed(tenant, ports, account, &held, (receipt.clone(), receipt), actor)).await?;
        }
        Resolution::Failed => {
            Box::pin(fail(tenant, ports, account, &held, not_on_the_statement(), actor)).await?;
        }
    }
    Ok(())
}

/// Settles a refund whose answer was lost by what the gateway's statement says. Whoever asks the gateway about it meanwhile is overtaken,
/// as with [`resolve`]. One that was not paid is account credit. The locks of business, subscription and invoice are held.
///
/// # Errors
/// INVALID_TRANSITION at `refundId` where it is not UNKNOWN (any more); or the database's fault.
pub async fn resolve_refund(tenant: &Tenant, ports: &Ports, of: &Refund, resolution: Resolution, actor: &str) -> Outcome<()> {
    let payment = payments::lock_payment(tenant, of.payment_id).await?;
    let held = rows::lock(tenant, of.id).await?;
    if held.status != RefundStatus::Unknown {
        let sentence = format!("A refund that is {} cannot be resolved: only one that is UNKNOWN can.", held.status.shown());
        return Err(UserError::at("refundId", UserErrorCode::InvalidTransition, sentence).into());
    }
    let taken = rows::take(tenant, &held, held.status, Instant::from(ports.now())).await?;
    let details = json!({
        "payment": payment.id.to_string(), "amountMinor": taken.amount_minor, "currency": taken.currency.code(),
        "resolution": resolution.as_str(), "receipt": resolution.receipt(),
    });
    audit::record(tenant, ports, Act { action: "refund.resolved", actor, subject: &taken.id.to_string(), details }).await?;
    Ok(settle_by_statement(tenant, ports, (&taken, &payment), resolution, actor).await?)
}

/// What an attempt is told to have failed of that the gateway's statement does not have.
fn not_on_the_statement() -> Decline {
    Decline {
        code: "not_on_statement".to_owned(),
        message: "The gateway's statement shows no such payment; nothing was charged.".to_owned(),
        hard: false,
    }
}

/// Writes down what was said of an attempt, and by whom.
async fn note(tenant: &Tenant, ports: &Ports, held: &Payment, resolution: &Resolution, actor: &str) -> Result<(), Error> {
    let details = json!({
        "invoice": held.invoice_id.to_string(), "amountMinor": held.amount_minor, "currency": held.currency.code(),
        "resolution": resolution.as_str(), "receipt": resolution.receipt(),
    });
    audit::record(tenant, ports, Act { action: "payment.resolved", actor, subject: &held.id.to_string(), details }).await
}
