//! `seed`: fills the catalogue, or the database with demo data.

use std::path::PathBuf;

use super::{demo, serve, terminal};
use crate::app::App;
use crate::config::{Mode, Settings};
use crate::error::Cause;

/// Applies a catalogue file, or the built-in one; with `demo` a business that has lived for a year too.
pub(super) async fn run(settings: Settings, file: Option<PathBuf>, with_demo: bool) -> Result<(), Cause> {
    if with_demo && settings.mode != Mode::Sandbox {
        return Err("Demo data is for sandbox mode alone.".into());
    }
    serve::prepare(&settings).await?;
    let app = App::build(&settings).await?;
    let applied = demo::apply_catalogue(&app.ports, file.as_deref()).await?;
    terminal::say(&format!("The catalogue was applied: {applied}"))?;
    if with_demo {
        demo::seed(&app, &settings).await?;
        terminal::say("The demo business was made.")?;
    }
    Ok(app.close().await?)
}
