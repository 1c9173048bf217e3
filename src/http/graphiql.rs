//! The GraphiQL pages: an editor for each API, with an example for each step of a customer's way, and for a day of the
//! platform's own people.
//!
//! Owns what `web/graphiql/build.sh` built, embedded in the binary, and the headers that keep the page to this host: it
//! asks no other, runs no script but its own and stands in nobody's frame. It knows nothing of the schemas, and never
//! sees a token.

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, VARY};
use http::{HeaderValue, StatusCode};

/// Where the business API's page is.
pub const PAGE_PATH: &str = "/graphiql";

/// Where the staff API's page is: below the path that is kept to one's own network.
pub const STAFF_PAGE_PATH: &str = "/staff/graphiql";

/// A file of the page. Its name holds a hash of what is in it.
struct Asset {
    /// The last part of its path.
    name: &'static str,
    /// As it is sent.
    content_type: &'static str,
    /// What is in it, compressed; kept no other way.
    gzip: &'static [u8],
}

/// Every file of the page.
static ASSETS: &[Asset] = include!("../../web/graphiql/dist/assets.rs");

/// The page, with [`SETTINGS_PLACE`] where the settings go.
static PAGE: &str = include_str!("../../web/graphiql/dist/index.html");

/// What stands in its place where an editor would have everything refused.
const CLOSED: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evolve Business API</title>
<h1>Evolve Business API</h1>
<p>GraphiQL is not offered here: this server runs the documents that its operator trusts (<code>EVOLVE_ONLY_TRUSTED_DOCUMENTS</code>) and refuses any other.</p>
<p>Explore the API in a sandbox (<code>evolve-business serve</code>), or read <code>schema.graphql</code>.</p>
</html>
"#;

/// Stands in [`PAGE`] for the settings.
const SETTINGS_PLACE: &str = "%SETTINGS%";

/// The page's own scripts and workers, requests to this host, and nothing else. The editor writes `style` elements, and
/// carries its fonts and cursors as `data:`.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; \
     font-src 'self' data:; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// What the business API's page is told about the server.
#[derive(Debug, Clone)]
pub struct GraphiqlSettings {
    /// Path of the GraphQL endpoint on this host, e.g. `/graphql`. Live updates are at `{endpoint}/ws`.
    pub endpoint: String,
    /// Path of the staff API's endpoint, for the page of that.
    pub staff_endpoint: String,
    /// Who to offer for signing in, where the server has demo data.
    pub demo: Option<DemoUser>,
    /// Whether the endpoint runs the documents alone that its operator trusts: then there is nothing to edit.
    pub is_closed: bool,
}

/// A user anybody may sign in as.
#[derive(Debug, Clone)]
pub struct DemoUser {
    /// The address to sign in with.
    pub email: String,
    /// Its password, shown to whoever opens the page.
    pub password: String,
}

/// The pages at [`PAGE_PATH`] and [`STAFF_PAGE_PATH`], and the files of both. They need no state and no caller.
pub fn router<S>(settings: &GraphiqlSettings) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let business = if settings.is_closed {
        Bytes::from_static(CLOSED.as_bytes())
    } else {
        Bytes::from(page("business", &settings.endpoint, settings.demo.as_ref()))
    };
    let staff = Bytes::from(page("staff", &settings.staff_endpoint, None));
    Router::new()
        .route(PAGE_PATH, get(move || std::future::ready(page_response(business.clone()))))
        .route(STAFF_PAGE_PATH, get(move || std::future::ready(page_response(staff.clone()))))
        .route("/graphiql/assets/{file}", get(asset))
}

/// The page's text with the settings in it. They stand in a `script` element, which `<` could end: it is written as the
/// escape that JSON has for it.
fn page(api: &str, endpoint: &str, demo: Option<&DemoUser>) -> String {
    let demo = demo.map(|demo| serde_json::json!({ "email": demo.email, "password": demo.password }));
    let json = serde_json::json!({ "api": api, "endpoint": endpoint, "demo": demo }).to_string();
    PAGE.replace(SETTINGS_PLACE, &json.replace('<', "\\u003c"))
}

/// Sends the page. It names the files of this build and may hold a password: nobody keeps it.
fn page_response(page: Bytes) -> Response {
    let own = [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (own, common_headers(), page).into_response()
}

/// Sends a file of the page, compressed as it is kept.
async fn asset(Path(file): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == file) else {
        return (StatusCode::NOT_FOUND, common_headers()).into_response();
    };
    if !accepts_gzip(&headers) {
        return (StatusCode::NOT_ACCEPTABLE, [(VARY, "accept-encoding")], common_headers()).into_response();
    }
    let own = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.content_type)),
        (CONTENT_ENCODING, HeaderValue::from_static("gzip")),
        (CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
        (VARY, HeaderValue::from_static("accept-encoding")),
    ];
    (own, common_headers(), asset.gzip).into_response()
}

/// What every answer carries.
fn common_headers() -> [(HeaderName, HeaderValue); 5] {
    [
        (http::header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (http::header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (http::header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    ]
}

/// Whether the client takes gzip: it says so or says nothing (RFC 9110, 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = None;
    let mut named = headers.get(ACCEPT_ENCODING).is_none().then_some(true);
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    for item in values.flat_map(|value| value.split(',')) {
        let (coding, weight) = item.split_once(';').unwrap_or((item, "q=1"));
        let taken = weight.trim().strip_prefix("q=").is_none_or(|q| q.chars().any(|digit| matches!(digit, '1'..='9')));
        match coding.trim() {
            coding if coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip") => named = Some(taken),
            "*" => any = Some(taken),
            _ => {}
        }
    }
    named.or(any).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    fn settings(password: &str) -> GraphiqlSettings {
        let demo = DemoUser { email: "demo@evolve.test".to_owned(), password: password.to_owned() };
        let (endpoint, staff_endpoint) = ("/graphql".to_owned(), "/staff/graphql".to_owned());
        GraphiqlSettings { endpoint, staff_endpoint, demo: Some(demo), is_closed: false }
    }

    async fn fetch(path: &str, accept_encoding: Option<&str>) -> (http::response::Parts, Bytes) {
        let mut request = Request::get(path);
        if let Some(value) = accept_encoding {
            request = request.header(ACCEPT_ENCODING, value);
        }
        let request = request.body(Body::empty()).unwrap();
        let (parts, body) = router::<()>(&settings("secret")).oneshot(request).await.unwrap().into_parts();
        (parts, body.collect().await.unwrap().to_bytes())
    }

    fn header(parts: &http::response::Parts, name: HeaderName) -> &str {
        parts.headers.get(name).unwrap().to_str().unwrap()
    }

    /// The settings as the page's script reads them.
    fn settings_in(page: &str) -> serde_json::Value {
        let (_, rest) = page.split_once("<script type=\"application/json\" id=\"settings\">").unwrap();
        let (json, _) = rest.split_once("</script>").unwrap();
        serde_json::from_str(json).unwrap()
    }

    #[tokio::test]
    async fn the_page_tells_its_script_the_endpoint_and_the_demo_user() {
        let (parts, body) = fetch("/graphiql", None).await;
        assert_eq!(parts.status, StatusCode::OK);
        assert_eq!(header(&parts, CONTENT_TYPE), "text/html; charset=utf-8");
        let wanted =
            serde_json::json!({ "api": "business", "endpoint": "/graphql", "demo": { "email": "demo@evolve.test", "password": "secret" } });
        assert_eq!(settings_in(std::str::from_utf8(&body).unwrap()), wanted);
    }

    #[test]
    fn without_demo_data_the_page_offers_nobody() {
        let page = page("business", "/graphql", None);
        assert_eq!(settings_in(&page), serde_json::json!({ "api": "business", "endpoint": "/graphql", "demo": null }));
    }

    #[tokio::test]
    async fn the_staff_apis_page_is_at_an_address_of_its_own_and_offers_nobody() {
        let (parts, body) = fetch("/staff/graphiql", None).await;
        assert_eq!(parts.status, StatusCode::OK);
        assert_eq!(header(&parts, http::header::CONTENT_SECURITY_POLICY), CONTENT_SECURITY_POLICY.to_str().unwrap());
        let wanted = serde_json::json!({ "api": "staff", "endpoint": "/staff/graphql", "demo": null });
        assert_eq!(settings_in(std::str::from_utf8(&body).unwrap()), wanted);
    }

    #[tokio::test]
    async fn where_trusted_documents_alone_are_run_the_page_says_so_and_offers_no_editor() {
        let router = router::<()>(&GraphiqlSettings { is_closed: true, ..settings("secret") });
        let (parts, body) = router.oneshot(Request::get(PAGE_PATH).body(Body::empty()).unwrap()).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let page = std::str::from_utf8(&body).unwrap();
        assert_eq!((parts.status, header(&parts, CONTENT_TYPE)), (StatusCode::OK, "text/html; charset=utf-8"));
        assert!(page.contains("EVOLVE_ONLY_TRUSTED_DOCUMENTS") && !page.contains("<script") && !page.contains("secret"), "{page}");
    }

    #[test]
    fn a_setting_cannot_end_the_element_it_stands_in() {
        let hostile = "</script><script>alert(\"1\")</script><!--";
        let page = page("business", "/graphql", settings(hostile).demo.as_ref());
        assert_eq!(settings_in(&page)["demo"]["password"], hostile);
        let scripts = |page: &str| page.matches("<script").count();
        assert_eq!(scripts(&page), scripts(PAGE));
    }

    #[tokio::test]
    async fn the_page_keeps_to_this_host_and_out_of_frames_and_caches() {
        let (parts, _) = fetch("/graphiql", None).await;
        let policy = header(&parts, http::header::CONTENT_SECURITY_POLICY);
        for directive in ["default-src 'none'", "script-src 'self'", "worker-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.split("; ").any(|part| part == directive), "{directive} is not in {policy}");
        }
        assert!(!policy.contains("http"), "another host is allowed by {policy}");
        assert_eq!(header(&parts, http::header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert_eq!(header(&parts, http::header::X_FRAME_OPTIONS), "DENY");
        assert_eq!(header(&parts, http::header::REFERRER_POLICY), "no-referrer");
        assert_eq!(header(&parts, CACHE_CONTROL), "no-store");
    }

    #[tokio::test]
    async fn every_file_the_page_names_is_served_compressed_and_kept_for_good() {
        let named: Vec<&str> = PAGE.split("\"/graphiql/assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert_eq!(named.len(), 3, "a style sheet, a script and the licences: {named:?}");
        for file in named {
            let (parts, body) = fetch(&format!("/graphiql/assets/{file}"), Some("gzip, deflate, br, zstd")).await;
            assert_eq!(parts.status, StatusCode::OK, "{file}");
            assert_eq!(header(&parts, CONTENT_ENCODING), "gzip");
            assert_eq!(header(&parts, CACHE_CONTROL), "public, max-age=31536000, immutable");
            assert_eq!(header(&parts, VARY), "accept-encoding");
            assert_eq!(header(&parts, http::header::X_CONTENT_TYPE_OPTIONS), "nosniff");
            assert_eq!(header(&parts, CONTENT_TYPE).split(';').next(), content_type_of(file));
            assert_eq!(body.get(..2), Some(&[0x1f, 0x8b][..]), "{file} is no gzip");
        }
    }

    fn content_type_of(file: &str) -> Option<&'static str> {
        match file.rsplit_once('.')?.1 {
            "js" => Some("text/javascript"),
            "css" => Some("text/css"),
            "txt" => Some("text/plain"),
            _ => None,
        }
    }

    #[test]
    fn the_three_workers_of_the_editor_are_embedded() {
        let workers = ["editor-worker-", "graphql-worker-", "json-worker-"];
        assert!(workers.iter().all(|worker| ASSETS.iter().any(|asset| asset.name.starts_with(worker))));
    }

    #[tokio::test]
    async fn a_client_that_refuses_gzip_is_told_so() {
        let path = format!("/graphiql/assets/{}", ASSETS[0].name);
        for (accept, status) in [
            (None, 200),
            (Some("gzip"), 200),
            (Some("br;q=1, GZIP; q=0.5"), 200),
            (Some("*"), 200),
            (Some("*;q=0, gzip"), 200),
            (Some(""), 406),
            (Some("identity"), 406),
            (Some("gzip;q=0"), 406),
            (Some("gzip;q=0.000, *"), 406),
        ] {
            assert_eq!(fetch(&path, accept).await.0.status.as_u16(), status, "{accept:?}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_of_the_page_is_not_found() {
        for file in ["index.html", "app.js", "..%2Findex.html"] {
            assert_eq!(fetch(&format!("/graphiql/assets/{file}"), None).await.0.status, StatusCode::NOT_FOUND, "{file}");
        }
    }
}
