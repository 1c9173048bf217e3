//! Credit notes by hand, to the cent: 16 % comes on top of every price of the shop.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_staff::text;
use crate::world_staff_money::{JULY, JUNE, MIDDLE, SUBSCRIPTION, correct, done, invoice, member, refused, shop};

both!(
    credit_notes_by_hand_add_up_to_their_invoice,
    a_credit_note_lowers_its_own_invoice_first_then_the_oldest_open_one,
    a_credit_note_works_for_an_invoice_without_a_subscription,
    a_credit_note_past_what_is_left_is_refused,
);

const NOTE: &str = "creditNote { amount { amount } tax { amount } tookOffAmountDue { amount } toAccountCredit { amount } toRefund { amount } memo reason lines { description amount { amount } } }";

/// The ids of an invoice's lines.
async fn lines(staff: &Client, invoice: &str) -> Vec<String> {
    let data = staff.data("query($i: ID!) { node(id: $i) { ... on Invoice { lines { id } } } }", json!({ "i": invoice })).await;
    data["node"]["lines"].as_array().unwrap().iter().map(|line| text(&line["id"])).collect()
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
        (note, &json!([["issueCreditNote"]]))
    );

    assert_eq!(figures(&credit(&world, &staff, &on, "20.03").await), ["23.23", "3.20", "0.00", "23.23"]);
    // 60.00 − 2 × 20.03 = 19.94, whose tax by itself is 3.1904 → 3.19: the last takes the residue, 9.60 − 6.40 = 3.20.
    assert_eq!(figures(&credit(&world, &staff, &on, "19.94").await), ["23.14", "3.20", "0.00", "23.14"]);
    assert_eq!(world.balance(payer).await, 6_960);
    assert_eq!(refused(&credit(&world, &staff, &on, "0.01").await), ("TOO_LARGE".to_owned(), "lines.0.amount".to_owned()));
    let acts = "select actor || ' ' || details from audit_events where action = 'credit_note.issued' order by sequence limit 1";
    let details = json!({
        "invoice": on, "number": "CN-2027-000001", "reason": "ERROR", "currency": "KES", "amount_minor": 2_323, "tax_minor": 320,
        "took_off_due_minor": 0, "to_credit_minor": 2_323, "to_refund_minor": 0,
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
    let canceled = world.working(done(&staff, "cancelForBusiness", input, SUBSCRIPTION)).await;
    assert_eq!(canceled["creditNotes"].as_array().unwrap().len(), 1);
    assert_eq!(canceled["creditNotes"][0]["amount"]["amount"], "34.80");
    // Nothing is left of either.
    let mut more = ask(&first, json!([line(&plan, "0.01")]));
    more["idempotencyKey"] = json!("three");
    let payload = staff.payload("issueCreditNote", more, NOTE).await;
    assert_eq!(refused(&payload), ("TOO_LARGE".to_owned(), "lines".to_owned()));
}
