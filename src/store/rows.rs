//! How rows are read. A model looks each column up by its name, and has a text written for each that is empty; where rows are read by the
//! thousand a second, its columns are read by their places instead.

use std::sync::Arc;

use sea_orm::sqlx::{Row as _, ValueRef as _};
use sea_orm::{DbErr, EntityTrait, FromQueryResult as _, IdenStatic as _, Iterable as _, QueryResult, RuntimeErr, TryGetable};

/// A table whose rows are read.
pub(crate) trait Rows: EntityTrait {
    /// The table's columns in their order, as a statement names them.
    fn columns() -> &'static str;

    /// The model of a row that begins with the table's columns in their order.
    ///
    /// # Errors
    /// [`DbErr`] where a column holds something else.
    fn model_of(row: &QueryResult) -> Result<Self::Model, DbErr> {
        Self::Model::from_query_result(row, "")
    }
}

/// A table whose rows are read by the places of their columns.
pub(crate) trait Placed: Rows {
    /// The model of the next columns of a row, which are the table's in their order.
    ///
    /// # Errors
    /// [`DbErr`] where one holds something else.
    fn read(places: &mut Places<'_>) -> Result<Self::Model, DbErr>;
}

/// The columns of a row, from the first on.
pub(crate) struct Places<'a> {
    /// The row.
    row: &'a QueryResult,
    /// The place of the next.
    next: usize,
}

impl<'a> Places<'a> {
    /// Those of a row.
    pub(crate) const fn of(row: &'a QueryResult) -> Self {
        Self { row, next: 0 }
    }

    /// The row, for columns that are read by their names.
    pub(crate) const fn row(&self) -> &'a QueryResult {
        self.row
    }

    /// The place of the next column.
    const fn step(&mut self) -> usize {
        let place = self.next;
        self.next = place.saturating_add(1);
        place
    }

    /// The next column, which is never empty.
    ///
    /// # Errors
    /// Where it is, or holds something else.
    pub(crate) fn required<T: TryGetable>(&mut self) -> Result<T, DbErr> {
        let place = self.step();
        self.row.try_get_by_index(place)
    }

    /// The next column, which may be empty.
    ///
    /// # Errors
    /// Where it holds something else.
    pub(crate) fn optional<T: TryGetable>(&mut self) -> Result<Option<T>, DbErr> {
        let place = self.step();
        let is_null = match (self.row.try_as_pg_row(), self.row.try_as_sqlite_row()) {
            (Some(row), _) => row.try_get_raw(place).map(|value| value.is_null()),
            (None, Some(row)) => row.try_get_raw(place).map(|value| value.is_null()),
            (None, None) => Ok(false),
        };
        if is_null.map_err(|fault| DbErr::Query(RuntimeErr::SqlxError(Arc::new(fault))))? {
            return Ok(None);
        }
        self.row.try_get_by_index(place).map(Some)
    }
}

/// See [`Rows::columns`].
pub(crate) fn columns_of<E: EntityTrait>() -> String {
    let table = E::default().table_name().to_owned();
    let names: Vec<String> = E::Column::iter().map(|column| format!(r#""{table}"."{}""#, column.as_str())).collect();
    names.join(", ")
}

/// The text of an entity's columns, made once.
macro_rules! columns {
    () => {
        fn columns() -> &'static str {
            static COLUMNS: std::sync::LazyLock<String> = std::sync::LazyLock::new(crate::store::rows::columns_of::<Entity>);
            &COLUMNS
        }
    };
}

/// Reads the rows of an entity by the places of their columns: each as `required` or `optional`, in the order of the model.
macro_rules! by_place {
    ($($column:ident: $reads:ident),+ $(,)?) => {
        impl crate::store::rows::Rows for Entity {
            crate::store::rows::columns!();

            fn model_of(row: &sea_orm::QueryResult) -> Result<Model, DbErr> {
                <Self as crate::store::rows::Placed>::read(&mut crate::store::rows::Places::of(row))
            }
        }

        impl crate::store::rows::Placed for Entity {
            fn read(places: &mut crate::store::rows::Places<'_>) -> Result<Model, DbErr> {
                Ok(Model { $($column: places.$reads()?),+ })
            }
        }

        /// The columns in the order in which they are read.
        #[cfg(test)]
        pub(in crate::store) const PLACES: &[&str] = &[$(stringify!($column)),+];
    };
}

pub(crate) use {by_place, columns};

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::{PostgresQueryBuilder, Query, SqliteQueryBuilder};
    use sea_orm::{ColumnTrait as _, IdenStatic as _, Iterable as _};

    use super::Rows;
    use crate::store::entity::catalog::{plan, plan_version, product};
    use crate::store::entity::customers::business;
    use crate::store::entity::invoices::{invoice, invoice_line};
    use crate::store::entity::subscriptions::subscription;
    use crate::store::entity::{payments, usage};

    /// The columns of a table as a select has them.
    fn selected<E: Rows>() -> Vec<&'static str> {
        E::Column::iter().map(|column| column.as_str()).collect()
    }

    #[test]
    fn columns_are_read_in_the_order_in_which_they_are_selected() {
        assert_eq!(business::PLACES, selected::<business::Entity>());
        assert_eq!(invoice::PLACES, selected::<invoice::Entity>());
        assert_eq!(invoice_line::PLACES, selected::<invoice_line::Entity>());
        assert_eq!(plan::PLACES, selected::<plan::Entity>());
        assert_eq!(plan_version::PLACES, selected::<plan_version::Entity>());
        assert_eq!(product::PLACES, selected::<product::Entity>());
        assert_eq!(subscription::PLACES, selected::<subscription::Entity>());
    }

    #[test]
    fn columns_are_named_as_sea_orm_names_them() {
        fn check<E: Rows>() {
            let each = Query::select().exprs(E::Column::iter().map(|column| column.select_as(column.into_expr()))).to_owned();
            let ours = format!("SELECT {}", E::columns());
            assert_eq!((each.to_string(PostgresQueryBuilder), each.to_string(SqliteQueryBuilder)), (ours.clone(), ours));
        }
        check::<invoice::Entity>();
        check::<invoice_line::Entity>();
        check::<plan_version::Entity>();
        check::<business::Entity>();
        check::<payments::payment::Entity>();
        check::<subscription::Entity>();
        check::<usage::usage_event::Entity>();
    }
}
