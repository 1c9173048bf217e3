//! The capability to see and change one business's rows, and nothing else's. Every statement it makes carries the
//! business; on PostgreSQL row-level security holds the same wall a second time.
#![expect(clippy::disallowed_methods, reason = "this is the place where a tenant's statements are made")]

mod scoped;

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Func, LockType, Query, SelectStatement, SimpleExpr, UpdateStatement};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait as _, DbErr, EntityTrait, IntoActiveModel, Iterable as _,
    QueryFilter, QuerySelect, Select, UpdateMany,
};

use super::customers::Business;
use super::driver::Transaction;
use super::live::{Changes, Subject};
use super::rows::Rows;
use super::test_clocks::Reading;
use crate::error::Error;
use crate::ids::{BusinessId, EventId, Id};

/// A business and what the test clock shows that it is on, once a snapshot has met them: most of what a request asks for
/// needs them.
pub(super) type KnownBusiness = Arc<OnceLock<(Business, Option<Reading>)>>;

/// Which business a caller was found to act for. Made by the request guard and the few places that a test lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TenantScope {
    /// The business.
    business: BusinessId,
}

impl TenantScope {
    /// The scope of `business`. Whoever calls this has proved that the caller acts for it.
    pub const fn proved(business: BusinessId) -> Self {
        Self { business }
    }

    /// The business.
    pub const fn business(self) -> BusinessId {
        self.business
    }
}

/// A table whose rows belong to businesses.
pub(crate) trait TenantEntity: Rows {
    /// The column that names the business.
    fn business_column() -> Self::Column;
    /// The column that, with the business, names the row.
    fn id_column() -> Self::Column;
}

/// A table that everybody may read.
pub(crate) trait CatalogueEntity: Rows {}

/// Reads rows of businesses in one transaction: one business's, as its [`Tenant`], or every business's, as the system.
#[derive(Clone)]
pub struct Reader {
    /// The transaction, which has taken the tenant or the system's role.
    transaction: Arc<Transaction>,
    /// The business that each statement carries; none as the system, and in the one test that switches it off.
    business: Option<BusinessId>,
}

impl Reader {
    /// The reader in `transaction` of one business's rows, or of all.
    pub(super) const fn new(transaction: Arc<Transaction>, business: Option<BusinessId>) -> Self {
        Self { transaction, business }
    }

    /// The same of one business's rows alone. It never sees more than before: the reader of another business sees nothing.
    #[must_use]
    pub fn within(&self, business: BusinessId) -> Self {
        Self { transaction: Arc::clone(&self.transaction), business: self.business.or(Some(business)) }
    }

    /// The condition that a row is one that it may read.
    fn own<E: TenantEntity>(&self) -> Condition {
        self.business.map_or_else(Condition::all, |business| Condition::all().add(E::business_column().eq(business)))
    }

    /// The rows of a table.
    pub(crate) fn select<E: TenantEntity>(&self) -> Scoped<E> {
        Scoped::of(&self.transaction).filter(self.own::<E>())
    }

    /// The rows of these businesses.
    pub(crate) fn select_of_businesses<E: TenantEntity>(&self, businesses: &[BusinessId]) -> Scoped<E> {
        self.select::<E>().filter(E::business_column().is_in(businesses.iter().copied()))
    }

    /// The rows whose `column` is one of `keys`, each of its business: where every business's rows are read, the
    /// statement names theirs, so that the tables' keys, which lead with the business, serve it.
    pub(crate) fn select_of<E: TenantEntity, I: Copy + Into<sea_orm::Value>>(
        &self,
        column: E::Column,
        keys: &[(BusinessId, I)],
    ) -> Scoped<E> {
        let mut select = self.select::<E>();
        if self.business.is_none() {
            let businesses: BTreeSet<BusinessId> = keys.iter().map(|(business, _)| *business).collect();
            select = select.filter(E::business_column().is_in(businesses));
        }
        select.filter(column.is_in(keys.iter().map(|(_, id)| *id)))
    }

    /// The row of that id, if it may be read.
    pub(crate) async fn by_id<E: TenantEntity, K: crate::ids::Kind>(&self, id: Id<K>) -> Result<Option<E::Model>, Error> {
        self.select::<E>().filter(E::id_column().eq(id)).one().await
    }
}

/// Sees and changes one business's rows in one transaction. Reads as the [`Reader`] of them.
#[derive(Clone)]
pub struct Tenant {
    /// Reads this business's rows.
    reader: Reader,
    /// The business.
    scope: TenantScope,
    /// What the transaction has changed that somebody may be watching.
    changes: Changes,
    /// What a snapshot knows of its business; none in a transaction that may change it.
    known: Option<KnownBusiness>,
}

impl Deref for Tenant {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Tenant {
    /// The tenant of `scope` in `transaction`.
    pub(super) fn new(transaction: Arc<Transaction>, scope: TenantScope, filter: bool, changes: Changes) -> Self {
        Self { reader: Reader::new(transaction, filter.then_some(scope.business())), scope, changes, known: None }
    }

    /// The same in a snapshot, whose tenants share what they know of the business.
    pub(super) fn in_snapshot(self, known: KnownBusiness) -> Self {
        Self { known: Some(known), ..self }
    }

    /// Whether it is of a snapshot, in which nothing changes.
    pub(super) const fn is_in_snapshot(&self) -> bool {
        self.known.is_some()
    }

    /// The business and what its test clock shows, where the snapshot has met them.
    pub(super) fn known(&self) -> Option<(Business, Option<Reading>)> {
        self.known.as_ref()?.get().cloned()
    }

    /// Remembers the business and what its test clock shows, in a snapshot alone.
    pub(super) fn know(&self, business: &Business, reading: Option<Reading>) {
        if let Some(known) = &self.known {
            // Another resolver may have met the very same row.
            let _same = known.set((business.clone(), reading));
        }
    }

    /// Notes that something of this business was changed: whoever watches it is told when the transaction is committed.
    pub(super) fn changed(&self, subject: Subject) {
        self.changes.note(self.business(), subject, None);
    }

    /// As [`Tenant::changed`], of what an event tells of.
    pub(super) fn changed_by(&self, subject: Subject, event: EventId) {
        self.changes.note(self.business(), subject, Some(event));
    }

    /// The business.
    pub const fn business(&self) -> BusinessId {
        self.scope.business()
    }

    /// Whose rows these are, as it was proved: for a transaction after this one.
    pub const fn scope(&self) -> TenantScope {
        self.scope
    }

    /// The catalogue, in the same transaction.
    pub fn catalogue(&self) -> Catalogue {
        Catalogue::new(Arc::clone(&self.reader.transaction))
    }

    /// The row of that id, if this business has it, locked until the transaction ends. Keys never change, so that whoever writes a
    /// row that refers to this one need not wait.
    pub(crate) async fn lock_by_id<E: TenantEntity, K: crate::ids::Kind>(&self, id: Id<K>) -> Result<Option<E::Model>, Error> {
        self.select::<E>().filter(E::id_column().eq(id)).lock(LockType::NoKeyUpdate).one().await
    }

    /// Inserts a row as this business's, whatever the model says.
    pub(crate) async fn insert<E, A>(&self, mut row: A) -> Result<E::Model, Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
        E::Model: IntoActiveModel<A>,
    {
        row.set(E::business_column(), self.business().into());
        Ok(row.insert(&*self.reader.transaction).await?)
    }

    /// Inserts rows as this business's, in one statement.
    pub(crate) async fn insert_many<E, A>(&self, mut rows: Vec<A>) -> Result<(), Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        for row in &mut rows {
            row.set(E::business_column(), self.business().into());
        }
        if !rows.is_empty() {
            E::insert_many(rows).exec_without_returning(&*self.reader.transaction).await?;
        }
        Ok(())
    }

    /// Inserts a row whose `place` is one more than the last of this business's rows that `series` selects; answers the place.
    pub(crate) async fn insert_next<E, A>(&self, row: A, place: E::Column, series: SimpleExpr) -> Result<i64, Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        Ok(self.insert_next_and_tell(row, place, series, Expr::col(place)).await?.0)
    }

    /// As [`Tenant::insert_next`], and answers a number besides, in the same statement.
    pub(crate) async fn insert_next_and_tell<E, A>(
        &self,
        mut row: A,
        place: E::Column,
        series: SimpleExpr,
        number: SimpleExpr,
    ) -> Result<(i64, i64), Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        row.set(E::business_column(), self.business().into());
        row.not_set(place);
        let last = Expr::col(place).max();
        let next = Query::select()
            .expr(Expr::expr(Func::coalesce([last, Expr::val(0_i64)])).add(1_i64))
            .from(E::default())
            .and_where(E::business_column().eq(self.business()))
            .and_where(series)
            .take();
        let mut insert = Query::insert();
        let (mut columns, mut values) = (vec![place], vec![SimpleExpr::SubQuery(None, Box::new(next.into()))]);
        for column in E::Column::iter() {
            if let Some(value) = row.take(column).into_value() {
                columns.push(column);
                values.push(column.save_as(Expr::val(value)));
            }
        }
        insert.into_table(E::default()).columns(columns).values(values).map_err(|error| DbErr::Custom(error.to_string()))?;
        insert.returning(Query::returning().exprs([Expr::col(place), number]));
        let written = self.reader.transaction.query_one(&insert).await?.ok_or(DbErr::RecordNotInserted)?;
        Ok((written.try_get_by_index(0)?, written.try_get_by_index(1)?))
    }

    /// Inserts a row unless one with the same key is there; answers whether it was inserted.
    pub(crate) async fn insert_if_new<E, A>(&self, mut row: A) -> Result<bool, Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        row.set(E::business_column(), self.business().into());
        let mut conflict = sea_orm::sea_query::OnConflict::new();
        conflict.do_nothing();
        Ok(E::insert(row).on_conflict(conflict).exec_without_returning(&*self.reader.transaction).await? > 0)
    }

    /// Inserts rows, but for those with a key that is there, in one statement.
    pub(crate) async fn insert_new<E, A>(&self, mut rows: Vec<A>) -> Result<(), Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        for row in &mut rows {
            row.set(E::business_column(), self.business().into());
        }
        if !rows.is_empty() {
            let mut conflict = sea_orm::sea_query::OnConflict::new();
            conflict.do_nothing();
            E::insert_many(rows).on_conflict(conflict).exec_without_returning(&*self.transaction).await?;
        }
        Ok(())
    }

    /// Inserts rows, in one statement; those whose key is there take the place of the row that has it where `revives` says so.
    /// Answers the rows that were written, and not those that were left as they are.
    pub(crate) async fn insert_claiming<E, A>(
        &self,
        mut rows: Vec<A>,
        key: Vec<E::Column>,
        taken_over: E::Column,
        revives: sea_orm::sea_query::SimpleExpr,
    ) -> Result<Vec<E::Model>, Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + Send,
        E::Model: IntoActiveModel<A>,
    {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        for row in &mut rows {
            row.set(E::business_column(), self.business().into());
        }
        let mut conflict = sea_orm::sea_query::OnConflict::columns(key);
        conflict.update_column(taken_over).action_and_where(revives);
        Ok(E::insert_many(rows).on_conflict(conflict).exec_with_returning(&*self.reader.transaction).await?)
    }

    /// Inserts rows, in one statement; of one whose key is there `changed` takes the new values.
    pub(crate) async fn insert_or_change<E, A>(&self, mut rows: Vec<A>, key: Vec<E::Column>, changed: Vec<E::Column>) -> Result<(), Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        if rows.is_empty() {
            return Ok(());
        }
        for row in &mut rows {
            row.set(E::business_column(), self.business().into());
        }
        let mut conflict = sea_orm::sea_query::OnConflict::columns(key);
        conflict.update_columns(changed);
        E::insert_many(rows).on_conflict(conflict).exec_without_returning(&*self.reader.transaction).await?;
        Ok(())
    }

    /// Removes those rows of this business that `condition` selects.
    pub(crate) async fn delete_where<E: TenantEntity>(&self, condition: Condition) -> Result<(), Error> {
        E::delete_many().filter(self.own::<E>()).filter(condition).exec(&*self.reader.transaction).await?;
        Ok(())
    }

    /// Changes one row of this business.
    pub(crate) async fn update<E, A>(&self, mut row: A) -> Result<E::Model, Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
        E::Model: IntoActiveModel<A>,
    {
        row.set(E::business_column(), self.business().into());
        Ok(row.update(&*self.reader.transaction).await?)
    }

    /// Deletes the row of that id, if this business has it.
    pub(crate) async fn delete_by_id<E: TenantEntity, K: crate::ids::Kind>(&self, id: Id<K>) -> Result<(), Error> {
        E::delete_many().filter(self.own::<E>()).filter(E::id_column().eq(id)).exec(&*self.reader.transaction).await?;
        Ok(())
    }

    /// As [`Tenant::update`], and does not read the row back.
    pub(crate) async fn save<E, A>(&self, mut row: A) -> Result<(), Error>
    where
        E: TenantEntity,
        A: ActiveModelTrait<Entity = E> + Send,
    {
        let id = row.take(E::id_column()).into_value().ok_or(DbErr::RecordNotUpdated)?;
        row.not_set(E::business_column());
        let this = Condition::all().add(E::business_column().eq(self.business())).add(E::id_column().eq(id));
        let done = E::update_many().set(row).filter(this).exec(&*self.reader.transaction).await?;
        if done.rows_affected == 1 { Ok(()) } else { Err(DbErr::RecordNotUpdated.into()) }
    }

    /// Changes those rows of this business that `change` selects; answers how many.
    pub(crate) async fn update_where<E: TenantEntity>(
        &self,
        change: impl FnOnce(ScopedUpdate<E>) -> ScopedUpdate<E>,
    ) -> Result<u64, Error> {
        let update = change(ScopedUpdate { update: E::update_many().filter(self.own::<E>()) });
        Ok(update.update.exec(&*self.reader.transaction).await?.rows_affected)
    }

    /// Where statements run that name the business themselves, or are about a global table that the application has a policy of
    /// its own for.
    pub(super) fn connection(&self) -> &Transaction {
        &self.reader.transaction
    }

    /// Whether it is PostgreSQL.
    pub(super) fn is_postgres(&self) -> bool {
        self.reader.transaction.get_database_backend() == sea_orm::DbBackend::Postgres
    }
}

/// A select that carries the business already.
pub(crate) struct Scoped<E: Rows> {
    /// The statement so far, without the table's columns.
    query: SelectStatement,
    /// Whether columns are chosen; else every column of the table is read.
    chosen: bool,
    /// Where it runs.
    transaction: Arc<Transaction>,
    /// Whose rows it reads.
    entity: PhantomData<E>,
}

impl<E: Rows> Scoped<E> {
    /// Every row of the table.
    fn of(transaction: &Arc<Transaction>) -> Self {
        let query = Query::select().from(E::default().table_ref()).to_owned();
        Self { query, chosen: false, transaction: Arc::clone(transaction), entity: PhantomData }
    }

    /// The statement as sea-orm makes it, each column by itself, for what goes on with the columns.
    fn into_select(mut self) -> (Select<E>, Arc<Transaction>) {
        if !self.chosen {
            self.query.exprs(E::Column::iter().map(|column| column.select_as(column.into_expr())));
        }
        let mut select = E::find();
        *QuerySelect::query(&mut select) = self.query;
        (select, self.transaction)
    }
}

/// An update that carries the business already.
pub(crate) struct ScopedUpdate<E: EntityTrait> {
    /// The statement so far.
    update: UpdateMany<E>,
}

impl<E: EntityTrait> ScopedUpdate<E> {
    /// Sets a column.
    pub(crate) fn set(self, column: E::Column, value: impl Into<sea_orm::Value>) -> Self {
        self.set_to(column, sea_orm::sea_query::Expr::value(value))
    }

    /// Sets a column to what an expression comes to in each row.
    pub(crate) fn set_to(mut self, column: E::Column, expression: SimpleExpr) -> Self {
        self.update = self.update.col_expr(column, expression);
        self
    }
}

impl<E: EntityTrait> QueryFilter for ScopedUpdate<E> {
    type QueryStatement = UpdateStatement;
    fn query(&mut self) -> &mut UpdateStatement {
        QueryFilter::query(&mut self.update)
    }
}

/// Reads what everybody may read: products, plans, tax rates, the seller.
#[derive(Clone)]
pub struct Catalogue {
    /// Where it reads.
    transaction: Arc<Transaction>,
    /// Not to be built elsewhere.
    sealed: PhantomData<()>,
}

impl Catalogue {
    /// The catalogue as `transaction` sees it.
    pub(super) const fn new(transaction: Arc<Transaction>) -> Self {
        Self { transaction, sealed: PhantomData }
    }

    /// The rows of a table that everybody may read.
    pub(crate) fn select<E: CatalogueEntity>(&self) -> Scoped<E> {
        Scoped::of(&self.transaction)
    }
}
