//! Idempotency keys: the same key and input acts once, however often it is sent.
//!
//! The key's row is written in the business transaction, with the ids of what it made; a transaction that refuses
//! writes nothing. A replay makes nothing new: the payload reads those objects as they are now.

use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Ports;
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::store::{Tenant, work};

/// The most characters of a key.
const MAX_KEY_CHARS: usize = 255;
/// How long a key is kept.
pub const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

/// What a key was found to be.
pub enum Claim<T> {
    /// New: act, then [`store`] what was made.
    New(Claimed),
    /// Acted on before: these ids were made then.
    Replay(T),
}

/// A key that this transaction holds.
pub struct Claimed {
    /// Its row.
    row: crate::ids::IdempotencyKeyId,
}

/// Claims `key`, which is `actor`'s, for `operation` with `input`, whose serialization is its canonical form.
///
/// # Errors
/// INVALID for a malformed key, IDEMPOTENCY_KEY_REUSED for another input or operation, IDEMPOTENCY_IN_PROGRESS where
/// another transaction holds it for too long; or the database's fault.
pub async fn claim<T: DeserializeOwned>(
    tenant: &Tenant,
    ports: &Ports,
    actor: Uuid,
    key: &str,
    operation: &str,
    input: &impl Serialize,
) -> Outcome<Claim<T>> {
    check_key(key)?;
    let hash = Sha256::digest(serde_json::to_vec(&(operation, input)).map_err(|error| Error::Task(Box::new(error)))?).to_vec();
    let row = ports.ids.next();
    let at = ports.real_now().into();
    let new = work::NewIdempotencyKey { id: row, actor, key, operation, input_hash: hash.clone(), at };
    match work::claim_idempotency_key(tenant, new).await {
        Ok(None) => Ok(Claim::New(Claimed { row })),
        Ok(Some(found)) if found.operation == operation && found.input_hash == hash => {
            let made = serde_json::from_str(&found.outcome).map_err(|_| Error::Corrupt("an idempotency key has no outcome".into()))?;
            Ok(Claim::Replay(made))
        }
        Ok(Some(_)) => {
            let sentence = "This idempotency key was used with another input.";
            Err(UserError::at("idempotencyKey", UserErrorCode::IdempotencyKeyReused, sentence).into())
        }
        Err(Error::LockTimeout(_)) => {
            let sentence = "A request with this idempotency key is still under way; send it again.";
            Err(UserError::at("idempotencyKey", UserErrorCode::IdempotencyInProgress, sentence).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Stores what was made under a key, for replays.
///
/// # Errors
/// The database's fault.
pub async fn store(tenant: &Tenant, claimed: Claimed, made: &impl Serialize) -> Outcome<()> {
    let outcome = serde_json::to_string(made).map_err(|error| Failure::Fault(Error::Task(Box::new(error))))?;
    Ok(work::set_idempotency_outcome(tenant, claimed.row, outcome).await?)
}

/// 1 to 255 printable ASCII characters.
fn check_key(key: &str) -> Result<(), UserError> {
    let fits = (1..=MAX_KEY_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if fits {
        Ok(())
    } else {
        Err(UserError::at("idempotencyKey", UserErrorCode::Invalid, "An idempotency key is 1 to 255 printable characters."))
    }
}
