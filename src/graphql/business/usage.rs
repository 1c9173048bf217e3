//! Usage and access: what a product asks all day.

use std::sync::Arc;

use async_graphql::types::Json;
use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use tokio::sync::OnceCell;

use super::catalog::PlanFeature;
use super::subscriptions::Period;
use crate::billing::usage as rules;
use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{DateTime, Decimal, Money};
use crate::money::Rate;
use crate::services::access::Need;
use crate::services::usage::{self, Hours, NewEvent, RecordUsage, Report, UsageTrackingService};
use crate::store::catalog::USERS;
use crate::store::types;

/// The most buckets that are shown at a time.
const MAX_BUCKETS: i32 = 1_000;

/// What a history is parted into, by the clock and calendar of the business's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "rules::BucketSize")]
pub enum UsageBucketSize {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Calendar months.
    Month,
}

/// What an event does to a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::UsageAction")]
pub enum UsageAction {
    /// It is added; a standing quantity is given back with a negative one.
    Add,
    /// It is the whole standing quantity.
    Set,
}

/// Why something may be used, or may not. PAYMENT_PENDING: the subscription is INCOMPLETE. SUSPENDED: it, or the business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "usage::AccessReason")]
pub enum AccessReason {
    /// It is in the plan's price.
    Included,
    /// It costs more.
    Overage,
    /// The plan does not have it.
    NotInPlan,
    /// The plan's limit is reached.
    LimitReached,
    /// There is no subscription.
    NoSubscription,
    /// The first payment is not settled.
    PaymentPending,
    /// The subscription or the business is suspended.
    Suspended,
    /// No plan of the product has it.
    UnknownFeature,
}

/// What was used in a usage period, which is a month.
#[derive(SimpleObject)]
pub struct UsageReport {
    /// The usage period.
    period: Period,
    /// One for each feature that can be counted.
    metrics: Vec<MetricUsage>,
}

/// What the metrics of a report share: the hours of their histories are read once, for all of them.
struct Shared {
    report: Report,
    hours: OnceCell<Hours>,
}

/// What was used of a feature.
pub struct MetricUsage {
    shared: Arc<Shared>,
    metric: usage::Metric,
}

/// A part of a history.
#[derive(Debug, SimpleObject)]
pub struct UsageBucket {
    /// Its first instant.
    start: DateTime,
    /// METERED: what was counted in it. LIMIT: what stood at its end, as far as it was known then.
    quantity: Decimal,
}

/// What was used of a feature.
#[Object]
impl MetricUsage {
    /// The feature, as the plan has it.
    async fn feature(&self) -> PlanFeature {
        PlanFeature::priced(self.metric.feature.clone(), self.shared.report.currency)
    }
    /// How much was used, or stands.
    async fn used(&self) -> Decimal {
        self.metric.used.into()
    }
    /// How much is in the plan's price. Null without a limit.
    async fn included(&self) -> Option<Decimal> {
        self.metric.feature.included.map(Decimal::from)
    }
    /// Null without a limit.
    async fn remaining(&self) -> Option<Decimal> {
        self.metric.remaining.map(Decimal::from)
    }
    /// Units past `included`.
    async fn overage(&self) -> Decimal {
        self.metric.overage.into()
    }
    /// What those cost so far, without tax that comes on top.
    async fn overage_cost(&self) -> Money {
        self.metric.cost.into()
    }
    /// When it starts again at zero; null for what stands.
    async fn resets_at(&self) -> Option<DateTime> {
        self.metric.resets_at.map(DateTime::from)
    }
    /// The last `last` buckets of the period, oldest first; at most 1,000. Empty for `users`, whose past is not kept.
    async fn history(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "How long each is.", default_with = "UsageBucketSize::Day")] bucket: UsageBucketSize,
        #[graphql(desc = "How many, at most 1,000.", default = 100)] last: i32,
    ) -> Result<Vec<UsageBucket>> {
        if !(0..=MAX_BUCKETS).contains(&last) {
            return Err(Error::BadUserInput("`last` is a number from 0 to 1000.".into()).into());
        }
        let (shared, feature) = (&self.shared, &self.metric.feature);
        if feature.key == USERS {
            return Ok(Vec::new());
        }
        let tenant = request(context).tenant().await?;
        let hours = shared.hours.get_or_try_init(async || Hours::read(&tenant, &shared.report).await).await?;
        let last = usize::try_from(last).unwrap_or(0);
        let found = usage::history(&shared.report, hours, (&feature.key, feature.kind), bucket.into(), last)?;
        Ok(found.into_iter().map(|(start, quantity)| UsageBucket { start: start.into(), quantity: quantity.into() }).collect())
    }
}

/// Whether something may be used now.
#[derive(Debug, SimpleObject)]
pub struct FeatureAccess {
    /// The feature's key.
    key: String,
    /// Whether `quantity` more may be used now.
    allowed: bool,
    /// Why, or why not.
    reason: AccessReason,
    /// How much was used, or stands; null where it cannot be counted.
    used: Option<Decimal>,
    /// How much is in the plan's price. Null without a limit.
    included: Option<Decimal>,
    /// What is left of it. Null without a limit.
    remaining: Option<Decimal>,
    /// When it starts again at zero; null for what does not.
    resets_at: Option<DateTime>,
}

/// What was used of a product's feature in the usage period that `at` lies in; none where there was no subscription then.
pub(super) async fn metric_at(
    request: &RequestContext,
    (product, feature): (&str, &str),
    at: jiff::Timestamp,
) -> Result<Option<MetricUsage>> {
    let (tenant, access) = (request.tenant().await?, request.access().await?);
    let Some(report) = usage::report(&tenant, &request.ports, &access, Some(product), Some(at)).await? else { return Ok(None) };
    let metric = report.metrics.iter().find(|metric| metric.feature.key == feature).cloned();
    let shared = Arc::new(Shared { report, hours: OnceCell::new() });
    Ok(metric.map(|metric| MetricUsage { shared, metric }))
}

/// Queries about usage.
#[derive(Default)]
pub struct UsageQuery;

#[Object]
impl UsageQuery {
    /// What was used of a product in its usage period, or in the one that `at` lies in. Null where there was no subscription then;
    /// without `product` the one live subscription is meant, and a product's key means its own.
    async fn usage(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A `Product.code`; without, the business's one live subscription is meant.")] product: Option<String>,
        #[graphql(desc = "In the usage period that this lies in; without, in the present one.")] at: Option<DateTime>,
    ) -> Option<Result<UsageReport>> {
        nullable(async {
            let request = request(context);
            request.caller.require_scope()?;
            request.require(Need::ReadUsage).await?;
            let (tenant, access) = (request.tenant().await?, request.access().await?);
            let at = at.map(|at| at.0.get());
            let Some(report) = usage::report(&tenant, &request.ports, &access, product.as_deref(), at).await? else { return Ok(None) };
            let period = Period::of(Some(report.period.start.into()), Some(report.period.end.into()));
            let metrics = report.metrics.clone();
            let shared = Arc::new(Shared { report, hours: OnceCell::new() });
            let metrics = metrics.into_iter().map(|metric| MetricUsage { shared: Arc::clone(&shared), metric }).collect();
            Ok(period.map(|period| UsageReport { period, metrics }))
        })
        .await
    }

    /// Whether so much more of a feature may be used now. Null where the caller is not the business's. Never null for want of a
    /// subscription: see `reason`.
    async fn feature_access(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A `Product.code`.")] product: String,
        #[graphql(desc = "A `PlanFeature.key`.")] feature: String,
        #[graphql(desc = "How much more is to be used.", default_with = "Decimal(\"1\".to_owned())")] quantity: Decimal,
    ) -> Option<Result<FeatureAccess>> {
        nullable(async {
            let request = request(context);
            request.caller.require_scope()?;
            request.require(Need::ReadUsage).await?;
            let quantity = asked(&quantity)?;
            let (tenant, access) = (request.tenant().await?, request.access().await?);
            let found = usage::feature_access(&tenant, &request.ports, &access, (&product, &feature), quantity).await?;
            Ok(Some(FeatureAccess {
                allowed: found.is_allowed(),
                reason: found.reason.into(),
                used: found.used.map(Decimal::from),
                included: found.included.map(Decimal::from),
                remaining: found.remaining.map(Decimal::from),
                resets_at: found.resets_at.map(DateTime::from),
                key: found.key,
            }))
        })
        .await
    }
}

/// A quantity that may be asked for.
fn asked(quantity: &Decimal) -> Result<rust_decimal::Decimal, Error> {
    let refuse = || Error::BadUserInput("`quantity` is from 0 to 1000000000000000, with at most six digits after the point.".into());
    let quantity = rate_of(quantity).ok_or_else(refuse)?.decimal();
    let fits = !quantity.is_sign_negative() && quantity <= rules::MAX_QUANTITY && quantity.scale() <= rules::QUANTITY_DIGITS;
    if fits { Ok(quantity) } else { Err(refuse()) }
}

/// The number of a scalar.
fn rate_of(decimal: &Decimal) -> Option<Rate> {
    decimal.0.parse().ok()
}

/// Something that was used.
#[derive(Debug, InputObject)]
pub struct UsageEventInput {
    /// Names the event: the same one counts once, however often it is sent within 90 days. At most 128 characters.
    event_id: String,
    /// A `Product.code`.
    product: String,
    /// A `PlanFeature.key`.
    feature: String,
    /// ADD: not negative for METERED; for LIMIT, negative gives back. SET: LIMIT alone, the whole standing quantity; never negative.
    #[graphql(default_with = "UsageAction::Add")]
    action: UsageAction,
    /// How much; at most six digits after the point.
    quantity: Decimal,
    /// Default: now. Up to 35 days back; never in the future.
    occurred_at: Option<DateTime>,
    /// What is to be kept with it: an object of at most 4,096 bytes.
    properties: Option<Json<serde_json::Value>>,
}

/// Usage to record.
#[derive(Debug, InputObject)]
pub struct RecordUsageInput {
    /// 1 to 1,000.
    events: Vec<UsageEventInput>,
    /// True: an event past a hard limit is refused, checked and counted in one step. False: it is counted all the same.
    #[graphql(default = true)]
    enforce_limits: bool,
}

/// What `recordUsage` answers.
#[derive(Debug, SimpleObject)]
pub struct RecordUsagePayload {
    /// How many events were counted.
    accepted: i32,
    /// How many had been counted already.
    duplicates: i32,
    /// Those that were not counted; the others were all the same.
    rejected: Vec<RejectedUsage>,
    /// What is to be put right; when there is any, nothing was counted.
    user_errors: Vec<UserError>,
}

/// An event that was not counted.
#[derive(Debug, SimpleObject)]
pub struct RejectedUsage {
    /// Its place in `events`, from 0.
    index: i32,
    /// Its id.
    event_id: String,
    /// Why.
    error: UserError,
}

/// Records usage.
#[derive(Debug, Default)]
pub struct UsageMutation;

#[Object]
impl UsageMutation {
    /// Counts what was used, each event once. For products, keys with USAGE_WRITE, admins and owners.
    async fn record_usage(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RecordUsageInput,
    ) -> Option<Result<RecordUsagePayload>> {
        nullable(async {
            let request = request(context);
            let events = input.events.into_iter().map(new_event).collect::<Result<_, Error>>()?;
            let asked = RecordUsage { events, enforce_limits: input.enforce_limits };
            let (recorded, user_errors) = split(UsageTrackingService::new(request.ports.clone()).record(request.caller, asked).await)?;
            request.refresh();
            let recorded = recorded.unwrap_or_default();
            let rejected = recorded.rejected.into_iter().map(|rejected| {
                Ok(RejectedUsage { index: count(rejected.index)?, event_id: rejected.event_id, error: rejected.error.into() })
            });
            Ok(Some(RecordUsagePayload {
                accepted: count(recorded.accepted)?,
                duplicates: count(recorded.duplicates)?,
                rejected: rejected.collect::<Result<_, Error>>()?,
                user_errors,
            }))
        })
        .await
    }
}

/// The event of its input.
fn new_event(input: UsageEventInput) -> Result<NewEvent, Error> {
    Ok(NewEvent {
        quantity: rate_of(&input.quantity).ok_or(Error::BadUserInput("A quantity is no number.".into()))?,
        event_id: input.event_id,
        product: input.product,
        feature: input.feature,
        action: input.action.into(),
        occurred_at: input.occurred_at.map(|at| at.0),
        properties: input.properties.map(|Json(value)| value),
    })
}

/// A number of events, of which there are never many.
fn count(number: usize) -> Result<i32, Error> {
    i32::try_from(number).map_err(|_| Error::Corrupt("a call has more events than can be".into()))
}
