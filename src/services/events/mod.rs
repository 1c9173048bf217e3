//! Events: what happened to a business, written in the transaction that makes it happen, and brought to each consumer
//! by a job in the order of its aggregate, at least once.
//!
//! A consumer tells two deliveries of one event by the event's id, and may never call the network inside a transaction.

use crate::error::Error;
use crate::ids::EventId;
use crate::services::Ports;
use crate::services::webhooks::fan_out::{self, Sender};
use crate::store::jobs::{self, Lane, NewJob};
use crate::store::outbox::{self, StoredEvent};
use crate::store::{Instant, Tenant};

mod catalogue;
#[cfg(test)]
mod catalogue_tests;
mod live;
mod money;
mod trial;
mod verification;

pub use live::change;
pub use money::{CreditNoteFacts, DisputeFacts, RefundFacts};
pub use trial::TrialFacts;
pub use verification::{VerificationFacts, VerificationWhat};

pub use catalogue::{
    Event, InvoiceFacts, PaymentFacts, RegisteredFacts, SubscriptionFacts, SubscriptionWhat, TRIAL_ENDING, TicketFacts, TicketWhat,
    UsageFacts, WebhookFacts,
};

/// Who is told of events: the kind of the job that brings one, and which events it wants.
#[derive(Debug, Clone, Copy)]
pub struct Consumer {
    /// The kind of job; its key is the event's id.
    pub job_kind: &'static str,
    /// Whether it wants an event of that name.
    pub wants: fn(&str) -> bool,
}

/// Every consumer. A further channel is a further one. Webhooks are none: most businesses have none, and should
/// not have a job for each event that nobody takes.
const CONSUMERS: &[Consumer] = &[super::notifications::TELL];

/// The most events that are written in one statement.
const MOST_AT_ONCE: usize = 500;

/// Writes an event, and a delivery for each consumer and each webhook that wants it. The business's row is locked by this transaction, or
/// made by it: that keeps the events of an aggregate in their order.
///
/// # Errors
/// The database's fault.
pub async fn emit(tenant: &Tenant, ports: &Ports, event: &Event) -> Result<(), Error> {
    let mut row = row(tenant, ports, event)?;
    live::note(tenant, event, row.id);
    let (sequence, webhooks) = outbox::insert_next(tenant, row.clone()).await?;
    row.sequence = sequence;
    let rows = [row];
    // Boxed: every change of money ends in this future, and few have webhooks.
    let senders = if webhooks == 0 { Vec::new() } else { Box::pin(fan_out::write(tenant, ports, &rows)).await? };
    deliver(tenant, ports, &rows, &senders).await
}

/// As [`emit`], in as many statements for many events as for two. Who emits without the business's lock holds what the events
/// happened to, as everybody does who emits an event of it.
///
/// # Errors
/// The database's fault.
pub async fn emit_all(tenant: &Tenant, ports: &Ports, events: &[Event]) -> Result<(), Error> {
    for part in events.chunks(MOST_AT_ONCE) {
        emit_part(tenant, ports, part).await?;
    }
    Ok(())
}

/// Writes events with their deliveries: four statements, and three more for a business with webhooks.
async fn emit_part(tenant: &Tenant, ports: &Ports, events: &[Event]) -> Result<(), Error> {
    let mut aggregates: Vec<String> = events.iter().map(Event::aggregate).collect();
    aggregates.sort_unstable();
    aggregates.dedup();
    let mut last = outbox::last_sequences(tenant, &aggregates).await?;
    let mut rows = Vec::with_capacity(events.len());
    for event in events {
        let mut row = row(tenant, ports, event)?;
        let sequence = last.entry(row.aggregate.clone()).or_default();
        *sequence = sequence.saturating_add(1);
        row.sequence = *sequence;
        live::note(tenant, event, row.id);
        rows.push(row);
    }
    outbox::insert_all(tenant, rows.clone()).await?;
    let senders = Box::pin(fan_out::write(tenant, ports, &rows)).await?;
    deliver(tenant, ports, &rows, &senders).await
}

/// The row of an event, without its place.
fn row(tenant: &Tenant, ports: &Ports, event: &Event) -> Result<StoredEvent, Error> {
    Ok(StoredEvent {
        business_id: tenant.business(),
        id: ports.ids.next(),
        aggregate: event.aggregate(),
        sequence: 0,
        name: event.name().to_owned(),
        version: event.version(),
        payload: event.payload()?,
        created_at: Instant::from(ports.now()),
    })
}

/// Writes a job for each event and each consumer that wants it, and those that send webhooks.
async fn deliver(tenant: &Tenant, ports: &Ports, rows: &[StoredEvent], senders: &[Sender]) -> Result<(), Error> {
    // People are told in real time.
    let at_once = Instant::from(ports.real_now());
    let wanted =
        rows.iter().flat_map(|row| CONSUMERS.iter().filter(|consumer| (consumer.wants)(&row.name)).map(move |to| (row, to.job_kind)));
    let told: Vec<(&str, String, String, i64)> =
        wanted.map(|(row, kind)| (kind, row.id.to_string(), format!("{kind}/{}", row.aggregate), row.sequence)).collect();
    let deliveries = told.iter().map(|(kind, key, lane, position)| {
        let job = NewJob { id: ports.ids.next(), kind, key, due_at: at_once, clock: None, now: at_once };
        (job, Lane { name: lane, position: *position })
    });
    let senders = senders.iter().map(|sender| sender.job(ports, at_once));
    jobs::schedule_all_in(tenant, &deliveries.chain(senders).collect::<Vec<_>>()).await
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
