//! Writes a catalogue file to the store. It may be written again at any time: what is the same stays as it is, a plan
//! that was changed gets a new version, and a plan that the file no longer has is left alone.

use std::collections::HashMap;
use std::sync::Arc;

use super::file::{self, CatalogueFile};
use super::{CatalogService, Ports};
use crate::billing::change::ChangeOptions;
use crate::error::{Error, Outcome};
use crate::ids::{PlanId, ProductId};
use crate::money::Rate;
use crate::store::catalog::{self, Feature, NewPlanVersion, Plan, PlanView, Price, Product, Seller, TaxRate};
use crate::store::{Day, Instant, System, verification};

/// What writing a catalogue changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Whether the seller or the platform's currency changed.
    pub seller_changed: bool,
    /// Tax rates that are new or changed.
    pub tax_rates_written: usize,
    /// Whether what verification asks for changed.
    pub verification_changed: bool,
    /// Products that are new or whose settings changed.
    pub products_written: usize,
    /// Plans that are new.
    pub plans_created: usize,
    /// Further versions of plans that were there.
    pub versions_created: usize,
    /// Plans that stand as the file has them.
    pub plans_unchanged: usize,
}

impl CatalogService {
    /// Writes a catalogue in one transaction. Two servers that write at once do so one after the other.
    ///
    /// # Errors
    /// The database's fault; nothing is written then.
    pub async fn apply(&self, file: &CatalogueFile) -> Outcome<Applied> {
        let (ports, file) = (self.ports.clone(), Arc::new(file.clone()));
        let work = move |system| {
            let (ports, file) = (ports.clone(), Arc::clone(&file));
            async move { Ok(write(&system, &ports, &file).await?) }
        };
        self.ports.store.write_system(work).await
    }
}

/// The plan that a file's plan names, as it stands: its current version and that version's features.
type Standing = HashMap<(String, String), (PlanView, Vec<Feature>)>;

async fn write(system: &System, ports: &Ports, file: &CatalogueFile) -> Result<Applied, Error> {
    let mut applied = Applied { seller_changed: catalog::put_seller(system, &seller(file)).await?, ..Applied::default() };
    let at = Instant::from(ports.now());
    for rate in &file.tax_rates {
        applied.tax_rates_written += usize::from(catalog::put_tax_rate(system, &tax_rate(rate)).await?);
    }
    applied.verification_changed = verification::put_rules(system, &file.verification.iter().map(rule).collect::<Vec<_>>()).await?;
    let known = catalog::products(&system.catalogue()).await?;
    let mut products: HashMap<&str, Arc<Product>> = HashMap::new();
    for (position, written) in (1..).zip(&file.products) {
        let id = known.iter().find(|product| product.code == written.code).map_or_else(|| ports.ids.next(), |product| product.id);
        let product = product(written, id, position);
        applied.products_written += usize::from(catalog::put_product(system, &product, at).await?);
        products.insert(&written.code, Arc::new(product));
    }
    let standing = standing(system).await?;
    for written in &file.plans {
        let product = products.get(written.product.as_str()).ok_or(Error::Corrupt("a plan of a catalogue has no product".into()))?;
        let found = standing.get(&(written.product.clone(), written.code.clone()));
        write_plan(system, ports, written, product, found, &mut applied).await?;
    }
    Ok(applied)
}

/// The current version of every plan, by the codes of its product and its own.
async fn standing(system: &System) -> Result<Standing, Error> {
    let catalogue = system.catalogue();
    let plans = catalog::all_plans(&catalogue).await?;
    let keys: Vec<_> = plans.iter().map(|view| view.key()).collect();
    let mut features = catalog::plan_features(&catalogue, &keys).await?;
    let place = |view: PlanView| {
        let features = features.remove(&view.key()).unwrap_or_default();
        ((view.product.code.clone(), view.code.clone()), (view, features))
    };
    Ok(plans.into_iter().map(place).collect())
}

/// Writes a plan, or a new version of it, unless it stands so already.
async fn write_plan(
    system: &System,
    ports: &Ports,
    written: &file::Plan,
    product: &Arc<Product>,
    found: Option<&(PlanView, Vec<Feature>)>,
    applied: &mut Applied,
) -> Result<(), Error> {
    let (id, version, archived) = found.map_or_else(|| (ports.ids.next(), 1, false), |(view, _)| (view.id, view.version, view.archived));
    let plan = plan(written, product, id, version, archived)?;
    let (prices, features) = (prices(written), features(written));
    let at = Instant::from(ports.now());
    let Some((view, standing_features)) = found else {
        catalog::insert_plan(system, &NewPlanVersion { plan: &plan, prices: &prices, features: &features, at }).await?;
        applied.plans_created += 1;
        return Ok(());
    };
    if plan == view.plan && prices == view.prices && features == *standing_features {
        applied.plans_unchanged += 1;
        return Ok(());
    }
    let next = Plan { version: version.checked_add(1).ok_or(Error::Corrupt("a plan has no further version".into()))?, ..plan };
    catalog::insert_version(system, &NewPlanVersion { plan: &next, prices: &prices, features: &features, at }).await?;
    applied.versions_created += 1;
    Ok(())
}

fn seller(file: &CatalogueFile) -> Seller {
    let seller = file.seller.clone();
    Seller {
        id: 1,
        name: seller.name,
        tax_id: Some(seller.tax_id),
        address_line: seller.address_line,
        city: seller.city,
        postal_code: seller.postal_code,
        country: seller.country.to_owned(),
        time_zone: seller.time_zone,
        platform_currency: file.platform_currency,
        invoice_prefix: seller.invoice_prefix,
        credit_note_prefix: seller.credit_note_prefix,
    }
}

fn rule(written: &file::VerificationRule) -> verification::Rule {
    verification::Rule {
        country: written.country.unwrap_or(verification::EVERYWHERE).to_owned(),
        documents: written.documents.iter().copied().collect(),
        approval_days: written.approval_days,
    }
}

fn tax_rate(written: &file::TaxRate) -> TaxRate {
    TaxRate { country: written.country.to_owned(), valid_from: Day::from(written.from), name: written.name.clone(), rate: written.rate }
}

fn product(written: &file::Product, id: ProductId, position: i32) -> Product {
    Product {
        id,
        code: written.code.clone(),
        name: written.name.clone(),
        description: written.description.clone(),
        position,
        anchor: written.anchor,
        granularity: written.granularity,
        change_options: ChangeOptions { prorations: written.prorations.clone(), downgrade_now: written.downgrade_now },
        cancel_unused_time: written.cancel_unused_time.clone(),
        dunning: written.dunning.clone(),
        grace_hours: written.grace_hours,
    }
}

pub(super) fn plan(written: &file::Plan, product: &Arc<Product>, id: PlanId, version: i32, archived: bool) -> Result<Plan, Error> {
    let max_users = written.max_users.map(i32::try_from).transpose();
    Ok(Plan {
        id,
        product: Arc::clone(product),
        version,
        code: written.code.clone(),
        name: written.name.clone(),
        description: written.description.clone(),
        trial_days: i32::from(written.trial_days),
        max_users: max_users.map_err(|_| Error::Corrupt("a plan of a catalogue is for too many users".into()))?,
        storage_limit: written.storage_limit_bytes,
        requires_verification: written.requires_verification,
        archived,
    })
}

/// In the order in which the store has them.
pub(super) fn prices(written: &file::Plan) -> Vec<Price> {
    let price = |price: &file::Price| Price {
        interval: price.interval,
        currency: price.amount.currency(),
        amount_minor: price.amount.minor(),
        tax_behavior: price.tax,
    };
    let mut prices: Vec<Price> = written.prices.iter().map(price).collect();
    prices.sort_by_key(|price| (price.interval.as_str(), price.currency.code()));
    prices
}

pub(super) fn features(written: &file::Plan) -> Vec<Feature> {
    let feature = |feature: &file::Feature| Feature {
        key: feature.key.clone(),
        name: feature.name.clone(),
        kind: feature.kind,
        enabled: feature.enabled,
        included: feature.included.map(Rate::from),
        unit: feature.unit.clone(),
        overage: feature.overage.clone(),
        thresholds: feature.thresholds.clone(),
    };
    written.features.iter().map(feature).collect()
}
