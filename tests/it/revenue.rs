//! Recurring revenue and collections as staff read them, by figures that are worked out by hand.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::billing::period::Interval;
use evolve_business::services::subscriptions::{PreviewSubscribe, Subscribe};
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_coupons::percent;
use crate::world_staff::signed_in;

both!(
    movements_come_to_the_revenue_of_each_month_and_day,
    who_never_pays_counts_until_the_end_and_who_never_paid_at_all_does_not,
    a_report_of_too_many_days_is_refused,
    what_is_owed_is_told_by_its_age,
);

/// The first of June at 09:00 in Nairobi.
const JUNE: &str = "2027-06-01T06:00:00Z";

/// A report of months, or of days, in shillings.
async fn revenue(world: &World, server: &Server, (from, to): (&str, &str), bucket: &str) -> Vec<Value> {
    let email = world.add_staff_named(&format!("reader.{}", world.ports.ids.next_uuid().simple()), StaffRole::Support).await;
    let query = format!(
        "{{ revenue(from: \"{from}\", to: \"{to}\", bucket: {bucket}, currency: \"KES\") {{ start mrr {{ amount }} arr {{ amount }} new {{ amount }}
           expansion {{ amount }} contraction {{ amount }} churned {{ amount }} reactivated {{ amount }} activeSubscriptions customerChurnRate
           averageRevenuePerBusiness {{ amount }} }} }}"
    );
    let data = signed_in(server, &email).await.data(&query, json!({})).await;
    data["revenue"].as_array().unwrap().clone()
}

/// First day; mrr, arr; new, expansion, contraction, churned, reactivated; subscriptions; churn, average.
fn shown(bucket: &Value) -> String {
    let amount = |field: &str| bucket[field]["amount"].as_str().unwrap().to_owned();
    let moves = ["new", "expansion", "contraction", "churned", "reactivated"].map(amount).join(" ");
    format!(
        "{} | {} {} | {moves} | {} | {} {}",
        bucket["start"].as_str().unwrap(),
        amount("mrr"),
        amount("arr"),
        bucket["activeSubscriptions"],
        bucket["customerChurnRate"].as_str().unwrap(),
        amount("averageRevenuePerBusiness")
    )
}

async fn movements_come_to_the_revenue_of_each_month_and_day(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    world.coupon(percent("QUARTER", "25", None)).await;
    world.coupon(percent("HALF", "50", Some(1))).await;
    // 30.00 a month, half of it off once, which is not for ever; 10.00 after a trial of two weeks.
    let (ann, bob, eve) = (world.customer().await, world.customer().await, world.customer().await);
    let anns = world.subscribe_with(ann, "basic", "HALF").await.subscription;
    let bobs = world.subscribe(bob, "tried").await.subscription;
    world.run_at("2027-06-10T06:00:00Z").await;
    // 300.00 a year, a quarter off for ever.
    let offer = PreviewSubscribe { interval: Interval::Yearly, ..world.offer_with("basic", "QUARTER").await };
    world.try_subscribe(eve, Subscribe { offer, ..world.order("basic").await }).await.unwrap();
    world.run_at("2027-06-16T06:00:00Z").await;
    // To 90.00 at once, and to 60.00 with July.
    world.change(ann, anns, "max", ChangeTiming::Now, Proration::ProrateNow).await;
    world.change(ann, anns, "plus", ChangeTiming::PeriodEnd, Proration::ProrateNow).await;
    world.run_at("2027-07-10T06:00:00Z").await;
    let now = (evolve_business::billing::cancel::CancelTiming::Now, evolve_business::billing::cancel::UnusedTime::None);
    world.try_cancel(bob, bobs, now.0, now.1).await.unwrap();
    world.run_at("2027-08-05T06:00:00Z").await;
    world.subscribe(bob, "basic").await;
    world.run_at("2027-09-02T06:00:00Z").await;

    let months = revenue(&world, &server, ("2027-05-31", "2027-09-02"), "MONTH").await;
    assert_eq!(
        months.iter().map(shown).collect::<Vec<_>>(),
        [
            "2027-05-01 | 0.00 0.00 | 0.00 0.00 0.00 0.00 0.00 | 0 | 0 0.00",
            // 360.00 + 120.00 + 225.00 are new: 705.00 ÷ 12 = 58.75; 720.00 more: 1425.00 ÷ 12 = 118.75, of three 39.58.
            "2027-06-01 | 118.75 1425.00 | 58.75 60.00 0.00 0.00 0.00 | 3 | 0 39.58",
            // 360.00 less, and 120.00 lost: 945.00 ÷ 12 = 78.75, of two 39.375.
            "2027-07-01 | 78.75 945.00 | 0.00 0.00 30.00 10.00 0.00 | 2 | 0.3333 39.38",
            // 360.00 come back: 1305.00 ÷ 12 = 108.75.
            "2027-08-01 | 108.75 1305.00 | 0.00 0.00 0.00 0.00 30.00 | 3 | 0 36.25",
            "2027-09-01 | 108.75 1305.00 | 0.00 0.00 0.00 0.00 0.00 | 3 | 0 36.25",
        ]
    );
    // The trial ends with the 14th, by the seller's calendar.
    let days = revenue(&world, &server, ("2027-06-14", "2027-06-16"), "DAY").await;
    assert_eq!(
        days.iter().map(shown).collect::<Vec<_>>(),
        [
            "2027-06-14 | 48.75 585.00 | 0.00 0.00 0.00 0.00 0.00 | 2 | 0 24.38",
            "2027-06-15 | 48.75 585.00 | 0.00 0.00 0.00 0.00 0.00 | 2 | 0 24.38",
            // The worker was away on the 15th, and found the end of the trial on the 16th.
            "2027-06-16 | 118.75 1425.00 | 10.00 60.00 0.00 0.00 0.00 | 3 | 0 39.58",
        ]
    );
}

async fn who_never_pays_counts_until_the_end_and_who_never_paid_at_all_does_not(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    let never = world.payer().await;
    world.method(never, SandboxBehavior::Declines).await;
    world.subscribe(never, "plus").await;
    // The free plan counts for nothing, and is a subscription all the same.
    world.subscribe(world.payer().await, "free").await;
    for now in ["2027-06-30T21:00:00Z", "2027-07-01T21:00:00Z", "2027-07-03T21:00:00Z", "2027-07-05T21:00:00Z", "2027-07-07T21:00:00Z"] {
        world.run_at(now).await;
    }
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Suspended);
    world.run_at("2027-08-06T21:00:00Z").await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Canceled);
    let months = revenue(&world, &server, ("2027-06-01", "2027-08-31"), "MONTH").await;
    assert_eq!(
        months.iter().map(shown).collect::<Vec<_>>(),
        [
            "2027-06-01 | 30.00 360.00 | 30.00 0.00 0.00 0.00 0.00 | 2 | 0 15.00",
            "2027-07-01 | 30.00 360.00 | 0.00 0.00 0.00 0.00 0.00 | 2 | 0 15.00",
            "2027-08-01 | 0.00 0.00 | 0.00 0.00 0.00 30.00 0.00 | 1 | 0.5 0.00",
        ]
    );
}

async fn a_report_of_too_many_days_is_refused(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    for (from, to, bucket) in
        [("2027-01-01", "2028-01-02", "DAY"), ("2017-06-30", "2027-06-01", "MONTH"), ("2027-06-02", "2027-06-01", "MONTH")]
    {
        let query = format!("{{ revenue(from: \"{from}\", to: \"{to}\", bucket: {bucket}, currency: \"KES\") {{ start }} }}");
        let answer = staff.ask(&query, json!({})).await;
        assert_eq!(crate::world_staff::code(&answer), "BAD_USER_INPUT", "{from} {to} {bucket}");
    }
}

async fn what_is_owed_is_told_by_its_age(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let collections = async || {
        let email = world.add_staff_named(&format!("reader.{}", world.ports.ids.next_uuid().simple()), StaffRole::Finance).await;
        let query = "{ collections(currency: \"KES\") { byStatus { status count } owed { fromDays toDays amount { amount } invoices } retrying unknownPayments } }";
        signed_in(&server, &email).await.data(query, json!({})).await["collections"].take()
    };
    let owed = |report: &Value| {
        let ages = report["owed"].as_array().unwrap().iter();
        ages.map(|age| format!("{}-{} {} {}", age["fromDays"], age["toDays"], age["amount"]["amount"].as_str().unwrap(), age["invoices"]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let nothing = collections().await;
    assert_eq!(nothing["byStatus"], json!([]));
    assert_eq!(owed(&nothing), "0-30 0.00 0, 30-60 0.00 0, 60-90 0.00 0, 90-null 0.00 0");

    let (basic, plus) = (world.customer().await, world.customer().await);
    world.subscribe(basic, "basic").await;
    world.subscribe(plus, "plus").await;
    world.method(basic, SandboxBehavior::Declines).await;
    world.method(plus, SandboxBehavior::TimesOut).await;
    world.run_at("2027-06-30T21:00:00Z").await;
    let first = collections().await;
    let mut counts: Vec<_> = first["byStatus"].as_array().unwrap().iter().map(Value::to_string).collect();
    counts.sort();
    assert_eq!(counts, [r#"{"count":1,"status":"ACTIVE"}"#, r#"{"count":1,"status":"PAST_DUE"}"#]);
    // 34.80 and 69.60, with tax.
    assert_eq!(owed(&first), "0-30 104.40 2, 30-60 0.00 0, 60-90 0.00 0, 90-null 0.00 0");
    assert_eq!((&first["retrying"], &first["unknownPayments"]), (&json!(1), &json!(1)));

    // A day before thirty, and thirty days after.
    world.clock.set("2027-07-30T20:59:59Z".parse().unwrap());
    assert_eq!(owed(&collections().await), "0-30 104.40 2, 30-60 0.00 0, 60-90 0.00 0, 90-null 0.00 0");
    world.clock.set("2027-07-30T21:00:00Z".parse().unwrap());
    assert_eq!(owed(&collections().await), "0-30 0.00 0, 30-60 104.40 2, 60-90 0.00 0, 90-null 0.00 0");
    world.clock.set("2027-09-28T21:00:00Z".parse().unwrap());
    assert_eq!(owed(&collections().await), "0-30 0.00 0, 30-60 0.00 0, 60-90 0.00 0, 90-null 104.40 2");
    world.run_due_jobs().await;
}
