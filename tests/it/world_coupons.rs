//! Coupons to subscribe with.

use evolve_business::ids::CouponId;
use evolve_business::money::Currency;
use evolve_business::services::coupons::{CouponService, CouponValue, NewCoupon};
use evolve_business::services::subscriptions::{Billed, PreviewSubscribe, Subscribe};
use evolve_business::store::types::StaffRole;

use crate::world::World;
use crate::world_payments::Payer;

/// A percentage off so many charged periods of any plan, or of all.
pub(crate) fn percent(code: &str, percent: &str, periods: Option<i32>) -> NewCoupon {
    let value = CouponValue::Percent(percent.to_owned());
    NewCoupon { code: code.to_owned(), value, periods, max_redemptions: None, expires_at: None, plans: Vec::new() }
}

/// The same of an amount in shillings.
pub(crate) fn amount(code: &str, amount: &str, periods: Option<i32>) -> NewCoupon {
    let value = CouponValue::Amount { amount: amount.to_owned(), currency: Currency::from_code("KES").unwrap() };
    NewCoupon { value, ..percent(code, "", periods) }
}

impl World {
    /// Makes a coupon, as a member of staff.
    pub(crate) async fn coupon(&self, new: NewCoupon) -> CouponId {
        let staff = self.staff_caller(&format!("maker.of.{}", new.code), StaffRole::Finance).await;
        CouponService::new(self.ports.clone()).create(staff, new).await.unwrap()
    }

    /// A monthly plan of `books`, with a coupon.
    pub(crate) async fn offer_with(&self, plan: &str, coupon: &str) -> PreviewSubscribe {
        PreviewSubscribe { coupon: Some(coupon.to_owned()), ..self.offer(plan).await }
    }

    /// A request for it, under a key of its own.
    pub(crate) async fn order_with(&self, plan: &str, coupon: &str) -> Subscribe {
        Subscribe { offer: self.offer_with(plan, coupon).await, ..self.order(plan).await }
    }

    /// Subscribes to it.
    pub(crate) async fn subscribe_with(&self, payer: Payer, plan: &str, coupon: &str) -> Billed {
        let order = self.order_with(plan, coupon).await;
        self.try_subscribe(payer, order).await.unwrap()
    }

    /// How often the one coupon was redeemed.
    pub(crate) async fn redemptions(&self) -> i64 {
        self.number("select cast(redemptions as bigint) from coupons").await
    }

    /// Subtotal, discount, tax and total of the invoice with that number, in minor units.
    pub(crate) async fn figures(&self, number: u32) -> [i64; 4] {
        let mut figures = [0; 4];
        for (figure, column) in figures.iter_mut().zip(["subtotal_minor", "discount_minor", "tax_minor", "total_minor"]) {
            *figure = self.billed(number, column).await;
        }
        figures
    }
}
