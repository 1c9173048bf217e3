//! Live updates: operations that stay, over a WebSocket by `graphql-transport-ws` or as server-sent events.
//!
//! An operation passes the same front door and the same guard as any request. One that listens is run anew for each change that it
//! listens for, with what its caller may then; queries and mutations run once, as by POST. What is bounded: connections, of the process,
//! of an address and of a caller; operations of a connection; what waits for a reader, who is dropped where they do not read.
//!
//! This room must never send anything for credentials that are over, nor keep a reader's place for one who is gone.

mod events;
mod message;
mod operation;
mod places;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, State, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HOST, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::business::BusinessExecutor;
use super::graphql::answer::Asked;
use super::graphql::media::Media;
use super::graphql::{Executor as _, begun};
use super::request_id::RequestId;
use super::server::ConnectionSlot;
use crate::config::Statuses;
use crate::error::Code;
use crate::graphql::front_door::{Admitted, FrontDoor};
use crate::services::access::Caller;
use crate::telemetry::Operation;
use places::Places;

pub(super) use events::divert;

/// The subprotocol.
const PROTOCOL: &str = "graphql-transport-ws";
/// How many changes are read at once, for everybody who listens: the other connections to the database are for requests.
const READS_AT_ONCE: usize = 4;

/// Whether a text is a message of `graphql-transport-ws` from a client: for those who look for one that its reader does not bear.
pub fn reads_message(text: &str) -> bool {
    message::Heard::read(text).is_some()
}

/// What live connections may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveSettings {
    /// Connections of this process.
    pub connections: usize,
    /// Connections of one person or key; 0 for no such limit.
    pub per_caller: usize,
    /// Connections from one address; 0 for no such limit.
    pub per_address: usize,
    /// Operations of one connection at a time.
    pub operations: usize,
    /// How long a socket may take to say who it is.
    pub init_time: Duration,
    /// From one look at a connection's credentials to the next. Every sixth asks the database.
    pub recheck: Duration,
    /// From one sign of life to the next.
    pub keep_alive: Duration,
    /// How long a reader may keep what is theirs waiting.
    pub slow: Duration,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            connections: 512,
            per_caller: 32,
            per_address: 128,
            operations: 20,
            init_time: Duration::from_secs(5),
            recheck: Duration::from_secs(5),
            keep_alive: Duration::from_secs(15),
            slow: Duration::from_secs(10),
        }
    }
}

/// The live connections of this process.
pub struct Connections {
    /// What they may take.
    settings: LiveSettings,
    /// Who has how many.
    places: Arc<Places>,
    /// The places of those who read what changed.
    reads: Semaphore,
    /// Tells them to end.
    stop: CancellationToken,
    /// The sockets.
    sockets: TaskTracker,
}

impl Connections {
    /// None yet.
    pub fn new(settings: LiveSettings) -> Arc<Self> {
        Arc::new(Self {
            settings,
            places: Places::new(settings.connections, settings.per_caller, settings.per_address),
            reads: Semaphore::new(READS_AT_ONCE),
            stop: CancellationToken::new(),
            sockets: TaskTracker::new(),
        })
    }

    /// How many there are.
    pub fn open(&self) -> usize {
        self.places.taken()
    }

    /// Tells all of them that the server goes away, and takes no more.
    pub fn stop(&self) {
        self.stop.cancel();
        self.sockets.close();
    }

    /// Waits until all sockets are closed, for so long at most; answers whether they are.
    pub async fn stopped(&self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.sockets.wait()).await.is_ok()
    }
}

/// What live operations run with.
pub(super) struct Live {
    /// Runs them.
    pub(super) executor: Arc<BusinessExecutor>,
    /// Lets them in.
    pub(super) door: Arc<FrontDoor>,
    /// Bytes of a message, and of a body.
    pub(super) max_bytes: usize,
    /// How long a query or mutation may take.
    pub(super) time_limit: Duration,
    /// How statuses are chosen.
    pub(super) statuses: Statuses,
    /// The connections of this process.
    pub(super) connections: Arc<Connections>,
    /// Origins whose pages may open a socket, beside our own.
    pub(super) origins: Vec<HeaderValue>,
}

impl Live {
    /// How answers to a request are written.
    fn asked<'r>(&'r self, id: &'r RequestId) -> Asked<'r> {
        let (bounds, metrics) = (self.door.limits().bounds, self.executor.ports.telemetry.metrics());
        let (api, statuses) = (BusinessExecutor::API, self.statuses);
        Asked { media: Media::Json, request_id: id.as_str(), bounds, api, metrics, statuses, cost: None }
    }

    /// Begins an operation that was let in.
    fn begin(&self, parts: &Parts, asked: Asked<'_>, admitted: &Admitted) -> Operation {
        let begun = begun(asked.api, asked.request_id, admitted, self.executor.caller_span(parts));
        self.executor.ports.telemetry.operation(begun)
    }

    /// Whether a page may open a socket: browsers say from where it is, and let any page of any site try. Who sends no origin is no
    /// browser.
    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let mut sent = headers.get_all(ORIGIN).iter();
        let Some(origin) = sent.next() else { return true };
        if sent.next().is_some() {
            return false;
        }
        self.origins.contains(origin) || is_own(origin, headers.get(HOST))
    }
}

/// Whether an origin is the host that was asked.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), host.map(HeaderValue::to_str)) else { return false };
    origin.split_once("://").is_some_and(|(scheme, authority)| matches!(scheme, "http" | "https") && authority.eq_ignore_ascii_case(host))
}

/// How many looks at a connection's credentials there are to one at the database.
const RECHECKS: u32 = 6;

/// Whether the credentials of a connection are still good, as far as is known: a token says by itself whether it is over, anything else
/// is asked of the database, where it is looked at thoroughly.
async fn is_good(live: &Live, caller: Caller, headers: &HeaderMap, thoroughly: bool) -> bool {
    let by_itself = matches!(caller, Caller::User { .. });
    let found = if by_itself || thoroughly { live.executor.find(headers).await.map(drop) } else { Ok(()) };
    let found = match found {
        Ok(()) if thoroughly && caller != Caller::Anonymous => live.executor.is_still_in(caller).await,
        found => found,
    };
    match found {
        Ok(()) => true,
        Err(fault) if fault.code() == Code::Unauthenticated => false,
        Err(fault) => {
            // The database is away: nothing can be told meanwhile either.
            tracing::warn!(error = &fault as &dyn std::error::Error, "a connection's credentials could not be looked at");
            true
        }
    }
}

/// Where sockets are opened.
pub(super) fn router(path: &str, live: Arc<Live>) -> Router {
    Router::new().route(path, any(open)).with_state(live)
}

/// Opens a socket.
async fn open(State(live): State<Arc<Live>>, request: http::Request<Body>) -> Response {
    let (mut parts, _body) = request.into_parts();
    let id = parts.extensions.get::<RequestId>().cloned().unwrap_or_default();
    let asked = live.asked(&id);
    if !live.lets_in(&parts.headers) {
        return asked.malformed(StatusCode::FORBIDDEN, "Pages of this origin may not open a socket here.");
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return no_upgrade(asked, axum::response::IntoResponse::into_response(refused).status()),
    };
    if !has_key(&parts.headers) {
        return no_upgrade(asked, StatusCode::BAD_REQUEST);
    }
    let place = match live.connections.places.take(live.executor.address(&parts)) {
        Ok(place) => place,
        Err(fault) => return asked.turned_away(&fault),
    };
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(live.max_bytes).max_frame_size(live.max_bytes);
    let speaks = upgrade.selected_protocol().is_some();
    let (slot, bare) = (parts.extensions.get::<ConnectionSlot>().cloned(), without_body(&mut parts));
    let shared = Arc::clone(&live);
    upgrade.on_failed_upgrade(|error| tracing::debug!(%error, "a socket could not be opened")).on_upgrade(move |socket| {
        let sockets = shared.connections.sockets.clone();
        sockets.track_future(async move {
            let _slot = slot;
            socket::serve(shared, socket, bare, place, speaks).await;
        })
    })
}

/// The answer to a request that opens no socket: how one would.
fn no_upgrade(asked: Asked<'_>, status: StatusCode) -> Response {
    let message = "This is the place of WebSockets.";
    if status == StatusCode::METHOD_NOT_ALLOWED {
        return asked.wrong_method("GET", message);
    }
    let mut response = asked.malformed(status, message);
    response.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

/// Whether a request has a key as RFC 6455 wants it: sixteen bytes, once.
fn has_key(headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (sent.next(), sent.next()) else { return false };
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16)
}

/// What a connection's operations know of the request that opened it.
fn without_body(parts: &mut Parts) -> Parts {
    let (mut kept, ()) = http::Request::new(()).into_parts();
    kept.headers = std::mem::take(&mut parts.headers);
    if let Some(peer) = parts.extensions.get::<axum::extract::ConnectInfo<std::net::SocketAddr>>() {
        kept.extensions.insert(*peer);
    }
    if let Some(id) = parts.extensions.get::<RequestId>() {
        kept.extensions.insert(id.clone());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_was_asked_is_our_own_origin() {
        let own =
            |origin: &'static str, host: &'static str| is_own(&HeaderValue::from_static(origin), Some(&HeaderValue::from_static(host)));
        assert!(own("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(own("https://API.example.com", "api.example.com"));
        for (origin, host) in [
            ("https://evil.example", "api.example.com"),
            ("https://api.example.com:8443", "api.example.com"),
            ("https://api.example.com.evil.example", "api.example.com"),
            ("null", "api.example.com"),
            ("file://api.example.com", "api.example.com"),
        ] {
            assert!(!own(origin, host), "{origin} {host}");
        }
        assert!(!is_own(&HeaderValue::from_static("https://api.example.com"), None));
    }
}
