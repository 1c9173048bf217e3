//! Tokens of links in mails: 32 random bytes, of which the hash alone is stored.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::security::random::Rng;

/// What every one begins with.
const PREFIX: &str = "evl_";
/// How many bytes it has.
const SECRET_BYTES: usize = 32;

/// A link's token, as its holder has it.
pub struct LinkToken {
    secret: SecretBox<[u8; SECRET_BYTES]>,
}

impl LinkToken {
    /// A new random token.
    pub fn generate(rng: &dyn Rng) -> Self {
        Self { secret: SecretBox::new(Box::new(rng.bytes())) }
    }

    /// Reads `evl_…`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        // 32 bytes are 43 letters: nothing longer is decoded.
        (encoded.len() == (SECRET_BYTES * 8).div_ceil(6)).then_some(())?;
        let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let secret: [u8; SECRET_BYTES] = decoded.as_slice().try_into().ok()?;
        Some(Self { secret: SecretBox::new(Box::new(secret)) })
    }

    /// What to store and to look up by.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.expose_secret()).into()
    }

    /// The token as it stands in the mail.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.secret.expose_secret())))
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkToken([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::random::SeededRng;

    #[test]
    fn a_token_reads_back_with_the_same_hash_and_anything_else_is_none() {
        let token = LinkToken::generate(&SeededRng::new(1));
        let text = token.reveal();
        assert_eq!(text.len(), 47);
        assert_eq!(LinkToken::parse(&text).unwrap().hash(), token.hash());
        assert_eq!(format!("{token:?}"), "LinkToken([REDACTED])");
        let bad = ["", "evl_", &text[4..], &text[..46], &format!("{}A", *text), &text.replace("evl_", "evr_"), &format!(" {}", *text)];
        for text in bad {
            assert!(LinkToken::parse(text).is_none(), "{text}");
        }
    }
}
