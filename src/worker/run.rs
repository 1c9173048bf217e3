//! The loop: claims, runs, finishes, waits; and stops without leaving a lease behind.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::dispatch;
use crate::error::{Error, Failure};
use crate::services::{Ports, test_clocks};
use crate::store::jobs::{self, Job};
use crate::store::{Instant, System};

/// The longest the loop sleeps: jobs that other processes write are found by looking.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// The shortest the loop sleeps where it found nothing it could claim.
const SHORTEST_SLEEP: Duration = Duration::from_millis(20);
/// How long the loop waits after the store has failed.
const AFTER_FAULT: Duration = Duration::from_secs(5);
/// The most rounds of [`Worker::run_due_jobs`].
const MOST_ROUNDS: usize = 10_000;

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// How long a claim holds. A job may run for three quarters of it.
    pub lease: Duration,
    /// The most jobs that are claimed at once.
    pub batch: usize,
    /// The most jobs that run at once.
    pub concurrency: usize,
    /// How long a stop waits for the jobs that run.
    pub stop_within: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self { lease: Duration::from_mins(1), batch: 16, concurrency: 16, stop_within: Duration::from_secs(20) }
    }
}

impl WorkerSettings {
    /// How long a job may run: it ends before its lease does.
    fn time_limit(&self) -> Duration {
        self.lease.saturating_mul(3) / 4
    }
}

/// Runs jobs until it is told to stop.
#[derive(Clone)]
pub struct Worker {
    /// The outside.
    ports: Ports,
    /// How it works.
    settings: WorkerSettings,
    /// Tells it to stop.
    shutdown: CancellationToken,
}

/// The jobs that run now.
#[derive(Default)]
struct Running {
    /// Their tasks.
    tasks: JoinSet<()>,
    /// What each task runs.
    jobs: HashMap<Id, Job>,
}

impl Running {
    /// Forgets a task that is over. A task catches its job's panic, so what ends early here was aborted.
    fn forget(&mut self, over: &Result<(Id, ()), JoinError>) {
        let id = over.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        self.jobs.remove(&id);
    }

    /// Waits for the next task to be over; at once where none runs.
    async fn next_over(&mut self) {
        if let Some(over) = self.tasks.join_next_with_id().await {
            self.forget(&over);
        }
    }
}

impl Worker {
    /// A worker that runs until `shutdown` is cancelled.
    pub const fn new(ports: Ports, settings: WorkerSettings, shutdown: CancellationToken) -> Self {
        Self { ports, settings, shutdown }
    }

    /// The same worker, until another is told to stop it.
    #[must_use]
    pub fn until(self, shutdown: CancellationToken) -> Self {
        Self { shutdown, ..self }
    }

    /// Runs jobs as they become due, until told to stop; then claims nothing new, waits for the running ones, and gives back
    /// those that it could not finish. A fault of the store is logged and waited out.
    pub async fn run(self) {
        let mut running = Running::default();
        while !self.shutdown.is_cancelled() {
            let room = self.settings.concurrency.saturating_sub(running.jobs.len());
            let pause = match self.fill(&mut running, room).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "the worker cannot claim jobs");
                    AFTER_FAULT
                }
            };
            let Some(pause) = pause_or_none(pause) else { continue };
            let has_room = running.jobs.len() < self.settings.concurrency;
            tokio::select! {
                () = self.shutdown.cancelled() => {}
                () = self.ports.work.notified(), if has_room => {}
                () = running.next_over(), if !running.jobs.is_empty() => {}
                () = self.ports.clock.sleep(pause) => {}
            }
        }
        self.stop(running).await;
    }

    /// Runs every job that is due, and what becomes due by that, until nothing is; answers how many ran. For tests and for
    /// commands that move a clock.
    ///
    /// # Errors
    /// The database's fault; [`Error::Corrupt`] where jobs make each other due without end.
    pub async fn run_due_jobs(&self) -> Result<usize, Error> {
        let mut ran: usize = 0;
        for _ in 0..MOST_ROUNDS {
            let claimed = self.claim(self.settings.concurrency).await?;
            if claimed.is_empty() {
                return Ok(ran);
            }
            ran = ran.saturating_add(claimed.len());
            let mut running = Running::default();
            for job in claimed {
                self.start(&mut running, job);
            }
            while !running.jobs.is_empty() {
                running.next_over().await;
            }
        }
        Err(Error::Corrupt("jobs make each other due without end".into()))
    }

    /// Claims as many jobs as there is room for and starts them. Answers how long to wait before looking again: not at all
    /// where there may be more.
    async fn fill(&self, running: &mut Running, room: usize) -> Result<Duration, Error> {
        if room == 0 {
            return Ok(LONGEST_SLEEP);
        }
        let wanted = room.min(self.settings.batch.max(1));
        let claimed = self.claim(wanted).await?;
        let more = claimed.len() == wanted;
        for job in claimed {
            self.start(running, job);
        }
        if more { Ok(Duration::ZERO) } else { self.until_next().await }
    }

    /// How long until the next job is due, within the loop's bounds.
    async fn until_next(&self) -> Result<Duration, Error> {
        let now = Instant::from(self.ports.now());
        let find = move |system| async move { jobs::next_due(&system, now).await.map_err(Failure::from) };
        let next = self.ports.store.write_system(find).await.map_err(fault)?;
        let until = next.map(|next| Duration::try_from(next.get().duration_since(now.get())).unwrap_or_default());
        Ok(until.unwrap_or(LONGEST_SLEEP).clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
    }

    /// Claims up to `most` jobs that are due; in a sandbox also by its test clocks, which it moves on where nothing is due by
    /// them. Not to be dropped before its end: what it has claimed would stay leased.
    async fn claim(&self, most: usize) -> Result<Vec<Job>, Error> {
        let now = self.ports.now();
        let until = Instant::from(now.saturating_add(self.settings.lease).unwrap_or(jiff::Timestamp::MAX));
        let (now, wanted) = (Instant::from(now), u64::try_from(most).unwrap_or(u64::MAX));
        let claim = move |system| async move { jobs::claim_due(&system, now, until, wanted).await.map_err(Failure::from) };
        let mut claimed = self.ports.store.write_system(claim).await.map_err(fault)?;
        while self.ports.sandbox && claimed.len() < most {
            let wanted = wanted.saturating_sub(u64::try_from(claimed.len()).unwrap_or(u64::MAX));
            let by_clock = move |system: System| async move { Ok(jobs::claim_due_by_clocks(&system, now, until, wanted).await?) };
            claimed.extend(self.ports.store.write_system(by_clock).await.map_err(fault)?);
            if !claimed.is_empty() || !test_clocks::step(&self.ports).await.map_err(fault)? {
                break;
            }
        }
        Ok(claimed)
    }

    /// Starts a claimed job in a task of its own, which also writes down what became of it.
    fn start(&self, running: &mut Running, job: Job) {
        let (ports, limit, held) = (self.ports.clone(), self.settings.time_limit(), job.clone());
        let span = tracing::info_span!("job", id = %job.id, kind = job.kind);
        let task = async move {
            let finish = dispatch::attempt(&ports, &held, limit).await;
            finish_job(&ports, held, finish).await;
        };
        let id = running.tasks.spawn(task.instrument(span)).id();
        running.jobs.insert(id, job);
    }

    /// Waits for the jobs that run, ends those that take too long, and gives their leases back.
    async fn stop(&self, mut running: Running) {
        let finished = async {
            while !running.jobs.is_empty() {
                running.next_over().await;
            }
        };
        if tokio::time::timeout(self.settings.stop_within, finished).await.is_ok() {
            return;
        }
        running.tasks.shutdown().await;
        let now = Instant::from(self.ports.now());
        for job in running.jobs.into_values() {
            tracing::warn!(job = %job.id, kind = job.kind, "a job was ended by the stop; another worker will run it");
            let id = job.id;
            let release = move |system| {
                let job = job.clone();
                async move { jobs::release(&system, &job, now).await.map_err(Failure::from) }
            };
            if let Err(error) = self.ports.store.write_system(release).await.map_err(fault) {
                tracing::error!(job = %id, error = &error as &dyn std::error::Error, "a lease could not be given back; it will run out");
            }
        }
    }
}

/// Writes down what became of a job. Where that fails, its lease runs out and it is run again.
async fn finish_job(ports: &Ports, job: Job, finish: jobs::Finish) {
    let (now, id) = (Instant::from(ports.now()), job.id);
    let write = move |system| {
        let (job, finish) = (job.clone(), finish.clone());
        async move { jobs::finish(&system, &job, finish, now).await.map_err(Failure::from) }
    };
    match ports.store.write_system(write).await.map_err(fault) {
        Ok(true) => {}
        Ok(false) => tracing::warn!(job = %id, "a job was finished by somebody else, or taken back"),
        Err(error) => tracing::error!(job = %id, error = &error as &dyn std::error::Error, "what became of a job could not be written"),
    }
}

/// `None` for no pause at all.
fn pause_or_none(pause: Duration) -> Option<Duration> {
    (!pause.is_zero()).then_some(pause)
}

/// The system's statements refuse nothing: whatever stops them is a fault.
fn fault(failure: Failure) -> Error {
    match failure {
        Failure::Fault(error) => error,
        Failure::Refused(_) => Error::Corrupt("a claim was refused".into()),
    }
}
