//! `migrate`: the tables of the database.

use crate::config::Settings;
use crate::error::Cause;

/// Refuses.
#[expect(clippy::unused_async, reason = "what it runs is awaited")]
pub(super) async fn run(settings: Settings, action: super::MigrateAction) -> Result<(), Cause> {
    Err(format!("This build has no migrations to take {action:?} in {}.", settings.data_dir.display()).into())
}
