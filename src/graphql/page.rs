//! Relay connections: arguments to a window, rows to edges.

use std::sync::Arc;

use async_graphql::SimpleObject;
use futures::future::BoxFuture;

use super::context::RequestContext;
use super::loaders::{Loader, Loaders};
use crate::error::Error;
use crate::ids::BusinessId;
use crate::security::cursor::CursorKey;
use crate::services::access::Caller;
use crate::store::page::{MAX_COUNT, Position, Window};
use crate::store::types::Instant;

/// Rows of a page unless asked otherwise.
pub const DEFAULT_PAGE: i32 = 20;
/// The most rows of a page, unless a server allows fewer.
pub const MAX_PAGE: i32 = 100;

/// Where a page stands in its list.
#[derive(Debug, Clone, SimpleObject)]
pub struct PageInfo {
    /// Whether more follow.
    pub has_next_page: bool,
    /// Whether more precede.
    pub has_previous_page: bool,
    /// The first edge's cursor.
    pub start_cursor: Option<String>,
    /// The last edge's cursor.
    pub end_cursor: Option<String>,
}

/// The four arguments of a connection.
#[derive(Debug, Clone, Default)]
pub struct PageArguments {
    /// The first so many…
    pub first: Option<i32>,
    /// … after this cursor.
    pub after: Option<String>,
    /// The last so many…
    pub last: Option<i32>,
    /// … before this cursor.
    pub before: Option<String>,
}

impl PageArguments {
    /// How many rows, `most` at most, and whether from the end.
    ///
    /// # Errors
    /// [`Error::BadUserInput`] for both `first` and `last`, [`Error::PageRows`] for a number below 1, or one above `most`.
    pub fn size(&self, most: i32) -> Result<(u64, bool), Error> {
        let (size, from_end) = match (self.first, self.last) {
            (Some(_), Some(_)) => return Err(Error::BadUserInput("Ask for `first` or for `last`, not for both.".into())),
            (first, None) => (first.unwrap_or(DEFAULT_PAGE.min(most)), false),
            (None, Some(last)) => (last, true),
        };
        match u64::try_from(size) {
            Ok(size) if (1..=u64::from(most.unsigned_abs())).contains(&size) => Ok((size, from_end)),
            _ => Err(Error::PageRows { asked: size, most }),
        }
    }

    /// The window into the list `scope`, whose cursors it alone takes.
    ///
    /// # Errors
    /// As [`PageArguments::size`]; [`Error::BadUserInput`] for a cursor of another list or of nobody's making.
    pub fn window(&self, request: &RequestContext, list: &str) -> Result<Window, Error> {
        let (limit, from_end) = self.size(request.page_rows)?;
        let scope = scope_of(request, list);
        let open = |cursor: &Option<String>| cursor.as_deref().map(|cursor| open(&request.cursors, &scope, cursor)).transpose();
        Ok(Window { after: open(&self.after)?, before: open(&self.before)?, limit, from_end })
    }
}

/// What a page's rows need to show their cursors, which are made when they are asked for: most answers show none.
#[derive(Clone)]
pub struct List {
    /// Seals cursors.
    key: Arc<CursorKey>,
    /// The list's name together with whose it is.
    scope: Arc<str>,
}

impl List {
    /// The list of that name, as the caller has it.
    pub fn new(request: &RequestContext, list: &str) -> Self {
        Self { key: Arc::clone(&request.cursors), scope: scope_of(request, list).into() }
    }

    /// The cursor of a position.
    pub fn cursor(&self, position: Position) -> String {
        let mut bytes = position.at.get().as_microsecond().to_be_bytes().to_vec();
        bytes.extend_from_slice(position.id.as_bytes());
        self.key.seal(&self.scope, &bytes)
    }
}

/// A list's name together with whose it is, so that a cursor fits one list of one business alone.
fn scope_of(request: &RequestContext, list: &str) -> String {
    match request.view().caller {
        Caller::Staff { .. } => format!("staff/{list}"),
        caller => {
            let business = caller.scope().map(|scope| scope.business().to_string()).unwrap_or_default();
            format!("{business}/{list}")
        }
    }
}

/// The position a cursor names.
fn open(key: &CursorKey, scope: &str, cursor: &str) -> Result<Position, Error> {
    let decode = || {
        let bytes = key.open(scope, cursor)?;
        let (at, id) = bytes.split_at_checked(8)?;
        let at = jiff::Timestamp::from_microsecond(i64::from_be_bytes(at.try_into().ok()?)).ok()?;
        Some(Position { at: Instant::from(at), id: uuid::Uuid::from_slice(id).ok()? })
    };
    decode().ok_or_else(|| Error::BadUserInput("The cursor is not one of this list's.".into()))
}

/// Counts a list when it is asked to.
pub type Count = Arc<dyn Fn() -> BoxFuture<'static, Result<u64, Error>> + Send + Sync>;

/// Counts a business's list together with those of other businesses.
pub fn count_of(request: &RequestContext, business: BusinessId, counts: fn(&Loaders) -> &Loader<BusinessId, u64>) -> Count {
    let view = request.view();
    Arc::new(move || {
        let view = Arc::clone(&view);
        Box::pin(async move { Ok(counts(&view.loaders).load(business).await?.unwrap_or_default()) })
    })
}

/// What `totalCount` shows of a count: null past [`MAX_COUNT`].
pub fn shown_count(count: u64) -> Option<i32> {
    if count > MAX_COUNT { None } else { i32::try_from(count).ok() }
}

/// Declares a Relay connection: edges, nodes, page info, and a count that is made only when it is asked for.
macro_rules! connection {
    ($connection:ident, $edge:ident, $node:ty, $plural:literal) => {
        #[doc = concat!("A page of ", $plural, ".")]
        pub struct $connection {
            edges: Vec<$edge>,
            has_next: bool,
            has_previous: bool,
            count: $crate::graphql::page::Count,
        }

        #[doc = concat!("One of a page of ", $plural, ", with its place in the list.")]
        #[derive(Clone, async_graphql::SimpleObject)]
        #[graphql(complex)]
        pub struct $edge {
            /// The thing itself.
            node: $node,
            #[graphql(skip)]
            list: $crate::graphql::page::List,
            #[graphql(skip)]
            position: $crate::store::page::Position,
        }

        #[async_graphql::ComplexObject]
        impl $edge {
            /// Where it stands in the list, for `after` and `before`.
            async fn cursor(&self) -> String {
                self.list.cursor(self.position)
            }
        }

        #[doc = concat!("A page of ", $plural, ".")]
        #[async_graphql::Object]
        impl $connection {
            /// Each with its cursor.
            async fn edges(&self) -> &[$edge] {
                &self.edges
            }
            /// Each without its cursor.
            async fn nodes(&self) -> Vec<&$node> {
                self.edges.iter().map(|edge| &edge.node).collect()
            }
            /// Where the page stands in its list.
            async fn page_info(&self) -> $crate::graphql::page::PageInfo {
                let cursor = |edge: &$edge| edge.list.cursor(edge.position);
                $crate::graphql::page::PageInfo {
                    has_next_page: self.has_next,
                    has_previous_page: self.has_previous,
                    start_cursor: self.edges.first().map(cursor),
                    end_cursor: self.edges.last().map(cursor),
                }
            }
            /// How many there are in all; null past 10,000.
            async fn total_count(&self) -> async_graphql::Result<Option<i32>> {
                Ok($crate::graphql::page::shown_count((self.count)().await?))
            }
        }

        impl $connection {
            /// The page of `rows`, each with its position, whose cursors belong to `list`.
            pub(crate) fn of(
                request: &$crate::graphql::context::RequestContext,
                list: &str,
                page: $crate::store::page::Page<($crate::store::page::Position, $node)>,
                count: $crate::graphql::page::Count,
            ) -> Self {
                let list = $crate::graphql::page::List::new(request, list);
                let edge = |(position, node)| $edge { node, list: list.clone(), position };
                let edges = page.rows.into_iter().map(edge).collect();
                Self { edges, has_next: page.has_next, has_previous: page.has_previous, count }
            }
        }
    };
}
pub(crate) use connection;
