//! The history of a usage period: hours as they were counted, and days and months made of them.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

use super::query::Report;
use crate::billing::RuleError;
use crate::billing::usage::{BucketSize, bucket_start};
use crate::error::Error;
use crate::money::Rate;
use crate::services::billing::rule;
use crate::store::types::FeatureKind;
use crate::store::{Tenant, usage};

/// More hours than a usage period has.
const MAX_HOURS: usize = 24 * 32;

/// The hours of every feature of a usage period: read once, for all of them.
#[derive(Debug, Clone, Default)]
pub struct Hours {
    /// Of each feature, what each hour has that has something.
    of: HashMap<String, BTreeMap<Timestamp, Decimal>>,
    /// What stood when the period began.
    before: HashMap<String, Decimal>,
}

impl Hours {
    /// The hours of a report's usage period. Two statements.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn read(tenant: &Tenant, report: &Report) -> Result<Self, Error> {
        let (start, end) = (report.period.start.into(), report.period.end.into());
        let mut hours = Self::default();
        for row in usage::buckets_between(tenant, report.subscription, (start, end)).await? {
            hours.of.entry(row.feature_key).or_default().insert(row.starts_at.get(), row.quantity.decimal());
        }
        for row in usage::buckets_before(tenant, report.subscription, start).await? {
            hours.before.insert(row.feature_key, row.quantity.decimal());
        }
        Ok(hours)
    }
}

/// The last `last` buckets of a report's usage period up to now, the earliest first. Metered: what was counted in each; a
/// standing quantity: what stood at its end, as far as it was known then.
///
/// # Errors
/// [`Error::Corrupt`] for a time that cannot be.
pub fn history(
    report: &Report,
    hours: &Hours,
    (key, kind): (&str, FeatureKind),
    size: BucketSize,
    last: usize,
) -> Result<Vec<(Timestamp, Rate)>, Error> {
    let start_of = |at: Timestamp| bucket_start(&report.zone, size, at).map(|start| start.max(report.period.start)).map_err(rule);
    let mut buckets: BTreeMap<Timestamp, Decimal> = BTreeMap::new();
    let mut at = report.period.start;
    for _ in 0..MAX_HOURS {
        if at >= report.until && !buckets.is_empty() {
            break;
        }
        buckets.insert(start_of(at)?, Decimal::ZERO);
        let hour = bucket_start(&report.zone, BucketSize::Hour, at).map_err(rule)?;
        at = hour.checked_add(SignedDuration::from_hours(1)).map_err(|_| rule(RuleError::OutOfTime))?;
    }
    let own = hours.of.get(key);
    match kind {
        FeatureKind::Metered => {
            for (hour, quantity) in own.into_iter().flatten() {
                let sum = buckets.entry(start_of(*hour)?).or_default();
                *sum = sum.checked_add(*quantity).ok_or_else(|| rule(RuleError::TooLarge))?;
            }
        }
        FeatureKind::Limit | FeatureKind::Switch => {
            let mut stood = hours.before.get(key).copied().unwrap_or(Decimal::ZERO);
            let mut at_end: BTreeMap<Timestamp, Decimal> = BTreeMap::new();
            for (hour, quantity) in own.into_iter().flatten() {
                at_end.insert(start_of(*hour)?, *quantity);
            }
            for (start, quantity) in &mut buckets {
                stood = at_end.get(start).copied().unwrap_or(stood);
                *quantity = stood;
            }
        }
    }
    let skipped = buckets.len().saturating_sub(last);
    Ok(buckets.into_iter().skip(skipped).map(|(start, quantity)| (start, Rate::from(quantity))).collect())
}
