//! Links by which a document can be downloaded.

use super::sealed::opened;
use crate::error::Error;
use crate::ids::DocumentId;
use crate::services::{Ports, file_links};
use crate::store::customers;
use crate::store::types::ScanStatus;
use crate::store::verification::{self as rows, Document};
use crate::store::{Snapshot, TenantScope};

/// What the links' signatures are for.
const SCOPE: &str = "files";

/// A file as it is handed out.
#[derive(Debug)]
pub struct Download {
    /// What it is called.
    pub file_name: String,
    /// What it is.
    pub content_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// The link to a document's file; none for one in which the scanner found something.
pub fn link(ports: &Ports, document: &Document) -> Option<String> {
    (document.scan != ScanStatus::Infected).then(|| file_links::link(ports, SCOPE, document.business_id, document.id.uuid()))
}

/// The file of a link's token; `None` for one that is forged or over, or whose file is not handed out.
///
/// # Errors
/// The fault of the database, or of where files are kept.
pub async fn download(ports: &Ports, token: &str) -> Result<Option<Download>, Error> {
    let Some((business, id)) = file_links::named_by(ports, SCOPE, token).map(|(business, file)| (business, DocumentId::from(file))) else {
        return Ok(None);
    };
    let (business, document) = {
        let tenant = Snapshot::new(ports.store.clone(), Some(TenantScope::proved(business))).tenant().await?;
        let Some(document) = rows::document(&tenant, id).await? else { return Ok(None) };
        (customers::business(&tenant).await?, document)
    };
    if document.scan == ScanStatus::Infected {
        return Ok(None);
    }
    let mut content = opened(ports, TenantScope::proved(document.business_id), &business, &document).await?;
    let content = std::mem::take(&mut *content);
    Ok(Some(Download { file_name: document.file_name, content_type: document.content_type, content }))
}
