//! What a customer pushes: the days there are for it, prompts by day alone, the ladder after that, and transfers.

use evolve_business::adapters::payment::MethodSource;
use evolve_business::error::UserErrorCode as Code;
use evolve_business::ids::SubscriptionId;
use evolve_business::store::types::StaffRole;
use serde_json::json;

use crate::client::Server;
use crate::database::TestDatabase;
use crate::mpesa_payments::PHONE;
use crate::mpesa_simulator::{Daraja, Holder};
use crate::world::World;
use crate::world_payments::{Payer, refused};

both!(
    a_renewal_is_prompted_for_by_day_and_is_overdue_after_seven_days_alone,
    a_prompt_that_waits_for_the_morning_is_not_sent_for_what_is_paid_by_then,
    whoever_asks_at_night_is_prompted_at_once,
    a_transfer_is_never_charged_and_has_seven_days,
    a_first_invoice_that_is_paid_by_transfer_waits_until_it_is_due,
);

/// 23:00 on the first of June in Nairobi: renewals fall into the night.
const NIGHT: &str = "2027-06-01T20:00:00Z";

/// A world in which somebody has subscribed at night, by that way to pay.
async fn subscribed(db: TestDatabase) -> (World, Server, Daraja, Payer, SubscriptionId) {
    let daraja = Daraja::start().await;
    let world = World::shop_at(db, NIGHT).await.with_mpesa(&daraja);
    let server = Server::start(&world).await;
    let payer = world.phone_payer(PHONE).await;
    let bought = world.subscribe(payer, "basic").await;
    world.hand_over(&server, &daraja).await;
    (world, server, daraja, payer, bought.subscription)
}

impl World {
    /// A subscription's state.
    async fn state(&self, payer: Payer, id: SubscriptionId) -> &'static str {
        self.subscription(payer, id).await.status.as_str()
    }
}

async fn whoever_asks_at_night_is_prompted_at_once(db: TestDatabase) {
    let (world, _server, daraja, payer, id) = subscribed(db).await;
    assert_eq!((world.state(payer, id).await, daraja.prompts().len()), ("ACTIVE", 1));
}

async fn a_renewal_is_prompted_for_by_day_and_is_overdue_after_seven_days_alone(db: TestDatabase) {
    let (world, server, daraja, payer, id) = subscribed(db).await;
    daraja.holder(PHONE, Holder::Ends("1032"));
    // Local dates: the boundary is the midnight of the first of July, 21:00 UTC the day before. Prompts begin at 08:00, 05:00 UTC.
    world.run_at("2027-06-30T21:00:00Z").await;
    assert_eq!(world.count("invoices", "status = 'OPEN' and due_at > issued_at").await, 1);
    assert_eq!((world.state(payer, id).await, daraja.prompts().len()), ("ACTIVE", 1));
    world.run_at("2027-07-01T04:59:59Z").await;
    assert_eq!(daraja.prompts().len(), 1, "nobody is woken");
    world.run_at("2027-07-01T05:00:00Z").await;
    assert_eq!(daraja.prompts().len(), 2);
    world.hand_over(&server, &daraja).await;
    assert_eq!(world.count("payments", "status = 'FAILED' and failure_code = 'canceled_by_payer'").await, 1);
    assert_eq!(world.state(payer, id).await, "ACTIVE", "there are seven days");
    world.run_at("2027-07-07T20:59:59Z").await;
    assert_eq!((world.state(payer, id).await, daraja.prompts().len()), ("ACTIVE", 2));
    world.run_at("2027-07-07T21:00:00Z").await;
    assert_eq!((world.state(payer, id).await, daraja.prompts().len()), ("PAST_DUE", 2));
    // The retry of the next day falls into the night, and waits for the morning.
    world.run_at("2027-07-08T21:00:00Z").await;
    assert_eq!(daraja.prompts().len(), 2);
    daraja.holder(PHONE, Holder::Pays);
    world.run_at("2027-07-09T05:00:00Z").await;
    assert_eq!(daraja.prompts().len(), 3);
    world.hand_over(&server, &daraja).await;
    assert_eq!(world.state(payer, id).await, "ACTIVE");
    assert_eq!(world.count("invoices", "status = 'OPEN'").await, 0);
    // Nothing is left of the ladder.
    world.run_at("2027-07-20T05:00:00Z").await;
    assert_eq!((world.state(payer, id).await, daraja.prompts().len()), ("ACTIVE", 3));
}

async fn a_prompt_that_waits_for_the_morning_is_not_sent_for_what_is_paid_by_then(db: TestDatabase) {
    let (world, server, daraja, payer, id) = subscribed(db).await;
    world.run_at("2027-06-30T21:00:00Z").await;
    let view = evolve_business::store::Snapshot::new(world.ports.store.clone(), Some(payer.scope));
    let open = evolve_business::store::invoices::open(&view.tenant().await.unwrap(), Some(id)).await.unwrap();
    let [invoice] = &open[..] else { panic!("one open invoice") };
    assert_eq!(invoice.next_attempt_at.map(|at| at.get().to_string()).as_deref(), Some("2027-07-01T05:00:00Z"));
    drop(view);
    world.pay(payer, invoice.id).await.unwrap();
    world.hand_over(&server, &daraja).await;
    assert_eq!(daraja.prompts().len(), 2);
    world.run_at("2027-07-01T05:00:00Z").await;
    assert_eq!((world.state(payer, id).await, daraja.prompts().len()), ("ACTIVE", 2));
}

async fn a_transfer_is_never_charged_and_has_seven_days(db: TestDatabase) {
    let (world, _server, daraja, payer, id) = subscribed(db).await;
    let method = world.try_source(payer, MethodSource::BankTransfer).await.unwrap();
    assert_eq!(world.count("payment_methods", "gateway = 'transfer' and kind = 'BANK_TRANSFER' and label = 'Bank transfer'").await, 1);
    world.run_at("2027-06-30T21:00:00Z").await;
    let view = evolve_business::store::Snapshot::new(world.ports.store.clone(), Some(payer.scope));
    let open = evolve_business::store::invoices::open(&view.tenant().await.unwrap(), Some(id)).await.unwrap();
    let [invoice] = &open[..] else { panic!("one open invoice") };
    drop(view);
    assert_eq!(invoice.due_at.map(|at| at.get().to_string()).as_deref(), Some("2027-07-07T21:00:00Z"));
    let mut request = world.request(invoice.id);
    request.method = Some(Some(method));
    let asked = world.payments().pay_invoice(payer.caller, request).await;
    assert_eq!(refused(asked), [(Code::PaymentMethodRequired, "paymentMethodId".to_owned())]);
    world.run_at("2027-07-07T21:00:00Z").await;
    assert_eq!(world.state(payer, id).await, "PAST_DUE");
    // The ladder goes on by its dates: after seven days more it is suspended.
    world.run_at("2027-07-14T21:00:00Z").await;
    assert_eq!(world.state(payer, id).await, "SUSPENDED");
    assert_eq!((world.count("payments", "1 = 1").await, daraja.prompts().len()), (1, 1));
}

async fn a_first_invoice_that_is_paid_by_transfer_waits_until_it_is_due(db: TestDatabase) {
    let (world, server, _daraja, _, _) = subscribed(db).await;
    let mut bought = Vec::new();
    for _ in 0..2 {
        let payer = world.payer().await;
        world.try_source(payer, MethodSource::BankTransfer).await.unwrap();
        let billed = world.subscribe(payer, "basic").await;
        assert!(billed.payment.is_none());
        bought.push((payer, billed.subscription, billed.invoice.unwrap()));
    }
    let [(paying, paid, invoice), (silent, unpaid, _)] = bought[..] else { panic!("two of them") };
    // A day is over, which is all that a card has.
    world.run_at("2027-06-03T20:00:00Z").await;
    assert_eq!((world.state(paying, paid).await, world.state(silent, unpaid).await), ("INCOMPLETE", "INCOMPLETE"));
    // 30.00 and 4.80 come on the fourth day.
    world.clock.set("2027-06-05T06:00:00Z".parse().unwrap());
    let came = json!({
        "invoiceId": invoice.to_string(), "amount": { "amount": "34.80", "currency": "KES" }, "receipt": "one", "receivedOn": "2027-06-05",
        "idempotencyKey": "one",
    });
    let staff = world.staff(&server, StaffRole::Finance).await;
    let recorded = staff.payload("recordPayment", came, "invoice { status }").await;
    assert_eq!(recorded["invoice"]["status"], "PAID", "{recorded:#}");
    world.run_at("2027-06-08T19:59:59Z").await;
    assert_eq!((world.state(paying, paid).await, world.state(silent, unpaid).await), ("ACTIVE", "INCOMPLETE"));
    world.run_at("2027-06-08T20:00:00Z").await;
    assert_eq!((world.state(paying, paid).await, world.state(silent, unpaid).await), ("ACTIVE", "EXPIRED"));
    assert_eq!((world.count("invoices", "status = 'VOID'").await, world.count("invoices", "status = 'PAID'").await), (1, 2));
}
