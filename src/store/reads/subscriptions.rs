//! Subscriptions as the API shows them.

use std::collections::HashMap;

use sea_orm::{ColumnTrait as _, Order, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::Of;
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::Error;
use crate::ids::{BusinessId, ProductId, SubscriptionId};
use crate::store::Reader;
use crate::store::entity::subscriptions::subscription::{Column, Entity};
use crate::store::page::{MAX_COUNT, Page, Window, count_of_each, newest_first, newest_of_each};
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
pub async fn by_id(reader: &Reader, id: SubscriptionId) -> Result<Option<Subscription>, Error> {
    reader.by_id::<Entity, _>(id).await
}

/// Many by id.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(reader: &Reader, ids: &[Of<SubscriptionId>]) -> Result<HashMap<Of<SubscriptionId>, Subscription>, Error> {
    let rows = reader.select_of::<Entity, _>(Column::Id, ids).all().await?;
    Ok(rows.into_iter().map(|row| ((row.business_id, row.id), row)).collect())
}

/// The ids of a product's subscriptions, ended ones too.
///
/// # Errors
/// The database's fault.
pub async fn ids_of_product(reader: &Reader, product: ProductId) -> Result<Vec<SubscriptionId>, Error> {
    Ok(of_product(reader, Some(product)).all().await?.into_iter().map(|row| row.id).collect())
}

/// The one that is meant without an id, of one product where it is named: the live one, else the one that ended last; none
/// where several are live. One statement.
///
/// # Errors
/// The database's fault.
pub async fn current(reader: &Reader, product: Option<ProductId>) -> Result<Option<Subscription>, Error> {
    let mut select = reader.select::<Entity>();
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
fn of_product(reader: &Reader, product: Option<ProductId>) -> Scoped<Entity> {
    let select = reader.select::<Entity>().order_by_desc(Column::CreatedAt).order_by_desc(Column::Id);
    match product {
        Some(product) => select.filter(Column::ProductId.eq(product)),
        None => select,
    }
}

/// Which subscriptions are asked for; every member narrows.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionFilter {
    /// Of these statuses.
    pub statuses: Option<Vec<SubscriptionStatus>>,
    /// Of this product.
    pub product: Option<ProductId>,
}

/// A page, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(reader: &Reader, filter: &SubscriptionFilter, window: Window) -> Result<Page<Subscription>, Error> {
    newest_first(filtered(reader, filter), Column::CreatedAt, Column::Id, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(reader: &Reader, filter: &SubscriptionFilter) -> Result<u64, Error> {
    filtered(reader, filter).count_up_to(MAX_COUNT).await
}

/// The same part of many businesses' lists, each newest first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn pages_of_businesses(
    reader: &Reader,
    businesses: &[BusinessId],
    window: Window,
) -> Result<HashMap<BusinessId, Page<Subscription>>, Error> {
    let rows = || reader.select_of_businesses::<Entity>(businesses);
    let order = (Column::CreatedAt, Column::Id);
    newest_of_each(rows, businesses, Column::BusinessId, order, window, |row| row.business_id).await
}

/// How many each of many businesses has, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn counts_of_businesses(reader: &Reader, businesses: &[BusinessId]) -> Result<HashMap<BusinessId, u64>, Error> {
    count_of_each(reader.select_of_businesses::<Entity>(businesses)).await
}

/// What `filter` leaves.
fn filtered(reader: &Reader, filter: &SubscriptionFilter) -> Scoped<Entity> {
    let mut select = reader.select::<Entity>();
    if let Some(statuses) = &filter.statuses {
        select = select.filter(Column::Status.is_in(statuses.iter().copied()));
    }
    if let Some(product) = filter.product {
        select = select.filter(Column::ProductId.eq(product));
    }
    select
}
