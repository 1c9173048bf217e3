//! Server-sent events, by the "distinct connections mode" of `graphql-sse`
//! (<https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md>): a POST or a GET that accepts `text/event-stream`, and its answer.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method as HttpMethod};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::operation::{self, Said, Voice, WAITING};
use super::places::Place;
use super::{Live, RECHECKS, is_good};
use crate::error::Error;
use crate::graphql::front_door::{Kind, Method};
use crate::http::graphql::{from_query, media, read_body};
use crate::http::request_id::RequestId;
use crate::http::server::InFlight;
use crate::services::access::Caller;

/// A middleware of the GraphQL path: takes what asks for an event stream, and leaves the rest to it.
pub(in crate::http) async fn divert(State(live): State<Arc<Live>>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), HttpMethod::GET | HttpMethod::POST) && media::wants_events(request.headers()) {
        return answer(live, request).await;
    }
    next.run(request).await
}

/// Answers with an event stream; with an error as by POST where the request is none, or whoever sends it is nobody.
async fn answer(live: Arc<Live>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = parts.extensions.get::<RequestId>().cloned().unwrap_or_default();
    let asked = live.asked(&id);
    let (method, read) = match parts.method {
        HttpMethod::GET => (Method::GetEvents, from_query(&parts.uri)),
        _ => (Method::Socket, read_body(&parts.headers, body, live.max_bytes).await),
    };
    let request = match read {
        Ok(request) => request,
        Err(failed) => return asked.unreadable(&failed),
    };
    let address = live.executor.address(&parts);
    let caller = match live.executor.find(&parts.headers).await {
        Ok(caller) => caller,
        // Whoever guesses at tokens is counted; who is known is, when what they ask for runs.
        Err(refused) => {
            let fault = live.executor.rates.count(Err(refused), address).err().unwrap_or(Error::Unauthenticated);
            return asked.turned_away(&fault);
        }
    };
    let place = live.connections.places.take(address).and_then(|mut place| place.is_of(caller).map(|()| place));
    let place = match place {
        Ok(place) => place,
        Err(fault) => return asked.turned_away(&fault),
    };
    let admitted = live.door.admit(request, method);
    if let Err(refusal) = &admitted
        && refusal.kind == Kind::Method
    {
        return asked.refused(refusal);
    }
    let (to, lines) = mpsc::channel(WAITING);
    let task = {
        let (live, id, parts) = (Arc::clone(&live), id.clone(), parts.clone());
        async move {
            // Where the reader has stopped reading, the operation is over, and the connection is idle.
            let _in_flight = parts.extensions.get::<InFlight>().cloned();
            let voice = Voice { to, of: Box::new(|said| said) };
            match admitted {
                Ok(admitted) => operation::run(&live, &parts, live.asked(&id), admitted, &voice).await,
                Err(refusal) => drop(voice.to.send(Said::Error(live.asked(&id).errors_of_refusal(&refusal))).await),
            }
        }
    };
    let stream =
        Events { task: AbortOnDropHandle::new(tokio::spawn(task)), lines, caller, parts, _place: place, rechecks: 0, ended: false, live };
    let mut response = Response::new(Body::from_stream(stream::unfold(stream, |mut stream| async move {
        let said = stream.next().await?;
        Some((Ok::<_, Infallible>(said), stream))
    })));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// What a stream is made of.
struct Events {
    /// The operation, which ends with its reader.
    task: AbortOnDropHandle<()>,
    lines: mpsc::Receiver<Said>,
    caller: Caller,
    parts: Parts,
    _place: Place,
    rechecks: u32,
    ended: bool,
    live: Arc<Live>,
}

impl Events {
    /// The next piece of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let live = Arc::clone(&self.live);
        let (clock, settings) = (&live.executor.ports.clock, live.connections.settings);
        let mut alive = clock.sleep(settings.keep_alive);
        let mut recheck = clock.sleep(settings.recheck);
        loop {
            tokio::select! {
                biased;
                () = live.connections.stop.cancelled() => return Some(self.end(None)),
                () = &mut recheck => {
                    if !self.is_still_in().await {
                        return Some(self.end(None));
                    }
                    recheck = clock.sleep(settings.recheck);
                }
                said = self.lines.recv() => return Some(match said {
                    Some(Said::Next(result)) => Bytes::from(format!("event: next\ndata: {result}\n\n")),
                    Some(Said::Error(errors)) => self.end(Some(&errors)),
                    Some(Said::Complete | Said::End(_)) | None => self.end(None),
                }),
                () = &mut alive => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }

    /// The last piece, with the errors that it ends with.
    fn end(&mut self, errors: Option<&str>) -> Bytes {
        self.ended = true;
        self.task.abort();
        let last = errors.map(|errors| format!("event: next\ndata: {{\"errors\":{errors}}}\n\n")).unwrap_or_default();
        Bytes::from(last + "event: complete\ndata: \n\n")
    }

    /// Whether the credentials are still good, as far as is known.
    async fn is_still_in(&mut self) -> bool {
        self.rechecks = self.rechecks.wrapping_add(1);
        is_good(&self.live, self.caller, &self.parts.headers, self.rechecks.is_multiple_of(RECHECKS)).await
    }
}
