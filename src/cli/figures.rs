//! Lets Prometheus read, beside `serve` and `worker`.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Settings;
use crate::error::Cause;
use crate::http::{metrics, server};

/// How often what was measured is summed up where nobody reads.
const KEEP_UP: Duration = Duration::from_secs(5);

/// Serves `/metrics` where the settings name an address, until `stopping`.
///
/// # Errors
/// A sentence where the address cannot be had.
pub(super) async fn serve(settings: &Settings, app: &App, stopping: &CancellationToken) -> Result<Option<JoinHandle<()>>, Cause> {
    let Some(address) = settings.telemetry.metrics_listen else { return Ok(None) };
    let listener =
        TcpListener::bind(address).await.map_err(|error| format!("EVOLVE_METRICS_LISTEN: cannot listen on {address}: {error}"))?;
    tracing::info!(address = %listener.local_addr()?, "metrics are to be read");
    let (ports, until) = (app.ports.clone(), stopping.clone());
    tokio::spawn(async move {
        let keep_up = async {
            loop {
                ports.clock.sleep(KEEP_UP).await;
                ports.telemetry.metrics().keep_up();
            }
        };
        until.run_until_cancelled(keep_up).await;
    });
    let router = server::dressed(metrics::router(app.ports.clone(), Arc::clone(&app.live)), Arc::clone(&app.ports.ids));
    let until = stopping.clone();
    Ok(Some(tokio::spawn(async move {
        // What is cut is a reader who comes again.
        server::serve(listener, router, metrics::limits(), until.cancelled_owned()).await;
    })))
}
