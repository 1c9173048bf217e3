//! Account credit: how a balance came about.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::credit_notes::CreditNote;
use super::invoices::Invoice;
use crate::error::Error;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::page::{PageArguments, connection, count_of};
use crate::graphql::scalars::{DateTime, Money, show_id, stored_money};
use crate::ids::BusinessId;
use crate::store::page::Position;
use crate::store::reads::credit as rows;
use crate::store::types;

/// How account credit came about, or where it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::CreditReason")]
pub enum CreditReason {
    /// A credit note granted it.
    CreditNote,
    /// It was used on an invoice.
    AppliedToInvoice,
    /// More was paid than was due.
    Overpayment,
    /// An amount was collected in whole units of the gateway, or is less than it takes.
    Rounding,
    /// A payment came after the invoice was settled otherwise.
    LatePayment,
    /// A void invoice gave it back.
    VoidedInvoice,
    /// A refund failed.
    FailedRefund,
    /// It was granted by hand.
    GrantedByStaff,
}

/// A movement of account credit.
#[derive(Debug, Clone)]
pub struct CreditEntry {
    row: rows::CreditEntry,
}

impl CreditEntry {
    /// The movement of a row.
    pub const fn new(row: rows::CreditEntry) -> Self {
        Self { row }
    }
}

/// A movement of a business's account credit.
#[Object]
impl CreditEntry {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Why.
    async fn reason(&self) -> CreditReason {
        self.row.reason.into()
    }
    /// How much; negative where it was used.
    async fn amount(&self) -> Result<Money> {
        Ok(stored_money(self.row.amount_minor, self.row.currency)?)
    }
    /// The balance after it.
    async fn balance_after(&self) -> Result<Money> {
        Ok(stored_money(self.row.balance_after_minor, self.row.currency)?)
    }
    /// The invoice that it was used on, or that it came from.
    async fn invoice(&self, context: &Context<'_>) -> Result<Option<Invoice>> {
        let Some(id) = self.row.invoice_id else { return Ok(None) };
        let found = request(context).view().loaders.invoices.load((self.row.business_id, id)).await?;
        Ok(Some(Invoice::new(found.ok_or_else(|| Error::Corrupt("the invoice of account credit is gone".into()))?)))
    }
    /// The credit note that granted it.
    async fn credit_note(&self, context: &Context<'_>) -> Result<Option<CreditNote>> {
        let Some(id) = self.row.credit_note_id else { return Ok(None) };
        let found = request(context).view().loaders.credit_notes.load((self.row.business_id, id)).await?;
        Ok(Some(CreditNote::new(found.ok_or_else(|| Error::Corrupt("the credit note of account credit is gone".into()))?)))
    }
    /// When.
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
}

connection!(CreditEntryConnection, CreditEntryEdge, CreditEntry, "movements of account credit");

/// A page of a business's movements, read together with those of other businesses.
pub(super) async fn page_of_business(
    request: &RequestContext,
    business: BusinessId,
    arguments: PageArguments,
) -> Result<CreditEntryConnection> {
    let name = format!("{business}/credit");
    let window = arguments.window(request, &name)?;
    let page = request.view().loaders.business_credit.page(business, window).await?;
    let count = count_of(request, business, |loaders| &loaders.business_credit_counts);
    let page = page.map(|row| (Position { at: row.at, id: row.id.uuid() }, CreditEntry::new(row)));
    Ok(CreditEntryConnection::of(request, &name, page, count))
}
