//! Events: what happened to a business, written in the transaction that makes it happen, and brought to each consumer
//! by a job in the order of its aggregate, at least once.
//!
//! A consumer tells two deliveries of one event by the event's id, and may never call the network inside a transaction.

use crate::error::Error;
use crate::ids::EventId;
use crate::services::Ports;
use crate::store::jobs::{self, Lane, NewJob};
use crate::store::outbox::{self, StoredEvent};
use crate::store::{Instant, Tenant};

mod catalogue;

pub use catalogue::{Event, InvoiceFacts, PaymentFacts, RegisteredFacts, SubscriptionFacts, SubscriptionWhat, TicketFacts, TicketWhat};

/// Who is told of events: the kind of the job that brings one, and which events it wants.
#[derive(Debug, Clone, Copy)]
pub struct Consumer {
    /// The kind of job; its key is the event's id.
    pub job_kind: &'static str,
    /// Whether it wants an event of that name.
    pub wants: fn(&str) -> bool,
}

/// Every consumer. A further channel (webhooks, live updates) is a further one.
const CONSUMERS: &[Consumer] = &[super::notifications::TELL];

/// Writes an event, and a delivery for each consumer that wants it. The business's row is locked by this transaction, or
/// made by it: that keeps the events of an aggregate in their order.
///
/// # Errors
/// The database's fault.
pub async fn emit(tenant: &Tenant, ports: &Ports, event: &Event) -> Result<EventId, Error> {
    let (id, now) = (ports.ids.next::<crate::ids::kind::Event>(), Instant::from(ports.now()));
    let (aggregate, name) = (event.aggregate(), event.name());
    let row = StoredEvent {
        business_id: tenant.business(),
        id,
        aggregate,
        // Given by the store.
        sequence: 0,
        name: name.to_owned(),
        version: event.version(),
        payload: event.payload()?,
        created_at: now,
    };
    let aggregate = row.aggregate.clone();
    let sequence = outbox::insert_next(tenant, row).await?;
    // People are told in real time.
    let at_once = Instant::from(ports.real_now());
    let told: Vec<(&str, String)> = CONSUMERS
        .iter()
        .filter(|consumer| (consumer.wants)(name))
        .map(|consumer| (consumer.job_kind, format!("{}/{aggregate}", consumer.job_kind)))
        .collect();
    let key = id.to_string();
    let deliveries = told.iter().map(|(kind, lane)| {
        let job = NewJob { id: ports.ids.next(), kind, key: &key, due_at: at_once, clock: None, now: at_once };
        (job, Lane { name: lane, position: sequence })
    });
    jobs::schedule_all_in(tenant, &deliveries.collect::<Vec<_>>()).await?;
    Ok(id)
}

/// The event that a job of a consumer brings.
///
/// # Errors
/// [`Error::Corrupt`] for a key that names none, and for an event that the catalogue does not know; the database's fault.
pub async fn brought(tenant: &Tenant, key: &str) -> Result<(StoredEvent, Event), Error> {
    let gone = || Error::Corrupt("a delivery names no event".into());
    let stored = outbox::find(tenant, EventId::parse(key).ok_or_else(gone)?).await?.ok_or_else(gone)?;
    let event = Event::read(&stored.name, stored.version, &stored.payload)?;
    Ok((stored, event))
}
