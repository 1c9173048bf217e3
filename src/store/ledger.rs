//! The ledger: entries whose postings add up to zero, written in the transaction that moves the money and never changed.

use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _};

use super::Tenant;
use super::entity::ledger::{journal_entry, posting};
use crate::error::Error;

pub use super::entity::ledger::journal_entry::Model as JournalEntry;
pub use super::entity::ledger::posting::Model as Posting;

/// Adds an entry with its postings.
///
/// # Errors
/// [`Error::UniqueViolation`] for what happens once to its subject and is booked already.
pub async fn insert(tenant: &Tenant, entry: JournalEntry, postings: Vec<Posting>) -> Result<(), Error> {
    tenant.insert_many::<journal_entry::Entity, _>(vec![entry.into_active_model().reset_all()]).await?;
    let postings = postings.into_iter().map(|posting| posting.into_active_model().reset_all()).collect();
    tenant.insert_many::<posting::Entity, _>(postings).await
}
