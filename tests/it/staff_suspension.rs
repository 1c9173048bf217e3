//! Suspending a business as a whole, and restoring it.

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::{Role, StaffRole};
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::register;
use crate::world_staff::code;

both!(
    a_suspended_business_changes_nothing_until_it_is_restored,
    owners_are_mailed_when_their_business_is_suspended_and_when_it_is_restored,
    who_may_not_suspend_is_told_nothing_of_the_business,
    what_cannot_be_suspended_or_restored_is_refused,
);

const STATE: &str = "business { id suspensionReason suspendedBy { email } business { suspendedAt } }";

async fn a_suspended_business_changes_nothing_until_it_is_restored(db: TestDatabase) {
    let world = World::at(db, "2027-01-10T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Compliance).await;
    let (owner, business) = register(&server, "ann").await;
    let rename = "mutation { updateProfile(input: { city: \"Thika\" }) { userErrors { code } } }";

    let suspended =
        staff.mutate("suspendBusiness", json!({ "businessId": business, "reason": " Forged papers.\nSee the file. " }), STATE).await;
    let state = json!({
        "id": business, "suspensionReason": "Forged papers.\nSee the file.", "suspendedBy": { "email": "compliance@staff.example" },
        "business": { "suspendedAt": "2027-01-10T09:00:00Z" },
    });
    assert_eq!(suspended["business"], state);
    let again = staff.payload("suspendBusiness", json!({ "businessId": business, "reason": "Again" }), STATE).await;
    assert_eq!((&again["business"], &again["userErrors"][0]["code"]), (&Value::Null, &json!("INVALID_TRANSITION")));
    assert_eq!(code(&owner.ask(rename, json!({})).await), "FORBIDDEN");
    let shown = staff.data("{ businesses(filter: { suspended: true }) { nodes { id } } }", json!({})).await;
    assert_eq!(shown["businesses"]["nodes"], json!([{ "id": business }]));

    let restored = staff.mutate("restoreBusiness", json!({ "businessId": business }), STATE).await;
    let state = json!({ "id": business, "suspensionReason": null, "suspendedBy": null, "business": { "suspendedAt": null } });
    assert_eq!(restored["business"], state);
    let again = staff.payload("restoreBusiness", json!({ "businessId": business }), STATE).await;
    assert_eq!(again["userErrors"][0]["code"], "INVALID_TRANSITION");
    assert_eq!(owner.data(rename, json!({})).await["updateProfile"]["userErrors"], json!([]));
    // A second suspension is one of its own.
    staff.mutate("suspendBusiness", json!({ "businessId": business, "reason": "Again" }), STATE).await;

    // In the business's own chain, with the member of staff as actor, and without the reason, which is for staff.
    let member = staff.data("{ staffViewer { id } }", json!({})).await["staffViewer"]["id"].as_str().unwrap().to_owned();
    let acts = world.read_texts("select action || ' ' || actor || ' ' || details from audit_events where action like 'business.%ed' and actor like 'stf_%' order by sequence").await;
    let expected = ["business.suspended", "business.restored", "business.suspended"].map(|action| format!("{action} {member} {{}}"));
    assert_eq!(acts, expected);
}

async fn owners_are_mailed_when_their_business_is_suspended_and_when_it_is_restored(db: TestDatabase) {
    let world = World::at(db, "2027-01-10T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Compliance).await;
    let (_, business) = register(&server, "ann").await;
    let scope = TenantScope::proved(BusinessId::parse(&business).unwrap());
    world.colleague(scope, Role::Admin, "mo@example.com").await;
    world.run_due_jobs().await;
    let (before, name) =
        (world.subjects_to("ann@example.com").len(), world.read_texts("select business_name from businesses").await.remove(0));
    staff.mutate("suspendBusiness", json!({ "businessId": business, "reason": "Forged papers." }), STATE).await;
    // What is refused is told to nobody.
    staff.payload("suspendBusiness", json!({ "businessId": business, "reason": "Again" }), STATE).await;
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("ann@example.com")[before..], [format!("{name} is suspended")]);
    assert!(world.mails().iter().all(|mail| !mail.contains("Forged")), "the reason is for staff");
    staff.mutate("restoreBusiness", json!({ "businessId": business }), STATE).await;
    world.run_due_jobs().await;
    assert_eq!(world.subjects_to("ann@example.com")[before..], [format!("{name} is suspended"), format!("{name} is no longer suspended")]);
    assert_eq!(world.subjects_to("mo@example.com"), [""; 0]);
}

async fn who_may_not_suspend_is_told_nothing_of_the_business(db: TestDatabase) {
    let world = World::at(db, "2027-01-10T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (_, business) = register(&server, "ann").await;
    let suspend = "mutation($b: ID!) { suspendBusiness(input: { businessId: $b, reason: \"\" }) { userErrors { code } } }";
    for role in [StaffRole::Support, StaffRole::Finance] {
        let staff = world.staff(&server, role).await;
        for id in [business.as_str(), "biz_x"] {
            let answer = staff.ask(suspend, json!({ "b": id })).await;
            assert_eq!((code(&answer), &answer["data"]["suspendBusiness"]), ("FORBIDDEN", &Value::Null), "{role:?}");
        }
    }
    assert_eq!(code(&server.staff().ask(suspend, json!({ "b": business })).await), "UNAUTHENTICATED");
    assert_eq!(world.read_texts("select action from audit_events where actor like 'stf_%'").await, [""; 0]);
}

async fn what_cannot_be_suspended_or_restored_is_refused(db: TestDatabase) {
    let world = World::at(db, "2027-01-10T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let (_, business) = register(&server, "ann").await;
    for (id, reason, field, refused) in [
        (business.as_str(), " ", "reason", "REQUIRED"),
        (&business, &"é".repeat(501), "reason", "TOO_LONG"),
        (&business, "a\u{0}b", "reason", "INVALID"),
        ("biz_01h455vb4pex5vsknk084sn02q", "Why", "businessId", "NOT_FOUND"),
        ("nonsense", "Why", "businessId", "NOT_FOUND"),
    ] {
        let payload = staff.payload("suspendBusiness", json!({ "businessId": id, "reason": reason }), STATE).await;
        let error = &payload["userErrors"][0];
        assert_eq!((&error["code"], &error["field"], &payload["business"]), (&json!(refused), &json!(["input", field]), &Value::Null));
    }
    let payload = staff.payload("restoreBusiness", json!({ "businessId": "biz_01h455vb4pex5vsknk084sn02q" }), STATE).await;
    assert_eq!(payload["userErrors"][0]["code"], "NOT_FOUND");
    assert_eq!(world.read_texts("select action from audit_events where actor like 'stf_%'").await, [""; 0]);
    staff.mutate("suspendBusiness", json!({ "businessId": business, "reason": "é".repeat(500) }), STATE).await;
}
