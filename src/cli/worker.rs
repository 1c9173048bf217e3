//! `worker`: works by the clock alone.

use super::{serve, shutdown};
use crate::app::App;
use crate::config::Settings;
use crate::error::Cause;
use crate::worker::{Worker, WorkerSettings};

/// Works until a signal; what is running finishes, and no job stays leased.
pub(super) async fn run(settings: Settings) -> Result<(), Cause> {
    let stop = shutdown::signal()?;
    serve::prepare(&settings).await?;
    let app = App::build(&settings).await?;
    let worker = Worker::new(app.ports.clone(), WorkerSettings::default());
    tracing::info!("working by the clock");
    worker
        .run(async move {
            let signal = stop.await;
            tracing::info!(signal, "stopping");
        })
        .await;
    Ok(app.close().await?)
}
