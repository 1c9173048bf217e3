//! A plan as staff give it, written down as the catalogue file has it and read by the same rules, so that a plan is
//! refused for the same reasons wherever it comes from. What is wrong is told for the input field it stands in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::file;
use super::file_plans::read_plans;
use super::file_reader::{Problems, Section};
use super::file_values::amount;
use crate::billing::period::Interval;
use crate::billing::tax::TaxBehavior;
use crate::error::{Error, Failure, UserError, UserErrorCode};
use crate::money::Currency;
use crate::store::catalog::Price;
use crate::store::types::FeatureKind;

/// The most characters of a text that is looked at: more than any field takes.
const MAX_TEXT_CHARS: usize = 2_000;
/// The most prices, features, overages and tiers together.
const MAX_PARTS: usize = 2_000;

/// A plan to make. Amounts and quantities are as they were typed.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// The code of its product.
    pub product: String,
    /// Unique in its product.
    pub code: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// At least one.
    pub prices: Vec<NewPrice>,
    /// 0: no trial.
    pub trial_days: i32,
    /// `None`: without limit.
    pub max_users: Option<i32>,
    /// In bytes; `None`: without limit.
    pub storage_limit: Option<i64>,
    /// Whether only a verified business can subscribe.
    pub requires_verification: bool,
    /// One for each key.
    pub features: Vec<NewFeature>,
}

/// What a plan costs for one interval in one currency.
#[derive(Debug, Clone)]
pub struct NewPrice {
    /// For how long.
    pub interval: Interval,
    /// Which currency.
    pub currency: Currency,
    /// How much.
    pub amount: String,
    /// Whether tax is in it or comes on top.
    pub tax: TaxBehavior,
}

/// What a plan lets its customers do.
#[derive(Debug, Clone)]
pub struct NewFeature {
    /// Unique in its plan.
    pub key: String,
    /// What it counts.
    pub kind: FeatureKind,
    /// False for a switch that is off.
    pub enabled: bool,
    /// How many units are in the price.
    pub included: Option<String>,
    /// What one unit is.
    pub unit: Option<String>,
    /// How more units are priced.
    pub overage: Vec<NewOverage>,
}

/// How units past what is included are priced in one currency.
#[derive(Debug, Clone)]
pub struct NewOverage {
    /// As the catalogue file names it: `per_unit`, `package`, `graduated`, `volume`.
    pub model: &'static str,
    /// Which currency.
    pub currency: Currency,
    /// Units of a package.
    pub package_size: Option<String>,
    /// The last has no end.
    pub tiers: Vec<NewTier>,
}

/// A tier of an overage.
#[derive(Debug, Clone)]
pub struct NewTier {
    /// The last unit in it.
    pub up_to: Option<String>,
    /// For each unit, or package.
    pub unit_price: String,
    /// Once, where the tier is reached.
    pub flat_amount: String,
}

/// The plan, by the rules of the catalogue file. `names` has what features are called that other plans of the product
/// have; another one is called by its key.
///
/// # Errors
/// Everything that is wrong, each with its field; [`Error::BadUserInput`] for a plan past every bound.
pub(super) fn read(new: &NewPlan, names: &BTreeMap<String, String>) -> Result<file::Plan, Failure> {
    let draft = Draft::of(new, names)?;
    let problems = Problems::of(&draft.text);
    let (document, errors) = DeTable::parse_recoverable(&draft.text);
    if let Some(error) = errors.first() {
        return Err(Error::Corrupt(format!("a plan was written down wrongly: {}", error.message()).into()).into());
    }
    let products = BTreeMap::from([(new.product.clone(), 0)]);
    let plan = read_plans(vec![Section::root(document.get_ref(), &problems)], &products).pop();
    let refused: Vec<UserError> = problems.sorted().into_iter().map(|problem| draft.refusal(&problem)).collect();
    match plan {
        Some(plan) if refused.is_empty() => Ok(plan),
        _ => Err(Failure::Refused(refused)),
    }
}

/// A price, by the rules of the catalogue file.
///
/// # Errors
/// INVALID.
pub(super) fn read_price(new: &NewPrice) -> Result<Price, UserError> {
    let refusal = |sentence: String| UserError::at("price", UserErrorCode::Invalid, format!("`amount` {sentence}"));
    let money = amount(&DeValue::String(Cow::Borrowed(new.amount.as_str())), new.currency).map_err(refusal)?;
    Ok(Price { interval: new.interval, currency: new.currency, amount_minor: money.minor(), tax_behavior: new.tax })
}

/// A plan as text, with the input field that each line is of.
#[derive(Default)]
struct Draft {
    text: String,
    fields: Vec<&'static str>,
}

impl Draft {
    fn of(new: &NewPlan, names: &BTreeMap<String, String>) -> Result<Self, Error> {
        let of_feature = |feature: &NewFeature| feature.overage.iter().map(|overage| overage.tiers.len().saturating_add(1)).sum::<usize>();
        let parts: usize = new.features.iter().map(|feature| of_feature(feature).saturating_add(1)).sum();
        if parts.saturating_add(new.prices.len()) > MAX_PARTS {
            return Err(Error::BadUserInput(format!("A plan has at most {MAX_PARTS} prices, features and tiers.").into()));
        }
        let mut draft = Self::default();
        draft.text("product", "product", &new.product);
        draft.text("code", "code", &new.code);
        draft.text("name", "name", &new.name);
        draft.text("description", "description", &new.description);
        draft.line("trialDays", &format!("trial_days = {}", new.trial_days));
        draft.number("maxUsers", "max_users", new.max_users.map(i64::from));
        draft.number("storageLimit", "storage_limit", new.storage_limit);
        draft.line("requiresVerification", &format!("requires_verification = {}", new.requires_verification));
        if new.prices.is_empty() {
            draft.line("prices", "prices = []");
        }
        for price in &new.prices {
            draft.price(price);
        }
        for feature in &new.features {
            draft.feature(feature, names.get(&feature.key).unwrap_or(&feature.key));
        }
        Ok(draft)
    }

    fn price(&mut self, price: &NewPrice) {
        const FIELD: &str = "prices";
        self.line(FIELD, "[[prices]]");
        self.text(FIELD, "interval", &price.interval.as_str().to_lowercase());
        self.text(FIELD, "currency", price.currency.code());
        self.text(FIELD, "amount", &price.amount);
        self.text(FIELD, "tax", &price.tax.as_str().to_lowercase());
    }

    fn feature(&mut self, feature: &NewFeature, name: &str) {
        const FIELD: &str = "features";
        self.line(FIELD, "[[features]]");
        self.text(FIELD, "key", &feature.key);
        self.text(FIELD, "name", name);
        self.text(FIELD, "kind", &feature.kind.as_str().to_lowercase());
        // True is what a feature is that says nothing of it: only a switch may say so.
        if feature.kind == FeatureKind::Switch || !feature.enabled {
            self.line(FIELD, &format!("enabled = {}", feature.enabled));
        }
        self.optional(FIELD, "included", feature.included.as_deref());
        self.optional(FIELD, "unit", feature.unit.as_deref());
        for overage in &feature.overage {
            self.line(FIELD, "[[features.overage]]");
            self.text(FIELD, "model", overage.model);
            self.text(FIELD, "currency", overage.currency.code());
            self.optional(FIELD, "package_size", overage.package_size.as_deref());
            if overage.tiers.is_empty() {
                self.line(FIELD, "tiers = []");
            }
            for tier in &overage.tiers {
                self.line(FIELD, "[[features.overage.tiers]]");
                self.optional(FIELD, "up_to", tier.up_to.as_deref());
                self.text(FIELD, "unit_price", &tier.unit_price);
                self.text(FIELD, "flat_amount", &tier.flat_amount);
            }
        }
    }

    fn line(&mut self, field: &'static str, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.fields.push(field);
    }

    /// A text, cut where no field would take more. JSON's escapes are TOML's, but for the one character that JSON leaves.
    fn text(&mut self, field: &'static str, key: &str, text: &str) {
        let cut: String = text.chars().take(MAX_TEXT_CHARS).collect();
        let quoted = serde_json::Value::String(cut).to_string().replace('\u{7f}', "\\u007f");
        self.line(field, &format!("{key} = {quoted}"));
    }

    fn optional(&mut self, field: &'static str, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(field, key, text);
        }
    }

    fn number(&mut self, field: &'static str, key: &str, number: Option<i64>) {
        if let Some(number) = number {
            self.line(field, &format!("{key} = {number}"));
        }
    }

    /// What is wrong, without the line, for the field that the line is of.
    fn refusal(&self, problem: &file::Problem) -> UserError {
        let sentence = match problem.sentence.split_once(", in line ") {
            Some((sentence, _)) => format!("{sentence}."),
            None => problem.sentence.clone(),
        };
        match problem.line.checked_sub(1).and_then(|index| self.fields.get(index)) {
            Some(field) => UserError::at(field, UserErrorCode::Invalid, sentence),
            None => UserError::new(UserErrorCode::Invalid, sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::from_code(code).unwrap()
    }

    fn good() -> NewPlan {
        let price =
            NewPrice { interval: Interval::Monthly, currency: currency("KES"), amount: "4500".to_owned(), tax: TaxBehavior::Exclusive };
        let tier =
            |up_to: Option<&str>| NewTier { up_to: up_to.map(str::to_owned), unit_price: "0.5".to_owned(), flat_amount: "0".to_owned() };
        let overage =
            NewOverage { model: "graduated", currency: currency("KES"), package_size: None, tiers: vec![tier(Some("100")), tier(None)] };
        NewPlan {
            product: "erp".to_owned(),
            code: "huge".to_owned(),
            name: "Huge \"\\ \u{e9}".to_owned(),
            description: "All".to_owned(),
            prices: vec![price],
            trial_days: 14,
            max_users: Some(5),
            storage_limit: None,
            requires_verification: true,
            features: vec![
                NewFeature {
                    key: "sso".to_owned(),
                    kind: FeatureKind::Switch,
                    enabled: false,
                    included: None,
                    unit: None,
                    overage: vec![],
                },
                NewFeature {
                    key: "invoices.sent".to_owned(),
                    kind: FeatureKind::Metered,
                    enabled: true,
                    included: Some("1000".to_owned()),
                    unit: Some("invoice".to_owned()),
                    overage: vec![overage],
                },
            ],
        }
    }

    fn read_good(change: impl FnOnce(&mut NewPlan)) -> Result<file::Plan, Vec<(String, String)>> {
        let mut plan = good();
        change(&mut plan);
        match read(&plan, &BTreeMap::from([("sso".to_owned(), "Single sign-on".to_owned())])) {
            Ok(plan) => Ok(plan),
            Err(Failure::Refused(errors)) => Err(errors.into_iter().map(|error| (error.field.join("."), error.message)).collect()),
            Err(Failure::Fault(error)) => Err(vec![("fault".to_owned(), error.to_string())]),
        }
    }

    #[test]
    fn a_plan_is_read_as_it_was_given() {
        let plan = read_good(|_| {}).unwrap();
        assert_eq!(
            (plan.name.as_str(), plan.trial_days, plan.max_users, plan.storage_limit_bytes),
            ("Huge \"\\ \u{e9}", 14, Some(5), None)
        );
        assert_eq!((plan.prices[0].amount.minor(), plan.prices[0].tax), (450_000, TaxBehavior::Exclusive));
        let names: Vec<&str> = plan.features.iter().map(|feature| feature.name.as_str()).collect();
        assert_eq!(names, ["Single sign-on", "invoices.sent"]);
        assert_eq!((plan.features[0].enabled, plan.features[1].overage[0].tiers.len()), (false, 2));
    }

    /// Spoils a good plan.
    type Change = fn(&mut NewPlan);

    #[test]
    fn what_is_wrong_is_told_for_its_field() {
        let cases: [(&str, Change); 14] = [
            ("code", |plan| plan.code = "Not a code".to_owned()),
            ("name", |plan| plan.name = " ".to_owned()),
            ("name", |plan| plan.name = "a\u{7f}\u{0}\n[[prices]]".to_owned()),
            ("name", |plan| plan.name = "x".repeat(1_000_000)),
            ("description", |plan| plan.description = String::new()),
            ("prices", |plan| plan.prices.clear()),
            ("prices", |plan| plan.prices[0].amount = "-1".to_owned()),
            ("prices", |plan| plan.prices[0].amount = "1.005".to_owned()),
            ("prices", |plan| plan.prices.push(plan.prices[0].clone())),
            ("trialDays", |plan| plan.trial_days = -1),
            ("maxUsers", |plan| plan.max_users = Some(0)),
            ("storageLimit", |plan| plan.storage_limit = Some(-1)),
            ("features", |plan| plan.features[0].included = Some("1".to_owned())),
            ("features", |plan| plan.features[1].overage[0].tiers[0].up_to = None),
        ];
        for (field, change) in cases {
            let refused = read_good(change).unwrap_err();
            assert_eq!(refused[0].0, field, "{refused:?}");
            let tells_a_line = refused[0].1.split("line ").skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            assert!(!tells_a_line, "{refused:?}");
        }
        let several = read_good(|plan| {
            plan.trial_days = 1_000;
            plan.features[1].overage[0].currency = currency("UGX");
        });
        assert_eq!(several.unwrap_err().len(), 3, "the trial, the currency that is not sold, and the one without a price");
        let endless = read_good(|plan| plan.features = vec![plan.features[0].clone(); MAX_PARTS]);
        assert_eq!(endless.unwrap_err()[0].0, "fault");
    }
}
