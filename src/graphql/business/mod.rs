//! The business API, by noun.
#![expect(clippy::unused_async, reason = "a resolver is async whether it waits or not")]

pub mod account;
pub mod profile;
