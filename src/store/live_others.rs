//! Changes between the processes on one PostgreSQL: NOTIFY after the commit, and LISTEN.
//!
//! The notice is not part of the transaction that it tells of: a transaction with one takes a lock at its commit that is one for the
//! whole database, and renewals would wait for each other. So it is sent beside it, many changes at a time, by a connection of its own,
//! which is never inside a transaction. What is lost with a process between the two is found by the look back at the events.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sea_orm::DbBackend;
use sea_orm::sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::Store;
use super::live::{Change, Hub, Subject, held};
use crate::error::Error;

/// The channel of the database.
const CHANNEL: &str = "evolve_live";
/// The most bytes of one notice; PostgreSQL takes 7,999.
const MAX_BYTES: usize = 7_000;
/// The most events that a change names in a notice.
const MAX_EVENTS: usize = 50;
/// The most changes that wait to be told of. Those beyond are found by the look back.
const MAX_WAITING: usize = 10_000;
/// How long a connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells the other processes of changes.
pub(super) struct Announcer {
    /// One connection.
    pool: PgPool,
    /// Names this process in its notices.
    origin: Uuid,
    /// What is to be told.
    waiting: Mutex<Waiting>,
    /// Where it works, so that a graceful stop waits for it.
    tasks: TaskTracker,
    /// Itself, for the task.
    this: std::sync::Weak<Self>,
}

/// What is to be told.
#[derive(Default)]
struct Waiting {
    /// The changes.
    changes: Vec<Change>,
    /// Whether somebody is telling them.
    is_told: bool,
}

/// Hears of changes that other processes made.
pub struct Ear {
    /// The connection that listens.
    listener: PgListener,
    /// Names this process, which has heard of its own.
    origin: Uuid,
}

/// What an [`Ear`] heard.
pub enum Heard {
    /// Changes.
    Changes(Vec<Change>),
    /// The connection was lost, and another listens now: some changes may have been missed.
    Anew,
}

/// A notice.
#[derive(Debug, Serialize, Deserialize)]
struct Notice {
    /// Who sends it.
    from: Uuid,
    /// What changed.
    changes: Vec<Wire>,
}

/// A change in a notice: business, kind, id, person, events.
#[derive(Debug, Serialize, Deserialize)]
struct Wire(Uuid, char, Uuid, Uuid, Vec<Uuid>);

impl Wire {
    /// The change as it is sent.
    fn of(change: &Change) -> Self {
        let none = Uuid::nil();
        let (kind, id, person) = match change.subject {
            Subject::Subscription(id) => ('s', id.uuid(), none),
            Subject::Invoice(id) => ('i', id.uuid(), none),
            Subject::Payment(id) => ('p', id.uuid(), none),
            Subject::Ticket(id) => ('t', id.uuid(), none),
            Subject::Verification => ('v', none, none),
            Subject::Threshold(id) => ('u', id.uuid(), none),
            Subject::Notification(id, person) => ('n', id.uuid(), person.uuid()),
            Subject::Missed => ('m', none, none),
        };
        Self(change.business.uuid(), kind, id, person, change.events.iter().take(MAX_EVENTS).map(|event| event.uuid()).collect())
    }

    /// The change that was sent; `None` for a kind that a later version knows.
    fn read(self) -> Option<Change> {
        let Self(business, kind, id, person, events) = self;
        let subject = match kind {
            's' => Subject::Subscription(id.into()),
            'i' => Subject::Invoice(id.into()),
            'p' => Subject::Payment(id.into()),
            't' => Subject::Ticket(id.into()),
            'v' => Subject::Verification,
            'u' => Subject::Threshold(id.into()),
            'n' => Subject::Notification(id.into(), person.into()),
            'm' => Subject::Missed,
            _ => return None,
        };
        Some(Change { business: business.into(), subject, events: events.into_iter().map(Into::into).collect() })
    }
}

impl Announcer {
    /// Tells of changes, beside whoever made them.
    pub(super) fn announce(&self, changes: Vec<Change>) {
        let mut waiting = held(&self.waiting);
        if waiting.changes.len() < MAX_WAITING {
            waiting.changes.extend(changes);
        }
        if waiting.is_told {
            return;
        }
        let Some(this) = self.this.upgrade() else { return };
        waiting.is_told = true;
        self.tasks.spawn(async move { this.tell().await });
    }

    /// Tells of what waits until nothing does.
    async fn tell(&self) {
        loop {
            let changes = {
                let mut waiting = held(&self.waiting);
                if waiting.changes.is_empty() {
                    waiting.is_told = false;
                    return;
                }
                std::mem::take(&mut waiting.changes)
            };
            for notice in notices(self.origin, &changes) {
                let sent = sea_orm::sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(notice).execute(&self.pool).await;
                if let Err(error) = sent {
                    tracing::warn!(%error, "other processes could not be told of changes, and will find them by themselves");
                }
            }
        }
    }
}

/// The changes as notices, each within its bytes.
fn notices(from: Uuid, changes: &[Change]) -> Vec<String> {
    let mut notices = Vec::new();
    let mut part = Vec::new();
    let mut bytes = 0_usize;
    let mut close = |part: &mut Vec<Wire>| match serde_json::to_string(&Notice { from, changes: std::mem::take(part) }) {
        Ok(text) => notices.push(text),
        Err(error) => tracing::error!(%error, "a notice could not be written"),
    };
    for change in changes {
        let wire = Wire::of(change);
        // Three ids and their marks, and one for each event.
        let size = wire.4.len().saturating_mul(39).saturating_add(130);
        if bytes.saturating_add(size) > MAX_BYTES && !part.is_empty() {
            close(&mut part);
            bytes = 0;
        }
        bytes = bytes.saturating_add(size);
        part.push(wire);
    }
    if !part.is_empty() {
        close(&mut part);
    }
    notices
}

impl Ear {
    /// What comes next.
    ///
    /// # Errors
    /// [`Error::Store`] where the connection was lost and there is no other.
    pub async fn hear(&mut self) -> Result<Heard, Error> {
        let Some(notification) = self.listener.try_recv().await.map_err(lost)? else { return Ok(Heard::Anew) };
        let Ok(notice) = serde_json::from_str::<Notice>(notification.payload()) else {
            tracing::warn!("a notice of changes cannot be read");
            return Ok(Heard::Changes(Vec::new()));
        };
        let own = notice.from == self.origin;
        let changes = notice.changes.into_iter().filter(|_| !own).filter_map(Wire::read).collect();
        Ok(Heard::Changes(changes))
    }
}

/// The database's fault.
fn lost(error: sea_orm::sqlx::Error) -> Error {
    sea_orm::DbErr::Conn(sea_orm::RuntimeErr::SqlxError(Arc::new(error))).into()
}

impl Store {
    /// Who watches changes.
    pub fn live(&self) -> &Arc<Hub> {
        self.hub()
    }

    /// Has the other processes on this PostgreSQL told of changes that are made here, under a name of this process. Nothing on SQLite,
    /// which is one process's.
    pub fn announce_changes(&self, origin: Uuid) {
        if let Some(pool) = self.pool_of_one() {
            let tasks = self.tasks().clone();
            let announcer = Arc::new_cyclic(|this| Announcer { pool, origin, waiting: Mutex::default(), tasks, this: this.clone() });
            self.live().announce_by(announcer);
        }
    }

    /// Listens for changes that others make; `None` on SQLite.
    ///
    /// # Errors
    /// [`Error::Store`] where PostgreSQL cannot be reached.
    pub async fn listen(&self, origin: Uuid) -> Result<Option<Ear>, Error> {
        let Some(pool) = self.pool_of_one() else { return Ok(None) };
        let mut listener = PgListener::connect_with(&pool).await.map_err(lost)?;
        listener.listen(CHANNEL).await.map_err(lost)?;
        Ok(Some(Ear { listener, origin }))
    }

    /// A connection of its own to PostgreSQL, made when it is needed.
    fn pool_of_one(&self) -> Option<PgPool> {
        if self.backend() != DbBackend::Postgres {
            return None;
        }
        let options = self.writer().get_postgres_connection_pool().connect_options();
        let one = PgPoolOptions::new().max_connections(1).min_connections(0).acquire_timeout(PATIENCE);
        Some(one.connect_lazy_with((*options).clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Id;

    /// An id.
    fn id<K>(number: u128) -> Id<K> {
        Id::from(Uuid::from_u128(number))
    }

    #[test]
    fn a_change_of_each_kind_is_read_as_it_was_sent() {
        let subjects = [
            Subject::Subscription(id(1)),
            Subject::Invoice(id(2)),
            Subject::Payment(id(3)),
            Subject::Ticket(id(4)),
            Subject::Verification,
            Subject::Threshold(id(5)),
            Subject::Notification(id(6), id(7)),
            Subject::Missed,
        ];
        for subject in subjects {
            let change = Change { business: id(9), subject, events: vec![id(10), id(11)] };
            let sent = serde_json::to_string(&Wire::of(&change)).unwrap();
            assert_eq!(serde_json::from_str::<Wire>(&sent).unwrap().read(), Some(change));
        }
        assert_eq!(Wire(Uuid::nil(), 'z', Uuid::nil(), Uuid::nil(), Vec::new()).read(), None);
    }

    #[test]
    fn no_notice_is_longer_than_postgresql_takes_and_none_loses_a_change() {
        let many: Vec<Change> = (0..200)
            .map(|number| Change { business: id(u128::MAX), subject: Subject::Payment(id(number)), events: vec![id(u128::MAX); 60] })
            .collect();
        let notices = notices(Uuid::max(), &many);
        assert!(notices.iter().all(|notice| notice.len() < 7_999), "{:?}", notices.iter().map(String::len).max());
        let read: usize = notices.iter().map(|notice| serde_json::from_str::<Notice>(notice).unwrap().changes.len()).sum();
        assert_eq!(read, 200);
    }
}
