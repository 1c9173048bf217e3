//! The one room that knows the database. It hands out plain structs, and takes capabilities instead of ids:
//! [`Tenant`] sees and changes one business's rows, [`System`] is for the few places that look across them.
//!
//! It must never call the network inside a transaction, hand out a connection or an entity, or decide a rule.

#![deny(clippy::missing_docs_in_private_items)]

pub mod account_links;
pub mod catalog;
pub mod connection;
pub mod coupons;
pub mod customers;
pub mod data_exports;
pub mod disputes;
pub mod doctor;
pub(crate) mod driver;
pub mod email_changes;
pub(crate) mod entity;
pub mod external;
pub mod fault;
pub mod gateway_differences;
pub mod gateway_events;
pub mod gateway_hints;
pub mod invitations;
pub mod invoices;
pub mod jobs;
pub mod key_rotation;
pub mod keys;
pub mod ledger;
pub mod live;
pub mod live_others;
pub mod mails;
pub mod notifications;
pub mod outbox;
pub mod page;
pub mod payments;
pub mod privacy;
pub mod reads;
pub mod refunds;
pub mod retention;
pub mod revenue;
pub(crate) mod rows;
pub mod second_factors;
pub mod sessions;
pub mod sign_in_tries;
pub mod spent;
pub mod staff;
pub mod staff_mails;
pub mod staff_sessions;
pub mod subscriptions;
pub mod support;
pub mod system;
pub mod tenant;
pub mod test_clocks;
pub mod transaction;
pub mod types;
pub mod usage;
mod usage_bulk;
pub mod verification;
pub mod webhooks;
pub mod work;

pub use connection::{Store, StoreOptions};
pub use system::System;
pub use tenant::{Reader, Tenant, TenantScope};
pub use transaction::Snapshot;
pub use types::{Day, Instant};
