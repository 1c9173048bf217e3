//! Plans by hand: what staff make, price anew and take off sale. The rules of a plan are those of the catalogue file.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::CatalogService;
use super::plan_draft::{self, NewPlan, NewPrice};
use super::seed::{features, plan, prices};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::PlanId;
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::staff::{Right, check_right};
use crate::store::catalog::{self, Feature, NewPlanVersion, Plan, PlanView, Price};
use crate::store::types::FeatureKind;
use crate::store::{Instant, System};

impl CatalogService {
    /// Makes a plan with its first version. It is on sale at once.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not; NOT_FOUND for a product there is not, TAKEN for a code that the product
    /// has, INVALID for whatever the catalogue's rules refuse, all at once; or the database's fault.
    pub async fn create_plan(&self, caller: Caller, new: NewPlan) -> Outcome<PlanId> {
        let ports = self.ports.clone();
        let made = self.ports.store.write_system(move |system| {
            let (ports, new) = (ports.clone(), new.clone());
            async move {
                let access = check_right(&system, caller, Right::ManagePlans).await?;
                catalog::lock_catalogue(&system).await?;
                let refusal = || UserError::at("product", UserErrorCode::NotFound, "There is no such product.");
                // Compared here and not by the database, which takes no text that a client may send.
                let products = catalog::products(&system.catalogue()).await?;
                let product = products.into_iter().find(|product| product.code == new.product).ok_or_else(refusal)?;
                let siblings = siblings(&system, &product.code).await?;
                let names = siblings.iter().map(|feature| (feature.key.clone(), feature.name.clone())).collect();
                let written = plan_draft::read(&new, &names)?;
                let features = features(&written);
                agree(&features, &siblings)?;
                let plan = plan(&written, &Arc::new(product), ports.ids.next(), 1, false)?;
                let (prices, at) = (prices(&written), Instant::from(ports.now()));
                match catalog::insert_plan(&system, &NewPlanVersion { plan: &plan, prices: &prices, features: &features, at }).await {
                    Err(Error::UniqueViolation(_)) => {
                        return Err(UserError::at("code", UserErrorCode::Taken, "The product has a plan of this code.").into());
                    }
                    inserted => inserted?,
                }
                let (actor, subject) = (access.actor(), plan.id.to_string());
                let details =
                    json!({ "product": plan.product.code, "code": plan.code, "prices": prices.iter().map(shown).collect::<Vec<_>>() });
                audit::record_platform(&system, &ports, Act { action: "plan.created", actor: &actor, subject: &subject, details }).await?;
                Ok(plan.id)
            }
        });
        made.await
    }

    /// Sets a plan's price for an interval in a currency: a new version, which binds new subscriptions alone.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not; NOT_FOUND; INVALID_TRANSITION for a plan that is archived; INVALID for an
    /// amount that is none, or a currency in which usage of the plan has no price; NO_CHANGE; or the database's fault.
    pub async fn set_plan_price(&self, caller: Caller, plan: Option<PlanId>, price: NewPrice) -> Outcome<PlanId> {
        let ports = self.ports.clone();
        let set = self.ports.store.write_system(move |system| {
            let (ports, price) = (ports.clone(), price.clone());
            async move {
                let access = check_right(&system, caller, Right::ManagePlans).await?;
                let view = locked(&system, plan).await?;
                let price = plan_draft::read_price(&price)?;
                let features = features_of(&system, &view).await?;
                let priced = features.iter().all(|feature| feature.overage.is_empty() || has_overage_in(feature, price.currency));
                if !priced {
                    let sentence = "The plan's usage has no price in this currency.";
                    return Err(UserError::at("price", UserErrorCode::Invalid, sentence).into());
                }
                let before = view.price(price.interval, price.currency);
                if before == Some(price) {
                    return Err(UserError::at("price", UserErrorCode::NoChange, "This is the price already.").into());
                }
                let mut all: Vec<Price> = view.prices.clone();
                all.retain(|other| (other.interval, other.currency) != (price.interval, price.currency));
                all.push(price);
                let version = view.version.checked_add(1).ok_or(Error::Corrupt("a plan has no further version".into()))?;
                let next = Plan { version, ..view.plan.clone() };
                let at = Instant::from(ports.now());
                catalog::insert_version(&system, &NewPlanVersion { plan: &next, prices: &all, features: &features, at }).await?;
                let (actor, subject) = (access.actor(), next.id.to_string());
                let details = json!({ "version": version, "before": before.as_ref().map(shown), "after": shown(&price) });
                audit::record_platform(&system, &ports, Act { action: "plan.priced", actor: &actor, subject: &subject, details }).await?;
                Ok(next.id)
            }
        });
        set.await
    }

    /// Takes a plan off sale. Those who have it keep it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not; NOT_FOUND; INVALID_TRANSITION for one that is archived; or the
    /// database's fault.
    pub async fn archive_plan(&self, caller: Caller, plan: Option<PlanId>) -> Outcome<PlanId> {
        let ports = self.ports.clone();
        let archived = self.ports.store.write_system(move |system| {
            let ports = ports.clone();
            async move {
                let access = check_right(&system, caller, Right::ManagePlans).await?;
                let view = locked(&system, plan).await?;
                catalog::archive_plan(&system, view.id, ports.now().into()).await?;
                let (actor, subject) = (access.actor(), view.id.to_string());
                let act = Act { action: "plan.archived", actor: &actor, subject: &subject, details: json!({}) };
                audit::record_platform(&system, &ports, act).await?;
                Ok(view.id)
            }
        });
        archived.await
    }
}

/// The current version of a plan that is on sale, behind the lock of whoever changes the catalogue.
async fn locked(system: &System, plan: Option<PlanId>) -> Outcome<PlanView> {
    let refusal = || UserError::at("planId", UserErrorCode::NotFound, "There is no such plan.");
    let id = plan.ok_or_else(refusal)?;
    catalog::lock_catalogue(system).await?;
    let view = catalog::plan_to_subscribe(&system.catalogue(), id).await?.ok_or_else(refusal)?;
    if view.archived {
        return Err(UserError::at("planId", UserErrorCode::InvalidTransition, "The plan is archived.").into());
    }
    Ok(view)
}

/// The features of a version.
async fn features_of(system: &System, view: &PlanView) -> Result<Vec<Feature>, Error> {
    Ok(catalog::plan_features(&system.catalogue(), &[view.key()]).await?.remove(&view.key()).unwrap_or_default())
}

/// The features that the plans of a product have now.
async fn siblings(system: &System, product: &str) -> Result<Vec<Feature>, Error> {
    let catalogue = system.catalogue();
    let plans = catalog::all_plans(&catalogue).await?;
    let keys: Vec<_> = plans.iter().filter(|view| view.product.code == product).map(|view| view.key()).collect();
    Ok(catalog::plan_features(&catalogue, &keys).await?.into_values().flatten().collect())
}

/// A key means the same in all plans of a product, so that usage can be rated by either after a change of plan.
fn agree(features: &[Feature], siblings: &[Feature]) -> Result<(), Failure> {
    let settled: BTreeMap<&str, (FeatureKind, Option<&str>)> =
        siblings.iter().map(|feature| (feature.key.as_str(), (feature.kind, feature.unit.as_deref()))).collect();
    let differs =
        |feature: &&Feature| settled.get(feature.key.as_str()).is_some_and(|there| *there != (feature.kind, feature.unit.as_deref()));
    let refusal = |feature: &Feature| {
        let sentence = format!("`{}` has another kind or unit in another plan of the product.", feature.key);
        UserError::at("features", UserErrorCode::Invalid, sentence)
    };
    let refused: Vec<UserError> = features.iter().filter(differs).map(refusal).collect();
    if refused.is_empty() { Ok(()) } else { Err(Failure::Refused(refused)) }
}

/// Whether units past what a feature includes have a price in a currency.
fn has_overage_in(feature: &Feature, currency: crate::money::Currency) -> bool {
    feature.overage.iter().any(|overage| overage.currency == currency)
}

/// A price, for the audit trail.
fn shown(price: &Price) -> serde_json::Value {
    json!({
        "interval": price.interval.as_str(), "currency": price.currency.code(), "amountMinor": price.amount_minor,
        "tax": price.tax_behavior.as_str(),
    })
}
