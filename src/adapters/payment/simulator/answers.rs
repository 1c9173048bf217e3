//! How a simulator answers, and how it does not: a connection that breaks is what a lost answer looks like.

use std::future::Future;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

/// The longest body that is read, in bytes.
pub(super) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A status and a body; none where the connection breaks.
pub(super) type Answer = Option<(u16, Value)>;

/// Does what was asked whether or not whoever asked is still there, as a gateway does.
pub(super) async fn whoever_waits(work: impl Future<Output = Answer> + Send + 'static) -> Response {
    match tokio::spawn(work).await {
        Ok(Some((status, body))) => said(status, &body),
        Ok(None) => broken(),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a simulator failed at a request");
            said(500, &json!({ "error": "The simulator failed." }))
        }
    }
}

/// An answer in JSON.
pub(super) fn said(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// None: the body fails before anything of the answer was sent, and the connection with it.
fn broken() -> Response {
    let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(stream::iter([Err::<Bytes, _>(error)])))
}
