//! The request guard: turns a bearer token or key into a [`Caller`]. Nothing else of a request says who is calling; with
//! a product's key, and with no other, the header `Evolve-Business` says about which business it asks.

use http::HeaderMap;
use http::header::{AUTHORIZATION, USER_AGENT};

use crate::error::Error;
use crate::ids::BusinessId;
use crate::security::access_key::AccessKey;
use crate::services::access::Caller;
use crate::services::customers::CustomerService;
use crate::services::keys::KeySignIn;

/// The most characters of a user agent that are kept.
const MAX_USER_AGENT_CHARS: usize = 256;
/// Names the business that a product asks about.
const BUSINESS: &str = "evolve-business";

/// Who is calling by the `Authorization` header; anonymous without one.
///
/// # Errors
/// [`Error::Unauthenticated`] for a header that is no bearer token or key, or whose token or key is not good: never taken
/// for anonymous. Or the database's fault, where a key was looked up.
pub async fn caller(customers: &CustomerService, keys: &KeySignIn, headers: &HeaderMap) -> Result<Caller, Error> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Ok(Caller::Anonymous) };
    if sent.next().is_some() {
        return Err(Error::Unauthenticated);
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Error::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::Unauthenticated);
    }
    let token = token.trim();
    if AccessKey::is_meant(token) { keys.authenticate(token, business(headers)).await } else { customers.authenticate(token) }
}

/// The business that the request names; none where it names none, or more than one, or what is no business's id.
fn business(headers: &HeaderMap) -> Option<BusinessId> {
    let mut sent = headers.get_all(BUSINESS).iter();
    let (only, None) = (sent.next()?, sent.next()) else { return None };
    BusinessId::parse(only.to_str().ok()?)
}

/// Where the caller says they are, shortened.
pub fn user_agent(headers: &HeaderMap) -> Option<String> {
    let sent = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(sent.chars().take(MAX_USER_AGENT_CHARS).collect())
}
