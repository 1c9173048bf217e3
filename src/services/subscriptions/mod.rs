//! Subscriptions: beginning, changing and ending them. Each operation first bills the boundaries that are due, in its
//! own transaction, then applies one pure rule, and writes what that says. A preview runs the same rule on the same rows.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::billing::cancel::{CancelTiming, UnusedTime};
use crate::billing::change::{ChangeError, ChangeTiming, Proration, Refusal};
use crate::billing::period::Interval;
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::{CreditNoteId, InvoiceId, PaymentId, PaymentMethodId, PlanId, RefundId, SubscriptionId};
use crate::services::Ports;
use crate::services::access::{Access, Caller, Need, check_change};
use crate::services::billing::{Account, Standing, bill_due_boundaries, issue_drafts, rule};
use crate::services::idempotency::{Claim, Claimed, claim};
use crate::services::payments::wait_for_all;
use crate::services::staff::StaffAccess;
use crate::store::{Tenant, TenantScope, invoices, subscriptions};

mod cancel;
mod change;
mod change_apply;
mod for_business;
mod renewal;
mod sale;
mod subscribe;
mod token;

pub use change::ChangePreview;
pub use subscribe::SubscribePreview;

/// Subscriptions.
#[derive(Clone)]
pub struct SubscriptionService {
    /// What it needs of the outside.
    ports: Ports,
}

impl SubscriptionService {
    /// The service.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }
}

/// What `subscribePreview` asks.
#[derive(Debug, Clone)]
pub struct PreviewSubscribe {
    /// The plan; `None` for an id that names none.
    pub plan: Option<PlanId>,
    /// How long a period is.
    pub interval: Interval,
    /// A coupon.
    pub coupon: Option<String>,
    /// Whether the plan's trial is wanted.
    pub trial: bool,
}

/// What `subscribe` asks.
#[derive(Debug, Clone)]
pub struct Subscribe {
    /// What is bought.
    pub offer: PreviewSubscribe,
    /// With what it is paid; `None` is the default. An id that names none is `Some(None)`.
    pub method: Option<Option<PaymentMethodId>>,
    /// False: it ends with the first paid period, or with the trial.
    pub auto_renewal: bool,
    /// What a preview gave.
    pub preview_token: Option<String>,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// What `changePlanPreview` asks.
#[derive(Debug, Clone, Copy)]
pub struct PreviewChange {
    /// The subscription; `None` for an id that names none.
    pub subscription: Option<SubscriptionId>,
    /// The plan; `None` for an id that names none.
    pub plan: Option<PlanId>,
    /// `None`: as it is.
    pub interval: Option<Interval>,
    /// When.
    pub timing: ChangeTiming,
    /// What it bills.
    pub proration: Proration,
}

/// What `changePlan` asks.
#[derive(Debug, Clone)]
pub struct ChangePlan {
    /// The change.
    pub change: PreviewChange,
    /// With what it is paid; `None` is the subscription's or the default one. An id that names none is `Some(None)`.
    pub method: Option<Option<PaymentMethodId>>,
    /// The version that the caller saw.
    pub if_version: Option<i32>,
    /// What a preview gave.
    pub preview_token: Option<String>,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// What `cancelSubscription` asks.
#[derive(Debug, Clone)]
pub struct Cancel {
    /// The subscription; `None` for an id that names none.
    pub subscription: Option<SubscriptionId>,
    /// When.
    pub timing: CancelTiming,
    /// What becomes of time that is paid and not used, for NOW.
    pub unused_time: UnusedTime,
    /// Why, in the customer's words.
    pub reason: Option<String>,
    /// The version that the caller saw.
    pub if_version: Option<i32>,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// What an operation made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The invoice that it issued.
    pub invoice: Option<InvoiceId>,
    /// The attempt to collect it; it may still be under way.
    pub payment: Option<PaymentId>,
    /// The credit notes that it issued.
    pub credit_notes: Vec<CreditNoteId>,
    /// The refunds that it began; they may still be under way.
    pub refunds: Vec<RefundId>,
    /// Whether the key was sent before: nothing new was made.
    pub replayed: bool,
}

impl Billed {
    /// An operation that billed nothing.
    pub const fn nothing(subscription: SubscriptionId) -> Self {
        Self { subscription, invoice: None, payment: None, credit_notes: Vec::new(), refunds: Vec::new(), replayed: false }
    }
}

/// What is kept under an idempotency key: ids as text.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Made {
    /// The subscription.
    subscription: String,
    /// The invoice.
    invoice: Option<String>,
    /// The attempt.
    payment: Option<String>,
    /// The credit notes.
    credit_notes: Vec<String>,
    /// The refunds; keys that were stored before there were any name none.
    #[serde(default)]
    refunds: Vec<String>,
}

impl From<&Billed> for Made {
    fn from(billed: &Billed) -> Self {
        Self {
            subscription: billed.subscription.to_string(),
            invoice: billed.invoice.map(|id| id.to_string()),
            payment: billed.payment.map(|id| id.to_string()),
            credit_notes: billed.credit_notes.iter().map(ToString::to_string).collect(),
            refunds: billed.refunds.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Made {
    /// What was made then.
    fn replay(&self) -> Result<Billed, Error> {
        let foreign = || Error::Corrupt("an idempotency key names no subscription".into());
        Ok(Billed {
            subscription: SubscriptionId::parse(&self.subscription).ok_or_else(foreign)?,
            invoice: self.invoice.as_deref().map(|id| InvoiceId::parse(id).ok_or_else(foreign)).transpose()?,
            payment: self.payment.as_deref().map(|id| PaymentId::parse(id).ok_or_else(foreign)).transpose()?,
            credit_notes: self.credit_notes.iter().map(|id| CreditNoteId::parse(id).ok_or_else(foreign)).collect::<Result<_, _>>()?,
            refunds: self.refunds.iter().map(|id| RefundId::parse(id).ok_or_else(foreign)).collect::<Result<_, _>>()?,
            replayed: true,
        })
    }
}

/// Who acts on a subscription: somebody of its business, or a member of staff in its place.
#[derive(Debug, Clone)]
struct Agent {
    /// Their id, for the audit trail.
    name: String,
    /// The same, as the database keeps it: whose idempotency keys are whose.
    owner: Uuid,
    /// Whether the operator's settings say what they may choose. Staff are not bound by them.
    is_bound: bool,
}

impl Agent {
    /// Somebody of the business.
    fn of_business(access: &Access) -> Self {
        Self { name: access.actor(), owner: access.actor_uuid(), is_bound: true }
    }

    /// A member of staff.
    fn of_staff(access: &StaffAccess) -> Self {
        Self { name: access.actor(), owner: access.staff.uuid(), is_bound: false }
    }

    /// What the operator's settings offer, to whom they bind.
    fn options<T: Clone>(&self, offered: &T) -> Option<T> {
        self.is_bound.then(|| offered.clone())
    }
}

/// The caller, where the caller may change what the business pays.
async fn customer(tenant: &Tenant, caller: Caller) -> Outcome<Agent> {
    Ok(Agent::of_business(&check_change(tenant, caller, Need::ChangeMoney).await?))
}

/// A mutation in its transaction: who asks, for which business, and the key it holds.
struct Work {
    /// Who acts.
    agent: Agent,
    /// The business, locked.
    account: Account,
    /// The idempotency key.
    claimed: Claimed,
}

/// What a mutation begins with: to act, or to answer as before.
enum Begun {
    /// Act.
    New(Box<Work>),
    /// This was made then.
    Replay(Billed),
}

/// Locks the business as of `at`, and claims the key.
async fn begin(
    tenant: &Tenant,
    ports: &Ports,
    agent: Agent,
    at: jiff::Timestamp,
    (key, operation, input): (&str, &str, &serde_json::Value),
) -> Outcome<Begun> {
    let account = Account::lock(tenant, at).await?;
    match claim::<Made>(tenant, ports, agent.owner, key, operation, input).await? {
        Claim::Replay(made) => Ok(Begun::Replay(made.replay()?)),
        Claim::New(claimed) => Ok(Begun::New(Box::new(Work { agent, account, claimed }))),
    }
}

/// Locks a subscription and bills what is due on it, what is a draft too: whoever changes a subscription sees what it owes.
async fn locked(tenant: &Tenant, ports: &Ports, account: &mut Account, id: Option<SubscriptionId>) -> Outcome<Standing> {
    let found = match id {
        Some(id) => Standing::lock(tenant, id).await?,
        None => None,
    };
    let mut standing = found.ok_or_else(no_such_subscription)?;
    bill_due_boundaries(tenant, ports, account, &mut standing).await?;
    Box::pin(issue_drafts(tenant, ports, account, &mut standing)).await?;
    Ok(standing)
}

/// The refusal of an id that names none of the business's subscriptions.
fn no_such_subscription() -> UserError {
    UserError::at("subscriptionId", UserErrorCode::NotFound, "There is no such subscription.")
}

/// Refuses a version that the caller did not see.
fn check_version(standing: &Standing, if_version: Option<i32>) -> Result<(), UserError> {
    if if_version.is_none_or(|version| version == standing.row.version) {
        return Ok(());
    }
    Err(UserError::at("ifVersion", UserErrorCode::Conflict, "The subscription has changed since it was read; read it again."))
}

/// A rule's refusal as the API names it.
fn refused(error: ChangeError) -> Failure {
    let refusal = match error {
        ChangeError::Rule(error) => return Failure::Fault(rule(error)),
        ChangeError::Refused(refusal) => refusal,
    };
    let code = match refusal {
        Refusal::NoChange => UserErrorCode::NoChange,
        Refusal::PlanNotAvailable => UserErrorCode::PlanNotAvailable,
        Refusal::InvalidTransition => UserErrorCode::InvalidTransition,
        Refusal::NotAllowed => UserErrorCode::NotAllowed,
        Refusal::Invalid => UserErrorCode::Invalid,
    };
    UserError::new(code, refusal.to_string()).into()
}

/// Waits for the outcome of the attempts that an operation began.
async fn settled(ports: &Ports, scope: TenantScope, billed: Billed) -> Outcome<Billed> {
    if !billed.replayed {
        wait_for_all(ports, scope, billed.payment, &billed.refunds).await?;
    }
    Ok(billed)
}

/// Whether boundaries of a live subscription are due, or are billed by a draft: then they are billed before anything is previewed.
async fn is_behind(tenant: &Tenant, id: SubscriptionId, now: jiff::Timestamp) -> Result<bool, Error> {
    let row = subscriptions::find(tenant, id).await?;
    let is_due = row.is_some_and(|row| row.status.is_live() && row.period_end.get() <= now);
    Ok(is_due || !invoices::drafts(tenant, id).await?.is_empty())
}
