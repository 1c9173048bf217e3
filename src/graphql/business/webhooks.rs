//! Webhooks.

use std::sync::Arc;

use async_graphql::types::Json;
use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, Result, SimpleObject};
use secrecy::ExposeSecret as _;

use super::profile::change;
use crate::error::Error;
use crate::graphql::context::{Allow, RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::page::{Count, PageArguments, connection};
use crate::graphql::scalars::{DateTime, Url, show_id};
use crate::ids::{WebhookDeliveryId, WebhookEndpointId};
use crate::services::access::{Caller, Need};
use crate::services::webhooks::{self as service, CreateEndpoint, UpdateEndpoint, WebhookService};
use crate::store::page::Position;
use crate::store::reads::Of;
use crate::store::reads::webhooks as rows;
use crate::store::types;

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::DeliveryStatus")]
pub enum DeliveryStatus {
    /// Waiting for its turn, or to be tried again.
    Pending,
    /// The receiver answered with a status of 200 to 299.
    Delivered,
    /// Given up; it can be sent again.
    Failed,
}

/// Where the business wants to be told of events.
#[derive(Debug, Clone)]
pub struct WebhookEndpoint {
    row: rows::Endpoint,
}

impl WebhookEndpoint {
    /// The endpoint of an id, if the caller may see it.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: WebhookEndpointId) -> Result<Option<Self>, Error> {
        if !visible(request).await? {
            return Ok(None);
        }
        Ok(rows::by_id(&request.reader().await?, id).await?.map(|row| Self { row }))
    }

    /// The same, read together with others.
    ///
    /// # Errors
    /// The database's fault.
    pub(super) async fn load(request: &RequestContext, key: Of<WebhookEndpointId>) -> Result<Option<Self>, Error> {
        if !visible(request).await? {
            return Ok(None);
        }
        Ok(request.view().loaders.webhook_endpoints.load(key).await?.map(|row| Self { row }))
    }
}

/// Whether the caller may see webhooks.
async fn visible(request: &RequestContext) -> Result<bool, Error> {
    match request.caller {
        Caller::Staff { .. } => Ok(false),
        _ => Ok(request.access().await?.allows(Need::ReadWebhooks)),
    }
}

/// Where the business wants to be told of events: each is sent there by a signed POST, by the Standard Webhooks specification, in order.
#[Object]
impl WebhookEndpoint {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Where events are sent.
    async fn url(&self) -> Url {
        Url(self.row.url.clone())
    }
    /// Which events, by their names.
    async fn events(&self) -> Result<Vec<String>> {
        Ok(service::fan_out::events_of(&self.row)?)
    }
    /// Whether it takes any.
    async fn enabled(&self) -> bool {
        self.row.enabled
    }
    /// Why we switched it off: `410`, or failures for three days. Null where nobody did, or somebody of the business.
    async fn disabled_reason(&self) -> Option<&str> {
        self.row.disabled_reason.as_deref()
    }
    /// What was sent and is to be sent, newest first; what is over is kept for 30 days.
    #[graphql(guard = "Allow(Need::ReadWebhooks)")]
    async fn deliveries(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<WebhookDeliveryConnection> {
        let (request, name) = (request(context), format!("{}/deliveries", self.row.id));
        let window = PageArguments { first, after, last, before }.window(request, &name)?;
        let (view, key) = (request.view(), (self.row.business_id, self.row.id));
        let page = view.loaders.webhook_deliveries.page(key, window).await?;
        let count: Count = Arc::new(move || {
            let view = Arc::clone(&view);
            Box::pin(async move { Ok(view.loaders.webhook_delivery_counts.load(key).await?.unwrap_or_default()) })
        });
        let page = page.map(|row| (Position { at: row.created_at, id: row.id.uuid() }, WebhookDelivery { row }));
        Ok(WebhookDeliveryConnection::of(request, &name, page, count))
    }
    /// Until when the secret before the present one signs too; null where none does.
    async fn previous_secret_until(&self, context: &Context<'_>) -> Option<DateTime> {
        let now = request(context).ports.real_now();
        self.row.previous_until.filter(|until| until.get() > now).map(DateTime)
    }
    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

/// An event that an endpoint is told of.
#[derive(Debug, Clone)]
pub struct WebhookDelivery {
    row: rows::Delivery,
}

impl WebhookDelivery {
    /// The delivery of an id, if the caller may see it.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: WebhookDeliveryId) -> Result<Option<Self>, Error> {
        if !visible(request).await? {
            return Ok(None);
        }
        Ok(rows::delivery_by_id(&request.reader().await?, id).await?.map(|row| Self { row }))
    }
}

/// An event that an endpoint is told of. Its id is the `webhook-id` of each attempt.
#[Object]
impl WebhookDelivery {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// The event's name.
    async fn event(&self) -> &str {
        &self.row.event
    }
    /// The body as it is sent, to the letter but for the order of its fields.
    #[graphql(guard = "Allow(Need::ReadWebhooks)")]
    async fn payload(&self) -> Result<Json<serde_json::Value>> {
        let payload = serde_json::from_str(&self.row.payload);
        Ok(Json(payload.map_err(|_| Error::Corrupt("the payload of a delivery is no JSON".into()))?))
    }
    /// Where it stands.
    async fn status(&self) -> DeliveryStatus {
        self.row.status.into()
    }
    /// How often it was tried, over all.
    async fn attempts(&self) -> i32 {
        self.row.attempts
    }
    /// What the last attempt was answered; null where there was no answer, or no attempt.
    async fn response_status(&self) -> Option<i32> {
        self.row.response_status
    }
    /// Why the last attempt had no answer, or what is wrong with it beside its status, in one sentence.
    async fn error(&self) -> Option<&str> {
        self.row.error.as_deref()
    }
    /// When it is tried next, where none before it waits; null where it is over.
    async fn next_attempt_at(&self) -> Option<DateTime> {
        self.row.next_attempt_at.map(DateTime)
    }
    /// When it was written down.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

connection!(WebhookDeliveryConnection, WebhookDeliveryEdge, WebhookDelivery, "deliveries");

/// An endpoint to make.
#[derive(InputObject)]
pub struct CreateWebhookEndpointInput {
    /// Where to send: an https URL on the public internet, of at most 2,048 characters, without user name, password and fragment.
    url: Url,
    /// Which events: names of `webhookEventTypes`, at least one.
    events: Vec<String>,
}

/// What `createWebhookEndpoint` answers.
#[derive(SimpleObject)]
pub struct CreateWebhookEndpointPayload {
    /// The endpoint.
    endpoint: Option<WebhookEndpoint>,
    /// `whsec_…`, shown this once.
    secret: Option<String>,
    /// What is to be put right; when there is any, nothing was made.
    user_errors: Vec<UserError>,
}

/// Changes of an endpoint. Fields left out stay as they are.
#[derive(InputObject)]
pub struct UpdateWebhookEndpointInput {
    /// Which.
    endpoint_id: ID,
    /// Where to send; what waits is tried there at once.
    url: MaybeUndefined<Url>,
    /// Which events, from now on.
    events: MaybeUndefined<Vec<String>>,
    /// Whether it takes any. What waits for one that is switched off is given up.
    enabled: MaybeUndefined<bool>,
}

/// What `updateWebhookEndpoint` answers.
#[derive(SimpleObject)]
pub struct UpdateWebhookEndpointPayload {
    /// The endpoint as it is now.
    endpoint: Option<WebhookEndpoint>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// An endpoint to end.
#[derive(InputObject)]
pub struct DeleteWebhookEndpointInput {
    /// Which.
    endpoint_id: ID,
}

/// What `deleteWebhookEndpoint` answers.
#[derive(SimpleObject)]
pub struct DeleteWebhookEndpointPayload {
    /// The endpoint that is gone.
    deleted_id: Option<ID>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// An endpoint whose secret is to be replaced.
#[derive(InputObject)]
pub struct RotateWebhookSecretInput {
    /// Which.
    endpoint_id: ID,
}

/// What `rotateWebhookSecret` answers. Both secrets sign for 24 hours.
#[derive(SimpleObject)]
pub struct RotateWebhookSecretPayload {
    /// The new one: `whsec_…`, shown this once.
    secret: Option<String>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// A delivery to send again.
#[derive(InputObject)]
pub struct ResendWebhookDeliveryInput {
    /// Which.
    delivery_id: ID,
}

/// What `resendWebhookDelivery` answers.
#[derive(SimpleObject)]
pub struct ResendWebhookDeliveryPayload {
    /// The delivery as it is now.
    delivery: Option<WebhookDelivery>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// The endpoint that was changed, as the present view shows it: whoever changed it may not be one who reads them, and sees this one.
async fn changed(request: &RequestContext, id: Option<WebhookEndpointId>) -> Result<Option<WebhookEndpoint>> {
    request.refresh();
    let Some(id) = id else { return Ok(None) };
    Ok(rows::by_id(&request.reader().await?, id).await?.map(|row| WebhookEndpoint { row }))
}

/// Queries about webhooks.
#[derive(Debug, Default)]
pub struct WebhookQuery;

#[Object]
impl WebhookQuery {
    /// Where the business wants to be told of events, the newest first: ten at most. For owners and admins.
    async fn webhook_endpoints(&self, context: &Context<'_>) -> Option<Result<Vec<WebhookEndpoint>>> {
        nullable(async {
            let request = request(context);
            request.require(Need::ReadWebhooks).await?;
            let found = rows::endpoints(&request.reader().await?).await?;
            Ok(Some(found.into_iter().map(|row| WebhookEndpoint { row }).collect()))
        })
        .await
    }

    /// Every event name that `events` of an endpoint may hold.
    async fn webhook_event_types(&self, context: &Context<'_>) -> Option<Result<Vec<&'static str>>> {
        nullable(async {
            request(context).require(Need::Read).await?;
            Ok(Some(service::event_types()))
        })
        .await
    }
}

/// Changing webhooks.
#[derive(Debug, Default)]
pub struct WebhookMutation;

/// The service of a request.
fn service_of(context: &Context<'_>) -> WebhookService {
    WebhookService::new(request(context).ports.clone())
}

#[Object]
impl WebhookMutation {
    /// Names where the business wants to be told of events. For owners and admins.
    async fn create_webhook_endpoint(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CreateWebhookEndpointInput,
    ) -> Option<Result<CreateWebhookEndpointPayload>> {
        nullable(async {
            let request = request(context);
            let wanted = CreateEndpoint { url: input.url.0, events: input.events };
            let (made, user_errors) = split(service_of(context).create(request.caller, wanted).await)?;
            let (id, secret) = made.map_or((None, None), |(id, secret)| (Some(id), Some(secret.expose_secret().to_owned())));
            Ok(Some(CreateWebhookEndpointPayload { endpoint: changed(request, id).await?, secret, user_errors }))
        })
        .await
    }

    /// Changes an endpoint. For owners and admins.
    async fn update_webhook_endpoint(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: UpdateWebhookEndpointInput,
    ) -> Option<Result<UpdateWebhookEndpointPayload>> {
        nullable(async {
            let request = request(context);
            let wanted = UpdateEndpoint {
                endpoint: WebhookEndpointId::parse(&input.endpoint_id),
                url: change(input.url, |url| url.0),
                events: change(input.events, |events| events),
                enabled: change(input.enabled, |enabled| enabled),
            };
            let (updated, user_errors) = split(service_of(context).update(request.caller, wanted).await)?;
            Ok(Some(UpdateWebhookEndpointPayload { endpoint: changed(request, updated).await?, user_errors }))
        })
        .await
    }

    /// Ends an endpoint, with all that was delivered to it and waits for it. For owners and admins.
    async fn delete_webhook_endpoint(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: DeleteWebhookEndpointInput,
    ) -> Option<Result<DeleteWebhookEndpointPayload>> {
        nullable(async {
            let (request, id) = (request(context), WebhookEndpointId::parse(&input.endpoint_id));
            let (deleted, user_errors) = split(service_of(context).delete(request.caller, id).await)?;
            request.refresh();
            Ok(Some(DeleteWebhookEndpointPayload { deleted_id: deleted.map(show_id), user_errors }))
        })
        .await
    }

    /// Gives an endpoint another secret; the one before it signs too for 24 hours. For owners and admins.
    async fn rotate_webhook_secret(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RotateWebhookSecretInput,
    ) -> Option<Result<RotateWebhookSecretPayload>> {
        nullable(async {
            let (request, id) = (request(context), WebhookEndpointId::parse(&input.endpoint_id));
            let (secret, user_errors) = split(service_of(context).rotate(request.caller, id).await)?;
            request.refresh();
            Ok(Some(RotateWebhookSecretPayload { secret: secret.map(|secret| secret.expose_secret().to_owned()), user_errors }))
        })
        .await
    }

    /// Has a delivery sent again, by the same id, behind what waits for its endpoint; one that waits itself is tried at once, in
    /// its turn. For owners and admins.
    async fn resend_webhook_delivery(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ResendWebhookDeliveryInput,
    ) -> Option<Result<ResendWebhookDeliveryPayload>> {
        nullable(async {
            let (request, id) = (request(context), WebhookDeliveryId::parse(&input.delivery_id));
            let (resent, user_errors) = split(service_of(context).resend(request.caller, id).await)?;
            request.refresh();
            let delivery = match resent {
                Some(id) => rows::delivery_by_id(&request.reader().await?, id).await?.map(|row| WebhookDelivery { row }),
                None => None,
            };
            Ok(Some(ResendWebhookDeliveryPayload { delivery, user_errors }))
        })
        .await
    }
}
