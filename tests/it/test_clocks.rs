//! Test clocks: what passes on them, and what does not.

use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::{add_method, register};
use crate::world_payments::until;
use crate::world_staff::text;

both!(
    a_year_of_renewals_passes_on_a_test_clock_and_nowhere_else,
    a_clock_stops_at_work_that_is_given_up_and_says_so,
    what_a_clock_cannot_do_is_refused,
);

impl World {
    /// A test clock that stands at `now`, with a business on it.
    pub(crate) async fn clock_with(&self, staff: &Client, business: &str, now: &str) -> String {
        let made = staff.mutate("createTestClock", json!({ "name": "A year", "now": now }), "testClock { id now status }").await;
        assert_eq!(made["testClock"]["status"], "READY");
        let clock = text(&made["testClock"]["id"]);
        let on = json!({ "testClockId": clock, "businessId": business });
        let put = staff.mutate("attachTestClock", on, "testClock { id } business { id testClock { id } }").await;
        assert_eq!(put["business"], json!({ "id": business, "testClock": { "id": clock } }));
        clock
    }
}

/// Where a clock stands.
pub(crate) async fn clock(staff: &Client, id: &str) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on TestClock { now status failure } } }";
    staff.data(query, json!({ "id": id })).await["node"].take()
}

/// Advances a clock and waits until it is there.
pub(crate) async fn advance(staff: &Client, id: &str, to: &str) {
    let begun = staff.mutate("advanceTestClock", json!({ "testClockId": id, "to": to }), "testClock { status }").await;
    assert_eq!(begun["testClock"]["status"], "ADVANCING");
    until(async || clock(staff, id).await["status"] != "ADVANCING").await;
    assert_eq!(clock(staff, id).await, json!({ "now": to, "status": "READY", "failure": null }));
}

async fn a_year_of_renewals_passes_on_a_test_clock_and_nowhere_else(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-10T09:00:00Z").await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let worker = world.background_worker();
    let (ann, business) = register(&server, "ann").await;
    let (ben, _) = register(&server, "ben").await;
    let clock = world.clock_with(&staff, &business, "2030-01-31T06:00:00Z").await;
    let basic = world.plan("books", "basic").await.to_string();
    for client in [&ann, &ben] {
        add_method(client, "SUCCEEDS").await;
        let input = json!({ "planId": basic, "interval": "MONTHLY", "idempotencyKey": "first" });
        client.mutate("subscribe", input, "subscription { id }").await;
    }
    let of = "{ invoices(first: 100) { nodes { number status issuedAt lines { period { start end } } } }
                subscriptions { nodes { status currentPeriod { start end } } } }";
    let shown = ann.data(of, json!({})).await;
    assert_eq!(shown["invoices"]["nodes"][0]["issuedAt"], "2030-01-31T06:00:00Z");
    advance(&staff, &clock, "2031-01-30T21:00:00Z").await;
    let shown = ann.data(of, json!({})).await;
    let invoices = shown["invoices"]["nodes"].as_array().unwrap();
    let issued: Vec<String> = invoices.iter().map(|invoice| text(&invoice["issuedAt"])).collect();
    // The last day of each month at midnight in Nairobi, but for those that have a 31st; the newest first.
    let expected = [
        "2031-01-30T21:00:00Z",
        "2030-12-30T21:00:00Z",
        "2030-11-29T21:00:00Z",
        "2030-10-30T21:00:00Z",
        "2030-09-29T21:00:00Z",
        "2030-08-30T21:00:00Z",
        "2030-07-30T21:00:00Z",
        "2030-06-29T21:00:00Z",
        "2030-05-30T21:00:00Z",
        "2030-04-29T21:00:00Z",
        "2030-03-30T21:00:00Z",
        "2030-02-27T21:00:00Z",
        "2030-01-31T06:00:00Z",
    ];
    assert_eq!(issued, expected);
    assert!(invoices.iter().all(|invoice| invoice["status"] == "PAID"), "{invoices:#?}");
    let numbers: Vec<String> = invoices[..2].iter().map(|invoice| text(&invoice["number"])).collect();
    assert_eq!(numbers, ["INV-2031-000001", "INV-2030-000012"]);
    let period = json!({ "start": "2031-01-30T21:00:00Z", "end": "2031-02-27T21:00:00Z" });
    assert_eq!(shown["subscriptions"]["nodes"][0], json!({ "status": "ACTIVE", "currentPeriod": period }));
    // Nothing of that year has passed for the other.
    assert_eq!(ben.data(of, json!({})).await["invoices"]["nodes"].as_array().unwrap().len(), 1);
    worker.stop().await;
    // Real time goes on, and renews who goes by it alone.
    world.advance(SignedDuration::from_hours(24 * 32));
    world.run_due_jobs().await;
    assert_eq!(world.count("invoices", "status = 'PAID'").await, 13 + 2);
    assert_eq!(world.examine().await, [""; 0]);
}

async fn a_clock_stops_at_work_that_is_given_up_and_says_so(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-10T09:00:00Z").await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let worker = world.background_worker();
    let (ann, business) = register(&server, "ann").await;
    let clock_id = world.clock_with(&staff, &business, "2030-01-31T06:00:00Z").await;
    add_method(&ann, "SUCCEEDS").await;
    let basic = world.plan("books", "basic").await.to_string();
    ann.mutate("subscribe", json!({ "planId": basic, "interval": "MONTHLY", "idempotencyKey": "first" }), "subscription { id }").await;
    // Work of a kind that nobody does.
    assert_eq!(world.run_sql("update jobs set kind = 'unheard_of' where kind = 'renewal' and status = 'READY'").await, 1);
    let to = json!({ "testClockId": clock_id, "to": "2030-06-30T00:00:00Z" });
    staff.mutate("advanceTestClock", to.clone(), "testClock { id }").await;
    until(async || clock(&staff, &clock_id).await["status"] == "FAILED").await;
    let failed = clock(&staff, &clock_id).await;
    assert_eq!(failed["now"], "2030-02-27T21:00:00Z");
    assert!(text(&failed["failure"]).starts_with("A job was given up: unheard_of sub_"), "{failed:#}");
    // Once that is mended it goes on.
    assert_eq!(world.run_sql("update jobs set kind = 'renewal', status = 'READY' where kind = 'unheard_of'").await, 1);
    world.advance(SignedDuration::from_secs(1));
    advance(&staff, &clock_id, "2030-06-30T00:00:00Z").await;
    assert_eq!(world.count("invoices", "status = 'PAID'").await, 6);
    worker.stop().await;
    assert_eq!(world.examine().await, [""; 0]);
}

async fn what_a_clock_cannot_do_is_refused(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-10T09:00:00Z").await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let (ann, business) = register(&server, "ann").await;
    let refused = async |field: &str, input: Value| {
        let payload = staff.payload(field, input, "testClock { id }").await;
        (text(&payload["userErrors"][0]["code"]), payload["userErrors"][0]["field"].clone())
    };
    for (name, now, code, field) in [
        ("", "2030-01-01T00:00:00Z", "REQUIRED", "name"),
        (&*"x".repeat(101), "2030-01-01T00:00:00Z", "TOO_LONG", "name"),
        ("two\nlines", "2030-01-01T00:00:00Z", "INVALID", "name"),
        ("early", "1999-12-31T23:59:59Z", "INVALID", "now"),
        ("late", "2200-01-01T00:00:00Z", "INVALID", "now"),
    ] {
        assert_eq!(
            refused("createTestClock", json!({ "name": name, "now": now })).await,
            (code.to_owned(), json!(["input", field])),
            "{name}"
        );
    }
    assert_eq!(staff.data("{ testClocks { id } }", json!({})).await["testClocks"], json!([]));
    let clock = world.clock_with(&staff, &business, "2030-02-28T00:00:00Z").await;
    for (id, to, code, field) in [
        ("clk_none", "2030-03-01T00:00:00Z", "NOT_FOUND", "testClockId"),
        (&*business, "2030-03-01T00:00:00Z", "NOT_FOUND", "testClockId"),
        (&*clock, "2030-02-28T00:00:00Z", "INVALID", "to"),
        (&*clock, "2030-02-27T00:00:00Z", "INVALID", "to"),
        (&*clock, "2032-02-28T00:00:01Z", "LIMIT_EXCEEDED", "to"),
    ] {
        assert_eq!(
            refused("advanceTestClock", json!({ "testClockId": id, "to": to })).await,
            (code.to_owned(), json!(["input", field])),
            "{to}"
        );
    }
    // No worker runs: it is still advancing.
    staff.mutate("advanceTestClock", json!({ "testClockId": clock, "to": "2032-02-28T00:00:00Z" }), "testClock { id }").await;
    let again = json!({ "testClockId": clock, "to": "2030-03-01T00:00:00Z" });
    assert_eq!(refused("advanceTestClock", again).await.0, "INVALID_TRANSITION");
    let on = |clock: &str, business: &str| json!({ "testClockId": clock, "businessId": business });
    assert_eq!(refused("attachTestClock", on(&clock, &business)).await.0, "INVALID_TRANSITION");
    world.run_due_jobs().await;
    assert_eq!(refused("attachTestClock", on("clk_none", &business)).await, ("NOT_FOUND".to_owned(), json!(["input", "testClockId"])));
    assert_eq!(refused("attachTestClock", on(&clock, "biz_none")).await, ("NOT_FOUND".to_owned(), json!(["input", "businessId"])));
    add_method(&ann, "SUCCEEDS").await;
    let free = world.plan("books", "free").await.to_string();
    ann.mutate("subscribe", json!({ "planId": free, "interval": "MONTHLY", "idempotencyKey": "first" }), "subscription { id }").await;
    assert_eq!(refused("attachTestClock", on(&clock, &business)).await, ("INVALID_TRANSITION".to_owned(), json!(["input", "businessId"])));
}
