//! What a plan lets its customer do: its features, whether one may be used now, and why.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::course::{Counted, Course, course_with_feature};
use crate::billing::lifecycle::SubscriptionStatus;
use crate::billing::usage::left_of_included;
use crate::error::Error;
use crate::ids::{PlanId, ProductId};
use crate::money::Rate;
use crate::services::Ports;
use crate::services::access::Access;
use crate::store::catalog::{self, Feature, STORAGE, USERS, VersionKey};
use crate::store::customers::{self, Business};
use crate::store::tenant::Catalogue;
use crate::store::types::FeatureKind;
use crate::store::{Tenant, verification};

/// Why something may be used, or may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessReason {
    /// It is in the plan's price.
    Included,
    /// It costs more.
    Overage,
    /// The plan does not have it.
    NotInPlan,
    /// The plan's limit is reached.
    LimitReached,
    /// There is no subscription.
    NoSubscription,
    /// The subscription is INCOMPLETE.
    PaymentPending,
    /// The subscription is suspended, or the business.
    Suspended,
    /// No plan of the product has it.
    UnknownFeature,
}

/// Whether something may be used now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureAccess {
    /// The feature.
    pub key: String,
    /// Why, or why not.
    pub reason: AccessReason,
    /// What was used, of what can be counted.
    pub used: Option<Rate>,
    /// What is included.
    pub included: Option<Rate>,
    /// What is left of it.
    pub remaining: Option<Rate>,
    /// When it starts again at zero.
    pub resets_at: Option<Timestamp>,
}

impl FeatureAccess {
    /// An answer without figures.
    fn bare(key: &str, reason: AccessReason) -> Self {
        Self { key: key.to_owned(), reason, used: None, included: None, remaining: None, resets_at: None }
    }

    /// Whether it may be used.
    pub const fn is_allowed(&self) -> bool {
        matches!(self.reason, AccessReason::Included | AccessReason::Overage)
    }
}

/// The features that the plans of these products have now, each with its product. Three statements for any number.
///
/// # Errors
/// The database's fault.
pub(super) async fn features_of_products(catalogue: &Catalogue, products: &[ProductId]) -> Result<Vec<(ProductId, Feature)>, Error> {
    let plans = catalog::all_plans(catalogue).await?;
    let of_those: HashMap<VersionKey, ProductId> =
        plans.iter().filter(|plan| products.contains(&plan.product.id)).map(|plan| (plan.key(), plan.product.id)).collect();
    let keys: Vec<VersionKey> = of_those.keys().copied().collect();
    let found = catalog::plan_features(catalogue, &keys).await?;
    let own = found.into_iter().flat_map(|(key, features)| features.into_iter().map(move |feature| (key, feature)));
    Ok(own.filter_map(|(key, feature)| of_those.get(&key).map(|product| (*product, feature))).collect())
}

/// The version of a subscription's plan.
pub(super) const fn plan_of(course: &Course) -> (PlanId, i32) {
    (course.row.plan_id, course.row.plan_version)
}

/// Whether `more` may be used where `used` is: within what is included, for more money, or not at all.
pub(super) fn weigh(feature: &Feature, used: Decimal, more: Decimal) -> AccessReason {
    match feature.included {
        _ if !feature.enabled => AccessReason::NotInPlan,
        None => AccessReason::Included,
        Some(included) if used.checked_add(more).is_some_and(|all| all <= included.decimal()) => AccessReason::Included,
        Some(_) if !feature.overage.is_empty() => AccessReason::Overage,
        Some(_) => AccessReason::LimitReached,
    }
}

/// Whether `quantity` more of a feature may be used now. A product asks about itself alone.
///
/// # Errors
/// [`Error::Forbidden`] for a product that asks about another; the database's fault.
pub async fn feature_access(
    tenant: &Tenant,
    ports: &Ports,
    access: &Access,
    (product, key): (&str, &str),
    quantity: Decimal,
) -> Result<FeatureAccess, Error> {
    let catalogue = tenant.catalogue();
    let asked = ports.remembered().products(&catalogue, &BTreeSet::from([product])).await?.remove(product);
    if access.product().is_some_and(|own| asked != Some(own)) {
        return Err(Error::Forbidden);
    }
    let Some(product) = asked else { return Ok(FeatureAccess::bare(key, AccessReason::UnknownFeature)) };
    let (ports, business) = ports.of_business(tenant).await?;
    let now = ports.now();
    // PostgreSQL has no text with that character, and no feature has such a name.
    let named = if key.contains('\0') { "" } else { key };
    let course = course_with_feature(tenant, &business, (product, named), now).await?;
    let own = match &course {
        Some((course, _)) => {
            ports.remembered().features(&catalogue, &[plan_of(course)]).await?.remove(&plan_of(course)).unwrap_or_default()
        }
        None => [].into(),
    };
    let (Some((course, counted)), Some(feature)) = (&course, own.iter().find(|feature| feature.key == key)) else {
        let known = features_of_products(&catalogue, &[product]).await?.iter().any(|(_, feature)| feature.key == key);
        let reason = match course {
            _ if !known && ![USERS, catalog::STORAGE].contains(&key) => AccessReason::UnknownFeature,
            None => AccessReason::NoSubscription,
            Some((course, _)) => barred(&course, access).unwrap_or(AccessReason::NotInPlan),
        };
        return Ok(FeatureAccess::bare(key, reason));
    };
    let (used, resets_at) = used_of(tenant, &business, (course, counted), feature, now).await?;
    let reason = barred(course, access).unwrap_or_else(|| weigh(feature, used.unwrap_or(Decimal::ZERO), quantity));
    let included = feature.included.map(Rate::decimal);
    Ok(FeatureAccess {
        key: feature.key.clone(),
        reason,
        remaining: used.and_then(|used| left_of_included(used, included)).map(Rate::from),
        used: used.map(Rate::from),
        included: feature.included,
        resets_at,
    })
}

/// Why nothing of a subscription may be used, where it is so.
fn barred(course: &Course, access: &Access) -> Option<AccessReason> {
    match course.row.status {
        _ if access.business_suspended => Some(AccessReason::Suspended),
        SubscriptionStatus::Suspended => Some(AccessReason::Suspended),
        SubscriptionStatus::Incomplete => Some(AccessReason::PaymentPending),
        _ => None,
    }
}

/// What was used of a feature, and when it starts again at zero.
async fn used_of(
    tenant: &Tenant,
    business: &Business,
    (course, counted): (&Course, &Counted),
    feature: &Feature,
    now: Timestamp,
) -> Result<(Option<Decimal>, Option<Timestamp>), Error> {
    match feature.kind {
        FeatureKind::Switch => Ok((None, None)),
        FeatureKind::Limit if feature.key == USERS => Ok((Some(users(tenant, business).await?), None)),
        FeatureKind::Limit => {
            let here = if feature.key == STORAGE { stored_here(tenant).await? } else { Decimal::ZERO };
            Ok((Some(counted.stands().saturating_add(here)), None))
        }
        FeatureKind::Metered => {
            let Some(window) = course.window(now)? else { return Ok((Some(Decimal::ZERO), None)) };
            let used = counted.used_since(window.period.start.into());
            Ok((Some(used), Some(window.period.end)))
        }
    }
}

/// How many bytes of the business are stored with the platform itself: its documents. They count for every product.
///
/// # Errors
/// The database's fault.
pub(super) async fn stored_here(tenant: &Tenant) -> Result<Decimal, Error> {
    Ok(Decimal::from(verification::stored_bytes(tenant).await?))
}

/// How many people the business has.
///
/// # Errors
/// The database's fault.
pub(super) async fn users(tenant: &Tenant, business: &Business) -> Result<Decimal, Error> {
    let id = business.business_id;
    Ok(Decimal::from(customers::count_members(tenant, &[id]).await?.remove(&id).unwrap_or(0)))
}
