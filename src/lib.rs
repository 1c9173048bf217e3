//! Evolve Business: the customer-facing backend of a software platform. One binary serves a GraphQL API
//! over a store on SQLite or PostgreSQL, and a worker that bills by the clock.
//!
//! # The map of the house
//!
//! ```text
//! main → cli → app → http → graphql → services → billing            (pure rules)
//!                  ↘ worker ───────↗           ↘ store → store::entity (private)
//!                                              ↘ adapters            (gateways, mail, files, keys)
//! leaves anyone may use: ids, clock, error, config (types only), money
//! ```
#![forbid(unsafe_code)]

pub mod adapters;
pub mod app;
pub mod billing;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod graphql;
pub mod http;
pub mod ids;
pub mod money;
pub mod security;
pub mod services;
pub mod store;
pub mod telemetry;
pub mod worker;
