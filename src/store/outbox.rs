//! The outbox: what happened, written in the transaction that made it happen. Deliveries are jobs in lanes
//! ([`super::jobs::Lane`]), one for each consumer.

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _};

use super::Tenant;
use super::entity::outbox::event;
use crate::error::Error;
use crate::ids::EventId;

pub use super::entity::outbox::event::Model as StoredEvent;

/// Writes an event in its aggregate's next place, whatever the row says, and answers it: places count from 1. The business is
/// locked by this transaction, so that places are committed in their order.
///
/// # Errors
/// [`Error::UniqueViolation`] where its place is taken.
pub async fn insert_next(tenant: &Tenant, row: StoredEvent) -> Result<i64, Error> {
    let aggregate = row.aggregate.clone();
    tenant.insert_next(row.into_active_model().reset_all(), event::Column::Sequence, event::Column::Aggregate.eq(aggregate)).await
}

/// The event of that id, if this business has it.
///
/// # Errors
/// The database's fault.
pub async fn find(tenant: &Tenant, id: EventId) -> Result<Option<StoredEvent>, Error> {
    tenant.by_id::<event::Entity, _>(id).await
}
