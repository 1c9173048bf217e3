//! Outgoing webhooks: one POST to an address that a customer chose, and what was answered.
//!
//! Customers choose the address, so it is trusted in nothing: it is of the public internet as it is connected to, no redirect is
//! followed, no proxy is asked, and of the answer little is read. It must never log a body or a URL.

mod address;
mod client;
mod target;

pub use address::Reach;
pub(in crate::adapters) use client::GuardedResolver;
pub use client::{Answer, Lookup, MAX_AT_ONCE, SendError, SystemLookup, WebhookCall, WebhookClient};
pub use target::{Target, TargetError};
