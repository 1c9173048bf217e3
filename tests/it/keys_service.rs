//! Keys of the platform's own products: made by staff, good for a few fields about the business that a request names.

use evolve_business::error::{Error, Failure, UserErrorCode};
use evolve_business::ids::{IdGen as _, ServiceKeyId, SystemIds};
use evolve_business::security::access_key::AccessKey;
use evolve_business::services::access::{Caller, service_key_may};
use evolve_business::services::keys::{CreateServiceKey, KeySignIn, ServiceKeyService};
use evolve_business::store::TenantScope;
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::{refusals, shown};
use crate::world_keys::{make_key, program};
use crate::world_lives::register;

const NOW: &str = "2027-01-31T09:00:00Z";

both!(
    staff_make_list_and_revoke_keys_of_products,
    a_key_of_a_product_is_refused_with_what_is_wrong,
    a_key_of_a_product_acts_about_the_business_that_the_request_names,
    a_key_of_a_product_may_ask_for_nothing_else_and_nothing_of_such_a_request_runs,
    the_header_that_names_a_business_means_nothing_to_others,
);

fn wanted(name: &str, product: &str, expires_at: Option<&str>) -> CreateServiceKey {
    let expires_at = expires_at.map(|at| at.parse().unwrap());
    CreateServiceKey { name: name.to_owned(), product: product.to_owned(), expires_at }
}

async fn staff_make_list_and_revoke_keys_of_products(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let admin = world.staff(&server, StaffRole::Admin).await;
    let make = async |name: &str, product: &str, expires_at: Option<&str>| {
        let input = json!({ "name": name, "product": product, "expiresAt": expires_at });
        admin
            .mutate("createServiceKey", input, "serviceKey { id name prefix product { code } createdAt expiresAt lastUsedAt } secret")
            .await
    };
    let list = async || admin.data("{ serviceKeys { id } }", json!({})).await["serviceKeys"].take();
    let first = make("ERP backend", "erp", None).await;
    world.advance(SignedDuration::from_secs(1));
    let second = make("Payroll", "payroll", Some("2027-01-31T09:10:00Z")).await;
    let text = first["secret"].as_str().unwrap();
    assert!(text.starts_with("svc_test_") && text.len() == 56);
    let (first, second) = (&first["serviceKey"], &second["serviceKey"]);
    assert_eq!((&first["name"], &first["prefix"]), (&json!("ERP backend"), &json!(text[..15])));
    assert_eq!((&first["product"]["code"], &first["expiresAt"], &first["lastUsedAt"]), (&json!("erp"), &Value::Null, &Value::Null));
    assert_eq!((&first["createdAt"], &second["expiresAt"]), (&json!(NOW), &json!("2027-01-31T09:10:00Z")));
    assert_eq!(list().await, json!([{ "id": second["id"] }, { "id": first["id"] }]), "the newest first");
    let shown = "query($id: ID!) { node(id: $id) { ... on ServiceKey { name product { code } } } }";
    let found = admin.data(shown, json!({ "id": first["id"] })).await;
    assert_eq!(found["node"], json!({ "name": "ERP backend", "product": { "code": "erp" } }));

    let revoke = async |id: &Value| admin.payload("revokeServiceKey", json!({ "serviceKeyId": id }), "revokedId").await;
    assert_eq!(revoke(&first["id"]).await["revokedId"], first["id"]);
    let unknown = json!(ServiceKeyId::from(SystemIds.next_uuid()).to_string());
    for gone in [&first["id"], &unknown, &json!("skey_x")] {
        let refused = revoke(gone).await;
        assert_eq!((&refused["revokedId"], &refused["userErrors"][0]["code"]), (&Value::Null, &json!("NOT_FOUND")), "{refused:#}");
    }
    assert_eq!(admin.data(shown, json!({ "id": first["id"] })).await["node"], Value::Null);
    assert_eq!(list().await, json!([{ "id": second["id"] }]));
    world.advance(SignedDuration::from_mins(10));
    assert_eq!(list().await, json!([]), "the other has run out");
    assert_eq!(revoke(&second["id"]).await["userErrors"][0]["code"], "NOT_FOUND");
    // Both acts are written down, with who did them and without the key.
    let acts = admin.data("{ auditEvents { nodes { action actor subject details } } staffViewer { id } }", json!({})).await;
    let (mine, acts) = (&acts["staffViewer"]["id"], acts["auditEvents"]["nodes"].as_array().unwrap());
    let of_first: Vec<&Value> = acts.iter().filter(|act| act["subject"] == first["id"]).collect();
    assert_eq!(
        of_first,
        [
            &json!({ "action": "service_key.revoked", "actor": mine, "subject": first["id"], "details": {} }),
            &json!({ "action": "service_key.created", "actor": mine, "subject": first["id"], "details": { "product": "erp", "prefix": text[..15] } }),
        ]
    );
}

async fn a_key_of_a_product_is_refused_with_what_is_wrong(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let service = ServiceKeyService::new(world.ports.clone());
    let ann = world.staff_caller("ann", StaffRole::Admin).await;
    let all = service.create(ann, wanted(" ", "ERP", Some(NOW))).await;
    let expected = [("name", UserErrorCode::Required), ("expiresAt", UserErrorCode::Invalid), ("product", UserErrorCode::NotFound)];
    assert_eq!(refusals(all), expected.map(|(field, code)| (field.to_owned(), code)));
    for _ in 0..20 {
        service.create(ann, wanted("One of many", "erp", None)).await.unwrap();
    }
    let one_more = service.create(ann, wanted("One more", "erp", None)).await;
    assert!(matches!(one_more, Err(Failure::Refused(errors)) if errors[0].code == UserErrorCode::LimitExceeded));
    let of_another = service.create(ann, wanted("Of another product", "payroll", None)).await.unwrap();
    for role in [StaffRole::Support, StaffRole::Finance, StaffRole::Compliance] {
        let other = world.staff_caller(role.as_str(), role).await;
        assert!(matches!(service.create(other, wanted("Mine", "payroll", None)).await, Err(Failure::Fault(Error::Forbidden))));
        assert!(matches!(service.revoke(other, Some(of_another.key.id)).await, Err(Failure::Fault(Error::Forbidden))));
    }
    assert_eq!(world.read_texts("select name from service_keys where revoked_at is null and name <> 'One of many'").await.len(), 1);
}

async fn a_key_of_a_product_acts_about_the_business_that_the_request_names(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let business = world.register("ann@example.com").await.business.business_id;
    let service = ServiceKeyService::new(world.ports.clone());
    let ann = world.staff_caller("ann", StaffRole::Admin).await;
    let made = service.create(ann, wanted("ERP backend", "erp", Some("2027-01-31T10:00:00Z"))).await.unwrap();
    assert_eq!(made.key.hash, AccessKey::parse(&shown(&made.secret)).unwrap().hash());
    let (guard, text) = (KeySignIn::new(world.ports.clone()), made.secret.expose_secret().to_owned());
    let caller = |scope| Caller::Service { key: made.key.id, product: made.key.product_id, scope };
    let named = guard.authenticate(&text, Some(business)).await.unwrap();
    assert_eq!(named, caller(Some(TenantScope::proved(business))));
    // One that is unknown is as none at all.
    for unknown in [None, Some(SystemIds.next_uuid().into())] {
        assert_eq!(guard.authenticate(&text, unknown).await.unwrap(), caller(None));
    }
    service.revoke(ann, Some(made.key.id)).await.unwrap();
    assert!(guard.authenticate(&text, Some(business)).await.is_err(), "revoked");
    let made = service.create(ann, wanted("ERP backend", "erp", Some("2027-01-31T10:00:00Z"))).await.unwrap();
    world.advance(SignedDuration::from_hours(1));
    assert!(guard.authenticate(made.secret.expose_secret(), Some(business)).await.is_err(), "run out");
}

async fn a_key_of_a_product_may_ask_for_nothing_else_and_nothing_of_such_a_request_runs(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (_, business) = register(&server, "ann").await;
    assert!(service_key_may("__typename") && !service_key_may("profile"));
    let mut product = program(&server, &world.service_key().await);
    let before = world.read_texts("select action from audit_events").await;
    let documents = [
        ("{ profile { id } }", json!(["profile"])),
        ("{ __typename shown: products { code } }", json!(["shown"])),
        ("{ __schema { queryType { name } } }", json!(["__schema"])),
        ("query { ...f ... { viewer { role } } } fragment f on Query { plans { nodes { id } } }", json!(["viewer"])),
        ("mutation { updateProfile(input: { city: \"X\" }) { userErrors { code } } }", json!(["updateProfile"])),
        ("mutation { signIn(input: { email: \"ann@example.com\", password: \"x\" }) { userErrors { code } } }", json!(["signIn"])),
    ];
    // With a business, with none, with what is no business, with one that does not exist: the same bytes.
    let nobody = evolve_business::ids::BusinessId::from(SystemIds.next_uuid()).to_string();
    for (document, path) in documents {
        let mut answers = Vec::new();
        for about in [Some(business.clone()), None, Some("biz_x".to_owned()), Some(nobody.clone()), Some(String::new())] {
            product.about = about;
            answers.push(product.raw(document, &json!({})).await);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
        let answer: Value = serde_json::from_str(&answers[0].1).unwrap();
        assert_eq!((answers[0].0, &answer["data"]), (200, &Value::Null), "{document}: {answer}");
        let errors = answer["errors"].as_array().unwrap();
        assert!(errors.iter().all(|error| error["extensions"]["code"] == "FORBIDDEN"), "{document}: {answer}");
        assert!(errors.iter().any(|error| error["path"] == path), "{document}: {answer}");
    }
    assert_eq!(product.data("{ __typename }", json!({})).await, json!({ "__typename": "Query" }));
    assert_eq!(world.read_texts("select action from audit_events").await, before);
}

async fn the_header_that_names_a_business_means_nothing_to_others(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (mut ann, own) = register(&server, "ann").await;
    let (ben, other) = register(&server, "ben").await;
    let mut with_key = program(&server, &make_key(&ann, &["READ"]).await.1);
    let mut nobody = server.client();
    for about in [None, Some(other.clone()), Some("biz_x".to_owned())] {
        (ann.about, with_key.about, nobody.about) = (about.clone(), about.clone(), about.clone());
        for client in [&ann, &with_key] {
            let seen = client
                .data("query($id: ID!) { profile { id } viewer { business { id } } node(id: $id) { id } }", json!({ "id": other }))
                .await;
            assert_eq!(seen, json!({ "profile": { "id": own }, "viewer": { "business": { "id": own } }, "node": null }), "{about:?}");
        }
        let answer = nobody.ask("{ profile { id } }", json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{about:?}");
    }
    ann.about = Some(other);
    ann.mutate("updateProfile", json!({ "city": "Mombasa" }), "business { id city }").await;
    assert_eq!(ben.data("{ profile { city } }", json!({})).await["profile"]["city"], Value::Null);
}
