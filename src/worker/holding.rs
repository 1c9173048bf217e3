//! Holding on to a claim while a job runs that takes long: its lease is renewed as long as somebody is at work on it.

use std::time::Duration;

use crate::error::{Error, Failure};
use crate::services::Ports;
use crate::store::jobs::{self, Job};
use crate::store::{Instant, System};

/// A lease is renewed this often before it would run out, and one renewal may take half of the time until the next. After two that fail a
/// quarter of the lease is left, in which whoever is at work has stopped.
const TIMES_A_LEASE: u32 = 4;
/// So many renewals in a row may fail before the claim is given up.
const MOST_FAILURES: u32 = 2;

/// Does `work` on a claimed job and renews the claim meanwhile; `None` where the claim is lost, in which case the work is dropped.
pub(super) async fn holding<T>(ports: &Ports, job: &Job, lease: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = work => Some(done),
        () = hold(ports, job, lease) => None,
    }
}

/// Renews a claim, until it is lost.
async fn hold(ports: &Ports, job: &Job, lease: Duration) {
    let pause = lease.checked_div(TIMES_A_LEASE).unwrap_or_default();
    let mut failures = 0;
    while failures < MOST_FAILURES {
        ports.clock.sleep(pause).await;
        match tokio::time::timeout(pause / 2, renew(ports, job, lease)).await {
            Ok(Ok(true)) => failures = 0,
            Ok(Ok(false)) => {
                tracing::warn!("the claim of a job that runs is somebody else's, or the job is over; it is stopped here");
                return;
            }
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the claim of a job that runs could not be renewed");
                failures = failures.saturating_add(1);
            }
            Err(_) => {
                tracing::warn!("the claim of a job that runs could not be renewed in time");
                failures = failures.saturating_add(1);
            }
        }
    }
}

/// Has a claim hold for another lease from now on; answers whether it held.
async fn renew(ports: &Ports, job: &Job, lease: Duration) -> Result<bool, Error> {
    let until = Instant::from(ports.now().saturating_add(lease).unwrap_or(jiff::Timestamp::MAX));
    let claimed = job.clone();
    let renew = move |system: System| {
        let job = claimed.clone();
        async move { Ok(jobs::renew(&system, &job, until).await?) }
    };
    match ports.store.write_system(renew).await {
        Ok(held) => Ok(held),
        Err(Failure::Fault(error)) => Err(error),
        Err(Failure::Refused(_)) => Err(Error::Corrupt("the renewal of a claim was refused".into())),
    }
}
