//! A transaction on one connection of a pool, in which sea-orm runs its statements. sea-orm's own begins first and is told its
//! role afterwards, in a second trip to the database; this one is told in the very statement that begins it, so that there is
//! none without a role.
#![expect(clippy::disallowed_types, reason = "transactions begin on a connection of these pools; nothing hands one out")]

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::{self, AssertSqlSafe, Database, Pool, Postgres, SqlSafeStr as _, Sqlite};
use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement, Values,
};
use sea_query_sqlx::SqlxValues;
use sqlx_core::transaction::TransactionManager as _;
use tokio::sync::Mutex;

use super::connection::Hearing;

/// A transaction. Dropped before its end, it is rolled back before anybody else has its connection.
pub(crate) struct Transaction {
    /// Which database it is on.
    backend: DbBackend,
    /// Its connection, which runs one statement after the other.
    connection: Mutex<Connection>,
    /// Who hears its statements.
    hearing: Arc<Hearing>,
}

/// A connection of a pool, inside a transaction until that is ended.
enum Connection {
    /// To PostgreSQL.
    Postgres(PoolConnection<Postgres>),
    /// To SQLite's file.
    Sqlite(PoolConnection<Sqlite>),
}

impl Transaction {
    /// Begins one on a connection of `pool` with these statements, of which the first is a BEGIN. Where one of them fails the
    /// connection is closed: nobody else is to have it in the state that it may be in.
    ///
    /// Whoever calls this sees to it that the future is not dropped, which would leave the pool a connection inside an open
    /// transaction.
    ///
    /// # Errors
    /// The pool's, or the database's.
    pub(super) async fn begin(pool: &DatabaseConnection, statements: String, hearing: Arc<Hearing>) -> Result<Self, DbErr> {
        let backend = pool.get_database_backend();
        hearing.begins(&statements);
        let connection = match backend {
            DbBackend::Sqlite => Connection::Sqlite(begun(pool.get_sqlite_connection_pool(), statements).await?),
            _ => Connection::Postgres(begun(pool.get_postgres_connection_pool(), statements).await?),
        };
        Ok(Self { backend, connection: Mutex::new(connection), hearing })
    }

    /// Runs a statement of fixed text on PostgreSQL with values that sea-orm has no words for, arrays among them; answers the texts that it
    /// returns, one a row.
    ///
    /// # Errors
    /// The database's; [`DbErr::Custom`] on SQLite.
    pub(super) async fn texts(&self, sql: &'static str, values: PgArguments) -> Result<Vec<String>, DbErr> {
        let mut connection = self.connection.lock().await;
        let Connection::Postgres(connection) = &mut *connection else { return Err(DbErr::Custom("it is not PostgreSQL".to_owned())) };
        let since = Instant::now();
        let done = sqlx::query_scalar_with(sql, values).fetch_all(&mut **connection).await;
        self.hearing.heard(sql, since.elapsed(), done.is_err());
        done.map_err(of_query)
    }

    /// Keeps what it has changed.
    ///
    /// # Errors
    /// The database's: then it is rolled back, or, where the connection was lost, nobody knows.
    pub(super) async fn commit(mut self) -> Result<(), DbErr> {
        let done = match self.connection.get_mut() {
            Connection::Postgres(connection) => <Postgres as Database>::TransactionManager::commit(connection).await,
            Connection::Sqlite(connection) => <Sqlite as Database>::TransactionManager::commit(connection).await,
        };
        done.map_err(of_query)
    }

    /// Takes back what it has changed.
    ///
    /// # Errors
    /// The database's: then the connection is lost, and the transaction with it.
    pub(super) async fn rollback(mut self) -> Result<(), DbErr> {
        let done = match self.connection.get_mut() {
            Connection::Postgres(connection) => <Postgres as Database>::TransactionManager::rollback(connection).await,
            Connection::Sqlite(connection) => <Sqlite as Database>::TransactionManager::rollback(connection).await,
        };
        done.map_err(of_query)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // Does nothing to one that was ended. What it begins is done before the pool hands the connection out again.
        match self.connection.get_mut() {
            Connection::Postgres(connection) => <Postgres as Database>::TransactionManager::start_rollback(connection),
            Connection::Sqlite(connection) => <Sqlite as Database>::TransactionManager::start_rollback(connection),
        }
    }
}

/// Takes a connection and begins a transaction on it.
async fn begun<D: Database>(pool: &Pool<D>, statements: String) -> Result<PoolConnection<D>, DbErr> {
    let mut connection = pool.acquire().await.map_err(|error| match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        other => DbErr::Conn(RuntimeErr::SqlxError(Arc::new(other))),
    })?;
    let begun = D::TransactionManager::begin(&mut connection, Some(AssertSqlSafe(statements).into_sql_str())).await;
    if begun.is_err() {
        connection.close_on_drop();
    }
    begun.map(|()| connection).map_err(of_query)
}

/// What a statement failed with.
fn of_query(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

/// Runs a statement, whose text and values it takes along, and tells how long that took.
macro_rules! run {
    ($self:expr, $statement:expr, $fetch:ident, $answer:expr) => {{
        let Statement { sql, values, .. } = $statement;
        let (sql, values) = (Arc::new(sql), SqlxValues(values.unwrap_or_else(|| Values(Vec::new()))));
        let text = AssertSqlSafe(Arc::clone(&sql));
        let mut connection = $self.connection.lock().await;
        let since = Instant::now();
        let done = match &mut *connection {
            Connection::Postgres(connection) => sqlx::query_with(text, values).$fetch(&mut **connection).await.map($answer),
            Connection::Sqlite(connection) => sqlx::query_with(text, values).$fetch(&mut **connection).await.map($answer),
        };
        $self.hearing.heard(&sql, since.elapsed(), done.is_err());
        done.map_err(of_query)
    }};
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        run!(self, statement, execute, ExecResult::from)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.execute_raw(Statement { sql: sql.to_owned(), values: None, db_backend: self.backend }).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        run!(self, statement, fetch_optional, |found| found.map(QueryResult::from))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        run!(self, statement, fetch_all, |found| found.into_iter().map(QueryResult::from).collect())
    }
}
