//! What is metered is billed in arrears, a line for each feature, and what is told of too late on the next invoice.

use evolve_business::billing::lifecycle::InvoiceStatus;
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::statements::sign_in_again;
use crate::world_usage::{Erp, counted, event, event_at, record};

const NOW: &str = "2027-01-10T09:00:00Z";
/// Midnight of 10 February in Nairobi.
const RENEWAL: &str = "2027-02-09T21:00:00Z";
const INVOICES: &str = "{ invoices(first: 100) { totalCount nodes { id number issuedAt amountDue { amount } subtotal { amount } tax { amount } total { amount } status
  lines { kind description quantity unitPrice amount { amount } period { start end } } } } }";

both!(
    a_renewal_bills_each_model_of_what_was_used_as_the_upcoming_invoice_said,
    what_is_told_after_the_invoice_is_on_the_next_as_a_line_that_says_so,
    a_month_of_a_year_is_billed_when_it_is_over,
    what_was_used_is_rated_by_the_plan_in_force_at_the_end,
    a_cycle_that_starts_again_bills_what_was_used_until_then_as_previewed,
    the_final_invoice_bills_what_was_used_and_what_is_told_later_is_counted_alone,
    a_trial_bills_nothing_of_what_was_used,
    a_counter_that_is_not_the_sum_of_its_events_is_found,
);

/// The invoices, the newest first.
pub(crate) async fn invoices(erp: &mut Erp) -> Vec<Value> {
    sign_in_again(&mut erp.owner, "ann").await;
    erp.owner.data(INVOICES, json!({})).await["invoices"]["nodes"].as_array().unwrap().clone()
}

/// The kind, description, quantity, price of one and amount of each line.
pub(crate) fn lines(invoice: &Value) -> Vec<[String; 5]> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = |line: &Value| {
        [
            text(&line["kind"]),
            text(&line["description"]),
            text(&line["quantity"]),
            text(&line["unitPrice"]),
            text(&line["amount"]["amount"]),
        ]
    };
    invoice["lines"].as_array().unwrap().iter().map(told).collect()
}

/// As [`lines`], of texts.
pub(crate) fn expected<const N: usize>(lines: [[&str; 5]; N]) -> Vec<[String; 5]> {
    lines.map(|line| line.map(str::to_owned)).to_vec()
}

async fn a_renewal_bills_each_model_of_what_was_used_as_the_upcoming_invoice_said(db: TestDatabase) {
    let mut erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    let events = json!([
        event("a", "calls", "50"),
        event("b", "faxes", "5"),
        event("c", "sms", "12"),
        event("d", "pages", "1101"),
        event("e", "prints", "131"),
        event("f", "stamps", "1001"),
    ]);
    assert_eq!(counted(&erp.record(events).await), (6, 0));
    // 2 × 2.50; 101 pages begin two packages; 10 × 2.00 + 20 × 1.50 + 5.00 + 1 × 0.75; 1001 × 0.0035 = 3.5035.
    let used = expected([
        ["USAGE", "Pages: 101 past the 1000 included (page)", "2", "45", "90.00"],
        ["USAGE", "Prints: 31 past the 100 included (print)", "1", "55.75", "55.75"],
        ["USAGE", "Stamps: 1001 past the 0 included (stamp)", "1001", "0.0035", "3.50"],
        ["USAGE", "Text messages: 2 past the 10 included (message)", "2", "2.5", "5.00"],
    ]);
    let by_description = |mut lines: Vec<[String; 5]>| {
        lines.sort();
        lines
    };
    let query = "{ subscription(product: \"erp\") { upcomingInvoice { total { amount } lines { kind description quantity unitPrice amount { amount } } } } }";
    let upcoming = erp.owner.data(query, json!({})).await["subscription"]["upcomingInvoice"].take();
    erp.pass_to(RENEWAL).await;
    let all = invoices(&mut erp).await;
    let renewal = lines(&all[0]);
    assert_eq!(renewal[0], ["RECURRING", "small", "1", "30", "30.00"].map(str::to_owned));
    assert_eq!(by_description(renewal[1..].to_vec()), used);
    // 30.00 + 90.00 + 55.75 + 3.50 + 5.00 = 184.25, of which 16 % are 29.48.
    let amounts = |invoice: &Value| ["subtotal", "tax", "total"].map(|name| invoice[name]["amount"].as_str().unwrap().to_owned());
    assert_eq!(
        (amounts(&all[0]), &all[0]["status"]),
        (["184.25", "29.48", "213.73"].map(str::to_owned), &json!(InvoiceStatus::Paid.as_str()))
    );
    assert_eq!(all[0]["lines"][1]["period"], json!({ "start": NOW, "end": RENEWAL }));
    assert_eq!((by_description(lines(&upcoming)), &upcoming["total"]["amount"]), (by_description(renewal), &json!("213.73")));
    // The month that follows has nothing of it.
    erp.pass_to("2027-03-09T21:00:00Z").await;
    assert_eq!(lines(&invoices(&mut erp).await[0]), expected([["RECURRING", "small", "1", "30", "30.00"]]));
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn what_is_told_after_the_invoice_is_on_the_next_as_a_line_that_says_so(db: TestDatabase) {
    let mut erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "sms", "12")])).await), (1, 0));
    erp.pass_to("2027-02-12T09:00:00Z").await;
    // Of a feature that was billed, of one that was counted and cost nothing, and within what is included.
    let late = json!([
        event_at("b", "sms", "3", "2027-02-01T00:00:00Z"),
        event_at("c", "faxes", "7", "2027-02-09T20:59:59Z"),
        event_at("d", "prints", "1", "2027-02-01T00:00:00Z"),
        event("e", "sms", "11"),
    ]);
    assert_eq!(counted(&erp.record(late).await), (4, 0));
    erp.pass_to("2027-03-09T21:00:00Z").await;
    let all = invoices(&mut erp).await;
    // Faxes had no counter when the month was billed: it is billed for the first time.
    assert_eq!(
        lines(&all[0]),
        expected([
            ["RECURRING", "small", "1", "30", "30.00"],
            ["USAGE", "Faxes: 2 past the 5 included (fax)", "2", "1", "2.00"],
            ["USAGE", "Text messages: 3 more past the 10 included (message), recorded after the invoice for this time", "1", "7.5", "7.50"],
            ["USAGE", "Text messages: 1 past the 10 included (message)", "1", "2.5", "2.50"],
        ])
    );
    assert_eq!(all[0]["lines"][2]["period"], json!({ "start": NOW, "end": RENEWAL }));
    assert_eq!(all[0]["lines"][3]["period"], json!({ "start": RENEWAL, "end": "2027-03-09T21:00:00Z" }));
    erp.pass_to("2027-04-09T21:00:00Z").await;
    assert_eq!(lines(&invoices(&mut erp).await[0]).len(), 1, "once");
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn a_month_of_a_year_is_billed_when_it_is_over(db: TestDatabase) {
    let mut erp = Erp::at(db, "2027-01-31T09:00:00Z", "small", "YEARLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "sms", "12")])).await), (1, 0));
    assert_eq!(counted(&erp.record(json!([event("b", "sms", "1")])).await), (1, 0));
    erp.pass_to("2027-02-27T20:59:59Z").await;
    assert_eq!(invoices(&mut erp).await.len(), 1, "the year");
    erp.pass_to("2027-02-27T21:00:00Z").await;
    let all = invoices(&mut erp).await;
    assert_eq!(
        (all.len(), lines(&all[0])),
        (2, expected([["USAGE", "Text messages: 3 past the 10 included (message)", "3", "2.5", "7.50"]]))
    );
    assert_eq!((&all[0]["total"]["amount"], &all[0]["status"]), (&json!("8.70"), &json!("PAID")), "7.50 + 16 %");
    assert_eq!(all[0]["lines"][0]["period"], json!({ "start": "2027-01-31T09:00:00Z", "end": "2027-02-27T21:00:00Z" }));
    // A month without use has no invoice; the year's end bills its last month with the next year.
    erp.pass_to("2028-01-20T09:00:00Z").await;
    assert_eq!(counted(&erp.record(json!([event("c", "faxes", "6")])).await), (1, 0));
    erp.pass_to("2028-01-30T21:00:00Z").await;
    let all = invoices(&mut erp).await;
    assert_eq!(all.len(), 3);
    let expected =
        expected([["RECURRING", "small", "1", "300", "300.00"], ["USAGE", "Faxes: 1 past the 5 included (fax)", "1", "1", "1.00"]]);
    assert_eq!(lines(&all[0]), expected);
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn what_was_used_is_rated_by_the_plan_in_force_at_the_end(db: TestDatabase) {
    let mut erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "sms", "32"), event("b", "faxes", "7")])).await), (2, 0));
    erp.change("big", "NONE").await;
    erp.pass_to(RENEWAL).await;
    // 12 past 20: 10 × 2.00 + 2 × 1.50. The plan lacks faxes: the last plan that had them rates them.
    assert_eq!(
        lines(&invoices(&mut erp).await[0]),
        expected([
            ["RECURRING", "big", "1", "90", "90.00"],
            ["USAGE", "Faxes: 2 past the 5 included (fax)", "2", "1", "2.00"],
            ["USAGE", "Text messages: 12 past the 20 included (message)", "1", "23", "23.00"],
        ])
    );
}

async fn a_cycle_that_starts_again_bills_what_was_used_until_then_as_previewed(db: TestDatabase) {
    let mut erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "sms", "12")])).await), (1, 0));
    erp.world.clock.set("2027-01-10T09:05:00Z".parse().unwrap());
    let plan = erp.world.plan("erp", "big").await.to_string();
    let mut change = json!({ "subscriptionId": erp.subscription, "planId": plan, "timing": "NOW", "proration": "RESET_CYCLE" });
    let preview = async |erp: &Erp, change: &Value| {
        let query = "query($i: ChangePlanPreviewInput!) { changePlanPreview(input: $i) { preview { total { amount } } previewToken userErrors { code } } }";
        erp.owner.data(query, json!({ "i": change })).await["changePlanPreview"].take()
    };
    // 5.00 used, 30.00 unused, 90.00 for the new cycle: 65.00, and 10.40 tax.
    let shown = preview(&erp, &change).await;
    assert_eq!(shown["preview"]["total"]["amount"], "75.40", "{shown:#}");
    assert_eq!(counted(&erp.record(json!([event("b", "sms", "1")])).await), (1, 0));
    change["idempotencyKey"] = json!("first");
    change["previewToken"] = shown["previewToken"].clone();
    let stale = erp.owner.payload("changePlan", change.clone(), "subscription { id }").await;
    assert_eq!(stale["userErrors"][0]["code"], "STALE_PREVIEW", "{stale:#}");
    let again = json!({ "subscriptionId": erp.subscription, "planId": plan, "timing": "NOW", "proration": "RESET_CYCLE" });
    change["previewToken"] = preview(&erp, &again).await["previewToken"].take();
    let done = erp.world.working(erp.owner.mutate("changePlan", change, "invoice { total { amount } }")).await;
    assert_eq!(done["invoice"]["total"]["amount"], "78.30", "7.50 − 30.00 + 90.00 = 67.50, and 10.80");
    let all = invoices(&mut erp).await;
    assert_eq!(lines(&all[0])[0], ["USAGE", "Text messages: 3 past the 10 included (message)", "3", "2.5", "7.50"].map(str::to_owned));
    assert_eq!(all[0]["lines"][0]["period"], json!({ "start": NOW, "end": "2027-01-10T09:05:00Z" }));
    // The new usage period is the new plan's.
    assert_eq!(counted(&erp.record(json!([event("c", "sms", "21")])).await), (1, 0));
    erp.pass_to(RENEWAL).await;
    let renewal = expected([
        ["RECURRING", "big", "1", "90", "90.00"],
        ["USAGE", "Text messages: 1 past the 20 included (message)", "1", "2", "2.00"],
    ]);
    assert_eq!(lines(&invoices(&mut erp).await[0]), renewal);
    assert_eq!(erp.world.examine().await, [""; 0]);
}

async fn the_final_invoice_bills_what_was_used_and_what_is_told_later_is_counted_alone(db: TestDatabase) {
    let mut erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "sms", "12")])).await), (1, 0));
    erp.world.clock.set("2027-01-10T09:10:00Z".parse().unwrap());
    let now = json!({ "subscriptionId": erp.subscription, "timing": "NOW", "idempotencyKey": "end" });
    let ended = erp.world.working(erp.owner.mutate("cancel", now, "invoice { total { amount } lines { kind amount { amount } } }")).await;
    let line = json!([{ "kind": "USAGE", "amount": { "amount": "5.00" } }]);
    assert_eq!((&ended["invoice"]["total"]["amount"], &ended["invoice"]["lines"]), (&json!("5.80"), &line));
    erp.pass_to("2027-01-12T09:00:00Z").await;
    assert_eq!(counted(&erp.record(json!([event_at("b", "sms", "2", NOW)])).await), (1, 0));
    erp.pass_to("2027-03-20T09:00:00Z").await;
    assert_eq!((invoices(&mut erp).await.len(), erp.world.examine().await), (2, Vec::<String>::new()));
}

async fn a_trial_bills_nothing_of_what_was_used(db: TestDatabase) {
    let mut erp = Erp::at(db, NOW, "tried", "MONTHLY").await;
    assert_eq!(counted(&record(&erp.program, json!([event("a", "sms", "50"), event("b", "calls", "150")]), false).await), (2, 0));
    erp.change("small", "NONE").await;
    erp.pass_to("2027-01-23T21:00:00Z").await;
    assert_eq!(counted(&erp.record(json!([event_at("c", "sms", "9", "2027-01-12T00:00:00Z")])).await), (1, 0));
    erp.pass_to("2027-02-23T21:00:00Z").await;
    let all = invoices(&mut erp).await;
    let only = expected([["RECURRING", "small", "1", "30", "30.00"]]);
    assert_eq!(all.iter().map(lines).collect::<Vec<_>>(), [only.clone(), only]);
}

async fn a_counter_that_is_not_the_sum_of_its_events_is_found(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    erp.pass_to("2027-02-12T09:00:00Z").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "1.5"), event_at("b", "calls", "2", NOW)])).await), (2, 0));
    assert_eq!(erp.world.examine().await, [""; 0]);
    erp.pass_to("2027-03-12T09:00:00Z").await;
    assert_eq!(counted(&erp.record(json!([event("c", "calls", "1.5")])).await), (1, 0));
    erp.world.sql("update usage_counters set used = '2.5' where used = '1.5'").await;
    let wrong = erp.world.examine().await;
    let is_found = |finding: &String| finding.starts_with("usage: ucn_") && finding.contains("2.5 of calls");
    assert!(wrong.len() == 2 && wrong.iter().all(is_found), "{wrong:#?}");
    // Of a counter that was begun before the time since when all events are kept, some may be gone.
    erp.world.sql("insert into usage_retention (id, kept_since) select 1, max(begun_at) from usage_counters").await;
    let wrong = erp.world.examine().await;
    assert!(wrong.len() == 1 && is_found(&wrong[0]), "{wrong:#?}");
    erp.world.sql("update usage_counters set used = '1' where used = '2'").await;
    assert_eq!(erp.world.examine().await.len(), 2, "but those that are there never come to more than it says");
    erp.world.sql("delete from usage_counters").await;
    let wrong = erp.world.examine().await;
    assert!(
        wrong.iter().all(|finding| finding.starts_with("usage: sub_") && finding.contains("no counter")) && !wrong.is_empty(),
        "{wrong:#?}"
    );
}
