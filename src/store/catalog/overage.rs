//! How units past what a plan includes are priced, and how that is kept: as JSON in one column, since it is read and
//! written with its feature and never searched.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::money::{Currency, Money, Rate};

pub use crate::billing::usage::{Overage, OverageModel, Tier};

/// An [`Overage`] as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredOverage {
    /// ISO 4217.
    currency: String,
    /// The model's name.
    model: String,
    /// Of a package.
    package_size: Option<Decimal>,
    /// In their order.
    tiers: Vec<StoredTier>,
}

/// A [`Tier`] as it is written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTier {
    /// As [`Tier::up_to`].
    up_to: Option<Decimal>,
    /// As [`Tier::unit_price`].
    unit_price: Decimal,
    /// In minor units.
    flat_minor: i64,
}

impl OverageModel {
    /// The name it is kept by.
    const fn as_str(self) -> &'static str {
        match self {
            Self::PerUnit => "PER_UNIT",
            Self::Package { .. } => "PACKAGE",
            Self::Graduated => "GRADUATED",
            Self::Volume => "VOLUME",
        }
    }

    /// The model of a name and a package's size; `None` where the two do not go together.
    fn parse(name: &str, size: Option<Decimal>) -> Option<Self> {
        match (name, size) {
            ("PER_UNIT", None) => Some(Self::PerUnit),
            ("PACKAGE", Some(size)) => Some(Self::Package { size }),
            ("GRADUATED", None) => Some(Self::Graduated),
            ("VOLUME", None) => Some(Self::Volume),
            _ => None,
        }
    }
}

/// The overages as one column keeps them.
///
/// # Errors
/// [`Error::Corrupt`] where they cannot be written down, which no value of theirs causes.
pub(super) fn write(overages: &[Overage]) -> Result<String, Error> {
    let stored: Vec<StoredOverage> = overages.iter().map(stored).collect();
    serde_json::to_string(&stored).map_err(|_| Error::Corrupt("an overage cannot be written down".into()))
}

/// One overage as it is written down.
fn stored(overage: &Overage) -> StoredOverage {
    let tier = |tier: &Tier| StoredTier {
        up_to: tier.up_to.map(|up_to| up_to.normalize()),
        unit_price: tier.unit_price.decimal(),
        flat_minor: tier.flat_amount.minor(),
    };
    StoredOverage {
        currency: overage.currency.code().to_owned(),
        model: overage.model.as_str().to_owned(),
        package_size: overage.model.package_size().map(|size| size.normalize()),
        tiers: overage.tiers.iter().map(tier).collect(),
    }
}

/// The overages of a column.
///
/// # Errors
/// [`Error::Corrupt`] for anything that [`write`] does not write.
pub(super) fn read(column: &str) -> Result<Vec<Overage>, Error> {
    let parsed = serde_json::from_str::<Vec<StoredOverage>>(column).ok();
    let overages = parsed.and_then(|stored| stored.into_iter().map(overage).collect());
    overages.ok_or_else(|| Error::Corrupt("an overage is foreign".into()))
}

/// One overage of what was written down.
fn overage(stored: StoredOverage) -> Option<Overage> {
    let currency = Currency::from_code(&stored.currency)?;
    let model = OverageModel::parse(&stored.model, stored.package_size)?;
    let tier = |tier: StoredTier| {
        let flat_amount = Money::new(tier.flat_minor, currency).ok()?;
        Some(Tier { up_to: tier.up_to, unit_price: Rate::from(tier.unit_price), flat_amount })
    };
    let tiers = stored.tiers.into_iter().map(tier).collect::<Option<Vec<Tier>>>()?;
    Some(Overage { currency, model, tiers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overage_reads_back_as_it_was_written() {
        let currency = Currency::from_code("KES").unwrap();
        let flat = |minor| Money::new(minor, currency).unwrap();
        let price = |text: &str| text.parse::<Rate>().unwrap();
        let overages = vec![
            Overage {
                currency,
                model: OverageModel::Volume,
                tiers: vec![
                    Tier { up_to: Some(Decimal::from(500)), unit_price: price("0.000000000001"), flat_amount: flat(0) },
                    Tier { up_to: None, unit_price: price("35"), flat_amount: flat(100_050) },
                ],
            },
            Overage {
                currency,
                model: OverageModel::Package { size: Decimal::from(1000) },
                tiers: vec![Tier { up_to: None, unit_price: price("45"), flat_amount: flat(0) }],
            },
        ];
        let column = write(&overages).unwrap();
        assert!(column.contains(r#""flat_minor":100050"#) && column.contains(r#""unit_price":"0.000000000001""#), "{column}");
        assert_eq!(read(&column).unwrap(), overages);
        assert_eq!(read("[]").unwrap(), []);
    }

    #[test]
    fn a_foreign_overage_is_corrupt() {
        let whole = r#"[{"currency":"KES","model":"PER_UNIT","package_size":null,"tiers":[]}]"#;
        assert!(read(whole).is_ok());
        for (from, to) in [("KES", "KSH"), ("PER_UNIT", "PACKAGE"), ("PER_UNIT", "FREE"), ("\"tiers\"", "\"rows\""), ("]}]", "")] {
            assert!(matches!(read(&whole.replace(from, to)), Err(Error::Corrupt(_))), "{from} → {to}");
        }
    }
}
