//! Reports: recurring revenue, and what is owed and being collected.

use async_graphql::{Context, Enum, Object, Result, SimpleObject};

use crate::billing::revenue::{self as rules, Bucket};
use crate::error::Error;
use crate::graphql::business::subscriptions::SubscriptionStatus;
use crate::graphql::context::{nullable, request};
use crate::graphql::scalars::{CurrencyCode, Date, Decimal, Money, stored_money};
use crate::money::Currency;
use crate::services::staff::{Right, revenue_of};
use crate::store::reads::collections as rows;

/// How long a bucket of revenue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "rules::BucketSize")]
pub enum RevenueBucketSize {
    /// A day.
    Day,
    /// A calendar month.
    Month,
}

/// Recurring revenue at the end of a day or month. A subscription counts from its first charged period to its end with its price before tax, net of a discount that
/// is for ever, a year's divided by 12 and rounded for the sum. Movements are amounts a month; what was lost is positive.
#[derive(Debug, Clone, SimpleObject)]
pub struct RevenueBucket {
    /// Its first day, by the platform's calendar.
    start: Date,
    /// Monthly recurring revenue at its end.
    mrr: Money,
    /// Annual recurring revenue at its end.
    arr: Money,
    /// Of subscriptions of businesses that never had one to the product.
    new: Money,
    /// Of subscriptions that count for more.
    expansion: Money,
    /// Of subscriptions that count for less.
    contraction: Money,
    /// Of subscriptions that ended.
    churned: Money,
    /// Of subscriptions of businesses whose one to the product had ended.
    reactivated: Money,
    /// Subscriptions that count at its end.
    active_subscriptions: i32,
    /// The part of the businesses that counted at its start of which the last subscription ended in it; `0` without any.
    customer_churn_rate: Decimal,
    /// `mrr` over the businesses that count at its end; zero without any.
    average_revenue_per_business: Money,
}

impl RevenueBucket {
    /// The bucket as the API shows it.
    fn of(bucket: Bucket, currency: Currency) -> Result<Self, Error> {
        let money = |minor| stored_money(minor, currency);
        Ok(Self {
            start: Date(bucket.start.into()),
            mrr: money(bucket.mrr_minor)?,
            arr: money(bucket.arr_minor)?,
            new: money(bucket.new_minor)?,
            expansion: money(bucket.expansion_minor)?,
            contraction: money(bucket.contraction_minor)?,
            churned: money(bucket.churned_minor)?,
            reactivated: money(bucket.reactivated_minor)?,
            active_subscriptions: number(bucket.active_subscriptions),
            customer_churn_rate: bucket.customer_churn_rate.into(),
            average_revenue_per_business: money(bucket.average_minor)?,
        })
    }
}

/// What is owed, and what is being done about it.
#[derive(Debug, Clone, SimpleObject)]
pub struct CollectionsReport {
    /// Subscriptions by status; none for a status that no subscription has.
    by_status: Vec<StatusCount>,
    /// What is due on open invoices, by how long ago it was due. What is not due yet is no part of it.
    owed: Vec<AgedAmount>,
    /// Open invoices that are tried again by themselves.
    retrying: i32,
    /// Payments of which the gateway does not tell what became.
    unknown_payments: i32,
}

/// How many subscriptions have a status.
#[derive(Debug, Clone, SimpleObject)]
pub struct StatusCount {
    /// The status.
    status: SubscriptionStatus,
    /// How many have it.
    count: i32,
}

/// What is owed at an age: `fromDays` to before `toDays` past due.
#[derive(Debug, Clone, SimpleObject)]
pub struct AgedAmount {
    /// From so many days past due.
    from_days: i32,
    /// To before so many; null in the last.
    to_days: Option<i32>,
    /// How much is due.
    amount: Money,
    /// On how many invoices.
    invoices: i32,
}

/// A count as the API shows it, no further than it can.
fn number(count: impl TryInto<i32>) -> i32 {
    count.try_into().unwrap_or(i32::MAX)
}

/// Reports.
#[derive(Debug, Default)]
pub struct ReportQuery;

#[Object]
impl ReportQuery {
    /// Monthly and annual recurring revenue, movements and churn, at the end of each day or month of the platform's time zone, from that of `from` to that of `to`: at most
    /// 366 days or 120 months.
    async fn revenue(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first day, or a day of the first month.")] from: Date,
        #[graphql(desc = "The last day, or a day of the last month.")] to: Date,
        #[graphql(desc = "Days or months.", default_with = "RevenueBucketSize::Month")] bucket: RevenueBucketSize,
        #[graphql(desc = "Of which currency.")] currency: CurrencyCode,
    ) -> Option<Result<Vec<RevenueBucket>>> {
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let buckets = revenue_of(&request.reader().await?, currency.0, (from.0.get(), to.0.get()), bucket.into()).await?;
            let shown: Vec<_> = buckets.into_iter().map(|bucket| RevenueBucket::of(bucket, currency.0)).collect::<Result<_, Error>>()?;
            Ok(Some(shown))
        })
        .await
    }

    /// Counts by status, sums owed by age, what is being retried, of one currency.
    async fn collections(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of which currency.")] currency: CurrencyCode,
    ) -> Option<Result<CollectionsReport>> {
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let (reader, now, currency) = (request.reader().await?, request.ports.now(), currency.0);
            let by_status = rows::by_status(&reader, currency).await?;
            let owed = rows::owed(&reader, currency, now).await?;
            let aged = |aged: rows::Aged| {
                Ok(AgedAmount {
                    from_days: number(aged.from_days),
                    to_days: aged.to_days.map(number),
                    amount: stored_money(aged.amount_minor, currency)?,
                    invoices: number(aged.invoices),
                })
            };
            Ok(Some(CollectionsReport {
                by_status: by_status
                    .into_iter()
                    .map(|(status, count)| StatusCount { status: status.into(), count: number(count) })
                    .collect(),
                owed: owed.into_iter().map(aged).collect::<Result<_, Error>>()?,
                retrying: number(rows::retrying(&reader, currency).await?),
                unknown_payments: number(rows::unknown_payments(&reader, currency).await?),
            }))
        })
        .await
    }
}
