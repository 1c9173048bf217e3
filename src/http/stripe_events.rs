//! `POST /gateways/stripe/events`: what Stripe tells us of by itself. The signature is checked over the body as it came, before
//! anything is read of it. Nobody's answer is believed but the one that Stripe gives when it is asked.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use secrecy::SecretString;

use crate::adapters::payment::GatewayKind;
use crate::adapters::payment::stripe::event::StripeEvent;
use crate::adapters::payment::stripe::signature::is_signed;
use crate::ids::{PaymentId, RefundId};
use crate::services::Ports;
use crate::services::payments::{DisputeHeard, GatewayEvent, take_event};

/// Where Stripe sends events.
pub const PATH: &str = "/gateways/stripe/events";
/// The longest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// The header that holds the signatures.
const SIGNATURE: &str = "stripe-signature";

/// What the route needs.
#[derive(Clone)]
struct Inbox {
    ports: Ports,
    secrets: Arc<[SecretString]>,
}

/// The route, for a server that has Stripe.
pub fn router(ports: Ports, secrets: Arc<[SecretString]>) -> Router {
    Router::new().route(PATH, post(hear)).layer(DefaultBodyLimit::disable()).with_state(Inbox { ports, secrets })
}

/// Takes one event. Only what was taken, now or before, is answered with success: anything else Stripe sends again.
async fn hear(State(Inbox { ports, secrets }): State<Inbox>, headers: HeaderMap, body: Body) -> Response {
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return answer(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long.\n"),
        Err(_) => return answer(StatusCode::BAD_REQUEST, "The body did not arrive.\n"),
    };
    let mut signatures = headers.get_all(SIGNATURE).iter();
    let signature = signatures.next().filter(|_| signatures.next().is_none()).and_then(|value| value.to_str().ok());
    if !signature.is_some_and(|header| is_signed(header, &body, &secrets, ports.real_now())) {
        tracing::warn!("an event for Stripe's endpoint is not signed by Stripe");
        return answer(StatusCode::BAD_REQUEST, "The signature is not good.\n");
    }
    let Some(event) = StripeEvent::read(&body) else {
        tracing::error!("an event that Stripe signed cannot be read; somebody must look");
        return answer(StatusCode::BAD_REQUEST, "This is no event.\n");
    };
    let (id, kind) = (event.id.clone(), event.kind.clone());
    let event = GatewayEvent {
        gateway: GatewayKind::Stripe,
        id: event.id,
        kind: event.kind,
        payment: event.payment.as_deref().and_then(PaymentId::parse),
        refund: event.refund.as_deref().and_then(RefundId::parse),
        dispute: event.dispute.map(|named| DisputeHeard { reference: named.reference, charge: named.intent }),
    };
    match take_event(&ports, event).await {
        Ok(is_new) => {
            tracing::debug!(id, kind, is_new, "Stripe told of something");
            answer(StatusCode::OK, "Taken.\n")
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, id, kind, "an event of Stripe's could not be taken");
            answer(StatusCode::SERVICE_UNAVAILABLE, "Try again.\n")
        }
    }
}

/// A sentence.
fn answer(status: StatusCode, sentence: &'static str) -> Response {
    (status, sentence).into_response()
}
