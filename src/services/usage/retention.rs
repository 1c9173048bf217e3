//! How long usage is kept: its events for a time that the operator sets, their ids for as long as they count once, what they
//! come to for ever.

use jiff::SignedDuration;

use super::{REMEMBERED, earlier};
use crate::error::{Failure, Outcome};
use crate::services::Ports;
use crate::store::{Instant, System, retention};

/// The most rows that are removed in one transaction.
const BATCH: u64 = 1_000;
/// The most transactions of one sweep that remove rows of one kind.
const MOST_BATCHES: usize = 1_000;

/// What a sweep has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Months that were made ahead.
    pub months_made: usize,
    /// Months that were dropped.
    pub months_dropped: i32,
    /// Events that were removed one by one.
    pub events: u64,
    /// Ids of events that may be used again.
    pub event_ids: u64,
}

/// Removes what was kept long enough, and makes room for what comes. An event is removed by the sweep after the one that has
/// said that it may go, so that whoever proves counters by their events never finds some gone that were said to be kept. It may
/// be run by any number of processes at once.
///
/// # Errors
/// The database's fault; what was done until then stays done.
pub async fn sweep(ports: &Ports, keep: SignedDuration) -> Outcome<Swept> {
    let now = ports.real_now();
    let (cutoff, forgotten) = (Instant::from(earlier(now, keep)?), Instant::from(earlier(now, REMEMBERED)?));
    let months_made = ports.store.write_system(move |system| async move { Ok(retention::make_months(&system, now.into()).await?) }).await?;
    let announce = move |system: System| async move {
        let announced = retention::kept_since(&system).await?;
        retention::note_kept_since(&system, cutoff).await?;
        let dropped = match announced {
            Some(until) => retention::drop_months(&system, until).await?,
            None => 0,
        };
        Ok((announced, dropped))
    };
    let (announced, months_dropped) = ports.store.write_system(announce).await?;
    let mut swept = Swept { months_made, months_dropped, ..Swept::default() };
    if let Some(until) = announced {
        swept.events = in_batches(ports, Kind::Events, until).await?;
    }
    swept.event_ids = in_batches(ports, Kind::EventIds, forgotten).await?;
    Ok(swept)
}

/// What is removed some at a time.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Events.
    Events,
    /// Ids of events.
    EventIds,
}

/// Removes what was recorded before `until`, in as many transactions as it takes, so that nobody waits long for one.
async fn in_batches(ports: &Ports, kind: Kind, until: Instant) -> Result<u64, Failure> {
    let mut removed: u64 = 0;
    for _ in 0..MOST_BATCHES {
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let batch = move |system: System| async move {
            Ok(match kind {
                Kind::Events => retention::remove_events(&system, until, most).await?,
                Kind::EventIds => retention::remove_event_ids(&system, until, most).await?,
            })
        };
        let count = ports.store.write_system(batch).await?;
        removed = removed.saturating_add(count);
        if count < BATCH {
            break;
        }
    }
    Ok(removed)
}
