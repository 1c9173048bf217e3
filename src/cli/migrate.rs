//! `migrate`: the tables of the database.

use secrecy::ExposeSecret as _;

use super::{MigrateAction, terminal};
use crate::config::Settings;
use crate::error::Cause;
use crate::store::Store;

/// Brings the tables up to date, says how they stand, or takes back the last migration.
pub(super) async fn run(settings: Settings, action: MigrateAction) -> Result<(), Cause> {
    std::fs::create_dir_all(&settings.data_dir)?;
    match action {
        MigrateAction::Up => {
            let applied = up(&settings).await?;
            terminal::say(&format!("{applied} migrations were applied."))?;
        }
        MigrateAction::Status => {
            for (name, applied) in Store::migration_status(migration_url(&settings)).await? {
                terminal::say(&format!("{} {name}", if applied { "applied" } else { "pending" }))?;
            }
        }
        MigrateAction::Down => {
            Store::migrate_down(migration_url(&settings)).await?;
            terminal::say("The last migration was taken back.")?;
        }
    }
    Ok(())
}

/// Brings the tables up to date; answers how many migrations were applied.
pub(super) async fn up(settings: &Settings) -> Result<usize, Cause> {
    // Where the migrations have a login of their own, the server's login is made a member of the roles.
    let login = settings.database.migration_url.as_ref().and_then(|_| login_of(settings.database.url.expose_secret()));
    Ok(Store::migrate(migration_url(settings), login.as_deref()).await?)
}

/// Whether every migration has run.
pub(super) async fn is_up_to_date(settings: &Settings) -> Result<bool, Cause> {
    let status = Store::migration_status(migration_url(settings)).await?;
    Ok(status.iter().all(|(_, applied)| *applied))
}

/// As whom migrations sign in.
fn migration_url(settings: &Settings) -> &str {
    settings.database.migration_url.as_ref().unwrap_or(&settings.database.url).expose_secret()
}

/// The login that a PostgreSQL URL names.
fn login_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (credentials, _) = rest.split('/').next()?.rsplit_once('@')?;
    credentials.split(':').next().filter(|login| !login.is_empty()).map(str::to_owned)
}
