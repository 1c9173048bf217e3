//! Account credit as the API shows it: how a balance came about.

use std::collections::HashMap;

use crate::error::Error;
use crate::ids::{BusinessId, CreditEntryId};
use crate::store::Reader;
use crate::store::entity::invoices::credit_entry;
use crate::store::page::{Page, Window, count_of_each, newest_of_each};

pub use crate::store::entity::invoices::credit_entry::Model as CreditEntry;

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(reader: &Reader, id: CreditEntryId) -> Result<Option<CreditEntry>, Error> {
    reader.by_id::<credit_entry::Entity, _>(id).await
}

/// The same part of many businesses' entries, the newest first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn pages(reader: &Reader, businesses: &[BusinessId], window: Window) -> Result<HashMap<BusinessId, Page<CreditEntry>>, Error> {
    let rows = || reader.select_of_businesses::<credit_entry::Entity>(businesses);
    let order = (credit_entry::Column::At, credit_entry::Column::Id);
    newest_of_each(rows, businesses, credit_entry::Column::BusinessId, order, window, |row| row.business_id).await
}

/// How many entries each of many businesses has, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn counts(reader: &Reader, businesses: &[BusinessId]) -> Result<HashMap<BusinessId, u64>, Error> {
    count_of_each(reader.select_of_businesses::<credit_entry::Entity>(businesses)).await
}
