//! Refresh tokens: 32 random bytes. Only their hash is stored; being random, they need no slow hash.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::security::random::Rng;

const PREFIX: &str = "evr_";
const SECRET_BYTES: usize = 32;

/// What the database keeps of a refresh token: SHA-256 of its secret.
pub type RefreshHash = [u8; 32];

/// A refresh token, as its holder has it.
pub struct RefreshToken {
    secret: SecretBox<[u8; SECRET_BYTES]>,
}

impl RefreshToken {
    /// A new random token.
    pub fn generate(rng: &dyn Rng) -> Self {
        Self::of(rng.bytes())
    }

    /// Reads `evr_…`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        // 32 bytes are 43 letters: nothing longer is decoded.
        (encoded.len() == (SECRET_BYTES * 8).div_ceil(6)).then_some(())?;
        let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        decoded.as_slice().try_into().ok().map(Self::of)
    }

    /// What to store and to look up by.
    pub fn hash(&self) -> RefreshHash {
        Sha256::digest(self.secret.expose_secret()).into()
    }

    /// The token as its holder is given it, once.
    pub fn reveal(&self) -> SecretString {
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(self.secret.expose_secret()));
        SecretString::from(format!("{PREFIX}{}", *encoded))
    }

    fn of(secret: [u8; SECRET_BYTES]) -> Self {
        Self { secret: SecretBox::new(Box::new(secret)) }
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::random::SeededRng;

    #[test]
    fn a_token_reads_back_with_the_same_hash() {
        let token = RefreshToken::generate(&SeededRng::new(1));
        let text = token.reveal();
        assert!(text.expose_secret().starts_with("evr_"));
        assert_eq!(text.expose_secret().len(), 47);
        assert_eq!(RefreshToken::parse(text.expose_secret()).unwrap().hash(), token.hash());
    }

    #[test]
    fn the_hash_is_sha256_of_the_secret() {
        // head -c 32 /dev/zero | sha256sum | xxd -r -p | base64
        assert_eq!(
            base64::engine::general_purpose::STANDARD.encode(RefreshToken::of([0; 32]).hash()),
            "Zmh6rfhivXdsj8GLjp+OIAiXFIVu4jOzkCpZHQ1fKSU="
        );
    }

    #[test]
    fn two_tokens_differ() {
        let rng = SeededRng::new(1);
        assert_ne!(RefreshToken::generate(&rng).hash(), RefreshToken::generate(&rng).hash());
    }

    #[test]
    fn anything_else_is_no_token() {
        let good = RefreshToken::of([0; 32]).reveal();
        let good = good.expose_secret();
        let bad = [
            String::new(),
            "evr_".to_owned(),
            good.replace("evr_", "evx_"),
            good[4..].to_owned(),
            good[..46].to_owned(),
            format!("{good}A"),
            format!("{good}="),
            format!(" {good}"),
            // The last letter carries bits that no byte has: a second spelling of the same token.
            format!("{}B", &good[..46]),
            format!("evr_{}", "ü".repeat(21)) + "A",
            format!("evr_{}", "A".repeat(1_000_000)),
        ];
        for text in bad {
            assert!(RefreshToken::parse(&text).is_none(), "{}", &text.chars().take(60).collect::<String>());
        }
    }

    #[test]
    fn debug_does_not_show_a_token() {
        assert_eq!(format!("{:?}", RefreshToken::of([1; 32])), "RefreshToken([REDACTED])");
    }
}
