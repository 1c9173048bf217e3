//! Documents that requests name, at the server as it is: by POST, by GET, as a form, over a socket and as an event stream.

use evolve_business::app::App;
use evolve_business::app::trusted::{self, Manifest};
use evolve_business::graphql::front_door::Limits;
use evolve_business::graphql::front_door::manifest::Listed;
use evolve_business::security::keys::Keys;
use evolve_business::security::random::SystemRng;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_live::{Socket, Stream};
use crate::world_lives::register;
use crate::world_uploads::{FORM, KENYAN, body, documents, field, submission};

both!(
    a_named_document_answers_as_one_that_is_sent_however_it_comes,
    each_api_keeps_the_documents_of_its_own_clients,
    a_server_of_trusted_documents_alone_refuses_any_other_however_it_comes,
    a_manifest_that_cannot_be_trusted_is_named_with_its_document_and_fault,
);

const NOW: &str = "2027-01-31T09:00:00Z";
const PROFILE: &str = "query Profile { profile { businessName } }";
const TICKETS: &str = "subscription Tickets { supportTicketChanged { subject } }";
const OTHER: &str = "{ profile { id } }";

fn manifest(documents: &[(&str, &str)]) -> Vec<Manifest> {
    let documents = documents.iter().map(|(id, text)| Listed { id: (*id).to_owned(), text: (*text).to_owned() }).collect();
    vec![Manifest { name: "app.json".to_owned(), documents }]
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

fn persisted(text: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": sha256(text) } })
}

async fn post(client: &Client, body: Value) -> Value {
    client.posting().json(&body).send().await.unwrap().json().await.unwrap()
}

async fn get(client: &Client, pairs: &[(&str, &str)]) -> Value {
    let escape = |text: &str| text.bytes().fold(String::new(), |escaped, byte| format!("{escaped}%{byte:02x}"));
    let query: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
    let request = reqwest::Client::new().get(format!("{}/graphql?{}", client.server(), query.join("&")));
    request.bearer_auth(client.token.as_deref().unwrap()).send().await.unwrap().json().await.unwrap()
}

/// The answer to a submission of documents whose `operations` are changed so.
async fn submit(client: &Client, change: impl FnOnce(&mut Value) -> String) -> Value {
    let parts = submission(&documents(&KENYAN));
    let mut operations: Value = serde_json::from_slice(&parts[0].content).unwrap();
    change(&mut operations);
    let parts: Vec<_> = std::iter::once(field("operations", &operations)).chain(parts[1..].iter().cloned()).collect();
    let request = client.posting().header("content-type", FORM).header("graphql-require-preflight", "1");
    request.body(body(&parts)).send().await.unwrap().json().await.unwrap()
}

/// The text of that submission.
fn submitting() -> String {
    let operations: Value = serde_json::from_slice(&submission(&documents(&KENYAN))[0].content).unwrap();
    operations["query"].as_str().unwrap().to_owned()
}

/// Leaves the document out and names it.
fn named(operations: &mut Value, id: &str) -> String {
    operations.as_object_mut().unwrap().insert("documentId".to_owned(), json!(id));
    operations.as_object_mut().unwrap().remove("query").unwrap().as_str().unwrap().to_owned()
}

/// The data of an answer without errors.
fn data(mut answer: Value) -> Value {
    assert_eq!(answer.get("errors"), None, "{answer:#}");
    answer["data"].take()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_else(|| panic!("{answer:#}"))
}

async fn a_named_document_answers_as_one_that_is_sent_however_it_comes(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let text = submitting();
    let known = manifest(&[("profile-1", PROFILE), ("tickets-1", TICKETS), ("submit-1", &text)]);
    let server = Server::with(&world, |app| app.trusting(&known, false).unwrap()).await;
    let (ann, _) = register(&server, "ann").await;
    let sent = data(post(&ann, json!({ "query": PROFILE })).await);
    assert!(sent["profile"]["businessName"].is_string(), "{sent:#}");

    assert_eq!(data(post(&ann, json!({ "documentId": "profile-1" })).await), sent);
    assert_eq!(data(get(&ann, &[("documentId", "profile-1")]).await), sent);
    assert_eq!(data(get(&ann, &[("documentId", &format!("sha256:{}", sha256(PROFILE)))]).await), sent);
    assert_eq!(data(get(&ann, &[("extensions", &persisted(PROFILE).to_string())]).await), sent);
    // Whoever may not is refused as ever.
    assert_eq!(code(&post(&server.client(), json!({ "documentId": "profile-1" })).await), "UNAUTHENTICATED");
    assert_eq!(code(&post(&ann, json!({ "documentId": "profile-2" })).await), "PERSISTED_QUERY_NOT_FOUND");

    let mut socket = Socket::of(&server, &ann).await;
    let ask = |id: &str, payload: Value| json!({ "type": "subscribe", "id": id, "payload": payload });
    socket.say(ask("1", json!({ "documentId": "profile-1" }))).await;
    assert_eq!(socket.next_of("1").await, sent);
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "1" }));
    // As the recipes of graphql-ws have it.
    socket.say(ask("2", json!({ "query": "", "extensions": persisted(PROFILE) }))).await;
    assert_eq!(socket.next_of("2").await, sent);
    assert_eq!(socket.hear().await, json!({ "type": "complete", "id": "2" }));
    socket.say(ask("3", json!({ "extensions": persisted(OTHER) }))).await;
    assert_eq!(socket.error_of("3").await, "PERSISTED_QUERY_NOT_FOUND");
    // What came over a socket with its hash is known by POST.
    socket.say(ask("4", json!({ "query": OTHER, "extensions": persisted(OTHER) }))).await;
    let other = socket.next_of("4").await;
    assert_eq!(post(&ann, json!({ "extensions": persisted(OTHER) })).await["data"], other);

    let mut stream = events(&ann, json!({ "documentId": "profile-1" })).await;
    assert_eq!(data(stream.next().await.unwrap().1), sent);
    let submitted = submit(&ann, |operations| named(operations, "submit-1")).await;
    assert_eq!(submitted["data"]["submitVerification"]["userErrors"], json!([]), "{submitted:#}");
}

/// An event stream for that request.
async fn events(client: &Client, body: Value) -> Stream {
    Stream::of(client.posting().header("accept", "text/event-stream").json(&body)).await.unwrap()
}

async fn each_api_keeps_the_documents_of_its_own_clients(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let text = "{ __typename }";
    let (customer, staff) = (server.client(), server.staff());
    assert_eq!(data(post(&customer, json!({ "query": text, "extensions": persisted(text) })).await), json!({ "__typename": "Query" }));
    assert_eq!(post(&customer, json!({ "extensions": persisted(text) })).await["data"]["__typename"], "Query");
    assert_eq!(code(&post(&staff, json!({ "extensions": persisted(text) })).await), "PERSISTED_QUERY_NOT_FOUND");
    let answer = data(post(&staff, json!({ "query": text, "extensions": persisted(text) })).await);
    assert_eq!(data(post(&staff, json!({ "extensions": persisted(text) })).await), answer);
}

async fn a_server_of_trusted_documents_alone_refuses_any_other_however_it_comes(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let open = Server::start(&world).await;
    let (ann, _) = register(&open, "ann").await;
    let known = manifest(&[("profile-1", PROFILE), ("tickets-1", TICKETS)]);
    let server = Server::with(&world, |app| app.trusting(&known, true).unwrap()).await;
    let ann = server.holder(&json!(ann.token));

    for body in [
        json!({ "query": OTHER }),
        json!({ "query": "{ __typename }" }),
        json!({ "query": OTHER, "extensions": persisted(OTHER) }),
        json!({ "query": format!("{PROFILE}\n") }),
        json!({ "query": "mutation($input: SignOutInput!) { signOut(input: $input) { userErrors { code } } }", "variables": { "input": {} } }),
    ] {
        assert_eq!(code(&post(&ann, body.clone()).await), "DOCUMENT_NOT_TRUSTED", "{body}");
        let mut stream = events(&ann, body.clone()).await;
        assert_eq!(code(&stream.next().await.unwrap().1), "DOCUMENT_NOT_TRUSTED", "{body}");
        let mut socket = Socket::of(&server, &ann).await;
        socket.say(json!({ "type": "subscribe", "id": "1", "payload": body })).await;
        assert_eq!(socket.error_of("1").await, "DOCUMENT_NOT_TRUSTED", "{body}");
    }
    assert_eq!(code(&get(&ann, &[("query", OTHER)]).await), "DOCUMENT_NOT_TRUSTED");
    assert_eq!(code(&submit(&ann, |_| String::new()).await), "DOCUMENT_NOT_TRUSTED");
    assert_eq!(code(&post(&ann, json!({ "extensions": persisted(OTHER) })).await), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(world.count("verification_documents", "1 = 1").await, 0);

    let mut socket = Socket::of(&server, &ann).await;
    socket.say(json!({ "type": "subscribe", "id": "1", "payload": { "documentId": "tickets-1" } })).await;
    crate::world_live::listening(&world, 1).await;
    assert!(post(&ann, json!({ "documentId": "profile-1" })).await["data"]["profile"]["businessName"].is_string());
    assert!(post(&ann, json!({ "query": PROFILE })).await["data"]["profile"]["businessName"].is_string(), "to the letter");
    // The documents behind the REST paths are the server's own, and the staff API is for the platform's own people.
    let rest = reqwest::Client::new().get(format!("{}/api/business/v1/profile/", ann.server()));
    let rest: Value = rest.bearer_auth(ann.token.as_deref().unwrap()).send().await.unwrap().json().await.unwrap();
    assert!(rest["profile"]["businessName"].is_string(), "{rest:#}");
    let parts = submission(&documents(&KENYAN));
    let mut operations: Value = serde_json::from_slice(&parts[0].content).unwrap();
    for (name, status) in [(Some("profile-1"), 400), (None, 200)] {
        named(&mut operations, name.unwrap_or_default());
        if name.is_none() {
            operations.as_object_mut().unwrap().remove("documentId");
        }
        let sent: Vec<_> = std::iter::once(field("operations", &operations)).chain(parts[1..].iter().cloned()).collect();
        let request =
            reqwest::Client::new().post(format!("{}/api/business/v1/verify/", ann.server())).bearer_auth(ann.token.as_deref().unwrap());
        let request = request.header("content-type", FORM).header("graphql-require-preflight", "1").body(body(&sent));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{}", answer.text().await.unwrap());
        operations["query"] = json!("");
    }
    assert!(post(&server.staff(), json!({ "query": "{ __typename }" })).await["data"]["__typename"].is_string());
    let page = reqwest::get(format!("{}/graphiql", ann.server())).await.unwrap().text().await.unwrap();
    assert!(page.contains("EVOLVE_ONLY_TRUSTED_DOCUMENTS"), "{page}");
}

async fn a_manifest_that_cannot_be_trusted_is_named_with_its_document_and_fault(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let folder = world.database.dir.path().to_owned();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name)
    };
    let good = write("good.json", &json!({ "profile-1": PROFILE }).to_string());
    for (path, fault) in [
        (folder.join("none.json"), "cannot be read: "),
        (write("text.json", "query { a }"), "is not valid JSON: line 1."),
        (write("list.json", "[]"), "is neither a map of ids to documents nor a manifest"),
        (write("empty.json", "{}"), "has no documents."),
    ] {
        let problem = trusted::read(&[good.clone(), path.clone()]).unwrap_err().to_string();
        assert_eq!(problem.lines().count(), 1);
        assert!(problem.starts_with(&format!("EVOLVE_TRUSTED_DOCUMENTS names {}, which ", path.display())), "{problem}");
        assert!(problem.contains(fault) && problem.ends_with('.'), "{problem}");
    }
    let apollo = json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": [
        { "id": sha256(OTHER), "name": "", "type": "query", "body": OTHER },
    ] });
    let apollo = write("apollo.json", &apollo.to_string());
    let keys = || Keys::load_or_create(&folder, &SystemRng).unwrap().cursor;
    let app = || App::of(world.ports.clone(), keys(), Some(world.gateway.clone()), Limits::default()).unwrap();
    let read = |paths: &[std::path::PathBuf]| trusted::read(paths).unwrap();
    assert_eq!(app().trusting(&read(&[good.clone(), apollo, good.clone()]), true).unwrap().trusted(), (2, true));

    let bad = write("bad.json", &json!({ "old": "{ profile { colour } }", "odd": "{ profile {", "profile-1": OTHER }).to_string());
    let problems = app().trusting(&read(&[good, bad.clone()]), false).err().unwrap().to_string();
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(lines.len(), 3, "{problems}");
    let of = |id: &str| {
        let beginning = format!("EVOLVE_TRUSTED_DOCUMENTS: the document {id:?} of {} ", bad.display());
        lines.iter().find_map(|line| line.strip_prefix(&beginning)).unwrap_or_else(|| panic!("nothing of {id}: {problems}"))
    };
    assert!(of("old").starts_with("is refused: ") && of("old").contains("colour"), "{problems}");
    assert!(of("odd").starts_with("is refused: "), "{problems}");
    assert_eq!(of("profile-1"), "has the id of another document.");
    let many: serde_json::Map<String, Value> = (0..25).map(|index| (format!("id-{index}"), json!("{"))).collect();
    let many = write("many.json", &Value::Object(many).to_string());
    let problems = app().trusting(&read(&[many]), false).err().unwrap().to_string();
    assert_eq!((problems.lines().count(), problems.lines().last()), (11, Some("EVOLVE_TRUSTED_DOCUMENTS: 15 more cannot be trusted.")));
}
