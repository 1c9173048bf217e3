//! A key as an operator writes it down: 32 bytes in base64.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroizing;

/// How many bytes every key of ours has.
pub const KEY_BYTES: usize = 32;

/// Fewer distinct bytes than this in 32 is a placeholder (`AAAA…`), not a random key: of random keys, fewer than one in 10^30 has so few.
const DISTINCT_BYTES_MIN: usize = 8;

/// 32 secret bytes: wiped when dropped, never shown by `Debug`.
pub struct KeyMaterial {
    bytes: SecretBox<[u8; KEY_BYTES]>,
}

/// Why a text is no key. Says nothing of the text but its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Not base64 at all.
    #[error("is not base64")]
    NotBase64,
    /// Too short or too long.
    #[error("is {bytes} bytes long and must be exactly {KEY_BYTES} (make one with `openssl rand -base64 32`)")]
    Length {
        /// How many bytes it has.
        bytes: usize,
    },
    /// Hardly any two bytes of it differ.
    #[error("is a placeholder and not a random key (make one with `openssl rand -base64 32`)")]
    Placeholder,
}

impl KeyMaterial {
    /// These bytes as a key.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self { bytes: SecretBox::new(Box::new(bytes)) }
    }

    /// Reads base64 (standard alphabet, padded), with white space around it.
    ///
    /// # Errors
    /// Where it is not base64, not 32 bytes, or plainly not random.
    pub fn parse(text: &str) -> Result<Self, KeyTextError> {
        let decoded = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| KeyTextError::NotBase64)?);
        let bytes: [u8; KEY_BYTES] = decoded.as_slice().try_into().map_err(|_| KeyTextError::Length { bytes: decoded.len() })?;
        if bytes.iter().collect::<BTreeSet<_>>().len() < DISTINCT_BYTES_MIN {
            return Err(KeyTextError::Placeholder);
        }
        Ok(Self::from_bytes(bytes))
    }

    /// The base64 that [`KeyMaterial::parse`] reads.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(self.expose()))
    }

    /// The bytes, for the algorithm that needs them.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        self.bytes.expose_secret()
    }
}

impl Clone for KeyMaterial {
    fn clone(&self) -> Self {
        Self::from_bytes(*self.expose())
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyMaterial([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_from_its_own_base64() {
        let bytes: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let key = KeyMaterial::from_bytes(bytes);
        assert_eq!(*key.to_base64(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        assert_eq!(KeyMaterial::parse(" AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap().expose(), &bytes);
    }

    #[test]
    fn short_long_placeholder_and_garbled_keys_are_refused() {
        let error = |text: &str| KeyMaterial::parse(text).unwrap_err();
        assert_eq!(error("not base64!"), KeyTextError::NotBase64);
        assert_eq!(error(""), KeyTextError::Length { bytes: 0 });
        assert_eq!(error("aGVsbG8="), KeyTextError::Length { bytes: 5 });
        assert_eq!(error(&STANDARD.encode([7; 33])), KeyTextError::Length { bytes: 33 });
        assert_eq!(error(&STANDARD.encode([0; 32])), KeyTextError::Placeholder);
    }

    #[test]
    fn debug_does_not_show_a_key() {
        assert_eq!(format!("{:?}", KeyMaterial::from_bytes([65; 32])), "KeyMaterial([REDACTED])");
    }
}
