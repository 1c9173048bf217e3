//! Writing the catalogue: by the system alone, in the transaction of whoever seeds it.
//!
//! [`put_seller`] comes first in such a transaction: its row is the lock that two seeding servers queue for.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _, QuerySelect as _};

use super::{Feature, Plan, Price, Product, Seller, TaxRate, overage, thresholds};
use crate::error::Error;
use crate::ids::PlanId;
use crate::store::entity::catalog::{plan, plan_feature, plan_price, plan_version, product, seller, tax_rate};
use crate::store::{Instant, System};

/// A version of a plan to write.
#[derive(Debug, Clone)]
pub struct NewPlanVersion<'a> {
    /// What it is; its `archived` counts for nothing.
    pub plan: &'a Plan,
    /// What it costs.
    pub prices: &'a [Price],
    /// What it lets its customers do, in order.
    pub features: &'a [Feature],
    /// Now.
    pub at: Instant,
}

/// Writes who sells, and holds that row until the transaction ends; answers whether something changed.
///
/// # Errors
/// The database's fault.
pub async fn put_seller(system: &System, seller: &Seller) -> Result<bool, Error> {
    if system.insert_if_new(seller.clone().into_active_model()).await? {
        return Ok(true);
    }
    let found = system.catalogue().select::<seller::Entity>().filter(seller::Column::Id.eq(seller.id)).lock_exclusive().one().await?;
    if found.as_ref() == Some(seller) {
        return Ok(false);
    }
    system.update(seller.clone().into_active_model().reset_all()).await?;
    Ok(true)
}

/// Waits for whoever changes the catalogue, and makes others wait until the transaction ends. Before a catalogue was
/// seeded there is nothing to change.
///
/// # Errors
/// The database's fault.
pub async fn lock_catalogue(system: &System) -> Result<(), Error> {
    system.catalogue().select::<seller::Entity>().lock_exclusive().one().await.map(drop)
}

/// Takes a plan off sale.
///
/// # Errors
/// The database's fault.
pub async fn archive_plan(system: &System, id: PlanId, at: Instant) -> Result<(), Error> {
    system.update(plan::ActiveModel { id: Set(id), archived_at: Set(Some(at)), ..Default::default() }).await.map(drop)
}

/// Writes a tax rate, new or instead of the one of the same country and day; answers whether something changed.
///
/// # Errors
/// The database's fault.
pub async fn put_tax_rate(system: &System, rate: &TaxRate) -> Result<bool, Error> {
    let same = tax_rate::Column::Country.eq(rate.country.as_str()).and(tax_rate::Column::ValidFrom.eq(rate.valid_from));
    match system.catalogue().select::<tax_rate::Entity>().filter(same).one().await? {
        Some(found) if found == *rate => Ok(false),
        Some(_) => system.update(rate.clone().into_active_model().reset_all()).await.map(|_| true),
        None => system.insert(rate.clone().into_active_model()).await.map(|_| true),
    }
}

/// Writes a product: a new one with its id, or the settings of the one with that id. Answers whether something changed.
///
/// # Errors
/// The database's fault.
pub async fn put_product(system: &System, product: &Product, at: Instant) -> Result<bool, Error> {
    let found = super::product(&system.catalogue(), product.id).await?;
    if found.as_ref() == Some(product) {
        return Ok(false);
    }
    let names = |names: Vec<&str>| names.join(",");
    let row = product::ActiveModel {
        id: Set(product.id),
        code: Set(product.code.clone()),
        name: Set(product.name.clone()),
        description: Set(product.description.clone()),
        position: Set(product.position),
        anchor_mode: Set(product.anchor.as_str().to_owned()),
        anchor_day: Set(product.anchor.day().map(i32::from)),
        granularity: Set(product.granularity),
        prorations: Set(names(product.change_options.prorations.iter().map(|proration| proration.as_str()).collect())),
        downgrade_now: Set(product.change_options.downgrade_now),
        cancel_unused_time: Set(names(product.cancel_unused_time.iter().map(|choice| choice.as_str()).collect())),
        retry_after_days: Set(product.dunning.retry_after_days.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        cancel_after_days: Set(product.dunning.cancel_after_days.into()),
        grace_hours: Set(product.grace_hours.into()),
        ..Default::default()
    };
    match found {
        Some(_) => system.update(row).await?,
        None => system.insert(product::ActiveModel { created_at: Set(at), ..row }).await?,
    };
    Ok(true)
}

/// Writes a plan with its first version.
///
/// # Errors
/// The database's fault; [`Error::UniqueViolation`] where its product has a plan of that code.
pub async fn insert_plan(system: &System, new: &NewPlanVersion<'_>) -> Result<(), Error> {
    let row = plan::ActiveModel {
        id: Set(new.plan.id),
        product_id: Set(new.plan.product.id),
        code: Set(new.plan.code.clone()),
        current_version: Set(new.plan.version),
        archived_at: Set(None),
        created_at: Set(new.at),
    };
    system.insert(row).await?;
    insert_parts(system, new).await
}

/// Writes a further version of a plan and makes it the current one. The versions before it stay as they are.
///
/// # Errors
/// The database's fault; [`Error::UniqueViolation`] where the plan has a version of that number.
pub async fn insert_version(system: &System, new: &NewPlanVersion<'_>) -> Result<(), Error> {
    insert_parts(system, new).await?;
    let current = plan::ActiveModel { id: Set(new.plan.id), current_version: Set(new.plan.version), ..Default::default() };
    system.update(current).await.map(drop)
}

/// The version's row, its prices and its features.
async fn insert_parts(system: &System, new: &NewPlanVersion<'_>) -> Result<(), Error> {
    let (plan_id, version): (PlanId, i32) = new.plan.key();
    let row = plan_version::ActiveModel {
        plan_id: Set(plan_id),
        version: Set(version),
        name: Set(new.plan.name.clone()),
        description: Set(new.plan.description.clone()),
        trial_days: Set(new.plan.trial_days),
        max_users: Set(new.plan.max_users),
        storage_limit: Set(new.plan.storage_limit),
        requires_verification: Set(new.plan.requires_verification),
        created_at: Set(new.at),
    };
    system.insert(row).await?;
    let price = |price: &Price| plan_price::ActiveModel {
        plan_id: Set(plan_id),
        version: Set(version),
        billing_interval: Set(price.interval),
        currency: Set(price.currency),
        amount_minor: Set(price.amount_minor),
        tax_behavior: Set(price.tax_behavior),
    };
    system.insert_many(new.prices.iter().map(price).collect()).await?;
    let feature = |(position, feature): (i32, &Feature)| {
        Ok(plan_feature::ActiveModel {
            plan_id: Set(plan_id),
            version: Set(version),
            feature_key: Set(feature.key.clone()),
            position: Set(position),
            name: Set(feature.name.clone()),
            kind: Set(feature.kind),
            enabled: Set(feature.enabled),
            included: Set(feature.included),
            unit: Set(feature.unit.clone()),
            overage: Set(overage::write(&feature.overage)?),
            thresholds: Set(thresholds::write(&feature.thresholds)),
        })
    };
    system.insert_many((1..).zip(new.features).map(feature).collect::<Result<Vec<_>, Error>>()?).await
}
