//! What the sandbox gateway remembers: one row per key, in a SQLite file of its own.
//!
//! Every call takes the file's write lock first (BEGIN IMMEDIATE), so that callers of one key, in one process or in
//! several, come one after the other. A commit is on the disk when it returns.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Row, Sqlite, SqlitePool, Transaction};

use super::super::{ChargeRequest, Decline, Success};
use crate::clock::SharedClock;
use crate::money::{Currency, Money};

/// How long one process waits for another that has the file's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often opening is tried while another process makes the file: switching it to WAL does not wait for locks.
const OPEN_ATTEMPTS: u32 = 20;
const OPEN_RETRY_DELAY: Duration = Duration::from_millis(50);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS attempts (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    amount_minor INTEGER CHECK (amount_minor > 0),
    currency TEXT,
    method TEXT,
    description TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'charged', 'failed', 'canceled')),
    code TEXT,
    message TEXT,
    hard INTEGER,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    settled_at INTEGER,
    CHECK (state <> 'charged' OR amount_minor IS NOT NULL)
) STRICT;
CREATE TABLE IF NOT EXISTS refunds (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    charge_key TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency TEXT NOT NULL,
    code TEXT,
    message TEXT,
    created_at INTEGER NOT NULL
) STRICT";

/// Why the sandbox gateway could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Its file failed.
    #[error("the sandbox gateway's file failed")]
    File(#[from] sqlx::Error),
    /// Its file holds what it never wrote; names what.
    #[error("the sandbox gateway's file is damaged: {0}")]
    Corrupt(&'static str),
}

/// A charge that took money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxCharge {
    /// The key it was asked with.
    pub key: String,
    /// What was taken.
    pub amount: Money,
    /// From which method.
    pub method_reference: String,
    /// What the payer's statement says.
    pub description: String,
    /// The gateway's own id of it.
    pub reference: String,
    /// What the payer's books call it.
    pub receipt: String,
    /// When the money was taken.
    pub charged_at: Timestamp,
}

/// What is known of one key.
pub(super) struct Attempt {
    /// Amount and method; `None` where the key was canceled before any charge came.
    pub(super) asked_for: Option<(Money, String)>,
    /// Where it stands.
    pub(super) state: State,
}

/// Where an attempt stands.
pub(super) enum State {
    Waiting { expires_at: Timestamp },
    Charged(Success),
    Failed(Decline),
    Canceled,
}

/// The open file.
#[derive(Clone)]
pub(super) struct Memory {
    pool: SqlitePool,
}

impl Memory {
    pub(super) async fn open(path: &Path, clock: &SharedClock) -> Result<Self, SandboxError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .busy_timeout(BUSY_TIMEOUT)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let mut attempt: u32 = 1;
        loop {
            match Self::try_open(options.clone()).await {
                Err(error) if is_busy(&error) && attempt < OPEN_ATTEMPTS => {
                    attempt = attempt.saturating_add(1);
                    clock.sleep(OPEN_RETRY_DELAY).await;
                }
                outcome => return Ok(outcome?),
            }
        }
    }

    async fn try_open(options: SqliteConnectOptions) -> Result<Self, sqlx::Error> {
        // One connection: within a process callers queue for it in order, instead of for the file's lock in none.
        let pool = SqlitePoolOptions::new().max_connections(1).acquire_timeout(BUSY_TIMEOUT).connect_with(options).await?;
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(SCHEMA).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Self { pool })
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    pub(super) async fn charges(&self) -> Result<Vec<SandboxCharge>, SandboxError> {
        let rows =
            sqlx::query("SELECT * FROM attempts WHERE state = 'charged' ORDER BY settled_at, sequence").fetch_all(&self.pool).await?;
        rows.iter().map(charge_from).collect()
    }

    /// Takes the file's lock for a call about `key`. A wait that is over by `now` has lapsed from here on.
    pub(super) async fn begin(&self, key: &str, now: Timestamp) -> Result<Writing, SandboxError> {
        let tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut writing = Writing { tx, key: key.to_owned() };
        sqlx::query(
            "UPDATE attempts SET state = 'canceled', settled_at = expires_at WHERE key = ? AND state = 'waiting' AND expires_at <= ?",
        )
        .bind(&writing.key)
        .bind(now.as_microsecond())
        .execute(&mut *writing.tx)
        .await?;
        Ok(writing)
    }
}

/// A refund that the gateway was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxRefund {
    /// The key it was asked with.
    pub key: String,
    /// The key of the charge.
    pub charge_key: String,
    /// What was to be paid back.
    pub amount: Money,
    /// Why it was not paid; `None` where it was.
    pub refused: Option<Decline>,
    /// When it was asked for.
    pub asked_at: Timestamp,
}

impl Memory {
    /// Every refund, in the order in which they were asked for.
    pub(super) async fn refunds(&self) -> Result<Vec<SandboxRefund>, SandboxError> {
        let rows = sqlx::query("SELECT * FROM refunds ORDER BY sequence").fetch_all(&self.pool).await?;
        rows.iter().map(refund_from).collect()
    }

    /// The refund of that key, if one was asked for.
    pub(super) async fn refund_of(&self, key: &str) -> Result<Option<SandboxRefund>, SandboxError> {
        let row = sqlx::query("SELECT * FROM refunds WHERE key = ?").bind(key).fetch_optional(&self.pool).await?;
        row.as_ref().map(refund_from).transpose()
    }
}

/// One call's transaction about one key; dropping it changes nothing.
pub(super) struct Writing {
    tx: Transaction<'static, Sqlite>,
    key: String,
}

impl Writing {
    pub(super) async fn find(&mut self) -> Result<Option<Attempt>, SandboxError> {
        let row = sqlx::query("SELECT * FROM attempts WHERE key = ?").bind(&self.key).fetch_optional(&mut *self.tx).await?;
        row.as_ref().map(attempt_from).transpose()
    }

    pub(super) async fn insert_waiting(
        &mut self,
        request: &ChargeRequest,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), SandboxError> {
        sqlx::query(
            "INSERT INTO attempts (key, amount_minor, currency, method, description, state, created_at, expires_at)
             VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?)",
        )
        .bind(&self.key)
        .bind(request.amount.minor())
        .bind(request.amount.currency().code())
        .bind(&request.method_reference)
        .bind(&request.description)
        .bind(now.as_microsecond())
        .bind(expires_at.as_microsecond())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Bars a key under which no charge has come yet.
    pub(super) async fn insert_canceled(&mut self, now: Timestamp) -> Result<(), SandboxError> {
        sqlx::query("INSERT INTO attempts (key, state, created_at, settled_at) VALUES (?, 'canceled', ?, ?)")
            .bind(&self.key)
            .bind(now.as_microsecond())
            .bind(now.as_microsecond())
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    pub(super) async fn settle_as_charged(&mut self, now: Timestamp) -> Result<(), SandboxError> {
        self.settle("charged", now, None).await
    }

    pub(super) async fn settle_as_failed(&mut self, now: Timestamp, decline: &Decline) -> Result<(), SandboxError> {
        self.settle("failed", now, Some(decline)).await
    }

    pub(super) async fn settle_as_canceled(&mut self, now: Timestamp) -> Result<(), SandboxError> {
        self.settle("canceled", now, None).await
    }

    async fn settle(&mut self, state: &'static str, now: Timestamp, decline: Option<&Decline>) -> Result<(), SandboxError> {
        let done = sqlx::query(
            "UPDATE attempts SET state = ?, settled_at = ?, code = ?, message = ?, hard = ? WHERE key = ? AND state = 'waiting'",
        )
        .bind(state)
        .bind(now.as_microsecond())
        .bind(decline.map(|d| d.code.as_str()))
        .bind(decline.map(|d| d.message.as_str()))
        .bind(decline.map(|d| d.hard))
        .bind(&self.key)
        .execute(&mut *self.tx)
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(SandboxError::Corrupt("an attempt that was settled twice")) }
    }

    /// The refund under this call's key, if one was asked for before.
    pub(super) async fn find_refund(&mut self) -> Result<Option<SandboxRefund>, SandboxError> {
        let row = sqlx::query("SELECT * FROM refunds WHERE key = ?").bind(&self.key).fetch_optional(&mut *self.tx).await?;
        row.as_ref().map(refund_from).transpose()
    }

    /// The charge of that key as far as a refund cares: what was taken less what was paid back of it, and from which method;
    /// `None` where it took nothing.
    pub(super) async fn refundable(&mut self, charge_key: &str) -> Result<Option<(Money, String)>, SandboxError> {
        let row = sqlx::query(
            "SELECT a.amount_minor - coalesce((SELECT sum(r.amount_minor) FROM refunds r WHERE r.charge_key = a.key AND r.code IS NULL), 0)
                 AS amount_minor, a.currency, a.method FROM attempts a WHERE a.key = ? AND a.state = 'charged'",
        )
        .bind(charge_key)
        .fetch_optional(&mut *self.tx)
        .await?;
        row.as_ref().map(|row| Ok((amount_from(row)?, row.try_get("method")?))).transpose()
    }

    /// Remembers a refund that was paid, or why it was not.
    pub(super) async fn insert_refund(&mut self, refund: &SandboxRefund) -> Result<(), SandboxError> {
        sqlx::query(
            "INSERT INTO refunds (key, charge_key, amount_minor, currency, code, message, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&refund.key)
        .bind(&refund.charge_key)
        .bind(refund.amount.minor())
        .bind(refund.amount.currency().code())
        .bind(refund.refused.as_ref().map(|refused| refused.code.as_str()))
        .bind(refund.refused.as_ref().map(|refused| refused.message.as_str()))
        .bind(refund.asked_at.as_microsecond())
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    pub(super) async fn commit(self) -> Result<(), SandboxError> {
        Ok(self.tx.commit().await?)
    }
}

fn attempt_from(row: &SqliteRow) -> Result<Attempt, SandboxError> {
    let asked_for = match row.try_get::<Option<String>, _>("method")? {
        Some(method) => Some((amount_from(row)?, method)),
        None => None,
    };
    let state = match row.try_get::<String, _>("state")?.as_str() {
        "waiting" => State::Waiting { expires_at: instant_from(row, "expires_at")? },
        "charged" => State::Charged(Success { reference: reference_from(row)?, receipt: Some(receipt_from(row)?) }),
        "failed" => State::Failed(Decline { code: row.try_get("code")?, message: row.try_get("message")?, hard: row.try_get("hard")? }),
        "canceled" => State::Canceled,
        _ => return Err(SandboxError::Corrupt("a state")),
    };
    Ok(Attempt { asked_for, state })
}

fn charge_from(row: &SqliteRow) -> Result<SandboxCharge, SandboxError> {
    Ok(SandboxCharge {
        key: row.try_get("key")?,
        amount: amount_from(row)?,
        method_reference: row.try_get("method")?,
        description: row.try_get("description")?,
        reference: reference_from(row)?,
        receipt: receipt_from(row)?,
        charged_at: instant_from(row, "settled_at")?,
    })
}

fn refund_from(row: &SqliteRow) -> Result<SandboxRefund, SandboxError> {
    let refused = match row.try_get::<Option<String>, _>("code")? {
        Some(code) => Some(Decline { code, message: row.try_get("message")?, hard: true }),
        None => None,
    };
    let (key, charge_key) = (row.try_get("key")?, row.try_get("charge_key")?);
    Ok(SandboxRefund { key, charge_key, amount: amount_from(row)?, refused, asked_at: instant_from(row, "created_at")? })
}

fn amount_from(row: &SqliteRow) -> Result<Money, SandboxError> {
    let currency = Currency::from_code(&row.try_get::<String, _>("currency")?).ok_or(SandboxError::Corrupt("a currency"))?;
    Money::new(row.try_get("amount_minor")?, currency).map_err(|_| SandboxError::Corrupt("an amount"))
}

fn instant_from(row: &SqliteRow, column: &str) -> Result<Timestamp, SandboxError> {
    Timestamp::from_microsecond(row.try_get(column)?).map_err(|_| SandboxError::Corrupt("an instant"))
}

fn reference_from(row: &SqliteRow) -> Result<String, SandboxError> {
    Ok(format!("sbx_{}", row.try_get::<String, _>("key")?))
}

fn receipt_from(row: &SqliteRow) -> Result<String, SandboxError> {
    Ok(format!("SBX{:07}", row.try_get::<i64, _>("sequence")?))
}

fn is_busy(error: &sqlx::Error) -> bool {
    // SQLITE_BUSY is 5, SQLITE_LOCKED 6; their extended codes carry them in the low byte.
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code).and_then(|code| code.parse::<i32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6))
}
