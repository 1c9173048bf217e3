//! Disputes: what payers' banks do about charges.
#![expect(clippy::unused_async, reason = "a resolver is async whether it waits or not")]

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use uuid::Uuid;

use super::money::reader_of;
use crate::billing::dispute;
use crate::error::Error;
use crate::graphql::business::payments::Payment;
use crate::graphql::business::profile::Business;
use crate::graphql::business::refunds::Refund;
use crate::graphql::context::{nullable, request};
use crate::graphql::page::{Count, PageArguments, connection};
use crate::graphql::scalars::{DateTime, Money, show_id, stored_money};
use crate::ids::PaymentId;
use crate::services::staff::Right;
use crate::store::page::Position;
use crate::store::reads::disputes::{self as rows, DisputeFilter};

/// Where a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "dispute::DisputeStatus")]
pub enum DisputeStatus {
    /// The bank asks, and has taken nothing back. Paying the payment back may settle it.
    Inquiry,
    /// It asked, and nothing came of it.
    InquiryClosed,
    /// The bank has taken the charge back or will: send evidence at the gateway.
    NeedsResponse,
    /// The bank looks at the evidence.
    UnderReview,
    /// The charge stands.
    Won,
    /// The charge is the payer's again.
    Lost,
}

/// Where a dispute's money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "dispute::DisputeFunds")]
pub enum DisputeFunds {
    /// With the seller: nothing was taken back.
    NotTaken,
    /// With the bank, until it has decided.
    Taken,
    /// With the seller again.
    GivenBack,
    /// The payer's.
    Lost,
}

/// A dispute of a payment.
#[derive(Clone)]
pub struct Dispute {
    row: Arc<rows::Dispute>,
}

impl Dispute {
    /// The dispute of a row.
    pub fn new(row: rows::Dispute) -> Self {
        Self { row: Arc::new(row) }
    }
}

/// A dispute that a payer's bank has begun about a payment, as the gateway tells it. Evidence is sent at the gateway.
#[Object]
impl Dispute {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Whose payment it is about.
    async fn business(&self, context: &Context<'_>) -> Result<Business> {
        Ok(Business::of(request(context), self.row.business_id).await?)
    }
    /// The payment.
    async fn payment(&self, context: &Context<'_>) -> Result<Payment> {
        let payment = request(context).view().loaders.payments.load((self.row.business_id, self.row.payment_id)).await?;
        Ok(Payment::new(payment.ok_or_else(|| Error::Corrupt("a dispute's payment is gone".into()))?))
    }
    /// How much is disputed.
    async fn amount(&self) -> Result<Money> {
        Ok(stored_money(self.row.amount_minor, self.row.currency)?)
    }
    /// Why, in the gateway's word: `fraudulent`.
    async fn reason(&self) -> &str {
        &self.row.reason
    }
    /// Where it stands.
    async fn status(&self) -> DisputeStatus {
        self.row.status.into()
    }
    /// Where its money is.
    async fn funds(&self) -> DisputeFunds {
        self.row.funds.into()
    }
    /// What the gateway calls it: `du_…`.
    async fn gateway_reference(&self) -> &str {
        &self.row.gateway_reference
    }
    /// Until when evidence is taken.
    async fn respond_by(&self) -> Option<DateTime> {
        self.row.respond_by.map(DateTime)
    }
    /// What was credited and counts as paid back, where it was lost.
    async fn refund(&self, context: &Context<'_>) -> Option<Result<Refund>> {
        nullable(async {
            let Some(id) = self.row.refund_id else { return Ok(None) };
            let refunds = request(context).view().loaders.payment_refunds.load((self.row.business_id, self.row.payment_id)).await?;
            Ok(refunds.unwrap_or_default().into_iter().find(|refund| refund.id == id).map(Refund::new))
        })
        .await
    }
    /// What was lost and nothing could be credited for, since payment and invoice had no more left.
    async fn loss(&self) -> Result<Money> {
        Ok(stored_money(self.row.loss_minor, self.row.currency)?)
    }
    /// When the bank began it.
    async fn opened_at(&self) -> DateTime {
        DateTime(self.row.opened_at)
    }
    /// When it was known how it ended.
    async fn closed_at(&self) -> Option<DateTime> {
        self.row.closed_at.map(DateTime)
    }
}

connection!(DisputeConnection, DisputeEdge, Dispute, "disputes");

/// Which disputes; every member narrows.
#[derive(Debug, Default, InputObject)]
pub struct StaffDisputeFilter {
    /// Of this business.
    business_id: Option<ID>,
    /// Of this payment.
    payment_id: Option<ID>,
    /// Of these statuses.
    status: Option<Vec<DisputeStatus>>,
}

/// Queries about disputes.
#[derive(Debug, Default)]
pub struct DisputeQuery;

#[Object]
impl DisputeQuery {
    /// Disputes of all businesses' payments, newest first.
    async fn disputes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only such.")] filter: Option<StaffDisputeFilter>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<DisputeConnection>> {
        nullable(async {
            const LIST: &str = "disputes";
            let (request, arguments) = (request(context), PageArguments { first, after, last, before });
            request.staff_access().await?.require(Right::Read)?;
            let window = arguments.window(request, LIST)?;
            let asked = filter.unwrap_or_default();
            let reader = reader_of(request, asked.business_id).await?;
            let filter = Arc::new(DisputeFilter {
                statuses: asked.status.map(|statuses| statuses.into_iter().map(Into::into).collect()),
                payment: asked.payment_id.map(|id| PaymentId::parse(&id).unwrap_or(PaymentId::from(Uuid::nil()))),
            });
            let page = rows::page(&reader, &filter, window).await?;
            let count: Count = Arc::new(move || {
                let (reader, filter) = (reader.clone(), Arc::clone(&filter));
                Box::pin(async move { rows::count(&reader, &filter).await })
            });
            let place = |row: rows::Dispute| (Position { at: row.created_at, id: row.id.uuid() }, Dispute::new(row));
            Ok(Some(DisputeConnection::of(request, LIST, page.map(place), count)))
        })
        .await
    }
}
