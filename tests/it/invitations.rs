//! Inviting people by mail, and accepting it, over the API.

use evolve_business::ids::BusinessId;
use evolve_business::store::types::Role;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::Client;
use crate::database::TestDatabase;
use crate::people::{Team, address, ask, refused};
use crate::world::World;
use crate::world_accounts::PASSWORD;
use crate::world_lives::register;
use crate::world_staff::text;

both!(
    somebody_new_is_invited_joins_and_is_signed_in,
    somebody_who_has_an_account_joins_by_its_password,
    an_invitation_works_once_in_its_time_and_not_after_it_is_taken_back,
    inviting_again_takes_the_first_invitation_back,
    whoever_may_not_invite_or_is_in_the_business_is_refused,
    of_two_who_accept_at_once_one_joins,
    an_invitations_token_is_stored_as_a_hash_alone,
);

const NOW: &str = "2027-01-31T09:00:00Z";
const NEW: &str = "velvet-anchor-hums-backwards";

/// Invites an address, and has its mail sent; answers the invitation and the token in the mail.
async fn invite(world: &World, by: &Client, email: &str, role: &str) -> (Value, String) {
    // So that the next mail is the newest.
    world.run_due_jobs().await;
    world.advance(SignedDuration::from_secs(1));
    let made = ask(by, "inviteMember", json!({ "email": email, "role": role }), "invitation { id email role expiresAt }").await;
    assert_eq!(made["data"]["inviteMember"]["userErrors"], json!([]), "{made}");
    world.run_due_jobs().await;
    (made["data"]["inviteMember"]["invitation"].clone(), world.mailed_token())
}

const JOINED: &str = "session { accessToken } member { role user { fullName email emailVerified } }";

/// Accepts by a token.
async fn accept(team: &Team, input: Value) -> Value {
    ask(&team.server.client(), "acceptInvitation", input, JOINED).await
}

/// The open invitations, as an owner sees them.
async fn open(client: &Client) -> Value {
    let data = client.data("{ profile { invitations { totalCount nodes { email role } } } }", json!({})).await;
    data["profile"]["invitations"].clone()
}

async fn somebody_new_is_invited_joins_and_is_signed_in(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    let (invitation, token) = invite(&world, &team.owner, "Ben@Example.com", "BILLING").await;
    // Seven days from a second past nine.
    assert_eq!((&invitation["email"], &invitation["expiresAt"]), (&json!("Ben@Example.com"), &json!("2027-02-07T09:00:01Z")));
    assert_eq!(world.subjects_to("Ben@Example.com"), ["ann invites you to ann Traders"]);
    let mail = world.mails().pop().unwrap();
    assert!(mail.contains("https://app.evolve.test/accept-invitation#token=evl_"));
    // Who has no account is not told that they have one.
    assert!(mail.contains("because ann gave us this address") && !mail.contains("you have an account"), "{mail}");
    assert_eq!(open(&team.owner).await, json!({ "totalCount": 1, "nodes": [{ "email": "Ben@Example.com", "role": "BILLING" }] }));
    let found =
        team.owner.data("query($id: ID!) { node(id: $id) { ... on Invitation { role } } }", json!({ "id": invitation["id"] })).await;
    assert_eq!(found["node"], json!({ "role": "BILLING" }));
    // What is wrong is said at once, and the link stays good.
    let wrong = accept(&team, json!({ "token": token, "password": "ben" })).await;
    let codes: Vec<(String, String)> = wrong["data"]["acceptInvitation"]["userErrors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (text(&error["field"][1]), text(&error["code"])))
        .collect();
    assert_eq!(codes, [("fullName".into(), "REQUIRED".into()), ("password".into(), "WEAK_PASSWORD".into())]);
    let joined = accept(&team, json!({ "token": token, "fullName": "Ben Otieno", "password": NEW })).await;
    let member = json!({ "role": "BILLING", "user": { "fullName": "Ben Otieno", "email": "Ben@Example.com", "emailVerified": true } });
    assert_eq!(joined["data"]["acceptInvitation"]["member"], member, "{joined}");
    let ben = team.server.holder(&joined["data"]["acceptInvitation"]["session"]["accessToken"]);
    assert_eq!(ben.data("{ profile { id } invoices { totalCount } }", json!({})).await["profile"]["id"], json!(team.business));
    assert_eq!(open(&team.owner).await["totalCount"], 0);
    let acts = world.read_texts("select action from audit_events where action like 'member.%' order by sequence").await;
    assert_eq!(acts, ["member.invited", "member.joined"]);
    let details = world.read_texts("select details from audit_events where action like 'member.%'").await.join(" ");
    assert!(!details.to_lowercase().contains("ben"), "no personal data in the trail: {details}");
    // And signs in as anybody else.
    let input = json!({ "email": "ben@example.com", "password": NEW });
    let came = team.server.client().mutate("signIn", input, "viewer { role }").await;
    assert_eq!(came["viewer"]["role"], "BILLING");
}

async fn somebody_who_has_an_account_joins_by_its_password(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    register(&team.server, "zoe").await;
    let (_, token) = invite(&world, &team.owner, &address("zoe"), "ADMIN").await;
    let wrong = accept(&team, json!({ "token": token, "fullName": "Another", "password": NEW })).await;
    assert_eq!(refused(&wrong, "acceptInvitation"), "INVALID_CREDENTIALS");
    let joined = accept(&team, json!({ "token": token, "fullName": "Another", "password": PASSWORD })).await;
    let member = &joined["data"]["acceptInvitation"]["member"];
    // She is who she was.
    assert_eq!((&member["role"], &member["user"]["fullName"]), (&json!("ADMIN"), &json!("zoe")), "{joined}");
    assert_eq!(world.count("users", "true").await, 2);
    let zoe = team.server.holder(&joined["data"]["acceptInvitation"]["session"]["accessToken"]);
    let viewer = zoe.data("{ viewer { business { id } memberships { role } } }", json!({})).await;
    assert_eq!(viewer["viewer"]["business"]["id"], json!(team.business));
    assert_eq!(viewer["viewer"]["memberships"], json!([{ "role": "OWNER" }, { "role": "ADMIN" }]));
}

async fn an_invitation_works_once_in_its_time_and_not_after_it_is_taken_back(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    let (_, once) = invite(&world, &team.owner, &address("ben"), "MEMBER").await;
    let input = |token: &str| json!({ "token": token, "fullName": "Somebody", "password": NEW });
    assert_eq!(accept(&team, input(&once)).await["data"]["acceptInvitation"]["userErrors"], json!([]));
    assert_eq!(refused(&accept(&team, input(&once)).await, "acceptInvitation"), "TOKEN_EXPIRED");
    let (taken, back) = invite(&world, &team.owner, &address("eve"), "MEMBER").await;
    for _ in 0..2 {
        let revoked = ask(&team.owner, "revokeInvitation", json!({ "invitationId": taken["id"] }), "revokedId").await;
        let payload = &revoked["data"]["revokeInvitation"];
        assert!(payload["revokedId"] == taken["id"] || payload["userErrors"][0]["code"] == "NOT_FOUND", "{revoked}");
    }
    assert_eq!(refused(&accept(&team, input(&back)).await, "acceptInvitation"), "TOKEN_EXPIRED");
    let (_, late) = invite(&world, &team.owner, &address("zoe"), "MEMBER").await;
    world.advance(SignedDuration::from_hours(7 * 24));
    assert_eq!(refused(&accept(&team, input(&late)).await, "acceptInvitation"), "TOKEN_EXPIRED");
    for bad in ["", "evl_", "evl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        assert_eq!(refused(&accept(&team, input(bad)).await, "acceptInvitation"), "TOKEN_EXPIRED", "{bad}");
    }
    assert_eq!(world.count("members", "true").await, 2);
    assert_eq!(world.count("audit_events", "action = 'invitation.revoked'").await, 1);
}

async fn inviting_again_takes_the_first_invitation_back(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    let (_, first) = invite(&world, &team.owner, &address("ben"), "MEMBER").await;
    let (_, second) = invite(&world, &team.owner, "BEN@example.com", "ADMIN").await;
    let input = |token: &str| json!({ "token": token, "fullName": "Ben", "password": NEW });
    assert_eq!(open(&team.owner).await["nodes"], json!([{ "email": "BEN@example.com", "role": "ADMIN" }]));
    assert_eq!(refused(&accept(&team, input(&first)).await, "acceptInvitation"), "TOKEN_EXPIRED");
    assert_eq!(accept(&team, input(&second)).await["data"]["acceptInvitation"]["member"]["role"], "ADMIN");
}

async fn whoever_may_not_invite_or_is_in_the_business_is_refused(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[("ben", Role::Admin), ("eve", Role::Billing)]).await;
    let (ben, eve) = (&team.others[0], &team.others[1]);
    let selection = "invitation { id }";
    for (by, email, role, code) in [
        (eve, "new@example.com", "MEMBER", "FORBIDDEN"),
        // An admin makes no owners.
        (ben, "new@example.com", "OWNER", "FORBIDDEN"),
        (ben, "EVE@example.com", "MEMBER", "TAKEN"),
        (ben, "nobody", "MEMBER", "INVALID"),
    ] {
        let answer = ask(by, "inviteMember", json!({ "email": email, "role": role }), selection).await;
        let is_input = answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT";
        assert!(is_input && code == "INVALID" || refused(&answer, "inviteMember") == code, "{email} {role}: {answer}");
    }
    assert_eq!(world.count("invitations", "true").await, 0);
    // Nor does an admin take an owner's invitation back.
    let (owners, _) = invite(&world, &team.owner, "new@example.com", "OWNER").await;
    let answer = ask(ben, "revokeInvitation", json!({ "invitationId": owners["id"] }), "revokedId").await;
    assert_eq!(refused(&answer, "revokeInvitation"), "FORBIDDEN");
    let hidden = eve.data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": owners["id"] })).await;
    assert_eq!(hidden["node"], Value::Null);
}

async fn of_two_who_accept_at_once_one_joins(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    let (_, token) = invite(&world, &team.owner, &address("ben"), "MEMBER").await;
    let input = json!({ "token": token, "fullName": "Ben", "password": NEW });
    let (one, other) = tokio::join!(accept(&team, input.clone()), accept(&team, input));
    let joined = [&one, &other].into_iter().filter(|answer| answer["data"]["acceptInvitation"]["member"].is_object()).count();
    assert_eq!(joined, 1, "{one} {other}");
    assert_eq!((world.count("users", "true").await, world.count("members", "true").await), (2, 2));
}

async fn an_invitations_token_is_stored_as_a_hash_alone(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    let (_, token) = invite(&world, &team.owner, &address("ben"), "MEMBER").await;
    let stored = world.read_bytes("select hash from invitation_tokens").await;
    assert_eq!(stored.iter().flatten().map(Vec::len).collect::<Vec<_>>(), [32]);
    let secret = &token[4..20];
    let rows = world.rows_of(BusinessId::parse(&team.business).unwrap().uuid()).await;
    assert!(rows.iter().all(|row| !row.contains(secret)), "the token is in no row");
}
