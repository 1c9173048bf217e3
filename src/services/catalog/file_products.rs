//! Reads the products of the catalogue file.

use std::collections::BTreeMap;

use super::file::{MAX_DESCRIPTION_CHARS, MAX_NAME_CHARS, Product};
use super::file_reader::Section;
use super::file_values::{choice, choices, code, day_of_month, days, flag, grace_hours, increasing_days, text};
use crate::billing::cancel::UnusedTime;
use crate::billing::change::Proration;
use crate::billing::dunning::DunningSettings;
use crate::billing::period::{AnchorMode, Granularity};

/// The products, and the code of every one with its line: of one with a mistake too, so that its plans need not be
/// told of it.
pub(super) fn read_products(sections: Vec<Section<'_>>) -> (Vec<Product>, BTreeMap<String, usize>) {
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    let mut products = Vec::new();
    for mut section in sections {
        let code = section.need("code", code);
        if let Some(code) = &code {
            let line = section.line_of("code");
            if let Some(first) = codes.insert(code.clone(), line) {
                section.problem("code", &format!("\"{code}\" is a product already, in line {first}."));
            }
        }
        products.extend(read_product(section, code));
    }
    (products, codes)
}

fn read_product(mut section: Section<'_>, code: Option<String>) -> Option<Product> {
    let name = section.need("name", text(MAX_NAME_CHARS));
    let description = section.need("description", text(MAX_DESCRIPTION_CHARS));
    let anchor = read_anchor(&mut section);
    let granularity = section.read("granularity", |value| choice(value, GRANULARITIES)).unwrap_or(Granularity::Day);
    let prorations = section.read("prorations", |value| choices(value, PRORATIONS)).unwrap_or_else(|| vec![Proration::ProrateNow]);
    let downgrade_now = section.read("downgrade_now", flag).unwrap_or(false);
    let cancel_unused_time =
        section.read("cancel_unused_time", |value| choices(value, UNUSED_TIMES)).unwrap_or_else(|| vec![UnusedTime::None]);
    let grace_hours = section.read("grace_hours", grace_hours).unwrap_or_default();
    let dunning = section.table("dunning").map_or_else(DunningSettings::default, read_dunning);
    section.finish();
    Some(Product {
        code: code?,
        name: name?,
        description: description?,
        anchor: anchor?,
        granularity,
        prorations,
        downgrade_now,
        cancel_unused_time,
        dunning,
        grace_hours,
    })
}

/// What is left out is as it is by default.
fn read_dunning(mut section: Section<'_>) -> DunningSettings {
    let usual = DunningSettings::default();
    let retry_after_days = section.read("retry_after_days", increasing_days).unwrap_or(usual.retry_after_days);
    let cancel_after_days = section.read("cancel_after_days", days).unwrap_or(usual.cancel_after_days);
    section.finish();
    DunningSettings { retry_after_days, cancel_after_days }
}

fn read_anchor(section: &mut Section<'_>) -> Option<AnchorMode> {
    let day = section.read("fixed_day", day_of_month);
    let word = section.read("anchor", |value| choice(value, ANCHORS)).unwrap_or("anniversary");
    match (word, section.has("fixed_day")) {
        ("fixed_day", true) => day.map(AnchorMode::FixedDay),
        ("fixed_day", false) => {
            section.problem("anchor", "is \"fixed_day\", so `fixed_day` must say which.");
            None
        }
        (_, true) => {
            section.problem("fixed_day", "goes with `anchor` = \"fixed_day\" alone.");
            None
        }
        ("calendar", false) => Some(AnchorMode::Calendar),
        _ => Some(AnchorMode::Anniversary),
    }
}

const ANCHORS: &[(&str, &str)] = &[("anniversary", "anniversary"), ("calendar", "calendar"), ("fixed_day", "fixed_day")];
const GRANULARITIES: &[(&str, Granularity)] = &[("day", Granularity::Day), ("second", Granularity::Second)];
const PRORATIONS: &[(&str, Proration)] = &[
    ("prorate_now", Proration::ProrateNow),
    ("prorate_next_invoice", Proration::ProrateNextInvoice),
    ("reset_cycle", Proration::ResetCycle),
    ("none", Proration::None),
];
const UNUSED_TIMES: &[(&str, UnusedTime)] = &[("none", UnusedTime::None), ("credit", UnusedTime::Credit), ("refund", UnusedTime::Refund)];
