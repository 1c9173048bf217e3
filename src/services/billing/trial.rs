//! The word before a trial ends: what its end charges, when, and by which method. A job of its own, which finds out how things stand then.

use jiff::{SignedDuration, Timestamp};

use super::account::Account;
use super::renew::upcoming;
use super::standing::{Standing, version};
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::Error;
use crate::ids::SubscriptionId;
use crate::money::Money;
use crate::services::Ports;
use crate::services::events::{self, Event, TRIAL_ENDING as EVENT, TrialFacts};
use crate::services::payments::method_at;
use crate::store::jobs::{Finish, NewJob, schedule};
use crate::store::{Tenant, outbox};

/// The job that tells of a trial's end beforehand; its key is the subscription's id.
pub const TRIAL_ENDING: &str = "trial_ending";
/// How often a trial is looked at that is to end with a cancellation, which may be taken back.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Writes the job that tells of a trial's end beforehand: so long before it, or at once where it is no longer than that. Nothing for
/// what is in no trial, nor where nobody is to be told.
///
/// # Errors
/// The database's fault.
pub async fn tell_before_end(tenant: &Tenant, ports: &Ports, standing: &Standing) -> Result<(), Error> {
    let Some(end) = standing.row.trial_end.filter(|_| standing.row.status == SubscriptionStatus::Trialing) else { return Ok(()) };
    if ports.trial_notice.is_zero() {
        return Ok(());
    }
    let (key, now) = (standing.row.id.to_string(), ports.now());
    let due_at = end.get().saturating_sub(ports.trial_notice).unwrap_or(Timestamp::MIN).max(now);
    let new =
        NewJob { id: ports.ids.next(), kind: TRIAL_ENDING, key: &key, due_at: due_at.into(), clock: ports.test_clock(), now: now.into() };
    schedule(tenant, new).await.map(drop)
}

/// Tells of a trial's end, once. Nobody is told of one that is over, nor of one that charges nothing since it is cancelled: that may be
/// taken back, so it is looked at again. The business's lock is held.
///
/// # Errors
/// The database's fault.
pub(super) async fn tell(tenant: &Tenant, ports: &Ports, account: &Account, id: SubscriptionId) -> Result<Finish, Error> {
    let Some(standing) = Standing::lock(tenant, id).await? else { return Ok(Finish::Done) };
    let row = &standing.row;
    let Some(end) = row.trial_end.filter(|end| row.status == SubscriptionStatus::Trialing && account.at < end.get()) else {
        return Ok(Finish::Done);
    };
    if row.cancel_at.is_some_and(|at| at <= end) {
        let again = account.at.saturating_add(AGAIN_AFTER).unwrap_or(Timestamp::MAX).min(end.get());
        return Ok(Finish::Again(again.into()));
    }
    // A job may be run again that was done.
    if outbox::is_told(tenant, &id.to_string(), EVENT).await? {
        return Ok(Finish::Done);
    }
    let facts = facts(tenant, ports, account, &standing, end.get()).await?;
    events::emit(tenant, ports, &Event::TrialEnding(facts)).await?;
    Ok(Finish::Done)
}

/// What a trial's end charges as things stand.
async fn facts(tenant: &Tenant, ports: &Ports, account: &Account, standing: &Standing, end: Timestamp) -> Result<TrialFacts, Error> {
    let row = &standing.row;
    let first = upcoming(tenant, account, standing, Vec::new()).await?;
    let plan = match row.pending_plan_id.zip(row.pending_plan_version) {
        Some(key) => version(tenant, key).await?,
        None => standing.plan.clone(),
    };
    let nothing = account.money(0)?;
    let method = method_at(tenant, ports, row.payment_method_id, end).await?;
    let of_first = |amount: fn(&super::InvoicePreview) -> Money| first.as_ref().map_or(nothing, amount).amount();
    Ok(TrialFacts {
        subscription_id: row.id.to_string(),
        product: plan.product.code.clone(),
        plan_id: plan.id.to_string(),
        plan_name: plan.name.clone(),
        interval: row.pending_interval.unwrap_or(row.billing_interval).as_str().to_owned(),
        trial_end: end.to_string(),
        currency: account.business.currency.code().to_owned(),
        total: of_first(|first| first.total),
        amount_due: of_first(|first| first.amount_due),
        payment_method_id: method.map(|method| method.id.to_string()),
    })
}
