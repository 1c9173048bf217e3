//! What the business does: one service per noun; rules come from billing, rows from store.

pub mod catalog;
