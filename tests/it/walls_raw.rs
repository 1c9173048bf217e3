//! Another connection to a test's database, which passes by the store: the superuser's on PostgreSQL. It puts rows
//! there and looks at what is there.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a test looks behind the store's back")]

use std::time::Duration;

use evolve_business::ids::{BusinessId, IdGen, InvoiceId, SystemIds};
use evolve_business::store::{Instant, TenantScope};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement, TryGetable, Value,
};

use crate::database::{Kind, TestDatabase};

/// The instant that the tests' clocks begin at.
pub(crate) const NOW: &str = "2027-01-31T09:00:00Z";

/// The instant of an RFC 3339 text.
pub(crate) fn instant(text: &str) -> Instant {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

/// A connection behind the store's back.
pub(crate) struct Raw {
    connection: DatabaseConnection,
    kind: Kind,
}

impl Raw {
    pub(crate) async fn open(db: &TestDatabase) -> Self {
        let mut options = ConnectOptions::new(db.migration_url.clone());
        options.max_connections(2).sqlx_logging(false);
        Self { connection: Database::connect(options).await.unwrap(), kind: db.kind }
    }

    fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        let backend = if self.kind == Kind::Sqlite { DbBackend::Sqlite } else { DbBackend::Postgres };
        Statement::from_sql_and_values(backend, sql, values)
    }

    /// Runs a statement that may be refused; answers how many rows it touched.
    pub(crate) async fn try_run(&self, sql: &str, values: Vec<Value>) -> Result<u64, DbErr> {
        Ok(self.connection.execute_raw(self.statement(sql, values)).await?.rows_affected())
    }

    /// Runs statements of fixed text, on a server that takes several at once.
    pub(crate) async fn script(&self, sql: &str) {
        self.connection.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs a statement; answers how many rows it touched.
    pub(crate) async fn run(&self, sql: &str, values: Vec<Value>) -> u64 {
        self.try_run(sql, values).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub(crate) async fn rows(&self, sql: &str, values: Vec<Value>) -> Vec<QueryResult> {
        self.connection.query_all_raw(self.statement(sql, values)).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The column `v` of each row.
    pub(crate) async fn column<T: TryGetable>(&self, sql: &str, values: Vec<Value>) -> Vec<T> {
        self.rows(sql, values).await.iter().map(|row| row.try_get("", "v").unwrap()).collect()
    }

    /// The column `v` of the one row.
    pub(crate) async fn one<T: TryGetable>(&self, sql: &str, values: Vec<Value>) -> T {
        let mut all = self.column(sql, values).await;
        assert_eq!(all.len(), 1, "{sql}");
        all.remove(0)
    }

    /// Inserts a row that may be refused.
    pub(crate) async fn try_insert(&self, table: &str, row: Vec<(&str, Value)>) -> Result<u64, DbErr> {
        let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
        let places: Vec<String> = (1..=row.len()).map(|place| format!("${place}")).collect();
        let sql = format!("insert into {table} ({}) values ({})", columns.join(", "), places.join(", "));
        self.try_run(&sql, row.into_iter().map(|(_, value)| value).collect()).await
    }

    /// Inserts a row.
    pub(crate) async fn insert(&self, table: &str, row: Vec<(&str, Value)>) {
        self.try_insert(table, row).await.unwrap_or_else(|error| panic!("{table}: {error}"));
    }

    /// A new business.
    pub(crate) async fn business(&self) -> TenantScope {
        let id = BusinessId::from(SystemIds.next_uuid());
        let row = vec![
            ("business_id", id.into()),
            ("business_name", "Acme".into()),
            ("business_email", "office@acme.test".into()),
            ("industry", "OTHER".into()),
            ("company_size", "SIZE_1".into()),
            ("country", "KE".into()),
            ("postal_code", "00100".into()),
            ("wrapped_key", vec![0_u8; 60].into()),
            ("tax_exempt", false.into()),
            ("time_zone", "Africa/Nairobi".into()),
            ("currency", "KES".into()),
            ("verification_status", "UNVERIFIED".into()),
            ("balance_minor", 0_i64.into()),
            ("created_at", instant(NOW).into()),
            ("updated_at", instant(NOW).into()),
        ];
        self.insert("businesses", row).await;
        TenantScope::proved(id)
    }

    /// A draft invoice of a business that comes to `total_minor`.
    pub(crate) async fn invoice(&self, scope: TenantScope, total_minor: i64) -> InvoiceId {
        let id = InvoiceId::from(SystemIds.next_uuid());
        let mut row: Vec<(&str, Value)> = vec![
            ("business_id", scope.business().into()),
            ("id", id.into()),
            ("status", "DRAFT".into()),
            ("currency", "KES".into()),
            ("seller", "{}".into()),
            ("billed_to", "{}".into()),
            ("attempts", 0.into()),
            ("created_at", instant(NOW).into()),
        ];
        for column in ["subtotal_minor", "total_minor", "amount_due_minor"] {
            row.push((column, total_minor.into()));
        }
        for column in
            ["discount_minor", "tax_minor", "exclusive_tax_minor", "credit_applied_minor", "amount_paid_minor", "amount_credited_minor"]
        {
            row.push((column, 0_i64.into()));
        }
        self.insert("invoices", row).await;
        id
    }

    /// How many jobs of that key a business has.
    pub(crate) async fn jobs(&self, scope: TenantScope, key: &str) -> i64 {
        self.one("select count(*) as v from jobs where business_id = $1 and job_key = $2", vec![scope.business().into(), key.into()]).await
    }

    /// Waits until no session of a store on this database runs a statement or stands in a transaction.
    pub(crate) async fn settled(&self) {
        if self.kind == Kind::Sqlite {
            return;
        }
        let busy = "select count(*) as v from pg_stat_activity
                    where datname = current_database() and application_name = 'evolve-business' and state <> 'idle'";
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while self.one::<i64>(busy, vec![]).await > 0 {
            assert!(std::time::Instant::now() < deadline, "a session is still in a transaction 5 s after its request was dropped");
            pause(2).await;
        }
    }
}

/// Waits so many milliseconds of real time.
pub(crate) async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
