//! What the process tells of itself: log lines, figures for Prometheus, spans by OTLP, a line for each slow operation.
//!
//! A leaf: any room but `billing` may tell. What can be told is a closed list: labels of figures stand in `catalogue`, attributes of spans
//! are made in this room alone. Nothing here may ever take the value of a variable, a row, a header or a token: what was told cannot be
//! taken back, and lies where the rules of the database do not reach.

mod catalogue;
mod courier;
mod logs;
mod metrics;
mod names;
mod operation;
mod spans;
mod sql;
mod work;

use std::time::{Duration, Instant};

pub use catalogue::{CATALOGUE, Kind, Metric};
pub use logs::{TelemetryError, init};
pub use metrics::{DueJobs, Metrics, PoolState};
pub use operation::{Begun, GONE, JobRun, Operation};
pub use spans::CallerSpan;
pub use work::{by_somebody, carry};

use crate::config::TelemetrySettings;
use crate::error::Cause;
use spans::Spans;

/// Where the process tells of itself. Its clones share it; the default is heard by nobody.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    /// Figures for Prometheus.
    metrics: Metrics,
    /// Spans.
    spans: Spans,
    /// From how long on an operation is slow.
    slow: Option<Duration>,
}

impl Telemetry {
    /// As the settings say. Called within the runtime that sends spans.
    ///
    /// # Errors
    /// Where the collector's address or TLS cannot be used.
    pub fn of(settings: &TelemetrySettings) -> Result<Self, Cause> {
        let metrics = if settings.metrics_listen.is_some() { Metrics::new()? } else { Metrics::default() };
        let spans = settings.otlp.as_ref().map(Spans::exported).transpose()?.unwrap_or_default();
        let slow = (settings.slow_operation_ms > 0).then(|| Duration::from_millis(settings.slow_operation_ms.into()));
        Ok(Self { metrics, spans, slow })
    }

    /// The figures.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Begins an operation: it is measured until it is dropped.
    pub fn operation(&self, begun: Begun) -> Operation {
        Operation::begin(self.clone(), begun)
    }

    /// Begins a job of a kind for the so-many-th time: it is measured until it is dropped.
    pub fn job(&self, kind: &str, attempt: i32) -> JobRun {
        JobRun::begin(self.clone(), kind, attempt)
    }

    /// A statement has run, for whatever is at work.
    pub fn statement(&self, sql: &str, elapsed: Duration, failed: bool) {
        let verb = sql::verb(sql);
        self.metrics.statement(verb, failed, elapsed);
        work::with_current(|work| {
            work.count_statement(elapsed);
            if let Some(parent) = work.span() {
                self.spans.statement(parent, (verb.as_str(), sql::table(verb, sql)), work.name(), elapsed, failed);
            }
        });
        tracing::trace!(verb = verb.as_str(), table = sql::table(verb, sql), micros = elapsed.as_micros(), failed, "a statement has run");
    }

    /// A call to a gateway that began at `since` is over.
    pub fn gateway_call(&self, gateway: &'static str, call: &'static str, outcome: &'static str, since: Instant) {
        let elapsed = since.elapsed();
        self.metrics.called(gateway, call, outcome, elapsed);
        work::with_current(|work| {
            if let Some(parent) = work.span() {
                self.spans.gateway_call(parent, (gateway, call), outcome, elapsed);
            }
        });
    }

    /// Sends what spans still wait. Nothing is told after that.
    pub async fn flush(&self) {
        self.spans.flush().await;
    }
}
