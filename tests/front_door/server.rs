//! The server on real sockets: slow peers, many peers, and stopping.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::Body;
use evolve_business::http::graphql::Settings;
use evolve_business::http::server::{ServerLimits, Stopped, serve};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::World;

struct Running {
    at: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Stopped>,
}

const QUICK: ServerLimits = ServerLimits {
    max_connections: 16,
    header_timeout: Duration::from_millis(300),
    body_timeout: Duration::from_millis(300),
    upload_timeout: Duration::from_millis(300),
    idle_timeout: Duration::from_millis(800),
    drain_timeout: Duration::from_millis(900),
    max_streams: 16,
};

async fn start(limits: ServerLimits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let router = World::new().router(Settings::default());
    let ended = tokio::spawn(serve(listener, router, limits, async move {
        let _ = stopped.await;
    }));
    Running { at, stop, ended }
}

fn post(body: &str) -> String {
    format!("POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is an end too.
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How long until the server ends the connection.
async fn ends(stream: &mut TcpStream) -> (Duration, String) {
    let began = Instant::now();
    let text = read_to_end(stream).await;
    (began.elapsed(), text)
}

#[tokio::test]
async fn a_connection_that_sends_no_whole_head_is_cut() {
    let server = start(QUICK).await;
    // Nothing; the first byte of both protocols; the head of HTTP/2; half a head.
    for sent in ["", "P", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: "] {
        let mut stream = TcpStream::connect(server.at).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let (took, _) = ends(&mut stream).await;
        assert!(took > Duration::from_millis(200) && took < Duration::from_secs(2), "{sent:?} took {took:?}");
    }
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut() {
    let server = start(QUICK).await;
    let mut stream = TcpStream::connect(server.at).await.unwrap();
    let began = Instant::now();
    stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    while began.elapsed() < Duration::from_secs(3) {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if stream.write_all(b"x-a: b\r\n").await.is_err() {
            break;
        }
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_trickles_in_is_answered_408_and_cut() {
    let server = start(QUICK).await;
    let mut stream = TcpStream::connect(server.at).await.unwrap();
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let trickle = tokio::spawn(async move {
        while write.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let began = Instant::now();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), read.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("BAD_USER_INPUT"));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    trickle.abort();
}

#[tokio::test]
async fn a_request_in_flight_is_not_idle() {
    let server = start(QUICK).await;
    let mut stream = TcpStream::connect(server.at).await.unwrap();
    let mut request = post(r#"{"query":"{ wait(milliseconds: 1500) }"}"#);
    request = request.replace("host: x", "host: x\r\nconnection: close");
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_to_end(&mut stream).await;
    assert!(answer.ends_with(r#"{"data":{"wait":true},"extensions":{"cost":{"requested":1,"limit":20000}}}"#), "{answer}");
}

#[tokio::test]
async fn connections_over_the_cap_wait_for_a_place() {
    let server = start(ServerLimits { max_connections: 1, header_timeout: Duration::from_secs(2), ..QUICK }).await;
    let silent = TcpStream::connect(server.at).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut waiting = TcpStream::connect(server.at).await.unwrap();
    waiting.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    assert!(tokio::time::timeout(Duration::from_millis(300), waiting.read(&mut byte)).await.is_err());
    drop(silent);
    let answer = read_to_end(&mut waiting).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn stopping_lets_requests_in_flight_finish_and_takes_no_more() {
    let server = start(QUICK).await;
    let mut busy = TcpStream::connect(server.at).await.unwrap();
    busy.write_all(post(r#"{"query":"{ wait(milliseconds: 400) }"}"#).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(TcpStream::connect(server.at).await.is_err());
    let answer = read_to_end(&mut busy).await;
    assert!(answer.ends_with(r#"{"data":{"wait":true},"extensions":{"cost":{"requested":1,"limit":20000}}}"#), "{answer}");
    assert_eq!(server.ended.await.unwrap(), Stopped::Drained);
}

#[tokio::test]
async fn stopping_cuts_what_does_not_finish_in_time() {
    let server = start(QUICK).await;
    let mut busy = TcpStream::connect(server.at).await.unwrap();
    busy.write_all(post(r#"{"query":"{ wait(milliseconds: 9000) }"}"#).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop.send(()).unwrap();
    let began = Instant::now();
    assert_eq!(server.ended.await.unwrap(), Stopped::Cut { connections: 1 });
    assert!(began.elapsed() < Duration::from_secs(3));
}

/// A connection on which one request was answered and no more was asked.
async fn answered_once(at: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test]
async fn a_later_head_that_trickles_in_is_cut() {
    let server = start(ServerLimits { idle_timeout: Duration::from_mins(1), ..QUICK }).await;
    let mut stream = answered_once(server.at).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: ").await.unwrap();
    let (took, _) = ends(&mut stream).await;
    assert!(took > Duration::from_millis(200) && took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_the_server_up() {
    let patient = Duration::from_mins(1);
    let server = start(ServerLimits { idle_timeout: patient, header_timeout: patient, ..QUICK }).await;
    let _idle = answered_once(server.at).await;
    server.stop.send(()).unwrap();
    assert_eq!(server.ended.await.unwrap(), Stopped::Drained);
}

/// Sends all of it before it reads anything, as many clients do, and reads until the connection ends.
async fn sends_then_reads(at: SocketAddr, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), stream.write_all(sent)).await.unwrap().unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_more_than_is_taken_reads_the_answer_all_the_same() {
    let server = start(ServerLimits { max_connections: 64, body_timeout: Duration::from_secs(10), ..QUICK }).await;
    // More than what waits on its way between the two.
    let body = format!(r#"{{"query":"{{ node {{ id }} }}","extensions":{{"a":"{}"}}}}"#, "x".repeat(12 * 1024 * 1024));
    let length = format!("content-length: {}\r\n", body.len());
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (headers, body, expected) in [
        (format!("content-type: application/json\r\n{length}"), &body, "HTTP/1.1 413"),
        ("content-type: application/json\r\ntransfer-encoding: chunked\r\n".to_owned(), &chunk, "HTTP/1.1 413"),
        (format!("content-type: text/plain\r\n{length}"), &body, "HTTP/1.1 415"),
        (format!("content-type: application/json\r\naccept: text/html\r\n{length}"), &body, "HTTP/1.1 406"),
    ] {
        let head = format!("POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        let answer = sends_then_reads(server.at, format!("{head}{body}").as_bytes()).await;
        assert!(answer.starts_with(expected) && answer.contains("BAD_USER_INPUT"), "{headers}: {answer}");
        // The connection is as good as before.
        let next = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let answer = sends_then_reads(server.at, format!("{}{body}{next}", head.replace("connection: close\r\n", "")).as_bytes()).await;
        assert!(answer.starts_with(expected) && answer.contains("HTTP/1.1 200 OK"), "{headers}: {answer}");
    }
}

#[tokio::test]
async fn who_asks_whether_to_send_more_than_is_taken_is_told_at_once_and_not_to_go_on() {
    let server = start(QUICK).await;
    let head =
        "POST /graphql HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 5000000\r\n\r\n";
    let began = Instant::now();
    let answer = sends_then_reads(server.at, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413") && !answer.contains("100 Continue"), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_request_names_one_host() {
    let server = start(QUICK).await;
    let get = |version: &str, hosts: &str| format!("GET /healthz HTTP/{version}\r\n{hosts}connection: close\r\n\r\n");
    for (version, hosts, expected) in [
        ("1.1", "host: x\r\n", "200"),
        ("1.1", "", "400"),
        ("1.1", "host: x\r\nhost: x\r\n", "400"),
        ("1.0", "", "200"),
        ("1.0", "host: x\r\nhost: y\r\n", "400"),
    ] {
        let answer = sends_then_reads(server.at, get(version, hosts).as_bytes()).await;
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{version} {hosts:?}: {answer}");
    }
}

#[tokio::test]
async fn http_2_is_served_on_the_same_port() {
    let server = start(QUICK).await;
    let stream = TcpStream::connect(server.at).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get(format!("http://{}/healthz", server.at)).body(Body::empty()).unwrap();
    let answer = client.send_request(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs node, and `npm ci` in tests/audits"]
async fn all_61_audits_of_graphql_over_http_pass() {
    let server = start(ServerLimits::default()).await;
    let output = tokio::task::spawn_blocking(move || {
        std::process::Command::new("node")
            .arg("run.mjs")
            .arg(format!("http://{}/graphql", server.at))
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audits"))
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(out.trim_end(), "graphql-over-http: 61 of 61 audits passed");
}
