//! The examples, run as an integrator runs them, against the program itself.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/database.rs"]
mod database;
#[path = "../examples/load/drive.rs"]
mod load;
#[expect(dead_code, reason = "its `main` is not what is called")]
#[path = "../examples/main_job.rs"]
mod main_job;
#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/postgres.rs"]
mod postgres;
#[expect(dead_code, reason = "shared with the tests that kill it")]
#[path = "crash/server.rs"]
mod server;
#[expect(dead_code, reason = "its `main` is not what is called")]
#[path = "../examples/usage_reporter.rs"]
mod usage_reporter;

use std::time::Duration;

use crate::database::{Kind, TestDatabase};
use crate::load::{Load, Operation};
use crate::server::{Server, run, seed};

mod the_main_job_goes_through_and_every_sum_in_it_holds {
    use super::{Kind, database};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, super::takes_the_main_job).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, super::takes_the_main_job).await;
    }
}

async fn takes_the_main_job(db: TestDatabase) {
    seed(&db);
    let server = Server::start(&db, &[]).await;
    main_job::run(server.url()).await.unwrap_or_else(|sentence| panic!("{sentence}\n{}", server.log()));
}

mod what_a_product_tells_is_counted_once_though_it_is_told_again {
    use super::{Kind, database};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, super::reports_usage).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, super::reports_usage).await;
    }
}

async fn reports_usage(db: TestDatabase) {
    seed(&db);
    let server = Server::start(&db, &[]).await;
    usage_reporter::run(server.url()).await.unwrap_or_else(|sentence| panic!("{sentence}\n{}", server.log()));
}

mod customers_and_a_product_all_at_once_are_answered_rightly {
    use super::{Kind, database};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        database::run(Kind::Sqlite, super::loads).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        database::run(Kind::Postgres, super::loads).await;
    }
}

/// Tells with a product's key, made by staff; the doctor finds nothing in what is left.
async fn loads(db: TestDatabase) {
    seed(&db);
    let said = run(&db, &["staff", "add", "staff@example.com", "--role", "ADMIN"]);
    let (_, password) = said.trim().rsplit_once(": ").unwrap();
    let unlimited =
        ["REQUESTS_PER_CALLER", "REQUESTS_PER_ADDRESS", "POINTS_PER_CALLER", "POINTS_PER_ADDRESS"].map(|limit| format!("EVOLVE_{limit}"));
    let server = Server::start(&db, &unlimited.each_ref().map(|limit| (limit.as_str(), "0"))).await;
    let asked = async {
        let key = load::service_key(server.url(), "staff@example.com", password).await?;
        load::drive(server.url(), Load { clients: 4, time: Duration::from_secs(4), seed: 1, may_be_limited: false }, Some(&key)).await
    };
    let report = asked.await.unwrap_or_else(|sentence| panic!("{sentence}\n{}", server.log()));
    assert!(report.is_well(), "{}\n{:?}\n{:?}\n{}", report.table(), report.errors, report.wrong, server.log());
    for operation in [Operation::Dashboard, Operation::RecordUsage, Operation::ChangePlan, Operation::Subscribe, Operation::Cancel] {
        assert!(report.answers(operation) > 0, "{operation} was never answered:\n{}", report.table());
    }
    drop(server);
    run(&db, &["doctor"]);
}
