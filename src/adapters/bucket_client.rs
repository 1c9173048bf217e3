//! How a bucket is reached: HTTP/1.1 by hyper, TLS by rustls with the authorities that browsers trust and one of the operator's, each request within its time.

use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as TcpConnector;
use hyper_util::rt::TokioExecutor;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
};

use super::authorities::trusting;
use crate::error::Cause;

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a request may take, with its answer as a whole.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// The client of a bucket.
#[derive(Debug, Clone)]
pub(super) struct BucketClient {
    client: Client<HttpsConnector<TcpConnector>, HttpRequestBody>,
}

impl BucketClient {
    /// A client that is not connected yet. `authority` (PEM) is trusted beside the authorities that browsers trust.
    ///
    /// # Errors
    /// Where TLS cannot be set up.
    pub(super) fn new(authority: Option<&[u8]>) -> Result<Self, Cause> {
        let mut tcp = TcpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_LIMIT));
        tcp.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new().with_tls_config(trusting(authority)?).https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(tls) })
    }
}

impl HttpConnector for BucketClient {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for BucketClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = async {
            let response = self.client.request(request).await.map_err(|error| {
                let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Request };
                HttpError::new(kind, error)
            })?;
            let (parts, body) = response.into_parts();
            // Read here, so that it is within the time too.
            let body = body.collect().await.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error))?;
            Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(body.to_bytes())))
        };
        match tokio::time::timeout(REQUEST_LIMIT, answer).await {
            Ok(answered) => answered,
            Err(elapsed) => Err(HttpError::new(HttpErrorKind::Timeout, elapsed)),
        }
    }
}
