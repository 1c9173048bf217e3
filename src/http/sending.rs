//! How files go out: so many at a time, so many of one business, and each within its time, so that whoever takes them slowly, or not at
//! all, makes the server hold no more than that.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::{Buf as _, Bytes};
use futures::stream::{BoxStream, Stream, StreamExt as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::server::InFlight;
use crate::clock::{Clock as _, SystemClock};
use crate::error::Error;
use crate::ids::BusinessId;

/// How many files are opened and sent at once: a document is held in memory as a whole.
const AT_ONCE: usize = 16;
/// How many of one business.
const OF_ONE: usize = 4;
/// How long one waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long any file may take to be sent, and as much again as it needs at [`BYTES_PER_SECOND`].
const LEAST_TIME: Duration = Duration::from_mins(1);
/// Whoever takes it more slowly than that does not get all of it.
const BYTES_PER_SECOND: u64 = 64 * 1_024;
/// How much is handed over at once. It is copied, so that a piece that waits in a buffer keeps nothing else in memory.
const PIECE_BYTES: usize = 64 * 1_024;

/// The places of files that are sent.
#[derive(Clone)]
pub(super) struct Places {
    /// Those that are free.
    all: Arc<Semaphore>,
    /// How many each business has.
    taken: Arc<Mutex<HashMap<BusinessId, usize>>>,
}

impl Places {
    /// All of them.
    pub(super) fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE)), taken: Arc::default() }
    }

    /// One of them; none where none was free for a while.
    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        let taking = tokio::time::timeout(PATIENCE, Arc::clone(&self.all).acquire_owned());
        taking.await.ok()?.ok()
    }

    /// The same place for a file of a business; none where that has enough.
    pub(super) fn of(&self, business: BusinessId, place: OwnedSemaphorePermit) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.entry(business).or_default();
        if *own >= OF_ONE {
            return None;
        }
        *own = own.saturating_add(1);
        Some(Place { business, taken: Arc::clone(&self.taken), _of_all: place })
    }
}

/// The place of a file of a business, until it is dropped.
pub(super) struct Place {
    /// Whose file it is.
    business: BusinessId,
    /// Where that is counted.
    taken: Arc<Mutex<HashMap<BusinessId, usize>>>,
    /// One of all.
    _of_all: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.get(&self.business).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            taken.remove(&self.business);
        } else {
            taken.insert(self.business, left);
        }
    }
}

/// What a file has that is being sent.
struct Held {
    /// What is still to be read of it.
    content: BoxStream<'static, Result<Bytes, Error>>,
    /// What was read of it, and not handed over yet.
    left: Bytes,
    /// Its place.
    _place: Place,
    /// Keeps the connection from being taken for idle.
    _in_flight: Option<InFlight>,
}

/// A file that is being sent; nothing is held of it when its time is over.
struct Sending(Arc<Mutex<Option<Held>>>);

/// The error of a file that was not sent to its end.
#[derive(Debug, thiserror::Error)]
#[error("the file was not sent to its end")]
struct CutOff;

impl Stream for Sending {
    type Item = Result<Bytes, CutOff>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Some(file) = held.as_mut() else { return Poll::Ready(Some(Err(CutOff))) };
            if !file.left.is_empty() {
                let piece = Bytes::copy_from_slice(file.left.get(..PIECE_BYTES).unwrap_or(&file.left));
                file.left.advance(piece.len());
                return Poll::Ready(Some(Ok(piece)));
            }
            match ready!(file.content.poll_next_unpin(cx)) {
                Some(Ok(more)) => file.left = more,
                None => return Poll::Ready(None),
                Some(Err(error)) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "a file could not be sent to its end");
                    *held = None;
                }
            }
        }
    }
}

/// The body that sends a file of so many bytes.
pub(super) fn body(content: BoxStream<'static, Result<Bytes, Error>>, byte_size: u64, place: Place, in_flight: Option<InFlight>) -> Body {
    let within = LEAST_TIME.saturating_add(Duration::from_secs(byte_size / BYTES_PER_SECOND));
    Body::from_stream(sending(Held { content, left: Bytes::new(), _place: place, _in_flight: in_flight }, within))
}

/// Sends what is held, and holds it for no longer than `within`.
fn sending(held: Held, within: Duration) -> Sending {
    let held = Arc::new(Mutex::new(Some(held)));
    let watched = Arc::downgrade(&held);
    tokio::spawn(async move {
        // A peer's slowness is real time, whatever clock the business runs on; and nobody polls a body that its peer does not read.
        SystemClock.sleep(within).await;
        if let Some(held) = watched.upgrade() {
            drop(held.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    });
    Sending(held)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn business(number: u128) -> BusinessId {
        BusinessId::from(Uuid::from_u128(number))
    }

    async fn place(places: &Places, number: u128) -> Option<Place> {
        places.of(business(number), places.take().await.unwrap())
    }

    async fn held(places: &Places, content: Vec<Result<Bytes, Error>>) -> Held {
        let place = place(places, 1).await.unwrap();
        Held { content: futures::stream::iter(content).boxed(), left: Bytes::new(), _place: place, _in_flight: None }
    }

    #[tokio::test]
    async fn a_business_has_four_places_and_all_of_them_sixteen() {
        let places = Places::new();
        let mut held = Vec::new();
        for number in 1..=4 {
            for _ in 0..4 {
                held.push(place(&places, number).await.unwrap());
            }
            assert!(number == 4 || place(&places, number).await.is_none(), "a fifth of {number}");
        }
        assert_eq!(places.all.available_permits(), 0);
        drop(held.pop());
        assert!(place(&places, 5).await.is_some());
        drop(held);
        assert_eq!(places.all.available_permits(), AT_ONCE);
        assert!(places.taken.lock().unwrap().is_empty(), "nothing is kept of who has none");
    }

    #[tokio::test]
    async fn a_file_is_sent_in_pieces_and_its_place_is_free_at_its_end() {
        let places = Places::new();
        let (first, second) = (vec![1; 2 * PIECE_BYTES + 1], vec![2; 3]);
        let file = sending(held(&places, vec![Ok(first.clone().into()), Ok(second.clone().into())]).await, LEAST_TIME);
        let pieces: Vec<Bytes> = file.map(Result::unwrap).collect().await;
        assert_eq!(pieces.iter().map(Bytes::len).collect::<Vec<_>>(), [PIECE_BYTES, PIECE_BYTES, 1, 3]);
        assert_eq!(pieces.concat(), [first, second].concat());
        assert_eq!(places.all.available_permits(), AT_ONCE);
    }

    #[tokio::test]
    async fn whoever_takes_it_too_slowly_is_cut_off_and_nothing_is_held_any_more() {
        let places = Places::new();
        let content = Bytes::from(vec![1; 3 * PIECE_BYTES]);
        let mut file = sending(held(&places, vec![Ok(content.clone())]).await, Duration::from_millis(20));
        let piece = file.next().await.unwrap().unwrap();
        assert!(!content.is_unique());
        while places.all.available_permits() < AT_ONCE {
            SystemClock.sleep(Duration::from_millis(5)).await;
        }
        // The piece that was handed over keeps nothing of the rest.
        assert!(content.is_unique() && piece.len() == PIECE_BYTES);
        assert!(file.next().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_to_its_end_is_cut_off() {
        let places = Places::new();
        let content = vec![Ok(Bytes::from_static(b"begun")), Err(Error::Corrupt("broken".into()))];
        let mut file = sending(held(&places, content).await, LEAST_TIME);
        assert_eq!(file.next().await.unwrap().unwrap(), "begun");
        assert!(file.next().await.unwrap().is_err());
        assert_eq!(places.all.available_permits(), AT_ONCE);
    }
}
