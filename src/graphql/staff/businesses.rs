//! Businesses as staff see them.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, Result};

use super::account::StaffUser;
use super::read_text;
use super::test_clocks::TestClock;
use crate::error::Error;
use crate::graphql::business::audit::{self, AuditEventConnection};
use crate::graphql::business::invoices::{self, InvoiceConnection};
use crate::graphql::business::payments::{self, PaymentConnection};
use crate::graphql::business::profile::{Business, BusinessSubscriptionStatus, VerificationStatus};
use crate::graphql::business::subscriptions::{self, SubscriptionConnection, product_of_code};
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::page::{Count, PageArguments, connection};
use crate::graphql::scalars::{CountryCode, show_id};
use crate::ids::{BusinessId, ProductId};
use crate::services::customers as service;
use crate::services::staff::Right;
use crate::store::customers;
use crate::store::page::Position;
use crate::store::reads::businesses::{self as rows, BusinessFilter as Filter};

/// The most characters of a search.
const MAX_SEARCH_CHARS: usize = 100;

/// A business, with what only staff see of it.
#[derive(Debug, Clone)]
pub struct StaffBusiness {
    row: customers::Business,
}

impl StaffBusiness {
    /// The business of a row.
    pub const fn new(row: customers::Business) -> Self {
        Self { row }
    }

    /// The business of an id, if there is one.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: BusinessId) -> Result<Option<Self>, Error> {
        Ok(request.view().loaders.businesses.load(id).await?.map(Self::new))
    }
}

/// A business, with what only staff see of it.
#[Object]
impl StaffBusiness {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.business_id)
    }
    /// As its own people see it.
    async fn business(&self) -> Business {
        Business::new(self.row.clone())
    }
    /// Its subscriptions, newest first.
    async fn subscriptions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<SubscriptionConnection> {
        subscriptions::page_of_business(request(context), self.row.business_id, PageArguments { first, after, last, before }).await
    }
    /// Its invoices, newest first.
    async fn invoices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<InvoiceConnection> {
        invoices::page_of_business(request(context), self.row.business_id, PageArguments { first, after, last, before }).await
    }
    /// Its payments, newest first.
    async fn payments(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<PaymentConnection> {
        payments::page_of_business(request(context), self.row.business_id, PageArguments { first, after, last, before }).await
    }
    /// What was done to it and by whom, newest first.
    async fn audit_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<AuditEventConnection> {
        let arguments = PageArguments { first, after, last, before };
        Ok(audit::page_of_business(request(context), self.row.business_id, arguments).await?)
    }
    /// Who suspended it, while it is suspended.
    async fn suspended_by(&self, context: &Context<'_>) -> Option<Result<StaffUser>> {
        nullable(async {
            let request = request(context);
            let Some(suspension) = request.view().loaders.suspensions.load(self.row.business_id).await? else { return Ok(None) };
            Ok(StaffUser::by_id(request, suspension.suspended_by).await?)
        })
        .await
    }
    /// Why it was suspended, while it is.
    async fn suspension_reason(&self, context: &Context<'_>) -> Option<Result<String>> {
        nullable(async {
            let suspension = request(context).view().loaders.suspensions.load(self.row.business_id).await?;
            Ok(suspension.map(|suspension| suspension.reason))
        })
        .await
    }
    /// The test clock that its billing goes by; null for real time.
    async fn test_clock(&self, context: &Context<'_>) -> Option<Result<TestClock>> {
        nullable(async {
            let request = request(context);
            let Some(clock) = request.view().loaders.business_test_clocks.load(self.row.business_id).await? else { return Ok(None) };
            Ok(TestClock::by_id(request, clock).await?)
        })
        .await
    }
}

connection!(StaffBusinessConnection, StaffBusinessEdge, StaffBusiness, "businesses");

/// Which businesses; every member narrows.
#[derive(Debug, InputObject)]
pub struct BusinessFilter {
    /// Whose subscriptions as a whole stand so.
    subscription_status: Option<Vec<BusinessSubscriptionStatus>>,
    /// So far verified.
    verification: Option<Vec<VerificationStatus>>,
    /// In this country.
    country: Option<CountryCode>,
    /// With a live subscription to this product: a `Product.code`.
    product: Option<String>,
    /// Suspended by staff, or not.
    suspended: Option<bool>,
}

/// The product of a code; one that nothing has for a code that names none.
pub(super) async fn product_filter(request: &RequestContext, code: Option<String>) -> Result<Option<ProductId>, Error> {
    let Some(code) = code else { return Ok(None) };
    Ok(Some(product_of_code(request, &code).await?.unwrap_or(ProductId::from(uuid::Uuid::nil()))))
}

/// What the store is asked for.
async fn chosen(request: &RequestContext, search: Option<String>, filter: Option<BusinessFilter>) -> Result<Filter, Error> {
    let search = search.map(|text| read_text("search", &text, MAX_SEARCH_CHARS)).transpose()?;
    let Some(filter) = filter else { return Ok(Filter { search, ..Filter::default() }) };
    let standing = |status| service::BusinessSubscriptionStatus::from(status).standing();
    Ok(Filter {
        search,
        standings: filter.subscription_status.map(|statuses| statuses.into_iter().map(standing).collect()),
        verification: filter.verification.map(|statuses| statuses.into_iter().map(Into::into).collect()),
        country: filter.country.map(|country| country.0),
        product: product_filter(request, filter.product).await?,
        suspended: filter.suspended,
    })
}

/// Queries about businesses.
#[derive(Debug, Default)]
pub struct BusinessQuery;

#[Object]
impl BusinessQuery {
    /// Businesses, newest first. `search` is a part of the name, a whole e-mail address of the business or of one of its
    /// people, or an id; it has no wildcards.
    async fn businesses(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A part of a name, a whole e-mail address, or an id.")] search: Option<String>,
        #[graphql(desc = "Only such.")] filter: Option<BusinessFilter>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<StaffBusinessConnection>> {
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let window = PageArguments { first, after, last, before }.window(request, "businesses")?;
            let filter = Arc::new(chosen(request, search, filter).await?);
            let reader = request.reader().await?;
            let page = rows::page(&reader, &filter, window).await?;
            let count: Count = Arc::new(move || {
                let (reader, filter) = (reader.clone(), Arc::clone(&filter));
                Box::pin(async move { rows::count(&reader, &filter).await })
            });
            let place = |row: customers::Business| (Position { at: row.created_at, id: row.business_id.uuid() }, StaffBusiness::new(row));
            Ok(Some(StaffBusinessConnection::of(request, "businesses", page.map(place), count)))
        })
        .await
    }

    /// One business.
    async fn business(&self, context: &Context<'_>, #[graphql(desc = "The business's id.")] id: ID) -> Option<Result<StaffBusiness>> {
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let Some(id) = BusinessId::parse(&id) else { return Ok(None) };
            Ok(StaffBusiness::by_id(request, id).await?)
        })
        .await
    }
}
