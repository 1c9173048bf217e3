//! What is counted, while a call's events are applied one after the other: rows as they were read, then as they are to be.

use std::collections::HashMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::entitlement::{AccessReason, plan_of, stored_here, weigh};
use super::placed::{Ground, Placed};
use super::thresholds::Herald;
use crate::billing::usage::MAX_QUANTITY;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::{ProductId, SubscriptionId};
use crate::money::Rate;
use crate::services::Ports;
use crate::services::events::Event;
use crate::store::catalog::STORAGE;
use crate::store::types::{FeatureKind, UsageAction};
use crate::store::usage::{self, Counted, UsageBucket, UsageCounter, UsageEvent, UsageStanding};
use crate::store::{Instant, Tenant};

/// A row, and whether it is to be written.
#[derive(Debug)]
struct Kept<R> {
    /// As it is now.
    row: R,
    /// Whether a call has changed it.
    changed: bool,
}

impl<R> Kept<R> {
    /// A row as it was read.
    const fn read(row: R) -> Self {
        Self { row, changed: false }
    }

    /// The rows that are to be written.
    fn changed(all: impl Iterator<Item = Self>) -> Vec<R> {
        all.filter(|kept| kept.changed).map(|kept| kept.row).collect()
    }
}

/// The counters, standing quantities and hours that a call's events touch.
pub(super) struct Tally<'p> {
    /// Whence new ids come.
    ports: &'p Ports,
    /// Now.
    now: Instant,
    /// Now, whatever a test clock shows: events are kept by real time.
    real_now: Instant,
    /// Counters, by subscription, feature and start of the usage period.
    counters: HashMap<(SubscriptionId, String, Instant), Kept<UsageCounter>>,
    /// Standing quantities, by product and feature.
    standings: HashMap<(ProductId, String), Kept<UsageStanding>>,
    /// The bytes that are stored with the platform itself, which count towards the storage of every product.
    documents: Decimal,
    /// What was added to standing quantities, and when it happened, as far as a SET needs to know it.
    additions: HashMap<(ProductId, String), Vec<(Timestamp, Decimal)>>,
    /// Hours, by subscription, feature and start.
    buckets: HashMap<(SubscriptionId, String, Instant), Kept<UsageBucket>>,
    /// Usage periods that end before their period does, and were not counted for before.
    months: Vec<(SubscriptionId, (Instant, Instant))>,
    /// The events that were counted.
    events: Vec<UsageEvent>,
    /// The thresholds that they reach.
    herald: Herald,
}

impl<'p> Tally<'p> {
    /// Reads what these events touch. Four statements at most.
    ///
    /// # Errors
    /// The database's fault.
    pub(super) async fn of(
        tenant: &Tenant,
        ports: &'p Ports,
        (ground, placed): (&Ground, &[Placed<'_>]),
        now: Instant,
    ) -> Result<Self, Error> {
        let counters = ground.counters.iter().map(|row| ((row.subscription_id, row.feature_key.clone(), row.period_start), row.clone()));
        let mut tally = Self {
            ports,
            now,
            real_now: ports.real_now().into(),
            counters: counters.map(|(key, row)| (key, Kept::read(row))).collect(),
            standings: HashMap::new(),
            documents: Decimal::ZERO,
            additions: HashMap::new(),
            buckets: HashMap::new(),
            months: Vec::new(),
            events: Vec::new(),
            herald: Herald { now: now.get(), events: Vec::new() },
        };
        let subscriptions: Vec<SubscriptionId> = ground.courses.iter().map(|course| course.row.id).collect();
        let distinct = |mut keys: Vec<String>| {
            keys.sort_unstable();
            keys.dedup();
            keys
        };
        let features = distinct(placed.iter().map(|placed| placed.feature.key.clone()).collect());
        let mut starts: Vec<Instant> = placed.iter().filter_map(|placed| placed.hour.map(Instant::from)).collect();
        starts.sort_unstable();
        starts.dedup();
        for row in usage::buckets_at(tenant, &subscriptions, &features, &starts).await? {
            tally.buckets.insert((row.subscription_id, row.feature_key.clone(), row.starts_at), Kept::read(row));
        }
        if placed.iter().any(|placed| placed.feature.kind == FeatureKind::Limit) {
            let products: Vec<ProductId> = ground.courses.iter().map(|course| course.row.product_id).collect();
            for row in usage::standings(tenant, &products, None).await? {
                tally.standings.insert((row.product_id, row.feature_key.clone()), Kept::read(row));
            }
            tally.read_additions(tenant, ground, placed).await?;
        }
        if placed.iter().any(|placed| placed.feature.key == STORAGE) {
            tally.documents = stored_here(tenant).await?;
        }
        Ok(tally)
    }

    /// Reads what was added after the SETs that come late: it is added to what they say.
    async fn read_additions(&mut self, tenant: &Tenant, ground: &Ground, placed: &[Placed<'_>]) -> Result<(), Error> {
        let is_late = |placed: &&Placed<'_>| {
            let standing = self.standings.get(&(placed.course.row.product_id, placed.feature.key.clone()));
            placed.sound.event.action == UsageAction::Set && standing.is_some_and(|kept| kept.row.last_at.get() > placed.sound.at)
        };
        let late: Vec<&Placed<'_>> = placed.iter().filter(is_late).collect();
        let Some(since) = late.iter().map(|placed| placed.sound.at).min() else { return Ok(()) };
        let mut features: Vec<String> = late.iter().map(|placed| placed.feature.key.clone()).collect();
        features.sort_unstable();
        features.dedup();
        let products: HashMap<SubscriptionId, ProductId> =
            ground.courses.iter().map(|course| (course.row.id, course.row.product_id)).collect();
        let subscriptions: Vec<SubscriptionId> = products.keys().copied().collect();
        for (subscription, feature, at, quantity) in usage::additions_since(tenant, &subscriptions, &features, since.into()).await? {
            if let Some(product) = products.get(&subscription) {
                self.additions.entry((*product, feature)).or_default().push((at.get(), quantity.decimal()));
            }
        }
        Ok(())
    }

    /// Counts an event.
    ///
    /// # Errors
    /// LIMIT_EXCEEDED with `enforce` for one past a hard limit; TOO_LARGE, INVALID for what no quantity can be. Nothing is
    /// counted then. A fault for a row that notes what is no threshold.
    pub(super) fn count(&mut self, placed: &Placed<'_>, enforce: bool) -> Outcome<()> {
        match placed.feature.kind {
            FeatureKind::Metered => self.meter(placed, enforce)?,
            FeatureKind::Limit | FeatureKind::Switch => self.stand(placed, enforce)?,
        }
        let (sound, metered) = (&placed.sound, placed.feature.kind == FeatureKind::Metered);
        self.events.push(UsageEvent {
            business_id: placed.course.row.business_id,
            id: self.ports.ids.next(),
            recorded_at: self.real_now,
            subscription_id: placed.course.row.id,
            feature_key: placed.feature.key.clone(),
            event_id: sound.event.event_id.clone(),
            action: sound.event.action,
            quantity: Rate::from(sound.quantity),
            occurred_at: sound.at.into(),
            usage_period_start: metered.then(|| placed.window.period.start.into()),
            properties: sound.properties.clone(),
        });
        Ok(())
    }

    /// Adds to what is metered.
    fn meter(&mut self, placed: &Placed<'_>, enforce: bool) -> Outcome<()> {
        let (row, period) = (&placed.course.row, placed.window.period);
        let key = (row.id, placed.feature.key.clone(), Instant::from(period.start));
        let quantity = placed.sound.quantity;
        let used = self.counters.get(&key).map_or(Decimal::ZERO, |kept| kept.row.used.decimal());
        if enforce && !matches!(weigh(placed.feature, used, quantity), AccessReason::Included | AccessReason::Overage) {
            return Err(beyond(placed).into());
        }
        let all = sum(placed, used, quantity)?;
        let new = || UsageCounter {
            business_id: row.business_id,
            id: self.ports.ids.next(),
            subscription_id: row.id,
            feature_key: placed.feature.key.clone(),
            period_start: period.start.into(),
            period_end: period.end.into(),
            used: Rate::ZERO,
            plan_id: None,
            plan_version: None,
            unbilled: true,
            billed_used: None,
            billed_at: None,
            updated_at: self.now,
            told: String::new(),
            begun_at: Some(self.real_now),
        };
        if placed.window.ends_early && !self.counters.contains_key(&key) {
            self.months.push((row.id, (period.start.into(), period.end.into())));
        }
        let kept = self.counters.entry(key).or_insert_with(|| Kept::read(new()));
        kept.changed = true;
        kept.row.unbilled = true;
        kept.row.used = Rate::from(all);
        kept.row.period_end = period.end.into();
        kept.row.updated_at = self.now;
        if placed.in_plan && kept.row.billed_at.is_none() {
            let (plan, version) = plan_of(placed.course);
            (kept.row.plan_id, kept.row.plan_version) = (Some(plan), Some(version));
        }
        self.herald.metered(placed, &mut kept.row, used)?;
        if let Some(bucket) = self.bucket(placed) {
            bucket.quantity = Rate::from(sum(placed, bucket.quantity.decimal(), quantity)?);
        }
        Ok(())
    }

    /// Adds to, takes off or sets what stands. Events count in the order in which they happened: what a later SET outweighs
    /// changes nothing, and to a SET that comes late is added what was added after it.
    fn stand(&mut self, placed: &Placed<'_>, enforce: bool) -> Outcome<()> {
        let (sound, row) = (&placed.sound, &placed.course.row);
        let key = (row.product_id, placed.feature.key.clone());
        let kept = self.standings.get(&key);
        let stands = kept.map_or(Decimal::ZERO, |kept| kept.row.quantity.decimal());
        let set_at = kept.and_then(|kept| kept.row.set_at).map(Instant::get);
        let is_outweighed = set_at.is_some_and(|set_at| sound.at < set_at);
        let all = match sound.event.action {
            _ if is_outweighed => stands,
            UsageAction::Add => sum(placed, stands, sound.quantity)?,
            UsageAction::Set => {
                let added = self.additions.get(&key).into_iter().flatten().filter(|(at, _)| *at > sound.at);
                added.map(|(_, quantity)| *quantity).try_fold(sound.quantity, |all, more| sum(placed, all, more))?
            }
        };
        if all.is_sign_negative() && !all.is_zero() {
            return Err(sound.refuse("quantity", UserErrorCode::Invalid, "More would be given back than there is.").into());
        }
        let elsewhere = if placed.feature.key == STORAGE { self.documents } else { Decimal::ZERO };
        let is_past = all > stands && weigh(placed.feature, elsewhere, all) != AccessReason::Included;
        if enforce && is_past {
            return Err(beyond(placed).into());
        }
        let new = || UsageStanding {
            business_id: row.business_id,
            id: self.ports.ids.next(),
            product_id: row.product_id,
            feature_key: placed.feature.key.clone(),
            quantity: Rate::ZERO,
            set_at: None,
            last_at: sound.at.into(),
            updated_at: self.now,
            told: String::new(),
            told_in: None,
        };
        if sound.event.action == UsageAction::Add {
            self.additions.entry(key.clone()).or_default().push((sound.at, sound.quantity));
        }
        let kept = self.standings.entry(key).or_insert_with(|| Kept::read(new()));
        kept.changed = true;
        kept.row.quantity = Rate::from(all);
        kept.row.last_at = kept.row.last_at.max(sound.at.into());
        kept.row.updated_at = self.now;
        if sound.event.action == UsageAction::Set && !is_outweighed {
            kept.row.set_at = Some(sound.at.into());
        }
        self.herald.standing(placed, &mut kept.row, (stands, elsewhere))?;
        if let Some(bucket) = self.bucket(placed) {
            bucket.quantity = Rate::from(all);
        }
        Ok(())
    }

    /// The hour that an event goes to, which is to be written.
    fn bucket(&mut self, placed: &Placed<'_>) -> Option<&mut UsageBucket> {
        let start = Instant::from(placed.hour?);
        let row = &placed.course.row;
        let new = || UsageBucket {
            business_id: row.business_id,
            id: self.ports.ids.next(),
            subscription_id: row.id,
            feature_key: placed.feature.key.clone(),
            starts_at: start,
            quantity: Rate::ZERO,
        };
        let key = (row.id, placed.feature.key.clone(), start);
        let kept = self.buckets.entry(key).or_insert_with(|| Kept::read(new()));
        kept.changed = true;
        Some(&mut kept.row)
    }

    /// The usage periods that end before their period does and are counted for now: each is to be billed by itself.
    pub(super) fn months(&mut self) -> Vec<(SubscriptionId, (Instant, Instant))> {
        let mut months = std::mem::take(&mut self.months);
        months.sort_unstable();
        months.dedup();
        months
    }

    /// What is to be written, and what is to be told.
    pub(super) fn counted(self) -> (Counted, Vec<Event>) {
        let counted = Counted {
            events: self.events,
            counters: Kept::changed(self.counters.into_values()),
            standings: Kept::changed(self.standings.into_values()),
            buckets: Kept::changed(self.buckets.into_values()),
        };
        (counted, self.herald.events)
    }
}

/// A sum that a quantity can be.
fn sum(placed: &Placed<'_>, left: Decimal, right: Decimal) -> Result<Decimal, UserError> {
    let all = left.checked_add(right).filter(|all| all.abs() <= MAX_QUANTITY);
    all.ok_or_else(|| placed.sound.refuse("quantity", UserErrorCode::TooLarge, "All of it would be more than 1000000000000000."))
}

/// The refusal of what is past a hard limit.
fn beyond(placed: &Placed<'_>) -> UserError {
    let included = placed.feature.included.unwrap_or(Rate::ZERO);
    let sentence = format!("The plan includes {included} of \"{}\", and no more.", placed.feature.key);
    placed.sound.refuse("quantity", UserErrorCode::LimitExceeded, sentence)
}
