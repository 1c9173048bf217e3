//! The GraphQL schemas, and the front door that every document passes.

pub mod front_door;
