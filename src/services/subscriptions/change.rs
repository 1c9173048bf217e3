//! Changing the plan: what a change comes to, for the preview and for the real thing alike.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::change_apply::apply;
use super::sale::check_verified;
use super::subscribe::known_method;
use super::token::{self, Shown};
use super::{
    Agent, Begun, Billed, ChangePlan, Made, PreviewChange, SubscriptionService, Work, begin, check_version, customer, is_behind, locked,
    no_such_subscription, refused, settled,
};
use crate::billing::change::{AtOnce, ChangeFacts, ChangeOutcome, ChangeRequest, PlanPrices, Price, Settlement, change};
use crate::billing::invoice::LineKind;
use crate::billing::period::Interval;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::services::Ports;
use crate::services::access::{Caller, Need, check};
use crate::services::billing::credit::{Charging, charging, to_account_credit};
use crate::services::billing::{Account, DraftLine, InvoicePreview, Metered, Standing, upcoming, waiting};
use crate::services::idempotency;
use crate::store::catalog::{PlanView, plan_to_subscribe};
use crate::store::{Snapshot, Tenant, TenantScope, invoices, subscriptions};

/// The operation's name in tokens and under idempotency keys.
const OPERATION: &str = "changePlan";

/// What a change would bill.
#[derive(Debug, Clone)]
pub struct ChangePreview {
    /// What is billed or credited; `None` where nothing is.
    pub preview: Option<InvoicePreview>,
    /// When it takes effect.
    pub effective_at: Timestamp,
    /// For `changePlan`.
    pub preview_token: String,
}

/// A change before it is written.
pub(super) struct Weighed {
    /// The plan from then on.
    pub(super) target: PlanView,
    /// What the rule says.
    pub(super) outcome: ChangeOutcome,
    /// Its lines, for a change at once.
    pub(super) lines: Vec<DraftLine>,
    /// The invoices that charged the running period.
    pub(super) charging: Charging,
    /// What was metered until then, where the cycle starts again.
    pub(super) metered: Metered,
}

impl PreviewChange {
    /// What makes two changes the same.
    fn canonical(&self) -> Value {
        json!([
            self.subscription.map(|id| id.to_string()),
            self.plan.map(|id| id.to_string()),
            self.interval.map(Interval::as_str),
            self.timing.as_str(),
            self.proration.as_str(),
        ])
    }
}

impl SubscriptionService {
    /// Shows what a change would bill, by the function that bills it.
    ///
    /// # Errors
    /// Those of [`SubscriptionService::change_plan`] that do not come from paying.
    pub async fn change_plan_preview(&self, caller: Caller, input: PreviewChange) -> Outcome<ChangePreview> {
        let scope = caller.require_scope()?;
        self.catch_up(caller, scope, input).await?;
        let snapshot = Snapshot::new(self.ports.store.clone(), Some(scope));
        let tenant = snapshot.tenant().await?;
        let access = check(&tenant, caller).await?;
        access.require(Need::ReadMoney)?;
        let ports = self.ports.of(&tenant).await?;
        let account = Account::read(&tenant, ports.now()).await?;
        let standing = standing(&tenant, &input).await?;
        let weighed = weigh(&tenant, &account, &standing, &input, &Agent::of_business(&access)).await?;
        let (preview, effective_at) = picture(&tenant, &account, &standing, &weighed).await?;
        let result = shown(&tenant, &account, &standing, preview.as_ref(), effective_at).await?;
        let preview_token = token::seal(&ports, scope.business(), OPERATION, &input.canonical(), account.at, &result);
        Ok(ChangePreview { preview, effective_at, preview_token })
    }

    /// Bills the boundaries that are due before a preview looks at the subscription.
    async fn catch_up(&self, caller: Caller, scope: TenantScope, input: PreviewChange) -> Outcome<()> {
        let snapshot = Snapshot::new(self.ports.store.clone(), Some(scope));
        let tenant = snapshot.tenant().await?;
        check(&tenant, caller).await?.require(Need::ReadMoney)?;
        let id = input.subscription.ok_or_else(no_such_subscription)?;
        if !is_behind(&tenant, id, self.ports.of(&tenant).await?.now()).await? {
            return Ok(());
        }
        drop((tenant, snapshot));
        let outside = self.ports.clone();
        let write = move |tenant: Tenant| {
            let ports = outside.clone();
            async move {
                let ports = ports.of(&tenant).await?;
                let mut account = Account::lock(&tenant, ports.now()).await?;
                locked(&tenant, &ports, &mut account, Some(id)).await.map(drop)
            }
        };
        self.ports.store.write(scope, write).await
    }

    /// Changes the plan, at once or at the period's end. What is to be paid at once is collected and waited for a while;
    /// the change is in force whether that succeeds or not.
    ///
    /// # Errors
    /// NOT_FOUND at `subscriptionId`, `planId` or `paymentMethodId`; CONFLICT, NO_CHANGE, PLAN_NOT_AVAILABLE,
    /// INVALID_TRANSITION, NOT_ALLOWED, INVALID, VERIFICATION_REQUIRED, STALE_PREVIEW; those of idempotency keys;
    /// [`Error::Unauthenticated`], [`Error::Forbidden`] or the database's fault.
    pub async fn change_plan(&self, caller: Caller, input: ChangePlan) -> Outcome<Billed> {
        let scope = caller.require_scope()?;
        let outside = self.ports.clone();
        let write = move |tenant: Tenant| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let agent = customer(&tenant, caller).await?;
                transact(&tenant, &ports.of(&tenant).await?, agent, &input, OPERATION).await
            }
        };
        settled(&self.ports, scope, self.ports.store.write(scope, write).await?).await
    }
}

/// A change of plan in its transaction, whoever acts; `operation` is its name under idempotency keys. The token of a preview
/// is good for whoever acts for the business that saw it.
///
/// # Errors
/// Those of [`SubscriptionService::change_plan`] that do not come from who asks.
pub(super) async fn transact(tenant: &Tenant, ports: &Ports, agent: Agent, input: &ChangePlan, operation: &str) -> Outcome<Billed> {
    let change = input.change.canonical();
    let method = input.method.map(|named| named.map(|id| id.to_string()).unwrap_or_default());
    let canonical = json!([change, method, input.if_version, input.preview_token]);
    let sent = input.preview_token.as_deref();
    let shown = sent.map(|sent| token::open(ports, tenant.business(), OPERATION, &change, sent));
    let at = shown.as_ref().and_then(|shown| shown.as_ref().ok()).map_or_else(|| ports.now(), |shown| shown.at);
    match begin(tenant, ports, agent, at, (&input.idempotency_key, operation, &canonical)).await? {
        Begun::Replay(billed) => Ok(billed),
        // In a place of its own: it is most of what a request holds.
        Begun::New(work) => Box::pin(run(tenant, ports, *work, input, shown.transpose()?)).await,
    }
}

/// What a new key asks for.
async fn run(tenant: &Tenant, ports: &Ports, work: Work, input: &ChangePlan, sent: Option<Shown>) -> Outcome<Billed> {
    let Work { agent, mut account, claimed } = work;
    let method = match input.method {
        Some(named) => Some(known_method(tenant, named).await?),
        None => None,
    };
    let mut standing = locked(tenant, ports, &mut account, input.change.subscription).await?;
    check_version(&standing, input.if_version)?;
    let weighed = weigh(tenant, &account, &standing, &input.change, &agent).await?;
    if let Some(sent) = sent {
        if standing.row.period_end.get() <= ports.now() {
            return Err(token::stale().into());
        }
        let (preview, effective_at) = picture(tenant, &account, &standing, &weighed).await?;
        sent.check(&shown(tenant, &account, &standing, preview.as_ref(), effective_at).await?)?;
    }
    let billed = apply(tenant, ports, &mut account, &mut standing, weighed, (&agent.name, method)).await?;
    idempotency::store(tenant, claimed, &Made::from(&billed)).await?;
    Ok(billed)
}

/// The subscription, for reading.
async fn standing(tenant: &Tenant, input: &PreviewChange) -> Outcome<Standing> {
    let found = match input.subscription {
        Some(id) => subscriptions::find(tenant, id).await?,
        None => None,
    };
    Ok(Standing::of(tenant, found.ok_or_else(no_such_subscription)?).await?)
}

/// What a change at the account's instant comes to.
async fn weigh(tenant: &Tenant, account: &Account, standing: &Standing, input: &PreviewChange, agent: &Agent) -> Outcome<Weighed> {
    let found = match input.plan {
        Some(plan) => plan_to_subscribe(&tenant.catalogue(), plan).await?,
        None => None,
    };
    let target = found.ok_or_else(|| UserError::at("planId", UserErrorCode::NotFound, "There is no such plan."))?;
    let row = &standing.row;
    let is_same_plan = target.id == row.plan_id;
    let is_available = target.product.id == row.product_id && !target.archived;
    let price = |interval| {
        let price = target.price(interval, row.currency)?;
        Some(Price { amount_minor: price.amount_minor, tax: account.tax(price.tax_behavior) })
    };
    let request = ChangeRequest {
        at: account.at,
        is_same_plan,
        is_available,
        prices: PlanPrices { monthly: price(Interval::Monthly), yearly: price(Interval::Yearly) },
        interval: input.interval.unwrap_or(row.billing_interval),
        timing: input.timing,
        proration: input.proration,
    };
    let charging = charging(tenant, standing).await?;
    let mut facts = ChangeFacts {
        status: row.status,
        schedule: standing.schedule(account)?,
        period: standing.running()?,
        agreed_price_minor: row.price_minor,
        charged: standing.charged(),
        discount_of_new_period: standing.discount_of_new_period(),
        pending_lines: waiting(tenant, account, row.id).await?.into_iter().map(|draft| draft.line).collect(),
        charging_invoices: charging.creditable.clone(),
        account_credit_minor: account.business.balance_minor,
        options: agent.options(&standing.plan.product.change_options),
    };
    let mut outcome = change(&facts, &request).map_err(refused)?;
    let metered = closed(tenant, account, standing, &outcome).await?;
    if !metered.lines.is_empty() {
        facts.pending_lines.extend(metered.lines.iter().map(|draft| draft.line));
        outcome = change(&facts, &request).map_err(refused)?;
    }
    if !is_same_plan {
        check_verified(account, &target)?;
    }
    let lines = match &outcome {
        ChangeOutcome::AtOnce(done) => drafts(standing, &target, done),
        ChangeOutcome::Scheduled(_) => Vec::new(),
    };
    Ok(Weighed { target, outcome, lines, charging, metered })
}

/// What was metered until now, where the cycle starts again: its usage period is over, and the old plan rates it.
async fn closed(tenant: &Tenant, account: &Account, standing: &Standing, outcome: &ChangeOutcome) -> Result<Metered, Error> {
    match outcome {
        ChangeOutcome::AtOnce(done) if done.reset.is_some() => Metered::of(tenant, account, standing, account.at).await,
        ChangeOutcome::AtOnce(_) | ChangeOutcome::Scheduled(_) => Ok(Metered::default()),
    }
}

/// The lines of a change at once, with their words.
fn drafts(standing: &Standing, target: &PlanView, done: &AtOnce) -> Vec<DraftLine> {
    let running = Some(standing.period.id);
    let draft = |line: &crate::billing::invoice::Line| match line.kind {
        LineKind::ProrationCredit => DraftLine::new(*line, format!("Unused time on {}", standing.plan.name), running),
        LineKind::ProrationCharge => DraftLine::new(*line, format!("Remaining time on {}", target.name), running),
        _ => DraftLine::new(*line, target.name.clone(), None),
    };
    done.lines.iter().map(draft).collect()
}

/// What is billed, and when it takes effect.
async fn picture(
    tenant: &Tenant,
    account: &Account,
    standing: &Standing,
    weighed: &Weighed,
) -> Result<(Option<InvoicePreview>, Timestamp), Error> {
    let mut after = standing.clone();
    match &weighed.outcome {
        ChangeOutcome::Scheduled(scheduled) => {
            super::change_apply::schedule(&mut after, account, &weighed.target, scheduled);
            Ok((upcoming(tenant, account, &after, Vec::new()).await?, scheduled.effective_at))
        }
        ChangeOutcome::AtOnce(done) => {
            let preview = match &done.settlement {
                Settlement::Nothing => None,
                Settlement::Pend => {
                    super::change_apply::put_in_force(&mut after, &weighed.target, done)?;
                    upcoming(tenant, account, &after, weighed.lines.clone()).await?
                }
                Settlement::Invoice(totals) => {
                    let mut all = waiting(tenant, account, standing.row.id).await?;
                    all.extend(weighed.metered.lines.iter().cloned());
                    all.extend(weighed.lines.iter().cloned());
                    Some(InvoicePreview::new(account, &all, totals, 0, account.at)?)
                }
                Settlement::Credit { totals, notes, .. } => {
                    let granted_minor = to_account_credit(tenant, standing, notes).await?;
                    Some(InvoicePreview::new(account, &weighed.lines, totals, granted_minor, account.at)?)
                }
            };
            Ok((preview, account.at))
        }
    }
}

/// What a token signs: the result, and what a boundary, a payment, a credit or another change in between would alter.
async fn shown(
    tenant: &Tenant,
    account: &Account,
    standing: &Standing,
    preview: Option<&InvoicePreview>,
    effective_at: Timestamp,
) -> Result<impl std::fmt::Debug + use<>, Error> {
    let open: Vec<_> = invoices::open(tenant, None).await?.iter().map(|invoice| (invoice.id, invoice.amount_due_minor)).collect();
    let row = &standing.row;
    Ok((preview.cloned(), effective_at, row.version, row.period_number, row.status, account.business.balance_minor, open))
}
