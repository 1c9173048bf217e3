//! PostgreSQL for `cargo test`: one cluster per test process, a database per test.
//!
//! The cluster is kept by a shell (`postgres.sh`) that stops it and removes its folder when this process ends,
//! however it ends. `TEST_POSTGRES_URL` (a superuser's URL) makes the tests use that server instead.
//! Without either, the PostgreSQL half is skipped with one loud line, and fails where `CI=true`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::sqlx;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::sync::OnceCell;

/// The login that tests connect by, as the server does in production: no superuser, owns nothing, inherits nothing.
pub(crate) const APPLICATION: &str = "evolve";

/// How often another port is tried when the one found free was taken before the server could bind it.
const MAX_STARTS: usize = 3;
/// Databases of earlier runs on a server that outlives them are dropped when they are older than this.
const STALE_AFTER_SECONDS: i64 = 2 * 60 * 60;

/// A PostgreSQL server that databases can be made on.
pub(crate) struct Server {
    /// How to connect as a superuser.
    admin: PgConnectOptions,
    /// The cluster of our own; none when `TEST_POSTGRES_URL` names a server. Held until this process ends.
    _cluster: Option<Cluster>,
    /// Leads the names of this process's databases: `evolve_test_<seconds>_<process>`.
    prefix: OnceCell<String>,
    next: AtomicU32,
}

/// A cluster of our own, alive while `keeper`'s standard input is open.
pub(crate) struct Cluster {
    pub(crate) keeper: Child,
    pub(crate) folder: PathBuf,
    pub(crate) pid: u32,
    pub(crate) port: u16,
}

/// The server of this process, started at the first call; `None` (after one line on stderr) when there is none to be had.
/// Blocks for about a second at the first call: from async code, call [`server_async`].
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(find_server).as_ref()
}

/// [`server`], off the async threads.
pub(crate) async fn server_async() -> Option<&'static Server> {
    tokio::task::spawn_blocking(server).await.unwrap()
}

fn find_server() -> Option<Server> {
    if let Ok(url) = std::env::var("TEST_POSTGRES_URL") {
        let admin = url.parse().unwrap_or_else(|error| panic!("TEST_POSTGRES_URL is no PostgreSQL URL: {error}"));
        return Some(Server::new(admin, None));
    }
    let Some(programs) = find_programs() else {
        let missing = "PostgreSQL is not installed (no `initdb` on the PATH or in /usr/lib/postgresql) and TEST_POSTGRES_URL is not set";
        assert!(!is_ci(), "{missing}: CI must run the PostgreSQL half");
        // Past the capture of the test runner, which would hide it.
        let line = format!("\n!!! SKIPPED: every `…::postgres` test of this run did nothing: {missing}.\n\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    };
    let cluster = Cluster::start(&programs);
    let admin = PgConnectOptions::new_without_pgpass().port(cluster.port).username("postgres").database("postgres");
    // As a server beside its database connects.
    let socket = cluster.folder.join(format!(".s.PGSQL.{}", cluster.port)).exists();
    let admin = if socket { admin.socket(&cluster.folder) } else { admin.host("127.0.0.1") };
    let admin = admin.ssl_mode(PgSslMode::Disable);
    Some(Server::new(admin, Some(cluster)))
}

fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}

/// The folder of `initdb` and `postgres`: from the PATH, else the newest below /usr/lib/postgresql.
pub(crate) fn find_programs() -> Option<PathBuf> {
    let has_both = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).find(|folder| has_both(folder)) {
        return Some(found);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| has_both(folder))
        .max()
        .map(|(_, folder)| folder)
}

impl Cluster {
    /// Starts a cluster on a free port of 127.0.0.1.
    pub(crate) fn start(programs: &Path) -> Self {
        let mut last = String::new();
        for _ in 0..MAX_STARTS {
            match Self::try_start(programs) {
                Ok(cluster) => return cluster,
                Err(said) => last = said,
            }
        }
        panic!("PostgreSQL did not start in {MAX_STARTS} attempts:\n{last}");
    }

    fn try_start(programs: &Path) -> Result<Self, String> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", include_str!("postgres.sh"), "evolve-test-postgres"]).arg(programs).arg(port.to_string());
        // A group of its own: Ctrl-C in the terminal ends the tests, and the end of the tests ends the keeper.
        command.process_group(0).current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        if id("-u", None) == Some(0) {
            // PostgreSQL refuses to run as root.
            let user = ["postgres", "nobody"].into_iter().find_map(|user| Some((id("-u", Some(user))?, id("-g", Some(user))?)));
            let (uid, gid) = user.ok_or("root needs a user `postgres` or `nobody` to run PostgreSQL as")?;
            command.uid(uid).gid(gid);
        }
        let mut keeper = command.spawn().map_err(|error| format!("/bin/sh: {error}"))?;
        let mut said = BufReader::new(keeper.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).map_err(|error| error.to_string())?;
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["ready", folder, pid] = words[..] {
            let pid = pid.parse().map_err(|_| format!("no process id: {line}"))?;
            return Ok(Self { keeper, folder: PathBuf::from(folder), pid, port });
        }
        let mut rest = String::new();
        said.read_to_string(&mut rest).map_err(|error| error.to_string())?;
        drop(keeper.stdin.take());
        let status = keeper.wait().map_err(|error| error.to_string())?;
        Err(format!("{status}: {line}{rest}"))
    }
}

/// What `id` says of a user, or of this process.
fn id(flag: &str, user: Option<&str>) -> Option<u32> {
    let output = Command::new("id").arg(flag).args(user).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

impl Server {
    fn new(admin: PgConnectOptions, cluster: Option<Cluster>) -> Self {
        Self { admin, _cluster: cluster, prefix: OnceCell::new(), next: AtomicU32::new(0) }
    }

    /// A superuser's URL, of the database that is always there.
    pub(crate) fn admin_url(&self) -> String {
        self.admin.to_url_lossy().into()
    }

    /// The URL of `database` as its superuser, who migrates.
    pub(crate) fn superuser_url(&self, database: &str) -> String {
        self.admin.clone().database(database).to_url_lossy().into()
    }

    /// The URL of `database` as `user`, whose password is its own name (a cluster of our own asks for none).
    pub(crate) fn url(&self, database: &str, user: &str) -> String {
        self.admin.clone().database(database).username(user).password(user).to_url_lossy().into()
    }

    /// A name that no other database of the server has.
    async fn unique_name(&self) -> String {
        let prefix = self.prefix.get_or_init(|| self.prepare()).await;
        format!("{prefix}_{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Once per process: makes the application's login, drops what dead runs left, and says how this run's names begin.
    async fn prepare(&self) -> String {
        let mut connection = PgConnection::connect_with(&self.admin).await.unwrap();
        let role = format!(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{APPLICATION}') THEN \
             CREATE ROLE {APPLICATION} LOGIN NOINHERIT PASSWORD '{APPLICATION}'; END IF; \
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        execute(&mut connection, &role).await;
        let now: i64 = sqlx::query_scalar("SELECT extract(epoch FROM now())::bigint").fetch_one(&mut connection).await.unwrap();
        let names: Vec<String> = sqlx::query_scalar("SELECT datname::text FROM pg_database WHERE datname LIKE 'evolve\\_test\\_%'")
            .fetch_all(&mut connection)
            .await
            .unwrap();
        for name in names.iter().filter(|name| is_stale(name, now)) {
            execute(&mut connection, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
        connection.close().await.unwrap();
        format!("evolve_test_{now}_{}", std::process::id())
    }

    /// Runs one statement as superuser in the database that is always there.
    async fn administer(&self, statement: &str) {
        let mut connection = PgConnection::connect_with(&self.admin).await.unwrap();
        execute(&mut connection, statement).await;
        connection.close().await.unwrap();
    }

    /// Drops a database, whoever is still connected to it.
    pub(crate) async fn drop_database(&self, name: &str) {
        self.administer(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    }
}

/// Whether a database's name says that it was made so long ago that its tests are over.
fn is_stale(name: &str, now: i64) -> bool {
    let made = name.strip_prefix("evolve_test_").and_then(|rest| rest.split('_').next()).and_then(|seconds| seconds.parse::<i64>().ok());
    made.is_some_and(|made| now - made > STALE_AFTER_SECONDS)
}

/// Runs statements that take no parameters, built of names that are ours.
pub(crate) async fn execute(connection: &mut PgConnection, statement: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// A database that is brought to its tables once per process and copied for each test.
pub(crate) struct Template {
    name: OnceCell<String>,
}

impl Template {
    pub(crate) const fn new() -> Self {
        Self { name: OnceCell::const_new() }
    }

    /// A new database with the template's tables and rows. `migrate` gets a superuser's URL of the empty template, the first time alone,
    /// and must have closed its connections when it returns.
    pub(crate) async fn copy(&self, server: &Server, migrate: impl AsyncFnOnce(String)) -> String {
        let make = || async {
            let name = server.unique_name().await;
            server.administer(&format!("CREATE DATABASE {name} TEMPLATE template0")).await;
            migrate(server.superuser_url(&name)).await;
            name
        };
        let template = self.name.get_or_init(make).await;
        let copy = server.unique_name().await;
        server.administer(&format!("CREATE DATABASE {copy} TEMPLATE {template}")).await;
        copy
    }
}
