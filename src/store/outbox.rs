//! The outbox: what happened, written in the transaction that made it happen. Deliveries are jobs in lanes
//! ([`super::jobs::Lane`]), one for each consumer.

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::Tenant;
use super::entity::outbox::event;
use crate::error::Error;
use crate::ids::EventId;

pub use super::entity::outbox::event::Model as StoredEvent;

/// The place of an aggregate's next event, from 1. The business is locked by this transaction, so that places are
/// committed in their order.
///
/// # Errors
/// The database's fault.
pub async fn next_sequence(tenant: &Tenant, aggregate: &str) -> Result<i64, Error> {
    let last = tenant.select::<event::Entity>().filter(event::Column::Aggregate.eq(aggregate));
    let last = last.order_by_desc(event::Column::Sequence).limit(1).one().await?;
    Ok(last.map_or(1, |event| event.sequence.saturating_add(1)))
}

/// Writes an event.
///
/// # Errors
/// [`Error::UniqueViolation`] where its place is taken.
pub async fn insert(tenant: &Tenant, row: StoredEvent) -> Result<(), Error> {
    tenant.insert_many(vec![row.into_active_model().reset_all()]).await
}

/// The event of that id, if this business has it.
///
/// # Errors
/// The database's fault.
pub async fn find(tenant: &Tenant, id: EventId) -> Result<Option<StoredEvent>, Error> {
    tenant.by_id::<event::Entity, _>(id).await
}
