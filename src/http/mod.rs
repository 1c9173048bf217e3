//! The HTTP server: router, request guard, GraphQL over HTTP, GraphiQL, health.

pub mod graphiql;
pub mod sandbox_action;
