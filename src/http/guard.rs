//! The request guard: turns a bearer token into a [`Caller`]. Nothing else of a request says who is calling.

use http::HeaderMap;
use http::header::{AUTHORIZATION, USER_AGENT};

use crate::error::Error;
use crate::services::access::Caller;

/// The most characters of a user agent that are kept.
const MAX_USER_AGENT_CHARS: usize = 256;

/// Who is calling by the `Authorization` header, whose token `authenticate` reads; anonymous without one.
///
/// # Errors
/// [`Error::Unauthenticated`] for a header that is no bearer token, or whose token is not good: never taken for anonymous.
pub fn caller(headers: &HeaderMap, authenticate: impl FnOnce(&str) -> Result<Caller, Error>) -> Result<Caller, Error> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Ok(Caller::Anonymous) };
    if sent.next().is_some() {
        return Err(Error::Unauthenticated);
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Error::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::Unauthenticated);
    }
    authenticate(token.trim())
}

/// Where the caller says they are, shortened.
pub fn user_agent(headers: &HeaderMap) -> Option<String> {
    let sent = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(sent.chars().take(MAX_USER_AGENT_CHARS).collect())
}
