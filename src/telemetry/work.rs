//! What is at work: the operation or job that a statement or a call to a gateway belongs to, however deep below.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::Either;
use opentelemetry::Context;

tokio::task_local! {
    /// What the task at hand works for.
    static CURRENT: Arc<Work>;
}

/// An operation or a job.
#[derive(Debug)]
pub(super) struct Work {
    /// Its name, as spans may tell it.
    name: Box<str>,
    /// Its span, where that is exported.
    span: Option<Context>,
    /// Statements so far.
    statements: AtomicU32,
    /// What they took, in microseconds.
    sql_micros: AtomicU64,
    /// Whether somebody is known to ask.
    by_somebody: AtomicBool,
}

impl Work {
    /// Work that begins.
    pub(super) fn new(name: &str, span: Option<Context>) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            span,
            statements: AtomicU32::new(0),
            sql_micros: AtomicU64::new(0),
            by_somebody: AtomicBool::new(false),
        })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its span, where that is exported.
    pub(super) const fn span(&self) -> Option<&Context> {
        self.span.as_ref()
    }

    /// One more statement.
    pub(super) fn count_statement(&self, elapsed: Duration) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.sql_micros.fetch_add(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How many statements, and what they took.
    pub(super) fn statements(&self) -> (u32, Duration) {
        (self.statements.load(Ordering::Relaxed), Duration::from_micros(self.sql_micros.load(Ordering::Relaxed)))
    }

    /// Whether somebody is known to ask.
    pub(super) fn is_by_somebody(&self) -> bool {
        self.by_somebody.load(Ordering::Relaxed)
    }
}

/// Says that whoever asks for the operation at hand is known.
pub fn by_somebody() {
    with_current(|work| work.by_somebody.store(true, Ordering::Relaxed));
}

/// Runs `future` for `work`.
pub(super) fn run<F: Future>(work: Arc<Work>, future: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(work, future)
}

/// `future` for what is at work now, also in a task of its own.
pub fn carry<F: Future>(future: F) -> impl Future<Output = F::Output> {
    match CURRENT.try_with(Arc::clone) {
        Ok(work) => Either::Left(CURRENT.scope(work, future)),
        Err(_nothing) => Either::Right(future),
    }
}

/// Tells what is at work, where something is.
pub(super) fn with_current(tell: impl FnOnce(&Work)) {
    // Much is done for no operation and no job.
    let _: Result<(), _> = CURRENT.try_with(|work| tell(work));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_at_work_is_known_in_tasks_that_it_is_carried_to_and_in_no_other() {
        let work = Work::new("Dashboard", None);
        let count = || with_current(|work| work.count_statement(Duration::from_micros(3)));
        run(Arc::clone(&work), async {
            count();
            tokio::spawn(carry(async move { count() })).await.unwrap();
            tokio::spawn(async move { count() }).await.unwrap();
        })
        .await;
        carry(async { count() }).await;
        assert_eq!(work.statements(), (2, Duration::from_micros(6)));
    }
}
