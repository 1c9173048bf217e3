//! How long what is over is kept: jobs, mails, events, sessions and tokens for the days that the operator sets, idempotency keys for as
//! long as their callers were promised.

use jiff::{SignedDuration, Timestamp};

use super::{Ports, idempotency};
use crate::error::{Error, Outcome};
use crate::store::spent::{self, Spent};
use crate::store::{Instant, System};

/// The most rows that are removed in one transaction.
const BATCH: u64 = 1_000;
/// The most transactions of one sweep that remove rows of one kind.
const MOST_BATCHES: usize = 1_000;

/// Removes what was over for `keep`, in as many transactions as it takes, so that nobody waits long for one; answers how much of what.
/// It may be run by any number of processes at once.
///
/// # Errors
/// The database's fault; what was done until then stays done.
pub async fn sweep(ports: &Ports, keep: SignedDuration) -> Outcome<Vec<(Spent, u64)>> {
    let now = ports.real_now();
    let before = |kept: SignedDuration| -> Result<Instant, Error> {
        let until: Timestamp = now.checked_sub(kept).map_err(|error| Error::Task(Box::new(error)))?;
        Ok(until.into())
    };
    let mut removed = Vec::new();
    for kind in Spent::ALL {
        let until = before(if kind == Spent::IdempotencyKeys { idempotency::KEPT } else { keep })?;
        let count = in_batches(ports, kind, until).await?;
        if count > 0 {
            removed.push((kind, count));
        }
    }
    Ok(removed)
}

/// Removes what of a kind was over before `until`.
async fn in_batches(ports: &Ports, kind: Spent, until: Instant) -> Outcome<u64> {
    let mut removed: u64 = 0;
    for _ in 0..MOST_BATCHES {
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let batch = move |system: System| async move { Ok(spent::remove(&system, kind, until, most).await?) };
        let count = ports.store.write_system(batch).await?;
        removed = removed.saturating_add(count);
        if count < BATCH {
            break;
        }
    }
    Ok(removed)
}
