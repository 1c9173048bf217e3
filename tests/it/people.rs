//! A business's people, and one person in several businesses, over the API.

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::Role;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::PASSWORD;
use crate::world_lives::{PASSWORD as PASSWORD_OF_LIVES, register};
use crate::world_staff::text;

both!(
    an_owner_changes_roles_and_they_count_at_once,
    the_last_owner_stays_an_owner_and_stays,
    an_admin_neither_makes_nor_touches_owners,
    whoever_leaves_is_signed_out_of_that_business_alone,
    of_two_owners_who_leave_at_once_one_stays,
    a_person_goes_from_one_business_to_another,
    a_further_business_is_founded_by_somebody_who_is_signed_in,
    a_person_says_what_they_are_called_and_in_which_language_they_read,
    of_many_businesses_that_are_founded_at_once_a_hundred_is_the_most,
    no_session_that_comes_of_another_outlives_the_end_of_all,
);

const NOW: &str = "2027-01-31T09:00:00Z";

/// A business, its owner, and others by their roles, each signed in.
pub(crate) struct Team {
    pub(crate) server: Server,
    pub(crate) business: String,
    pub(crate) owner: Client,
    pub(crate) others: Vec<Client>,
}

/// The address of a colleague.
pub(crate) fn address(name: &str) -> String {
    format!("{name}@example.com")
}

/// Signs somebody in to a business.
async fn sign_in(server: &Server, name: &str, business: &str) -> Client {
    let mut client = server.client();
    let password = if name == "ann" { PASSWORD_OF_LIVES } else { PASSWORD };
    let input = json!({ "email": address(name), "password": password, "businessId": business });
    let came = client.mutate("signIn", input, "session { accessToken }").await;
    client.token = Some(text(&came["session"]["accessToken"]));
    client
}

impl Team {
    pub(crate) async fn of(world: &World, others: &[(&str, Role)]) -> Self {
        world.seed_catalogue().await;
        let server = Server::start(world).await;
        let (owner, business) = register(&server, "ann").await;
        let scope = TenantScope::proved(BusinessId::parse(&business).unwrap());
        let mut clients = Vec::new();
        for (name, role) in others {
            world.colleague(scope, *role, &address(name)).await;
            clients.push(sign_in(&server, name, &business).await);
        }
        Self { server, business, owner, others: clients }
    }
}

/// The id of somebody's place in the business, by their address.
async fn place(client: &Client, name: &str) -> String {
    let data = client.data("{ profile { members { nodes { id user { email } } } } }", json!({})).await;
    let nodes = data["profile"]["members"]["nodes"].as_array().unwrap().clone();
    text(&nodes.iter().find(|node| node["user"]["email"] == json!(address(name))).unwrap()["id"])
}

/// The code of a refusal, or of a top-level error.
pub(crate) fn refused(answer: &Value, field: &str) -> String {
    let payload = &answer["data"][field];
    let code = if payload.is_null() { &answer["errors"][0]["extensions"]["code"] } else { &payload["userErrors"][0]["code"] };
    text(code)
}

/// Asks for a mutation of people and answers the whole answer.
pub(crate) async fn ask(client: &Client, field: &str, input: Value, selection: &str) -> Value {
    let mut kind = field.to_owned();
    kind[..1].make_ascii_uppercase();
    let document = format!("mutation($i: {kind}Input!) {{ {field}(input: $i) {{ {selection} userErrors {{ code field }} }} }}");
    client.ask(&document, json!({ "i": input })).await
}

async fn an_owner_changes_roles_and_they_count_at_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[("ben", Role::Member)]).await;
    let ben = &team.others[0];
    let member = place(&team.owner, "ben").await;
    let answer = ben.ask("{ invoices { totalCount } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN");
    let made = ask(&team.owner, "updateMember", json!({ "memberId": member, "role": "BILLING" }), "member { id role }").await;
    assert_eq!(made["data"]["updateMember"], json!({ "member": { "id": member, "role": "BILLING" }, "userErrors": [] }));
    // The token that he has already.
    assert_eq!(ben.data("{ invoices { totalCount } viewer { role } }", json!({})).await["viewer"]["role"], "BILLING");
    // The same again changes nothing and is not written down.
    ask(&team.owner, "updateMember", json!({ "memberId": member, "role": "BILLING" }), "member { id }").await;
    let acts = world.read_texts("select details from audit_events where action = 'member.role_changed'").await;
    assert_eq!(acts.len(), 1, "{acts:?}");
    assert!(acts[0].contains(r#""from":"MEMBER""#) && acts[0].contains(r#""to":"BILLING""#), "{acts:?}");
    // He may not do so himself.
    let own = ask(ben, "updateMember", json!({ "memberId": member, "role": "OWNER" }), "member { id }").await;
    assert_eq!(refused(&own, "updateMember"), "FORBIDDEN");
    let nobody = ask(&team.owner, "updateMember", json!({ "memberId": "mem_none", "role": "ADMIN" }), "member { id }").await;
    assert_eq!(refused(&nobody, "updateMember"), "NOT_FOUND");
}

async fn the_last_owner_stays_an_owner_and_stays(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[("ben", Role::Admin)]).await;
    let (own, ben) = (place(&team.owner, "ann").await, place(&team.owner, "ben").await);
    for (field, input) in [("updateMember", json!({ "memberId": own, "role": "ADMIN" })), ("removeMember", json!({ "memberId": own }))] {
        let selection = if field == "updateMember" { "member { id }" } else { "removedId" };
        assert_eq!(refused(&ask(&team.owner, field, input, selection).await, field), "LAST_OWNER");
    }
    // With another owner she may.
    ask(&team.owner, "updateMember", json!({ "memberId": ben, "role": "OWNER" }), "member { id }").await;
    let left = ask(&team.owner, "removeMember", json!({ "memberId": own }), "removedId").await;
    assert_eq!(left["data"]["removeMember"], json!({ "removedId": own, "userErrors": [] }));
    assert_eq!(world.read_texts("select role from members").await, ["OWNER"]);
}

async fn an_admin_neither_makes_nor_touches_owners(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[("ben", Role::Admin), ("eve", Role::Member)]).await;
    let ben = &team.others[0];
    let (ann, eve) = (place(&team.owner, "ann").await, place(&team.owner, "eve").await);
    for (field, input) in [
        ("updateMember", json!({ "memberId": eve, "role": "OWNER" })),
        ("updateMember", json!({ "memberId": ann, "role": "MEMBER" })),
        ("removeMember", json!({ "memberId": ann })),
    ] {
        let selection = if field == "updateMember" { "member { id }" } else { "removedId" };
        assert_eq!(refused(&ask(ben, field, input.clone(), selection).await, field), "FORBIDDEN", "{field} {input}");
    }
    let made = ask(ben, "updateMember", json!({ "memberId": eve, "role": "ADMIN" }), "member { role }").await;
    assert_eq!(made["data"]["updateMember"]["member"]["role"], "ADMIN");
    assert_eq!(world.read_texts("select role from members order by role").await, ["ADMIN", "ADMIN", "OWNER"]);
}

async fn whoever_leaves_is_signed_out_of_that_business_alone(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[("ben", Role::Member), ("eve", Role::Member)]).await;
    let (_, elsewhere) = register(&team.server, "zoe").await;
    // Ben works for Zoe too.
    let other = TenantScope::proved(BusinessId::parse(&elsewhere).unwrap());
    world.join(other, Role::Billing, &address("ben")).await;
    let at_zoes = sign_in(&team.server, "ben", &elsewhere).await;
    let (ben, eve) = (&team.others[0], &team.others[1]);
    let member = place(&team.owner, "ben").await;
    // A colleague may not take him out, nor learn whether a place exists.
    for id in [member.as_str(), "mem_none"] {
        let answer = ask(eve, "removeMember", json!({ "memberId": id }), "removedId").await;
        assert_eq!(refused(&answer, "removeMember"), "FORBIDDEN", "{id}");
    }
    let left = ask(ben, "removeMember", json!({ "memberId": member }), "removedId").await;
    assert_eq!(left["data"]["removeMember"]["removedId"], json!(member));
    let answer = ben.ask("{ profile { id } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    let live =
        "select count(*) from sessions where revoked_at is null and user_id = (select id from users where email = 'ben@example.com')";
    assert_eq!(world.number(live).await, 1);
    let known = at_zoes.data("{ viewer { role memberships { businessId } } }", json!({})).await;
    assert_eq!(known["viewer"], json!({ "role": "BILLING", "memberships": [{ "businessId": elsewhere }] }));
    assert_eq!(world.count("audit_events", "action = 'member.removed'").await, 1);
}

async fn of_two_owners_who_leave_at_once_one_stays(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[("ben", Role::Owner)]).await;
    let ben = &team.others[0];
    let (first, second) = (place(&team.owner, "ann").await, place(&team.owner, "ben").await);
    let (one, other) = tokio::join!(
        ask(&team.owner, "removeMember", json!({ "memberId": first }), "removedId"),
        ask(ben, "removeMember", json!({ "memberId": second }), "removedId"),
    );
    let codes = [&one, &other].map(|answer| answer["data"]["removeMember"]["userErrors"][0]["code"].clone());
    assert_eq!(codes.iter().filter(|code| **code == json!("LAST_OWNER")).count(), 1, "{one} {other}");
    assert_eq!(world.read_texts("select role from members").await, ["OWNER"]);
}

async fn a_person_goes_from_one_business_to_another(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[("ben", Role::Member)]).await;
    let (zoe, elsewhere) = register(&team.server, "zoe").await;
    let ben = &team.others[0];
    // Not his, and none at all, answer alike.
    for id in [elsewhere.as_str(), "biz_none"] {
        let answer = ask(ben, "switchBusiness", json!({ "businessId": id }), "session { accessToken }").await;
        assert_eq!(refused(&answer, "switchBusiness"), "NOT_FOUND", "{id}");
    }
    world.join(TenantScope::proved(BusinessId::parse(&elsewhere).unwrap()), Role::Admin, &address("ben")).await;
    let selection = "session { accessToken refreshToken } viewer { role business { id } memberships { businessId role } }";
    let went = ask(ben, "switchBusiness", json!({ "businessId": elsewhere }), selection).await;
    let went = &went["data"]["switchBusiness"];
    assert_eq!(went["viewer"]["business"]["id"], json!(elsewhere));
    assert_eq!((&went["viewer"]["role"], went["viewer"]["memberships"].as_array().unwrap().len()), (&json!("ADMIN"), 2));
    let there = team.server.holder(&went["session"]["accessToken"]);
    assert_eq!(there.data("{ profile { id } }", json!({})).await["profile"]["id"], json!(elsewhere));
    // The first session goes on, in its own business.
    assert_eq!(ben.data("{ profile { id } }", json!({})).await["profile"]["id"], json!(team.business));
    let fresh = ask(&there, "refreshSession", json!({ "refreshToken": went["session"]["refreshToken"] }), "session { accessToken }").await;
    assert!(fresh["data"]["refreshSession"]["session"]["accessToken"].is_string(), "{fresh}");
    drop(zoe);
}

async fn a_further_business_is_founded_by_somebody_who_is_signed_in(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[("ben", Role::Member)]).await;
    let ben = &team.others[0];
    let input = json!({
        "businessName": "Second", "businessEmail": "office@second.example", "industry": "Retail", "companySize": "SIZE_1",
        "country": "UG", "postalCode": "256",
    });
    let mut wrong = input.clone();
    wrong["businessName"] = json!("");
    wrong["postalCode"] = json!(" ");
    let answer = ask(ben, "createBusiness", wrong, "business { id }").await;
    let fields: Vec<String> =
        answer["data"]["createBusiness"]["userErrors"].as_array().unwrap().iter().map(|e| text(&e["field"][1])).collect();
    assert_eq!(fields, ["businessName", "postalCode"]);
    let made =
        ask(ben, "createBusiness", input, "business { id businessName timeZone members { nodes { role } } } session { accessToken }").await;
    let made = &made["data"]["createBusiness"];
    let business = &made["business"];
    assert_eq!((&business["businessName"], &business["timeZone"]), (&json!("Second"), &json!("Africa/Kampala")));
    assert_eq!(business["members"]["nodes"], json!([{ "role": "OWNER" }]));
    let owner = team.server.holder(&made["session"]["accessToken"]);
    let viewer = owner.data("{ viewer { role business { id } memberships { role } } }", json!({})).await["viewer"].clone();
    assert_eq!((&viewer["role"], &viewer["business"]["id"]), (&json!("OWNER"), &business["id"]));
    assert_eq!(viewer["memberships"], json!([{ "role": "MEMBER" }, { "role": "OWNER" }]));
    // Nothing of his other business shows, and it is registered as any other.
    assert_eq!(owner.data("{ invoices { totalCount } }", json!({})).await["invoices"]["totalCount"], 0);
    assert_eq!(world.count("audit_events", "action = 'business.registered'").await, 2);
    let nobody = ask(
        &team.server.client(),
        "createBusiness",
        json!({
            "businessName": "", "businessEmail": "a@b.example", "industry": "", "companySize": "SIZE_1", "country": "KE", "postalCode": "",
        }),
        "business { id }",
    )
    .await;
    assert_eq!(refused(&nobody, "createBusiness"), "UNAUTHENTICATED");
}

async fn a_person_says_what_they_are_called_and_in_which_language_they_read(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    let made = ask(&team.owner, "updateUser", json!({ "fullName": "Ann Wanjiru", "locale": "sw-KE" }), "user { fullName locale }").await;
    assert_eq!(made["data"]["updateUser"]["user"], json!({ "fullName": "Ann Wanjiru", "locale": "sw-KE" }));
    let kept = ask(&team.owner, "updateUser", json!({ "locale": "en" }), "user { fullName locale }").await;
    assert_eq!(kept["data"]["updateUser"]["user"], json!({ "fullName": "Ann Wanjiru", "locale": "en" }));
    let wrong = ask(&team.owner, "updateUser", json!({ "fullName": null, "locale": "en_GB" }), "user { id }").await;
    let codes: Vec<(String, String)> =
        wrong["data"]["updateUser"]["userErrors"].as_array().unwrap().iter().map(|e| (text(&e["field"][1]), text(&e["code"]))).collect();
    assert_eq!(codes, [("fullName".into(), "INVALID".into()), ("locale".into(), "INVALID".into())]);
    assert_eq!(world.read_texts("select full_name || ' ' || locale from users").await, ["Ann Wanjiru en"]);
}

async fn of_many_businesses_that_are_founded_at_once_a_hundred_is_the_most(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    let found = async |number: usize| {
        let input = json!({
            "businessName": format!("Number {number}"), "businessEmail": "office@many.example", "industry": "Retail",
            "companySize": "SIZE_1", "country": "KE", "postalCode": "00100",
        });
        let payload = team.owner.payload("createBusiness", input, "business { id }").await;
        payload["userErrors"][0]["code"].as_str().map(str::to_owned)
    };
    for number in 2..=98 {
        assert_eq!(found(number).await, None);
    }
    let at_once = futures::future::join_all((99..107).map(&found)).await;
    assert_eq!(at_once.iter().filter(|refusal| refusal.is_none()).count(), 2, "{at_once:?}");
    assert!(at_once.iter().flatten().all(|code| code == "LIMIT_EXCEEDED"), "{at_once:?}");
    assert_eq!(world.count("members", "true").await, 100);
    // An invitation is no way around it, and stays good for when there is room.
    let (ben, _) = register(&team.server, "ben").await;
    world.run_due_jobs().await;
    world.advance(jiff::SignedDuration::from_secs(1));
    ask(&ben, "inviteMember", json!({ "email": address("ann"), "role": "MEMBER" }), "invitation { id }").await;
    world.run_due_jobs().await;
    let token = world.mailed_token();
    let accept = async || {
        let input = json!({ "token": token, "password": PASSWORD_OF_LIVES });
        team.server.client().payload("acceptInvitation", input, "member { role }").await
    };
    assert_eq!(accept().await["userErrors"][0]["code"], "LIMIT_EXCEEDED");
    assert_eq!(world.count("invitations", "accepted_at is null").await, 1);
    world.run_sql("delete from members where business_id = (select business_id from businesses where business_name = 'Number 50')").await;
    assert_eq!(accept().await["member"]["role"], "MEMBER");
}

async fn no_session_that_comes_of_another_outlives_the_end_of_all(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let team = Team::of(&world, &[]).await;
    let (_, elsewhere) = register(&team.server, "ben").await;
    world.join(TenantScope::proved(BusinessId::parse(&elsewhere).unwrap()), Role::Member, &address("ann")).await;
    let live =
        "select count(*) from sessions s join users u on u.id = s.user_id where u.email = 'ann@example.com' and s.revoked_at is null";
    for round in 0..12 {
        let client = sign_in(&team.server, "ann", &team.business).await;
        // Many go over to the other business while everything is ended.
        let goes = |_| ask(&client, "switchBusiness", json!({ "businessId": elsewhere }), "session { accessToken }");
        let ends = client.payload("signOut", json!({ "everywhere": true }), "__typename");
        let (_, ended) = tokio::join!(futures::future::join_all((0..6).map(goes)), ends);
        assert_eq!(ended["userErrors"], json!([]), "{round}: {ended}");
        assert_eq!(world.number(live).await, 0, "{round}: whoever had the one would have another");
    }
}
