//! The ledger: each event of money is entered in the transaction that it happens in, by the rule that says what it posts.

use uuid::Uuid;

use super::account::Account;
use super::rule;
use crate::billing::RuleError;
use crate::billing::ledger::{Entry, EntryKind, recovered};
use crate::billing::lifecycle::InvoiceStatus;
use crate::error::Error;
use crate::services::Ports;
use crate::store::Tenant;
use crate::store::invoices::Invoice;
use crate::store::ledger::{JournalEntry, Posting, insert};

/// Enters what an event posts; `subject` is the id of what it happened to. An event that moved nothing leaves no entry.
///
/// # Errors
/// [`Error::Corrupt`] for an entry that does not balance, [`Error::UniqueViolation`] for an event that happens once and
/// is entered already; or the database's fault.
pub(super) async fn enter(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    (kind, subject): (EntryKind, Uuid),
    entry: Result<Entry, RuleError>,
) -> Result<(), Error> {
    let entry = entry.map_err(rule)?;
    if entry.postings().is_empty() {
        return Ok(());
    }
    let row = JournalEntry {
        business_id: account.business.business_id,
        id: ports.ids.next(),
        kind,
        subject_id: subject,
        currency: account.business.currency,
        at: account.instant(),
    };
    let postings = (1..).zip(entry.postings()).map(|(position, posting)| Posting {
        business_id: row.business_id,
        id: ports.ids.next(),
        entry_id: row.id,
        position,
        account: posting.account,
        amount_minor: posting.amount_minor,
    });
    let postings = postings.collect();
    insert(tenant, row, postings).await
}

/// Enters that `amount_minor` less is due on an invoice that stood as `was`: where that was given up on, it comes back.
///
/// # Errors
/// As [`enter`].
pub(super) async fn taken_off(
    tenant: &Tenant,
    ports: &Ports,
    account: &Account,
    (invoice, was): (&Invoice, InvoiceStatus),
    amount_minor: i64,
) -> Result<(), Error> {
    if was != InvoiceStatus::Uncollectible {
        return Ok(());
    }
    enter(tenant, ports, account, (EntryKind::Recovered, invoice.id.uuid()), recovered(amount_minor)).await
}
