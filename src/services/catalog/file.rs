//! The catalogue file: what an operator sells, written in TOML, read here into plain values.
//!
//! Everything that is wrong is told at once, each with its line. This room only reads: it knows no database, and a
//! file with one mistake yields nothing.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use rust_decimal::Decimal;
use toml::de::DeTable;

use super::file_reader::{Problems, Section};
use super::file_values::{country, currency, local_date, prefix, tax_rate, text, time_zone};
use super::{file_plans, file_products, file_verification};
use crate::billing::cancel::UnusedTime;
use crate::billing::change::Proration;
use crate::billing::dunning::DunningSettings;
use crate::billing::period::{AnchorMode, Granularity, Interval};
use crate::billing::tax::TaxBehavior;
use crate::money::{Currency, Money, Rate};
use crate::store::catalog::Overage;
use crate::store::types::{DocumentKind, FeatureKind};

/// The largest file, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;
/// The longest name, in characters.
pub const MAX_NAME_CHARS: usize = 100;
/// The longest description, in characters.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;

/// What the numbers of invoices begin with where the file says nothing else.
const INVOICE_PREFIX: &str = "INV";
/// What the numbers of credit notes begin with where the file says nothing else.
const CREDIT_NOTE_PREFIX: &str = "CN";

/// A whole catalogue, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueFile {
    /// The currency of a business whose country's own is not sold in.
    pub platform_currency: Currency,
    /// Who sells.
    pub seller: Seller,
    /// Tax rates, as they stand in the file.
    pub tax_rates: Vec<TaxRate>,
    /// Products, as they stand in the file.
    pub products: Vec<Product>,
    /// Plans of all products, as they stand in the file.
    pub plans: Vec<Plan>,
    /// What is asked of a business that is to be verified: one rule for every country, and others for some.
    pub verification: Vec<VerificationRule>,
}

/// What is asked of a business that is to be verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationRule {
    /// ISO 3166-1 alpha-2; `None`: every country without a rule of its own.
    pub country: Option<&'static str>,
    /// What it must show; each once, never empty.
    pub documents: Vec<DocumentKind>,
    /// For how many days an approval holds, where its reviewer says nothing else.
    pub approval_days: i32,
}

/// Who sells: printed on every invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seller {
    /// The registered name.
    pub name: String,
    /// The tax number.
    pub tax_id: String,
    /// Street or building.
    pub address_line: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// The IANA zone whose calendar years the invoice numbers follow.
    pub time_zone: String,
    /// What the numbers of invoices begin with: `INV`.
    pub invoice_prefix: String,
    /// What the numbers of credit notes begin with: `CN`; not what those of invoices do.
    pub credit_note_prefix: String,
}

/// A rate of tax in a country, from a day on and until the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxRate {
    /// ISO 3166-1 alpha-2.
    pub country: &'static str,
    /// What invoices call it: `VAT`.
    pub name: String,
    /// A part of one: 0.16.
    pub rate: Rate,
    /// The first day on which it holds.
    pub from: Date,
}

/// A product, with what its customers may choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Unique: `erp`.
    pub code: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Where its periods begin.
    pub anchor: AnchorMode,
    /// What a part of a period is counted in.
    pub granularity: Granularity,
    /// How a customer may have a change at once billed; never empty.
    pub prorations: Vec<Proration>,
    /// Whether a customer may go to a lower plan before the period ends.
    pub downgrade_now: bool,
    /// What a customer who cancels at once may ask for the rest of the period; never empty.
    pub cancel_unused_time: Vec<UnusedTime>,
    /// How long payment is waited for.
    pub dunning: DunningSettings,
    /// The hours for late usage; zero for none.
    pub grace_hours: u16,
}

/// A plan of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The code of its product.
    pub product: String,
    /// Unique in its product: `starter`.
    pub code: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// 0: no trial.
    pub trial_days: u16,
    /// `None`: without limit.
    pub max_users: Option<u32>,
    /// In bytes; `None`: without limit.
    pub storage_limit_bytes: Option<i64>,
    /// Whether only a verified business can subscribe.
    pub requires_verification: bool,
    /// At least one; one for each interval and currency it is sold in.
    pub prices: Vec<Price>,
    /// One for each key.
    pub features: Vec<Feature>,
}

/// What a plan costs for one interval in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// For how long.
    pub interval: Interval,
    /// How much; not negative.
    pub amount: Money,
    /// Whether tax is in it or comes on top.
    pub tax: TaxBehavior,
}

/// What a plan lets its customers do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Unique in its plan; of one kind and unit in all plans of a product.
    pub key: String,
    /// For people.
    pub name: String,
    /// What is counted.
    pub kind: FeatureKind,
    /// False for a switch that is off; true otherwise.
    pub enabled: bool,
    /// How many units are in the plan's price; `None`: without limit, or a switch.
    pub included: Option<Decimal>,
    /// What one unit is.
    pub unit: Option<String>,
    /// How units past `included` are priced, in each currency the plan is sold in. Empty: `included` is a hard limit.
    pub overage: Vec<Overage>,
    /// Where people are told how much is used, as parts of `included`, rising; at 80 % and all of it where the file says nothing.
    pub thresholds: Vec<Rate>,
}

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, as a sentence.
    pub sentence: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.sentence)
    }
}

/// Reads a catalogue.
///
/// # Errors
/// Everything that is wrong, in the order of the lines; never empty.
pub fn parse(input: &str) -> Result<CatalogueFile, Vec<Problem>> {
    let problems = Problems::of(input);
    if input.len() > MAX_FILE_BYTES {
        problems.add(1, format!("The file is larger than {MAX_FILE_BYTES} bytes."));
        return Err(problems.sorted());
    }
    let (document, errors) = DeTable::parse_recoverable(input);
    for error in &errors {
        let line = problems.line_at(error.span().map_or(0, |span| span.start));
        problems.add(line, format!("This is not TOML: {}.", error.message().replace('\n', ", ")));
    }
    if !errors.is_empty() {
        return Err(problems.sorted());
    }
    let file = read_file(Section::root(document.get_ref(), &problems));
    let found = problems.sorted();
    file.filter(|_| found.is_empty()).ok_or(found)
}

fn read_file(mut root: Section<'_>) -> Option<CatalogueFile> {
    let platform_currency = root.need_table("platform").and_then(|mut platform| {
        let currency = platform.need("currency", currency);
        platform.finish();
        currency
    });
    let seller = root.need_table("seller").and_then(read_seller);
    let tax_rates = read_tax_rates(root.tables("tax_rates"));
    let (products, product_codes) = file_products::read_products(root.tables("products"));
    let plans = file_plans::read_plans(root.tables("plans"), &product_codes);
    let verification = file_verification::read_verification(root.table("verification"));
    root.finish();
    Some(CatalogueFile { platform_currency: platform_currency?, seller: seller?, tax_rates, products, plans, verification })
}

fn read_seller(mut section: Section<'_>) -> Option<Seller> {
    let name = section.need("name", text(MAX_NAME_CHARS));
    let tax_id = section.need("tax_id", text(MAX_NAME_CHARS));
    let address_line = section.read("address_line", text(MAX_NAME_CHARS));
    let city = section.read("city", text(MAX_NAME_CHARS));
    let postal_code = section.read("postal_code", text(MAX_NAME_CHARS));
    let country = section.need("country", country);
    let time_zone = section.need("time_zone", time_zone);
    let invoice_prefix = section.read("invoice_prefix", prefix).unwrap_or_else(|| INVOICE_PREFIX.to_owned());
    let credit_note_prefix = section.read("credit_note_prefix", prefix).unwrap_or_else(|| CREDIT_NOTE_PREFIX.to_owned());
    if invoice_prefix == credit_note_prefix {
        let key = if section.has("credit_note_prefix") { "credit_note_prefix" } else { "invoice_prefix" };
        section.problem(key, "makes invoices and credit notes begin alike; give them different prefixes.");
    }
    section.finish();
    Some(Seller {
        name: name?,
        tax_id: tax_id?,
        address_line,
        city,
        postal_code,
        country: country?,
        time_zone: time_zone?,
        invoice_prefix,
        credit_note_prefix,
    })
}

fn read_tax_rates(sections: Vec<Section<'_>>) -> Vec<TaxRate> {
    let mut first_lines = BTreeMap::new();
    let mut rates = Vec::new();
    for mut section in sections {
        let country = section.need("country", country);
        let name = section.need("name", text(MAX_NAME_CHARS));
        let rate = section.need("rate", tax_rate);
        let from = section.need("from", local_date);
        if let (Some(country), Some(from)) = (country, from) {
            let line = section.line_of("country");
            if let Some(first) = first_lines.insert((country, from), line) {
                section.problem("country", &format!("has a rate from {from} already, in line {first}."));
            }
        }
        section.finish();
        if let (Some(country), Some(name), Some(rate), Some(from)) = (country, name, rate, from) {
            rates.push(TaxRate { country, name, rate, from });
        }
    }
    rates
}
