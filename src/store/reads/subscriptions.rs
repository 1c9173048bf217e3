//! Subscriptions as the API shows them.

use std::collections::HashMap;

use sea_orm::{ColumnTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::Error;
use crate::ids::{ProductId, SubscriptionId};
use crate::store::Tenant;
use crate::store::entity::subscriptions::subscription::{Column, Entity};
use crate::store::page::{MAX_COUNT, Page, Window, newest_first};
use crate::store::tenant::Scoped;

pub use crate::store::entity::subscriptions::subscription::Model as Subscription;

/// The statuses of a live subscription.
pub const LIVE: [SubscriptionStatus; 5] = [
    SubscriptionStatus::Incomplete,
    SubscriptionStatus::Trialing,
    SubscriptionStatus::Active,
    SubscriptionStatus::PastDue,
    SubscriptionStatus::Suspended,
];

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(tenant: &Tenant, id: SubscriptionId) -> Result<Option<Subscription>, Error> {
    tenant.by_id::<Entity, _>(id).await
}

/// Many by id.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(tenant: &Tenant, ids: &[SubscriptionId]) -> Result<HashMap<SubscriptionId, Subscription>, Error> {
    let rows = tenant.select::<Entity>().filter(Column::Id.is_in(ids.iter().copied())).all().await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// The ids of a product's subscriptions, ended ones too.
///
/// # Errors
/// The database's fault.
pub async fn ids_of_product(tenant: &Tenant, product: ProductId) -> Result<Vec<SubscriptionId>, Error> {
    Ok(of_product(tenant, Some(product)).all().await?.into_iter().map(|row| row.id).collect())
}

/// The one that is meant without an id, of one product where it is named: the live one, else the one that ended last; none
/// where several are live. One statement.
///
/// # Errors
/// The database's fault.
pub async fn current(tenant: &Tenant, product: Option<ProductId>) -> Result<Option<Subscription>, Error> {
    let mut select = tenant.select::<Entity>();
    if let Some(product) = product {
        select = select.filter(Column::ProductId.eq(product));
    }
    let live_first = select.order_by(Column::Status.is_in(LIVE), Order::Desc);
    // A live one has not ended: what follows orders those that have.
    let ordered = live_first.order_by_desc(Column::CanceledAt).order_by_desc(Column::CreatedAt).order_by_desc(Column::Id);
    let first = ordered.limit(2).all().await?;
    let several = first.len() > 1 && first.iter().all(|row| LIVE.contains(&row.status));
    Ok(if several { None } else { first.into_iter().next() })
}

/// Newest first; of one product where it is named.
fn of_product(tenant: &Tenant, product: Option<ProductId>) -> Scoped<Entity> {
    let select = tenant.select::<Entity>().order_by_desc(Column::CreatedAt).order_by_desc(Column::Id);
    match product {
        Some(product) => select.filter(Column::ProductId.eq(product)),
        None => select,
    }
}

/// A page, newest first; of the given statuses, or of all.
///
/// # Errors
/// The database's fault.
pub async fn page(tenant: &Tenant, statuses: Option<&[SubscriptionStatus]>, window: Window) -> Result<Page<Subscription>, Error> {
    newest_first(of_statuses(tenant, statuses), Column::CreatedAt, Column::Id, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(tenant: &Tenant, statuses: Option<&[SubscriptionStatus]>) -> Result<u64, Error> {
    of_statuses(tenant, statuses).count_up_to(MAX_COUNT).await
}

/// Those of the given statuses, or all.
fn of_statuses(tenant: &Tenant, statuses: Option<&[SubscriptionStatus]>) -> Scoped<Entity> {
    let select = tenant.select::<Entity>();
    match statuses {
        Some(statuses) => select.filter(Column::Status.is_in(statuses.iter().copied())),
        None => select,
    }
}
