//! The request guard: turns a bearer token or key into a [`Caller`]. Nothing else of a request says who is calling; with
//! a product's key the header `Evolve-Business` says about which business it asks, and with a token of an identity provider, which
//! names none, for which of their businesses the person acts. With any other it means nothing.

use http::HeaderMap;
use http::header::{AUTHORIZATION, USER_AGENT};

use crate::error::Error;
use crate::ids::BusinessId;
use crate::security::access_key::AccessKey;
use crate::services::access::Caller;
use crate::services::customers::{BusinessChoice, CustomerService};
use crate::services::keys::KeySignIn;
use crate::services::staff::StaffService;

/// The most characters of a user agent that are kept.
const MAX_USER_AGENT_CHARS: usize = 256;
/// Names the business that a product asks about, or that a person of an identity provider acts for.
pub(super) const BUSINESS: &str = "evolve-business";

/// Who is calling at the business API; anonymous without an `Authorization` header.
///
/// # Errors
/// [`Error::Unauthenticated`] for a header that is no bearer token or key, or whose token or key is not good: never taken
/// for anonymous. Or the database's fault, where a key was looked up; or [`Error::Adapter`], where an identity provider could not be asked.
pub async fn caller(customers: &CustomerService, keys: &KeySignIn, headers: &HeaderMap) -> Result<Caller, Error> {
    match bearer(headers)? {
        None => Ok(Caller::Anonymous),
        Some(key) if AccessKey::is_meant(key) => keys.authenticate(key, business(headers)).await,
        Some(token) => customers.identify(token, choice(headers), headers.get(USER_AGENT).and_then(|sent| sent.to_str().ok())).await,
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

/// In which of their businesses a person of an identity provider acts: the one that the request names, or the one that they joined first.
fn choice(headers: &HeaderMap) -> BusinessChoice {
    if headers.contains_key(BUSINESS) { BusinessChoice::This(business(headers)) } else { BusinessChoice::FirstJoined }
}

/// Where the caller says they are, shortened.
pub fn user_agent(headers: &HeaderMap) -> Option<String> {
    let sent = headers.get(USER_AGENT)?.to_str().ok()?;
    Some(sent.chars().take(MAX_USER_AGENT_CHARS).collect())
}
