//! Live updates: that no change is lost for ever to who watches it.
//!
//! Whoever commits a change tells of it (`store::live`), and the other processes hear of it by PostgreSQL. Both can fail: a process may
//! die after its commit, a connection may be lost. So each process looks back at the events and notifications of those businesses
//! that are watched in it, again and again, and at once where it may have missed something.

use std::time::Duration;

use uuid::Uuid;

use crate::error::Outcome;
use crate::ids::{BusinessId, EventId, NotificationId};
use crate::services::{Ports, events};
use crate::store::live::{Change, Subject};
use crate::store::{notifications, outbox};

/// How far a look back reaches: longer than a transaction may take between the making of its event's id and its commit, and than
/// the clocks of two servers differ.
const REACH: Duration = Duration::from_mins(1);
/// How many rows are read at a time.
const PART: u64 = 500;
/// How many businesses are asked about in one statement.
const BUSINESSES: usize = 200;

/// Tells who watches in this process what they were not told of. `since` is an id that was made when the last look back began, so that
/// each one reaches to before it.
///
/// # Errors
/// The database's fault.
pub async fn look_back(ports: &Ports, since: Uuid) -> Outcome<()> {
    let hub = ports.store.live();
    let from = earlier(since);
    let mut watched = hub.watched();
    watched.sort_unstable();
    for part in watched.chunks(BUSINESSES) {
        for change in missed(ports, part, from).await? {
            // What happened before anybody watched is not new to them.
            let is_new = part.iter().any(|(business, since)| *business == change.business && is_after(&change, *since));
            if is_new {
                hub.spread_missed(&change);
            }
        }
    }
    hub.forget_before(from);
    Ok(())
}

/// What happened to these businesses since that id was made.
async fn missed(ports: &Ports, watched: &[(BusinessId, Uuid)], from: Uuid) -> Outcome<Vec<Change>> {
    let businesses: Vec<BusinessId> = watched.iter().map(|(business, _)| *business).collect();
    let read = move |system| {
        let businesses = businesses.clone();
        async move {
            let mut changes = Vec::new();
            let mut after = EventId::from(from);
            loop {
                let rows = outbox::since(&system, &businesses, after, PART).await?;
                for row in &rows {
                    changes.extend(events::change(row)?);
                }
                let Some(last) = rows.last().filter(|_| rows.len() >= as_len(PART)) else { break };
                after = last.id;
            }
            let mut after = NotificationId::from(from);
            loop {
                let rows = notifications::since(&system, &businesses, after, PART).await?;
                let of = |row: &notifications::Notification| Change {
                    business: row.business_id,
                    subject: Subject::Notification(row.id, row.user_id),
                    events: Vec::new(),
                };
                changes.extend(rows.iter().map(of));
                let Some(last) = rows.last().filter(|_| rows.len() >= as_len(PART)) else { break };
                after = last.id;
            }
            Ok(changes)
        }
    };
    ports.store.read_system(read).await
}

/// Whether a change was made after an id.
fn is_after(change: &Change, id: Uuid) -> bool {
    match change.subject {
        Subject::Notification(own, _) => own.uuid() > id,
        _ => change.events.iter().any(|event| event.uuid() > id),
    }
}

/// A length of rows.
fn as_len(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

/// The least id that was made so long before that one as a look back reaches. The first 48 bits of an id are milliseconds.
fn earlier(id: Uuid) -> Uuid {
    let reach = REACH.as_millis() << 80;
    Uuid::from_u128((id.as_u128().saturating_sub(reach) >> 80) << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_back_reaches_a_minute_before_an_id() {
        let id: Uuid = "0193b3c0-0000-7abc-8def-0123456789ab".parse().unwrap();
        // A minute is 60,000 ms, which is EA60.
        let expected: Uuid = "0193b3bf-15a0-0000-0000-000000000000".parse().unwrap();
        assert_eq!(earlier(id), expected);
        assert_eq!(earlier(Uuid::nil()), Uuid::nil());
    }
}
