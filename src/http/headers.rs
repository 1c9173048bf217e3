//! What every answer says to browsers, unless the page says something of its own: it is nobody's page, in nobody's frame, and is
//! what its type says.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderName, HeaderValue};

/// An answer of the API shows nothing, whatever somebody makes of it.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'");
/// Two years, as browsers' lists ask for.
const ALWAYS_ENCRYPTED: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// `router` with these headers; with `is_encrypted`, browsers never ask this host without TLS again.
pub fn guarded(router: Router, is_encrypted: bool) -> Router {
    router.layer(from_fn_with_state(is_encrypted, guard))
}

/// Adds what an answer does not say itself.
async fn guard(State(is_encrypted): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, NOTHING),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
        (OPENER_POLICY, HeaderValue::from_static("same-origin")),
    ] {
        headers.entry(name).or_insert(value);
    }
    if is_encrypted {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(ALWAYS_ENCRYPTED);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn answered(is_encrypted: bool, path: &str) -> http::HeaderMap {
        let own = get(async || ([(CONTENT_SECURITY_POLICY, "default-src 'self'")], "own"));
        let router = guarded(Router::new().route("/plain", get(async || "plain")).route("/own", own), is_encrypted);
        let request = http::Request::builder().uri(path).body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap().headers().clone()
    }

    #[tokio::test]
    async fn every_answer_is_kept_out_of_frames_and_taken_for_what_it_is() {
        for path in ["/plain", "/missing"] {
            let headers = answered(false, path).await;
            assert_eq!(headers[CONTENT_SECURITY_POLICY], NOTHING, "{path}");
            assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
            assert_eq!(headers[X_FRAME_OPTIONS], "DENY");
            assert_eq!(headers[REFERRER_POLICY], "no-referrer");
            assert_eq!(headers[RESOURCE_POLICY], "same-origin");
            assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY), "a host without TLS would be shut out by it");
        }
    }

    #[tokio::test]
    async fn a_page_keeps_its_own_policy_and_a_host_with_tls_asks_for_it() {
        let headers = answered(true, "/own").await;
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "default-src 'self'");
        assert_eq!(headers[STRICT_TRANSPORT_SECURITY], ALWAYS_ENCRYPTED);
    }
}
