//! What is metered, on its way to an invoice: in arrears, once its usage period is over, by the plan in force at its end.
//! What is told of after that goes on the next invoice, as a line that says so.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::account::Account;
use super::collect::collect;
use super::draft::{Boundary, bill_or_draft};
use super::lines::DraftLine;
use super::renew::bill_due_boundaries;
use super::rule;
use super::standing::Standing;
use crate::billing::exact::Fraction;
use crate::billing::invoice::{Line, LineKind};
use crate::billing::lifecycle::{InvoiceStatus, SubscriptionStatus};
use crate::billing::tax::TaxBehavior;
use crate::billing::usage::{Overage, late, past_included, priced, rate, usage_period};
use crate::error::Error;
use crate::ids::SubscriptionId;
use crate::money::Rate;
use crate::services::Ports;
use crate::store::catalog::{Feature, PlanView, VersionKey, plan_features};
use crate::store::jobs::{NewJob, schedule};
use crate::store::usage::{self, UsageCounter};
use crate::store::{Instant, Tenant};

/// The job that bills a usage period which ends before its period does: a month of a year.
pub const USAGE_PERIOD: &str = "usage_period";

/// What is to be billed of what was metered.
#[derive(Debug, Clone, Default)]
pub struct Metered {
    /// A line for each feature and usage period that costs something.
    pub lines: Vec<DraftLine>,
    /// The counters as they are once it is billed.
    counters: Vec<UsageCounter>,
}

/// By what usage is rated.
#[derive(Debug, Clone, Copy)]
pub struct Rating {
    /// The usage periods that began before then.
    pub until: Timestamp,
    /// The plan in force then.
    pub plan: VersionKey,
    /// Whether the prices of that plan include tax.
    pub tax_behavior: TaxBehavior,
}

impl Rating {
    /// By the plan of a subscription as it stands.
    pub fn of(standing: &Standing, until: Timestamp) -> Self {
        Self { until, plan: (standing.row.plan_id, standing.row.plan_version), tax_behavior: standing.row.tax_behavior }
    }
}

impl Metered {
    /// What is to be billed of the usage periods that began before `until`, as things stand. `standing` is of the plan in force
    /// then.
    ///
    /// # Errors
    /// The database's fault; [`Error::Corrupt`] past every limit.
    pub async fn of(tenant: &Tenant, account: &Account, standing: &Standing, until: Timestamp) -> Result<Self, Error> {
        Self::rated(tenant, account, standing, &Rating::of(standing, until)).await
    }

    /// As [`Metered::of`], rated otherwise than by the plan of now.
    ///
    /// # Errors
    /// As [`Metered::of`].
    pub async fn rated(tenant: &Tenant, account: &Account, standing: &Standing, rating: &Rating) -> Result<Self, Error> {
        let (until, in_force) = (rating.until, rating.plan);
        let mut counters = usage::unbilled(tenant, standing.row.id, until.into()).await?;
        if counters.is_empty() {
            return Ok(Self::default());
        }
        let mut keys: Vec<VersionKey> = counters.iter().filter_map(remembered).chain([in_force]).collect();
        keys.sort_unstable();
        keys.dedup();
        let features = plan_features(&tenant.catalogue(), &keys).await?;
        let feature = |plan: VersionKey, key: &str| features.get(&plan)?.iter().find(|feature| feature.key == key);
        let mut lines = Vec::new();
        for counter in &mut counters {
            let present =
                feature(in_force, &counter.feature_key).filter(|_| counter.billed_at.is_none()).map(|feature| (in_force, feature));
            let past = || remembered(counter).and_then(|plan| Some((plan, feature(plan, &counter.feature_key)?)));
            if let Some((plan, feature)) = present.or_else(past) {
                // A trial charges nothing.
                if standing.row.trial_end.is_none_or(|ends| counter.period_start >= ends) {
                    lines.extend(line(account, rating, counter, feature)?);
                }
                (counter.plan_id, counter.plan_version) = (Some(plan.0), Some(plan.1));
            }
            counter.period_end = counter.period_end.min(until.into());
            counter.billed_used = Some(counter.used);
            counter.billed_at = Some(account.instant());
            counter.unbilled = false;
        }
        Ok(Self { lines, counters })
    }

    /// Notes that it is billed, or waits for an invoice: whoever calls has seen to its lines.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn note(&self, tenant: &Tenant) -> Result<(), Error> {
        usage::note_billed(tenant, self.counters.clone()).await
    }
}

/// The plan that a counter remembers.
fn remembered(counter: &UsageCounter) -> Option<VersionKey> {
    counter.plan_id.zip(counter.plan_version)
}

/// The line of a counter, if it costs something.
fn line(account: &Account, rating: &Rating, counter: &UsageCounter, feature: &Feature) -> Result<Option<DraftLine>, Error> {
    let Some(overage) = feature.overage.iter().find(|overage| overage.currency == account.business.currency) else { return Ok(None) };
    let included = feature.included.map(Rate::decimal);
    let past = past_included(counter.used.decimal(), included);
    let billed = counter.billed_used.map(|billed| past_included(billed.decimal(), included));
    let amount_minor = match billed {
        Some(billed) => late(past, billed, overage),
        None => rate(past, overage),
    };
    let amount_minor = amount_minor.map_err(rule)?;
    if amount_minor == 0 {
        return Ok(None);
    }
    let line = Line {
        kind: LineKind::Usage,
        start: counter.period_start.get(),
        end: counter.period_end.get().min(rating.until),
        fraction: Fraction::WHOLE,
        unit_price_minor: amount_minor,
        amount_minor,
        discount_minor: 0,
        tax: account.tax(rating.tax_behavior),
    };
    Ok(Some(draft(account, line, (feature, overage), past, billed)))
}

/// A line with its words: how many units past what is included, and at which price where one price explains it.
fn draft(account: &Account, line: Line, (feature, overage): (&Feature, &Overage), past: Decimal, billed: Option<Decimal>) -> DraftLine {
    let included = feature.included.unwrap_or(Rate::ZERO);
    let (name, unit) = (&feature.name, feature.unit.as_deref().unwrap_or("unit"));
    let explained = match billed {
        None => priced(past, overage),
        Some(_) => None,
    };
    let description = match billed {
        None => format!("{name}: {past} past the {included} included ({unit})"),
        Some(billed) => {
            let more = past.checked_sub(billed).unwrap_or(past).normalize();
            format!("{name}: {more} more past the {included} included ({unit}), recorded after the invoice for this time")
        }
    };
    let whole = (Rate::from(Decimal::ONE), super::lines::major(line.unit_price_minor, account));
    let (quantity, unit_price) = explained.unwrap_or(whole);
    DraftLine { line, description, quantity, unit_price: Some(unit_price), period: None }
}

/// Notes that a plan is in force from now on: in the usage period that runs, it rates the features that it has.
///
/// # Errors
/// The database's fault.
pub async fn note_plan(tenant: &Tenant, standing: &Standing, plan: &PlanView) -> Result<(), Error> {
    if usage::unbilled(tenant, standing.row.id, standing.row.period_end).await?.is_empty() {
        return Ok(());
    }
    let features = plan_features(&tenant.catalogue(), &[plan.key()]).await?.remove(&plan.key()).unwrap_or_default();
    usage::note_plan(tenant, standing.row.id, features.into_iter().map(|feature| feature.key).collect(), plan.key()).await
}

/// Writes the job that bills a usage period which ends at `end`, unless there is one.
///
/// # Errors
/// The database's fault.
pub async fn bill_later(
    tenant: &Tenant,
    ports: &Ports,
    subscription: SubscriptionId,
    (start, end): (Instant, Instant),
) -> Result<(), Error> {
    let key = format!("{subscription}:{}", start.get().as_microsecond());
    let job =
        NewJob { id: ports.ids.next(), kind: USAGE_PERIOD, key: &key, due_at: end, clock: ports.test_clock(), now: ports.now().into() };
    schedule(tenant, job).await.map(drop)
}

/// Bills the months of a year that are over. Without access nothing is billed: it waits for the next invoice.
///
/// # Errors
/// The database's fault.
pub(super) async fn bill_months(tenant: &Tenant, ports: &Ports, account: &mut Account, id: SubscriptionId) -> Result<(), Error> {
    let Some(mut standing) = Standing::lock(tenant, id).await? else { return Ok(()) };
    bill_due_boundaries(tenant, ports, account, &mut standing).await?;
    if !matches!(standing.row.status, SubscriptionStatus::Active | SubscriptionStatus::PastDue) {
        return Ok(());
    }
    let schedule = standing.schedule(account)?;
    let running = usage_period(&schedule, &standing.running()?, standing.period.billing_interval, account.at).map_err(rule)?;
    let rating = Rating::of(&standing, running.start);
    let metered = Metered::rated(tenant, account, &standing, &rating).await?;
    if metered.lines.is_empty() {
        return metered.note(tenant).await;
    }
    match bill_or_draft(tenant, ports, account, &standing, Boundary { rating, own: Vec::new(), metered }).await? {
        Some(mut invoice) if invoice.status != InvoiceStatus::Draft => {
            collect(tenant, ports, account, &mut standing, &mut invoice, None).await.map(drop)
        }
        _ => Ok(()),
    }
}
