//! The ledger, double entry, across businesses.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use super::money::reader_of;
use crate::billing::ledger::{Account, EntryKind};
use crate::graphql::context::{nullable, request};
use crate::graphql::page::{Count, PageArguments, connection};
use crate::graphql::scalars::{DateTime, Money, show_id, stored_money};
use crate::ids::{CreditNoteId, InvoiceId, PaymentId, RefundId};
use crate::services::staff::Right;
use crate::store::page::Position;
use crate::store::reads::ledger as rows;

/// Where postings go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Account")]
pub enum LedgerAccount {
    /// What businesses owe on their invoices: the sum of what is due on them.
    Receivable,
    /// What gateways hold for the seller, and what came outside one.
    Cash,
    /// What the seller owes businesses as account credit.
    AccountCredit,
    /// What was sold, without tax.
    Revenue,
    /// Tax that is owed to the state.
    TaxPayable,
    /// The cost of invoices that were given up on.
    WriteOff,
    /// What stands against the receivable of those: they are still owed, and may still be paid.
    WriteOffAllowance,
    /// Amounts below what a gateway takes.
    Rounding,
    /// Refunds that are decided and not paid.
    Refunds,
    /// Charges that a payer's bank has taken back or may.
    Disputes,
}

/// One side of an entry.
#[derive(Debug, Clone, SimpleObject)]
pub struct Posting {
    /// Where it goes.
    account: LedgerAccount,
    /// How much: a debit is positive, a credit negative.
    amount: Money,
}

/// An entry of the ledger.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    row: rows::JournalEntry,
}

impl JournalEntry {
    /// The entry of a row.
    pub const fn new(row: rows::JournalEntry) -> Self {
        Self { row }
    }
}

/// An entry of the ledger: what one event of money posted, in the transaction that it happened in. Entries are never
/// changed.
#[Object]
impl JournalEntry {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Whose it is.
    async fn business_id(&self) -> ID {
        show_id(self.row.business_id)
    }
    /// What happened: `INVOICE_ISSUED`.
    async fn kind(&self) -> &str {
        self.row.kind.as_str()
    }
    /// What it happened to: the id of an invoice, a payment, a credit note or a refund.
    async fn subject(&self) -> String {
        let id = self.row.subject_id;
        match self.row.kind {
            EntryKind::PaymentCaptured | EntryKind::DisputeOpened | EntryKind::DisputeWon => PaymentId::from(id).to_string(),
            EntryKind::CreditNoteIssued => CreditNoteId::from(id).to_string(),
            EntryKind::RefundPaid | EntryKind::RefundFailed => RefundId::from(id).to_string(),
            EntryKind::InvoiceIssued
            | EntryKind::CreditUsed
            | EntryKind::InvoiceVoided
            | EntryKind::RoundedOff
            | EntryKind::WrittenOff
            | EntryKind::Recovered => InvoiceId::from(id).to_string(),
        }
    }
    /// Its sides, which add up to zero.
    async fn postings(&self, context: &Context<'_>) -> Result<Vec<Posting>> {
        let loaders = &request(context).view().loaders;
        let found = loaders.postings.load((self.row.business_id, self.row.id)).await?.unwrap_or_default();
        let posting =
            |row: rows::Posting| Ok(Posting { account: row.account.into(), amount: stored_money(row.amount_minor, self.row.currency)? });
        found.into_iter().map(posting).collect()
    }
    /// When it happened.
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
}

connection!(JournalEntryConnection, JournalEntryEdge, JournalEntry, "entries of the ledger");

/// Queries about the ledger.
#[derive(Debug, Default)]
pub struct LedgerQuery;

#[Object]
impl LedgerQuery {
    /// The entries of a business or of all, those that post to one account or all, newest first.
    async fn ledger(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of this business alone.")] business_id: Option<ID>,
        #[graphql(desc = "Only entries that post to it.")] account: Option<LedgerAccount>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<JournalEntryConnection>> {
        nullable(async {
            const LIST: &str = "ledger";
            let (request, arguments) = (request(context), PageArguments { first, after, last, before });
            request.staff_access().await?.require(Right::Read)?;
            let window = arguments.window(request, LIST)?;
            let (reader, account) = (reader_of(request, business_id).await?, account.map(Account::from));
            let page = rows::page(&reader, account, window).await?;
            let count: Count = Arc::new(move || {
                let reader = reader.clone();
                Box::pin(async move { rows::count(&reader, account).await })
            });
            let place = |row: rows::JournalEntry| (Position { at: row.at, id: row.id.uuid() }, JournalEntry::new(row));
            Ok(Some(JournalEntryConnection::of(request, LIST, page.map(place), count)))
        })
        .await
    }
}
