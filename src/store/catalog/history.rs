//! What plans were sold for, and how many have them.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, FromQueryResult, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::Price;
use crate::error::Error;
use crate::ids::PlanId;
use crate::store::Reader;
use crate::store::entity::catalog::{plan, plan_price, plan_version};
use crate::store::entity::subscriptions::subscription;
use crate::store::reads::subscriptions::LIVE;
use crate::store::tenant::Catalogue;
use crate::store::types::Instant;

/// A price that a plan has or had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastPrice {
    /// The price.
    pub price: Price,
    /// When it began to bind new subscriptions.
    pub since: Instant,
}

/// A plan's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanHistory {
    /// When the plan was made.
    pub created_at: Instant,
    /// Every price that was set, the first first: one that a version left as it was stands once.
    pub prices: Vec<PastPrice>,
}

/// The lives of many plans. Three statements for any number.
///
/// # Errors
/// The database's fault.
pub async fn histories(catalogue: &Catalogue, plans: &[PlanId]) -> Result<HashMap<PlanId, PlanHistory>, Error> {
    let made = catalogue.select::<plan::Entity>().filter(plan::Column::Id.is_in(plans.iter().copied())).all().await?;
    let versions = catalogue.select::<plan_version::Entity>().filter(plan_version::Column::PlanId.is_in(plans.iter().copied()));
    let since: HashMap<(PlanId, i32), Instant> =
        versions.all().await?.into_iter().map(|version| ((version.plan_id, version.version), version.created_at)).collect();
    let rows = catalogue
        .select::<plan_price::Entity>()
        .filter(plan_price::Column::PlanId.is_in(plans.iter().copied()))
        .order_by_asc(plan_price::Column::Version)
        .order_by_asc(plan_price::Column::BillingInterval)
        .order_by_asc(plan_price::Column::Currency)
        .all()
        .await?;
    let mut lives: HashMap<PlanId, PlanHistory> =
        made.into_iter().map(|plan| (plan.id, PlanHistory { created_at: plan.created_at, prices: Vec::new() })).collect();
    for row in rows {
        let (Some(life), Some(since)) = (lives.get_mut(&row.plan_id), since.get(&(row.plan_id, row.version))) else { continue };
        let price = Price {
            interval: row.billing_interval,
            currency: row.currency,
            amount_minor: row.amount_minor,
            tax_behavior: row.tax_behavior,
        };
        let of_same = |past: &&PastPrice| (past.price.interval, past.price.currency) == (price.interval, price.currency);
        if life.prices.iter().rfind(of_same).is_none_or(|last| last.price != price) {
            life.prices.push(PastPrice { price, since: *since });
        }
    }
    Ok(lives)
}

/// How many live subscriptions have each of these plans, in any version; a plan that nobody has has no entry.
///
/// # Errors
/// The database's fault.
pub async fn live_subscriptions(reader: &Reader, plans: &[PlanId]) -> Result<HashMap<PlanId, i64>, Error> {
    /// The two columns.
    #[derive(FromQueryResult)]
    struct Found {
        /// The plan.
        plan_id: PlanId,
        /// How many.
        live: i64,
    }
    let select = reader.select::<subscription::Entity>().filter(subscription::Column::PlanId.is_in(plans.iter().copied()));
    let counted = select
        .filter(subscription::Column::Status.is_in(LIVE))
        .select_only()
        .column(subscription::Column::PlanId)
        .column_as(Expr::col(subscription::Column::Id).count(), "live")
        .group_by(subscription::Column::PlanId);
    Ok(counted.all_as::<Found>().await?.into_iter().map(|found| (found.plan_id, found.live)).collect())
}
