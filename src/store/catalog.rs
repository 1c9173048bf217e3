//! Products, plans with their versions, prices and features, tax rates, the seller. Everybody reads them through
//! [`Catalogue`]; the system alone writes them.
//!
//! A version of a plan never changes: there is no function that would change one.

mod history;
mod overage;
mod rows;
pub(super) mod thresholds;
mod writing;

use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use rust_decimal::Decimal;
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::entity::catalog::{plan, plan_feature, plan_price, plan_version, product, seller, tax_rate};
use super::tenant::Catalogue;
use super::types::{Day, FeatureKind};
use crate::billing::cancel::UnusedTime;
use crate::billing::change::ChangeOptions;
use crate::billing::dunning::DunningSettings;
use crate::billing::period::{AnchorMode, Granularity, Interval};
use crate::billing::tax::TaxBehavior;
use crate::billing::usage::THRESHOLDS;
use crate::error::Error;
use crate::ids::{PlanId, ProductId};
use crate::money::{Currency, Money, Rate};

pub use super::entity::catalog::seller::Model as Seller;
pub use super::entity::catalog::tax_rate::Model as TaxRate;
use rows::{current_plans, joined_plans, read_plans, read_product};

pub use history::{PastPrice, PlanHistory, histories, live_subscriptions};
pub use overage::{Overage, OverageModel, Tier};
pub use writing::{NewPlanVersion, archive_plan, insert_plan, insert_version, lock_catalogue, put_product, put_seller, put_tax_rate};

/// The feature that `max_users` is: the people of the business.
pub const USERS: &str = "users";
/// The feature that `storage_limit` is.
pub const STORAGE: &str = "storage_bytes";

/// A plan as it stood when a subscription began: the plan and the number of its version.
pub type VersionKey = (PlanId, i32);

/// A product, with what its operator lets customers choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// Unique: `erp`.
    pub code: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Its place among the products, from the least.
    pub position: i32,
    /// Where its periods begin.
    pub anchor: AnchorMode,
    /// What a part of a period is counted in.
    pub granularity: Granularity,
    /// How customers may change plan.
    pub change_options: ChangeOptions,
    /// What a customer who cancels at once may ask for the rest of the period; never empty.
    pub cancel_unused_time: Vec<UnusedTime>,
    /// How long payment of its subscriptions is waited for.
    pub dunning: DunningSettings,
    /// The hours for late usage, in which an invoice of a renewal is a draft; zero for none.
    pub grace_hours: u16,
}

/// A version of a plan, with its product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The plan's id, which all of its versions share.
    pub id: PlanId,
    /// Its product.
    pub product: Arc<Product>,
    /// Which version this is, from 1.
    pub version: i32,
    /// Unique in its product: `starter`.
    pub code: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// 0: no trial.
    pub trial_days: i32,
    /// `None`: without limit.
    pub max_users: Option<i32>,
    /// In bytes; `None`: without limit.
    pub storage_limit: Option<i64>,
    /// Whether only a verified business can subscribe.
    pub requires_verification: bool,
    /// Whether the plan (all of it) is sold no longer.
    pub archived: bool,
}

impl Plan {
    /// What names this version.
    pub const fn key(&self) -> VersionKey {
        (self.id, self.version)
    }

    /// What every plan limits, as features: how many people, and how much of documents.
    pub fn limits(&self) -> [Feature; 2] {
        let limit = |key: &str, name: &str, unit: &str, included: Option<i64>| Feature {
            key: key.to_owned(),
            name: name.to_owned(),
            kind: FeatureKind::Limit,
            enabled: true,
            included: included.map(|included| Rate::from(Decimal::from(included))),
            unit: Some(unit.to_owned()),
            overage: Vec::new(),
            thresholds: included.map_or_else(Vec::new, |_| THRESHOLDS.map(Rate::from).to_vec()),
        };
        [limit(USERS, "Users", "user", self.max_users.map(i64::from)), limit(STORAGE, "Storage", "byte", self.storage_limit)]
    }
}

/// What a version of a plan costs for one interval in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// For how long.
    pub interval: Interval,
    /// Which currency.
    pub currency: Currency,
    /// How much, in minor units; not negative.
    pub amount_minor: i64,
    /// Whether tax is in it or comes on top.
    pub tax_behavior: TaxBehavior,
}

impl Price {
    /// The amount.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where it is past every limit.
    pub fn money(&self) -> Result<Money, Error> {
        Money::new(self.amount_minor, self.currency).map_err(|_| Error::Corrupt("a price is too large".into()))
    }
}

/// What a version of a plan lets its customers do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Unique in its plan: `invoices.sent`.
    pub key: String,
    /// For people.
    pub name: String,
    /// What it counts.
    pub kind: FeatureKind,
    /// False for a switch that is off; true otherwise.
    pub enabled: bool,
    /// How many units are in the plan's price; `None`: without limit, or a switch.
    pub included: Option<Rate>,
    /// What one unit is.
    pub unit: Option<String>,
    /// How units past `included` are priced, in each currency the plan is sold in. Empty: `included` is a hard limit.
    pub overage: Vec<Overage>,
    /// Where people are told how much is used, as parts of `included`, rising. Empty where nothing limits it.
    pub thresholds: Vec<Rate>,
}

/// A version of a plan with its prices: what selling it needs. Reads as the [`Plan`] it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanView {
    /// The version.
    pub plan: Plan,
    /// One for each interval and currency it is sold in: monthly first, then by currency.
    pub prices: Vec<Price>,
}

impl Deref for PlanView {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

impl PlanView {
    /// The price for an interval in a currency; `None` where the plan is not sold so.
    pub fn price(&self, interval: Interval, currency: Currency) -> Option<Price> {
        price_of(&self.prices, interval, currency)
    }
}

/// The one of `prices` for an interval in a currency.
pub fn price_of(prices: &[Price], interval: Interval, currency: Currency) -> Option<Price> {
    prices.iter().copied().find(|price| price.interval == interval && price.currency == currency)
}

/// The products, in their order.
///
/// # Errors
/// The database's fault, or [`Error::Corrupt`] for a setting that the house does not know.
pub async fn products(catalogue: &Catalogue) -> Result<Vec<Product>, Error> {
    let rows = catalogue.select::<product::Entity>().order_by_asc(product::Column::Position).order_by_asc(product::Column::Code).all();
    rows.await?.into_iter().map(read_product).collect()
}

/// The product of an id, if there is one.
///
/// # Errors
/// As [`products`].
pub async fn product(catalogue: &Catalogue, id: ProductId) -> Result<Option<Product>, Error> {
    catalogue.select::<product::Entity>().filter(product::Column::Id.eq(id)).one().await?.map(read_product).transpose()
}

/// The product of a code, if there is one.
///
/// # Errors
/// As [`products`].
pub async fn product_by_code(catalogue: &Catalogue, code: &str) -> Result<Option<Product>, Error> {
    catalogue.select::<product::Entity>().filter(product::Column::Code.eq(code)).one().await?.map(read_product).transpose()
}

/// The current versions of the plans on sale, of the product of that code or of all, by product and code. Two statements.
///
/// # Errors
/// As [`products`].
pub async fn plans_on_sale(catalogue: &Catalogue, product: Option<&str>) -> Result<Vec<PlanView>, Error> {
    let mut select = current_plans(catalogue).filter(plan::Column::ArchivedAt.is_null());
    if let Some(code) = product {
        select = select.filter(product::Column::Code.eq(code));
    }
    let select = select.order_by_asc(product::Column::Position).order_by_asc(plan::Column::Code);
    let plans = read_plans(select).await?;
    with_prices(catalogue, plans).await
}

/// The current versions of all plans, archived or not, by product and code. Two statements.
///
/// # Errors
/// As [`products`].
pub async fn all_plans(catalogue: &Catalogue) -> Result<Vec<PlanView>, Error> {
    let select = current_plans(catalogue).order_by_asc(product::Column::Position).order_by_asc(plan::Column::Code);
    let plans = read_plans(select).await?;
    with_prices(catalogue, plans).await
}

/// The current version of a plan, archived or not. Two statements.
///
/// # Errors
/// As [`products`].
pub async fn plan_to_subscribe(catalogue: &Catalogue, id: PlanId) -> Result<Option<PlanView>, Error> {
    let select = current_plans(catalogue).filter(plan::Column::Id.eq(id));
    Ok(with_prices(catalogue, read_plans(select).await?).await?.pop())
}

/// The current version of the plan of that code, archived or not. Two statements.
///
/// # Errors
/// As [`products`].
pub async fn plan_by_code(catalogue: &Catalogue, product: &str, code: &str) -> Result<Option<PlanView>, Error> {
    let select = current_plans(catalogue).filter(product::Column::Code.eq(product)).filter(plan::Column::Code.eq(code));
    Ok(with_prices(catalogue, read_plans(select).await?).await?.pop())
}

/// Versions of plans with their prices. Two statements for any number.
///
/// # Errors
/// As [`products`].
pub async fn plan_versions(catalogue: &Catalogue, keys: &[VersionKey]) -> Result<HashMap<VersionKey, PlanView>, Error> {
    let plans = plans(catalogue, keys).await?.into_values().collect();
    Ok(with_prices(catalogue, plans).await?.into_iter().map(|view| (view.key(), view)).collect())
}

/// Versions of plans, without prices and features. One statement for any number.
///
/// # Errors
/// As [`products`].
pub async fn plans(catalogue: &Catalogue, keys: &[VersionKey]) -> Result<HashMap<VersionKey, Plan>, Error> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let named = any_of(keys, plan_version::Column::PlanId, plan_version::Column::Version);
    let plans = read_plans(joined_plans(catalogue).filter(named)).await?;
    Ok(plans.into_iter().map(|plan| (plan.key(), plan)).collect())
}

/// The prices of versions of plans: monthly first, then by currency. One statement for any number; a version without
/// prices has no entry.
///
/// # Errors
/// The database's fault.
pub async fn plan_prices(catalogue: &Catalogue, keys: &[VersionKey]) -> Result<HashMap<VersionKey, Vec<Price>>, Error> {
    let mut prices: HashMap<VersionKey, Vec<Price>> = HashMap::new();
    if keys.is_empty() {
        return Ok(prices);
    }
    let rows = catalogue
        .select::<plan_price::Entity>()
        .filter(any_of(keys, plan_price::Column::PlanId, plan_price::Column::Version))
        .order_by_asc(plan_price::Column::BillingInterval)
        .order_by_asc(plan_price::Column::Currency)
        .all()
        .await?;
    for row in rows {
        prices.entry((row.plan_id, row.version)).or_default().push(Price {
            interval: row.billing_interval,
            currency: row.currency,
            amount_minor: row.amount_minor,
            tax_behavior: row.tax_behavior,
        });
    }
    Ok(prices)
}

/// The features of versions of plans, in their order. One statement for any number; a version without features has no entry.
///
/// # Errors
/// The database's fault, or [`Error::Corrupt`] for an overage that the house does not know.
pub async fn plan_features(catalogue: &Catalogue, keys: &[VersionKey]) -> Result<HashMap<VersionKey, Vec<Feature>>, Error> {
    let mut features: HashMap<VersionKey, Vec<Feature>> = HashMap::new();
    if keys.is_empty() {
        return Ok(features);
    }
    let rows = catalogue
        .select::<plan_feature::Entity>()
        .filter(any_of(keys, plan_feature::Column::PlanId, plan_feature::Column::Version))
        .order_by_asc(plan_feature::Column::Position)
        .order_by_asc(plan_feature::Column::FeatureKey)
        .all()
        .await?;
    for row in rows {
        features.entry((row.plan_id, row.version)).or_default().push(Feature {
            overage: overage::read(&row.overage)?,
            thresholds: row.included.map_or_else(|| Ok(Vec::new()), |_| thresholds::read(&row.thresholds))?,
            key: row.feature_key,
            name: row.name,
            kind: row.kind,
            enabled: row.enabled,
            included: row.included,
            unit: row.unit,
        });
    }
    Ok(features)
}

/// Who sells, `None` before a catalogue was seeded, and every rate of tax that a country has, had or will have.
///
/// # Errors
/// The database's fault.
pub async fn seller_and_tax_rates(catalogue: &Catalogue, country: &str) -> Result<(Option<Seller>, Vec<TaxRate>), Error> {
    let of_country = Condition::all().add(tax_rate::Column::Country.eq(country));
    let rows = catalogue.select::<seller::Entity>().all_with_each::<tax_rate::Entity>(of_country).await?;
    let (mut sellers, rates): (Vec<Seller>, Vec<Option<TaxRate>>) = rows.into_iter().unzip();
    Ok((sellers.pop(), rates.into_iter().flatten().collect()))
}

/// The rate of a country's `rates` that holds on a day: the one that began last. `None`: the country has no tax then.
pub fn tax_rate_on(rates: Vec<TaxRate>, day: Day) -> Option<TaxRate> {
    rates.into_iter().filter(|rate| rate.valid_from <= day).max_by_key(|rate| rate.valid_from)
}

/// Who sells; `None` before a catalogue was seeded.
///
/// # Errors
/// The database's fault.
pub async fn seller(catalogue: &Catalogue) -> Result<Option<Seller>, Error> {
    catalogue.select::<seller::Entity>().one().await
}

/// The currencies that something on sale can be bought in, by code.
///
/// # Errors
/// The database's fault, or [`Error::Corrupt`] for an unknown currency.
pub async fn sold_currencies(catalogue: &Catalogue) -> Result<Vec<Currency>, Error> {
    /// One of them.
    #[derive(FromQueryResult)]
    struct Sold {
        /// Its code.
        currency: Currency,
    }
    let to_plan = plan_price::Entity::belongs_to(plan::Entity)
        .from((plan_price::Column::PlanId, plan_price::Column::Version))
        .to((plan::Column::Id, plan::Column::CurrentVersion))
        .into();
    let sold = catalogue
        .select::<plan_price::Entity>()
        .join(JoinType::InnerJoin, to_plan)
        .filter(plan::Column::ArchivedAt.is_null())
        .select_only()
        .column_as(plan_price::Column::Currency, "currency")
        .distinct()
        .order_by_asc(plan_price::Column::Currency)
        .all_as::<Sold>()
        .await?;
    Ok(sold.into_iter().map(|sold| sold.currency).collect())
}

/// The plans with their prices, read in one statement.
async fn with_prices(catalogue: &Catalogue, plans: Vec<Plan>) -> Result<Vec<PlanView>, Error> {
    let keys: Vec<VersionKey> = plans.iter().map(Plan::key).collect();
    let mut prices = plan_prices(catalogue, &keys).await?;
    let view = |plan: Plan| PlanView { prices: prices.remove(&plan.key()).unwrap_or_default(), plan };
    Ok(plans.into_iter().map(view).collect())
}

/// The rows whose plan and version are one of `keys`: by version, since SQLite compares no pair with a list of pairs,
/// and takes no expression as deep as one `or` for each key could become.
fn any_of<C: ColumnTrait>(keys: &[VersionKey], plan: C, version: C) -> Condition {
    let mut plans: BTreeMap<i32, Vec<PlanId>> = BTreeMap::new();
    for (id, number) in keys {
        plans.entry(*number).or_default().push(*id);
    }
    plans.into_iter().fold(Condition::any(), |any, (number, ids)| any.add(Condition::all().add(version.eq(number)).add(plan.is_in(ids))))
}
