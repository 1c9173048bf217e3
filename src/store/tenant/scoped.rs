//! What is read by a select that carries the business already.

use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, SelectStatement, SimpleExpr};
use sea_orm::{
    ConnectionTrait as _, DbErr, EntityTrait, FromQueryResult, JoinType, PaginatorTrait as _, QueryFilter, QueryOrder, QuerySelect,
};

use super::{CatalogueEntity, Scoped, TenantEntity};
use crate::error::Error;
use crate::store::rows::{Placed, Places, Rows};

impl<E: Rows> Scoped<E> {
    /// Every row.
    pub(crate) async fn all(mut self) -> Result<Vec<E::Model>, Error> {
        // Made once: a statement of forty columns takes longer to make than its rows to read.
        self.query.expr(Expr::cust(E::columns()));
        let found = self.transaction.query_all(&self.query).await?;
        Ok(found.iter().map(E::model_of).collect::<Result<_, _>>()?)
    }

    /// The first row.
    pub(crate) async fn one(self) -> Result<Option<E::Model>, Error> {
        Ok(self.limit(1).all().await?.pop())
    }

    /// Every row, with each row of a table that everybody may read for which `on` holds; once alone where none does.
    pub(crate) async fn all_with_each<F: CatalogueEntity>(mut self, on: Condition) -> Result<Vec<(E::Model, Option<F::Model>)>, Error> {
        self.query.join(JoinType::LeftJoin, F::default(), on);
        self.all_with_joined::<F>().await
    }

    /// Every row, with the row of a table that the statement has joined to it; with none where there is none.
    pub(crate) async fn all_with_joined<F: EntityTrait>(self) -> Result<Vec<(E::Model, Option<F::Model>)>, Error> {
        let (select, transaction) = self.into_select();
        Ok(select.select_also(F::default()).all(&*transaction).await?)
    }

    /// What `read` makes of each row and of the columns that `more` adds behind the table's own.
    pub(crate) async fn all_and<T>(
        mut self,
        more: impl FnOnce(&mut SelectStatement),
        read: impl Fn(E::Model, &mut Places<'_>) -> Result<T, DbErr>,
    ) -> Result<Vec<T>, Error>
    where
        E: Placed,
    {
        self.query.expr(Expr::cust(E::columns()));
        more(&mut self.query);
        let found = self.transaction.query_all(&self.query).await?;
        let rows = found.iter().map(|row| {
            let mut places = Places::of(row);
            read(E::read(&mut places)?, &mut places)
        });
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The same with each row of another table of the same business for which `on` holds; once alone where none does.
    pub(crate) fn left_join<F: TenantEntity>(mut self, on: Condition) -> Self
    where
        E: TenantEntity,
    {
        let same = Expr::col((E::default(), E::business_column())).equals((F::default(), F::business_column()));
        self.query.join(JoinType::LeftJoin, F::default(), on.add(same));
        self
    }

    /// Every row as `M`, which reads these columns besides, with the row of a table that the statement has joined to it.
    pub(crate) async fn all_as_with_joined<M, F>(
        self,
        columns: Vec<(SimpleExpr, &'static str)>,
    ) -> Result<Vec<(M, Option<F::Model>)>, Error>
    where
        M: FromQueryResult + Send + Sync,
        F: EntityTrait,
    {
        let (select, transaction) = self.into_select();
        let mut select = select.select_also(F::default());
        for (column, name) in columns {
            QuerySelect::query(&mut select).expr_as(column, name);
        }
        Ok(select.into_model::<M, F::Model>().all(&*transaction).await?)
    }

    /// Every row, with all rows of another table of the same business for which `on` holds.
    pub(crate) async fn all_with_many<F: TenantEntity>(self, on: Condition) -> Result<Vec<(E::Model, Vec<F::Model>)>, Error>
    where
        E: TenantEntity,
    {
        let (select, transaction) = self.left_join::<F>(on).into_select();
        Ok(select.select_with(F::default()).all(&*transaction).await?)
    }

    /// How many rows there are, counted no further than `most` + 1.
    pub(crate) async fn count_up_to(self, most: u64) -> Result<u64, Error>
    where
        E::Model: Send + Sync + FromQueryResult,
    {
        let (select, transaction) = self.into_select();
        Ok(select.limit(most.saturating_add(1)).count(&*transaction).await?)
    }

    /// Rows of another shape, for joins and chosen columns.
    pub(crate) async fn all_as<M: FromQueryResult + Send + Sync>(self) -> Result<Vec<M>, Error> {
        let (select, transaction) = self.into_select();
        Ok(select.into_model::<M>().all(&*transaction).await?)
    }
}

impl<E: Rows> QueryFilter for Scoped<E> {
    type QueryStatement = SelectStatement;
    fn query(&mut self) -> &mut SelectStatement {
        &mut self.query
    }
}
impl<E: Rows> QueryOrder for Scoped<E> {
    type QueryStatement = SelectStatement;
    fn query(&mut self) -> &mut SelectStatement {
        &mut self.query
    }
}
impl<E: Rows> QuerySelect for Scoped<E> {
    type QueryStatement = SelectStatement;
    fn query(&mut self) -> &mut SelectStatement {
        &mut self.query
    }
    fn select_only(mut self) -> Self {
        self.chosen = true;
        self.query.clear_selects();
        self
    }
}
