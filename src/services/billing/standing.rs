//! A subscription as the rules see it: its row and running period as schedule, period and price, and back.

use jiff::Timestamp;

use super::account::{Account, zone};
use super::{revenue, rule};
use crate::billing::discount::{Coupon, Discount};
use crate::billing::lifecycle::{SubscriptionEvent, SubscriptionStatus};
use crate::billing::period::{AnchorMode, Interval, Period, Schedule, Zone};
use crate::billing::proration::PeriodPrice;
use crate::billing::tax::Tax;
use crate::error::Error;
use crate::ids::SubscriptionId;
use crate::services::Ports;
use crate::services::audit::{Act, record};
use crate::services::events::{self, Event, SubscriptionFacts, SubscriptionWhat};
use crate::store::catalog::{Plan, plans};
use crate::store::jobs::{NewJob, schedule};
use crate::store::subscriptions::{NewChange, Period as PeriodRow, Subscription};
use crate::store::types::{Day, PeriodKind};
use crate::store::{Tenant, coupons, subscriptions};

/// The job that bills a boundary.
pub const RENEWAL: &str = "renewal";

/// A subscription with what belongs to it.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its row. Whoever changes it writes it with [`Standing::save`].
    pub row: Subscription,
    /// The running period.
    pub period: PeriodRow,
    /// The version of the plan in force.
    pub plan: Plan,
    /// Its coupon, with the charged periods that it still has.
    pub coupon: Option<Coupon>,
}

impl Standing {
    /// The subscription of a row.
    ///
    /// # Errors
    /// The database's fault; [`Error::Corrupt`] where its period or plan is gone.
    pub async fn of(tenant: &Tenant, row: Subscription) -> Result<Self, Error> {
        let period = subscriptions::period(tenant, row.id, row.period_number).await?;
        let period = period.ok_or_else(|| Error::Corrupt("a subscription has no running period".into()))?;
        let plan = plan_in_force(tenant, &row).await?;
        let coupon = coupon_of(tenant, &row).await?;
        Ok(Self { row, period, plan, coupon })
    }

    /// The subscription of that id, locked; the business's lock is held. `None` where the business has no such one.
    ///
    /// # Errors
    /// As [`Standing::of`].
    pub async fn lock(tenant: &Tenant, id: SubscriptionId) -> Result<Option<Self>, Error> {
        match subscriptions::lock(tenant, id).await? {
            Some(row) => Self::of(tenant, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Its anchor, interval and settings, in the business's present zone.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for columns that are none.
    pub fn schedule(&self, account: &Account) -> Result<Schedule, Error> {
        schedule_of(&self.row, account.zone.clone())
    }

    /// Takes over a schedule's anchor and interval.
    pub fn set_schedule(&mut self, schedule: &Schedule) {
        self.row.anchor_date = Day::from(schedule.anchor);
        self.row.anchor_time = schedule.anchor_time.to_string();
        self.row.billing_interval = schedule.interval;
    }

    /// The running period.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for columns that are none.
    pub fn running(&self) -> Result<Period, Error> {
        Ok(Period { end: self.row.period_end.get(), ..period_of(&self.period)? })
    }

    /// What was last charged for the running period; `None` where nothing was.
    pub fn charged(&self) -> Option<PeriodPrice> {
        let row = &self.row;
        let (price_minor, rate, behavior) = (row.charged_price_minor?, row.charged_tax_rate?, row.charged_tax_behavior?);
        let fixed = row.charged_discount_minor.map(Discount::Fixed);
        let discount = row.charged_discount_percent.map(Discount::Percent).or(fixed);
        Some(PeriodPrice { price_minor, tax: Tax { rate, behavior }, discount })
    }

    /// Notes what is charged for the running period from now on.
    pub fn set_charged(&mut self, charged: Option<PeriodPrice>) {
        self.row.charged_price_minor = charged.map(|price| price.price_minor);
        self.row.charged_tax_rate = charged.map(|price| price.tax.rate);
        self.row.charged_tax_behavior = charged.map(|price| price.tax.behavior);
        let (percent, minor) = match charged.and_then(|price| price.discount) {
            Some(Discount::Percent(percent)) => (Some(percent), None),
            Some(Discount::Fixed(minor)) => (None, Some(minor)),
            None => (None, None),
        };
        self.row.charged_discount_percent = percent;
        self.row.charged_discount_minor = minor;
    }

    /// Notes that a charged period begins: it takes one of those that the coupon has left.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for more periods than can be.
    pub fn spend_coupon(&mut self) -> Result<(), Error> {
        self.coupon = self.coupon.map(|coupon| coupon.for_new_period().1);
        self.row.coupon_remaining_periods = periods_left(self.coupon)?;
        Ok(())
    }

    /// What its coupon takes off a charged period that begins now.
    pub fn discount_of_new_period(&self) -> Option<Discount> {
        self.coupon.and_then(|coupon| coupon.for_new_period().0)
    }

    /// What the agreed price charges for a period that is opened now, with what the coupon takes off such a one. It spends nothing.
    pub fn price(&self, account: &Account) -> PeriodPrice {
        PeriodPrice { price_minor: self.row.price_minor, tax: account.tax(self.row.tax_behavior), discount: self.discount_of_new_period() }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the state does not know it: whoever calls has looked.
    pub fn apply(&mut self, event: SubscriptionEvent) -> Result<(), Error> {
        self.row.status = self.row.status.apply(event).map_err(|error| Error::Corrupt(error.to_string().into()))?;
        Ok(())
    }

    /// Opens a period as the running one, with the job that bills its end.
    ///
    /// # Errors
    /// [`Error::UniqueViolation`] where it was opened before.
    pub async fn open_period(&mut self, tenant: &Tenant, ports: &Ports, account: &Account, period: &Period) -> Result<(), Error> {
        let row = period_row(ports, account, self.row.id, self.row.billing_interval, period)?;
        self.row.period_number = row.number;
        self.row.period_start = row.starts_at;
        self.row.period_end = row.ends_at;
        self.period = subscriptions::insert_period(tenant, row).await?;
        self.schedule_renewal(tenant, ports).await
    }

    /// Writes the job that bills the running period's end, unless there is one, or nothing is to be billed yet.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn schedule_renewal(&self, tenant: &Tenant, ports: &Ports) -> Result<(), Error> {
        if self.row.status == SubscriptionStatus::Incomplete {
            return Ok(());
        }
        let key = format!("{}:{}", self.row.id, self.row.period_number);
        let job = NewJob {
            id: ports.ids.next(),
            kind: RENEWAL,
            key: &key,
            due_at: self.row.period_end,
            clock: ports.test_clock(),
            now: ports.now().into(),
        };
        schedule(tenant, job).await.map(drop)
    }

    /// Writes the row, and how it moves what recurs where it does.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn save(&mut self, tenant: &Tenant, ports: &Ports, account: &Account) -> Result<(), Error> {
        self.row.updated_at = account.instant();
        revenue::note(tenant, ports, account, self).await?;
        subscriptions::save(tenant, &self.row).await
    }

    /// Raises the version, writes the row, and writes the change down in its history and in the audit trail.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn changed(&mut self, tenant: &Tenant, ports: &Ports, account: &Account, change: Change<'_>) -> Result<(), Error> {
        self.row.version = self.row.version.saturating_add(1);
        self.save(tenant, ports, account).await?;
        self.write_down(tenant, ports, change).await
    }

    /// Writes a change of the present version down in the subscription's history and in the audit trail, and tells of it.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn write_down(&self, tenant: &Tenant, ports: &Ports, change: Change<'_>) -> Result<(), Error> {
        let details = serde_json::json!({ "version": self.row.version, "status": self.row.status.as_str(), "what": change.details });
        let new = NewChange {
            id: ports.ids.next(),
            subscription: self.row.id,
            version: self.row.version,
            kind: change.kind,
            at: change.at.into(),
            details: details.to_string(),
        };
        subscriptions::insert_change(tenant, new).await?;
        let what = SubscriptionWhat::of_change(change.kind).ok_or_else(|| Error::Corrupt("a change has no event".into()))?;
        events::emit(tenant, ports, &Event::Subscription(what, self.facts(tenant, change.at).await?)).await?;
        let action = format!("subscription.{}", change.kind);
        record(tenant, ports, Act { action: &action, actor: change.actor, subject: &self.row.id.to_string(), details }).await
    }
}

impl Standing {
    /// How it stands, for an event.
    async fn facts(&self, tenant: &Tenant, at: Timestamp) -> Result<SubscriptionFacts, Error> {
        let row = &self.row;
        let pending = match row.pending_plan_id.zip(row.pending_plan_version) {
            Some(key) => Some(version(tenant, key).await?),
            None => None,
        };
        Ok(SubscriptionFacts {
            subscription_id: row.id.to_string(),
            version: row.version,
            product: self.plan.product.code.clone(),
            plan_id: self.plan.id.to_string(),
            plan_name: self.plan.name.clone(),
            interval: row.billing_interval.as_str().to_owned(),
            status: row.status.as_str().to_owned(),
            period_end: row.period_end.get().to_string(),
            cancel_at: row.cancel_at.map(|at| at.get().to_string()),
            pending_plan_id: pending.as_ref().map(|plan| plan.id.to_string()),
            pending_plan_name: pending.map(|plan| plan.name.clone()),
            at: at.to_string(),
        })
    }
}

/// The anchor, interval and settings of a subscription's row, in `zone`, its business's.
///
/// # Errors
/// [`Error::Corrupt`] for columns that are none.
pub fn schedule_of(row: &Subscription, zone: Zone) -> Result<Schedule, Error> {
    let day = row.anchor_day.map(i8::try_from).transpose().map_err(|_| Error::Corrupt("an anchor day is none".into()))?;
    Ok(Schedule {
        anchor: row.anchor_date.get(),
        anchor_time: row.anchor_time.parse().map_err(|_| Error::Corrupt("an anchor time is none".into()))?,
        zone,
        interval: row.billing_interval,
        mode: AnchorMode::parse(&row.anchor_mode, day).ok_or_else(|| Error::Corrupt("an anchor mode is unknown".into()))?,
        granularity: row.granularity,
    })
}

/// The period of a row, as long as it really was.
///
/// # Errors
/// [`Error::Corrupt`] for columns that are none.
pub fn period_of(row: &PeriodRow) -> Result<Period, Error> {
    Ok(Period {
        number: u32::try_from(row.number).map_err(|_| Error::Corrupt("a period's number is negative".into()))?,
        start: row.starts_at.get(),
        end: row.ends_at.get(),
        whole_start: row.whole_start.get(),
        nominal_start: row.nominal_start.get(),
        nominal_end: row.nominal_end.get(),
        opened_on: row.opened_on.get(),
        zone: zone(&row.time_zone)?,
    })
}

/// A change to write down.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// What kind: `plan_changed`.
    pub kind: &'a str,
    /// Who did it: an id, or `system`.
    pub actor: &'a str,
    /// When it took effect.
    pub at: Timestamp,
    /// What it did; no personal data.
    pub details: serde_json::Value,
}

/// The version of the plan that a row names.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] where there is none.
async fn plan_in_force(tenant: &Tenant, row: &Subscription) -> Result<Plan, Error> {
    version(tenant, (row.plan_id, row.plan_version)).await
}

/// The coupon that a row names, with the periods it has left.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] where there is none.
async fn coupon_of(tenant: &Tenant, row: &Subscription) -> Result<Option<Coupon>, Error> {
    let Some(id) = row.coupon_id else { return Ok(None) };
    let found = coupons::by_ids(&tenant.catalogue(), &[id]).await?.remove(&id);
    let coupon = found.ok_or_else(|| Error::Corrupt("a subscription's coupon is gone".into()))?;
    coupon.with_left(row.coupon_remaining_periods).map(Some)
}

/// The column of the charged periods that a coupon has left; `None` is for ever, or no coupon.
///
/// # Errors
/// [`Error::Corrupt`] for more than can be.
pub fn periods_left(coupon: Option<Coupon>) -> Result<Option<i32>, Error> {
    let left = coupon.and_then(|coupon| coupon.remaining_periods).map(i32::try_from).transpose();
    left.map_err(|_| Error::Corrupt("a coupon has more periods left than can be".into()))
}

/// The version of a plan.
///
/// # Errors
/// As [`plan_in_force`].
pub(super) async fn version(tenant: &Tenant, key: crate::store::catalog::VersionKey) -> Result<Plan, Error> {
    let found = plans(&tenant.catalogue(), &[key]).await?.remove(&key);
    found.ok_or_else(|| Error::Corrupt("a version of a plan is gone".into()))
}

/// The row of a period that is opened.
///
/// # Errors
/// [`Error::Corrupt`] past every limit.
pub fn period_row(
    ports: &Ports,
    account: &Account,
    subscription: SubscriptionId,
    interval: Interval,
    period: &Period,
) -> Result<PeriodRow, Error> {
    Ok(PeriodRow {
        business_id: account.business.business_id,
        id: ports.ids.next(),
        subscription_id: subscription,
        number: i32::try_from(period.number).map_err(|_| rule(crate::billing::RuleError::TooLarge))?,
        kind: if period.is_trial() { PeriodKind::Trial } else { PeriodKind::Paid },
        billing_interval: interval,
        starts_at: period.start.into(),
        ends_at: period.end.into(),
        nominal_start: period.nominal_start.into(),
        nominal_end: period.nominal_end.into(),
        opened_on: period.opened_on.into(),
        whole_start: period.whole_start.into(),
        time_zone: period.zone.name().to_owned(),
        invoice_id: None,
        created_at: account.instant(),
    })
}
