//! Migrations by an owner of the database who is no superuser, as an operator runs them: with rows in place, from the version before.

use evolve_business::store::Store;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Connection as _};
use serde_json::json;

use crate::database::{Kind, TestDatabase};
use crate::postgres::{self, APPLICATION, Cluster, execute};
use crate::world_usage::{Erp, counted, event};

/// The first migration that is taken back and made again: it parts the events of usage by months.
const FROM: &str = "m0025_usage_retention";
/// Who owns the database, and migrates it.
const OWNER: &str = "keeper";
/// What is kept of each event, whatever table it lies in.
const EVENTS: &str =
    "select concat_ws(' ', business_id, id, recorded_at, subscription_id, feature_key, event_id, action, quantity, occurred_at,
                      usage_period_start, properties) from usage_events order by 1";

/// The first column of every row, past every wall.
async fn texts(admin: &str, sql: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    let found = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_usage_are_parted_by_an_owner_who_is_no_superuser_and_none_is_lost() {
    let Some(programs) = postgres::find_programs() else {
        assert!(postgres::server_async().await.is_some() || std::env::var_os("CI").is_none(), "no PostgreSQL under CI");
        return;
    };
    let mut cluster = tokio::task::spawn_blocking(move || Cluster::start(&programs)).await.unwrap();
    let url = |user: &str, database: &str| format!("postgres://{user}@127.0.0.1:{}/{database}?sslmode=disable", cluster.port);
    let mut admin = PgConnection::connect(&url("postgres", "postgres")).await.unwrap();
    for statement in [
        format!("create role {APPLICATION} login noinherit"),
        format!("create role {OWNER} login createrole nosuperuser nobypassrls"),
        format!("create database evolve owner {OWNER} template template0"),
    ] {
        execute(&mut admin, &statement).await;
    }
    admin.close().await.unwrap();
    let (owner, superuser) = (url(OWNER, "evolve"), url("postgres", "evolve"));
    let all = Store::migrate(&owner, Some(APPLICATION)).await.unwrap();
    assert!(all >= 30, "{all}");

    let database = TestDatabase {
        url: url(APPLICATION, "evolve"),
        migration_url: superuser.clone(),
        kind: Kind::Postgres,
        dir: tempfile::tempdir().unwrap(),
    };
    let erp = Erp::at(database, "2027-01-10T09:00:00Z", "small", "MONTHLY").await;
    assert_eq!(counted(&erp.record(json!([event("a", "calls", "30"), event("b", "branches", "2")])).await), (2, 0));
    erp.pass_to("2027-02-20T09:00:00Z").await;
    assert_eq!(counted(&erp.record(json!([event("c", "calls", "7")])).await), (1, 0));
    let before = texts(&superuser, EVENTS).await;
    assert_eq!(before.len(), 3);

    // Back to the version before, by the owner, with the rows in place.
    let names = Store::migration_status(&owner).await.unwrap();
    let back = names.len() - names.iter().position(|(name, _)| name == FROM).unwrap();
    for _ in 0..back {
        Store::migrate_down(&owner).await.unwrap();
    }
    let whole = "select relkind::text from pg_class where oid = 'usage_events'::regclass";
    assert_eq!((texts(&superuser, whole).await, texts(&superuser, EVENTS).await), (vec!["r".to_owned()], before.clone()));

    // And to the present one, by the way that an operator goes.
    assert_eq!(Store::migrate(&owner, Some(APPLICATION)).await.unwrap(), back);
    assert_eq!((texts(&superuser, whole).await, texts(&superuser, EVENTS).await), (vec!["p".to_owned()], before));
    let parts = "select c.relname::text || ' ' || (select count(*) from pg_inherits i where i.inhrelid = c.oid) from pg_class c
                 where c.relname in ('usage_events_202701', 'usage_events_202702') order by 1";
    assert_eq!(texts(&superuser, parts).await, ["usage_events_202701 1", "usage_events_202702 1"], "its months were made for them");
    assert_eq!(texts(&superuser, "select count(*)::text from usage_events_other").await, ["0"]);
    let of_others = format!("select count(*)::text from pg_tables where schemaname = 'public' and tableowner <> '{OWNER}'");
    assert_eq!(texts(&superuser, &of_others).await, ["0"]);
    // The server goes on, behind the same walls.
    assert_eq!(counted(&erp.record(json!([event("d", "calls", "1"), event("c", "calls", "7")])).await), (1, 1));
    assert_eq!(texts(&superuser, "select count(*)::text from usage_events").await, ["4"]);
    let mut application = PgConnection::connect(&url(APPLICATION, "evolve")).await.unwrap();
    let refused = sqlx::query("select from usage_events").execute(&mut application).await.unwrap_err();
    assert_eq!(refused.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(), Some("42501"));
    application.close().await.unwrap();

    erp.world.ports.store.clone().close().await.unwrap();
    drop(cluster.keeper.stdin.take());
    tokio::task::spawn_blocking(move || cluster.keeper.wait().unwrap()).await.unwrap();
}
