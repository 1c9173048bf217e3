//! The HTTP server: router, request guard, GraphQL over HTTP, GraphiQL, health.

mod body;
pub mod business;
mod client_address;
pub mod files;
pub mod graphiql;
pub mod graphql;
pub mod guard;
pub mod headers;
pub mod health;
pub mod live;
pub mod metrics;
pub mod mpesa_events;
pub mod rates;
pub mod request_id;
pub mod rest;
pub mod router;
pub mod sandbox_action;
mod sending;
pub mod server;
pub mod staff;
pub mod stripe_events;
