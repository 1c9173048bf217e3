//! The page on which a customer of the sandbox gateway acts: it stands for a bank's own page, and is served in sandbox
//! mode alone. It must never see our database: it speaks with the gateway.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::adapters::payment::sandbox::{ActionError, SandboxGateway};
use crate::adapters::payment::{LookUpAnswer, PaymentGateway as _};

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

/// The page's routes, for sandbox mode.
pub fn router(gateway: SandboxGateway) -> Router {
    Router::new().route(PATH, get(show).post(act)).with_state(gateway)
}

/// Asks the customer to confirm or refuse.
async fn show(State(gateway): State<SandboxGateway>, Path(key): Path<String>) -> Response {
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
async fn act(State(gateway): State<SandboxGateway>, Path(key): Path<String>, Query(choice): Query<Choice>) -> Response {
    let confirms = matches!(choice.outcome, ChosenOutcome::Confirm);
    match gateway.complete_action(&key, confirms).await {
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
const BACK: &str = "<p>Close this page and go back; the payment's state follows within a minute.</p>";

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
    use std::sync::Arc;

    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;
    use crate::adapters::payment::sandbox::SandboxOptions;
    use crate::adapters::payment::{ChargeAnswer, ChargeRequest, MethodSource, SandboxBehavior};
    use crate::clock::ManualClock;
    use crate::money::{Currency, Money};

    async fn waiting(dir: &std::path::Path, key: &str) -> SandboxGateway {
        let clock = Arc::new(ManualClock::at("2027-01-31T09:00:00Z".parse().unwrap()));
        let gateway = SandboxGateway::open(dir, clock, SandboxOptions::default()).await.unwrap();
        let method = gateway.attach(MethodSource::Sandbox(SandboxBehavior::RequiresAction)).await.unwrap();
        let amount = Money::new(500, Currency::from_code("KES").unwrap()).unwrap();
        let request = ChargeRequest { key: key.into(), amount, method_reference: method.reference, description: "Invoice".into() };
        assert!(matches!(gateway.charge(request).await, ChargeAnswer::RequiresAction(_)));
        gateway
    }

    async fn ask(gateway: &SandboxGateway, method: &str, path: &str) -> (StatusCode, Response) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router(gateway.clone()).oneshot(request).await.unwrap();
        (response.status(), response)
    }

    async fn text(response: Response) -> String {
        String::from_utf8(to_bytes(response.into_body(), 1 << 16).await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_page_shows_two_buttons_and_runs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let gateway = waiting(dir.path(), "pay_1").await;
        let (status, response) = ask(&gateway, "GET", "/gateways/sandbox/actions/pay_1").await;
        assert_eq!(
            (status, response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap()),
            (StatusCode::OK, CONTENT_SECURITY_POLICY)
        );
        let html = text(response).await;
        assert_eq!((html.matches("<button").count(), html.matches("<script").count()), (2, 0));
        assert!(html.contains("<code>pay_1</code>"), "{html}");
        assert!(gateway.charges().await.unwrap().is_empty(), "looking charges nothing");
    }

    #[tokio::test]
    async fn confirming_charges_once_and_refusing_never() {
        for (outcome, charged) in [("confirm", 1), ("refuse", 0)] {
            let dir = tempfile::tempdir().unwrap();
            let gateway = waiting(dir.path(), "pay_1").await;
            let path = format!("/gateways/sandbox/actions/pay_1?outcome={outcome}");
            assert_eq!(ask(&gateway, "POST", &path).await.0, StatusCode::OK);
            assert_eq!(ask(&gateway, "POST", &path).await.0, StatusCode::CONFLICT);
            assert_eq!(gateway.charges().await.unwrap().len(), charged, "{outcome}");
            let after = text(ask(&gateway, "GET", "/gateways/sandbox/actions/pay_1").await.1).await;
            assert!(!after.contains("<button"), "{after}");
        }
    }

    #[tokio::test]
    async fn an_unknown_payment_or_choice_does_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let gateway = waiting(dir.path(), "pay_1").await;
        assert_eq!(ask(&gateway, "GET", "/gateways/sandbox/actions/pay_2").await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(&gateway, "POST", "/gateways/sandbox/actions/pay_2?outcome=confirm").await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(&gateway, "POST", "/gateways/sandbox/actions/pay_1?outcome=maybe").await.0, StatusCode::BAD_REQUEST);
        assert_eq!(ask(&gateway, "POST", "/gateways/sandbox/actions/pay_1").await.0, StatusCode::BAD_REQUEST);
        assert!(matches!(gateway.look_up("pay_1").await, LookUpAnswer::RequiresAction(_)));
    }

    #[test]
    fn what_comes_from_outside_is_text_and_no_markup() {
        assert!(buttons("<script>\"&'").contains("<code>&lt;script&gt;&quot;&amp;&#39;</code>"));
    }
}
