//! Subscriptions, invoices and payments of all businesses.

use async_graphql::{Context, ID, InputObject, Object, Result};
use uuid::Uuid;

use super::businesses::product_filter;
use super::read_text;
use crate::error::Error;
use crate::graphql::business::invoices::{self, InvoiceConnection, InvoiceStatus};
use crate::graphql::business::payments::{self, PaymentConnection, PaymentStatus};
use crate::graphql::business::subscriptions::{self, SubscriptionConnection, SubscriptionStatus};
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::page::PageArguments;
use crate::graphql::scalars::{CurrencyCode, DateTime};
use crate::ids::BusinessId;
use crate::services::staff::Right;
use crate::store::Reader;
use crate::store::reads::invoices::InvoiceFilter;
use crate::store::reads::payments::PaymentFilter;
use crate::store::reads::subscriptions::SubscriptionFilter;

/// The most characters of a number or a receipt that is looked for.
const MAX_NAME_CHARS: usize = 100;

/// Which subscriptions; every member narrows.
#[derive(Debug, Default, InputObject)]
pub struct StaffSubscriptionFilter {
    /// Of this business.
    business_id: Option<ID>,
    /// Of these statuses.
    status: Option<Vec<SubscriptionStatus>>,
    /// Of this product: a `Product.code`.
    product: Option<String>,
}

/// Which invoices; every member narrows.
#[derive(Debug, Default, InputObject)]
pub struct StaffInvoiceFilter {
    /// Of this business.
    business_id: Option<ID>,
    /// Of this number.
    number: Option<String>,
    /// Of these statuses.
    status: Option<Vec<InvoiceStatus>>,
    /// Open and past its day, or not so.
    overdue: Option<bool>,
    /// In this currency.
    currency: Option<CurrencyCode>,
    /// Issued then or later.
    issued_from: Option<DateTime>,
    /// Issued before then.
    issued_before: Option<DateTime>,
}

/// Which payments; every member narrows.
#[derive(Debug, Default, InputObject)]
pub struct StaffPaymentFilter {
    /// Of this business.
    business_id: Option<ID>,
    /// Of these statuses.
    status: Option<Vec<PaymentStatus>>,
    /// With this receipt of the gateway's.
    receipt: Option<String>,
}

/// The rows of the business of an id, or of all; an id that names nothing leaves nothing.
pub(super) async fn reader_of(request: &RequestContext, business: Option<ID>) -> Result<Reader, Error> {
    match business {
        Some(id) => request.reader_of(BusinessId::parse(&id).unwrap_or(BusinessId::from(Uuid::nil()))).await,
        None => request.reader().await,
    }
}

/// Queries about money, across businesses.
#[derive(Debug, Default)]
pub struct MoneyQuery;

#[Object]
impl MoneyQuery {
    /// Subscriptions of all businesses, newest first.
    async fn subscriptions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only such.")] filter: Option<StaffSubscriptionFilter>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<SubscriptionConnection>> {
        nullable(async {
            let (request, arguments) = (request(context), PageArguments { first, after, last, before });
            request.staff_access().await?.require(Right::Read)?;
            let asked = filter.unwrap_or_default();
            let reader = reader_of(request, asked.business_id).await?;
            let filter = SubscriptionFilter {
                statuses: asked.status.map(|statuses| statuses.into_iter().map(Into::into).collect()),
                product: product_filter(request, asked.product).await?,
            };
            subscriptions::page(request, reader, "subscriptions", filter, arguments).await.map(Some)
        })
        .await
    }

    /// Invoices of all businesses, newest first.
    async fn invoices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only such.")] filter: Option<StaffInvoiceFilter>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<InvoiceConnection>> {
        nullable(async {
            let (request, arguments) = (request(context), PageArguments { first, after, last, before });
            request.staff_access().await?.require(Right::Read)?;
            let asked = filter.unwrap_or_default();
            let reader = reader_of(request, asked.business_id).await?;
            let now = request.ports.now().into();
            let filter = InvoiceFilter {
                number: asked.number.map(|number| read_text("number", &number, MAX_NAME_CHARS)).transpose()?,
                statuses: asked.status.map(|statuses| statuses.into_iter().map(Into::into).collect()),
                overdue: asked.overdue.map(|overdue| (overdue, now)),
                currency: asked.currency.map(|currency| currency.0),
                issued_from: asked.issued_from.map(|at| at.0),
                issued_before: asked.issued_before.map(|at| at.0),
                subscriptions: None,
            };
            invoices::page(request, reader, "invoices", filter, arguments, context.look_ahead()).await.map(Some)
        })
        .await
    }

    /// Payments of all businesses, newest first.
    async fn payments(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only such.")] filter: Option<StaffPaymentFilter>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<PaymentConnection>> {
        nullable(async {
            let (request, arguments) = (request(context), PageArguments { first, after, last, before });
            request.staff_access().await?.require(Right::Read)?;
            let asked = filter.unwrap_or_default();
            let reader = reader_of(request, asked.business_id).await?;
            let filter = PaymentFilter {
                statuses: asked.status.map(|statuses| statuses.into_iter().flat_map(PaymentStatus::stored).collect()),
                invoice: None,
                receipt: asked.receipt.map(|receipt| read_text("receipt", &receipt, MAX_NAME_CHARS)).transpose()?,
            };
            payments::page(request, reader, "payments", filter, arguments).await.map(Some)
        })
        .await
    }
}
