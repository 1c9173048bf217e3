//! Webhooks: endpoints, and the deliveries of events to them. What waits for an endpoint is sent by its position.

use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, Query, SimpleExpr};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::entity::webhooks::{delivery, endpoint};
use super::types::{DeliveryStatus, Instant};
use super::{System, Tenant};
use crate::error::Error;
use crate::ids::{BusinessId, WebhookDeliveryId, WebhookEndpointId};

pub use super::entity::webhooks::delivery::Model as Delivery;
pub use super::entity::webhooks::endpoint::Model as Endpoint;

/// How many enabled endpoints a business has, as a part of a statement about something else of its.
pub(super) fn number_enabled(business: BusinessId) -> SimpleExpr {
    let enabled = Query::select()
        .expr(Expr::col(endpoint::Column::Id).count())
        .from(endpoint::Entity)
        .and_where(endpoint::Column::BusinessId.eq(business))
        .and_where(endpoint::Column::Enabled.eq(true))
        .take();
    SimpleExpr::SubQuery(None, Box::new(enabled.into()))
}

/// This business's enabled endpoints, the oldest first, locked until the transaction ends: whoever gives places among their
/// deliveries commits them in that order.
///
/// # Errors
/// The database's fault.
pub async fn lock_enabled(tenant: &Tenant) -> Result<Vec<Endpoint>, Error> {
    let enabled = tenant.select::<endpoint::Entity>().filter(endpoint::Column::Enabled.eq(true));
    enabled.order_by_asc(endpoint::Column::Id).lock(LockType::NoKeyUpdate).all().await
}

/// This business's endpoints, locked until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn lock_all(tenant: &Tenant) -> Result<Vec<Endpoint>, Error> {
    tenant.select::<endpoint::Entity>().order_by_asc(endpoint::Column::Id).lock(LockType::NoKeyUpdate).all().await
}

/// The endpoint of that id, if this business has it.
///
/// # Errors
/// The database's fault.
pub async fn endpoint(tenant: &Tenant, id: WebhookEndpointId) -> Result<Option<Endpoint>, Error> {
    tenant.by_id::<endpoint::Entity, _>(id).await
}

/// The same, locked until the transaction ends. The business's lock comes before it.
///
/// # Errors
/// The database's fault.
pub async fn lock_endpoint(tenant: &Tenant, id: WebhookEndpointId) -> Result<Option<Endpoint>, Error> {
    tenant.lock_by_id::<endpoint::Entity, _>(id).await
}

/// How many endpoints this business has, counted no further than `most` + 1.
///
/// # Errors
/// The database's fault.
pub async fn count_endpoints(tenant: &Tenant, most: u64) -> Result<u64, Error> {
    tenant.select::<endpoint::Entity>().count_up_to(most).await
}

/// Writes an endpoint.
///
/// # Errors
/// The database's fault.
pub async fn insert_endpoint(tenant: &Tenant, row: Endpoint) -> Result<(), Error> {
    tenant.insert_many(vec![row.into_active_model().reset_all()]).await
}

/// Writes an endpoint's row as a whole. It must have been read locked, in this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save_endpoint(tenant: &Tenant, row: Endpoint) -> Result<(), Error> {
    tenant.save::<endpoint::Entity, _>(row.into_active_model().reset_all()).await
}

/// Notes the last place that was given among an endpoint's deliveries, and which job sends what waits. Its row is locked by this
/// transaction.
///
/// # Errors
/// The database's fault.
pub async fn note_places(tenant: &Tenant, row: &Endpoint) -> Result<(), Error> {
    let noted = |update: super::tenant::ScopedUpdate<endpoint::Entity>| {
        let update = update.set(endpoint::Column::LastPosition, row.last_position).set(endpoint::Column::Sending, row.sending);
        update.set(endpoint::Column::Sender, row.sender).filter(endpoint::Column::Id.eq(row.id))
    };
    tenant.update_where::<endpoint::Entity>(noted).await.map(drop)
}

/// Removes an endpoint with all of its deliveries.
///
/// # Errors
/// The database's fault.
pub async fn delete_endpoint(tenant: &Tenant, id: WebhookEndpointId) -> Result<(), Error> {
    tenant.delete_where::<delivery::Entity>(Condition::all().add(delivery::Column::EndpointId.eq(id))).await?;
    tenant.delete_by_id::<endpoint::Entity, _>(id).await
}

/// Writes deliveries, in one statement.
///
/// # Errors
/// [`Error::UniqueViolation`] where an endpoint has one of the event already.
pub async fn insert_deliveries(tenant: &Tenant, rows: Vec<Delivery>) -> Result<(), Error> {
    tenant.insert_many(rows.into_iter().map(|row| row.into_active_model().reset_all()).collect()).await
}

/// The delivery of an endpoint that is to be sent next, if any waits.
///
/// # Errors
/// The database's fault.
pub async fn next_waiting(tenant: &Tenant, id: WebhookEndpointId) -> Result<Option<Delivery>, Error> {
    let waiting = tenant.select::<delivery::Entity>().filter(waiting(id));
    waiting.order_by_asc(delivery::Column::Position).order_by_asc(delivery::Column::Id).one().await
}

/// The delivery of that id, if this business has it.
///
/// # Errors
/// The database's fault.
pub async fn delivery(tenant: &Tenant, id: WebhookDeliveryId) -> Result<Option<Delivery>, Error> {
    tenant.by_id::<delivery::Entity, _>(id).await
}

/// The same, locked until the transaction ends. Its endpoint's lock comes before it.
///
/// # Errors
/// The database's fault.
pub async fn lock_delivery(tenant: &Tenant, id: WebhookDeliveryId) -> Result<Option<Delivery>, Error> {
    tenant.lock_by_id::<delivery::Entity, _>(id).await
}

/// Writes a delivery's row as a whole. It must have been read locked, in this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save_delivery(tenant: &Tenant, row: Delivery) -> Result<(), Error> {
    tenant.save::<delivery::Entity, _>(row.into_active_model().reset_all()).await
}

/// Gives up every delivery of an endpoint that waits.
///
/// # Errors
/// The database's fault.
pub async fn give_up_waiting(tenant: &Tenant, id: WebhookEndpointId, now: Instant) -> Result<u64, Error> {
    let waiting = waiting(id);
    let given_up = |update: super::tenant::ScopedUpdate<delivery::Entity>| {
        let update = update.set(delivery::Column::Status, DeliveryStatus::Failed).set(delivery::Column::UpdatedAt, now);
        update.set(delivery::Column::NextAttemptAt, Option::<Instant>::None).filter(waiting)
    };
    tenant.update_where::<delivery::Entity>(given_up).await
}

/// Has every delivery of an endpoint that waits begin anew, as if it had never failed.
///
/// # Errors
/// The database's fault.
pub async fn restart_waiting(tenant: &Tenant, id: WebhookEndpointId, now: Instant) -> Result<u64, Error> {
    let waiting = waiting(id);
    let anew = |update: super::tenant::ScopedUpdate<delivery::Entity>| {
        let update = update.set(delivery::Column::Tries, 0_i32).set(delivery::Column::FirstTriedAt, Option::<Instant>::None);
        update.set(delivery::Column::NextAttemptAt, Some(now)).set(delivery::Column::UpdatedAt, now).filter(waiting)
    };
    tenant.update_where::<delivery::Entity>(anew).await
}

/// Has every delivery of an endpoint that waits for a later time be due now.
///
/// # Errors
/// The database's fault.
pub async fn hasten_waiting(tenant: &Tenant, id: WebhookEndpointId, now: Instant) -> Result<u64, Error> {
    let later = waiting(id).add(delivery::Column::NextAttemptAt.gt(now));
    let due = |update: super::tenant::ScopedUpdate<delivery::Entity>| {
        update.set(delivery::Column::NextAttemptAt, Some(now)).set(delivery::Column::UpdatedAt, now).filter(later)
    };
    tenant.update_where::<delivery::Entity>(due).await
}

/// The deliveries of an endpoint that wait.
fn waiting(id: WebhookEndpointId) -> Condition {
    Condition::all().add(delivery::Column::EndpointId.eq(id)).add(delivery::Column::Status.eq(DeliveryStatus::Pending))
}

/// Removes up to `most` deliveries that were written before `until` and do not wait, whosever they are; answers how many.
///
/// # Errors
/// The database's fault.
pub async fn remove_deliveries(system: &System, until: Instant, most: i64) -> Result<u64, Error> {
    let sql = "delete from webhook_deliveries where status <> 'PENDING' and created_at < $1 and (business_id, id) in (
                 select business_id, id from webhook_deliveries where status <> 'PENDING' and created_at < $1 limit $2)";
    system.run_with(sql, vec![until.into(), most.into()]).await
}
