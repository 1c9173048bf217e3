//! Preview tokens: a token signs the inputs, the instant and the result of a preview. An operation that sends it takes
//! effect at that instant and comes to that result, or is refused.

use std::fmt::Debug;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::{UserError, UserErrorCode};
use crate::ids::BusinessId;
use crate::services::Ports;

/// How long a token is good.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(15);
/// The bytes of an instant, before those of the result's hash.
const INSTANT_BYTES: usize = 8;

/// What a token was found to sign.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// The instant that the operation takes effect at.
    pub(super) at: Timestamp,
    /// The hash of what was shown.
    hash: Vec<u8>,
}

/// The token of what a preview of `operation` with `input` showed at `at`.
pub(super) fn seal(ports: &Ports, business: BusinessId, operation: &str, input: &Value, at: Timestamp, result: &impl Debug) -> String {
    let signed = [at.as_microsecond().to_be_bytes().as_slice(), &hash_of(result)].concat();
    ports.previews.seal(&scope(business, operation, input), &signed)
}

/// Reads a token that a preview of the same operation and input gave.
///
/// # Errors
/// STALE_PREVIEW where it did not, or too long ago.
pub(super) fn open(ports: &Ports, business: BusinessId, operation: &str, input: &Value, token: &str) -> Result<Shown, UserError> {
    let signed = ports.previews.open(&scope(business, operation, input), token).ok_or_else(stale)?;
    let (at, hash) = signed.split_at_checked(INSTANT_BYTES).ok_or_else(stale)?;
    let at = i64::from_be_bytes(at.try_into().map_err(|_| stale())?);
    let at = Timestamp::from_microsecond(at).map_err(|_| stale())?;
    let age = ports.now().duration_since(at);
    if age < SignedDuration::ZERO || age > GOOD_FOR {
        return Err(stale());
    }
    Ok(Shown { at, hash: hash.to_vec() })
}

impl Shown {
    /// Refuses a result that is not what was shown.
    ///
    /// # Errors
    /// STALE_PREVIEW.
    pub(super) fn check(&self, result: &impl Debug) -> Result<(), UserError> {
        if hash_of(result) == self.hash { Ok(()) } else { Err(stale()) }
    }
}

/// What the token is good for alone.
fn scope(business: BusinessId, operation: &str, input: &Value) -> String {
    format!("preview/{business}/{operation}/{input}")
}

/// The hash of a result: of every field of it, as it is printed for debugging.
fn hash_of(result: &impl Debug) -> Vec<u8> {
    Sha256::digest(format!("{result:?}").as_bytes()).to_vec()
}

/// The refusal.
fn stale() -> UserError {
    UserError::at("previewToken", UserErrorCode::StalePreview, "What was shown no longer holds; look at a new preview.")
}
