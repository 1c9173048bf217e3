//! An operation or a job, measured from its beginning to its end.

use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument as _;

use super::Telemetry;
use super::metrics::Request;
use super::names::shown;
use super::spans::CallerSpan;
use super::work::{self, Work};
use crate::error::Code;

/// How an operation ends whose client went away.
pub const GONE: &str = "GONE";
/// How one ends that met no error.
const WELL: &str = "OK";

/// How a job ends that the stop of the process ended.
const CUT: &str = "cut";

/// What is known of an operation before it runs.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Which API's.
    pub api: &'static str,
    /// Query, mutation or subscription.
    pub kind: &'static str,
    /// The name that it has in its document.
    pub name: Option<String>,
    /// What it costs.
    pub cost: u64,
    /// The hash of its document.
    pub document: [u8; 32],
    /// The request that it belongs to.
    pub request_id: String,
    /// The span that a trusted proxy says it was sent within.
    pub caller: Option<CallerSpan>,
}

/// An operation that runs, until it is dropped.
#[derive(Debug)]
pub struct Operation {
    /// Where it is told.
    telemetry: Telemetry,
    /// What was known before.
    begun: Begun,
    /// What its statements belong to.
    work: Arc<Work>,
    /// When it began.
    since: Instant,
    /// How it ended.
    code: &'static str,
}

impl Operation {
    /// Begins now.
    pub(super) fn begin(telemetry: Telemetry, begun: Begun) -> Self {
        let name = shown(begun.name.as_deref());
        let work = Work::new(name, telemetry.spans.operation(&begun, name));
        Self { telemetry, work, begun, since: Instant::now(), code: GONE }
    }

    /// Runs `future` as it, or as a part of it.
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let span = tracing::info_span!("operation", name = self.work.name(), kind = self.begun.kind);
        work::run(Arc::clone(&self.work), future).instrument(span)
    }

    /// It is over, with the code of its first error or none.
    pub fn end(mut self, code: Option<Code>) {
        self.code = code.map_or(WELL, Code::as_str);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let Self { telemetry, begun, work, since, code } = self;
        let (elapsed, (statements, in_sql)) = (since.elapsed(), work.statements());
        let of = Request {
            api: begun.api,
            kind: begun.kind,
            name: begun.name.as_deref(),
            is_well: *code == WELL,
            by_somebody: work.is_by_somebody(),
        };
        telemetry.metrics.request(of, code, elapsed, statements);
        if let Some(span) = work.span() {
            telemetry.spans.end_operation(span, code, statements);
        }
        if telemetry.slow.is_some_and(|slow| elapsed >= slow) {
            tracing::warn!(
                operation = work.name(),
                kind = begun.kind,
                api = begun.api,
                code,
                document = hex(&begun.document),
                cost = begun.cost,
                ms = whole_ms(elapsed),
                statements,
                sql_ms = whole_ms(in_sql),
                request_id = begun.request_id,
                "an operation was slow"
            );
        }
    }
}

/// A job that runs, until it is dropped.
#[derive(Debug)]
pub struct JobRun {
    /// Where it is told.
    telemetry: Telemetry,
    /// What its statements belong to.
    work: Arc<Work>,
    /// When it began.
    since: Instant,
    /// How it ended.
    outcome: &'static str,
}

impl JobRun {
    /// Begins now.
    pub(super) fn begin(telemetry: Telemetry, kind: &str, attempt: i32) -> Self {
        let work = Work::new(kind, telemetry.spans.job(kind, attempt));
        Self { telemetry, work, since: Instant::now(), outcome: CUT }
    }

    /// Runs `future` as it.
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        work::run(Arc::clone(&self.work), future)
    }

    /// It is over: how.
    pub fn end(mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for JobRun {
    fn drop(&mut self) {
        let Self { telemetry, work, since, outcome } = self;
        telemetry.metrics.finished(work.name(), outcome, since.elapsed());
        if let Some(span) = work.span() {
            telemetry.spans.end_job(span, outcome, work.statements().0);
        }
    }
}

/// Whole milliseconds.
fn whole_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut text, byte| {
        // A string takes whatever is written to it.
        let _: std::fmt::Result = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::super::metrics::Metrics;
    use super::*;

    #[tokio::test]
    async fn an_operation_is_told_when_it_is_dropped_with_its_code_or_as_gone() {
        let telemetry = Telemetry { metrics: Metrics::new().unwrap(), ..Telemetry::default() };
        let begin = || {
            telemetry.operation(Begun {
                api: "business",
                kind: "query",
                name: Some("Home".to_owned()),
                cost: 7,
                document: [0; 32],
                request_id: "r1".to_owned(),
                caller: None,
            })
        };
        let operation = begin();
        operation.run(async { telemetry.statement("select 1 from plans", Duration::from_millis(2), false) }).await;
        operation.end(None);
        begin().end(Some(Code::Timeout));
        drop(begin());
        telemetry.job("charge", 1).end("done");
        drop(telemetry.job("charge", 2));
        let text = telemetry.metrics().render();
        for line in [
            "evolve_graphql_requests_total{operation=\"Home\",kind=\"query\",code=\"OK\",api=\"business\"} 1",
            "evolve_graphql_requests_total{operation=\"Home\",kind=\"query\",code=\"TIMEOUT\",api=\"business\"} 1",
            "evolve_graphql_requests_total{operation=\"Home\",kind=\"query\",code=\"GONE\",api=\"business\"} 1",
            "evolve_sql_statements_sum{operation=\"Home\",kind=\"query\",api=\"business\"} 1",
            "evolve_jobs_finished_total{kind=\"charge\",outcome=\"done\"} 1",
            "evolve_jobs_finished_total{kind=\"charge\",outcome=\"cut\"} 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }
}
