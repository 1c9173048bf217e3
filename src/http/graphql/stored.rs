//! A stored document behind a path of its own, for clients that speak no GraphQL: the same front door, the same guard, the same
//! executor; the answer is the operation's `data`.
//!
//! | what                                                  | status              | body                                   |
//! |-------------------------------------------------------|---------------------|----------------------------------------|
//! | executed                                              | 200                 | the data                               |
//! | executed, and a field of it failed                    | 200                 | the data, and `errors` beside it       |
//! | refused by `userErrors`, nothing changed              | 422                 | the data                               |
//! | nothing of it could be answered                       | that of its error   | `errors` alone                         |
//! | refused before it ran                                 | as for GraphQL      | `errors` alone                         |

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Query;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method as HttpMethod, StatusCode, Uri};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::media::{self, Media};
use super::{Executor, NOT_A_REQUEST, Shared, Unreadable, read_json, unreadable};
use crate::clock::SharedClock;
use crate::graphql::front_door::{GraphqlRequest, Method};
use crate::http::request_id::RequestId;

/// The header that carries a key, in a request and in the answer.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that says that the key was made here.
pub(crate) const KEY_DERIVED: HeaderName = HeaderName::from_static("idempotency-key-derived");
/// The field of an input that is its key.
const KEY_FIELD: &str = "idempotencyKey";

/// How a variable is written in a query string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As it is.
    Text,
    /// A whole number.
    Number,
}

/// Where the variables of a stored document come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// The query string, by GET.
    Parameters(&'static [(&'static str, Kind)]),
    /// The body is `input`, by this method.
    Input {
        /// POST or PUT.
        method: &'static str,
        /// Whether the input has an idempotency key.
        is_keyed: bool,
    },
}

impl Takes {
    /// By which method.
    const fn method(self) -> &'static str {
        match self {
            Self::Parameters(_) => "GET",
            Self::Input { method, .. } => method,
        }
    }
}

/// A document of one operation that a path stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its text.
    pub(crate) document: &'static str,
    /// What it needs.
    pub(crate) takes: Takes,
}

/// Which key a change is sent with, where that is not said in its body.
#[derive(Debug)]
struct Key {
    value: HeaderValue,
    is_derived: bool,
}

impl Stored {
    /// The request that the query string asks.
    fn by_parameters(taken: &[(&str, Kind)], uri: &Uri) -> Result<GraphqlRequest, Unreadable> {
        let unknown = unreadable(StatusCode::BAD_REQUEST, "The query string has a parameter that this path does not take, or takes once.");
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| unknown)?;
        let mut variables = Map::new();
        for (name, value) in pairs {
            let (_, kind) = taken.iter().find(|(taken, _)| *taken == name).ok_or(unknown)?;
            let not_whole = unreadable(StatusCode::BAD_REQUEST, "A parameter of the query string is to be a whole number.");
            let value = match kind {
                Kind::Text => Json::String(value),
                Kind::Number => json!(value.parse::<i32>().map_err(|_| not_whole)?),
            };
            if variables.insert(name, value).is_some() {
                return Err(unknown);
            }
        }
        Ok(with(variables))
    }

    /// Puts a key into the input that has none: the header's, or one that the same input has within a minute. Keys are each caller's own,
    /// so that of who calls nothing goes into it.
    fn key(&self, input: &mut Map<String, Json>, parts: &Parts, clock: &SharedClock) -> Result<Option<Key>, Unreadable> {
        let mut sent = parts.headers.get_all(KEY).iter();
        let (header, another) = (sent.next(), sent.next());
        let twice = unreadable(StatusCode::BAD_REQUEST, "An idempotency key is sent once, as the header or in the body.");
        if another.is_some() || (header.is_some() && input.contains_key(KEY_FIELD)) {
            return Err(twice);
        }
        if input.contains_key(KEY_FIELD) {
            return Ok(None);
        }
        let key = if let Some(value) = header {
            Key { value: value.clone(), is_derived: false }
        } else {
            let minute = clock.now().as_second().div_euclid(60);
            let text = json!([self.document, input, minute]).to_string();
            let derived = format!("derived-{}", URL_SAFE_NO_PAD.encode(Sha256::digest(text)));
            let value = HeaderValue::from_str(&derived).map_err(|_| NOT_A_REQUEST)?;
            Key { value, is_derived: true }
        };
        let text = key.value.to_str().map_err(|_| unreadable(StatusCode::BAD_REQUEST, "An idempotency key is printable ASCII."))?;
        input.insert(KEY_FIELD.to_owned(), Json::String(text.to_owned()));
        Ok(Some(key))
    }
}

/// The handler of a path that stands for each of `all` by its method.
pub(super) fn handler<E: Executor, S: Clone + Send + Sync + 'static>(
    shared: &Arc<Shared<E>>,
    all: &'static [Stored],
    clock: SharedClock,
) -> MethodRouter<S> {
    let shared = Arc::clone(shared);
    any(move |request: http::Request<Body>| {
        let (shared, clock) = (Arc::clone(&shared), Arc::clone(&clock));
        async move { shared.answer_stored(all, &clock, request).await }
    })
}

impl<E: Executor> Shared<E> {
    async fn answer_stored(&self, all: &[Stored], clock: &SharedClock, request: http::Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let request_id = parts.extensions.get::<RequestId>().cloned().unwrap_or_default();
        let asked = self.asked(Media::Plain, &request_id);
        if media::negotiate(&parts.headers) != Some(Media::Json) {
            return asked.malformed(StatusCode::NOT_ACCEPTABLE, "Answers are application/json, in UTF-8.");
        }
        let Some(stored) = all.iter().find(|stored| parts.method == stored.takes.method()) else {
            let allowed: Vec<&str> = all.iter().map(|stored| stored.takes.method()).collect();
            return asked.wrong_method(&allowed.join(", "), "This path is asked by another method.");
        };
        let is_read = parts.method == HttpMethod::GET;
        if E::TAKES_FILES && !is_read && media::is_form(&parts.headers) {
            return self.upload(asked, parts, body, Some(stored.document)).await;
        }
        let (request, key) = match self.read_stored(stored, clock, &parts, body).await {
            Ok(read) => read,
            Err(failed) => return asked.unreadable(&failed),
        };
        let method = if is_read { Method::Get } else { Method::Post };
        let mut answer = match self.door.admit_own(stored.document, request, method) {
            Ok(admitted) => self.run(asked, &parts, admitted, self.settings.time_limit).await,
            Err(refusal) => asked.refused(&refusal),
        };
        if let Some(key) = key {
            if key.is_derived {
                answer.headers_mut().insert(KEY_DERIVED, HeaderValue::from_static("true"));
            }
            answer.headers_mut().insert(KEY, key.value);
        }
        answer
    }

    /// The request that a path, its query string and its body ask, and the key that was put into it.
    async fn read_stored(
        &self,
        stored: &Stored,
        clock: &SharedClock,
        parts: &Parts,
        body: Body,
    ) -> Result<(GraphqlRequest, Option<Key>), Unreadable> {
        match stored.takes {
            Takes::Parameters(taken) => Ok((Stored::by_parameters(taken, &parts.uri)?, None)),
            Takes::Input { is_keyed, .. } => {
                let mut input = read_input(parts, body, self.settings.max_body_bytes).await?;
                let key = if is_keyed { stored.key(&mut input, parts, clock)? } else { None };
                Ok((with(Map::from_iter([("input".to_owned(), Json::Object(input))])), key))
            }
        }
    }
}

/// A request for a document of ours.
fn with(variables: Map<String, Json>) -> GraphqlRequest {
    GraphqlRequest { variables, ..GraphqlRequest::default() }
}

/// The body: a mutation's input.
async fn read_input(parts: &Parts, body: Body, limit: usize) -> Result<Map<String, Json>, Unreadable> {
    let bytes = read_json(&parts.headers, body, limit).await?;
    serde_json::from_slice(&bytes).map_err(|_| unreadable(StatusCode::BAD_REQUEST, "The body is a JSON object: the input."))
}
