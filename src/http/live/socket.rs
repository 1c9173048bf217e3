//! A WebSocket that speaks `graphql-transport-ws`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Map, Value as Json};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::message::{self, Close, Heard};
use super::operation::{self, End, Said, Voice, WAITING};
use super::places::Place;
use super::{Live, RECHECKS, is_good};
use crate::error::{Code, Error};
use crate::graphql::front_door::{GraphqlRequest, Method};
use crate::http::guard::BUSINESS;
use crate::http::request_id::RequestId;
use crate::services::access::Caller;

/// How long the last word may take.
const LAST_WORD: Duration = Duration::from_secs(1);
/// How many signs of life a peer may leave unanswered.
const SILENT: u32 = 3;

/// What an operation says, and which.
struct Line {
    /// Its id.
    id: Arc<str>,
    /// Which of those that had this id.
    serial: u64,
    /// What.
    said: Said,
}

/// An operation under way.
struct Running {
    serial: u64,
    task: AbortHandle,
}

/// A socket that is open.
struct Connection {
    live: Arc<Live>,
    socket: WebSocket,
    /// The request that opened it, with the credentials that it was begun with.
    parts: Arc<Parts>,
    request_id: RequestId,
    place: Place,
    /// Who it is; nobody before the beginning.
    caller: Option<Caller>,
    running: HashMap<Arc<str>, Running>,
    tasks: JoinSet<()>,
    lines: (mpsc::Sender<Line>, mpsc::Receiver<Line>),
    serial: u64,
}

/// Serves a socket until it is over.
pub(super) async fn serve(live: Arc<Live>, socket: WebSocket, parts: Parts, place: Place, speaks: bool) {
    let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_default();
    let lines = mpsc::channel(WAITING);
    let mut connection = Connection {
        live,
        socket,
        parts: Arc::new(parts),
        request_id,
        place,
        caller: None,
        running: HashMap::new(),
        tasks: JoinSet::new(),
        lines,
        serial: 0,
    };
    // `None`: the peer has closed it, or is gone.
    let closed = if speaks { Box::pin(connection.run()).await } else { Err(Some(message::NOT_SPOKEN)) };
    if let Err(Some(Close(code, reason))) = closed {
        tracing::debug!(request_id = connection.request_id.as_str(), code, reason, "closing a socket");
        let last = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
        if !tokio::time::timeout(LAST_WORD, connection.socket.send(last)).await.is_ok_and(|sent| sent.is_ok()) {
            return;
        }
    }
    // Until the peer has heard the last word, or it was answered, so that it is not lost with the connection.
    let heard = async { while let Some(Ok(_)) = connection.socket.recv().await {} };
    if tokio::time::timeout(LAST_WORD, heard).await.is_err() {
        tracing::debug!("a peer did not answer the end of its socket");
    }
}

/// How a socket ends: with a word of ours, or without.
type Ended = Result<std::convert::Infallible, Option<Close>>;

impl Connection {
    /// Hears and says until it is over.
    async fn run(&mut self) -> Ended {
        let live = Arc::clone(&self.live);
        let (clock, settings, stop) = (&live.executor.ports.clock, live.connections.settings, live.connections.stop.clone());
        let mut begin_by = clock.sleep(settings.init_time);
        let mut recheck = clock.sleep(settings.recheck);
        let mut alive = clock.sleep(settings.keep_alive);
        let (mut looks, mut silent) = (0_u32, 0_u32);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Err(Some(message::GOING_AWAY)),
                () = &mut begin_by, if self.caller.is_none() => return Err(Some(message::INIT_TIMEOUT)),
                () = &mut recheck => {
                    looks = looks.wrapping_add(1);
                    self.recheck(looks.is_multiple_of(RECHECKS)).await?;
                    recheck = clock.sleep(settings.recheck);
                }
                () = &mut alive => {
                    silent = silent.saturating_add(1);
                    if silent > SILENT {
                        return Err(None);
                    }
                    self.send(Message::Ping(bytes::Bytes::new())).await?;
                    alive = clock.sleep(settings.keep_alive);
                }
                Some(done) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if done.is_err_and(|error| error.is_panic()) {
                        tracing::error!(request_id = self.request_id.as_str(), "an operation panicked");
                        return Err(Some(message::FAULT));
                    }
                }
                said = self.lines.1.recv() => {
                    if let Some(said) = said {
                        self.pass_on(said).await?;
                    }
                }
                heard = self.socket.recv() => {
                    silent = 0;
                    match heard {
                        Some(Ok(Message::Text(text))) => self.hear(&text).await?,
                        Some(Ok(Message::Binary(_))) => return Err(Some(message::NO_MESSAGE)),
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_))) | None => return Err(None),
                        // What breaks the protocol of WebSockets, a message that is too long among it.
                        Some(Err(error)) => {
                            tracing::debug!(%error, "a socket failed");
                            return Err(Some(message::NO_MESSAGE));
                        }
                    }
                }
            }
        }
    }

    /// Does what a message asks.
    async fn hear(&mut self, text: &str) -> Result<(), Option<Close>> {
        match Heard::read(text).ok_or(Some(message::NO_MESSAGE))? {
            Heard::Init(payload) => self.begin(payload).await,
            Heard::Ping(payload) => self.send(Message::text(message::pong(payload))).await,
            Heard::Pong => Ok(()),
            Heard::Subscribe(id, request) => self.subscribe(id, *request).await,
            Heard::Complete(id) => {
                if let Some(running) = self.running.remove(id.as_str()) {
                    running.task.abort();
                }
                Ok(())
            }
        }
    }

    /// Finds who it is: by the payload, else by the header of the request, which browsers cannot send.
    async fn begin(&mut self, payload: Map<String, Json>) -> Result<(), Option<Close>> {
        if self.caller.is_some() {
            return Err(Some(message::INIT_AGAIN));
        }
        let mut parts = (*self.parts).clone();
        for (key, value) in payload {
            let name = if key.eq_ignore_ascii_case("authorization") {
                AUTHORIZATION
            } else if key.eq_ignore_ascii_case(BUSINESS) {
                http::HeaderName::from_static(BUSINESS)
            } else {
                continue;
            };
            let value = value.as_str().and_then(|text| HeaderValue::from_str(text).ok()).ok_or(Some(message::FORBIDDEN))?;
            parts.headers.insert(name, value);
        }
        let caller = match self.live.executor.caller(&parts).await {
            Ok(Caller::Anonymous) => return Err(Some(message::FORBIDDEN)),
            Ok(caller) => caller,
            Err(fault) => return Err(Some(close_for(&fault))),
        };
        self.live.executor.is_still_in(caller).await.map_err(|fault| Some(close_for(&fault)))?;
        self.place.is_of(caller).map_err(|_| Some(message::TOO_MANY))?;
        self.parts = Arc::new(parts);
        self.caller = Some(caller);
        self.send(Message::text(message::ACK)).await
    }

    /// Looks at the credentials again.
    async fn recheck(&mut self, thoroughly: bool) -> Result<(), Option<Close>> {
        let Some(caller) = self.caller else { return Ok(()) };
        if is_good(&self.live, caller, &self.parts.headers, thoroughly).await { Ok(()) } else { Err(Some(message::FORBIDDEN)) }
    }

    /// Begins an operation.
    async fn subscribe(&mut self, id: String, request: GraphqlRequest) -> Result<(), Option<Close>> {
        if self.caller.is_none() {
            return Err(Some(message::UNAUTHORIZED));
        }
        if self.running.contains_key(id.as_str()) {
            return Err(Some(message::SAME_ID));
        }
        let asked = self.live.asked(&self.request_id);
        if self.running.len() >= self.live.connections.settings.operations {
            let fault = Error::come_again(Duration::from_secs(1));
            return self.say(&id, "error", Some(&asked.errors_of_fault(&fault))).await;
        }
        let admitted = match self.live.door.admit(request, Method::Socket) {
            Ok(admitted) => admitted,
            Err(refusal) => return self.say(&id, "error", Some(&asked.errors_of_refusal(&refusal))).await,
        };
        self.serial = self.serial.wrapping_add(1);
        let (id, serial): (Arc<str>, u64) = (id.into(), self.serial);
        let (live, parts, request_id) = (Arc::clone(&self.live), Arc::clone(&self.parts), self.request_id.clone());
        let of = {
            let id = Arc::clone(&id);
            Box::new(move |said| Line { id: Arc::clone(&id), serial, said })
        };
        let voice = Voice { to: self.lines.0.clone(), of };
        let task = self.tasks.spawn(async move { operation::run(&live, &parts, live.asked(&request_id), admitted, &voice).await });
        self.running.insert(id, Running { serial, task });
        Ok(())
    }

    /// Passes on what an operation said, unless it was ended meanwhile.
    async fn pass_on(&mut self, line: Line) -> Result<(), Option<Close>> {
        let Line { id, serial, said } = line;
        if let Said::End(end) = said {
            return Err(Some(match end {
                End::Unauthenticated => message::FORBIDDEN,
                End::Slow => message::TOO_SLOW,
            }));
        }
        if self.running.get(&id).is_none_or(|running| running.serial != serial) {
            return Ok(());
        }
        match said {
            Said::Next(payload) => self.say(&id, "next", Some(&payload)).await,
            Said::Error(errors) => {
                self.running.remove(&id);
                self.say(&id, "error", Some(&errors)).await
            }
            Said::Complete | Said::End(_) => {
                self.running.remove(&id);
                self.say(&id, "complete", None).await
            }
        }
    }

    /// Says something of an operation.
    async fn say(&mut self, id: &str, kind: &str, payload: Option<&str>) -> Result<(), Option<Close>> {
        self.send(Message::text(message::about(id, kind, payload))).await
    }

    /// Sends a message, to one who reads.
    async fn send(&mut self, message: Message) -> Result<(), Option<Close>> {
        match tokio::time::timeout(self.live.connections.settings.slow, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a socket is gone");
                Err(None)
            }
            Err(_elapsed) => Err(Some(message::TOO_SLOW)),
        }
    }
}

/// The close for credentials that do not let one in.
fn close_for(fault: &Error) -> Close {
    match fault.code() {
        Code::Unauthenticated | Code::Forbidden => message::FORBIDDEN,
        Code::RateLimited => message::TOO_MANY,
        _ => {
            tracing::error!(error = fault as &dyn std::error::Error, "a socket could not begin");
            message::FAULT
        }
    }
}
