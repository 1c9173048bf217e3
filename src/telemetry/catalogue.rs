//! Every figure that is told, with its labels. What is not in this list cannot be told.

/// How a figure behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It grows.
    Counter,
    /// It stands where it stands.
    Gauge,
    /// It is counted by how large it is, up to each of these bounds.
    Histogram(Bounds),
}

/// The bounds of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// From a tenth of a millisecond to seconds.
    Statement,
    /// From a millisecond to ten seconds.
    Request,
    /// From ten milliseconds to a minute.
    Work,
    /// Numbers of things.
    Count,
}

impl Kind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// A figure of the catalogue.
const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind, labels, help }
}

pub(super) const BUILD_INFO: Metric = metric("evolve_build_info", Kind::Gauge, &["version"], "The version of the program; always 1.");
pub(super) const REQUESTS: Metric = metric(
    "evolve_graphql_requests_total",
    Kind::Counter,
    &["operation", "kind", "code", "api"],
    "Operations by how they ended: OK, the code of their first error, or GONE where the client went away.",
);
pub(super) const REQUEST_SECONDS: Metric = metric(
    "evolve_graphql_request_seconds",
    Kind::Histogram(Bounds::Request),
    &["operation", "kind", "api"],
    "How long operations took, from their admission to their answer.",
);
pub(super) const STATEMENTS: Metric = metric(
    "evolve_sql_statements",
    Kind::Histogram(Bounds::Count),
    &["operation", "kind", "api"],
    "SQL statements of an operation, what opens and ends transactions not counted.",
);
pub(super) const STATEMENT_SECONDS: Metric = metric(
    "evolve_sql_statement_seconds",
    Kind::Histogram(Bounds::Statement),
    &["verb", "outcome"],
    "How long SQL statements took, of operations, jobs and everything else.",
);
pub(super) const POOL_OPEN: Metric =
    metric("evolve_pool_open_connections", Kind::Gauge, &["pool"], "Connections to the database that are open.");
pub(super) const POOL_IDLE: Metric =
    metric("evolve_pool_idle_connections", Kind::Gauge, &["pool"], "Open connections to the database that nobody uses.");
pub(super) const POOL_WAITING: Metric =
    metric("evolve_pool_waiting", Kind::Gauge, &["pool"], "Transactions that wait for a connection, or for the answer to their BEGIN.");
pub(super) const BEGIN_SECONDS: Metric = metric(
    "evolve_transaction_begin_seconds",
    Kind::Histogram(Bounds::Statement),
    &["pool"],
    "How long transactions waited for a connection and the answer to their BEGIN.",
);
pub(super) const RETRIES: Metric = metric(
    "evolve_transaction_retries_total",
    Kind::Counter,
    &[],
    "Transactions that were run again since the database asked for it, or was gone before they had begun.",
);
pub(super) const JOBS_DUE: Metric =
    metric("evolve_jobs_due", Kind::Gauge, &["kind"], "Jobs that a worker could claim now, by real time; of the whole database.");
pub(super) const JOBS_LAG: Metric = metric(
    "evolve_jobs_oldest_due_seconds",
    Kind::Gauge,
    &[],
    "For how long the oldest job that could be claimed has been due; 0 where there is none. Of the whole database.",
);
pub(super) const JOBS_CLAIMED: Metric = metric("evolve_jobs_claimed_total", Kind::Counter, &["kind"], "Jobs that this process took.");
pub(super) const JOBS_FINISHED: Metric = metric(
    "evolve_jobs_finished_total",
    Kind::Counter,
    &["kind", "outcome"],
    "Jobs that this process ran: done, again (asked once more later), failed (tried again), dead (somebody must look), cut (by the stop).",
);
pub(super) const JOB_SECONDS: Metric = metric("evolve_job_seconds", Kind::Histogram(Bounds::Work), &["kind"], "How long jobs ran.");
pub(super) const GATEWAY_CALLS: Metric = metric(
    "evolve_gateway_calls_total",
    Kind::Counter,
    &["gateway", "call", "outcome"],
    "Calls to payment gateways by what they answered; unknown where the answer was lost.",
);
pub(super) const GATEWAY_SECONDS: Metric =
    metric("evolve_gateway_call_seconds", Kind::Histogram(Bounds::Work), &["gateway", "call"], "How long calls to payment gateways took.");
pub(super) const WEBHOOKS: Metric = metric(
    "evolve_webhook_calls_total",
    Kind::Counter,
    &["outcome"],
    "Calls to receivers of webhooks: delivered, refused (another status), lost (no answer).",
);
pub(super) const MAILS: Metric = metric(
    "evolve_mails_total",
    Kind::Counter,
    &["outcome"],
    "Mails handed to the mail server: sent, deferred (tried again), failed (for good).",
);
pub(super) const LIVE_CONNECTIONS: Metric = metric("evolve_live_connections", Kind::Gauge, &[], "Sockets and event streams that are open.");
pub(super) const LIVE_UPDATES: Metric = metric("evolve_live_updates_total", Kind::Counter, &[], "Changes that were told to who listens.");
pub(super) const SCRAPE_FAILURES: Metric = metric(
    "evolve_scrape_failures_total",
    Kind::Counter,
    &[],
    "Scrapes for which the database could not be asked: what they told of jobs is what was known before.",
);

/// Every figure.
pub const CATALOGUE: [Metric; 22] = [
    BUILD_INFO,
    REQUESTS,
    REQUEST_SECONDS,
    STATEMENTS,
    STATEMENT_SECONDS,
    POOL_OPEN,
    POOL_IDLE,
    POOL_WAITING,
    BEGIN_SECONDS,
    RETRIES,
    JOBS_DUE,
    JOBS_LAG,
    JOBS_CLAIMED,
    JOBS_FINISHED,
    JOB_SECONDS,
    GATEWAY_CALLS,
    GATEWAY_SECONDS,
    WEBHOOKS,
    MAILS,
    LIVE_CONNECTIONS,
    LIVE_UPDATES,
    SCRAPE_FAILURES,
];

/// What becomes of a call to a receiver of webhooks.
pub(super) const WEBHOOK_OUTCOMES: [&str; 3] = ["delivered", "refused", "lost"];
/// What becomes of a mail.
pub(super) const MAIL_OUTCOMES: [&str; 3] = ["sent", "deferred", "failed"];
/// The pools.
pub(super) const POOLS: [&str; 2] = ["writer", "reader"];
