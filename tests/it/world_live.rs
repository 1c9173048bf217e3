//! A client of `graphql-transport-ws` that says exactly what a test has it say, and a reader of event streams.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use evolve_business::app::App;
use evolve_business::http::live::{Connections, LiveSettings};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::client::{Client, Server};
use crate::walls_raw::pause;
use crate::world::World;

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// After so long without a word, an operation listens.
const BEGUN: Duration = Duration::from_secs(1);

/// Quick to notice what has changed.
pub(crate) fn quick() -> LiveSettings {
    LiveSettings { recheck: Duration::from_millis(20), init_time: Duration::from_millis(400), ..LiveSettings::default() }
}

/// A server with these limits, and its live connections.
pub(crate) async fn serving(world: &World, settings: LiveSettings) -> (Server, Arc<Connections>) {
    let held = OnceLock::new();
    let server = Server::with(world, |app: App| {
        let app = app.live_within(settings);
        assert!(held.set(Arc::clone(&app.live)).is_ok());
        app
    })
    .await;
    (server, held.into_inner().unwrap())
}

/// A socket.
pub(crate) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    /// Opens one with these headers, or answers how that was refused.
    pub(crate) async fn with(server: &Server, headers: &[(&'static str, &str)]) -> Result<Self, Box<Response<Option<Vec<u8>>>>> {
        let mut request = format!("{}/graphql/ws", server.url.replace("http:", "ws:")).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((stream, _)) => Ok(Self { stream }),
            Err(Error::Http(refused)) => Err(refused),
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens one that speaks the protocol.
    pub(crate) async fn open(server: &Server) -> Self {
        Self::with(server, &[("sec-websocket-protocol", "graphql-transport-ws")]).await.unwrap()
    }

    /// One that has begun as whoever `client` is.
    pub(crate) async fn of(server: &Server, client: &Client) -> Self {
        let mut socket = Self::open(server).await;
        let bearer = format!("Bearer {}", client.token.as_deref().unwrap());
        socket.say(json!({ "type": "connection_init", "payload": { "authorization": bearer, "evolve-business": client.about.clone().unwrap_or_default() } })).await;
        assert_eq!(socket.hear().await, json!({ "type": "connection_ack" }));
        socket
    }

    /// Says something.
    pub(crate) async fn say(&mut self, message: Value) {
        self.say_text(message.to_string()).await;
    }

    /// Says something that may be no message.
    pub(crate) async fn say_text(&mut self, text: String) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    /// Says something to one who may have hung up before its end.
    pub(crate) async fn shout(&mut self, text: String) {
        let _ = self.stream.send(Message::text(text)).await;
    }

    /// Says bytes.
    pub(crate) async fn say_bytes(&mut self, bytes: Vec<u8>) {
        self.stream.send(Message::binary(bytes)).await.unwrap();
    }

    /// Begins an operation.
    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        self.say(json!({ "type": "subscribe", "id": id, "payload": { "query": query, "variables": variables } })).await;
    }

    /// Begins an operation that listens, and waits until it does. `already` operations listen before it.
    pub(crate) async fn listen(&mut self, world: &World, already: usize, id: &str, query: &str) {
        self.subscribe(id, query, json!({})).await;
        listening(world, already + 1).await;
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> Value {
        match self.frame().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The next message, which is the data of an operation without errors.
    pub(crate) async fn next_of(&mut self, id: &str) -> Value {
        let mut heard = self.hear().await;
        assert_eq!((&heard["type"], &heard["id"], heard["payload"].get("errors")), (&json!("next"), &json!(id), None), "{heard:#}");
        heard["payload"]["data"].take()
    }

    /// The code of the one error that an operation ends with, which is the next message.
    pub(crate) async fn error_of(&mut self, id: &str) -> String {
        let heard = self.hear().await;
        assert_eq!((&heard["type"], &heard["id"]), (&json!("error"), &json!(id)), "{heard:#}");
        heard["payload"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    /// How it is closed, whatever is said before.
    pub(crate) async fn closed(&mut self) -> Option<u16> {
        loop {
            match self.frame().await {
                Some(Message::Close(close)) => return close.map(|close| close.code.into()),
                None => return None,
                Some(_) => {}
            }
        }
    }

    /// Nothing is said: what is asked afterwards is answered first.
    pub(crate) async fn is_silent(&mut self) {
        self.say(json!({ "type": "ping", "payload": { "so": "far" } })).await;
        assert_eq!(self.hear().await, json!({ "type": "pong", "payload": { "so": "far" } }));
    }

    /// The next frame that is none of keeping alive; none where the connection is gone.
    async fn frame(&mut self) -> Option<Message> {
        loop {
            match tokio::time::timeout(PATIENCE, self.stream.next()).await.unwrap()? {
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(message) => return Some(message),
                Err(_) => return None,
            }
        }
    }
}

/// Waits until so many operations listen.
pub(crate) async fn listening(world: &World, operations: usize) {
    until(|| world.ports.store.live().watchers() == operations).await;
}

/// Waits until something is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let waited = async {
        while !is_so() {
            pause(5).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap();
}

/// An event stream.
pub(crate) struct Stream {
    answer: reqwest::Response,
    read: String,
}

impl Stream {
    /// Asks for one, as whoever `client` is; a refusal is the answer.
    pub(crate) async fn ask(client: &Client, query: &str, variables: Value) -> Result<Self, (u16, Value)> {
        let request = client.posting().header("accept", "text/event-stream");
        Self::of(request.json(&json!({ "query": query, "variables": variables }))).await
    }

    /// The answer to a request for one; a refusal is the answer.
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Result<Self, (u16, Value)> {
        let answer = request.send().await.unwrap();
        if answer.headers()["content-type"] != "text/event-stream; charset=utf-8" {
            return Err((answer.status().as_u16(), answer.json().await.unwrap()));
        }
        assert_eq!(answer.status().as_u16(), 200);
        Ok(Self { answer, read: String::new() })
    }

    /// The next event with its data, signs of life apart; none at the end.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                if event == ":" {
                    continue;
                }
                let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
                return Some((name.to_owned(), serde_json::from_str(data).unwrap_or(Value::Null)));
            }
            let piece = tokio::time::timeout(PATIENCE, self.answer.chunk()).await.unwrap().ok()??;
            self.read.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

impl Client {
    /// The answer to an operation that listens, once it has begun: that it listens, as data, or its errors.
    pub(crate) async fn begin(&self, query: &str, variables: Value) -> Value {
        let field = query.split_once('{').unwrap().1.trim().split([' ', '(']).next().unwrap().to_owned();
        let mut stream = match Stream::ask(self, query, variables).await {
            Ok(stream) => stream,
            Err((_, answer)) => return answer,
        };
        // What may not listen says so at once, and ends.
        match tokio::time::timeout(BEGUN, stream.next()).await {
            Ok(Some((event, answer))) => {
                assert_eq!(event, "next", "{answer:#}");
                answer
            }
            Ok(None) => panic!("a stream ended without a word"),
            Err(_listens) => json!({ "data": { field: true } }),
        }
    }
}
