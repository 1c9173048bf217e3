//! What customers come for, over the real API: a business's whole life, its payments, its people, its lists.

use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::Role;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::statements::sign_in_again;
use crate::world::World;
use crate::world_lives::{Life, add_method, plans, register};

both!(
    a_business_lives_its_whole_life_over_the_api,
    payments_that_fail_wait_or_are_lost_are_seen_as_they_stand,
    a_request_sent_again_answers_the_same_and_says_so,
    everything_is_found_by_its_id,
    pages_stay_where_they_are_while_rows_are_added,
    a_role_sees_and_does_what_is_its_own,
);

/// All amounts of an invoice or of a preview of one.
const AMOUNTS: &str = "subtotal { amount } tax { amount } total { amount } creditApplied { amount } amountDue { amount }";

/// The amounts in the order of [`AMOUNTS`].
fn amounts(of: &Value) -> [&str; 5] {
    ["subtotal", "tax", "total", "creditApplied", "amountDue"].map(|name| of[name]["amount"].as_str().unwrap_or("none"))
}

/// A line's kind and amount.
fn lines(of: &Value) -> Vec<(&str, &str)> {
    let lines = of["lines"].as_array().unwrap().iter();
    lines.map(|line| (line["kind"].as_str().unwrap(), line["amount"]["amount"].as_str().unwrap())).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// A mutation that refuses nothing, while a worker runs.
async fn act(world: &World, client: &Client, field: &str, input: Value, selection: &str) -> Value {
    world.working(client.mutate(field, input, selection)).await
}

/// Moves the clock, runs what is due then, and signs in again, since no token lives that long.
async fn come_back_at(world: &World, client: &mut Client, name: &str, now: &str) {
    world.run_at(now).await;
    sign_in_again(client, name).await;
}

/// Begins in June, which has 30 days, as does September. The ERP costs 4,500.00 a month as Starter and 12,000.00 as
/// Growth, Payroll Business 7,500.00; Kenya's tax is 16 % on top.
async fn a_business_lives_its_whole_life_over_the_api(db: TestDatabase) {
    let world = World::at(db, "2027-06-01T06:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (mut client, business) = register(&server, "ann").await;
    let viewer = client.data("{ viewer { role user { email } business { id currency balance { amount } } } }", json!({})).await;
    let expected = json!({
        "role": "OWNER", "user": { "email": "ann@example.com" },
        "business": { "id": business, "currency": "KES", "balance": { "amount": "0.00" } },
    });
    assert_eq!(viewer["viewer"], expected);
    let method = add_method(&client, "SUCCEEDS").await;
    let plans = plans(&client).await;
    let (starter, growth) = (plans["erp"][0].clone(), plans["erp"][1].clone());

    // 4,500.00 and 16 % of it, 720.00: what the preview shows is what is billed.
    let preview = format!(
        "query($input: SubscribePreviewInput!) {{ subscribePreview(input: $input) {{ preview {{ {AMOUNTS} lines {{ kind amount {{ amount }} }} }} previewToken userErrors {{ code }} }} }}"
    );
    let offer = json!({ "planId": starter, "interval": "MONTHLY", "trial": false });
    let shown = client.data(&preview, json!({ "input": offer })).await["subscribePreview"].take();
    assert_eq!(amounts(&shown["preview"]), ["4500.00", "720.00", "5220.00", "0.00", "5220.00"]);
    assert_eq!(
        client.data("{ subscription { id } invoices { nodes { id } } }", json!({})).await,
        json!({ "subscription": null, "invoices": { "nodes": [] } })
    );
    let mut order = offer.clone();
    order["previewToken"] = shown["previewToken"].clone();
    order["idempotencyKey"] = json!("begin");
    let selection = format!(
        "subscription {{ id status currentPeriod {{ start end }} }} payment {{ status amount {{ amount }} method {{ id }} }} invoice {{ number status {AMOUNTS} amountPaid {{ amount }} lines {{ kind amount {{ amount }} }} taxes {{ rate taxable {{ amount }} amount {{ amount }} }} }}"
    );
    let made = act(&world, &client, "subscribe", order, &selection).await;
    assert_eq!(amounts(&made["invoice"]), ["4500.00", "720.00", "5220.00", "0.00", "0.00"]);
    assert_eq!(lines(&made["invoice"]), lines(&shown["preview"]));
    assert_eq!(lines(&made["invoice"]), [("RECURRING", "4500.00")]);
    assert_eq!(made["invoice"]["taxes"], json!([{ "rate": "0.16", "taxable": { "amount": "4500.00" }, "amount": { "amount": "720.00" } }]));
    assert_eq!((&made["invoice"]["status"], &made["invoice"]["amountPaid"]["amount"]), (&json!("PAID"), &json!("5220.00")));
    assert_eq!(made["payment"], json!({ "status": "SUCCEEDED", "amount": { "amount": "5220.00" }, "method": { "id": method } }));
    // From the sign-up to the end of June in Nairobi, three hours ahead.
    let june = json!({ "start": "2027-06-01T06:00:00Z", "end": "2027-06-30T21:00:00Z" });
    assert_eq!((&made["subscription"]["status"], &made["subscription"]["currentPeriod"]), (&json!("ACTIVE"), &june));
    let subscription = text(&made["subscription"]["id"]);

    change_plans(&world, &mut client, &subscription, &starter, &growth).await;

    // Three renewals of 12,000.00 and 1,920.00.
    for (number, now) in [(3, "2027-07-01T06:00:00Z"), (4, "2027-08-01T06:00:00Z"), (5, "2027-09-01T06:00:00Z")] {
        come_back_at(&world, &mut client, "ann", now).await;
        let newest = client.data(&format!("{{ invoices(first: 1) {{ totalCount nodes {{ status {AMOUNTS} }} }} }}"), json!({})).await;
        assert_eq!(newest["invoices"]["totalCount"], number);
        assert_eq!(amounts(&newest["invoices"]["nodes"][0]), ["12000.00", "1920.00", "13920.00", "0.00", "0.00"]);
        assert_eq!(newest["invoices"]["nodes"][0]["status"], "PAID");
    }
    end(&world, &mut client, &subscription).await;

    // 7,500.00 and 1,200.00, of which the credit of 6,960.00 pays its part: 1,740.00 is left.
    let order = json!({ "planId": plans["payroll"][1], "interval": "MONTHLY", "trial": false, "idempotencyKey": "again" });
    let made = act(&world, &client, "subscribe", order, &selection).await;
    assert_eq!(amounts(&made["invoice"]), ["7500.00", "1200.00", "8700.00", "6960.00", "0.00"]);
    assert_eq!(made["payment"]["amount"]["amount"], "1740.00");
    let left = client.data("{ profile { subscriptionStatus balance { amount } } }", json!({})).await;
    assert_eq!(left["profile"], json!({ "subscriptionStatus": "ACTIVE", "balance": { "amount": "0.00" } }));
}

/// On 16 June, half of June is left: −2,250.00 and +6,000.00, and 16 % of the difference. Then a downgrade is taken back.
async fn change_plans(world: &World, client: &mut Client, subscription: &str, starter: &str, growth: &str) {
    come_back_at(world, client, "ann", "2027-06-16T06:00:00Z").await;
    let preview = format!(
        "query($input: ChangePlanPreviewInput!) {{ changePlanPreview(input: $input) {{ effectiveAt preview {{ {AMOUNTS} lines {{ kind amount {{ amount }} }} }} previewToken userErrors {{ code }} }} }}"
    );
    let upgrade = json!({ "subscriptionId": subscription, "planId": growth });
    let shown = client.data(&preview, json!({ "input": upgrade })).await["changePlanPreview"].take();
    assert_eq!(amounts(&shown["preview"]), ["3750.00", "600.00", "4350.00", "0.00", "4350.00"]);
    let mut change = upgrade.clone();
    change["previewToken"] = shown["previewToken"].clone();
    change["idempotencyKey"] = json!("up");
    let selection = format!(
        "subscription {{ plan {{ id }} price {{ amount }} currentPeriod {{ end }} pendingChange {{ plan {{ id }} price {{ amount }} effectiveAt }} version }} invoice {{ {AMOUNTS} status lines {{ kind amount {{ amount }} }} }} creditNotes {{ id }}"
    );
    let made = act(world, client, "changePlan", change, &selection).await;
    assert_eq!(amounts(&made["invoice"]), ["3750.00", "600.00", "4350.00", "0.00", "0.00"]);
    assert_eq!(lines(&made["invoice"]), [("PRORATION_CREDIT", "-2250.00"), ("PRORATION_CHARGE", "6000.00")]);
    assert_eq!((&made["creditNotes"], &made["subscription"]["plan"]["id"]), (&json!([]), &json!(growth)));
    assert_eq!(made["subscription"]["currentPeriod"]["end"], "2027-06-30T21:00:00Z");

    let version = made["subscription"]["version"].clone();
    let downgrade = json!({ "subscriptionId": subscription, "planId": starter, "ifVersion": version, "idempotencyKey": "down" });
    let waits = act(world, client, "changePlan", downgrade.clone(), &selection).await;
    let pending = json!({ "plan": { "id": starter }, "price": { "amount": "4500.00" }, "effectiveAt": "2027-06-30T21:00:00Z" });
    assert_eq!((&waits["invoice"], &waits["subscription"]["pendingChange"]), (&Value::Null, &pending));
    let mut late = downgrade;
    late["idempotencyKey"] = json!("down again");
    let conflict = client.payload("changePlan", late, "subscription { id }").await;
    assert_eq!(conflict["userErrors"][0]["code"], "CONFLICT", "{conflict}");
    let kept = act(
        world,
        client,
        "cancelPlanChange",
        json!({ "subscriptionId": subscription }),
        "subscription { pendingChange { price { amount } } plan { id } }",
    )
    .await;
    assert_eq!(kept["subscription"], json!({ "pendingChange": null, "plan": { "id": growth } }));
}

/// Cancels at the end, thinks again, and on 16 September, when half of it is left, cancels at once: 6,000.00 and 960.00.
async fn end(world: &World, client: &mut Client, subscription: &str) {
    let shown = "subscription { status autoRenewal cancelAt }";
    let later = json!({ "subscriptionId": subscription, "reason": "Too dear.", "idempotencyKey": "later" });
    let canceled = act(world, client, "cancel", later, shown).await;
    let ending = json!({ "status": "ACTIVE", "autoRenewal": false, "cancelAt": "2027-09-30T21:00:00Z" });
    assert_eq!(canceled["subscription"], ending);
    let back = act(world, client, "reactivate", json!({ "subscriptionId": subscription }), shown).await;
    assert_eq!(back["subscription"], json!({ "status": "ACTIVE", "autoRenewal": true, "cancelAt": null }));

    come_back_at(world, client, "ann", "2027-09-16T06:00:00Z").await;
    let now = json!({ "subscriptionId": subscription, "timing": "NOW", "unusedTime": "CREDIT", "idempotencyKey": "now" });
    let selection = "subscription { status canceledAt } invoice { id } creditNotes { amount { amount } tax { amount } toAccountCredit { amount } toRefund { amount } reason }";
    let ended = act(world, client, "cancel", now, selection).await;
    assert_eq!(ended["subscription"], json!({ "status": "CANCELED", "canceledAt": "2027-09-16T06:00:00Z" }));
    let note = json!({
        "amount": { "amount": "6960.00" }, "tax": { "amount": "960.00" }, "toAccountCredit": { "amount": "6960.00" },
        "toRefund": { "amount": "0.00" }, "reason": "CANCELLATION",
    });
    assert_eq!((&ended["invoice"], &ended["creditNotes"]), (&Value::Null, &json!([note])));
    let left = client.data("{ profile { subscriptionStatus balance { amount } } }", json!({})).await;
    assert_eq!(left["profile"], json!({ "subscriptionStatus": "CANCELED", "balance": { "amount": "6960.00" } }));
}

/// The payment of an id, as the API shows it.
async fn payment(client: &Client, id: &Value) -> Value {
    let document = "query($id: ID!) { payment(id: $id) { status attempt failureCode settledAt methodLabel action { kind url expiresAt } invoice { status amountDue { amount } subscription { status } } } }";
    client.data(document, json!({ "id": id })).await["payment"].take()
}

async fn payments_that_fail_wait_or_are_lost_are_seen_as_they_stand(db: TestDatabase) {
    let world = World::at(db, "2027-06-01T06:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (client, _) = register(&server, "ann").await;
    let plans = plans(&client).await;
    let subscribe = async |plan: &str, behavior: &str| {
        let method = add_method(&client, behavior).await;
        let input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "paymentMethodId": method, "idempotencyKey": plan });
        act(&world, &client, "subscribe", input, "payment { id } invoice { id }").await
    };

    // Declined: the first payment of Payroll Starter, 2,000.00 and 320.00, is due all the same.
    let declined = subscribe(&plans["payroll"][0], "DECLINES").await;
    let seen = payment(&client, &declined["payment"]["id"]).await;
    let unpaid = json!({ "status": "OPEN", "amountDue": { "amount": "2320.00" }, "subscription": { "status": "INCOMPLETE" } });
    assert_eq!(
        (&seen["status"], &seen["attempt"], &seen["action"], &seen["invoice"]),
        (&json!("FAILED"), &json!(1), &Value::Null, &unpaid)
    );
    assert!(seen["failureCode"].is_string(), "{seen}");

    // With a method that asks the customer first, the second attempt waits until they have agreed.
    let asking = add_method(&client, "REQUIRES_ACTION").await;
    let pay = json!({ "invoiceId": declined["invoice"]["id"], "paymentMethodId": asking, "idempotencyKey": "ask" });
    let waiting = act(&world, &client, "payInvoice", pay, "payment { id status }").await;
    assert_eq!(waiting["payment"]["status"], "REQUIRES_ACTION", "{waiting}");
    let seen = payment(&client, &waiting["payment"]["id"]).await;
    assert_eq!((&seen["attempt"], &seen["action"]["kind"], &seen["invoice"]), (&json!(2), &json!("REDIRECT"), &unpaid));
    assert!(seen["action"]["expiresAt"].as_str().unwrap() > "2027-06-01T06:00:00Z", "{seen}");
    let url = text(&seen["action"]["url"]);
    let (_, path) = url.split_once("/gateways/").unwrap();
    let chosen = reqwest::Client::new().post(format!("{}/gateways/{path}?outcome=confirm", server.url)).send().await.unwrap();
    assert_eq!(chosen.status(), 200);
    world.run_due_jobs().await;
    let seen = payment(&client, &waiting["payment"]["id"]).await;
    let paid = json!({ "status": "PAID", "amountDue": { "amount": "0.00" }, "subscription": { "status": "ACTIVE" } });
    assert_eq!((&seen["status"], &seen["action"], &seen["invoice"]), (&json!("SUCCEEDED"), &Value::Null, &paid));

    // The charge was made, but its answer was lost: it is asked about a minute later, and not made again.
    let lost = subscribe(&plans["sacco"][0], "SUCCEEDS_LATE").await;
    let seen = payment(&client, &lost["payment"]["id"]).await;
    assert_eq!((&seen["status"], &seen["settledAt"], &seen["invoice"]["status"]), (&json!("UNKNOWN"), &Value::Null, &json!("OPEN")));
    let retry = json!({ "invoiceId": lost["invoice"]["id"], "idempotencyKey": "once more" });
    let refused = client.payload("payInvoice", retry, "payment { id }").await;
    assert_eq!(refused["userErrors"][0]["code"], "PAYMENT_IN_PROGRESS", "{refused}");
    world.pass(jiff::SignedDuration::from_mins(1)).await;
    let seen = payment(&client, &lost["payment"]["id"]).await;
    assert_eq!((&seen["status"], &seen["attempt"], &seen["invoice"]), (&json!("SUCCEEDED"), &json!(1), &paid));

    // The charge never arrived: it stays unknown, and is no success.
    let never = subscribe(&plans["erp"][0], "TIMES_OUT").await;
    let seen = payment(&client, &never["payment"]["id"]).await;
    assert_eq!((&seen["status"], &seen["invoice"]["subscription"]["status"]), (&json!("UNKNOWN"), &json!("INCOMPLETE")));
}

async fn a_request_sent_again_answers_the_same_and_says_so(db: TestDatabase) {
    let world = World::at(db, "2027-06-01T06:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (client, _) = register(&server, "ann").await;
    add_method(&client, "SUCCEEDS").await;
    let plan = plans(&client).await["erp"][0].clone();
    let document = "mutation($input: SubscribeInput!) { subscribe(input: $input) { subscription { id } invoice { id } payment { id } userErrors { code field } } }";
    let mut input = json!({ "planId": plan, "interval": "MONTHLY", "trial": false, "idempotencyKey": "once" });
    let first = world.working(client.ask(document, json!({ "input": input }))).await;
    // The payload, three things with one field each, and a list of ten user errors with two.
    let cost = json!({ "requested": 1 + 3 * 2 + 1 + 10 * 2, "limit": 20_000 });
    assert_eq!((first.get("errors"), &first["extensions"]), (None, &json!({ "cost": cost })));
    let rows = world.count("invoices", "true").await;
    let second = client.ask(document, json!({ "input": input })).await;
    assert_eq!(second["data"], first["data"]);
    assert_eq!(second["extensions"], json!({ "cost": cost, "idempotentReplay": [["subscribe"]] }));
    let aliased = document.replace("subscribe(", "again: subscribe(");
    let third = client.ask(&aliased, json!({ "input": input })).await;
    assert_eq!((&third["data"]["again"], &third["extensions"]["idempotentReplay"]), (&first["data"]["subscribe"], &json!([["again"]])));
    input["interval"] = json!("YEARLY");
    let other = client.ask(document, json!({ "input": input })).await;
    let refusal = json!([{ "code": "IDEMPOTENCY_KEY_REUSED", "field": ["input", "idempotencyKey"] }]);
    assert_eq!((&other["data"]["subscribe"]["userErrors"], &other["extensions"]), (&refusal, &json!({ "cost": cost })));
    assert_eq!((rows, world.count("invoices", "true").await, world.count("payments", "true").await), (1, 1, 1));
}

async fn everything_is_found_by_its_id(db: TestDatabase) {
    let world = World::at(db, "2027-06-01T06:00:00Z").await;
    let server = Server::start(&world).await;
    let life = Life::lived(&world, &server, "ann").await;
    let now = json!({ "subscriptionId": life.subscription, "timing": "NOW", "unusedTime": "CREDIT", "idempotencyKey": "now" });
    let ended = act(&world, &life.client, "cancel", now, "creditNotes { id }").await;
    let sold = life.client.data("{ products { id plans { id } } }", json!({})).await;
    let mut ids = life.ids.clone();
    ids.extend([text(&ended["creditNotes"][0]["id"]), text(&sold["products"][0]["id"]), text(&sold["products"][0]["plans"][0]["id"])]);
    let kinds = [
        ("biz", "Business"),
        ("pm", "PaymentMethod"),
        ("sub", "Subscription"),
        ("inv", "Invoice"),
        ("pay", "Payment"),
        ("usr", "User"),
        ("ses", "UserSession"),
        ("mem", "Member"),
        ("cn", "CreditNote"),
        ("prod", "Product"),
        ("plan", "Plan"),
        ("key", "ApiKey"),
        ("ntf", "Notification"),
        ("aud", "AuditEvent"),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for id in &ids {
        let node = life.client.data("query($id: ID!) { node(id: $id) { __typename id } }", json!({ "id": id })).await["node"].take();
        assert_eq!(node["id"], json!(id), "{node}");
        seen.insert(text(&node["__typename"]));
    }
    assert_eq!(seen, kinds.iter().map(|(_, name)| (*name).to_owned()).collect());
    let mut asked = ids.clone();
    asked.push("inv_0".to_owned());
    let all = life.client.data("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({ "ids": asked })).await;
    let expected: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).chain([Value::Null]).collect();
    assert_eq!(all["nodes"], json!(expected));
}

/// A page of invoices: the ids, and its page info.
async fn page(client: &Client, arguments: &str) -> (Vec<String>, Value) {
    let document = format!(
        "{{ invoices({arguments}) {{ edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
    );
    let mut found = client.data(&document, json!({})).await["invoices"].take();
    let edges = found["edges"].as_array().unwrap();
    assert_eq!(edges.last().map(|edge| &edge["cursor"]), Some(&found["pageInfo"]["endCursor"]).filter(|_| !edges.is_empty()));
    let ids = edges.iter().map(|edge| text(&edge["node"]["id"])).collect();
    (ids, found["pageInfo"].take())
}

async fn pages_stay_where_they_are_while_rows_are_added(db: TestDatabase) {
    let world = World::at(db, "2027-01-10T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (mut client, _) = register(&server, "ann").await;
    add_method(&client, "SUCCEEDS").await;
    let order = json!({ "planId": plans(&client).await["erp"][0], "interval": "MONTHLY", "trial": false, "idempotencyKey": "order" });
    act(&world, &client, "subscribe", order, "subscription { id }").await;
    // Six renewals are made at one instant: they are told apart by their ids.
    come_back_at(&world, &mut client, "ann", "2027-07-10T09:00:00Z").await;
    let (all, _) = page(&client, "first: 100").await;
    assert_eq!(all.len(), 7);

    let (first, info) = page(&client, "first: 3").await;
    assert_eq!((first.as_slice(), &info["hasNextPage"], &info["hasPreviousPage"]), (&all[..3], &json!(true), &json!(false)));
    // Two more are made while somebody turns the page.
    come_back_at(&world, &mut client, "ann", "2027-09-10T09:00:00Z").await;
    let (second, info) = page(&client, &format!("first: 3, after: {}", info["endCursor"])).await;
    assert_eq!((second.as_slice(), &info["hasNextPage"], &info["hasPreviousPage"]), (&all[3..6], &json!(true), &json!(true)));
    let (third, last) = page(&client, &format!("first: 3, after: {}", info["endCursor"])).await;
    assert_eq!((third.as_slice(), &last["hasNextPage"]), (&all[6..], &json!(false)));
    // And back again, up to those that are new.
    let (back, info) = page(&client, &format!("last: 3, before: {}", last["startCursor"])).await;
    assert_eq!((back.as_slice(), &info["hasPreviousPage"], &info["hasNextPage"]), (&all[3..6], &json!(true), &json!(true)));
    let (back, info) = page(&client, &format!("last: 100, before: {}", info["startCursor"])).await;
    assert_eq!((back.len(), &back[2..], &info["hasPreviousPage"]), (5, &all[..3], &json!(false)));
    let (end, _) = page(&client, "last: 2").await;
    assert_eq!(end.as_slice(), &all[5..]);
    // A cursor of one list is none of another's, nor of another business's.
    let answer = client.ask(&format!("{{ payments(after: {}) {{ nodes {{ id }} }} }}", info["endCursor"]), json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    add_method(&client, "DECLINES").await;
    let (ben, _) = register(&server, "ben").await;
    let answer = ben.ask(&format!("{{ invoices(after: {}) {{ nodes {{ id }} }} }}", info["endCursor"]), json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
}

/// A client of a colleague's.
async fn colleague(world: &World, server: &Server, life: &Life, role: Role, email: &str) -> Client {
    let scope = TenantScope::proved(BusinessId::parse(&life.business).unwrap());
    world.colleague(scope, role, email).await;
    let mut client = server.client();
    let input = json!({ "email": email, "password": crate::world_accounts::PASSWORD });
    client.token = Some(text(&client.mutate("signIn", input, "session { accessToken }").await["session"]["accessToken"]));
    client
}

async fn a_role_sees_and_does_what_is_its_own(db: TestDatabase) {
    let world = World::at(db, "2027-06-01T06:00:00Z").await;
    let server = Server::start(&world).await;
    let life = Life::lived(&world, &server, "ann").await;
    let member = colleague(&world, &server, &life, Role::Member, "member@example.com").await;
    let billing = colleague(&world, &server, &life, Role::Billing, "billing@example.com").await;

    let document = "query($p: String) { subscription(product: $p) { id price { amount } } profile { businessName } invoices { nodes { id } } payments { nodes { id } } paymentMethods { id } creditNotes { nodes { id } } }";
    let answer = member.ask(document, json!({ "p": "erp" })).await;
    let expected = json!({
        "subscription": { "id": life.subscription, "price": { "amount": "4500.00" } }, "profile": { "businessName": "ann Traders" },
        "invoices": null, "payments": null, "paymentMethods": null, "creditNotes": null,
    });
    assert_eq!(answer["data"], expected);
    let errors = answer["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["extensions"]["code"] == "FORBIDDEN"), "{answer}");
    let paths: std::collections::BTreeSet<String> = errors.iter().map(|error| error["path"].to_string()).collect();
    assert_eq!(paths.into_iter().collect::<Vec<_>>(), ["[\"creditNotes\"]", "[\"invoices\"]", "[\"paymentMethods\"]", "[\"payments\"]"]);
    let hidden = member.data("query($id: ID!) { node(id: $id) { id } }", json!({ "id": life.open_invoice })).await;
    assert_eq!(hidden["node"], Value::Null);

    let before = world.rows_of(life.business_uuid()).await;
    let pay = json!({ "invoiceId": life.open_invoice, "paymentMethodId": life.ids[1], "idempotencyKey": "pay" });
    let cancel = json!({ "subscriptionId": life.subscription, "idempotencyKey": "end" });
    for (client, field, ty, input) in [
        (&member, "payInvoice", "PayInvoiceInput", pay.clone()),
        (&member, "cancel", "CancelInput", cancel),
        (&member, "updateProfile", "UpdateProfileInput", json!({ "city": "Kisumu" })),
        (&billing, "updateProfile", "UpdateProfileInput", json!({ "city": "Kisumu" })),
    ] {
        let document = format!("mutation($input: {ty}!) {{ {field}(input: $input) {{ userErrors {{ code }} }} }}");
        let answer = client.ask(&document, json!({ "input": input })).await;
        assert_eq!((&answer["data"][field], &answer["errors"][0]["extensions"]["code"]), (&Value::Null, &json!("FORBIDDEN")), "{field}");
    }
    assert_eq!(world.rows_of(life.business_uuid()).await, before);
    let paid = act(&world, &billing, "payInvoice", pay, "invoice { status } payment { status }").await;
    assert_eq!((&paid["invoice"]["status"], &paid["payment"]["status"]), (&json!("PAID"), &json!("SUCCEEDED")));
}
