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
use crate::services::staff::StaffService;

/// The most characters of a user agent that are kept.
const MAX_USER_AGENT_CHARS: usize = 256;
/// Names the business that a product asks about.
pub(super) const BUSINESS: &str = "evolve-business";

/// Who is calling at the business API; anonymous without an `Authorization` header.
///
/// # Errors
/// [`Error::Unauthenticated`] for a header that is no bearer token or key, or whose token or key is not good: never taken
/// for anonymous. Or the database's fault, where a key was looked up.
pub async fn caller(customers: &CustomerService, keys: &KeySignIn, headers: &HeaderMap) -> Result<Caller, Error> {
    match bearer(headers)? {
        None => Ok(Caller::Anonymous),
        Some(key) if AccessKey::is_meant(key) => keys.authenticate(key, business(headers)).await,
        Some(token) => customers.authenticate(token),
    }
}

/// Who is calling at the staff API, where no key is good; anonymous without an `Authorization` header.
///
/// # Errors
/// [`Error::Unauthenticated`], as for [`caller`].
pub fn staff_caller(staff: &StaffService, headers: &HeaderMap) -> Result<Caller, Error> {
    bearer(headers)?.map_or(Ok(Caller::Anonymous), |token| staff.authenticate(token))
}

/// The bearer token or key that the request sends; none without an `Authorization` header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Ok(None) };
    if sent.next().is_some() {
        return Err(Error::Unauthenticated);
    }
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Error::Unauthenticated)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Error::Unauthenticated);
    }
    Ok(Some(token.trim()))
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
