//! `serve`: serves the API.

use crate::config::Settings;
use crate::error::Cause;

/// Refuses.
#[expect(clippy::unused_async, reason = "what it runs is awaited")]
pub(super) async fn run(settings: Settings) -> Result<(), Cause> {
    Err(format!("This build has no server to listen on {}.", settings.listen).into())
}
