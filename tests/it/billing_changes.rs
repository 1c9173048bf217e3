//! Changes of plan and cancellations, to the cent: 16 % comes on top of every price.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::cancel::{CancelTiming, UnusedTime};
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::billing::period::Interval;
use evolve_business::error::UserErrorCode;
use evolve_business::services::subscriptions::PreviewChange;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_subscriptions::{as_usual, code};

both!(
    upgrading_mid_period_credits_the_unused_days_and_charges_the_rest,
    a_downgrade_waits_for_the_end_of_the_period_and_can_be_taken_back,
    a_credit_with_its_tax_becomes_account_credit_and_pays_the_next_invoice,
    what_is_to_be_paid_later_stands_on_the_next_invoice,
    a_reset_charges_the_new_price_in_full_and_starts_the_cycle_again,
    a_switch_to_yearly_is_at_once_and_credits_the_month,
    a_change_without_proration_bills_nothing_until_the_renewal,
    a_change_in_a_trial_bills_nothing_and_leaves_its_end,
    a_preview_of_a_change_comes_true_or_is_stale,
    changes_that_are_not_offered_are_refused_and_leave_no_trace,
    cancelling_at_the_end_can_be_taken_back_until_then,
    cancelling_now_credits_the_unused_time_which_pays_the_next_subscription,
    a_credit_first_lowers_what_is_due_on_open_invoices,
    a_replayed_change_bills_nothing_new,
    undoing_a_change_on_the_same_day_gives_back_all_of_it,
    a_change_is_tried_with_the_default_method_where_the_chosen_one_is_gone,
    documents_are_numbered_with_the_sellers_prefixes_each_a_series_of_its_own,
);

/// The first of June at 09:00 in Nairobi: the period has 30 days.
const JUNE: &str = "2027-06-01T06:00:00Z";
/// 15 days are left, the day itself included.
const MIDDLE: &str = "2027-06-16T06:00:00Z";
/// The first of July in Nairobi.
const JULY: &str = "2027-06-30T21:00:00Z";

async fn upgrading_mid_period_credits_the_unused_days_and_charges_the_rest(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let change = PreviewChange { timing: ChangeTiming::Default, ..as_usual(id, world.plan("books", "plus").await) };
    let shown = world.subscriptions().change_plan_preview(payer.caller, change).await.unwrap().preview.unwrap();
    // 15/30: −15.00 + 30.00 = 15.00, tax 2.40.
    let amounts: Vec<i64> = shown.lines.iter().map(|line| line.amount.minor()).collect();
    assert_eq!((amounts, shown.tax.minor(), shown.total.minor()), (vec![-1_500, 3_000], 240, 1_740));
    let made = world.try_change(payer, change).await.unwrap();
    assert_eq!((world.billed(2, "subtotal_minor").await, world.billed(2, "tax_minor").await), (1_500, 240));
    assert_eq!((world.billed(2, "total_minor").await, world.billed(2, "amount_paid_minor").await), (1_740, 1_740));
    assert_eq!(world.count("invoice_lines", "kind = 'PRORATION_CREDIT' and amount_minor = -1500 and quantity = '0.5'").await, 1);
    assert_eq!(world.count("invoice_lines", "kind = 'PRORATION_CHARGE' and amount_minor = 3000").await, 1);
    assert!(made.payment.is_some() && made.credit_notes.is_empty());
    // 10/30: −20.00 + 30.00 = 10.00, tax 1.60.
    world.clock.set("2027-06-21T06:00:00Z".parse().unwrap());
    world.change(payer, id, "max", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.billed(3, "total_minor").await, 1_160);
    // The renewal is at the new price: 90.00 + 14.40.
    world.run_at(JULY).await;
    assert_eq!((world.billed(4, "total_minor").await, world.count("invoices", "status = 'PAID'").await), (10_440, 4));
}

async fn a_downgrade_waits_for_the_end_of_the_period_and_can_be_taken_back(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "plus").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let basic = world.plan("books", "basic").await;
    let preview = world.subscriptions().change_plan_preview(payer.caller, as_usual(id, basic)).await.unwrap();
    assert_eq!(preview.effective_at.to_string(), JULY);
    assert_eq!(preview.preview.unwrap().total.minor(), 3_480);
    let made = world.try_change(payer, as_usual(id, basic)).await.unwrap();
    assert_eq!((made.invoice, made.credit_notes.len()), (None, 0));
    let row = world.subscription(payer, id).await;
    assert_eq!((row.pending_plan_id, row.price_minor), (Some(basic), 6_000));
    world.subscriptions().cancel_plan_change(payer.caller, Some(id)).await.unwrap();
    assert_eq!(world.subscription(payer, id).await.pending_plan_id, None);
    assert_eq!(code(world.subscriptions().cancel_plan_change(payer.caller, Some(id)).await), UserErrorCode::InvalidTransition);
    world.try_change(payer, as_usual(id, basic)).await.unwrap();
    assert_eq!(world.upcoming(payer, id).await.unwrap().total.minor(), 3_480);
    world.run_at(JULY).await;
    let row = world.subscription(payer, id).await;
    assert_eq!((row.plan_id, row.pending_plan_id, world.billed(2, "total_minor").await), (basic, None, 3_480));
}

async fn a_credit_with_its_tax_becomes_account_credit_and_pays_the_next_invoice(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "plus").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let made = world.change(payer, id, "basic", ChangeTiming::Now, Proration::ProrateNow).await;
    // −30.00 + 15.00 = −15.00, tax −2.40: 17.40, on the invoice of 69.60.
    assert_eq!((made.invoice, made.credit_notes.len(), world.balance(payer).await), (None, 1, 1_740));
    let note = "number = 'CN-2027-000001' and amount_minor = 1740 and tax_minor = 240 and to_credit_minor = 1740";
    assert_eq!(world.count("credit_notes", note).await, 1);
    // 30.00 + 4.80 = 34.80, of which 17.40 is credit.
    world.run_at(JULY).await;
    assert_eq!((world.billed(2, "total_minor").await, world.billed(2, "credit_applied_minor").await), (3_480, 1_740));
    assert_eq!((world.billed(2, "amount_paid_minor").await, world.balance(payer).await), (1_740, 0));
    assert_eq!(world.number("select cast(sum(amount_minor) as bigint) from credit_entries").await, 0);
}

async fn what_is_to_be_paid_later_stands_on_the_next_invoice(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let made = world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNextInvoice).await;
    assert_eq!((made.invoice, world.count("pending_lines", "invoice_id is null").await), (None, 2));
    // −15.00 + 30.00 + 60.00 = 75.00, tax 12.00.
    assert_eq!(world.upcoming(payer, id).await.unwrap().total.minor(), 8_700);
    world.run_at(JULY).await;
    assert_eq!((world.billed(2, "total_minor").await, world.count("pending_lines", "invoice_id is null").await), (8_700, 0));
}

async fn a_reset_charges_the_new_price_in_full_and_starts_the_cycle_again(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ResetCycle).await;
    // −15.00 + 60.00 = 45.00, tax 7.20.
    assert_eq!(world.billed(2, "total_minor").await, 5_220);
    let row = world.subscription(payer, id).await;
    assert_eq!((row.period_number, row.period_end.get().to_string()), (2, "2027-07-15T21:00:00Z".to_owned()));
    // The old boundary bills nothing.
    world.run_at("2027-07-15T20:59:59Z").await;
    assert_eq!(world.count("invoices", "true").await, 2);
    world.run_at("2027-07-15T21:00:00Z").await;
    assert_eq!((world.count("invoices", "true").await, world.billed(3, "total_minor").await), (3, 6_960));
}

async fn a_switch_to_yearly_is_at_once_and_credits_the_month(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let change = PreviewChange { interval: Some(Interval::Yearly), ..as_usual(id, world.plan("books", "basic").await) };
    world.try_change(payer, change).await.unwrap();
    // −15.00 + 300.00 = 285.00, tax 45.60.
    assert_eq!(world.billed(2, "total_minor").await, 33_060);
    assert_eq!(world.subscription(payer, id).await.period_end.get().to_string(), "2028-06-15T21:00:00Z");
    let none = PreviewChange { interval: Some(Interval::Monthly), timing: ChangeTiming::Now, proration: Proration::None, ..change };
    assert_eq!(code(world.try_change(payer, none).await), UserErrorCode::Invalid);
}

async fn a_change_without_proration_bills_nothing_until_the_renewal(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::None).await;
    assert_eq!(world.count("invoices", "true").await, 1);
    // What was charged is still the 30.00: 10/30 of it is −10.00; 10/30 of 90.00 is 30.00; tax of 20.00 is 3.20.
    world.clock.set("2027-06-21T06:00:00Z".parse().unwrap());
    world.change(payer, id, "max", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.billed(2, "total_minor").await, 2_320);
}

async fn a_change_in_a_trial_bills_nothing_and_leaves_its_end(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "tried").await.subscription;
    world.clock.set("2027-06-05T06:00:00Z".parse().unwrap());
    world.change(payer, id, "basic", ChangeTiming::Default, Proration::ResetCycle).await;
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.period_end.get().to_string()), (SubscriptionStatus::Trialing, "2027-06-14T21:00:00Z".to_owned()));
    world.run_at("2027-06-14T21:00:00Z").await;
    assert_eq!((world.count("invoices", "true").await, world.billed(1, "total_minor").await), (1, 3_480));
}

async fn a_preview_of_a_change_comes_true_or_is_stale(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let made = world.subscribe(payer, "basic").await;
    world.clock.set("2027-06-16T20:55:00Z".parse().unwrap());
    let change = as_usual(made.subscription, world.plan("books", "plus").await);
    let service = world.subscriptions();
    let shown = service.change_plan_preview(payer.caller, change).await.unwrap();
    let mut request = world.changing(change);
    request.preview_token = Some(shown.preview_token);
    // A payment that comes late is account credit of 1.00, so something else would be due.
    world.settle(payer, made.invoice.unwrap(), 100).await;
    assert_eq!(code(world.working(service.change_plan(payer.caller, request.clone())).await), UserErrorCode::StalePreview);
    let shown = service.change_plan_preview(payer.caller, change).await.unwrap();
    let preview = shown.preview.unwrap();
    assert_eq!((preview.total.minor(), preview.credit_applied.minor(), preview.amount_due.minor()), (1_740, 100, 1_640));
    request.preview_token = Some(shown.preview_token);
    // Local midnight passes: by itself the change would count 14 days.
    world.clock.set("2027-06-16T21:05:00Z".parse().unwrap());
    world.working(service.change_plan(payer.caller, request)).await.unwrap();
    assert_eq!((world.billed(2, "total_minor").await, world.billed(2, "amount_paid_minor").await), (1_740, 1_640));
}

async fn changes_that_are_not_offered_are_refused_and_leave_no_trace(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let mut order = world.order("basic").await;
    order.offer.plan = Some(world.plan("strict", "plus").await);
    let id = world.try_subscribe(payer, order).await.unwrap().subscription;
    let (basic, plus) = (world.plan("strict", "basic").await, world.plan("strict", "plus").await);
    let before = world.subscription(payer, id).await;
    let refused = async |change: PreviewChange| code(world.try_change(payer, change).await);
    assert_eq!(refused(as_usual(id, plus)).await, UserErrorCode::NoChange);
    assert_eq!(refused(as_usual(id, world.plan("books", "max").await)).await, UserErrorCode::PlanNotAvailable);
    assert_eq!(refused(PreviewChange { timing: ChangeTiming::Now, ..as_usual(id, basic) }).await, UserErrorCode::NotAllowed);
    assert_eq!(refused(PreviewChange { plan: None, ..as_usual(id, basic) }).await, UserErrorCode::NotFound);
    let mut late = world.changing(as_usual(id, basic));
    late.if_version = Some(before.version + 1);
    assert_eq!(code(world.subscriptions().change_plan(payer.caller, late).await), UserErrorCode::Conflict);
    let stranger = world.customer().await;
    assert_eq!(code(world.try_change(stranger, as_usual(id, basic)).await), UserErrorCode::NotFound);
    assert_eq!(code(world.subscriptions().change_plan_preview(stranger.caller, as_usual(id, basic)).await), UserErrorCode::NotFound);
    assert_eq!(world.subscription(payer, id).await, before);
    assert_eq!((world.count("invoices", "true").await, world.count("idempotency_keys", "true").await), (1, 1));
}

async fn cancelling_at_the_end_can_be_taken_back_until_then(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    let service = world.subscriptions();
    assert_eq!(code(service.reactivate(payer.caller, Some(id)).await), UserErrorCode::InvalidTransition);
    world.try_cancel(payer, id, CancelTiming::PeriodEnd, UnusedTime::None).await.unwrap();
    let row = world.subscription(payer, id).await;
    assert_eq!((row.cancel_at.unwrap().get().to_string(), row.auto_renewal), (JULY.to_owned(), false));
    assert!(world.upcoming(payer, id).await.is_none());
    service.reactivate(payer.caller, Some(id)).await.unwrap();
    assert_eq!(world.subscription(payer, id).await.cancel_at, None);
    service.set_auto_renewal(payer.caller, Some(id), false).await.unwrap();
    // The worker has not run, and it is over all the same.
    world.clock.set(JULY.parse().unwrap());
    assert_eq!(code(service.reactivate(payer.caller, Some(id)).await), UserErrorCode::InvalidTransition);
    world.run_due_jobs().await;
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.canceled_at.unwrap().get().to_string()), (SubscriptionStatus::Canceled, JULY.to_owned()));
    assert_eq!(world.count("invoices", "true").await, 1);
}

async fn cancelling_now_credits_the_unused_time_which_pays_the_next_subscription(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let made = world.try_cancel(payer, id, CancelTiming::Now, UnusedTime::Credit).await.unwrap();
    // 15/30 of 30.00 is 15.00, and its tax 2.40.
    assert_eq!((made.credit_notes.len(), made.invoice, world.balance(payer).await), (1, None, 1_740));
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.period_end.get().to_string()), (SubscriptionStatus::Canceled, MIDDLE.to_owned()));
    world.subscribe(payer, "basic").await;
    assert_eq!((world.billed(2, "credit_applied_minor").await, world.billed(2, "amount_paid_minor").await), (1_740, 1_740));
}

async fn a_credit_first_lowers_what_is_due_on_open_invoices(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.method(payer, SandboxBehavior::Declines).await;
    world.clock.set(MIDDLE.parse().unwrap());
    // −15.00 + 45.00 = 30.00, tax 4.80: 34.80 that nobody pays.
    world.change(payer, id, "max", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::PastDue);
    assert_eq!(world.billed(2, "amount_due_minor").await, 3_480);
    let made = world.try_cancel(payer, id, CancelTiming::Now, UnusedTime::Credit).await.unwrap();
    // 15/30 of 90.00 is 45.00, tax 7.20: 52.20, of which the newer invoice takes 34.80 and the older 17.40. The first lowers what
    // is due to nothing; the second is account credit.
    assert_eq!(made.credit_notes.len(), 2);
    assert_eq!(world.count("credit_notes", "amount_minor = 3480 and took_off_due_minor = 3480 and to_credit_minor = 0").await, 1);
    assert_eq!(world.count("credit_notes", "amount_minor = 1740 and took_off_due_minor = 0 and to_credit_minor = 1740").await, 1);
    assert_eq!((world.billed(2, "amount_due_minor").await, world.billed(2, "amount_credited_minor").await), (0, 3_480));
    assert_eq!((world.balance(payer).await, world.count("invoices", "status = 'PAID'").await), (1_740, 2));
}

async fn a_replayed_change_bills_nothing_new(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    let request = world.changing(as_usual(id, world.plan("books", "plus").await));
    let first = world.working(world.subscriptions().change_plan(payer.caller, request.clone())).await.unwrap();
    world.clock.set("2027-06-20T06:00:00Z".parse().unwrap());
    let again = world.working(world.subscriptions().change_plan(payer.caller, request.clone())).await.unwrap();
    assert_eq!((again.invoice, again.payment, again.replayed), (first.invoice, first.payment, true));
    let other = PreviewChange { timing: ChangeTiming::Now, ..request.change };
    let reused = evolve_business::services::subscriptions::ChangePlan { change: other, ..request };
    assert_eq!(code(world.subscriptions().change_plan(payer.caller, reused).await), UserErrorCode::IdempotencyKeyReused);
    assert_eq!((world.count("invoices", "true").await, world.count("payments", "true").await), (2, 2));
    assert_eq!(world.subscription(payer, id).await.version, 3);
}

async fn undoing_a_change_on_the_same_day_gives_back_all_of_it(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "basic").await.subscription;
    world.clock.set("2027-06-10T06:00:00Z".parse().unwrap());
    world.change(payer, id, "max", ChangeTiming::Now, Proration::ProrateNow).await;
    // 21/30: −21.00 + 63.00 = 42.00, tax 6.72.
    assert_eq!(world.billed(2, "total_minor").await, 4_872);
    world.change(payer, id, "basic", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.balance(payer).await, 4_872);
    // Again up: the credit pays for it.
    world.change(payer, id, "max", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!((world.billed(3, "credit_applied_minor").await, world.billed(3, "amount_due_minor").await), (4_872, 0));
    assert_eq!((world.balance(payer).await, world.count("payments", "true").await), (0, 2));
}

async fn a_change_is_tried_with_the_default_method_where_the_chosen_one_is_gone(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let payer = world.customer().await;
    let chosen = world.method(payer, SandboxBehavior::Succeeds).await;
    let mut order = world.order("basic").await;
    order.method = Some(Some(chosen));
    let id = world.try_subscribe(payer, order).await.unwrap().subscription;
    assert_eq!(world.subscription(payer, id).await.payment_method_id, Some(chosen));
    world.payments().remove_payment_method(payer.caller, Some(chosen)).await.unwrap();
    world.run_at(JULY).await;
    assert_eq!(world.count("invoices", "status = 'PAID'").await, 2);
}

async fn documents_are_numbered_with_the_sellers_prefixes_each_a_series_of_its_own(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    world.set_up_shop("invoice_prefix = \"EB-KE\"\ncredit_note_prefix = \"CR9\"\n", "").await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, "plus").await.subscription;
    world.clock.set(MIDDLE.parse().unwrap());
    world.change(payer, id, "basic", ChangeTiming::Now, Proration::ProrateNow).await;
    world.set_up_shop("", "").await;
    world.change(payer, id, "max", ChangeTiming::Now, Proration::ProrateNow).await;
    let numbers = async |table: &str| world.read_texts(&format!("select number from {table} order by number")).await;
    assert_eq!(numbers("invoices").await, ["EB-KE-2027-000001", "INV-2027-000001"]);
    assert_eq!(numbers("credit_notes").await, ["CR9-2027-000001"]);
    world.set_up_shop("invoice_prefix = \"EB-KE\"\n", "").await;
    world.run_at(JULY).await;
    // Back again, the series goes on where it was.
    assert_eq!(numbers("invoices").await, ["EB-KE-2027-000001", "EB-KE-2027-000002", "INV-2027-000001"]);
}
