//! Webhooks as the API shows them.

use std::collections::HashMap;

use sea_orm::{ColumnTrait as _, FromQueryResult, QueryOrder as _, QuerySelect as _};

use super::Of;
use crate::error::Error;
use crate::ids::{BusinessId, WebhookDeliveryId, WebhookEndpointId};
use crate::store::Reader;
use crate::store::entity::webhooks::{delivery, endpoint};
use crate::store::page::{Page, Window, newest_of_each};

pub use crate::store::entity::webhooks::delivery::Model as Delivery;
pub use crate::store::entity::webhooks::endpoint::Model as Endpoint;

/// Every endpoint, the newest first: a business has few.
///
/// # Errors
/// The database's fault.
pub async fn endpoints(reader: &Reader) -> Result<Vec<Endpoint>, Error> {
    let newest = reader.select::<endpoint::Entity>().order_by_desc(endpoint::Column::CreatedAt);
    newest.order_by_desc(endpoint::Column::Id).all().await
}

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(reader: &Reader, id: WebhookEndpointId) -> Result<Option<Endpoint>, Error> {
    reader.by_id::<endpoint::Entity, _>(id).await
}

/// Many by id.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(reader: &Reader, ids: &[Of<WebhookEndpointId>]) -> Result<HashMap<Of<WebhookEndpointId>, Endpoint>, Error> {
    let rows = reader.select_of::<endpoint::Entity, _>(endpoint::Column::Id, ids).all().await?;
    Ok(rows.into_iter().map(|row| ((row.business_id, row.id), row)).collect())
}

/// A delivery by id.
///
/// # Errors
/// The database's fault.
pub async fn delivery_by_id(reader: &Reader, id: WebhookDeliveryId) -> Result<Option<Delivery>, Error> {
    reader.by_id::<delivery::Entity, _>(id).await
}

/// The same part of many endpoints' deliveries, the newest first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn delivery_pages(
    reader: &Reader,
    endpoints: &[Of<WebhookEndpointId>],
    window: Window,
) -> Result<HashMap<Of<WebhookEndpointId>, Page<Delivery>>, Error> {
    let rows = || reader.select_of::<delivery::Entity, _>(delivery::Column::EndpointId, endpoints);
    let order = (delivery::Column::CreatedAt, delivery::Column::Id);
    newest_of_each(rows, endpoints, delivery::Column::EndpointId, order, window, |row| (row.business_id, row.endpoint_id)).await
}

/// How many deliveries each of these endpoints has, in one statement; none for one that has none.
///
/// # Errors
/// The database's fault.
pub async fn delivery_counts(reader: &Reader, endpoints: &[Of<WebhookEndpointId>]) -> Result<HashMap<Of<WebhookEndpointId>, u64>, Error> {
    /// An endpoint with its count.
    #[derive(FromQueryResult)]
    struct Counted {
        /// The business.
        business_id: BusinessId,
        /// The endpoint.
        endpoint_id: WebhookEndpointId,
        /// How many deliveries it has.
        number: i64,
    }
    let rows = reader.select_of::<delivery::Entity, _>(delivery::Column::EndpointId, endpoints);
    let counted = rows
        .select_only()
        .column(delivery::Column::BusinessId)
        .column(delivery::Column::EndpointId)
        .column_as(delivery::Column::Id.count(), "number")
        .group_by(delivery::Column::BusinessId)
        .group_by(delivery::Column::EndpointId);
    let read = counted.all_as::<Counted>().await?;
    Ok(read.into_iter().map(|row| ((row.business_id, row.endpoint_id), u64::try_from(row.number).unwrap_or_default())).collect())
}
