//! Reads the plans of the catalogue file: prices, features, and what must agree between them.

use std::collections::BTreeMap;

use super::file::{Feature, MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, Plan, Price};
use super::file_overage::read_overage;
use super::file_reader::Section;
use super::file_values::{amount, choice, code, currency, flag, quantity, rising_parts, text, whole};
use crate::billing::period::Interval;
use crate::billing::tax::TaxBehavior;
use crate::billing::usage::THRESHOLDS;
use crate::money::{Currency, Rate};
use crate::store::catalog::{STORAGE, USERS};
use crate::store::types::FeatureKind;

/// The longest trial, in days.
const MAX_TRIAL_DAYS: i64 = 365;
/// The longest name of a unit, in characters.
const MAX_UNIT_CHARS: usize = 30;

const INTERVALS: &[(&str, Interval)] = &[("monthly", Interval::Monthly), ("yearly", Interval::Yearly)];
const TAX_BEHAVIORS: &[(&str, TaxBehavior)] = &[("inclusive", TaxBehavior::Inclusive), ("exclusive", TaxBehavior::Exclusive)];
const KINDS: &[(&str, FeatureKind)] = &[("switch", FeatureKind::Switch), ("limit", FeatureKind::Limit), ("metered", FeatureKind::Metered)];

/// What the plans read so far have settled for those to come.
struct Settled<'p> {
    /// The code of every product, with its line.
    products: &'p BTreeMap<String, usize>,
    /// Product and code of each plan, with its line.
    plans: BTreeMap<(String, String), usize>,
    /// Product and key of each feature, with its kind, its unit and its line.
    features: BTreeMap<(String, String), (FeatureKind, Option<String>, usize)>,
}

/// The plans of `sections`. A plan must name one of `products`, the codes of all products with their lines.
pub(super) fn read_plans(sections: Vec<Section<'_>>, products: &BTreeMap<String, usize>) -> Vec<Plan> {
    let mut settled = Settled { products, plans: BTreeMap::new(), features: BTreeMap::new() };
    sections.into_iter().filter_map(|section| read_plan(section, &mut settled)).collect()
}

fn read_plan(mut section: Section<'_>, settled: &mut Settled<'_>) -> Option<Plan> {
    let product = section.need("product", code);
    let code = section.need("code", code);
    check_place(&section, product.as_deref(), code.as_deref(), settled);
    let name = section.need("name", text(MAX_NAME_CHARS));
    let description = section.need("description", text(MAX_DESCRIPTION_CHARS));
    let trial_days = section.read("trial_days", whole(0, MAX_TRIAL_DAYS)).and_then(|days| u16::try_from(days).ok()).unwrap_or(0);
    let max_users = section.read("max_users", whole(1, 1_000_000)).and_then(|users| u32::try_from(users).ok());
    let storage_limit_bytes = section.read("storage_limit", whole(1, i64::MAX));
    let requires_verification = section.read("requires_verification", flag).unwrap_or(false);
    let prices = read_prices(&mut section);
    let mut currencies: Vec<Currency> = Vec::new();
    for price in &prices {
        if !currencies.contains(&price.amount.currency()) {
            currencies.push(price.amount.currency());
        }
    }
    let features = read_features(&mut section, product.as_deref(), &currencies, settled);
    section.finish();
    Some(Plan {
        product: product?,
        code: code?,
        name: name?,
        description: description?,
        trial_days,
        max_users,
        storage_limit_bytes,
        requires_verification,
        prices,
        features,
    })
}

/// A plan's product exists, and its code is new there.
fn check_place(section: &Section<'_>, product: Option<&str>, code: Option<&str>, settled: &mut Settled<'_>) {
    let Some(product) = product else { return };
    if !settled.products.contains_key(product) {
        section.problem("product", &format!("\"{product}\" is no product of this file."));
    }
    let Some(code) = code else { return };
    let line = section.line_of("code");
    if let Some(first) = settled.plans.insert((product.to_owned(), code.to_owned()), line) {
        section.problem("code", &format!("\"{code}\" is a plan of \"{product}\" already, in line {first}."));
    }
}

fn read_prices(plan: &mut Section<'_>) -> Vec<Price> {
    if !plan.has("prices") {
        plan.problem("prices", "is missing.");
    }
    let sections = plan.tables("prices");
    if plan.is_empty_list("prices") {
        plan.problem("prices", "must not be empty.");
    }
    let mut prices: Vec<Price> = Vec::new();
    for mut section in sections {
        let interval = section.need("interval", |value| choice(value, INTERVALS));
        let currency = section.need("currency", currency);
        let amount = match currency {
            Some(currency) => section.need("amount", |value| amount(value, currency)),
            // Without its currency nothing can be said of an amount but that it must be there.
            None => section.need("amount", |_| Ok(())).and(None),
        };
        let tax = section.need("tax", |value| choice(value, TAX_BEHAVIORS));
        let (Some(interval), Some(amount), Some(tax)) = (interval, amount, tax) else {
            section.finish();
            continue;
        };
        if prices.iter().any(|price| price.interval == interval && price.amount.currency() == amount.currency()) {
            section.problem_here(format!("The plan has a price for this interval in {} already.", amount.currency()));
        }
        section.finish();
        prices.push(Price { interval, amount, tax });
    }
    prices
}

fn read_features(plan: &mut Section<'_>, product: Option<&str>, currencies: &[Currency], settled: &mut Settled<'_>) -> Vec<Feature> {
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut features = Vec::new();
    for section in plan.tables("features") {
        let line = section.line_of("key");
        let Some(feature) = read_feature(section, currencies, |section, feature| {
            if [USERS, STORAGE].contains(&feature.key.as_str()) {
                section.problem("key", &format!("\"{}\" is a feature of every plan: its limit is the plan's own.", feature.key));
            }
            if let Some(first) = lines.insert(feature.key.clone(), line) {
                section.problem("key", &format!("\"{}\" is a feature of this plan already, in line {first}.", feature.key));
            }
            if let Some(product) = product {
                check_agreement(section, product, feature, settled);
            }
        }) else {
            continue;
        };
        features.push(feature);
    }
    features
}

fn read_feature(mut section: Section<'_>, currencies: &[Currency], check: impl FnOnce(&Section<'_>, &Feature)) -> Option<Feature> {
    let key = section.need("key", code);
    let name = section.need("name", text(MAX_NAME_CHARS));
    let kind = section.need("kind", |value| choice(value, KINDS));
    let enabled = section.read("enabled", flag).unwrap_or(true);
    let included = section.read("included", quantity);
    let unit = section.read("unit", text(MAX_UNIT_CHARS));
    let overage = read_overage(&mut section, currencies);
    let by_default = || included.map_or_else(Vec::new, |_| THRESHOLDS.map(Rate::from).to_vec());
    let thresholds = section.read("thresholds", rising_parts).unwrap_or_else(by_default);
    if let Some(kind) = kind {
        check_kind(&section, kind);
    }
    let feature = match (key, name, kind) {
        (Some(key), Some(name), Some(kind)) => Some(Feature { key, name, kind, enabled, included, unit, overage, thresholds }),
        _ => None,
    };
    if let Some(feature) = &feature {
        check(&section, feature);
    }
    section.finish();
    feature
}

/// What a kind of feature cannot have.
fn check_kind(section: &Section<'_>, kind: FeatureKind) {
    let refuse = |keys: &[&str], sentence: &str| {
        for key in keys.iter().filter(|key| section.has(key)) {
            section.problem(key, sentence);
        }
    };
    if kind != FeatureKind::Switch && !section.has("included") {
        refuse(&["thresholds"], "needs `included`: they are parts of it.");
    }
    match kind {
        FeatureKind::Switch => refuse(&["included", "unit", "overage", "thresholds"], "is nothing that a switch has: it is on or off."),
        FeatureKind::Limit => {
            refuse(&["enabled"], "is for switches alone; leave the feature out instead.");
            refuse(&["overage"], "is for metered features alone: a limit is never billed.");
        }
        FeatureKind::Metered => {
            refuse(&["enabled"], "is for switches alone; leave the feature out instead.");
            if !section.has("included") {
                refuse(&["overage"], "needs `included`: without it nothing is ever past it.");
            }
        }
    }
}

/// A key means the same in all plans of a product, so that usage can be rated by either after a change of plan.
fn check_agreement(section: &Section<'_>, product: &str, feature: &Feature, settled: &mut Settled<'_>) {
    let place = (product.to_owned(), feature.key.clone());
    let line = section.line_of("key");
    let (kind, unit, first) = settled.features.entry(place).or_insert_with(|| (feature.kind, feature.unit.clone(), line));
    if *kind != feature.kind || *unit != feature.unit {
        let key = &feature.key;
        section.problem("key", &format!("\"{key}\" has another kind or unit than in line {first}, where \"{product}\" has it first."));
    }
}
