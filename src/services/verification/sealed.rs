//! What a verification keeps sealed under its business's own key: the registration number in the database, and files.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::files::hex;
use crate::error::Error;
use crate::ids::DocumentId;
use crate::security::envelope::{KeyId, Place};
use crate::security::key_ring::BusinessKeys;
use crate::services::Ports;
use crate::services::sealing::{self, keys_of};
use crate::store::customers::{self, Business};
use crate::store::verification::{Document, Verification};
use crate::store::{Snapshot, TenantScope};

/// The name under which a document's file is kept.
pub(super) fn file_of(business: &Business, document: DocumentId) -> String {
    format!("{}/{document}", business.business_id)
}

/// Where a document's file opens, and nowhere else.
pub(super) fn place_of(business: &Business, document: DocumentId) -> Place<'static> {
    Place { business: business.business_id.uuid(), table: "verification_documents", column: "file", row: document.uuid() }
}

/// Where the registration number is stored.
fn place_of_number(row: &Verification) -> Place<'static> {
    let business = row.business_id.uuid();
    Place { business, table: "verifications", column: "registration_number_sealed", row: row.id.uuid() }
}

/// Sets the registration number of a row that is then saved.
pub(super) fn set_number(ports: &Ports, business: &Business, row: &mut Verification, number: &str) -> Result<(), Error> {
    let sealed = keys_of(ports, business)?.seal(ports.rng.as_ref(), &place_of_number(row), number.as_bytes())?;
    row.registration_number_sealed = Some(sealed);
    row.registration_number.clear();
    Ok(())
}

/// The registration number of a business.
///
/// # Errors
/// [`Error::Corrupt`] where it does not open.
pub fn registration_number(ports: &Ports, business: &Business, row: &Verification) -> Result<String, Error> {
    match &row.registration_number_sealed {
        Some(sealed) => Ok(keys_of(ports, business)?.open_text(&place_of_number(row), sealed)?),
        // As an older version wrote it.
        None => Ok(row.registration_number.clone()),
    }
}

/// Seals a number that an older version wrote in plain; answers whether there was one. The row is then saved.
pub(in crate::services) fn seal_number_in_plain(ports: &Ports, business: &Business, row: &mut Verification) -> Result<bool, Error> {
    if row.registration_number_sealed.is_some() || row.registration_number.is_empty() {
        return Ok(false);
    }
    let number = row.registration_number.clone();
    set_number(ports, business, row, &number)?;
    Ok(true)
}

/// Seals what a row has sealed anew, under the business's present key; the row is then saved.
pub(in crate::services) fn seal_anew(ports: &Ports, business: &Business, row: &mut Verification) -> Result<(), Error> {
    if seal_number_in_plain(ports, business, row)? {
        return Ok(());
    }
    if let Some(sealed) = &row.registration_number_sealed {
        row.registration_number_sealed = Some(sealing::seal_anew(ports, &keys_of(ports, business)?, &place_of_number(row), sealed)?);
    }
    Ok(())
}

/// Seals a document's file anew, under the present one of `keys`; answers whether it was not yet.
///
/// # Errors
/// The fault of where files are kept; [`Error::Corrupt`] where it does not open.
pub(in crate::services) async fn seal_file_anew(
    ports: &Ports,
    keys: BusinessKeys,
    business: &Business,
    document: &Document,
) -> Result<bool, Error> {
    let name = file_of(business, document.id);
    let sealed = ports.documents.get(&name).await?;
    if KeyId::of_sealed(&sealed) == Some(keys.present()) {
        return Ok(false);
    }
    let (place, outside) = (place_of(business, document.id), ports.clone());
    let sealing = tokio::task::spawn_blocking(move || sealing::seal_anew(&outside, &keys, &place, &sealed));
    ports.documents.put(&name, sealing.await.map_err(|error| Error::Task(Box::new(error)))??).await?;
    Ok(true)
}

/// Removes a file that belongs to no document.
///
/// # Errors
/// The fault of where files are kept.
pub(in crate::services) async fn remove_file(ports: &Ports, business: &Business, document: DocumentId) -> Result<(), Error> {
    ports.documents.delete(&file_of(business, document)).await
}

/// A document's file as it was sent: it is the very one, or a fault.
///
/// # Errors
/// The fault of the database, or of where files are kept; [`Error::Corrupt`] where it does not open or is another.
pub(super) async fn opened(
    ports: &Ports,
    scope: TenantScope,
    business: &Business,
    document: &Document,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let name = file_of(business, document.id);
    let (mut sealed, mut keys) = (ports.documents.get(&name).await?, keys_of(ports, business)?);
    if KeyId::of_sealed(&sealed).is_some_and(|id| !keys.know(id)) {
        // Its key was replaced between the reading of the business and of the file.
        let business = customers::business(&Snapshot::new(ports.store.clone(), Some(scope)).tenant().await?).await?;
        (sealed, keys) = (ports.documents.get(&name).await?, keys_of(ports, &business)?);
    }
    let (keys, place, expected) = (Arc::new(keys), place_of(business, document.id), document.sha256.clone());
    let opening = tokio::task::spawn_blocking(move || {
        let content = keys.open(&place, &sealed)?;
        if hex(&Sha256::digest(&*content)) != expected {
            return Err(Error::Corrupt("a file is another than the one that was sent".into()));
        }
        Ok(content)
    });
    opening.await.map_err(|error| Error::Task(Box::new(error)))?
}
