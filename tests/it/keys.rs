//! A business's keys over the API: who makes them, what they let a program do, and how they end.

use evolve_business::security::access_key::{AccessKey, KeyOwner, Realm};
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::{Kind, TestDatabase};
use crate::walls_raw::pause;
use crate::world::World;
use crate::world_keys::{make_key, program};
use crate::world_lives::{Life, add_method, plans, register};

const NOW: &str = "2027-01-31T09:00:00Z";
const KEYS: &str = "{ profile { apiKeys { id name prefix scopes createdAt expiresAt lastUsedAt } } }";

both!(
    a_key_is_shown_once_and_its_text_is_stored_nowhere,
    a_key_says_of_itself_what_it_is,
    everything_wrong_with_a_new_key_is_said_at_once_and_none_is_made,
    a_business_has_at_most_fifty_live_keys,
    a_key_that_was_revoked_or_has_run_out_is_nobody_at_once,
    a_key_changes_what_its_scopes_say_under_its_own_name,
    no_key_manages_keys_sessions_or_passwords,
    a_key_of_a_suspended_business_reads_and_changes_nothing,
    a_suspended_business_makes_no_keys,
    the_last_use_of_a_key_is_noted_to_the_minute,
);

/// The code of a field that failed.
fn code(answer: &Value) -> &Value {
    &answer["errors"][0]["extensions"]["code"]
}

/// The keys that the owner sees.
async fn keys(owner: &Client) -> Vec<Value> {
    owner.data(KEYS, json!({})).await["profile"]["apiKeys"].as_array().unwrap().clone()
}

/// The field and the code of each refusal.
fn refusals(payload: &Value) -> Vec<(String, String)> {
    let told = |error: &Value| (error["field"].to_string(), error["code"].as_str().unwrap().to_owned());
    payload["userErrors"].as_array().unwrap().iter().map(told).collect()
}

async fn a_key_is_shown_once_and_its_text_is_stored_nowhere(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let life = Life::lived(&world, &server, "ann").await;
    let owner = &life.client;
    let input = json!({ "name": " Night batch ", "scopes": ["BILLING_WRITE", "READ", "READ"], "expiresAt": "2027-12-31T00:00:00Z" });
    let made = owner.mutate("createApiKey", input, "apiKey { id name prefix scopes createdAt expiresAt lastUsedAt } secret").await;
    let (secret, shown) = (made["secret"].as_str().unwrap(), &made["apiKey"]);
    assert!(secret.starts_with("sk_test_") && secret.len() == 55, "the sandbox's, with its random part and checksum");
    assert_eq!(
        shown,
        &json!({
            "id": shown["id"], "name": "Night batch", "prefix": secret[..14], "scopes": ["READ", "BILLING_WRITE"],
            "createdAt": NOW, "expiresAt": "2027-12-31T00:00:00Z", "lastUsedAt": null,
        })
    );
    assert_eq!(keys(owner).await[0], *shown);
    let node = owner.data("query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": shown["id"] })).await;
    assert_eq!(node["node"], json!({ "__typename": "ApiKey", "id": shown["id"] }));

    let random = &secret[14..];
    // Bytes are shown as hexadecimal digits.
    let hidden = random.bytes().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
    let rows = world.rows_of(life.business_uuid()).await;
    assert!(rows.iter().any(|row| row.contains(&secret[..14])), "what is shown is stored");
    assert!(rows.iter().all(|row| !row.contains(random) && !row.to_lowercase().contains(&hidden)), "and the rest is not");
    let audited = world.read_texts("select actor || ' ' || details from audit_events where action = 'api_key.created'").await;
    assert!(audited.iter().any(|event| event.starts_with("usr_") && event.contains("BILLING_WRITE")), "{audited:?}");
}

async fn a_key_says_of_itself_what_it_is(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (owner, business) = register(&server, "ann").await;
    let (id, key) = make_key(&owner, &["READ"]).await;
    let asked = "{ viewer { user { id } role apiKey { id name } business { id } memberships { businessId } } profile { id } }";
    let program = program(&server, &key);
    let said = program.data(asked, json!({})).await;
    let viewer = json!({ "user": null, "role": null, "apiKey": { "id": id, "name": "Night batch" }, "business": { "id": business }, "memberships": [] });
    assert_eq!(said, json!({ "viewer": viewer, "profile": { "id": business } }));
    // It finds itself by its id, and no other key.
    let (other, _) = make_key(&owner, &["READ"]).await;
    let found = program.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": [id, other] })).await;
    assert_eq!(found["nodes"], json!([{ "id": id }, null]));
    let person = owner.data("{ viewer { apiKey { id } role } }", json!({})).await;
    assert_eq!(person["viewer"], json!({ "apiKey": null, "role": "OWNER" }));
}

async fn everything_wrong_with_a_new_key_is_said_at_once_and_none_is_made(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (owner, _) = register(&server, "ann").await;
    let long = "k".repeat(101);
    let cases = [
        (
            json!({ "name": "", "scopes": [], "expiresAt": NOW }),
            vec![("name", "REQUIRED"), ("scopes", "REQUIRED"), ("expiresAt", "INVALID")],
        ),
        (json!({ "name": long, "scopes": ["READ"] }), vec![("name", "TOO_LONG")]),
        (json!({ "name": "a\nb", "scopes": ["READ"] }), vec![("name", "INVALID")]),
        (json!({ "name": "a", "scopes": ["READ"], "expiresAt": "2032-02-04T09:00:01Z" }), vec![("expiresAt", "INVALID")]),
    ];
    for (input, expected) in cases {
        let payload = owner.payload("createApiKey", input.clone(), "apiKey { id } secret").await;
        let expected: Vec<_> = expected.into_iter().map(|(field, code)| (json!(["input", field]).to_string(), code.to_owned())).collect();
        assert_eq!(refusals(&payload), expected, "{input}");
        assert_eq!((&payload["apiKey"], &payload["secret"]), (&Value::Null, &Value::Null), "{input}");
    }
    for unknown in [json!({ "name": "a", "scopes": ["EVERYTHING"] }), json!({ "name": "a", "scopes": ["READ"], "expiresAt": "soon" })] {
        let query = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }";
        assert_eq!(code(&owner.ask(query, json!({ "input": unknown })).await), "BAD_USER_INPUT");
    }
    assert_eq!(keys(&owner).await, [] as [Value; 0]);
    // Five years of 366 days are 1,830 days; from the 31st of January 2027 to that of 2032 it is 1,826.
    for (name, expires_at) in [("k".repeat(100), Value::Null), ("a".to_owned(), json!("2032-02-04T09:00:00Z"))] {
        owner.mutate("createApiKey", json!({ "name": name, "scopes": ["READ"], "expiresAt": expires_at }), "secret").await;
    }
}

async fn a_business_has_at_most_fifty_live_keys(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (owner, _) = register(&server, "ann").await;
    let input = json!({ "name": "Soon over", "scopes": ["READ"], "expiresAt": "2027-01-31T09:10:00Z" });
    owner.mutate("createApiKey", input, "secret").await;
    let mut last = String::new();
    for _ in 1..50 {
        last = make_key(&owner, &["READ"]).await.0;
    }
    let one_more = json!({ "name": "One more", "scopes": ["READ"] });
    let payload = owner.payload("createApiKey", one_more.clone(), "apiKey { id } secret").await;
    assert_eq!(refusals(&payload), [(Value::Null.to_string(), "LIMIT_EXCEEDED".to_owned())]);
    assert_eq!(keys(&owner).await.len(), 50);
    // A revoked key makes room, and so does one that has run out.
    owner.mutate("revokeApiKey", json!({ "apiKeyId": last }), "revokedId").await;
    owner.mutate("createApiKey", one_more.clone(), "secret").await;
    assert_eq!(refusals(&owner.payload("createApiKey", one_more.clone(), "secret").await).len(), 1);
    world.advance(SignedDuration::from_mins(10));
    owner.mutate("createApiKey", one_more, "secret").await;
}

async fn a_key_that_was_revoked_or_has_run_out_is_nobody_at_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (owner, _) = register(&server, "ann").await;
    let (id, key) = make_key(&owner, &["READ"]).await;
    let revoked = program(&server, &key);
    revoked.data("{ profile { id } }", json!({})).await;
    let ended = owner.mutate("revokeApiKey", json!({ "apiKeyId": id }), "revokedId").await;
    assert_eq!(ended["revokedId"], json!(id));

    let input = json!({ "name": "Soon over", "scopes": ["READ"], "expiresAt": "2027-01-31T09:10:00Z" });
    let made = owner.mutate("createApiKey", input, "secret").await;
    let expired = program(&server, made["secret"].as_str().unwrap());
    world.advance(SignedDuration::from_secs(599));
    expired.data("{ profile { id } }", json!({})).await;
    world.advance(SignedDuration::from_secs(1));

    let unknown = AccessKey::generate(world.ports.rng.as_ref(), KeyOwner::Business, Realm::Test).reveal();
    let unknown = program(&server, unknown.expose_secret());
    let mistyped = program(&server, &format!("{}{}", &key[..54], if key.ends_with('0') { '1' } else { '0' }));
    for document in
        ["{ profile { id } }", "{ products { code } }", "mutation { updateProfile(input: { city: \"X\" }) { userErrors { code } } }"]
    {
        let mut answers = Vec::new();
        for client in [&revoked, &expired, &unknown, &mistyped] {
            answers.push(client.raw(document, &json!({})).await);
        }
        assert_eq!(answers[0].0, 401);
        let first: Value = serde_json::from_str(&answers[0].1).unwrap();
        assert_eq!(code(&first), "UNAUTHENTICATED");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "the same answer for each: {answers:#?}");
    }

    // Neither is there any more, for nobody.
    assert_eq!(keys(&owner).await, [] as [Value; 0]);
    let again = owner.payload("revokeApiKey", json!({ "apiKeyId": id }), "revokedId").await;
    assert_eq!(refusals(&again), [(json!(["input", "apiKeyId"]).to_string(), "NOT_FOUND".to_owned())]);
    let audited = world.read_texts("select subject from audit_events where action = 'api_key.revoked'").await;
    assert_eq!(audited, [id], "once");
}

async fn a_key_changes_what_its_scopes_say_under_its_own_name(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let worker = world.background_worker();
    let (owner, _) = register(&server, "ann").await;
    let (id, key) = make_key(&owner, &["BILLING_WRITE"]).await;
    let program = program(&server, &key);
    let method = add_method(&program, "SUCCEEDS").await;
    let plans = plans(&owner).await;
    // The same idempotency key of a person and of a program are two orders.
    for (client, plan) in [(&program, &plans["erp"][0]), (&owner, &plans["payroll"][0])] {
        let input =
            json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": "order 1" });
        let bought = client.mutate("subscribe", input, "subscription { id } invoice { status }").await;
        assert_eq!(bought["invoice"]["status"], "PAID", "{bought:#}");
    }
    worker.stop().await;
    let actors = world.read_texts("select actor from audit_events where action like 'subscription.%' order by sequence").await;
    assert_eq!(actors.first(), Some(&id), "{actors:?}");
    assert!(actors.iter().any(|actor| actor.starts_with("usr_")), "{actors:?}");
    // What it changed it was shown; it reads nothing, and changes nothing else.
    for document in [
        "{ profile { id } }",
        "{ subscriptions { nodes { id } } }",
        "{ invoices { nodes { id } } }",
        "mutation { updateProfile(input: { city: \"Mombasa\" }) { userErrors { code } } }",
    ] {
        let answer = program.ask(document, json!({})).await;
        assert_eq!(code(&answer), "FORBIDDEN", "{document}: {answer}");
    }
    let input =
        json!({ "planId": plans["erp"][0], "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": "order 1" });
    let query = "mutation($input: SubscribeInput!) { subscribe(input: $input) { invoice { business { taxId } } } }";
    let answer = program.ask(query, json!({ "input": input })).await;
    assert_eq!(code(&answer), "FORBIDDEN", "a payload leads no further than to what was changed: {answer}");
}

async fn no_key_manages_keys_sessions_or_passwords(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (owner, _) = register(&server, "ann").await;
    let everything = ["READ", "ACCESS_READ", "BILLING_WRITE", "USAGE_WRITE", "PROFILE_WRITE", "SUPPORT_WRITE", "WEBHOOK_WRITE"];
    let (id, key) = make_key(&owner, &everything).await;
    let program = program(&server, &key);
    program.mutate("updateProfile", json!({ "city": "Mombasa" }), "business { city }").await;
    for document in [
        "mutation { createApiKey(input: { name: \"More\", scopes: [READ] }) { secret } }".to_owned(),
        format!("mutation {{ revokeApiKey(input: {{ apiKeyId: \"{id}\" }}) {{ revokedId }} }}"),
        "mutation { changePassword(input: { currentPassword: \"a\", newPassword: \"b\" }) { userErrors { code } } }".to_owned(),
        "mutation { signOut(input: { everywhere: true }) { userErrors { code } } }".to_owned(),
        "mutation { revokeSession(input: { sessionId: \"ses_x\" }) { revokedId } }".to_owned(),
        "{ sessions { id } }".to_owned(),
        "{ profile { apiKeys { id } } }".to_owned(),
    ] {
        let answer = program.ask(&document, json!({})).await;
        assert_eq!(code(&answer), "FORBIDDEN", "{document}: {answer}");
    }
    assert_eq!(keys(&owner).await.len(), 1);
}

/// As staff do it.
async fn suspend(world: &World) {
    let at = if world.database.kind == Kind::Sqlite { "'2027-01-31T09:00:00+00:00'" } else { "'2027-01-31T09:00:00Z'::timestamptz" };
    assert_eq!(world.run_sql(&format!("update businesses set suspended_at = {at}")).await, 1);
}

async fn a_key_of_a_suspended_business_reads_and_changes_nothing(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (owner, business) = register(&server, "ann").await;
    let (_, key) = make_key(&owner, &["READ", "PROFILE_WRITE"]).await;
    suspend(&world).await;
    let program = program(&server, &key);
    assert_eq!(program.data("{ profile { id } }", json!({})).await["profile"]["id"], json!(business));
    let answer = program.ask("mutation { updateProfile(input: { city: \"X\" }) { userErrors { code } } }", json!({})).await;
    assert_eq!(code(&answer), "FORBIDDEN", "{answer}");
}

async fn a_suspended_business_makes_no_keys(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (owner, _) = register(&server, "ann").await;
    suspend(&world).await;
    let answer = owner.ask("mutation { createApiKey(input: { name: \"a\", scopes: [READ] }) { secret } }", json!({})).await;
    assert_eq!(code(&answer), "FORBIDDEN", "{answer}");
    assert_eq!(keys(&owner).await, [] as [Value; 0]);
}

/// Waits until the one key's last use is noted as `expected`.
async fn used_at(owner: &Client, expected: &str) {
    for _ in 0..200 {
        if keys(owner).await[0]["lastUsedAt"] == expected {
            return;
        }
        pause(25).await;
    }
    panic!("not noted: {:?}", keys(owner).await);
}

async fn the_last_use_of_a_key_is_noted_to_the_minute(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (owner, _) = register(&server, "ann").await;
    let (_, key) = make_key(&owner, &["READ"]).await;
    let program = program(&server, &key);
    assert_eq!(keys(&owner).await[0]["lastUsedAt"], Value::Null);
    program.data("{ profile { id } }", json!({})).await;
    used_at(&owner, NOW).await;
    // Within the minute nothing is written: PostgreSQL would have a new version of the row, SQLite a new value.
    world.advance(SignedDuration::from_secs(59));
    for _ in 0..20 {
        program.data("{ profile { id } }", json!({})).await;
    }
    used_at(&owner, NOW).await;
    world.advance(SignedDuration::from_secs(1));
    program.data("{ profile { id } }", json!({})).await;
    used_at(&owner, "2027-01-31T09:01:00Z").await;
    // A refused field is a use too: somebody holds the key.
    world.advance(SignedDuration::from_mins(2));
    program.ask("{ sessions { id } }", json!({})).await;
    used_at(&owner, "2027-01-31T09:03:00Z").await;
}
