//! The page of the sandbox gateway. Temporary.
use axum::Router;
use crate::adapters::payment::sandbox::SandboxGateway;
/// T.
pub fn router(_: SandboxGateway) -> Router { Router::new() }
