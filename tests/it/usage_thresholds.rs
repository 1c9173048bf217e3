//! Thresholds of usage: reached by the event that fills them, and told of once.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::statements::sign_in_again;
use crate::world_usage::{Erp, counted, event, event_at, record, refused, set_at};

const NOW: &str = "2027-01-10T09:00:00Z";
/// In the usage period after that of [`NOW`], which ends on 10 February in Nairobi.
const NEXT: &str = "2027-02-15T09:00:00Z";

both!(
    a_threshold_is_told_of_once_in_a_usage_period,
    of_sixteen_calls_at_once_that_reach_a_threshold_one_tells_of_it,
    what_stands_tells_of_a_threshold_once_in_each_usage_period_that_runs_then,
    what_is_told_late_of_a_usage_period_that_is_over_reaches_no_threshold,
    thresholds_are_weighed_by_the_plan_in_force,
    a_plan_says_where_its_thresholds_lie,
);

/// What the events tell, in their order.
async fn payloads(erp: &Erp) -> Vec<Value> {
    let texts =
        erp.world.read_texts("select payload from events where name = 'usage.threshold_reached' order by created_at, sequence").await;
    texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// The feature, the threshold and what was used, of each that was told of.
async fn told(erp: &Erp) -> Vec<[String; 3]> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    payloads(erp).await.iter().map(|facts| ["feature", "threshold", "used"].map(|member| text(&facts[member]))).collect()
}

/// As [`told`], of texts.
fn expected<const N: usize>(told: [[&str; 3]; N]) -> Vec<[String; 3]> {
    told.map(|one| one.map(str::to_owned)).to_vec()
}

/// The title and text of each notification of it, and the subject of each mail.
async fn heard(erp: &mut Erp) -> (Vec<(String, String)>, Vec<String>) {
    sign_in_again(&mut erp.owner, "ann").await;
    let query = "{ notifications(first: 100) { nodes { kind title body subject { id } } } }";
    let all = erp.owner.data(query, json!({})).await;
    let of_kind = all["notifications"]["nodes"].as_array().unwrap().iter().filter(|one| one["kind"] == "usage.threshold_reached");
    let notes = of_kind.map(|one| {
        assert_eq!(one["subject"]["id"], erp.subscription.as_str());
        (one["title"].as_str().unwrap().to_owned(), one["body"].as_str().unwrap().to_owned())
    });
    let mut notes: Vec<_> = notes.collect();
    notes.sort();
    let mails = erp.world.mails();
    let subjects = mails.iter().map(|mail| mail.split_once("\nSubject: ").unwrap().1.lines().next().unwrap().to_owned());
    (notes, subjects.filter(|subject| subject.ends_with("is used")).collect())
}

async fn a_threshold_is_told_of_once_in_a_usage_period(db: TestDatabase) {
    let mut erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    // Of 100 calls.
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "79.5")])).await), (1, 0));
    assert_eq!(counted(&erp.record(json!([event("b", "calls", "0.25"), event("a", "calls", "79.5")])).await), (1, 1));
    let past = [(0, "quantity".to_owned(), "LIMIT_EXCEEDED".to_owned())];
    assert_eq!(refused(&erp.record(json!([event("c", "calls", "20.5")])).await), past);
    assert_eq!(told(&erp).await, expected([]), "79.75 are used, of which nothing was refused or counted before");
    assert_eq!(counted(&erp.record(json!([event("d", "calls", "0.25"), event("d", "calls", "0.25")])).await), (1, 1));
    let [facts] = &payloads(&erp).await[..] else { panic!("one is told of") };
    let expected_facts = json!({
        "subscriptionId": erp.subscription, "product": "erp", "feature": "calls", "featureName": "Calls", "unit": "call", "threshold": "0.8",
        "included": "100", "used": "80", "periodStart": NOW, "periodEnd": "2027-02-09T21:00:00Z", "at": NOW,
    });
    assert_eq!(*facts, expected_facts);
    assert_eq!(counted(&record(&erp.program, json!([event("e", "calls", "130"), event("f", "calls", "1")]), false).await), (2, 0));
    assert_eq!(told(&erp).await, expected([["calls", "0.8", "80"], ["calls", "1", "210"]]));
    erp.world.run_due_jobs().await;
    let business = erp.world.read_texts("select business_name from businesses").await.remove(0);
    let (notes, subjects) = heard(&mut erp).await;
    let note = |percent: &str, used: &str| {
        let body = format!("{business} has used {used} of the 100 that its plan includes of Calls.");
        (format!("{percent} % of Calls is used"), body)
    };
    assert_eq!(notes, [note("100", "210"), note("80", "80")]);
    assert_eq!(subjects, ["80 % of Calls is used", "100 % of Calls is used"], "in their order");
    // The next usage period begins with nothing used, and nothing told.
    erp.pass_to(NEXT).await;
    assert_eq!(counted(&erp.record(json!([event("g", "calls", "100")])).await), (1, 0));
    assert_eq!(told(&erp).await[2..], expected([["calls", "0.8", "100"], ["calls", "1", "100"]]));
    erp.world.run_due_jobs().await;
    assert_eq!(heard(&mut erp).await.0.len(), 4);
}

async fn of_sixteen_calls_at_once_that_reach_a_threshold_one_tells_of_it(db: TestDatabase) {
    let erp = Arc::new(Erp::at(db, NOW, "small", "MONTHLY").await);
    for round in 0..2 {
        let calls = (0..16).map(|call: usize| {
            let erp = Arc::clone(&erp);
            // Each with one of its own, and one that all have: 16 × 5 + 4 are 84 of 100.
            let events = json!([event("shared", "calls", "4"), event(&format!("own{call}"), "calls", "5")]);
            tokio::spawn(async move { counted(&erp.record(events).await) })
        });
        let mut accepted = 0;
        for call in calls.collect::<Vec<_>>() {
            accepted += call.await.unwrap().0;
        }
        assert_eq!((accepted, erp.used("calls", None).await), (if round == 0 { 17 } else { 0 }, json!("84")));
    }
    let told = told(&erp).await;
    assert_eq!(told.iter().map(|one| (one[0].as_str(), one[1].as_str())).collect::<Vec<_>>(), [("calls", "0.8")]);
    assert!(["80", "81", "82", "83", "84"].contains(&told[0][2].as_str()), "{told:?}");
    erp.world.run_due_jobs().await;
    assert_eq!(erp.world.count("notifications", "kind = 'usage.threshold_reached'").await, 1);
}

async fn what_stands_tells_of_a_threshold_once_in_each_usage_period_that_runs_then(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    // Of 2 branches: 80 % are 1.6.
    assert_eq!(counted(&erp.record(json!([event("a", "branches", "1"), set_at("b", "branches", "1", NOW)])).await), (2, 0));
    assert_eq!(told(&erp).await, expected([]));
    assert_eq!(counted(&erp.record(json!([event("c", "branches", "1")])).await), (1, 0));
    let both = [["branches", "0.8", "2"], ["branches", "1", "2"]];
    assert_eq!(told(&erp).await, expected(both));
    erp.world.clock.set("2027-01-10T10:00:00Z".parse().unwrap());
    let at = |minute: u32| format!("2027-01-10T09:{minute}:00Z");
    let back_and_forth = json!([
        event_at("d", "branches", "-1", &at(10)),
        event_at("e", "branches", "1", &at(11)),
        set_at("f", "branches", "0", &at(12)),
        set_at("g", "branches", "2", &at(13)),
    ]);
    assert_eq!(counted(&erp.record(back_and_forth).await), (4, 0));
    assert_eq!(told(&erp).await, expected(both), "once in a usage period");
    // It stands on into the next, which tells of it when it is reached again.
    erp.pass_to(NEXT).await;
    assert_eq!(counted(&erp.record(json!([event("h", "branches", "0")])).await), (1, 0));
    assert_eq!(told(&erp).await, expected(both));
    assert_eq!(counted(&erp.record(json!([event("i", "branches", "-0.5"), event("j", "branches", "0.5")])).await), (2, 0));
    // From 1.5 to 2.
    assert_eq!(told(&erp).await[2..], expected(both));
    assert_eq!(payloads(&erp).await[3]["periodStart"], "2027-02-09T21:00:00Z");
}

async fn what_is_told_late_of_a_usage_period_that_is_over_reaches_no_threshold(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    let january = "2027-01-20T09:00:00Z";
    // The boundary has passed by the clock; first it is not billed yet, then it is.
    erp.world.clock.set(NEXT.parse().unwrap());
    assert_eq!(counted(&erp.record(json!([event_at("a", "calls", "85", january)])).await), (1, 0));
    erp.world.run_due_jobs().await;
    assert_eq!(counted(&record(&erp.program, json!([event_at("b", "calls", "30", january)]), false).await), (1, 0));
    assert_eq!((erp.used("calls", Some(january)).await, told(&erp).await), (json!("115"), expected([])));
    // What is late and of the usage period that runs is told of.
    assert_eq!(counted(&erp.record(json!([event_at("c", "calls", "80", "2027-02-11T09:00:00Z")])).await), (1, 0));
    assert_eq!(told(&erp).await, expected([["calls", "0.8", "80"]]));
    // What stands stands now, whenever it is told that it began to.
    assert_eq!(counted(&erp.record(json!([event_at("d", "branches", "2", january)])).await), (1, 0));
    assert_eq!(told(&erp).await[1..], expected([["branches", "0.8", "2"], ["branches", "1", "2"]]));
    assert_eq!(payloads(&erp).await[2]["periodStart"], "2027-02-09T21:00:00Z");
}

async fn thresholds_are_weighed_by_the_plan_in_force(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "90")])).await), (1, 0));
    let mut all = vec![["calls", "0.8", "90"]];
    erp.change("big", "PRORATE_NOW").await;
    // 800 of 1000: 80 % was told of in this usage period.
    assert_eq!(counted(&erp.record(json!([event("b", "calls", "710")])).await), (1, 0));
    assert_eq!(counted(&erp.record(json!([event("c", "calls", "200")])).await), (1, 0));
    all.push(["calls", "1", "1000"]);
    // What the plan does not have has no threshold in it.
    assert_eq!(counted(&record(&erp.program, json!([event("d", "faxes", "5")]), false).await), (1, 0));
    // 12 of 20; of 10 it is more than all, which the change does not tell of, nor the event that finds it so.
    assert_eq!(counted(&erp.record(json!([event("e", "sms", "12")])).await), (1, 0));
    erp.change("small", "PRORATE_NOW").await;
    assert_eq!(counted(&erp.record(json!([event("f", "sms", "1")])).await), (1, 0));
    // 5 + 0 of 5 faxes were used by the plan before.
    assert_eq!(counted(&erp.record(json!([event("g", "faxes", "0")])).await), (1, 0));
    let found = told(&erp).await;
    assert_eq!(found, all.into_iter().map(|one| one.map(str::to_owned)).collect::<Vec<_>>());
}

async fn a_plan_says_where_its_thresholds_lie(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "tried", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "49.9")])).await), (1, 0));
    assert_eq!(told(&erp).await, expected([]));
    assert_eq!(counted(&erp.record(json!([event("b", "calls", "30.1"), event("c", "calls", "20")])).await), (2, 0));
    assert_eq!(told(&erp).await, expected([["calls", "0.5", "80"]]), "in a trial too, and nowhere else");
}
