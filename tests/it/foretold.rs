//! What people are told before and after something happens to a subscription: a trial that ends, a payment that is tried again, access
//! that is off. 16 % comes on top of every price; the business is in Nairobi, three hours ahead.

use std::sync::Arc;

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::cancel::{CancelTiming, UnusedTime};
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::services::events::{Event, SubscriptionWhat};
use evolve_business::services::subscriptions::SubscriptionService;
use evolve_business::services::{Parts, Ports};
use jiff::SignedDuration;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_payments::Payer;
use crate::world_staff_money::{JULY, JUNE};

both!(
    a_trial_is_told_of_three_days_before_its_end_once_with_what_it_charges_and_to_what,
    what_a_trials_end_charges_is_told_as_it_stands_then,
    a_trial_without_a_method_says_so_in_the_readers_language,
    nobody_is_told_of_a_trial_that_is_cancelled_until_that_is_taken_back,
    a_trial_is_told_of_at_once_where_it_is_no_longer_than_the_notice_and_never_where_nobody_wants_it,
    a_trial_that_was_over_when_its_word_was_due_is_not_told_of,
    a_failed_renewal_says_when_it_is_tried_again_and_what_becomes_of_it,
    a_hard_decline_promises_no_attempt_and_a_first_invoice_says_how_long_it_waits,
    what_is_overdue_without_an_attempt_is_told_of_and_what_failed_is_not_told_of_twice,
    a_suspension_is_told_of_once_with_what_restores_access,
    nobody_is_told_of_a_suspension_that_is_over,
);

/// The trial of two weeks ends with the fourteenth of June in Nairobi.
const TRIAL_END: &str = "2027-06-14T21:00:00Z";
/// Three days before that.
const NOTICE: &str = "2027-06-11T21:00:00Z";

impl World {
    /// The bodies of a kind of notification, the oldest first.
    async fn told(&self, kind: &str) -> Vec<String> {
        self.read_texts(&format!("select body from notifications where kind = '{kind}' order by created_at, id")).await
    }

    /// The mails whose subject begins so, each in one line.
    fn mailed(&self, subject: &str) -> Vec<String> {
        let subject = format!("\nSubject: {subject}");
        let mails = self.mails().into_iter().filter(|mail| mail.contains(&subject));
        mails.map(|mail| mail.replace("=\n", "").replace('\n', " ")).collect()
    }

    /// Has everything run once more that was done, as after a worker that died before it could say so.
    async fn done_again(&self) {
        self.sql("update jobs set status = 'READY' where status = 'DONE'").await;
        self.run_due_jobs().await;
    }
}

async fn a_trial_is_told_of_three_days_before_its_end_once_with_what_it_charges_and_to_what(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "tried").await.subscription;
    world.run_at("2027-06-11T20:59:59Z").await;
    assert_eq!(world.told("subscription.trial_ending").await, [""; 0]);
    world.run_at(NOTICE).await;
    // 10.00 and 1.60.
    let told = ["The trial of Acme ends on 15 June 2027, and tried goes on from then. The first period comes to KES 11.60."];
    assert_eq!(world.told("subscription.trial_ending").await, told);
    let mails = world.mailed("Your trial of tried ends on 15 June 2027");
    assert_eq!(mails.len(), 1);
    for part in [told[0], "It is charged to Sandbox: succeeds on that day.", "cancel before that day", &format!("/subscriptions/{id}")] {
        assert!(mails[0].contains(part), "{part}: {}", mails[0]);
    }
    world.done_again().await;
    assert_eq!((world.told("subscription.trial_ending").await.len(), world.mailed("Your trial").len()), (1, 1));
    assert_eq!(world.count("events", "name = 'subscription.trial_ending'").await, 1);
    world.run_at(TRIAL_END).await;
    assert_eq!((world.billed(1, "total_minor").await, world.told("subscription.trial_ending").await.len()), (1_160, 1));
}

async fn what_a_trials_end_charges_is_told_as_it_stands_then(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "tried").await.subscription;
    // Another plan, and account credit of 4.80: 30.00 and 4.80 of tax, of which 30.00 are left.
    world.clock.set("2027-06-05T06:00:00Z".parse().unwrap());
    world.change(payer, id, "basic", ChangeTiming::Default, Proration::ProrateNow).await;
    let other = world.invoice(payer, 100).await;
    world.settle(payer, other, 580).await;
    world.run_with_made_up_rows_at(NOTICE).await;
    assert_eq!(
        world.told("subscription.trial_ending").await,
        [
            "The trial of Acme ends on 15 June 2027, and basic goes on from then. The first period comes to KES 34.80, of which account credit leaves KES 30.00 to be paid."
        ]
    );
    world.run_with_made_up_rows_at(TRIAL_END).await;
    assert_eq!((world.billed(1, "total_minor").await, world.billed(1, "amount_paid_minor").await), (3_480, 3_000));
}

async fn a_trial_without_a_method_says_so_in_the_readers_language(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.payer().await;
    world.sql("update users set locale = 'sw-KE'").await;
    let id = world.subscribe(payer, "tried").await.subscription;
    world.run_at(NOTICE).await;
    let mails = world.mailed("Majaribio yako ya tried yanaisha tarehe 15 Juni 2027");
    assert_eq!(mails.len(), 1, "{:?}", world.mails());
    assert!(mails[0].contains("Hakuna njia ya malipo inayoweza kutozwa."), "{}", mails[0]);
    world.run_at(TRIAL_END).await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::PastDue);
}

async fn nobody_is_told_of_a_trial_that_is_cancelled_until_that_is_taken_back(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let (gone, back) = (world.customer().await, world.customer().await);
    let (left, kept) = (world.subscribe(gone, "tried").await.subscription, world.subscribe(back, "tried").await.subscription);
    for (payer, id) in [(gone, left), (back, kept)] {
        world.try_cancel(payer, id, CancelTiming::PeriodEnd, UnusedTime::None).await.unwrap();
    }
    world.run_at(NOTICE).await;
    assert_eq!(world.told("subscription.trial_ending").await, [""; 0]);
    world.clock.set("2027-06-12T12:00:00Z".parse().unwrap());
    world.subscriptions().reactivate(back.caller, Some(kept)).await.unwrap();
    // It is looked at daily.
    world.run_at("2027-06-12T20:59:59Z").await;
    assert_eq!(world.told("subscription.trial_ending").await, [""; 0]);
    world.run_at("2027-06-12T21:00:00Z").await;
    assert_eq!(world.told("subscription.trial_ending").await.len(), 1);
    world.run_at(TRIAL_END).await;
    assert_eq!(world.told("subscription.trial_ending").await.len(), 1);
    assert_eq!(world.subscription(gone, left).await.status, SubscriptionStatus::Canceled);
    assert_eq!(world.count("jobs", "kind = 'trial_ending' and status <> 'DONE'").await, 0);
}

async fn a_trial_is_told_of_at_once_where_it_is_no_longer_than_the_notice_and_never_where_nobody_wants_it(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let noticing = |days: i64| {
        let parts = world.parts(Arc::new(world.gateway.clone()));
        SubscriptionService::new(Ports::new(Parts { trial_notice: SignedDuration::from_hours(24 * days), ..parts }))
    };
    for (days, jobs, told) in [(0, 0, 0), (30, 1, 1)] {
        let payer = world.customer().await;
        noticing(days).subscribe(payer.caller, world.order("tried").await).await.unwrap();
        world.run_due_jobs().await;
        assert_eq!(world.count("jobs", "kind = 'trial_ending'").await, jobs, "{days}");
        assert_eq!(world.told("subscription.trial_ending").await.len(), told, "{days}");
    }
}

async fn a_trial_that_was_over_when_its_word_was_due_is_not_told_of(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "tried").await.subscription;
    // No worker ran for two weeks: what was to be told is not so any more.
    world.run_at("2027-06-16T06:00:00Z").await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Active);
    assert_eq!((world.told("subscription.trial_ending").await.len(), world.mailed("Your trial").len()), (0, 0));
}

/// Somebody whose renewal in July is declined.
async fn declined(db: TestDatabase) -> (World, Payer, evolve_business::ids::SubscriptionId) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    world.run_at(JULY).await;
    (world, payer, id)
}

async fn a_failed_renewal_says_when_it_is_tried_again_and_what_becomes_of_it(db: TestDatabase) {
    let (world, _payer, _id) = declined(db).await;
    let subject = "A payment for invoice INV-2027-000002 failed";
    let newest = |count: usize| {
        let mails = world.mailed(subject);
        assert_eq!(mails.len(), count);
        mails.into_iter().last().unwrap()
    };
    // It failed with the first of July in Nairobi; it is tried again 1, 3, 5 and 7 days after.
    let first = newest(1);
    for part in [
        "We shall try again on 2 July 2027, 4 July 2027, 6 July 2027, 8 July 2027.",
        "If it is not paid by 8 July 2027, access is switched off until it is.",
        "check your payment method or pay the invoice now",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    world.done_again().await;
    assert_eq!(world.mailed(subject).len(), 1);
    world.sql("update users set locale = 'sw'").await;
    world.run_at("2027-07-01T21:00:00Z").await;
    let mails = world.mailed("Malipo ya ankara INV-2027-000002 hayakufanikiwa");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("Tutajaribu tena tarehe 4 Julai 2027, 6 Julai 2027, 8 Julai 2027."), "{}", mails[0]);
    // The last attempt promises no other.
    world.sql("update users set locale = 'en'").await;
    for now in ["2027-07-03T21:00:00Z", "2027-07-05T21:00:00Z", "2027-07-07T21:00:00Z"] {
        world.run_at(now).await;
    }
    assert!(!newest(4).contains("try again"), "{}", newest(4));
}

async fn a_hard_decline_promises_no_attempt_and_a_first_invoice_says_how_long_it_waits(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let (_, _, ports) = crate::billing_dunning::lost_card(&world).await;
    world.clock.set(JULY.parse().unwrap());
    World::worker(&ports).run_due_jobs().await.unwrap();
    let mails = world.mailed("A payment for invoice INV-2027-000002 failed");
    assert_eq!(mails.len(), 1);
    assert!(!mails[0].contains("try again") && mails[0].contains("If it is not paid by 8 July 2027, access"), "{}", mails[0]);

    let other = world.payer().await;
    world.method(other, SandboxBehavior::Declines).await;
    world.subscribe(other, "basic").await;
    world.run_due_jobs().await;
    let mails = world.mailed("A payment for invoice INV-2027-000003 failed");
    assert_eq!(mails.len(), 1);
    let waits = "The subscription begins when it is paid. If that has not happened by 2 July 2027, both are called off.";
    assert!(mails[0].contains(waits) && !mails[0].contains("try again"), "{}", mails[0]);
}

async fn what_is_overdue_without_an_attempt_is_told_of_and_what_failed_is_not_told_of_twice(db: TestDatabase) {
    let (world, _, _) = declined(db).await;
    assert_eq!(world.told("subscription.past_due").await, [""; 0], "the failed payment was told of");
    let other = world.customer().await;
    world.subscribe(other, "basic").await;
    world.sql("update payment_methods set removed_at = created_at, is_default = {no}").await;
    world.run_at("2027-07-31T21:00:00Z").await;
    // The first of August in Nairobi, and a week after it. 34.80 of a second invoice.
    let told = world.told("subscription.past_due").await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].ends_with("of Acme are overdue: there is no payment method that they can be charged to."), "{told:?}");
    assert!(told[0].starts_with("KES 34.80 of invoice INV-2027-"), "{told:?}");
    let mails = world.mailed("Invoice INV-2027-");
    let overdue: Vec<&String> = mails.iter().filter(|mail| mail.contains("is overdue")).collect();
    assert_eq!(overdue.len(), 1);
    assert!(overdue[0].contains("If it is not paid by 8 August 2027, access is switched off until it is."), "{}", overdue[0]);
    world.done_again().await;
    assert_eq!(world.told("subscription.past_due").await.len(), 1);
}

async fn a_suspension_is_told_of_once_with_what_restores_access(db: TestDatabase) {
    let (world, payer, id) = declined(db).await;
    for now in ["2027-07-01T21:00:00Z", "2027-07-03T21:00:00Z", "2027-07-05T21:00:00Z", "2027-07-07T21:00:00Z"] {
        assert_eq!(world.told("subscription.suspended").await, [""; 0], "{now}");
        world.run_at(now).await;
    }
    assert_eq!(world.told("subscription.suspended").await, ["Acme has no access to basic for the time being: what is due was not paid."]);
    let mails = world.mailed("Access to basic is off");
    assert_eq!(mails.len(), 1);
    // Thirty days after the last attempt: with the seventh of August in Nairobi.
    for part in [
        "Access is back at once when this is paid: INV-2027-000002 (KES 34.80).",
        "If that has not happened by 7 August 2027, the subscription ends.",
        &format!("/subscriptions/{id}"),
    ] {
        assert!(mails[0].contains(part), "{part}: {}", mails[0]);
    }
    world.done_again().await;
    assert_eq!((world.told("subscription.suspended").await.len(), world.mailed("Access to basic is off").len()), (1, 1));
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.run_due_jobs().await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Active);
}

async fn nobody_is_told_of_a_suspension_that_is_over(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    let samples = Event::samples().into_iter();
    let suspended = samples.filter_map(|event| match event {
        Event::Subscription(SubscriptionWhat::Suspended, mut facts) => {
            facts.subscription_id = id.to_string();
            Some(Event::Subscription(SubscriptionWhat::Suspended, facts))
        }
        _ => None,
    });
    // Told of late, when it was paid already.
    world.emit(payer.scope, suspended.collect()).await;
    world.run_due_jobs().await;
    assert_eq!((world.told("subscription.suspended").await.len(), world.mailed("Access to").len()), (0, 0));
}
