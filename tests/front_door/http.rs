//! What GraphQL over HTTP answers: each status, each media type.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use evolve_business::http::graphql::{Settings, Statuses};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use crate::world::World;

const RESPONSE: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap()
    }

    fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

fn router() -> Router {
    World::new().router(Settings { time_limit: Duration::from_millis(300), ..Settings::default() })
}

async fn send(request: Request<Body>) -> Answer {
    send_to(router(), request).await
}

async fn send_to(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

fn post(accept: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/graphql").header(header::ACCEPT, accept).header(header::CONTENT_TYPE, JSON).body(body.into()).unwrap()
}

async fn ask(accept: &str, query: &str) -> Answer {
    send(post(accept, json!({ "query": query }).to_string())).await
}

async fn get(accept: &str, pairs: &[(&str, &str)]) -> Answer {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let query: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={}", escape(value))).collect();
    let request = Request::get(format!("/graphql?{}", query.join("&"))).header(header::ACCEPT, accept);
    send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn an_answer_is_200_in_the_type_that_was_asked_for() {
    for media in [RESPONSE, JSON] {
        let answer = ask(media, "{ node { id } }").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("content-type"), format!("{media}; charset=utf-8"));
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.text, r#"{"data":{"node":{"id":"0"}},"extensions":{"cost":{"requested":2,"limit":20000}}}"#);
    }
}

#[tokio::test]
async fn request_errors_are_400_or_200_by_media_type_and_have_no_data() {
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query($x: Int!) { numbers(numbers: [$x]) }", "BAD_USER_INPUT"),
        ("{ node { nodes(first: 1000000) { edges { cursor } } } }", "COST_EXCEEDED"),
        ("query a { node { id } } query b { node { id } }", "BAD_USER_INPUT"),
    ] {
        for (media, status) in [(RESPONSE, StatusCode::BAD_REQUEST), (JSON, StatusCode::OK)] {
            let answer = ask(media, query).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{media} {query}");
            assert!(answer.json().get("data").is_none());
        }
    }
    let answer = ask(JSON, "{\n  nothing\n}").await;
    assert_eq!(answer.json()["errors"][0]["locations"], json!([{ "line": 2, "column": 3 }]));
}

#[tokio::test]
async fn what_is_no_request_is_400_in_both_types() {
    let mut deep = "[".repeat(200);
    deep.push_str(&"]".repeat(200));
    for body in [
        String::new(),
        "{".to_owned(),
        "{}".to_owned(),
        "null".to_owned(),
        "\"{ node { id } }\"".to_owned(),
        r#"["{ node { id } }", null, null, null]"#.to_owned(),
        r#"[{"query":"{ node { id } }"}]"#.to_owned(),
        r#"{"query":null}"#.to_owned(),
        r#"{"query":1}"#.to_owned(),
        r#"{"query":"{ node { id } }","query":"{ list { id } }"}"#.to_owned(),
        r#"{"query":"{ node { id } }","variables":[]}"#.to_owned(),
        r#"{"query":"{ node { id } }","variables":"{}"}"#.to_owned(),
        r#"{"query":"{ node { id } }","operationName":1}"#.to_owned(),
        r#"{"query":"{ node { id } }","extensions":1}"#.to_owned(),
        r#"{"query":"{ node { id } }"} trailing"#.to_owned(),
        format!(r#"{{"query":"{{ node {{ id }} }}","variables":{{"a":{deep}}}}}"#),
        format!(r#"{{"query":"{{ node {{ id }} }}","variables":{{"a":{}}}}}"#, "1e999"),
    ] {
        for media in [RESPONSE, JSON] {
            let answer = send(post(media, body.clone())).await;
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::BAD_REQUEST, "BAD_USER_INPUT"), "{body}");
        }
    }
    let not_utf8 = send(post(JSON, vec![b'{', b'"', 0xff, b'"', b'}'])).await;
    assert_eq!(not_utf8.status, StatusCode::BAD_REQUEST);
    let nulls = r#"{"query":"{ node { id } }","operationName":null,"variables":null,"extensions":null,"other":1}"#;
    assert_eq!(send(post(JSON, nulls)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn get_asks_queries_alone() {
    let query = "query q($n: [Int!]!) { numbers(numbers: $n) }";
    let answer = get(RESPONSE, &[("query", query), ("variables", r#"{"n":[1]}"#), ("operationName", "q"), ("extensions", "{}")]).await;
    assert_eq!(answer.json(), json!({ "data": { "numbers": [1] }, "extensions": { "cost": { "requested": 1, "limit": 20_000 } } }));
    let unnamed = get(RESPONSE, &[("query", "query q { node { id } }"), ("operationName", "")]).await;
    assert_eq!(unnamed.json()["data"], json!({ "node": { "id": "0" } }));
    for pairs in [
        &[][..],
        &[("query", "{ node { id } }"), ("query", "{ node { id } }")],
        &[("query", "{ node { id } }"), ("variables", "[]")],
        &[("query", "{ node { id } }"), ("variables", "{")],
        &[("query", "{ node { id } }"), ("extensions", "1")],
    ] {
        assert_eq!(get(JSON, pairs).await.status, StatusCode::BAD_REQUEST, "{pairs:?}");
    }
    for media in [RESPONSE, JSON] {
        let answer = get(media, &[("query", "mutation { f(n: 1) }")]).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
    }
}

#[tokio::test]
async fn other_methods_are_405() {
    for method in ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"] {
        let request = Request::builder().method(method).uri("/graphql?query=%7B__typename%7D").body(Body::empty()).unwrap();
        let answer = send(request).await;
        assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, POST"), "{method}");
    }
}

#[tokio::test]
async fn an_unknown_accept_is_406_and_another_body_415() {
    let answer = ask("text/html", "{ node { id } }").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::NOT_ACCEPTABLE, "application/json; charset=utf-8"));
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "",
    ] {
        let request = Request::post("/graphql").header(header::CONTENT_TYPE, content_type).body(r#"{"query":"{ node { id } }"}"#.into());
        assert_eq!(send(request.unwrap()).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
    }
    let request = Request::post("/graphql").body(r#"{"query":"{ node { id } }"}"#.into()).unwrap();
    assert_eq!(send(request).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_413() {
    let body = |length: usize| {
        let empty = json!({ "query": "{ node { id } }", "variables": { "x": "" } }).to_string();
        json!({ "query": "{ node { id } }", "variables": { "x": "x".repeat(length - empty.len()) } }).to_string()
    };
    assert_eq!(send(post(JSON, body(1024 * 1024))).await.status, StatusCode::OK);
    let answer = send(post(JSON, body(1024 * 1024 + 1))).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "BAD_USER_INPUT"));
    let error = &answer.json()["errors"][0];
    assert_eq!(error["message"], "The body is larger than the server takes. The limit is 1048576 bytes.");
    assert_eq!(error["extensions"]["limit"], json!({ "code": "BODY_BYTES", "limit": 1_048_576 }));
    // Announced, and not sent.
    let announced = Request::post("/graphql").header(header::CONTENT_TYPE, JSON).header(header::CONTENT_LENGTH, "2000000");
    assert_eq!(send(announced.body(Body::empty()).unwrap()).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_the_executor_stops_has_its_status_in_both_types() {
    for (token, status, code) in [
        ("bad", StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
        ("busy", StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"),
        ("outside", StatusCode::FORBIDDEN, "FORBIDDEN"),
        ("broken", StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
    ] {
        for media in [RESPONSE, JSON] {
            let mut request = post(media, json!({ "query": "{ node { id } }" }).to_string());
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            let answer = send(request).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code));
            assert!(answer.json().get("data").is_none());
            assert!(!answer.text.contains("hunter2"));
            match token {
                "bad" => assert_eq!(answer.header("www-authenticate"), "Bearer"),
                "busy" => {
                    assert_eq!(answer.header("retry-after"), "3");
                    assert_eq!(answer.json()["errors"][0]["message"], "Too many requests: come again in 3 s.");
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn an_operation_that_takes_too_long_is_stopped() {
    for media in [RESPONSE, JSON] {
        let answer = ask(media, "{ slow }").await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::GATEWAY_TIMEOUT, "TIMEOUT"));
        assert_eq!(answer.json()["errors"][0]["message"], "The request took longer than 300ms, which is the limit.");
        assert_eq!(answer.json()["extensions"], json!({ "cost": { "requested": 1, "limit": 20_000 } }));
    }
}

#[tokio::test]
async fn errors_of_fields_are_200_and_masked() {
    let answer = ask(RESPONSE, "{ forbidden broken coded node { id } maybe { fragile } }").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.text.contains("hunter2") && !answer.text.contains("secret cause"), "{}", answer.text);
    let body = answer.json();
    assert_eq!(body["data"]["node"], json!({ "id": "0" }), "{body}");
    assert_eq!(body["data"]["broken"], Json::Null);
    let told: std::collections::BTreeMap<_, _> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (error["path"][0].as_str().unwrap(), (error["extensions"]["code"].as_str().unwrap(), error["message"].as_str().unwrap()))
        })
        .collect();
    let ours = "Something went wrong on our side; name the request's id when you report it.";
    assert_eq!(told["forbidden"], ("FORBIDDEN", "Your role or key does not allow this."));
    assert_eq!(told["broken"], ("INTERNAL", ours));
    assert_eq!(told["coded"], ("BAD_USER_INPUT", "Say less."));
    assert_eq!(told["maybe"], ("INTERNAL", ours));
    assert!(body["errors"].as_array().unwrap().iter().all(|error| error["locations"][0]["line"] == 1));
}

/// Lines of the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_cause_is_logged_with_the_request_s_id_and_never_sent() {
    let log = Log::default();
    let written = log.clone();
    let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(move || written.clone()).finish();
    // This test has one thread, on which the server runs too.
    let _listening = tracing::subscriber::set_default(lines);
    for (id, token, query, cause) in [
        ("stopped-1", "Bearer broken", "{ node { id } }", "password=hunter2"),
        ("failed-1", "", "{ broken }", "hunter2"),
        ("uncoded-1", "", "{ maybe { fragile } }", "secret cause"),
    ] {
        let mut request = post(RESPONSE, json!({ "query": query }).to_string());
        request.headers_mut().insert("x-request-id", id.parse().unwrap());
        request.headers_mut().insert(header::AUTHORIZATION, token.parse().unwrap());
        let answer = send(request).await;
        assert_eq!((answer.code().as_str(), &answer.json()["errors"][0]["extensions"]["requestId"]), ("INTERNAL", &json!(id)));
        assert!(!answer.text.contains(cause), "{}", answer.text);
        let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let told: Vec<&str> = logged.lines().filter(|line| line.contains(id)).collect();
        assert!(told.iter().any(|line| line.contains("ERROR") && line.contains(cause)), "{id}: {logged}");
    }
}

#[tokio::test]
async fn by_the_draft_of_2026_what_is_not_valid_is_422_and_data_beside_errors_294() {
    let settled = ["{ forbidden node { id } }", "{ nothing }"];
    for (query, status) in settled.into_iter().zip([200, 400]) {
        assert_eq!(ask(RESPONSE, query).await.status.as_u16(), status, "{query}: only where it was chosen");
    }
    let body = |query: &str| json!({ "query": query }).to_string();
    for (body, of_draft, of_json) in [
        (body("{ node { id } }"), 200, 200),
        (body("{ forbidden node { id } }"), 294, 200),
        (body("{ uncontained }"), 294, 200),
        (body("{"), 400, 200),
        (body("{ nothing }"), 422, 200),
        (body("query($x: Int!) { numbers(numbers: [$x]) }"), 422, 200),
        (body("query a { node { id } } query b { node { id } }"), 422, 200),
        (body("{ node { nodes(first: 1000000) { edges { cursor } } } }"), 422, 200),
        ("{\"query\":".to_owned(), 400, 400),
        ("{}".to_owned(), 422, 400),
        ("[]".to_owned(), 422, 400),
        (body("{ slow }"), 504, 504),
    ] {
        for (media, status) in [(RESPONSE, of_draft), (JSON, of_json)] {
            let settings = Settings { statuses: Statuses::Draft2026, time_limit: Duration::from_millis(300), ..Settings::default() };
            let answer = send_to(World::new().router(settings), post(media, body.clone())).await;
            assert_eq!(answer.status.as_u16(), status, "{media} {body}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn every_answer_and_every_error_names_the_request() {
    let mut request = post(JSON, json!({ "query": "{ broken }" }).to_string());
    request.headers_mut().insert("x-request-id", "from-the-client.1".parse().unwrap());
    let answer = send(request).await;
    assert_eq!(answer.header("x-request-id"), "from-the-client.1");
    assert_eq!(answer.json()["errors"][0]["extensions"]["requestId"], "from-the-client.1");
    let answer = ask(JSON, "{").await;
    assert_eq!(answer.header("x-request-id"), answer.json()["errors"][0]["extensions"]["requestId"]);
    let nowhere = send(Request::get("/nowhere").body(Body::empty()).unwrap()).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
    assert_eq!(nowhere.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn a_panic_is_a_500_that_names_the_request_and_says_nothing_else() {
    for request in [Request::get("/panic").body(Body::empty()).unwrap(), post(JSON, json!({ "query": "{ panics }" }).to_string())] {
        let answer = send(request).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"));
        assert!(!answer.text.contains("as asked"));
        assert_eq!(answer.header("x-request-id"), answer.json()["errors"][0]["extensions"]["requestId"]);
    }
}

#[tokio::test]
async fn health_and_readiness_are_told_apart() {
    let get = |router: Router, path: &'static str| async move {
        router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
    };
    let sick: Router = evolve_business::http::health::router(|| async { Err("the database is gone".to_owned()) });
    assert_eq!(get(sick.clone(), "/healthz").await, StatusCode::OK);
    assert_eq!(get(sick, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(router(), "/readyz").await, StatusCode::OK);
}
