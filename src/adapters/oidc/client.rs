//! How the provider is asked: GET by hyper, TLS by rustls with the authorities that browsers trust and one of the operator's, no
//! redirect, each answer within its time and size.
//!
//! The operator named the issuer, so its host is gone to wherever it is, in a private network too. What its answer names elsewhere is
//! gone to on the public internet alone, as webhooks are.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HeaderValue, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use url::{Origin, Url};

use crate::adapters::authorities::trusting;
use crate::adapters::webhook::{GuardedResolver, Reach, SystemLookup, Target};
use crate::error::Cause;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one answer may take as a whole.
const WHOLE: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(30);
/// What we are called.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("evolve-business/", env!("CARGO_PKG_VERSION")));

/// Asks the provider.
pub(super) struct ProviderClient {
    /// Where the issuer is.
    origin: Origin,
    /// Goes there.
    own: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// Goes anywhere else.
    beyond: Client<HttpsConnector<HttpConnector<GuardedResolver>>, Empty<Bytes>>,
}

impl ProviderClient {
    /// A client of the issuer at `issuer`, that is not connected yet. There `authority` (PEM) is trusted beside the authorities that
    /// browsers trust.
    ///
    /// # Errors
    /// Where TLS cannot be set up, or `authority` is no certificate.
    pub(super) fn new(issuer: &Url, authority: Option<&[u8]>) -> Result<Self, Cause> {
        let tls = HttpsConnectorBuilder::new().with_tls_config(trusting(authority)?);
        // Unencrypted it is on this machine alone, which the settings see to.
        let schemes = if issuer.scheme() == "https" { tls.https_only() } else { tls.https_or_http() };
        let own = schemes.enable_http1().wrap_connector(dressed(HttpConnector::new()));
        let guarded = HttpConnector::new_with_resolver(GuardedResolver::new(Arc::new(SystemLookup), Reach::Public));
        let tls = HttpsConnectorBuilder::new().with_tls_config(trusting(None)?);
        let beyond = tls.https_only().enable_http1().wrap_connector(dressed(guarded));
        let builder = || {
            let mut builder = Client::builder(TokioExecutor::new());
            builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(1);
            builder
        };
        Ok(Self { origin: issuer.origin(), own: builder().build(own), beyond: builder().build(beyond) })
    }

    /// What is at `url`: at most `most` bytes.
    ///
    /// # Errors
    /// Where it is not gone to, where nothing or something else than 200 comes, or too much, or too late.
    pub(super) async fn get(&self, url: &Url, most: usize) -> Result<Bytes, Cause> {
        let request = Request::get(url.as_str()).header(ACCEPT, "application/json").header(USER_AGENT, AGENT).body(Empty::new())?;
        let answer = async {
            let response = if url.origin() == self.origin {
                self.own.request(request).await?
            } else {
                Target::parse(url.as_str(), Reach::Public)?;
                self.beyond.request(request).await?
            };
            if response.status() != StatusCode::OK {
                return Err(Cause::from(format!("the answer has the status {}", response.status())));
            }
            Ok(Limited::new(response.into_body(), most).collect().await?.to_bytes())
        };
        tokio::time::timeout(WHOLE, answer).await?
    }
}

/// A connector with its limits.
fn dressed<R>(mut connector: HttpConnector<R>) -> HttpConnector<R> {
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT));
    connector.set_nodelay(true);
    connector
}
