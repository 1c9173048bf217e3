//! Keys of an issuer of a test's own, and tokens that it signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// An issuer's key of Ed25519.
pub(crate) struct Signer {
    id: &'static str,
    key: SigningKey,
}

impl Signer {
    /// The key of this name, which is made of a seed.
    pub(crate) fn of(id: &'static str, seed: u8) -> Self {
        Self { id, key: SigningKey::from_bytes(&[seed; 32]) }
    }

    /// As it is published.
    pub(crate) fn published(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().to_bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.id, "use": "sig", "alg": "EdDSA", "x": x })
    }

    /// A token that it signs.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(Algorithm::EdDSA) };
        encode(&header, claims, &self.encoding()).unwrap()
    }

    /// What signs.
    pub(crate) fn encoding(&self) -> EncodingKey {
        EncodingKey::from_ed_der(self.key.to_pkcs8_der().unwrap().as_bytes())
    }
}
