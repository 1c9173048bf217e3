//! What follows from payments for invoices.

use super::Ports;
use crate::billing::lifecycle::{InvoiceEvent, InvoiceStatus};
use crate::error::Error;
use crate::ids::InvoiceId;
use crate::money::Money;
use crate::store::{Tenant, payments};

/// Settles as much of an invoice as was paid.
///
/// # Errors
/// The database's fault.
pub async fn settle_payment(tenant: &Tenant, ports: &Ports, invoice: InvoiceId, paid: Money) -> Result<(), Error> {
    let held = payments::lock_invoice(tenant, invoice).await?.ok_or_else(|| Error::Corrupt("an invoice is gone".into()))?;
    let used = paid.minor().min(held.amount_due_minor);
    let settled = used == held.amount_due_minor && held.status.is_payable();
    let status: InvoiceStatus = if settled { held.status.apply(InvoiceEvent::Settled).unwrap_or(held.status) } else { held.status };
    payments::pay(tenant, &held, used, status, ports.now().into()).await
}

/// An attempt on an invoice failed.
///
/// # Errors
/// None.
pub async fn charge_failed(_tenant: &Tenant, _ports: &Ports, invoice: InvoiceId, hard: bool) -> Result<(), Error> {
    tracing::info!(%invoice, hard, "a charge failed");
    Ok(())
}
