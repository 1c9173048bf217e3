//! Exports of what is held of a business: when one was asked for, and until when its file is there.

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::entity::privacy::data_export;
use super::types::ExportStatus;
use super::{Reader, Tenant};
use crate::error::Error;
use crate::ids::DataExportId;

pub use super::entity::privacy::data_export::Model as DataExport;

/// The most exports that are listed.
const MOST_LISTED: u64 = 50;

/// This business's exports, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn newest(reader: &Reader) -> Result<Vec<DataExport>, Error> {
    let rows = reader.select::<data_export::Entity>();
    let newest = rows.order_by_desc(data_export::Column::CreatedAt).order_by_desc(data_export::Column::Id);
    newest.limit(MOST_LISTED).all().await
}

/// One export of this business.
///
/// # Errors
/// The database's fault.
pub async fn find(reader: &Reader, id: DataExportId) -> Result<Option<DataExport>, Error> {
    reader.by_id::<data_export::Entity, _>(id).await
}

/// Those of this business whose file is to be made, or is there. The business is locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn standing(tenant: &Tenant) -> Result<Vec<DataExport>, Error> {
    tenant.select::<data_export::Entity>().filter(data_export::Column::Status.ne(ExportStatus::Expired)).all().await
}

/// Writes an export.
///
/// # Errors
/// [`Error::UniqueViolation`] where one is being made.
pub async fn insert(tenant: &Tenant, row: DataExport) -> Result<(), Error> {
    tenant.insert_many(vec![row.into_active_model().reset_all()]).await
}

/// Writes an export's row as a whole. The business is locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save(tenant: &Tenant, row: DataExport) -> Result<(), Error> {
    tenant.save::<data_export::Entity, _>(row.into_active_model().reset_all()).await
}
