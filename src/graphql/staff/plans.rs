//! Plans as staff see and make them.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use crate::error::{Error, Outcome};
use crate::graphql::business::catalog::{BillingInterval, FeatureKind, OverageModel, Plan, TaxBehavior};
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{BigInt, CurrencyCode, DateTime, Decimal, Money, show_id};
use crate::ids::PlanId;
use crate::services::catalog::{CatalogService, NewFeature, NewOverage, NewPlan, NewPrice, NewTier};
use crate::services::staff::Right;
use crate::store::catalog::{self, PastPrice, PlanHistory, PlanView};

/// A plan, with what only staff see of it.
#[derive(Debug, Clone)]
pub struct StaffPlan {
    view: PlanView,
}

impl StaffPlan {
    /// The plan of an id, archived or not, if there is one.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: PlanId) -> Result<Option<Self>, Error> {
        Ok(catalog::plan_to_subscribe(&request.catalogue().await?, id).await?.map(|view| Self { view }))
    }

    /// What became of it.
    async fn history(&self, context: &Context<'_>) -> Result<PlanHistory, Error> {
        let found = request(context).view().loaders.plan_histories.load(self.view.id).await?;
        found.ok_or_else(|| Error::Corrupt("a plan has no history".into()))
    }
}

/// A plan, with what only staff see of it.
#[Object]
impl StaffPlan {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.view.id)
    }
    /// As it is sold now, or was when it was archived.
    async fn plan(&self) -> Plan {
        Plan::new(self.view.clone())
    }
    /// Every price that was set, the first first.
    async fn price_history(&self, context: &Context<'_>) -> Result<Vec<PlanPriceVersion>> {
        self.history(context).await?.prices.into_iter().map(|past| Ok(PlanPriceVersion::of(past)?)).collect()
    }
    /// How many live subscriptions have it, in any version.
    async fn live_subscriptions(&self, context: &Context<'_>) -> Result<i32> {
        let live = request(context).view().loaders.live_subscriptions.load(self.view.id).await?.unwrap_or_default();
        Ok(i32::try_from(live).unwrap_or(i32::MAX))
    }
    /// When it was made.
    async fn created_at(&self, context: &Context<'_>) -> Result<DateTime> {
        Ok(DateTime(self.history(context).await?.created_at))
    }
}

/// A price that a plan has or had.
#[derive(Debug, SimpleObject)]
pub struct PlanPriceVersion {
    /// For how long.
    interval: BillingInterval,
    /// How much.
    amount: Money,
    /// Whether tax is in it or comes on top.
    tax_behavior: TaxBehavior,
    /// When it began to bind new subscriptions.
    since: DateTime,
}

impl PlanPriceVersion {
    /// A price of the history.
    fn of(past: PastPrice) -> Result<Self, Error> {
        let PastPrice { price, since } = past;
        Ok(Self {
            interval: price.interval.into(),
            amount: price.money()?.into(),
            tax_behavior: price.tax_behavior.into(),
            since: DateTime(since),
        })
    }
}

/// An amount with its currency.
#[derive(Debug, InputObject)]
pub struct MoneyInput {
    /// How much: `"49.90"`.
    pub(super) amount: Decimal,
    /// Which currency.
    pub(super) currency: CurrencyCode,
}

/// What a plan costs for one interval in one currency.
#[derive(Debug, InputObject)]
pub struct PlanPriceInput {
    /// For how long.
    interval: BillingInterval,
    /// How much; not negative.
    amount: MoneyInput,
    /// Whether tax is in it or comes on top.
    tax_behavior: TaxBehavior,
}

impl From<PlanPriceInput> for NewPrice {
    fn from(input: PlanPriceInput) -> Self {
        let MoneyInput { amount, currency } = input.amount;
        Self { interval: input.interval.into(), currency: currency.0, amount: amount.0, tax: input.tax_behavior.into() }
    }
}

/// What a plan lets its customers do. It is called as in the product's other plans, or by its key.
#[derive(Debug, InputObject)]
pub struct PlanFeatureInput {
    /// Unique in its plan; of one kind and unit in all plans of a product.
    key: String,
    /// What it counts.
    kind: FeatureKind,
    /// False for a SWITCH that is off.
    #[graphql(default = true)]
    enabled: bool,
    /// How many units are in the plan's price; left out: without limit, or a SWITCH.
    included: Option<Decimal>,
    /// What one unit is: `invoice`.
    unit: Option<String>,
    /// How units past `included` are priced: in each currency the plan is sold in, or not at all.
    overage: Option<Vec<OverageInput>>,
}

impl From<PlanFeatureInput> for NewFeature {
    fn from(input: PlanFeatureInput) -> Self {
        Self {
            key: input.key,
            kind: input.kind.into(),
            enabled: input.enabled,
            included: input.included.map(|included| included.0),
            unit: input.unit,
            overage: input.overage.unwrap_or_default().into_iter().map(Into::into).collect(),
        }
    }
}

/// How units past what is included are priced in one currency.
#[derive(Debug, InputObject)]
pub struct OverageInput {
    /// How units become money.
    model: OverageModel,
    /// The currency of its tiers.
    currency: CurrencyCode,
    /// PACKAGE: units in one.
    package_size: Option<Decimal>,
    /// At least one; the last has no end.
    tiers: Vec<OverageTierInput>,
}

impl From<OverageInput> for NewOverage {
    fn from(input: OverageInput) -> Self {
        let model = match input.model {
            OverageModel::PerUnit => "per_unit",
            OverageModel::Package => "package",
            OverageModel::Graduated => "graduated",
            OverageModel::Volume => "volume",
        };
        let tier = |tier: OverageTierInput| NewTier {
            up_to: tier.up_to.map(|up_to| up_to.0),
            unit_price: tier.unit_price.0,
            flat_amount: tier.flat_amount.0,
        };
        Self {
            model,
            currency: input.currency.0,
            package_size: input.package_size.map(|size| size.0),
            tiers: input.tiers.into_iter().map(tier).collect(),
        }
    }
}

/// A tier of an overage.
#[derive(Debug, InputObject)]
pub struct OverageTierInput {
    /// The last unit in it; left out in the last tier alone.
    up_to: Option<Decimal>,
    /// For each unit, or package.
    unit_price: Decimal,
    /// Once, where the tier is reached.
    #[graphql(default_with = "Decimal(\"0\".to_owned())")]
    flat_amount: Decimal,
}

/// A plan to make.
#[derive(Debug, InputObject)]
pub struct CreatePlanInput {
    /// A `Product.code`.
    product: String,
    /// Unique in its product: `starter`.
    code: String,
    /// For people.
    name: String,
    /// For people.
    description: String,
    /// One for each interval and currency it is sold in; at least one.
    prices: Vec<PlanPriceInput>,
    /// How long it can be tried without being charged; 0: no trial.
    #[graphql(default)]
    trial_days: i32,
    /// Left out: without limit.
    max_users: Option<i32>,
    /// Bytes; left out: without limit.
    storage_limit: Option<BigInt>,
    /// Only an APPROVED business can subscribe.
    #[graphql(default)]
    requires_verification: bool,
    /// What it lets its customers do.
    features: Vec<PlanFeatureInput>,
}

impl From<CreatePlanInput> for NewPlan {
    fn from(input: CreatePlanInput) -> Self {
        Self {
            product: input.product,
            code: input.code,
            name: input.name,
            description: input.description,
            prices: input.prices.into_iter().map(Into::into).collect(),
            trial_days: input.trial_days,
            max_users: input.max_users,
            storage_limit: input.storage_limit.map(|limit| limit.0),
            requires_verification: input.requires_verification,
            features: input.features.into_iter().map(Into::into).collect(),
        }
    }
}

/// What `createPlan` answers.
#[derive(Debug, SimpleObject)]
pub struct CreatePlanPayload {
    /// The plan, which is on sale.
    plan: Option<StaffPlan>,
    /// What is to be put right; when there is any, nothing was made.
    user_errors: Vec<UserError>,
}

/// A price to set.
#[derive(Debug, InputObject)]
pub struct SetPlanPriceInput {
    /// The plan.
    plan_id: ID,
    /// The price for its interval and currency from now on.
    price: PlanPriceInput,
}

/// What `setPlanPrice` answers.
#[derive(Debug, SimpleObject)]
pub struct SetPlanPricePayload {
    /// The plan as it is sold now.
    plan: Option<StaffPlan>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// A plan to take off sale.
#[derive(Debug, InputObject)]
pub struct ArchivePlanInput {
    /// The plan.
    plan_id: ID,
}

/// What `archivePlan` answers.
#[derive(Debug, SimpleObject)]
pub struct ArchivePlanPayload {
    /// The plan, which is not sold any more.
    plan: Option<StaffPlan>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Queries about plans.
#[derive(Debug, Default)]
pub struct PlanQuery;

#[Object]
impl PlanQuery {
    /// The plans of all products, cheapest first.
    async fn plans(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whether those off sale are shown too.", default)] include_archived: bool,
    ) -> Option<Result<Vec<StaffPlan>>> {
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let offer = request.view().loaders.offer.load(()).await?.unwrap_or_default();
            let shown = offer.iter().filter(|view| include_archived || !view.archived);
            Ok(Some(shown.cloned().map(|view| StaffPlan { view }).collect()))
        })
        .await
    }
}

/// Changes of what is sold.
#[derive(Debug, Default)]
pub struct PlanMutation;

#[Object]
impl PlanMutation {
    /// Makes a plan, which is on sale at once. FINANCE and ADMIN.
    async fn create_plan(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CreatePlanInput,
    ) -> Option<Result<CreatePlanPayload>> {
        nullable(async {
            let outcome = service(context).create_plan(request(context).caller, input.into()).await;
            let (plan, user_errors) = show(context, outcome).await?;
            Ok(Some(CreatePlanPayload { plan, user_errors }))
        })
        .await
    }
    /// A new price binds new subscriptions; those that run keep theirs. FINANCE and ADMIN.
    async fn set_plan_price(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SetPlanPriceInput,
    ) -> Option<Result<SetPlanPricePayload>> {
        nullable(async {
            let plan = PlanId::parse(&input.plan_id);
            let outcome = service(context).set_plan_price(request(context).caller, plan, input.price.into()).await;
            let (plan, user_errors) = show(context, outcome).await?;
            Ok(Some(SetPlanPricePayload { plan, user_errors }))
        })
        .await
    }
    /// Takes a plan off sale; those who have it keep it. FINANCE and ADMIN.
    async fn archive_plan(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ArchivePlanInput,
    ) -> Option<Result<ArchivePlanPayload>> {
        nullable(async {
            let plan = PlanId::parse(&input.plan_id);
            let outcome = service(context).archive_plan(request(context).caller, plan).await;
            let (plan, user_errors) = show(context, outcome).await?;
            Ok(Some(ArchivePlanPayload { plan, user_errors }))
        })
        .await
    }
}

/// The plan that was changed, as it is now, or the refusals.
async fn show(context: &Context<'_>, outcome: Outcome<PlanId>) -> Result<(Option<StaffPlan>, Vec<UserError>)> {
    let (id, user_errors) = split(outcome)?;
    let request = request(context);
    request.refresh();
    let plan = match id {
        Some(id) => StaffPlan::by_id(request, id).await?,
        None => None,
    };
    Ok((plan, user_errors))
}

/// The service.
fn service(context: &Context<'_>) -> CatalogService {
    CatalogService::new(request(context).ports.clone())
}
