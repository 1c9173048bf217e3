//! Usage: which events were counted, what they come to, and the hours of their history.
//!
//! Whoever writes here holds the lock of the subscription that is counted for. Quantities are decimals, which no statement
//! adds up: they are read, changed and written back under that lock.

use sea_orm::sea_query::{Condition, Expr, LockType, Query};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, DbErr, ExprTrait as _, FromQueryResult, IntoActiveModel as _};
use sea_orm::{QueryFilter as _, QueryOrder as _, QueryResult, QuerySelect as _};

use super::Tenant;
use super::catalog::{VersionKey, thresholds};
use super::entity::subscriptions::{period, subscription};
use super::entity::usage::{usage_bucket, usage_counter, usage_event, usage_event_id, usage_standing};
use super::tenant::{Scoped, ScopedUpdate};
use super::types::{Instant, UsageAction};
use super::usage_bulk::write_events;
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::Error;
use crate::ids::{ProductId, SubscriptionId};
use crate::money::Rate;
use crate::store::reads::subscriptions::LIVE;

pub use super::entity::subscriptions::period::Model as Period;
pub use super::entity::subscriptions::subscription::Model as Subscription;
pub use super::entity::usage::usage_bucket::Model as UsageBucket;
pub use super::entity::usage::usage_counter::Model as UsageCounter;
pub use super::entity::usage::usage_event::Model as UsageEvent;
pub use super::entity::usage::usage_standing::Model as UsageStanding;
pub use super::usage_bulk::claim_event_ids;

/// Gives back ids of events that were not counted in the end.
///
/// # Errors
/// The database's fault.
pub async fn release_event_ids(tenant: &Tenant, ids: Vec<String>) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    tenant.delete_where::<usage_event_id::Entity>(Condition::all().add(usage_event_id::Column::EventId.is_in(ids))).await
}

/// The subscriptions to these products that are live or ended after `since`, but for those that never began, the newest first,
/// locked until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn lock_subscriptions(tenant: &Tenant, products: &[ProductId], since: Instant) -> Result<Vec<Subscription>, Error> {
    newest_first(tenant, products, since).lock(LockType::Update).all().await
}

/// As [`lock_subscriptions`] without the lock, each with its periods as [`periods`] reads them, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn subscriptions_with_periods(
    tenant: &Tenant,
    products: &[ProductId],
    since: Instant,
) -> Result<Vec<(Subscription, Vec<Period>)>, Error> {
    let ordered = newest_first(tenant, products, since).order_by_asc(period::Column::Number);
    ordered.all_with_many::<period::Entity>(running_or_later(since)).await
}

/// A subscription, with what was counted of one feature.
#[derive(Debug, Clone)]
pub struct CountedSubscription {
    /// The subscription.
    pub row: Subscription,
    /// Its periods, as [`periods`] reads them.
    pub periods: Vec<Period>,
    /// What was counted in usage periods that end later, each with its start.
    pub used: Vec<(Instant, Rate)>,
    /// What stands of the product, where something was told of it.
    pub stands: Option<Rate>,
}

/// As [`subscriptions_with_periods`] of one product, with what was counted of a feature, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn subscriptions_with_feature(
    tenant: &Tenant,
    product: ProductId,
    feature: &str,
    since: Instant,
) -> Result<Vec<CountedSubscription>, Error> {
    let counter = |column| Expr::col((usage_counter::Entity, column));
    let standing = |column| Expr::col((usage_standing::Entity, column));
    let in_period = {
        use usage_counter::Column::{FeatureKey, PeriodEnd, SubscriptionId};
        let own = counter(SubscriptionId).equals((subscription::Entity, subscription::Column::Id));
        Condition::all().add(own).add(counter(FeatureKey).eq(feature)).add(counter(PeriodEnd).gt(since))
    };
    let stands = {
        use usage_standing::Column::{FeatureKey, ProductId};
        let own = standing(ProductId).equals((subscription::Entity, subscription::Column::ProductId));
        Condition::all().add(own).add(standing(FeatureKey).eq(feature))
    };
    let of_product = newest_first(tenant, &[product], since).left_join::<period::Entity>(running_or_later(since));
    let found = of_product
        .left_join::<usage_counter::Entity>(in_period)
        .left_join::<usage_standing::Entity>(stands)
        .order_by_asc(period::Column::Number)
        .all_as_with_joined::<FeatureRow, period::Entity>(vec![
            (counter(usage_counter::Column::PeriodStart), "counted_from"),
            (counter(usage_counter::Column::Used), "used"),
            (standing(usage_standing::Column::Quantity), "stands"),
        ])
        .await?;
    let mut all: Vec<CountedSubscription> = Vec::new();
    for (FeatureRow { row, counted_from, used, stands }, period) in found {
        if all.last().is_none_or(|last| last.row.id != row.id) {
            all.push(CountedSubscription { row, periods: Vec::new(), used: Vec::new(), stands });
        }
        let Some(last) = all.last_mut() else { continue };
        // Each period comes with each counter.
        if let Some(period) = period.filter(|period| last.periods.last().is_none_or(|before| before.number != period.number)) {
            last.periods.push(period);
        }
        if let Some(used) = counted_from.zip(used).filter(|used| !last.used.contains(used)) {
            last.used.push(used);
        }
    }
    Ok(all)
}

/// A subscription, with a counter of it and what stands of its product.
struct FeatureRow {
    /// The subscription.
    row: Subscription,
    /// When the counter's usage period began.
    counted_from: Option<Instant>,
    /// What it counts.
    used: Option<Rate>,
    /// What stands.
    stands: Option<Rate>,
}

impl FromQueryResult for FeatureRow {
    fn from_query_result(row: &QueryResult, prefix: &str) -> Result<Self, DbErr> {
        Ok(Self {
            row: Subscription::from_query_result(row, prefix)?,
            counted_from: row.try_get("", "counted_from")?,
            used: row.try_get("", "used")?,
            stands: row.try_get("", "stands")?,
        })
    }
}

/// That a period is of the subscription that it is joined to, and the running one or one that ends after `since`.
fn running_or_later(since: Instant) -> Condition {
    use period::Column::{EndsAt, Number, SubscriptionId};
    let column = |column| Expr::col((period::Entity, column));
    let running = column(Number).equals((subscription::Entity, subscription::Column::PeriodNumber));
    let own = column(SubscriptionId).equals((subscription::Entity, subscription::Column::Id));
    Condition::all().add(own).add(Condition::any().add(column(EndsAt).gt(since)).add(running))
}

/// The subscriptions that [`lock_subscriptions`] names.
fn newest_first(tenant: &Tenant, products: &[ProductId], since: Instant) -> Scoped<subscription::Entity> {
    use subscription::Column;
    let lately = Condition::any()
        .add(Column::Status.is_in(LIVE))
        .add(Condition::all().add(Column::Status.eq(SubscriptionStatus::Canceled)).add(Column::CanceledAt.gt(since)));
    let of_products = tenant.select::<subscription::Entity>().filter(Column::ProductId.is_in(products.iter().copied())).filter(lately);
    of_products.order_by_desc(Column::StartedAt).order_by_desc(Column::Id)
}

/// The periods of these subscriptions that end after `since`, in their order, and the running ones, whenever they end.
///
/// # Errors
/// The database's fault.
pub async fn periods(tenant: &Tenant, subscriptions: &[Subscription], since: Instant) -> Result<Vec<Period>, Error> {
    use period::Column;
    let running = Column::Number.is_in(subscriptions.iter().map(|row| row.period_number));
    let wanted = Condition::any().add(Column::EndsAt.gt(since)).add(running);
    let of_those = tenant.select::<period::Entity>().filter(Column::SubscriptionId.is_in(subscriptions.iter().map(|row| row.id)));
    of_those.filter(wanted).order_by_asc(Column::Number).all().await
}

/// The counters of these subscriptions whose usage periods end after `since`.
///
/// # Errors
/// The database's fault.
pub async fn counters(tenant: &Tenant, subscriptions: &[SubscriptionId], since: Instant) -> Result<Vec<UsageCounter>, Error> {
    use usage_counter::{Column, Entity};
    let of_those = tenant.select::<Entity>().filter(Column::SubscriptionId.is_in(subscriptions.iter().copied()));
    of_those.filter(Column::PeriodEnd.gt(since)).order_by_asc(Column::FeatureKey).order_by_asc(Column::PeriodStart).all().await
}

/// The counters of the usage period that begins at `start`.
///
/// # Errors
/// The database's fault.
pub async fn counters_of_period(tenant: &Tenant, subscription: SubscriptionId, start: Instant) -> Result<Vec<UsageCounter>, Error> {
    use usage_counter::{Column, Entity};
    let those = tenant.select::<Entity>().filter(Column::SubscriptionId.eq(subscription)).filter(Column::PeriodStart.eq(start));
    those.order_by_asc(Column::FeatureKey).all().await
}

/// The standing quantities of these products, of one feature where it is named.
///
/// # Errors
/// The database's fault.
pub async fn standings(tenant: &Tenant, products: &[ProductId], feature: Option<&str>) -> Result<Vec<UsageStanding>, Error> {
    use usage_standing::{Column, Entity};
    let mut those = tenant.select::<Entity>().filter(Column::ProductId.is_in(products.iter().copied()));
    if let Some(feature) = feature {
        those = those.filter(Column::FeatureKey.eq(feature));
    }
    those.all().await
}

/// The hours of these features of these subscriptions that begin at one of `starts`.
///
/// # Errors
/// The database's fault.
pub async fn buckets_at(
    tenant: &Tenant,
    subscriptions: &[SubscriptionId],
    features: &[String],
    starts: &[Instant],
) -> Result<Vec<UsageBucket>, Error> {
    use usage_bucket::{Column, Entity};
    if starts.is_empty() {
        return Ok(Vec::new());
    }
    let of_those = tenant.select::<Entity>().filter(Column::SubscriptionId.is_in(subscriptions.iter().copied()));
    let of_features = of_those.filter(Column::FeatureKey.is_in(features.iter().cloned()));
    of_features.filter(Column::StartsAt.is_in(starts.iter().copied())).all().await
}

/// The hours of a subscription's features from `start` until `end`, in their order.
///
/// # Errors
/// The database's fault.
pub async fn buckets_between(
    tenant: &Tenant,
    subscription: SubscriptionId,
    (start, end): (Instant, Instant),
) -> Result<Vec<UsageBucket>, Error> {
    use usage_bucket::{Column, Entity};
    let of_subscription = tenant.select::<Entity>().filter(Column::SubscriptionId.eq(subscription));
    of_subscription.filter(Column::StartsAt.gte(start)).filter(Column::StartsAt.lt(end)).order_by_asc(Column::StartsAt).all().await
}

/// The last hour before `end` of each feature of a subscription that has one.
///
/// # Errors
/// The database's fault.
pub async fn buckets_before(tenant: &Tenant, subscription: SubscriptionId, end: Instant) -> Result<Vec<UsageBucket>, Error> {
    use usage_bucket::{Column, Entity};
    let last = Query::select()
        .column(Column::FeatureKey)
        .expr(Expr::col(Column::StartsAt).max())
        .from(Entity)
        .and_where(Column::BusinessId.eq(tenant.business()))
        .and_where(Column::SubscriptionId.eq(subscription))
        .and_where(Column::StartsAt.lt(end))
        .group_by_col(Column::FeatureKey)
        .take();
    let those = Expr::tuple([Expr::col(Column::FeatureKey), Expr::col(Column::StartsAt)]).in_subquery(last);
    tenant.select::<Entity>().filter(Column::SubscriptionId.eq(subscription)).filter(those).all().await
}

/// The instants and quantities of the ADDs of these features after `since`.
///
/// # Errors
/// The database's fault.
pub async fn additions_since(
    tenant: &Tenant,
    subscriptions: &[SubscriptionId],
    features: &[String],
    since: Instant,
) -> Result<Vec<(SubscriptionId, String, Instant, Rate)>, Error> {
    use usage_event::{Column, Entity};
    let of_those = tenant.select::<Entity>().filter(Column::SubscriptionId.is_in(subscriptions.iter().copied()));
    let of_features = of_those.filter(Column::FeatureKey.is_in(features.iter().cloned())).filter(Column::OccurredAt.gt(since));
    // What stands belongs to no usage period; so say the rows of the index.
    let standing = of_features.filter(Column::UsagePeriodStart.is_null());
    let rows = standing.filter(Column::Action.eq(UsageAction::Add)).order_by_asc(Column::Id).all().await?;
    Ok(rows.into_iter().map(|row| (row.subscription_id, row.feature_key, row.occurred_at, row.quantity)).collect())
}

/// The counters of a subscription with something to bill of usage periods that began before `until`, the earliest first.
///
/// # Errors
/// The database's fault.
pub async fn unbilled(tenant: &Tenant, subscription: SubscriptionId, until: Instant) -> Result<Vec<UsageCounter>, Error> {
    use usage_counter::{Column, Entity};
    let of_subscription = tenant.select::<Entity>().filter(Column::SubscriptionId.eq(subscription)).filter(Column::Unbilled.eq(true));
    let begun = of_subscription.filter(Column::PeriodStart.lt(until));
    begun.order_by_asc(Column::PeriodStart).order_by_asc(Column::FeatureKey).all().await
}

/// Writes what was billed of counters, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn note_billed(tenant: &Tenant, counters: Vec<UsageCounter>) -> Result<(), Error> {
    use usage_counter::Column::{BilledAt, BilledUsed, PeriodEnd, PlanId, PlanVersion, Unbilled};
    let rows = counters.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    let changed = vec![PeriodEnd, PlanId, PlanVersion, Unbilled, BilledUsed, BilledAt];
    tenant.insert_or_change::<usage_counter::Entity, _>(rows, COUNTER_KEY.to_vec(), changed).await
}

/// Has the counters of these features that are not billed remember a plan.
///
/// # Errors
/// The database's fault.
pub async fn note_plan(tenant: &Tenant, subscription: SubscriptionId, features: Vec<String>, plan: VersionKey) -> Result<(), Error> {
    use usage_counter::Column;
    let change = |update: ScopedUpdate<usage_counter::Entity>| {
        let update = update.set(Column::PlanId, plan.0).set(Column::PlanVersion, plan.1).filter(Column::SubscriptionId.eq(subscription));
        update.filter(Column::BilledAt.is_null()).filter(Column::FeatureKey.is_in(features))
    };
    tenant.update_where::<usage_counter::Entity>(change).await.map(drop)
}

/// What names a counter.
const COUNTER_KEY: [usage_counter::Column; 4] = [
    usage_counter::Column::BusinessId,
    usage_counter::Column::SubscriptionId,
    usage_counter::Column::FeatureKey,
    usage_counter::Column::PeriodStart,
];

/// The thresholds that a row says it was told of.
///
/// # Errors
/// [`Error::Corrupt`] for a column that lists none.
pub fn read_told(column: &str) -> Result<Vec<Rate>, Error> {
    thresholds::read(column)
}

/// Thresholds as a row notes that it was told of them.
pub fn write_told(told: &[Rate]) -> String {
    thresholds::write(told)
}

/// What a call has counted, to be written.
#[derive(Debug, Default)]
pub struct Counted {
    /// The events.
    pub events: Vec<UsageEvent>,
    /// Counters, new or changed.
    pub counters: Vec<UsageCounter>,
    /// Standing quantities, new or changed.
    pub standings: Vec<UsageStanding>,
    /// Hours, new or changed.
    pub buckets: Vec<UsageBucket>,
}

/// Writes what a call has counted: a statement for each table, whatever it is.
///
/// # Errors
/// The database's fault.
pub async fn write(tenant: &Tenant, counted: Counted) -> Result<(), Error> {
    write_events(tenant, counted.events).await?;
    let counters = counted.counters.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    let (key, changed) = {
        use usage_counter::Column::{PeriodEnd, PlanId, PlanVersion, Told, Unbilled, UpdatedAt, Used};
        (COUNTER_KEY.to_vec(), vec![PeriodEnd, Used, PlanId, PlanVersion, Unbilled, Told, UpdatedAt])
    };
    tenant.insert_or_change::<usage_counter::Entity, _>(counters, key, changed).await?;
    let standings = counted.standings.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    let (key, changed) = {
        use usage_standing::Column::{BusinessId, FeatureKey, LastAt, ProductId, Quantity, SetAt, Told, ToldIn, UpdatedAt};
        (vec![BusinessId, ProductId, FeatureKey], vec![Quantity, SetAt, LastAt, Told, ToldIn, UpdatedAt])
    };
    tenant.insert_or_change::<usage_standing::Entity, _>(standings, key, changed).await?;
    let buckets = counted.buckets.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    let (key, changed) = {
        use usage_bucket::Column::{BusinessId, FeatureKey, Quantity, StartsAt, SubscriptionId};
        (vec![BusinessId, SubscriptionId, FeatureKey, StartsAt], vec![Quantity])
    };
    tenant.insert_or_change::<usage_bucket::Entity, _>(buckets, key, changed).await
}
