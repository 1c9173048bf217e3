//! Transactions. A write runs in a task of its own, so that a client who goes away cannot cut it in half, and is
//! run again when the database asks for it. A read is one snapshot for the whole request.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sea_orm::DbBackend;
use tokio::sync::OnceCell;
use tracing::Instrument as _;

use super::driver::Transaction;
use super::live::Changes;
use super::tenant::KnownBusiness;
use super::{Reader, Store, System, Tenant, TenantScope};
use crate::error::{Error, Failure, Outcome};
use crate::telemetry::carry;

/// How often a transaction is run before its contention is reported.
const MAX_TRIES: u32 = 8;
/// The wait before the second try; it doubles with each.
const FIRST_WAIT: Duration = Duration::from_millis(4);

/// Which role of the database a transaction takes.
#[derive(Clone, Copy)]
enum Role {
    /// The application's, with one tenant, or none: then no tenant's row is visible.
    App(Option<TenantScope>),
    /// The system's.
    System,
}

/// What is done in a transaction. One type for all that answer the same: the retries and the task around it, which are
/// large, are compiled once for each answer and not once for each caller.
type Work<T> = Box<dyn Fn(Arc<Transaction>, Changes) -> BoxFuture<'static, Outcome<T>> + Send + Sync>;

impl Store {
    /// Runs `work` as the tenant of `scope` in one transaction, in a task of its own, and commits if it answers `Ok`.
    /// It may run more than once, so it must have no effect but on the database.
    ///
    /// # Errors
    /// What `work` answers, after a rollback; or the database's fault.
    pub async fn write<T, F, Fut>(&self, scope: TenantScope, work: F) -> Outcome<T>
    where
        F: Fn(Tenant) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome<T>> + Send + 'static,
        T: Send + 'static,
    {
        let filter = self.application_filter();
        let work: Work<T> = Box::new(move |transaction, changes| Box::pin(work(Tenant::new(transaction, scope, filter, changes))));
        self.run(Role::App(Some(scope)), true, work).await
    }

    /// As [`Store::write`], as the system: for the few places that look across tenants.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn write_system<T, F, Fut>(&self, work: F) -> Outcome<T>
    where
        F: Fn(System) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome<T>> + Send + 'static,
        T: Send + 'static,
    {
        let filter = self.application_filter();
        self.run(Role::System, true, Box::new(move |transaction, changes| Box::pin(work(System::new(transaction, filter, changes))))).await
    }

    /// As [`Store::write_system`], from a snapshot that changes nothing and waits for no writer.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub async fn read_system<T, F, Fut>(&self, work: F) -> Outcome<T>
    where
        F: Fn(System) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome<T>> + Send + 'static,
        T: Send + 'static,
    {
        let filter = self.application_filter();
        self.run(Role::System, false, Box::new(move |transaction, changes| Box::pin(work(System::new(transaction, filter, changes))))).await
    }

    /// Runs `work` in a task that the caller's going away does not end.
    async fn run<T: Send + 'static>(&self, role: Role, write: bool, work: Work<T>) -> Outcome<T> {
        let store = self.clone();
        let task = async move {
            let mut wait = FIRST_WAIT;
            for _ in 1..MAX_TRIES {
                match store.run_once(role, write, &work).await {
                    Err(Failure::Fault(error)) if error.is_retryable() => {
                        tracing::debug!(?error, "running the transaction again");
                        store.telemetry().metrics().retried();
                        store.clock().sleep(wait).await;
                        wait = wait.saturating_mul(2);
                    }
                    outcome => return outcome,
                }
            }
            store.run_once(role, write, &work).await
        };
        self.tasks().spawn(carry(task).in_current_span()).await.map_err(|error| Error::Task(Box::new(error)))?
    }

    /// One try.
    async fn run_once<T: Send>(&self, role: Role, write: bool, work: &Work<T>) -> Outcome<T> {
        let transaction = Arc::new(self.begin(role, write).await?);
        let changes = Changes::default();
        let outcome = work(Arc::clone(&transaction), changes.clone()).await;
        let transaction = Arc::into_inner(transaction).ok_or_else(|| Error::Corrupt("a transaction outlived its work".into()))?;
        match outcome {
            Ok(value) => {
                transaction.commit().await.map_err(Error::from)?;
                self.live().publish(changes.take());
                Ok(value)
            }
            Err(failure) => {
                // Lost with its connection, the transaction is undone all the same: what `work` met is the news.
                if let Err(error) = transaction.rollback().await {
                    tracing::warn!(?error, "a rollback was not answered");
                }
                Err(failure)
            }
        }
    }

    /// Begins a transaction and takes the role, in a task of its own: a `begin` that is dropped before its answer
    /// would give the pool a connection inside an open transaction.
    async fn begin(&self, role: Role, write: bool) -> Result<Transaction, Error> {
        let store = self.clone();
        let task = async move {
            // Nothing has happened yet: a connection that PostgreSQL has ended meanwhile is left for another. SQLite
            // has waited long enough for its one writer.
            let tries = if store.backend() == DbBackend::Postgres { MAX_TRIES } else { 1 };
            for _ in 1..tries {
                match store.begin_once(role, write).await {
                    Err(error) if error.is_retryable() => {
                        tracing::debug!(?error, "beginning the transaction again");
                        store.telemetry().metrics().retried();
                    }
                    begun => return begun,
                }
            }
            store.begin_once(role, write).await
        };
        tokio::spawn(carry(task).in_current_span()).await.map_err(|error| Error::Task(Box::new(error)))?
    }

    /// One try of [`Store::begin`].
    async fn begin_once(&self, role: Role, write: bool) -> Result<Transaction, Error> {
        let pool = if write { self.writer() } else { self.reader() };
        let statements = match self.backend() {
            DbBackend::Sqlite => if write { "begin immediate" } else { "begin deferred" }.to_owned(),
            _ => role.begin(),
        };
        Ok(self.beginning(write, Transaction::begin(pool, statements, self.hearing())).await?)
    }
}

impl Role {
    /// PostgreSQL: begins a transaction that has this role, and sees this tenant's rows, until its end. (SQLite has no roles.) The
    /// protocol takes no bound values for more than one statement; a business's id is hexadecimal digits and dashes.
    fn begin(self) -> String {
        match self {
            Self::App(Some(scope)) => {
                format!("begin; set local role evolve_app; set local app.tenant = '{}'", scope.business().uuid().as_hyphenated())
            }
            Self::App(None) => "begin; set local role evolve_app; set local app.tenant = ''".to_owned(),
            Self::System => "begin; set local role evolve_system; set local app.tenant = ''".to_owned(),
        }
    }
}

/// One consistent, read-only view for a whole request, opened when it is first needed and dropped at the end.
pub struct Snapshot {
    /// Where it is opened.
    store: Store,
    /// As whom it reads: as a tenant, that business's rows; as the system, every business's; else the catalogue alone.
    role: Role,
    /// The transaction, once somebody needed it.
    transaction: OnceCell<Arc<Transaction>>,
    /// What it has met of the tenant's business.
    known: KnownBusiness,
}

impl Snapshot {
    /// A snapshot that is not opened yet.
    pub fn new(store: Store, scope: Option<TenantScope>) -> Self {
        Self { store, role: Role::App(scope), transaction: OnceCell::new(), known: KnownBusiness::default() }
    }

    /// A snapshot of every business's rows that is not opened yet: for staff.
    pub fn of_system(store: Store) -> Self {
        Self { store, role: Role::System, transaction: OnceCell::new(), known: KnownBusiness::default() }
    }

    /// Whether it shows every business's rows.
    pub const fn is_of_system(&self) -> bool {
        matches!(self.role, Role::System)
    }

    /// The transaction, begun now if it was not.
    async fn transaction(&self) -> Result<Arc<Transaction>, Error> {
        let open = async || Ok::<_, Error>(Arc::new(self.store.begin(self.role, false).await?));
        self.transaction.get_or_try_init(open).await.cloned()
    }

    /// The tenant's rows.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a caller without a business, or the database's fault.
    pub async fn tenant(&self) -> Result<Tenant, Error> {
        let Role::App(Some(scope)) = self.role else { return Err(Error::Unauthenticated) };
        let tenant = Tenant::new(self.transaction().await?, scope, self.store.application_filter(), Changes::default());
        Ok(tenant.in_snapshot(Arc::clone(&self.known)))
    }

    /// Every row, as the system.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a snapshot that is not the system's, or the database's fault.
    pub async fn system(&self) -> Result<System, Error> {
        let Role::System = self.role else { return Err(Error::Unauthenticated) };
        Ok(System::new(self.transaction().await?, self.store.application_filter(), Changes::default()))
    }

    /// The rows that it shows: the tenant's, or as the system every business's.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a caller without a business, or the database's fault.
    pub async fn reader(&self) -> Result<Reader, Error> {
        match self.role {
            Role::System => Ok(self.system().await?.reader()),
            Role::App(_) => Ok((*self.tenant().await?).clone()),
        }
    }

    /// The catalogue, which everybody may read.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn catalogue(&self) -> Result<super::tenant::Catalogue, Error> {
        Ok(super::tenant::Catalogue::new(self.transaction().await?))
    }
}
