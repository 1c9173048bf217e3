//! What the server answers, and where.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use secrecy::SecretString;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::business::BusinessExecutor;
use super::graphiql::GraphiqlSettings;
use super::graphql::Endpoint;
use super::graphql::stored::{KEY, KEY_DERIVED};
use super::graphql::upload::PREFLIGHT;
use super::guard::BUSINESS;
use super::live::{self, Connections, Live};
use super::staff::StaffExecutor;
use super::{files, graphiql, graphql, headers, health, mpesa_events, rates, request_id, rest, sandbox_action, server, stripe_events};
use crate::adapters::payment::sandbox::SandboxGateway;
use crate::graphql::front_door::FrontDoor;

/// Where the business API is asked.
pub const BUSINESS_PATH: &str = "/graphql";

/// Where sockets of the business API are opened.
pub const LIVE_PATH: &str = "/graphql/ws";

/// Where the staff API is asked.
pub const STAFF_PATH: &str = "/staff/graphql";

/// What the router is made of.
pub struct Routes {
    /// Runs the business API.
    pub executor: BusinessExecutor,
    /// Its front door.
    pub door: Arc<FrontDoor>,
    /// Runs the staff API.
    pub staff: StaffExecutor,
    /// Its front door.
    pub staff_door: Arc<FrontDoor>,
    /// The live connections of this process.
    pub live: Arc<Connections>,
    /// What a request may take.
    pub limits: graphql::Settings,
    /// The GraphiQL page.
    pub graphiql: GraphiqlSettings,
    /// Origins whose pages may call the API.
    pub cors_origins: Vec<HeaderValue>,
    /// What Stripe signs its events with; none without Stripe.
    pub stripe_secrets: Option<Arc<[SecretString]>>,
    /// Whether M-Pesa is heard.
    pub hears_mpesa: bool,
    /// The sandbox gateway's page for the customer's action; none in production.
    pub sandbox: Option<SandboxGateway>,
}

/// The whole router.
pub fn router(routes: Routes) -> Router {
    let Routes { executor, door, staff, staff_door, live, limits, graphiql: page, cors_origins, stripe_secrets, hears_mpesa, sandbox } =
        routes;
    let ports = executor.ports.clone();
    let files = files::router(ports.clone(), Arc::clone(&executor.rates), Arc::clone(&executor.proxies));
    let (store, ids) = (ports.store.clone(), ports.ids.clone());
    let is_encrypted = ports.public_url.starts_with("https://");
    let ready = move || {
        let store = store.clone();
        async move { store.ping().await.map_err(|error| format!("{error:?}")) }
    };
    let executor = Arc::new(executor);
    let live = Arc::new(Live {
        statuses: limits.statuses,
        executor: Arc::clone(&executor),
        door: Arc::clone(&door),
        max_bytes: limits.max_body_bytes,
        time_limit: limits.time_limit,
        connections: live,
        origins: cors_origins.clone(),
    });
    let business = Endpoint::new(door, executor, limits);
    let api = Router::new()
        .route(BUSINESS_PATH, business.handler().layer(from_fn_with_state(Arc::clone(&live), live::divert)))
        .merge(rest::router(&business, &ports.clock))
        .route(STAFF_PATH, graphql::handler(staff_door, staff, limits))
        .merge(live::router(LIVE_PATH, live))
        .layer(cors(cors_origins));
    let mut all = api.merge(graphiql::router(&page)).merge(health::router(ready)).merge(files);
    if let Some(secrets) = stripe_secrets {
        all = all.merge(stripe_events::router(ports.clone(), secrets));
    }
    if hears_mpesa {
        all = all.merge(mpesa_events::router(ports.clone()));
    }
    if let Some(gateway) = sandbox {
        all = all.merge(sandbox_action::router(gateway, ports.clone()));
    }
    server::dressed(headers::guarded(all, is_encrypted), ids)
}

/// Lets pages of the listed origins call the API. No cookies are used, so none are allowed.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            request_id::HEADER,
            HeaderName::from_static(PREFLIGHT),
            HeaderName::from_static(BUSINESS),
            KEY,
        ])
        .expose_headers([
            request_id::HEADER,
            RETRY_AFTER,
            HeaderName::from_static("www-authenticate"),
            KEY,
            KEY_DERIVED,
            rates::REMAINING,
            rates::POLICY,
        ])
        .max_age(std::time::Duration::from_hours(1))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::post;
    use http::header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    };
    use tower::ServiceExt as _;

    use super::*;

    const APPLICATION: HeaderValue = HeaderValue::from_static("https://app.example.com");

    async fn headers(method: Method, origin: &str, origins: &[HeaderValue]) -> http::HeaderMap {
        let router: Router = Router::new().route("/", post(async || "{}").layer(cors(origins.to_vec())));
        let mut request = http::Request::builder().method(method).uri("/").header(ORIGIN, origin);
        request = request.header(ACCESS_CONTROL_REQUEST_METHOD, "POST").header(ACCESS_CONTROL_REQUEST_HEADERS, "authorization");
        router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().headers().clone()
    }

    #[tokio::test]
    async fn pages_of_listed_origins_alone_may_read_answers() {
        for method in [Method::OPTIONS, Method::POST] {
            let listed = headers(method.clone(), "https://app.example.com", &[APPLICATION]).await;
            assert_eq!(listed[ACCESS_CONTROL_ALLOW_ORIGIN], APPLICATION);
            assert!(!listed.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS), "there are no cookies to send");
            for other in ["https://app.example.com.evil.example", "http://app.example.com", "https://app.example.com:8443", "null"] {
                let answer = headers(method.clone(), other, &[APPLICATION]).await;
                assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN), "{other}");
            }
            let none = headers(method, "https://app.example.com", &[]).await;
            assert!(!none.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
        }
        let preflight = headers(Method::OPTIONS, "https://app.example.com", &[APPLICATION]).await;
        assert_eq!(preflight[ACCESS_CONTROL_ALLOW_METHODS], "GET,POST,PUT");
        let allowed = preflight[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap();
        assert!(allowed.contains("authorization") && !allowed.contains('*'), "{allowed}");
    }
}
