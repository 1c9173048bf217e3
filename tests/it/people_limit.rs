//! A plan is for so many people, and a business has no more: counted where they are invited, and again where they come.

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::Role;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::people::{address, ask, refused};
use crate::world_lives::PASSWORD as PASSWORD_OF_LIVES;
use crate::world_usage::Erp;

both!(
    no_more_people_are_invited_than_the_plan_is_for,
    without_a_plan_there_is_no_limit_and_staying_is_never_refused,
    of_many_who_accept_at_once_as_many_join_as_there_is_room_for,
);

const NOW: &str = "2027-01-10T09:00:00Z";
const PASSWORD: &str = "velvet-anchor-hums-backwards";

/// Invites somebody; answers the code of the refusal, or nothing.
async fn invite(erp: &Erp, name: &str) -> Option<String> {
    let made = ask(&erp.owner, "inviteMember", json!({ "email": address(name), "role": "MEMBER" }), "invitation { id }").await;
    (made["data"]["inviteMember"]["invitation"] == Value::Null).then(|| refused(&made, "inviteMember"))
}

/// The newest token that was mailed to somebody.
fn token(erp: &Erp, name: &str) -> String {
    let to = format!("\nTo: {}\n", address(name));
    let mail = erp.world.mails().into_iter().rfind(|mail| mail.contains(&to)).unwrap();
    mail.split_once("#token=").unwrap().1.split_whitespace().next().unwrap().to_owned()
}

/// Accepts an invitation; answers the code of the refusal, or nothing.
async fn accept(erp: &Erp, token: &str) -> Option<String> {
    let input = json!({ "token": token, "fullName": "Ben", "password": PASSWORD });
    let answer = ask(&erp.server.client(), "acceptInvitation", input, "member { id }").await;
    (answer["data"]["acceptInvitation"]["member"] == Value::Null).then(|| refused(&answer, "acceptInvitation"))
}

async fn no_more_people_are_invited_than_the_plan_is_for(db: TestDatabase) {
    // The plan is for three: the owner and two more.
    let mut erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    let full = Some("LIMIT_EXCEEDED".to_owned());
    assert_eq!((invite(&erp, "ben").await, invite(&erp, "eve").await), (None, None));
    assert_eq!(invite(&erp, "joe").await, full, "those who were invited are waited for");
    assert_eq!(invite(&erp, "ben").await, None, "once more, in the place of the first time");
    assert_eq!(erp.world.count("invitations", "accepted_at is null and revoked_at is null").await, 2, "the refusal left nothing behind");
    erp.world.run_due_jobs().await;
    assert_eq!(accept(&erp, &token(&erp, "ben")).await, None);
    assert_eq!(invite(&erp, "joe").await, full);
    // After seven days Eve is not waited for any more.
    erp.world.advance(SignedDuration::from_hours(7 * 24));
    let input = json!({ "email": address("ann"), "password": PASSWORD_OF_LIVES });
    let came = erp.server.client().mutate("signIn", input, "session { accessToken }").await;
    erp.owner = erp.server.holder(&came["session"]["accessToken"]);
    assert_eq!(invite(&erp, "joe").await, None);
    assert_eq!(invite(&erp, "amy").await, full);
}

async fn without_a_plan_there_is_no_limit_and_staying_is_never_refused(db: TestDatabase) {
    let mut erp = Erp::unsold(db, NOW).await;
    let scope = TenantScope::proved(BusinessId::parse(&erp.business).unwrap());
    for name in ["ben", "eve", "joe", "amy"] {
        erp.world.colleague(scope, Role::Member, &address(name)).await;
    }
    assert_eq!(invite(&erp, "zoe").await, None);
    // Five people on a plan for three: they stay, and nobody else comes.
    erp.subscribe("small", "MONTHLY").await;
    erp.world.run_due_jobs().await;
    assert_eq!(accept(&erp, &token(&erp, "zoe")).await, Some("LIMIT_EXCEEDED".to_owned()));
    assert_eq!(invite(&erp, "kim").await, Some("LIMIT_EXCEEDED".to_owned()));
    assert_eq!(erp.world.count("members", "true").await, 5);
    assert_eq!(erp.world.count("users", "true").await, 5, "who was refused has no account by it");
}

async fn of_many_who_accept_at_once_as_many_join_as_there_is_room_for(db: TestDatabase) {
    let mut erp = Erp::unsold(db, NOW).await;
    let names = ["ben", "eve", "joe", "amy"];
    for name in names {
        assert_eq!(invite(&erp, name).await, None);
    }
    erp.world.run_due_jobs().await;
    let tokens = names.map(|name| token(&erp, name));
    erp.subscribe("small", "MONTHLY").await;
    let answers = futures::future::join_all(tokens.iter().map(|token| accept(&erp, token))).await;
    let refused: Vec<&String> = answers.iter().flatten().collect();
    assert_eq!(refused, ["LIMIT_EXCEEDED"; 2], "three, of whom the owner is one");
    assert_eq!(erp.world.count("members", "true").await, 3);
    // The invitations of the others stay good, for when there is room.
    let query = "{ profile { members { nodes { id role } } } }";
    let members = erp.owner.data(query, json!({})).await["profile"]["members"]["nodes"].as_array().unwrap().clone();
    let member = members.iter().find(|member| member["role"] == "MEMBER").unwrap();
    erp.owner.mutate("removeMember", json!({ "memberId": member["id"] }), "removedId").await;
    let late: Vec<&String> = tokens.iter().zip(&answers).filter(|(_, answer)| answer.is_some()).map(|(token, _)| token).collect();
    assert_eq!((accept(&erp, late[0]).await, accept(&erp, late[1]).await), (None, Some("LIMIT_EXCEEDED".to_owned())));
}
