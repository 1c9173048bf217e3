//! The front door, GraphQL over HTTP and the server, on a small schema of their own.
#![expect(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, clippy::format_collect, clippy::unused_async, reason = "a test")]

#[path = "front_door/hostile.rs"]
mod hostile;
#[path = "front_door/http.rs"]
mod http_answers;
#[path = "front_door/limits.rs"]
mod limits;
#[path = "front_door/named.rs"]
mod named;
#[path = "front_door/requests.rs"]
mod requests;
#[path = "front_door/server.rs"]
mod server;
#[path = "front_door/world.rs"]
mod world;
