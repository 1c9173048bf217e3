//! Attempts whose answer was lost, settled by what the gateway's statement says.

use std::sync::Arc;

use async_trait::async_trait;
use evolve_business::adapters::payment::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, GatewayKind, LookUpAnswer,
    MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest, SandboxBehavior, Success,
};
use evolve_business::money::Currency;
use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::client::Client;
use crate::database::TestDatabase;
use crate::manual_payments::{came, owing};
use crate::world::World;
use crate::world_staff::text;
use crate::world_staff_money::{invoice, member, refused};

both!(
    an_attempt_that_the_statement_shows_is_settled_once,
    an_attempt_that_the_statement_does_not_show_has_failed_and_frees_its_invoice,
    a_look_up_that_is_under_way_overwrites_no_resolution,
    a_resolution_that_cannot_be_is_refused_and_changes_nothing,
);

const RESOLVED: &str = "payment { id status receipt failureCode invoice { status amountDue { amount } } }";

/// The newest payment of an invoice.
pub(crate) async fn newest_payment(staff: &Client, invoice: &str) -> String {
    let found = staff.data("query($i: ID!) { node(id: $i) { ... on Invoice { payments { id } } } }", json!({ "i": invoice })).await;
    text(&found["node"]["payments"].as_array().unwrap().last().unwrap()["id"])
}

pub(crate) fn resolution(payment: &str, says: &str, receipt: Option<&str>) -> Value {
    json!({ "paymentId": payment, "resolution": says, "receipt": receipt, "idempotencyKey": format!("resolve {says}") })
}

async fn an_attempt_that_the_statement_shows_is_settled_once(db: TestDatabase) {
    let (world, server, payer, id) = owing(db, SandboxBehavior::TimesOut).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let second = invoice(&staff, 2).await;
    let payment = newest_payment(&staff, &second).await;
    let says = resolution(&payment, "SUCCEEDED", Some("SKJ4KX1"));
    let expected = json!({
        "id": payment, "status": "SUCCEEDED", "receipt": "SKJ4KX1", "failureCode": null,
        "invoice": { "status": "PAID", "amountDue": { "amount": "0.00" } },
    });
    for _ in 0..2 {
        assert_eq!(staff.payload("resolvePayment", says.clone(), RESOLVED).await["payment"], expected);
    }
    assert_eq!((world.examine().await, world.subscription(payer, id).await.status.as_str()), (Vec::new(), "ACTIVE"));
    let acts =
        world.read_texts("select actor from audit_events where action in ('payment.resolved', 'payment.succeeded') and actor <> 'system'");
    let member = member(&staff).await;
    assert_eq!(acts.await, [member.clone(), member]);
    // The gateway, which knows nothing of it, is not asked any more.
    world.run_at("2027-06-16T06:06:00Z").await;
    assert_eq!(staff.payload("resolvePayment", says, RESOLVED).await["payment"], expected);
    let other = resolution(&payment, "FAILED", None);
    let payload = staff.payload("resolvePayment", other, RESOLVED).await;
    assert_eq!(refused(&payload), ("INVALID_TRANSITION".to_owned(), "paymentId".to_owned()));
}

async fn an_attempt_that_the_statement_does_not_show_has_failed_and_frees_its_invoice(db: TestDatabase) {
    let (world, server, payer, id) = owing(db, SandboxBehavior::TimesOut).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let second = invoice(&staff, 2).await;
    let payment = newest_payment(&staff, &second).await;
    let payload = staff.payload("resolvePayment", resolution(&payment, "FAILED", None), RESOLVED).await;
    let expected = json!({
        "id": payment, "status": "FAILED", "receipt": null, "failureCode": "not_on_statement",
        "invoice": { "status": "OPEN", "amountDue": { "amount": "17.40" } },
    });
    assert_eq!((&payload["payment"], world.subscription(payer, id).await.status.as_str()), (&expected, "PAST_DUE"));
    assert_eq!(world.examine().await, [""; 0]);
    // It may be paid another way now.
    let paid = staff.payload("recordPayment", came(&second, "17.40", "FT1"), "invoice { status }").await;
    assert_eq!((&paid["invoice"]["status"], world.subscription(payer, id).await.status.as_str()), (&json!("PAID"), "ACTIVE"));
    assert_eq!(world.examine().await, [""; 0]);
}

/// A gateway that is asked, and tells only when it is let go that the charge was made.
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
        ChargeAnswer::Unknown
    }
    async fn look_up(&self, _: &BegunCharge) -> LookUpAnswer {
        self.asked.notify_one();
        self.let_go.notified().await;
        LookUpAnswer::Succeeded(Success { reference: "late".into(), receipt: Some("LATE".into()) })
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

async fn a_look_up_that_is_under_way_overwrites_no_resolution(db: TestDatabase) {
    let (world, server, payer, _) = owing(db, SandboxBehavior::TimesOut).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let second = invoice(&staff, 2).await;
    let payment = newest_payment(&staff, &second).await;
    world.advance(SignedDuration::from_mins(1));
    let belated = Arc::new(Belated { asked: Notify::new(), let_go: Notify::new() });
    let slow = World::worker(&world.through(belated.clone()));
    let slow = tokio::spawn(async move { slow.run_due_jobs().await });
    belated.asked.notified().await;
    let payload = staff.payload("resolvePayment", resolution(&payment, "FAILED", None), RESOLVED).await;
    assert_eq!(payload["payment"]["status"], json!("FAILED"), "{payload:#}");
    belated.let_go.notify_one();
    slow.await.unwrap().unwrap();
    let now = staff.data("query($i: ID!) { node(id: $i) { ... on Payment { status receipt } } }", json!({ "i": payment })).await;
    assert_eq!(now["node"], json!({ "status": "FAILED", "receipt": null }));
    assert_eq!((world.billed(2, "amount_due_minor").await, world.balance(payer).await), (1_740, 0));
    assert_eq!(world.examine().await, [""; 0]);
}

async fn a_resolution_that_cannot_be_is_refused_and_changes_nothing(db: TestDatabase) {
    let (world, server, payer, _) = owing(db, SandboxBehavior::TimesOut).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let (first, second) = (invoice(&staff, 1).await, invoice(&staff, 2).await);
    let (paid, unknown) = (newest_payment(&staff, &first).await, newest_payment(&staff, &second).await);
    let rows = world.rows_of(payer.scope.business().uuid()).await;
    let nobody = "pay_01h455vb4pex5vsknk084sn02q";
    for (payment, says, receipt, code, field) in [
        (paid.as_str(), "FAILED", None, "INVALID_TRANSITION", "paymentId"),
        (nobody, "FAILED", None, "NOT_FOUND", "paymentId"),
        (&unknown, "FAILED", Some("SKJ4"), "INVALID", "receipt"),
        (&unknown, "SUCCEEDED", Some(" "), "REQUIRED", "receipt"),
        (&unknown, "SUCCEEDED", Some("a\u{0}b"), "INVALID", "receipt"),
        (&unknown, "SUCCEEDED", Some(&"é".repeat(65)), "TOO_LONG", "receipt"),
    ] {
        let payload = staff.payload("resolvePayment", resolution(payment, says, receipt), RESOLVED).await;
        assert_eq!(refused(&payload), (code.to_owned(), field.to_owned()), "{says} {receipt:?}");
    }
    assert_eq!(world.rows_of(payer.scope.business().uuid()).await, rows);
}
