//! Answers: what a client is told of an error, and with which status. Causes go to the log, never out.

use std::time::Duration;

use axum::response::Response;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::media::Media;
use crate::error::{Code, Error};
use crate::graphql::front_door::{Bounds, Kind, Refusal, shorten};

/// What every answer needs to know of its request.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Asked<'a> {
    pub(in crate::http) media: Media,
    pub(in crate::http) request_id: &'a str,
    pub(in crate::http) bounds: Bounds,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<WireError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a async_graphql::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<&'a std::collections::BTreeMap<String, async_graphql::Value>>,
}

/// The body of a path that stands for a document.
#[derive(Serialize)]
struct PlainBody<'a> {
    #[serde(flatten)]
    data: &'a async_graphql::Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<WireError>,
}

#[derive(Serialize)]
struct WireError {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Place>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<async_graphql::PathSegment>,
    extensions: WireExtensions,
}

#[derive(Serialize)]
struct Place {
    line: usize,
    column: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireExtensions {
    code: &'static str,
    request_id: String,
}

impl Asked<'_> {
    fn error(&self, code: Code, message: &str) -> WireError {
        WireError {
            message: shorten(message, self.bounds.message_chars),
            locations: Vec::new(),
            path: Vec::new(),
            extensions: WireExtensions { code: code.as_str(), request_id: self.request_id.to_owned() },
        }
    }

    /// A request that is no GraphQL over HTTP: `status` says how, in either media type.
    pub(in crate::http) fn malformed(&self, status: StatusCode, message: &str) -> Response {
        self.write(status, &Body { errors: vec![self.error(Code::BadUserInput, message)], data: None, extensions: None })
    }

    /// Another method is needed: one of `allow`.
    pub(in crate::http) fn wrong_method(&self, allow: &str, message: &str) -> Response {
        let mut response = self.malformed(StatusCode::METHOD_NOT_ALLOWED, message);
        if let Ok(allow) = HeaderValue::from_str(allow) {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }

    /// A request that the front door did not let in.
    pub(in crate::http) fn refused(&self, refusal: &Refusal) -> Response {
        tracing::debug!(request_id = self.request_id, %refusal, "refused a request");
        if refusal.kind == Kind::Method {
            return self.wrong_method("POST", &refusal.to_string());
        }
        let code = refusal.problems.first().map_or(Code::Internal, |problem| problem.code);
        self.write(request_status(code, self.media), &Body { errors: self.problems(refusal), data: None, extensions: None })
    }

    /// What is told of a refusal.
    fn problems(&self, refusal: &Refusal) -> Vec<WireError> {
        let told = refusal.problems.iter().map(|problem| WireError {
            locations: problem.locations.iter().map(|place| Place { line: place.line, column: place.column }).collect(),
            ..self.error(problem.code, &problem.message)
        });
        told.collect()
    }

    /// A refusal as the errors that a live operation ends with.
    pub(in crate::http) fn errors_of_refusal(&self, refusal: &Refusal) -> String {
        tracing::debug!(request_id = self.request_id, %refusal, "refused an operation");
        self.json(&self.problems(refusal))
    }

    /// A fault as the errors that a live operation ends with.
    pub(in crate::http) fn errors_of_fault(&self, fault: &Error) -> String {
        self.log(fault, &[]);
        self.json(&[self.error(fault.code(), &fault.public_message())])
    }

    /// The errors that execution answered, masked: those that a live operation ends with.
    pub(in crate::http) fn errors_of(&self, response: &async_graphql::Response) -> String {
        let errors: Vec<_> = response.errors.iter().take(self.bounds.errors).map(|error| self.masked(error)).collect();
        self.json(&errors)
    }

    /// What execution answered, its errors masked, as text.
    pub(in crate::http) fn result(&self, response: &async_graphql::Response) -> String {
        self.json(&self.body(response).1)
    }

    fn json<T: Serialize>(&self, value: &T) -> String {
        serde_json::to_string(value).unwrap_or_else(|cause| {
            tracing::error!(request_id = self.request_id, %cause, "an answer could not be written");
            "null".to_owned()
        })
    }

    /// A request that the executor stopped as a whole.
    pub(in crate::http) fn stopped(&self, fault: &Error) -> Response {
        self.log(fault, &[]);
        let error = self.error(fault.code(), &fault.public_message());
        let mut response =
            self.write(request_status(fault.code(), self.media), &Body { errors: vec![error], data: None, extensions: None });
        match fault {
            Error::Unauthenticated => {
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Error::RateLimited { retry_after } => {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(*retry_after)));
            }
            _ => {}
        }
        response
    }

    /// What execution answered, its errors masked.
    pub(in crate::http) fn executed(&self, response: &async_graphql::Response) -> Response {
        let (began, body) = self.body(response);
        if self.media == Media::Plain {
            return self.data_alone(response, body.errors);
        }
        let status = if began { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        let mut answer = self.write(status, &body);
        for (name, value) in &response.http_headers {
            answer.headers_mut().append(name, value.clone());
        }
        answer
    }

    /// The data of what was executed, with what failed of it beside; where nothing was answered, why.
    fn data_alone(&self, response: &async_graphql::Response, errors: Vec<WireError>) -> Response {
        let async_graphql::Value::Object(fields) = &response.data else { return self.nothing_but(errors) };
        if fields.values().all(|value| *value == async_graphql::Value::Null) && !errors.is_empty() {
            return self.nothing_but(errors);
        }
        let is_refused = fields.values().any(|payload| match payload {
            async_graphql::Value::Object(payload) => {
                matches!(payload.get("userErrors"), Some(async_graphql::Value::List(errors)) if !errors.is_empty())
            }
            _ => false,
        });
        let status = if is_refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        self.write(status, &PlainBody { data: &response.data, errors })
    }

    /// Why nothing was answered.
    fn nothing_but(&self, errors: Vec<WireError>) -> Response {
        let code = errors.first().and_then(|error| Code::named(error.extensions.code)).unwrap_or(Code::Internal);
        let mut response = self.write(request_status(code, self.media), &Body { errors, data: None, extensions: None });
        if code == Code::Unauthenticated {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    /// Whether execution began, and what is told of it.
    fn body<'r>(&self, response: &'r async_graphql::Response) -> (bool, Body<'r>) {
        // Errors without a path and without data did not come from a field: execution never began.
        let began = response.data != async_graphql::Value::Null || response.errors.iter().any(|error| !error.path.is_empty());
        let errors: Vec<_> = response.errors.iter().take(self.bounds.errors).map(|error| self.masked(error)).collect();
        let extensions = (!response.extensions.is_empty()).then_some(&response.extensions);
        (began, Body { errors, data: began.then_some(&response.data), extensions })
    }

    /// A field's error as the client may see it: what carries one of our errors or a code of the closed list; anything
    /// else is a fault of ours.
    fn masked(&self, error: &async_graphql::ServerError) -> WireError {
        let (code, message) = if let Some(fault) = error.source::<Error>() {
            self.log(fault, &error.path);
            (fault.code(), fault.public_message().into_owned())
        } else if let Some(code) = code_of(error) {
            (code, error.message.clone())
        } else {
            tracing::error!(request_id = self.request_id, path = ?error.path, cause = %error.message, "a field failed without a code");
            (Code::Internal, internal_message())
        };
        WireError {
            locations: error.locations.iter().map(|place| Place { line: place.line, column: place.column }).collect(),
            path: error.path.clone(),
            ..self.error(code, &message)
        }
    }

    fn log(&self, fault: &Error, path: &[async_graphql::PathSegment]) {
        if fault.code() == Code::Internal {
            tracing::error!(request_id = self.request_id, ?path, cause = ?fault, "a request failed");
        } else {
            tracing::debug!(request_id = self.request_id, ?path, code = fault.code().as_str(), "a request was stopped");
        }
    }

    fn write(&self, status: StatusCode, body: &impl Serialize) -> Response {
        let (status, bytes) = match serde_json::to_vec(body) {
            Ok(bytes) => (status, bytes),
            Err(cause) => {
                tracing::error!(request_id = self.request_id, %cause, "an answer could not be written");
                (StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
            }
        };
        let mut response = Response::new(axum::body::Body::from(Bytes::from(bytes)));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.media.content_type());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("accept"));
        response
    }
}

/// The status of a request error: see the table in the head of [`super`].
fn request_status(code: Code, media: Media) -> StatusCode {
    match (StatusCode::from_u16(code.status()), media) {
        (Ok(StatusCode::BAD_REQUEST), Media::Json) => StatusCode::OK,
        (status, _) => status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The code that an error carries by itself, if it is one of the closed list.
fn code_of(error: &async_graphql::ServerError) -> Option<Code> {
    let async_graphql::Value::String(text) = error.extensions.as_ref()?.get("code")? else { return None };
    Code::named(text)
}

/// What a client reads of any fault of ours.
pub(super) fn internal_message() -> String {
    Error::Corrupt("an error without a code".into()).public_message().into_owned()
}

/// Rounded up, and never none, so that a client that waits so long is not refused again for a fraction.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(2_001)), 3);
        assert_eq!(whole_seconds(Duration::from_mins(1)), 60);
    }
}
