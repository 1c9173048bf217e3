//! The database's errors, sorted into ours: run again, exists already, or a fault.

use std::borrow::Cow;

use sea_orm::sqlx;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::error::Error;

/// PostgreSQL: serialization failure, deadlock, shutdown.
const POSTGRES_RETRYABLE: &[&str] = &["40001", "40P01", "57P01"];
/// PostgreSQL: `lock_timeout` ran out. SQLite: BUSY, which it answers when `busy_timeout` ran out.
const LOCK_TIMEOUT: &[&str] = &["55P03", "5"];
/// SQLite: LOCKED, BUSY_SNAPSHOT.
const SQLITE_RETRYABLE: &[&str] = &["6", "517"];

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
            return Self::UniqueViolation(Box::new(error));
        }
        if code_of(&error).is_some_and(|code| LOCK_TIMEOUT.contains(&code.as_ref())) {
            return Self::LockTimeout(Box::new(error));
        }
        if is_retryable(&error) {
            return Self::Contention(Box::new(error));
        }
        Self::Store(Box::new(error))
    }
}

/// Whether the database asks for the transaction to be run again. A connection that was lost is not in the list:
/// lost during COMMIT, nobody knows whether it took effect. One that was gone before the statement was sent is.
fn is_retryable(error: &DbErr) -> bool {
    let asks = |code: &str| POSTGRES_RETRYABLE.contains(&code) || SQLITE_RETRYABLE.contains(&code);
    code_of(error).is_some_and(|code| asks(&code)) || was_never_sent(error)
}

/// Whether the server was gone before it had the statement. A pipe breaks where one writes, and never where one waits for the
/// answer: what failed so, be it COMMIT, was not run. By a Unix socket a server that ends a connection is met like this, and what
/// it said last stays unread.
fn was_never_sent(error: &DbErr) -> bool {
    matches!(cause_of(error), Some(sqlx::Error::Io(cause)) if cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// The database's own code of an error.
fn code_of(error: &DbErr) -> Option<Cow<'_, str>> {
    let Some(sqlx::Error::Database(cause)) = cause_of(error) else { return None };
    cause.code()
}

/// The driver's own error.
fn cause_of(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause))
        | DbErr::Conn(RuntimeErr::SqlxError(cause)) => Some(cause.as_ref()),
        _ => None,
    }
}
