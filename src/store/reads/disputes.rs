//! Disputes as staff see them.

use sea_orm::{ColumnTrait as _, QueryFilter as _};

use crate::billing::dispute::DisputeStatus;
use crate::error::Error;
use crate::ids::{DisputeId, PaymentId};
use crate::store::Reader;
use crate::store::entity::payments::dispute;
use crate::store::page::{MAX_COUNT, Page, Window, newest_first};
use crate::store::tenant::Scoped;

pub use crate::store::entity::payments::dispute::Model as Dispute;

/// Which disputes are asked for; every member narrows.
#[derive(Debug, Clone, Default)]
pub struct DisputeFilter {
    /// Of these statuses.
    pub statuses: Option<Vec<DisputeStatus>>,
    /// Of this payment.
    pub payment: Option<PaymentId>,
}

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(reader: &Reader, id: DisputeId) -> Result<Option<Dispute>, Error> {
    reader.by_id::<dispute::Entity, _>(id).await
}

/// A page, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(reader: &Reader, filter: &DisputeFilter, window: Window) -> Result<Page<Dispute>, Error> {
    newest_first(filtered(reader, filter), dispute::Column::CreatedAt, dispute::Column::Id, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(reader: &Reader, filter: &DisputeFilter) -> Result<u64, Error> {
    filtered(reader, filter).count_up_to(MAX_COUNT).await
}

/// What `filter` leaves.
fn filtered(reader: &Reader, filter: &DisputeFilter) -> Scoped<dispute::Entity> {
    let mut select = reader.select::<dispute::Entity>();
    if let Some(statuses) = &filter.statuses {
        select = select.filter(dispute::Column::Status.is_in(statuses.iter().copied()));
    }
    if let Some(payment) = filter.payment {
        select = select.filter(dispute::Column::PaymentId.eq(payment));
    }
    select
}
