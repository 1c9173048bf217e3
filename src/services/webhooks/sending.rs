//! Sends what waits for an endpoint, one after the other, and writes down what came of it. An endpoint has one sender at a time: a
//! job that goes on as long as something waits. What is to be tried again goes first, and holds up the rest.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{GONE, ladder, secrets};
use crate::adapters::webhook::{Answer, SendError, WebhookCall};
use crate::error::{Error, Outcome};
use crate::ids::WebhookEndpointId;
use crate::services::Ports;
use crate::services::audit::{self, Act};
use crate::services::events::{self, Event, WebhookFacts};
use crate::store::jobs::{Finish, Job};
use crate::store::types::{DeliveryStatus, Instant};
use crate::store::webhooks::{self as rows, Delivery, Endpoint};
use crate::store::{Snapshot, Tenant, TenantScope, customers};

/// How long a sender waits where as many calls are under way as may be, in milliseconds, and how much chance adds.
const NO_ROOM_MS: (i64, u64) = (2_000, 2_000);
/// Why an endpoint was switched off that took nothing for three days.
const FAILURES: &str = "failures for three days";

/// A sender, as its job names it.
#[derive(Debug, Clone, Copy)]
struct Sender {
    /// Of which endpoint.
    endpoint: WebhookEndpointId,
    /// Which of its senders.
    number: i64,
}

impl Sender {
    /// The sender of a job's key.
    fn parse(key: &str) -> Result<Self, Error> {
        let read = || {
            let (endpoint, number) = key.split_once(':')?;
            Some(Self { endpoint: WebhookEndpointId::parse(endpoint)?, number: number.parse().ok()? })
        };
        read().ok_or_else(|| Error::Corrupt("a job names no sender of webhooks".into()))
    }

    /// Whether it is still to send what waits for its endpoint.
    const fn is_at_work(self, endpoint: &Endpoint) -> bool {
        endpoint.enabled && endpoint.sending && endpoint.sender == self.number
    }
}

/// What there is to do for a sender.
enum Next {
    /// To send this.
    Send(Box<Prepared>),
    /// Nothing before then.
    Wait(Instant),
    /// Nothing any more, as it seems.
    Rest,
    /// Nothing: it is at work no more.
    Over,
}

/// What is to be sent.
struct Prepared {
    /// The delivery, as it was read.
    delivery: Delivery,
    /// Where to.
    url: String,
    /// The call.
    call: WebhookCall,
}

/// What came of a call.
struct Sent {
    /// The status, where there was an answer.
    status: Option<u16>,
    /// What is told of it beside the status.
    error: Option<String>,
    /// For how long the receiver asked us to wait.
    retry_after: Option<SignedDuration>,
}

impl Sent {
    /// Reads an answer.
    fn of(answer: Result<Answer, SendError>, now: Timestamp) -> Self {
        match answer {
            Ok(answer) => Self {
                status: Some(answer.status),
                error: (300..400).contains(&answer.status).then(|| "A redirect is not followed.".to_owned()),
                retry_after: answer.retry_after.and_then(|value| ladder::retry_after(&value, now)),
            },
            Err(error) => Self { status: None, error: Some(error.to_string()), retry_after: None },
        }
    }

    /// Whether the receiver has it.
    fn is_taken(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether the receiver wants no more.
    fn is_gone(&self) -> bool {
        self.status == Some(GONE)
    }
}

/// Runs a job of the kind [`super::SEND`] for the business of `scope`, which the worker made from the job's claimed row: sends the
/// first delivery that waits.
///
/// # Errors
/// The database's fault.
pub async fn run_job(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    let sender = Sender::parse(&job.job_key)?;
    let Some(_room) = ports.webhooks.begin() else {
        let (least, more) = NO_ROOM_MS;
        let chance = i64::try_from(u64::from_le_bytes(ports.rng.bytes()) % more).unwrap_or_default();
        let later = ports.real_now().saturating_add(SignedDuration::from_millis(least.saturating_add(chance)));
        return Ok(Finish::Again(later.unwrap_or(Timestamp::MAX).into()));
    };
    match prepare(ports, scope, sender).await? {
        Next::Over => Ok(Finish::Done),
        Next::Wait(until) => Ok(Finish::Again(until)),
        Next::Rest => rest(ports, scope, sender).await,
        Next::Send(prepared) => {
            let Prepared { delivery, url, call } = *prepared;
            let sent = Sent::of(ports.webhooks.post(&url, call).await, ports.real_now());
            ports.telemetry.metrics().webhook_called(sent.status);
            conclude(ports, scope, sender, (delivery, url), sent).await
        }
    }
}

/// Reads what is to be sent next, and signs it.
async fn prepare(ports: &Ports, scope: TenantScope, sender: Sender) -> Result<Next, Error> {
    let view = Snapshot::new(ports.store.clone(), Some(scope));
    let tenant = view.tenant().await?;
    let endpoint = rows::endpoint(&tenant, sender.endpoint).await?.filter(|endpoint| sender.is_at_work(endpoint));
    let Some(endpoint) = endpoint else { return Ok(Next::Over) };
    let Some(delivery) = rows::next_waiting(&tenant, endpoint.id).await? else { return Ok(Next::Rest) };
    let now = ports.real_now();
    if let Some(later) = delivery.next_attempt_at.filter(|at| at.get() > now) {
        return Ok(Next::Wait(later));
    }
    let business = customers::business(&tenant).await?;
    let (id, timestamp) = (delivery.id.to_string(), now.as_second().to_string());
    let secrets = secrets::signing(ports, &business, &endpoint, now.into())?;
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(&id, &timestamp, &delivery.payload)).collect();
    let call = WebhookCall { id, timestamp, signature: signatures.join(" "), body: delivery.payload.clone() };
    Ok(Next::Send(Box::new(Prepared { delivery, url: endpoint.url, call })))
}

/// Has a sender rest where nothing waits: who writes a delivery holds the endpoint's lock, and has another begin.
async fn rest(ports: &Ports, scope: TenantScope, sender: Sender) -> Outcome<Finish> {
    let outside = ports.clone();
    let write = move |tenant: Tenant| {
        let now = Instant::from(outside.real_now());
        async move {
            let endpoint = rows::lock_endpoint(&tenant, sender.endpoint).await?.filter(|endpoint| sender.is_at_work(endpoint));
            let Some(endpoint) = endpoint else { return Ok(Finish::Done) };
            Ok(go_on(&tenant, endpoint, now).await?)
        }
    };
    ports.store.write(scope, write).await
}

/// What a sender does next: goes on, or rests where nothing waits. Its endpoint's row is locked.
async fn go_on(tenant: &Tenant, mut endpoint: Endpoint, now: Instant) -> Result<Finish, Error> {
    if let Some(next) = rows::next_waiting(tenant, endpoint.id).await? {
        return Ok(Finish::Again(next.next_attempt_at.unwrap_or(now)));
    }
    endpoint.sending = false;
    rows::note_places(tenant, &endpoint).await?;
    Ok(Finish::Done)
}

/// Writes down what came of a call: delivered, to be tried again, or given up with the endpoint switched off.
async fn conclude(ports: &Ports, scope: TenantScope, sender: Sender, (tried, url): (Delivery, String), sent: Sent) -> Outcome<Finish> {
    let (outside, now, chance) = (ports.clone(), Instant::from(ports.real_now()), u64::from_le_bytes(ports.rng.bytes()));
    let sent = Arc::new(sent);
    let write = move |tenant: Tenant| {
        let (ports, tried, url, sent) = (outside.clone(), tried.clone(), url.clone(), Arc::clone(&sent));
        async move {
            if !sent.is_taken() && (sent.is_gone() || next(&tried, &sent, now, chance).is_none()) {
                // What switches an endpoint off is audited and told.
                customers::lock_business(&tenant).await?;
            }
            let endpoint = rows::lock_endpoint(&tenant, tried.endpoint_id).await?;
            // Both are gone where the endpoint was deleted meanwhile.
            let (Some(endpoint), Some(mut delivery)) = (endpoint, rows::lock_delivery(&tenant, tried.id).await?) else {
                return Ok(Finish::Done);
            };
            // What another URL answered says nothing of the present one.
            let moved = endpoint.url != url;
            let again = if moved { Some(now.get()) } else { next(&delivery, &sent, now, chance).filter(|_| !sent.is_gone()) };
            // It waits no more where it was given up while it was under way.
            let waits = delivery.status == DeliveryStatus::Pending;
            note(&mut delivery, &sent, moved, now);
            delivery.next_attempt_at = again.filter(|_| waits && !sent.is_taken()).map(Instant::from);
            delivery.status = match (sent.is_taken(), delivery.next_attempt_at) {
                (true, _) => DeliveryStatus::Delivered,
                (false, Some(_)) => DeliveryStatus::Pending,
                (false, None) => DeliveryStatus::Failed,
            };
            let ends = waits && delivery.status == DeliveryStatus::Failed;
            rows::save_delivery(&tenant, delivery).await?;
            if !sender.is_at_work(&endpoint) {
                return Ok(Finish::Done);
            }
            if ends {
                switch_off(&tenant, &ports, endpoint, if sent.is_gone() { "410" } else { FAILURES }).await?;
                return Ok(Finish::Done);
            }
            Ok(go_on(&tenant, endpoint, now).await?)
        }
    };
    ports.store.write(scope, write).await
}

/// When a delivery is to be tried again that has failed once more; `None` to give up.
fn next(delivery: &Delivery, sent: &Sent, now: Instant, chance: u64) -> Option<Timestamp> {
    let first = delivery.first_tried_at.unwrap_or(now);
    ladder::next(first.get(), now.get(), delivery.tries.saturating_add(1), sent.retry_after, chance)
}

/// Notes an attempt; one at a URL that is another by now counts for nothing more.
fn note(delivery: &mut Delivery, sent: &Sent, moved: bool, now: Instant) {
    delivery.attempts = delivery.attempts.saturating_add(1);
    if !moved {
        delivery.tries = delivery.tries.saturating_add(1);
        delivery.first_tried_at = delivery.first_tried_at.or(Some(now));
    }
    delivery.response_status = sent.status.map(i32::from);
    delivery.error.clone_from(&sent.error);
    delivery.updated_at = now;
}

/// Switches an endpoint off, which gives up what waits for it, and tells those who manage the business.
async fn switch_off(tenant: &Tenant, ports: &Ports, mut endpoint: Endpoint, reason: &str) -> Result<(), Error> {
    let now = Instant::from(ports.real_now());
    let (id, host) = (endpoint.id, super::host(ports, &endpoint.url));
    endpoint.enabled = false;
    endpoint.sending = false;
    endpoint.disabled_reason = Some(reason.to_owned());
    endpoint.updated_at = now;
    rows::save_endpoint(tenant, endpoint).await?;
    rows::give_up_waiting(tenant, id, now).await?;
    let (subject, details) = (id.to_string(), json!({ "host": host, "reason": reason }));
    audit::record(tenant, ports, Act { action: "webhook_endpoint.disabled", actor: "system", subject: &subject, details }).await?;
    let facts = WebhookFacts { endpoint_id: subject, host, reason: reason.to_owned(), at: now.get().to_string() };
    events::emit(tenant, ports, &Event::WebhookDisabled(facts)).await
}
