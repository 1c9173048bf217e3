//! `GET /files/{token}`: a document or an export, to whoever holds a link that is good. What a customer has uploaded, or exported, is always
//! an attachment, which nothing shows or runs here. What is printed of an invoice is a page, on which nothing can run.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::StreamExt as _;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::client_address::client_address;
use super::rates::Rates;
use super::sending::{self, Places};
use super::server::InFlight;

use crate::config::Network;
use crate::error::{Error, whole_seconds};
use crate::services::Ports;
use crate::services::printing::{POLICY, Printed, print};
use crate::services::privacy;
use crate::services::verification;

/// Where files are, below the root.
const PATH: &str = "/files/{token}";
/// After so many seconds whoever was refused may come again.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("10");

/// What the route needs.
#[derive(Clone)]
struct Files {
    ports: Ports,
    places: Places,
    rates: Arc<Rates>,
    proxies: Arc<[Network]>,
}

/// The route of files, of which so many are asked for from one address, as these proxies tell it.
pub fn router(ports: Ports, rates: Arc<Rates>, proxies: Arc<[Network]>) -> Router {
    Router::new().route(PATH, get(show)).with_state(Files { ports, places: Places::new(), rates, proxies })
}

/// Hands out the file of a link. One that is over, forged or of nobody's answers as one that never was.
async fn show(State(files): State<Files>, Path(token): Path<String>, parts: Parts) -> Response {
    let counted = files.rates.count_file(client_address(&parts, &files.proxies));
    let opened = match counted {
        Ok(()) => open(&files, &token, parts.extensions.get::<InFlight>().cloned()).await,
        Err(refused) => Err(refused),
    };
    match opened {
        Ok(Some(response)) => response,
        Ok(None) => answer(StatusCode::NOT_FOUND, "There is no such file, or the link is over.\n"),
        Err(Error::RateLimited { retry_after, .. }) => too_often(retry_after),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "a file could not be handed out");
            answer(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.\n")
        }
    }
}

/// What a token opens: each kind of link is signed for a purpose of its own, so that none opens the other's.
async fn open(Files { ports, places, .. }: &Files, token: &str, in_flight: Option<InFlight>) -> Result<Option<Response>, Error> {
    let Some(place) = places.take().await else { return Ok(Some(too_many(StatusCode::SERVICE_UNAVAILABLE))) };
    let file = match verification::download(ports, token).await? {
        Some(file) => Some(file),
        None => privacy::download(ports, token).await?,
    };
    let Some(mut file) = file else { return Ok(print(ports, token).await?.map(page)) };
    let Some(place) = places.of(file.business, place) else { return Ok(Some(too_many(StatusCode::TOO_MANY_REQUESTS))) };
    // What cannot be opened is told as a fault, as long as nothing of it was sent.
    let first = file.content.next().await.transpose()?;
    let content = futures::stream::iter(first.map(Ok)).chain(file.content).boxed();
    let body = sending::body(content, file.byte_size, place, in_flight);
    Ok(Some(attachment(body, (&file.content_type, &file.file_name), file.byte_size)))
}

/// As many as one address may have in a minute were asked for from there.
fn too_often(retry_after: Duration) -> Response {
    let mut response = answer(StatusCode::TOO_MANY_REQUESTS, "Too many files were asked for from your address: come again later.\n");
    response.headers_mut().insert(RETRY_AFTER, whole_seconds(retry_after).into());
    response
}

/// Others are sent at the time.
fn too_many(status: StatusCode) -> Response {
    let mut response = answer(status, "Too many files are on their way: try again in a moment.\n");
    response.headers_mut().insert(RETRY_AFTER, COME_AGAIN);
    response
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
fn attachment(body: Body, (content_type, file_name): (&str, &str), byte_size: u64) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    dress(headers);
    let of = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, of(content_type));
    headers.insert(CONTENT_LENGTH, byte_size.into());
    headers.insert(CONTENT_DISPOSITION, disposition("attachment", file_name));
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
