//! Documents that requests name: by their hashes as Apollo's clients do, and by ids that the operator trusts.

use axum::Router;
use axum::body::Body;
use evolve_business::graphql::front_door::{GraphqlRequest, Limits, Method, Refusal, Untrusted};
use evolve_business::http::graphql::Settings;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use tower::ServiceExt;

use crate::world::World;

const QUERY: &str = "query Node { node { id } }";
/// By `sha256sum`.
const HASH: &str = "16d0c7ac3eb093a63eb1b6a49f09b6ea5e75d021ce95840be5f12b3fff7af4d4";
const OTHER: &str = "query Other { node { child { id } } }";

fn persisted(hash: &str) -> Json {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } })
}

/// The status and the body of the answer.
async fn send(router: &Router, request: Request<Body>) -> (StatusCode, Json) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    (status, serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap())
}

async fn post(router: &Router, body: Json) -> (StatusCode, Json) {
    let request =
        Request::post("/graphql").header("accept", "application/graphql-response+json").header("content-type", "application/json");
    send(router, request.body(body.to_string().into()).unwrap()).await
}

async fn get(router: &Router, pairs: &[(&str, &str)]) -> (StatusCode, Json) {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let query: Vec<_> = pairs.iter().map(|(key, value)| format!("{key}={}", escape(value))).collect();
    let request = Request::get(format!("/graphql?{}", query.join("&"))).header("accept", "application/graphql-response+json");
    send(router, request.body(Body::empty()).unwrap()).await
}

fn refused(answer: &(StatusCode, Json)) -> (u16, &str, &str) {
    let error = &answer.1["errors"][0];
    assert_eq!(answer.1.get("data"), None);
    (answer.0.as_u16(), error["extensions"]["code"].as_str().unwrap(), error["message"].as_str().unwrap())
}

/// Whether it ran, and answered what the document asks.
fn ran(answer: &(StatusCode, Json)) -> bool {
    answer.0 == StatusCode::OK && answer.1.get("errors").is_none() && answer.1["data"] == json!({ "node": { "id": "0" } })
}

/// A request that names a document and sends none.
fn by_hash(hash: &str) -> GraphqlRequest {
    let Json::Object(extensions) = persisted(hash) else { panic!("an object") };
    GraphqlRequest { extensions, ..GraphqlRequest::default() }
}

fn by_id(id: &str) -> GraphqlRequest {
    GraphqlRequest { document_id: Some(id.to_owned()), ..GraphqlRequest::default() }
}

impl World {
    fn named(&self, request: GraphqlRequest) -> Result<(), Refusal> {
        self.door.admit(request, Method::Post).map(drop)
    }

    /// The code that a request is refused with.
    fn denied(&self, request: GraphqlRequest) -> &'static str {
        self.named(request).unwrap_err().problems[0].code.as_str()
    }

    /// Has a document kept.
    fn keeps(&self, query: &str) -> Result<(), Refusal> {
        self.named(GraphqlRequest { query: Some(query.to_owned()), ..by_hash(&sha256(query)) })
    }
}

/// The hash of a text in small hexadecimal digits, by the crate that says it is SHA-2.
fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_hashes_of_these_tests_are_those_of_sha256sum() {
    assert_eq!(sha256(QUERY), HASH);
}

#[tokio::test]
async fn a_document_is_asked_by_its_hash_alone_once_it_came_with_it() {
    let router = World::new().router(Settings::default());
    let hash = persisted(HASH);
    let unknown = (400, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound");
    assert_eq!(refused(&post(&router, json!({ "extensions": hash })).await), unknown);
    assert_eq!(refused(&get(&router, &[("extensions", &hash.to_string())]).await), unknown);
    // The same text without its hash is not kept.
    assert!(ran(&post(&router, json!({ "query": QUERY })).await));
    assert_eq!(refused(&post(&router, json!({ "extensions": hash })).await), unknown);

    assert!(ran(&post(&router, json!({ "query": QUERY, "extensions": hash })).await));
    assert!(ran(&post(&router, json!({ "extensions": hash })).await));
    assert!(ran(&post(&router, json!({ "query": "", "extensions": hash })).await));
    assert!(ran(&get(&router, &[("extensions", &hash.to_string())]).await));
    assert!(ran(&get(&router, &[("operationName", "Node"), ("extensions", &hash.to_string())]).await));
    assert!(ran(&post(&router, json!({ "documentId": format!("sha256:{HASH}") })).await));
    // A query may be kept by GET too.
    let other = persisted(&sha256(OTHER)).to_string();
    assert_eq!(get(&router, &[("query", OTHER), ("extensions", &other)]).await.0, StatusCode::OK);
    assert_eq!(get(&router, &[("extensions", &other)]).await.1["data"]["node"]["child"], json!({ "id": "1" }));
}

#[tokio::test]
async fn a_mutation_is_not_sent_by_get_by_its_hash_either() {
    let router = World::new().router(Settings::default());
    let text = "mutation { f(n: 1) }";
    let hash = persisted(&sha256(text));
    assert_eq!(post(&router, json!({ "query": text, "extensions": hash })).await.1["data"], json!({ "f": 1 }));
    assert_eq!(refused(&get(&router, &[("extensions", &hash.to_string())]).await).0, 405);
    assert_eq!(post(&router, json!({ "extensions": hash })).await.1["data"], json!({ "f": 1 }));
}

#[tokio::test]
async fn a_name_that_is_none_is_refused_and_nothing_is_kept() {
    let world = World::new();
    let router = world.router(Settings::default());
    let both = format!("sha256:{HASH}");
    for body in [
        json!({ "query": OTHER, "extensions": persisted(HASH) }),
        json!({ "query": QUERY, "extensions": persisted(&HASH.to_uppercase()) }),
        json!({ "query": QUERY, "extensions": persisted("") }),
        json!({ "query": QUERY, "extensions": { "persistedQuery": { "version": 2, "sha256Hash": HASH } } }),
        json!({ "query": QUERY, "extensions": { "persistedQuery": { "version": "1", "sha256Hash": HASH } } }),
        json!({ "query": QUERY, "extensions": { "persistedQuery": { "version": 1, "sha256Hash": [HASH] } } }),
        json!({ "query": QUERY, "extensions": { "persistedQuery": { "version": 1 } } }),
        json!({ "query": QUERY, "extensions": { "persistedQuery": HASH } }),
        json!({ "query": QUERY, "documentId": both }),
        json!({ "documentId": both, "extensions": persisted(HASH) }),
        json!({ "documentId": 1 }),
        json!({ "documentId": null }),
        json!({ "extensions": {} }),
        json!({ "extensions": { "persistedQuery": null } }),
    ] {
        let answer = post(&router, body.clone()).await;
        let (status, code, message) = refused(&answer);
        assert_eq!((status, code), (400, "BAD_USER_INPUT"), "{body}");
        assert!(!message.contains(HASH), "{message}");
    }
    for (body, code) in [
        (json!({ "extensions": persisted(HASH) }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({ "extensions": persisted("no hash") }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({ "documentId": "" }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({ "documentId": HASH }), "PERSISTED_QUERY_NOT_FOUND"),
        (json!({ "documentId": both }), "PERSISTED_QUERY_NOT_FOUND"),
    ] {
        assert_eq!(refused(&post(&router, body.clone()).await).1, code, "{body}");
    }
    assert_eq!(world.door.kept(), (0, 0));
    // What other extensions say is nobody's business.
    assert!(ran(&post(&router, json!({ "query": QUERY, "extensions": { "persistedQuery": null, "trace": 1 } })).await));
}

#[test]
fn what_does_not_pass_is_not_kept() {
    let world = World::new();
    for text in ["{", "{ nothing }", "{ node { id }", "query($x: Int) { node { id } }"] {
        assert!(world.keeps(text).is_err(), "{text}");
        assert_eq!(world.denied(by_hash(&sha256(text))), "PERSISTED_QUERY_NOT_FOUND");
    }
    assert_eq!(world.door.kept(), (0, 0));
    world.keeps(QUERY).unwrap();
    assert_eq!(world.door.kept().0, 1);
    // Sent again, it is kept once.
    world.keeps(QUERY).unwrap();
    assert_eq!(world.door.kept().0, 1);
}

#[test]
fn what_is_kept_for_clients_is_bounded_in_bytes_and_in_number() {
    let long = |index: usize| format!("query q{index} {{ node {{ {} }} }}", "id ".repeat(300));
    let short = |index: usize| format!("query q{index} {{ node {{ id }} }}");
    let world = World::with(Limits { kept_bytes: 100_000, kept_documents: 1_000, ..Limits::default() });
    (0..500).for_each(|index| world.keeps(&long(index)).unwrap());
    let (documents, bytes) = world.door.kept();
    // Each has more than 1,000 bytes.
    assert!((10..100).contains(&documents) && bytes <= 100_000, "{documents} documents, {bytes} bytes");

    let world = World::with(Limits { kept_bytes: 100_000, kept_documents: 20, ..Limits::default() });
    (0..500).for_each(|index| world.keeps(&short(index)).unwrap());
    let (documents, bytes) = world.door.kept();
    assert!((5..=20).contains(&documents) && bytes <= 100_000, "{documents} documents, {bytes} bytes");
}

#[test]
fn one_who_has_thousands_kept_does_not_push_out_what_others_use() {
    let world = World::with(Limits { kept_bytes: 100_000, kept_documents: 100, ..Limits::default() });
    let used: Vec<String> = (0..20).map(|index| format!("query used{index} {{ node {{ id }} }}")).collect();
    let filler = |index: usize| format!("query other{index} {{ node {{ id }} }}");
    (0..80).for_each(|index| world.keeps(&filler(index)).unwrap());
    for text in used.iter().cycle().take(used.len() * 10) {
        world.keeps(text).unwrap();
        world.named(by_hash(&sha256(text))).unwrap();
        world.door.kept();
    }
    for index in 100..3_000 {
        world.keeps(&filler(index)).unwrap();
        if index.is_multiple_of(100) {
            for text in &used {
                drop(world.named(by_hash(&sha256(text))));
            }
        }
    }
    let left = used.iter().filter(|text| world.named(by_hash(&sha256(text))).is_ok()).count();
    assert_eq!(left, used.len(), "of {} that are used", used.len());
}

#[test]
fn where_nothing_is_kept_a_client_is_told_to_send_documents() {
    let world = World::with(Limits { kept_bytes: 0, ..Limits::default() });
    let refusal = world.named(by_hash(HASH)).unwrap_err();
    assert_eq!(
        (refusal.problems[0].code.as_str(), refusal.to_string().as_str()),
        ("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
    );
    world.keeps(QUERY).unwrap();
    assert_eq!(world.denied(by_hash(HASH)), "PERSISTED_QUERY_NOT_SUPPORTED");
    assert_eq!(world.denied(GraphqlRequest { query: Some(OTHER.to_owned()), ..by_hash(HASH) }), "BAD_USER_INPUT");
}

#[test]
fn a_trusted_document_is_asked_by_its_id_its_hash_and_as_apollo_does() {
    let world = World::trusting(&[("node-1", QUERY), (&format!("sha256:{}", sha256(OTHER)), OTHER)], false);
    assert_eq!(world.door.trusted(), 2);
    for request in [
        by_id("node-1"),
        by_id(&format!("sha256:{HASH}")),
        by_hash(HASH),
        by_hash("node-1"),
        GraphqlRequest { query: Some(QUERY.to_owned()), ..by_hash("node-1") },
        GraphqlRequest { query: Some(String::new()), ..by_id("node-1") },
        by_id(&format!("sha256:{}", sha256(OTHER))),
    ] {
        world.named(request.clone()).unwrap_or_else(|refusal| panic!("{request:?}: {refusal}"));
    }
    for id in ["node-2", "NODE-1", "node-1 ", "", &format!("sha256:{}", HASH.to_uppercase()), &format!("md5:{HASH}")] {
        assert_eq!(world.denied(by_id(id)), "PERSISTED_QUERY_NOT_FOUND", "{id}");
    }
    assert_eq!(world.denied(GraphqlRequest { query: Some(OTHER.to_owned()), ..by_hash("node-1") }), "BAD_USER_INPUT");
    // Others are let in and kept as ever.
    world.keeps("{ node { id } }").unwrap();
}

#[test]
fn a_closed_door_lets_in_what_is_trusted_and_nothing_else() {
    let world = World::trusting(&[("node-1", QUERY)], true);
    for request in [by_id("node-1"), by_hash(HASH), GraphqlRequest { query: Some(QUERY.to_owned()), ..GraphqlRequest::default() }] {
        world.named(request).unwrap();
    }
    let sent = |query: &str| GraphqlRequest { query: Some(query.to_owned()), ..GraphqlRequest::default() };
    for text in [OTHER, "{ __typename }", "{ __schema { queryType { name } } }", &format!("{QUERY} "), "{", ""] {
        assert_eq!(world.denied(sent(text)), "DOCUMENT_NOT_TRUSTED", "{text}");
        assert_eq!(
            world.keeps(text).unwrap_err().problems[0].code.as_str(),
            if text.is_empty() { "PERSISTED_QUERY_NOT_FOUND" } else { "DOCUMENT_NOT_TRUSTED" }
        );
    }
    assert_eq!(world.door.kept(), (0, 0));
    // What Apollo's clients do then is to send the document, and to read why.
    assert_eq!(world.denied(by_hash(&sha256(OTHER))), "PERSISTED_QUERY_NOT_FOUND");
    // A document of the program's own needs nobody's trust, and is checked as any.
    assert!(world.door.admit_own(OTHER, GraphqlRequest::default(), Method::Get).is_ok());
    assert!(world.door.admit_own("{ nothing }", GraphqlRequest::default(), Method::Get).is_err());
}

#[test]
fn a_document_that_does_not_pass_is_not_trusted() {
    let mut world = World::trusting(&[("node-1", QUERY)], false);
    let door = world.door_mut();
    let because = |result: Result<(), Untrusted>| result.unwrap_err().to_string();
    let fault = because(door.trust("bad", "{ nothing }"));
    assert!(fault.starts_with("is refused: ") && fault.contains("nothing"), "{fault}");
    assert!(because(door.trust("empty", "")).starts_with("is refused: "));
    assert_eq!(because(door.trust("node-1", OTHER)), "has the id of another document");
    assert_eq!(because(door.trust(&format!("sha256:{HASH}"), OTHER)), "is not the text that its id is the hash of");
    assert_eq!(door.trusted(), 1);
    // The same twice, and by another id too, is well.
    assert!(door.trust("node-1", QUERY).is_ok() && door.trust("node-2", QUERY).is_ok());
    assert_eq!(door.trusted(), 1);
    for id in ["bad", "empty"] {
        assert_eq!(world.denied(by_id(id)), "PERSISTED_QUERY_NOT_FOUND");
    }
}
