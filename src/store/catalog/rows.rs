//! Plans joined with their products, as the database gives them, to what the catalogue shows.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::sea_query::{Expr, SelectStatement};
use sea_orm::{EntityTrait as _, JoinType, QuerySelect as _};

use super::{Plan, Product};
use crate::billing::cancel::UnusedTime;
use crate::billing::change::{ChangeOptions, Proration};
use crate::billing::dunning::DunningSettings;
use crate::billing::period::AnchorMode;
use crate::error::Error;
use crate::ids::ProductId;
use crate::store::entity::catalog::{plan, plan_version, product};
use crate::store::rows::{Placed as _, Places, Rows as _};
use crate::store::tenant::{Catalogue, Scoped};

/// A version joined with its plan and product.
struct PlanRow {
    /// The version.
    version: plan_version::Model,
    /// The plan.
    plan: plan::Model,
    /// The product.
    product: product::Model,
}

/// Versions with their plans and products, of all versions.
pub(super) fn joined_plans(catalogue: &Catalogue) -> Scoped<plan_version::Entity> {
    let to_plan = plan_version::Entity::belongs_to(plan::Entity).from(plan_version::Column::PlanId).to(plan::Column::Id).into();
    join_product(catalogue.select::<plan_version::Entity>().join(JoinType::InnerJoin, to_plan))
}

/// Versions with their plans and products, of the current versions alone.
pub(super) fn current_plans(catalogue: &Catalogue) -> Scoped<plan_version::Entity> {
    let to_plan = plan_version::Entity::belongs_to(plan::Entity)
        .from((plan_version::Column::PlanId, plan_version::Column::Version))
        .to((plan::Column::Id, plan::Column::CurrentVersion))
        .into();
    join_product(catalogue.select::<plan_version::Entity>().join(JoinType::InnerJoin, to_plan))
}

/// Joins the plan's product.
fn join_product(versions: Scoped<plan_version::Entity>) -> Scoped<plan_version::Entity> {
    let to_product = plan::Entity::belongs_to(product::Entity).from(plan::Column::ProductId).to(product::Column::Id).into();
    versions.join(JoinType::InnerJoin, to_product)
}

/// The plans of joined versions; those of one product share it.
pub(super) async fn read_plans(joined: Scoped<plan_version::Entity>) -> Result<Vec<Plan>, Error> {
    let more = |query: &mut SelectStatement| {
        query.exprs([plan::Entity::columns(), product::Entity::columns()].map(Expr::cust));
    };
    let read = |version, places: &mut Places<'_>| {
        Ok(PlanRow { version, plan: plan::Entity::read(places)?, product: product::Entity::read(places)? })
    };
    let rows = joined.all_and(more, read).await?;
    let mut products: HashMap<ProductId, Arc<Product>> = HashMap::new();
    let mut plans = Vec::new();
    for row in rows {
        let product = match products.get(&row.product.id) {
            Some(product) => Arc::clone(product),
            None => Arc::new(read_product(row.product)?),
        };
        products.insert(product.id, Arc::clone(&product));
        plans.push(Plan {
            id: row.plan.id,
            product,
            version: row.version.version,
            code: row.plan.code,
            name: row.version.name,
            description: row.version.description,
            trial_days: row.version.trial_days,
            max_users: row.version.max_users,
            storage_limit: row.version.storage_limit,
            requires_verification: row.version.requires_verification,
            archived: row.plan.archived_at.is_some(),
        });
    }
    Ok(plans)
}

/// The product of a row.
pub(super) fn read_product(row: product::Model) -> Result<Product, Error> {
    let foreign = |what: &str| Error::Corrupt(format!("the {what} of a product is foreign").into());
    let day = row.anchor_day.map(i8::try_from).transpose().map_err(|_| foreign("anchor day"))?;
    Ok(Product {
        anchor: AnchorMode::parse(&row.anchor_mode, day).ok_or_else(|| foreign("anchor"))?,
        granularity: row.granularity,
        change_options: ChangeOptions {
            prorations: read_list(&row.prorations, Proration::parse).ok_or_else(|| foreign("prorations"))?,
            downgrade_now: row.downgrade_now,
        },
        cancel_unused_time: read_list(&row.cancel_unused_time, UnusedTime::parse).ok_or_else(|| foreign("unused time"))?,
        dunning: DunningSettings {
            retry_after_days: read_list(&row.retry_after_days, |day| day.parse().ok()).ok_or_else(|| foreign("retries"))?,
            cancel_after_days: u16::try_from(row.cancel_after_days).map_err(|_| foreign("days of suspension"))?,
        },
        grace_hours: u16::try_from(row.grace_hours).map_err(|_| foreign("hours for late usage"))?,
        id: row.id,
        code: row.code,
        name: row.name,
        description: row.description,
        position: row.position,
    })
}

/// The values of a column that lists their names, with a comma between; `None` where one is foreign.
fn read_list<T>(column: &str, parse: fn(&str) -> Option<T>) -> Option<Vec<T>> {
    column.split(',').map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::period::Granularity;
    use crate::ids::{IdGen as _, SystemIds};

    #[test]
    fn a_product_with_a_foreign_setting_is_corrupt() {
        let row = product::Model {
            id: SystemIds.next_uuid().into(),
            code: "erp".into(),
            name: "ERP".into(),
            description: "Books.".into(),
            position: 1,
            anchor_mode: "FIXED_DAY".into(),
            anchor_day: Some(31),
            granularity: Granularity::Day,
            prorations: "NONE,RESET_CYCLE".into(),
            downgrade_now: false,
            cancel_unused_time: "CREDIT".into(),
            created_at: jiff::Timestamp::UNIX_EPOCH.into(),
            retry_after_days: "2,14".into(),
            cancel_after_days: 5,
            grace_hours: 24,
        };
        let read = read_product(row.clone()).unwrap();
        assert_eq!(read.change_options.prorations, [Proration::None, Proration::ResetCycle]);
        assert_eq!((read.anchor.day(), read.cancel_unused_time.as_slice()), (Some(31), [UnusedTime::Credit].as_slice()));
        assert_eq!(read.dunning, DunningSettings { retry_after_days: vec![2, 14], cancel_after_days: 5 });
        for foreign in [
            product::Model { anchor_day: None, ..row.clone() },
            product::Model { anchor_day: Some(300), ..row.clone() },
            product::Model { anchor_mode: "WEEKLY".into(), ..row.clone() },
            product::Model { prorations: "NONE,LATER".into(), ..row.clone() },
            product::Model { prorations: String::new(), ..row.clone() },
            product::Model { cancel_unused_time: "KEEP".into(), ..row.clone() },
            product::Model { retry_after_days: "1,soon".into(), ..row.clone() },
            product::Model { cancel_after_days: -1, ..row.clone() },
        ] {
            assert!(matches!(read_product(foreign.clone()), Err(Error::Corrupt(_))), "{foreign:?}");
        }
    }
}
