//! The loop: claims, runs, finishes, waits; and stops without leaving a lease behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::dispatch::{self, takes_long};
use super::holding::holding;
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
/// How long a job that is over waits for others, so that they are finished, and as many claimed, in one transaction.
const GATHER: Duration = Duration::from_millis(20);
/// After so long a job that takes long comes back that there was no room for.
const NO_ROOM: SignedDuration = SignedDuration::from_secs(5);
/// The most rounds of [`Worker::run_due_jobs`].
const MOST_ROUNDS: usize = 10_000;

/// How a worker works.
#[derive(Debug, Clone, Copy)]
pub struct WorkerSettings {
    /// How long a claim holds. A job may run for three quarters of it, unless it is of a kind that takes long.
    pub lease: Duration,
    /// How long a job of such a kind may run; its claim is renewed meanwhile.
    pub long: Duration,
    /// The most jobs of such kinds that run at once: each holds a connection for as long as it reads.
    pub long_at_once: usize,
    /// The most jobs that are claimed at once.
    pub batch: usize,
    /// The most jobs that run at once.
    pub concurrency: usize,
    /// How long a stop waits for the jobs that run.
    pub stop_within: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_mins(1),
            long: Duration::from_hours(1),
            long_at_once: 2,
            batch: 16,
            concurrency: 16,
            stop_within: Duration::from_secs(20),
        }
    }
}

impl WorkerSettings {
    /// How long a job of that kind may run: it ends before its lease does, which is renewed for one that takes long.
    fn time_limit(&self, kind: &str) -> Duration {
        if takes_long(kind) { self.long } else { self.lease.saturating_mul(3) / 4 }
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

/// The jobs that run now, and those that are over.
#[derive(Default)]
struct Running {
    /// The tasks of those that run.
    tasks: JoinSet<jobs::Finish>,
    /// What each task runs.
    jobs: HashMap<Id, Job>,
    /// What became of those that are over, as long as it is not written down.
    over: Vec<(Job, jobs::Finish)>,
}

impl Running {
    /// Waits for the next task to be over; at once where none runs. A task catches its job's panic, so what ends early here
    /// was aborted.
    async fn next_over(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(Ok((id, finish))) => self.over.extend(self.jobs.remove(&id).map(|job| (job, finish))),
            Some(Err(aborted)) => drop(self.jobs.remove(&aborted.id())),
            None => {}
        }
    }

    /// Waits for the next task to be over, and a moment for more, up to `enough`.
    async fn some_over(&mut self, enough: usize) {
        self.next_over().await;
        let more = async {
            while !self.jobs.is_empty() && self.over.len() < enough {
                self.next_over().await;
            }
        };
        // Where the moment is over, those that are over by then are enough.
        let _: Result<(), _> = tokio::time::timeout(GATHER, more).await;
    }

    /// Waits for every task to be over.
    async fn all_over(&mut self) {
        while !self.jobs.is_empty() {
            self.next_over().await;
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
                () = running.some_over(self.settings.concurrency / 2), if !running.jobs.is_empty() => {}
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
        let mut running = Running::default();
        for _ in 0..MOST_ROUNDS {
            let claimed = self.turn(&mut running, self.settings.concurrency).await?;
            if claimed == 0 {
                return Ok(ran);
            }
            ran = ran.saturating_add(claimed);
            running.all_over().await;
        }
        Err(Error::Corrupt("jobs make each other due without end".into()))
    }

    /// Writes down what became of jobs that are over, claims as many as there is room for and starts them. Answers how long to
    /// wait before looking again: not at all where there may be more.
    async fn fill(&self, running: &mut Running, room: usize) -> Result<Duration, Error> {
        if room == 0 {
            return Ok(LONGEST_SLEEP);
        }
        let wanted = room.min(self.settings.batch.max(1));
        let claimed = self.turn(running, wanted).await?;
        if claimed == wanted { Ok(Duration::ZERO) } else { self.until_next().await }
    }

    /// Writes down what became of jobs that are over, claims up to `wanted` and starts them; answers how many.
    async fn turn(&self, running: &mut Running, wanted: usize) -> Result<usize, Error> {
        let claimed = self.claim(&mut running.over, wanted).await;
        self.finish_each(&mut running.over).await;
        let claimed = claimed?;
        let count = claimed.len();
        for job in claimed {
            self.ports.telemetry.metrics().claimed(&job.kind);
            self.start(running, job);
        }
        Ok(count)
    }

    /// How long until the next job is due, within the loop's bounds.
    async fn until_next(&self) -> Result<Duration, Error> {
        let now = Instant::from(self.ports.now());
        let find = move |system| async move { jobs::next_due(&system, now).await.map_err(Failure::from) };
        let next = self.ports.store.write_system(find).await.map_err(fault)?;
        let until = next.map(|next| Duration::try_from(next.get().duration_since(now.get())).unwrap_or_default());
        Ok(until.unwrap_or(LONGEST_SLEEP).clamp(SHORTEST_SLEEP, LONGEST_SLEEP))
    }

    /// Takes the jobs that are `over` and finishes them, and claims up to `most` that are due, in one transaction; in a sandbox also by its test
    /// clocks, which it moves on where nothing is due by them. Not to be dropped before its end: what it has claimed would stay leased.
    async fn claim(&self, over: &mut Vec<(Job, jobs::Finish)>, most: usize) -> Result<Vec<Job>, Error> {
        let now = self.ports.now();
        let until = Instant::from(now.saturating_add(self.settings.lease).unwrap_or(jiff::Timestamp::MAX));
        let (now, wanted) = (Instant::from(now), u64::try_from(most).unwrap_or(u64::MAX));
        let batch: Arc<[(Job, jobs::Finish)]> = over.as_slice().into();
        let claim = move |system| {
            let over = Arc::clone(&batch);
            async move {
                finish(&system, &over, now).await?;
                Ok(jobs::claim_due(&system, now, until, wanted).await?)
            }
        };
        let mut claimed = self.ports.store.write_system(claim).await.map_err(fault)?;
        over.clear();
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

    /// Starts a claimed job in a task of its own, which answers what became of it. One that takes long, and that there is no room for, comes
    /// back in a moment.
    fn start(&self, running: &mut Running, job: Job) {
        let is_long = takes_long(&job.kind);
        if is_long && running.jobs.values().filter(|job| takes_long(&job.kind)).count() >= self.settings.long_at_once {
            running.over.push((job, jobs::Finish::Again(self.after(NO_ROOM))));
            return;
        }
        let (worker, limit, held) = (self.clone(), self.settings.time_limit(&job.kind), job.clone());
        let span = tracing::info_span!("job", id = %job.id, kind = job.kind);
        let run = self.ports.telemetry.job(&job.kind, job.attempts);
        let task = async move {
            let attempt = run.run(dispatch::attempt(&worker.ports, &held, limit));
            let finish = if is_long {
                let done = holding(&worker.ports, &held, worker.settings.lease, attempt).await;
                done.unwrap_or_else(|| jobs::Finish::Retry(worker.after(NO_ROOM), "its claim was lost".to_owned()))
            } else {
                attempt.await
            };
            run.end(outcome(&finish));
            finish
        };
        let id = running.tasks.spawn(task.instrument(span)).id();
        running.jobs.insert(id, job);
    }

    /// So long from now.
    fn after(&self, pause: SignedDuration) -> Instant {
        self.ports.now().saturating_add(pause).unwrap_or(jiff::Timestamp::MAX).into()
    }

    /// Takes the jobs that are `over` and finishes each in a transaction of its own: those that could not be finished together, since
    /// one of them cannot be. Where that fails, its lease runs out and it is run again.
    async fn finish_each(&self, over: &mut Vec<(Job, jobs::Finish)>) {
        let now = Instant::from(self.ports.now());
        for (job, how) in over.drain(..) {
            let id = job.id;
            let one: Arc<[(Job, jobs::Finish)]> = Arc::new([(job, how)]);
            let write = move |system| {
                let one = Arc::clone(&one);
                async move { finish(&system, &one, now).await.map_err(Failure::from) }
            };
            if let Err(error) = self.ports.store.write_system(write).await.map_err(fault) {
                tracing::error!(job = %id, error = &error as &dyn std::error::Error, "what became of a job could not be written");
            }
        }
    }

    /// Waits for the jobs that run, ends those that take too long, and gives their leases back.
    async fn stop(&self, mut running: Running) {
        let finished = tokio::time::timeout(self.settings.stop_within, running.all_over()).await.is_ok();
        self.finish_each(&mut running.over).await;
        if finished {
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

/// Writes down what became of jobs.
async fn finish(system: &System, over: &[(Job, jobs::Finish)], now: Instant) -> Result<(), Error> {
    let held = jobs::finish_all(system, over, now).await?;
    if held < over.len() {
        let ids: Vec<String> = over.iter().map(|(job, _)| job.id.to_string()).collect();
        tracing::warn!(held, jobs = ids.join(" "), "of these jobs, some were finished by somebody else, or taken back");
    }
    Ok(())
}

/// What became of a job, in a word.
const fn outcome(finish: &jobs::Finish) -> &'static str {
    match finish {
        jobs::Finish::Done => "done",
        jobs::Finish::Again(_) => "again",
        jobs::Finish::Retry(..) => "failed",
        jobs::Finish::Dead(_) => "dead",
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
