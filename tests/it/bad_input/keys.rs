//! Keys where they do not belong, sent twice, cut and dressed up: none is good for more than it was made for.

use serde_json::{Value, json};

use super::{JSON, RESPONSE, Raw, lived, tells_nothing};
use crate::client::Server;
use crate::database::TestDatabase;
use crate::world_keys::{make_key, program};

both!(
    a_key_counts_in_its_one_header_alone_and_whole,
    a_key_reads_nothing_of_another_business,
    a_key_that_is_revoked_between_two_requests_of_a_connection_is_nobody_in_the_second,
    a_key_for_the_access_of_features_alone_reads_nothing_else,
);

const CHANGE: &str = "mutation { updateProfile(input: { city: \"Changed\" }) { userErrors { code } } }";

/// The status and the first code of the answer to a change that comes with these headers.
async fn change_with(server: &Server, headers: &[(&str, String)]) -> (u16, Value) {
    let mut request = reqwest::Client::new().post(format!("{}/graphql", server.url)).header("accept", RESPONSE);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.json(&json!({ "query": CHANGE })).send().await.unwrap();
    let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
    tells_nothing("headers", &body);
    let body: Value = serde_json::from_str(&body).unwrap();
    (status, body["errors"][0]["extensions"]["code"].clone())
}

async fn a_key_counts_in_its_one_header_alone_and_whole(db: TestDatabase) {
    let (world, server, life) = lived(db).await;
    let (_, key) = make_key(&life.client, &["PROFILE_WRITE"]).await;
    let token = life.client.token.clone().unwrap();
    let before = world.rows_of(life.business_uuid()).await;
    let bearer = |text: &str| ("authorization", format!("Bearer {text}"));
    let swapped = format!("{}{}{}", &key[..20], &key[21..22], &key[20..21]) + &key[22..];
    for (what, headers) in [
        ("twice the same", vec![bearer(&key), bearer(&key)]),
        ("a key and a token", vec![bearer(&key), bearer(&token)]),
        ("two in one", vec![bearer(&format!("{key}, Bearer {key}"))]),
        ("no scheme", vec![("authorization", key.clone())]),
        ("Basic", vec![("authorization", format!("Basic {key}"))]),
        ("capitals", vec![bearer(&key.to_uppercase())]),
        ("cut", vec![bearer(&key[..54])]),
        ("a letter more", vec![bearer(&format!("{key}0"))]),
        ("the prefix alone", vec![bearer("sk_test_")]),
        ("for real money", vec![bearer(&key.replace("sk_test_", "sk_live_"))]),
        ("as a product's", vec![bearer(&key.replace("sk_test_", "svc_test_"))]),
        ("two letters swapped", vec![bearer(&if swapped == key { format!("{key}1") } else { swapped })]),
        ("30,000 letters", vec![bearer(&format!("sk_test_{}", "0".repeat(30_000)))]),
        ("as the business", vec![("evolve-business", key.clone()), bearer("sk_test_")]),
    ] {
        assert_eq!(change_with(&server, &headers).await, (401, json!("UNAUTHENTICATED")), "{what}");
    }
    // In another header it is nothing at all, and who comes with it is anybody.
    for name in ["x-api-key", "proxy-authorization", "evolve-business", "cookie"] {
        assert_eq!(change_with(&server, &[(name, format!("Bearer {key}"))]).await, (200, json!("UNAUTHENTICATED")), "{name}");
    }
    let raw = Raw { query: format!("?access_token={key}&key={key}"), ..Raw::of(json!({ "query": CHANGE }).to_string()) };
    let (_, body) = raw.send(&server, None, JSON).await;
    assert!(body.contains("UNAUTHENTICATED"), "{body}");
    assert_eq!(world.rows_of(life.business_uuid()).await, before);
    assert_eq!(change_with(&server, &[("authorization", format!("bearer  {key} "))]).await, (200, Value::Null), "the key itself is good");
}

async fn a_key_reads_nothing_of_another_business(db: TestDatabase) {
    let (world, server, ann) = lived(db).await;
    let ben = crate::world_lives::Life::lived(&world, &server, "ben").await;
    let everything = ["READ", "BILLING_WRITE", "PROFILE_WRITE"];
    let program = program(&server, &make_key(&ben.client, &everything).await.1);
    let before = world.rows_of(ann.business_uuid()).await;
    let seen = program.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": ann.ids })).await;
    assert!(seen["nodes"].as_array().unwrap().iter().all(Value::is_null), "{seen}");
    for id in &ann.ids {
        let document = "mutation($id: ID!) { removePaymentMethod(input: { paymentMethodId: $id }) { userErrors { code } } payInvoice(input: { invoiceId: $id, idempotencyKey: \"k\" }) { userErrors { code } } cancel(input: { subscriptionId: $id, timing: NOW, idempotencyKey: \"c\" }) { userErrors { code } } }";
        let answer = program.data(document, json!({ "id": id })).await;
        for payload in answer.as_object().unwrap().values() {
            assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND", "{id}: {answer}");
        }
    }
    assert_eq!(world.rows_of(ann.business_uuid()).await, before);
}

async fn a_key_that_is_revoked_between_two_requests_of_a_connection_is_nobody_in_the_second(db: TestDatabase) {
    let (_world, server, life) = lived(db).await;
    let (id, key) = make_key(&life.client, &["READ", "PROFILE_WRITE"]).await;
    let program = program(&server, &key);
    program.mutate("updateProfile", json!({ "city": "Mombasa" }), "business { city }").await;
    life.client.mutate("revokeApiKey", json!({ "apiKeyId": id }), "revokedId").await;
    let before = life.client.data("{ profile { city updatedAt } }", json!({})).await;
    for document in [CHANGE, "{ profile { id } }", "{ invoices { nodes { id } } }", "{ viewer { apiKey { id } } }", "{ products { code } }"]
    {
        let (status, body) = program.raw(document, &json!({})).await;
        assert_eq!(status, 401, "{document}: {body}");
    }
    assert_eq!(life.client.data("{ profile { city updatedAt } }", json!({})).await, before);
}

async fn a_key_for_the_access_of_features_alone_reads_nothing_else(db: TestDatabase) {
    let (_world, server, life) = lived(db).await;
    let program = program(&server, &make_key(&life.client, &["ACCESS_READ"]).await.1);
    for document in [
        "{ viewer { apiKey { id } } }",
        "{ profile { id } }",
        "{ subscription(product: \"erp\") { id } }",
        "{ subscriptions { nodes { id } } }",
        "{ invoices { nodes { id } } }",
        "{ payments { nodes { id } } }",
        "{ paymentMethods { id } }",
        "{ creditNotes { nodes { id } } }",
        "{ sessions { id } }",
        CHANGE,
    ] {
        let answer = program.ask(document, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{document}: {answer}");
    }
    let seen = program.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": life.ids })).await;
    assert!(seen["nodes"].as_array().unwrap().iter().all(Value::is_null), "{seen}");
    // What everybody may see, it sees as everybody does: not in the currency of its business.
    let prices = "{ products { plans { price { currency } } } }";
    assert_eq!(program.data(prices, json!({})).await, server.client().data(prices, json!({})).await);
}
