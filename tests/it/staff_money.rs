//! What staff do to a business's plan and its tax, and who of them may touch money: 16 % comes on top of every price of the shop.

use evolve_business::billing::change::ChangeTiming;
use evolve_business::error::UserErrorCode;
use evolve_business::ids::{PlanId, SubscriptionId};
use evolve_business::services::subscriptions::PreviewChange;
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_staff::code;
use crate::world_staff_money::{JULY, JUNE, MIDDLE, SUBSCRIPTION, asked, done, invoice, member, refused, shop, staff_input};
use crate::world_subscriptions::{as_usual, code as refusal};

both!(
    staff_change_a_plan_as_its_customer_may_not,
    a_change_by_staff_is_collected_and_waited_for_and_bills_what_a_preview_showed,
    staff_cancel_with_what_its_customer_may_not_choose,
    who_may_not_touch_money_is_told_nothing_of_it,
    what_staff_may_touch_and_what_they_name_wrongly_is_refused,
    an_exempt_business_is_billed_without_tax_from_then_on,
);

fn change(subscription: SubscriptionId, plan: PlanId, key: &str) -> Value {
    json!({ "subscriptionId": subscription.to_string(), "planId": plan.to_string(), "timing": "NOW", "idempotencyKey": key })
}

async fn staff_change_a_plan_as_its_customer_may_not(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let payer = world.customer().await;
    let (plus, basic) = (world.plan("strict", "plus").await, world.plan("strict", "basic").await);
    let mut order = world.order("basic").await;
    order.offer.plan = Some(plus);
    let id = world.try_subscribe(payer, order).await.unwrap().subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let wish = PreviewChange { timing: ChangeTiming::Now, ..as_usual(id, basic) };
    let mut own = world.changing(wish);
    "the key".clone_into(&mut own.idempotency_key);
    assert_eq!(refusal(world.subscriptions().change_plan(payer.caller, own).await), UserErrorCode::NotAllowed);

    let staff = world.staff(&server, StaffRole::Finance).await;
    let input = change(id, basic, "the key");
    let made = world.working(done(&staff, "changePlanForBusiness", input.clone(), SUBSCRIPTION)).await;
    // 15/30: −30.00 + 15.00 = −15.00, tax −2.40.
    let expected = json!({
        "subscription": { "status": "ACTIVE", "plan": { "id": basic.to_string() } }, "invoice": null,
        "creditNotes": [{ "amount": { "amount": "17.40" }, "tax": { "amount": "2.40" }, "toAccountCredit": { "amount": "17.40" } }],
        "userErrors": [],
    });
    assert_eq!(made, expected);
    assert_eq!(world.balance(payer).await, 1_740);
    let acts = world.read_texts("select action || ' ' || actor from audit_events where action = 'subscription.plan_changed'").await;
    assert_eq!(acts, [format!("subscription.plan_changed {}", member(&staff).await)]);

    let document =
        format!("mutation($i: ChangePlanInput!) {{ again: changePlanForBusiness(input: $i) {{ {SUBSCRIPTION} userErrors {{ code }} }} }}");
    let again = staff.ask(&document, json!({ "i": input })).await;
    assert_eq!((&again["data"]["again"], &again["extensions"]["idempotentReplay"]), (&expected, &json!([["again"]])));
    let other = asked(&staff, "changePlanForBusiness", change(id, plus, "the key"), SUBSCRIPTION).await;
    assert_eq!(refused(&other).0, "IDEMPOTENCY_KEY_REUSED");
    let other =
        asked(&staff, "cancelForBusiness", json!({ "subscriptionId": id.to_string(), "idempotencyKey": "the key" }), "subscription { id }");
    assert_eq!(refused(&other.await).0, "IDEMPOTENCY_KEY_REUSED");
    // A colleague's keys are their own.
    let colleague = world.staff(&server, StaffRole::Admin).await;
    let same = world.working(asked(&colleague, "changePlanForBusiness", input, SUBSCRIPTION)).await;
    assert_eq!((refused(&same).0.as_str(), world.count("credit_notes", "true").await), ("NO_CHANGE", 1));
}

async fn a_change_by_staff_is_collected_and_waited_for_and_bills_what_a_preview_showed(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.clock.set("2027-06-16T20:55:00Z".parse().unwrap());
    let plus = world.plan("books", "plus").await;
    let wish = PreviewChange { timing: ChangeTiming::Now, ..as_usual(id, plus) };
    let shown = world.subscriptions().change_plan_preview(payer.caller, wish).await.unwrap();
    // Local midnight passes: by itself the change would count 14 days.
    world.clock.set("2027-06-16T21:05:00Z".parse().unwrap());
    let staff = world.staff(&server, StaffRole::Admin).await;
    let mut input = change(id, plus, "one");
    input["previewToken"] = json!("prv_nonsense");
    assert_eq!(refused(&asked(&staff, "changePlanForBusiness", input.clone(), SUBSCRIPTION).await).0, "STALE_PREVIEW");
    input["previewToken"] = json!(shown.preview_token);
    let selection = "subscription { plan { id } } invoice { total { amount } status } payment { status amount { amount } }";
    let made = world.working(done(&staff, "changePlanForBusiness", input, selection)).await;
    // 15/30: −15.00 + 30.00 = 15.00, tax 2.40.
    let expected = json!({
        "subscription": { "plan": { "id": plus.to_string() } }, "invoice": { "total": { "amount": "17.40" }, "status": "PAID" },
        "payment": { "status": "SUCCEEDED", "amount": { "amount": "17.40" } }, "userErrors": [],
    });
    assert_eq!(made, expected);
}

async fn staff_cancel_with_what_its_customer_may_not_choose(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let payer = world.customer().await;
    let mut order = world.order("basic").await;
    order.offer.plan = Some(world.plan("strict", "basic").await);
    let id = world.try_subscribe(payer, order).await.unwrap().subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let staff = world.staff(&server, StaffRole::Finance).await;
    let input = |unused: &str, reason: &str| json!({ "subscriptionId": id.to_string(), "timing": "NOW", "unusedTime": unused, "reason": reason, "idempotencyKey": "one" });
    for (unused, reason, expected) in [("CREDIT", "a\u{0}b", ("INVALID", "reason")), ("CREDIT", &"é".repeat(1_001), ("TOO_LONG", "reason"))]
    {
        let (code, field) = refused(&asked(&staff, "cancelForBusiness", input(unused, reason), SUBSCRIPTION).await);
        assert_eq!((code.as_str(), field.as_str()), expected);
    }
    let mut late = input("CREDIT", "Closed");
    late["ifVersion"] = json!(99);
    assert_eq!(refused(&asked(&staff, "cancelForBusiness", late, SUBSCRIPTION).await).0, "CONFLICT");

    let canceled = world.working(done(&staff, "cancelForBusiness", input("CREDIT", "Closed"), SUBSCRIPTION)).await;
    // 15/30 of 30.00 is 15.00, and its tax 2.40.
    let note = json!([{ "amount": { "amount": "17.40" }, "tax": { "amount": "2.40" }, "toAccountCredit": { "amount": "17.40" } }]);
    assert_eq!((&canceled["subscription"]["status"], &canceled["creditNotes"]), (&json!("CANCELED"), &note));
    assert_eq!(world.balance(payer).await, 1_740);
    let acts = world.read_texts("select actor from audit_events where action = 'subscription.canceled'").await;
    assert_eq!(acts, [member(&staff).await]);
    let mut ended = input("CREDIT", "Closed");
    ended["idempotencyKey"] = json!("two");
    assert_eq!(refused(&asked(&staff, "cancelForBusiness", ended, SUBSCRIPTION).await).0, "INVALID_TRANSITION");
}

/// Each mutation of money, about a business's ids or about none.
fn requests(business: &str, subscription: &str, invoice: &str) -> [(&'static str, Value); 9] {
    let correction = json!({ "invoiceId": invoice, "reason": "Why", "idempotencyKey": "k" });
    [
        ("setTaxExempt", json!({ "businessId": business, "taxExempt": true, "reason": "Why" })),
        ("voidInvoice", correction.clone()),
        ("markInvoiceUncollectible", correction),
        (
            "issueCreditNote",
            json!({ "invoiceId": invoice, "lines": [{ "invoiceLineId": "lin_x", "amount": "1" }], "reason": "ERROR", "idempotencyKey": "k" }),
        ),
        (
            "recordPayment",
            json!({
                "invoiceId": invoice, "amount": { "amount": "1", "currency": "KES" }, "receipt": "FT1", "receivedOn": "2027-06-01",
                "idempotencyKey": "k",
            }),
        ),
        ("refundPayment", json!({ "paymentId": "pay_x", "reason": "ERROR", "idempotencyKey": "k" })),
        ("resolvePayment", json!({ "paymentId": "pay_x", "resolution": "FAILED", "idempotencyKey": "k" })),
        ("cancelForBusiness", json!({ "subscriptionId": subscription, "idempotencyKey": "k" })),
        ("changePlanForBusiness", json!({ "subscriptionId": subscription, "planId": "pln_x", "idempotencyKey": "k" })),
    ]
}

async fn who_may_not_touch_money_is_told_nothing_of_it(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    let rows = world.rows_of(payer.scope.business().uuid()).await;
    let reader = world.staff(&server, StaffRole::Finance).await;
    let (business, subscription, invoice) = (payer.scope.business().to_string(), id.to_string(), invoice(&reader, 1).await);
    let ask = async |client: &Client, field: &str, input: Value| {
        let kind = staff_input(field);
        client.ask(&format!("mutation($i: {kind}!) {{ {field}(input: $i) {{ userErrors {{ code }} }} }}"), json!({ "i": input })).await
    };
    for role in [StaffRole::Support, StaffRole::Compliance] {
        let staff = world.staff(&server, role).await;
        for (field, input) in requests(&business, &subscription, &invoice).into_iter().chain(requests("biz_x", "sub_x", "inv_x")) {
            let answer = ask(&staff, field, input).await;
            assert_eq!((code(&answer), &answer["data"][field]), ("FORBIDDEN", &Value::Null), "{role:?} {field}");
        }
    }
    for (field, input) in requests(&business, &subscription, &invoice) {
        assert_eq!(code(&ask(&server.staff(), field, input).await), "UNAUTHENTICATED", "{field}");
    }
    assert_eq!(world.rows_of(payer.scope.business().uuid()).await, rows);
}

async fn what_staff_may_touch_and_what_they_name_wrongly_is_refused(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let rows = world.rows_of(payer.scope.business().uuid()).await;
    let unknown = ["biz_01h455vb4pex5vsknk084sn02q", "sub_01h455vb4pex5vsknk084sn02q", "inv_01h455vb4pex5vsknk084sn02q"];
    for [business, subscription, invoice] in [unknown, ["biz_x", "sub_x", "inv_x"]] {
        for (field, input) in requests(business, subscription, invoice) {
            let expected = match field {
                "setTaxExempt" => "businessId",
                "cancelForBusiness" | "changePlanForBusiness" => "subscriptionId",
                "refundPayment" | "resolvePayment" => "paymentId",
                _ => "invoiceId",
            };
            let payload = asked(&staff, field, input, "__typename").await;
            assert_eq!(refused(&payload), ("NOT_FOUND".to_owned(), expected.to_owned()), "{field}");
        }
    }
    let (business, invoice) = (payer.scope.business().to_string(), invoice(&staff, 1).await);
    for (reason, expected) in [(" ", "REQUIRED"), (&"é".repeat(501), "TOO_LONG"), ("a\u{0}b", "INVALID")] {
        let correction = json!({ "invoiceId": invoice, "reason": reason, "idempotencyKey": "k" });
        let exempt = json!({ "businessId": business, "taxExempt": true, "reason": reason });
        for (field, input) in [("voidInvoice", &correction), ("markInvoiceUncollectible", &correction), ("setTaxExempt", &exempt)] {
            let payload = staff.payload(field, input.clone(), "__typename").await;
            assert_eq!(refused(&payload), (expected.to_owned(), "reason".to_owned()), "{field}");
        }
    }
    let unnamed = json!({ "invoiceId": invoice, "reason": "Why", "idempotencyKey": "" });
    let payload = staff.payload("voidInvoice", unnamed, "__typename").await;
    assert_eq!(refused(&payload), ("INVALID".to_owned(), "idempotencyKey".to_owned()));
    let cancel = json!({ "subscriptionId": id.to_string(), "idempotencyKey": "é" });
    let payload = asked(&staff, "cancelForBusiness", cancel, "__typename").await;
    assert_eq!(refused(&payload), ("INVALID".to_owned(), "idempotencyKey".to_owned()));
    assert_eq!(world.rows_of(payer.scope.business().uuid()).await, rows);
}

async fn an_exempt_business_is_billed_without_tax_from_then_on(db: TestDatabase) {
    let (world, server, payer, _) = shop(db, "basic").await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let business = payer.scope.business().to_string();
    let selection = "business { business { taxExempt } }";
    let set = |exempt: bool| json!({ "businessId": business, "taxExempt": exempt, "reason": " Certificate 17. " });
    let done = staff.mutate("setTaxExempt", set(true), selection).await;
    assert_eq!(done["business"]["business"]["taxExempt"], true);
    let again = staff.payload("setTaxExempt", set(true), selection).await;
    assert_eq!((refused(&again), &again["business"]), (("NO_CHANGE".to_owned(), "taxExempt".to_owned()), &Value::Null));
    let acts = "select actor || ' ' || subject || ' ' || details from audit_events where action = 'business.tax_exemption_set'";
    let details = json!({ "tax_exempt": true, "reason": "Certificate 17." });
    assert_eq!(world.read_texts(acts).await, [format!("{} {business} {details}", member(&staff).await)]);
    world.run_at(JULY).await;
    // The first was issued before: 30.00 + 4.80. The renewal has no tax.
    assert_eq!((world.billed(1, "total_minor").await, world.billed(2, "total_minor").await), (3_480, 3_000));
    assert_eq!(world.count("invoice_taxes", "true").await, 1);
    let staff = crate::world_staff::signed_in(&server, "finance@staff.example").await;
    staff.mutate("setTaxExempt", set(false), selection).await;
    world.run_at("2027-07-31T21:00:00Z").await;
    assert_eq!(world.billed(3, "total_minor").await, 3_480);
}
