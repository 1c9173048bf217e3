//! What is stored sealed under a business's own key, and how that key and the master key are replaced while they are in use.

use super::Ports;
use crate::error::Error;
use crate::security::envelope::{Place, SealError};
use crate::security::key_ring::BusinessKeys;
use crate::store::customers::Business;

mod files;
mod parts;
mod rotate;

pub(super) use files::SealedFile;
pub(super) use parts::{SealedParts, Spool, Spooled};
pub use rotate::{Rotated, rotate};

/// The business's own keys: the one that seals, and the one before it until all it sealed is sealed anew.
pub(super) fn keys_of(ports: &Ports, business: &Business) -> Result<BusinessKeys, Error> {
    Ok(ports.master.of_business(business.business_id.uuid(), &business.wrapped_key, business.previous_wrapped_key.as_deref())?)
}

/// A value sealed anew, under the present key.
pub(super) fn seal_anew(ports: &Ports, keys: &BusinessKeys, place: &Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    keys.seal(ports.rng.as_ref(), place, &keys.open(place, sealed)?)
}
