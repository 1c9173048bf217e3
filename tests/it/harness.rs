//! The harness itself: databases are separate, quick to make, and nothing outlives a test process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{self, Connection as _};

use crate::database::{Kind, TestDatabase};
use crate::postgres::{self, APPLICATION, Cluster, Template, execute};

/// Set in the child process of the test that kills one.
const CHILD: &str = "EVOLVE_TEST_HOLDS_A_CLUSTER";

async fn count(connection: &mut PgConnection, table: &str) -> i64 {
    let statement = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(statement).fetch_one(connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_databases_of_one_template_are_separate() {
    static TEMPLATE: Template = Template::new();
    async fn migrate(url: String) {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        execute(&mut connection, "CREATE TABLE thing (id int PRIMARY KEY); INSERT INTO thing VALUES (1)").await;
        execute(&mut connection, &format!("GRANT SELECT ON thing TO {APPLICATION}")).await;
        connection.close().await.unwrap();
    }

    let began = Instant::now();
    let Some(server) = postgres::server_async().await else { return };
    let (one, two) = tokio::join!(TEMPLATE.copy(server, migrate), TEMPLATE.copy(server, migrate));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "a cluster and three databases took {took:?}");
    assert_ne!(one, two);

    let mut writer = PgConnection::connect(&server.superuser_url(&one)).await.unwrap();
    execute(&mut writer, "INSERT INTO thing VALUES (2)").await;
    assert_eq!(count(&mut writer, "thing").await, 2);
    let mut reader = PgConnection::connect(&server.url(&two, APPLICATION)).await.unwrap();
    assert_eq!(count(&mut reader, "thing").await, 1);
    let refused = sqlx::query("INSERT INTO thing VALUES (3)").execute(&mut reader).await.unwrap_err();
    assert_eq!(
        refused.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
        Some("42501"),
        "the application owns nothing"
    );

    // Both are still connected: dropping does not wait for them.
    server.drop_database(&one).await;
    server.drop_database(&two).await;
    let mut admin = PgConnection::connect(&server.admin_url()).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname IN ($1, $2)")
        .bind(&one)
        .bind(&two)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

/// Runs itself as a child process that starts a cluster, kills that child, and looks for what is left.
#[test]
fn a_killed_test_process_leaves_no_postgres_behind() {
    let Some(programs) = postgres::find_programs() else {
        assert!(postgres::server().is_some() || std::env::var_os("CI").is_none(), "no PostgreSQL under CI");
        return;
    };
    if std::env::var_os(CHILD).is_some() {
        let cluster = Cluster::start(&programs);
        let line = format!("\nholding {} {} {} {}\n", cluster.keeper.id(), cluster.pid, cluster.port, cluster.folder.display());
        std::io::stdout().write_all(line.as_bytes()).unwrap();
        // Until the parent kills it, and not for ever if the parent is killed itself.
        std::thread::sleep(Duration::from_mins(2));
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "harness::a_killed_test_process_leaves_no_postgres_behind", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let held = lines.into_iter().find_map(|line| line.strip_prefix("holding ").map(str::to_owned));
    let held = held.expect("the child says what it holds");
    let words: Vec<&str> = held.split(' ').collect();
    let [keeper, server, port, folder] = words[..] else { panic!("{held}") };
    let (keeper, server): (u32, u32) = (keeper.parse().unwrap(), server.parse().unwrap());
    let (port, folder): (u16, &Path) = (port.parse().unwrap(), Path::new(folder));
    assert!(is_running(keeper) && is_running(server) && folder.is_dir());
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());

    // SIGKILL: nothing of the child's own runs any more.
    child.kill().unwrap();
    child.wait().unwrap();

    let deadline = Instant::now() + Duration::from_secs(15);
    while is_running(keeper) || is_running(server) || folder.exists() {
        assert!(Instant::now() < deadline, "still there 15 s after the kill: keeper {keeper}, server {server}, {folder:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
}

/// Whether the process runs; one that has ended and waits to be reaped does not.
fn is_running(pid: u32) -> bool {
    let alive = Command::new("/bin/sh").args(["-c", &format!("kill -0 {pid}")]).stderr(Stdio::null()).status().unwrap().success();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    alive && stat.rsplit_once(") ").is_none_or(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_that_panics_fails_and_its_database_is_dropped_all_the_same() {
    let Some(server) = postgres::server_async().await else { return };
    let (tell, told) = tokio::sync::oneshot::channel();
    let test = tokio::spawn(crate::database::run(Kind::Postgres, |db: TestDatabase| async move {
        let mut connection = PgConnection::connect(&db.migration_url).await.unwrap();
        let name: String = sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut connection).await.unwrap();
        tell.send((name, db.dir.path().to_owned())).unwrap();
        panic!("as meant");
    }));
    assert!(test.await.unwrap_err().is_panic());
    let (name, folder) = told.await.unwrap();
    let mut admin = PgConnection::connect(&server.admin_url()).await.unwrap();
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_database WHERE datname = $1").bind(&name).fetch_one(&mut admin).await.unwrap();
    assert_eq!((left, folder.exists()), (0, false));
}

both!(a_test_has_a_database_and_a_folder_of_its_own);

async fn a_test_has_a_database_and_a_folder_of_its_own(db: TestDatabase) {
    assert!(db.dir.path().is_dir());
    match db.kind {
        Kind::Sqlite => {
            let mut connection = sqlx::SqliteConnection::connect(&db.url).await.unwrap();
            let file: String = sqlx::query_scalar("SELECT file FROM pragma_database_list").fetch_one(&mut connection).await.unwrap();
            assert_eq!(Path::new(&file), db.dir.path().canonicalize().unwrap().join("evolve.db"));
            assert_eq!(db.url, db.migration_url);
        }
        Kind::Postgres => {
            let who = "SELECT current_user::text || ' ' || rolsuper || ' ' || rolinherit FROM pg_roles WHERE rolname = current_user";
            let mut connection = PgConnection::connect(&db.url).await.unwrap();
            let application: String = sqlx::query_scalar(who).fetch_one(&mut connection).await.unwrap();
            assert_eq!(application, "evolve false false");
            let mut connection = PgConnection::connect(&db.migration_url).await.unwrap();
            let superuser: bool =
                sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetch_one(&mut connection).await.unwrap();
            assert!(superuser);
        }
    }
}
