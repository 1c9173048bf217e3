//! Recording usage: what counts, what does not, and that it counts once.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::statements::seen;
use crate::world_usage::{Erp, counted, event, event_at, record, refused, set_at};

const NOW: &str = "2027-01-10T09:00:00Z";

both!(
    an_event_counts_once_in_one_call_and_for_ninety_days,
    sixteen_calls_at_once_with_the_same_events_count_each_once,
    what_is_wrong_with_an_event_is_said_and_the_others_count,
    a_call_without_events_or_with_too_many_counts_nothing,
    of_sixty_four_at_once_the_last_ten_units_go_to_ten,
    a_limit_is_enforced_only_where_it_is_asked_for,
    quantities_are_exact_to_the_last_digit,
    what_stands_is_added_to_given_back_and_set,
    what_happened_earlier_is_counted_where_it_happened_whenever_it_is_told,
    a_thousand_events_take_as_many_statements_as_one,
);

async fn an_event_counts_once_in_one_call_and_for_ninety_days(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    let first = erp.record(json!([event("a", "calls", "2"), event("a", "calls", "2"), event("b", "calls", "3")])).await;
    assert_eq!((counted(&first), erp.used("calls", None).await), ((2, 1), json!("5")));
    // Another quantity, another feature: the id says which event it is.
    let again = erp.record(json!([event("b", "sms", "7"), event("c", "calls", "1")])).await;
    assert_eq!((counted(&again), erp.used("calls", None).await, erp.used("sms", None).await), ((1, 1), json!("6"), json!("0")));
    erp.pass_to("2027-03-20T09:00:00Z").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "2")])).await), (0, 1), "after 69 days, in another usage period");
    assert_eq!(erp.used("calls", None).await, json!("0"));
    erp.pass_to("2027-04-10T08:59:59Z").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "2")])).await), (0, 1), "ninety days less a second");
    erp.pass_to("2027-04-10T09:00:01Z").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "2"), event("a", "calls", "2")])).await), (1, 1), "after ninety days");
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "2")])).await), (0, 1));
}

async fn sixteen_calls_at_once_with_the_same_events_count_each_once(db: TestDatabase) {
    let erp = Arc::new(Erp::at(db, NOW, "small", "MONTHLY").await);
    let calls = (0..16).map(|call: usize| {
        let erp = Arc::clone(&erp);
        tokio::spawn(async move {
            // Each in an order of its own.
            let ids = (0..20).map(|n: usize| (n * 7 + call * 3) % 20);
            let events: Vec<Value> = ids.map(|id| event(&format!("e{id}"), if id % 2 == 0 { "calls" } else { "sms" }, "1")).collect();
            counted(&erp.record(json!(events)).await)
        })
    });
    let (mut accepted, mut duplicates) = (0, 0);
    for call in calls.collect::<Vec<_>>() {
        let (new, old) = call.await.unwrap();
        (accepted, duplicates) = (accepted + new, duplicates + old);
    }
    assert_eq!((accepted, duplicates), (20, 300));
    assert_eq!((erp.used("calls", None).await, erp.used("sms", None).await), (json!("10"), json!("10")));
    assert_eq!(erp.world.count("usage_events", "1 = 1").await, 20);
}

async fn what_is_wrong_with_an_event_is_said_and_the_others_count(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    erp.world.clock.set("2027-03-10T09:00:00Z".parse().unwrap());
    let other = |member: &str, value: Value| {
        let mut event = event(member, "calls", "1");
        event[member] = value;
        event
    };
    // 35 days before are 3 February, 9:00.
    let events = json!([
        event("good", "calls", "1"),
        other("eventId", json!("")),
        other("eventId", json!("x".repeat(129))),
        other("eventId", json!("a\u{0}b")),
        other("product", json!("payroll")),
        other("product", json!("nothing")),
        event("f1", "nothing", "1"),
        event("f2", "reports", "1"),
        event("f3", "users", "1"),
        event("q1", "calls", "-1"),
        event("q2", "calls", "0.0000001"),
        event("q3", "calls", "1000000000000000.1"),
        event("q4", "branches", "-1"),
        event_at("t1", "calls", "1", "2027-03-10T09:00:00.000001Z"),
        event_at("t2", "calls", "1", "2027-02-03T08:59:59.999999Z"),
        set_at("a1", "calls", "1", "2027-03-10T09:00:00Z"),
        set_at("a2", "branches", "-1", "2027-03-10T09:00:00Z"),
        other("properties", json!({ "note": "x".repeat(4_100) })),
        event_at("t3", "calls", "2", "2027-02-03T09:00:00Z"),
        event(&"y".repeat(128), "calls", "0"),
        other("properties", json!({ "path": "/a", "n": [1, 2.5, null] })),
        other("properties", json!(["no object"])),
    ]);
    let told = erp.record(events).await;
    let expected = [
        (1, "eventId", "REQUIRED"),
        (2, "eventId", "TOO_LONG"),
        (3, "eventId", "INVALID"),
        (4, "product", "NOT_FOUND"),
        (5, "product", "NOT_FOUND"),
        (6, "feature", "NOT_FOUND"),
        (7, "feature", "INVALID"),
        (8, "feature", "INVALID"),
        (9, "quantity", "INVALID"),
        (10, "quantity", "INVALID"),
        (11, "quantity", "TOO_LARGE"),
        (12, "quantity", "INVALID"),
        (13, "occurredAt", "INVALID"),
        (14, "occurredAt", "INVALID"),
        (15, "action", "INVALID"),
        (16, "quantity", "INVALID"),
        (17, "properties", "TOO_LARGE"),
        (21, "properties", "INVALID"),
    ];
    assert_eq!(refused(&told), expected.map(|(index, field, code)| (index, field.to_owned(), code.to_owned())));
    assert_eq!((&told["accepted"], &told["duplicates"], &told["rejected"][8]["eventId"]), (&json!(4), &json!(0), &json!("q1")));
    assert_eq!((erp.used("calls", None).await, erp.used("calls", Some("2027-02-03T09:00:00Z")).await), (json!("2"), json!("2")));
    // What was refused was not counted, so that its id is free still.
    assert_eq!(
        counted(&erp.record(json!([event("q1", "calls", "1"), event("t2", "calls", "1"), event("good", "calls", "1")])).await),
        (2, 1)
    );
    let kept = erp.world.read_texts("select properties from usage_events where properties is not null").await;
    assert_eq!(serde_json::from_str::<Value>(&kept[0]).unwrap(), json!({ "path": "/a", "n": [1, 2.5, null] }));
}

async fn a_call_without_events_or_with_too_many_counts_nothing(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    let many: Vec<Value> = (0..1_001).map(|n| event(&n.to_string(), "sms", "1")).collect();
    for (events, code) in [(json!([]), "REQUIRED"), (json!(many), "TOO_LARGE")] {
        let told = erp.program.payload("recordUsage", json!({ "events": events }), "accepted duplicates rejected { index }").await;
        assert_eq!((&told["userErrors"][0]["code"], &told["userErrors"][0]["field"]), (&json!(code), &json!(["input", "events"])));
        assert_eq!((&told["accepted"], &told["rejected"]), (&json!(0), &json!([])));
    }
    assert_eq!(erp.world.count("usage_event_ids", "1 = 1").await, 0);
}

async fn of_sixty_four_at_once_the_last_ten_units_go_to_ten(db: TestDatabase) {
    let erp = Arc::new(Erp::at(db, NOW, "small", "MONTHLY").await);
    assert_eq!(counted(&erp.record(json!([event("first", "calls", "90")])).await), (1, 0));
    let racers = (0..64).map(|n| {
        let erp = Arc::clone(&erp);
        tokio::spawn(async move { erp.record(json!([event(&format!("r{n}"), "calls", "1")])).await })
    });
    let mut accepted = 0;
    for racer in racers.collect::<Vec<_>>() {
        let told = racer.await.unwrap();
        accepted += told["accepted"].as_i64().unwrap();
        assert!(
            refused(&told).iter().all(|(_, field, code)| (field.as_str(), code.as_str()) == ("quantity", "LIMIT_EXCEEDED")),
            "{told:#}"
        );
    }
    assert_eq!((accepted, erp.used("calls", None).await), (10, json!("100")));
    assert_eq!(erp.access("calls", "1").await, (false, "LIMIT_REACHED".to_owned()));
    assert_eq!(erp.world.count("usage_event_ids", "1 = 1").await, 11, "an event that was refused may be sent again");
}

async fn a_limit_is_enforced_only_where_it_is_asked_for(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    // In their order: the second does not fit beside the first, the third does.
    let told = erp.record(json!([event("a", "calls", "60"), event("b", "calls", "41"), event("c", "calls", "40")])).await;
    assert_eq!((refused(&told), &told["accepted"]), (vec![(1, "quantity".to_owned(), "LIMIT_EXCEEDED".to_owned())], &json!(2)));
    assert_eq!(counted(&record(&erp.program, json!([event("b", "calls", "41")]), false).await), (1, 0));
    let query = "{ usage(product: \"erp\") { metrics { feature { key } used included remaining overage overageCost { amount } } } }";
    let shown = erp.program.data(query, json!({})).await;
    let calls = shown["usage"]["metrics"].as_array().unwrap().iter().find(|metric| metric["feature"]["key"] == "calls").unwrap();
    let cost = json!({ "amount": "0.00" });
    assert_eq!(
        *calls,
        json!({ "feature": { "key": "calls" }, "used": "141", "included": "100", "remaining": "0", "overage": "41", "overageCost": cost })
    );
    // What may be had for more is not refused.
    assert_eq!(counted(&erp.record(json!([event("s", "sms", "12")])).await), (1, 0));
    assert_eq!(erp.access("sms", "1").await, (true, "OVERAGE".to_owned()));
}

async fn quantities_are_exact_to_the_last_digit(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "big", "MONTHLY").await;
    let parts: Vec<Value> = (0..10).map(|n| event(&n.to_string(), "calls", "0.1")).collect();
    assert_eq!(counted(&erp.record(json!(parts)).await), (10, 0));
    assert_eq!(erp.used("calls", None).await, json!("1"), "ten tenths");
    let most = json!([event("m", "branches", "999999999999999.999999"), event("n", "branches", "0.000001")]);
    assert_eq!(counted(&erp.record(most).await), (2, 0));
    assert_eq!(erp.used("branches", None).await, json!("1000000000000000"));
    let told = erp.record(json!([event("o", "branches", "0.000001")])).await;
    assert_eq!(refused(&told), [(0, "quantity".to_owned(), "TOO_LARGE".to_owned())]);
}

async fn what_stands_is_added_to_given_back_and_set(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "branches", "2"), event("b", "branches", "-1")])).await), (2, 0));
    assert_eq!(erp.used("branches", None).await, json!("1"));
    let full = [(0, "quantity".to_owned(), "LIMIT_EXCEEDED".to_owned())];
    assert_eq!(refused(&erp.record(json!([event("c", "branches", "2")])).await), full);
    assert_eq!(refused(&erp.record(json!([set_at("d", "branches", "3", NOW)])).await), full);
    let told = erp.record(json!([event("e", "branches", "-2")])).await;
    assert_eq!(refused(&told), [(0, "quantity".to_owned(), "INVALID".to_owned())], "more than there is");
    // Past the limit nothing more is allowed, and less is.
    assert_eq!(counted(&record(&erp.program, json!([set_at("f", "branches", "5", NOW)]), false).await), (1, 0));
    assert_eq!(refused(&erp.record(json!([event("g", "branches", "1")])).await), full);
    assert_eq!(counted(&erp.record(json!([event("h", "branches", "-1"), set_at("i", "branches", "4", NOW)])).await), (2, 0));
    assert_eq!(erp.access("branches", "0").await, (false, "LIMIT_REACHED".to_owned()));
    assert_eq!(counted(&erp.record(json!([set_at("j", "branches", "0", NOW)])).await), (1, 0));
    // It outlives the usage period.
    assert_eq!(counted(&erp.record(json!([event("k", "branches", "1")])).await), (1, 0));
    erp.pass_to("2027-02-20T09:00:00Z").await;
    assert_eq!((erp.used("branches", None).await, erp.access("branches", "1").await), (json!("1"), (true, "INCLUDED".to_owned())));
}

async fn what_happened_earlier_is_counted_where_it_happened_whenever_it_is_told(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "big", "MONTHLY").await;
    erp.world.clock.set("2027-01-20T09:00:00Z".parse().unwrap());
    let at = |day: u32| format!("2027-01-{day}T09:00:00Z");
    let tell = async |events: Value, stands: &str| {
        let told = erp.record(events).await;
        assert_eq!((told["rejected"].clone(), erp.used("branches", None).await), (json!([]), json!(stands)), "{told:#}");
    };
    tell(json!([event_at("a", "branches", "3", &at(12)), event_at("b", "branches", "4", &at(16))]), "7").await;
    // On the 14th there were 10 in all; the 4 of the 16th came after it.
    tell(json!([set_at("c", "branches", "10", &at(14))]), "14").await;
    // What was added on the 13th is in the 10 of the 14th already; what was added on the 15th is not.
    tell(json!([event_at("d", "branches", "100", &at(13)), event_at("e", "branches", "2", &at(15))]), "16").await;
    // An earlier SET is outweighed by a later one.
    tell(json!([set_at("f", "branches", "50", &at(13))]), "16").await;
    // In one call, and in whatever order: 20 on the 17th, and 1 on the 18th.
    tell(json!([event_at("g", "branches", "1", &at(18)), set_at("h", "branches", "20", &at(17))]), "21").await;
}

async fn a_thousand_events_take_as_many_statements_as_one(db: TestDatabase) {
    let (world, statements) = seen(db, NOW).await;
    let mut erp = Erp::of(world).await;
    erp.subscribe("big", "YEARLY").await;
    erp.world.clock.set("2027-02-20T09:00:00Z".parse().unwrap());
    // Of three features, over two usage periods, spread over hours.
    let many = |call: &str, count: i64, quantity: &str| {
        let features = ["calls", "sms", "branches"];
        let start: jiff::Timestamp = "2027-02-20T09:00:00Z".parse().unwrap();
        let one = |n: i64| {
            let at = start.checked_sub(SignedDuration::from_mins(n * 50)).unwrap();
            event_at(&format!("{call}{n}"), features[usize::try_from(n % 3).unwrap()], quantity, &at.to_string())
        };
        json!((0..count).map(one).collect::<Vec<_>>())
    };
    // Each of them, and each usage period, was counted for before: the first time one is, its end is noted to be billed.
    let first = json!([event_at("j", "calls", "1", "2027-02-01T00:00:00Z"), event_at("k", "sms", "1", "2027-02-01T00:00:00Z")]);
    assert_eq!((counted(&erp.record(first).await), counted(&erp.record(many("warm", 3, "1")).await)), ((2, 0), (3, 0)));
    // Of 20 messages, the few reach 80 %, and the many all. Beside the request the key's use may be noted.
    let told = || statements.texts().into_iter().filter(|text| !text.contains("service_keys")).collect::<Vec<_>>();
    statements.clear();
    assert_eq!(counted(&erp.record(many("few", 3, "15")).await), (3, 0));
    let few = told();
    statements.clear();
    assert_eq!(counted(&erp.record(many("many", 1_000, "1")).await), (1_000, 0));
    let all = told();
    assert_eq!(all.len(), few.len(), "three events:\n{}\n\na thousand:\n{}", few.join("\n"), all.join("\n"));
    // One of them asks for webhooks, since thresholds were reached.
    assert!(all.len() <= 21, "{}:\n{}", all.len(), all.join("\n"));
    assert_eq!(erp.world.count("usage_events", "1 = 1").await, 1_008);
}
