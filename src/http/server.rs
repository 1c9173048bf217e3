//! Serves a router on a listener: HTTP/1.1 and HTTP/2, with a bound on everything a peer can make it wait for or keep.
//!
//! A connection is cut when its first request does not arrive in time, when a later head trickles in, and when nothing
//! was asked on it for long; a body has a deadline as a whole. On the shutdown signal nothing more is accepted and
//! what is in flight may finish within a bound.

use std::future::Future;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::request::Parts;
use http::{StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::clock::{Clock, SystemClock};
use crate::error::{Code, Error};
use crate::http::body::TimedBody;
use crate::http::graphql::media::is_form;
use crate::http::request_id::{self, RequestId};
use crate::ids::SharedIdGen;

/// What connections may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections at a time; more wait in the listener's backlog.
    pub max_connections: usize,
    /// How long the head of a request may take, the wait for it on an open HTTP/1.1 connection included.
    pub header_timeout: Duration,
    /// How long a body may take as a whole.
    pub body_timeout: Duration,
    /// How long a connection may stay without a request in flight. Reading an answer counts as such a stay.
    pub idle_timeout: Duration,
    /// The same as [`ServerLimits::body_timeout`] for a body that brings files.
    pub upload_timeout: Duration,
    /// How long requests in flight may take after the shutdown signal.
    pub drain_timeout: Duration,
    /// Requests at a time on one HTTP/2 connection.
    pub max_streams: u32,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            max_connections: 1_024,
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(20),
            upload_timeout: Duration::from_mins(3),
            idle_timeout: Duration::from_mins(2),
            drain_timeout: Duration::from_secs(15),
            max_streams: 64,
        }
    }
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Every connection finished.
    Drained,
    /// So many were cut when the time to finish was over.
    Cut {
        /// Connections that were still open.
        connections: usize,
    },
}

/// A connection's place among the [`ServerLimits::max_connections`], in each request's extensions. What outlives the
/// request on an upgraded connection (a WebSocket) keeps a clone, so that it goes on counting.
#[derive(Debug, Clone)]
pub struct ConnectionSlot {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// Wraps `router` in what every answer needs: its request id, and an answer in place of a panic.
pub fn dressed(router: Router, ids: SharedIdGen) -> Router {
    router.layer(from_fn(catch_panic)).layer(from_fn_with_state(ids, request_id::assign))
}

/// Serves until `shutdown` is ready, then lets what is in flight finish within [`ServerLimits::drain_timeout`].
pub async fn serve(listener: TcpListener, router: Router, limits: ServerLimits, shutdown: impl Future<Output = ()> + Send) -> Stopped {
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let (stop, cut, connections) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
    let server = Arc::new(Server { builder: builder(&limits), router, limits, stop: stop.clone(), cut: cut.clone() });
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, peer, slot)) = accepted else { continue };
        let server = Arc::clone(&server);
        connections.spawn(async move { server.connection(stream, peer, slot).await });
    }
    drop(listener);
    stop.cancel();
    connections.close();
    if tokio::time::timeout(limits.drain_timeout, connections.wait()).await.is_ok() {
        return Stopped::Drained;
    }
    let open = connections.len();
    tracing::warn!(connections = open, "cutting connections that did not finish in time");
    cut.cancel();
    connections.wait().await;
    Stopped::Cut { connections: open }
}

/// The next connection once there is room for it; `None` when accepting failed, after a pause where that may help.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Option<(TcpStream, SocketAddr, ConnectionSlot)> {
    let permit = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, ConnectionSlot { _permit: Arc::new(permit) })),
        Err(cause) => {
            use std::io::ErrorKind;
            if !matches!(cause.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused) {
                // Out of file descriptors, most likely: others must end first.
                tracing::error!(%cause, "could not accept a connection");
                SystemClock.sleep(Duration::from_millis(200)).await;
            }
            None
        }
    }
}

fn builder(limits: &ServerLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(32 * 1024)
        .keep_alive_interval(limits.header_timeout)
        .keep_alive_timeout(limits.header_timeout);
    builder
}

struct Server {
    builder: Builder<TokioExecutor>,
    router: Router,
    limits: ServerLimits,
    stop: CancellationToken,
    cut: CancellationToken,
}

impl Server {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, slot: ConnectionSlot) {
        if let Err(cause) = stream.set_nodelay(true) {
            tracing::debug!(%cause, "could not set TCP_NODELAY");
        }
        let activity = Arc::new(Activity::new());
        let service = {
            let (activity, router, limits) = (Arc::clone(&activity), self.router.clone(), self.limits);
            service_fn(move |request: http::Request<Incoming>| {
                let busy = InFlight(Arc::new(Activity::begin(&activity)));
                let timeout = if is_form(request.headers()) { limits.upload_timeout } else { limits.body_timeout };
                let (parts, body) = request.into_parts();
                let is_sound = names_one_host(&parts);
                let body = TimedBody::wrap(&parts.headers, body, timeout);
                let mut request = http::Request::from_parts(parts, body);
                request.extensions_mut().insert(ConnectInfo(peer));
                request.extensions_mut().insert(slot.clone());
                request.extensions_mut().insert(busy.clone());
                let answer = is_sound.then(|| router.clone().oneshot(request));
                async move {
                    let answer = match answer {
                        Some(answer) => answer.await,
                        None => Ok(StatusCode::BAD_REQUEST.into_response()),
                    };
                    drop(busy);
                    answer
                }
            })
        };
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let mut ticks = tokio::time::interval((self.limits.header_timeout / 4).clamp(Duration::from_millis(20), Duration::from_secs(5)));
        let mut stopping = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(cause) = ended {
                        tracing::debug!(%peer, cause = &*cause, "a connection ended with an error");
                    }
                    return;
                }
                () = self.cut.cancelled() => return,
                () = self.stop.cancelled(), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                _ = ticks.tick() => {
                    if activity.is_over(&self.limits) {
                        tracing::debug!(%peer, "cut a connection that asked for nothing");
                        return;
                    }
                }
            }
        }
    }
}

/// Whether a request says to whom it is sent as HTTP wants it: once. HTTP/1.1 does by `Host`, HTTP/2 by a name of its own, beside which `Host`
/// may say the same. A proxy before us could go by one of two, and we by the other.
fn names_one_host(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next(), parts.version) {
        (_, Some(_), _) | (None, None, Version::HTTP_11) => false,
        (Some(host), None, Version::HTTP_2) => {
            parts.uri.authority().is_none_or(|name| name.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()))
        }
        _ => true,
    }
}

/// What happens on a connection: hyper bounds neither the wait for a connection's first bytes, nor its idle time.
#[derive(Debug)]
struct Activity {
    in_flight: AtomicUsize,
    begun: AtomicU64,
    last: Mutex<Instant>,
}

/// A request in flight, until it is dropped.
#[derive(Debug)]
struct Busy(Arc<Activity>);

/// A request in flight, in its extensions: whoever keeps a clone keeps its connection from being taken for idle, as an answer does
/// that goes on.
#[derive(Debug, Clone)]
pub struct InFlight(#[expect(dead_code, reason = "it is there to be dropped")] Arc<Busy>);

impl Activity {
    fn new() -> Self {
        Self { in_flight: AtomicUsize::new(0), begun: AtomicU64::new(0), last: Mutex::new(Instant::now()) }
    }

    fn begin(activity: &Arc<Self>) -> Busy {
        activity.in_flight.fetch_add(1, Ordering::SeqCst);
        activity.begun.fetch_add(1, Ordering::SeqCst);
        Busy(Arc::clone(activity))
    }

    fn is_over(&self, limits: &ServerLimits) -> bool {
        let idle = self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        let allowed = if self.begun.load(Ordering::SeqCst) == 0 { limits.header_timeout } else { limits.idle_timeout };
        self.in_flight.load(Ordering::SeqCst) == 0 && idle > allowed
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Answers in place of a handler that panicked; the panic goes to the log.
async fn catch_panic(request: Request, next: Next) -> Response {
    let id = request.extensions().get::<RequestId>().cloned().unwrap_or_default();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            tracing::error!(request_id = id.as_str(), panic = text.unwrap_or("(not a text)"), "a handler panicked");
            let fault = Error::Corrupt("a handler panicked".into());
            let body = serde_json::json!({ "errors": [{
                "message": fault.public_message(),
                "extensions": { "code": Code::Internal.as_str(), "requestId": id.as_str() },
            }] });
            let headers = [(header::CONTENT_TYPE, "application/json; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
            (StatusCode::INTERNAL_SERVER_ERROR, headers, body.to_string()).into_response()
        }
    }
}
