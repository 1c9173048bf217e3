//! Coupons as staff make them and as customers see them, over the API.

use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::{add_method, register};
use crate::world_staff::{code, text};

both!(
    a_coupon_that_staff_made_is_seen_by_them_and_used_by_a_customer,
    what_is_no_coupon_is_refused_with_its_field,
    coupons_take_the_same_statements_however_many_there_are,
);

const COUPON: &str =
    "coupon { id code percentOff amountOff { amount currency } periods maxRedemptions redemptions expiresAt plans { code } }";

async fn a_coupon_that_staff_made_is_seen_by_them_and_used_by_a_customer(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let basic = world.plan("books", "basic").await.to_string();
    let tenner = json!({
        "code": "Tenner", "value": { "amountOff": { "amount": "10.00", "currency": "KES" } }, "periods": 2, "maxRedemptions": 7,
        "expiresAt": "2027-06-02T06:00:00Z", "planIds": [basic, basic],
    });
    let made = staff.mutate("createCoupon", tenner, COUPON).await["coupon"].take();
    let id = made["id"].clone();
    assert!(text(&id).starts_with("cpn_"), "{made:#}");
    let expected = json!({
        "id": id, "code": "Tenner", "percentOff": null, "amountOff": { "amount": "10.00", "currency": "KES" }, "periods": 2,
        "maxRedemptions": 7, "redemptions": 0, "expiresAt": "2027-06-02T06:00:00Z", "plans": [{ "code": "basic" }],
    });
    assert_eq!(made, expected);
    let half = staff.mutate("createCoupon", json!({ "code": "half_2", "value": { "percentOff": "12.50" } }), COUPON).await["coupon"].take();
    let plain = json!({
        "id": half["id"], "code": "half_2", "percentOff": "12.5", "amountOff": null, "periods": null, "maxRedemptions": null,
        "redemptions": 0, "expiresAt": null, "plans": [],
    });
    assert_eq!(half, plain);
    assert_eq!(world.count("platform_audit_events", "action = 'coupon.created' and actor like 'stf_%'").await, 2);

    let (customer, _) = register(&server, "ann").await;
    add_method(&customer, "SUCCEEDS").await;
    let offer = json!({ "planId": basic, "interval": "MONTHLY", "coupon": "tenner" });
    let document = "query($i: SubscribePreviewInput!) { subscribePreview(input: $i) { preview { subtotal { amount } discount { amount } total { amount } lines { amount { amount } discount { amount } } } userErrors { code } } }";
    let shown = customer.data(document, json!({ "i": offer })).await["subscribePreview"]["preview"].take();
    // 30.00 − 10.00 = 20.00, tax 3.20.
    let money = |amount: &str| json!({ "amount": amount });
    let figures = json!({
        "subtotal": money("30.00"), "discount": money("10.00"), "total": money("23.20"),
        "lines": [{ "amount": money("30.00"), "discount": money("10.00") }],
    });
    assert_eq!(shown, figures);
    let worker = world.background_worker();
    let order = json!({ "planId": basic, "interval": "MONTHLY", "coupon": "tenner", "idempotencyKey": "one" });
    let selection = "subscription { discount { coupon percentOff amountOff { amount currency } remainingPeriods } } invoice { status subtotal { amount } discount { amount } total { amount } lines { amount { amount } discount { amount } } }";
    let bought = customer.mutate("subscribe", order, selection).await;
    worker.stop().await;
    let left = |remaining: i32| json!({ "coupon": "Tenner", "percentOff": null, "amountOff": { "amount": "10.00", "currency": "KES" }, "remainingPeriods": remaining });
    assert_eq!(bought["subscription"]["discount"], left(1));
    let mut billed = figures;
    billed["status"] = json!("PAID");
    assert_eq!(bought["invoice"], billed);
    let discount = "{ subscription { discount { coupon percentOff amountOff { amount currency } remainingPeriods } } }";
    // Each period shows what is in force for it or to come; after the second there is nothing left of it.
    for (now, expected) in [("2027-06-30T21:00:00Z", left(0)), ("2027-07-31T21:00:00Z", Value::Null)] {
        world.run_at(now).await;
        let client = crate::matrix::sign_in(server.client(), "signIn", "ann@example.com").await;
        assert_eq!(client.data(discount, json!({})).await["subscription"]["discount"], expected, "{now}");
    }
    let staff = crate::world_staff::signed_in(&server, "finance@staff.example").await;
    let listed = staff.data("{ coupons { code } all: coupons(includeExpired: true) { code redemptions } }", json!({})).await;
    assert_eq!(listed["coupons"], json!([{ "code": "half_2" }]));
    assert_eq!(listed["all"], json!([{ "code": "half_2", "redemptions": 0 }, { "code": "Tenner", "redemptions": 1 }]));
    let found = staff.data("query($id: ID!) { node(id: $id) { ... on Coupon { code redemptions } } }", json!({ "id": id })).await;
    assert_eq!(found["node"], json!({ "code": "Tenner", "redemptions": 1 }));
}

async fn what_is_no_coupon_is_refused_with_its_field(db: TestDatabase) {
    let world = World::shop_at(db, "2027-06-01T06:00:00Z").await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut input = json!({ "code": "NEW", "value": { "percentOff": "10" } });
        change(&mut input);
        input
    };
    staff.mutate("createCoupon", json!({ "code": "Taken-1", "value": { "percentOff": "100" } }), COUPON).await;
    let percent = |text: &str| with(&|input| input["value"] = json!({ "percentOff": text }));
    let money =
        |amount: &str, currency: &str| with(&|input| input["value"] = json!({ "amountOff": { "amount": amount, "currency": currency } }));
    let code_of = |code: &str| with(&|input| input["code"] = json!(code));
    let set = |field: &str, value: Value| with(&|input| input[field] = value.clone());
    let cases = [
        (code_of("tAKEN-1"), json!(["input", "code"]), "TAKEN"),
        (code_of(""), json!(["input", "code"]), "INVALID"),
        (code_of("A B"), json!(["input", "code"]), "INVALID"),
        (code_of("Ä"), json!(["input", "code"]), "INVALID"),
        (code_of(&"X".repeat(41)), json!(["input", "code"]), "INVALID"),
        (percent("0"), json!(["input", "value", "percentOff"]), "INVALID"),
        (percent("-1"), json!(["input", "value", "percentOff"]), "INVALID"),
        (percent("100.0001"), json!(["input", "value", "percentOff"]), "INVALID"),
        (percent("33.33333"), json!(["input", "value", "percentOff"]), "INVALID"),
        (money("0.00", "KES"), json!(["input", "value", "amountOff"]), "INVALID"),
        (money("-5.00", "KES"), json!(["input", "value", "amountOff"]), "INVALID"),
        (money("1.005", "KES"), json!(["input", "value", "amountOff"]), "INVALID"),
        (money("1.5", "UGX"), json!(["input", "value", "amountOff"]), "INVALID"),
        (set("periods", json!(0)), json!(["input", "periods"]), "INVALID"),
        (set("maxRedemptions", json!(0)), json!(["input", "maxRedemptions"]), "INVALID"),
        (set("expiresAt", json!("2027-06-01T06:00:00Z")), json!(["input", "expiresAt"]), "INVALID"),
        (set("planIds", json!(["pln_x"])), json!(["input", "planIds"]), "NOT_FOUND"),
        (set("planIds", json!(["pln_01h455vb4pex5vsknk084sn02q"])), json!(["input", "planIds"]), "NOT_FOUND"),
        (set("planIds", json!(vec!["pln_x"; 101])), json!(["input", "planIds"]), "TOO_LARGE"),
    ];
    for (input, field, refused) in cases {
        let payload = staff.payload("createCoupon", input.clone(), COUPON).await;
        assert_eq!((&payload["coupon"], payload["userErrors"].as_array().map(Vec::len)), (&Value::Null, Some(1)), "{input}: {payload:#}");
        assert_eq!(
            (&payload["userErrors"][0]["code"], &payload["userErrors"][0]["field"]),
            (&json!(refused), &field),
            "{input}: {payload:#}"
        );
    }
    // All at once.
    let wrong = json!({ "code": "", "value": { "percentOff": "101" }, "periods": -1, "planIds": ["pln_x"] });
    assert_eq!(staff.payload("createCoupon", wrong, COUPON).await["userErrors"].as_array().map(Vec::len), Some(4));
    // The most and the least that are taken.
    for (code, value) in
        [("X", json!({ "percentOff": "0.0001" })), (&"Y".repeat(40), json!({ "amountOff": { "amount": "1", "currency": "UGX" } }))]
    {
        staff.mutate("createCoupon", json!({ "code": code, "value": value, "periods": 1, "maxRedemptions": 1 }), COUPON).await;
    }
    assert_eq!(world.count("coupons", "true").await, 3);
    let mutation = "mutation($i: CreateCouponInput!) { createCoupon(input: $i) { coupon { id } } }";
    for role in [StaffRole::Support, StaffRole::Compliance] {
        let other = world.staff(&server, role).await;
        assert_eq!(code(&other.ask(mutation, json!({ "i": code_of("NEW") })).await), "FORBIDDEN");
    }
    for value in [json!({}), json!({ "percentOff": "1", "amountOff": { "amount": "1", "currency": "KES" } }), json!({ "percentOff": null })]
    {
        let answer = staff.ask(mutation, json!({ "i": { "code": "NEW", "value": value } })).await;
        assert_eq!(code(&answer), "BAD_USER_INPUT", "{answer:#}");
    }
}

async fn coupons_take_the_same_statements_however_many_there_are(db: TestDatabase) {
    let statements = crate::world_catalog::Statements::default();
    let world = World::with(db, "2027-01-10T09:00:00Z", |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let plan = world.plan("erp", "starter").await.to_string();
    let document = "{ coupons { id code redemptions plans { name prices { interval } features { key } } } }";
    let create = async |number: usize| {
        let input = json!({ "code": format!("C{number}"), "value": { "percentOff": "5" }, "planIds": [plan] });
        staff.mutate("createCoupon", input, "coupon { id }").await;
    };
    create(0).await;
    statements.clear();
    staff.data(document, json!({})).await;
    let texts = statements.texts();
    for number in 1..30 {
        create(number).await;
    }
    statements.clear();
    assert_eq!(staff.data(document, json!({})).await["coupons"].as_array().unwrap().len(), 30);
    assert_eq!(statements.texts().len(), texts.len(), "one:\n{}\n\nmany:\n{}", texts.join("\n"), statements.texts().join("\n"));
}
