//! Envelope encryption of single values: each business has its own random key, and each of those keys is stored
//! wrapped under the one master key. A person with a second factor has one too, for that alone.
//!
//! A sealed value is `version (1) | key id (8) | nonce (24) | ciphertext and tag`, XChaCha20-Poly1305 with the
//! version, the key id and the value's place as additional data: moved to another row, column, table or business,
//! or read with another key, it does not open. Nonces are 192 random bits, so no counter is kept.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::random::Rng;
use crate::config::{KEY_BYTES, KeyMaterial};
use crate::error::Error;

const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES;

/// A value could not be sealed or opened. Says nothing of why: a caller who learns the difference between a wrong
/// key and a changed byte has learned too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open")]
pub struct SealError;

impl From<SealError> for Error {
    fn from(_: SealError) -> Self {
        Self::Corrupt("a sealed value does not open".into())
    }
}

/// Names a key without telling it: the head of a hash of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; KEY_ID_BYTES]);

impl KeyId {
    /// The key that `sealed` (a value or a wrapped key) says it was sealed under; `None` where it is no such thing.
    pub fn of_sealed(sealed: &[u8]) -> Option<Self> {
        let (version, rest) = sealed.split_first()?;
        (*version == VERSION).then_some(())?;
        rest.first_chunk().copied().map(Self)
    }

    /// The key that a service calls so, which never gives it away: of its name instead of itself.
    pub fn of_name(name: &str) -> Self {
        Self::first_bytes(Sha256::new().chain_update(b"evolve-business key of a service\0").chain_update(name).finalize().into())
    }

    /// What everything that was sealed under it begins with.
    pub fn head(self) -> Vec<u8> {
        head(self).to_vec()
    }

    fn of_key(purpose: &[u8], key: &KeyMaterial) -> Self {
        Self::first_bytes(Sha256::new().chain_update(purpose).chain_update(key.expose()).finalize().into())
    }

    fn first_bytes(digest: [u8; 32]) -> Self {
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a sealed value is stored; it opens there alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The business that owns the row, or the person whose key seals it.
    pub business: Uuid,
    /// The table's name.
    pub table: &'a str,
    /// The column's name.
    pub column: &'a str,
    /// The row's id.
    pub row: Uuid,
}

impl Place<'_> {
    /// Additional data: each part has its length in front, so that no two places read alike.
    fn additional_data(&self) -> Vec<u8> {
        joined(&[b"value", self.business.as_bytes(), self.table.as_bytes(), self.column.as_bytes(), self.row.as_bytes()])
    }
}

/// What wraps the keys of businesses and people: the master key in this process's memory, or a service (a KMS) that keeps its key to
/// itself.
///
/// It is asked whenever something sealed is read or written, inside a transaction too, and by a thread that others wait for. A service that
/// is reached over a network therefore answers within a bounded time, remembers for a while what it has unwrapped, and calls out by
/// `tokio::task::block_in_place`. Whatever it cannot answer is [`SealError`], and nothing is read or written then.
pub trait KeyWrapper: Send + Sync + fmt::Debug + 'static {
    /// Which key wraps: what it wraps begins with its [`KeyId::head`], by which it is found again.
    fn id(&self) -> KeyId;

    /// Wraps the key of `holder` (a business or a person) for storage.
    ///
    /// # Errors
    /// Where it cannot.
    fn wrap(&self, rng: &dyn Rng, holder: Uuid, key: &KeyMaterial) -> Result<Vec<u8>, SealError>;

    /// Unwraps the key of `holder`.
    ///
    /// # Errors
    /// Where another key wrapped it, it is another holder's, or it was changed; where the service does not answer.
    fn unwrap_key(&self, holder: Uuid, wrapped: &[u8]) -> Result<KeyMaterial, SealError>;
}

/// The key over all keys. There is one; it wraps the keys of businesses and people and seals nothing else.
#[derive(Clone, Debug)]
pub struct MasterKey {
    material: KeyMaterial,
    id: KeyId,
}

impl MasterKey {
    /// The master key of these bytes.
    pub fn new(material: KeyMaterial) -> Self {
        let id = KeyId::of_key(b"evolve-business master key\0", &material);
        Self { material, id }
    }

    /// Which key this is; stored in front of each key it wraps.
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

impl KeyWrapper for MasterKey {
    fn id(&self) -> KeyId {
        self.id
    }

    fn wrap(&self, rng: &dyn Rng, holder: Uuid, key: &KeyMaterial) -> Result<Vec<u8>, SealError> {
        seal(rng, &self.material, self.id, &wrap_data(holder), key.expose())
    }

    fn unwrap_key(&self, holder: Uuid, wrapped: &[u8]) -> Result<KeyMaterial, SealError> {
        let bytes = open(&self.material, self.id, &wrap_data(holder), wrapped)?;
        let bytes: [u8; KEY_BYTES] = bytes.as_slice().try_into().map_err(|_| SealError)?;
        Ok(KeyMaterial::from_bytes(bytes))
    }
}

/// The key that seals the values of one business, or the second factor of one person.
#[derive(Clone, Debug)]
pub struct BusinessKey {
    material: KeyMaterial,
    id: KeyId,
}

impl BusinessKey {
    /// A new random key.
    pub fn generate(rng: &dyn Rng) -> Self {
        Self::from_material(KeyMaterial::from_bytes(rng.bytes()))
    }

    /// The key itself, to be wrapped.
    pub(super) const fn material(&self) -> &KeyMaterial {
        &self.material
    }

    /// The key of these bytes, as they were unwrapped.
    pub(super) fn from_material(material: KeyMaterial) -> Self {
        let id = KeyId::of_key(b"evolve-business business key\0", &material);
        Self { material, id }
    }

    /// Which key this is; stored in front of each value it seals.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Seals `plaintext` for `place`.
    ///
    /// # Errors
    /// Only where the cipher itself fails (256 GiB and more).
    pub fn seal(&self, rng: &dyn Rng, place: &Place<'_>, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
        seal(rng, &self.material, self.id, &place.additional_data(), plaintext)
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// Where it was sealed by another key, for another place, or was changed.
    pub fn open(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        open(&self.material, self.id, &place.additional_data(), sealed)
    }

    /// Opens what was sealed for `place` and is text.
    ///
    /// # Errors
    /// As [`BusinessKey::open`], and where it is not UTF-8.
    pub fn open_text(&self, place: &Place<'_>, sealed: &[u8]) -> Result<String, SealError> {
        let mut bytes = self.open(place, sealed)?;
        String::from_utf8(std::mem::take(&mut *bytes)).map_err(|_| SealError)
    }
}

fn wrap_data(business: Uuid) -> Vec<u8> {
    joined(&[b"key", business.as_bytes()])
}

/// The parts one after another, each with its length (64 bits, big endian) in front.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::new();
    for part in parts {
        all.extend_from_slice(&(part.len() as u64).to_be_bytes());
        all.extend_from_slice(part);
    }
    all
}

fn head(id: KeyId) -> [u8; HEAD_BYTES] {
    let mut head = [VERSION; HEAD_BYTES];
    head[1..].copy_from_slice(&id.0);
    head
}

fn seal(rng: &dyn Rng, key: &KeyMaterial, id: KeyId, place: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let head = head(id);
    let nonce: [u8; NONCE_BYTES] = rng.bytes();
    let payload = Payload { msg: plaintext, aad: &joined(&[&head, place]) };
    let ciphertext = cipher(key).encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| SealError)?;
    Ok([head.as_slice(), &nonce, &ciphertext].concat())
}

fn open(key: &KeyMaterial, id: KeyId, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let head = head(id);
    let rest = sealed.strip_prefix(&head).ok_or(SealError)?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(SealError)?;
    let payload = Payload { msg: ciphertext, aad: &joined(&[&head, place]) };
    cipher(key).decrypt(XNonce::from_slice(nonce), payload).map(Zeroizing::new).map_err(|_| SealError)
}

fn cipher(key: &KeyMaterial) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.expose().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::random::SeededRng;

    const BUSINESS: Uuid = Uuid::from_u128(1);
    const ROW: Uuid = Uuid::from_u128(2);
    const PLACE: Place<'static> = Place { business: BUSINESS, table: "businesses", column: "tax_id", row: ROW };

    fn master(byte: u8) -> MasterKey {
        MasterKey::new(KeyMaterial::from_bytes([byte; 32]))
    }

    #[test]
    fn a_sealed_value_opens_where_it_was_sealed() {
        let rng = SeededRng::new(1);
        let key = BusinessKey::generate(&rng);
        for plaintext in ["", "P051234567X", "ü".repeat(5_000).as_str()] {
            let sealed = key.seal(&rng, &PLACE, plaintext.as_bytes()).unwrap();
            assert_eq!(key.open_text(&PLACE, &sealed).unwrap(), plaintext);
            // 1 version + 8 key id + 24 nonce + 16 tag
            assert_eq!(sealed.len(), 49 + plaintext.len());
        }
    }

    #[test]
    fn a_value_moved_to_another_row_column_table_or_business_does_not_open() {
        let rng = SeededRng::new(1);
        let key = BusinessKey::generate(&rng);
        let sealed = key.seal(&rng, &PLACE, b"P051234567X").unwrap();
        let elsewhere = [
            Place { business: Uuid::from_u128(9), ..PLACE },
            Place { table: "members", ..PLACE },
            Place { column: "phone", ..PLACE },
            Place { row: Uuid::from_u128(9), ..PLACE },
            // The same letters, cut elsewhere.
            Place { table: "businessestax", column: "_id", ..PLACE },
            Place { business: ROW, row: BUSINESS, ..PLACE },
        ];
        for place in elsewhere {
            assert_eq!(key.open(&place, &sealed), Err(SealError), "{place:?}");
        }
    }

    #[test]
    fn a_value_does_not_open_with_the_key_of_another_business() {
        let rng = SeededRng::new(1);
        let (own, other) = (BusinessKey::generate(&rng), BusinessKey::generate(&rng));
        let mut sealed = own.seal(&rng, &PLACE, b"P051234567X").unwrap();
        assert_eq!(other.open(&PLACE, &sealed), Err(SealError));
        sealed[1..9].copy_from_slice(&other.id().0);
        assert_eq!(other.open(&PLACE, &sealed), Err(SealError), "a forged key id does not help");
    }

    #[test]
    fn a_value_with_any_bit_changed_or_any_byte_missing_does_not_open() {
        let rng = SeededRng::new(1);
        let key = BusinessKey::generate(&rng);
        let sealed = key.seal(&rng, &PLACE, b"P051234567X").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&PLACE, &changed), Err(SealError), "byte {at} changed");
            assert_eq!(key.open(&PLACE, &sealed[..at]), Err(SealError), "cut at {at}");
        }
        assert_eq!(key.open(&PLACE, &[sealed.as_slice(), &[0]].concat()), Err(SealError));
    }

    #[test]
    fn the_same_value_seals_differently_each_time() {
        let rng = SeededRng::new(1);
        let key = BusinessKey::generate(&rng);
        assert_ne!(key.seal(&rng, &PLACE, b"same").unwrap(), key.seal(&rng, &PLACE, b"same").unwrap());
    }

    #[test]
    fn a_wrapped_key_opens_what_the_key_sealed() {
        let rng = SeededRng::new(1);
        let key = BusinessKey::generate(&rng);
        let sealed = key.seal(&rng, &PLACE, b"P051234567X").unwrap();
        let wrapped = master(7).wrap(&rng, BUSINESS, key.material()).unwrap();
        let unwrapped = BusinessKey::from_material(master(7).unwrap_key(BUSINESS, &wrapped).unwrap());
        assert_eq!(unwrapped.open(&PLACE, &sealed).unwrap().as_slice(), b"P051234567X");
    }

    #[test]
    fn a_wrapped_key_does_not_open_for_another_business_or_under_another_master_key() {
        let rng = SeededRng::new(1);
        let wrapped = master(7).wrap(&rng, BUSINESS, BusinessKey::generate(&rng).material()).unwrap();
        assert!(master(7).unwrap_key(ROW, &wrapped).is_err());
        assert!(master(8).unwrap_key(BUSINESS, &wrapped).is_err());
        assert!(master(7).unwrap_key(BUSINESS, &[]).is_err());
    }

    #[test]
    fn a_sealed_thing_names_its_key() {
        let rng = SeededRng::new(1);
        let key = BusinessKey::generate(&rng);
        let wrapped = master(7).wrap(&rng, BUSINESS, key.material()).unwrap();
        assert_eq!(KeyId::of_sealed(&wrapped), Some(master(7).id()));
        assert_eq!(KeyId::of_sealed(&key.seal(&rng, &PLACE, b"").unwrap()), Some(key.id()));
        assert_ne!(master(7).id(), master(8).id());
        assert_eq!(KeyId::of_sealed(&[2; 40]), None);
        assert_eq!(KeyId::of_sealed(&[1, 2, 3]), None);
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", master(65));
        assert!(shown.contains("REDACTED") && !shown.contains("65, 65"), "{shown}");
    }
}
