//! Who waits to be verified.

use sea_orm::sea_query::Query;
use sea_orm::{ColumnTrait as _, QueryFilter as _};

use crate::error::Error;
use crate::store::Reader;
use crate::store::entity::customers::business;
use crate::store::entity::verification::submission;
use crate::store::page::{MAX_COUNT, Page, Window, newest_first};
use crate::store::tenant::Scoped;
use crate::store::types::VerificationStatus;
use crate::store::verification::Verification;

/// A page of those whose submission is to be reviewed, the oldest first: the list of the newest, read from its end.
///
/// # Errors
/// The database's fault.
pub async fn queue(reader: &Reader, window: Window) -> Result<Page<Verification>, Error> {
    let mirrored = Window { after: window.before, before: window.after, limit: window.limit, from_end: !window.from_end };
    let (at, id) = (submission::Column::SubmittedAt, submission::Column::BusinessId);
    let Page { mut rows, has_next, has_previous } = newest_first(waiting(reader), at, id, mirrored).await?;
    rows.reverse();
    Ok(Page { rows, has_next: has_previous, has_previous: has_next })
}

/// How many wait, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(reader: &Reader) -> Result<u64, Error> {
    waiting(reader).count_up_to(MAX_COUNT).await
}

/// Those whose submission is to be reviewed.
fn waiting(reader: &Reader) -> Scoped<submission::Entity> {
    let pending = Query::select()
        .column(business::Column::BusinessId)
        .from(business::Entity)
        .cond_where(business::Column::VerificationStatus.eq(VerificationStatus::Pending))
        .to_owned();
    reader.select::<submission::Entity>().filter(submission::Column::BusinessId.in_subquery(pending))
}
