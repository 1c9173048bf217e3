//! `seed`: fills the catalogue, or the database with demo data.

use std::path::PathBuf;

use crate::config::Settings;
use crate::error::Cause;

/// Refuses.
#[expect(clippy::unused_async, reason = "what it runs is awaited")]
pub(super) async fn run(settings: Settings, file: Option<PathBuf>, demo: bool) -> Result<(), Cause> {
    Err(format!("This build has nothing to seed {} with (file {file:?}, demo {demo}).", settings.data_dir.display()).into())
}
