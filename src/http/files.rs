//! `GET /files/{token}`: a document or an export, to whoever holds a link that is good. What a customer has uploaded, or exported, is always
//! an attachment, which nothing shows or runs here. What is printed of an invoice is a page, on which nothing can run.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::sync::Semaphore;

use crate::error::Error;
use crate::services::Ports;
use crate::services::printing::{POLICY, Printed, print};
use crate::services::privacy;
use crate::services::verification::{self, Download};

/// Where files are, below the root.
const PATH: &str = "/files/{token}";
/// How many files are opened at once: each is held in memory, sealed and opened.
const AT_ONCE: usize = 8;

/// What the route needs.
#[derive(Clone)]
struct Files {
    ports: Ports,
    places: Arc<Semaphore>,
}

/// The route of files.
pub fn router(ports: Ports) -> Router {
    Router::new().route(PATH, get(show)).with_state(Files { ports, places: Arc::new(Semaphore::new(AT_ONCE)) })
}

/// Hands out the file of a link. One that is over, forged or of nobody's answers as one that never was.
async fn show(State(Files { ports, places }): State<Files>, Path(token): Path<String>) -> Response {
    let Ok(_place) = places.acquire().await else { return answer(StatusCode::SERVICE_UNAVAILABLE, "Try again.\n") };
    match open(&ports, &token).await {
        Ok(Some(response)) => response,
        Ok(None) => answer(StatusCode::NOT_FOUND, "There is no such file, or the link is over.\n"),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a file could not be handed out");
            answer(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.\n")
        }
    }
}

/// What a token opens: each kind of link is signed for a purpose of its own, so that none opens the other's.
async fn open(ports: &Ports, token: &str) -> Result<Option<Response>, Error> {
    if let Some(file) = verification::download(ports, token).await? {
        return Ok(Some(attachment(file)));
    }
    if let Some(file) = privacy::download(ports, token).await? {
        return Ok(Some(attachment(file)));
    }
    Ok(print(ports, token).await?.map(page))
}

/// A printed document as a page, in the one style that it may have.
fn page(printed: Printed) -> Response {
    let mut response = Response::new(Body::from(printed.html));
    let headers = response.headers_mut();
    dress(headers);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(CONTENT_DISPOSITION, disposition("inline", &printed.file_name));
    response
}

/// A file as an attachment.
fn attachment(file: Download) -> Response {
    let mut response = Response::new(Body::from(file.content));
    let headers = response.headers_mut();
    dress(headers);
    let of = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, of(&file.content_type));
    headers.insert(CONTENT_DISPOSITION, disposition("attachment", &file.file_name));
    response
}

/// A sentence.
fn answer(status: StatusCode, sentence: &'static str) -> Response {
    let mut response = (status, sentence).into_response();
    dress(response.headers_mut());
    response
}

/// What every answer has: it is kept nowhere, guessed by nobody, and does nothing where it is opened.
fn dress(headers: &mut HeaderMap) {
    let all: [(HeaderName, &'static str); 5] = [
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// `Content-Disposition` of a kind with a file's name (RFC 6266): in letters that every client reads, and as it is.
fn disposition(kind: &str, file_name: &str) -> HeaderValue {
    let plain: String =
        file_name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' }).collect();
    let mut whole = String::new();
    for byte in file_name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            whole.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(whole, "%{byte:02X}");
        }
    }
    let text = format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{whole}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        for (name, expected) in [
            ("scan.pdf", "attachment; filename=\"scan.pdf\"; filename*=UTF-8''scan.pdf"),
            ("a\"; x=\"b.pdf", "attachment; filename=\"a___x__b.pdf\"; filename*=UTF-8''a%22%3B%20x%3D%22b.pdf"),
            ("cheti\r\nX: 1.pdf", "attachment; filename=\"cheti__X__1.pdf\"; filename*=UTF-8''cheti%0D%0AX%3A%201.pdf"),
            ("é.pdf", "attachment; filename=\"_.pdf\"; filename*=UTF-8''%C3%A9.pdf"),
        ] {
            assert_eq!(disposition("attachment", name), expected, "{name:?}");
        }
    }
}
