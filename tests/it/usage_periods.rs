//! Usage periods: when what is metered starts again at zero, and what a change of plan makes of what was counted.

use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::test_clocks::advance;
use crate::world::World;
use crate::world_lives::add_method;
use crate::world_usage::{Erp, counted, event, event_at, record, refused};

const NOW: &str = "2027-01-10T09:00:00Z";

both!(
    a_month_starts_again_at_zero_whether_or_not_its_boundary_is_billed,
    a_year_starts_again_at_zero_each_month_from_its_anchor,
    a_change_of_plan_keeps_what_was_counted_and_is_never_refused_for_it,
    a_cycle_that_starts_again_closes_the_usage_period,
    after_the_end_nothing_counts_but_what_happened_before,
    a_trial_counts_by_itself,
    usage_goes_by_the_test_clock_that_a_business_is_on,
);

/// The metric of a feature, or null.
async fn metric(erp: &Erp, feature: &str) -> Value {
    let query =
        "{ usage(product: \"erp\") { metrics { feature { key } used included remaining overage overageCost { amount } resetsAt } } }";
    let mut shown = erp.program.data(query, json!({})).await;
    let metrics = shown["usage"]["metrics"].as_array_mut().unwrap();
    metrics.iter_mut().find(|metric| metric["feature"]["key"] == feature).map_or(Value::Null, Value::take)
}

async fn a_month_starts_again_at_zero_whether_or_not_its_boundary_is_billed(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    // Midnight in Nairobi is 21:00 in UTC.
    let january = json!({ "start": NOW, "end": "2027-02-09T21:00:00Z" });
    assert_eq!(erp.period(None).await, january);
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "100")])).await), (1, 0));
    assert_eq!(erp.access("calls", "1").await, (false, "LIMIT_REACHED".to_owned()));
    // No worker has run.
    erp.world.clock.set("2027-02-09T21:00:00Z".parse().unwrap());
    let february = json!({ "start": "2027-02-09T21:00:00Z", "end": "2027-03-09T21:00:00Z" });
    assert_eq!((erp.period(None).await, erp.access("calls", "100").await), (february.clone(), (true, "INCLUDED".to_owned())));
    let last = event_at("b", "calls", "1", "2027-02-09T20:59:59.999999Z");
    assert_eq!(counted(&erp.record(json!([event("c", "calls", "7")])).await), (1, 0));
    assert_eq!(refused(&erp.record(json!([last])).await), [(0, "quantity".to_owned(), "LIMIT_EXCEEDED".to_owned())]);
    erp.world.run_due_jobs().await;
    assert_eq!((erp.period(None).await, erp.used("calls", None).await), (february, json!("7")), "billed since");
    assert_eq!((erp.period(Some(NOW)).await, erp.used("calls", Some(NOW)).await), (january, json!("100")));
    assert_eq!(erp.period(Some("2027-01-10T08:59:59Z")).await, Value::Null, "before it began");
    assert_eq!(erp.period(Some("2027-02-09T21:00:01Z")).await, Value::Null, "it is not there yet");
    // Months later, still without a worker.
    erp.world.clock.set("2027-05-01T00:00:00Z".parse().unwrap());
    assert_eq!(erp.period(None).await, json!({ "start": "2027-04-09T21:00:00Z", "end": "2027-05-09T21:00:00Z" }));
    assert_eq!(counted(&erp.record(json!([event("d", "calls", "100")])).await), (1, 0));
    erp.world.run_due_jobs().await;
    assert_eq!((erp.used("calls", None).await, erp.world.examine().await), (json!("100"), Vec::<String>::new()));
}

async fn a_year_starts_again_at_zero_each_month_from_its_anchor(db: TestDatabase) {
    let erp = Erp::at(db, "2027-01-31T09:00:00Z", "small", "YEARLY").await;
    assert_eq!(erp.period(None).await, json!({ "start": "2027-01-31T09:00:00Z", "end": "2027-02-27T21:00:00Z" }));
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "99")])).await), (1, 0));
    erp.pass_to("2027-03-05T09:00:00Z").await;
    let late = event_at("b", "calls", "1", "2027-02-27T20:59:59Z");
    let events = json!([event_at("c", "calls", "5", "2027-02-27T21:00:00Z"), late, event_at("d", "calls", "1", "2027-02-01T00:00:00Z")]);
    assert_eq!(refused(&erp.record(events).await), [(2, "quantity".to_owned(), "LIMIT_EXCEEDED".to_owned())]);
    assert_eq!(erp.period(None).await, json!({ "start": "2027-02-27T21:00:00Z", "end": "2027-03-30T21:00:00Z" }));
    assert_eq!((erp.used("calls", None).await, erp.used("calls", Some("2027-02-01T00:00:00Z")).await), (json!("5"), json!("100")));
    assert_eq!(metric(&erp, "calls").await["resetsAt"], "2027-03-30T21:00:00Z");
}

async fn a_change_of_plan_keeps_what_was_counted_and_is_never_refused_for_it(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "90"), event("b", "sms", "12"), event("c", "faxes", "4")])).await), (3, 0));
    let sms = |used: &str, included: &str, overage: &str, cost: &str, remaining: &str| {
        json!({ "feature": { "key": "sms" }, "used": used, "included": included, "remaining": remaining, "overage": overage,
                "overageCost": { "amount": cost }, "resetsAt": "2027-02-09T21:00:00Z" })
    };
    assert_eq!(metric(&erp, "sms").await, sms("12", "10", "2", "5.00", "0"), "2 × 2.50");
    erp.change("big", "PRORATE_NOW").await;
    assert_eq!(metric(&erp, "sms").await, sms("12", "20", "0", "0.00", "8"));
    assert_eq!(counted(&erp.record(json!([event("d", "sms", "20"), event("e", "calls", "400")])).await), (2, 0));
    assert_eq!(metric(&erp, "sms").await, sms("32", "20", "12", "23.00", "0"), "10 × 2.00 + 2 × 1.50");
    // What the plan lacks is counted only where nothing is enforced, and is priced by the last plan that had it.
    assert_eq!(erp.access("faxes", "1").await, (false, "NOT_IN_PLAN".to_owned()));
    let fax = json!([event("f", "faxes", "3")]);
    assert_eq!(refused(&erp.record(fax.clone()).await), [(0, "feature".to_owned(), "LIMIT_EXCEEDED".to_owned())]);
    assert_eq!(counted(&record(&erp.program, fax, false).await), (1, 0));
    let faxes = metric(&erp, "faxes").await;
    assert_eq!((&faxes["used"], &faxes["included"], &faxes["overageCost"]["amount"]), (&json!("7"), &json!("5"), &json!("2.00")));
    // Above the new limit nothing more is allowed, and the change is none the less made.
    erp.change("small", "NONE").await;
    let calls = metric(&erp, "calls").await;
    assert_eq!((&calls["used"], &calls["included"], &calls["remaining"]), (&json!("490"), &json!("100"), &json!("0")));
    assert_eq!(refused(&erp.record(json!([event("g", "calls", "1")])).await), [(0, "quantity".to_owned(), "LIMIT_EXCEEDED".to_owned())]);
    erp.pass_to("2027-02-10T09:00:00Z").await;
    assert_eq!(counted(&erp.record(json!([event("g", "calls", "1")])).await), (1, 0));
    assert_eq!(metric(&erp, "faxes").await["used"], "0");
}

async fn a_cycle_that_starts_again_closes_the_usage_period(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "5"), event("b", "branches", "1")])).await), (2, 0));
    erp.world.clock.set("2027-01-10T09:05:00Z".parse().unwrap());
    erp.change("big", "RESET_CYCLE").await;
    // The anchor is the same date, so that the end is too.
    assert_eq!(erp.period(None).await, json!({ "start": "2027-01-10T09:05:00Z", "end": "2027-02-09T21:00:00Z" }));
    assert_eq!((erp.used("calls", None).await, erp.used("branches", None).await), (json!("0"), json!("1")), "what stands stays");
    assert_eq!(erp.period(Some(NOW)).await, json!({ "start": NOW, "end": "2027-01-10T09:05:00Z" }));
    // The instant of the change is the new plan's.
    let late = json!([event_at("c", "calls", "2", "2027-01-10T09:04:59.999999Z"), event_at("d", "calls", "3", "2027-01-10T09:05:00Z")]);
    assert_eq!(counted(&erp.record(late).await), (2, 0));
    assert_eq!((erp.used("calls", Some(NOW)).await, erp.used("calls", None).await), (json!("7"), json!("3")));
}

async fn after_the_end_nothing_counts_but_what_happened_before(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    erp.world.clock.set("2027-01-10T09:10:00Z".parse().unwrap());
    let now = json!({ "subscriptionId": erp.subscription, "timing": "NOW", "idempotencyKey": "end" });
    erp.world.working(erp.owner.mutate("cancel", now, "subscription { status }")).await;
    erp.pass_to("2027-01-20T09:00:00Z").await;
    let before = event_at("a", "calls", "2", "2027-01-10T09:09:59Z");
    let told = erp.record(json!([before, event("b", "calls", "1"), event_at("c", "calls", "1", "2027-01-10T09:10:00Z")])).await;
    let none = |index| (index, "product".to_owned(), "NOT_FOUND".to_owned());
    assert_eq!((refused(&told), &told["accepted"]), (vec![none(1), none(2)], &json!(1)));
    assert_eq!((erp.period(None).await, erp.used("calls", Some(NOW)).await), (Value::Null, json!("2")));
    assert_eq!(erp.access("calls", "1").await, (false, "NO_SUBSCRIPTION".to_owned()));
}

async fn a_trial_counts_by_itself(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "tried", "MONTHLY").await;
    assert_eq!(erp.period(None).await, json!({ "start": NOW, "end": "2027-01-23T21:00:00Z" }));
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "100")])).await), (1, 0));
    erp.pass_to("2027-01-23T21:00:00Z").await;
    assert_eq!(erp.period(None).await, json!({ "start": "2027-01-23T21:00:00Z", "end": "2027-02-23T21:00:00Z" }));
    assert_eq!(erp.used("calls", None).await, json!("0"));
}

async fn usage_goes_by_the_test_clock_that_a_business_is_on(db: TestDatabase) {
    let mut erp = Erp::of(World::at(db, NOW).await).await;
    let staff = erp.world.staff(&erp.server, StaffRole::Admin).await;
    let clock = erp.world.clock_with(&staff, &erp.business, "2030-05-10T09:00:00Z").await;
    add_method(&erp.owner, "SUCCEEDS").await;
    erp.subscribe("small", "MONTHLY").await;
    let future = event_at("a", "calls", "1", "2030-05-10T09:00:01Z");
    let told = erp.record(json!([future, event("b", "calls", "4"), event_at("c", "calls", "1", NOW)])).await;
    assert_eq!(refused(&told), [(0, "occurredAt".to_owned(), "INVALID".to_owned()), (2, "occurredAt".to_owned(), "INVALID".to_owned())]);
    assert_eq!(erp.period(None).await, json!({ "start": "2030-05-10T09:00:00Z", "end": "2030-06-09T21:00:00Z" }));
    let worker = erp.world.background_worker();
    advance(&staff, &clock, "2030-06-10T09:00:00Z").await;
    worker.stop().await;
    assert_eq!((erp.used("calls", None).await, erp.used("calls", Some("2030-05-11T00:00:00Z")).await), (json!("0"), json!("4")));
    assert_eq!(counted(&erp.record(json!([event("b", "calls", "4"), event("d", "calls", "1")])).await), (1, 1));
}
