//! What was used: every feature that can be counted, of one usage period.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::course::{Course, courses};
use super::entitlement::{plan_of, stored_here, users};
use crate::billing::period::Zone;
use crate::billing::usage::{UsagePeriod, left_of_included, past_included, rate};
use crate::error::Error;
use crate::ids::SubscriptionId;
use crate::money::{Currency, Money, Rate};
use crate::services::Ports;
use crate::services::access::Access;
use crate::services::billing::rule;
use crate::store::catalog::{Feature, STORAGE, USERS, VersionKey};
use crate::store::customers::Business;
use crate::store::types::FeatureKind;
use crate::store::usage::UsageCounter;
use crate::store::{Instant, Tenant, reads, usage};

/// What was used in a usage period.
#[derive(Debug, Clone)]
pub struct Report {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The usage period.
    pub period: UsagePeriod,
    /// The zone by whose clock its history goes.
    pub zone: Zone,
    /// Until when something can have been used of it.
    pub until: Timestamp,
    /// The currency that overage is priced in.
    pub currency: Currency,
    /// A metric for each feature that can be counted.
    pub metrics: Vec<Metric>,
}

/// What was used of a feature.
#[derive(Debug, Clone)]
pub struct Metric {
    /// The feature, as the plan has it by which it is rated.
    pub feature: Feature,
    /// How much.
    pub used: Rate,
    /// What is left of what is included.
    pub remaining: Option<Rate>,
    /// Units past it.
    pub overage: Rate,
    /// What those cost.
    pub cost: Money,
    /// When it starts again at zero.
    pub resets_at: Option<Timestamp>,
}

/// What was used of a product in the usage period that `at` lies in, or now; `None` where nothing was counted for then, or
/// where without a product it is not clear which is meant. A product asks about itself alone.
///
/// # Errors
/// [`Error::Forbidden`] for a product that asks about another; the database's fault.
pub async fn report(
    tenant: &Tenant,
    ports: &Ports,
    access: &Access,
    product: Option<&str>,
    at: Option<Timestamp>,
) -> Result<Option<Report>, Error> {
    let (ports, business) = ports.of_business(tenant).await?;
    let now = ports.now();
    let at = at.unwrap_or(now);
    let catalogue = tenant.catalogue();
    let product = match (product, access.product()) {
        (None, Some(own)) => Some(own),
        (None, None) => reads::subscriptions::current(tenant, None).await?.map(|row| row.product_id),
        (Some(code), own) => {
            let found = ports.remembered().products(&catalogue, &BTreeSet::from([code])).await?.remove(code);
            if own.is_some_and(|own| found != Some(own)) {
                return Err(Error::Forbidden);
            }
            found
        }
    };
    let Some(product) = product.filter(|_| at <= now) else { return Ok(None) };
    let course = courses(tenant, &business, &[product], at, false).await?.into_iter().find(|course| course.covers(at));
    let Some(course) = course else { return Ok(None) };
    let Some(window) = course.window(at)? else { return Ok(None) };
    let counters = usage::counters_of_period(tenant, course.row.id, Instant::from(window.period.start)).await?;
    let metrics = metrics(tenant, &ports, (&business, &course), window.period, &counters).await?;
    Ok(Some(Report {
        subscription: course.row.id,
        period: window.period,
        zone: window.zone,
        until: now.min(window.period.end),
        currency: course.row.currency,
        metrics,
    }))
}

/// The features of the plan in force that can be counted, and those that were counted by an earlier plan and that it lacks.
async fn metrics(
    tenant: &Tenant,
    ports: &Ports,
    (business, course): (&Business, &Course),
    period: UsagePeriod,
    counters: &[UsageCounter],
) -> Result<Vec<Metric>, Error> {
    let in_force = plan_of(course);
    let rated_by = |counter: &UsageCounter| counter.plan_id.zip(counter.plan_version);
    let mut keys: Vec<VersionKey> = counters.iter().filter_map(rated_by).chain([in_force]).collect();
    keys.sort_unstable();
    keys.dedup();
    let versions = ports.remembered().features(&tenant.catalogue(), &keys).await?;
    let mut shown: Vec<Feature> = versions.get(&in_force).map_or_else(Vec::new, |features| features.to_vec());
    for counter in counters {
        let own = rated_by(counter).and_then(|key| versions.get(&key)?.iter().find(|feature| feature.key == counter.feature_key));
        match (shown.iter_mut().find(|feature| feature.key == counter.feature_key), own) {
            // What is billed was rated by the plan of then.
            (Some(shown), Some(own)) if counter.billed_at.is_some() => *shown = own.clone(),
            (None, Some(own)) => shown.push(own.clone()),
            _ => {}
        }
    }
    let standings = usage::standings(tenant, &[course.row.product_id], None).await?;
    let standings: HashMap<&str, Decimal> = standings.iter().map(|row| (row.feature_key.as_str(), row.quantity.decimal())).collect();
    let users = users(tenant, business).await?;
    let documents = stored_here(tenant).await?;
    let counted: HashMap<&str, Decimal> = counters.iter().map(|row| (row.feature_key.as_str(), row.used.decimal())).collect();
    let metric = |feature: Feature| match feature.kind {
        FeatureKind::Switch => None,
        FeatureKind::Limit if feature.key == USERS => Some(metric(feature, users, None, course.row.currency)),
        FeatureKind::Limit => {
            let quantity = standings.get(feature.key.as_str()).copied().unwrap_or(Decimal::ZERO);
            let here = if feature.key == STORAGE { documents } else { Decimal::ZERO };
            Some(metric(feature, quantity.saturating_add(here), None, course.row.currency))
        }
        FeatureKind::Metered => {
            let used = counted.get(feature.key.as_str()).copied().unwrap_or(Decimal::ZERO);
            Some(metric(feature, used, Some(period.end), course.row.currency))
        }
    };
    shown.into_iter().filter_map(metric).collect()
}

/// What `used` of a feature comes to.
fn metric(feature: Feature, used: Decimal, resets_at: Option<Timestamp>, currency: Currency) -> Result<Metric, Error> {
    let included = feature.included.map(Rate::decimal);
    let past = past_included(used, included);
    let priced = feature.overage.iter().find(|overage| overage.currency == currency);
    let minor = priced.map_or(Ok(0), |overage| rate(past, overage)).map_err(rule)?;
    Ok(Metric {
        used: Rate::from(used),
        remaining: left_of_included(used, included).map(Rate::from),
        overage: Rate::from(past),
        cost: Money::new(minor, currency).map_err(|_| Error::Corrupt("an amount is too large".into()))?,
        resets_at,
        feature,
    })
}
