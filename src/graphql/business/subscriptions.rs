//! Subscriptions and what would be billed.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use super::catalog::{BillingInterval, Plan, Product};
use super::invoices::{self, InvoiceConnection};
use super::preview::InvoicePreview;
use crate::billing::cancel::UnusedTime as StoredUnusedTime;
use crate::billing::change::{ChangeTiming as StoredTiming, Proration};
use crate::billing::lifecycle;
use crate::error::Error;
use crate::graphql::context::{Allow, RequestContext, nullable, request};
use crate::graphql::page::{Count, PageArguments, connection, count_of};
use crate::graphql::scalars::{DateTime, Decimal, Money, show_id, stored_money};
use crate::ids::{BusinessId, ProductId};
use crate::services::access::Need;
use crate::services::billing;
use crate::store::Reader;
use crate::store::page::{Page, Position};
use crate::store::reads::subscriptions::{self as rows, SubscriptionFilter as Filter};
use crate::store::types::Instant;

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "lifecycle::SubscriptionStatus")]
pub enum SubscriptionStatus {
    /// The first payment is not settled; there is no access yet.
    Incomplete,
    /// In its trial.
    Trialing,
    /// Paid, or being paid.
    Active,
    /// An invoice is overdue and being retried; access goes on.
    PastDue,
    /// Retries are used up; access is off until the open invoices are paid.
    Suspended,
    /// It has ended.
    Canceled,
    /// The first payment never came in its time, a day or the term of a transfer, or it was called off.
    Expired,
}

/// When a change of plan takes effect. DEFAULT: an upgrade at once, a downgrade at the end of the period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "StoredTiming")]
pub enum ChangeTiming {
    /// An upgrade at once, a downgrade at the end of the period.
    Default,
    /// At once.
    Now,
    /// At the end of the period.
    PeriodEnd,
}

/// What a change of plan at once bills.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Proration")]
pub enum ProrationBehavior {
    /// Credit the unused time, charge the rest of the period, bill the difference at once.
    ProrateNow,
    /// What is to be paid waits for the subscription's next invoice; what is to be credited is credited at once.
    ProrateNextInvoice,
    /// Full price now; the cycle starts again at the change; unused time is credited.
    ResetCycle,
    /// No credit and no charge until the next renewal.
    None,
}

/// What becomes of time that is paid and not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "StoredUnusedTime")]
pub enum UnusedTime {
    /// Nothing: it is dropped.
    None,
    /// It becomes account credit.
    Credit,
    /// It is paid back as far as a gateway took it; the rest becomes account credit.
    Refund,
}

/// Half-open: `start` belongs to the period, `end` to the next.
#[derive(Debug, Clone, SimpleObject)]
pub struct Period {
    /// Its first instant.
    start: DateTime,
    /// The first instant after it.
    end: DateTime,
}

impl Period {
    /// The period between two instants, where there are two.
    pub fn of(start: Option<Instant>, end: Option<Instant>) -> Option<Self> {
        Some(Self { start: DateTime(start?), end: DateTime(end?) })
    }
}

/// A change that waits for the end of the period. `price` is the one agreed when it was scheduled.
#[derive(SimpleObject)]
pub struct PendingPlanChange {
    /// The plan it will have.
    plan: Plan,
    /// The interval it will have.
    interval: BillingInterval,
    /// The price it will have.
    price: Money,
    /// When.
    effective_at: DateTime,
    /// When it was asked for.
    scheduled_at: DateTime,
}

/// What a coupon takes off.
#[derive(SimpleObject)]
pub struct SubscriptionDiscount {
    /// The coupon's code.
    coupon: String,
    /// So many per cent.
    percent_off: Option<Decimal>,
    /// A fixed amount.
    amount_off: Option<Money>,
    /// Charged periods that are still to come with it; null: for ever.
    remaining_periods: Option<i32>,
}

/// What this caller may choose.
#[derive(SimpleObject)]
pub struct SubscriptionOptions {
    /// When a change may take effect.
    timings: Vec<ChangeTiming>,
    /// What a change may bill.
    prorations: Vec<ProrationBehavior>,
    /// What may become of unused time.
    unused_time: Vec<UnusedTime>,
}

/// A business's subscription to one product.
#[derive(Clone)]
pub struct Subscription {
    row: Arc<rows::Subscription>,
}

impl Subscription {
    /// The subscription of a row.
    pub fn new(row: rows::Subscription) -> Self {
        Self { row: Arc::new(row) }
    }
}

/// A business's subscription to one product.
#[Object]
impl Subscription {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What it is a subscription to.
    async fn product(&self, context: &Context<'_>) -> Result<Product> {
        Ok(Plan::of(request(context), self.row.plan_id, self.row.plan_version).await?.product_of())
    }
    /// The plan, as it was when it began.
    async fn plan(&self, context: &Context<'_>) -> Result<Plan> {
        Ok(Plan::of(request(context), self.row.plan_id, self.row.plan_version).await?)
    }
    /// How long a period is.
    async fn interval(&self) -> BillingInterval {
        self.row.billing_interval.into()
    }
    /// The price agreed when it began; later price changes of the plan do not touch it.
    async fn price(&self) -> Result<Money> {
        Ok(stored_money(self.row.price_minor, self.row.currency)?)
    }
    /// Where it stands.
    async fn status(&self) -> SubscriptionStatus {
        self.row.status.into()
    }
    /// When it began.
    async fn start_date(&self) -> DateTime {
        DateTime(self.row.started_at)
    }
    /// End of the period that is paid or being paid: when it renews, or ends.
    async fn end_date(&self) -> DateTime {
        DateTime(self.row.period_end)
    }
    /// The period that is running.
    async fn current_period(&self) -> Period {
        Period { start: DateTime(self.row.period_start), end: DateTime(self.row.period_end) }
    }
    /// When its trial ends or ended; null where it had none.
    async fn trial_end(&self) -> Option<DateTime> {
        self.row.trial_end.map(DateTime)
    }
    /// Whether it goes on at the end of the period.
    async fn auto_renewal(&self) -> bool {
        self.row.auto_renewal
    }
    /// Set while a cancellation is scheduled.
    async fn cancel_at(&self) -> Option<DateTime> {
        self.row.cancel_at.map(DateTime)
    }
    /// When it was canceled.
    async fn canceled_at(&self) -> Option<DateTime> {
        self.row.canceled_at.map(DateTime)
    }
    /// A change that waits for the end of the period.
    async fn pending_change(&self, context: &Context<'_>) -> Option<Result<PendingPlanChange>> {
        nullable(async {
            let row = &self.row;
            let (Some(plan), Some(version), Some(interval)) = (row.pending_plan_id, row.pending_plan_version, row.pending_interval) else {
                return Ok(None);
            };
            let (Some(price), Some(effective_at), Some(scheduled_at)) =
                (row.pending_price_minor, row.pending_effective_at, row.pending_scheduled_at)
            else {
                return Err(Error::Corrupt("a pending change is half there".into()).into());
            };
            Ok(Some(PendingPlanChange {
                plan: Plan::of(request(context), plan, version).await?,
                interval: interval.into(),
                price: stored_money(price, row.currency)?,
                effective_at: DateTime(effective_at),
                scheduled_at: DateTime(scheduled_at),
            }))
        })
        .await
    }
    /// What a coupon takes off the running period, or will take off those that come; null where there is nothing left of it.
    async fn discount(&self, context: &Context<'_>) -> Option<Result<SubscriptionDiscount>> {
        nullable(async {
            let row = &self.row;
            let is_in_force = row.charged_discount_percent.is_some() || row.charged_discount_minor.is_some();
            let is_over = row.status.is_final() || (row.coupon_remaining_periods == Some(0) && !is_in_force);
            let Some(id) = row.coupon_id.filter(|_| !is_over) else { return Ok(None) };
            let found = request(context).view().loaders.coupons.load(id).await?;
            let coupon = found.ok_or_else(|| Error::Corrupt("a subscription's coupon is gone".into()))?;
            let amount_off = coupon.amount_off_minor.zip(coupon.currency);
            Ok(Some(SubscriptionDiscount {
                percent_off: coupon.percent_off.map(Decimal::from),
                amount_off: amount_off.map(|(minor, currency)| stored_money(minor, currency)).transpose()?,
                remaining_periods: row.coupon_remaining_periods,
                coupon: coupon.code,
            }))
        })
        .await
    }
    /// What this caller may choose for it.
    async fn options(&self, context: &Context<'_>) -> Result<SubscriptionOptions> {
        let plan = Plan::of(request(context), self.row.plan_id, self.row.plan_version).await?;
        let product = plan.product_row();
        let timings = if product.change_options.downgrade_now {
            vec![StoredTiming::Default, StoredTiming::Now, StoredTiming::PeriodEnd]
        } else {
            vec![StoredTiming::Default, StoredTiming::PeriodEnd]
        };
        Ok(SubscriptionOptions {
            timings: timings.into_iter().map(Into::into).collect(),
            prorations: product.change_options.prorations.iter().copied().map(Into::into).collect(),
            unused_time: product.cancel_unused_time.iter().copied().map(Into::into).collect(),
        })
    }
    /// The invoice that comes next as things stand: the renewal's, or at the end the final one; null where there will be none.
    async fn upcoming_invoice(&self, context: &Context<'_>) -> Option<Result<InvoicePreview>> {
        nullable(async {
            request(context).require(Need::ReadMoney).await?;
            let request = request(context);
            let tenant = request.tenant_of(self.row.business_id).await?;
            let preview = Box::pin(billing::upcoming_invoice(&tenant, &request.ports, (*self.row).clone())).await?;
            Ok(preview.map(InvoicePreview::new))
        })
        .await
    }
    /// Its invoices, newest first.
    #[graphql(guard = "Allow(Need::ReadMoney)")]
    async fn invoices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<InvoiceConnection> {
        invoices::page_of_subscription(request(context), (self.row.business_id, self.row.id), PageArguments { first, after, last, before })
            .await
    }
    /// Rises with every change: give it as `ifVersion`.
    async fn version(&self) -> i32 {
        self.row.version
    }
}

connection!(SubscriptionConnection, SubscriptionEdge, Subscription, "subscriptions");

/// A page of those subscriptions of `reader` that `filter` leaves; `list` names the list that its cursors belong to.
pub(in crate::graphql) async fn page(
    request: &RequestContext,
    reader: Reader,
    list: &str,
    filter: Filter,
    arguments: PageArguments,
) -> Result<SubscriptionConnection> {
    let window = arguments.window(request, list)?;
    let page = rows::page(&reader, &filter, window).await?;
    let filter = Arc::new(filter);
    let count: Count = Arc::new(move || {
        let (reader, filter) = (reader.clone(), Arc::clone(&filter));
        Box::pin(async move { rows::count(&reader, &filter).await })
    });
    Ok(shown(request, list, page, count))
}

/// The connection of a page.
fn shown(request: &RequestContext, list: &str, page: Page<rows::Subscription>, count: Count) -> SubscriptionConnection {
    let placed = page.map(|row| (Position { at: row.created_at, id: row.id.uuid() }, Subscription::new(row)));
    SubscriptionConnection::of(request, list, placed, count)
}

/// A page of one business's subscriptions, read together with those of other businesses.
pub(in crate::graphql) async fn page_of_business(
    request: &RequestContext,
    business: BusinessId,
    arguments: PageArguments,
) -> Result<SubscriptionConnection> {
    let list = format!("{business}/subscriptions");
    let window = arguments.window(request, &list)?;
    let page = request.view().loaders.business_subscriptions.page(business, window).await?;
    Ok(shown(request, &list, page, count_of(request, business, |loaders| &loaders.business_subscription_counts)))
}

/// The product of a code, if there is one.
pub(in crate::graphql) async fn product_of_code(request: &RequestContext, code: &str) -> Result<Option<ProductId>, Error> {
    let products = crate::store::catalog::products(&request.catalogue().await?).await?;
    Ok(products.into_iter().find(|product| product.code == code).map(|product| product.id))
}

/// Queries about subscriptions.
#[derive(Default)]
pub struct SubscriptionQuery;

#[Object]
impl SubscriptionQuery {
    /// The live subscription of the product, else the one that ended last, else null.
    async fn subscription(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A `Product.code`; without, the business's one live subscription is meant.")] product: Option<String>,
    ) -> Option<Result<Subscription>> {
        nullable(async {
            request(context).require(Need::Read).await?;
            let request = request(context);
            let tenant = request.tenant().await?;
            let product = match product {
                Some(code) => match product_of_code(request, &code).await? {
                    Some(product) => Some(product),
                    None => return Ok(None),
                },
                None => None,
            };
            // Without a product the one live subscription is meant; where there are several, none in particular is.
            Ok(rows::current(&tenant, product).await?.map(Subscription::new))
        })
        .await
    }

    /// The business's subscriptions, newest first.
    async fn subscriptions(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those with one of these.")] status: Option<Vec<SubscriptionStatus>>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<SubscriptionConnection>> {
        nullable(async {
            request(context).require(Need::Read).await?;
            let request = request(context);
            let chosen = Filter { statuses: status.map(|statuses| statuses.into_iter().map(Into::into).collect()), product: None };
            page(request, request.reader().await?, "subscriptions", chosen, PageArguments { first, after, last, before }).await.map(Some)
        })
        .await
    }
}
