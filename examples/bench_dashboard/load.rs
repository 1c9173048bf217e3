//! Clients that ask as fast as they are answered, each on one connection that stays open. They spend as little as they
//! can of the machine that they share with the server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Requests that were answered within the time, and how long it was really.
pub(crate) struct Run {
    pub(crate) requests: u64,
    pub(crate) time: Duration,
}

impl Run {
    pub(crate) fn per_second(&self) -> u64 {
        self.requests.saturating_mul(1_000_000) / u64::try_from(self.time.as_micros()).unwrap().max(1)
    }
}

/// The bytes of a POST of `body` to /graphql.
pub(crate) fn request(address: SocketAddr, token: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         accept: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// Asks once, and answers the body.
pub(crate) async fn once(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut client = Client::connect(address).await;
    client.ask(request).await.to_vec()
}

/// Lets `clients` ask for `time`, on a thread of their own; every answer must be `expected`, to the byte.
pub(crate) async fn run(clients: usize, time: Duration, address: SocketAddr, request: &[u8], expected: &[u8]) -> Run {
    let (request, expected) = (request.to_vec(), expected.to_vec());
    let load = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let connected = futures::future::join_all((0..clients).map(|_| Client::connect(address))).await;
            let (began, request, expected) = (Instant::now(), &request, &expected);
            let ask = |mut client: Client| async move {
                let mut answered: u64 = 0;
                while began.elapsed() < time {
                    assert!(client.ask(request).await == expected, "an answer differs");
                    answered += 1;
                }
                answered
            };
            let requests = futures::future::join_all(connected.into_iter().map(ask)).await.into_iter().sum();
            Run { requests, time: began.elapsed() }
        })
    };
    tokio::task::spawn_blocking(load).await.unwrap()
}

/// How long each of the answers takes that `clients` are given in `time`, the shortest first; they ask on a thread of their own.
pub(crate) async fn latencies(clients: usize, time: Duration, address: SocketAddr, request: &[u8]) -> Vec<Duration> {
    let request = request.to_vec();
    let load = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let connected = futures::future::join_all((0..clients).map(|_| Client::connect(address))).await;
            let (began, request) = (Instant::now(), &request);
            let ask = |mut client: Client| async move {
                let mut took = Vec::new();
                while began.elapsed() < time {
                    let asked = Instant::now();
                    client.ask(request).await;
                    took.push(asked.elapsed());
                }
                took
            };
            let mut all: Vec<Duration> = futures::future::join_all(connected.into_iter().map(ask)).await.into_iter().flatten().collect();
            all.sort_unstable();
            all
        })
    };
    tokio::task::spawn_blocking(load).await.unwrap()
}

struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::with_capacity(1 << 16) }
    }

    /// Sends the request and reads the whole answer, whose body it returns.
    async fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).await.unwrap();
        self.read.clear();
        let mut body: Option<std::ops::Range<usize>> = None;
        loop {
            if body.is_none()
                && let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n")
            {
                let head = std::str::from_utf8(&self.read[..at]).unwrap().to_ascii_lowercase();
                assert!(head.starts_with("http/1.1 200 "), "{head}");
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.unwrap_or_else(|| panic!("no length: {head}")).parse().unwrap();
                body = Some(at + 4..at + 4 + length);
            }
            if let Some(body) = body.clone()
                && self.read.len() >= body.end
            {
                return &self.read[body];
            }
            assert_ne!(self.stream.read_buf(&mut self.read).await.unwrap(), 0, "the server hung up");
        }
    }
}
