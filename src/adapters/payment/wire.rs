//! How a gateway is asked: HTTP/1.1 by hyper, TLS by rustls, each request within its time.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::error::Cause;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes: a page of a hundred of Stripe's intents is some hundred kilobytes.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// What we are called.
pub(super) const AGENT: HeaderValue = HeaderValue::from_static(concat!("evolve-business/", env!("CARGO_PKG_VERSION")));

/// A client of one gateway. Its clones share their connections.
#[derive(Clone)]
pub(super) struct Wire {
    /// The client of HTTP.
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Where the gateway is, without a slash at the end.
    url: String,
    /// How long one request may take.
    limit: Duration,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Wire {
    /// A client that is not connected yet.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub(super) fn new(url: &str, limit: Duration) -> Result<Self, Cause> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_nodelay(true);
        let provider = rustls::crypto::ring::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider)?;
        let schemes = if url.starts_with("https://") { tls.https_only() } else { tls.https_or_http() };
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(schemes.enable_http1().wrap_connector(tcp));
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), limit })
    }

    /// The address of a path; none where that is no path.
    pub(super) fn uri(&self, path: &str) -> Option<Uri> {
        format!("{}{path}", self.url).parse().ok()
    }

    /// Sends one request; answers the status and the body, and nothing where the answer was lost. `path` is what the log may say.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>, path: &str, gateway: &'static str) -> Option<(u16, Bytes)> {
        let answer = async {
            let (head, body) = self.http.request(request).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
            Ok::<_, Cause>((head.status.as_u16(), body))
        };
        match tokio::time::timeout(self.limit, answer).await {
            Ok(Ok(answered)) => Some(answered),
            Ok(Err(error)) => {
                tracing::warn!(error = &*error as &dyn std::error::Error, path, gateway, "a gateway did not answer");
                None
            }
            Err(_) => {
                tracing::warn!(path, gateway, "a gateway did not answer in time");
                None
            }
        }
    }
}
