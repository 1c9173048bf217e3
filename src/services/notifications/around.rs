//! What people are told beside what an event tells: how things stand when they are told of it. What is no longer so is not told.

use serde_json::{Value, json};

use crate::error::Error;
use crate::ids::{InvoiceId, PaymentMethodId, SubscriptionId};
use crate::money::Money;
use crate::services::Ports;
use crate::services::billing::{Ahead, ahead_of_invoice, ahead_of_past_due, ahead_of_suspended};
use crate::services::events::{Event, PaymentFacts, SubscriptionFacts, SubscriptionWhat, TrialFacts};
use crate::services::payments::method_at;
use crate::store::invoices::Invoice;
use crate::store::{Tenant, payments, subscriptions};

/// What the words of an event may name beside its facts; `None` where nobody is to be told of it any more.
///
/// # Errors
/// The database's fault.
pub(super) async fn of(tenant: &Tenant, ports: &Ports, event: &Event) -> Result<Option<Value>, Error> {
    match event {
        Event::TrialEnding(facts) => of_trial(tenant, ports, facts).await,
        Event::PaymentFailed(facts) => of_failure(tenant, ports, facts).await.map(Some),
        Event::Subscription(SubscriptionWhat::PastDue, facts) => of_overdue(tenant, ports, facts).await,
        Event::Subscription(SubscriptionWhat::Suspended, facts) => of_suspension(tenant, ports, facts).await,
        _ => Ok(Some(json!({}))),
    }
}

/// Samples of that, for previews and tests.
pub(super) fn sample(event: &Event) -> Value {
    let (retries, suspended) = (["2027-03-01T09:00:00Z", "2027-03-03T09:00:00Z"], "2027-03-07T09:00:00Z");
    match event {
        Event::TrialEnding(_) => json!({ "method": "Visa •••• 4242", "methodKind": "CARD", "isNothingDue": false }),
        Event::PaymentFailed(_) => {
            let ahead = json!({ "retryAt": retries, "suspendedAt": suspended });
            merged(json!({ "canceledAt": null, "dueAt": null, "givenUpAt": null }), ahead)
        }
        Event::Subscription(SubscriptionWhat::PastDue, _) => json!({
            "invoiceNumber": "INV-2027-000042", "currency": "KES", "amountDue": "4990.00", "suspendedAt": suspended, "hasMethod": false,
        }),
        Event::Subscription(SubscriptionWhat::Suspended, _) => json!({
            "open": ["INV-2027-000042 (KES 4990.00)"], "owed": "4990.00", "currency": "KES", "canceledAt": "2027-04-06T09:00:00Z",
            "isDisputed": false,
        }),
        _ => json!({}),
    }
}

/// The members of both.
pub(super) fn merged(mut one: Value, other: Value) -> Value {
    if let (Some(one), Value::Object(other)) = (one.as_object_mut(), other) {
        one.extend(other);
    }
    one
}

/// A trial that still runs, and is not cancelled: what its end is charged to.
async fn of_trial(tenant: &Tenant, ports: &Ports, facts: &TrialFacts) -> Result<Option<Value>, Error> {
    let row = match SubscriptionId::parse(&facts.subscription_id) {
        Some(id) => subscriptions::find(tenant, id).await?,
        None => None,
    };
    let now = ports.of(tenant).await?.now();
    let still = |row: &subscriptions::Subscription| {
        let is_ahead = row.trial_end.is_some_and(|end| now < end.get() && row.cancel_at.is_none_or(|at| end < at));
        is_ahead && !row.status.is_final()
    };
    if !row.as_ref().is_some_and(still) {
        return Ok(None);
    }
    let method = match facts.payment_method_id.as_deref().and_then(PaymentMethodId::parse) {
        Some(id) => payments::method(tenant, id).await?,
        None => None,
    };
    Ok(Some(json!({
        "method": method.as_ref().map(|method| &method.label),
        "methodKind": method.as_ref().map(|method| method.kind.as_str()),
        "isNothingDue": facts.amount_due.chars().all(|c| matches!(c, '0' | '.')),
    })))
}

/// What lies ahead of the invoice that a failed attempt was for.
async fn of_failure(tenant: &Tenant, ports: &Ports, facts: &PaymentFacts) -> Result<Value, Error> {
    let Some(invoice) = InvoiceId::parse(&facts.invoice_id) else { return Ok(shown(&Ahead::default())) };
    Ok(shown(&ahead_of_invoice(tenant, invoice, ports.of(tenant).await?.now()).await?))
}

/// As words name it.
fn shown(ahead: &Ahead) -> Value {
    let text = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string());
    json!({
        "retryAt": ahead.retries.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "suspendedAt": text(ahead.suspended_at), "canceledAt": text(ahead.canceled_at),
        "dueAt": text(ahead.due_at), "givenUpAt": text(ahead.given_up_at),
    })
}

/// What is overdue of a subscription whose ladder no failed attempt began; nothing where it is not so any more.
async fn of_overdue(tenant: &Tenant, ports: &Ports, facts: &SubscriptionFacts) -> Result<Option<Value>, Error> {
    let (Some(id), ports) = (SubscriptionId::parse(&facts.subscription_id), ports.of(tenant).await?) else { return Ok(None) };
    let Some((ahead, invoice)) = ahead_of_past_due(tenant, id, ports.now()).await? else { return Ok(None) };
    let named = subscriptions::find(tenant, id).await?.and_then(|row| row.payment_method_id);
    let (due, method) = (due(&invoice)?, method_at(tenant, &ports, named, ports.now()).await?);
    Ok(Some(json!({
        "invoiceNumber": invoice.number, "currency": due.currency().code(), "amountDue": due.amount(),
        "suspendedAt": ahead.suspended_at.map(|at| at.to_string()), "hasMethod": method.is_some(),
    })))
}

/// What gives a subscription its access back; nothing where it has that already.
async fn of_suspension(tenant: &Tenant, ports: &Ports, facts: &SubscriptionFacts) -> Result<Option<Value>, Error> {
    let Some(id) = SubscriptionId::parse(&facts.subscription_id) else { return Ok(None) };
    let now = ports.of(tenant).await?.now();
    let Some((ahead, open)) = ahead_of_suspended(tenant, id, now).await? else { return Ok(None) };
    let owed = open.iter().map(due).collect::<Result<Vec<Money>, Error>>()?;
    let lines: Vec<String> = open.iter().zip(&owed).map(|(invoice, due)| line(invoice, *due)).collect();
    let sum = owed.iter().try_fold(0_i64, |sum, due| sum.checked_add(due.minor()));
    let total = open.first().zip(sum).map(|(invoice, minor)| Money::new(minor, invoice.currency));
    let total = total.transpose().map_err(|_| Error::Corrupt("more is owed than an amount may be".into()))?;
    Ok(Some(json!({
        "open": lines, "owed": total.map(Money::amount), "currency": total.map(|total| total.currency().code()),
        "canceledAt": ahead.canceled_at.map(|at| at.to_string()),
        "isDisputed": subscriptions::is_for_dispute(tenant, id, facts.version).await?,
    })))
}

/// What is due on an invoice.
fn due(invoice: &Invoice) -> Result<Money, Error> {
    Money::new(invoice.amount_due_minor, invoice.currency).map_err(|_| Error::Corrupt("an amount is too large".into()))
}

/// An open invoice in a line.
fn line(invoice: &Invoice, due: Money) -> String {
    format!("{} ({} {})", invoice.number.as_deref().unwrap_or_default(), due.currency().code(), due.amount())
}
