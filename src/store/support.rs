//! Tickets of support, and what is said in them.

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _};

use super::Tenant;
use super::entity::support::ticket;
use super::live::Subject;
use super::types::TicketStatus;
use crate::error::Error;
use crate::ids::TicketId;

pub use super::entity::support::message::Model as TicketMessage;
pub use super::entity::support::ticket::Model as Ticket;

/// Writes a ticket, and gives it the business's next number, whatever the row says; answers the number. The business is locked by
/// this transaction.
///
/// # Errors
/// The database's fault.
pub async fn insert(tenant: &Tenant, row: Ticket) -> Result<i64, Error> {
    tenant.changed(Subject::Ticket(row.id));
    let every = ticket::Column::Number.gte(1_i64);
    tenant.insert_next::<ticket::Entity, _>(row.into_active_model().reset_all(), ticket::Column::Number, every).await
}

/// The ticket of that id, if this business has it, locked until the transaction ends. The business's lock comes before it.
///
/// # Errors
/// The database's fault.
pub async fn lock(tenant: &Tenant, id: TicketId) -> Result<Option<Ticket>, Error> {
    tenant.lock_by_id::<ticket::Entity, _>(id).await
}

/// Writes a ticket's row as a whole. It must have been read locked, in this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save(tenant: &Tenant, row: Ticket) -> Result<(), Error> {
    tenant.changed(Subject::Ticket(row.id));
    tenant.save::<ticket::Entity, _>(row.into_active_model().reset_all()).await
}

/// How many of this business's tickets are not over, counted no further than `most` + 1.
///
/// # Errors
/// The database's fault.
pub async fn count_live(tenant: &Tenant, most: u64) -> Result<u64, Error> {
    tenant.select::<ticket::Entity>().filter(ticket::Column::Status.ne(TicketStatus::Closed)).count_up_to(most).await
}

/// Writes what is said.
///
/// # Errors
/// The database's fault.
pub async fn insert_message(tenant: &Tenant, row: TicketMessage) -> Result<(), Error> {
    tenant.changed(Subject::Ticket(row.ticket_id));
    tenant.insert_many(vec![row.into_active_model().reset_all()]).await
}
