//! What signs webhooks, by the Standard Webhooks specification: HMAC-SHA-256 over the message's id, the time and the body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use secrecy::SecretString;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::random::Rng;

/// How many bytes a secret has.
const SECRET_BYTES: usize = 32;
/// The block of SHA-256.
const BLOCK_BYTES: usize = 64;
/// What stands before a secret when it is shown.
const PREFIX: &str = "whsec_";

/// A secret that an endpoint's receiver shares with us.
pub struct WebhookSecret(Zeroizing<[u8; SECRET_BYTES]>);

impl WebhookSecret {
    /// A new one.
    pub fn generate(rng: &dyn Rng) -> Self {
        Self(Zeroizing::new(rng.bytes()))
    }

    /// The secret of these bytes; none of any other number.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Its bytes, to be sealed.
    pub fn expose(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As its receiver is shown it, once: `whsec_…`.
    pub fn reveal(&self) -> SecretString {
        format!("{PREFIX}{}", *Zeroizing::new(STANDARD.encode(self.expose()))).into()
    }

    /// The signature of a message: `v1,…`.
    pub fn sign(&self, id: &str, timestamp: &str, body: &str) -> String {
        // HMAC pads its key with zeros to a block: padded here, the constructor for whole blocks cannot fail.
        let mut block = Zeroizing::new([0; BLOCK_BYTES]);
        block[..SECRET_BYTES].copy_from_slice(self.expose());
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        for part in [id, ".", timestamp, ".", body] {
            mac.update(part.as_bytes());
        }
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::security::random::SeededRng;

    #[test]
    fn a_secret_is_shown_as_the_specification_writes_it_and_comes_back() {
        let secret = WebhookSecret::generate(&SeededRng::new(1));
        let shown = secret.reveal();
        let encoded = shown.expose_secret().strip_prefix("whsec_").unwrap();
        assert_eq!(STANDARD.decode(encoded).unwrap(), secret.expose());
        assert_eq!(WebhookSecret::from_bytes(secret.expose()).unwrap().expose(), secret.expose());
        assert!(WebhookSecret::from_bytes(&[0; 31]).is_none() && WebhookSecret::from_bytes(&[0; 33]).is_none());
    }

    #[test]
    fn a_signature_is_that_of_another_implementation() {
        // By Python: base64(hmac.new(bytes(range(32)), b"dlv_1.1800000000.{}", "sha256").digest()).
        let secret = WebhookSecret::from_bytes(&(0..32).collect::<Vec<u8>>()).unwrap();
        assert_eq!(secret.sign("dlv_1", "1800000000", "{}"), "v1,MEY5BgcrwoLyJyESw5mBPgUPTt8V7QjbKHVlOWBXhVY=");
    }
}
