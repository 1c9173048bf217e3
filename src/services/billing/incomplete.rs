//! A subscription whose first invoice is still to be paid, and what becomes of one that never is.

use jiff::{SignedDuration, Timestamp};

use super::account::Account;
use super::end::expire;
use super::rule;
use super::settle::follow_up;
use super::standing::Standing;
use crate::billing::RuleError;
use crate::billing::dunning::INCOMPLETE_HOURS;
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::{Error, Outcome};
use crate::ids::SubscriptionId;
use crate::services::Ports;
use crate::store::invoices::Invoice;
use crate::store::jobs::{Finish, NewJob, schedule};
use crate::store::subscriptions::Subscription;
use crate::store::types::PaymentMethodKind;
use crate::store::{Tenant, invoices, payments};

/// The job that gives up on a first invoice that was never settled.
pub const EXPIRE_INCOMPLETE: &str = "expire_incomplete";
/// How long a live attempt is waited for before it is looked at again.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Writes the job that gives up on the first invoice of a subscription that begins with one to be paid.
///
/// # Errors
/// The database's fault.
pub async fn give_up_later(tenant: &Tenant, ports: &Ports, account: &Account, standing: &Standing) -> Result<(), Error> {
    if standing.row.status != SubscriptionStatus::Incomplete {
        return Ok(());
    }
    let (key, due_at) = (standing.row.id.to_string(), a_day_after(account.at).into());
    let job =
        NewJob { id: ports.ids.next(), kind: EXPIRE_INCOMPLETE, key: &key, due_at, clock: ports.test_clock(), now: ports.now().into() };
    schedule(tenant, job).await.map(drop)
}

/// The end of the time that a customer has who pays at once.
fn a_day_after(at: Timestamp) -> Timestamp {
    at.saturating_add(SignedDuration::from_hours(INCOMPLETE_HOURS.into())).unwrap_or(Timestamp::MAX)
}

/// When a first invoice that is not settled is given up on: a day after the sign-up, or where it is paid by transfer, which takes days, when
/// it is due.
///
/// # Errors
/// The database's fault.
pub(super) async fn given_up_at(tenant: &Tenant, row: &Subscription, invoice: &Invoice) -> Result<Timestamp, Error> {
    let a_day = a_day_after(row.started_at.get());
    let Some(due) = invoice.due_at.filter(|due| a_day < due.get()) else { return Ok(a_day) };
    let named = match row.payment_method_id {
        Some(id) => payments::method(tenant, id).await?,
        None => None,
    };
    let method = match named {
        Some(method) => Some(method),
        None => payments::default_method(tenant).await?,
    };
    let by_transfer = method.is_some_and(|method| method.kind == PaymentMethodKind::BankTransfer);
    Ok(if by_transfer { due.get() } else { a_day })
}

/// Expires a subscription whose first invoice was never settled; not before its time, nor while an attempt may still settle it.
///
/// # Errors
/// The database's fault.
pub(super) async fn give_up(tenant: &Tenant, ports: &Ports, account: &mut Account, id: SubscriptionId) -> Outcome<Finish> {
    let Some(mut standing) = Standing::lock(tenant, id).await? else { return Ok(Finish::Done) };
    if standing.row.status != SubscriptionStatus::Incomplete {
        return Ok(Finish::Done);
    }
    for invoice in invoices::payable(tenant, id).await? {
        let not_before = given_up_at(tenant, &standing.row, &invoice).await?;
        if account.at < not_before {
            return Ok(Finish::Again(not_before.into()));
        }
        if invoices::has_live_attempt(tenant, invoice.id).await? {
            let again = account.at.checked_add(AGAIN_AFTER).map_err(|_| rule(RuleError::OutOfTime))?;
            return Ok(Finish::Again(again.into()));
        }
    }
    expire(tenant, ports, account, &mut standing, "system").await?;
    follow_up(tenant, ports, account, None).await?;
    Ok(Finish::Done)
}
