//! Invoices that staff void or give up on, to the cent: 16 % comes on top of every price of the shop.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::billing::lifecycle::SubscriptionStatus;
use evolve_business::ids::InvoiceId;
use evolve_business::store::types::StaffRole;
use serde_json::json;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_staff_money::{INVOICE, JULY, JUNE, MIDDLE, SUBSCRIPTION, correct, done, invoice, member, refused, shop};

both!(
    a_void_first_invoice_lets_its_subscription_expire_and_gives_back_what_it_used,
    a_void_renewal_lets_its_subscription_go_on_and_its_period_is_charged_by_nobody,
    a_void_change_leaves_the_period_charged_as_before_it,
    an_invoice_that_is_settled_or_being_paid_is_not_voided,
    an_invoice_that_was_given_up_on_keeps_nothing_from_going_on_and_may_still_be_paid,
    a_first_invoice_that_was_given_up_on_begins_nothing,
);

async fn a_void_first_invoice_lets_its_subscription_expire_and_gives_back_what_it_used(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let payer = world.payer().await;
    // 5.00 more than is due on an invoice of 10.00 is account credit.
    let other = world.invoice(payer, 1_000).await;
    world.settle(payer, other, 1_500).await;
    world.method(payer, SandboxBehavior::Declines).await;
    let made = world.subscribe(payer, "basic").await;
    assert_eq!((world.billed(1, "credit_applied_minor").await, world.billed(1, "amount_due_minor").await), (500, 2_980));
    // 1.00 of it is paid after all: 28.80 are due.
    world.settle(payer, made.invoice.unwrap(), 100).await;
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Incomplete);
    let staff = world.staff(&server, StaffRole::Finance).await;
    let id = made.invoice.unwrap().to_string();
    let void = correct(&world, &staff, "voidInvoice", &id, "one").await;
    assert_eq!(void["invoice"], json!({ "id": id, "status": "VOID", "amountDue": { "amount": "0.00" } }));
    assert_eq!(world.subscription(payer, made.subscription).await.status, SubscriptionStatus::Expired);
    // 5.00 that it used and 1.00 that was paid.
    assert_eq!(world.balance(payer).await, 600);
    assert_eq!(world.count("credit_entries", "reason = 'VOIDED_INVOICE' and amount_minor = 600").await, 1);

    let acts = "select actor || ' ' || subject || ' ' || details from audit_events where action = 'invoice.voided'";
    let details = json!({ "number": "INV-2027-000001", "from": "OPEN", "to": "VOID", "reason": "Agreed by phone." });
    assert_eq!(world.read_texts(acts).await, [format!("{} {id} {details}", member(&staff).await)]);
    let expired = world.read_texts("select actor from audit_events where action = 'subscription.expired'").await;
    assert_eq!(expired, [member(&staff).await]);

    // The same request answers as before, and gives nothing back twice.
    let document = format!("mutation($i: VoidInvoiceInput!) {{ voidInvoice(input: $i) {{ {INVOICE} userErrors {{ code }} }} }}");
    let input = json!({ "invoiceId": id, "reason": "Agreed by phone.", "idempotencyKey": "one" });
    let again = staff.ask(&document, json!({ "i": input })).await;
    assert_eq!(
        (&again["data"]["voidInvoice"]["invoice"], &again["extensions"]["idempotentReplay"]),
        (&void["invoice"], &json!([["voidInvoice"]]))
    );
    assert_eq!(world.balance(payer).await, 600);
    let reused = json!({ "invoiceId": id, "reason": "Another", "idempotencyKey": "one" });
    assert_eq!(refused(&staff.payload("voidInvoice", reused, INVOICE).await).0, "IDEMPOTENCY_KEY_REUSED");
    // What waited for it finds nothing to do.
    world.run_with_made_up_rows_at("2027-06-02T06:00:01Z").await;
    assert_eq!(world.count("jobs", "status <> 'DONE'").await, 0);
}

async fn a_void_renewal_lets_its_subscription_go_on_and_its_period_is_charged_by_nobody(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.run_at(JULY).await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::PastDue);
    let staff = world.staff(&server, StaffRole::Finance).await;
    let renewal = invoice(&staff, 2).await;
    assert_eq!(correct(&world, &staff, "voidInvoice", &renewal, "one").await["invoice"]["status"], "VOID");
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.dunning_invoice_id, world.balance(payer).await), (SubscriptionStatus::Active, None, 0));
    // The ladder is down, though its next rung was written.
    world.run_at("2027-07-16T06:00:00Z").await;
    assert_eq!(
        (world.subscription(payer, id).await.status, world.count("payments", "status = 'FAILED'").await),
        (SubscriptionStatus::Active, 1)
    );
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    // Nothing was charged for July, so nothing of it is taken back: 16/31 of 60.00 is 30.97, tax 4.96.
    assert_eq!(world.billed(3, "total_minor").await, 3_593);
    assert_eq!(world.count("invoice_lines", "kind = 'PRORATION_CREDIT'").await, 0);
}

async fn a_void_change_leaves_the_period_charged_as_before_it(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.clock.set(MIDDLE.parse().unwrap());
    // −15.00 + 30.00 = 15.00, tax 2.40: nobody pays it.
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.billed(2, "amount_due_minor").await, 1_740);
    let staff = world.staff(&server, StaffRole::Finance).await;
    correct(&world, &staff, "voidInvoice", &invoice(&staff, 2).await, "one").await;
    assert_eq!(world.subscription(payer, id).await.charged_price_minor, Some(3_000));
    let input = json!({ "subscriptionId": id.to_string(), "timing": "NOW", "unusedTime": "CREDIT", "idempotencyKey": "two" });
    let canceled = world.working(done(&staff, "cancelForBusiness", input, SUBSCRIPTION)).await;
    // 15/30 of the 30.00 that were charged, not of 60.00: 15.00, tax 2.40.
    assert_eq!(canceled["creditNotes"][0]["amount"]["amount"], "17.40");
    assert_eq!((world.balance(payer).await, world.count("pending_lines", "invoice_id is null").await), (1_740, 0));
}

async fn an_invoice_that_is_settled_or_being_paid_is_not_voided(db: TestDatabase) {
    let (world, server, payer, _) = shop(db, "basic").await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let paid = invoice(&staff, 1).await;
    for field in ["voidInvoice", "markInvoiceUncollectible"] {
        assert_eq!(refused(&correct(&world, &staff, field, &paid, field).await).0, "INVALID_TRANSITION");
    }
    let open = world.invoice(payer, 1_000).await;
    let attempt = world.begin(payer, open).await;
    let input = json!({ "invoiceId": open.to_string(), "reason": "Why", "idempotencyKey": "one" });
    assert_eq!(refused(&staff.payload("voidInvoice", input.clone(), INVOICE).await).0, "PAYMENT_IN_PROGRESS");
    assert_eq!(world.invoice_is(payer, open).await, ("OPEN", 0, 1_000));
    world.run_due_jobs().await;
    assert_eq!(world.status(payer, attempt).await, "SUCCEEDED");
    assert_eq!(refused(&staff.payload("voidInvoice", input.clone(), INVOICE).await).0, "INVALID_TRANSITION");
    // A refusal keeps nothing under its key.
    let other = world.invoice(payer, 2_000).await;
    let input = json!({ "invoiceId": other.to_string(), "reason": "Why", "idempotencyKey": "one" });
    staff.mutate("voidInvoice", input.clone(), INVOICE).await;
    let again = json!({ "invoiceId": other.to_string(), "reason": "Why", "idempotencyKey": "two" });
    assert_eq!(refused(&staff.payload("voidInvoice", again.clone(), INVOICE).await).0, "INVALID_TRANSITION");
    assert_eq!(
        refused(&staff.payload("markInvoiceUncollectible", again, INVOICE).await),
        ("INVALID_TRANSITION".into(), "invoiceId".into())
    );
}

async fn an_invoice_that_was_given_up_on_keeps_nothing_from_going_on_and_may_still_be_paid(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.run_at(JULY).await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::PastDue);
    let staff = world.staff(&server, StaffRole::Finance).await;
    let renewal = invoice(&staff, 2).await;
    let given_up = correct(&world, &staff, "markInvoiceUncollectible", &renewal, "one").await;
    assert_eq!(given_up["invoice"], json!({ "id": renewal, "status": "UNCOLLECTIBLE", "amountDue": { "amount": "34.80" } }));
    let row = world.subscription(payer, id).await;
    assert_eq!((row.status, row.dunning_invoice_id), (SubscriptionStatus::Active, None));
    let acts = "select actor || ' ' || subject || ' ' || details from audit_events where action = 'invoice.marked_uncollectible'";
    let details = json!({ "number": "INV-2027-000002", "from": "OPEN", "to": "UNCOLLECTIBLE", "reason": "Agreed by phone." });
    assert_eq!(world.read_texts(acts).await, [format!("{} {renewal} {details}", member(&staff).await)]);
    let input = json!({ "i": { "invoiceId": renewal, "reason": "Agreed by phone.", "idempotencyKey": "one" } });
    let document = "mutation($i: MarkInvoiceUncollectibleInput!) { markInvoiceUncollectible(input: $i) { invoice { status } } }";
    let again = staff.ask(document, input).await;
    assert_eq!(again["extensions"]["idempotentReplay"], json!([["markInvoiceUncollectible"]]));

    world.method(payer, SandboxBehavior::Succeeds).await;
    let paid = InvoiceId::parse(&renewal).unwrap();
    world.pay(payer, paid).await.unwrap();
    assert_eq!(world.invoice_is(payer, paid).await, ("PAID", 3_480, 0));
}

async fn a_first_invoice_that_was_given_up_on_begins_nothing(db: TestDatabase) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let mut made = Vec::new();
    for number in [1, 2] {
        let payer = world.payer().await;
        world.method(payer, SandboxBehavior::Declines).await;
        let id = world.subscribe(payer, "basic").await.subscription;
        let first = invoice(&staff, number).await;
        assert_eq!(correct(&world, &staff, "markInvoiceUncollectible", &first, &first).await["invoice"]["status"], "UNCOLLECTIBLE");
        assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Incomplete);
        made.push((payer, id, InvoiceId::parse(&first).unwrap()));
    }
    // Paid after all, it begins; the other expires, and its invoice is void.
    let (payer, id, first) = made[0];
    world.settle(payer, first, 3_480).await;
    assert_eq!(
        (world.invoice_is(payer, first).await, world.subscription(payer, id).await.status),
        (("PAID", 3_480, 0), SubscriptionStatus::Active)
    );
    world.run_with_made_up_rows_at("2027-06-02T06:00:00Z").await;
    assert_eq!(world.subscription(payer, id).await.status, SubscriptionStatus::Active);
    let (payer, id, first) = made[1];
    assert_eq!(
        (world.invoice_is(payer, first).await, world.subscription(payer, id).await.status),
        (("VOID", 0, 0), SubscriptionStatus::Expired)
    );
}
