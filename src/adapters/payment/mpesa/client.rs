//! How Daraja is asked: JSON both ways under a token that lasts an hour. Nothing is sent twice here but what Daraja refused before it
//! did anything: for want of room, or since it did not know the token any more.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use super::super::wire::{AGENT, Wire};
use super::objects::{Refused, Token};
use crate::clock::SharedClock;
use crate::error::Cause;

/// Where tokens are had.
const TOKEN_PATH: &str = "/oauth/v1/generate?grant_type=client_credentials";
/// How long before its end a token is replaced.
const MARGIN: SignedDuration = SignedDuration::from_mins(1);
/// How often a request is sent where Daraja says that it has no room for it: it has done nothing then.
const TRIES: u32 = 3;
/// The pause before it is sent again; it doubles.
const PAUSE: Duration = Duration::from_millis(300);
/// What is said of a token that Daraja does not know.
const BAD_TOKEN: &str = "404.001.03";
/// What is said where one asks too often.
const TOO_OFTEN: &str = "500.003.02";

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Daraja answered that it will not, and did nothing.
    Refused {
        /// The status.
        status: u16,
        /// What it says.
        said: Refused,
    },
    /// The answer was lost: nobody knows what was done.
    Lost,
    /// The request was never sent, since no token was to be had.
    NotSent,
}

/// A token, and until when it is used.
struct Held {
    /// The header that it makes.
    authorization: HeaderValue,
    /// Until when.
    until: Timestamp,
}

/// Asks Daraja. Its clones share their connections and their token.
#[derive(Clone)]
pub(super) struct DarajaClient {
    /// The client of HTTP.
    wire: Wire,
    /// Proves to whom a token is given.
    basic: HeaderValue,
    /// The token in use. Whoever finds none asks for one while the others wait.
    token: Arc<Mutex<Option<Held>>>,
    /// Tells when a token ends, and waits.
    clock: SharedClock,
}

impl fmt::Debug for DarajaClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DarajaClient").field("wire", &self.wire).finish_non_exhaustive()
    }
}

/// A header that must not be printed.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}

impl DarajaClient {
    /// A client that is not connected yet.
    ///
    /// # Errors
    /// Where TLS cannot be set up, or the keys are none that a header can hold.
    pub(super) fn new(
        url: &str,
        consumer_key: &SecretString,
        consumer_secret: &SecretString,
        limit: Duration,
        clock: SharedClock,
    ) -> Result<Self, Cause> {
        let pair = format!("{}:{}", consumer_key.expose_secret(), consumer_secret.expose_secret());
        let basic = secret(&format!("Basic {}", STANDARD.encode(pair))).ok_or("the consumer's key is none that a header can hold")?;
        Ok(Self { wire: Wire::new(url, limit)?, basic, token: Arc::default(), clock })
    }

    /// Sends a request under the token, again where it was refused before anything was done.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str, body: &serde_json::Value) -> Result<T, Refusal> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            let authorization = self.authorization().await.ok_or(Refusal::NotSent)?;
            match self.once(path, body, authorization.clone()).await {
                Err(Refusal::Refused { status, said }) if status == 401 || said.code == BAD_TOKEN => self.forget(&authorization).await,
                Err(Refusal::Refused { status, said }) if status == 429 || said.code == TOO_OFTEN => {
                    tracing::warn!(path, "Daraja has no room for a request; it is sent again");
                    self.clock.sleep(pause).await;
                    pause = pause.saturating_mul(2);
                }
                other => return other,
            }
        }
        let authorization = self.authorization().await.ok_or(Refusal::NotSent)?;
        self.once(path, body, authorization).await
    }

    /// Sends a request once.
    async fn once<T: DeserializeOwned>(&self, path: &str, body: &serde_json::Value, token: HeaderValue) -> Result<T, Refusal> {
        let request = self.request(Method::POST, path, Bytes::from(body.to_string()), token).ok_or(Refusal::NotSent)?;
        let (status, body) = self.wire.send(request, path, "M-Pesa").await.ok_or(Refusal::Lost)?;
        read(status, &body, path)
    }

    /// The header that proves who asks: of the token in use, or of a new one. One alone asks for a new one at a time.
    async fn authorization(&self) -> Option<HeaderValue> {
        let mut held = self.token.lock().await;
        let now = self.clock.now();
        if let Some(token) = held.as_ref().filter(|token| now < token.until) {
            return Some(token.authorization.clone());
        }
        let request = self.request(Method::GET, TOKEN_PATH, Bytes::new(), self.basic.clone())?;
        let (status, body) = self.wire.send(request, "/oauth/v1/generate", "M-Pesa").await?;
        let Ok(token) = serde_json::from_slice::<Token>(&body).map_err(drop).and_then(|token| (status == 200).then_some(token).ok_or(()))
        else {
            tracing::error!(status, "Daraja gives no token; somebody must look");
            return None;
        };
        let lasts = SignedDuration::from_secs(token.expires_in.trim().parse().unwrap_or_default());
        let until = now.saturating_add(lasts.saturating_sub(MARGIN)).unwrap_or(now);
        let authorization = secret(&format!("Bearer {}", token.access_token))?;
        *held = Some(Held { authorization: authorization.clone(), until });
        Some(authorization)
    }

    /// Forgets a token that Daraja does not know any more, unless another has taken its place.
    async fn forget(&self, refused: &HeaderValue) {
        let mut held = self.token.lock().await;
        if held.as_ref().is_some_and(|token| token.authorization == *refused) {
            *held = None;
        }
    }

    /// The request; none where the address cannot hold what it should.
    fn request(&self, method: Method, path: &str, body: Bytes, authorization: HeaderValue) -> Option<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.wire.uri(path)?;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, AGENT);
        Some(request)
    }
}

/// What an answer says. What is neither an answer nor a refusal counts as lost.
fn read<T: DeserializeOwned>(status: u16, body: &[u8], path: &str) -> Result<T, Refusal> {
    if (200..300).contains(&status) {
        return serde_json::from_slice(body).map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, path, "an answer of Daraja's cannot be read");
            Refusal::Lost
        });
    }
    match serde_json::from_slice::<Refused>(body) {
        Ok(said) if !said.code.is_empty() => {
            tracing::info!(status, path, code = said.code, message = said.message, "Daraja refuses");
            Err(Refusal::Refused { status, said })
        }
        _ => Err(Refusal::Lost),
    }
}
