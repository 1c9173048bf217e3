//! How much a business may store with the platform: no more than each of its plans lets it.

use rust_decimal::Decimal;

use super::course::courses;
use super::entitlement::{AccessReason, plan_of, stored_here, weigh};
use crate::error::Error;
use crate::ids::ProductId;
use crate::services::Ports;
use crate::store::catalog::{self, STORAGE};
use crate::store::customers::Business;
use crate::store::{Tenant, usage};

/// Whether `bytes` more may be stored beside the documents that the business has, and beside what each of its products says that it
/// stores. Without a subscription there is no limit. The business's row must be locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn has_room_for_bytes(tenant: &Tenant, ports: &Ports, business: &Business, bytes: usize) -> Result<bool, Error> {
    let now = ports.of(tenant).await?.now();
    let catalogue = tenant.catalogue();
    let products: Vec<ProductId> = catalog::products(&catalogue).await?.into_iter().map(|product| product.id).collect();
    let mut plans = Vec::new();
    for course in courses(tenant, business, &products, now, false).await? {
        if course.covers(now) {
            plans.push((course.row.product_id, plan_of(&course)));
        }
    }
    if plans.is_empty() {
        return Ok(true);
    }
    let documents = stored_here(tenant).await?;
    let standings = usage::standings(tenant, &products, Some(STORAGE)).await?;
    let keys: Vec<_> = plans.iter().map(|(_, plan)| *plan).collect();
    let features = ports.remembered().features(&catalogue, &keys).await?;
    Ok(plans.iter().all(|(product, plan)| {
        let of_product = standings.iter().find(|standing| standing.product_id == *product);
        let used = of_product.map_or(documents, |standing| standing.quantity.decimal().saturating_add(documents));
        let mut limits = features.get(plan).into_iter().flat_map(|features| features.iter()).filter(|feature| feature.key == STORAGE);
        limits.all(|limit| weigh(limit, used, Decimal::from(bytes)) != AccessReason::LimitReached)
    }))
}
