//! The page on which a customer of the sandbox gateway acts: it stands for a bank's own page, and is served in sandbox
//! mode alone. It speaks with the gateway, and then says to the payments that something became of one, as a gateway would;
//! it must never settle anything itself.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::adapters::payment::LookUpAnswer;
use crate::adapters::payment::sandbox::{ActionError, SandboxGateway};
use crate::ids::PaymentId;
use crate::services::{Ports, payments};

/// Where the page is served, below the root.
pub const PATH: &str = "/gateways/sandbox/actions/{key}";

/// Nothing but the page's own form, which may go nowhere else; no frame may show it.
const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the customer chose.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Choice {
    /// `confirm` or `refuse`.
    outcome: ChosenOutcome,
}

/// The two buttons.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ChosenOutcome {
    /// The customer passes the check.
    Confirm,
    /// The customer fails it.
    Refuse,
}

/// What the page speaks with.
#[derive(Clone)]
struct Both {
    /// The gateway.
    gateway: SandboxGateway,
    /// Ours.
    ports: Ports,
}

/// The page's routes, for sandbox mode.
pub fn router(gateway: SandboxGateway, ports: Ports) -> Router {
    Router::new().route(PATH, get(show).post(act)).with_state(Both { gateway, ports })
}

/// Asks the customer to confirm or refuse.
async fn show(State(Both { gateway, .. }): State<Both>, Path(key): Path<String>) -> Response {
    match gateway.look_up(&key).await {
        LookUpAnswer::RequiresAction(_) => page(StatusCode::OK, "Confirm the payment", &buttons(&key)),
        LookUpAnswer::NotFound => page(StatusCode::NOT_FOUND, "There is no such payment", ""),
        LookUpAnswer::Unknown => page(StatusCode::BAD_GATEWAY, "The sandbox gateway does not answer", ""),
        LookUpAnswer::Succeeded(_) => page(StatusCode::OK, "The payment is confirmed", BACK),
        LookUpAnswer::Failed(_) => page(StatusCode::OK, "The payment was refused", BACK),
        LookUpAnswer::Canceled => page(StatusCode::OK, "The payment was called off or has lapsed", BACK),
    }
}

/// Does what the customer chose.
async fn act(State(Both { gateway, ports }): State<Both>, Path(key): Path<String>, Query(choice): Query<Choice>) -> Response {
    let confirms = matches!(choice.outcome, ChosenOutcome::Confirm);
    let done = gateway.complete_action(&key, confirms).await;
    if let (Ok(()), Some(payment)) = (&done, PaymentId::parse(&key))
        && let Err(error) = payments::gateway_spoke(&ports, payment).await
    {
        // The gateway will be asked all the same, only later.
        tracing::error!(error = &error as &dyn std::error::Error, %payment, "a payment's look-up could not be hastened");
    }
    match done {
        Ok(()) if confirms => page(StatusCode::OK, "The payment is confirmed", BACK),
        Ok(()) => page(StatusCode::OK, "The payment was refused", BACK),
        Err(ActionError::NotFound) => page(StatusCode::NOT_FOUND, "There is no such payment", ""),
        Err(ActionError::NotWaiting) => page(StatusCode::CONFLICT, "The payment does not wait for anybody", BACK),
        Err(error @ ActionError::Memory(_)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the sandbox gateway failed");
            page(StatusCode::BAD_GATEWAY, "The sandbox gateway does not answer", "")
        }
    }
}

/// What to do after the page.
const BACK: &str = "<p>Close this page and go back; the payment's state follows at once.</p>";

/// The two buttons for a payment.
fn buttons(key: &str) -> String {
    let key = escape(key);
    let button =
        |outcome, label| format!("<form method=\"post\" action=\"?outcome={outcome}\"><button type=\"submit\">{label}</button></form>");
    let (confirm, refuse) = (button("confirm", "Confirm"), button("refuse", "Refuse"));
    format!("<p>The sandbox gateway asks whether the payment <code>{key}</code> is yours. No money moves.</p>{confirm}{refuse}")
}

/// A whole page. `body` is HTML already.
fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escape(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>body{{font:1rem/1.5 sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}form{{display:inline-block;margin-right:1rem}}\
         button{{font:inherit;padding:.5rem 1.5rem}}</style></head><body><h1>{title}</h1>{body}</body></html>"
    );
    let mut response = (status, Html(html)).into_response();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Text as it may stand in HTML, between tags and in quotes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_text_and_no_markup() {
        assert!(buttons("<script>\"&'").contains("<code>&lt;script&gt;&quot;&amp;&#39;</code>"));
    }
}
