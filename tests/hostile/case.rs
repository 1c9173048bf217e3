//! One request and its answer.

use serde_json::{Map, Value, json};

/// Who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Demo,
    /// Nobody, or who the request's own headers name.
    Nobody,
}

/// A request as raw as it can be sent, and its right answer.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) caller: Caller,
    /// Method and target.
    pub(crate) line: String,
    /// Each with its end.
    pub(crate) headers: Vec<u8>,
    pub(crate) body: Vec<u8>,
    /// Whether `Content-Length` is said as it is.
    pub(crate) is_measured: bool,
    /// Whether the server waits for more of it.
    pub(crate) is_slow: bool,
    pub(crate) status: u16,
    /// Of a top-level error, or of a payload's first user error.
    pub(crate) code: &'static str,
}

pub(crate) const ACCEPT: &str = "accept: application/graphql-response+json\r\n";
pub(crate) const JSON: &str = "content-type: application/json\r\n";
pub(crate) const BAD: &str = "BAD_USER_INPUT";
pub(crate) const COST: &str = "COST_EXCEEDED";
pub(crate) const PARSE: &str = "GRAPHQL_PARSE_FAILED";
pub(crate) const NOT_FOUND: &str = "PERSISTED_QUERY_NOT_FOUND";
pub(crate) const INVALID: &str = "GRAPHQL_VALIDATION_FAILED";
pub(crate) const VIEWER: &str = r#"{"query":"{ viewer { role } }"}"#;

impl Case {
    /// These bytes as the body of a POST with the demo user's token, answered 400.
    pub(crate) fn body(name: &'static str, body: impl Into<Vec<u8>>, code: &'static str) -> Self {
        Self {
            name,
            caller: Caller::Demo,
            line: "POST /graphql".to_owned(),
            headers: [ACCEPT, JSON].concat().into_bytes(),
            body: body.into(),
            is_measured: true,
            is_slow: false,
            status: 400,
            code,
        }
    }

    /// An operation, answered 400.
    pub(crate) fn query(name: &'static str, query: impl Into<String>, variables: Value) -> Self {
        let request = Map::from_iter([("query".to_owned(), json!(query.into())), ("variables".to_owned(), variables)]);
        Self::body(name, Value::Object(request).to_string(), COST)
    }

    pub(crate) fn document(name: &'static str, query: impl Into<String>, code: &'static str) -> Self {
        Self { code, ..Self::query(name, query, json!({})) }
    }

    /// An operation that runs, and answers this.
    pub(crate) fn runs(name: &'static str, query: &str, variables: Value, code: &'static str) -> Self {
        Self { status: 200, code, ..Self::query(name, query, variables) }
    }

    /// A good request with more headers.
    pub(crate) fn headers(name: &'static str, headers: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Self {
        let mut case = Self { status, ..Self::body(name, VIEWER, code) };
        case.headers.extend(headers.into());
        case
    }

    /// A good request with no headers but these.
    pub(crate) fn bare(name: &'static str, headers: impl Into<Vec<u8>>, status: u16, code: &'static str) -> Self {
        Self { headers: headers.into(), status, ..Self::body(name, VIEWER, code) }
    }

    pub(crate) fn by_nobody(self) -> Self {
        Self { caller: Caller::Nobody, ..self }
    }

    /// A form, with the header that it needs.
    pub(crate) fn form(name: &'static str, parts: &str, status: u16) -> Self {
        let headers = format!("{ACCEPT}content-type: multipart/form-data; boundary=x\r\ngraphql-require-preflight: 1\r\n");
        Self { headers: headers.into_bytes(), body: parts.replace('\n', "\r\n").into_bytes(), ..Self::bare(name, "", status, BAD) }
    }

    /// All of it.
    pub(crate) fn bytes(&self, token: &str) -> Vec<u8> {
        let mut bytes = format!("{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n", self.line).into_bytes();
        if self.caller == Caller::Demo {
            bytes.extend_from_slice(format!("authorization: Bearer {token}\r\n").as_bytes());
        }
        if self.is_measured {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        [bytes.as_slice(), &self.headers, b"\r\n", &self.body].concat()
    }
}
