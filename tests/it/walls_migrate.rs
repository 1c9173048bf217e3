//! Migrations: from nothing to the present tables, once, whoever else does the same at the same moment.

use evolve_business::store::Store;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _, SqliteConnection};

use crate::database::TestDatabase;
use crate::postgres::{self, APPLICATION, Cluster, Template, execute};

both!(a_migrated_database_is_left_alone);

async fn a_migrated_database_is_left_alone(db: TestDatabase) {
    assert_eq!(Store::migrate(&db.migration_url, Some(APPLICATION)).await.unwrap(), 0);
    let status = Store::migration_status(&db.migration_url).await.unwrap();
    assert!(status.iter().all(|(_, applied)| *applied), "{status:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_sqlite_is_migrated_once_by_however_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("evolve.db").display());
    migrate_at_once([&url, &url, &url, &url], None).await;
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(&mut connection).await.unwrap();
    let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
    assert!(numbers >= vec![3, 51, 3], "SQLite {version} may lose data");
    let mode: String = sqlx::query_scalar("select journal_mode from pragma_journal_mode").fetch_one(&mut connection).await.unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_postgres_is_migrated_once_by_however_many_at_once() {
    let Some(server) = postgres::server_async().await else { return };
    let name = Template::new().copy(server, async |_| {}).await;
    let url = server.superuser_url(&name);
    migrate_at_once([&url, &url, &url, &url], Some(APPLICATION)).await;
    server.drop_database(&name).await;
}

/// Several processes start on the same empty database: one migrates it, the others find nothing left to do.
async fn migrate_at_once(urls: [&str; 4], login: Option<&str>) {
    let before = Store::migration_status(urls[0]).await.unwrap();
    assert!(before.len() >= 7 && before.iter().all(|(_, applied)| !applied), "{before:?}");
    let applied = futures::future::join_all(urls.map(|url| Store::migrate(url, login))).await;
    let mut applied: Vec<usize> = applied.into_iter().map(Result::unwrap).collect();
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, before.len()]);
    let after = Store::migration_status(urls[0]).await.unwrap();
    assert_eq!(after, before.into_iter().map(|(name, _)| (name, true)).collect::<Vec<_>>());
}

/// A cluster of its own, where neither the roles nor their members are there yet: both belong to the whole cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_databases_of_a_new_cluster_are_migrated_at_once() {
    let Some(programs) = postgres::find_programs() else {
        assert!(postgres::server_async().await.is_some() || std::env::var_os("CI").is_none(), "no PostgreSQL under CI");
        return;
    };
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(&programs)).await.unwrap();
    let url = |database: &str| format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", cluster.port);
    let mut admin = PgConnection::connect(&url("postgres")).await.unwrap();
    execute(&mut admin, &format!("create role {APPLICATION} login noinherit")).await;
    let names = ["one", "two", "three", "four"];
    for name in names {
        sqlx::query(AssertSqlSafe(format!("create database {name} template template0"))).execute(&mut admin).await.unwrap();
    }
    let urls = names.map(url);
    let applied = futures::future::join_all(urls.iter().map(|url| Store::migrate(url, Some(APPLICATION)))).await;
    for (name, applied) in names.iter().zip(applied) {
        assert!(applied.as_ref().is_ok_and(|applied| *applied >= 7), "{name}: {applied:?}");
    }
    let members = "select count(*) from pg_auth_members m join pg_roles r on r.oid = m.roleid join pg_roles l on l.oid = m.member
                   where r.rolname in ('evolve_app', 'evolve_system') and l.rolname = 'evolve'";
    assert_eq!(sqlx::query_scalar::<_, i64>(members).fetch_one(&mut admin).await.unwrap(), 2);
    admin.close().await.unwrap();
    stop(cluster).await;
}

/// Closes the keeper's standard input, upon which it stops the cluster and removes its folder.
async fn stop(mut cluster: Cluster) {
    drop(cluster.keeper.stdin.take());
    tokio::task::spawn_blocking(move || cluster.keeper.wait().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_cannot_be_finished_leaves_nothing() {
    let Some(server) = postgres::server_async().await else { return };
    let name = Template::new().copy(server, async |_| {}).await;
    let url = server.superuser_url(&name);
    for login in ["no_such_login", "evolve; drop table businesses", ""] {
        assert!(Store::migrate(&url, Some(login)).await.is_err(), "{login:?}");
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let tables = "select count(*) from pg_tables where schemaname = 'public'";
        assert_eq!(sqlx::query_scalar::<_, i64>(tables).fetch_one(&mut connection).await.unwrap(), 0, "{login:?}");
        connection.close().await.unwrap();
    }
    assert!(Store::migrate(&url, Some(APPLICATION)).await.unwrap() >= 7);
    server.drop_database(&name).await;
}
