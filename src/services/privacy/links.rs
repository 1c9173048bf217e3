//! Links by which an export can be downloaded, as those of documents.

use futures::StreamExt as _;

use super::{file_of, size_of};
use crate::error::Error;
use crate::ids::DataExportId;
use crate::services::verification::Download;
use crate::services::{Ports, file_links};
use crate::store::data_exports::{self as rows, DataExport};
use crate::store::types::ExportStatus;
use crate::store::{Snapshot, TenantScope, customers};

/// What the links' signatures are for.
const SCOPE: &str = "exports";
/// What an export's file is.
const CONTENT_TYPE: &str = "application/zip";

/// Where an export stands at this instant: its time may be over before the job that removes it has run.
pub fn status(ports: &Ports, row: &DataExport) -> ExportStatus {
    let is_over = row.expires_at.is_some_and(|at| at.get() <= ports.real_now());
    if is_over { ExportStatus::Expired } else { row.status }
}

/// The link to an export's file; none for one that is not ready, or is no more.
pub fn link(ports: &Ports, row: &DataExport) -> Option<String> {
    (status(ports, row) == ExportStatus::Ready).then(|| file_links::link(ports, SCOPE, row.business_id, row.id.uuid()))
}

/// The file of a link's token; `None` for one that is forged or over, or whose file is gone.
///
/// # Errors
/// The fault of the database, or of where files are kept.
pub async fn download(ports: &Ports, token: &str) -> Result<Option<Download>, Error> {
    let Some((business, id)) = file_links::named_by(ports, SCOPE, token) else { return Ok(None) };
    let (business, row) = {
        let tenant = Snapshot::new(ports.store.clone(), Some(TenantScope::proved(business))).tenant().await?;
        let Some(row) = rows::find(&tenant, DataExportId::from(id)).await? else { return Ok(None) };
        (customers::business(&tenant).await?, row)
    };
    if status(ports, &row) != ExportStatus::Ready {
        return Ok(None);
    }
    let (byte_size, day) = (size_of(&row)?, row.created_at.get().strftime("%Y-%m-%d"));
    let content = file_of(&row).read(ports.clone(), TenantScope::proved(row.business_id), business, byte_size).boxed();
    Ok(Some(Download {
        business: row.business_id,
        file_name: format!("export-{day}.zip"),
        content_type: CONTENT_TYPE.to_owned(),
        byte_size,
        content,
    }))
}
