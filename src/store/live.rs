//! What was changed that somebody may be watching, told when it is committed: to who watches in this process at once, and to the
//! other processes on one PostgreSQL by [`super::live_others`].
//!
//! A change names what changed and tells nothing of it: whoever hears of it reads the row as themselves. It is never held up by who
//! watches, and never lost for ever: see `services::live`.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::broadcast;
use uuid::Uuid;

use super::live_others::Announcer;
use crate::ids::{BusinessId, EventId, InvoiceId, NotificationId, PaymentId, SubscriptionId, TicketId, UserId};

/// How many changes may wait for one who watches, before it has lost some.
const WAITING: usize = 256;
/// How many events are remembered as told: more than happen to those who are watched in the time that a look back covers.
const REMEMBERED: usize = 20_000;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A subscription.
    Subscription(SubscriptionId),
    /// An invoice.
    Invoice(InvoiceId),
    /// A payment.
    Payment(PaymentId),
    /// A ticket of support, or what is said in it.
    Ticket(TicketId),
    /// How far the business has proved who it is.
    Verification,
    /// A threshold of usage was reached, which the event tells of.
    Threshold(EventId),
    /// That person is told something.
    Notification(NotificationId, UserId),
    /// Something may have been missed: what can be read again is.
    Missed,
}

/// A change of one business's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub business: BusinessId,
    /// What changed.
    pub subject: Subject,
    /// The events that tell of it.
    pub events: Vec<EventId>,
}

impl Change {
    /// What tells it from others: its events, and a notification, of which there is no other change.
    fn marks(&self) -> impl Iterator<Item = Uuid> {
        let own = match self.subject {
            Subject::Notification(id, _) => Some(id.uuid()),
            _ => None,
        };
        self.events.iter().map(|event| event.uuid()).chain(own)
    }
}

/// What a transaction has changed so far, each thing once.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    /// In the order in which it was changed first.
    noted: Arc<Mutex<Vec<Change>>>,
}

impl Changes {
    /// Notes a change, and the event that tells of it where there is one.
    pub(super) fn note(&self, business: BusinessId, subject: Subject, event: Option<EventId>) {
        let mut noted = held(&self.noted);
        match noted.iter_mut().find(|change| change.business == business && change.subject == subject) {
            Some(known) => known.events.extend(event),
            None => noted.push(Change { business, subject, events: event.into_iter().collect() }),
        }
    }

    /// What was noted.
    pub(super) fn take(&self) -> Vec<Change> {
        std::mem::take(&mut *held(&self.noted))
    }
}

/// Who watches in this process.
#[derive(Default)]
pub struct Hub {
    /// Those who watch a business, and since when.
    watched: Mutex<HashMap<BusinessId, Watched>>,
    /// Which events of those who are watched were told.
    told: Mutex<HashSet<Uuid>>,
    /// Tells the other processes; none where there are none.
    announcer: OnceLock<Arc<Announcer>>,
}

/// A business that is watched.
struct Watched {
    /// Where its changes go.
    sender: broadcast::Sender<Change>,
    /// The last id that was made before the first of them began to watch.
    since: Uuid,
}

/// Hears the changes of one business, until it is dropped.
pub struct Watcher {
    /// The changes.
    receiver: Option<broadcast::Receiver<Change>>,
    /// Whose.
    business: BusinessId,
    /// Who tells them.
    hub: Arc<Hub>,
}

/// So many changes came that some were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("changes were lost")]
pub struct Lost;

impl Hub {
    /// Watches a business. `now` is an id that was made just now.
    pub fn watch(self: &Arc<Self>, business: BusinessId, now: Uuid) -> Watcher {
        let mut watched = held(&self.watched);
        let entry = watched.entry(business).or_insert_with(|| Watched { sender: broadcast::channel(WAITING).0, since: now });
        Watcher { receiver: Some(entry.sender.subscribe()), business, hub: Arc::clone(self) }
    }

    /// The businesses that somebody watches, each with an id from just before that began.
    pub fn watched(&self) -> Vec<(BusinessId, Uuid)> {
        held(&self.watched).iter().map(|(business, watched)| (*business, watched.since)).collect()
    }

    /// How many watch.
    pub fn watchers(&self) -> usize {
        held(&self.watched).values().map(|watched| watched.sender.receiver_count()).sum()
    }

    /// Tells of what was committed, here and in the other processes.
    pub(super) fn publish(&self, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        self.spread(&changes);
        if let Some(announcer) = self.announcer.get() {
            announcer.announce(changes);
        }
    }

    /// Tells those who watch in this process.
    pub fn spread(&self, changes: &[Change]) {
        let watched = held(&self.watched);
        for change in changes {
            let Some(found) = watched.get(&change.business) else { continue };
            self.remember(change);
            // Nobody who listens is no fault: the last one has just gone.
            let _ = found.sender.send(change.clone());
        }
    }

    /// Tells those who watch in this process of what they were not told before: each event is told once.
    pub fn spread_missed(&self, change: &Change) {
        let is_missed = {
            let told = held(&self.told);
            change.marks().any(|mark| !told.contains(&mark))
        };
        if is_missed {
            self.spread(std::slice::from_ref(change));
        }
    }

    /// Tells everybody who watches that something may have been missed.
    pub fn missed(&self) {
        for (business, watched) in &*held(&self.watched) {
            let _ = watched.sender.send(Change { business: *business, subject: Subject::Missed, events: Vec::new() });
        }
    }

    /// Forgets which events were told that were made before this id.
    pub fn forget_before(&self, id: Uuid) {
        held(&self.told).retain(|told| *told >= id);
    }

    /// Has the other processes told from now on.
    pub(super) fn announce_by(&self, announcer: Arc<Announcer>) {
        if self.announcer.set(announcer).is_err() {
            tracing::debug!("the other processes are told already");
        }
    }

    /// Remembers what is being told.
    fn remember(&self, change: &Change) {
        let mut told = held(&self.told);
        if told.len() < REMEMBERED {
            told.extend(change.marks());
        }
    }
}

impl Watcher {
    /// The next change.
    ///
    /// # Errors
    /// [`Lost`] where whoever watches was too slow for them.
    pub async fn next(&mut self) -> Result<Change, Lost> {
        match &mut self.receiver {
            Some(receiver) => receiver.recv().await.map_err(|_| Lost),
            None => Err(Lost),
        }
    }

    /// A change that is there already.
    ///
    /// # Errors
    /// [`Lost`], as for [`Watcher::next`].
    pub fn next_at_once(&mut self) -> Result<Option<Change>, Lost> {
        use broadcast::error::TryRecvError;
        match self.receiver.as_mut().map(broadcast::Receiver::try_recv) {
            Some(Ok(change)) => Ok(Some(change)),
            Some(Err(TryRecvError::Empty)) => Ok(None),
            Some(Err(TryRecvError::Lagged(_) | TryRecvError::Closed)) | None => Err(Lost),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut watched = held(&self.hub.watched);
        self.receiver = None;
        if watched.get(&self.business).is_some_and(|entry| entry.sender.receiver_count() == 0) {
            watched.remove(&self.business);
        }
    }
}

/// The lock, whatever became of who had it last: nothing here is left half changed.
pub(super) fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An id.
    fn id<K>(number: u128) -> crate::ids::Id<K> {
        crate::ids::Id::from(Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn who_watches_hears_their_own_business_and_what_is_over_is_forgotten() {
        let hub = Arc::new(Hub::default());
        let mut watcher = hub.watch(id(1), Uuid::nil());
        let change = |business, invoice| Change { business: id(business), subject: Subject::Invoice(id(invoice)), events: Vec::new() };
        hub.publish(vec![change(2, 7), change(1, 8)]);
        assert_eq!(watcher.next().await, Ok(change(1, 8)));
        assert_eq!(watcher.next_at_once(), Ok(None));
        drop(watcher);
        assert_eq!(hub.watched(), Vec::new());
    }

    #[tokio::test]
    async fn an_event_that_was_told_is_not_told_again_and_one_that_was_missed_is() {
        let hub = Arc::new(Hub::default());
        let mut watcher = hub.watch(id(1), Uuid::nil());
        let change = |event| Change { business: id(1), subject: Subject::Verification, events: vec![id(event)] };
        hub.spread(&[change(5)]);
        hub.spread_missed(&change(5));
        hub.spread_missed(&change(6));
        hub.spread_missed(&change(6));
        assert_eq!(watcher.next_at_once(), Ok(Some(change(5))));
        assert_eq!(watcher.next_at_once(), Ok(Some(change(6))));
        assert_eq!(watcher.next_at_once(), Ok(None));
    }

    #[tokio::test]
    async fn who_does_not_listen_loses_changes_and_is_told_so() {
        let hub = Arc::new(Hub::default());
        let mut watcher = hub.watch(id(1), Uuid::nil());
        for _ in 0..=WAITING {
            hub.missed();
        }
        assert_eq!(watcher.next().await, Err(Lost));
    }

    #[test]
    fn a_transaction_tells_of_each_thing_once_with_all_its_events() {
        let changes = Changes::default();
        changes.note(id(1), Subject::Invoice(id(3)), None);
        changes.note(id(1), Subject::Invoice(id(3)), Some(id(8)));
        changes.note(id(1), Subject::Invoice(id(3)), Some(id(9)));
        changes.note(id(2), Subject::Invoice(id(3)), None);
        let taken = changes.take();
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[0].events, [id(8), id(9)]);
        assert_eq!(changes.take(), Vec::new());
    }
}
