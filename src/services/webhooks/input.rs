//! What is asked of an endpoint, read.

use std::collections::BTreeSet;

use super::{CreateEndpoint, UpdateEndpoint};
use crate::error::{UserError, UserErrorCode};
use crate::services::Ports;
use crate::services::customers::Change;
use crate::services::customers::fields::Refusals;
use crate::services::events::Event;

/// The most characters of a URL.
const MAX_URL_CHARS: usize = 2_048;
/// The most names that a list of events may have.
const MAX_EVENTS: usize = 100;

/// The events that happen before a business can have an endpoint.
const BEFORE_ANY: [&str; 1] = ["business.registered"];

/// Every event that an endpoint may take, in the order of the catalogue.
pub fn event_types() -> Vec<&'static str> {
    Event::samples().iter().map(Event::name).filter(|name| !BEFORE_ANY.contains(name)).collect()
}

/// A new endpoint, read, or everything that is wrong with it.
pub(super) fn new(ports: &Ports, input: &CreateEndpoint) -> Result<(String, Vec<String>), Vec<UserError>> {
    let mut refusals = Refusals::default();
    let (url, events) = (refusals.note(url(ports, &input.url)), refusals.note(events(&input.events)));
    match (url, events) {
        (Some(url), Some(events)) => Ok((url, events)),
        _ => Err(refusals.into_vec()),
    }
}

/// The changes of an endpoint, read.
#[derive(Debug, Clone)]
pub(super) struct Changes {
    /// Where to send.
    pub(super) url: Option<String>,
    /// Which events.
    pub(super) events: Option<Vec<String>>,
    /// Whether it takes any.
    pub(super) enabled: Option<bool>,
}

/// Changes, read, or everything that is wrong with them.
pub(super) fn changes(ports: &Ports, input: &UpdateEndpoint) -> Result<Changes, Vec<UserError>> {
    let mut refusals = Refusals::default();
    let changes = Changes {
        url: given(&mut refusals, "url", &input.url, |text: &String| url(ports, text)),
        events: given(&mut refusals, "events", &input.events, |names: &Vec<String>| events(names)),
        enabled: given(&mut refusals, "enabled", &input.enabled, |enabled| Ok(*enabled)),
    };
    let refused = refusals.into_vec();
    if refused.is_empty() { Ok(changes) } else { Err(refused) }
}

/// A field that may be left out, and not be emptied.
fn given<T, R>(
    refusals: &mut Refusals,
    field: &'static str,
    change: &Change<T>,
    read: impl FnOnce(&T) -> Result<R, UserError>,
) -> Option<R> {
    match change {
        Change::Keep => None,
        Change::Clear => refusals.note(Err(UserError::at(field, UserErrorCode::Invalid, "This cannot be empty."))),
        Change::Set(value) => refusals.note(read(value)),
    }
}

/// Where to send.
fn url(ports: &Ports, text: &str) -> Result<String, UserError> {
    let text = text.trim();
    if text.chars().nth(MAX_URL_CHARS).is_some() {
        return Err(UserError::at("url", UserErrorCode::TooLong, format!("At most {MAX_URL_CHARS} characters fit here.")));
    }
    let read = ports.webhooks.target(text);
    read.map(|_| text.to_owned()).map_err(|error| UserError::at("url", UserErrorCode::Invalid, error.to_string()))
}

/// Which events, each once, in the order of the catalogue.
fn events(names: &[String]) -> Result<Vec<String>, UserError> {
    let refuse = |code, sentence: String| Err(UserError::at("events", code, sentence));
    if names.is_empty() {
        return refuse(UserErrorCode::Required, "Name at least one event.".to_owned());
    }
    if names.len() > MAX_EVENTS {
        return refuse(UserErrorCode::TooLarge, format!("At most {MAX_EVENTS} names fit here."));
    }
    let (known, chosen) = (event_types(), names.iter().map(String::as_str).collect::<BTreeSet<_>>());
    if chosen.iter().any(|name| !known.contains(name)) {
        return refuse(UserErrorCode::Invalid, "Name events of `webhookEventTypes` alone.".to_owned());
    }
    Ok(known.into_iter().filter(|name| chosen.contains(name)).map(str::to_owned).collect())
}
