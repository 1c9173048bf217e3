//! Subscribing: what it charges, what it refuses, and that it happens once.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::error::UserErrorCode;
use futures::future::join_all;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_subscriptions::code;

both!(
    subscribing_charges_the_first_period_with_tax,
    a_trial_charges_nothing_and_its_end_bills_the_first_period,
    a_trial_is_given_once_per_business_and_product,
    a_declined_first_charge_leaves_the_subscription_incomplete_until_it_is_paid,
    an_incomplete_subscription_expires_after_a_day_and_its_invoice_is_void,
    another_sign_up_replaces_an_incomplete_one,
    what_cannot_be_bought_is_refused_and_leaves_no_trace,
    a_replay_makes_nothing_new_and_a_reused_key_is_refused,
    a_preview_shows_what_is_billed_and_its_token_holds_for_fifteen_minutes,
    numbers_are_gapless_when_many_subscribe_at_once,
);

async fn subscribing_charges_the_first_period_with_tax(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-31T09:00:00Z").await;
    let payer = world.customer().await;
    let made = world.subscribe(payer, "basic").await;
    // 30.00, and 16 % on top: 4.80.
    assert_eq!((world.billed(1, "subtotal_minor").await, world.billed(1, "tax_minor").await), (3_000, 480));
    assert_eq!((world.billed(1, "total_minor").await, world.billed(1, "amount_paid_minor").await), (3_480, 3_480));
    assert_eq!(world.count("invoices", "number = 'INV-2027-000001' and status = 'PAID'").await, 1);
    assert_eq!(world.count("invoice_taxes", "name = 'VAT' and rate = '0.16' and taxable_minor = 3000 and amount_minor = 480").await, 1);
    let row = world.subscription(payer, made.subscription).await;
    assert_eq!(row.status, SubscriptionStatus::Active);
    // Anchored on the 31st in Nairobi: the first period ends at local midnight of 28 February.
    assert_eq!(row.period_end.get().to_string(), "2027-02-27T21:00:00Z");
    assert_eq!(world.payment(payer, made.payment.unwrap()).await.amount_minor, 3_480);
    assert_eq!(world.count("jobs", "kind = 'renewal' and status = 'READY'").await, 1);
    assert_eq!(world.count("audit_events", "action = 'subscription.created'").await, 1);
}

async fn a_trial_charges_nothing_and_its_end_bills_the_first_period(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-17T09:00:00Z").await;
    let payer = world.customer().await;
    let made = world.subscribe(payer, "tried").await;
    assert_eq!((made.invoice, made.payment), (None, None));
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Trialing);
    // 14 days from 17 January: it ends with 30 January, at 21:00 UTC.
    world.run_at("2027-01-30T20:59:59Z").await;
    assert_eq!(world.count("invoices", "true").await, 0);
    world.run_at("2027-01-30T21:00:00Z").await;
    // 10.00 + 1.60.
    assert_eq!((world.count("invoices", "true").await, world.billed(1, "amount_paid_minor").await), (1, 1_160));
    let row = world.subscription(payer, made.subscription).await;
    assert_eq!((row.status, row.period_number), (SubscriptionStatus::Active, 1));
    // The trial's end is the anchor: the 31st.
    assert_eq!(row.period_end.get().to_string(), "2027-02-27T21:00:00Z");
}

async fn a_trial_is_given_once_per_business_and_product(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-17T09:00:00Z").await;
    let payer = world.customer().await;
    let mut order = world.order("tried").await;
    order.auto_renewal = false;
    let first = world.try_subscribe(payer, order).await.unwrap();
    world.run_at("2027-01-30T21:00:00Z").await;
    assert_eq!(world.subscription(payer, first.subscription).await.status, SubscriptionStatus::Canceled);
    assert_eq!(world.count("invoices", "true").await, 0);
    let again = world.subscribe(payer, "tried").await;
    assert_eq!(world.subscription(payer, again.subscription).await.status, SubscriptionStatus::Active);
    assert_eq!(world.billed(1, "total_minor").await, 1_160);
    let other = world.customer().await;
    let theirs = world.subscribe(other, "tried").await;
    assert_eq!(world.subscription(other, theirs.subscription).await.status, SubscriptionStatus::Trialing);
}

async fn a_declined_first_charge_leaves_the_subscription_incomplete_until_it_is_paid(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-31T09:00:00Z").await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Declines).await;
    let made = world.subscribe(payer, "basic").await;
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Incomplete);
    assert_eq!(world.count("invoices", "status = 'OPEN' and amount_due_minor = 3480").await, 1);
    assert_eq!(world.count("jobs", "kind = 'renewal'").await, 0);
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.pay(payer, made.invoice.unwrap()).await.unwrap();
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Active);
    world.run_at("2027-02-01T09:00:01Z").await;
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Active);
    assert_eq!(world.count("jobs", "kind = 'renewal' and status = 'READY'").await, 1);
}

async fn an_incomplete_subscription_expires_after_a_day_and_its_invoice_is_void(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-31T09:00:00Z").await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Declines).await;
    let made = world.subscribe(payer, "basic").await;
    world.run_at("2027-02-01T08:59:59Z").await;
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Incomplete);
    world.run_at("2027-02-01T09:00:00Z").await;
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Expired);
    assert_eq!(world.count("invoices", "status = 'VOID' and amount_due_minor = 0 and number = 'INV-2027-000001'").await, 1);
}

async fn another_sign_up_replaces_an_incomplete_one(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-31T09:00:00Z").await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Declines).await;
    let first = world.subscribe(payer, "basic").await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let second = world.subscribe(payer, "plus").await;
    assert_eq!(world.subscription(payer, first.subscription).await.status, SubscriptionStatus::Expired);
    assert_eq!(world.subscription(payer, second.subscription).await.status, SubscriptionStatus::Active);
    assert_eq!(world.count("invoices", "status = 'VOID' and total_minor = 3480").await, 1);
    assert_eq!(world.count("invoices", "status = 'PAID' and total_minor = 6960").await, 1);
    let third = world.order("max").await;
    assert_eq!(code(world.try_subscribe(payer, third).await), UserErrorCode::AlreadySubscribed);
}

async fn what_cannot_be_bought_is_refused_and_leaves_no_trace(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-31T09:00:00Z").await;
    let payer = world.payer().await;
    let service = world.subscriptions();
    let order = world.order("basic").await;
    assert_eq!(code(service.subscribe(payer.caller, order.clone()).await), UserErrorCode::PaymentMethodRequired);
    world.method(payer, SandboxBehavior::Succeeds).await;
    let jobs = world.count("jobs", "true").await;
    let mut coupon = order.clone();
    coupon.offer.coupon = Some("HALF".to_owned());
    assert_eq!(code(service.subscribe(payer.caller, coupon).await), UserErrorCode::CouponNotApplicable);
    let mut nothing = order.clone();
    nothing.offer.plan = None;
    assert_eq!(code(service.subscribe(payer.caller, nothing).await), UserErrorCode::NotFound);
    let mut stranger = order.clone();
    stranger.method = Some(None);
    assert_eq!(code(service.subscribe(payer.caller, stranger).await), UserErrorCode::NotFound);
    let checked = world.order("checked").await;
    assert_eq!(code(service.subscribe(payer.caller, checked).await), UserErrorCode::VerificationRequired);
    let mut forged = order;
    forged.preview_token = Some("forged".to_owned());
    assert_eq!(code(service.subscribe(payer.caller, forged).await), UserErrorCode::StalePreview);
    for table in
        ["subscriptions", "periods", "subscription_changes", "invoices", "invoice_counters", "invoice_register", "idempotency_keys"]
    {
        assert_eq!(world.count(table, "true").await, 0, "{table}");
    }
    assert_eq!(world.count("audit_events", "action like 'subscription.%'").await, 0);
    assert_eq!(world.count("jobs", "true").await, jobs);
}

async fn a_replay_makes_nothing_new_and_a_reused_key_is_refused(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-31T09:00:00Z").await;
    let payer = world.customer().await;
    let order = world.order("basic").await;
    let first = world.try_subscribe(payer, order.clone()).await.unwrap();
    let again = world.try_subscribe(payer, order.clone()).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!((again.subscription, again.invoice, again.payment), (first.subscription, first.invoice, first.payment));
    let mut other = order;
    other.auto_renewal = false;
    assert_eq!(code(world.try_subscribe(payer, other).await), UserErrorCode::IdempotencyKeyReused);
    for table in ["subscriptions", "invoices", "payments", "idempotency_keys"] {
        assert_eq!(world.count(table, "true").await, 1, "{table}");
    }
}

async fn a_preview_shows_what_is_billed_and_its_token_holds_for_fifteen_minutes(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-31T09:00:00Z").await;
    let payer = world.customer().await;
    let (service, mut order) = (world.subscriptions(), world.order("basic").await);
    let shown = service.subscribe_preview(payer.caller, order.offer.clone()).await.unwrap();
    let preview = shown.preview.unwrap();
    assert_eq!((preview.total.minor(), preview.tax.minor(), preview.amount_due.minor()), (3_480, 480, 3_480));
    let tried = service.subscribe_preview(payer.caller, world.offer("tried").await).await.unwrap();
    assert_eq!(tried.trial_end.unwrap().to_string(), "2027-02-13T21:00:00Z");
    assert!(tried.preview.is_none());
    assert_eq!(tried.first_invoice.unwrap().total.minor(), 1_160);

    order.preview_token = Some(shown.preview_token);
    let mut another = order.clone();
    another.offer = world.offer("plus").await;
    assert_eq!(code(world.try_subscribe(payer, another).await), UserErrorCode::StalePreview, "of another plan");
    world.clock.set("2027-01-31T09:15:01Z".parse().unwrap());
    assert_eq!(code(world.try_subscribe(payer, order.clone()).await), UserErrorCode::StalePreview, "too old");
    world.clock.set("2027-01-31T09:15:00Z".parse().unwrap());
    let made = world.try_subscribe(payer, order).await.unwrap();
    // It takes effect when it was shown.
    assert_eq!(world.subscription(payer, made.subscription).await.started_at.get().to_string(), "2027-01-31T09:00:00Z");
    assert_eq!(world.billed(1, "total_minor").await, 3_480);
}

async fn numbers_are_gapless_when_many_subscribe_at_once(db: TestDatabase) {
    let world = World::shop_at(db, "2027-01-31T09:00:00Z").await;
    let mut orders = Vec::new();
    for _ in 0..16 {
        orders.push((world.customer().await, world.order("basic").await));
    }
    let service = world.subscriptions();
    let all = join_all(orders.into_iter().map(|(payer, order)| service.subscribe(payer.caller, order)));
    for made in world.working(all).await {
        made.unwrap();
    }
    // 1 to 16, each once.
    assert_eq!(world.number("select max(number) from invoice_register where series = 'INV' and year = 2027").await, 16);
    assert_eq!(world.number("select count(distinct number) from invoices").await, 16);
    assert_eq!(world.number("select last_number from invoice_counters").await, 16);
}
