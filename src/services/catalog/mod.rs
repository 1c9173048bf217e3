//! What is sold, and to whom it is sold how: the catalogue.

use std::cmp::Reverse;

use super::Ports;
use crate::billing::period::Interval;
use crate::money::Currency;
use crate::store::catalog::PlanView;

pub mod countries;
pub mod file;
mod file_overage;
mod file_plans;
mod file_products;
mod file_reader;
#[cfg(test)]
mod file_tests;
mod file_values;
mod file_verification;
mod plan_draft;
mod plans;
pub mod seed;

pub use plan_draft::{NewFeature, NewOverage, NewPlan, NewPrice, NewTier};

/// Changes the catalogue.
#[derive(Clone)]
pub struct CatalogService {
    ports: Ports,
}

impl CatalogService {
    /// The service on these ports.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }
}

/// Puts plans in the order in which they are offered: by what a month costs in `currency`, or a twelfth of a year where
/// a plan is sold by the year alone; then those that are not sold in it; the same price by code.
pub fn cheapest_first(plans: &mut [PlanView], currency: Currency) {
    plans.sort_by(|a, b| {
        let rank = |plan: &PlanView| (Reverse(price_of_year(plan, currency).is_some()), price_of_year(plan, currency));
        let place = |plan: &PlanView| (plan.product.position, plan.id);
        rank(a).cmp(&rank(b)).then_with(|| a.code.cmp(&b.code)).then_with(|| place(a).cmp(&place(b)))
    });
}

/// Twelve months, or a year where it is sold by the year alone: compared so, nothing is divided. Minor units.
fn price_of_year(plan: &PlanView, currency: Currency) -> Option<i128> {
    let of = |interval| plan.price(interval, currency).map(|price| i128::from(price.amount_minor));
    of(Interval::Monthly).map(|month| month.saturating_mul(12)).or_else(|| of(Interval::Yearly))
}
