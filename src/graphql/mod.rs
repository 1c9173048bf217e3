//! The GraphQL schemas, and the front door that every document passes. A resolver checks who asks, calls one service
//! or reads one row, and maps the result; it holds no rule, no connection and no entity.

pub mod business;
pub mod context;
pub mod errors;
pub mod front_door;
pub mod in_turn;
pub mod loaders;
pub mod page;
pub mod root_fields;
pub mod scalars;
pub mod schema;
pub mod staff;
pub mod uploads;
