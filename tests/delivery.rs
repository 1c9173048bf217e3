//! A thousand events, two servers, one of them killed: each consumer has each event, in its aggregate's order, once by its id.
//!
//! Runs the real program. What was delivered is read from where it was delivered to: notifications, and mails in files.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "crash/server.rs"]
#[expect(dead_code, reason = "shared with the tests of a crash")]
mod server;

#[path = "it/database.rs"]
mod database;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use evolve_business::app::App;
use evolve_business::config::{Given, Settings};
use evolve_business::ids::{IdGen as _, SubscriptionId, SystemIds};
use evolve_business::services::events::{Event, SubscriptionFacts, SubscriptionWhat, emit};
use evolve_business::services::{Ports, customers::CustomerService, customers::NewBusiness, customers::Register};
use evolve_business::store::types::CompanySize;
use evolve_business::store::{Tenant, TenantScope, customers};
use sea_orm::sqlx::{self, Connection as _};

use crate::database::{Kind, TestDatabase};
use crate::server::{Server, seed};

/// How many subscriptions change their plan, and how often each.
const AGGREGATES: usize = 125;
const EVENTS_EACH: usize = 8;
/// How long a killed worker's jobs stay claimed.
const SHORT_LEASE: (&str, &str) = ("EVOLVE_LEASE_SECONDS", "2");
/// How long all of it may take.
const DELIVERED_WITHIN: Duration = Duration::from_mins(3);

mod a_thousand_events_reach_each_consumer_in_order_and_once_though_a_server_is_killed {
    use super::{Kind, database};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, super::a_thousand_events_reach_each_consumer_in_order_and_once_though_a_server_is_killed).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, super::a_thousand_events_reach_each_consumer_in_order_and_once_though_a_server_is_killed).await;
    }
}

async fn a_thousand_events_reach_each_consumer_in_order_and_once_though_a_server_is_killed(db: TestDatabase) {
    seed(&db);
    let subscriptions = write_events(&db).await;
    let is_shared = db.kind == Kind::Postgres;
    let mut doomed = Server::start(&db, &[SHORT_LEASE]).await;
    let other = if is_shared { Some(Server::start(&db, &[SHORT_LEASE]).await) } else { None };
    // Somewhere in the middle of it.
    let some = 150 + usize::from(SystemIds.next_uuid().as_bytes()[15]);
    wait(&db, async || mails(&db).len() >= some).await;
    let before = mails(&db).len();
    doomed.kill();
    assert!(before < AGGREGATES * EVENTS_EACH, "the kill came too late: {before}");
    let after = if is_shared { None } else { Some(Server::start(&db, &[SHORT_LEASE]).await) };
    wait(&db, async || count(&db, "select count(*) from jobs where status = 'READY'").await == 0).await;
    drop((other, after));

    let expected: BTreeMap<&String, Vec<String>> =
        subscriptions.iter().map(|id| (id, (0..EVENTS_EACH).map(|number| format!("Plan {number}")).collect())).collect();
    assert_eq!(count(&db, "select count(*) from jobs where status = 'DEAD'").await, 0);
    let notified = notified(&db).await;
    assert_eq!(notified.iter().map(|(id, plans)| (id, plans.clone())).collect::<BTreeMap<_, _>>(), expected, "in the application");
    let mailed = mailed(&db, &subscriptions);
    assert_eq!(mailed.iter().map(|(id, plans)| (id, plans.clone())).collect::<BTreeMap<_, _>>(), expected, "by mail");
}

/// Registers a business, and has its subscriptions change their plans, all interleaved; answers the subscriptions.
async fn write_events(db: &TestDatabase) -> Vec<String> {
    let given = Given {
        database_url: Some(db.url.clone().into()),
        data_dir: Some(db.dir.path().to_owned()),
        argon2_memory_kib: Some(8),
        argon2_iterations: Some(1),
        ..Given::default()
    };
    let app = App::build(&Settings::resolve(given).unwrap()).await.unwrap();
    let registered = CustomerService::new(app.ports.clone()).register(newcomer(), None).await.unwrap();
    let scope = TenantScope::proved(registered.business.business_id);
    let subscriptions: Arc<Vec<String>> =
        Arc::new((0..AGGREGATES).map(|_| SubscriptionId::from(SystemIds.next_uuid()).to_string()).collect());
    for number in 0..EVENTS_EACH {
        let (outside, ids): (Ports, _) = (app.ports.clone(), Arc::clone(&subscriptions));
        let write = move |tenant: Tenant| {
            let (ports, ids) = (outside.clone(), Arc::clone(&ids));
            async move {
                customers::lock_business(&tenant).await?;
                for id in ids.iter() {
                    emit(&tenant, &ports, &changed(id, number)).await?;
                }
                Ok(())
            }
        };
        app.ports.store.write(scope, write).await.unwrap();
    }
    app.close().await.unwrap();
    subscriptions.to_vec()
}

fn newcomer() -> Register {
    Register {
        business: NewBusiness {
            business_name: "Amani Traders".to_owned(),
            business_email: "office@example.com".to_owned(),
            industry: "Retail".to_owned(),
            company_size: CompanySize::Size2To10,
            country: "KE".to_owned(),
            postal_code: "00100".to_owned(),
            time_zone: None,
            currency: None,
        },
        full_name: "Amina Otieno".to_owned(),
        email: "amina@example.com".to_owned(),
        password: "correct-horse-battery-staple-9".into(),
    }
}

fn changed(subscription: &str, number: usize) -> Event {
    let is_sample = |event: &Event| matches!(event, Event::Subscription(SubscriptionWhat::PlanChanged, _));
    let Some(Event::Subscription(what, facts)) = Event::samples().into_iter().find(is_sample) else { panic!("no sample") };
    let plan_name = format!("Plan {number}");
    Event::Subscription(what, SubscriptionFacts { subscription_id: subscription.to_owned(), plan_name, ..facts })
}

/// Waits until it is so.
async fn wait(db: &TestDatabase, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    let mut looks = tokio::time::interval(Duration::from_millis(50));
    while !is_so().await {
        looks.tick().await;
        let left = count(db, "select count(*) from jobs where status = 'READY'").await;
        assert!(began.elapsed() < DELIVERED_WITHIN, "{left} jobs are left, {} mails are written", mails(db).len());
    }
}

/// The mails, by the instants in their names.
fn mails(db: &TestDatabase) -> BTreeSet<std::path::PathBuf> {
    let folder = std::fs::read_dir(db.dir.path().join("mail")).unwrap();
    // One that is being written is hidden.
    folder.map(|entry| entry.unwrap().path()).filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.')).collect()
}

/// The plans that each subscription's mails tell of, in the order of the mails. A mail that went out twice, since its server was
/// killed before it could say so, has the same id.
fn mailed(db: &TestDatabase, subscriptions: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut mailed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut seen, mut again) = (BTreeSet::new(), 0);
    for file in mails(db) {
        let mail = std::fs::read_to_string(&file).unwrap();
        let header = |name: &str| mail.split_once(&format!("\r\n{name}: ")).unwrap().1.split("\r\n").next().unwrap().to_owned();
        let Some(plan) = header("Subject").strip_prefix("Your plan is now ").map(str::to_owned) else { continue };
        let id = subscriptions.iter().find(|id| mail.contains(id.as_str())).unwrap();
        if seen.insert(header("Message-ID")) {
            mailed.entry(id.clone()).or_default().push(plan);
        } else {
            again += 1;
        }
    }
    assert!(again <= 16, "no more went out twice than a worker has under way: {again}");
    mailed
}

/// The plans that each subscription's notifications tell of, in the order in which they were written.
async fn notified(db: &TestDatabase) -> BTreeMap<String, Vec<String>> {
    let sql = "select subject || ' ' || title from notifications where kind = 'subscription.plan_changed' order by created_at, id";
    let lines: Vec<String> = match db.kind {
        Kind::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&db.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
        }
        Kind::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&db.migration_url).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
        }
    };
    let mut notified: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines {
        let (subscription, title) = line.split_once(' ').unwrap();
        notified.entry(subscription.to_owned()).or_default().push(title.strip_prefix("Your plan is now ").unwrap().to_owned());
    }
    notified
}

/// The figure that a statement answers, past the servers.
async fn count(db: &TestDatabase, statement: &'static str) -> i64 {
    match db.kind {
        Kind::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&db.url).await.unwrap();
            sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
        }
        Kind::Postgres => {
            let mut connection = sqlx::PgConnection::connect(&db.migration_url).await.unwrap();
            sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap()
        }
    }
}
