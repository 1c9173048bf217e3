//! The capability to look across businesses: sign-in, claiming jobs, seeding, staff. Opened in the few places that a test lists.
#![expect(clippy::disallowed_methods, reason = "this is the place where the system's statements are made")]

use std::sync::Arc;

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ConnectionTrait as _, EntityTrait, IntoActiveModel, QueryFilter as _, Select, UpdateMany,
};

use super::driver::Transaction;
use super::live::Changes;
use super::tenant::{Catalogue, Reader};
use super::{Tenant, TenantScope};
use crate::error::Error;

/// Sees and changes every row in one transaction.
#[derive(Clone)]
pub struct System {
    /// The transaction, which has taken the system's role.
    transaction: Arc<Transaction>,
    /// Handed on to the tenants it opens.
    filter: bool,
    /// What they have changed.
    changes: Changes,
}

impl System {
    /// The system in `transaction`.
    pub(super) const fn new(transaction: Arc<Transaction>, filter: bool, changes: Changes) -> Self {
        Self { transaction, filter, changes }
    }

    /// One business's rows, in the same transaction.
    pub fn tenant(&self, scope: TenantScope) -> Tenant {
        Tenant::new(Arc::clone(&self.transaction), scope, self.filter, self.changes.clone())
    }

    /// Reads every business's rows, in the same transaction.
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.transaction), None)
    }

    /// The catalogue, in the same transaction.
    pub fn catalogue(&self) -> Catalogue {
        Catalogue::new(Arc::clone(&self.transaction))
    }

    /// The rows of a table. Run it with [`System::connection`].
    #[expect(clippy::unused_self, reason = "who holds the capability may ask")]
    pub(super) fn select<E: EntityTrait>(&self) -> Select<E> {
        E::find()
    }

    /// Changes to rows of a table. Run it with [`System::connection`].
    #[expect(clippy::unused_self, reason = "who holds the capability may ask")]
    pub(super) fn update_many<E: EntityTrait>(&self) -> UpdateMany<E> {
        E::update_many()
    }

    /// Inserts a row.
    pub(super) async fn insert<E, A>(&self, row: A) -> Result<E::Model, Error>
    where
        E: EntityTrait,
        A: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
        E::Model: IntoActiveModel<A>,
    {
        Ok(row.insert(&*self.transaction).await?)
    }

    /// Inserts rows in one statement.
    pub(super) async fn insert_many<E, A>(&self, rows: Vec<A>) -> Result<(), Error>
    where
        E: EntityTrait,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        if !rows.is_empty() {
            E::insert_many(rows).exec_without_returning(&*self.transaction).await?;
        }
        Ok(())
    }

    /// Inserts a row unless one with the same key is there, and waits for a transaction that is inserting one; answers
    /// whether it was inserted.
    pub(super) async fn insert_if_new<E, A>(&self, row: A) -> Result<bool, Error>
    where
        E: EntityTrait,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        let mut conflict = sea_orm::sea_query::OnConflict::new();
        conflict.do_nothing();
        Ok(E::insert(row).on_conflict(conflict).exec_without_returning(&*self.transaction).await? > 0)
    }

    /// Deletes the rows that `which` selects.
    pub(super) async fn delete_where<E: EntityTrait>(&self, which: impl sea_orm::sea_query::IntoCondition + Send) -> Result<(), Error> {
        E::delete_many().filter(which.into_condition()).exec(&*self.transaction).await?;
        Ok(())
    }

    /// Changes a row.
    pub(super) async fn update<E, A>(&self, row: A) -> Result<E::Model, Error>
    where
        E: EntityTrait,
        A: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
        E::Model: IntoActiveModel<A>,
    {
        Ok(row.update(&*self.transaction).await?)
    }

    /// The rows of a statement that is fixed text, so that nothing from outside is in it.
    pub(super) async fn read_fixed(&self, sql: &'static str) -> Result<Vec<sea_orm::QueryResult>, Error> {
        let statement = sea_orm::Statement::from_string(self.transaction.get_database_backend(), sql);
        Ok(self.transaction.query_all_raw(statement).await?)
    }

    /// The rows of a statement of fixed text with these values.
    pub(super) async fn read_with(&self, sql: &'static str, values: Vec<sea_orm::Value>) -> Result<Vec<sea_orm::QueryResult>, Error> {
        let statement = sea_orm::Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values);
        Ok(self.transaction.query_all_raw(statement).await?)
    }

    /// Reads what SQL that this room made of its own lists says, with `values` for its placeholders.
    ///
    /// # Errors
    /// The database's fault.
    pub(super) async fn read_made(&self, sql: &str, values: Vec<sea_orm::Value>) -> Result<Vec<sea_orm::QueryResult>, Error> {
        let statement = sea_orm::Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values);
        Ok(self.transaction.query_all_raw(statement).await?)
    }

    /// Changes what SQL that this room made of its own lists says, with `values` for its placeholders; answers how many rows it touched.
    ///
    /// # Errors
    /// The database's fault.
    pub(super) async fn run_made(&self, sql: &str, values: Vec<sea_orm::Value>) -> Result<u64, Error> {
        let statement = sea_orm::Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values);
        Ok(self.transaction.execute_raw(statement).await?.rows_affected())
    }

    /// Runs a statement of fixed text with these values; answers how many rows it touched.
    pub(super) async fn run_with(&self, sql: &'static str, values: Vec<sea_orm::Value>) -> Result<u64, Error> {
        let statement = sea_orm::Statement::from_sql_and_values(self.transaction.get_database_backend(), sql, values);
        Ok(self.transaction.execute_raw(statement).await?.rows_affected())
    }

    /// Whether it is PostgreSQL.
    pub(super) fn is_postgres(&self) -> bool {
        self.transaction.get_database_backend() == sea_orm::DbBackend::Postgres
    }

    /// Where statements run.
    pub(super) fn connection(&self) -> &Transaction {
        &self.transaction
    }
}
