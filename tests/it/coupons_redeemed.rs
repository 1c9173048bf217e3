//! Who may redeem a coupon, and how often it counts.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::error::UserErrorCode;
use evolve_business::money::Currency;
use evolve_business::services::coupons::{CouponValue, NewCoupon};
use futures::future::join_all;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_coupons::percent;
use crate::world_payments::refused;
use crate::world_subscriptions::code;

both!(
    a_coupon_that_does_not_apply_is_refused_and_leaves_no_trace,
    of_sixteen_who_redeem_a_coupon_at_once_five_succeed,
    a_sign_up_that_is_replayed_or_refused_redeems_nothing_more,
    a_sign_up_that_is_never_paid_gives_its_redemption_back,
);

const JUNE: &str = "2027-06-01T06:00:00Z";

async fn a_coupon_that_does_not_apply_is_refused_and_leaves_no_trace(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let half = |code: &str| percent(code, "50", None);
    let dollars = CouponValue::Amount { amount: "5.00".to_owned(), currency: Currency::from_code("USD").unwrap() };
    world.coupon(NewCoupon { value: dollars, ..half("DOLLARS") }).await;
    world.coupon(NewCoupon { plans: vec![Some(world.plan("books", "plus").await)], ..half("PLUS") }).await;
    world.coupon(NewCoupon { max_redemptions: Some(1), ..half("RARE") }).await;
    let expires_at = "2027-06-02T06:00:00Z".parse().unwrap();
    world.coupon(NewCoupon { expires_at: Some(expires_at), ..half("EARLY") }).await;
    let other = world.customer().await;
    world.subscribe_with(other, "basic", "RARE").await;

    world.clock.set(expires_at);
    let service = world.subscriptions();
    let too_long = "X".repeat(41);
    for wrong in ["", "NONE", "PLUS ", "a\0b", "HÄLFTE", &too_long, "DOLLARS", "PLUS", "rare", "EARLY"] {
        let code = if wrong == "DOLLARS" { UserErrorCode::CurrencyMismatch } else { UserErrorCode::CouponNotApplicable };
        let expected = [(code, "coupon".to_owned())];
        let previewed = service.subscribe_preview(payer.caller, world.offer_with("basic", wrong).await).await;
        assert_eq!(refused(previewed), expected, "{wrong:?}");
        assert_eq!(refused(service.subscribe(payer.caller, world.order_with("basic", wrong).await).await), expected, "{wrong:?}");
    }
    assert_eq!((world.count("subscriptions", "true").await, world.number("select sum(redemptions) from coupons").await), (1, 1));
    // To the plan it is for it applies, and an instant before its end it does.
    world.subscribe_with(payer, "plus", "plus").await;
    world.clock.set("2027-06-02T05:59:59Z".parse().unwrap());
    let third = world.customer().await;
    world.subscribe_with(third, "basic", "early").await;
    assert_eq!(world.number("select sum(redemptions) from coupons").await, 3);
}

async fn of_sixteen_who_redeem_a_coupon_at_once_five_succeed(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    world.coupon(NewCoupon { max_redemptions: Some(5), ..percent("FIVE", "50", Some(1)) }).await;
    let mut orders = Vec::new();
    for _ in 0..16 {
        orders.push((world.customer().await, world.order_with("basic", "FIVE").await));
    }
    let service = world.subscriptions();
    let all = join_all(orders.into_iter().map(|(payer, order)| service.subscribe(payer.caller, order)));
    let (made, not): (Vec<_>, Vec<_>) = world.working(all).await.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), not.len()), (5, 11));
    for outcome in not {
        assert_eq!(refused(outcome), [(UserErrorCode::CouponNotApplicable, "coupon".to_owned())]);
    }
    assert_eq!((world.redemptions().await, world.count("subscriptions", "coupon_id is not null").await), (5, 5));
    assert_eq!((world.count("subscriptions", "true").await, world.count("invoices", "total_minor = 1740").await), (5, 5));
}

async fn a_sign_up_that_is_replayed_or_refused_redeems_nothing_more(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    world.coupon(percent("HALF", "50", Some(1))).await;
    let (payer, service) = (world.customer().await, world.subscriptions());
    let order = world.order_with("basic", "HALF").await;
    let penniless = world.payer().await;
    assert_eq!(code(service.subscribe(penniless.caller, order.clone()).await), UserErrorCode::PaymentMethodRequired);
    let mut stale = order.clone();
    stale.preview_token = Some(service.subscribe_preview(payer.caller, order.offer.clone()).await.unwrap().preview_token);
    // The token is of the offer with the coupon.
    let mut plain = stale.clone();
    plain.offer.coupon = None;
    assert_eq!(code(world.try_subscribe(payer, plain).await), UserErrorCode::StalePreview);
    world.clock.set("2027-06-01T06:15:01Z".parse().unwrap());
    assert_eq!(code(world.try_subscribe(payer, stale.clone()).await), UserErrorCode::StalePreview);
    assert_eq!(world.redemptions().await, 0);
    world.clock.set("2027-06-01T06:14:00Z".parse().unwrap());
    let made = world.try_subscribe(payer, stale.clone()).await.unwrap();
    let again = world.try_subscribe(payer, stale).await.unwrap();
    assert!(again.replayed && again.subscription == made.subscription);
    assert_eq!(code(world.try_subscribe(payer, world.order_with("plus", "HALF").await).await), UserErrorCode::AlreadySubscribed);
    assert_eq!((world.redemptions().await, world.count("invoices", "total_minor = 1740").await), (1, 1));
}

async fn a_sign_up_that_is_never_paid_gives_its_redemption_back(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    world.coupon(NewCoupon { max_redemptions: Some(1), ..percent("ONE", "50", Some(1)) }).await;
    let (payer, other) = (world.payer().await, world.customer().await);
    world.method(payer, SandboxBehavior::Declines).await;
    let first = world.subscribe_with(payer, "basic", "ONE").await;
    assert_eq!(world.subscription(payer, first.subscription).await.status, SubscriptionStatus::Incomplete);
    assert_eq!(code(world.try_subscribe(other, world.order_with("basic", "ONE").await).await), UserErrorCode::CouponNotApplicable);
    // Who tries again has it still, and so a preview says.
    let preview = world.subscriptions().subscribe_preview(payer.caller, world.offer_with("plus", "ONE").await).await.unwrap();
    // 60.00 − 30.00 = 30.00, tax 4.80.
    assert_eq!(preview.preview.unwrap().total.minor(), 3_480);
    let second = world.subscribe_with(payer, "plus", "ONE").await;
    assert_eq!(world.subscription(payer, first.subscription).await.status, SubscriptionStatus::Expired);
    assert_eq!(world.redemptions().await, 1);
    world.run_at("2027-06-02T06:00:00Z").await;
    let row = world.subscription(payer, second.subscription).await;
    // It tells which coupon it was, and counts no more.
    assert_eq!((row.status, row.coupon_id.is_some(), world.redemptions().await), (SubscriptionStatus::Expired, true, 0));
    world.subscribe_with(other, "basic", "ONE").await;
    assert_eq!((world.redemptions().await, world.count("invoices", "status = 'PAID' and total_minor = 1740").await), (1, 1));
}
