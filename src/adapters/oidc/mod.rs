//! An identity provider (OpenID Connect): its keys, found by discovery and kept, and tokens held against them.
//!
//! What is believed of it is what it publishes at the issuer that the operator named. A token makes us ask for keys anew at most once in
//! a while, whatever it says; while the provider is down the keys that are known stay good for a while. It must never log a token.

mod client;
mod provider;
#[cfg(test)]
mod tests;

pub use provider::{ASK_AGAIN_AFTER, KEYS_FRESH, KEYS_KEPT, OidcProvider};
