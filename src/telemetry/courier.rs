//! Carries spans to a collector by the HTTP client that everything else uses, with the operator's headers.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_http::{HttpClient, HttpError};
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;

use crate::config::OtlpSettings;
use crate::error::Cause;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long a connection is kept for the next.
const IDLE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Carries spans.
pub(super) struct Courier {
    /// The client of HTTP.
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The operator's headers.
    headers: HeaderMap,
    /// The runtime that sends: who asks is a thread outside of any.
    runtime: Handle,
    /// Whether the last request was taken.
    is_well: AtomicBool,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}

impl Courier {
    /// A courier that is not connected yet, of the runtime at hand.
    ///
    /// # Errors
    /// Where TLS cannot be set up, a header is none, or there is no runtime.
    pub(super) fn new(settings: &OtlpSettings) -> Result<Self, Cause> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider)?.https_or_http().enable_http1().wrap_connector(tcp);
        let http = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).build(tls);
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let mut value = HeaderValue::from_str(value.expose_secret())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes())?, value);
        }
        Ok(Self { http, headers, runtime: Handle::try_current()?, is_well: AtomicBool::new(true) })
    }

    /// Says once that the collector takes nothing, and once that it does again.
    fn tell(&self, trouble: Option<&str>) {
        let was_well = self.is_well.swap(trouble.is_none(), Ordering::Relaxed);
        match trouble {
            Some(trouble) if was_well => tracing::warn!(trouble, "the collector takes no spans; they are lost until it does"),
            None if !was_well => tracing::info!("the collector takes spans again"),
            Some(_) | None => {}
        }
    }
}

#[async_trait]
impl HttpClient for Courier {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        request.headers_mut().extend(self.headers.clone());
        let http = self.http.clone();
        let sending = async move {
            let (head, body) = http.request(request.map(Full::new)).await?.into_parts();
            Ok::<_, HttpError>(Response::from_parts(head, Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes()))
        };
        let sent = self.runtime.spawn(async move { tokio::time::timeout(LIMIT, sending).await }).await;
        let answer = match sent {
            Ok(Ok(answer)) => answer,
            Ok(Err(late)) => Err(late.into()),
            Err(ended) => Err(ended.into()),
        };
        match &answer {
            Ok(answer) if answer.status().is_success() => self.tell(None),
            Ok(answer) => self.tell(Some(answer.status().as_str())),
            Err(error) => self.tell(Some(&error.to_string())),
        }
        answer
    }
}
