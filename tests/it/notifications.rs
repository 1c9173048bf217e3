//! Notifications as their readers meet them at the API.

use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_catalog::Statements;
use crate::world_lives::{Life, register};
use crate::world_mail::changed_to;

const NOW: &str = "2027-01-31T09:00:00Z";
const LIST: &str = "query($unread: Boolean!) { notifications(unreadOnly: $unread, first: 100) {
  totalCount nodes { id kind title body readAt subject { __typename id } }
} }";
const PREFERENCES: &str = "{ notificationPreferences { kind channel enabled mandatory } }";

both!(
    a_business_is_told_what_happened_and_can_open_what_it_is_about,
    notifications_are_marked_as_read_one_by_one_or_all_and_nobody_elses,
    what_is_switched_off_does_not_come_and_what_is_mandatory_cannot_be,
    what_notifications_are_about_takes_the_same_statements_for_one_and_for_fifty,
);

async fn list(client: &Client, unread: bool) -> Vec<Value> {
    let data = client.data(LIST, json!({ "unread": unread })).await;
    let nodes = data["notifications"]["nodes"].as_array().unwrap().clone();
    assert_eq!(data["notifications"]["totalCount"], nodes.len());
    nodes
}

async fn a_business_is_told_what_happened_and_can_open_what_it_is_about(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let life = Life::lived(&world, &server, "ann").await;
    world.run_due_jobs().await;
    let all = list(&life.client, false).await;
    let of = |kind: &str| all.iter().filter(|one| one["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("business.registered")[0]["title"], "Welcome to Evolve, ann");
    assert_eq!(of("business.registered")[0]["subject"], json!({ "__typename": "Business", "id": life.business }));
    assert_eq!((of("subscription.created").len(), of("invoice.issued").len(), of("invoice.paid").len()), (2, 2, 1));
    let failed = of("payment.failed");
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["subject"], json!({ "__typename": "Invoice", "id": life.open_invoice }));
    assert!(failed[0]["title"].as_str().unwrap().starts_with("A payment for invoice INV-2027-"), "{}", failed[0]);
    assert_eq!(all.len(), 7, "{all:#?}");
    // As a thing with an id of its own.
    let node =
        life.client.data("query($id: ID!) { node(id: $id) { ... on Notification { kind } } }", json!({ "id": failed[0]["id"] })).await;
    assert_eq!(node["node"], json!({ "kind": "payment.failed" }));
}

async fn mark(client: &Client, input: Value) -> Value {
    let document =
        "mutation($input: MarkNotificationsReadInput!) { markNotificationsRead(input: $input) { unreadCount userErrors { code field } } }";
    client.data(document, json!({ "input": input })).await["markNotificationsRead"].take()
}

async fn notifications_are_marked_as_read_one_by_one_or_all_and_nobody_elses(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let (ben, _) = register(&server, "ben").await;
    let scope = evolve_business::store::TenantScope::proved(evolve_business::ids::BusinessId::parse(&business).unwrap());
    let subscription = crate::world_mail::subscription();
    world.emit(scope, vec![changed_to(&subscription, "A"), changed_to(&subscription, "B")]).await;
    world.run_due_jobs().await;
    let all = list(&ann, true).await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[0]["subject"], Value::Null, "there is no such subscription");
    let foreign = list(&ben, true).await[0]["id"].clone();
    let id = all[0]["id"].clone();

    let refused = |code: &str, count: i32| json!({ "unreadCount": count, "userErrors": [{ "code": code, "field": ["input", "ids"] }] });
    assert_eq!(mark(&ann, json!({ "ids": [id, foreign] })).await, refused("NOT_FOUND", 3));
    assert_eq!(mark(&ann, json!({ "ids": ["ntf_nonsense"] })).await, refused("NOT_FOUND", 3));
    assert_eq!(mark(&ann, json!({ "ids": [id], "all": true })).await, refused("INVALID", 3));
    assert_eq!(mark(&ann, json!({})).await, refused("REQUIRED", 3));
    assert_eq!(mark(&ann, json!({ "ids": vec![id.clone(); 101] })).await, refused("TOO_LARGE", 3));
    assert_eq!(mark(&ann, json!({ "ids": [id, id] })).await, json!({ "unreadCount": 2, "userErrors": [] }));
    assert_eq!(list(&ann, true).await.len(), 2);
    assert!(list(&ann, false).await[0]["readAt"].is_string());
    assert_eq!(mark(&ann, json!({ "all": true })).await, json!({ "unreadCount": 0, "userErrors": [] }));
    assert_eq!(list(&ben, true).await.len(), 1);
}

async fn what_is_switched_off_does_not_come_and_what_is_mandatory_cannot_be(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    world.run_due_jobs().await;
    let before = ann.data(PREFERENCES, json!({})).await["notificationPreferences"].take();
    // Nineteen kinds in the application, seventeen of them by mail too.
    assert_eq!(before.as_array().unwrap().len(), 19 + 17);
    assert!(before.as_array().unwrap().iter().all(|one| one["enabled"] == true), "{before:#}");
    let set = async |kind: &str, channel: &str, enabled: bool| {
        let document = "mutation($input: SetNotificationPreferenceInput!) { setNotificationPreference(input: $input) { preferences { kind channel enabled } userErrors { code field } } }";
        let input = json!({ "kind": kind, "channel": channel, "enabled": enabled });
        ann.data(document, json!({ "input": input })).await["setNotificationPreference"].take()
    };
    let refusal = |answer: Value| answer["userErrors"][0].clone();
    assert_eq!(refusal(set("payment.failed", "EMAIL", false).await), json!({ "code": "NOT_ALLOWED", "field": ["input", "enabled"] }));
    for (kind, channel) in [("no.such", "EMAIL"), ("invoice.paid", "EMAIL"), ("", "IN_APP")] {
        assert_eq!(refusal(set(kind, channel, false).await), json!({ "code": "NOT_FOUND", "field": ["input", "kind"] }), "{kind}");
    }
    for (enabled, told) in [(false, 1), (true, 2)] {
        for channel in ["EMAIL", "IN_APP"] {
            let answer = set("subscription.plan_changed", channel, enabled).await;
            let now = json!({ "kind": "subscription.plan_changed", "channel": channel, "enabled": enabled });
            assert!(answer["preferences"].as_array().unwrap().contains(&now), "{answer:#}");
        }
        let scope = evolve_business::store::TenantScope::proved(evolve_business::ids::BusinessId::parse(&business).unwrap());
        world.emit(scope, vec![changed_to(&crate::world_mail::subscription(), "A")]).await;
        world.run_due_jobs().await;
        assert_eq!((list(&ann, false).await.len(), world.mails().len()), (told, told));
    }
}

async fn what_notifications_are_about_takes_the_same_statements_for_one_and_for_fifty(db: TestDatabase) {
    let statements = Statements::default();
    let world = World::with(db, NOW, |options| options.observer = Some(statements.observer())).await;
    let server = Server::start(&world).await;
    let life = Life::lived(&world, &server, "ann").await;
    let scope = evolve_business::store::TenantScope::proved(evolve_business::ids::BusinessId::parse(&life.business).unwrap());
    world.run_due_jobs().await;
    let count = async |first: usize| {
        statements.clear();
        let document = "query($first: Int!) { notifications(first: $first) { nodes { id subject { id ... on Subscription { status } ... on Invoice { number } } } } }";
        let data = life.client.data(document, json!({ "first": first })).await;
        (data["notifications"]["nodes"].as_array().unwrap().len(), statements.texts())
    };
    let (shown, few) = count(7).await;
    assert_eq!(shown, 7);
    world.emit(scope, (0..50).map(|number| changed_to(&life.subscription, &format!("P{number}"))).collect()).await;
    world.run_due_jobs().await;
    let (shown, many) = count(57).await;
    assert_eq!((shown, many.len()), (57, few.len()), "{}\n\n{}", few.join("\n"), many.join("\n"));
}
