//! `POST /gateways/mpesa/events/{secret}`: what Daraja tells us of by itself. Nobody signs it, so the address itself names one attempt, and
//! cannot be guessed. Nobody's answer is believed but the one that Daraja gives when it is asked.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use sha2::{Digest as _, Sha256};

use crate::adapters::payment::mpesa::{EVENTS_PATH, callback};
use crate::services::Ports;
use crate::services::payments::{named_by, take_hint};

/// The longest body that is read, in bytes.
const MAX_BODY_BYTES: usize = 32 * 1024;
/// What Daraja wants to hear, whatever it said.
const TAKEN: &str = "{\"ResultCode\":0,\"ResultDesc\":\"Accepted\"}";

/// The route, for a server that has M-Pesa.
pub fn router(ports: Ports) -> Router {
    Router::new().route(&format!("{EVENTS_PATH}/{{secret}}"), post(hear)).layer(DefaultBodyLimit::disable()).with_state(ports)
}

/// Takes what is said of one attempt. An address that we did not give, and what cannot be read, are answered as what was taken: whoever
/// guesses learns nothing.
async fn hear(State(ports): State<Ports>, Path(secret): Path<String>, body: Body) -> Response {
    let body = match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return answer(StatusCode::PAYLOAD_TOO_LARGE, "{}"),
        Err(_) => return answer(StatusCode::BAD_REQUEST, "{}"),
    };
    let Some(named) = named_by(&ports, &secret) else {
        tracing::warn!("an event for M-Pesa's endpoint came by an address that was never given");
        return answer(StatusCode::OK, TAKEN);
    };
    let Some(heard) = callback::read(named.heard_of(), &body) else {
        tracing::warn!(?named, "what Daraja says of an attempt cannot be read");
        return answer(StatusCode::OK, TAKEN);
    };
    let digest = Sha256::digest(&body).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    match take_hint(&ports, named, heard, digest).await {
        Ok(()) => answer(StatusCode::OK, TAKEN),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, ?named, "what Daraja says could not be taken");
            answer(StatusCode::SERVICE_UNAVAILABLE, "{}")
        }
    }
}

/// An answer.
fn answer(status: StatusCode, body: &'static str) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
