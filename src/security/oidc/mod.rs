//! Tokens of another issuer, and the keys that it publishes. Nothing here asks the network: keys come as text, the present
//! instant as an argument.
//!
//! What is taken for good is pinned by us and never by the token: issuer, audience, and the algorithms; a key serves the algorithms of
//! its own kind alone, so that no public key is taken for a secret. A `jku`, `x5u` or `jwk` of a token is never followed.

mod keys;
#[cfg(test)]
pub(crate) mod signing;
#[cfg(test)]
mod tests;
mod token;

pub use keys::{KEY_SET_BYTES_MAX, KeySet, NoKeys, algorithm_named};
pub use token::{EXTERNAL_LIFETIME_MAX, EXTERNAL_TOKEN_BYTES_MAX, Expected, ExternalClaims, Refused, may_be_good};
