//! The paths of the REST API of before, each a stored document: the same data, the same guard, the same errors.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::{add_method, plans, register};
use crate::world_uploads::{FORM, KENYAN, body, documents, field, submission};

both!(
    a_business_lives_its_whole_life_by_the_paths_of_before,
    a_change_without_a_key_is_made_once_a_minute_and_says_so,
    a_path_says_what_it_cannot_take_and_changes_nothing,
    documents_are_submitted_by_a_form_without_a_query,
);

const NOW: &str = "2027-01-31T09:00:00Z";

/// An answer of a path.
struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    body: Value,
}

async fn send(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, body: answer.json().await.unwrap() }
}

fn at(client: &Client, method: Method, path: &str) -> reqwest::RequestBuilder {
    let request = reqwest::Client::new().request(method, format!("{}/api/business/v1/{path}", client.server()));
    match &client.token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

async fn get(client: &Client, path: &str) -> Answer {
    send(at(client, Method::GET, path)).await
}

async fn change(client: &Client, method: Method, path: &str, input: &Value) -> Answer {
    send(at(client, method, path).json(input)).await
}

async fn a_business_lives_its_whole_life_by_the_paths_of_before(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    add_method(&ann, "SUCCEEDS").await;

    let plans = get(&server.client(), "plans/?product=erp&first=2").await;
    let nodes = plans.body["plans"]["nodes"].as_array().unwrap();
    assert_eq!((plans.status, nodes.len(), &plans.body["plans"]["pageInfo"]["hasNextPage"]), (200, 2, &json!(true)), "public, by pages");
    let (cheap, dear) = (nodes[0]["id"].clone(), nodes[1]["id"].clone());
    let next = get(
        &server.client(),
        &format!("plans/?product=erp&first=2&after={}", plans.body["plans"]["pageInfo"]["endCursor"].as_str().unwrap()),
    )
    .await;
    assert_ne!(next.body["plans"]["nodes"][0]["id"], cheap);

    let profile = change(&ann, Method::PUT, "profile/", &json!({ "city": "Kisumu" })).await;
    assert_eq!((profile.status, &profile.body["updateProfile"]["business"]["city"]), (200, &json!("Kisumu")));
    assert_eq!(get(&ann, "profile/").await.body["profile"]["city"], "Kisumu");
    assert_eq!(get(&ann, "subscription/").await.body, json!({ "subscription": null }));

    let subscribe = json!({ "planId": cheap, "interval": "MONTHLY", "trial": false });
    let subscribed = world.working(change(&ann, Method::POST, "subscribe/", &subscribe)).await;
    assert_eq!((subscribed.status, &subscribed.body["subscribe"]["invoice"]["status"]), (200, &json!("PAID")), "{}", subscribed.body);
    let subscription = &subscribed.body["subscribe"]["subscription"]["id"];
    assert_eq!(&get(&ann, "subscription/?product=erp").await.body["subscription"]["id"], subscription);
    assert_eq!(get(&ann, "usage/?product=erp").await.body["usage"]["metrics"][0]["used"].as_str().map(|_| ()), Some(()));

    let upgrade = json!({ "subscriptionId": subscription, "planId": dear });
    let changed = world.working(change(&ann, Method::PUT, "subscription/change/", &upgrade)).await;
    assert_eq!((changed.status, &changed.body["changePlan"]["subscription"]["plan"]["id"]), (200, &dear), "{}", changed.body);
    let canceled = change(&ann, Method::POST, "subscription/cancel/", &json!({ "subscriptionId": subscription })).await;
    assert_eq!(canceled.status, 200, "{}", canceled.body);
    assert_eq!(canceled.body["cancel"]["subscription"]["cancelAt"], canceled.body["cancel"]["subscription"]["endDate"]);

    // What is listed is what GraphQL lists.
    let listed = ann.data("{ invoices { nodes { id } } payments { nodes { id } } }", json!({})).await;
    for list in ["invoices", "payments"] {
        let answer = get(&ann, &format!("{list}/")).await;
        let ids = |data: &Value| data[list]["nodes"].as_array().unwrap().iter().map(|node| node["id"].clone()).collect::<Vec<_>>();
        assert_eq!((answer.status, ids(&answer.body)), (200, ids(&listed)));
        assert_eq!(ids(&listed).len(), 2);
    }
    assert_eq!(get(&ann, "invoices/?first=1").await.body["invoices"]["nodes"].as_array().unwrap().len(), 1);
}

async fn a_change_without_a_key_is_made_once_a_minute_and_says_so(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let ((ann, _), (ben, _)) = (register(&server, "ann").await, register(&server, "ben").await);
    for client in [&ann, &ben] {
        add_method(client, "SUCCEEDS").await;
    }
    let input = json!({ "planId": plans(&ann).await["erp"][0], "interval": "MONTHLY", "trial": false });
    let first = world.working(change(&ann, Method::POST, "subscribe/", &input)).await;
    assert_eq!(first.headers["idempotency-key-derived"], "true");
    let again = change(&ann, Method::POST, "subscribe/", &input).await;
    assert_eq!((again.status, &again.body["subscribe"]["subscription"]["id"]), (200, &first.body["subscribe"]["subscription"]["id"]));
    assert_eq!(again.headers["idempotency-key"], first.headers["idempotency-key"]);
    // Another's is another's, though the key is the same.
    let other = world.working(change(&ben, Method::POST, "subscribe/", &input)).await;
    assert_eq!(other.headers["idempotency-key"], first.headers["idempotency-key"]);
    assert_ne!(other.body["subscribe"]["subscription"]["id"], first.body["subscribe"]["subscription"]["id"]);
    // A minute later it is another change, which is refused: there is a subscription.
    world.clock.advance(jiff::SignedDuration::from_mins(1));
    let later = change(&ann, Method::POST, "subscribe/", &input).await;
    assert_eq!((later.status, &later.body["subscribe"]["subscription"]), (422, &Value::Null), "{}", later.body);
    assert_ne!(later.headers["idempotency-key"], first.headers["idempotency-key"]);
    // One's own key goes by the header, or in the body, and not by both.
    let subscription = &first.body["subscribe"]["subscription"]["id"];
    let cancel = json!({ "subscriptionId": subscription });
    let keyed = send(at(&ann, Method::POST, "subscription/cancel/").json(&cancel).header("idempotency-key", "mine")).await;
    assert_eq!((keyed.status, keyed.headers.get("idempotency-key-derived")), (200, None));
    assert_eq!(keyed.headers["idempotency-key"], "mine");
    let now = json!({ "subscriptionId": subscription, "timing": "NOW" });
    let reused = send(at(&ann, Method::POST, "subscription/cancel/").json(&now).header("idempotency-key", "mine")).await;
    assert_eq!((reused.status, &reused.body["cancel"]["userErrors"][0]["code"]), (422, &json!("IDEMPOTENCY_KEY_REUSED")));
    let both = json!({ "subscriptionId": subscription, "idempotencyKey": "k" });
    let twice = send(at(&ann, Method::POST, "subscription/cancel/").json(&both).header("idempotency-key", "mine")).await;
    assert_eq!((twice.status, code(&twice)), (400, "BAD_USER_INPUT"));
}

fn code(answer: &Answer) -> &str {
    assert_eq!(answer.body.as_object().unwrap().keys().collect::<Vec<_>>(), ["errors"], "{}", answer.body);
    answer.body["errors"][0]["extensions"]["code"].as_str().unwrap()
}

async fn a_path_says_what_it_cannot_take_and_changes_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let nobody = server.client();
    let mut guest = server.client();
    guest.token = Some("eyJhbGciOiJFZERTQSJ9.e30.AAAA".to_owned());
    for (path, client, status, expected) in [
        ("profile/", &nobody, 401, "UNAUTHENTICATED"),
        ("profile/", &guest, 401, "UNAUTHENTICATED"),
        ("invoices/?first=101", &ann, 400, "BAD_USER_INPUT"),
        ("invoices/?first=many", &ann, 400, "BAD_USER_INPUT"),
        ("invoices/?last=1", &ann, 400, "BAD_USER_INPUT"),
        ("invoices/?first=1&first=2", &ann, 400, "BAD_USER_INPUT"),
        ("invoices/?after=forged", &ann, 400, "BAD_USER_INPUT"),
        ("usage/?at=yesterday", &ann, 400, "BAD_USER_INPUT"),
    ] {
        let answer = get(client, path).await;
        assert_eq!((answer.status, code(&answer)), (status, expected), "{path}: {}", answer.body);
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{path}");
    }
    let city = json!({ "city": "Kisumu" });
    let wrong = send(at(&ann, Method::DELETE, "profile/")).await;
    assert_eq!((wrong.status, wrong.headers["allow"].to_str().unwrap()), (405, "GET, PUT"));
    let form =
        send(at(&ann, Method::PUT, "profile/").body("city=Kisumu").header("content-type", "application/x-www-form-urlencoded")).await;
    assert_eq!((form.status, code(&form)), (415, "BAD_USER_INPUT"));
    let plain = send(at(&ann, Method::PUT, "profile/").body(city.to_string()).header("content-type", "text/plain")).await;
    assert_eq!(plain.status, 415, "what a page of another site can send unasked");
    for body in ["[]", "1", "{", "{\"city\": 7}", "{\"planet\": \"Mars\"}"] {
        let answer = send(at(&ann, Method::PUT, "profile/").body(body).header("content-type", "application/json")).await;
        assert_eq!((answer.status, code(&answer)), (400, "BAD_USER_INPUT"), "{body}: {}", answer.body);
    }
    let xml = send(at(&ann, Method::GET, "profile/").header("accept", "application/xml")).await;
    assert_eq!(xml.status, 406);
    let refused = change(&ann, Method::PUT, "profile/", &json!({ "city": "Kisumu", "timeZone": "Mars/Olympus" })).await;
    assert!(refused.status == 400 || refused.status == 422, "{}", refused.body);
    assert_eq!(get(&ann, "profile/").await.body["profile"]["city"], Value::Null);
}

async fn documents_are_submitted_by_a_form_without_a_query(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, _) = register(&server, "ann").await;
    let documents = documents(&KENYAN);
    let [operations, rest @ ..] = &submission(&documents)[..] else { panic!("a form begins with its operations") };
    let mut alone: Value = serde_json::from_slice(&operations.content).unwrap();
    let sent = |operations: &Value, preflight: bool| {
        let parts: Vec<_> = std::iter::once(field("operations", operations)).chain(rest.iter().cloned()).collect();
        let request = at(&ann, Method::POST, "verify/").header("content-type", FORM).body(body(&parts));
        send(if preflight { request.header("graphql-require-preflight", "1") } else { request })
    };
    let other = sent(&alone, true).await;
    assert_eq!((other.status, code(&other)), (400, "BAD_USER_INPUT"), "it has a document of its own");
    alone.as_object_mut().unwrap().remove("query");
    let unasked = sent(&alone, false).await;
    assert_eq!((unasked.status, code(&unasked)), (400, "BAD_USER_INPUT"), "a form of another site");
    assert_eq!(world.count("verification_documents", "1 = 1").await, 0);
    let sent = sent(&alone, true).await;
    assert_eq!(sent.status, 200, "{}", sent.body);
    let shown = sent.body["submitVerification"]["verification"]["documents"].as_array().unwrap();
    assert_eq!(shown.iter().map(|one| one["kind"].as_str().unwrap()).collect::<BTreeSet<_>>(), BTreeSet::from(KENYAN));
}
