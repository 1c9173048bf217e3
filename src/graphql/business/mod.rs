//! The business API, by noun.
