//! The messages of `graphql-transport-ws` (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>), and how a socket ends.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::graphql::front_door::GraphqlRequest;
use crate::http::graphql::Payload;

/// The most characters of an operation's id.
const MAX_ID_CHARS: usize = 128;

/// Why a socket is closed: a code, and a few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Close(pub(super) u16, pub(super) &'static str);

/// The server stops.
pub(super) const GOING_AWAY: Close = Close(1001, "The server stops");
/// A fault of ours.
pub(super) const FAULT: Close = Close(1011, "Something went wrong on our side");
/// The reader does not read, or has too many connections: another try may succeed.
pub(super) const TOO_SLOW: Close = Close(1013, "Read faster, and read again what you show");
pub(super) const TOO_MANY: Close = Close(1013, "Too many connections");
pub(super) const NO_MESSAGE: Close = Close(4400, "Invalid message received");
pub(super) const UNAUTHORIZED: Close = Close(4401, "Unauthorized");
pub(super) const FORBIDDEN: Close = Close(4403, "Forbidden");
pub(super) const NOT_SPOKEN: Close = Close(4406, "Subprotocol not acceptable");
pub(super) const INIT_TIMEOUT: Close = Close(4408, "Connection initialisation timeout");
pub(super) const SAME_ID: Close = Close(4409, "Subscriber for this id already exists");
pub(super) const INIT_AGAIN: Close = Close(4429, "Too many initialisation requests");

/// What a client says.
#[derive(Debug)]
pub(super) enum Heard {
    Init(Map<String, Json>),
    Ping(Option<Json>),
    Pong,
    Subscribe(String, Box<GraphqlRequest>),
    Complete(String),
}

#[derive(Deserialize)]
struct Wire {
    r#type: String,
    id: Option<String>,
    payload: Option<Json>,
}

impl Heard {
    /// The message that a text is; `None` for what is none of the protocol's.
    pub(super) fn read(text: &str) -> Option<Self> {
        let Wire { r#type, id, payload } = serde_json::from_str(text).ok()?;
        let object = |payload: Option<Json>| match payload {
            None | Some(Json::Null) => Some(Map::new()),
            Some(Json::Object(map)) => Some(map),
            Some(_) => None,
        };
        let id = || id.filter(|id| !id.is_empty() && id.chars().count() <= MAX_ID_CHARS);
        match r#type.as_str() {
            "connection_init" => Some(Self::Init(object(payload)?)),
            "ping" => {
                object(payload.clone())?;
                Some(Self::Ping(payload))
            }
            "pong" => object(payload).map(|_| Self::Pong),
            "complete" => Some(Self::Complete(id()?)),
            "subscribe" => {
                let payload: Payload = serde_json::from_value(payload?).ok()?;
                Some(Self::Subscribe(id()?, Box::new(payload.into_request().ok()?)))
            }
            _ => None,
        }
    }
}

/// The acknowledgement.
pub(super) const ACK: &str = r#"{"type":"connection_ack"}"#;

/// The answer to a ping, which takes its payload along.
pub(super) fn pong(payload: Option<Json>) -> String {
    match payload {
        None => r#"{"type":"pong"}"#.to_owned(),
        Some(payload) => serde_json::json!({ "type": "pong", "payload": payload }).to_string(),
    }
}

/// A message of an operation; its payload is JSON already.
pub(super) fn about(id: &str, kind: &str, payload: Option<&str>) -> String {
    let id = Json::from(id);
    match payload {
        Some(payload) => format!(r#"{{"id":{id},"type":"{kind}","payload":{payload}}}"#),
        None => format!(r#"{{"id":{id},"type":"{kind}"}}"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_protocol_knows_is_read_and_nothing_else() {
        assert!(matches!(Heard::read(r#"{"type":"connection_init"}"#), Some(Heard::Init(map)) if map.is_empty()));
        assert!(matches!(Heard::read(r#"{"type":"connection_init","payload":{"a":1}}"#), Some(Heard::Init(map)) if map.len() == 1));
        assert!(matches!(Heard::read(r#"{"type":"ping","payload":{"a":1}}"#), Some(Heard::Ping(Some(_)))));
        assert!(matches!(Heard::read(r#"{"type":"pong"}"#), Some(Heard::Pong)));
        assert!(matches!(Heard::read(r#"{"type":"complete","id":"1"}"#), Some(Heard::Complete(id)) if id == "1"));
        let subscribe = Heard::read(r#"{"id":"1","type":"subscribe","payload":{"query":"{__typename}","variables":null}}"#);
        assert!(matches!(subscribe, Some(Heard::Subscribe(id, request)) if id == "1" && request.query.as_deref() == Some("{__typename}")));
        let named = Heard::read(r#"{"id":"1","type":"subscribe","payload":{"documentId":"0a"}}"#);
        assert!(
            matches!(named, Some(Heard::Subscribe(_, request)) if request.query.is_none() && request.document_id.as_deref() == Some("0a"))
        );
        let long = format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(129));
        for text in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"type":"start","id":"1"}"#,
            r#"{"type":"connection_init","payload":"token"}"#,
            r#"{"type":"ping","payload":1}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"complete","id":""}"#,
            r#"{"type":"complete","id":1}"#,
            r#"{"type":"subscribe","payload":{"query":"{a}"}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"variables":{}}}"#,
            r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            &long,
        ] {
            assert!(Heard::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_id_of_any_letters_stays_one_string() {
        let id = "\"}\n\\";
        let read: Json = serde_json::from_str(&about(id, "next", Some(r#"{"data":null}"#))).unwrap();
        assert_eq!(read, serde_json::json!({ "id": id, "type": "next", "payload": { "data": null } }));
        assert_eq!(about("1", "complete", None), r#"{"id":"1","type":"complete"}"#);
    }
}
