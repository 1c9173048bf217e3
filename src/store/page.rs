//! Paging by key, newest first: by creation, then by id, so that a page stays where it is while rows are added.

use std::collections::HashMap;
use std::hash::Hash;

use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Func, Order, OverStatement as _, Query, WindowStatement};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::tenant::{Scoped, TenantEntity};
use super::types::Instant;
use crate::error::Error;
use crate::ids::BusinessId;

/// `totalCount` is not counted further than this.
pub const MAX_COUNT: u64 = 10_000;

/// Where a row stands in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// When it was created.
    pub at: Instant,
    /// Its id.
    pub id: Uuid,
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Rows that come after this one in the list.
    pub after: Option<Position>,
    /// Rows that come before this one in the list.
    pub before: Option<Position>,
    /// At most so many.
    pub limit: u64,
    /// The last of the part instead of the first.
    pub from_end: bool,
}

impl Window {
    /// The order in which rows are read, so that those that are not asked for come last.
    const fn direction(&self) -> Order {
        if self.from_end { Order::Asc } else { Order::Desc }
    }
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// Its rows, newest first.
    pub rows: Vec<T>,
    /// Whether rows follow.
    pub has_next: bool,
    /// Whether rows precede.
    pub has_previous: bool,
}

impl<T> Page<T> {
    /// The same page of other things.
    pub fn map<U>(self, of: impl FnMut(T) -> U) -> Page<U> {
        Page { rows: self.rows.into_iter().map(of).collect(), has_next: self.has_next, has_previous: self.has_previous }
    }
}

/// Reads the part of `select` that `window` asks for, newest first by `at` and `id`.
pub(crate) async fn newest_first<E: TenantEntity>(
    select: Scoped<E>,
    at: E::Column,
    id: E::Column,
    window: Window,
) -> Result<Page<E::Model>, Error> {
    Ok(cut(windowed::<E, _>(select, at, id, window).all().await?, window))
}

/// The rows of `select` that `window` asks for, in the order in which they are cut, and one more.
pub(super) fn windowed<E, S>(select: S, at: E::Column, id: E::Column, window: Window) -> S
where
    E: EntityTrait,
    S: QueryFilter + QueryOrder + QuerySelect,
{
    let direction = window.direction();
    let part = between::<E, _>(select, at, id, window);
    part.order_by(at, direction.clone()).order_by(id, direction).limit(window.limit.saturating_add(1))
}

/// The rows of `select` between the ends of `window`.
fn between<E: EntityTrait, S: QueryFilter>(select: S, at: E::Column, id: E::Column, window: Window) -> S {
    let mut select = select;
    if let Some(position) = window.after {
        select = select.filter(beyond::<E>(at, id, position, true));
    }
    if let Some(position) = window.before {
        select = select.filter(beyond::<E>(at, id, position, false));
    }
    select
}

/// Reads the same part of the lists of many parents in one statement, each newest first. `rows` makes the rows of these
/// parents, whom `parent` tells apart within a business, and `of` says whose a row is.
pub(crate) async fn newest_of_each<E: TenantEntity, P: Copy + Eq + Hash>(
    rows: impl Fn() -> Scoped<E>,
    parents: &[P],
    parent: E::Column,
    (at, id): (E::Column, E::Column),
    window: Window,
    of: impl Fn(&E::Model) -> P,
) -> Result<HashMap<P, Page<E::Model>>, Error> {
    let (business, direction) = (E::business_column(), window.direction());
    let mut order = WindowStatement::partition_by(business.as_column_ref());
    order.add_partition_by(parent.into_expr());
    order.order_by(at.as_column_ref(), direction.clone()).order_by(id.as_column_ref(), direction.clone());
    let mut ranked = QuerySelect::query(&mut between::<E, _>(rows(), at, id, window)).to_owned();
    ranked.clear_selects().expr_as(id.into_expr(), "row_id").expr_window_as(Func::cust("row_number"), order, "place");
    let chosen = Query::select()
        .column("row_id")
        .from_subquery(ranked, "ranked")
        .and_where(Expr::col("place").lte(window.limit.saturating_add(1)))
        .to_owned();
    let read = rows().filter(id.in_subquery(chosen)).order_by(at, direction.clone()).order_by(id, direction).all().await?;
    let mut found: HashMap<P, Vec<E::Model>> = parents.iter().map(|parent| (*parent, Vec::new())).collect();
    for row in read {
        found.entry(of(&row)).or_default().push(row);
    }
    Ok(found.into_iter().map(|(parent, rows)| (parent, cut(rows, window))).collect())
}

/// How many rows each business has, in one statement; none for one that has none.
pub(crate) async fn count_of_each<E: TenantEntity>(rows: Scoped<E>) -> Result<HashMap<BusinessId, u64>, Error> {
    /// A business with its count.
    #[derive(FromQueryResult)]
    struct Counted {
        /// The business.
        business_id: BusinessId,
        /// How many rows it has.
        number: i64,
    }
    let business = E::business_column();
    let counted = rows.select_only().column_as(business, "business_id").column_as(business.count(), "number").group_by(business);
    let read = counted.all_as::<Counted>().await?;
    Ok(read.into_iter().map(|counted| (counted.business_id, u64::try_from(counted.number).unwrap_or_default())).collect())
}

/// The page of the rows that [`windowed`] reads.
pub(super) fn cut<T>(mut rows: Vec<T>, window: Window) -> Page<T> {
    let limit = usize::try_from(window.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    if window.from_end {
        rows.reverse();
        return Page { rows, has_next: window.before.is_some(), has_previous: more };
    }
    Page { rows, has_next: more, has_previous: window.after.is_some() }
}

/// The rows older, or newer, than a position.
fn beyond<E: EntityTrait>(at: E::Column, id: E::Column, position: Position, older: bool) -> Condition {
    let (first, second) = if older { (at.lt(position.at), id.lt(position.id)) } else { (at.gt(position.at), id.gt(position.id)) };
    Condition::any().add(first).add(Condition::all().add(at.eq(position.at)).add(second))
}
