//! Which service does a job, and what becomes of a job that fails.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use jiff::SignedDuration;

use crate::error::{Failure, Outcome};
use crate::services::{Ports, billing, notifications, payments, privacy, support, verification, webhooks};
use crate::store::TenantScope;
use crate::store::jobs::{Finish, Job};

/// How often a job is tried before somebody must look.
const MOST_ATTEMPTS: i32 = 20;
/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(1);
/// The longest pause after a failure.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// Whether a job of that kind takes as long as there is much of what it is about.
pub(super) fn takes_long(kind: &str) -> bool {
    privacy::LONG_JOB_KINDS.contains(&kind)
}

/// Runs a claimed job within `limit` and says what became of it. Never fails: a fault, a refusal, a panic and a job that takes too
/// long are all tried again.
pub(super) async fn attempt(ports: &Ports, job: &Job, limit: Duration) -> Finish {
    if job.attempts > MOST_ATTEMPTS {
        return give_up(job, "every worker that had it died".to_owned());
    }
    // The row was claimed by the system: whose it is, it says itself.
    let scope = TenantScope::proved(job.business_id);
    let running = AssertUnwindSafe(dispatch(ports, scope, job)).catch_unwind();
    let error = match tokio::time::timeout(limit, running).await {
        Ok(Ok(Ok(finish))) => {
            if let Finish::Dead(reason) = &finish {
                tracing::error!(job = %job.id, kind = job.kind, key = job.job_key, reason, "a job cannot be done; somebody must look");
            }
            return finish;
        }
        Ok(Ok(Err(Failure::Fault(error)))) => describe(&error),
        Ok(Ok(Err(Failure::Refused(refusals)))) => {
            refusals.iter().map(|refusal| format!("{:?}: {}", refusal.code, refusal.message)).collect::<Vec<_>>().join("; ")
        }
        Ok(Err(_)) => "it panicked".to_owned(),
        Err(_) => format!("it took longer than {limit:?}"),
    };
    if job.attempts >= MOST_ATTEMPTS {
        return give_up(job, error);
    }
    tracing::warn!(job = %job.id, kind = job.kind, key = job.job_key, attempt = job.attempts, error, "a job failed and will be tried again");
    let pause = pause_after(job.attempts, u64::from_le_bytes(ports.rng.bytes()));
    Finish::Retry(ports.now().saturating_add(pause).unwrap_or(jiff::Timestamp::MAX).into(), error)
}

/// The job's service: one line a kind.
async fn dispatch(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    match job.kind.as_str() {
        kind if payments::JOB_KINDS.contains(&kind) => payments::run_job(ports, scope, job).await,
        kind if notifications::JOB_KINDS.contains(&kind) => notifications::run_job(ports, scope, job).await,
        kind if billing::JOB_KINDS.contains(&kind) => billing::run_job(ports, scope, job).await,
        kind if verification::JOB_KINDS.contains(&kind) => verification::run_job(ports, scope, job).await,
        kind if privacy::JOB_KINDS.contains(&kind) => privacy::run_job(ports, scope, job).await,
        support::QUIET => support::run_job(ports, scope, job).await,
        webhooks::SEND => webhooks::run_job(ports, scope, job).await,
        unknown => Ok(Finish::Dead(format!("no service does a job of the kind {unknown}"))),
    }
}

/// The end of a job that always fails.
fn give_up(job: &Job, error: String) -> Finish {
    tracing::error!(job = %job.id, kind = job.kind, key = job.job_key, error, "a job is given up; somebody must look");
    Finish::Dead(error)
}

/// An error with its causes, for the log and the job's row.
fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// How long to wait after the `attempts`-th failure in a row, from 1: a second, doubled with each up to an hour, of which
/// `chance` takes away up to a half, so that what failed together is not tried together.
fn pause_after(attempts: i32, chance: u64) -> SignedDuration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(12);
    let whole = FIRST_PAUSE.saturating_mul(1_i32 << doublings).min(LONGEST_PAUSE);
    let half = u64::try_from(whole.as_millis()).unwrap_or_default() / 2;
    whole - SignedDuration::from_millis(i64::try_from(chance % half.max(1)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_an_hour_and_is_at_most_halved_by_chance() {
        for (attempts, seconds) in [(1, 1), (2, 2), (3, 4), (12, 2_048), (13, 3_600), (20, 3_600)] {
            let whole = SignedDuration::from_secs(seconds);
            assert_eq!(pause_after(attempts, 0), whole, "{attempts}");
            for chance in [1, 499, 500, 12_345_678, u64::MAX] {
                let pause = pause_after(attempts, chance);
                assert!(whole / 2 < pause && pause <= whole, "{attempts} {chance}: {pause:?}");
            }
        }
    }
}
