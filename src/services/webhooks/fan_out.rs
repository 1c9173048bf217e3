//! What an event becomes for the endpoints that take it: written in the transaction that makes it happen, so that nothing is
//! told of what did not happen and nothing that happened is lost.

use serde::Serialize;
use serde_json::Value;

use super::SEND;
use crate::error::Error;
use crate::ids::WebhookEndpointId;
use crate::services::Ports;
use crate::store::jobs::{Lane, NewJob};
use crate::store::outbox::StoredEvent;
use crate::store::types::DeliveryStatus;
use crate::store::webhooks::{self as rows, Delivery, Endpoint};
use crate::store::{Instant, Tenant};

/// The most bytes of a body. What an event tells is bounded field by field, far below it.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// What is sent.
#[derive(Serialize)]
struct Body<'a> {
    /// The event's name.
    r#type: &'a str,
    /// When it happened.
    timestamp: String,
    /// What it tells.
    data: Value,
}

/// The body that tells of an event.
///
/// # Errors
/// [`Error::Corrupt`] for an event that tells no JSON, or too much.
pub fn body(name: &str, at: Instant, payload: &str) -> Result<String, Error> {
    let unfit = || Error::Corrupt("an event cannot be told by a webhook".into());
    let data = serde_json::from_str(payload).map_err(|_| unfit())?;
    let body = serde_json::to_string(&Body { r#type: name, timestamp: at.get().to_string(), data }).map_err(|_| unfit())?;
    if body.len() <= MAX_BODY_BYTES { Ok(body) } else { Err(unfit()) }
}

/// The events that an endpoint takes.
pub fn events_of(endpoint: &Endpoint) -> Result<Vec<String>, Error> {
    serde_json::from_str(&endpoint.events).map_err(|_| Error::Corrupt("the events of a webhook are no list".into()))
}

/// The job that sends what waits for an endpoint.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The job's key.
    key: String,
    /// The endpoint's lane.
    lane: String,
    /// Which of its senders it is.
    number: i64,
}

impl Sender {
    /// Has the next sender begin, where none is at work. The endpoint's row is locked, and is to be written.
    pub(super) fn begin(endpoint: &mut Endpoint) -> Option<Self> {
        if endpoint.sending {
            return None;
        }
        endpoint.sending = true;
        endpoint.sender = endpoint.sender.saturating_add(1);
        Some(Self { key: key(endpoint.id, endpoint.sender), lane: lane(endpoint.id), number: endpoint.sender })
    }

    /// The job. By real time: a receiver is no part of a test clock's world.
    pub(in crate::services) fn job(&self, ports: &Ports, now: Instant) -> (NewJob<'_>, Lane<'_>) {
        let job = NewJob { id: ports.ids.next(), kind: SEND, key: &self.key, due_at: now, clock: None, now };
        (job, Lane { name: &self.lane, position: self.number })
    }
}

/// The lane of an endpoint: a sender begins when the one before it is over, so that one call is under way at a time.
pub(super) fn lane(endpoint: WebhookEndpointId) -> String {
    format!("webhook/{endpoint}")
}

/// The key of an endpoint's sender.
pub(super) fn key(endpoint: WebhookEndpointId, sender: i64) -> String {
    format!("{endpoint}:{sender}")
}

/// Writes a delivery of each event for each endpoint that takes it; answers the jobs that are to send them, where none is at work.
///
/// # Errors
/// The database's fault.
pub(in crate::services) async fn write(tenant: &Tenant, ports: &Ports, events: &[StoredEvent]) -> Result<Vec<Sender>, Error> {
    let now = Instant::from(ports.real_now());
    let (mut deliveries, mut senders) = (Vec::new(), Vec::new());
    for mut endpoint in rows::lock_enabled(tenant).await? {
        let (taken, before) = (events_of(&endpoint)?, endpoint.last_position);
        for event in events.iter().filter(|event| taken.contains(&event.name)) {
            endpoint.last_position = endpoint.last_position.saturating_add(1);
            deliveries.push(delivery(ports, &endpoint, event, now)?);
        }
        if endpoint.last_position > before {
            senders.extend(Sender::begin(&mut endpoint));
            rows::note_places(tenant, &endpoint).await?;
        }
    }
    rows::insert_deliveries(tenant, deliveries).await?;
    Ok(senders)
}

/// A delivery that waits for its first attempt, in the last place.
fn delivery(ports: &Ports, endpoint: &Endpoint, event: &StoredEvent, now: Instant) -> Result<Delivery, Error> {
    Ok(Delivery {
        business_id: endpoint.business_id,
        id: ports.ids.next(),
        endpoint_id: endpoint.id,
        event_id: event.id,
        event: event.name.clone(),
        payload: body(&event.name, event.created_at, &event.payload)?,
        status: DeliveryStatus::Pending,
        position: endpoint.last_position,
        attempts: 0,
        tries: 0,
        first_tried_at: None,
        response_status: None,
        error: None,
        next_attempt_at: Some(now),
        created_at: now,
        updated_at: now,
    })
}
