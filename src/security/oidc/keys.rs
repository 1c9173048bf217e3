//! The keys of an issuer, as it publishes them (RFC 7517).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// The longest set of keys that is read, in bytes.
pub const KEY_SET_BYTES_MAX: usize = 256 * 1024;
/// The most keys of a set that are read.
const KEYS_MAX: usize = 64;
/// The longest name of a key, in bytes.
const KEY_ID_BYTES_MAX: usize = 256;
/// The shortest modulus of RSA that is taken, in bytes: 2048 bits.
const MODULUS_BYTES_MIN: usize = 256;
/// The longest one: 8192 bits. A longer one would make each look at a token slow.
const MODULUS_BYTES_MAX: usize = 1_024;
/// The longest exponent, in bytes.
const EXPONENT_BYTES_MAX: usize = 8;
/// The public key of Ed25519, in bytes.
const ED25519_BYTES: usize = 32;

/// The text is no set of keys, or has none that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the issuer's keys are no set of keys that serve")]
pub struct NoKeys;

/// The algorithm of a name in a token's header; none for those of shared secrets, and for `none`.
pub fn algorithm_named(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}

/// What kind of key one is, which says what algorithms it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// RSA.
    Rsa,
    /// The curve P-256.
    P256,
    /// The curve P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl Kind {
    /// Whether keys of this kind verify an algorithm.
    const fn serves(self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 | Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 => {
                matches!(self, Self::Rsa)
            }
            Algorithm::ES256 => matches!(self, Self::P256),
            Algorithm::ES384 => matches!(self, Self::P384),
            Algorithm::EdDSA => matches!(self, Self::Ed25519),
            // A secret that is shared is nothing that is published; what else there may be is not known to be safe.
            _ => false,
        }
    }
}

/// A key that signs tokens.
struct PublishedKey {
    /// Its name.
    id: Option<String>,
    /// Its kind.
    kind: Kind,
    /// The one algorithm that it is for, where the issuer says so.
    only: Option<Algorithm>,
    /// Verifies.
    verifying: DecodingKey,
}

/// The keys of an issuer.
pub struct KeySet(Vec<PublishedKey>);

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|key| (&key.id, key.kind))).finish()
    }
}

/// A set of keys as it is sent.
#[derive(Deserialize)]
struct WireSet {
    keys: Vec<serde_json::Value>,
}

/// A key as it is sent.
#[derive(Deserialize)]
struct WireKey {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads the keys that sign; others, and those that we do not understand, are passed over, as RFC 7517 asks.
    ///
    /// # Errors
    /// [`NoKeys`] for a text that is too long or no set of keys, and for a set without one that serves.
    pub fn parse(text: &[u8]) -> Result<Self, NoKeys> {
        if text.len() > KEY_SET_BYTES_MAX {
            return Err(NoKeys);
        }
        let wire: WireSet = serde_json::from_slice(text).map_err(|_| NoKeys)?;
        if wire.keys.len() > KEYS_MAX {
            return Err(NoKeys);
        }
        let keys: Vec<PublishedKey> = wire.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).filter_map(read).collect();
        if keys.is_empty() { Err(NoKeys) } else { Ok(Self(keys)) }
    }

    /// The key that a token's header asks for. Without a name it is the one that serves the algorithm, if there is one alone.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let serves = |key: &&PublishedKey| key.kind.serves(algorithm) && key.only.is_none_or(|only| only == algorithm);
        let named = |key: &&PublishedKey| id.is_none_or(|id| key.id.as_deref() == Some(id));
        let mut found = self.0.iter().filter(serves).filter(named);
        // Of two with the same name nobody can tell which is meant.
        let (only, None) = (found.next()?, found.next()) else { return None };
        Some(&only.verifying)
    }
}

/// A key that signs and that we understand.
fn read(wire: WireKey) -> Option<PublishedKey> {
    let is_for_signatures = wire.usage.as_deref().is_none_or(|usage| usage == "sig")
        && wire.key_ops.as_deref().is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    if !is_for_signatures || wire.kid.as_deref().is_some_and(|id| id.len() > KEY_ID_BYTES_MAX) {
        return None;
    }
    let (kind, verifying) = match (wire.kty.as_str(), wire.crv.as_deref()) {
        ("RSA", _) => (Kind::Rsa, rsa(wire.n.as_deref()?, wire.e.as_deref()?)?),
        ("EC", Some("P-256")) => (Kind::P256, curve(wire.x.as_deref()?, wire.y.as_deref()?, 32)?),
        ("EC", Some("P-384")) => (Kind::P384, curve(wire.x.as_deref()?, wire.y.as_deref()?, 48)?),
        ("OKP", Some("Ed25519")) => (Kind::Ed25519, edwards(wire.x.as_deref()?)?),
        _ => return None,
    };
    // One for an algorithm that we do not know is for none that we do.
    let only = match wire.alg.as_deref() {
        Some(name) => Some(algorithm_named(name).filter(|algorithm| kind.serves(*algorithm))?),
        None => None,
    };
    Some(PublishedKey { id: wire.kid, kind, only, verifying })
}

/// A number or point as it is sent.
fn bytes(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// A key of RSA, neither too weak nor too slow.
fn rsa(modulus: &str, exponent: &str) -> Option<DecodingKey> {
    let (modulus, exponent) = (bytes(modulus)?, bytes(exponent)?);
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let significant = modulus.len().saturating_sub(zeros);
    let fits = (MODULUS_BYTES_MIN..=MODULUS_BYTES_MAX).contains(&significant) && (1..=EXPONENT_BYTES_MAX).contains(&exponent.len());
    fits.then(|| DecodingKey::from_rsa_raw_components(&modulus, &exponent))
}

/// A point of a curve, whose coordinates have so many bytes.
fn curve(x: &str, y: &str, length: usize) -> Option<DecodingKey> {
    let fits = bytes(x)?.len() == length && bytes(y)?.len() == length;
    fits.then(|| DecodingKey::from_ec_components(x.trim_end_matches('='), y.trim_end_matches('=')).ok()).flatten()
}

/// A key of Ed25519; none of the few points for which anybody can make a signature.
fn edwards(x: &str) -> Option<DecodingKey> {
    let point: [u8; ED25519_BYTES] = bytes(x)?.try_into().ok()?;
    let is_strong = VerifyingKey::from_bytes(&point).is_ok_and(|key| !key.is_weak());
    is_strong.then(|| DecodingKey::from_ed_der(&point))
}
