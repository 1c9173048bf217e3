//! The outbox: what happened, written in the transaction that made it happen. Deliveries are jobs in lanes
//! ([`super::jobs::Lane`]), one for each consumer.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, FromQueryResult, IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::entity::outbox::event;
use super::live::Subject;
use super::{System, Tenant, webhooks};
use crate::error::Error;
use crate::ids::{BusinessId, EventId};

pub use super::entity::outbox::event::Model as StoredEvent;

/// Writes an event in its aggregate's next place, whatever the row says, and answers it: places count from 1. The business is
/// locked by this transaction, so that places are committed in their order. Answers too how many webhooks the business has that
/// are switched on: most have none, and should not be asked for it.
///
/// # Errors
/// [`Error::UniqueViolation`] where its place is taken.
pub async fn insert_next(tenant: &Tenant, row: StoredEvent) -> Result<(i64, i64), Error> {
    let (of_aggregate, webhooks) = (event::Column::Aggregate.eq(row.aggregate.clone()), webhooks::number_enabled(tenant.business()));
    tenant.insert_next_and_tell(row.into_active_model().reset_all(), event::Column::Sequence, of_aggregate, webhooks).await
}

/// The place of the last event of each of these aggregates that has one, counted from 1. Nobody but this transaction adds to
/// them, so that places are committed in their order: it holds the business, or what they are.
///
/// # Errors
/// The database's fault.
pub async fn last_sequences(tenant: &Tenant, aggregates: &[String]) -> Result<HashMap<String, i64>, Error> {
    /// The two columns.
    #[derive(FromQueryResult)]
    struct Found {
        /// The aggregate.
        aggregate: String,
        /// Its last event's place.
        last: i64,
    }
    let of_those = tenant.select::<event::Entity>().filter(event::Column::Aggregate.is_in(aggregates.iter().cloned()));
    let last = of_those
        .select_only()
        .column(event::Column::Aggregate)
        .column_as(Expr::col(event::Column::Sequence).max(), "last")
        .group_by(event::Column::Aggregate);
    Ok(last.all_as::<Found>().await?.into_iter().map(|found| (found.aggregate, found.last)).collect())
}

/// Writes events, in one statement.
///
/// # Errors
/// [`Error::UniqueViolation`] where a place is taken.
pub async fn insert_all(tenant: &Tenant, rows: Vec<StoredEvent>) -> Result<(), Error> {
    tenant.insert_many(rows.into_iter().map(|row| row.into_active_model().reset_all()).collect()).await
}

/// The event of that id, if this business has it.
///
/// # Errors
/// The database's fault.
pub async fn find(tenant: &Tenant, id: EventId) -> Result<Option<StoredEvent>, Error> {
    tenant.by_id::<event::Entity, _>(id).await
}

/// Whether an event of that name was ever written of an aggregate.
///
/// # Errors
/// The database's fault.
pub async fn is_told(tenant: &Tenant, aggregate: &str, name: &str) -> Result<bool, Error> {
    let of_it = tenant.select::<event::Entity>().filter(event::Column::Aggregate.eq(aggregate)).filter(event::Column::Name.eq(name));
    Ok(of_it.limit(1).one().await?.is_some())
}

/// Notes what an event of this transaction tells of: whoever watches it is told when the transaction is committed.
pub fn tell(tenant: &Tenant, subject: Subject, event: EventId) {
    tenant.changed_by(subject, event);
}

/// The events of these businesses whose ids were made after that one, the oldest first; `most` of them at most.
///
/// # Errors
/// The database's fault.
pub async fn since(system: &System, businesses: &[BusinessId], after: EventId, most: u64) -> Result<Vec<StoredEvent>, Error> {
    let newer = system.reader().select_of_businesses::<event::Entity>(businesses).filter(event::Column::Id.gt(after));
    newer.order_by_asc(event::Column::Id).limit(most).all().await
}
