//! Links by which a document can be downloaded: signed, good for a quarter of an hour, and for that one file.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::sealed::opened;
use crate::error::Error;
use crate::ids::{BusinessId, DocumentId};
use crate::services::Ports;
use crate::store::customers;
use crate::store::types::ScanStatus;
use crate::store::verification::{self as rows, Document};
use crate::store::{Snapshot, TenantScope};

/// What the links' signatures are for.
const SCOPE: &str = "files";
/// How long a link is good.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(15);

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
    (document.scan != ScanStatus::Infected).then(|| sealed_link(ports, SCOPE, document.business_id, document.id.uuid()))
}

/// A link to a file of a business's, of the kind that `scope` names.
pub(in crate::services) fn sealed_link(ports: &Ports, scope: &str, business: BusinessId, file: Uuid) -> String {
    let until = ports.real_now().saturating_add(GOOD_FOR).unwrap_or(Timestamp::MAX);
    let said = [business.uuid().as_bytes().as_slice(), file.as_bytes(), &until.as_microsecond().to_be_bytes()].concat();
    format!("{}/files/{}", ports.public_url, ports.previews.seal(scope, &said))
}

/// The business and the file that a link's token names, where it is of that kind and still good.
pub(in crate::services) fn named_by(ports: &Ports, scope: &str, token: &str) -> Option<(BusinessId, Uuid)> {
    read(&ports.previews.open(scope, token)?, ports.real_now())
}

/// The file of a link's token; `None` for one that is forged or over, or whose file is not handed out.
///
/// # Errors
/// The fault of the database, or of where files are kept.
pub async fn download(ports: &Ports, token: &str) -> Result<Option<Download>, Error> {
    let Some((business, id)) = named_by(ports, SCOPE, token).map(|(business, file)| (business, DocumentId::from(file))) else {
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

/// The business and the file that a token names, where it is still good.
fn read(said: &[u8], now: Timestamp) -> Option<(BusinessId, Uuid)> {
    let (business, rest) = said.split_first_chunk::<16>()?;
    let (file, rest) = rest.split_first_chunk::<16>()?;
    let until = i64::from_be_bytes(rest.try_into().ok()?);
    (now.as_microsecond() < until).then(|| (BusinessId::from(Uuid::from_bytes(*business)), Uuid::from_bytes(*file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_until_its_instant_and_only_as_a_whole() {
        let until = Timestamp::from_second(1_000).unwrap();
        let said = [[1_u8; 16].as_slice(), &[2; 16], &until.as_microsecond().to_be_bytes()].concat();
        let at = |micros: i64| Timestamp::from_microsecond(micros).unwrap();
        let expected = (BusinessId::from(Uuid::from_bytes([1; 16])), Uuid::from_bytes([2; 16]));
        assert_eq!(read(&said, at(999_999_999)), Some(expected));
        assert_eq!(read(&said, at(1_000_000_000)), None);
        assert_eq!(read(&said[..39], at(0)), None);
        assert_eq!(read(&[said.as_slice(), &[0]].concat(), at(0)), None);
        assert_eq!(read(&[], at(0)), None);
    }
}
