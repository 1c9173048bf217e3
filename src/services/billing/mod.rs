//! Billing: issuing, settling and renewing, over the pure rules. Everything here runs inside the caller's transaction,
//! which holds the business's lock; the order of locks is business, subscription, invoice, payment, coupon, counter.
//!
//! It must never call a gateway: it writes the attempt, and `payments` makes it once that is committed.

use crate::billing::RuleError;
use crate::error::{Error, Failure, Outcome};
use crate::ids::{InvoiceId, SubscriptionId};
use crate::services::Ports;
use crate::services::payments::send_begun;
use crate::store::jobs::{Finish, Job};
use crate::store::{Tenant, TenantScope};

pub mod account;
mod collect;
mod correct;
pub mod credit;
mod dispute;
mod draft;
mod end;
mod incomplete;
mod issue;
mod ledger;
mod lines;
mod metered;
mod outlook;
pub mod party;
mod refund;
mod refund_note;
mod renew;
mod revenue;
mod settle;
mod standing;
mod trial;

pub use account::Account;
pub use collect::{DUNNING, PROMPT, WRITE_OFF, collect, due_in_days, write_off_later};
pub use correct::{LineCredit, OnLines, credit_on_lines, mark_uncollectible, void_invoice};
pub use dispute::{credit_for_dispute, enter_given_back, enter_loss, enter_taken, suspend_for_dispute};
pub use draft::{ISSUE_DRAFT, issue_drafts};
pub use end::{Ended, abandon, end, expire};
pub use incomplete::{EXPIRE_INCOMPLETE, give_up_later};
pub use issue::{bill, void, waiting};
pub use lines::{DraftLine, InvoicePreview, PreviewLine};
pub use metered::{Metered, USAGE_PERIOD, bill_later, note_plan};
pub use outlook::{Ahead, ahead_of_invoice, ahead_of_past_due, ahead_of_suspended};
pub use refund::{RefundPart, Taken, refund_failed, refund_paid};
pub use refund_note::{RefundAsked, credit_for_refund};
pub use renew::{bill_due_boundaries, clear_pending_change, upcoming};
pub use settle::{Charged, charge_failed, follow_up, lock_charged, settle_payment};
pub use standing::{Change, RENEWAL, Standing, period_of, period_row, periods_left, schedule_of};
pub use trial::{TRIAL_ENDING, tell_before_end};

/// Every kind of job that [`run_job`] runs.
pub const JOB_KINDS: [&str; 8] = [RENEWAL, EXPIRE_INCOMPLETE, DUNNING, PROMPT, WRITE_OFF, USAGE_PERIOD, ISSUE_DRAFT, TRIAL_ENDING];

/// A rule that could not be evaluated: what is stored contradicts itself, or is past every limit.
pub(crate) fn rule(error: RuleError) -> Error {
    Error::Corrupt(error.to_string().into())
}

/// The invoice that comes next for a subscription as things stand; `None` where there will be none.
///
/// # Errors
/// The database's fault.
pub async fn upcoming_invoice(
    tenant: &Tenant,
    ports: &Ports,
    subscription: crate::store::subscriptions::Subscription,
) -> Result<Option<InvoicePreview>, Error> {
    let account = Account::read(tenant, ports.of(tenant).await?.now()).await?;
    let standing = Standing::of(tenant, subscription).await?;
    let metered = Metered::of(tenant, &account, &standing, standing.row.period_end.get()).await?;
    Box::pin(upcoming(tenant, &account, &standing, metered.lines)).await
}

/// Runs a job of one of [`JOB_KINDS`] for the business of `scope`, which the worker made from the job's claimed row.
///
/// The attempts that it begins are made at once: no other job is claimed for them.
///
/// # Errors
/// The database's fault.
pub async fn run_job(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    let (ports, kind, key) = (ports.of_job(job), job.kind.clone(), job.job_key.clone());
    let outside = ports.clone();
    let work = move |tenant: Tenant| {
        let (ports, kind, key) = (outside.clone(), kind.clone(), key.clone());
        async move {
            let ports = ports.of(&tenant).await?;
            let mut account = Account::lock(&tenant, ports.now()).await?.sending();
            let finish = run(&tenant, &ports, &mut account, &kind, &key).await?;
            Ok((finish, account.take_begun()))
        }
    };
    let (finish, begun) = ports.store.write(scope, work).await?;
    send_begun(&ports, scope, begun).await?;
    Ok(finish)
}

/// One job in its transaction, which has locked the business.
async fn run(tenant: &Tenant, ports: &Ports, account: &mut Account, kind: &str, key: &str) -> Outcome<Finish> {
    let (subject, number) = key.split_once(':').unwrap_or((key, ""));
    let foreign = || Failure::Fault(Error::Corrupt("a job's key names nothing".into()));
    let subscription = || SubscriptionId::parse(subject).ok_or_else(foreign);
    match kind {
        RENEWAL => renew(tenant, ports, account, subscription()?).await,
        TRIAL_ENDING => Ok(trial::tell(tenant, ports, account, subscription()?).await?),
        EXPIRE_INCOMPLETE => incomplete::give_up(tenant, ports, account, subscription()?).await,
        DUNNING => {
            let invoice = InvoiceId::parse(subject).ok_or_else(foreign)?;
            collect::climb(tenant, ports, account, invoice, number.parse().map_err(|_| foreign())?).await?;
            Ok(Finish::Done)
        }
        PROMPT => {
            collect::prompt(tenant, ports, account, InvoiceId::parse(subject).ok_or_else(foreign)?).await?;
            Ok(Finish::Done)
        }
        ISSUE_DRAFT => {
            draft::issue_due(tenant, ports, account, InvoiceId::parse(subject).ok_or_else(foreign)?).await?;
            Ok(Finish::Done)
        }
        USAGE_PERIOD => {
            metered::bill_months(tenant, ports, account, subscription()?).await?;
            Ok(Finish::Done)
        }
        WRITE_OFF => {
            collect::write_off(tenant, ports, account, subscription()?).await?;
            Ok(Finish::Done)
        }
        _ => Err(Failure::Fault(Error::Corrupt("a job is of no kind of billing's".into()))),
    }
}

/// Bills the boundaries of a subscription that are due. What is not due yet, since the clock stepped back or the cycle
/// was reset, has a job of its own or comes again.
async fn renew(tenant: &Tenant, ports: &Ports, account: &mut Account, id: SubscriptionId) -> Outcome<Finish> {
    let Some(mut standing) = Standing::lock(tenant, id).await? else { return Ok(Finish::Done) };
    bill_due_boundaries(tenant, ports, account, &mut standing).await?;
    Ok(Finish::Done)
}
