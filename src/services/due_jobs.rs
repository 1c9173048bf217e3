//! Which jobs are due, as figures: for those who watch whether workers keep up.

use std::time::Duration;

use crate::error::Outcome;
use crate::services::Ports;
use crate::store::jobs;
use crate::telemetry::DueJobs;

/// The jobs that a worker could claim now, by kind.
///
/// # Errors
/// The database's fault.
pub async fn due_jobs(ports: &Ports) -> Outcome<Vec<DueJobs>> {
    let now = ports.real_now();
    let due = ports.store.read_system(move |system| async move { Ok(jobs::due_by_kind(&system, now.into()).await?) }).await?;
    let told = due.into_iter().map(|due| DueJobs {
        lag: Duration::try_from(now.duration_since(due.oldest.get())).unwrap_or_default(),
        count: u64::try_from(due.count).unwrap_or_default(),
        kind: due.kind,
    });
    Ok(told.collect())
}
