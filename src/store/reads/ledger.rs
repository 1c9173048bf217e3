//! The ledger as staff read it.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::{Of, grouped};
use crate::billing::ledger::Account;
use crate::error::Error;
use crate::ids::JournalEntryId;
use crate::store::Reader;
use crate::store::entity::ledger::{journal_entry, posting};
use crate::store::page::{MAX_COUNT, Page, Window, newest_first};
use crate::store::tenant::Scoped;

pub use crate::store::entity::ledger::journal_entry::Model as JournalEntry;
pub use crate::store::entity::ledger::posting::Model as Posting;

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(reader: &Reader, id: JournalEntryId) -> Result<Option<JournalEntry>, Error> {
    reader.by_id::<journal_entry::Entity, _>(id).await
}

/// A page of the entries that post to `account`, or of all, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(reader: &Reader, account: Option<Account>, window: Window) -> Result<Page<JournalEntry>, Error> {
    newest_first(filtered(reader, account), journal_entry::Column::At, journal_entry::Column::Id, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(reader: &Reader, account: Option<Account>) -> Result<u64, Error> {
    filtered(reader, account).count_up_to(MAX_COUNT).await
}

/// The entries that post to `account`, or all.
fn filtered(reader: &Reader, account: Option<Account>) -> Scoped<journal_entry::Entity> {
    let select = reader.select::<journal_entry::Entity>();
    let Some(account) = account else { return select };
    let posts = Query::select()
        .expr(Expr::val(1))
        .from(posting::Entity)
        .and_where(
            Expr::col((posting::Entity, posting::Column::BusinessId)).equals((journal_entry::Entity, journal_entry::Column::BusinessId)),
        )
        .and_where(Expr::col((posting::Entity, posting::Column::EntryId)).equals((journal_entry::Entity, journal_entry::Column::Id)))
        .and_where(posting::Column::Account.eq(account))
        .take();
    select.filter(Expr::exists(posts))
}

/// The postings of many entries, each entry's in their order.
///
/// # Errors
/// The database's fault.
pub async fn postings_of(reader: &Reader, entries: &[Of<JournalEntryId>]) -> Result<HashMap<Of<JournalEntryId>, Vec<Posting>>, Error> {
    let select = reader.select_of::<posting::Entity, _>(posting::Column::EntryId, entries);
    Ok(grouped(select.order_by_asc(posting::Column::Position).all().await?, |posting| (posting.business_id, posting.entry_id)))
}
