//! GraphQL over HTTP (<https://graphql.github.io/graphql-over-http/draft/>), for any schema behind an [`Executor`].
//!
//! | what                                                         | `…graphql-response+json` | `application/json` |
//! |--------------------------------------------------------------|--------------------------|--------------------|
//! | executed, with or without errors of fields                   | 200                      | 200                |
//! | document does not parse or validate; variables; cost         | 400                      | 200                |
//! | document of that name unknown; document not trusted          | 400                      | 200                |
//! | body or query string is no request; a batch                  | 400                      | 400                |
//! | no caller, or the caller's token is bad (`WWW-Authenticate`) | 401                      | 401                |
//! | the caller may not                                           | 403                      | 403                |
//! | a mutation by GET; neither GET nor POST (`Allow`)            | 405                      | 405                |
//! | `Accept` leaves neither type (answered as JSON)              |                          | 406                |
//! | the body takes too long to arrive                            | 408                      | 408                |
//! | a body over the limit                                        | 413                      | 413                |
//! | a body that is not JSON in UTF-8                             | 415                      | 415                |
//! | too many requests (`Retry-After`)                            | 429                      | 429                |
//! | a fault of ours                                              | 500                      | 500                |
//! | the operation takes too long                                 | 504                      | 504                |
//!
//! By the statuses of the draft of 2026, where the operator chose them, the first of these types has 422 for a document that does not
//! validate, for variables, cost, and JSON that is no request; and 294 for what was executed with errors of fields.
//!
//! Every error carries `extensions.code` of the closed list and `extensions.requestId`. A field's error is masked
//! unless it carries [`crate::error::Error`] as its source or a code of that list. An answer to what was let in says in
//! `extensions.cost` what it costs.
//!
//! This room must never run a document that the front door did not let in, nor take a body of a type that a page of
//! another site can send unasked.

pub(in crate::http) mod answer;
pub(crate) mod media;
pub(crate) mod stored;
pub(crate) mod upload;

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method as HttpMethod, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use tokio::sync::Semaphore;

use crate::clock::SharedClock;
pub use crate::config::{Introspection, Statuses};
use crate::error::{Error, Exceeded};
use crate::graphql::front_door::{Admitted, FrontDoor, GraphqlRequest, Method};
use crate::graphql::page::MAX_PAGE;
use crate::http::body::BodyTimedOut;
use crate::http::request_id::RequestId;

use crate::telemetry::{Begun, CallerSpan, Telemetry};
use answer::Asked;
use media::Media;
use stored::Stored;

/// How many requests with files are read and run at once.
const UPLOADS_AT_ONCE: usize = 4;
/// How long a request with files that finds no place is told to wait.
const UPLOADS_AGAIN: Duration = Duration::from_secs(5);
/// How long an operation with files may take: they are sealed, and stored elsewhere.
const UPLOAD_TIME: Duration = Duration::from_mins(1);

/// Runs what the front door let in.
pub trait Executor: Send + Sync + 'static {
    /// Which API it runs.
    const API: &'static str = "business";
    /// Whether requests may bring files.
    const TAKES_FILES: bool = false;

    /// Whether whoever `parts` name may send files: asked before the body is read. Their operation is still refused or not by itself.
    fn may_upload(&self, _parts: &Parts) -> impl Future<Output = Result<(), Error>> + Send {
        async { Err(Error::Forbidden) }
    }

    /// Where its operations are told.
    fn telemetry(&self) -> Telemetry {
        Telemetry::default()
    }

    /// The span that an operation is sent within, where whoever says so is believed.
    fn caller_span(&self, _parts: &Parts) -> Option<CallerSpan> {
        None
    }

    /// Runs an operation for the caller that `parts` (headers, extensions) name.
    ///
    /// An `Err` stops the request as a whole: [`Error::Unauthenticated`] where a token was sent that is not good,
    /// [`Error::RateLimited`]. The future is dropped when the client goes or time is over, so work that must not stop half way
    /// runs in a task of its own.
    fn execute(&self, parts: &Parts, admitted: Admitted) -> impl Future<Output = Result<async_graphql::Response, Error>> + Send;
}

impl<E: Executor> Executor for Arc<E> {
    const API: &'static str = E::API;
    const TAKES_FILES: bool = E::TAKES_FILES;

    fn telemetry(&self) -> Telemetry {
        E::telemetry(self)
    }

    fn caller_span(&self, parts: &Parts) -> Option<CallerSpan> {
        E::caller_span(self, parts)
    }

    async fn may_upload(&self, parts: &Parts) -> Result<(), Error> {
        E::may_upload(self, parts).await
    }

    async fn execute(&self, parts: &Parts, admitted: Admitted) -> Result<async_graphql::Response, Error> {
        E::execute(self, parts, admitted).await
    }
}

/// What a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of a body.
    pub max_body_bytes: usize,
    /// Time from admission to answer.
    pub time_limit: Duration,
    /// How statuses are chosen.
    pub statuses: Statuses,
    /// Who may ask for the schema.
    pub introspection: Introspection,
    /// The most rows of a page.
    pub page_rows: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_body_bytes: 1024 * 1024,
            time_limit: Duration::from_secs(10),
            statuses: Statuses::Settled,
            introspection: Introspection::Everybody,
            page_rows: MAX_PAGE,
        }
    }
}

struct Shared<E> {
    door: Arc<FrontDoor>,
    executor: E,
    telemetry: Telemetry,
    settings: Settings,
    /// The places of requests with files.
    uploads: Semaphore,
}

/// Whether a body of this `Content-Type` is a form with files, read as the server reads it and then dropped: for those who look for
/// one that it does not bear.
pub async fn reads_form(content_type: &str, body: Bytes) -> bool {
    let Ok(content_type) = HeaderValue::from_str(content_type) else { return false };
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, content_type)]);
    let opened = upload::Form::open(&headers, Body::from(body), Settings::default().max_body_bytes, false).await;
    let Ok((_, form)) = opened else { return false };
    form.files().await.is_ok()
}

/// What answers the paths of one schema.
pub struct Endpoint<E>(Arc<Shared<E>>);

impl<E: Executor> Endpoint<E> {
    /// Answers what passes `door` by `executor`.
    pub fn new(door: Arc<FrontDoor>, executor: E, settings: Settings) -> Self {
        let telemetry = executor.telemetry();
        Self(Arc::new(Shared { door, executor, telemetry, settings, uploads: Semaphore::new(UPLOADS_AT_ONCE) }))
    }

    /// The handler of the GraphQL path.
    pub fn handler<S: Clone + Send + Sync + 'static>(&self) -> MethodRouter<S> {
        let shared = Arc::clone(&self.0);
        any(move |request: http::Request<Body>| {
            let shared = Arc::clone(&shared);
            async move { shared.answer(request).await }
        })
    }

    /// The handler of a path that stands for a document by each of its methods.
    pub(crate) fn stored<S: Clone + Send + Sync + 'static>(&self, all: &'static [Stored], clock: SharedClock) -> MethodRouter<S> {
        stored::handler(&self.0, all, clock)
    }
}

/// The handler of a GraphQL path.
pub fn handler<E: Executor, S: Clone + Send + Sync + 'static>(door: Arc<FrontDoor>, executor: E, settings: Settings) -> MethodRouter<S> {
    Endpoint::new(door, executor, settings).handler()
}

/// Why a request could not be read.
#[derive(Clone, Copy)]
pub(in crate::http) struct Unreadable {
    /// That of the answer; 422 is told as 400 but by the statuses of the draft.
    pub(in crate::http) status: StatusCode,
    /// One sentence.
    message: &'static str,
    /// The limit that was passed: its code, and the number.
    limit: Option<(&'static str, usize)>,
}

impl Unreadable {
    /// What is told of it.
    fn told(&self) -> Cow<'static, str> {
        let numbered = |(_, limit)| Cow::Owned(format!("{} The limit is {limit} bytes.", self.message));
        self.limit.map_or(Cow::Borrowed(self.message), numbered)
    }

    /// The limit that was passed.
    fn exceeded(&self) -> Option<Exceeded> {
        self.limit.map(|(code, limit)| Exceeded { code, reached: None, limit: u64::try_from(limit).unwrap_or(u64::MAX) })
    }
}

const fn unreadable(status: StatusCode, message: &'static str) -> Unreadable {
    Unreadable { status, message, limit: None }
}

/// A body of more bytes than that.
const fn too_large(limit: usize) -> Unreadable {
    let message = "The body is larger than the server takes.";
    Unreadable { status: StatusCode::PAYLOAD_TOO_LARGE, message, limit: Some(("BODY_BYTES", limit)) }
}

const NOT_A_REQUEST: Unreadable = unreadable(
    StatusCode::UNPROCESSABLE_ENTITY,
    "A request has a string `query` or `documentId`, and may have a string `operationName` and objects `variables` and `extensions`, each once.",
);

impl<E: Executor> Shared<E> {
    /// How answers to a request are written, and what they need.
    fn asked<'a>(&'a self, media: Media, request_id: &'a RequestId) -> Asked<'a> {
        let (bounds, metrics) = (self.door.limits().bounds, self.telemetry.metrics());
        Asked { media, request_id: request_id.as_str(), bounds, api: E::API, metrics, statuses: self.settings.statuses, cost: None }
    }

    async fn answer(&self, request: http::Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_default();
        let negotiated = media::negotiate(&parts.headers);
        let asked = self.asked(negotiated.unwrap_or(Media::Json), &request_id);
        if negotiated.is_none() {
            let message = "Answers are application/graphql-response+json or application/json, in UTF-8.";
            return asked.malformed(StatusCode::NOT_ACCEPTABLE, message);
        }
        if E::TAKES_FILES && parts.method == HttpMethod::POST && media::is_form(&parts.headers) {
            return self.upload(asked, parts, body, None).await;
        }
        let (method, read) = match parts.method {
            HttpMethod::GET => (Method::Get, from_query(&parts.uri)),
            HttpMethod::POST => (Method::Post, read_body(&parts.headers, body, self.settings.max_body_bytes).await),
            _ => return asked.wrong_method("GET, POST", "GraphQL is asked by GET or POST."),
        };
        let request = match read {
            Ok(request) => request,
            Err(failed) => return asked.unreadable(&failed),
        };
        let admitted = match self.door.admit(request, method) {
            Ok(admitted) => admitted,
            Err(refusal) => return asked.refused(&refusal),
        };
        self.run(asked, &parts, admitted, self.settings.time_limit).await
    }

    /// Answers a request that brings files, for the document that it sends, or for the `stored` one of its path: who sends them and what
    /// for is looked at before any of them is read.
    async fn upload(&self, asked: Asked<'_>, mut parts: Parts, body: Body, stored: Option<&'static str>) -> Response {
        if parts.headers.get(upload::PREFLIGHT).is_none_or(HeaderValue::is_empty) {
            return asked.malformed(StatusCode::BAD_REQUEST, "A multipart request needs the header GraphQL-Require-Preflight: 1.");
        }
        if let Err(fault) = self.executor.may_upload(&parts).await {
            return asked.turned_away(&fault);
        }
        let Ok(_place) = self.uploads.try_acquire() else {
            return asked.turned_away(&Error::come_again(UPLOADS_AGAIN));
        };
        let limit = upload::body_limit(self.settings.max_body_bytes);
        if announced(&parts.headers).is_some_and(|length| length > limit) {
            return asked.unreadable(&too_large(limit));
        }
        let (request, form) = match upload::Form::open(&parts.headers, body, self.settings.max_body_bytes, stored.is_some()).await {
            Ok(opened) => opened,
            Err(failed) => return asked.unreadable(&failed),
        };
        let admitted = match stored {
            Some(document) => self.door.admit_own(document, request, Method::Post),
            None => self.door.admit(request, Method::Post),
        };
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => return asked.refused(&refusal),
        };
        match form.files().await {
            Ok(files) => drop(parts.extensions.insert(files)),
            Err(failed) => return asked.unreadable(&failed),
        }
        self.run(asked, &parts, admitted, UPLOAD_TIME).await
    }

    /// Runs what was let in, within `limit`.
    async fn run(&self, asked: Asked<'_>, parts: &Parts, admitted: Admitted, limit: Duration) -> Response {
        let asked = asked.costing(admitted.cost);
        let operation = self.telemetry.operation(begun(E::API, asked.request_id, &admitted, self.executor.caller_span(parts)));
        let running = operation.run(self.executor.execute(parts, admitted));
        match tokio::time::timeout(limit, running).await {
            Ok(Ok(response)) => {
                let answer = asked.executed(&response);
                operation.end(answer::first_code(&response));
                answer
            }
            Ok(Err(fault)) => {
                operation.end(Some(fault.code()));
                asked.stopped(&fault)
            }
            Err(_elapsed) => {
                let fault = Error::Timeout { limit };
                operation.end(Some(fault.code()));
                asked.stopped(&fault)
            }
        }
    }
}

/// What is told of an operation that was let in.
pub(in crate::http) fn begun(api: &'static str, request_id: &str, admitted: &Admitted, caller: Option<CallerSpan>) -> Begun {
    Begun {
        api,
        kind: admitted.kind.as_str(),
        name: admitted.operation_name.clone(),
        cost: admitted.cost.requested,
        document: admitted.document,
        request_id: request_id.to_owned(),
        caller,
    }
}

/// The request of a body of at most `limit` bytes.
///
/// # Errors
/// How it is none.
pub(in crate::http) async fn read_body(headers: &HeaderMap, body: Body, limit: usize) -> Result<GraphqlRequest, Unreadable> {
    let bytes = read_json(headers, body, limit).await?;
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => {}
        // A list would be read as the fields of a request in their order.
        Some(b'[') => {
            return Err(unreadable(StatusCode::UNPROCESSABLE_ENTITY, "Batches are not accepted: one request, one operation."));
        }
        _ => return Err(unreadable(StatusCode::BAD_REQUEST, "The body is a JSON object.")),
    }
    let payload: Payload = serde_json::from_slice(&bytes).map_err(|error| {
        if error.is_data() { NOT_A_REQUEST } else { unreadable(StatusCode::BAD_REQUEST, "The body is not valid JSON.") }
    })?;
    payload.into_request()
}

/// The bytes of a body that says it is JSON, and has at most `limit` bytes.
async fn read_json(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Unreadable> {
    if !media::is_json(headers) || headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(unreadable(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is application/json in UTF-8, and not compressed."));
    }
    collect(headers, body, limit).await
}

async fn collect(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Unreadable> {
    if announced(headers).is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if caused_by::<LengthLimitError>(&*error) => Err(too_large(limit)),
        Err(error) if caused_by::<BodyTimedOut>(&*error) => {
            Err(unreadable(StatusCode::REQUEST_TIMEOUT, "The body took too long to arrive."))
        }
        Err(_) => Err(unreadable(StatusCode::BAD_REQUEST, "The body ended early.")),
    }
}

/// How many bytes a body is said to have.
fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok())
}

/// Whether `error` is a `T`, or stands for one.
fn caused_by<T: std::error::Error + 'static>(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<T>)
}

/// A request as JSON; each key at most once, which serde holds, others ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Payload {
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<Map<String, Json>>,
    extensions: Option<Map<String, Json>>,
}

impl Payload {
    /// The request, which says which document it is for.
    pub(in crate::http) fn into_request(self) -> Result<GraphqlRequest, Unreadable> {
        let request = self.bare();
        if request.has_document() { Ok(request) } else { Err(NOT_A_REQUEST) }
    }

    /// The request for a document of ours, which must come without any.
    fn for_stored(self) -> Result<GraphqlRequest, Unreadable> {
        let request = self.bare();
        if request.has_document() {
            return Err(unreadable(StatusCode::BAD_REQUEST, "This path has its own document: send no `query`, and name no other."));
        }
        Ok(request)
    }

    /// The request, with or without a document.
    fn bare(self) -> GraphqlRequest {
        GraphqlRequest {
            query: self.query,
            document_id: self.document_id,
            operation_name: self.operation_name,
            variables: self.variables.unwrap_or_default(),
            extensions: self.extensions.unwrap_or_default(),
        }
    }
}

/// A request from a query string, `variables` and `extensions` being JSON in it.
///
/// # Errors
/// How it is none.
pub(in crate::http) fn from_query(uri: &Uri) -> Result<GraphqlRequest, Unreadable> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| NOT_A_REQUEST)?;
    let mut payload = Payload { query: None, document_id: None, operation_name: None, variables: None, extensions: None };
    for (key, value) in pairs {
        let taken = match key.as_str() {
            "query" => payload.query.replace(value).is_some(),
            "documentId" => payload.document_id.replace(value).is_some(),
            "operationName" => payload.operation_name.replace(value).is_some(),
            "variables" => std::mem::replace(&mut payload.variables, object(&value)?).is_some(),
            "extensions" => std::mem::replace(&mut payload.extensions, object(&value)?).is_some(),
            _ => false,
        };
        if taken {
            return Err(NOT_A_REQUEST);
        }
    }
    // By GET an empty name is none.
    payload.operation_name = payload.operation_name.filter(|name| !name.is_empty());
    payload.into_request()
}

fn object(text: &str) -> Result<Option<Map<String, Json>>, Unreadable> {
    serde_json::from_str(text).map_err(|_| NOT_A_REQUEST)
}
