//! Products and plans: what is sold, to everybody who asks.
//!
//! A plan is shown as one of its versions: as it is sold now, or as a subscription was begun on it.

mod page;

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use crate::billing::{period, tax};
use crate::error::Error;
use crate::graphql::context::{RequestContext, request};
use crate::graphql::page::{PageArguments, connection};
use crate::graphql::scalars::{BigInt, CurrencyCode, Decimal, Money, show_id};
use crate::ids::{PlanId, ProductId};
use crate::money::Currency;
use crate::services::access::Need;
use crate::store::catalog::{self, PlanView, price_of};
use crate::store::types;

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "period::Interval")]
pub enum BillingInterval {
    /// One month.
    Monthly,
    /// Twelve months.
    Yearly,
}

/// Where the tax of a price is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "tax::TaxBehavior")]
pub enum TaxBehavior {
    /// In the price.
    Inclusive,
    /// On top of the price.
    Exclusive,
}

/// SWITCH is on or off. LIMIT caps a standing quantity (seats, bytes). METERED counts within a period and starts at zero in the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::FeatureKind")]
pub enum FeatureKind {
    /// On or off.
    Switch,
    /// Caps a standing quantity.
    Limit,
    /// Counts within a period.
    Metered,
}

/// How units become money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum OverageModel {
    /// Each unit at the one tier's price.
    PerUnit,
    /// Each begun package at the one tier's price.
    Package,
    /// Each unit at the price of the tier it falls in.
    Graduated,
    /// All units at the price of the tier that the last one falls in.
    Volume,
}

impl From<catalog::OverageModel> for OverageModel {
    fn from(model: catalog::OverageModel) -> Self {
        match model {
            catalog::OverageModel::PerUnit => Self::PerUnit,
            catalog::OverageModel::Package { .. } => Self::Package,
            catalog::OverageModel::Graduated => Self::Graduated,
            catalog::OverageModel::Volume => Self::Volume,
        }
    }
}

/// A software product of the platform: ERP, SACCO, Payroll.
#[derive(Debug, Clone)]
pub struct Product {
    row: Arc<catalog::Product>,
}

impl Product {
    /// The product of a row.
    pub const fn new(row: Arc<catalog::Product>) -> Self {
        Self { row }
    }

    /// The product of an id, if there is one.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: ProductId) -> Result<Option<Self>, Error> {
        Ok(request.view().loaders.products.load(id).await?.map(Self::new))
    }
}

/// A software product of the platform: ERP, SACCO, Payroll.
#[Object]
impl Product {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What `product` arguments name it by: `erp`.
    async fn code(&self) -> &str {
        &self.row.code
    }
    /// For people.
    async fn name(&self) -> &str {
        &self.row.name
    }
    /// For people.
    async fn description(&self) -> &str {
        &self.row.description
    }
    /// Those on sale, cheapest first.
    async fn plans(&self, context: &Context<'_>) -> Result<Vec<Plan>> {
        let offer = offer(request(context)).await?;
        let mine = offer.iter().filter(|plan| plan.product.id == self.row.id && !plan.archived);
        Ok(mine.cloned().map(Plan::new).collect())
    }
}

/// All current versions, archived or not, cheapest first.
async fn offer(request: &RequestContext) -> Result<Arc<Vec<PlanView>>, Error> {
    Ok(request.view().loaders.offer.load(()).await?.unwrap_or_default())
}

/// The caller's currency where they are signed in, else the platform's; none before a catalogue was seeded.
async fn default_currency(request: &RequestContext) -> Result<Option<Currency>, Error> {
    let view = request.view();
    if request.caller.scope().is_some() {
        match request.access().await {
            Ok(access) if access.allows(Need::Read) => return view.loaders.business_currency.load(()).await,
            // A session that is over makes the caller anybody, and so does a key that may not read: what is public is
            // public to them too.
            Ok(_) | Err(Error::Unauthenticated) => {}
            Err(error) => return Err(error),
        }
    }
    view.loaders.platform_currency.load(()).await
}

/// What a product is sold as: limits, features and prices. A plan that is changed keeps its id; whoever has it keeps it as it was.
#[derive(Debug, Clone)]
pub struct Plan {
    row: catalog::Plan,
    /// Where they were read with the plan.
    prices: Option<Arc<[catalog::Price]>>,
}

impl Plan {
    /// The plan of a version with its prices.
    pub fn new(view: PlanView) -> Self {
        Self { row: view.plan, prices: Some(view.prices.into()) }
    }

    /// A version of a plan, as something that is stored refers to it; loaded with those of the whole list.
    ///
    /// # Errors
    /// The database's fault; [`Error::Corrupt`] where there is no such version.
    pub async fn of(request: &RequestContext, plan: PlanId, version: i32) -> Result<Self, Error> {
        let found = request.view().loaders.plans.load((plan, version)).await?;
        let row = found.ok_or(Error::Corrupt("a version of a plan is gone".into()))?;
        Ok(Self { row, prices: None })
    }

    /// The current version of the plan of an id, if there is one.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: PlanId) -> Result<Option<Self>, Error> {
        Ok(catalog::plan_to_subscribe(&request.catalogue().await?, id).await?.map(Self::new))
    }

    /// Its product.
    pub fn product_of(&self) -> Product {
        Product::new(Arc::clone(&self.row.product))
    }

    /// Its product's row.
    pub fn product_row(&self) -> &catalog::Product {
        &self.row.product
    }

    /// The version's row.
    pub const fn row(&self) -> &catalog::Plan {
        &self.row
    }

    async fn load_prices(&self, request: &RequestContext) -> Result<Arc<[catalog::Price]>, Error> {
        match &self.prices {
            Some(prices) => Ok(Arc::clone(prices)),
            None => Ok(request.view().loaders.plan_prices.load(self.row.key()).await?.unwrap_or_default().into()),
        }
    }

    async fn price_for(
        &self,
        request: &RequestContext,
        interval: period::Interval,
        currency: Option<CurrencyCode>,
    ) -> Result<Option<Money>> {
        let currency = match currency {
            Some(CurrencyCode(currency)) => Some(currency),
            None => default_currency(request).await?,
        };
        let Some(currency) = currency else { return Ok(None) };
        let found = price_of(&self.load_prices(request).await?, interval, currency);
        Ok(found.map(|price| price.money().map(Money::from)).transpose()?)
    }
}

/// What a product is sold as: limits, features and prices. A plan that is changed keeps its id; whoever has it keeps it as it was.
#[Object]
impl Plan {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Unique in its product: `starter`.
    async fn code(&self) -> &str {
        &self.row.code
    }
    /// For people.
    async fn name(&self) -> &str {
        &self.row.name
    }
    /// For people.
    async fn description(&self) -> &str {
        &self.row.description
    }
    /// What it is a plan of.
    async fn product(&self) -> Product {
        self.product_of()
    }
    /// Per month, in `currency` (default: the caller's, else the platform's). Null where the plan is not sold so.
    async fn price(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "In which currency; without, in the caller's, else the platform's.")] currency: Option<CurrencyCode>,
    ) -> Option<Result<Money>> {
        self.price_for(request(context), period::Interval::Monthly, currency).await.transpose()
    }
    /// Per year, in `currency` (default: the caller's, else the platform's). Null where the plan is not sold so.
    async fn yearly_price(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "In which currency; without, in the caller's, else the platform's.")] currency: Option<CurrencyCode>,
    ) -> Option<Result<Money>> {
        self.price_for(request(context), period::Interval::Yearly, currency).await.transpose()
    }
    /// One for each interval and currency it is sold in.
    async fn prices(&self, context: &Context<'_>) -> Result<Vec<PlanPrice>> {
        self.load_prices(request(context)).await?.iter().map(|price| Ok(PlanPrice::new(price)?)).collect()
    }
    /// How long it can be tried without being charged; 0: no trial.
    async fn trial_days(&self) -> i32 {
        self.row.trial_days
    }
    /// Null: without limit.
    async fn max_users(&self) -> Option<i32> {
        self.row.max_users
    }
    /// Bytes; null: without limit.
    async fn storage_limit(&self) -> Option<BigInt> {
        self.row.storage_limit.map(BigInt)
    }
    /// Only an APPROVED business can subscribe.
    async fn requires_verification(&self) -> bool {
        self.row.requires_verification
    }
    /// No longer sold; those who have it keep it.
    async fn archived(&self) -> bool {
        self.row.archived
    }
    /// What it lets its customers do: `users` and `storage_bytes` are `maxUsers` and `storageLimit` as features.
    async fn features(&self, context: &Context<'_>) -> Result<Vec<PlanFeature>> {
        let features = request(context).view().loaders.plan_features.load(self.row.key()).await?;
        Ok(features.unwrap_or_default().into_iter().chain(self.row.limits()).map(PlanFeature::new).collect())
    }
}

/// What a plan costs for one interval in one currency.
#[derive(Debug, Clone, SimpleObject)]
pub struct PlanPrice {
    /// For how long.
    interval: BillingInterval,
    /// How much.
    amount: Money,
    /// Whether tax is in it or comes on top.
    tax_behavior: TaxBehavior,
}

impl PlanPrice {
    fn new(price: &catalog::Price) -> Result<Self, Error> {
        Ok(Self { interval: price.interval.into(), amount: price.money()?.into(), tax_behavior: price.tax_behavior.into() })
    }
}

/// What a plan lets its customers do.
#[derive(Debug, Clone)]
pub struct PlanFeature {
    row: catalog::Feature,
    /// In which its overage is priced; without it in the caller's.
    currency: Option<Currency>,
}

impl PlanFeature {
    /// The feature of a row.
    pub const fn new(row: catalog::Feature) -> Self {
        Self { row, currency: None }
    }

    /// The feature of a row, priced in a currency.
    pub const fn priced(row: catalog::Feature, currency: Currency) -> Self {
        Self { row, currency: Some(currency) }
    }
}

/// What a plan lets its customers do.
#[Object]
impl PlanFeature {
    /// Unique in its plan; means the same in all plans of a product: `invoices.sent`.
    async fn key(&self) -> &str {
        &self.row.key
    }
    /// For people.
    async fn name(&self) -> &str {
        &self.row.name
    }
    /// What it counts.
    async fn kind(&self) -> FeatureKind {
        self.row.kind.into()
    }
    /// False for a SWITCH that is off; true otherwise.
    async fn enabled(&self) -> bool {
        self.row.enabled
    }
    /// METERED: per usage period, a month. Null: without limit, or a SWITCH.
    async fn included(&self) -> Option<Decimal> {
        self.row.included.map(Decimal::from)
    }
    /// How units past `included` are priced, in the caller's currency; null where `included` is a hard limit.
    async fn overage(&self, context: &Context<'_>) -> Option<Result<Overage>> {
        if self.row.overage.is_empty() {
            return None;
        }
        let currency = match self.currency {
            Some(currency) => currency,
            None => match default_currency(request(context)).await {
                Ok(currency) => currency?,
                Err(error) => return Some(Err(error.into())),
            },
        };
        self.row.overage.iter().find(|overage| overage.currency == currency).map(|overage| Ok(Overage::new(overage)))
    }
    /// What one unit is: `invoice`.
    async fn unit(&self) -> Option<&str> {
        self.row.unit.as_deref()
    }
}

/// How units past what is included are priced.
#[derive(Debug, Clone, SimpleObject)]
pub struct Overage {
    /// How units become money.
    model: OverageModel,
    /// The currency of its tiers.
    currency: CurrencyCode,
    /// PACKAGE: units in one.
    package_size: Option<Decimal>,
    /// At least one; the last has no end.
    tiers: Vec<OverageTier>,
}

/// `upTo` is inclusive and counts from the first unit past `included`; null in the last. `unitPrice` may be finer than a minor unit.
#[derive(Debug, Clone, SimpleObject)]
pub struct OverageTier {
    /// The last unit in it.
    up_to: Option<Decimal>,
    /// For each unit, or package.
    unit_price: Decimal,
    /// Once, where the tier is reached.
    flat_amount: Decimal,
}

impl Overage {
    fn new(overage: &catalog::Overage) -> Self {
        let quantity = |quantity: rust_decimal::Decimal| Decimal(quantity.normalize().to_string());
        let tier = |tier: &catalog::Tier| OverageTier {
            up_to: tier.up_to.map(quantity),
            unit_price: tier.unit_price.into(),
            flat_amount: Decimal(tier.flat_amount.amount()),
        };
        Self {
            model: overage.model.into(),
            currency: CurrencyCode(overage.currency),
            package_size: overage.model.package_size().map(quantity),
            tiers: overage.tiers.iter().map(tier).collect(),
        }
    }
}

connection!(PlanConnection, PlanEdge, Plan, "plans");

/// Queries about what is sold.
#[derive(Default)]
pub struct CatalogQuery;

#[Object]
impl CatalogQuery {
    /// Public: no sign-in needed.
    async fn products(&self, context: &Context<'_>) -> Option<Result<Vec<Product>>> {
        let read = async {
            let products = catalog::products(&request(context).catalogue().await?).await?;
            Ok(products.into_iter().map(|product| Product::new(Arc::new(product))).collect())
        };
        Some(read.await)
    }
    /// Public: the plans on sale, cheapest first.
    async fn plans(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of this product alone: a `Product.code`.")] product: Option<String>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<PlanConnection>> {
        let arguments = PageArguments { first, after, last, before };
        Some(page::plans(request(context), product.as_deref(), &arguments).await.map_err(Into::into))
    }
}
