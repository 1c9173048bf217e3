//! How long usage is kept: events go in their time, their ids when they count again, and what they come to stays.

use evolve_business::services::usage::retention::{Swept, sweep};
use jiff::SignedDuration;
use serde_json::json;

use crate::database::{Kind, TestDatabase};
use crate::world_usage::{Erp, counted, event};

const NOW: &str = "2027-01-10T09:00:00Z";

both!(
    events_go_in_their_time_and_what_they_come_to_stays,
    events_that_no_month_is_made_for_are_kept_and_go_in_batches,
    servers_that_sweep_at_once_do_not_disturb_each_other,
    ids_of_businesses_on_a_test_clock_stay,
);

impl Erp {
    /// Sweeps, with events kept for ninety days.
    async fn sweep(&self) -> Swept {
        sweep(&self.world.ports, SignedDuration::from_hours(90 * 24)).await.unwrap_or_else(|failure| panic!("{failure:?}"))
    }

    /// Sweeps twice at an instant: what the first says may go, the second removes.
    async fn sweep_at(&self, now: &str) -> Swept {
        self.pass_to(now).await;
        let first = self.sweep().await;
        let second = self.sweep().await;
        Swept { months_made: first.months_made, event_ids: first.event_ids, ..second }
    }

    /// How many events there are.
    async fn events(&self) -> i64 {
        self.world.count("usage_events", "1 = 1").await
    }

    /// On PostgreSQL, the months that there are parts for, from January 2027 on; what a migration has made by its own clock aside.
    async fn months(&self) -> Vec<String> {
        let sql = "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
                   where i.inhparent = 'usage_events'::regclass and c.relname between 'usage_events_2027' and 'usage_events_2028' order by 1";
        self.world.read_texts(sql).await
    }
}

async fn events_go_in_their_time_and_what_they_come_to_stays(db: TestDatabase) {
    let is_postgres = db.kind == Kind::Postgres;
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    erp.sweep().await;
    if is_postgres {
        let months = erp.months().await;
        assert!(["01", "02", "03"].iter().all(|month| months.contains(&format!("usage_events_2027{month}"))), "{months:?}");
    }
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "30"), event("s", "branches", "2")])).await), (2, 0));
    erp.pass_to("2027-02-20T09:00:00Z").await;
    assert_eq!(counted(&erp.record(json!([event("b", "calls", "7")])).await), (1, 0));
    if is_postgres {
        assert_eq!(erp.world.count("usage_events_202701", "1 = 1").await, 2);
        assert_eq!((erp.world.count("usage_events_202702", "1 = 1").await, erp.world.count("usage_events_other", "1 = 1").await), (1, 0));
    }
    // Ninety days before are a second before the first was recorded.
    let swept = erp.sweep_at("2027-04-10T08:59:59Z").await;
    assert_eq!((swept.events, swept.event_ids, erp.events().await), (0, 0, 3));
    let swept = erp.sweep_at("2027-05-03T09:00:00Z").await;
    // Ninety days before are 2 February. On PostgreSQL January is dropped whole.
    assert_eq!((swept.events, swept.event_ids, erp.events().await), (if is_postgres { 0 } else { 2 }, 2, 1));
    if is_postgres {
        assert!(swept.months_dropped >= 1, "{swept:?}");
        let months = erp.months().await;
        assert!(!months.contains(&"usage_events_202701".to_owned()), "{months:?}");
        let ahead = ["02", "05", "06", "07"];
        assert!(ahead.iter().all(|month| months.contains(&format!("usage_events_2027{month}"))), "{months:?}");
    }
    // What was counted is what it was, and nothing contradicts it.
    assert_eq!((erp.used("calls", Some(NOW)).await, erp.used("branches", None).await), (json!("30"), json!("2")));
    assert_eq!(erp.used("calls", Some("2027-02-20T09:00:00Z")).await, json!("7"));
    assert_eq!(erp.world.examine().await, [""; 0]);
    // An id counts once for ninety days, and may be used again after that.
    assert_eq!(counted(&erp.record(json!([event("b", "calls", "7"), event("a", "calls", "5")])).await), (1, 1));
    assert_eq!(erp.used("calls", None).await, json!("5"));
    // What was begun since then is proved to the last unit still.
    erp.world.sql("update usage_counters set used = '4' where used = '5'").await;
    let wrong = erp.world.examine().await;
    assert!(wrong.len() == 1 && wrong[0].contains("it says 4 of calls, and its events come to 5"), "{wrong:#?}");
}

async fn events_that_no_month_is_made_for_are_kept_and_go_in_batches(db: TestDatabase) {
    let is_postgres = db.kind == Kind::Postgres;
    // Nothing was swept: no month is there that an event of then could go to.
    let erp = Erp::at(db, "2031-01-10T09:00:00Z", "big", "MONTHLY").await;
    let many = |call: &str, count: usize| json!((0..count).map(|n| event(&format!("{call}{n}"), "branches", "1")).collect::<Vec<_>>());
    assert_eq!(counted(&erp.record(many("a", 1_000)).await), (1_000, 0));
    assert_eq!(counted(&erp.record(many("b", 2)).await), (2, 0));
    // The month that has rows elsewhere already is not made, those that follow are.
    let swept = erp.sweep().await;
    assert_eq!((swept.months_made, swept.events), (if is_postgres { 2 } else { 0 }, 0));
    assert_eq!(counted(&erp.record(many("c", 1)).await), (1, 0));
    if is_postgres {
        assert_eq!(erp.world.count("usage_events_other", "1 = 1").await, 1_003);
    }
    erp.pass_to("2031-02-10T09:00:00Z").await;
    assert_eq!(counted(&erp.record(many("d", 1)).await), (1, 0));
    assert_eq!(erp.events().await, 1_004);
    // Ninety days before are 1 February; what lies elsewhere goes in two transactions.
    let swept = erp.sweep_at("2031-05-02T10:00:00Z").await;
    assert_eq!((swept.events, swept.event_ids, erp.events().await), (1_003, 1_003, 1));
    assert_eq!((erp.used("branches", None).await, erp.world.examine().await), (json!("1004"), vec![]));
}

async fn servers_that_sweep_at_once_do_not_disturb_each_other(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "30")])).await), (1, 0));
    for now in ["2027-06-10T09:00:00Z", "2027-06-10T10:00:00Z"] {
        erp.world.clock.set(now.parse().unwrap());
        let ports = &erp.world.ports;
        let sweeps = (0..4).map(|_| {
            let ports = ports.clone();
            tokio::spawn(async move { sweep(&ports, SignedDuration::from_hours(90 * 24)).await.is_ok() })
        });
        for sweep in sweeps.collect::<Vec<_>>() {
            assert!(sweep.await.unwrap());
        }
    }
    assert_eq!((erp.events().await, erp.world.count("usage_event_ids", "1 = 1").await), (0, 0));
    erp.world.run_due_jobs().await;
    assert_eq!((erp.used("calls", Some(NOW)).await, erp.world.examine().await), (json!("30"), vec![]));
}

async fn ids_of_businesses_on_a_test_clock_stay(db: TestDatabase) {
    let erp = Erp::at(db, NOW, "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "30")])).await), (1, 0));
    let clock = "insert into test_clocks (id, name, now, status, advanced_at, created_at)
                 select id, 'c', started_at, 'READY', started_at, started_at from subscriptions";
    erp.world.sql(clock).await;
    erp.world.sql("insert into clock_attachments (business_id, test_clock_id) select business_id, id from subscriptions").await;
    // Long ago by real time, and who knows when by its clock.
    erp.world.sql("update usage_event_ids set recorded_at = '2026-01-01T00:00:00.000000Z'").await;
    assert_eq!((erp.sweep().await.event_ids, erp.world.count("usage_event_ids", "1 = 1").await), (0, 1));
    erp.world.sql("delete from clock_attachments").await;
    assert_eq!((erp.sweep().await.event_ids, erp.world.count("usage_event_ids", "1 = 1").await), (1, 0));
}
