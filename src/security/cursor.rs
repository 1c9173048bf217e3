//! Paging cursors: opaque to clients, and authenticated, so that a cursor that we did not give out for the same
//! list answers as no cursor at all. What a cursor holds is readable to whoever has it: put no secret in one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::config::{KEY_BYTES, KeyMaterial};

const TAG_BYTES: usize = 16;

/// The block of SHA-256.
const BLOCK_BYTES: usize = 64;

/// The longest cursor that is looked at, in characters.
pub const CURSOR_CHARS_MAX: usize = 1_024;

/// The key that authenticates cursors.
#[derive(Clone, Debug)]
pub struct CursorKey {
    material: KeyMaterial,
}

impl CursorKey {
    /// The cursor key of these bytes.
    pub const fn new(material: KeyMaterial) -> Self {
        Self { material }
    }

    /// The cursor for `position` in the list that `scope` names. `scope` says whose list it is, its order and its
    /// filters, e.g. `invoices/<business>/newest/OPEN`.
    pub fn seal(&self, scope: &str, position: &[u8]) -> String {
        let tag = self.mac(scope, position).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([position, &tag[..TAG_BYTES]].concat())
    }

    /// The position that `cursor` holds, where [`CursorKey::seal`] made it for the same `scope`.
    pub fn open(&self, scope: &str, cursor: &str) -> Option<Vec<u8>> {
        if cursor.len() > CURSOR_CHARS_MAX {
            return None;
        }
        let mut position = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let tag = position.split_off(position.len().checked_sub(TAG_BYTES)?);
        self.mac(scope, &position).verify_truncated_left(&tag).ok()?;
        Some(position)
    }

    fn mac(&self, scope: &str, position: &[u8]) -> Hmac<Sha256> {
        // HMAC pads its key with zeros to a block: padded here, the constructor for whole blocks cannot fail.
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        block[..KEY_BYTES].copy_from_slice(self.material.expose());
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        mac.update(&(scope.len() as u64).to_be_bytes());
        mac.update(scope.as_bytes());
        mac.update(position);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> CursorKey {
        CursorKey::new(KeyMaterial::from_bytes([byte; 32]))
    }

    #[test]
    fn the_tag_is_hmac_sha256_as_the_standard_has_it() {
        // RFC 4231 has no key of 32 bytes; by OpenSSL:
        // printf '\0\0\0\0\0\0\0\001sp' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0b0b…0b (32 bytes) -binary | base64
        let tag = key(0x0b).mac("s", b"p").finalize().into_bytes();
        assert_eq!(base64::engine::general_purpose::STANDARD.encode(tag), "ZPC7i5g/XFW8GCw6jVAl34MYjgC2+tK8abrPsRt6Elw=");
    }

    #[test]
    fn a_cursor_opens_in_its_own_list() {
        for position in [b"".as_slice(), b"2027-01-31|inv", &[0, 255, 10]] {
            let cursor = key(1).seal("invoices/biz/newest", position);
            assert_eq!(key(1).open("invoices/biz/newest", &cursor).as_deref(), Some(position));
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_none() {
        let cursor = key(1).seal("invoices/biz_a", b"7");
        assert_eq!(key(1).open("invoices/biz_b", &cursor), None);
        assert_eq!(key(1).open("invoices/biz_", &key(1).seal("invoices/biz", b"_7")), None, "letters moved across the border");
        assert_eq!(key(2).open("invoices/biz_a", &cursor), None, "another key");
    }

    #[test]
    fn forged_cursors_are_none() {
        let cursor = key(1).seal("list", b"0001");
        for at in 0..cursor.len() {
            let mut forged = cursor.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(key(1).open("list", std::str::from_utf8(&forged).unwrap()), None, "changed at {at}");
            assert_eq!(key(1).open("list", &cursor[..at]), None, "cut at {at}");
        }
        for forged in ["", "=", "AAAA", "ü", "\0", " ", &"A".repeat(22), &"A".repeat(1_000_000), &format!("{cursor}=")] {
            assert_eq!(key(1).open("list", forged), None);
        }
    }
}
