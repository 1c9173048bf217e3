//! Drafts: where a product leaves hours for late usage, a boundary makes an invoice without a number, which is issued and collected
//! when they are over. What is told of meanwhile stands on it.
//!
//! The lines of a draft wait as pending lines that name it; what was metered is rated as it is issued, by the plan that was in force
//! at the boundary. Whoever changes or ends the subscription before that issues it first: what is credited then has an invoice.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::account::Account;
use super::collect::collect;
use super::issue::{bill, invoice_row, issue, line_rows, tax_rows, totals_of, waiting};
use super::lines::DraftLine;
use super::metered::{Metered, Rating};
use super::standing::Standing;
use crate::billing::lifecycle::InvoiceStatus;
use crate::error::Error;
use crate::ids::InvoiceId;
use crate::services::Ports;
use crate::services::audit::{Act, record};
use crate::store::invoices::Invoice;
use crate::store::jobs::{NewJob, schedule};
use crate::store::subscriptions::PendingLine;
use crate::store::{Tenant, invoices, subscriptions};

/// The job that issues a draft; its key is the invoice's id.
pub const ISSUE_DRAFT: &str = "issue_draft";

/// What a boundary bills.
pub(super) struct Boundary {
    /// By what usage is rated, until when: the boundary.
    pub(super) rating: Rating,
    /// The lines of the new period.
    pub(super) own: Vec<DraftLine>,
    /// What was metered, as far as it was told of.
    pub(super) metered: Metered,
}

/// Bills a boundary at once, or where its product leaves hours for late usage and they are not over, as a draft. `None` where there is
/// nothing to pay for.
///
/// # Errors
/// The database's fault.
pub(super) async fn bill_or_draft(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    standing: &Standing,
    boundary: Boundary,
) -> Result<Option<Invoice>, Error> {
    let grace = SignedDuration::from_hours(standing.plan.product.grace_hours.into());
    let due_at = boundary.rating.until.saturating_add(grace).unwrap_or(Timestamp::MAX);
    if due_at > account.at
        && let Some(invoice) = draft(tenant, ports, account, standing, &boundary, due_at).await?
    {
        return Ok(Some(invoice));
    }
    boundary.metered.note(tenant).await?;
    let own = boundary.own.into_iter().chain(boundary.metered.lines).collect();
    bill(tenant, ports, account, standing.row.id, own).await
}

/// Writes the draft of a boundary, and the job that issues it; `None` where there is nothing to pay for as things stand.
async fn draft(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    standing: &Standing,
    boundary: &Boundary,
    due_at: Timestamp,
) -> Result<Option<Invoice>, Error> {
    let subscription = standing.row.id;
    let mut drafts = waiting(tenant, account, subscription).await?;
    drafts.extend(boundary.own.iter().chain(&boundary.metered.lines).cloned());
    // Account credit is used by what is issued.
    let Some(totals) = totals_of(&drafts, 0)? else { return Ok(None) };
    let (id, rating): (InvoiceId, &Rating) = (ports.ids.next(), &boundary.rating);
    let row = Invoice {
        status: InvoiceStatus::Draft,
        issued_at: None,
        due_at: None,
        paid_at: None,
        draft_until: Some(rating.until.into()),
        draft_plan_id: Some(rating.plan.0),
        draft_plan_version: Some(rating.plan.1),
        draft_tax_behavior: Some(rating.tax_behavior),
        ..invoice_row(account, id, subscription, &totals)?
    };
    let lines = line_rows(ports, account, id, &drafts, &totals)?;
    let written = invoices::insert(tenant, row, lines, tax_rows(ports, account, id, &totals)?).await?;
    subscriptions::take_pending_lines(tenant, subscription, id).await?;
    // Taxed by the day of the issue.
    let on_draft = |line: &DraftLine| PendingLine {
        invoice_id: Some(id),
        tax_rate: None,
        tax_name: None,
        ..line.to_wait(ports, account, subscription)
    };
    subscriptions::insert_pending_lines(tenant, boundary.own.iter().map(on_draft).collect()).await?;
    let key = id.to_string();
    let job = NewJob {
        id: ports.ids.next(),
        kind: ISSUE_DRAFT,
        key: &key,
        due_at: due_at.into(),
        clock: ports.test_clock(),
        now: ports.now().into(),
    };
    schedule(tenant, job).await?;
    let details = json!({ "currency": written.currency.code(), "total_minor": written.total_minor, "issued_at": due_at.to_string() });
    record(tenant, ports, Act { action: "invoice.drafted", actor: "system", subject: &key, details }).await?;
    Ok(Some(written))
}

/// Issues a draft whose hours are over, unless that has happened.
///
/// # Errors
/// The database's fault.
pub(super) async fn issue_due(tenant: &Tenant, ports: &Ports, account: &mut Account, id: InvoiceId) -> Result<(), Error> {
    let drafted = invoices::find(tenant, id).await?.filter(|invoice| invoice.status == InvoiceStatus::Draft);
    let Some(subscription) = drafted.and_then(|invoice| invoice.subscription_id) else { return Ok(()) };
    let Some(mut standing) = Standing::lock(tenant, subscription).await? else { return Ok(()) };
    issue_drafts(tenant, ports, account, &mut standing).await
}

/// Issues the subscription's drafts and begins to collect them. The locks of business and subscription are held.
///
/// # Errors
/// The database's fault.
pub async fn issue_drafts(tenant: &Tenant, ports: &Ports, account: &mut Account, standing: &mut Standing) -> Result<(), Error> {
    for draft in invoices::drafts(tenant, standing.row.id).await? {
        let id = draft.id;
        let waited = subscriptions::draft_lines(tenant, id).await?;
        let metered = Metered::rated(tenant, account, standing, &rating_of(&draft)?).await?;
        metered.note(tenant).await?;
        let lines = waited.iter().map(|row| DraftLine::waited(row, account)).chain(metered.lines.iter().cloned().map(Ok));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        match issue(tenant, ports, account, standing.row.id, lines, Some(draft)).await? {
            Some(mut invoice) => drop(collect(tenant, ports, account, standing, &mut invoice, None).await?),
            None => give_up(tenant, ports, account, standing, id, &metered).await?,
        }
    }
    Ok(())
}

/// Deletes a draft of which more is credited than charged, since what was told of late made it cheaper: its lines wait for an invoice
/// that can carry them.
async fn give_up(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    standing: &Standing,
    id: InvoiceId,
    metered: &Metered,
) -> Result<(), Error> {
    subscriptions::release_draft(tenant, id).await?;
    let waits = metered.lines.iter().map(|line| line.to_wait(ports, account, standing.row.id));
    subscriptions::insert_pending_lines(tenant, waits.collect()).await?;
    invoices::delete_draft(tenant, id).await?;
    let act = Act { action: "invoice.draft_deleted", actor: "system", subject: &id.to_string(), details: json!({}) };
    record(tenant, ports, act).await
}

/// By what a draft's usage is rated.
fn rating_of(draft: &Invoice) -> Result<Rating, Error> {
    let plan = draft.draft_plan_id.zip(draft.draft_plan_version);
    let kept = draft.draft_until.zip(plan).zip(draft.draft_tax_behavior);
    let ((until, plan), tax_behavior) = kept.ok_or_else(|| Error::Corrupt("a draft does not say what it is of".into()))?;
    Ok(Rating { until: until.get(), plan, tax_behavior })
}
