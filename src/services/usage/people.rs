//! How many people a business may have: no more than each of its plans lets it.

use rust_decimal::Decimal;

use super::course::courses;
use super::entitlement::{AccessReason, plan_of, users, weigh};
use crate::error::Error;
use crate::ids::ProductId;
use crate::services::Ports;
use crate::store::Tenant;
use crate::store::catalog::{self, USERS, VersionKey};
use crate::store::customers::Business;

/// Whether one more person may come beside those that the business has and those that are waited for. Without a subscription there is
/// no limit; with several the least of theirs holds, since the people of a business are the same for all. The business's row must be
/// locked by this transaction: of two who come at once, the second is counted with the first.
///
/// # Errors
/// The database's fault.
pub async fn has_room_for_one(tenant: &Tenant, ports: &Ports, business: &Business, waited_for: u64) -> Result<bool, Error> {
    let now = ports.of(tenant).await?.now();
    let catalogue = tenant.catalogue();
    let products: Vec<ProductId> = catalog::products(&catalogue).await?.into_iter().map(|product| product.id).collect();
    let mut plans: Vec<VersionKey> = Vec::new();
    for course in courses(tenant, business, &products, now, false).await? {
        if course.covers(now) {
            plans.push(plan_of(&course));
        }
    }
    if plans.is_empty() {
        return Ok(true);
    }
    let used = users(tenant, business).await?.saturating_add(Decimal::from(waited_for));
    let features = ports.remembered().features(&catalogue, &plans).await?;
    let mut limits = features.values().flat_map(|features| features.iter()).filter(|feature| feature.key == USERS);
    Ok(limits.all(|limit| weigh(limit, used, Decimal::ONE) != AccessReason::LimitReached))
}
