//! How Stripe is asked: forms out and JSON back, each request within its time. Nothing is sent twice here but what Stripe had no room for: whether a request may be is for whoever knows its key.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderName, Method, Request};
use http_body_util::Full;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use url::form_urlencoded::Serializer;

use super::super::wire::{AGENT, Wire};
use super::objects::{ErrorBody, StripeError};
use crate::clock::SharedClock;
use crate::error::Cause;

/// The version of Stripe's API that answers are read by.
pub(super) const API_VERSION: HeaderValue = HeaderValue::from_static("2024-06-20");
/// How often a request is sent where Stripe says that it has no room for it: it has done nothing then.
const TRIES: u32 = 3;
/// The pause before it is sent again; it doubles.
const PAUSE: Duration = Duration::from_millis(300);

/// A form's fields.
pub(super) type Form<'a> = Vec<(&'a str, String)>;

/// Why there is no object.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Stripe answered that it will not, and did nothing or what `error` tells of.
    Refused {
        /// The status.
        status: u16,
        /// What it says.
        error: Box<StripeError>,
    },
    /// The answer was lost, or says that Stripe is not well: nobody knows what was done.
    Lost,
}

/// Asks Stripe. Its clones share their connections.
#[derive(Clone)]
pub(super) struct StripeClient {
    /// The client of HTTP.
    wire: Wire,
    /// Proves who asks.
    authorization: HeaderValue,
    /// Waits.
    clock: SharedClock,
}

impl fmt::Debug for StripeClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeClient").field("wire", &self.wire).finish_non_exhaustive()
    }
}

impl StripeClient {
    /// A client that is not connected yet.
    ///
    /// # Errors
    /// Where TLS cannot be set up, or the key is none that a header can hold.
    pub(super) fn new(url: &str, key: &SecretString, limit: Duration, clock: SharedClock) -> Result<Self, Cause> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))?;
        authorization.set_sensitive(true);
        Ok(Self { wire: Wire::new(url, limit)?, authorization, clock })
    }

    /// Reads an object or a page of them.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str, query: &Form<'_>) -> Result<T, Refusal> {
        self.send(Method::GET, &format!("{path}?{}", encoded(query)), Bytes::new(), None).await
    }

    /// Sends a form, under a key by which Stripe does it once.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, form: &Form<'_>, key: Option<&str>) -> Result<T, Refusal> {
        self.send(Method::POST, path, Bytes::from(encoded(form)), key).await
    }

    /// Sends one request, again where Stripe has no room for it, and reads what comes of it.
    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes, key: Option<&str>) -> Result<T, Refusal> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match self.send_once(&method, path, &body, key).await? {
                (429, _) => tracing::warn!(path = named(path), "Stripe has no room for a request; it is sent again"),
                (status, body) => return read(status, &body, path),
            }
            self.clock.sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        let (status, body) = self.send_once(&method, path, &body, key).await?;
        read(status, &body, path)
    }

    /// Sends one request; answers the status and the body.
    async fn send_once(&self, method: &Method, path: &str, body: &Bytes, key: Option<&str>) -> Result<(u16, Bytes), Refusal> {
        let Some(request) = self.request(method.clone(), path, body.clone(), key) else { return Err(Refusal::Lost) };
        self.wire.send(request, named(path), "Stripe").await.ok_or(Refusal::Lost)
    }

    /// The request; none where a header or the address cannot hold what it should.
    fn request(&self, method: Method, path: &str, body: Bytes, key: Option<&str>) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.wire.uri(path)?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(USER_AGENT, AGENT);
        headers.insert(HeaderName::from_static("stripe-version"), API_VERSION);
        if let Some(key) = key {
            headers.insert(HeaderName::from_static("idempotency-key"), HeaderValue::from_str(key).ok()?);
        }
        Some(request)
    }
}

/// What an answer says. What is neither an object nor a refusal that is sure counts as lost.
fn read<T: DeserializeOwned>(status: u16, body: &[u8], path: &str) -> Result<T, Refusal> {
    if (200..300).contains(&status) {
        return serde_json::from_slice(body).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, path = named(path), "an answer of Stripe cannot be read");
            Refusal::Lost
        });
    }
    let said = serde_json::from_slice::<ErrorBody>(body).ok().map(|body| body.error);
    let request_id = said.as_ref().and_then(|error| error.request_log_url.as_deref());
    if matches!(status, 401 | 403) {
        tracing::error!(status, path = named(path), request_id, "Stripe refuses the secret key; somebody must look");
    } else {
        tracing::info!(status, path = named(path), kind = said.as_ref().map(|error| error.kind.as_str()), "Stripe refuses");
    }
    match (status, said) {
        // These are refusals of what was asked; every other says that Stripe is not well, busy with the key, or does not know us.
        (400 | 402 | 404, Some(error)) => Err(Refusal::Refused { status, error: Box::new(error) }),
        _ => Err(Refusal::Lost),
    }
}

/// A path as it may stand in a log: without its query.
fn named(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

/// Fields as a form or a query.
fn encoded(form: &Form<'_>) -> String {
    let mut text = Serializer::new(String::new());
    text.extend_pairs(form.iter().map(|(name, value)| (*name, value.as_str())));
    text.finish()
}
