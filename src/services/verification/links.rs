//! Links by which a document can be downloaded.

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;

use super::sealed::opened;
use crate::error::Error;
use crate::ids::{BusinessId, DocumentId};
use crate::services::{Ports, file_links};
use crate::store::customers;
use crate::store::types::ScanStatus;
use crate::store::verification::{self as rows, Document};
use crate::store::{Snapshot, TenantScope};

/// What the links' signatures are for.
const SCOPE: &str = "files";

/// A file as it is handed out.
pub struct Download {
    /// Whose it is.
    pub business: BusinessId,
    /// What it is called.
    pub file_name: String,
    /// What it is.
    pub content_type: String,
    /// How many bytes it has.
    pub byte_size: u64,
    /// Its bytes, some after the others: each is read when those before it are taken.
    pub content: BoxStream<'static, Result<Bytes, Error>>,
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
    let content = Bytes::from(std::mem::take(&mut *content));
    let byte_size = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let content = futures::stream::once(async { Ok(content) }).boxed();
    Ok(Some(Download {
        business: document.business_id,
        file_name: document.file_name,
        content_type: document.content_type,
        byte_size,
        content,
    }))
}
