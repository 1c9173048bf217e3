//! Coupons, to the cent: which periods they are taken off, what becomes of them at a change, and who may use one. Where
//! nothing else is said, 16 % comes on top of every price.

use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::services::billing::InvoicePreview;
use evolve_business::services::coupons::NewCoupon;
use evolve_business::services::subscriptions::PreviewChange;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_coupons::{amount, percent};
use crate::world_payments::Payer;
use crate::world_subscriptions::as_usual;

both!(
    a_percentage_once_is_off_the_first_period_alone,
    a_percentage_for_three_periods_is_off_the_first_three,
    a_coupon_for_ever_is_off_every_period_that_was_missed_too,
    an_amount_is_off_before_tax_comes_on_top_and_never_more_than_the_price,
    an_amount_is_off_a_price_that_includes_its_tax,
    an_amount_is_off_a_partial_first_period_pro_rata,
    a_trial_spends_nothing_and_its_first_invoice_is_discounted,
    a_change_of_plan_is_prorated_net_of_the_discount_and_spends_nothing,
    a_reset_begins_a_charged_period_and_spends_one_more,
    a_period_that_passed_in_suspension_is_discounted_when_it_is_billed,
    a_discounted_line_that_waits_keeps_its_discount,
);

/// The first of June at 09:00 in Nairobi: the period has 30 days.
const JUNE: &str = "2027-06-01T06:00:00Z";
/// 15 days are left, the day itself included.
const MIDDLE: &str = "2027-06-16T06:00:00Z";
/// The first of July, August and September in Nairobi.
const MONTHS: [&str; 3] = ["2027-06-30T21:00:00Z", "2027-07-31T21:00:00Z", "2027-08-31T21:00:00Z"];

/// A shop with prices that include their tax, and with periods that begin with the month.
const MONTHLY_SHOP: &str = r#"
[platform]
currency = "KES"
[seller]
name = "Seller Ltd"
tax_id = "P000000000X"
address_line = "One Road"
city = "Nairobi"
postal_code = "00100"
country = "KE"
time_zone = "Africa/Nairobi"
[[tax_rates]]
country = "KE"
name = "VAT"
rate = "0.16"
from = 2021-01-01
[[products]]
code = "books"
name = "Books"
description = "Books."
anchor = "calendar"
[[plans]]
product = "books"
code = "gross"
name = "Gross"
description = "Gross."
prices = [{ interval = "monthly", currency = "KES", amount = "58.00", tax = "inclusive" }]
[[plans]]
product = "books"
code = "net"
name = "Net"
description = "Net."
prices = [{ interval = "monthly", currency = "KES", amount = "30.00", tax = "exclusive" }]
"#;

/// The shop on the first of June with one coupon, and a customer who pays.
async fn shop_with(db: TestDatabase, coupon: NewCoupon) -> (World, Payer) {
    let world = World::shop_at(db, JUNE).await;
    world.coupon(coupon).await;
    let payer = world.customer().await;
    (world, payer)
}

/// Subtotal, discount, tax and total of a preview, in minor units.
fn shown(preview: Option<InvoicePreview>) -> [i64; 4] {
    let preview = preview.unwrap();
    [preview.subtotal.minor(), preview.discount.minor(), preview.tax.minor(), preview.total.minor()]
}

async fn a_percentage_once_is_off_the_first_period_alone(db: TestDatabase) {
    let (world, payer) = shop_with(db, percent("Half-Once", "50", Some(1))).await;
    // 30.00 − 15.00 = 15.00, tax 2.40.
    let once = [3_000, 1_500, 240, 1_740];
    let offer = world.offer_with("basic", "half-once").await;
    assert_eq!(shown(world.subscriptions().subscribe_preview(payer.caller, offer).await.unwrap().preview), once);
    assert_eq!(world.redemptions().await, 0);
    let made = world.subscribe_with(payer, "basic", "HALF-ONCE").await;
    assert_eq!((world.figures(1).await, world.redemptions().await), (once, 1));
    assert_eq!(
        world.count("invoice_lines", "kind = 'RECURRING' and amount_minor = 3000 and discount_minor = 1500 and tax_minor = 240").await,
        1
    );
    assert_eq!(world.payment(payer, made.payment.unwrap()).await.amount_minor, 1_740);
    assert_eq!(world.subscription(payer, made.subscription).await.coupon_remaining_periods, Some(0));
    // 30.00, tax 4.80.
    assert_eq!(shown(world.upcoming(payer, made.subscription).await), [3_000, 0, 480, 3_480]);
    world.run_at(MONTHS[0]).await;
    assert_eq!((world.figures(2).await, world.redemptions().await), ([3_000, 0, 480, 3_480], 1));
    let row = world.subscription(payer, made.subscription).await;
    assert_eq!((row.charged_discount_percent, row.charged_discount_minor), (None, None));
}

async fn a_percentage_for_three_periods_is_off_the_first_three(db: TestDatabase) {
    let (world, payer) = shop_with(db, percent("EIGHTH", "12.5", Some(3))).await;
    let id = world.subscribe_with(payer, "basic", "EIGHTH").await.subscription;
    // 30.00 − 3.75 = 26.25, tax 4.20.
    let discounted = [3_000, 375, 420, 3_045];
    assert_eq!(world.figures(1).await, discounted);
    for (number, now, left, next) in [(2, MONTHS[0], 1, discounted), (3, MONTHS[1], 0, [3_000, 0, 480, 3_480])] {
        assert_eq!(shown(world.upcoming(payer, id).await), discounted, "before {now}");
        world.run_at(now).await;
        assert_eq!(world.figures(number).await, discounted, "{now}");
        assert_eq!(world.subscription(payer, id).await.coupon_remaining_periods, Some(left), "{now}");
        assert_eq!(shown(world.upcoming(payer, id).await), next, "after {now}");
    }
    world.run_at(MONTHS[2]).await;
    assert_eq!(world.figures(4).await, [3_000, 0, 480, 3_480]);
    assert_eq!(world.redemptions().await, 1);
}

async fn a_coupon_for_ever_is_off_every_period_that_was_missed_too(db: TestDatabase) {
    let (world, payer) = shop_with(db, amount("TENNER", "10.00", None)).await;
    let id = world.subscribe_with(payer, "basic", "TENNER").await.subscription;
    world.run_at("2027-09-02T06:00:00Z").await;
    // Four times 30.00 − 10.00 = 20.00, tax 3.20.
    assert_eq!(world.count("invoices", "discount_minor = 1000 and tax_minor = 320 and total_minor = 2320 and status = 'PAID'").await, 4);
    let row = world.subscription(payer, id).await;
    assert_eq!((row.coupon_remaining_periods, row.period_number, world.count("invoices", "true").await), (None, 4, 4));
}

async fn an_amount_is_off_before_tax_comes_on_top_and_never_more_than_the_price(db: TestDatabase) {
    let (world, payer) = shop_with(db, amount("TENNER", "10.00", Some(1))).await;
    world.subscribe_with(payer, "basic", "TENNER").await;
    // 30.00 − 10.00 = 20.00, tax 3.20.
    assert_eq!(world.figures(1).await, [3_000, 1_000, 320, 2_320]);
    world.coupon(amount("GENEROUS", "40.00", Some(1))).await;
    // Without a way to pay: nothing is due.
    let other = world.payer().await;
    let made = world.subscribe_with(other, "basic", "GENEROUS").await;
    assert_eq!((world.figures(2).await, made.payment), ([3_000, 3_000, 0, 0], None));
    assert_eq!(world.count("invoices", "number = 'INV-2027-000002' and status = 'PAID' and amount_due_minor = 0").await, 1);
    assert_eq!(world.subscription(other, made.subscription).await.status, SubscriptionStatus::Active);
}

async fn an_amount_is_off_a_price_that_includes_its_tax(db: TestDatabase) {
    // Nairobi's first of June, so that the period is whole.
    let world = World::at(db, JUNE).await;
    world.apply_catalogue(MONTHLY_SHOP).await;
    world.coupon(amount("TENNER", "10.00", Some(1))).await;
    let payer = world.customer().await;
    world.subscribe_with(payer, "gross", "TENNER").await;
    // 58.00 − 10.00 = 48.00, of which 48.00 × 16/116 = 6.62 is tax.
    assert_eq!(world.figures(1).await, [5_800, 1_000, 662, 4_800]);
    // Without the discount it is 58.00 × 16/116 = 8.00.
    world.run_at(MONTHS[0]).await;
    assert_eq!(world.figures(2).await, [5_800, 0, 800, 5_800]);
}

async fn an_amount_is_off_a_partial_first_period_pro_rata(db: TestDatabase) {
    let world = World::at(db, MIDDLE).await;
    world.apply_catalogue(MONTHLY_SHOP).await;
    world.coupon(amount("TENNER", "10.00", Some(2))).await;
    let payer = world.customer().await;
    let id = world.subscribe_with(payer, "net", "TENNER").await.subscription;
    // 15 of June's 30 days: 15.00 − 5.00 = 10.00, tax 1.60.
    assert_eq!(world.figures(1).await, [1_500, 500, 160, 1_160]);
    // It was a charged period all the same: one is left, which is whole.
    assert_eq!(world.subscription(payer, id).await.coupon_remaining_periods, Some(1));
    for (number, now, figures) in [(2, MONTHS[0], [3_000, 1_000, 320, 2_320]), (3, MONTHS[1], [3_000, 0, 480, 3_480])] {
        assert_eq!(shown(world.upcoming(payer, id).await), figures, "before {now}");
        world.run_at(now).await;
        assert_eq!(world.figures(number).await, figures, "{now}");
    }
}

async fn a_trial_spends_nothing_and_its_first_invoice_is_discounted(db: TestDatabase) {
    let (world, payer) = shop_with(db, percent("HALF", "50", Some(1))).await;
    let shown_before = world.subscriptions().subscribe_preview(payer.caller, world.offer_with("tried", "HALF").await).await.unwrap();
    // 10.00 − 5.00 = 5.00, tax 0.80.
    let first = [1_000, 500, 80, 580];
    assert!(shown_before.preview.is_none());
    assert_eq!(shown(shown_before.first_invoice), first);
    let id = world.subscribe_with(payer, "tried", "HALF").await.subscription;
    let row = world.subscription(payer, id).await;
    assert_eq!((row.coupon_remaining_periods, row.charged_price_minor, world.redemptions().await), (Some(1), None, 1));
    assert_eq!(shown(world.upcoming(payer, id).await), first);
    world.run_at("2027-06-14T21:00:00Z").await;
    assert_eq!((world.figures(1).await, world.subscription(payer, id).await.coupon_remaining_periods), (first, Some(0)));
    assert_eq!(shown(world.upcoming(payer, id).await), [1_000, 0, 160, 1_160]);
}

async fn a_change_of_plan_is_prorated_net_of_the_discount_and_spends_nothing(db: TestDatabase) {
    let (world, payer) = shop_with(db, percent("HALF", "50", Some(1))).await;
    let id = world.subscribe_with(payer, "basic", "HALF").await.subscription;
    world.coupon(amount("TENNER", "10.00", Some(2))).await;
    let other = world.customer().await;
    let theirs = world.subscribe_with(other, "basic", "TENNER").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let plus = world.plan("books", "plus").await;
    let preview = world.subscriptions().change_plan_preview(payer.caller, as_usual(id, plus)).await.unwrap().preview;
    // Half of 30.00 and of 60.00, 15 of 30 days: −7.50 + 15.00 = 7.50, tax 1.20. The lines are net, so they have no discount.
    assert_eq!(shown(preview), [750, 0, 120, 870]);
    world.try_change(payer, as_usual(id, plus)).await.unwrap();
    assert_eq!(world.figures(3).await, [750, 0, 120, 870]);
    assert_eq!(world.count("invoice_lines", "kind = 'PRORATION_CREDIT' and amount_minor = -750 and unit_price = '15'").await, 1);
    assert_eq!(world.count("invoice_lines", "kind = 'PRORATION_CHARGE' and amount_minor = 1500 and discount_minor = 0").await, 1);
    // 10.00 off each: 20.00 and 50.00, × 15/30: −10.00 + 25.00 = 15.00, tax 2.40.
    world.try_change(other, as_usual(theirs, plus)).await.unwrap();
    assert_eq!(world.figures(4).await, [1_500, 0, 240, 1_740]);
    assert_eq!(world.subscription(other, theirs).await.coupon_remaining_periods, Some(1));
    // Undone on the same day, the credit is what was charged: −15.00 + 7.50, tax −1.20.
    world.change(payer, id, "basic", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.balance(payer).await, 870);
    // A change that waits is shown with the discount of its period: 90.00 − 10.00 = 80.00, tax 12.80.
    let later = PreviewChange { timing: ChangeTiming::PeriodEnd, ..as_usual(theirs, world.plan("books", "max").await) };
    let preview = world.subscriptions().change_plan_preview(other.caller, later).await.unwrap().preview;
    assert_eq!(shown(preview), [9_000, 1_000, 1_280, 9_280]);
    world.try_change(other, later).await.unwrap();
    world.run_at(MONTHS[0]).await;
    // The first one's coupon is spent; the other's survived both changes.
    assert_eq!(
        world.count("invoices", "subtotal_minor = 3000 and discount_minor = 0 and credit_applied_minor = 870 and total_minor = 3480").await,
        1
    );
    assert_eq!(world.count("invoices", "subtotal_minor = 9000 and discount_minor = 1000 and total_minor = 9280").await, 1);
}

async fn a_reset_begins_a_charged_period_and_spends_one_more(db: TestDatabase) {
    let (world, payer) = shop_with(db, percent("HALF", "50", Some(2))).await;
    let id = world.subscribe_with(payer, "basic", "HALF").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let plus = world.plan("books", "plus").await;
    let reset = PreviewChange { proration: Proration::ResetCycle, ..as_usual(id, plus) };
    // −7.50 + 60.00 = 52.50, − 30.00 = 22.50, tax 3.60.
    let figures = [5_250, 3_000, 360, 2_610];
    let preview = world.subscriptions().change_plan_preview(payer.caller, reset).await.unwrap().preview;
    assert_eq!(shown(preview), figures);
    assert_eq!(world.subscription(payer, id).await.coupon_remaining_periods, Some(1));
    world.try_change(payer, reset).await.unwrap();
    assert_eq!((world.figures(2).await, world.subscription(payer, id).await.coupon_remaining_periods), (figures, Some(0)));
    // A second reset on the same day: the whole 30.00 back, and 90.00 without a discount: 60.00, tax 9.60.
    world.change(payer, id, "max", ChangeTiming::Now, Proration::ResetCycle).await;
    assert_eq!(world.figures(3).await, [6_000, 0, 960, 6_960]);
    world.run_at("2027-07-15T21:00:00Z").await;
    assert_eq!(world.figures(4).await, [9_000, 0, 1_440, 10_440]);
}

async fn a_period_that_passed_in_suspension_is_discounted_when_it_is_billed(db: TestDatabase) {
    use evolve_business::adapters::payment::SandboxBehavior;
    let (world, payer) = shop_with(db, percent("HALF", "50", Some(3))).await;
    let id = world.subscribe_with(payer, "basic", "HALF").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    for now in [MONTHS[0], "2027-07-01T21:00:00Z", "2027-07-03T21:00:00Z", "2027-07-05T21:00:00Z", "2027-07-07T21:00:00Z"] {
        world.run_at(now).await;
    }
    world.run_at("2027-08-02T06:00:00Z").await;
    let row = world.subscription(payer, id).await;
    // The boundary that passed without access billed nothing, and spent nothing.
    assert_eq!((row.status, row.period_number, row.coupon_remaining_periods), (SubscriptionStatus::Suspended, 3, Some(1)));
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.run_due_jobs().await;
    // August from the 2nd, 30/31 of 15.00: 14.52, tax 2.32.
    assert_eq!(world.figures(3).await, [1_452, 0, 232, 1_684]);
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.coupon_remaining_periods), (SubscriptionStatus::Active, Some(0)));
    world.run_at(MONTHS[2]).await;
    assert_eq!(world.figures(4).await, [3_000, 0, 480, 3_480]);
}

async fn a_discounted_line_that_waits_keeps_its_discount(db: TestDatabase) {
    let (world, payer) = shop_with(db, percent("GIFT", "100", Some(2))).await;
    let id = world.subscribe_with(payer, "basic", "GIFT").await.subscription;
    assert_eq!(world.figures(1).await, [3_000, 3_000, 0, 0]);
    // A credit that no invoice of the given periods can carry.
    let (business, line, at) = (payer.scope.business().uuid(), world.ports.ids.next_uuid(), world.ports.now());
    world
        .sql(&format!(
            "insert into pending_lines (business_id, id, subscription_id, kind, description, quantity, unit_price, amount_minor, tax_behavior, created_at)
               values ({{id:{business}}}, {{id:{line}}}, {{id:{}}}, 'ONE_OFF', 'A favour', '1', '-5', -500, 'EXCLUSIVE', '{at}')",
            id.uuid()
        ))
        .await;
    world.run_at(MONTHS[0]).await;
    assert_eq!(world.count("invoices", "true").await, 1);
    assert_eq!(world.count("pending_lines", "invoice_id is null and kind = 'RECURRING' and discount_minor = 3000").await, 1);
    // The coupon is spent: −5.00 + 30.00 + 30.00 − 30.00 = 25.00, tax 4.00.
    assert_eq!(shown(world.upcoming(payer, id).await), [5_500, 3_000, 400, 2_900]);
    world.run_at(MONTHS[1]).await;
    assert_eq!((world.figures(2).await, world.count("pending_lines", "invoice_id is null").await), ([5_500, 3_000, 400, 2_900], 0));
}
