//! `worker`: works by the clock alone.

use tokio_util::sync::CancellationToken;

use super::{figures, serve, shutdown};
use crate::app::App;
use crate::config::Settings;
use crate::error::Cause;
use crate::worker::{Keeping, Postman, Sweeper, Worker, WorkerSettings};

/// How long what is over is kept, as the settings give it.
pub(super) const fn keeping(settings: &Settings) -> Keeping {
    Keeping { usage: settings.keep_usage(), spent: settings.keep_spent() }
}

/// Works until a signal; what is running finishes, and no job stays leased.
pub(super) async fn run(settings: Settings) -> Result<(), Cause> {
    let stop = shutdown::signal()?;
    serve::prepare(&settings).await?;
    let app = App::build(&settings).await?;
    let (stopping, watched) = (CancellationToken::new(), CancellationToken::new());
    let figures = figures::serve(&settings, &app, &watched).await?;
    // Whoever watches at the processes that serve hears of what is done here.
    app.ports.store.announce_changes(app.ports.ids.next_uuid());
    let worker = Worker::new(app.ports.clone(), WorkerSettings { lease: settings.lease(), ..WorkerSettings::default() }, stopping.clone());
    tokio::spawn(Sweeper::new(app.ports.clone(), keeping(&settings), stopping.clone()).run());
    tokio::spawn(Postman::new(app.ports.clone(), stopping.clone()).run());
    tokio::spawn(async move {
        let signal = stop.await;
        tracing::info!(signal, "stopping: running jobs finish");
        stopping.cancel();
    });
    tracing::info!("working by the clock");
    worker.run().await;
    watched.cancel();
    if let Some(figures) = figures {
        figures.await?;
    }
    Ok(app.close().await?)
}
