//! The business API, by noun.

pub mod catalog;
