//! Webhooks: a business names endpoints, and is told there of what happens to it, signed by the Standard Webhooks
//! specification, in order, at least once.
//!
//! An event becomes deliveries in its own transaction (`fan_out`); a job for each endpoint sends them outside any (`sending`). What
//! is sent is what `services::events` knows, and nothing that the API does not show. It must never show a secret twice, nor log
//! a URL, which may hold one of the receiver's.

use std::sync::Arc;

use secrecy::SecretString;
use serde_json::json;

use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::{WebhookDeliveryId, WebhookEndpointId};
use crate::security::webhook_secret::WebhookSecret;
use crate::services::Ports;
use crate::services::access::{self, Access, Caller, Need};
use crate::services::audit::{self, Act};
use crate::services::customers::Change;
use crate::store::customers::{self, Business};
use crate::store::jobs;
use crate::store::types::{DeliveryStatus, Instant};
use crate::store::webhooks::{self as rows, Delivery, Endpoint};
use crate::store::{Tenant, TenantScope};

pub mod fan_out;
mod input;
mod ladder;
pub mod retention;
mod secrets;
mod sending;

pub use input::event_types;
pub(in crate::services) use secrets::seal_anew;
pub use sending::run_job;

/// The kind of the job that sends what waits for an endpoint; its key is the endpoint's id and which of its senders it is.
pub const SEND: &str = "send_webhook";
/// The status by which a receiver says that it wants no more.
const GONE: u16 = 410;
/// The most endpoints of a business.
pub const MAX_ENDPOINTS: u64 = 10;

/// An endpoint to make.
#[derive(Debug, Clone)]
pub struct CreateEndpoint {
    /// Where to send.
    pub url: String,
    /// Which events.
    pub events: Vec<String>,
}

/// What becomes of an endpoint.
#[derive(Debug, Clone)]
pub struct UpdateEndpoint {
    /// Which.
    pub endpoint: Option<WebhookEndpointId>,
    /// Where to send.
    pub url: Change<String>,
    /// Which events.
    pub events: Change<Vec<String>>,
    /// Whether it takes any.
    pub enabled: Change<bool>,
}

/// A business's webhooks.
#[derive(Clone)]
pub struct WebhookService {
    /// What it needs of the outside.
    ports: Ports,
}

impl WebhookService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Makes an endpoint; answers it with its secret, which is shown this once.
    ///
    /// # Errors
    /// Every refusal of the input at once: INVALID or TOO_LONG at `url`, REQUIRED, INVALID or TOO_LARGE at `events`; LIMIT_EXCEEDED for
    /// one too many; [`Error::Forbidden`] for a role below ADMIN and a key without WEBHOOK_WRITE;
    /// [`Error::Unauthenticated`]; or the database's fault.
    pub async fn create(&self, caller: Caller, input: CreateEndpoint) -> Outcome<(WebhookEndpointId, SecretString)> {
        let secret = WebhookSecret::generate(self.ports.rng.as_ref());
        let (id, read, sealed) = (self.ports.ids.next(), input::new(&self.ports, &input), Arc::new(secret));
        let secret = Arc::clone(&sealed);
        let write = move |tenant: Tenant, ports: Ports, business: Business, access: Access| {
            let (read, secret) = (read.clone(), Arc::clone(&secret));
            async move {
                let (url, events) = read.map_err(Failure::Refused)?;
                if rows::count_endpoints(&tenant, MAX_ENDPOINTS).await? >= MAX_ENDPOINTS {
                    let sentence = format!("A business has at most {MAX_ENDPOINTS} webhook endpoints; delete one first.");
                    return Err(UserError::new(UserErrorCode::LimitExceeded, sentence).into());
                }
                let now = Instant::from(ports.real_now());
                let row = Endpoint {
                    business_id: tenant.business(),
                    id,
                    url,
                    events: json!(events).to_string(),
                    enabled: true,
                    disabled_reason: None,
                    secret_sealed: secrets::seal(&ports, &business, id, &secret)?,
                    previous_secret_sealed: None,
                    previous_until: None,
                    last_position: 0,
                    sending: false,
                    sender: 0,
                    created_at: now,
                    updated_at: now,
                };
                let details = json!({ "host": host(&ports, &row.url), "events": events });
                rows::insert_endpoint(&tenant, row).await?;
                note(&tenant, &ports, &access, "webhook_endpoint.created", (id.to_string(), details)).await
            }
        };
        self.change(caller, write).await?;
        Ok((id, sealed.reveal()))
    }

    /// Changes what is given. One that is switched off takes no further events, and what waits for it is given up; what waits for
    /// one with another URL is tried there at once.
    ///
    /// # Errors
    /// NOT_FOUND at `endpointId`; as [`WebhookService::create`].
    pub async fn update(&self, caller: Caller, input: UpdateEndpoint) -> Outcome<WebhookEndpointId> {
        let (named, read) = (input.endpoint, input::changes(&self.ports, &input));
        let write = move |tenant: Tenant, ports: Ports, _: Business, access: Access| {
            let read = read.clone();
            async move {
                let mut row = held(&tenant, named).await?;
                let changes = read.map_err(Failure::Refused)?;
                let (id, now) = (row.id, Instant::from(ports.real_now()));
                let moved = changes.url.as_ref().is_some_and(|url| *url != row.url);
                let mut details = json!({});
                if let Some(url) = changes.url {
                    details["host"] = json!(host(&ports, &url));
                    row.url = url;
                }
                if let Some(events) = changes.events {
                    row.events = json!(events).to_string();
                    details["events"] = json!(events);
                }
                if let Some(enabled) = changes.enabled {
                    details["enabled"] = json!(enabled);
                    row.enabled = enabled;
                    row.disabled_reason = row.disabled_reason.filter(|_| !enabled);
                }
                row.updated_at = now;
                row.sending = row.sending && row.enabled;
                let enabled = row.enabled;
                rows::save_endpoint(&tenant, row).await?;
                if !enabled {
                    rows::give_up_waiting(&tenant, id, now).await?;
                } else if moved {
                    rows::restart_waiting(&tenant, id, now).await?;
                }
                if !enabled || moved {
                    // Its sender finds that it is no longer to send, or that it is to send now.
                    jobs::hasten_lane(&tenant, &fan_out::lane(id), now).await?;
                }
                note(&tenant, &ports, &access, "webhook_endpoint.updated", (id.to_string(), details)).await?;
                Ok(id)
            }
        };
        self.change(caller, write).await
    }

    /// Ends an endpoint with all that was to be, and was, delivered to it.
    ///
    /// # Errors
    /// NOT_FOUND at `endpointId`; as [`WebhookService::create`].
    pub async fn delete(&self, caller: Caller, endpoint: Option<WebhookEndpointId>) -> Outcome<WebhookEndpointId> {
        let write = move |tenant: Tenant, ports: Ports, _: Business, access: Access| async move {
            let row = held(&tenant, endpoint).await?;
            jobs::hasten_lane(&tenant, &fan_out::lane(row.id), ports.real_now().into()).await?;
            rows::delete_endpoint(&tenant, row.id).await?;
            let details = json!({ "host": host(&ports, &row.url) });
            note(&tenant, &ports, &access, "webhook_endpoint.deleted", (row.id.to_string(), details)).await?;
            Ok(row.id)
        };
        self.change(caller, write).await
    }

    /// Gives an endpoint another secret; the one before it signs too for 24 hours, and one before that no more.
    ///
    /// # Errors
    /// NOT_FOUND at `endpointId`; as [`WebhookService::create`].
    pub async fn rotate(&self, caller: Caller, endpoint: Option<WebhookEndpointId>) -> Outcome<SecretString> {
        let fresh = Arc::new(WebhookSecret::generate(self.ports.rng.as_ref()));
        let secret = Arc::clone(&fresh);
        let write = move |tenant: Tenant, ports: Ports, business: Business, access: Access| {
            let secret = Arc::clone(&secret);
            async move {
                let mut row = held(&tenant, endpoint).await?;
                let id = row.id;
                secrets::rotate(&ports, &business, &mut row, &secret)?;
                row.updated_at = ports.real_now().into();
                rows::save_endpoint(&tenant, row).await?;
                note(&tenant, &ports, &access, "webhook_endpoint.secret_rotated", (id.to_string(), json!({}))).await
            }
        };
        self.change(caller, write).await?;
        Ok(fresh.reveal())
    }

    /// Has a delivery sent again: behind what waits for its endpoint, by the same id. What waits still is tried at once, in its turn.
    ///
    /// # Errors
    /// NOT_FOUND at `deliveryId`; INVALID_TRANSITION where the endpoint is switched off; as [`WebhookService::create`].
    pub async fn resend(&self, caller: Caller, delivery: Option<WebhookDeliveryId>) -> Outcome<WebhookDeliveryId> {
        let write = move |tenant: Tenant, ports: Ports, _: Business, access: Access| async move {
            let refusal = || UserError::at("deliveryId", UserErrorCode::NotFound, "There is no such delivery.");
            let found = rows::delivery(&tenant, delivery.ok_or_else(refusal)?).await?.ok_or_else(refusal)?;
            let mut endpoint = rows::lock_endpoint(&tenant, found.endpoint_id).await?.ok_or_else(refusal)?;
            let found = rows::lock_delivery(&tenant, found.id).await?.ok_or_else(refusal)?;
            if !endpoint.enabled {
                let sentence = "Its endpoint is switched off; switch it on first.";
                return Err(UserError::at("deliveryId", UserErrorCode::InvalidTransition, sentence).into());
            }
            let id = found.id;
            again(&tenant, &ports, &mut endpoint, found).await?;
            let details = json!({ "endpointId": endpoint.id.to_string() });
            note(&tenant, &ports, &access, "webhook_delivery.resent", (id.to_string(), details)).await?;
            Ok(id)
        };
        self.change(caller, write).await
    }

    /// Runs a change by somebody who may change webhooks, with the business locked, and wakes the worker.
    async fn change<T, F, Fut>(&self, caller: Caller, write: F) -> Outcome<T>
    where
        F: Fn(Tenant, Ports, Business, Access) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Outcome<T>> + Send + 'static,
        T: Send + 'static,
    {
        let (scope, outside): (TenantScope, Ports) = (caller.require_scope()?, self.ports.clone());
        let changed = self.ports.store.write(scope, move |tenant: Tenant| {
            let (ports, write) = (outside.clone(), write.clone());
            async move {
                let business = customers::lock_business(&tenant).await?;
                // Who may not, is not told what is wrong with the input.
                let access = access::check_change(&tenant, caller, Need::ChangeWebhooks).await?;
                write(tenant, ports, business, access).await
            }
        });
        let changed = changed.await?;
        self.ports.work.notify_one();
        Ok(changed)
    }
}

/// What may be told of a URL: its host.
fn host(ports: &Ports, url: &str) -> String {
    ports.webhooks.target(url).map(|target| target.host().to_owned()).unwrap_or_default()
}

/// Writes down who did what.
async fn note(
    tenant: &Tenant,
    ports: &Ports,
    access: &Access,
    action: &str,
    (subject, details): (String, serde_json::Value),
) -> Outcome<()> {
    let actor = access.actor();
    Ok(audit::record(tenant, ports, Act { action, actor: &actor, subject: &subject, details }).await?)
}

/// The endpoint of an id, locked.
async fn held(tenant: &Tenant, id: Option<WebhookEndpointId>) -> Outcome<Endpoint> {
    let refusal = || UserError::at("endpointId", UserErrorCode::NotFound, "There is no such webhook endpoint.");
    Ok(rows::lock_endpoint(tenant, id.ok_or_else(refusal)?).await?.ok_or_else(refusal)?)
}

/// Makes a delivery wait again, in the last place, or hastens the one that waits; has a sender begin where none is at work.
async fn again(tenant: &Tenant, ports: &Ports, endpoint: &mut Endpoint, mut delivery: Delivery) -> Result<(), Error> {
    let now = Instant::from(ports.real_now());
    if delivery.status == DeliveryStatus::Pending {
        rows::hasten_waiting(tenant, endpoint.id, now).await?;
        jobs::hasten_lane(tenant, &fan_out::lane(endpoint.id), now).await?;
    } else {
        endpoint.last_position = endpoint.last_position.saturating_add(1);
        delivery.position = endpoint.last_position;
        delivery.status = DeliveryStatus::Pending;
        delivery.tries = 0;
        delivery.first_tried_at = None;
        delivery.next_attempt_at = Some(now);
        delivery.updated_at = now;
        rows::save_delivery(tenant, delivery).await?;
    }
    // One that was given up by the worker is at work no more, whatever its endpoint's row says.
    endpoint.sending = endpoint.sending && jobs::is_waiting(tenant, SEND, &fan_out::key(endpoint.id, endpoint.sender)).await?;
    let sender = fan_out::Sender::begin(endpoint);
    rows::note_places(tenant, endpoint).await?;
    if let Some(sender) = sender {
        let (job, lane) = sender.job(ports, now);
        jobs::schedule_in(tenant, job, lane).await?;
    }
    Ok(())
}
