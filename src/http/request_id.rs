//! The id of a request: in its extensions, on its span, in its answer's header, and in every error it yields.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument;

use crate::ids::SharedIdGen;

/// Where a client may send an id, and always reads it.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Characters of an id that a client sent.
const MAX_LENGTH: usize = 64;

/// The id of a request: what the client sent if it is 1 to 64 characters of `[A-Za-z0-9._-]`, else a new UUIDv7.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id that `headers` carry, else a new one.
    pub fn of(headers: &HeaderMap, ids: &SharedIdGen) -> Self {
        let mut sent = headers.get_all(HEADER).iter();
        let sent = match (sent.next(), sent.next()) {
            (Some(value), None) => value.to_str().ok().filter(|text| is_id(text)),
            _ => None,
        };
        sent.map_or_else(|| Self(ids.next_uuid().to_string().into()), |text| Self(text.into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Paths below which a secret follows that lets its holder do something.
const SECRET_BELOW: [&str; 2] = [crate::adapters::payment::mpesa::EVENTS_PATH, "/files"];

/// A path as it may stand in a log.
fn shown(path: &str) -> &str {
    let is_below = |folder: &&&str| path.strip_prefix(**folder).is_some_and(|rest| rest.starts_with('/'));
    SECRET_BELOW.iter().find(is_below).copied().unwrap_or(path)
}

/// A middleware for `axum::middleware::from_fn_with_state`: gives the request its id and its span, the answer its header.
pub async fn assign(State(ids): State<SharedIdGen>, mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers(), &ids);
    // The path alone: a query string may hold what a log may not.
    let span = tracing::info_span!("request", id = id.as_str(), method = %request.method(), path = shown(request.uri().path()));
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SystemIds;

    fn id_of(sent: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in sent {
            headers.append(HEADER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let ids: SharedIdGen = Arc::new(SystemIds);
        RequestId::of(&headers, &ids).to_string()
    }

    #[test]
    fn a_secret_in_a_path_is_not_logged() {
        for (path, expected) in [
            ("/gateways/mpesa/events/c2VjcmV0", "/gateways/mpesa/events"),
            ("/files/token", "/files"),
            ("/files", "/files"),
            ("/filesystem", "/filesystem"),
            ("/graphql", "/graphql"),
        ] {
            assert_eq!(shown(path), expected);
        }
    }

    #[test]
    fn a_well_formed_id_of_the_client_is_kept() {
        let longest = "a".repeat(64);
        for sent in ["a", "01J9-abc_d.e", longest.as_str()] {
            assert_eq!(id_of(&[sent]), sent);
        }
    }

    #[test]
    fn anything_else_is_replaced_by_a_new_id() {
        let too_long = "a".repeat(65);
        for sent in [&[][..], &[""], &["a b"], &["a\"b"], &["ü"], &[too_long.as_str()], &["one", "two"]] {
            let id = id_of(sent);
            assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7, "{sent:?}");
        }
    }
}
