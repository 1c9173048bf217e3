//! Plans by hand: made, priced anew, taken off sale.

use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::{add_method, register};
use crate::world_staff::{code, text};

both!(
    a_plan_that_was_made_is_on_sale_and_a_new_price_binds_new_subscriptions_alone,
    an_archived_plan_is_sold_no_longer_and_kept_by_those_who_have_it,
    what_the_catalogues_rules_refuse_is_refused_with_its_field,
    plans_take_the_same_statements_however_many_there_are,
);

const PLAN: &str = "plan { id createdAt liveSubscriptions priceHistory { interval amount { amount currency } taxBehavior since }
  plan { id code name description archived trialDays maxUsers storageLimit price(currency: \"KES\") { amount } features { key name kind enabled included unit overage { model tiers { unitPrice } } } } }";

fn huge() -> Value {
    json!({
        "product": "erp", "code": "huge", "name": "Huge", "description": "All of it", "trialDays": 0, "maxUsers": 500, "storageLimit": "107374182400",
        "prices": [{ "interval": "MONTHLY", "amount": { "amount": "90000", "currency": "KES" }, "taxBehavior": "EXCLUSIVE" }],
        "features": [
            { "key": "night.shift", "kind": "SWITCH" },
            { "key": "night.calls", "kind": "METERED", "included": "100", "unit": "call",
              "overage": [{ "model": "PER_UNIT", "currency": "KES", "tiers": [{ "unitPrice": "0.125" }] }] },
        ],
    })
}

fn price(amount: &str, currency: &str) -> Value {
    json!({ "interval": "MONTHLY", "amount": { "amount": amount, "currency": currency }, "taxBehavior": "EXCLUSIVE" })
}

async fn world(db: TestDatabase) -> (World, Server, Client) {
    let world = World::at(db, "2027-01-10T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    (world, server, staff)
}

/// Subscribes without a trial; answers the first error's code, or the price.
async fn subscribe(world: &World, client: &Client, plan: &str, method: &str) -> Value {
    let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": plan });
    let payload = world.working(client.payload("subscribe", input, "subscription { id price { amount } }")).await;
    payload["userErrors"].get(0).map_or_else(|| payload["subscription"]["price"]["amount"].clone(), |error| error["code"].clone())
}

async fn a_plan_that_was_made_is_on_sale_and_a_new_price_binds_new_subscriptions_alone(db: TestDatabase) {
    let (world, server, staff) = world(db).await;
    let made = staff.mutate("createPlan", huge(), PLAN).await["plan"].take();
    let plan = text(&made["id"]);
    assert_eq!(
        (&made["plan"]["id"], &made["createdAt"], &made["liveSubscriptions"]),
        (&made["id"], &json!("2027-01-10T09:00:00Z"), &json!(0))
    );
    assert_eq!(made["plan"]["description"], "All of it");
    assert_eq!((&made["plan"]["maxUsers"], &made["plan"]["storageLimit"]), (&json!(500), &json!("107374182400")));
    let features = json!([
        { "key": "night.shift", "name": "night.shift", "kind": "SWITCH", "enabled": true, "included": null, "unit": null, "overage": null },
        { "key": "night.calls", "name": "night.calls", "kind": "METERED", "enabled": true, "included": "100", "unit": "call", "overage": null },
        // `maxUsers` and `storageLimit`.
        { "key": "users", "name": "Users", "kind": "LIMIT", "enabled": true, "included": "500", "unit": "user", "overage": null },
        { "key": "storage_bytes", "name": "Storage", "kind": "LIMIT", "enabled": true, "included": "107374182400", "unit": "byte", "overage": null },
    ]);
    // Overage is priced in the caller's currency; the platform's, for staff, in which this plan is not sold.
    let mut shown = made["plan"]["features"].clone();
    shown[1]["overage"] = Value::Null;
    assert_eq!(shown, features);

    let (ann, _) = register(&server, "ann").await;
    let method = add_method(&ann, "SUCCEEDS").await;
    assert_eq!(subscribe(&world, &ann, &plan, &method).await, "90000.00");

    world.advance(SignedDuration::from_secs(60));
    let dearer = staff.mutate("setPlanPrice", json!({ "planId": plan, "price": price("95000.00", "KES") }), PLAN).await["plan"].take();
    let entry = |amount: &str, since: &str| json!({ "interval": "MONTHLY", "amount": { "amount": amount, "currency": "KES" }, "taxBehavior": "EXCLUSIVE", "since": since });
    let history = json!([entry("90000.00", "2027-01-10T09:00:00Z"), entry("95000.00", "2027-01-10T09:01:00Z")]);
    assert_eq!((&dearer["priceHistory"], &dearer["liveSubscriptions"]), (&history, &json!(1)));
    assert_eq!(dearer["plan"]["features"], made["plan"]["features"], "what a price does not touch stays");
    let (ben, _) = register(&server, "ben").await;
    let method = add_method(&ben, "SUCCEEDS").await;
    assert_eq!(subscribe(&world, &ben, &plan, &method).await, "95000.00");
    let kept = ann.data("{ subscription { price { amount } upcomingInvoice { subtotal { amount } } } }", json!({})).await;
    assert_eq!(
        kept["subscription"],
        json!({ "price": { "amount": "90000.00" }, "upcomingInvoice": { "subtotal": { "amount": "90000.00" } } })
    );

    let member = text(&staff.data("{ staffViewer { id } }", json!({})).await["staffViewer"]["id"]);
    let acts = world
        .read_texts(
            "select action || ' ' || actor || ' ' || subject from platform_audit_events where action like 'plan.%' order by sequence",
        )
        .await;
    assert_eq!(acts, [format!("plan.created {member} {plan}"), format!("plan.priced {member} {plan}")]);
}

async fn an_archived_plan_is_sold_no_longer_and_kept_by_those_who_have_it(db: TestDatabase) {
    let (world, server, staff) = world(db).await;
    let plan = text(&staff.mutate("createPlan", huge(), PLAN).await["plan"]["id"]);
    let (ann, _) = register(&server, "ann").await;
    let method = add_method(&ann, "SUCCEEDS").await;
    assert_eq!(subscribe(&world, &ann, &plan, &method).await, "90000.00");
    let count = "{ plans { id } everything: plans(includeArchived: true) { id } }";
    let before = staff.data(count, json!({})).await;
    let archived = staff.mutate("archivePlan", json!({ "planId": plan }), PLAN).await["plan"].take();
    assert_eq!((&archived["plan"]["archived"], &archived["liveSubscriptions"]), (&json!(true), &json!(1)));
    let after = staff.data(count, json!({})).await;
    let length = |data: &Value, list: &str| data[list].as_array().unwrap().len();
    assert_eq!(length(&after, "plans") + 1, length(&before, "plans"));
    assert_eq!(length(&after, "everything"), length(&before, "everything"));
    for (field, input) in
        [("archivePlan", json!({ "planId": plan })), ("setPlanPrice", json!({ "planId": plan, "price": price("1.00", "KES") }))]
    {
        let refused = staff.payload(field, input, PLAN).await;
        assert_eq!((&refused["plan"], &refused["userErrors"][0]["code"]), (&Value::Null, &json!("INVALID_TRANSITION")), "{field}");
    }
    let (ben, _) = register(&server, "ben").await;
    let method = add_method(&ben, "SUCCEEDS").await;
    assert_eq!(subscribe(&world, &ben, &plan, &method).await, "PLAN_NOT_AVAILABLE");
    assert_eq!(ann.data("{ subscription { status } }", json!({})).await["subscription"]["status"], "ACTIVE");
    let node = staff.data("query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": plan })).await;
    assert_eq!(node["node"], json!({ "__typename": "StaffPlan", "id": plan }));
}

async fn what_the_catalogues_rules_refuse_is_refused_with_its_field(db: TestDatabase) {
    let (world, server, staff) = world(db).await;
    let with = |path: &str, value: Value| {
        let mut input = huge();
        *input.pointer_mut(path).unwrap() = value;
        input
    };
    let kept = world.read_texts("select code from plans order by code").await;
    for (input, field, refused) in [
        (with("/product", json!("nothing")), "product", "NOT_FOUND"),
        (with("/product", json!("\u{0}")), "product", "NOT_FOUND"),
        (with("/code", json!("Not a code")), "code", "INVALID"),
        (with("/code", json!("starter")), "code", "TAKEN"),
        (with("/name", json!("a\u{0}")), "name", "INVALID"),
        (with("/description", json!(" ")), "description", "INVALID"),
        (with("/prices", json!([])), "prices", "INVALID"),
        (with("/prices/0/amount/amount", json!("-1")), "prices", "INVALID"),
        (with("/trialDays", json!(-1)), "trialDays", "INVALID"),
        (with("/maxUsers", json!(0)), "maxUsers", "INVALID"),
        (with("/features/1/overage/0/currency", json!("UGX")), "features", "INVALID"),
    ] {
        let payload = staff.payload("createPlan", input.clone(), PLAN).await;
        let error = &payload["userErrors"][0];
        assert_eq!(
            (&error["code"], &error["field"], &payload["plan"]),
            (&json!(refused), &json!(["input", field]), &Value::Null),
            "{input}"
        );
    }
    assert_eq!(world.read_texts("select code from plans order by code").await, kept);

    let plan = text(&staff.mutate("createPlan", huge(), PLAN).await["plan"]["id"]);
    // A key means the same in all plans of a product.
    let mut other = with("/code", json!("huger"));
    other["features"][1]["unit"] = json!("minute");
    let payload = staff.payload("createPlan", other, PLAN).await;
    assert_eq!((&payload["userErrors"][0]["code"], &payload["userErrors"][0]["field"]), (&json!("INVALID"), &json!(["input", "features"])));
    for (id, price, field, refused) in [
        (plan.as_str(), price("90000.00", "KES"), "price", "NO_CHANGE"),
        (&plan, price("1.005", "KES"), "price", "INVALID"),
        (&plan, price("-0.01", "KES"), "price", "INVALID"),
        // Calls past the hundredth have no price in it.
        (&plan, price("10.00", "USD"), "price", "INVALID"),
        ("pln_x", price("10.00", "KES"), "planId", "NOT_FOUND"),
        ("pln_01h455vb4pex5vsknk084sn02q", price("10.00", "KES"), "planId", "NOT_FOUND"),
    ] {
        let payload = staff.payload("setPlanPrice", json!({ "planId": id, "price": price }), PLAN).await;
        let error = &payload["userErrors"][0];
        assert_eq!((&error["code"], &error["field"]), (&json!(refused), &json!(["input", field])), "{id}: {payload:#}");
    }
    let support = world.staff(&server, StaffRole::Support).await;
    let answer = support.ask("mutation($i: CreatePlanInput!) { createPlan(input: $i) { plan { id } } }", json!({ "i": huge() })).await;
    assert_eq!(code(&answer), "FORBIDDEN");
}

async fn plans_take_the_same_statements_however_many_there_are(db: TestDatabase) {
    let statements = crate::world_catalog::Statements::default();
    let world = World::with(db, "2027-01-10T09:00:00Z", |options| options.observer = Some(statements.observer())).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let document = "{ plans { id liveSubscriptions createdAt priceHistory { since amount { amount } } plan { name product { code } prices { interval } features { key } } } }";
    statements.clear();
    let few = staff.data(document, json!({})).await["plans"].as_array().unwrap().len();
    let texts = statements.texts();
    for number in 0..30 {
        let mut input = huge();
        input["code"] = json!(format!("huge-{number}"));
        staff.mutate("createPlan", input, "plan { id }").await;
    }
    statements.clear();
    let many = staff.data(document, json!({})).await["plans"].as_array().unwrap().len();
    assert_eq!(many, few + 30);
    assert_eq!(statements.texts().len(), texts.len(), "few:\n{}\n\nmany:\n{}", texts.join("\n"), statements.texts().join("\n"));
}
