//! Answers: what a client is told of an error, and with which status. Causes go to the log, never out.

use std::collections::BTreeMap;

use axum::response::Response;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::media::Media;
use super::{Statuses, Unreadable};
use crate::error::{Code, Error, Exceeded, whole_seconds};
use crate::graphql::front_door::{Bounds, Cost, Kind, Refusal, shorten};
use crate::http::rates;
use crate::telemetry::Metrics;

/// What every answer needs to know of its request.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Asked<'a> {
    pub(in crate::http) media: Media,
    pub(in crate::http) request_id: &'a str,
    pub(in crate::http) bounds: Bounds,
    /// Which API was asked.
    pub(in crate::http) api: &'static str,
    /// Where it is told that a request was not let in.
    pub(in crate::http) metrics: &'a Metrics,
    /// How statuses are chosen.
    pub(in crate::http) statuses: Statuses,
    /// What the operation costs, once it was let in.
    pub(in crate::http) cost: Option<Cost>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<WireError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a async_graphql::Value>,
    #[serde(skip_serializing_if = "Extensions::is_empty")]
    extensions: Extensions<'a>,
}

/// What is told beside the data.
#[derive(Serialize, Default)]
struct Extensions<'a> {
    /// What the operation costs, and may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Cost>,
    /// What its caller may still spend, where they were refused for it.
    #[serde(rename = "rateLimit", skip_serializing_if = "Option::is_none")]
    rate_limit: Option<async_graphql::Value>,
    /// What the executor tells.
    #[serde(flatten)]
    executed: Option<&'a BTreeMap<String, async_graphql::Value>>,
}

impl Extensions<'_> {
    /// Whether there is nothing to tell.
    fn is_empty(&self) -> bool {
        self.cost.is_none() && self.rate_limit.is_none() && self.executed.is_none_or(BTreeMap::is_empty)
    }
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
    /// The limit that was passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Exceeded>,
    request_id: String,
}

impl Asked<'_> {
    /// The same of an operation that was let in, and costs that.
    pub(in crate::http) const fn costing(self, cost: Cost) -> Self {
        Self { cost: Some(cost), ..self }
    }

    fn error(&self, code: Code, message: &str) -> WireError {
        WireError {
            message: shorten(message, self.bounds.message_chars),
            locations: Vec::new(),
            path: Vec::new(),
            extensions: WireExtensions { code: code.as_str(), limit: None, request_id: self.request_id.to_owned() },
        }
    }

    /// A fault as the client may see it.
    fn fault(&self, fault: &Error) -> WireError {
        over(self.error(fault.code(), &fault.public_message()), fault.exceeded())
    }

    /// A request that could not be read.
    pub(in crate::http) fn unreadable(&self, failed: &Unreadable) -> Response {
        self.metrics.refused(self.api, Code::BadUserInput);
        let error = over(self.error(Code::BadUserInput, &failed.told()), failed.exceeded());
        // Only the draft has another status for JSON that is no request of GraphQL, and only in its own media type.
        let status = match failed.status {
            StatusCode::UNPROCESSABLE_ENTITY if !self.is_by_draft() => StatusCode::BAD_REQUEST,
            status => status,
        };
        self.write(status, &self.errors_alone(vec![error]))
    }

    /// Whether this is answered with the statuses of the draft.
    fn is_by_draft(&self) -> bool {
        self.statuses == Statuses::Draft2026 && self.media == Media::Response
    }

    /// The body of what was not executed.
    fn errors_alone(&self, errors: Vec<WireError>) -> Body<'static> {
        // A path that stands for a document knows nothing of GraphQL.
        let cost = self.cost.filter(|_| self.media != Media::Plain);
        Body { errors, data: None, extensions: Extensions { cost, ..Extensions::default() } }
    }

    /// The status of a request error: see the table in the head of [`super`].
    fn request_status(&self, code: Code) -> StatusCode {
        match code {
            Code::GraphqlValidationFailed | Code::BadUserInput | Code::CostExceeded if self.is_by_draft() => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            code => request_status(code, self.media),
        }
    }

    /// A request that is no GraphQL over HTTP: `status` says how, in either media type.
    pub(in crate::http) fn malformed(&self, status: StatusCode, message: &str) -> Response {
        self.metrics.refused(self.api, Code::BadUserInput);
        self.write(status, &self.errors_alone(vec![self.error(Code::BadUserInput, message)]))
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
        let code = code_of_refusal(refusal);
        // Its words may quote the document, which may hold anything: they are for who sent it.
        tracing::debug!(request_id = self.request_id, code = code.as_str(), "refused a request");
        if refusal.kind == Kind::Method {
            return self.wrong_method("POST", &refusal.to_string());
        }
        self.metrics.refused(self.api, code);
        let asked = Self { cost: refusal.cost, ..*self };
        self.write(self.request_status(code), &asked.errors_alone(self.problems(refusal)))
    }

    /// What is told of a refusal.
    fn problems(&self, refusal: &Refusal) -> Vec<WireError> {
        let told = refusal.problems.iter().map(|problem| WireError {
            locations: problem.locations.iter().map(|place| Place { line: place.line, column: place.column }).collect(),
            ..over(self.error(problem.code, &problem.message), refusal.exceeded)
        });
        told.collect()
    }

    /// A refusal as the errors that a live operation ends with.
    pub(in crate::http) fn errors_of_refusal(&self, refusal: &Refusal) -> String {
        let code = code_of_refusal(refusal);
        tracing::debug!(request_id = self.request_id, code = code.as_str(), "refused an operation");
        self.metrics.refused(self.api, code);
        self.json(&self.problems(refusal))
    }

    /// A fault as the errors that a live operation ends with.
    pub(in crate::http) fn errors_of_fault(&self, fault: &Error) -> String {
        self.log(fault, &[]);
        self.json(&[self.fault(fault)])
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

    /// A request that was stopped before it was looked at what it asks.
    pub(in crate::http) fn turned_away(&self, fault: &Error) -> Response {
        self.metrics.refused(self.api, fault.code());
        self.stopped(fault)
    }

    /// A request that the executor stopped as a whole.
    pub(in crate::http) fn stopped(&self, fault: &Error) -> Response {
        self.log(fault, &[]);
        let mut body = self.errors_alone(vec![self.fault(fault)]);
        if let Error::RateLimited { allowance: Some(allowance), .. } = fault
            && self.media != Media::Plain
        {
            body.extensions.rate_limit = Some(rates::shown(allowance));
        }
        let mut response = self.write(self.request_status(fault.code()), &body);
        let headers = response.headers_mut();
        if fault.code() == Code::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Error::RateLimited { retry_after, allowance } = fault {
            headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(*retry_after)));
            headers.extend(allowance.iter().flat_map(rates::fields));
        }
        response
    }

    /// What execution answered, its errors masked.
    pub(in crate::http) fn executed(&self, response: &async_graphql::Response) -> Response {
        let (began, body) = self.body(response);
        let status = if !began {
            StatusCode::INTERNAL_SERVER_ERROR
        } else if self.is_by_draft() && !body.errors.is_empty() {
            partial_success()
        } else {
            StatusCode::OK
        };
        let mut answer = if self.media == Media::Plain { self.data_alone(response, body.errors) } else { self.write(status, &body) };
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
        let mut response = self.write(request_status(code, self.media), &self.errors_alone(errors));
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
        let extensions = Extensions { cost: self.cost, executed: Some(&response.extensions), ..Extensions::default() };
        (began, Body { errors, data: began.then_some(&response.data), extensions })
    }

    /// A field's error as the client may see it: what carries one of our errors or a code of the closed list; anything
    /// else is a fault of ours.
    fn masked(&self, error: &async_graphql::ServerError) -> WireError {
        let told = if let Some(fault) = error.source::<Error>() {
            self.log(fault, &error.path);
            self.fault(fault)
        } else if let Some(code) = code_of(error) {
            self.error(code, &error.message)
        } else {
            tracing::error!(request_id = self.request_id, path = ?error.path, cause = %error.message, "a field failed without a code");
            self.error(Code::Internal, &internal_message())
        };
        WireError {
            locations: error.locations.iter().map(|place| Place { line: place.line, column: place.column }).collect(),
            path: error.path.clone(),
            ..told
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

/// The error with the limit that was passed.
fn over(error: WireError, limit: Option<Exceeded>) -> WireError {
    WireError { extensions: WireExtensions { limit, ..error.extensions }, ..error }
}

/// The draft's status for data with errors beside it. Who does not know it takes it for 200.
fn partial_success() -> StatusCode {
    StatusCode::from_u16(294).unwrap_or(StatusCode::OK)
}

/// The status of a request error by its code.
fn request_status(code: Code, media: Media) -> StatusCode {
    match (StatusCode::from_u16(code.status()), media) {
        (Ok(StatusCode::BAD_REQUEST), Media::Json) => StatusCode::OK,
        (status, _) => status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The code of a refusal: its first problem's.
fn code_of_refusal(refusal: &Refusal) -> Code {
    refusal.problems.first().map_or(Code::Internal, |problem| problem.code)
}

/// The code of the first error that execution answered; none where there is no error.
pub(in crate::http) fn first_code(response: &async_graphql::Response) -> Option<Code> {
    let error = response.errors.first()?;
    Some(error.source::<Error>().map(Error::code).or_else(|| code_of(error)).unwrap_or(Code::Internal))
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_wait_is_rounded_up_to_whole_seconds() {
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::from_millis(2_001)), 3);
        assert_eq!(whole_seconds(Duration::from_mins(1)), 60);
    }
}
