//! A request's body: it has a deadline as a whole, and what is left of one that nobody wants is read past.
//!
//! A client that is still sending when its connection is closed reads no answer, however well it was refused. So whatever a handler
//! leaves of a body is read and forgotten beside the answer, within bounds.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::Sleep;

/// The most bytes that are read past: a form with as many files as one may have.
const READ_PAST_BYTES: usize = 64 * 1024 * 1024;
/// How long at most.
const READ_PAST_TIME: Duration = Duration::from_secs(5);

/// The error of a body that took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body took too long to arrive")]
pub(super) struct BodyTimedOut;

/// A body with a deadline as a whole: one byte every second is slow too.
pub(super) struct TimedBody {
    /// What arrives; nothing once nobody needs to read it.
    inner: Option<Incoming>,
    deadline: Pin<Box<Sleep>>,
}

impl TimedBody {
    /// `inner`, which may take that long.
    #[expect(clippy::disallowed_methods, reason = "a peer's slowness is real time, whatever clock the business runs on")]
    pub(super) fn wrap(headers: &HeaderMap, inner: Incoming, timeout: Duration) -> Body {
        if inner.is_end_stream() {
            return Body::empty();
        }
        let is_asked_first = headers.contains_key(header::EXPECT);
        let body = Self { inner: Some(inner), deadline: Box::pin(tokio::time::sleep(timeout)) };
        // Who waits to be told to go on sends nothing once it is refused.
        if is_asked_first { Body::new(body) } else { Body::new(ReadPast(body)) }
    }
}

impl hyper::body::Body for TimedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        match Pin::new(inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(Ok(frame))),
            Poll::Ready(Some(Err(error))) => {
                self.inner = None;
                return Poll::Ready(Some(Err(error.into())));
            }
            Poll::Ready(None) => {
                self.inner = None;
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        self.deadline.as_mut().poll(cx).map(|()| {
            self.inner = None;
            Some(Err(BodyTimedOut.into()))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(hyper::body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(hyper::body::Body::size_hint).unwrap_or_default()
    }
}

/// A body of which the rest is read past when it is dropped.
struct ReadPast(TimedBody);

impl hyper::body::Body for ReadPast {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl Drop for ReadPast {
    fn drop(&mut self) {
        let Some(rest) = self.0.inner.take().filter(|rest| !rest.is_end_stream()) else { return };
        // Of one that says it has more than that the answer is lost all the same.
        let announced = rest.size_hint().exact().unwrap_or_default();
        let is_within = usize::try_from(announced).is_ok_and(|bytes| bytes <= READ_PAST_BYTES);
        if let Ok(runtime) = Handle::try_current()
            && is_within
        {
            runtime.spawn(read_past(rest));
        }
    }
}

/// Reads what arrives within bounds, and keeps nothing of it.
async fn read_past(rest: Incoming) {
    let mut rest = Limited::new(rest, READ_PAST_BYTES);
    let read = async { while let Some(Ok(_)) = rest.frame().await {} };
    if tokio::time::timeout(READ_PAST_TIME, read).await.is_err() {
        tracing::debug!("the rest of a body that was refused did not arrive in time");
    }
}
