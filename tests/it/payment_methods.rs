//! Payment methods: which one pays, who may choose, and what a gateway takes.

use std::sync::Arc;

use async_trait::async_trait;
use evolve_business::adapters::payment::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, GatewayKind, LookUpAnswer,
    MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest, SandboxBehavior,
};
use evolve_business::billing::period::Interval;
use evolve_business::error::{Error, Failure, UserErrorCode as Code};
use evolve_business::ids::PaymentMethodId;
use evolve_business::money::Currency;
use evolve_business::services::Parts;
use evolve_business::services::payments::{AddPaymentMethod, PayInvoice, PaymentService};
use evolve_business::services::subscriptions::{PreviewSubscribe, Subscribe, SubscriptionService};
use jiff::SignedDuration;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_payments::{Payer, refused};

const NOW: &str = "2027-01-31T09:00:00Z";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

both!(
    the_first_method_is_the_default_and_removing_it_moves_that_to_the_newest_other,
    a_method_of_another_business_answers_as_one_that_does_not_exist,
    an_expired_or_missing_method_is_asked_for,
    a_source_that_the_gateway_does_not_take_is_refused,
    a_business_has_at_most_twenty_methods,
    a_new_default_is_tried_at_once_on_what_is_overdue,
    who_only_reads_may_not_touch_methods_or_pay,
    amounts_are_collected_in_whole_units_of_the_gateway_within_its_bounds,
);

async fn the_first_method_is_the_default_and_removing_it_moves_that_to_the_newest_other(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (payer, service) = (world.payer().await, world.payments());
    let add = |make_default| AddPaymentMethod { source: MethodSource::Sandbox(SandboxBehavior::Succeeds), make_default };
    let mut added = Vec::new();
    for _ in 0..3 {
        added.push(service.add_payment_method(payer.caller, add(false)).await.unwrap());
        world.advance(MINUTE);
    }
    let is_default = async |id: PaymentMethodId| {
        world.number(&format!("select count(*) from payment_methods where is_default and id = {{id:{}}}", id.uuid())).await == 1
    };
    assert!(is_default(added[0]).await);
    assert_eq!(service.set_default_payment_method(payer.caller, Some(added[1])).await.unwrap(), added[1]);
    assert!(is_default(added[1]).await && !is_default(added[0]).await);
    assert_eq!(service.remove_payment_method(payer.caller, Some(added[1])).await.unwrap(), added[1]);
    assert!(is_default(added[2]).await);
    let gone = [(Code::NotFound, "paymentMethodId".to_owned())];
    assert_eq!(refused(service.remove_payment_method(payer.caller, Some(added[1])).await), gone);
    assert_eq!(refused(service.set_default_payment_method(payer.caller, Some(added[1])).await), gone);
    let invoice = world.invoice(payer, 500).await;
    let with_removed = PayInvoice { method: Some(Some(added[1])), ..world.request(invoice) };
    assert_eq!(refused(service.pay_invoice(payer.caller, with_removed).await), gone);
    for id in [added[2], added[0]] {
        service.remove_payment_method(payer.caller, Some(id)).await.unwrap();
    }
    let missing = [(Code::PaymentMethodRequired, "paymentMethodId".to_owned())];
    assert_eq!(refused(service.pay_invoice(payer.caller, world.request(invoice)).await), missing);
    assert_eq!(world.number("select count(*) from payment_methods where removed_at is not null and not is_default").await, 3);
}

async fn a_method_of_another_business_answers_as_one_that_does_not_exist(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (mine, theirs, service) = (world.payer().await, world.payer().await, world.payments());
    let (my_method, their_method) =
        (world.method(mine, SandboxBehavior::Succeeds).await, world.method(theirs, SandboxBehavior::Succeeds).await);
    let (my_invoice, their_invoice) = (world.invoice(mine, 500).await, world.invoice(theirs, 500).await);
    for method in [Some(their_method), Some(world.ports.ids.next()), None] {
        let gone = [(Code::NotFound, "paymentMethodId".to_owned())];
        let request = PayInvoice { method: Some(method), ..world.request(my_invoice) };
        assert_eq!(refused(service.pay_invoice(mine.caller, request).await), gone);
        assert_eq!(refused(service.remove_payment_method(mine.caller, method).await), gone);
        assert_eq!(refused(service.set_default_payment_method(mine.caller, method).await), gone);
    }
    for invoice in [Some(their_invoice), Some(world.ports.ids.next()), None] {
        let request = PayInvoice { invoice, method: Some(Some(my_method)), ..world.request(my_invoice) };
        assert_eq!(refused(service.pay_invoice(mine.caller, request).await), [(Code::NotFound, "invoiceId".to_owned())]);
    }
    assert_eq!(world.number("select count(*) from payments").await, 0);
    assert_eq!(world.number("select count(*) from payment_methods where is_default and removed_at is null").await, 2);
}

async fn an_expired_or_missing_method_is_asked_for(db: TestDatabase) {
    // 21:30 UTC on the 30th is the 31st in Nairobi.
    let world = World::at(db, "2027-01-30T21:30:00Z").await;
    let payer = world.payer().await;
    let invoice = world.invoice(payer, 500).await;
    let missing = [(Code::PaymentMethodRequired, "paymentMethodId".to_owned())];
    assert_eq!(refused(world.pay(payer, invoice).await), missing);
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.sql("update payment_methods set expires_on = '2027-01-30'").await;
    assert_eq!(refused(world.pay(payer, invoice).await), missing);
    world.sql("update payment_methods set expires_on = '2027-01-31'").await;
    world.pay(payer, invoice).await.unwrap();
    assert_eq!(world.invoice_is(payer, invoice).await, ("PAID", 500, 0));
}

async fn a_source_that_the_gateway_does_not_take_is_refused(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (payer, service) = (world.payer().await, world.payments());
    for source in [MethodSource::CardToken("tok".into()), MethodSource::MpesaPhone("+254700000000".into()), MethodSource::BankTransfer] {
        let outcome = service.add_payment_method(payer.caller, AddPaymentMethod { source, make_default: true }).await;
        assert_eq!(refused(outcome), [(Code::PaymentFailed, "source".to_owned())]);
    }
    let production = world.parts(Arc::new(world.gateway.clone()));
    let production = PaymentService::new(evolve_business::services::Ports::new(Parts { sandbox: false, ..production }));
    let sandbox = AddPaymentMethod { source: MethodSource::Sandbox(SandboxBehavior::Succeeds), make_default: true };
    assert_eq!(refused(production.add_payment_method(payer.caller, sandbox).await), [(Code::Invalid, "source".to_owned())]);
    assert_eq!(world.number("select count(*) from payment_methods").await, 0);
}

async fn a_business_has_at_most_twenty_methods(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    for _ in 0..20 {
        world.method(payer, SandboxBehavior::Succeeds).await;
    }
    let more = AddPaymentMethod { source: MethodSource::Sandbox(SandboxBehavior::Succeeds), make_default: true };
    assert_eq!(refused(world.payments().add_payment_method(payer.caller, more).await), [(Code::LimitExceeded, String::new())]);
}

/// Somebody who subscribed with a method that works and whose renewal was declined.
async fn overdue(world: &World) -> Payer {
    world.seed_catalogue().await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let offer =
        PreviewSubscribe { plan: Some(world.plan("payroll", "starter").await), interval: Interval::Monthly, coupon: None, trial: false };
    let idempotency_key = world.ports.ids.next_uuid().to_string();
    let order = Subscribe { offer, method: None, auto_renewal: true, preview_token: None, idempotency_key };
    world.working(SubscriptionService::new(world.ports.clone()).subscribe(payer.caller, order)).await.unwrap();
    assert_eq!(world.number("select count(*) from subscriptions where status = 'ACTIVE'").await, 1);
    world.method(payer, SandboxBehavior::Declines).await;
    world.pass(SignedDuration::from_hours(29 * 24)).await;
    assert_eq!(world.number("select count(*) from subscriptions where status = 'PAST_DUE'").await, 1);
    assert_eq!(world.number("select count(*) from invoices where status = 'OPEN' and amount_due_minor > 0").await, 1);
    payer
}

async fn a_new_default_is_tried_at_once_on_what_is_overdue(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = overdue(&world).await;
    let good = AddPaymentMethod { source: MethodSource::Sandbox(SandboxBehavior::Succeeds), make_default: false };
    let good = world.payments().add_payment_method(payer.caller, good).await.unwrap();
    assert_eq!(world.run_due_jobs().await, 0, "what is no default is not tried");
    world.payments().set_default_payment_method(payer.caller, Some(good)).await.unwrap();
    world.run_due_jobs().await;
    assert_eq!(world.number("select count(*) from subscriptions where status = 'ACTIVE'").await, 1);
    assert_eq!(world.number("select count(*) from invoices where status = 'PAID' and amount_due_minor = 0").await, 2);
    assert_eq!(world.charges().await, 2);
    world.payments().set_default_payment_method(payer.caller, Some(good)).await.unwrap();
    assert_eq!(world.run_due_jobs().await, 0, "what was the default already is not tried again");
}

async fn who_only_reads_may_not_touch_methods_or_pay(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let (payer, service) = (world.payer().await, world.payments());
    let method = world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 500).await;
    world.sql("update members set role = 'MEMBER'").await;
    let add = AddPaymentMethod { source: MethodSource::Sandbox(SandboxBehavior::Succeeds), make_default: true };
    let forbidden = |failure: Failure| matches!(failure, Failure::Fault(Error::Forbidden));
    assert!(service.add_payment_method(payer.caller, add).await.is_err_and(forbidden));
    assert!(service.remove_payment_method(payer.caller, Some(method)).await.is_err_and(forbidden));
    assert!(service.set_default_payment_method(payer.caller, Some(method)).await.is_err_and(forbidden));
    assert!(service.pay_invoice(payer.caller, world.request(invoice)).await.is_err_and(forbidden));
    world.sql("update members set role = 'BILLING'").await;
    world.pay(payer, invoice).await.unwrap();
    assert_eq!((world.invoice_is(payer, invoice).await, world.charges().await), (("PAID", 500, 0), 1));
}

/// The sandbox with other terms: whole shillings, from 5 to 100 of them.
pub(crate) struct Shillings(pub(crate) evolve_business::adapters::payment::sandbox::SandboxGateway);

#[async_trait]
impl PaymentGateway for Shillings {
    fn kind(&self) -> GatewayKind {
        self.0.kind()
    }
    fn terms(&self, currency: Currency) -> Option<AmountTerms> {
        (currency.code() == "KES").then_some(AmountTerms { unit_minor: 100, least_minor: 500, most_minor: 10_000 })
    }
    async fn attach(&self, source: MethodSource) -> Result<AttachedMethod, AttachError> {
        self.0.attach(source).await
    }
    async fn charge(&self, request: ChargeRequest) -> ChargeAnswer {
        self.0.charge(request).await
    }
    async fn look_up(&self, charge: &BegunCharge) -> LookUpAnswer {
        self.0.look_up(&charge.key).await
    }
    async fn cancel(&self, charge: &BegunCharge) -> CancelAnswer {
        self.0.cancel(&charge.key).await
    }
    async fn refund(&self, request: RefundRequest) -> RefundAnswer {
        self.0.refund(request).await
    }
    async fn look_up_refund(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        self.0.look_up_refund(&refund.key).await
    }
}

async fn amounts_are_collected_in_whole_units_of_the_gateway_within_its_bounds(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let ports = world.through(Arc::new(Shillings(world.gateway.clone())));
    let service = PaymentService::new(ports.clone());
    // KES 100.01 would be 101.00 in whole ones, above the most; 4.00 is below the least; 99.99 is 100.00, of which 0.01 is credit.
    for (due, refusal) in [(10_001, (Code::LimitExceeded, "paymentMethodId")), (400, (Code::LimitExceeded, "invoiceId"))] {
        let invoice = world.invoice(payer, due).await;
        let outcome = service.pay_invoice(payer.caller, world.request(invoice)).await;
        assert_eq!(refused(outcome), [(refusal.0, refusal.1.to_owned())]);
        world.sql("update invoices set status = 'UNCOLLECTIBLE'").await;
    }
    let invoice = world.invoice(payer, 9_999).await;
    let payment = world.begin(payer, invoice).await;
    assert_eq!(world.payment(payer, payment).await.amount_minor, 9_999, "the sandbox takes every cent");
    world.run_due_jobs().await;
    let invoice = world.invoice(payer, 9_999).await;
    let (paid, ran) = tokio::join!(service.pay_invoice(payer.caller, world.request(invoice)), async {
        crate::world_payments::until(async || World::worker(&ports).run_due_jobs().await.unwrap() >= 1).await;
    });
    let ((), paid) = (ran, paid.unwrap());
    assert_eq!(world.payment(payer, paid.payment).await.amount_minor, 10_000);
    assert_eq!(world.invoice_is(payer, invoice).await, ("PAID", 9_999, 0));
    assert_eq!(world.number("select balance_minor from businesses").await, 1);
}
