//! Using a coupon at a sign-up.

use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::{CouponId, ProductId};
use crate::services::billing::Account;
use crate::store::catalog::Plan;
use crate::store::coupons::{self, Coupon};
use crate::store::{Tenant, subscriptions};

/// The coupon of a code, where a sign-up of this business to this plan may use it at the account's instant. It redeems nothing.
///
/// # Errors
/// CURRENCY_MISMATCH at `coupon` for one in another currency; COUPON_NOT_APPLICABLE for one there is not, that has expired, is for other plans or used up;
/// or the database's fault.
pub async fn usable(tenant: &Tenant, account: &Account, code: &str, plan: &Plan) -> Outcome<Coupon> {
    let catalogue = tenant.catalogue();
    // What is no code is not looked for: the database takes no text that a client may send.
    let found = if super::is_code(code) { coupons::by_code(&catalogue, code).await? } else { None };
    let coupon = found.ok_or_else(|| refusal("There is no such coupon."))?;
    if coupon.expires_at.is_some_and(|at| at.get() <= account.at) {
        return Err(refusal("This coupon has expired.").into());
    }
    let plans = coupons::plans(&catalogue, &[coupon.id]).await?.remove(&coupon.id);
    if plans.is_some_and(|plans| !plans.contains(&plan.id)) {
        return Err(refusal("This coupon is not for this plan.").into());
    }
    if coupon.currency.is_some_and(|currency| currency != account.business.currency) {
        let sentence = "This coupon takes off an amount in another currency than yours.";
        return Err(UserError::at("coupon", UserErrorCode::CurrencyMismatch, sentence).into());
    }
    if is_used_up(tenant, &coupon, plan.product.id).await? {
        return Err(used_up().into());
    }
    Ok(coupon)
}

/// Counts a redemption, in the transaction of the sign-up.
///
/// # Errors
/// COUPON_NOT_APPLICABLE at `coupon` where others were quicker; or the database's fault.
pub async fn redeem(tenant: &Tenant, coupon: CouponId) -> Outcome<()> {
    if coupons::redeem(tenant, coupon).await? { Ok(()) } else { Err(used_up().into()) }
}

/// Whether it was redeemed as often as it may be. A sign-up of this business to the product that was never paid does not count:
/// the next one replaces it, and gives its redemption back before it redeems.
async fn is_used_up(tenant: &Tenant, coupon: &Coupon, product: ProductId) -> Result<bool, Error> {
    if coupon.max_redemptions.is_none_or(|most| coupon.redemptions < most) {
        return Ok(false);
    }
    let live = subscriptions::live(tenant, product).await?;
    Ok(!live.is_some_and(|row| row.status == SubscriptionStatus::Incomplete && row.coupon_id == Some(coupon.id)))
}

/// The refusal of a coupon that was redeemed as often as it may be.
fn used_up() -> UserError {
    refusal("This coupon is used up.")
}

/// The refusal of a coupon.
fn refusal(sentence: &str) -> UserError {
    UserError::at("coupon", UserErrorCode::CouponNotApplicable, sentence)
}
