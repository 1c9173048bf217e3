//! Keys that programs sign in by: those that a business makes for its own programs, and those that staff make for the
//! products of the platform.
//!
//! A key is shown once, when it is made. It must never be stored, logged or written to the audit trail: its hash is
//! stored, and the part that may be shown tells it apart.

use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::Ports;
use super::customers::fields;
use crate::error::{UserError, UserErrorCode};
use crate::security::access_key::{AccessKey, AccessKeyHash, KeyOwner, Realm};
use crate::store::Instant;

mod api_keys;
mod service_keys;
mod sign_in;

pub use api_keys::{CreateApiKey, KeyService};
pub use service_keys::{CreateServiceKey, ServiceKeyService};
pub use sign_in::KeySignIn;

/// The most characters of a key's name.
const MAX_NAME_CHARS: usize = 100;
/// How far ahead a key may run out: five years.
const MAX_LIFETIME: SignedDuration = SignedDuration::from_hours(5 * 366 * 24);

/// A key that was made, with the one chance to see it.
#[derive(Debug, Clone)]
pub struct Made<K> {
    /// Its row.
    pub key: K,
    /// The key itself: for its holder, and for nobody after that.
    pub secret: SecretString,
}

/// Where keys of this process are good.
fn realm(ports: &Ports) -> Realm {
    if ports.sandbox { Realm::Test } else { Realm::Live }
}

/// A new key: what is shown of it, what is stored, and itself.
fn generate(ports: &Ports, owner: KeyOwner) -> (String, AccessKeyHash, SecretString) {
    let key = AccessKey::generate(ports.rng.as_ref(), owner, realm(ports));
    (key.shown(), key.hash(), key.reveal())
}

/// Reads what a key is called.
fn read_name(text: &str) -> Result<String, UserError> {
    fields::line("name", text, MAX_NAME_CHARS)
}

/// Reads until when a key is to be good: after `now`, and not for ever by another name.
fn read_expiry(at: Option<Timestamp>, now: Timestamp) -> Result<Option<Instant>, UserError> {
    let refusal = |sentence| Err(UserError::at("expiresAt", UserErrorCode::Invalid, sentence));
    match at {
        None => Ok(None),
        Some(at) if at <= now => refusal("This is not in the future."),
        Some(at) if at.duration_since(now) > MAX_LIFETIME => refusal("At most five years ahead; leave it out for a key without an end."),
        Some(at) => Ok(Some(at.into())),
    }
}
