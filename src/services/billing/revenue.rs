//! How a subscription moves recurring revenue: noted as its row is written, where what it counts for has changed.

use super::account::Account;
use super::rule;
use super::standing::Standing;
use crate::billing::lifecycle::SubscriptionStatus;
use crate::billing::revenue::{MovementKind, annual_minor};
use crate::error::Error;
use crate::services::Ports;
use crate::store::Tenant;
use crate::store::revenue::{self as rows, Movement};
use crate::store::types::Day;

/// Notes what a subscription counts for from now on, with the movement that leads there. The lock of the business is held.
///
/// # Errors
/// The database's fault.
pub(super) async fn note(tenant: &Tenant, ports: &Ports, account: &Account, standing: &mut Standing) -> Result<(), Error> {
    let (was, is) = (standing.row.counted_annual_minor, counts(account, standing)?);
    let (kind, subscriptions) = match (was, is) {
        (None, Some(_)) => (begins(tenant, standing).await?, 1),
        (Some(_), None) => (MovementKind::Churned, -1),
        (Some(was), Some(is)) if was < is => (MovementKind::Expansion, 0),
        (Some(was), Some(is)) if was > is => (MovementKind::Contraction, 0),
        _ => return Ok(()),
    };
    let is_alone = subscriptions != 0 && !rows::another_counts(tenant, standing.row.id).await?;
    let annual_minor = is.unwrap_or_default().saturating_sub(was.unwrap_or_default());
    let movement = Movement {
        business_id: tenant.business(),
        id: ports.ids.next(),
        subscription_id: standing.row.id,
        product_id: standing.row.product_id,
        kind,
        currency: standing.row.currency,
        annual_minor,
        subscriptions,
        businesses: if is_alone { subscriptions } else { 0 },
        day: Day::from(account.seller_zone.date_of(account.at)),
        at: account.instant(),
    };
    rows::insert(tenant, movement).await?;
    standing.row.counted_annual_minor = is;
    Ok(())
}

/// What a subscription counts for in a year: from its first charged period to its end.
fn counts(account: &Account, standing: &Standing) -> Result<Option<i64>, Error> {
    use SubscriptionStatus::{Active, PastDue, Suspended};
    let row = &standing.row;
    if !matches!(row.status, Active | PastDue | Suspended) {
        return Ok(None);
    }
    let for_ever = standing.coupon.filter(|coupon| coupon.remaining_periods.is_none()).map(|coupon| coupon.discount);
    annual_minor(row.price_minor, row.billing_interval, account.tax(row.tax_behavior), for_ever).map(Some).map_err(rule)
}

/// What it is that a subscription begins to count.
async fn begins(tenant: &Tenant, standing: &Standing) -> Result<MovementKind, Error> {
    let came_back = rows::has_ended_before(tenant, standing.row.product_id).await?;
    Ok(if came_back { MovementKind::Reactivated } else { MovementKind::New })
}
