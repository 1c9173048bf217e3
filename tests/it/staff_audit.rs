//! What staff read of what was done, and of what did not arrive.

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_catalog::Statements;
use crate::world_lives::register;
use crate::world_mail::{MoodyMailer, changed_to, subscription};
use crate::world_staff::text;

both!(
    acts_are_read_across_businesses_and_the_platform_newest_first,
    a_business_reads_its_own_trail_and_its_chain_is_whole,
    mails_that_were_given_up_are_shown_with_whose_they_are,
);

const NOW: &str = "2027-01-10T09:00:00Z";
const PAGE: &str = "query($first: Int, $after: String, $last: Int, $before: String) {
  auditEvents(first: $first, after: $after, last: $last, before: $before) {
    totalCount nodes { id action subject at } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

/// Acts on two businesses and on the platform in turn, a second apart: the businesses' ids, and a member of staff.
async fn acts(world: &World, server: &Server) -> (Client, [String; 2]) {
    world.seed_catalogue().await;
    let admin = world.staff(server, StaffRole::Admin).await;
    let (ann, first) = register(server, "ann").await;
    let (_, second) = register(server, "ben").await;
    let key = json!({ "name": "ERP", "product": "erp" });
    world.advance(SignedDuration::from_secs(1));
    admin.mutate("suspendBusiness", json!({ "businessId": first, "reason": "Forged papers." }), "business { id }").await;
    world.advance(SignedDuration::from_secs(1));
    admin.mutate("createServiceKey", key.clone(), "secret").await;
    world.advance(SignedDuration::from_secs(1));
    admin.mutate("restoreBusiness", json!({ "businessId": first }), "business { id }").await;
    world.advance(SignedDuration::from_secs(1));
    ann.mutate("updateProfile", json!({ "city": "Thika" }), "business { id }").await;
    admin.mutate("createServiceKey", key, "secret").await;
    (admin, [first, second])
}

fn ids(page: &Value) -> Vec<String> {
    page["nodes"].as_array().unwrap().iter().map(|node| text(&node["id"])).collect()
}

async fn acts_are_read_across_businesses_and_the_platform_newest_first(db: TestDatabase) {
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    let server = Server::start(&world).await;
    let (admin, [first, second]) = acts(&world, &server).await;
    statements.clear();
    let all = admin.data(PAGE, json!({ "first": 100 })).await["auditEvents"].take();
    // Whether the session still stands, the two pages, the two counts.
    assert_eq!(statements.texts().len(), 5, "{:#?}", statements.texts());
    let actions: Vec<String> = all["nodes"].as_array().unwrap().iter().map(|node| text(&node["action"])).collect();
    let newest = &actions[..2];
    assert!(newest.contains(&"business.updated".to_owned()) && newest.contains(&"service_key.created".to_owned()), "{actions:?}");
    assert_eq!(actions[2..5], ["business.restored", "service_key.created", "business.suspended"]);
    assert!(actions.contains(&"staff.added".to_owned()), "{actions:?}");
    assert_eq!(all["totalCount"], actions.len());
    let times: Vec<String> = all["nodes"].as_array().unwrap().iter().map(|node| text(&node["at"])).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");

    // Two at a time from either end come to the same.
    let (mut forth, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = admin.data(PAGE, json!({ "first": 2, "after": after })).await["auditEvents"].take();
        forth.extend(ids(&page));
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    let (mut back, mut before) = (Vec::new(), Value::Null);
    loop {
        let page = admin.data(PAGE, json!({ "last": 2, "before": before })).await["auditEvents"].take();
        back.splice(0..0, ids(&page));
        before = page["pageInfo"]["startCursor"].clone();
        if page["pageInfo"]["hasPreviousPage"] == json!(false) {
            break;
        }
    }
    assert_eq!((&forth, &back), (&ids(&all), &ids(&all)));

    // One business's, by the argument and in the business, and each event by its id, whosever it is.
    let of = "query($id: ID!) { auditEvents(businessId: $id) { totalCount nodes { id subject } } business(id: $id) { auditEvents { totalCount nodes { id subject } } } }";
    let mut apart = 0;
    for business in [&first, &second] {
        let shown = admin.data(of, json!({ "id": business })).await;
        assert_eq!(shown["auditEvents"], shown["business"]["auditEvents"]);
        let mine = ids(&shown["auditEvents"]);
        assert_eq!(mine, forth.iter().filter(|id| mine.contains(id)).cloned().collect::<Vec<_>>());
        assert_eq!(shown["auditEvents"]["totalCount"], mine.len());
        apart += mine.len();
    }
    let of_platform = world.number("select count(*) from platform_audit_events").await;
    assert_eq!(i64::try_from(forth.len() - apart).unwrap(), of_platform);
    for id in &forth {
        let node = admin.data("query($id: ID!) { node(id: $id) { ... on AuditEvent { id } } }", json!({ "id": id })).await;
        assert_eq!(node["node"]["id"], json!(id));
    }
    let none = admin.data(of, json!({ "id": "biz_x" })).await;
    assert_eq!(none, json!({ "auditEvents": { "totalCount": 0, "nodes": [] }, "business": null }));
}

async fn a_business_reads_its_own_trail_and_its_chain_is_whole(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (admin, [first, _]) = acts(&world, &server).await;
    let me = admin.data("{ staffViewer { id } }", json!({})).await["staffViewer"]["id"].take();
    let owner = crate::matrix::sign_in(server.client(), "signIn", "ann@example.com").await;
    let shown =
        owner.data("{ auditEvents(first: 50) { nodes { sequence action actor subject details previousHash hash } } }", json!({})).await;
    let mut events = shown["auditEvents"]["nodes"].as_array().unwrap().clone();
    events.reverse();
    let (mut previous, mut sequence) = (json!("0".repeat(64)), 0);
    for event in &events {
        sequence += 1;
        assert_eq!((&event["sequence"], &event["previousHash"]), (&json!(sequence.to_string()), &previous), "{event:#}");
        previous = event["hash"].clone();
    }
    let suspended = events.iter().find(|event| event["action"] == "business.suspended").unwrap();
    assert_eq!((&suspended["actor"], &suspended["subject"], &suspended["details"]), (&me, &json!(first), &json!({})));
}

async fn mails_that_were_given_up_are_shown_with_whose_they_are(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Support).await;
    let document = "query($id: ID) { failedMails(businessId: $id) { totalCount nodes { kind error createdAt failedAt business { id } user { email } } } }";
    assert_eq!(staff.data(document, json!({})).await["failedMails"], json!({ "totalCount": 0, "nodes": [] }));
    let mut expected = Vec::new();
    for name in ["ann", "ben"] {
        let (_, business) = register(&server, name).await;
        world.run_due_jobs().await;
        let scope = TenantScope::proved(BusinessId::parse(&business).unwrap());
        world.emit(scope, vec![changed_to(&subscription(), "A")]).await;
        let created = world.ports.now();
        world.advance(SignedDuration::from_secs(1));
        World::worker(&world.mailing(MoodyMailer::new([false]))).run_due_jobs().await.unwrap();
        let failed = json!({
            "kind": "subscription.plan_changed", "error": "no  thanks", "createdAt": created.to_string(), "failedAt": world.ports.now().to_string(),
            "business": { "id": business }, "user": { "email": format!("{name}@example.com") },
        });
        expected.insert(0, (business, failed));
    }
    let shown = staff.data(document, json!({})).await["failedMails"].take();
    assert_eq!(shown["nodes"].as_array().unwrap().len(), 2, "{shown:#}");
    for (node, (_, failed)) in shown["nodes"].as_array().unwrap().iter().zip(&expected) {
        let mut node = node.clone();
        // When the event was delivered, which made it a mail.
        node["createdAt"] = failed["createdAt"].clone();
        assert_eq!(&node, failed);
    }
    for (business, failed) in &expected {
        let mine = staff.data(document, json!({ "id": business })).await["failedMails"].take();
        assert_eq!((&mine["totalCount"], &mine["nodes"][0]["user"]), (&json!(1), &failed["user"]));
    }
}
