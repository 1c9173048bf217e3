//! Keys that programs sign in by: `sk_live_…` of a business, `svc_live_…` of a product; `…_test_…` in a sandbox.
//!
//! After the prefix stand 40 random characters of base32 (200 bits) and 7 that are a checksum over all before them. The
//! checksum is no secret: by it a key that was mistyped or cut is refused without a look-up, and scanners of source code
//! tell a real key from what only looks like one. CRC-32 finds every change of a single character with certainty.
//!
//! Stored is SHA-256 of the whole text. A slow hash, as passwords have, would gain nothing: there is no dictionary of
//! 200 random bits to go through, and a key is compared at every request.

use std::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::security::random::Rng;

/// Crockford's base32 in small letters: no `i`, `l`, `o`, `u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters of the random part, of 5 bits each.
const RANDOM_CHARS: usize = 40;
/// Characters of the checksum: 32 bits in groups of 5.
const CHECKSUM_CHARS: usize = 7;
/// Characters of the random part that are shown, to tell keys apart: 30 of its 200 bits.
const SHOWN_CHARS: usize = 6;
/// The checksum of zip and PNG.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What the database keeps of a key: SHA-256 of its text.
pub type AccessKeyHash = [u8; 32];

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyOwner {
    /// A business.
    Business,
    /// A product of the platform.
    Product,
}

/// Where a key is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Realm {
    /// Where real money moves.
    Live,
    /// In a sandbox.
    Test,
}

/// Every prefix, with what it says.
const PREFIXES: [(&str, KeyOwner, Realm); 4] = [
    ("sk_live_", KeyOwner::Business, Realm::Live),
    ("sk_test_", KeyOwner::Business, Realm::Test),
    ("svc_live_", KeyOwner::Product, Realm::Live),
    ("svc_test_", KeyOwner::Product, Realm::Test),
];

/// A key, as its holder has it.
pub struct AccessKey {
    /// Whose it is.
    owner: KeyOwner,
    /// Where it is good.
    realm: Realm,
    /// All of it.
    text: SecretString,
}

impl AccessKey {
    /// A new random key.
    pub fn generate(rng: &dyn Rng, owner: KeyOwner, realm: Realm) -> Self {
        let bytes = Zeroizing::new(rng.bytes::<RANDOM_CHARS>());
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(prefix(owner, realm));
        // 256 is a whole number of alphabets: each character is as likely as any other.
        text.extend(bytes.iter().map(|byte| digit(u32::from(*byte))));
        let sum = checksum(&text);
        text.push_str(&sum);
        Self { owner, realm, text: SecretString::from(text.as_str()) }
    }

    /// Reads a key; `None` for what is none, by its prefix, its length, its letters or its checksum.
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, owner, realm) = PREFIXES.into_iter().find(|(prefix, ..)| text.starts_with(prefix))?;
        (text.len() == prefix.len() + RANDOM_CHARS + CHECKSUM_CHARS).then_some(())?;
        text.get(prefix.len()..)?.bytes().all(|byte| ALPHABET.contains(&byte)).then_some(())?;
        let (body, sum) = text.split_at_checked(text.len().checked_sub(CHECKSUM_CHARS)?)?;
        (checksum(body) == sum).then(|| Self { owner, realm, text: SecretString::from(text) })
    }

    /// Whether `text` says of itself that it is a key, good or not.
    pub fn is_meant(text: &str) -> bool {
        PREFIXES.iter().any(|(prefix, ..)| text.starts_with(prefix))
    }

    /// Whose it is.
    pub const fn owner(&self) -> KeyOwner {
        self.owner
    }

    /// Where it is good.
    pub const fn realm(&self) -> Realm {
        self.realm
    }

    /// What to store and to look up by.
    pub fn hash(&self) -> AccessKeyHash {
        Sha256::digest(self.text.expose_secret().as_bytes()).into()
    }

    /// The part that may be shown: `sk_live_8f3kq2`.
    pub fn shown(&self) -> String {
        let shown = prefix(self.owner, self.realm).len() + SHOWN_CHARS;
        self.text.expose_secret().chars().take(shown).collect()
    }

    /// The key as its holder is given it, once.
    pub fn reveal(&self) -> SecretString {
        self.text.clone()
    }
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessKey({:?}, {:?}, [REDACTED])", self.owner, self.realm)
    }
}

/// What a key begins with.
const fn prefix(owner: KeyOwner, realm: Realm) -> &'static str {
    match (owner, realm) {
        (KeyOwner::Business, Realm::Live) => "sk_live_",
        (KeyOwner::Business, Realm::Test) => "sk_test_",
        (KeyOwner::Product, Realm::Live) => "svc_live_",
        (KeyOwner::Product, Realm::Test) => "svc_test_",
    }
}

/// The last five bits, as a character.
fn digit(bits: u32) -> char {
    char::from(ALPHABET[(bits % 32) as usize])
}

/// The checksum of what stands before it, the highest bits first.
fn checksum(text: &str) -> String {
    let sum = CRC.checksum(text.as_bytes());
    (0..CHECKSUM_CHARS).rev().map(|place| digit(sum.checked_shr(u32::try_from(place).unwrap_or(0) * 5).unwrap_or(0))).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::security::random::SeededRng;

    fn key(seed: u64) -> AccessKey {
        AccessKey::generate(&SeededRng::new(seed), KeyOwner::Business, Realm::Live)
    }

    #[test]
    fn a_key_reads_back_as_what_it_is() {
        for (prefix, owner, realm) in PREFIXES {
            let key = AccessKey::generate(&SeededRng::new(1), owner, realm);
            let text = key.reveal();
            assert!(text.expose_secret().starts_with(prefix));
            assert_eq!(text.expose_secret().len(), prefix.len() + 47);
            let read = AccessKey::parse(text.expose_secret()).unwrap();
            assert_eq!((read.owner(), read.realm(), read.hash()), (owner, realm, key.hash()));
            assert_eq!(key.shown(), text.expose_secret()[..prefix.len() + 6]);
        }
    }

    #[test]
    fn the_checksum_and_the_hash_are_what_other_programs_compute() {
        // python3: zlib.crc32(b"sk_live_" + b"0"*40) in groups of five bits over the alphabet, and hashlib.sha256 of it all in base64.
        let body = format!("sk_live_{}", "0".repeat(40));
        let text = format!("{body}{}", checksum(&body));
        assert_eq!(text, "sk_live_00000000000000000000000000000000000000001wr49ee");
        let hash = base64::engine::general_purpose::STANDARD.encode(AccessKey::parse(&text).unwrap().hash());
        assert_eq!(hash, "btzUKnxDQPpNjgdL9D4+u1kp3MIZiufU8pVOW/ZPKUE=");
    }

    #[test]
    fn two_keys_differ() {
        let rng = SeededRng::new(1);
        let make = || AccessKey::generate(&rng, KeyOwner::Business, Realm::Live).hash();
        assert_ne!(make(), make());
    }

    #[test]
    fn anything_else_is_no_key() {
        let good = key(1).reveal();
        let good = good.expose_secret();
        let bad = [
            String::new(),
            "sk_live_".to_owned(),
            good[8..].to_owned(),
            good[..54].to_owned(),
            format!("{good}0"),
            format!(" {good}"),
            format!("{good}\n"),
            good.to_uppercase(),
            good.replace("sk_live_", "sk_test_"),
            good.replace("sk_live_", "svc_live_"),
            // As many bytes, of letters that are none of the alphabet.
            format!("sk_live_{}0", "ü".repeat(23)),
            format!("sk_live_{}", "0".repeat(47)),
            format!("sk_live_{}", "0".repeat(1_000_000)),
        ];
        for text in bad {
            assert!(AccessKey::parse(&text).is_none(), "{}", &text.chars().take(70).collect::<String>());
        }
    }

    #[test]
    fn a_key_that_is_not_good_is_known_to_be_meant_as_one() {
        assert!(AccessKey::is_meant("sk_live_typo") && AccessKey::is_meant("svc_test_"));
        for token in ["", "eyJhbGciOiJFZERTQSJ9.e30.x", "SK_LIVE_x", " sk_live_x", "evr_x"] {
            assert!(!AccessKey::is_meant(token), "{token}");
        }
    }

    #[test]
    fn debug_does_not_show_a_key() {
        assert_eq!(format!("{:?}", key(1)), "AccessKey(Business, Live, [REDACTED])");
    }
}
