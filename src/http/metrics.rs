//! What Prometheus reads, `GET /metrics`, on a listener of its own: it tells how the platform is used, so it is for the operator's network
//! alone and never part of the public router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::live::Connections;
use super::server::ServerLimits;
use crate::error::Failure;
use crate::services::Ports;
use crate::services::due_jobs::due_jobs;

/// How long the database may take to tell which jobs are due.
const ASK_WITHIN: Duration = Duration::from_secs(3);
/// How many connections there may be: one or two read, again and again.
const CONNECTIONS: usize = 16;
/// The text format of Prometheus.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers `/metrics`, and nothing else.
pub fn router(ports: Ports, live: Arc<Connections>) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let (ports, live) = (ports.clone(), Arc::clone(&live));
            async move { ([(CONTENT_TYPE, FORMAT), (CACHE_CONTROL, "no-store")], scrape(&ports, &live).await) }
        }),
    )
}

/// What connections may take.
pub fn limits() -> ServerLimits {
    ServerLimits { max_connections: CONNECTIONS, drain_timeout: Duration::from_secs(1), ..ServerLimits::default() }
}

/// Looks at what stands, and writes all of it.
async fn scrape(ports: &Ports, live: &Connections) -> String {
    let metrics = ports.telemetry.metrics();
    match tokio::time::timeout(ASK_WITHIN, due_jobs(ports)).await {
        Ok(Ok(due)) => metrics.due(&due),
        Ok(Err(Failure::Fault(error))) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a scrape could not ask which jobs are due");
            metrics.scrape_failed();
        }
        Ok(Err(Failure::Refused(refusals))) => {
            tracing::warn!(?refusals, "a scrape could not ask which jobs are due");
            metrics.scrape_failed();
        }
        Err(_elapsed) => {
            tracing::warn!("a scrape waited too long for which jobs are due");
            metrics.scrape_failed();
        }
    }
    // After that, so that the connection it took is seen as the others are.
    metrics.pools(&ports.store.pools());
    metrics.live(live.open());
    metrics.render()
}
