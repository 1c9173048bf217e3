//! Coupons. Everybody reads them as they read the catalogue, and the system alone makes them; how often one was redeemed is
//! counted by the business that redeems it, in its own transaction.
//!
//! A coupon never changes but in that count: there is no function that would change one.

use std::collections::HashMap;

use sea_orm::sea_query::{Cond, Expr, ExprTrait as _, Query, UpdateStatement};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _};

use super::entity::coupons::{coupon, coupon_plan};
use super::tenant::Catalogue;
use super::types::Instant;
use super::{System, Tenant};
use crate::billing::discount::{self, Discount};
use crate::error::Error;
use crate::ids::{CouponId, PlanId};

pub use super::entity::coupons::coupon::Model as Coupon;

impl Coupon {
    /// What it takes off.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a coupon that takes off nothing.
    pub fn discount(&self) -> Result<Discount, Error> {
        let fixed = self.amount_off_minor.map(Discount::Fixed);
        let found = self.percent_off.map(Discount::Percent).or(fixed);
        found.ok_or_else(|| Error::Corrupt("a coupon takes off nothing".into()))
    }

    /// What it is on a subscription that has so many charged periods of it left; `None` is for ever.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a coupon that takes off nothing, or periods below zero.
    pub fn with_left(&self, periods: Option<i32>) -> Result<discount::Coupon, Error> {
        let left = periods.map(u32::try_from).transpose().map_err(|_| Error::Corrupt("a coupon has periods below zero left".into()))?;
        Ok(discount::Coupon { discount: self.discount()?, remaining_periods: left })
    }
}

/// What a code is found by: the same whatever the case it is typed in.
pub fn code_key(code: &str) -> String {
    code.to_ascii_lowercase()
}

/// The coupon of a code, in whatever case, if there is one.
///
/// # Errors
/// The database's fault.
pub async fn by_code(catalogue: &Catalogue, code: &str) -> Result<Option<Coupon>, Error> {
    catalogue.select::<coupon::Entity>().filter(coupon::Column::CodeKey.eq(code_key(code))).one().await
}

/// Coupons by their ids. One statement for any number.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(catalogue: &Catalogue, ids: &[CouponId]) -> Result<HashMap<CouponId, Coupon>, Error> {
    let rows = catalogue.select::<coupon::Entity>().filter(coupon::Column::Id.is_in(ids.iter().copied())).all().await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// The coupons that have not expired at `now`, or all, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn coupons(catalogue: &Catalogue, now: Instant, with_expired: bool) -> Result<Vec<Coupon>, Error> {
    let mut select = catalogue.select::<coupon::Entity>();
    if !with_expired {
        select = select.filter(unexpired(now));
    }
    select.order_by_desc(coupon::Column::CreatedAt).order_by_desc(coupon::Column::Id).all().await
}

/// How many coupons have not expired at `now`, counted no further than `most` + 1.
///
/// # Errors
/// The database's fault.
pub async fn count_unexpired(catalogue: &Catalogue, now: Instant, most: u64) -> Result<u64, Error> {
    catalogue.select::<coupon::Entity>().filter(unexpired(now)).count_up_to(most).await
}

/// Those that have not expired.
fn unexpired(now: Instant) -> Cond {
    Cond::any().add(coupon::Column::ExpiresAt.is_null()).add(coupon::Column::ExpiresAt.gt(now))
}

/// The plans that coupons are for. One statement for any number; a coupon for every plan has no entry.
///
/// # Errors
/// The database's fault.
pub async fn plans(catalogue: &Catalogue, ids: &[CouponId]) -> Result<HashMap<CouponId, Vec<PlanId>>, Error> {
    let mut plans: HashMap<CouponId, Vec<PlanId>> = HashMap::new();
    let rows = catalogue.select::<coupon_plan::Entity>().filter(coupon_plan::Column::CouponId.is_in(ids.iter().copied()));
    for row in rows.order_by_asc(coupon_plan::Column::PlanId).all().await? {
        plans.entry(row.coupon_id).or_default().push(row.plan_id);
    }
    Ok(plans)
}

/// Writes a new coupon, for these plans or, where none is named, for every plan.
///
/// # Errors
/// The database's fault; [`Error::UniqueViolation`] where there is one of that code.
pub async fn insert(system: &System, row: Coupon, plans: &[PlanId]) -> Result<(), Error> {
    let id = row.id;
    system.insert(row.into_active_model().reset_all()).await?;
    let plan = |plan: &PlanId| coupon_plan::Model { coupon_id: id, plan_id: *plan }.into_active_model().reset_all();
    system.insert_many(plans.iter().map(plan).collect()).await
}

/// Counts one more redemption, unless there are as many as there may be; answers whether it did. The coupon's row is locked
/// until the transaction ends, so that however many redeem it at once, no more than that succeed.
///
/// # Errors
/// The database's fault.
pub async fn redeem(tenant: &Tenant, id: CouponId) -> Result<bool, Error> {
    let (redemptions, most) = (coupon::Column::Redemptions, coupon::Column::MaxRedemptions);
    let mut count = counting(id, Expr::col(redemptions).add(1));
    count.cond_where(Cond::any().add(Expr::col(most).is_null()).add(Expr::col(redemptions).lt(Expr::col(most))));
    Ok(tenant.connection().execute(&count).await?.rows_affected() > 0)
}

/// Counts a redemption no longer.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] where none was counted.
pub async fn give_back(tenant: &Tenant, id: CouponId) -> Result<(), Error> {
    let mut count = counting(id, Expr::col(coupon::Column::Redemptions).sub(1));
    count.and_where(Expr::col(coupon::Column::Redemptions).gt(0));
    if tenant.connection().execute(&count).await?.rows_affected() == 0 {
        return Err(Error::Corrupt("a coupon was redeemed and not counted".into()));
    }
    Ok(())
}

/// The statement that sets a coupon's count.
fn counting(id: CouponId, redemptions: Expr) -> UpdateStatement {
    let mut update = Query::update();
    update.table(coupon::Entity).value(coupon::Column::Redemptions, redemptions).and_where(coupon::Column::Id.eq(id));
    update
}
