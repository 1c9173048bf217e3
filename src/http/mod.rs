//! The HTTP server: router, request guard, GraphQL over HTTP, GraphiQL, health.

pub mod graphiql;
pub mod graphql;
pub mod health;
pub mod request_id;
pub mod sandbox_action;
pub mod server;
