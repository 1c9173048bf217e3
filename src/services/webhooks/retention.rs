//! How long deliveries are kept.

use jiff::SignedDuration;

use crate::error::{Error, Outcome};
use crate::services::Ports;
use crate::store::{Instant, System, webhooks};

/// How long a delivery that is over is kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The most deliveries that are removed in one transaction.
const BATCH: u64 = 1_000;
/// The most transactions of one sweep.
const MOST_BATCHES: usize = 1_000;

/// Removes deliveries that were kept long enough, in as many transactions as it takes; answers how many. It may be run by any
/// number of processes at once.
///
/// # Errors
/// The database's fault; what was done until then stays done.
pub async fn sweep(ports: &Ports) -> Outcome<u64> {
    let until = ports.real_now().checked_sub(KEPT_FOR).map_err(|error| Error::Task(Box::new(error)))?;
    let mut removed: u64 = 0;
    for _ in 0..MOST_BATCHES {
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let batch = move |system: System| async move { Ok(webhooks::remove_deliveries(&system, Instant::from(until), most).await?) };
        let count = ports.store.write_system(batch).await?;
        removed = removed.saturating_add(count);
        if count < BATCH {
            break;
        }
    }
    Ok(removed)
}
