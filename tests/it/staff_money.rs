//! What staff do to a business's money and plan, to the cent: 16 % comes on top of every price of the shop.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::error::UserErrorCode;
use evolve_business::ids::{InvoiceId, PlanId, SubscriptionId};
use evolve_business::services::subscriptions::PreviewChange;
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_payments::Payer;
use crate::world_staff::{code, text};
use crate::world_subscriptions::{as_usual, code as refusal};

both!(
    staff_change_a_plan_as_its_customer_may_not,
    a_change_by_staff_is_collected_and_waited_for_and_bills_what_a_preview_showed,
    staff_cancel_with_what_its_customer_may_not_choose,
    who_may_not_touch_money_is_told_nothing_of_it,
    what_staff_may_touch_and_what_they_name_wrongly_is_refused,
    a_void_first_invoice_lets_its_subscription_expire_and_gives_back_what_it_used,
    a_void_renewal_lets_its_subscription_go_on_and_its_period_is_charged_by_nobody,
    a_void_change_leaves_the_period_charged_as_before_it,
    an_invoice_that_is_settled_or_being_paid_is_not_voided,
    an_invoice_that_was_given_up_on_keeps_nothing_from_going_on_and_may_still_be_paid,
    a_first_invoice_that_was_given_up_on_begins_nothing,
    credit_notes_by_hand_add_up_to_their_invoice,
    a_credit_note_lowers_its_own_invoice_first_then_the_oldest_open_one,
    a_credit_note_works_for_an_invoice_without_a_subscription,
    a_credit_note_past_what_is_left_is_refused,
    an_exempt_business_is_billed_without_tax_from_then_on,
);

/// The first of June at 09:00 in Nairobi: the period has 30 days.
const JUNE: &str = "2027-06-01T06:00:00Z";
/// 15 days are left, the day itself included.
const MIDDLE: &str = "2027-06-16T06:00:00Z";
/// The first of July in Nairobi.
const JULY: &str = "2027-06-30T21:00:00Z";

const SUBSCRIPTION: &str = "subscription { status plan { id } } invoice { total { amount } status } creditNotes { amount { amount } tax { amount } toAccountCredit { amount } }";
const INVOICE: &str = "invoice { id status amountDue { amount } }";
const NOTE: &str = "creditNote { amount { amount } tax { amount } tookOffAmountDue { amount } toAccountCredit { amount } toRefund { amount } memo reason lines { description amount { amount } } }";

/// The shop in June, a customer who pays, and their subscription to a plan of `books`.
async fn shop(db: TestDatabase, plan: &str) -> (World, Server, Payer, SubscriptionId) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, plan).await.subscription;
    (world, server, payer, id)
}

/// The id of the invoice with that number.
async fn invoice(staff: &Client, number: u32) -> String {
    let filter = json!({ "n": format!("INV-2027-{number:06}") });
    text(&staff.data("query($n: String) { invoices(filter: { number: $n }) { nodes { id } } }", filter).await["invoices"]["nodes"][0]["id"])
}

/// The ids of an invoice's lines.
async fn lines(staff: &Client, invoice: &str) -> Vec<String> {
    let data = staff.data("query($i: ID!) { node(id: $i) { ... on Invoice { lines { id } } } }", json!({ "i": invoice })).await;
    data["node"]["lines"].as_array().unwrap().iter().map(|line| text(&line["id"])).collect()
}

/// A mutation of `{ "invoiceId", "reason", "idempotencyKey" }`.
async fn correct(world: &World, staff: &Client, field: &str, invoice: &str, key: &str) -> Value {
    let input = json!({ "invoiceId": invoice, "reason": " Agreed by phone. ", "idempotencyKey": key });
    world.working(staff.payload(field, input, INVOICE)).await
}

/// A credit note on the first line of an invoice.
async fn credit(world: &World, staff: &Client, invoice: &str, amount: &str) -> Value {
    let line = &lines(staff, invoice).await[0];
    let key = world.ports.ids.next_uuid().to_string();
    let input = json!({
        "invoiceId": invoice, "lines": [{ "invoiceLineId": line, "amount": amount }], "reason": "GOODWILL", "idempotencyKey": key,
    });
    world.working(staff.payload("issueCreditNote", input, NOTE)).await
}

/// What a credit note came to: amount, tax, off what was due, account credit.
fn figures(payload: &Value) -> [String; 4] {
    assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
    let note = &payload["creditNote"];
    assert_eq!(note["toRefund"]["amount"], "0.00");
    ["amount", "tax", "tookOffAmountDue", "toAccountCredit"].map(|field| text(&note[field]["amount"]))
}

/// The first error: its code, and its field without `input`.
fn refused(payload: &Value) -> (String, String) {
    let error = &payload["userErrors"][0];
    let field: Vec<&str> = error["field"].as_array().into_iter().flatten().skip(1).filter_map(Value::as_str).collect();
    (text(&error["code"]), field.join("."))
}

async fn member(staff: &Client) -> String {
    text(&staff.data("{ staffViewer { id } }", json!({})).await["staffViewer"]["id"])
}

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
    let made = world.working(staff.mutate("changePlanForBusiness", input.clone(), SUBSCRIPTION)).await;
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
    assert_eq!((&again["data"]["again"], &again["extensions"]["idempotentReplay"]), (&expected, &json!(["again"])));
    let other = staff.payload("changePlanForBusiness", change(id, plus, "the key"), SUBSCRIPTION).await;
    assert_eq!(refused(&other).0, "IDEMPOTENCY_KEY_REUSED");
    let other =
        staff.payload("cancelForBusiness", json!({ "subscriptionId": id.to_string(), "idempotencyKey": "the key" }), "subscription { id }");
    assert_eq!(refused(&other.await).0, "IDEMPOTENCY_KEY_REUSED");
    // A colleague's keys are their own.
    let colleague = world.staff(&server, StaffRole::Admin).await;
    let same = world.working(colleague.payload("changePlanForBusiness", input, SUBSCRIPTION)).await;
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
    assert_eq!(refused(&staff.payload("changePlanForBusiness", input.clone(), SUBSCRIPTION).await).0, "STALE_PREVIEW");
    input["previewToken"] = json!(shown.preview_token);
    let selection = "subscription { plan { id } } invoice { total { amount } status } payment { status amount { amount } }";
    let made = world.working(staff.mutate("changePlanForBusiness", input, selection)).await;
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
    for (unused, reason, expected) in [
        ("REFUND", "Closed", ("NOT_ALLOWED", "unusedTime")),
        ("CREDIT", "a\u{0}b", ("INVALID", "reason")),
        ("CREDIT", &"é".repeat(1_001), ("TOO_LONG", "reason")),
    ] {
        let (code, field) = refused(&staff.payload("cancelForBusiness", input(unused, reason), SUBSCRIPTION).await);
        assert_eq!((code.as_str(), field.as_str()), expected);
    }
    let mut late = input("CREDIT", "Closed");
    late["ifVersion"] = json!(99);
    assert_eq!(refused(&staff.payload("cancelForBusiness", late, SUBSCRIPTION).await).0, "CONFLICT");

    let canceled = world.working(staff.mutate("cancelForBusiness", input("CREDIT", "Closed"), SUBSCRIPTION)).await;
    // 15/30 of 30.00 is 15.00, and its tax 2.40.
    let note = json!([{ "amount": { "amount": "17.40" }, "tax": { "amount": "2.40" }, "toAccountCredit": { "amount": "17.40" } }]);
    assert_eq!((&canceled["subscription"]["status"], &canceled["creditNotes"]), (&json!("CANCELED"), &note));
    assert_eq!(world.balance(payer).await, 1_740);
    let acts = world.read_texts("select actor from audit_events where action = 'subscription.canceled'").await;
    assert_eq!(acts, [member(&staff).await]);
    let mut ended = input("CREDIT", "Closed");
    ended["idempotencyKey"] = json!("two");
    assert_eq!(refused(&staff.payload("cancelForBusiness", ended, SUBSCRIPTION).await).0, "INVALID_TRANSITION");
}

/// Each mutation of money, about a business's ids or about none.
fn requests(business: &str, subscription: &str, invoice: &str) -> [(&'static str, Value); 6] {
    let correction = json!({ "invoiceId": invoice, "reason": "Why", "idempotencyKey": "k" });
    [
        ("setTaxExempt", json!({ "businessId": business, "taxExempt": true, "reason": "Why" })),
        ("voidInvoice", correction.clone()),
        ("markInvoiceUncollectible", correction),
        (
            "issueCreditNote",
            json!({ "invoiceId": invoice, "lines": [{ "invoiceLineId": "lin_x", "amount": "1" }], "reason": "ERROR", "idempotencyKey": "k" }),
        ),
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
        let capital = format!("{}{}", field[..1].to_uppercase(), &field[1..]);
        client
            .ask(&format!("mutation($i: {capital}Input!) {{ {field}(input: $i) {{ userErrors {{ code }} }} }}"), json!({ "i": input }))
            .await
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
                _ => "invoiceId",
            };
            let payload = staff.payload(field, input, "__typename").await;
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
    let payload = staff.payload("cancelForBusiness", cancel, "__typename").await;
    assert_eq!(refused(&payload), ("INVALID".to_owned(), "idempotencyKey".to_owned()));
    assert_eq!(world.rows_of(payer.scope.business().uuid()).await, rows);
}

async fn a_void_first_invoice_lets_its_subscription_expire_and_gives_back_what_it_used(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let payer = world.payer().await;
    // 5.00 more than is due on an invoice of 10.00 is account credit.
    let other = world.invoice(payer, 1_000).await;
    world.settle(payer, other, 1_500).await;
    world.method(payer, SandboxBehavior::Declines).await;
    let made = world.subscribe(payer, "basic").await;
    assert_eq!((world.billed(1, "credit_applied_minor").await, world.billed(1, "amount_due_minor").await), (500, 2_980));
    // 1.00 of it is paid after all: 28.80 are due.
    world.settle(payer, made.invoice.unwrap(), 100).await;
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Incomplete);
    let staff = world.staff(&server, StaffRole::Finance).await;
    let id = made.invoice.unwrap().to_string();
    let void = correct(&world, &staff, "voidInvoice", &id, "one").await;
    assert_eq!(void["invoice"], json!({ "id": id, "status": "VOID", "amountDue": { "amount": "0.00" } }));
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Expired);
    // 5.00 that it used and 1.00 that was paid.
    assert_eq!(world.balance(payer).await, 600);
    assert_eq!(world.count("credit_entries", "reason = 'VOIDED_INVOICE' and amount_minor = 600").await, 1);

    let acts = "select actor || ' ' || subject || ' ' || details from audit_events where action = 'invoice.voided'";
    let details = json!({ "number": "INV-2027-000001", "from": "OPEN", "to": "VOID", "reason": "Agreed by phone." });
    assert_eq!(world.read_texts(acts).await, [format!("{} {id} {details}", member(&staff).await)]);
    let expired = world.read_texts("select actor from audit_events where action = 'subscription.expired'").await;
    assert_eq!(expired, [member(&staff).await]);

    // The same request answers as before, and gives nothing back twice.
    let document = format!("mutation($i: VoidInvoiceInput!) {{ voidInvoice(input: $i) {{ {INVOICE} userErrors {{ code }} }} }}");
    let input = json!({ "invoiceId": id, "reason": "Agreed by phone.", "idempotencyKey": "one" });
    let again = staff.ask(&document, json!({ "i": input })).await;
    assert_eq!(
        (&again["data"]["voidInvoice"]["invoice"], &again["extensions"]["idempotentReplay"]),
        (&void["invoice"], &json!(["voidInvoice"]))
    );
    assert_eq!(world.balance(payer).await, 600);
    let reused = json!({ "invoiceId": id, "reason": "Another", "idempotencyKey": "one" });
    assert_eq!(refused(&staff.payload("voidInvoice", reused, INVOICE).await).0, "IDEMPOTENCY_KEY_REUSED");
    // What waited for it finds nothing to do.
    world.run_at("2027-06-02T06:00:01Z").await;
    assert_eq!(world.count("jobs", "status <> 'DONE'").await, 0);
}

async fn a_void_renewal_lets_its_subscription_go_on_and_its_period_is_charged_by_nobody(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.run_at(JULY).await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::PastDue);
    let staff = world.staff(&server, StaffRole::Finance).await;
    let renewal = invoice(&staff, 2).await;
    assert_eq!(correct(&world, &staff, "voidInvoice", &renewal, "one").await["invoice"]["status"], "VOID");
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.dunning_invoice_id, world.balance(payer).await), (SubscriptionStatus::Active, None, 0));
    // The ladder is down, though its next rung was written.
    world.run_at("2027-07-16T06:00:00Z").await;
    assert_eq!(
        (world.subscription(payer, id).await.status, world.count("payments", "status = 'FAILED'").await),
        (SubscriptionStatus::Active, 1)
    );
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    // Nothing was charged for July, so nothing of it is taken back: 16/31 of 60.00 is 30.97, tax 4.96.
    assert_eq!(world.billed(3, "total_minor").await, 3_593);
    assert_eq!(world.count("invoice_lines", "kind = 'PRORATION_CREDIT'").await, 0);
}

async fn a_void_change_leaves_the_period_charged_as_before_it(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.clock.set(MIDDLE.parse().unwrap());
    // −15.00 + 30.00 = 15.00, tax 2.40: nobody pays it.
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.billed(2, "amount_due_minor").await, 1_740);
    let staff = world.staff(&server, StaffRole::Finance).await;
    correct(&world, &staff, "voidInvoice", &invoice(&staff, 2).await, "one").await;
    assert_eq!(world.subscription(payer, id).await.charged_price_minor, Some(3_000));
    let input = json!({ "subscriptionId": id.to_string(), "timing": "NOW", "unusedTime": "CREDIT", "idempotencyKey": "two" });
    let canceled = world.working(staff.mutate("cancelForBusiness", input, SUBSCRIPTION)).await;
    // 15/30 of the 30.00 that were charged, not of 60.00: 15.00, tax 2.40.
    assert_eq!(canceled["creditNotes"][0]["amount"]["amount"], "17.40");
    assert_eq!((world.balance(payer).await, world.count("pending_lines", "invoice_id is null").await), (1_740, 0));
}

async fn an_invoice_that_is_settled_or_being_paid_is_not_voided(db: TestDatabase) {
    let (world, server, payer, _) = shop(db, "basic").await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let paid = invoice(&staff, 1).await;
    for field in ["voidInvoice", "markInvoiceUncollectible"] {
        assert_eq!(refused(&correct(&world, &staff, field, &paid, field).await).0, "INVALID_TRANSITION");
    }
    let open = world.invoice(payer, 1_000).await;
    let attempt = world.begin(payer, open).await;
    let input = json!({ "invoiceId": open.to_string(), "reason": "Why", "idempotencyKey": "one" });
    assert_eq!(refused(&staff.payload("voidInvoice", input.clone(), INVOICE).await).0, "PAYMENT_IN_PROGRESS");
    assert_eq!(world.invoice_is(payer, open).await, ("OPEN", 0, 1_000));
    world.run_due_jobs().await;
    assert_eq!(world.status(payer, attempt).await, "SUCCEEDED");
    assert_eq!(refused(&staff.payload("voidInvoice", input.clone(), INVOICE).await).0, "INVALID_TRANSITION");
    // A refusal keeps nothing under its key.
    let other = world.invoice(payer, 2_000).await;
    let input = json!({ "invoiceId": other.to_string(), "reason": "Why", "idempotencyKey": "one" });
    staff.mutate("voidInvoice", input.clone(), INVOICE).await;
    let again = json!({ "invoiceId": other.to_string(), "reason": "Why", "idempotencyKey": "two" });
    assert_eq!(refused(&staff.payload("voidInvoice", again.clone(), INVOICE).await).0, "INVALID_TRANSITION");
    assert_eq!(
        refused(&staff.payload("markInvoiceUncollectible", again, INVOICE).await),
        ("INVALID_TRANSITION".into(), "invoiceId".into())
    );
}

async fn an_invoice_that_was_given_up_on_keeps_nothing_from_going_on_and_may_still_be_paid(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.run_at(JULY).await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::PastDue);
    let staff = world.staff(&server, StaffRole::Finance).await;
    let renewal = invoice(&staff, 2).await;
    let given_up = correct(&world, &staff, "markInvoiceUncollectible", &renewal, "one").await;
    assert_eq!(given_up["invoice"], json!({ "id": renewal, "status": "UNCOLLECTIBLE", "amountDue": { "amount": "34.80" } }));
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.dunning_invoice_id), (SubscriptionStatus::Active, None));
    let acts = "select actor || ' ' || subject || ' ' || details from audit_events where action = 'invoice.marked_uncollectible'";
    let details = json!({ "number": "INV-2027-000002", "from": "OPEN", "to": "UNCOLLECTIBLE", "reason": "Agreed by phone." });
    assert_eq!(world.read_texts(acts).await, [format!("{} {renewal} {details}", member(&staff).await)]);
    let input = json!({ "i": { "invoiceId": renewal, "reason": "Agreed by phone.", "idempotencyKey": "one" } });
    let document = "mutation($i: MarkInvoiceUncollectibleInput!) { markInvoiceUncollectible(input: $i) { invoice { status } } }";
    let again = staff.ask(document, input).await;
    assert_eq!(again["extensions"]["idempotentReplay"], json!(["markInvoiceUncollectible"]));

    world.method(payer, SandboxBehavior::Succeeds).await;
    let paid = InvoiceId::parse(&renewal).unwrap();
    world.pay(payer, paid).await.unwrap();
    assert_eq!(world.invoice_is(payer, paid).await, ("PAID", 3_480, 0));
}

async fn a_first_invoice_that_was_given_up_on_begins_nothing(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let mut made = Vec::new();
    for number in [1, 2] {
        let payer = world.payer().await;
        world.method(payer, SandboxBehavior::Declines).await;
        let id = world.subscribe(payer, "basic").await.subscription;
        let first = invoice(&staff, number).await;
        assert_eq!(correct(&world, &staff, "markInvoiceUncollectible", &first, &first).await["invoice"]["status"], "UNCOLLECTIBLE");
        assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Incomplete);
        made.push((payer, id, InvoiceId::parse(&first).unwrap()));
    }
    // Paid after all, it begins; the other expires, and its invoice is void.
    let (payer, id, first) = made[0];
    world.settle(payer, first, 3_480).await;
    assert_eq!(
        (world.invoice_is(payer, first).await, world.subscription(payer, id).await.status),
        (("PAID", 3_480, 0), SubscriptionStatus::Active)
    );
    world.run_at("2027-06-02T06:00:00Z").await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Active);
    let (payer, id, first) = made[1];
    assert_eq!(
        (world.invoice_is(payer, first).await, world.subscription(payer, id).await.status),
        (("VOID", 0, 0), SubscriptionStatus::Expired)
    );
}

async fn credit_notes_by_hand_add_up_to_their_invoice(db: TestDatabase) {
    let (world, server, payer, _) = shop(db, "plus").await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let on = invoice(&staff, 1).await;
    let line = lines(&staff, &on).await.remove(0);
    // 60.00 + 9.60 is paid. 20.03 × 0.16 = 3.2048 → 3.20.
    let input = json!({
        "invoiceId": on, "lines": [{ "invoiceLineId": line, "amount": "20.03" }], "reason": "ERROR", "memo": " Sorry.\nAnn ", "idempotencyKey": "one",
    });
    let first = staff.mutate("issueCreditNote", input.clone(), NOTE).await;
    assert_eq!(figures(&first), ["23.23", "3.20", "0.00", "23.23"]);
    let note = &first["creditNote"];
    assert_eq!((&note["memo"], &note["reason"]), (&json!("Sorry.\nAnn"), &json!("ERROR")));
    assert_eq!(note["lines"], json!([{ "description": "plus", "amount": { "amount": "20.03" } }]));
    let document = format!("mutation($i: IssueCreditNoteInput!) {{ issueCreditNote(input: $i) {{ {NOTE} userErrors {{ code }} }} }}");
    let again = staff.ask(&document, json!({ "i": input })).await;
    assert_eq!(
        (&again["data"]["issueCreditNote"]["creditNote"], &again["extensions"]["idempotentReplay"]),
        (note, &json!(["issueCreditNote"]))
    );

    assert_eq!(figures(&credit(&world, &staff, &on, "20.03").await), ["23.23", "3.20", "0.00", "23.23"]);
    // 60.00 − 2 × 20.03 = 19.94, whose tax by itself is 3.1904 → 3.19: the last takes the residue, 9.60 − 6.40 = 3.20.
    assert_eq!(figures(&credit(&world, &staff, &on, "19.94").await), ["23.14", "3.20", "0.00", "23.14"]);
    assert_eq!(world.balance(payer).await, 6_960);
    assert_eq!(refused(&credit(&world, &staff, &on, "0.01").await), ("TOO_LARGE".to_owned(), "lines.0.amount".to_owned()));
    let acts = "select actor || ' ' || details from audit_events where action = 'credit_note.issued' order by sequence limit 1";
    let details = json!({
        "invoice": on, "number": "CN-2027-000001", "reason": "ERROR", "currency": "KES", "amount_minor": 2_323, "tax_minor": 320,
        "took_off_due_minor": 0, "to_credit_minor": 2_323,
    });
    assert_eq!(world.read_texts(acts).await, [format!("{} {details}", member(&staff).await)]);
    assert_eq!(world.number("select cast(sum(amount_minor) as bigint) from credit_notes").await, 6_960);
}

async fn a_credit_note_lowers_its_own_invoice_first_then_the_oldest_open_one(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.clock.set("2027-06-27T06:00:00Z".parse().unwrap());
    // 4/30: −4.00 + 8.00 = 4.00, tax 0.64: open. The renewal: 60.00 + 9.60, open too.
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    world.run_at(JULY).await;
    assert_eq!((world.billed(2, "amount_due_minor").await, world.billed(3, "amount_due_minor").await), (464, 6_960));
    let staff = world.staff(&server, StaffRole::Finance).await;
    let (first, renewal) = (invoice(&staff, 1).await, invoice(&staff, 3).await);
    // 5.00 + 0.80 on the renewal, though another is older.
    assert_eq!(figures(&credit(&world, &staff, &renewal, "5.00").await), ["5.80", "0.80", "5.80", "0.00"]);
    assert_eq!((world.billed(2, "amount_due_minor").await, world.billed(3, "amount_due_minor").await), (464, 6_380));
    // 10.00 + 1.60 on the first, which is paid: 4.64 off the older open one, 6.96 off the renewal.
    assert_eq!(figures(&credit(&world, &staff, &first, "10.00").await), ["11.60", "1.60", "11.60", "0.00"]);
    assert_eq!((world.billed(2, "amount_due_minor").await, world.billed(3, "amount_due_minor").await), (0, 5_684));
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::PastDue);
    // The rest of the renewal, 55.00 + 8.80 = 63.80: 56.84 were due, and 6.96 are account credit.
    assert_eq!(figures(&credit(&world, &staff, &renewal, "55.00").await), ["63.80", "8.80", "56.84", "6.96"]);
    assert_eq!((world.count("invoices", "status = 'PAID'").await, world.balance(payer).await), (3, 696));
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Active);
}

async fn a_credit_note_works_for_an_invoice_without_a_subscription(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let payer = world.payer().await;
    let on = world.invoice(payer, 1_000).await;
    let (business, line) = (payer.scope.business().uuid(), world.ports.ids.next_uuid());
    world
        .sql(&format!(
            "insert into invoice_lines (business_id, id, invoice_id, position, kind, description, quantity, unit_price, amount_minor, discount_minor, tax_minor, tax_rate, tax_behavior)
               values ({{id:{business}}}, {{id:{line}}}, {{id:{}}}, 1, 'ONE_OFF', 'Set-up', '1', '10.00', 1000, 0, 0, '0', 'EXCLUSIVE')",
            on.uuid()
        ))
        .await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    assert_eq!(figures(&credit(&world, &staff, &on.to_string(), "4.00").await), ["4.00", "0.00", "4.00", "0.00"]);
    assert_eq!(world.invoice_is(payer, on).await, ("OPEN", 0, 600));
    // Given up on, it is credited all the same: nothing more is due.
    correct(&world, &staff, "markInvoiceUncollectible", &on.to_string(), "one").await;
    assert_eq!(figures(&credit(&world, &staff, &on.to_string(), "6.00").await), ["6.00", "0.00", "6.00", "0.00"]);
    assert_eq!((world.invoice_is(payer, on).await, world.balance(payer).await), (("PAID", 0, 0), 0));
}

async fn a_credit_note_past_what_is_left_is_refused(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.clock.set(MIDDLE.parse().unwrap());
    // −15.00 + 30.00 = 15.00, tax 2.40.
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let (first, change) = (invoice(&staff, 1).await, invoice(&staff, 2).await);
    let (plan, taken, charged) = {
        let of_change = lines(&staff, &change).await;
        (lines(&staff, &first).await.remove(0), of_change[0].clone(), of_change[1].clone())
    };
    let rows = world.rows_of(payer.scope.business().uuid()).await;
    let line = |id: &str, amount: &str| json!({ "invoiceLineId": id, "amount": amount });
    let ask = |invoice: &str, lines: Value| json!({ "invoiceId": invoice, "lines": lines, "reason": "GOODWILL", "idempotencyKey": "one" });
    let with = |name: &str, value: Value| {
        let mut input = ask(&first, json!([line(&plan, "1.00")]));
        input[name] = value;
        input
    };
    let many: Vec<Value> = (0..101).map(|_| line(&plan, "0.01")).collect();
    for (input, code, field) in [
        (ask(&first, json!([])), "REQUIRED", "lines"),
        (ask(&first, json!(many)), "TOO_LARGE", "lines"),
        (ask(&first, json!([line("lin_x", "1.00")])), "NOT_FOUND", "lines.0.invoiceLineId"),
        // A line of another invoice.
        (ask(&first, json!([line(&plan, "1.00"), line(&charged, "1.00")])), "NOT_FOUND", "lines.1.invoiceLineId"),
        (ask(&first, json!([line(&plan, "0")])), "INVALID", "lines.0.amount"),
        (ask(&first, json!([line(&plan, "-1.00")])), "INVALID", "lines.0.amount"),
        (ask(&first, json!([line(&plan, "1.001")])), "INVALID", "lines.0.amount"),
        (ask(&first, json!([line(&plan, "10000000000000000000")])), "TOO_LARGE", "lines.0.amount"),
        (ask(&first, json!([line(&plan, "30.01")])), "TOO_LARGE", "lines.0.amount"),
        (ask(&first, json!([line(&plan, "20.00"), line(&plan, "10.01")])), "TOO_LARGE", "lines.1.amount"),
        // What was taken back has nothing left; the charge has 30.00, but the invoice 15.00 + 2.40.
        (ask(&change, json!([line(&taken, "1.00")])), "TOO_LARGE", "lines.0.amount"),
        (ask(&change, json!([line(&charged, "15.01")])), "TOO_LARGE", "lines"),
        (with("memo", json!("é".repeat(501))), "TOO_LONG", "memo"),
        (with("memo", json!("a\u{0}")), "INVALID", "memo"),
        (with("settlement", json!("REFUND")), "NOT_ALLOWED", "settlement"),
    ] {
        let payload = staff.payload("issueCreditNote", input.clone(), NOTE).await;
        assert_eq!(refused(&payload), (code.to_owned(), field.to_owned()), "{input}");
        assert_eq!(payload["creditNote"], Value::Null);
    }
    assert_eq!(world.rows_of(payer.scope.business().uuid()).await, rows);
    let void = world.invoice(payer, 1_000).await.to_string();
    correct(&world, &staff, "voidInvoice", &void, "void").await;
    let payload = staff.payload("issueCreditNote", ask(&void, json!([line(&plan, "1.00")])), NOTE).await;
    assert_eq!(refused(&payload), ("INVALID_TRANSITION".to_owned(), "invoiceId".to_owned()));

    // All that is left of the change's invoice; then a cancellation has no room on it: 15/30 of 60.00 is 30.00, tax 4.80, all of
    // it on the first invoice.
    let all = staff.mutate("issueCreditNote", ask(&change, json!([line(&charged, "15.00")])), NOTE).await;
    assert_eq!(figures(&all), ["17.40", "2.40", "0.00", "17.40"]);
    let input = json!({ "subscriptionId": id.to_string(), "timing": "NOW", "unusedTime": "CREDIT", "idempotencyKey": "two" });
    let canceled = world.working(staff.mutate("cancelForBusiness", input, SUBSCRIPTION)).await;
    assert_eq!(canceled["creditNotes"].as_array().unwrap().len(), 1);
    assert_eq!(canceled["creditNotes"][0]["amount"]["amount"], "34.80");
    // Nothing is left of either.
    let payload = staff.payload("issueCreditNote", ask(&first, json!([line(&plan, "0.01")])), NOTE).await;
    assert_eq!(refused(&payload), ("TOO_LARGE".to_owned(), "lines".to_owned()));
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
