//! What gateways list and our rows do not have, or have otherwise.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use uuid::Uuid;

use crate::error::Error;
use crate::graphql::business::payments::Payment;
use crate::graphql::business::profile::Business;
use crate::graphql::business::refunds::Refund;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::page::{Count, PageArguments, connection};
use crate::graphql::scalars::{Date, DateTime, show_id};
use crate::ids::{BusinessId, GatewayDifferenceId};
use crate::services::staff::Right;
use crate::store::gateway_differences::{self as rows, Difference, DifferenceFilter};
use crate::store::page::Position;
use crate::store::types;

/// Of what a gateway's list and our rows differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::DifferenceSubject")]
pub enum DifferenceSubject {
    /// A charge.
    Charge,
    /// A refund.
    Refund,
    /// A dispute.
    Dispute,
}

/// How a gateway's list and our rows differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::DifferenceKind")]
pub enum DifferenceKind {
    /// The gateway has it, and we do not: it was made there by hand, or a second time.
    NotHere,
    /// It moved money by our rows, and the gateway does not know it.
    NotThere,
    /// They come to different amounts, or currencies.
    Amount,
    /// By the one money moved, by the other it did not.
    Status,
    /// What became of it is not known here a day later.
    Unsettled,
}

/// Something in which a gateway's list and our rows differ.
#[derive(Clone)]
pub struct GatewayDifference {
    row: Arc<Difference>,
}

impl GatewayDifference {
    /// The difference of a row.
    fn new(row: Difference) -> Self {
        Self { row: Arc::new(row) }
    }

    /// One by id.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: GatewayDifferenceId) -> Result<Option<Self>, Error> {
        Ok(rows::by_id(&request.system().await?, id).await?.map(Self::new))
    }
}

/// Something in which a gateway's list and our rows differed when they were compared. Nothing was changed by it.
#[Object]
impl GatewayDifference {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// The gateway: `stripe`.
    async fn gateway(&self) -> &str {
        &self.row.gateway
    }
    /// The day of UTC that was compared.
    async fn day(&self) -> Date {
        Date(self.row.day)
    }
    /// Of what.
    async fn subject(&self) -> DifferenceSubject {
        self.row.subject.into()
    }
    /// How.
    async fn kind(&self) -> DifferenceKind {
        self.row.kind.into()
    }
    /// What the gateway calls it, or we where that has no name for it.
    async fn reference(&self) -> &str {
        &self.row.reference
    }
    /// Whose it is, where that is known.
    async fn business(&self, context: &Context<'_>) -> Option<Result<Business>> {
        nullable(async {
            let Some(id) = self.row.concerned_id else { return Ok(None) };
            Ok(Some(Business::of(request(context), id).await?))
        })
        .await
    }
    /// The payment that it is about, where that is known.
    async fn payment(&self, context: &Context<'_>) -> Option<Result<Payment>> {
        nullable(async {
            let Some(key) = self.row.concerned_id.zip(self.row.payment_id) else { return Ok(None) };
            Ok(request(context).view().loaders.payments.load(key).await?.map(Payment::new))
        })
        .await
    }
    /// The refund that it is about, where that is known.
    async fn refund(&self, context: &Context<'_>) -> Option<Result<Refund>> {
        nullable(async {
            let (Some(key), Some(id)) = (self.row.concerned_id.zip(self.row.payment_id), self.row.refund_id) else { return Ok(None) };
            let refunds = request(context).view().loaders.payment_refunds.load(key).await?;
            Ok(refunds.unwrap_or_default().into_iter().find(|refund| refund.id == id).map(Refund::new))
        })
        .await
    }
    /// What our rows say: `SUCCEEDED KES 34.80`; null where there is none.
    async fn ours(&self) -> Option<&str> {
        self.row.ours.as_deref()
    }
    /// What the gateway says: `moved KES 34.80`; null where it was not asked.
    async fn theirs(&self) -> Option<&str> {
        self.row.theirs.as_deref()
    }
    /// When it was found first.
    async fn found_at(&self) -> DateTime {
        DateTime(self.row.found_at)
    }
    /// When it was found to differ no more; null while it does.
    async fn cleared_at(&self) -> Option<DateTime> {
        self.row.cleared_at.map(DateTime)
    }
}

connection!(GatewayDifferenceConnection, GatewayDifferenceEdge, GatewayDifference, "differences between gateways' lists and our rows");

/// Which differences; every member narrows.
#[derive(Debug, Default, InputObject)]
pub struct GatewayDifferenceFilter {
    /// Of this gateway: `stripe`.
    gateway: Option<String>,
    /// Of this business.
    business_id: Option<ID>,
    /// True: those that differ still; false: those that have cleared.
    open: Option<bool>,
}

/// Queries about differences.
#[derive(Debug, Default)]
pub struct DifferenceQuery;

#[Object]
impl DifferenceQuery {
    /// What the daily comparison with the gateways' lists found to differ, newest first.
    async fn gateway_differences(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only such.")] filter: Option<GatewayDifferenceFilter>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<GatewayDifferenceConnection>> {
        nullable(async {
            const LIST: &str = "gatewayDifferences";
            let (request, arguments) = (request(context), PageArguments { first, after, last, before });
            request.staff_access().await?.require(Right::Read)?;
            let window = arguments.window(request, LIST)?;
            let asked = filter.unwrap_or_default();
            let filter = Arc::new(DifferenceFilter {
                gateway: asked.gateway,
                is_open: asked.open,
                business: asked.business_id.map(|id| BusinessId::parse(&id).unwrap_or(BusinessId::from(Uuid::nil()))),
            });
            let system = request.system().await?;
            let page = rows::page(&system, &filter, window).await?;
            let count: Count = Arc::new(move || {
                let (system, filter) = (system.clone(), Arc::clone(&filter));
                Box::pin(async move { rows::count(&system, &filter).await })
            });
            let place = |row: Difference| (Position { at: row.found_at, id: row.id.uuid() }, GatewayDifference::new(row));
            Ok(Some(GatewayDifferenceConnection::of(request, LIST, page.map(place), count)))
        })
        .await
    }
}
