//! `worker`: works by the clock.

use crate::config::Settings;
use crate::error::Cause;

/// Refuses.
#[expect(clippy::unused_async, reason = "what it runs is awaited")]
pub(super) async fn run(settings: Settings) -> Result<(), Cause> {
    Err(format!("This build has no worker for {}.", settings.data_dir.display()).into())
}
