//! The examples, run as an integrator runs them, against the program itself.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "shared with the tests of tests/it, which need more of it")]
#[path = "it/database.rs"]
mod database;
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

use crate::database::{Kind, TestDatabase};
use crate::server::{Server, seed};

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
