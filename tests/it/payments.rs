//! Payments: each way a gateway behaves to its end, and that nothing is ever charged twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use evolve_business::adapters::payment::sandbox::{SandboxGateway, SandboxOptions};
use evolve_business::adapters::payment::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, Decline, GatewayKind, LookUpAnswer,
    MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest, SandboxBehavior,
};
use evolve_business::error::UserErrorCode as Code;
use evolve_business::money::Currency;
use evolve_business::services::payments::PayInvoice;
use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::database::TestDatabase;
use crate::world::World;
use crate::world_payments::{refused, until};

const NOW: &str = "2027-01-31T09:00:00Z";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

both!(
    a_charge_that_succeeds_settles_its_invoice,
    a_declined_charge_is_a_failed_payment_and_may_be_tried_again,
    a_customer_who_acts_settles_the_invoice_and_one_who_fails_to_does_not,
    an_action_that_nobody_takes_lapses_once_the_gateway_confirms_the_cancel,
    a_lost_answer_to_a_charge_that_was_made_is_found_and_settled_once,
    a_charge_that_never_arrived_fails_only_after_the_gateway_has_barred_it,
    sixteen_requests_at_once_charge_an_invoice_once,
    the_same_key_pays_once_and_another_input_under_it_is_refused,
    naming_a_method_calls_off_the_attempt_that_waits_for_the_customer,
    a_worker_that_lost_its_lease_cannot_overwrite_its_successors_result,
    a_crash_after_the_gateways_charge_ends_with_one_charge_and_one_settled_payment,
    an_attempt_on_an_invoice_that_was_settled_meanwhile_is_never_sent,
    a_payment_that_is_found_after_its_invoice_was_settled_otherwise_becomes_account_credit,
    a_lost_answer_is_asked_about_for_as_long_as_it_takes,
    without_a_worker_the_answer_comes_after_five_seconds_with_a_payment_under_way,
);

async fn a_charge_that_succeeds_settles_its_invoice(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 348_000).await;
    let paid = world.pay(payer, invoice).await.unwrap();
    let payment = world.payment(payer, paid.payment).await;
    assert_eq!((payment.status.as_str(), payment.amount_minor, payment.attempt), ("SUCCEEDED", 348_000, 1));
    assert_eq!(payment.settled_at.map(|at| at.get().to_string()).as_deref(), Some(NOW));
    assert_eq!(world.invoice_is(payer, invoice).await, ("PAID", 348_000, 0));
    let charge = world.gateway.charge_of(&paid.payment.to_string()).await.unwrap().unwrap();
    assert_eq!((charge.amount.to_string(), Some(&charge.receipt)), ("KES 3480.00".to_owned(), payment.receipt.as_ref()));
    assert_eq!(refused(world.pay(payer, invoice).await), [(Code::InvalidTransition, "invoiceId".to_owned())]);
}

async fn a_declined_charge_is_a_failed_payment_and_may_be_tried_again(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Declines).await;
    let invoice = world.invoice(payer, 5_000).await;
    let first = world.pay(payer, invoice).await.unwrap();
    let payment = world.payment(payer, first.payment).await;
    assert_eq!((payment.status.as_str(), payment.failure_code.as_deref()), ("FAILED", Some("card_declined")));
    assert_eq!(world.invoice_is(payer, invoice).await, ("OPEN", 0, 5_000));
    world.method(payer, SandboxBehavior::Succeeds).await;
    let second = world.pay(payer, invoice).await.unwrap();
    let payment = world.payment(payer, second.payment).await;
    assert_eq!((payment.status.as_str(), payment.attempt), ("SUCCEEDED", 2));
    assert_eq!((world.invoice_is(payer, invoice).await, world.charges().await), (("PAID", 5_000, 0), 1));
}

async fn a_customer_who_acts_settles_the_invoice_and_one_who_fails_to_does_not(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::RequiresAction).await;
    for (passes, status, invoice_is) in [(true, "SUCCEEDED", ("PAID", 700, 0)), (false, "FAILED", ("OPEN", 0, 700))] {
        let invoice = world.invoice(payer, 700).await;
        let paid = world.pay(payer, invoice).await.unwrap();
        let payment = world.payment(payer, paid.payment).await;
        let url = format!("http://127.0.0.1:8080/gateways/sandbox/actions/{}", paid.payment);
        assert_eq!((payment.status.as_str(), payment.action_url), ("REQUIRES_ACTION", Some(url)));
        let lasts = payment.action_expires_at.unwrap().get().duration_since(payment.created_at.get());
        assert_eq!(lasts, SignedDuration::from_hours(1));
        world.pass(SignedDuration::from_secs(5)).await;
        assert_eq!(world.status(payer, paid.payment).await, "REQUIRES_ACTION");
        world.gateway.complete_action(&paid.payment.to_string(), passes).await.unwrap();
        world.pass(SignedDuration::from_secs(10)).await;
        let payment = world.payment(payer, paid.payment).await;
        assert_eq!((payment.status.as_str(), payment.action_url), (status, None));
        assert_eq!(world.invoice_is(payer, invoice).await, invoice_is);
    }
    assert_eq!(world.charges().await, 1);
}

async fn an_action_that_nobody_takes_lapses_once_the_gateway_confirms_the_cancel(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::RequiresAction).await;
    let invoice = world.invoice(payer, 700).await;
    let paid = world.pay(payer, invoice).await.unwrap();
    world.pass(SignedDuration::from_mins(59)).await;
    assert_eq!(world.status(payer, paid.payment).await, "REQUIRES_ACTION");
    world.pass(MINUTE).await;
    assert_eq!(world.status(payer, paid.payment).await, "CANCELED");
    assert_eq!(world.gateway.look_up(&paid.payment.to_string()).await, LookUpAnswer::Canceled);
    assert_eq!(world.invoice_is(payer, invoice).await, ("OPEN", 0, 700));
}

async fn a_lost_answer_to_a_charge_that_was_made_is_found_and_settled_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::SucceedsLate).await;
    let invoice = world.invoice(payer, 9_900).await;
    let paid = world.pay(payer, invoice).await.unwrap();
    assert_eq!(world.status(payer, paid.payment).await, "UNKNOWN");
    assert_eq!(world.invoice_is(payer, invoice).await, ("OPEN", 0, 9_900));
    assert_eq!(refused(world.pay(payer, invoice).await), [(Code::PaymentInProgress, "invoiceId".to_owned())]);
    world.pass(SignedDuration::from_secs(59)).await;
    assert_eq!(world.status(payer, paid.payment).await, "UNKNOWN");
    world.pass(SignedDuration::from_secs(1)).await;
    assert_eq!(world.status(payer, paid.payment).await, "SUCCEEDED");
    world.pass(SignedDuration::from_hours(48)).await;
    assert_eq!((world.invoice_is(payer, invoice).await, world.charges().await), (("PAID", 9_900, 0), 1));
}

async fn a_charge_that_never_arrived_fails_only_after_the_gateway_has_barred_it(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::TimesOut).await;
    let invoice = world.invoice(payer, 9_900).await;
    let paid = world.pay(payer, invoice).await.unwrap();
    assert_eq!(world.status(payer, paid.payment).await, "UNKNOWN");
    world.method(payer, SandboxBehavior::Succeeds).await;
    assert_eq!(refused(world.pay(payer, invoice).await), [(Code::PaymentInProgress, "invoiceId".to_owned())]);
    assert_eq!(world.gateway.look_up(&paid.payment.to_string()).await, LookUpAnswer::NotFound);
    world.pass(MINUTE).await;
    let payment = world.payment(payer, paid.payment).await;
    assert_eq!((payment.status.as_str(), payment.failure_code.as_deref()), ("FAILED", Some("not_charged")));
    assert_eq!(world.gateway.look_up(&paid.payment.to_string()).await, LookUpAnswer::Canceled);
    world.pay(payer, invoice).await.unwrap();
    assert_eq!((world.invoice_is(payer, invoice).await, world.charges().await), (("PAID", 9_900, 0), 1));
}

async fn sixteen_requests_at_once_charge_an_invoice_once(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 12_345).await;
    let service = world.payments();
    let requests = (0..16).map(|_| service.pay_invoice(payer.caller, world.request(invoice)));
    let outcomes = world.working(futures::future::join_all(requests)).await;
    let (paid, refusals): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(paid.len(), 1);
    for refusal in refusals {
        let code = refused(refusal)[0].0;
        assert!(matches!(code, Code::PaymentInProgress | Code::InvalidTransition), "{code:?}");
    }
    assert_eq!((world.invoice_is(payer, invoice).await, world.charges().await), (("PAID", 12_345, 0), 1));
    assert_eq!(world.number("select count(*) from payments").await, 1);
}

async fn the_same_key_pays_once_and_another_input_under_it_is_refused(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    let method = world.method(payer, SandboxBehavior::Succeeds).await;
    let (invoice, other) = (world.invoice(payer, 500).await, world.invoice(payer, 600).await);
    let (service, request) = (world.payments(), world.request(invoice));
    let both =
        futures::future::join(service.pay_invoice(payer.caller, request.clone()), service.pay_invoice(payer.caller, request.clone()));
    let (one, two) = world.working(Box::pin(both)).await;
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.payment, one.invoice), (two.payment, two.invoice));
    assert!(one.replayed != two.replayed);
    for changed in [PayInvoice { invoice: Some(other), ..request.clone() }, PayInvoice { method: Some(Some(method)), ..request.clone() }] {
        let refusal = refused(service.pay_invoice(payer.caller, changed).await);
        assert_eq!(refusal, [(Code::IdempotencyKeyReused, "idempotencyKey".to_owned())]);
    }
    let returned = PayInvoice { return_url: Some("https://acme.test".into()), ..world.request(other) };
    assert_eq!(refused(service.pay_invoice(payer.caller, returned).await), [(Code::Invalid, "returnUrl".to_owned())]);
    assert_eq!(world.charges().await, 1);
}

async fn naming_a_method_calls_off_the_attempt_that_waits_for_the_customer(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::RequiresAction).await;
    let invoice = world.invoice(payer, 500).await;
    let first = world.pay(payer, invoice).await.unwrap();
    assert_eq!(refused(world.pay(payer, invoice).await), [(Code::PaymentInProgress, "invoiceId".to_owned())]);
    let method = world.method(payer, SandboxBehavior::Succeeds).await;
    let (service, request) = (world.payments(), PayInvoice { method: Some(Some(method)), ..world.request(invoice) });
    let second = world.working(service.pay_invoice(payer.caller, request.clone())).await.unwrap();
    assert_eq!(world.status(payer, first.payment).await, "CANCELED");
    assert_eq!(world.status(payer, second.payment).await, "SUCCEEDED");
    assert!(world.gateway.complete_action(&first.payment.to_string(), true).await.is_err());
    let again = service.pay_invoice(payer.caller, request).await.unwrap();
    assert_eq!((again.payment, again.replayed), (second.payment, true));
    world.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(world.status(payer, first.payment).await, "CANCELED");
    assert_eq!((world.invoice_is(payer, invoice).await, world.charges().await), (("PAID", 500, 0), 1));
}

/// A gateway that answers a charge only when it is let, and then with a decline that the sandbox knows nothing of.
struct Belated {
    asked: Notify,
    let_go: Notify,
}

#[async_trait]
impl PaymentGateway for Belated {
    fn kind(&self) -> GatewayKind {
        GatewayKind::Sandbox
    }
    fn terms(&self, _: Currency) -> Option<AmountTerms> {
        None
    }
    async fn attach(&self, _: MethodSource) -> Result<AttachedMethod, AttachError> {
        Err(AttachError::Unsupported)
    }
    async fn charge(&self, _: ChargeRequest) -> ChargeAnswer {
        self.asked.notify_one();
        self.let_go.notified().await;
        ChargeAnswer::Failed(Decline { code: "too_late".into(), message: "Too late.".into(), hard: true })
    }
    async fn look_up(&self, _: &BegunCharge) -> LookUpAnswer {
        LookUpAnswer::Unknown
    }
    async fn cancel(&self, _: &BegunCharge) -> CancelAnswer {
        CancelAnswer::Unknown
    }
    async fn refund(&self, _: RefundRequest) -> RefundAnswer {
        RefundAnswer::Unknown
    }
    async fn look_up_refund(&self, _: &RefundRequest) -> RefundLookUpAnswer {
        RefundLookUpAnswer::Unknown
    }
}

async fn a_worker_that_lost_its_lease_cannot_overwrite_its_successors_result(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 500).await;
    let payment = world.begin(payer, invoice).await;
    let belated = Arc::new(Belated { asked: Notify::new(), let_go: Notify::new() });
    let slow = World::worker(&world.through(belated.clone()));
    let slow = tokio::spawn(async move { slow.run_due_jobs().await });
    belated.asked.notified().await;
    assert_eq!(world.status(payer, payment).await, "SENDING");
    assert_eq!(world.run_due_jobs().await, 0, "the lease holds");
    world.pass(SignedDuration::from_secs(61)).await;
    assert_eq!(world.status(payer, payment).await, "SUCCEEDED");
    belated.let_go.notify_one();
    slow.await.unwrap().unwrap();
    let payment = world.payment(payer, payment).await;
    assert_eq!((payment.status.as_str(), payment.failure_code), ("SUCCEEDED", None));
    assert_eq!((world.invoice_is(payer, invoice).await, world.charges().await), (("PAID", 500, 0), 1));
    assert_eq!(world.number("select count(*) from jobs where status = 'DONE' and leased_until is null and fence = 2").await, 1);
}

async fn a_crash_after_the_gateways_charge_ends_with_one_charge_and_one_settled_payment(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 500).await;
    let payment = world.begin(payer, invoice).await;
    let options =
        SandboxOptions { hold_after_commit: Some(Duration::from_mins(1)), call_limit: Duration::from_mins(2), ..SandboxOptions::default() };
    let holding = SandboxGateway::open(world.database.dir.path(), world.ports.clock.clone(), options).await.unwrap();
    let crashing = World::worker(&world.through(Arc::new(holding)));
    let crashing = tokio::spawn(async move { crashing.run_due_jobs().await });
    until(async || world.charges().await == 1).await;
    crashing.abort();
    assert!(crashing.await.unwrap_err().is_cancelled());
    assert_eq!(world.status(payer, payment).await, "SENDING");
    world.pass(SignedDuration::from_secs(61)).await;
    assert_eq!(world.status(payer, payment).await, "SUCCEEDED");
    assert_eq!((world.invoice_is(payer, invoice).await, world.charges().await), (("PAID", 500, 0), 1));
}

async fn an_attempt_on_an_invoice_that_was_settled_meanwhile_is_never_sent(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 500).await;
    let payment = world.begin(payer, invoice).await;
    let id = invoice.uuid();
    world
        .sql(&format!("update invoices set status = 'PAID', amount_credited_minor = 500, amount_due_minor = 0 where id = {{id:{id}}}"))
        .await;
    world.run_due_jobs().await;
    assert_eq!((world.status(payer, payment).await, world.charges().await), ("CANCELED", 0));
}

async fn a_payment_that_is_found_after_its_invoice_was_settled_otherwise_becomes_account_credit(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::SucceedsLate).await;
    let invoice = world.invoice(payer, 500).await;
    let paid = world.pay(payer, invoice).await.unwrap();
    let id = invoice.uuid();
    world
        .sql(&format!("update invoices set status = 'PAID', amount_credited_minor = 500, amount_due_minor = 0 where id = {{id:{id}}}"))
        .await;
    world.pass(MINUTE).await;
    assert_eq!(world.status(payer, paid.payment).await, "SUCCEEDED");
    assert_eq!(world.invoice_is(payer, invoice).await, ("PAID", 0, 0));
    assert_eq!(world.number("select balance_minor from businesses").await, 500);
}

async fn without_a_worker_the_answer_comes_after_five_seconds_with_a_payment_under_way(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::Succeeds).await;
    let invoice = world.invoice(payer, 500).await;
    let began = std::time::Instant::now();
    let paid = world.payments().pay_invoice(payer.caller, world.request(invoice)).await.unwrap();
    let took = began.elapsed();
    assert!(Duration::from_secs(5) <= took && took < Duration::from_secs(15), "{took:?}");
    assert_eq!(world.status(payer, paid.payment).await, "CREATED");
    world.run_due_jobs().await;
    assert_eq!(world.status(payer, paid.payment).await, "SUCCEEDED");
}

/// The sandbox, which does not answer when it is asked what became of a charge, so many times.
struct Silent {
    then: SandboxGateway,
    times: AtomicUsize,
}

#[async_trait]
impl PaymentGateway for Silent {
    fn kind(&self) -> GatewayKind {
        self.then.kind()
    }
    fn terms(&self, currency: Currency) -> Option<AmountTerms> {
        self.then.terms(currency)
    }
    async fn attach(&self, source: MethodSource) -> Result<AttachedMethod, AttachError> {
        self.then.attach(source).await
    }
    async fn charge(&self, request: ChargeRequest) -> ChargeAnswer {
        self.then.charge(request).await
    }
    async fn look_up(&self, charge: &BegunCharge) -> LookUpAnswer {
        let left = self.times.load(Ordering::SeqCst);
        if left == 0 {
            return self.then.look_up(&charge.key).await;
        }
        self.times.store(left - 1, Ordering::SeqCst);
        LookUpAnswer::Unknown
    }
    async fn cancel(&self, charge: &BegunCharge) -> CancelAnswer {
        self.then.cancel(&charge.key).await
    }
    async fn refund(&self, request: RefundRequest) -> RefundAnswer {
        self.then.refund(request).await
    }
    async fn look_up_refund(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        self.then.look_up_refund(&refund.key).await
    }
}

async fn a_lost_answer_is_asked_about_for_as_long_as_it_takes(db: TestDatabase) {
    let world = World::at(db, NOW).await;
    let payer = world.payer().await;
    world.method(payer, SandboxBehavior::SucceedsLate).await;
    let invoice = world.invoice(payer, 500).await;
    let payment = world.begin(payer, invoice).await;
    let gateway = Arc::new(Silent { then: world.gateway.clone(), times: AtomicUsize::new(25) });
    let worker = World::worker(&world.through(gateway.clone()));
    worker.run_due_jobs().await.unwrap();
    for day in 0..25 {
        world.advance(SignedDuration::from_hours(24));
        worker.run_due_jobs().await.unwrap();
        assert_eq!((world.status(payer, payment).await, gateway.times.load(Ordering::SeqCst)), ("UNKNOWN", 24 - day));
    }
    world.advance(SignedDuration::from_hours(24));
    worker.run_due_jobs().await.unwrap();
    assert_eq!(world.status(payer, payment).await, "SUCCEEDED");
    assert_eq!((world.invoice_is(payer, invoice).await, world.charges().await), (("PAID", 500, 0), 1));
}
