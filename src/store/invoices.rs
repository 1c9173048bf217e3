//! Invoices.

pub use super::entity::invoices::invoice::Model as Invoice;
