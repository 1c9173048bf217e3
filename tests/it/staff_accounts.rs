//! Staff sign in to their own API, and to no other.

use evolve_business::services::staff::StaffService;
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::{PASSWORD, register};
use crate::world_staff::{code, signed_in, text};

both!(
    a_member_of_staff_signs_in_and_is_shown_with_colleagues,
    an_unknown_address_and_a_wrong_password_answer_alike_after_the_same_work,
    a_refresh_token_is_good_once_and_a_copy_ends_the_session,
    signing_out_ends_the_session_at_once,
    a_token_of_one_api_is_nobodys_at_the_other,
    a_member_who_was_removed_is_let_in_nowhere_and_the_address_is_free_again,
    acts_on_accounts_are_one_hash_chain,
);

const NOW: &str = "2027-01-10T09:00:00Z";
const REFRESH: &str = "mutation($t: String!) { staffRefreshSession(input: { refreshToken: $t }) { session { accessToken refreshToken } userErrors { code field } } }";
const VIEWER: &str = "{ staffViewer { email role } }";

async fn world(db: TestDatabase) -> (World, Server) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    (world, server)
}

async fn a_member_of_staff_signs_in_and_is_shown_with_colleagues(db: TestDatabase) {
    let (world, server) = world(db).await;
    let admin = world.staff(&server, StaffRole::Admin).await;
    world.advance(SignedDuration::from_secs(1));
    world.add_staff(StaffRole::Support).await;
    let shown =
        admin.data("{ staffViewer { id fullName email role twoFactorEnabled createdAt } staffUsers { id email role } }", json!({})).await;
    let viewer = &shown["staffViewer"];
    assert!(text(&viewer["id"]).starts_with("stf_"), "{viewer:#}");
    assert_eq!(viewer["createdAt"], NOW);
    assert_eq!(
        (&viewer["fullName"], &viewer["role"], &viewer["twoFactorEnabled"]),
        (&json!("Achieng Okoth"), &json!("ADMIN"), &json!(false))
    );
    let emails: Vec<&Value> = shown["staffUsers"].as_array().unwrap().iter().map(|user| &user["email"]).collect();
    assert_eq!(emails, ["admin@staff.example", "support@staff.example"]);
    let node = admin.data("query($id: ID!) { node(id: $id) { id ... on StaffUser { email } } }", json!({ "id": viewer["id"] })).await;
    assert_eq!(node["node"]["email"], "admin@staff.example");
    // Nobody sees nothing, and is not told of anybody.
    assert_eq!(server.staff().data(VIEWER, json!({})).await["staffViewer"], Value::Null);
    assert_eq!(code(&server.staff().ask("{ staffUsers { email } }", json!({})).await), "UNAUTHENTICATED");
}

async fn an_unknown_address_and_a_wrong_password_answer_alike_after_the_same_work(db: TestDatabase) {
    let (world, server) = world(db).await;
    let email = world.add_staff(StaffRole::Admin).await;
    let query = "mutation($input: StaffSignInInput!) { staffSignIn(input: $input) { session { accessToken } staffUser { id } userErrors { code message field } } }";
    let mut answers = Vec::new();
    for (email, password) in [(email.as_str(), "wrong-horse-battery-9"), ("nobody@staff.example", PASSWORD), (email.as_str(), "")] {
        let before = world.ports.passwords.hashes_computed();
        let input = json!({ "email": email, "password": password });
        answers.push(server.staff().raw(query, &json!({ "input": input })).await);
        assert_eq!(world.ports.passwords.hashes_computed(), before + 1, "{email}: one hash is compared");
    }
    assert!(answers[0].1.contains("INVALID_CREDENTIALS"), "{answers:?}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    // A customer is no member of staff, whatever their password.
    world.seed_catalogue().await;
    register(&server, "ann").await;
    let refused =
        server.staff().payload("staffSignIn", json!({ "email": "ann@example.com", "password": PASSWORD }), "session { accessToken }").await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    let odd = json!({ "email": email, "password": PASSWORD, "otp": "12345x" });
    let refused = server.staff().payload("staffSignIn", odd, "session { accessToken }").await;
    assert_eq!((&refused["session"], &refused["userErrors"][0]["code"]), (&Value::Null, &json!("INVALID")));
}

async fn refreshed(client: &Client, token: &str) -> Value {
    client.data(REFRESH, json!({ "t": token })).await["staffRefreshSession"].take()
}

async fn a_refresh_token_is_good_once_and_a_copy_ends_the_session(db: TestDatabase) {
    let (world, server) = world(db).await;
    let email = world.add_staff(StaffRole::Finance).await;
    let mut client = server.staff();
    let came = client.mutate("staffSignIn", json!({ "email": email, "password": PASSWORD }), "session { refreshToken }").await;
    let first = text(&came["session"]["refreshToken"]);
    let next = refreshed(&client, &first).await;
    client.token = Some(text(&next["session"]["accessToken"]));
    assert_eq!(client.data(VIEWER, json!({})).await["staffViewer"]["role"], "FINANCE");
    let second = text(&next["session"]["refreshToken"]);
    assert_ne!(first, second);
    // The first is shown again: somebody has a copy, and the session is over for both.
    for token in [first.as_str(), second.as_str(), "evr_nonsense"] {
        let refused = refreshed(&server.staff(), token).await;
        assert_eq!(refused, json!({ "session": null, "userErrors": [{ "code": "TOKEN_EXPIRED", "field": ["input", "refreshToken"] }] }));
    }
    assert_eq!(code(&client.ask(VIEWER, json!({})).await), "UNAUTHENTICATED");
}

async fn signing_out_ends_the_session_at_once(db: TestDatabase) {
    let (world, server) = world(db).await;
    let email = world.add_staff(StaffRole::Support).await;
    let (one, other, third) = (signed_in(&server, &email).await, signed_in(&server, &email).await, signed_in(&server, &email).await);
    let out = "mutation($e: Boolean!) { staffSignOut(input: { everywhere: $e }) { userErrors { code } } }";
    assert_eq!(one.data(out, json!({ "e": false })).await["staffSignOut"]["userErrors"], json!([]));
    assert_eq!(code(&one.ask(VIEWER, json!({})).await), "UNAUTHENTICATED");
    assert_eq!(other.data(VIEWER, json!({})).await["staffViewer"]["role"], "SUPPORT");
    other.data(out, json!({ "e": true })).await;
    assert_eq!(code(&third.ask(VIEWER, json!({})).await), "UNAUTHENTICATED");
    assert_eq!(code(&server.staff().ask(out, json!({ "e": true })).await), "UNAUTHENTICATED");
}

async fn a_token_of_one_api_is_nobodys_at_the_other(db: TestDatabase) {
    let (world, server) = world(db).await;
    world.seed_catalogue().await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let (customer, _) = register(&server, "ann").await;
    let (mut at_business, mut at_staff) = (server.client(), server.staff());
    (at_business.token, at_staff.token) = (staff.token.clone(), customer.token.clone());
    for (client, document) in [
        (&at_business, "{ products { code } }"),
        (&at_business, "{ profile { id } }"),
        (&at_staff, "{ staffViewer { id } }"),
        (&at_staff, "{ businesses { nodes { id } } }"),
    ] {
        let (status, body) = client.raw(document, &json!({})).await;
        let answer: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, code(&answer)), (401, "UNAUTHENTICATED"), "{document}: {body}");
        assert!(answer.get("data").is_none(), "{document}: {body}");
    }
    assert_eq!(staff.data("{ staffViewer { role } }", json!({})).await["staffViewer"]["role"], "ADMIN");
    assert!(customer.data("{ profile { id } }", json!({})).await["profile"]["id"].is_string());
}

async fn a_member_who_was_removed_is_let_in_nowhere_and_the_address_is_free_again(db: TestDatabase) {
    let (world, server) = world(db).await;
    let service = StaffService::new(world.ports.clone());
    let client = world.staff(&server, StaffRole::Admin).await;
    let email = "admin@staff.example";
    service.remove(email).await.unwrap();
    assert_eq!(code(&client.ask(VIEWER, json!({})).await), "UNAUTHENTICATED");
    let refused = server.staff().payload("staffSignIn", json!({ "email": email, "password": PASSWORD }), "staffUser { id }").await;
    assert_eq!(refused["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    assert_eq!(crate::world_accounts::refusals(service.remove(email).await)[0].1, evolve_business::error::UserErrorCode::NotFound);
    let again = world.staff(&server, StaffRole::Admin).await;
    assert_eq!(again.data("{ staffUsers { email } }", json!({})).await["staffUsers"], json!([{ "email": email }]));
}

async fn acts_on_accounts_are_one_hash_chain(db: TestDatabase) {
    let (world, _server) = world(db).await;
    let service = StaffService::new(world.ports.clone());
    // At once: each finds the one before it.
    let roles = [StaffRole::Support, StaffRole::Finance, StaffRole::Compliance, StaffRole::Admin];
    futures::future::join_all(roles.map(|role| world.add_staff(role))).await;
    service.remove("support@staff.example").await.unwrap();
    let actions = world.read_texts("select action || ' ' || actor from platform_audit_events order by sequence").await;
    assert_eq!(actions, ["staff.added system"; 4].into_iter().chain(["staff.removed system"]).collect::<Vec<_>>());
    let hashes = world.read_bytes("select hash from platform_audit_events order by sequence").await;
    let previous = world.read_bytes("select previous_hash from platform_audit_events order by sequence").await;
    assert_eq!(previous[0].as_deref(), Some(&[0; 32][..]));
    assert_eq!(previous[1..], hashes[..4]);
    let head = world.read_bytes("select hash from platform_audit_heads").await;
    assert_eq!(head, hashes[4..]);
}
