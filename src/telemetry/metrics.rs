//! Figures for Prometheus, kept by the crates `metrics` and `metrics-exporter-prometheus`. Nothing is global: who measures has a handle,
//! and one that is off costs a branch.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::catalogue::{self as all, Bounds, CATALOGUE, Kind, MAIL_OUTCOMES, Metric, POOLS, WEBHOOK_OUTCOMES};
use super::names::{Names, REFUSED};
use super::sql::{VERBS, Verb};
use crate::error::{Cause, Code};

/// What the recorder wants to know of a figure, and does not use.
const METADATA: Metadata<'static> = Metadata::new("evolve_business", Level::INFO, None);
/// How a statement ends.
const STATEMENT_OUTCOMES: [&str; 2] = ["ok", "failed"];
/// The kind of what was not let in.
const NO_KIND: &str = "none";

/// Figures; the default keeps none. Its clones share them.
#[derive(Clone, Default)]
pub struct Metrics(Option<Arc<Kept>>);

/// The figures that are kept.
struct Kept {
    /// Makes and finds them.
    recorder: PrometheusRecorder,
    /// Writes them.
    handle: PrometheusHandle,
    /// The names of operations that are told apart.
    names: Names,
    /// By verb, and by whether it failed.
    statements: [[Histogram; 2]; VERBS.len()],
    /// By pool.
    begins: [Histogram; POOLS.len()],
    /// Transactions that were run again.
    retries: Counter,
    /// Changes that were told.
    live_updates: Counter,
    /// Scrapes for which the database could not be asked.
    scrape_failures: Counter,
    /// The kinds of jobs of which some were due at some time: they are told as none later.
    due_kinds: Mutex<BTreeSet<String>>,
}

/// How a pool stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    /// `writer` or `reader`.
    pub name: &'static str,
    /// Connections that are open.
    pub open: u32,
    /// Of these, those that nobody uses.
    pub idle: u32,
    /// Transactions that wait for one.
    pub waiting: u32,
}

/// Jobs of a kind that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueJobs {
    /// The kind.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// For how long the oldest has been due.
    pub lag: Duration,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Metrics(kept)" } else { "Metrics(none)" })
    }
}

impl Metrics {
    /// Figures that are kept, all at nothing.
    ///
    /// # Errors
    /// Where the recorder refuses a histogram's bounds, which a test would have shown.
    pub fn new() -> Result<Self, Cause> {
        let mut builder = PrometheusBuilder::new();
        for metric in CATALOGUE {
            let name = Matcher::Full(metric.name.to_owned());
            builder = match metric.kind {
                Kind::Histogram(Bounds::Statement) => builder.set_buckets_for_metric(
                    name,
                    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0],
                )?,
                Kind::Histogram(Bounds::Request) => {
                    builder.set_buckets_for_metric(name, &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])?
                }
                Kind::Histogram(Bounds::Work) => {
                    builder.set_buckets_for_metric(name, &[0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 45.0])?
                }
                Kind::Histogram(Bounds::Count) => {
                    builder.set_buckets_for_metric(name, &[0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0, 100.0, 250.0])?
                }
                Kind::Counter | Kind::Gauge => builder,
            };
        }
        let recorder = builder.build_recorder();
        for metric in CATALOGUE {
            match metric.kind {
                Kind::Counter => recorder.describe_counter(metric.name.into(), None, metric.help.into()),
                Kind::Gauge => recorder.describe_gauge(metric.name.into(), None, metric.help.into()),
                Kind::Histogram(_) => recorder.describe_histogram(metric.name.into(), None, metric.help.into()),
            }
        }
        Ok(Self(Some(Arc::new(Kept::new(recorder)))))
    }

    /// Whether figures are kept.
    pub const fn are_kept(&self) -> bool {
        self.0.is_some()
    }

    /// All of them as Prometheus reads them; empty where none are kept.
    pub fn render(&self) -> String {
        self.0.as_ref().map(|kept| kept.handle.render()).unwrap_or_default()
    }

    /// Sums up what histograms were told since the last time: to be called again and again, so that it does not pile up where nobody asks.
    pub fn keep_up(&self) {
        if let Some(kept) = &self.0 {
            kept.handle.run_upkeep();
        }
    }

    /// An operation is over: `code` is the first error's, none for none.
    pub(super) fn request(&self, of: Request<'_>, code: &'static str, elapsed: Duration, statements: u32) {
        let Some(kept) = &self.0 else { return };
        let Request { api, kind, name, is_well, by_somebody } = of;
        let operation = kept.names.label((api, kind), name, is_well, by_somebody).to_owned();
        let labels = || [operation.clone().into(), kind.into(), api.into()];
        kept.histogram(&all::REQUEST_SECONDS, labels()).record(elapsed);
        kept.histogram(&all::STATEMENTS, labels()).record(statements);
        kept.counter(&all::REQUESTS, [operation.into(), kind.into(), code.into(), api.into()]).increment(1);
    }

    /// A request was not let in, and none of it ran.
    pub fn refused(&self, api: &'static str, code: Code) {
        if let Some(kept) = &self.0 {
            kept.counter(&all::REQUESTS, [REFUSED.into(), NO_KIND.into(), code.as_str().into(), api.into()]).increment(1);
        }
    }

    /// A statement has run.
    pub(super) fn statement(&self, verb: Verb, failed: bool, elapsed: Duration) {
        let Some(kept) = &self.0 else { return };
        let of_verb = kept.statements.get(VERBS.iter().position(|known| *known == verb).unwrap_or_default());
        if let Some(histogram) = of_verb.and_then(|outcomes| outcomes.get(usize::from(failed))) {
            histogram.record(elapsed);
        }
    }

    /// A transaction has begun in a pool.
    pub fn begun(&self, pool: &'static str, elapsed: Duration) {
        let Some(kept) = &self.0 else { return };
        if let Some(histogram) = POOLS.iter().position(|known| *known == pool).and_then(|at| kept.begins.get(at)) {
            histogram.record(elapsed);
        }
    }

    /// A transaction is run again.
    pub fn retried(&self) {
        if let Some(kept) = &self.0 {
            kept.retries.increment(1);
        }
    }

    /// A job of a kind was claimed.
    pub fn claimed(&self, kind: &str) {
        if let Some(kept) = &self.0 {
            kept.counter(&all::JOBS_CLAIMED, [kind.to_owned().into()]).increment(1);
        }
    }

    /// A job of a kind is over.
    pub(super) fn finished(&self, kind: &str, outcome: &'static str, elapsed: Duration) {
        if let Some(kept) = &self.0 {
            kept.counter(&all::JOBS_FINISHED, [kind.to_owned().into(), outcome.into()]).increment(1);
            kept.histogram(&all::JOB_SECONDS, [kind.to_owned().into()]).record(elapsed);
        }
    }

    /// A call to a gateway is over.
    pub(super) fn called(&self, gateway: &'static str, call: &'static str, outcome: &'static str, elapsed: Duration) {
        if let Some(kept) = &self.0 {
            kept.counter(&all::GATEWAY_CALLS, [gateway.into(), call.into(), outcome.into()]).increment(1);
            kept.histogram(&all::GATEWAY_SECONDS, [gateway.into(), call.into()]).record(elapsed);
        }
    }

    /// A receiver of webhooks was called: with what status, where it answered.
    pub fn webhook_called(&self, status: Option<u16>) {
        let [delivered, refused, lost] = WEBHOOK_OUTCOMES;
        let outcome = status.map_or(lost, |status| if (200..300).contains(&status) { delivered } else { refused });
        if let Some(kept) = &self.0 {
            kept.counter(&all::WEBHOOKS, [outcome.into()]).increment(1);
        }
    }

    /// A mail was handed to the mail server: whether it was taken, and where not, whether it is tried again.
    pub fn mailed(&self, taken: bool, again: bool) {
        let [sent, deferred, failed] = MAIL_OUTCOMES;
        let outcome = if taken {
            sent
        } else if again {
            deferred
        } else {
            failed
        };
        if let Some(kept) = &self.0 {
            kept.counter(&all::MAILS, [outcome.into()]).increment(1);
        }
    }

    /// A change was told to one who listens.
    pub fn told(&self) {
        if let Some(kept) = &self.0 {
            kept.live_updates.increment(1);
        }
    }

    /// How the pools stand.
    pub fn pools(&self, pools: &[PoolState]) {
        let Some(kept) = &self.0 else { return };
        for pool in pools {
            kept.gauge(&all::POOL_OPEN, [pool.name.into()]).set(pool.open);
            kept.gauge(&all::POOL_IDLE, [pool.name.into()]).set(pool.idle);
            kept.gauge(&all::POOL_WAITING, [pool.name.into()]).set(pool.waiting);
        }
    }

    /// How many live connections are open.
    pub fn live(&self, connections: usize) {
        if let Some(kept) = &self.0 {
            kept.gauge(&all::LIVE_CONNECTIONS, []).set(u32::try_from(connections).unwrap_or(u32::MAX));
        }
    }

    /// Which jobs are due.
    pub fn due(&self, jobs: &[DueJobs]) {
        let Some(kept) = &self.0 else { return };
        let mut known = kept.due_kinds.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(jobs.iter().map(|due| due.kind.clone()));
        for kind in known.iter() {
            let count = jobs.iter().find(|due| due.kind == *kind).map_or(0, |due| due.count);
            kept.gauge(&all::JOBS_DUE, [kind.clone().into()]).set(u32::try_from(count).unwrap_or(u32::MAX));
        }
        kept.gauge(&all::JOBS_LAG, []).set(jobs.iter().map(|due| due.lag).max().unwrap_or_default());
    }

    /// The database could not be asked for a scrape.
    pub fn scrape_failed(&self) {
        if let Some(kept) = &self.0 {
            kept.scrape_failures.increment(1);
        }
    }
}

/// An operation, as far as figures tell of it.
#[derive(Clone, Copy)]
pub(super) struct Request<'r> {
    /// Which API's.
    pub(super) api: &'static str,
    /// Query, mutation or subscription.
    pub(super) kind: &'static str,
    /// The name that it has in its document.
    pub(super) name: Option<&'r str>,
    /// Whether it ended without an error.
    pub(super) is_well: bool,
    /// Whether it is known who asked.
    pub(super) by_somebody: bool,
}

/// The value of a label.
type Value = metrics::SharedString;

impl Kept {
    /// The figures of `recorder`: those whose labels are few are told from the first.
    fn new(recorder: PrometheusRecorder) -> Self {
        let handle = recorder.handle();
        let histogram = |metric: &Metric, values: Vec<Value>| recorder.register_histogram(&key(metric, values), &METADATA);
        let counter = |metric: &Metric, values: Vec<Value>| recorder.register_counter(&key(metric, values), &METADATA);
        for outcome in WEBHOOK_OUTCOMES {
            counter(&all::WEBHOOKS, vec![outcome.into()]).increment(0);
        }
        for outcome in MAIL_OUTCOMES {
            counter(&all::MAILS, vec![outcome.into()]).increment(0);
        }
        recorder.register_gauge(&key(&all::BUILD_INFO, vec![env!("CARGO_PKG_VERSION").into()]), &METADATA).set(1);
        let statements = VERBS
            .map(|verb| STATEMENT_OUTCOMES.map(|outcome| histogram(&all::STATEMENT_SECONDS, vec![verb.as_str().into(), outcome.into()])));
        let begins = POOLS.map(|pool| histogram(&all::BEGIN_SECONDS, vec![pool.into()]));
        let [retries, live_updates, scrape_failures] =
            [&all::RETRIES, &all::LIVE_UPDATES, &all::SCRAPE_FAILURES].map(|metric| counter(metric, Vec::new()));
        let (names, due_kinds) = (Names::default(), Mutex::default());
        Self { recorder, handle, names, statements, begins, retries, live_updates, scrape_failures, due_kinds }
    }

    /// The counter with these values of its labels.
    fn counter<const N: usize>(&self, metric: &Metric, values: [Value; N]) -> Counter {
        self.recorder.register_counter(&key(metric, values), &METADATA)
    }

    /// The gauge with these values of its labels.
    fn gauge<const N: usize>(&self, metric: &Metric, values: [Value; N]) -> Gauge {
        self.recorder.register_gauge(&key(metric, values), &METADATA)
    }

    /// The histogram with these values of its labels.
    fn histogram<const N: usize>(&self, metric: &Metric, values: [Value; N]) -> Histogram {
        self.recorder.register_histogram(&key(metric, values), &METADATA)
    }
}

/// A figure with the values of its labels, in their order.
fn key(metric: &Metric, values: impl IntoIterator<Item = Value>) -> Key {
    let labels: Vec<Label> = metric.labels.iter().zip(values).map(|(name, value)| Label::new(*name, value)).collect();
    Key::from_parts(metric.name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_names_of_operations_leave_lines_and_memory_bounded() {
        let metrics = Metrics::new().unwrap();
        let tell = |from: usize, to: usize| {
            for number in from..to {
                let name = format!("Junk{number}");
                for by_somebody in [true, false] {
                    let of = Request { api: "business", kind: "query", name: Some(&name), is_well: true, by_somebody };
                    metrics.request(of, "OK", Duration::from_millis(1), 3);
                }
            }
        };
        tell(0, 1_000);
        let lines = metrics.render().lines().count();
        tell(1_000, 10_000);
        let text = metrics.render();
        assert_eq!(text.lines().count(), lines, "no line was added by nine thousand more names");
        // 200 names, and the one for all others: those that nobody knew asked after somebody had.
        let counted = text.lines().filter(|line| line.starts_with("evolve_graphql_requests_total{")).count();
        assert!((201..=233).contains(&counted), "{counted}");
        let names = |line: &&str| line.contains("operation=\"Junk9999\"");
        assert_eq!(text.lines().filter(names).count(), 0);
        let other = text.lines().find(|line| line.starts_with("evolve_graphql_requests_total{operation=\"(other)\""));
        assert!(other.is_some(), "{text}");
    }

    #[test]
    fn figures_that_are_not_kept_are_not_rendered() {
        let metrics = Metrics::default();
        metrics.retried();
        metrics.refused("business", Code::BadUserInput);
        assert!(!metrics.are_kept() && metrics.render().is_empty());
    }

    #[test]
    fn kinds_of_jobs_that_were_due_are_told_as_none_later() {
        let metrics = Metrics::new().unwrap();
        metrics.due(&[DueJobs { kind: "charge".to_owned(), count: 3, lag: Duration::from_secs(90) }]);
        let text = metrics.render();
        assert!(text.contains("evolve_jobs_due{kind=\"charge\"} 3\n") && text.contains("evolve_jobs_oldest_due_seconds 90\n"), "{text}");
        metrics.due(&[]);
        let text = metrics.render();
        assert!(text.contains("evolve_jobs_due{kind=\"charge\"} 0\n") && text.contains("evolve_jobs_oldest_due_seconds 0\n"), "{text}");
    }

    #[test]
    fn what_histograms_were_told_is_summed_up() {
        let metrics = Metrics::new().unwrap();
        metrics.statement(Verb::Insert, false, Duration::from_micros(300));
        metrics.statement(Verb::Insert, true, Duration::from_secs(9));
        metrics.keep_up();
        let text = metrics.render();
        for line in [
            "evolve_sql_statement_seconds_bucket{verb=\"insert\",outcome=\"ok\",le=\"0.00025\"} 0",
            "evolve_sql_statement_seconds_bucket{verb=\"insert\",outcome=\"ok\",le=\"0.0005\"} 1",
            "evolve_sql_statement_seconds_bucket{verb=\"insert\",outcome=\"failed\",le=\"5\"} 0",
            "evolve_sql_statement_seconds_count{verb=\"insert\",outcome=\"failed\"} 1",
            "evolve_sql_statement_seconds_count{verb=\"select\",outcome=\"ok\"} 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }
}
