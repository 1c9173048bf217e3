//! Credit notes.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use super::invoices::Invoice;
use super::refunds::Refund;
use super::subscriptions::Period;
use crate::error::Error;
use crate::graphql::context::{nullable, request};
use crate::graphql::page::{Count, PageArguments, connection};
use crate::graphql::scalars::{DateTime, Money, show_id, stored_money};
use crate::services::access::Need;
use crate::store::page::Position;
use crate::store::reads::invoices as rows;
use crate::store::types;

/// Why a credit note was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::CreditNoteReason")]
pub enum CreditNoteReason {
    /// A change of plan that is worth less than the unused time.
    PlanChange,
    /// A cancellation that credits unused time.
    Cancellation,
    /// Billed twice.
    Duplicate,
    /// Billed wrongly.
    Error,
    /// A kindness.
    Goodwill,
    /// A dispute that was lost.
    Dispute,
}

/// A credit note: takes back a part of an invoice.
#[derive(Clone)]
pub struct CreditNote {
    row: Arc<rows::CreditNote>,
}

impl CreditNote {
    /// The note of a row.
    pub fn new(row: rows::CreditNote) -> Self {
        Self { row: Arc::new(row) }
    }

    /// An amount of it.
    fn money(&self, minor: i64) -> Result<Money> {
        Ok(stored_money(minor, self.row.currency)?)
    }
}

/// A credit note: takes back a part of an invoice.
#[Object]
impl CreditNote {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Consecutive without gaps.
    async fn number(&self) -> &str {
        &self.row.number
    }
    /// What it takes back a part of.
    async fn invoice(&self, context: &Context<'_>) -> Result<Invoice> {
        let invoice = request(context).view().loaders.invoices.load((self.row.business_id, self.row.invoice_id)).await?;
        Ok(Invoice::new(invoice.ok_or_else(|| Error::Corrupt("a credit note's invoice is gone".into()))?))
    }
    /// With tax. It went where the three below say, and they add up to it.
    async fn amount(&self) -> Result<Money> {
        self.money(self.row.amount_minor)
    }
    /// The tax in it.
    async fn tax(&self) -> Result<Money> {
        self.money(self.row.tax_minor)
    }
    /// What it took off what was due.
    async fn took_off_amount_due(&self) -> Result<Money> {
        self.money(self.row.took_off_due_minor)
    }
    /// What became account credit.
    async fn to_account_credit(&self) -> Result<Money> {
        self.money(self.row.to_credit_minor)
    }
    /// What is paid back.
    async fn to_refund(&self) -> Result<Money> {
        self.money(self.row.to_refund_minor)
    }
    /// What it credits, in order.
    async fn lines(&self, context: &Context<'_>) -> Result<Vec<CreditNoteLine>> {
        let lines = request(context).view().loaders.credit_note_lines.load((self.row.business_id, self.row.id)).await?.unwrap_or_default();
        let show = |line: rows::CreditNoteLine| {
            let amount = self.money(line.amount_minor)?;
            Ok(CreditNoteLine { description: line.description, period: Period::of(line.period_start, line.period_end), amount })
        };
        lines.into_iter().map(show).collect()
    }
    /// The refunds that pay back what is to be; the oldest first.
    async fn refunds(&self, context: &Context<'_>) -> Result<Vec<Refund>> {
        let refunds = request(context).view().loaders.credit_note_refunds.load((self.row.business_id, self.row.id)).await?;
        Ok(refunds.unwrap_or_default().into_iter().map(Refund::new).collect())
    }
    /// Why it was issued.
    async fn reason(&self) -> CreditNoteReason {
        self.row.reason.into()
    }
    /// In words, for the customer.
    async fn memo(&self) -> Option<&str> {
        self.row.memo.as_deref()
    }
    /// When it was issued.
    async fn issued_at(&self) -> DateTime {
        DateTime(self.row.issued_at)
    }
}

/// One line of a credit note.
#[derive(SimpleObject)]
pub struct CreditNoteLine {
    /// In words.
    description: String,
    /// The time it covers.
    period: Option<Period>,
    /// What it credits.
    amount: Money,
}

connection!(CreditNoteConnection, CreditNoteEdge, CreditNote, "credit notes");

/// Queries about credit notes.
#[derive(Default)]
pub struct CreditNoteQuery;

#[Object]
impl CreditNoteQuery {
    /// The business's credit notes, newest first.
    async fn credit_notes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<CreditNoteConnection>> {
        nullable(async {
            request(context).require(Need::ReadMoney).await?;
            let request = request(context);
            let window = PageArguments { first, after, last, before }.window(request, "creditNotes")?;
            let tenant = request.tenant().await?;
            let page = rows::credit_note_page(&tenant, window).await?;
            let count: Count = Arc::new(move || {
                let tenant = tenant.clone();
                Box::pin(async move { rows::credit_note_count(&tenant).await })
            });
            let page = page.map(|row| (Position { at: row.issued_at, id: row.id.uuid() }, CreditNote::new(row)));
            Ok(Some(CreditNoteConnection::of(request, "creditNotes", page, count)))
        })
        .await
    }
}
