//! Settling: what was paid lowers what is due, more than is due becomes account credit, and a subscription that waited
//! for it goes on.

use serde_json::json;

use super::account::Account;
use super::collect::{collect, overdue};
use super::credit::{Movement, post, take_off, use_on_open};
use super::issue::{bill, tell_if_paid};
use super::ledger::{self, enter};
use super::lines::DraftLine;
use super::renew::bill_due_boundaries;
use super::rule;
use super::standing::{Change, Standing};
use crate::billing::cycle::resume;
use crate::billing::exact::difference;
use crate::billing::ledger::{EntryKind, payment_captured};
use crate::billing::lifecycle::{SubscriptionEvent, SubscriptionStatus};
use crate::error::Error;
use crate::ids::{InvoiceId, PaymentId, SubscriptionId};
use crate::money::Money;
use crate::services::Ports;
use crate::store::invoices::Invoice;
use crate::store::subscriptions::Subscription;
use crate::store::types::{CreditReason, PeriodKind};
use crate::store::{Tenant, invoices, payments, subscriptions};

/// An invoice that was to be charged, and its subscription.
#[derive(Debug, Clone)]
pub struct Charged {
    /// The invoice.
    pub invoice: Invoice,
    /// Its subscription.
    subscription: Option<Subscription>,
    /// Whether its money comes outside any gateway.
    is_by_hand: bool,
    /// Whether its money comes after the attempt was taken for over.
    is_late: bool,
}

impl Charged {
    /// The same, where its money comes outside any gateway: no unit of one rounded it.
    #[must_use]
    pub fn by_hand(self) -> Self {
        Self { is_by_hand: true, ..self }
    }

    /// The same, where its money comes after the attempt was taken for over: all of it is account credit.
    #[must_use]
    pub fn late(self) -> Self {
        Self { is_late: true, ..self }
    }
}

/// The invoice of that id, whose subscription is locked. The lock of the business, which every writer of an invoice takes first,
/// is held by the caller's transaction: the invoice needs none of its own.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] for an invoice that is gone.
pub async fn lock_charged(tenant: &Tenant, id: InvoiceId) -> Result<Charged, Error> {
    let invoice = invoices::find(tenant, id).await?.ok_or_else(|| Error::Corrupt("an invoice is gone".into()))?;
    let subscription = match invoice.subscription_id {
        Some(subscription) => subscriptions::lock(tenant, subscription).await?,
        None => None,
    };
    Ok(Charged { invoice, subscription, is_by_hand: false, is_late: false })
}

/// Books what `payment` brought for an invoice: what is due goes down, and more than that is account credit.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] for another currency.
pub async fn settle_payment(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    payment: PaymentId,
    charged: Charged,
    paid: Money,
) -> Result<(), Error> {
    let Charged { mut invoice, subscription, is_by_hand, is_late } = charged;
    if paid.currency() != invoice.currency || paid.minor() < 0 {
        return Err(Error::Corrupt("a payment does not fit its invoice".into()));
    }
    let was_payable = invoice.status.is_payable() && !is_late;
    let used_minor = if was_payable { paid.minor().min(invoice.amount_due_minor) } else { 0 };
    let captured = (EntryKind::PaymentCaptured, payment.uuid());
    enter(tenant, ports, account, captured, payment_captured(paid.minor(), used_minor)).await?;
    if used_minor > 0 {
        ledger::taken_off(tenant, ports, account, (&invoice, invoice.status), used_minor).await?;
        take_off(account, &mut invoice, used_minor, |invoice| &mut invoice.amount_paid_minor)?;
        invoice.next_attempt_at = invoice.next_attempt_at.filter(|_| invoice.amount_due_minor > 0);
        invoices::save(tenant, &invoice).await?;
        tell_if_paid(tenant, ports, &invoice).await?;
    }
    let over_minor = difference(paid.minor(), used_minor).map_err(rule)?;
    if over_minor > 0 {
        let gateway = payments::payment(tenant, payment).await?.map(|row| row.gateway);
        let terms = gateway.and_then(|name| ports.gateways.terms_of(&name, invoice.currency)).filter(|_| !is_by_hand);
        let unit_minor = terms.map_or(1, |terms| terms.unit_minor);
        let reason = match (was_payable, over_minor < unit_minor) {
            (false, _) => CreditReason::LatePayment,
            // Collected in whole units of the gateway.
            (true, true) => CreditReason::Rounding,
            (true, false) => CreditReason::Overpayment,
        };
        post(tenant, ports, account, over_minor, Movement { reason, invoice: Some(invoice.id), credit_note: None }).await?;
    }
    let waiting = subscription.filter(waits_for_money).map(|row| row.id);
    follow_up(tenant, ports, account, waiting).await
}

/// Notes that an attempt for an invoice failed: account credit that waits is used, and what is still due is overdue.
/// `hard` is a decline that no repetition mends.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] for an invoice that is gone.
pub async fn charge_failed(tenant: &Tenant, ports: &Ports, account: &mut Account, charged: Charged, hard: bool) -> Result<(), Error> {
    follow_up(tenant, ports, account, None).await?;
    // The credit may have settled it.
    let Charged { invoice, .. } = lock_charged(tenant, charged.invoice.id).await?;
    let Some(subscription) = invoice.subscription_id.filter(|_| invoice.status.is_payable()) else { return Ok(()) };
    // A customer who pushes the money has until then; a job looks at it when that is over.
    if is_pushed(&invoice) && invoice.due_at.is_some_and(|due| account.at < due.get()) {
        return Ok(());
    }
    let Some(mut standing) = Standing::lock(tenant, subscription).await? else { return Ok(()) };
    overdue(tenant, ports, account, &mut standing, &invoice, hard).await
}

/// Whether an invoice is due later than it was issued: by a method that the customer pushes.
pub(super) fn is_pushed(invoice: &Invoice) -> bool {
    invoice.due_at > invoice.issued_at
}

/// Whether anything of a subscription waits for its invoices to be settled: [`go_on`] leaves every other as it is.
fn waits_for_money(row: &Subscription) -> bool {
    use SubscriptionStatus::{Incomplete, PastDue, Suspended};
    matches!(row.status, Incomplete | PastDue | Suspended) || row.dunning_invoice_id.is_some()
}

/// Uses account credit on what is open, and lets the subscriptions go on that waited for it: `settled` and those whose
/// invoices the credit settled.
///
/// # Errors
/// The database's fault.
pub async fn follow_up(tenant: &Tenant, ports: &Ports, account: &mut Account, settled: Option<SubscriptionId>) -> Result<(), Error> {
    let used = use_on_open(tenant, ports, account).await?;
    let mut waiting: Vec<SubscriptionId> = used.iter().filter_map(|invoice| invoice.subscription_id).chain(settled).collect();
    waiting.sort_unstable();
    waiting.dedup();
    for subscription in waiting {
        if let Some(mut standing) = Standing::lock(tenant, subscription).await? {
            go_on(tenant, ports, account, &mut standing).await?;
        }
    }
    Ok(())
}

/// Lets a subscription go on whose invoices are settled.
async fn go_on(tenant: &Tenant, ports: &Ports, account: &mut Account, standing: &mut Standing) -> Result<(), Error> {
    let open = invoices::open(tenant, Some(standing.row.id)).await?;
    let is_overdue = open.iter().any(|invoice| invoice.due_at.is_some_and(|due| due.get() <= account.at));
    match standing.row.status {
        // One that was given up on is not settled.
        SubscriptionStatus::Incomplete if invoices::payable(tenant, standing.row.id).await?.is_empty() => {
            standing.apply(SubscriptionEvent::FirstInvoiceSettled)?;
            log(tenant, ports, account, standing, "activated").await?;
            standing.schedule_renewal(tenant, ports).await?;
            bill_due_boundaries(tenant, ports, account, standing).await.map(drop)
        }
        SubscriptionStatus::PastDue if !is_overdue => recover(tenant, ports, account, standing).await,
        SubscriptionStatus::Suspended if open.is_empty() => {
            bill_due_boundaries(tenant, ports, account, standing).await?;
            if standing.row.status == SubscriptionStatus::Suspended {
                recover(tenant, ports, account, standing).await?;
                charge_rest(tenant, ports, account, standing).await?;
            }
            Ok(())
        }
        _ if open.is_empty() && standing.row.dunning_invoice_id.is_some() => {
            end_ladder(standing);
            standing.save(tenant, ports, account).await
        }
        _ => Ok(()),
    }
}

/// All is well again: the ladder is over.
async fn recover(tenant: &Tenant, ports: &Ports, account: &Account, standing: &mut Standing) -> Result<(), Error> {
    standing.apply(SubscriptionEvent::PaymentRecovered)?;
    end_ladder(standing);
    log(tenant, ports, account, standing, "recovered").await
}

/// Takes the ladder down.
fn end_ladder(standing: &mut Standing) {
    standing.row.dunning_invoice_id = None;
    standing.row.dunning_started_at = None;
    standing.row.dunning_taken = 0;
    standing.row.dunning_hard = false;
}

/// Bills the rest of a period that nothing was billed for, since it began without access.
async fn charge_rest(tenant: &Tenant, ports: &Ports, account: &mut Account, standing: &mut Standing) -> Result<(), Error> {
    if standing.charged().is_some() || standing.period.kind == PeriodKind::Trial {
        return Ok(());
    }
    let price = standing.price(account);
    let line = resume(&standing.running()?, account.at, standing.row.granularity, None, &price).map_err(rule)?;
    standing.set_charged(Some(price));
    standing.spend_coupon()?;
    standing.save(tenant, ports, account).await?;
    let own: Vec<DraftLine> =
        line.map(|line| DraftLine::new(line, standing.plan.name.clone(), Some(standing.period.id))).into_iter().collect();
    match bill(tenant, ports, account, standing.row.id, own).await? {
        Some(mut invoice) => collect(tenant, ports, account, standing, &mut invoice, None).await.map(drop),
        None => Ok(()),
    }
}

/// Writes a change of state down.
async fn log(tenant: &Tenant, ports: &Ports, account: &Account, standing: &mut Standing, kind: &str) -> Result<(), Error> {
    let change = Change { kind, actor: "system", at: account.at, details: json!({}) };
    standing.changed(tenant, ports, account, change).await
}
