//! The simulators of Stripe and Daraja as whoever tries a sandbox out has them: the real program of both, what is told and what goes wrong
//! with that, and what may be asked of them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "crash/server.rs"]
#[expect(dead_code, reason = "shared with the tests of crashes")]
mod server;

#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;

#[path = "gateways/bench.rs"]
mod bench;
#[path = "gateways/control.rs"]
mod control;
#[path = "gateways/program.rs"]
mod program;
#[path = "gateways/spoken.rs"]
mod spoken;
#[path = "gateways/told.rs"]
mod told;
