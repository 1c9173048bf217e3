//! Writing a change of plan down, as the rule has decided it.

use serde_json::json;

use super::Billed;
use super::change::Weighed;
use crate::billing::change::{AtOnce, ChangeOutcome, Scheduled, Settlement};
use crate::billing::credit::CreditNotes;
use crate::billing::invoice::{Line, LineKind};
use crate::error::{Error, Outcome};
use crate::ids::PaymentMethodId;
use crate::services::Ports;
use crate::services::billing::credit::{Credited, issue_notes};
use crate::services::billing::{Account, Change, DraftLine, Standing, bill, clear_pending_change, collect, follow_up, note_plan};
use crate::store::catalog::PlanView;
use crate::store::types::CreditNoteReason;
use crate::store::{Tenant, subscriptions};

/// Writes a change down, bills it and begins to collect. `(actor, method)`: who asked, and with what it is paid.
pub(super) async fn apply(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    standing: &mut Standing,
    weighed: Weighed,
    (actor, method): (&str, Option<PaymentMethodId>),
) -> Outcome<Billed> {
    let details = json!({
        "from": standing.row.plan_id.to_string(), "from_interval": standing.row.billing_interval.as_str(), "to": weighed.target.id.to_string(),
    });
    match &weighed.outcome {
        ChangeOutcome::Scheduled(scheduled) => {
            schedule(standing, account, &weighed.target, scheduled);
            let change = Change { kind: "change_scheduled", actor, at: account.at, details };
            standing.changed(tenant, ports, account, change).await?;
            Ok(Billed::nothing(standing.row.id))
        }
        ChangeOutcome::AtOnce(done) => {
            // What is credited stands on the invoices of the period as it was.
            let before = standing.clone();
            if done.reset.is_some() {
                put_off(tenant, ports, account, standing, &weighed.metered.lines).await?;
                weighed.metered.note(tenant).await?;
            } else {
                note_plan(tenant, standing, &weighed.target).await?;
            }
            put_in_force(standing, &weighed.target, done)?;
            let lines = open_reset(tenant, ports, account, standing, done, &weighed.lines).await?;
            standing.changed(tenant, ports, account, Change { kind: "plan_changed", actor, at: account.at, details }).await?;
            settle(tenant, ports, account, (&before, standing), &weighed, done, (lines, method)).await
        }
    }
}

/// Has a change wait for the period's end. It takes a scheduled cancellation back.
pub(super) fn schedule(standing: &mut Standing, account: &Account, target: &PlanView, scheduled: &Scheduled) {
    let row = &mut standing.row;
    row.pending_plan_id = Some(target.id);
    row.pending_plan_version = Some(target.version);
    row.pending_interval = Some(scheduled.interval);
    row.pending_price_minor = Some(scheduled.price.amount_minor);
    row.pending_tax_behavior = Some(scheduled.price.tax.behavior);
    row.pending_effective_at = Some(scheduled.effective_at.into());
    row.pending_scheduled_at = Some(account.instant());
    row.cancel_at = None;
    row.auto_renewal = true;
}

/// Puts the plan in force. It removes a change that waits and a scheduled cancellation. Where the cycle starts again, a charged
/// period begins, which spends the coupon.
pub(super) fn put_in_force(standing: &mut Standing, target: &PlanView, done: &AtOnce) -> Result<(), Error> {
    clear_pending_change(standing);
    standing.set_charged(done.charged);
    if done.reset.is_some() {
        standing.spend_coupon()?;
    }
    standing.plan = target.plan.clone();
    let row = &mut standing.row;
    row.plan_id = target.id;
    row.plan_version = target.version;
    row.billing_interval = done.interval;
    row.price_minor = done.price.amount_minor;
    row.tax_behavior = done.price.tax.behavior;
    row.cancel_at = None;
    row.auto_renewal = true;
    Ok(())
}

/// Where the cycle starts again, ends the running period and opens the new one; answers the lines, each on its period.
async fn open_reset(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    standing: &mut Standing,
    done: &AtOnce,
    lines: &[DraftLine],
) -> Result<Vec<DraftLine>, Error> {
    let mut lines = lines.to_vec();
    if let Some(reset) = &done.reset {
        subscriptions::shorten_period(tenant, standing.period.id, reset.period.start.into()).await?;
        standing.set_schedule(&reset.schedule);
        standing.open_period(tenant, ports, account, &reset.period).await?;
        for draft in lines.iter_mut().filter(|draft| draft.line.kind == LineKind::Recurring) {
            draft.period = Some(standing.period.id);
        }
    }
    Ok(lines)
}

/// Bills, credits or puts off the lines of a change at once.
async fn settle(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    (before, standing): (&Standing, &mut Standing),
    weighed: &Weighed,
    done: &AtOnce,
    (lines, method): (Vec<DraftLine>, Option<PaymentMethodId>),
) -> Outcome<Billed> {
    let mut billed = Billed::nothing(standing.row.id);
    match &done.settlement {
        Settlement::Nothing => {}
        Settlement::Pend => put_off(tenant, ports, account, standing, &lines).await?,
        Settlement::Invoice(_) => {
            if let Some(mut invoice) = bill(tenant, ports, account, standing.row.id, lines).await? {
                if done.reset.is_some() {
                    subscriptions::set_period_invoice(tenant, standing.period.id, invoice.id).await?;
                }
                billed.invoice = Some(invoice.id);
                billed.payment = collect(tenant, ports, account, standing, &mut invoice, method).await?;
            }
        }
        Settlement::Credit { notes, pending, .. } => {
            let Some(first) = lines.first() else { return Ok(billed) };
            let (reason, description) = (CreditNoteReason::PlanChange, first.description.clone());
            // Never a refund that nobody asked for.
            let credited = Credited { reason, line: &first.line, description, refund: Vec::new() };
            billed.credit_notes = give_credit(tenant, ports, account, before, weighed, notes, &credited).await?;
            let waits = pending.iter().map(|line: &Line| DraftLine::new(*line, first.description.clone(), Some(standing.period.id)));
            put_off(tenant, ports, account, standing, &waits.collect::<Vec<_>>()).await?;
            follow_up(tenant, ports, account, Some(standing.row.id)).await?;
        }
    }
    Ok(billed)
}

/// Issues the credit notes of a change; answers their ids.
async fn give_credit(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    before: &Standing,
    weighed: &Weighed,
    notes: &CreditNotes,
    credited: &Credited<'_>,
) -> Result<Vec<crate::ids::CreditNoteId>, Error> {
    let issued = issue_notes(tenant, ports, account, before, &weighed.charging, notes, credited).await?;
    Ok(issued.notes.into_iter().map(|note| note.id).collect())
}

/// Has lines wait for the subscription's next invoice.
pub(super) async fn put_off(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    standing: &Standing,
    lines: &[DraftLine],
) -> Result<(), Error> {
    let rows = lines.iter().map(|line| line.to_wait(ports, account, standing.row.id)).collect();
    subscriptions::insert_pending_lines(tenant, rows).await
}
