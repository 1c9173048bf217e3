//! Ending a subscription because the customer asks for it.

use serde_json::json;

use super::change_apply::put_off;
use super::{Agent, Begun, Billed, Cancel, Made, SubscriptionService, Work, begin, check_version, customer, locked, refused, settled};
use crate::billing::cancel::{CancelFacts, CancelOutcome, CancelRequest, Ended, cancel};
use crate::billing::exact::sum;
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::{Outcome, UserError, UserErrorCode};
use crate::services::Ports;
use crate::services::access::Caller;
use crate::services::billing::credit::{Charging, Credited, charging, issue_notes};
use crate::services::billing::{Account, Change, DraftLine, Standing, Taken, clear_pending_change, end, expire, follow_up, rule};
use crate::services::idempotency;
use crate::store::Tenant;
use crate::store::types::CreditNoteReason;

/// The operation's name under idempotency keys.
const OPERATION: &str = "cancelSubscription";
/// The most characters of a reason.
const MAX_REASON_CHARS: usize = 1_000;

impl SubscriptionService {
    /// Cancels a subscription: at the end of its period, or at once.
    ///
    /// # Errors
    /// NOT_FOUND at `subscriptionId`; CONFLICT, INVALID_TRANSITION; NOT_ALLOWED for a choice that is not offered;
    /// PAYMENT_IN_PROGRESS; TOO_LONG at `reason`; those of idempotency keys; [`crate::error::Error::Unauthenticated`],
    /// [`crate::error::Error::Forbidden`] or the database's fault.
    pub async fn cancel(&self, caller: Caller, input: Cancel) -> Outcome<Billed> {
        let scope = caller.require_scope()?;
        let outside = self.ports.clone();
        let write = move |tenant: Tenant| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let agent = customer(&tenant, caller).await?;
                Box::pin(transact(&tenant, &ports.of(&tenant).await?, agent, &input, OPERATION)).await
            }
        };
        settled(&self.ports, scope, self.ports.store.write(scope, write).await?).await
    }
}

/// A cancellation in its transaction, whoever acts; `operation` is its name under idempotency keys.
///
/// # Errors
/// Those of [`SubscriptionService::cancel`] that do not come from who asks.
pub(super) async fn transact(tenant: &Tenant, ports: &Ports, agent: Agent, input: &Cancel, operation: &str) -> Outcome<Billed> {
    if let Some(reason) = &input.reason {
        check_reason(reason)?;
    }
    let id = input.subscription.map(|id| id.to_string());
    let canonical = json!([id, input.timing.as_str(), input.unused_time.as_str(), input.reason, input.if_version]);
    match begin(tenant, ports, agent, ports.now(), (&input.idempotency_key, operation, &canonical)).await? {
        Begun::Replay(billed) => Ok(billed),
        Begun::New(work) => run(tenant, ports, *work, input).await,
    }
}

/// A reason is text of several lines; PostgreSQL keeps no zero bytes, and no other control character says anything.
fn check_reason(reason: &str) -> Result<(), UserError> {
    if reason.chars().nth(MAX_REASON_CHARS).is_some() {
        return Err(UserError::at("reason", UserErrorCode::TooLong, "A reason has 1,000 characters at most."));
    }
    if reason.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(UserError::at("reason", UserErrorCode::Invalid, "Write it without control characters."));
    }
    Ok(())
}

/// What a new key asks for.
async fn run(tenant: &Tenant, ports: &Ports, work: Work, input: &Cancel) -> Outcome<Billed> {
    let Work { agent, mut account, claimed } = work;
    let mut standing = locked(tenant, ports, &mut account, input.subscription).await?;
    check_version(&standing, input.if_version)?;
    let request = CancelRequest { at: account.at, timing: input.timing, unused_time: input.unused_time };
    let (outcome, weighed) = weigh(tenant, &standing, &request, &agent).await?;
    standing.row.cancel_reason.clone_from(&input.reason);
    let actor = agent.name;
    let billed = match outcome {
        CancelOutcome::AtPeriodEnd { cancel_at } => {
            at_period_end(tenant, ports, &account, &mut standing, cancel_at, &actor).await?;
            Billed::nothing(standing.row.id)
        }
        CancelOutcome::AtOnce(ended) if ended.status == SubscriptionStatus::Expired => {
            expire(tenant, ports, &mut account, &mut standing, &actor).await?;
            follow_up(tenant, ports, &mut account, None).await?;
            Billed::nothing(standing.row.id)
        }
        CancelOutcome::AtOnce(ended) => at_once(tenant, ports, &mut account, &mut standing, (&ended, &weighed), &actor).await?,
    };
    idempotency::store(tenant, claimed, &Made::from(&billed)).await?;
    Ok(billed)
}

/// What charged the running period, and what gateways took for it.
struct Weighed {
    /// The invoices.
    charging: Charging,
    /// Their payments.
    taken: Taken,
}

/// What the rule says, and what it was told.
async fn weigh(tenant: &Tenant, standing: &Standing, request: &CancelRequest, agent: &Agent) -> Outcome<(CancelOutcome, Weighed)> {
    let charging = charging(tenant, standing).await?;
    let ids: Vec<_> = charging.invoices.iter().map(|invoice| invoice.id).collect();
    let taken = Taken::for_invoices(tenant, &ids).await?;
    let facts = CancelFacts {
        status: standing.row.status,
        period: standing.running()?,
        granularity: standing.row.granularity,
        charged: standing.charged(),
        charging_invoices: charging.creditable.clone(),
        taken_minor: sum(charging.invoices.iter().map(|invoice| invoice.amount_paid_minor)).map_err(rule)?,
        refunded_minor: taken.refunded_minor()?,
        options: agent.options(&standing.plan.product.cancel_unused_time),
    };
    Ok((cancel(&facts, request).map_err(refused)?, Weighed { charging, taken }))
}

/// Schedules the end. It removes a change that waits.
pub(super) async fn at_period_end(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    standing: &mut Standing,
    cancel_at: jiff::Timestamp,
    actor: &str,
) -> Outcome<()> {
    clear_pending_change(standing);
    standing.row.cancel_at = Some(cancel_at.into());
    standing.row.auto_renewal = false;
    let details = json!({ "cancel_at": cancel_at.to_string() });
    Ok(standing.changed(tenant, ports, account, Change { kind: "cancellation_scheduled", actor, at: account.at, details }).await?)
}

/// Ends it now: unused time is credited or paid back on the invoices that charged it, and what waits is on the final invoice.
async fn at_once(
    tenant: &Tenant,
    ports: &Ports,
    account: &mut Account,
    standing: &mut Standing,
    (ended, weighed): (&Ended, &Weighed),
    actor: &str,
) -> Outcome<Billed> {
    let mut billed = Billed::nothing(standing.row.id);
    if let Some(line) = &ended.line {
        let description = format!("Unused time on {}", standing.plan.name);
        let refund = weighed.taken.split(ports, ended.refund_minor)?;
        let credited = Credited { reason: CreditNoteReason::Cancellation, line, description: description.clone(), refund };
        let issued = issue_notes(tenant, ports, account, standing, &weighed.charging, &ended.notes, &credited).await?;
        (billed.credit_notes, billed.refunds) = (issued.notes.into_iter().map(|note| note.id).collect(), issued.refunds);
        let waits: Vec<DraftLine> =
            ended.pending.iter().map(|line| DraftLine::new(*line, description.clone(), Some(standing.period.id))).collect();
        put_off(tenant, ports, account, standing, &waits).await?;
    }
    let at = account.at;
    let last = end(tenant, ports, account, standing, at, actor).await?;
    (billed.invoice, billed.payment) = (last.invoice, last.payment);
    follow_up(tenant, ports, account, None).await?;
    Ok(billed)
}
