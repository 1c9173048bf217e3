//! Tickets of support as the API shows them.

use std::collections::HashMap;

use sea_orm::{ColumnTrait as _, QueryFilter as _};

use super::Of;
use crate::error::Error;
use crate::ids::{TicketId, TicketMessageId, UserId};
use crate::store::Reader;
use crate::store::entity::support::{message, ticket};
use crate::store::page::{MAX_COUNT, Page, Window, newest_first, newest_of_each};
use crate::store::tenant::Scoped;
use crate::store::types::TicketStatus;

pub use crate::store::entity::support::message::Model as TicketMessage;
pub use crate::store::entity::support::ticket::Model as Ticket;

/// Which tickets are asked for; every member narrows.
#[derive(Debug, Clone, Default)]
pub struct TicketFilter {
    /// Of these statuses.
    pub statuses: Option<Vec<TicketStatus>>,
    /// Opened by this person.
    pub opened_by: Option<UserId>,
}

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(reader: &Reader, id: TicketId) -> Result<Option<Ticket>, Error> {
    reader.by_id::<ticket::Entity, _>(id).await
}

/// Many by id.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(reader: &Reader, ids: &[Of<TicketId>]) -> Result<HashMap<Of<TicketId>, Ticket>, Error> {
    let rows = reader.select_of::<ticket::Entity, _>(ticket::Column::Id, ids).all().await?;
    Ok(rows.into_iter().map(|row| ((row.business_id, row.id), row)).collect())
}

/// A page, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(reader: &Reader, filter: &TicketFilter, window: Window) -> Result<Page<Ticket>, Error> {
    newest_first(filtered(reader, filter), ticket::Column::CreatedAt, ticket::Column::Id, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(reader: &Reader, filter: &TicketFilter) -> Result<u64, Error> {
    filtered(reader, filter).count_up_to(MAX_COUNT).await
}

/// The tickets that are asked for.
fn filtered(reader: &Reader, filter: &TicketFilter) -> Scoped<ticket::Entity> {
    let mut rows = reader.select::<ticket::Entity>();
    if let Some(statuses) = &filter.statuses {
        rows = rows.filter(ticket::Column::Status.is_in(statuses.iter().copied()));
    }
    if let Some(user) = filter.opened_by {
        rows = rows.filter(ticket::Column::OpenedBy.eq(user));
    }
    rows
}

/// A message by id.
///
/// # Errors
/// The database's fault.
pub async fn message_by_id(reader: &Reader, id: TicketMessageId) -> Result<Option<TicketMessage>, Error> {
    reader.by_id::<message::Entity, _>(id).await
}

/// The same part of many tickets' messages, the newest first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn message_pages(
    reader: &Reader,
    tickets: &[Of<TicketId>],
    window: Window,
) -> Result<HashMap<Of<TicketId>, Page<TicketMessage>>, Error> {
    let rows = || reader.select_of::<message::Entity, _>(message::Column::TicketId, tickets);
    let order = (message::Column::CreatedAt, message::Column::Id);
    newest_of_each(rows, tickets, message::Column::TicketId, order, window, |row| (row.business_id, row.ticket_id)).await
}
