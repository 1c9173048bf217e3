//! The course of a subscription: from when until when it is counted for, and which usage period an instant lies in.

use std::collections::HashMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::billing::period::{Interval, Period, Schedule, Zone};
use crate::billing::usage::{UsagePeriod, period_at, usage_period};
use crate::error::Error;
use crate::ids::{ProductId, SubscriptionId};
use crate::money::Rate;
use crate::services::billing::{account, period_of, rule, schedule_of};
use crate::store::customers::Business;
use crate::store::subscriptions::Subscription;
use crate::store::{Instant, Tenant, usage};

/// A subscription with its periods, as far back as is looked.
#[derive(Debug, Clone)]
pub(super) struct Course {
    /// Its row.
    pub(super) row: Subscription,
    /// Its anchor, in the business's present zone.
    schedule: Schedule,
    /// Its periods, the earliest first, each with how long it was meant to be.
    periods: Vec<(Period, Interval)>,
}

/// A usage period, and the zone by whose clock its history goes.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// From when until when.
    pub(super) period: UsagePeriod,
    /// The zone of the period that it is part of.
    pub(super) zone: Zone,
    /// Whether the period goes on after it.
    pub(super) ends_early: bool,
}

impl Course {
    /// Whether it is counted for at an instant: from its start until it ended, or is to end.
    pub(super) fn covers(&self, at: Timestamp) -> bool {
        let ends = if self.row.status.is_final() { self.row.canceled_at } else { self.row.cancel_at };
        self.periods.first().is_some_and(|(first, _)| first.start <= at) && ends.is_none_or(|ends| at < ends.get())
    }

    /// The usage period of an instant that it covers.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a period that is none.
    pub(super) fn window(&self, at: Timestamp) -> Result<Option<Window>, Error> {
        let found = self.periods.iter().rev().find(|(period, _)| period.contains(at));
        let (period, interval) = match (found, self.periods.last()) {
            (Some((period, interval)), _) => (period.clone(), *interval),
            (None, Some((last, _))) if last.end <= at && !self.row.status.is_final() => {
                (period_at(&self.schedule, last, at).map_err(rule)?, self.schedule.interval)
            }
            _ => return Ok(None),
        };
        let counted = usage_period(&self.schedule, &period, interval, at).map_err(rule)?;
        Ok(Some(Window { period: counted, ends_early: counted.end < period.end, zone: period.zone }))
    }
}

/// The subscriptions to these products that were there after `since`, the newest first; locked with `lock`.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] for columns that are none.
pub(super) async fn courses(
    tenant: &Tenant,
    business: &Business,
    products: &[ProductId],
    since: Timestamp,
    lock: bool,
) -> Result<Vec<Course>, Error> {
    if products.is_empty() {
        return Ok(Vec::new());
    }
    let since = Instant::from(since);
    let rows =
        if lock { locked(tenant, products, since).await? } else { usage::subscriptions_with_periods(tenant, products, since).await? };
    let zone = account::zone(&business.time_zone)?;
    rows.into_iter().map(|(row, periods)| course(row, &periods, &zone)).collect()
}

/// The subscription to a product that is counted for now, with what was counted of a feature of it. One statement.
///
/// # Errors
/// As [`courses`].
pub(super) async fn course_with_feature(
    tenant: &Tenant,
    business: &Business,
    (product, feature): (ProductId, &str),
    now: Timestamp,
) -> Result<Option<(Course, Counted)>, Error> {
    let zone = account::zone(&business.time_zone)?;
    for found in usage::subscriptions_with_feature(tenant, product, feature, now.into()).await? {
        let course = course(found.row, &found.periods, &zone)?;
        if course.covers(now) {
            return Ok(Some((course, Counted { used: found.used, stands: found.stands })));
        }
    }
    Ok(None)
}

/// What was counted of a feature.
#[derive(Debug)]
pub(super) struct Counted {
    /// In usage periods, each with its start.
    used: Vec<(Instant, Rate)>,
    /// What stands.
    stands: Option<Rate>,
}

impl Counted {
    /// What was counted in the usage period that began then.
    pub(super) fn used_since(&self, start: Instant) -> Decimal {
        self.used.iter().find(|(from, _)| *from == start).map_or(Decimal::ZERO, |(_, used)| used.decimal())
    }

    /// What stands.
    pub(super) fn stands(&self) -> Decimal {
        self.stands.map_or(Decimal::ZERO, Rate::decimal)
    }
}

/// The course of a subscription with these periods.
fn course(row: Subscription, periods: &[usage::Period], zone: &Zone) -> Result<Course, Error> {
    let periods = periods.iter().map(|period| Ok((period_of(period)?, period.billing_interval))).collect::<Result<Vec<_>, Error>>()?;
    Ok(Course { schedule: schedule_of(&row, zone.clone())?, row, periods })
}

/// The subscriptions, locked, each with its periods.
async fn locked(tenant: &Tenant, products: &[ProductId], since: Instant) -> Result<Vec<(Subscription, Vec<usage::Period>)>, Error> {
    let rows = usage::lock_subscriptions(tenant, products, since).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut periods: HashMap<SubscriptionId, Vec<usage::Period>> = HashMap::new();
    for period in usage::periods(tenant, &rows, since).await? {
        periods.entry(period.subscription_id).or_default().push(period);
    }
    let with_own = |row: Subscription| {
        let own = periods.remove(&row.id).unwrap_or_default();
        (row, own)
    };
    Ok(rows.into_iter().map(with_own).collect())
}
