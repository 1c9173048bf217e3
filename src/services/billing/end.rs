//! Ends: whatever the cause, one final invoice takes the lines that wait. Open invoices stay payable.

use jiff::Timestamp;
use serde_json::json;

use super::account::Account;
use super::collect::{collect, write_off_later};
use super::draft::issue_drafts;
use super::issue::{bill, void};
use super::metered::Metered;
use super::renew::clear_pending_change;
use super::standing::{Change, Standing};
use crate::billing::lifecycle::SubscriptionEvent;
use crate::error::{Error, Outcome};
use crate::ids::{InvoiceId, PaymentId};
use crate::services::Ports;
use crate::services::audit::{Act, record};
use crate::store::{Tenant, coupons, invoices, subscriptions};

/// What an end billed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ended {
    /// The final invoice.
    pub invoice: Option<InvoiceId>,
    /// The attempt to collect it.
    pub payment: Option<PaymentId>,
}

/// Ends the subscription at `at`, and bills what still waits and what was metered until then.
///
/// # Errors
/// The database's fault.
pub async fn end(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    standing: &mut Standing,
    at: Timestamp,
    actor: &str,
) -> Result<Ended, Error> {
    Box::pin(issue_drafts(tenant, ports, account, standing)).await?;
    let metered = Metered::of(tenant, account, standing, at).await?;
    metered.note(tenant).await?;
    standing.apply(SubscriptionEvent::Canceled)?;
    close(tenant, standing, at).await?;
    standing.changed(tenant, ports, account, Change { kind: "canceled", actor, at, details: json!({}) }).await?;
    let mut invoice = bill(tenant, ports, account, standing.row.id, metered.lines).await?;
    let payment = match &mut invoice {
        Some(invoice) => collect(tenant, ports, account, standing, invoice, None).await?,
        None => None,
    };
    write_off_later(tenant, ports, account, standing).await?;
    Ok(Ended { invoice: invoice.map(|invoice| invoice.id), payment })
}

/// Expires a subscription whose first invoice was never settled, which is then void. Nothing was bought with its coupon, so the
/// redemption is given back: whoever tries again may use it again. The subscription still tells which it was.
///
/// # Errors
/// PAYMENT_IN_PROGRESS while an attempt may still charge the invoice; the database's fault.
pub async fn expire(tenant: &Tenant, ports: &Ports, account: &mut Account, standing: &mut Standing, actor: &str) -> Outcome<()> {
    for mut invoice in invoices::payable(tenant, standing.row.id).await? {
        let was = invoice.status;
        void(tenant, ports, account, &mut invoice).await?;
        let details = json!({ "number": invoice.number, "from": was.as_str(), "to": invoice.status.as_str() });
        record(tenant, ports, Act { action: "invoice.voided", actor, subject: &invoice.id.to_string(), details }).await?;
    }
    standing.apply(SubscriptionEvent::FirstInvoiceAbandoned)?;
    if let Some(coupon) = standing.row.coupon_id {
        coupons::give_back(tenant, coupon).await?;
    }
    let at = account.at;
    close(tenant, standing, at).await?;
    Ok(standing.changed(tenant, ports, account, Change { kind: "expired", actor, at, details: json!({}) }).await?)
}

/// Ends the subscription of a business that is being erased: nothing more is billed for it, nothing is credited, and drafts are dropped.
///
/// # Errors
/// The database's fault.
pub async fn abandon(tenant: &Tenant, ports: &Ports, account: &Account, standing: &mut Standing, actor: &str) -> Result<(), Error> {
    for draft in invoices::drafts(tenant, standing.row.id).await? {
        subscriptions::release_draft(tenant, draft.id).await?;
        invoices::delete_draft(tenant, draft.id).await?;
        let act = Act { action: "invoice.draft_deleted", actor, subject: &draft.id.to_string(), details: json!({}) };
        record(tenant, ports, act).await?;
    }
    standing.apply(SubscriptionEvent::Canceled)?;
    let at = account.at;
    close(tenant, standing, at).await?;
    standing.changed(tenant, ports, account, Change { kind: "canceled", actor, at, details: json!({}) }).await
}

/// What ends with any end: the running period, what was scheduled, and renewal.
async fn close(tenant: &Tenant, standing: &mut Standing, at: Timestamp) -> Result<(), Error> {
    clear_pending_change(standing);
    let row = &mut standing.row;
    row.canceled_at = Some(at.into());
    row.cancel_at = None;
    row.auto_renewal = false;
    let ends_at = row.period_start.max(at.into());
    if ends_at < row.period_end {
        subscriptions::shorten_period(tenant, standing.period.id, ends_at).await?;
        // A period without length is none; the subscription's last one keeps its end then.
        if row.period_start < ends_at {
            row.period_end = ends_at;
        }
    }
    Ok(())
}
