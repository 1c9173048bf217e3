//! Reads how units past what a plan includes are priced.

use super::file_reader::Section;
use super::file_values::{amount, choice, currency, positive_quantity, unit_price};
use crate::money::{Currency, Money};
use crate::store::catalog::{Overage, OverageModel, Tier};

/// What the file calls a model; a package's size stands beside it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Model {
    PerUnit,
    Package,
    Graduated,
    Volume,
}

const MODELS: &[(&str, Model)] =
    &[("per_unit", Model::PerUnit), ("package", Model::Package), ("graduated", Model::Graduated), ("volume", Model::Volume)];

/// The overage of a feature whose plan is sold in `currencies`: none at all, or one for each of them.
pub(super) fn read_overage(feature: &mut Section<'_>, currencies: &[Currency]) -> Vec<Overage> {
    let sections = feature.tables("overage");
    let mut seen: Vec<Currency> = Vec::new();
    let mut all = Vec::new();
    for mut section in sections {
        let currency = section.need("currency", currency);
        if let Some(currency) = currency {
            if seen.contains(&currency) {
                section.problem("currency", &format!("has a price in {currency} already."));
            } else if !currencies.contains(&currency) {
                section.problem("currency", &format!("is {currency}, in which the plan is not sold."));
            }
            seen.push(currency);
        }
        all.extend(read_one(section, currency));
    }
    let missing = currencies.iter().filter(|currency| !seen.contains(currency));
    if !seen.is_empty() {
        for currency in missing {
            feature.problem("overage", &format!("has no price in {currency}, in which the plan is sold."));
        }
    }
    all
}

fn read_one(mut section: Section<'_>, currency: Option<Currency>) -> Option<Overage> {
    let model = section.need("model", |value| choice(value, MODELS));
    let size = section.read("package_size", positive_quantity);
    if !section.has("tiers") {
        section.problem("tiers", "is missing.");
    }
    let tier_sections = section.tables("tiers");
    let tier_count = tier_sections.len();
    let tiers = currency.map(|currency| read_tiers(tier_sections, currency));
    match model {
        Some(Model::Package) if !section.has("package_size") => section.problem("package_size", "is missing: how many units are in one."),
        Some(Model::PerUnit | Model::Graduated | Model::Volume) if section.has("package_size") => {
            section.problem("package_size", "goes with `model` = \"package\" alone.");
        }
        _ => {}
    }
    if section.has("tiers") {
        match model {
            Some(Model::PerUnit | Model::Package) if tier_count != 1 => {
                section.problem("tiers", "must have exactly one tier in this model.");
            }
            _ if tier_count == 0 => section.problem("tiers", "must not be empty."),
            _ => {}
        }
    }
    section.finish();
    let model = match model? {
        Model::PerUnit => OverageModel::PerUnit,
        Model::Package => OverageModel::Package { size: size? },
        Model::Graduated => OverageModel::Graduated,
        Model::Volume => OverageModel::Volume,
    };
    Some(Overage { currency: currency?, model, tiers: tiers? })
}

/// The tiers: `up_to` rises from one to the next, and the last alone has none.
fn read_tiers(sections: Vec<Section<'_>>, currency: Currency) -> Vec<Tier> {
    let last = sections.len().saturating_sub(1);
    let mut tiers: Vec<Tier> = Vec::new();
    let mut highest = None;
    for (index, mut section) in sections.into_iter().enumerate() {
        let up_to = section.read("up_to", positive_quantity);
        let price = section.need("unit_price", unit_price);
        let flat_amount = section.read("flat_amount", |value| amount(value, currency)).unwrap_or_else(|| Money::zero(currency));
        if index == last && section.has("up_to") {
            section.problem("up_to", "must be left out in the last tier, which has no end.");
        } else if index < last && !section.has("up_to") {
            section.problem("up_to", "is missing: only the last tier has no end.");
        } else if let Some(end) = up_to {
            if highest.is_some_and(|before| end <= before) {
                section.problem("up_to", "must be more than in the tier before.");
            }
            highest = Some(end);
        }
        section.finish();
        tiers.extend(price.map(|unit_price| Tier { up_to, unit_price, flat_amount }));
    }
    tiers
}
