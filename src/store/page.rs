//! Paging by key, newest first: by creation, then by id, so that a page stays where it is while rows are added.

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::tenant::{Scoped, TenantEntity};
use super::types::Instant;
use crate::error::Error;

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
    let mut select = select;
    if let Some(position) = window.after {
        select = select.filter(beyond::<E>(at, id, position, true));
    }
    if let Some(position) = window.before {
        select = select.filter(beyond::<E>(at, id, position, false));
    }
    select = if window.from_end { select.order_by_asc(at).order_by_asc(id) } else { select.order_by_desc(at).order_by_desc(id) };
    select.limit(window.limit.saturating_add(1))
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
