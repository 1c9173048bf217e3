//! Whether the process lives (`/healthz`) and may be sent requests (`/readyz`). Why it may not is logged, not sent.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;

/// How long the readiness callback may take.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// `/healthz` answers 200 as long as the process does; `/readyz` 200 when `ready` says so, else 503.
pub fn router<S, C, F>(ready: C) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let ready = Arc::new(ready);
    Router::new().route("/healthz", get(async || "ok\n")).route(
        "/readyz",
        get(move || {
            let ready = Arc::clone(&ready);
            async move {
                match tokio::time::timeout(READY_WITHIN, ready()).await {
                    Ok(Ok(())) => (StatusCode::OK, "ready\n"),
                    Ok(Err(reason)) => {
                        tracing::warn!(reason, "not ready");
                        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
                    }
                    Err(_elapsed) => {
                        tracing::warn!(reason = "the check took too long", "not ready");
                        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
                    }
                }
            }
        }),
    )
}
