//! What is over goes when it was kept long enough, and nothing that is not.

use evolve_business::ids::BusinessId;
use evolve_business::services::retention::sweep;
use evolve_business::store::TenantScope;
use evolve_business::store::spent::Spent;
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::json;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::matrix::sign_in;
use crate::world::World;
use crate::world_lives::{Life, register};

const NOW: &str = "2027-01-31T09:00:00Z";
const KEEP: SignedDuration = SignedDuration::from_hours(90 * 24);
const DAY: SignedDuration = SignedDuration::from_hours(24);

both!(
    what_is_over_goes_in_its_time_and_what_is_not_stays,
    an_event_that_is_still_to_be_told_or_shown_stays_and_places_go_on,
    who_is_signed_in_stays_signed_in_and_who_was_is_forgotten,
    a_day_that_was_compared_with_a_gateway_goes_in_its_time_and_the_last_one_stays,
);

impl World {
    /// Sweeps; answers how much of what was removed.
    async fn swept(&self) -> Vec<(Spent, u64)> {
        sweep(&self.ports, KEEP).await.unwrap_or_else(|failure| panic!("{failure:?}"))
    }
}

async fn what_is_over_goes_in_its_time_and_what_is_not_stays(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    world.staff(&server, StaffRole::Admin).await;
    let life = Life::lived(&world, &server, "ann").await;
    world.run_due_jobs().await;
    let rows = async || {
        let mut rows = Vec::new();
        for sql in [
            "select count(*) from jobs where status = 'DONE'",
            "select count(*) from mails where status = 'SENT'",
            "select count(*) from idempotency_keys",
            "select count(*) from jobs where status = 'READY'",
            "select count(*) from notifications",
            "select count(*) from audit_events",
        ] {
            rows.push(world.number(sql).await);
        }
        rows
    };
    let before = rows().await;
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    // An idempotency key is promised for thirty days, whatever the operator sets.
    world.advance(DAY * 30);
    assert_eq!(world.swept().await, []);
    world.advance(SignedDuration::from_secs(1));
    let swept = world.swept().await;
    assert_eq!(swept, [(Spent::IdempotencyKeys, u64::try_from(before[2]).unwrap())]);
    world.advance(DAY * 60 - SignedDuration::from_secs(1));
    // To the instant ninety days: it was kept for as long, and goes after that.
    let swept = world.swept().await;
    assert!(swept.iter().all(|(kind, _)| !matches!(kind, Spent::Jobs | Spent::Mails | Spent::Events)), "{swept:?}");
    assert_eq!(rows().await[..2], before[..2]);
    world.advance(SignedDuration::from_secs(1));
    let swept = world.swept().await;
    for (kind, count) in [(Spent::Jobs, before[0]), (Spent::Mails, before[1])] {
        assert!(swept.contains(&(kind, u64::try_from(count).unwrap())), "{kind:?}: {swept:?}");
    }
    assert_eq!(rows().await, [0, 0, 0, before[3], before[4], before[5]], "what is to be done, shown or proved stays");
    assert_eq!(world.swept().await, [], "and it is done once");
    assert_eq!(world.examine().await, [""; 0]);
    // What is due is done as it would have been.
    world.run_due_jobs().await;
    assert_eq!(world.examine().await, [""; 0]);
    assert!(life.business.starts_with("biz_"));
}

async fn an_event_that_is_still_to_be_told_or_shown_stays_and_places_go_on(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    let (ann, business) = register(&server, "ann").await;
    let scope = TenantScope::proved(BusinessId::parse(&business).unwrap());
    let one = crate::world_mail::subscription();
    let emit = async |names: &[&str]| world.emit(scope, names.iter().map(|name| crate::world_mail::changed_to(&one, name)).collect()).await;
    emit(&["A", "B", "C"]).await;
    let places = async || {
        world.read_texts("select cast(sequence as text) from events where name = 'subscription.plan_changed' order by sequence").await
    };
    assert_eq!(places().await, ["1", "2", "3"]);
    world.advance(KEEP + DAY);
    world.swept().await;
    assert_eq!(places().await, ["1", "2", "3"], "nobody was told of them yet");
    world.run_due_jobs().await;
    world.advance(KEEP + DAY);
    world.swept().await;
    assert_eq!(places().await, ["1", "2", "3"], "notifications show them");
    world.try_sql("delete from notifications").await.unwrap();
    world.swept().await;
    assert_eq!(places().await, ["3"], "the next place is counted from the last");
    emit(&["D"]).await;
    assert_eq!(places().await, ["3", "4"]);
    world.run_due_jobs().await;
    assert!(world.subjects_to("ann@example.com").contains(&"Your plan is now D".to_owned()));
    drop(ann);
}

async fn who_is_signed_in_stays_signed_in_and_who_was_is_forgotten(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let server = Server::start(&world).await;
    world.seed_catalogue().await;
    register(&server, "ann").await;
    world.run_due_jobs().await;
    assert_eq!(world.number("select count(*) from account_tokens").await, 1, "the link that confirms the address");
    let owner = world.sign_in("ann@example.com", crate::world_lives::PASSWORD).await.unwrap();
    let (mut tokens, ids) = (owner.tokens, async || world.number("select count(*) from sessions").await);
    assert_eq!(ids().await, 2);
    // One goes on by a refresh every four weeks, the other is never seen again.
    for _ in 0..6 {
        world.advance(DAY * 28);
        tokens = world.refresh(&tokens).await.unwrap();
        world.swept().await;
    }
    assert_eq!(ids().await, 1, "168 days: 30 of them it was good, and 90 it was kept");
    let spent = world.number("select count(*) from refresh_tokens").await;
    // What ran out before day 78 is gone: the first, and that of day 28, which ran out at 58. Those of 56, 84, 112, 140 and 168 are there.
    assert_eq!(spent, 5);
    assert!(world.refresh(&tokens).await.is_ok());
    let again = sign_in(server.client(), "signIn", "ann@example.com").await;
    assert!(again.data("{ viewer { role } }", json!({})).await["viewer"].is_object());
    assert_eq!(world.number("select count(*) from account_tokens").await, 0, "links in mails go too");
}

async fn a_day_that_was_compared_with_a_gateway_goes_in_its_time_and_the_last_one_stays(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    // Ninety days before now is the second of November at 09:00.
    for (gateway, day, compared) in [
        ("stripe", "2026-11-01", "'2026-11-02T08:59:59Z'"),
        ("stripe", "2026-10-30", "'2026-11-02T09:00:00Z'"),
        // Something of it differed for long.
        ("stripe", "2026-10-20", "'2026-11-24T09:00:00Z'"),
        ("stripe", "2026-10-21", "null"),
        ("stripe", "2027-01-30", "'2027-01-31T01:00:00Z'"),
        ("mpesa", "2026-09-01", "'2026-09-02T01:00:00Z'"),
    ] {
        world
            .sql(&format!(
                "insert into gateway_comparisons (gateway, day, leased_until, compared_at) values ('{gateway}', '{day}', '2026-10-22T01:00:00Z', {compared})"
            ))
            .await;
    }
    assert_eq!(world.swept().await, [(Spent::GatewayComparisons, 2)]);
    let left = world.read_texts("select gateway || ' ' || cast(day as text) from gateway_comparisons order by gateway, day").await;
    assert_eq!(left, ["mpesa 2026-09-01", "stripe 2026-10-20", "stripe 2026-10-30", "stripe 2027-01-30"]);
    world.advance(SignedDuration::from_secs(1));
    assert_eq!(world.swept().await, [(Spent::GatewayComparisons, 1)]);
    world.advance(DAY * 400);
    world.swept().await;
    assert_eq!(world.number("select count(*) from gateway_comparisons").await, 2, "the last of each");
}
