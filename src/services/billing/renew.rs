//! Boundaries: what the end of a period bills. One catch-up loop for the job and for every mutation, so that a change
//! at a boundary meets the new period, and a worker that was away bills each missed period once, in order.

use serde_json::json;

use super::account::Account;
use super::collect::collect;
use super::draft::{Boundary, bill_or_draft, issue_drafts};
use super::end::end;
use super::issue::waiting;
use super::lines::{DraftLine, InvoicePreview};
use super::metered::{Metered, Rating};
use super::rule;
use super::standing::{Change, Standing, version};
use crate::billing::lifecycle::{InvoiceStatus, SubscriptionEvent, SubscriptionStatus};
use crate::billing::period::{Period, Schedule};
use crate::billing::proration::{PeriodPrice, recurring_line};
use crate::error::Error;
use crate::ids::PaymentId;
use crate::services::Ports;
use crate::store::{Tenant, subscriptions};

/// The most boundaries that one transaction bills: fifty years of months.
const MAX_BOUNDARIES: usize = 600;

/// Bills every boundary of the subscription that is due, in order; answers the attempts that it began. The locks of
/// business and subscription are held.
///
/// # Errors
/// The database's fault.
pub async fn bill_due_boundaries(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    standing: &mut Standing,
) -> Result<Vec<PaymentId>, Error> {
    let mut attempts = Vec::new();
    for _ in 0..MAX_BOUNDARIES {
        let bills = standing.row.status.is_live() && standing.row.status != SubscriptionStatus::Incomplete;
        if !bills || standing.row.period_end.get() > account.at {
            return Ok(attempts);
        }
        attempts.extend(bill_boundary(tenant, ports, account, standing).await?);
    }
    Err(Error::Corrupt("a subscription has more boundaries due than can be".into()))
}

/// Bills the running period's end.
async fn bill_boundary(tenant: &Tenant, ports: &Ports, account: &mut Account, standing: &mut Standing) -> Result<Option<PaymentId>, Error> {
    let boundary = standing.row.period_end;
    if standing.row.cancel_at.is_some_and(|at| at <= boundary) {
        return end(tenant, ports, account, standing, boundary.get(), "system").await.map(|ended| ended.payment);
    }
    let was = standing.row.status;
    if standing.plan.product.grace_hours > 0 {
        // Of the boundary before, where nobody came by since.
        Box::pin(issue_drafts(tenant, ports, account, standing)).await?;
    }
    // By the plan that was in force at the end of the usage period. Without access nothing is billed, and it waits.
    let rating = Rating::of(standing, boundary.get());
    let metered = match was {
        SubscriptionStatus::Suspended => Metered::default(),
        _ => Metered::rated(tenant, account, standing, &rating).await?,
    };
    let change = take_pending_change(tenant, standing).await?;
    let (schedule, next) = following(account, standing)?;
    standing.set_schedule(&schedule);
    standing.open_period(tenant, ports, account, &next).await?;
    standing.row.charged_from = standing.row.period_number;
    if let Some(details) = change {
        let change = Change { kind: "plan_changed", actor: "system", at: boundary.get(), details };
        standing.changed(tenant, ports, account, change).await?;
    }
    if was == SubscriptionStatus::Suspended {
        // Nothing is billed without access; the rest of a period is, when access is back.
        standing.set_charged(None);
        standing.save(tenant, ports, account).await?;
        return Ok(None);
    }
    let price = standing.price(account);
    standing.set_charged(Some(price));
    standing.spend_coupon()?;
    if was == SubscriptionStatus::Trialing {
        standing.apply(SubscriptionEvent::TrialEnded)?;
    }
    standing.save(tenant, ports, account).await?;
    let own = renewal_line(standing, &next, &price)?.into_iter().collect();
    let billed = bill_or_draft(tenant, ports, account, standing, Boundary { rating, own, metered }).await?;
    let Some(mut invoice) = billed else { return Ok(None) };
    subscriptions::set_period_invoice(tenant, standing.period.id, invoice.id).await?;
    if invoice.status == InvoiceStatus::Draft {
        return Ok(None);
    }
    collect(tenant, ports, account, standing, &mut invoice, None).await
}

/// The schedule and the period that follow the running one.
fn following(account: &Account, standing: &Standing) -> Result<(Schedule, Period), Error> {
    let schedule = standing.schedule(account)?;
    let next = schedule.next_period(&standing.running()?).map_err(rule)?;
    Ok((schedule, next))
}

/// The line that charges a period as it is opened.
fn renewal_line(standing: &Standing, period: &Period, price: &PeriodPrice) -> Result<Option<DraftLine>, Error> {
    let line = recurring_line(period, standing.row.granularity, price).map_err(rule)?;
    Ok(line.map(|line| DraftLine::new(line, standing.plan.name.clone(), Some(standing.period.id))))
}

/// Puts the plan in force that waits for this boundary, if one does; answers what changed.
async fn take_pending_change(tenant: &Tenant, standing: &mut Standing) -> Result<Option<serde_json::Value>, Error> {
    let row = &mut standing.row;
    let waits = (row.pending_plan_id, row.pending_plan_version, row.pending_interval, row.pending_price_minor, row.pending_tax_behavior);
    let (Some(plan), Some(number), Some(interval), Some(price_minor), Some(behavior)) = waits else { return Ok(None) };
    let details = json!({ "from": row.plan_id.to_string(), "to": plan.to_string(), "interval": interval.as_str() });
    (row.plan_id, row.plan_version, row.billing_interval) = (plan, number, interval);
    (row.price_minor, row.tax_behavior) = (price_minor, behavior);
    clear_pending_change(standing);
    standing.plan = version(tenant, (plan, number)).await?;
    Ok(Some(details))
}

/// Removes the change that waits.
pub fn clear_pending_change(standing: &mut Standing) {
    let row = &mut standing.row;
    row.pending_plan_id = None;
    row.pending_plan_version = None;
    row.pending_interval = None;
    row.pending_price_minor = None;
    row.pending_tax_behavior = None;
    row.pending_effective_at = None;
    row.pending_scheduled_at = None;
}

/// The invoice that comes next as things stand, with `more` lines that will wait for it: the renewal's, or at the end
/// the final one; `None` where there will be none.
///
/// # Errors
/// The database's fault.
pub async fn upcoming(
    tenant: &Tenant,
    account: &Account,
    standing: &Standing,
    more: Vec<DraftLine>,
) -> Result<Option<InvoicePreview>, Error> {
    use SubscriptionStatus::{Active, PastDue, Trialing};
    let mut next = standing.clone();
    if !matches!(next.row.status, Trialing | Active | PastDue) {
        return Ok(None);
    }
    let boundary = next.row.period_end;
    let mut drafts = waiting(tenant, account, next.row.id).await?;
    drafts.extend(more);
    if next.row.cancel_at.is_none_or(|at| at > boundary) {
        take_pending_change(tenant, &mut next).await?;
        let (_, period) = following(account, &next)?;
        drafts.extend(renewal_line(&next, &period, &next.price(account))?);
    }
    InvoicePreview::of(account, &drafts, boundary.get())
}
