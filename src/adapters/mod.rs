//! The seams to the outside: payment gateways, mail, webhooks, files, the scanner of files.
//!
//! An adapter speaks to one peer, bounds every call in time, and answers in the closed words of its port. It knows
//! nothing of our rows and must never be called inside a database transaction. `payment::simulator` is the other side
//! of two of them, for tests and for who tries a sandbox out.

mod authorities;
mod bucket_client;
pub mod documents;
pub mod mail;
pub mod oidc;
pub mod payment;
pub mod scanner;
pub mod smtp;
pub mod webhook;
