//! Keys, passwords, tokens: what protects what is stored and who may ask for it.
//!
//! This room owns every use of cryptography. It never reads the environment, the clock or the database: keys come
//! from [`keys::Keys`], randomness from the [`random::Rng`] port, the present instant as an argument. Nothing here
//! says why something secret was refused: each error is one opaque type.

pub mod access_key;
pub mod cursor;
pub mod envelope;
pub mod key_ring;
pub mod keys;
pub mod oidc;
pub mod otp;
pub mod password;
pub mod random;
pub mod token;
pub mod webhook_secret;
