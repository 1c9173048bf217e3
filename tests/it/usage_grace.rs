//! Hours for late usage: an invoice is a draft until they are over, and what is told of meanwhile stands on it.

use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::usage_billing::{expected, invoices, lines};
use crate::world_usage::{Erp, counted, event, event_at};

const NOW: &str = "2027-01-10T09:00:00Z";
/// Midnight of 10 February in Nairobi, and what is told of after it of the time before it.
const RENEWAL: &str = "2027-02-09T21:00:00Z";
const BEFORE: &str = "2027-02-09T20:00:00Z";
/// A day later.
const ISSUE: &str = "2027-02-10T21:00:00Z";

both!(
    usage_that_is_told_of_within_the_hours_stands_on_the_invoice,
    a_draft_is_rated_by_the_plan_in_force_at_its_boundary,
    whoever_changes_the_plan_sees_the_draft_issued_first,
    whoever_ends_a_subscription_has_the_draft_issued_and_what_is_unused_credited_on_it,
    a_worker_that_was_away_for_longer_than_the_hours_bills_at_once,
    a_month_of_a_year_is_a_draft_too,
    a_draft_can_be_neither_paid_nor_collected,
    a_draft_that_late_usage_made_cheaper_than_its_credits_waits_for_the_next_invoice,
);

/// A customer with a month's subscription to a product that leaves a day, who has sent 12 messages.
async fn graced(db: TestDatabase, interval: &str) -> Erp {
    let erp = Erp::at(db, NOW, "small", interval).await;
    erp.leave_hours(24).await;
    assert_eq!(counted(&erp.record(json!([event("a", "sms", "12")])).await), (1, 0));
    erp
}

/// State, number, total and what is due of an invoice.
fn stands(invoice: &Value) -> [Value; 4] {
    [&invoice["status"], &invoice["number"], &invoice["total"]["amount"], &invoice["amountDue"]["amount"]].map(Value::clone)
}

async fn usage_that_is_told_of_within_the_hours_stands_on_the_invoice(db: TestDatabase) {
    let mut erp = graced(db, "MONTHLY").await;
    erp.pass_to(RENEWAL).await;
    let all = invoices(&mut erp).await;
    // 30.00 and 2 × 2.50, and 16 %: 5.60.
    assert_eq!(stands(&all[0]), [json!("DRAFT"), Value::Null, json!("40.60"), json!("40.60")]);
    assert_eq!((&all[0]["issuedAt"], all.len()), (&Value::Null, 2));
    assert_eq!(erp.world.count("payments", "true").await, 1, "nothing is collected yet");
    assert_eq!(erp.world.count("subscriptions", "status = 'ACTIVE' and period_number = 2").await, 1);
    assert_eq!(erp.world.examine().await, [""; 0]);

    erp.world.clock.set("2027-02-10T08:00:00Z".parse().unwrap());
    assert_eq!(counted(&erp.record(json!([event_at("b", "sms", "3", BEFORE), event("c", "sms", "11")])).await), (2, 0));
    erp.pass_to("2027-02-10T20:59:59Z").await;
    assert_eq!(stands(&invoices(&mut erp).await[0])[0], "DRAFT");
    erp.pass_to(ISSUE).await;
    let all = invoices(&mut erp).await;
    // 30.00 and 5 × 2.50, and 16 %: 6.80.
    assert_eq!(stands(&all[0]), [json!("PAID"), json!("INV-2027-000002"), json!("49.30"), json!("0.00")]);
    assert_eq!((&all[0]["issuedAt"], all.len()), (&json!(ISSUE), 2));
    let renewal = expected([
        ["RECURRING", "small", "1", "30", "30.00"],
        ["USAGE", "Text messages: 5 past the 10 included (message)", "5", "2.5", "12.50"],
    ]);
    assert_eq!(lines(&all[0]), renewal);
    assert_eq!(erp.world.examine().await, [""; 0]);

    // After the hours it is on the next one, as a line that says so.
    assert_eq!(counted(&erp.record(json!([event_at("d", "sms", "1", BEFORE)])).await), (1, 0));
    erp.pass_to("2027-03-09T21:00:00Z").await;
    erp.pass_to("2027-03-10T21:00:00Z").await;
    let next = expected([
        ["RECURRING", "small", "1", "30", "30.00"],
        ["USAGE", "Text messages: 1 more past the 10 included (message), recorded after the invoice for this time", "1", "2.5", "2.50"],
        ["USAGE", "Text messages: 1 past the 10 included (message)", "1", "2.5", "2.50"],
    ]);
    assert_eq!(lines(&invoices(&mut erp).await[0]), next);
    assert_eq!(erp.world.count("invoices", "status = 'PAID'").await, 3);
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn a_draft_is_rated_by_the_plan_in_force_at_its_boundary(db: TestDatabase) {
    let mut erp = graced(db, "MONTHLY").await;
    let big = erp.world.plan("erp", "big").await.to_string();
    let at_the_end = json!({ "subscriptionId": erp.subscription, "planId": big, "timing": "PERIOD_END", "idempotencyKey": "later" });
    erp.owner.mutate("changePlan", at_the_end, "subscription { id }").await;
    erp.pass_to(RENEWAL).await;
    assert_eq!(counted(&erp.record(json!([event_at("b", "sms", "3", BEFORE)])).await), (1, 0));
    erp.pass_to(ISSUE).await;
    // The small plan includes 10, the big one 20.
    let issued = expected([
        ["RECURRING", "big", "1", "90", "90.00"],
        ["USAGE", "Text messages: 5 past the 10 included (message)", "5", "2.5", "12.50"],
    ]);
    assert_eq!(lines(&invoices(&mut erp).await[0]), issued);
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn whoever_changes_the_plan_sees_the_draft_issued_first(db: TestDatabase) {
    let mut erp = graced(db, "MONTHLY").await;
    erp.pass_to(RENEWAL).await;
    erp.world.clock.set("2027-02-09T22:00:00Z".parse().unwrap());
    assert_eq!(stands(&invoices(&mut erp).await[0])[0], "DRAFT");
    erp.change("big", "PRORATE_NOW").await;
    erp.world.run_due_jobs().await;
    let all = invoices(&mut erp).await;
    // On the period's first day: 30.00 back, 90.00, and 16 % of the difference.
    assert_eq!(stands(&all[0]), [json!("PAID"), json!("INV-2027-000003"), json!("69.60"), json!("0.00")]);
    assert_eq!(stands(&all[1]), [json!("PAID"), json!("INV-2027-000002"), json!("40.60"), json!("0.00")]);
    erp.pass_to("2027-02-12T09:00:00Z").await;
    assert_eq!(invoices(&mut erp).await.len(), 3, "the draft's own job finds nothing to do");
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn whoever_ends_a_subscription_has_the_draft_issued_and_what_is_unused_credited_on_it(db: TestDatabase) {
    let mut erp = graced(db, "MONTHLY").await;
    erp.pass_to(RENEWAL).await;
    erp.world.clock.set("2027-02-09T22:00:00Z".parse().unwrap());
    assert_eq!(stands(&invoices(&mut erp).await[0])[0], "DRAFT");
    let now = json!({ "subscriptionId": erp.subscription, "timing": "NOW", "unusedTime": "CREDIT", "idempotencyKey": "end" });
    let ended = erp.world.working(erp.owner.mutate("cancel", now, "creditNotes { amount { amount } invoice { number } }")).await;
    // The whole month is unused: 30.00 and 16 %.
    assert_eq!(ended["creditNotes"], json!([{ "amount": { "amount": "34.80" }, "invoice": { "number": "INV-2027-000002" } }]));
    erp.pass_to("2027-02-12T09:00:00Z").await;
    assert_eq!(erp.world.count("invoices", "status = 'DRAFT'").await, 0);
    assert_eq!(erp.world.billed(2, "amount_due_minor").await, 0, "what was used is paid");
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn a_worker_that_was_away_for_longer_than_the_hours_bills_at_once(db: TestDatabase) {
    let mut erp = graced(db, "MONTHLY").await;
    erp.pass_to(ISSUE).await;
    assert_eq!(stands(&invoices(&mut erp).await[0]), [json!("PAID"), json!("INV-2027-000002"), json!("40.60"), json!("0.00")]);
    assert_eq!(erp.world.count("jobs", "kind = 'issue_draft'").await, 0);
    // Away again from before the next boundary, with a draft, until after the one that follows.
    erp.pass_to("2027-03-09T22:00:00Z").await;
    erp.pass_to("2027-04-20T09:00:00Z").await;
    let all = invoices(&mut erp).await;
    assert_eq!(all.iter().map(|invoice| invoice["status"].clone()).collect::<Vec<_>>(), ["PAID"; 4]);
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn a_month_of_a_year_is_a_draft_too(db: TestDatabase) {
    let mut erp = graced(db, "YEARLY").await;
    erp.pass_to(RENEWAL).await;
    // 2 × 2.50, and 16 %: 0.80.
    assert_eq!(stands(&invoices(&mut erp).await[0]), [json!("DRAFT"), Value::Null, json!("5.80"), json!("5.80")]);
    assert_eq!(counted(&erp.record(json!([event_at("b", "sms", "2", BEFORE)])).await), (1, 0));
    erp.pass_to(ISSUE).await;
    let all = invoices(&mut erp).await;
    assert_eq!(lines(&all[0]), expected([["USAGE", "Text messages: 4 past the 10 included (message)", "4", "2.5", "10.00"]]));
    assert_eq!((stands(&all[0])[0].clone(), all.len()), (json!("PAID"), 2));
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn a_draft_can_be_neither_paid_nor_collected(db: TestDatabase) {
    let mut erp = graced(db, "MONTHLY").await;
    erp.pass_to(RENEWAL).await;
    let draft = invoices(&mut erp).await[0]["id"].clone();
    let paying = erp.owner.payload("payInvoice", json!({ "invoiceId": draft, "idempotencyKey": "now" }), "payment { id }").await;
    assert_eq!(paying["userErrors"][0]["code"], "INVALID_TRANSITION", "{paying:#}");
    // A new default method is tried on what is overdue, which a draft is not.
    crate::world_lives::add_method(&erp.owner, "SUCCEEDS").await;
    erp.world.run_due_jobs().await;
    assert_eq!(erp.world.count("payments", "true").await, 1);
    assert_eq!(stands(&invoices(&mut erp).await[0])[0], "DRAFT");
}

async fn a_draft_that_late_usage_made_cheaper_than_its_credits_waits_for_the_next_invoice(db: TestDatabase) {
    let mut erp = graced(db, "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("s", "stamps", "1000")])).await), (1, 0));
    erp.world
        .sql(
            "insert into pending_lines (business_id, id, subscription_id, kind, description, quantity, unit_price, amount_minor,
               discount_minor, tax_behavior, created_at)
             select business_id, id, id, 'PRORATION_CREDIT', 'unused', '1', '-38.8', -3880, 0, 'EXCLUSIVE', created_at from subscriptions",
        )
        .await;
    erp.pass_to(RENEWAL).await;
    // 30.00, 5.00, 1000 × 0.004 and −38.80 are 0.20, and 0.03.
    assert_eq!(stands(&invoices(&mut erp).await[0]), [json!("DRAFT"), Value::Null, json!("0.23"), json!("0.23")]);
    // 1001 × 0.0035 are 3.50: −0.30.
    assert_eq!(counted(&erp.record(json!([event_at("t", "stamps", "1", BEFORE)])).await), (1, 0));
    erp.pass_to(ISSUE).await;
    assert_eq!(invoices(&mut erp).await.len(), 1);
    assert_eq!(erp.world.examine().await, [""; 0]);
    erp.pass_to("2027-03-09T21:00:00Z").await;
    erp.pass_to("2027-03-10T21:00:00Z").await;
    // 29.70 and 16 %: 4.75.
    assert_eq!(stands(&invoices(&mut erp).await[0]), [json!("PAID"), json!("INV-2027-000002"), json!("34.45"), json!("0.00")]);
    assert_eq!(erp.world.examine().await, [""; 0]);
}
