//! Thresholds: which an event reaches, and what is told of it. Each is told of once in a usage period.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::placed::Placed;
use crate::billing::usage::{UsagePeriod, thresholds_reached};
use crate::error::Error;
use crate::money::Rate;
use crate::services::events::{Event, UsageFacts};
use crate::store::Instant;
use crate::store::usage::{UsageCounter, UsageStanding, read_told, write_told};

/// Which thresholds were told of in a usage period, and what there is to tell.
#[derive(Debug)]
pub(super) struct Herald {
    /// Now.
    pub(super) now: Timestamp,
    /// What is to be told.
    pub(super) events: Vec<Event>,
}

impl Herald {
    /// Notes what a counter has reached since it was at `before`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a counter that notes what is no threshold.
    pub(super) fn metered(&mut self, placed: &Placed<'_>, row: &mut UsageCounter, before: Decimal) -> Result<(), Error> {
        let Some(period) = placed.running.filter(|_| placed.in_plan) else { return Ok(()) };
        let told = read_told(&row.told)?;
        if let Some(told) = self.told_with(placed, period, told, (before, row.used.decimal())) {
            row.told = told;
        }
        Ok(())
    }

    /// Notes what a standing quantity has reached since it was at `before`, `elsewhere` being what counts with it and is kept in no
    /// row of its own. It belongs to no usage period, so it notes in which it was told of.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for one that notes what is no threshold.
    pub(super) fn standing(
        &mut self,
        placed: &Placed<'_>,
        row: &mut UsageStanding,
        (before, elsewhere): (Decimal, Decimal),
    ) -> Result<(), Error> {
        let Some(period) = placed.running.filter(|_| placed.in_plan) else { return Ok(()) };
        let start = Instant::from(period.start);
        let told = if row.told_in == Some(start) { read_told(&row.told)? } else { Vec::new() };
        let reached = [before, row.quantity.decimal()].map(|quantity| quantity.saturating_add(elsewhere));
        if let Some(told) = self.told_with(placed, period, told, reached.into()) {
            (row.told, row.told_in) = (told, Some(start));
        }
        Ok(())
    }

    /// What was told of with what is reached now; `None` where that is nothing new.
    fn told_with(
        &mut self,
        placed: &Placed<'_>,
        period: UsagePeriod,
        mut told: Vec<Rate>,
        (before, after): (Decimal, Decimal),
    ) -> Option<String> {
        let feature = placed.feature;
        let reached = thresholds_reached(before, after, feature.included.map(Rate::decimal), &feature.thresholds, &told);
        if reached.is_empty() {
            return None;
        }
        for threshold in &reached {
            let facts = self.facts(placed, period, *threshold, after);
            self.events.push(Event::UsageThresholdReached(facts));
        }
        told.extend(reached);
        Some(write_told(&told))
    }

    /// What is told of a threshold.
    fn facts(&self, placed: &Placed<'_>, period: UsagePeriod, threshold: Rate, used: Decimal) -> UsageFacts {
        let feature = placed.feature;
        UsageFacts {
            subscription_id: placed.course.row.id.to_string(),
            product: placed.sound.event.product.clone(),
            feature: feature.key.clone(),
            feature_name: feature.name.clone(),
            unit: feature.unit.clone(),
            threshold: threshold.to_string(),
            included: feature.included.unwrap_or(Rate::ZERO).to_string(),
            used: Rate::from(used).to_string(),
            period_start: period.start.to_string(),
            period_end: period.end.to_string(),
            at: self.now.to_string(),
        }
    }
}
