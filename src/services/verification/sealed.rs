//! What a verification keeps sealed under its business's own key: the registration number in the database, and files.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::files::hex;
use crate::error::Error;
use crate::ids::DocumentId;
use crate::security::envelope::Place;
use crate::services::Ports;
use crate::services::sealing::{self, SealedFile, keys_of};
use crate::store::TenantScope;
use crate::store::customers::Business;
use crate::store::verification::{Document, Verification};

/// A document's file.
pub(in crate::services) fn file_of(business: &Business, document: DocumentId) -> SealedFile {
    let (name, row) = (format!("{}/{document}", business.business_id), document.uuid());
    SealedFile { name, business: business.business_id.uuid(), table: "verification_documents", column: "file".into(), row }
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

/// A document's file as it was sent: it is the very one, or a fault.
///
/// # Errors
/// The fault of the database, or of where files are kept; [`Error::Corrupt`] where it does not open or is another.
pub(in crate::services) async fn opened(
    ports: &Ports,
    scope: TenantScope,
    business: &Business,
    document: &Document,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (content, expected) = (file_of(business, document.id).open(ports, scope, business).await?, document.sha256.clone());
    let hashing = tokio::task::spawn_blocking(move || {
        let is_the_one = hex(&Sha256::digest(&*content)) == expected;
        is_the_one.then_some(content).ok_or_else(|| Error::Corrupt("a file is another than the one that was sent".into()))
    });
    hashing.await.map_err(|error| Error::Task(Box::new(error)))?
}
