//! What a sound database looks like: each check is one statement that reads what contradicts itself, on both databases.
//!
//! The statements are fixed text: nothing from outside is in them. They change nothing.

use std::collections::{HashMap, HashSet};

use rust_decimal::Decimal;
use uuid::Uuid;

use super::System;
use super::types::Instant;
use crate::error::Error;
use crate::ids::SubscriptionId;
use crate::money::Rate;

mod checks;

pub use checks::CHECKS;

/// The most findings of one check that are read; more say the same.
pub const MAX_FINDINGS: usize = 100;

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// What it is called.
    pub name: &'static str,
    /// What holds in a sound database, in one sentence.
    pub holds: &'static str,
    /// Reads `business_id`, `prefix` (of the id's kind), `id` and `note` of whatever contradicts it.
    sql: &'static str,
}

/// A row that contradicts a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// Whose it is; `None` for what is nobody's.
    pub business: Option<Uuid>,
    /// The kind of the id.
    pub prefix: String,
    /// The id; `None` for what has none.
    pub id: Option<Uuid>,
    /// What contradicts.
    pub note: String,
}

/// What contradicts a check: [`MAX_FINDINGS`] at most.
///
/// # Errors
/// The database's fault.
pub async fn contradictions(system: &System, check: &Check) -> Result<Vec<Contradiction>, Error> {
    let rows = system.read_fixed(check.sql).await?;
    let read = rows.iter().take(MAX_FINDINGS).map(|row| {
        Ok(Contradiction {
            business: row.try_get("", "business_id")?,
            prefix: row.try_get("", "prefix")?,
            id: row.try_get("", "id")?,
            note: row.try_get("", "note")?,
        })
    });
    read.collect()
}

/// The subscriptions that are to renew and have no job that will: a job's key is text that no statement can make.
///
/// # Errors
/// The database's fault.
pub async fn without_renewal(system: &System, kind: &str) -> Result<Vec<Contradiction>, Error> {
    let jobs = system.read_fixed("select kind, job_key from jobs where status = 'READY'").await?;
    let mut waiting = HashSet::with_capacity(jobs.len());
    for row in &jobs {
        if row.try_get::<String>("", "kind")? == kind {
            waiting.insert(row.try_get::<String>("", "job_key")?);
        }
    }
    let sql = "select business_id, id, period_number from subscriptions where status in ('TRIALING', 'ACTIVE', 'PAST_DUE', 'SUSPENDED')";
    let mut found = Vec::new();
    for row in system.read_fixed(sql).await? {
        let (id, number) = (row.try_get::<Uuid>("", "id")?, row.try_get::<i32>("", "period_number")?);
        if !waiting.contains(&format!("{}:{number}", SubscriptionId::from(id))) && found.len() < MAX_FINDINGS {
            let note = format!("nothing will bill the end of its period {number}");
            found.push(Contradiction { business: row.try_get("", "business_id")?, prefix: "sub".to_owned(), id: Some(id), note });
        }
    }
    Ok(found)
}

/// The counters of what is metered that are not the sum of their events, and the events that are in no counter. Events are
/// not kept for ever: of a counter that was begun before the time since when all are kept, the events that are there come to
/// no more than it says.
///
/// # Errors
/// The database's fault.
pub async fn miscounted(system: &System) -> Result<Vec<Contradiction>, Error> {
    let kept_since = super::retention::kept_since(system).await?;
    let sql = "select business_id, subscription_id, feature_key, usage_period_start, quantity from usage_events
               where usage_period_start is not null";
    let mut sums: HashMap<(Uuid, Uuid, String, Instant), Decimal> = HashMap::new();
    for row in system.read_fixed(sql).await? {
        let key = (row.try_get("", "business_id")?, row.try_get("", "subscription_id")?, row.try_get("", "feature_key")?);
        let sum = sums.entry((key.0, key.1, key.2, row.try_get("", "usage_period_start")?)).or_default();
        *sum = sum.saturating_add(row.try_get::<Rate>("", "quantity")?.decimal());
    }
    let mut found = Vec::new();
    let sql = "select business_id, id, subscription_id, feature_key, period_start, used, begun_at from usage_counters";
    for row in system.read_fixed(sql).await? {
        let (business, start): (Uuid, Instant) = (row.try_get("", "business_id")?, row.try_get("", "period_start")?);
        let feature: String = row.try_get("", "feature_key")?;
        let used = row.try_get::<Rate>("", "used")?;
        let sum = sums.remove(&(business, row.try_get("", "subscription_id")?, feature.clone(), start)).unwrap_or_default();
        let begun: Option<Instant> = row.try_get("", "begun_at")?;
        let is_whole = kept_since.is_none_or(|since| begun.is_some_and(|begun| begun >= since));
        if sum > used.decimal() || (is_whole && sum != used.decimal()) {
            let note = format!("it says {used} of {feature}, and its events come to {}", sum.normalize());
            found.push(Contradiction { business: Some(business), prefix: "ucn".to_owned(), id: Some(row.try_get("", "id")?), note });
        }
    }
    let lost = sums.into_iter().map(|((business, subscription, feature, start), _)| {
        let note = format!("events of {feature} from {} on are in no counter", start.get());
        Contradiction { business: Some(business), prefix: "sub".to_owned(), id: Some(subscription), note }
    });
    Ok(found.into_iter().chain(lost).take(MAX_FINDINGS).collect())
}
