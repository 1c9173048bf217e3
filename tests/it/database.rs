//! A database of its own for each test, on either kind, and the folder for its data.

use std::panic::AssertUnwindSafe;

use evolve_business::store::Store;
use futures::FutureExt as _;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::postgres::{self, APPLICATION, Template};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// A migrated database that no other test sees; it and `dir` are gone when the test is over.
pub(crate) struct TestDatabase {
    /// How the server under test connects: on PostgreSQL as a login that owns nothing.
    pub(crate) url: String,
    /// How migrations connect: on PostgreSQL as a superuser.
    pub(crate) migration_url: String,
    pub(crate) kind: Kind,
    /// The data directory: SQLite's file, sandbox mails, documents, keys.
    pub(crate) dir: TempDir,
}

/// Runs the body of a test on a database of its own and drops that afterwards, also when the body panics.
pub(crate) async fn run<F: Future<Output = ()>>(kind: Kind, body: impl FnOnce(TestDatabase) -> F) {
    let dir = tempfile::Builder::new().prefix("evolve-test-").tempdir().unwrap();
    let (database, dropped_after) = match kind {
        Kind::Sqlite => (sqlite(dir).await, None),
        Kind::Postgres => {
            let Some(server) = postgres::server_async().await else { return };
            let name = MIGRATED.copy(server, migrate).await;
            let (url, migration_url) = (server.url(&name, APPLICATION), server.superuser_url(&name));
            (TestDatabase { url, migration_url, kind, dir }, Some((server, name)))
        }
    };
    let outcome = AssertUnwindSafe(body(database)).catch_unwind().await;
    if let Some((server, name)) = dropped_after {
        server.drop_database(&name).await;
    }
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// The PostgreSQL database that each test's is copied from.
static MIGRATED: Template = Template::new();

/// A copy of the SQLite file that was migrated once for this process.
async fn sqlite(dir: TempDir) -> TestDatabase {
    static MIGRATED_FILE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let migrated = MIGRATED_FILE
        .get_or_init(|| async {
            let template = tempfile::tempdir().unwrap();
            let file = template.path().join("template.db");
            std::fs::write(&file, []).unwrap();
            migrate(format!("sqlite://{}", file.display())).await;
            let open = template.path().join("template.db-wal");
            assert!(!open.exists(), "the migration left its connection open: its last pages are not in the file yet");
            std::fs::read(&file).unwrap()
        })
        .await;
    let file = dir.path().join("evolve.db");
    std::fs::write(&file, migrated).unwrap();
    let url = format!("sqlite://{}", file.display());
    TestDatabase { migration_url: url.clone(), url, kind: Kind::Sqlite, dir }
}

/// Brings an empty database to the present tables and closes its connections. The URL is a superuser's on PostgreSQL.
async fn migrate(url: String) {
    Store::migrate(&url, Some(APPLICATION)).await.unwrap();
}
