//! Opening the database: the writer, the readers, their settings; migrations. The only file that names a connection.
#![expect(clippy::disallowed_types, reason = "this is where connections live; nothing hands one out")]

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use migration::{Migrator, MigratorTrait as _};
use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};
use tokio_util::task::TaskTracker;

use super::live::Hub;
use crate::clock::SharedClock;
use crate::error::Error;
use crate::telemetry::{PoolState, Telemetry};

/// How long a caller waits for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long SQLite waits for another process's write lock: as long as PostgreSQL waits for any.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection that stood idle for longer is tried before it is used.
const TRY_AFTER_IDLE: Duration = Duration::from_secs(30);
/// How many statements a connection to PostgreSQL keeps prepared: more than there are texts, so that none is planned anew.
const PREPARED_STATEMENTS: usize = 1_000;
/// How a writing session of PostgreSQL plans. A prepared statement keeps the plan of its first runs: one that read the whole
/// of a table since it had a page would go on so when it has thousands. Everything that writes finds its rows by a key.
const WRITER_PLANS: [(&str, &str); 2] = [("enable_seqscan", "off"), ("jit", "off")];
/// How long a statement on PostgreSQL waits for a lock: as long as SQLite does.
const LOCK_TIMEOUT: (&str, &str) = ("lock_timeout", "5s");
/// Below this, SQLite's write-ahead log has a bug that loses data.
const LEAST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// Holds back others who migrate the same PostgreSQL database until the transaction ends. SQLite has one writer anyway.
const ONE_MIGRATOR: &str = "select pg_advisory_xact_lock(7310579640255837537)";

/// The pool of those who write.
const WRITER: &str = "writer";
/// The pool of those who read.
const READER: &str = "reader";

/// Hears the SQL of each statement.
pub type Observer = Arc<dyn Fn(&str) + Send + Sync>;

/// Who hears of statements.
pub(super) struct Hearing {
    /// See [`StoreOptions::observer`].
    observer: Option<Observer>,
    /// See [`StoreOptions::telemetry`].
    telemetry: Telemetry,
}

impl Hearing {
    /// That a transaction begins with these statements. They are not counted among those of an operation.
    pub(super) fn begins(&self, statements: &str) {
        if let Some(observer) = &self.observer {
            observer(statements);
        }
    }

    /// That a statement was run.
    pub(super) fn heard(&self, sql: &str, took: Duration, failed: bool) {
        self.telemetry.statement(sql, took, failed);
        if let Some(observer) = &self.observer {
            observer(sql);
        }
    }
}

/// How to open the store.
#[derive(Clone)]
pub struct StoreOptions {
    /// `sqlite://path` or `postgres://…`.
    pub url: String,
    /// Connections for reading.
    pub pool_size: u32,
    /// Connections for writing, on PostgreSQL; SQLite has one.
    pub writers: u32,
    /// SQLite: whether a commit waits for the disk. Always true outside tests.
    pub durable: bool,
    /// Whether `Tenant` adds its own filter to each statement. Always true outside the test that shows that
    /// PostgreSQL's row-level security holds alone.
    pub application_filter: bool,
    /// Called with the SQL of each statement: for tests that count.
    pub observer: Option<Observer>,
    /// Where it is told how long statements took and how the pools stand.
    pub telemetry: Telemetry,
}

impl StoreOptions {
    /// The defaults for `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            pool_size: 8,
            writers: 8,
            durable: true,
            application_filter: true,
            observer: None,
            telemetry: Telemetry::default(),
        }
    }
}

/// The database, opened. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    /// What its clones share.
    inner: Arc<Inner>,
}

/// What clones of a store share.
struct Inner {
    /// Where transactions that write begin.
    writer: DatabaseConnection,
    /// Where snapshots begin: read-only sessions.
    reader: DatabaseConnection,
    /// See [`StoreOptions::application_filter`].
    application_filter: bool,
    /// For waiting between two tries of a transaction.
    clock: SharedClock,
    /// Transactions under way, so that a graceful stop waits for them.
    tasks: TaskTracker,
    /// Who watches changes.
    hub: Arc<Hub>,
    /// Who hears its statements.
    hearing: Arc<Hearing>,
    /// Transactions that wait for a connection: to write, and to read.
    waiting: [AtomicU32; 2],
}

impl Store {
    /// Opens the database. Creates an SQLite file that does not exist; does not migrate.
    ///
    /// # Errors
    /// [`Error::Store`] where it cannot be reached, [`Error::Corrupt`] where SQLite is too old.
    pub async fn open(options: &StoreOptions, clock: SharedClock) -> Result<Self, Error> {
        let sqlite = options.url.starts_with("sqlite:");
        let mut writer = Database::connect(if sqlite { sqlite_options(options, false) } else { postgres_options(options, false) }).await?;
        let mut reader = Database::connect(if sqlite { sqlite_options(options, true) } else { postgres_options(options, true) }).await?;
        if sqlite {
            check_sqlite_version(&writer).await?;
        }
        let hearing = Arc::new(Hearing { observer: options.observer.clone(), telemetry: options.telemetry.clone() });
        for connection in [&mut writer, &mut reader] {
            let hearing = Arc::clone(&hearing);
            connection.set_metric_callback(move |info| hearing.heard(&info.statement.sql, info.elapsed, info.failed));
        }
        if !sqlite {
            check_snapshots(&reader).await?;
        }
        let inner = Inner {
            writer,
            reader,
            application_filter: options.application_filter,
            clock,
            tasks: TaskTracker::new(),
            hub: Arc::default(),
            hearing,
            waiting: Default::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Brings the database's tables up to date, in one transaction, and answers how many migrations were applied. Of
    /// several processes that do so at once, one does and the others wait and find nothing left. On PostgreSQL `login`,
    /// which the server will use, becomes a member of the two roles; without one, the login of `url` itself.
    ///
    /// # Errors
    /// [`Error::Store`] where a migration fails; what it did is rolled back. [`Error::Corrupt`] for a login whose name
    /// is no plain identifier.
    pub async fn migrate(url: &str, login: Option<&str>) -> Result<usize, Error> {
        let connection = migration_connection(url).await?;
        let options =
            TransactionOptions { sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate), ..TransactionOptions::default() };
        let transaction = connection.begin_with_options(options).await?;
        let is_postgres = transaction.get_database_backend() == DbBackend::Postgres;
        if is_postgres {
            transaction.execute_raw(raw(DbBackend::Postgres, ONE_MIGRATOR)).await?;
        }
        let pending = Migrator::get_pending_migrations(&transaction).await?.len();
        Migrator::up(&transaction, None).await?;
        if is_postgres {
            grant_roles(&transaction, login).await?;
        }
        transaction.commit().await?;
        connection.close().await?;
        Ok(pending)
    }

    /// Takes back the last migration that has run, and what its tables hold.
    ///
    /// # Errors
    /// [`Error::Store`] where that fails; then nothing is changed.
    pub async fn migrate_down(url: &str) -> Result<(), Error> {
        let connection = migration_connection(url).await?;
        Migrator::down(&connection, Some(1)).await?;
        Ok(connection.close().await?)
    }

    /// The names of the migrations, each with whether it is applied. Only reads, so that the server's own login may ask.
    ///
    /// # Errors
    /// [`Error::Store`] where the database cannot be read.
    pub async fn migration_status(url: &str) -> Result<Vec<(String, bool)>, Error> {
        let connection = migration_connection(url).await?;
        let applied = applied_migrations(&connection).await?;
        let all = Migrator::migrations().iter().map(|m| m.name().to_owned()).map(|name| (name.clone(), applied.contains(&name))).collect();
        connection.close().await?;
        Ok(all)
    }

    /// Why this login is too strong for production, as one sentence each: it is or may become a superuser or the
    /// owner of tables, passes by row-level security, or may read without taking one of the two roles.
    ///
    /// # Errors
    /// [`Error::Store`] where the database cannot be read.
    pub async fn login_weaknesses(&self) -> Result<Vec<&'static str>, Error> {
        if self.backend() == DbBackend::Sqlite {
            return Ok(Vec::new());
        }
        let sql = "select exists (select from pg_roles r where rolsuper and pg_has_role(current_user, r.oid, 'member')) as super,
            exists (select from pg_roles r where rolbypassrls and pg_has_role(current_user, r.oid, 'member')) as bypass,
            exists (select from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
                    and pg_has_role(current_user, relowner, 'member')) as owns,
            exists (select from pg_roles r where rolname in ('evolve_app', 'evolve_system')
                    and pg_has_role(current_user, r.oid, 'usage')) as inherits";
        let row = self
            .inner
            .reader
            .query_one_raw(raw(DbBackend::Postgres, sql))
            .await?
            .ok_or_else(|| Error::Corrupt("the login has no role".into()))?;
        let mut found = Vec::new();
        for (column, sentence) in [
            ("super", "DATABASE_URL logs in as a superuser, or as one who may become one: superusers pass by row-level security."),
            ("bypass", "DATABASE_URL logs in as a role that has BYPASSRLS or may take it on."),
            ("owns", "DATABASE_URL logs in as the owner of tables; migrate with EVOLVE_MIGRATION_URL and serve with another login."),
            (
                "inherits",
                "DATABASE_URL logs in as a role that has the rights of evolve_app or evolve_system without taking them on; make it NOINHERIT.",
            ),
        ] {
            if row.try_get::<bool>("", column)? {
                found.push(sentence);
            }
        }
        Ok(found)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Store`] where it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        Ok(self.inner.reader.ping().await?)
    }

    /// Writes SQLite's file anew and empties its log, so that nothing of rows that were erased is left in either; answers whether that was
    /// done, which it is not while somebody reads an old state. What writes meanwhile waits. PostgreSQL has its own times for that.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn scrub(&self) -> Result<bool, Error> {
        if self.backend() != DbBackend::Sqlite {
            return Ok(true);
        }
        self.inner.writer.execute_raw(raw(DbBackend::Sqlite, "vacuum")).await?;
        let done = self.inner.writer.query_one_raw(raw(DbBackend::Sqlite, "pragma wal_checkpoint(truncate)")).await?;
        let busy: i64 = done.ok_or_else(|| Error::Corrupt("a checkpoint has no answer".into()))?.try_get_by_index(0)?;
        Ok(busy == 0)
    }

    /// Waits for the transactions under way, then closes the pools.
    ///
    /// # Errors
    /// [`Error::Store`] where closing fails.
    pub async fn close(self) -> Result<(), Error> {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.writer.close_by_ref().await?;
        Ok(self.inner.reader.close_by_ref().await?)
    }

    /// How its pools stand.
    pub fn pools(&self) -> [PoolState; 2] {
        let Inner { writer, reader, waiting: [to_write, to_read], .. } = &*self.inner;
        [(WRITER, writer, to_write), (READER, reader, to_read)].map(|(name, connection, waiting)| {
            let (open, idle) = match self.backend() {
                DbBackend::Sqlite => (connection.get_sqlite_connection_pool().size(), connection.get_sqlite_connection_pool().num_idle()),
                _ => (connection.get_postgres_connection_pool().size(), connection.get_postgres_connection_pool().num_idle()),
            };
            PoolState { name, open, idle: u32::try_from(idle).unwrap_or(u32::MAX), waiting: waiting.load(Ordering::Relaxed) }
        })
    }

    /// Runs what begins a transaction to write, or to read, and tells how long that took.
    pub(super) async fn beginning<T>(&self, write: bool, begin: impl Future<Output = T>) -> T {
        let (pool, waiting) = if write { (WRITER, &self.inner.waiting[0]) } else { (READER, &self.inner.waiting[1]) };
        waiting.fetch_add(1, Ordering::Relaxed);
        let since = std::time::Instant::now();
        // It is run in a task of its own, which nobody ends.
        let answer = begin.await;
        self.telemetry().metrics().begun(pool, since.elapsed());
        waiting.fetch_sub(1, Ordering::Relaxed);
        answer
    }

    /// Who hears its statements.
    pub(super) fn hearing(&self) -> Arc<Hearing> {
        Arc::clone(&self.inner.hearing)
    }

    /// See [`StoreOptions::telemetry`].
    pub(super) fn telemetry(&self) -> &Telemetry {
        &self.inner.hearing.telemetry
    }

    /// Which database it is.
    pub(super) fn backend(&self) -> DbBackend {
        self.inner.writer.get_database_backend()
    }

    /// Where transactions that write begin.
    pub(super) fn writer(&self) -> &DatabaseConnection {
        &self.inner.writer
    }

    /// Where snapshots begin.
    pub(super) fn reader(&self) -> &DatabaseConnection {
        &self.inner.reader
    }

    /// See [`StoreOptions::application_filter`].
    pub(super) fn application_filter(&self) -> bool {
        self.inner.application_filter
    }

    /// The clock.
    pub(super) fn clock(&self) -> &SharedClock {
        &self.inner.clock
    }

    /// Who watches changes.
    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.inner.hub
    }

    /// Transactions under way.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }
}

/// A statement of our own text.
#[expect(clippy::disallowed_methods, reason = "fixed text of this file, nothing from outside")]
fn raw(backend: DbBackend, sql: &'static str) -> sea_orm::Statement {
    sea_orm::Statement::from_string(backend, sql)
}

/// One connection for migrations, with the right to create.
async fn migration_connection(url: &str) -> Result<DatabaseConnection, Error> {
    let options = StoreOptions { writers: 1, ..StoreOptions::new(url) };
    Ok(Database::connect(if url.starts_with("sqlite:") { sqlite_options(&options, false) } else { postgres_options(&options, false) })
        .await?)
}

/// The names of the migrations that are applied. (The migrator itself would first make its table, which the server's login may not.)
async fn applied_migrations(connection: &DatabaseConnection) -> Result<Vec<String>, Error> {
    let backend = connection.get_database_backend();
    let there = match backend {
        DbBackend::Sqlite => "select 1 from sqlite_master where name = 'seaql_migrations'",
        _ => "select 1 from pg_tables where schemaname = 'public' and tablename = 'seaql_migrations'",
    };
    if connection.query_one_raw(raw(backend, there)).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows = connection.query_all_raw(raw(backend, "select version from seaql_migrations")).await?;
    Ok(rows.iter().map(|row| row.try_get("", "version")).collect::<Result<_, _>>()?)
}

/// Makes the server's login a member of both roles, of which it takes one for each transaction, and lets it see which
/// migrations have run.
#[expect(clippy::disallowed_methods, reason = "GRANT takes no bound values; the login is checked to be a plain identifier")]
async fn grant_roles(transaction: &DatabaseTransaction, login: Option<&str>) -> Result<(), Error> {
    let login = login.unwrap_or("current_user");
    if login.is_empty() || !login.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(Error::Corrupt("the database's login is no plain name".into()));
    }
    // Memberships belong to the cluster: another of its databases may be granting them at this moment.
    for role in ["evolve_app", "evolve_system"] {
        let grant = format!("do $$ begin grant {role} to {login}; exception when unique_violation then null; end $$");
        transaction.execute_unprepared(&grant).await?;
    }
    transaction.execute_unprepared(&format!("grant select on seaql_migrations to {login}")).await?;
    Ok(())
}

/// What both databases' pools share.
fn pool_options(options: &StoreOptions, connections: u32) -> ConnectOptions {
    let mut connect = ConnectOptions::new(options.url.clone());
    connect
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .test_before_acquire(false);
    connect
}

/// SQLite: one writer, several read-only readers, all on the write-ahead log.
fn sqlite_options(options: &StoreOptions, read_only: bool) -> ConnectOptions {
    let mut connect = pool_options(options, if read_only { options.pool_size } else { 1 });
    let synchronous = if options.durable { SqliteSynchronous::Full } else { SqliteSynchronous::Off };
    connect.map_sqlx_sqlite_opts(move |sqlite| {
        sqlite
            .create_if_missing(!read_only)
            .read_only(read_only)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
    });
    connect
}

/// PostgreSQL: readers' sessions begin every transaction as a read-only snapshot.
fn postgres_options(options: &StoreOptions, read_only: bool) -> ConnectOptions {
    let mut connect = pool_options(options, if read_only { options.pool_size } else { options.writers });
    connect.map_sqlx_postgres_opts(move |postgres| {
        let postgres = postgres.application_name("evolve-business").statement_cache_capacity(PREPARED_STATEMENTS).options([LOCK_TIMEOUT]);
        if read_only {
            postgres.options([("default_transaction_isolation", "repeatable read"), ("default_transaction_read_only", "on")])
        } else {
            postgres.options(WRITER_PLANS)
        }
    });
    connect.map_sqlx_postgres_before_acquire(|connection, meta| {
        async move {
            if meta.idle_for > TRY_AFTER_IDLE {
                connection.ping().await?;
            }
            Ok(true)
        }
        .boxed()
    });
    connect
}

/// Refuses a way to PostgreSQL that loses the readers' session settings, as a pooler in between may: what a request reads
/// would no longer be one state.
async fn check_snapshots(reader: &DatabaseConnection) -> Result<(), Error> {
    let sql =
        "select current_setting('transaction_isolation') = 'repeatable read' and current_setting('transaction_read_only') = 'on' as kept";
    let row = reader.query_one_raw(raw(DbBackend::Postgres, sql)).await?;
    let kept: bool = row.ok_or_else(|| Error::Corrupt("PostgreSQL has no settings".into()))?.try_get("", "kept")?;
    if kept {
        Ok(())
    } else {
        Err(Error::Corrupt("a pooler between here and PostgreSQL drops the session settings that readers need".into()))
    }
}

/// Refuses an SQLite that may lose data.
async fn check_sqlite_version(connection: &DatabaseConnection) -> Result<(), Error> {
    let row = connection.query_one_raw(raw(DbBackend::Sqlite, "select sqlite_version() as version")).await?;
    let version: String = row.ok_or_else(|| Error::Corrupt("SQLite has no version".into()))?.try_get("", "version")?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or_default());
    let found = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if found < LEAST_SQLITE { Err(Error::Corrupt(format!("SQLite {version} is older than 3.51.3").into())) } else { Ok(()) }
}
