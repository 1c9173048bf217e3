//! Asking what may be used and what was, and who may ask and tell.

use evolve_business::services::catalog::file::parse;
use serde_json::{Value, json};

use crate::client::Client;
use crate::database::TestDatabase;
use crate::statements::seen;
use crate::world_catalog::DEMO;
use crate::world_keys::{make_key, program};
use crate::world_lives::register;
use crate::world_usage::{Erp, counted, event, event_at, record, refused, set_at};

const NOW: &str = "2027-01-10T09:00:00Z";

both!(
    every_answer_says_why,
    a_feature_is_allowed_up_to_its_last_unit,
    the_people_of_a_business_count_as_users,
    a_product_asks_and_tells_of_itself_alone,
    a_key_of_a_business_does_what_its_scopes_say,
    a_suspended_business_is_told_so_and_counts_nothing,
    a_history_has_hours_days_and_months,
    a_report_takes_the_same_statements_with_the_histories_of_all_its_features,
    an_answer_on_access_reads_the_caller_and_the_subscription_in_a_statement_each,
);

/// What is answered of a feature.
async fn answer(client: &Client, product: &str, feature: &str) -> Value {
    let query = "query($p: String!, $f: String!) { featureAccess(product: $p, feature: $f) { key allowed reason used included remaining resetsAt } }";
    client.data(query, json!({ "p": product, "f": feature })).await["featureAccess"].take()
}

/// The code of a field that failed.
async fn code(client: &Client, query: &str) -> Value {
    let mut answer = client.ask(query, json!({})).await;
    answer["errors"][0]["extensions"]["code"].take()
}

async fn every_answer_says_why(db: TestDatabase) {
    let mut erp = Erp::unsold(db, NOW).await;
    let bare = |key: &str, reason: &str| json!({ "key": key, "allowed": false, "reason": reason, "used": null, "included": null, "remaining": null, "resetsAt": null });
    for (feature, reason) in [("calls", "NO_SUBSCRIPTION"), ("users", "NO_SUBSCRIPTION"), ("nothing", "UNKNOWN_FEATURE")] {
        assert_eq!(answer(&erp.owner, "erp", feature).await, bare(feature, reason));
    }
    assert_eq!(answer(&erp.owner, "nothing", "calls").await, bare("calls", "UNKNOWN_FEATURE"));
    assert_eq!(erp.period(None).await, Value::Null);
    erp.subscribe("small", "MONTHLY").await;
    let plain = |key: &str, allowed: bool, reason: &str| {
        let mut answer = bare(key, reason);
        answer["allowed"] = json!(allowed);
        answer
    };
    assert_eq!(answer(&erp.owner, "erp", "reports").await, plain("reports", true, "INCLUDED"));
    assert_eq!(answer(&erp.owner, "erp", "export").await, plain("export", false, "NOT_IN_PLAN"), "it is off");
    assert_eq!(answer(&erp.owner, "erp", "nothing").await, bare("nothing", "UNKNOWN_FEATURE"));
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "30.5"), event("b", "branches", "2")])).await), (2, 0));
    assert_eq!(
        answer(&erp.owner, "erp", "calls").await,
        json!({ "key": "calls", "allowed": true, "reason": "INCLUDED", "used": "30.5", "included": "100", "remaining": "69.5", "resetsAt": "2027-02-09T21:00:00Z" })
    );
    assert_eq!(
        answer(&erp.owner, "erp", "branches").await,
        json!({ "key": "branches", "allowed": false, "reason": "LIMIT_REACHED", "used": "2", "included": "2", "remaining": "0", "resetsAt": null })
    );
    assert_eq!(
        answer(&erp.owner, "erp", "storage_bytes").await,
        json!({ "key": "storage_bytes", "allowed": true, "reason": "INCLUDED", "used": "0", "included": "1000", "remaining": "1000", "resetsAt": null })
    );
    for (status, allowed, reason) in
        [("INCOMPLETE", false, "PAYMENT_PENDING"), ("SUSPENDED", false, "SUSPENDED"), ("PAST_DUE", true, "INCLUDED")]
    {
        erp.world.sql(&format!("update subscriptions set status = '{status}'")).await;
        let shown = answer(&erp.owner, "erp", "calls").await;
        assert_eq!((&shown["allowed"], &shown["reason"], &shown["used"]), (&json!(allowed), &json!(reason), &json!("30.5")), "{status}");
        let told = erp.record(json!([event(status, "calls", "0")])).await;
        let expected = if allowed { vec![] } else { vec![(0, "product".to_owned(), "INVALID_TRANSITION".to_owned())] };
        assert_eq!(refused(&told), expected, "{status}");
    }
}

async fn a_feature_is_allowed_up_to_its_last_unit(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "99"), event("s", "sms", "9")])).await), (2, 0));
    for (feature, quantity, allowed, reason) in [
        ("calls", "0", true, "INCLUDED"),
        ("calls", "1", true, "INCLUDED"),
        ("calls", "1.000001", false, "LIMIT_REACHED"),
        ("sms", "1", true, "INCLUDED"),
        ("sms", "2", true, "OVERAGE"),
        ("storage_bytes", "1000", true, "INCLUDED"),
        ("storage_bytes", "1001", false, "LIMIT_REACHED"),
    ] {
        assert_eq!(erp.access(feature, quantity).await, (allowed, reason.to_owned()), "{quantity} of {feature}");
    }
    for quantity in ["-1", "0.0000001", "1000000000000000.1"] {
        let query = format!("{{ featureAccess(product: \"erp\", feature: \"calls\", quantity: \"{quantity}\") {{ allowed }} }}");
        assert_eq!(code(&erp.program, &query).await, "BAD_USER_INPUT", "{quantity}");
    }
}

async fn the_people_of_a_business_count_as_users(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    let scope = evolve_business::store::TenantScope::proved(evolve_business::ids::BusinessId::parse(&erp.business).unwrap());
    assert_eq!(erp.access("users", "2").await, (true, "INCLUDED".to_owned()), "the owner and two more");
    erp.world.colleague(scope, evolve_business::store::types::Role::Member, "ben@example.com").await;
    assert_eq!((erp.used("users", None).await, erp.access("users", "2").await), (json!("2"), (false, "LIMIT_REACHED".to_owned())));
    // They are features of every plan, and no plan may have others of that name.
    let plans = erp.owner.data("{ plans(product: \"erp\") { nodes { code features { key kind included } } } }", json!({})).await;
    let small = plans["plans"]["nodes"].as_array().unwrap().iter().find(|plan| plan["code"] == "small").unwrap();
    let limits: Vec<&Value> = small["features"].as_array().unwrap().iter().rev().take(2).collect();
    assert_eq!(
        limits,
        [
            &json!({ "key": "storage_bytes", "kind": "LIMIT", "included": "1000" }),
            &json!({ "key": "users", "kind": "LIMIT", "included": "3" })
        ]
    );
    for key in ["users", "storage_bytes"] {
        let problems = parse(&DEMO.replacen("key = \"branches\"", &format!("key = \"{key}\""), 1)).unwrap_err();
        assert!(problems.iter().any(|problem| problem.to_string().contains("is a feature of every plan")), "{problems:?}");
    }
}

async fn a_product_asks_and_tells_of_itself_alone(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    let (other, other_business) = register(&erp.server, "ben").await;
    // Of the business that the header names, and of its own product.
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "1")])).await), (1, 0));
    let told = erp.record(json!([{ "eventId": "b", "product": "books", "feature": "calls", "quantity": "1" }])).await;
    assert_eq!(refused(&told), [(0, "product".to_owned(), "NOT_FOUND".to_owned())], "as one that does not exist");
    for query in
        ["{ featureAccess(product: \"books\", feature: \"calls\") { allowed } }", "{ usage(product: \"books\") { period { start } } }"]
    {
        assert_eq!(code(&erp.program, query).await, "FORBIDDEN", "{query}");
    }
    let own = erp.program.data("{ usage { metrics { feature { key overage { currency } } } } }", json!({})).await;
    let sms = own["usage"]["metrics"].as_array().unwrap().iter().find(|metric| metric["feature"]["key"] == "sms").unwrap();
    assert_eq!(sms["feature"]["overage"]["currency"], "KES", "the customer's currency");
    let mut about = erp.program.clone();
    about.about = Some(other_business);
    assert_eq!(counted(&erp.record(json!([event("c", "calls", "1")])).await), (1, 0));
    assert_eq!(
        refused(&record(&about, json!([event("c", "calls", "1")]), true).await),
        [(0, "product".to_owned(), "NOT_FOUND".to_owned())]
    );
    assert_eq!(answer(&about, "erp", "calls").await["reason"], "NO_SUBSCRIPTION");
    assert_eq!(answer(&other, "erp", "calls").await["reason"], "NO_SUBSCRIPTION");
    // Without a business, and about one that does not exist, it may nothing.
    for nobody in [None, Some("biz_x".to_owned())] {
        about.about = nobody;
        for query in [
            "{ featureAccess(product: \"erp\", feature: \"calls\") { allowed } }",
            "{ usage { period { start } } }",
            "mutation { recordUsage(input: { events: [] }) { accepted } }",
        ] {
            assert_eq!(code(&about, query).await, "FORBIDDEN", "{query}");
        }
    }
}

async fn a_key_of_a_business_does_what_its_scopes_say(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    let mut keys = Vec::new();
    for scope in ["USAGE_WRITE", "ACCESS_READ", "READ"] {
        keys.push(program(&erp.server, &make_key(&erp.owner, &[scope]).await.1));
    }
    let [writes, asks, reads] = &keys[..] else { panic!("three keys") };
    assert_eq!(counted(&record(writes, json!([event("a", "calls", "3")]), true).await), (1, 0));
    let tell = "mutation { recordUsage(input: { events: [] }) { accepted } }";
    let ask = "{ usage(product: \"erp\") { metrics { used } } }";
    assert_eq!(
        (code(writes, ask).await, code(asks, tell).await, code(reads, tell).await),
        (json!("FORBIDDEN"), json!("FORBIDDEN"), json!("FORBIDDEN"))
    );
    for client in [asks, reads, &erp.owner] {
        assert_eq!(answer(client, "erp", "calls").await["used"], "3");
    }
    // An event is the business's, whoever tells of it.
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "3")])).await), (0, 1));
    assert_eq!(counted(&record(&erp.owner, json!([event("b", "calls", "1")]), true).await), (1, 0));
    assert_eq!(
        (code(&erp.server.client(), ask).await, code(&erp.server.client(), tell).await),
        (json!("UNAUTHENTICATED"), json!("UNAUTHENTICATED"))
    );
}

async fn a_suspended_business_is_told_so_and_counts_nothing(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    erp.world.sql(&format!("update businesses set suspended_at = '{NOW}'")).await;
    let shown = answer(&erp.program, "erp", "calls").await;
    assert_eq!((&shown["allowed"], &shown["reason"]), (&json!(false), &json!("SUSPENDED")));
    let tell = "mutation { recordUsage(input: { events: [{ eventId: \"a\", product: \"erp\", feature: \"calls\", quantity: \"1\" }] }) { accepted } }";
    assert_eq!(code(&erp.program, tell).await, "FORBIDDEN");
    assert_eq!(erp.world.count("usage_events", "1 = 1").await, 0);
}

async fn a_history_has_hours_days_and_months(db: TestDatabase) {
    // 31 January 2:30 in Nairobi.
    let erp = Erp::at(db, "2027-01-30T23:30:00Z", "big", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("s", "branches", "3")])).await), (1, 0));
    erp.world.clock.set("2027-02-02T01:10:00Z".parse().unwrap());
    let events = json!([
        event_at("a", "calls", "1", "2027-01-30T23:59:59Z"),
        event_at("b", "calls", "2", "2027-01-31T00:00:00Z"),
        event_at("c", "calls", "4", "2027-01-31T20:59:59Z"),
        event_at("d", "calls", "8", "2027-01-31T21:00:00Z"),
        event_at("e", "calls", "16.5", "2027-02-02T01:10:00Z"),
        // What stands is in the hour in which it was told.
        set_at("f", "branches", "5", "2027-02-01T12:00:00Z"),
    ]);
    assert_eq!(counted(&erp.record(events).await), (6, 0));
    let history = async |feature: &str, size: &str, last: i32| {
        let query = format!(
            "{{ usage(product: \"erp\") {{ metrics {{ feature {{ key }} history(bucket: {size}, last: {last}) {{ start quantity }} }} }} }}"
        );
        let shown = erp.program.data(&query, json!({})).await;
        let metrics = shown["usage"]["metrics"].as_array().unwrap();
        let found = metrics.iter().find(|metric| metric["feature"]["key"] == feature).unwrap();
        let told = |bucket: &Value| (bucket["start"].as_str().unwrap().to_owned(), bucket["quantity"].as_str().unwrap().to_owned());
        found["history"].as_array().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    let at =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(start, quantity)| ((*start).to_owned(), (*quantity).to_owned())).collect::<Vec<_>>();
    // Local midnight is 21:00 in UTC; the first bucket begins with the usage period.
    let days = [("2027-01-30T23:30:00Z", "7"), ("2027-01-31T21:00:00Z", "8"), ("2027-02-01T21:00:00Z", "16.5")];
    assert_eq!(history("calls", "DAY", 100).await, at(&days));
    assert_eq!(history("calls", "DAY", 2).await, at(&days[1..]));
    assert_eq!(history("calls", "MONTH", 100).await, at(&[("2027-01-30T23:30:00Z", "7"), ("2027-01-31T21:00:00Z", "24.5")]));
    let hours = history("calls", "HOUR", 744).await;
    // From 23:30 to 1:10 of the third day: a half, 49 whole ones, and the one that is begun.
    assert_eq!((hours.len(), &hours[..2]), (51, &at(&[("2027-01-30T23:30:00Z", "1"), ("2027-01-31T00:00:00Z", "2")])[..]));
    assert_eq!(
        (&hours[21..23], &hours[50..]),
        (&at(&[("2027-01-31T20:00:00Z", "4"), ("2027-01-31T21:00:00Z", "8")])[..], &at(&[("2027-02-02T01:00:00Z", "16.5")])[..])
    );
    let stood = [("2027-01-30T23:30:00Z", "3"), ("2027-01-31T21:00:00Z", "3"), ("2027-02-01T21:00:00Z", "5")];
    assert_eq!((history("branches", "DAY", 100).await, history("users", "DAY", 100).await), (at(&stood), vec![]));
    assert_eq!(history("calls", "DAY", 0).await, vec![]);
    for last in [-1, 1_001] {
        let query = format!("{{ usage(product: \"erp\") {{ metrics {{ history(last: {last}) {{ start }} }} }} }}");
        assert_eq!(code(&erp.program, &query).await, "BAD_USER_INPUT", "{last}");
    }
    // In the next usage period it stands as it stood.
    erp.world.clock.set("2027-02-28T00:00:00Z".parse().unwrap());
    assert_eq!(history("branches", "DAY", 100).await, at(&[("2027-02-27T21:00:00Z", "5")]));
    assert_eq!(history("calls", "DAY", 100).await, at(&[("2027-02-27T21:00:00Z", "0")]));
}

async fn a_report_takes_the_same_statements_with_the_histories_of_all_its_features(db: TestDatabase) {
    let (world, statements) = seen(db, NOW).await;
    let mut erp = Erp::of(world).await;
    erp.subscribe("small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "1"), event("b", "sms", "1"), event("c", "branches", "1")])).await), (3, 0));
    let mut counts = Vec::new();
    for query in [
        "{ featureAccess(product: \"erp\", feature: \"calls\") { allowed } }",
        "{ usage(product: \"erp\") { metrics { used overageCost { amount } feature { key overage { model } } } } }",
        "{ usage(product: \"erp\") { metrics { used history { quantity } } } }",
    ] {
        statements.clear();
        erp.program.data(query, json!({})).await;
        // Beside the request the key's use may be noted.
        counts.push(statements.texts().iter().filter(|text| !text.contains("service_keys")).count());
    }
    // The hours of all features are two statements more.
    assert!(counts[1] <= 13 && counts[2] <= counts[1] + 2, "{counts:?}");
}

async fn an_answer_on_access_reads_the_caller_and_the_subscription_in_a_statement_each(db: TestDatabase) {
    let (world, statements) = seen(db, NOW).await;
    let mut erp = Erp::of(world).await;
    erp.subscribe("small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "1"), event("b", "branches", "1")])).await), (2, 0));
    let read = || {
        let is_read = |text: &&String| text.to_lowercase().starts_with("select");
        // Who signs in by a key is looked up before.
        statements.texts().iter().filter(is_read).filter(|text| !text.contains("service_keys")).cloned().collect::<Vec<_>>()
    };
    for (feature, used) in [("calls", "1"), ("branches", "1")] {
        // What of the catalogue was not met yet is read once.
        answer(&erp.program, "erp", feature).await;
        statements.clear();
        assert_eq!(answer(&erp.program, "erp", feature).await["used"], used);
        // Whether there is the business that it names; the business with its clock; the subscription with its periods and
        // what was counted.
        assert_eq!(read().len(), 3, "{:#?}", read());
        statements.clear();
        assert_eq!(answer(&erp.owner, "erp", feature).await["used"], used);
        // The session, the member and the business; the subscription.
        assert_eq!(read().len(), 2, "{:#?}", read());
    }
}
