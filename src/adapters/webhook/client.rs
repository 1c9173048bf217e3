//! The client: connects to what a name stands for once that was found to be public, and to nothing else.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderName, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use super::address::Reach;
use super::target::{Target, TargetError};
use crate::error::Cause;

/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a call may take as a whole.
const WHOLE: Duration = Duration::from_secs(15);
/// How long an answer's body is waited for.
const REST: Duration = Duration::from_secs(1);
/// How long a connection is kept for the next call.
const IDLE: Duration = Duration::from_secs(30);
/// The most connections to one host that are kept for the next call.
const IDLE_PER_HOST: usize = 2;
/// How much of an answer's body is read, so that its connection can serve the next call.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// How many bytes the head of an answer may have.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The most calls of this process at once: the others of a worker's jobs are to run while receivers are slow.
pub const MAX_AT_ONCE: usize = 8;
/// What we are called.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("evolve-business/", env!("CARGO_PKG_VERSION")));

/// Asks what addresses a name stands for.
pub trait Lookup: Send + Sync + 'static {
    /// Every address of a name.
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// Asks the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

/// A name stands for an address that webhooks do not go to.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the name stands for an address that is not public")]
struct NotPublic;

/// Looks names up, and answers addresses that may be connected to: the connector goes to these, and asks nobody again.
#[derive(Clone)]
pub(in crate::adapters) struct GuardedResolver {
    /// Who knows names.
    lower: Arc<dyn Lookup>,
    /// How far it may go.
    reach: Reach,
}

impl GuardedResolver {
    /// Asks `lower`, and goes as far as `reach`.
    pub(in crate::adapters) fn new(lower: Arc<dyn Lookup>, reach: Reach) -> Self {
        Self { lower, reach }
    }
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Cause;
    type Future = BoxFuture<'static, Result<Self::Response, Cause>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Cause>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, reach) = (self.lower.lookup(name.as_str().to_owned()), self.reach);
        Box::pin(async move {
            let addresses = found.await?;
            // With one that is not public the others are not believed either: whoever answers so tries something.
            if addresses.iter().any(|address| !reach.allows(*address)) {
                return Err(NotPublic.into());
            }
            Ok(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect::<Vec<_>>().into_iter())
        })
    }
}

/// One call: what is sent, with the headers that sign it.
#[derive(Debug, Clone)]
pub struct WebhookCall {
    /// `webhook-id`: the same each time that this is sent.
    pub id: String,
    /// `webhook-timestamp`: when it is sent, in seconds of Unix time.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signature: String,
    /// The body, as it was signed.
    pub body: String,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// `Retry-After`, as it stands there.
    pub retry_after: Option<String>,
}

/// Why there is no answer. Each is a sentence for the customer, who learns nothing of our network by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The address is none that webhooks go to.
    #[error("The host is not on the public internet.")]
    NotPublic,
    /// The URL is none that webhooks go to any more.
    #[error("The URL is not one that webhooks go to.")]
    Target(#[source] TargetError),
    /// Nobody could be connected to, or they could not prove who they are.
    #[error("The host could not be reached.")]
    NotReached,
    /// It took too long.
    #[error("There was no answer in time.")]
    TooSlow,
    /// The connection ended, or what came was no answer.
    #[error("The answer was none of HTTP.")]
    Broken,
}

/// Sends webhooks. Its clones share their connections and their bounds.
#[derive(Clone)]
pub struct WebhookClient {
    /// The client of HTTP.
    http: Client<HttpsConnector<HttpConnector<GuardedResolver>>, Full<Bytes>>,
    /// How far it may go.
    reach: Reach,
    /// Room for calls at once.
    room: Arc<Semaphore>,
}

impl fmt::Debug for WebhookClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookClient").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl WebhookClient {
    /// A client that goes as far as `reach` and asks `names` for addresses.
    ///
    /// # Errors
    /// Where the cipher suites cannot be set up.
    pub fn new(reach: Reach, names: Arc<dyn Lookup>) -> Result<Self, Cause> {
        let mut http = HttpConnector::new_with_resolver(GuardedResolver::new(names, reach));
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        http.set_nodelay(true);
        let tls = HttpsConnectorBuilder::new().with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?;
        let schemes = match reach {
            Reach::Public => tls.https_only(),
            Reach::PublicAndLoopback => tls.https_or_http(),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_buf_size(MAX_HEAD_BYTES)
            .build(schemes.enable_http1().wrap_connector(http));
        Ok(Self { http: client, reach, room: Arc::new(Semaphore::new(MAX_AT_ONCE)) })
    }

    /// Reads where a webhook is to go.
    ///
    /// # Errors
    /// Why it may not go there.
    pub fn target(&self, url: &str) -> Result<Target, TargetError> {
        Target::parse(url, self.reach)
    }

    /// Room for one call; none where [`MAX_AT_ONCE`] are under way.
    pub fn begin(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    /// Sends a webhook, once. Whatever is answered is an answer, a redirect too.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn post(&self, url: &str, call: WebhookCall) -> Result<Answer, SendError> {
        let target = self.target(url).map_err(SendError::Target)?;
        let request = request(&target, call).ok_or(SendError::Broken)?;
        tokio::time::timeout(WHOLE, self.answer(request)).await.unwrap_or(Err(SendError::TooSlow))
    }

    /// The answer to a request.
    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Answer, SendError> {
        let response = self.http.request(request).await.map_err(|error| why(&error, error.is_connect()))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        // The status has come: what follows it, or fails to, changes nothing.
        let _: Result<(), _> = tokio::time::timeout(REST, read_rest(response.into_body())).await;
        Ok(Answer { status, retry_after })
    }
}

/// Reads what little of a body is read, and drops it.
async fn read_rest(mut body: Incoming) {
    let mut read: usize = 0;
    while let Some(Ok(frame)) = body.frame().await {
        read = read.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if read > MAX_ANSWER_BYTES {
            return;
        }
    }
}

/// The request of a call; none where a header cannot hold what it should.
fn request(target: &Target, call: WebhookCall) -> Option<Request<Full<Bytes>>> {
    let mut request = Request::new(Full::new(Bytes::from(call.body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target.uri().clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, AGENT);
    for (name, value) in [("webhook-id", call.id), ("webhook-timestamp", call.timestamp), ("webhook-signature", call.signature)] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?);
    }
    Some(request)
}

/// What a failure of the client comes to.
fn why(error: &(dyn StdError + 'static), connecting: bool) -> SendError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return SendError::NotPublic;
        }
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return SendError::TooSlow;
        }
        cause = error.source();
    }
    if connecting { SendError::NotReached } else { SendError::Broken }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Names that stand for what a test says.
    struct Names(HashMap<&'static str, Vec<&'static str>>);

    impl Lookup for Names {
        fn lookup(&self, name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let found = self.0.get(name.as_str()).map(|all| all.iter().map(|one| one.parse().unwrap()).collect());
            Box::pin(async move { found.ok_or_else(|| io::ErrorKind::NotFound.into()) })
        }
    }

    fn call() -> WebhookCall {
        WebhookCall { id: "dlv_1".into(), timestamp: "1".into(), signature: "v1,x".into(), body: "{}".into() }
    }

    /// Answers one request with `answer`; answers the port, and what was asked.
    async fn answering(answer: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut asked, mut chunk) = (Vec::new(), [0; 1024]);
            while !asked.ends_with(b"{}") {
                let read = stream.read(&mut chunk).await.unwrap();
                assert!(read > 0, "the request ended early");
                asked.extend_from_slice(&chunk[..read]);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        (port, task)
    }

    #[tokio::test]
    async fn a_name_that_stands_for_a_private_address_is_not_connected_to() {
        let names = Names(HashMap::from([
            ("private.example", vec!["10.0.0.7"]),
            ("metadata.example", vec!["169.254.169.254"]),
            ("here.example", vec!["127.0.0.1"]),
            ("here6.example", vec!["::1"]),
            ("mapped.example", vec!["::ffff:10.0.0.7"]),
            ("nat64.example", vec!["64:ff9b::a00:7"]),
            ("mixed.example", vec!["1.1.1.1", "192.168.1.1"]),
            ("none.example", vec![]),
        ]));
        let client = WebhookClient::new(Reach::Public, Arc::new(names)).unwrap();
        for name in ["private", "metadata", "here", "here6", "mapped", "nat64", "mixed"] {
            let sent = client.post(&format!("https://{name}.example/hook"), call()).await;
            assert_eq!(sent, Err(SendError::NotPublic), "{name}");
        }
        for name in ["none", "unknown"] {
            let sent = client.post(&format!("https://{name}.example/hook"), call()).await;
            assert_eq!(sent, Err(SendError::NotReached), "{name}");
        }
        let literal = client.post("https://10.0.0.7/hook", call()).await;
        assert_eq!(literal, Err(SendError::Target(TargetError::NotPublic)), "a literal address is never looked up");
    }

    #[tokio::test]
    async fn the_address_that_was_looked_at_is_the_one_that_is_connected_to() {
        let (port, asked) = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
        // `localhost` is looked up by nobody else: the lower part is asked, and its answer is used.
        let names = Names(HashMap::from([("localhost", vec!["127.0.0.1"])]));
        let client = WebhookClient::new(Reach::PublicAndLoopback, Arc::new(names)).unwrap();
        let sent = client.post(&format!("http://localhost:{port}/hook?a=b"), call()).await.unwrap();
        assert_eq!(sent, Answer { status: 204, retry_after: None });
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{asked}");
        for header in ["content-type: application/json", "webhook-id: dlv_1", "webhook-timestamp: 1", "webhook-signature: v1,x"] {
            assert!(asked.contains(header), "{header}: {asked}");
        }
        let sent = client.post(&format!("http://[::1]:{port}/hook"), call()).await;
        assert_eq!(sent, Err(SendError::NotReached), "nobody listens any more");
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let (port, asked) = answering("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\nretry-after: 7\r\n\r\n").await;
        let client = WebhookClient::new(Reach::PublicAndLoopback, Arc::new(SystemLookup)).unwrap();
        let sent = client.post(&format!("http://127.0.0.1:{port}/"), call()).await.unwrap();
        assert_eq!(sent, Answer { status: 307, retry_after: Some("7".into()) });
        asked.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_answer_is_broken() {
        let (port, _) = answering("SSH-2.0-OpenSSH_9.2\r\n").await;
        let client = WebhookClient::new(Reach::PublicAndLoopback, Arc::new(SystemLookup)).unwrap();
        assert_eq!(client.post(&format!("http://127.0.0.1:{port}/"), call()).await, Err(SendError::Broken));
    }

    #[tokio::test]
    async fn no_more_go_out_at_once_than_there_is_room_for() {
        let client = WebhookClient::new(Reach::Public, Arc::new(SystemLookup)).unwrap();
        let mut held: Vec<_> = (0..MAX_AT_ONCE).map(|_| client.begin().unwrap()).collect();
        assert!(client.clone().begin().is_none());
        held.pop();
        assert!(client.begin().is_some());
    }
}
