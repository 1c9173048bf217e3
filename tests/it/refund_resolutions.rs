//! Refunds whose answer was lost, settled by what the gateway's statement says. 34.80 are paid for June, 16 % of it on top.

use evolve_business::store::types::StaffRole;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::stripe_simulator::{Card, Fault, Simulator};
use crate::world::World;
use crate::world_payments::Payer;
use crate::world_staff::text;
use crate::world_staff_money::{JUNE, member, refused};

both!(
    a_refund_that_the_statement_shows_is_settled_once,
    a_refund_that_the_statement_does_not_show_is_account_credit,
    a_refund_that_is_not_unknown_is_not_resolved,
);

const RESOLVED: &str = "refund { status failureMessage } payment { status amountRefunded { amount } }";

/// Staff who had 11.60 paid back, which `fault` befell.
struct Desk {
    world: World,
    /// Serves as long as it is held.
    _server: Server,
    simulator: Simulator,
    staff: Client,
    payer: Payer,
    refund: String,
}

impl Desk {
    async fn new(db: TestDatabase, fault: Option<Fault>) -> Self {
        let simulator = Simulator::start().await;
        let world = World::shop_at(db, JUNE).await.with_stripe(&simulator);
        let server = Server::start(&world).await;
        let staff = world.staff(&server, StaffRole::Finance).await;
        let payer = world.payer().await;
        world.try_card(payer, simulator.card(Card::Good)).await.unwrap();
        let payment = world.subscribe(payer, "basic").await.payment.unwrap().to_string();
        simulator.fail(fault);
        let input = json!({ "paymentId": payment, "amount": "11.60", "reason": "GOODWILL", "idempotencyKey": "one" });
        let begun = world.working(staff.payload("refundPayment", input, "refund { id status }")).await;
        assert_eq!(begun["refund"]["status"], if fault.is_some() { "UNKNOWN" } else { "SUCCEEDED" });
        let refund = text(&begun["refund"]["id"]);
        Self { world, _server: server, simulator, staff, payer, refund }
    }

    async fn resolve(&self, says: &str, receipt: Option<&str>) -> Value {
        let key = format!("resolve {says}");
        let input = json!({ "refundId": self.refund, "resolution": says, "receipt": receipt, "idempotencyKey": key });
        self.staff.payload("resolveRefund", input, RESOLVED).await
    }
}

async fn a_refund_that_the_statement_shows_is_settled_once(db: TestDatabase) {
    let desk = Desk::new(db, Some(Fault::RequestLost)).await;
    let payment = json!({ "status": "PARTIALLY_REFUNDED", "amountRefunded": { "amount": "11.60" } });
    for _ in 0..2 {
        let resolved = desk.resolve("SUCCEEDED", Some("re_by_hand")).await;
        assert_eq!(resolved["refund"], json!({ "status": "SUCCEEDED", "failureMessage": null }));
        assert_eq!((&resolved["payment"], &resolved["userErrors"]), (&payment, &json!([])));
    }
    assert_eq!((desk.world.balance(desk.payer).await, desk.world.examine().await), (0, Vec::new()));
    let acts = desk.world.read_texts("select actor from audit_events where action in ('refund.resolved', 'refund.succeeded')").await;
    let member = member(&desk.staff).await;
    assert_eq!(acts, [member.clone(), member]);
    // The gateway, which knows nothing of it, is not asked to pay it any more.
    desk.world.pass(SignedDuration::from_hours(2)).await;
    assert_eq!((desk.simulator.refunded().len(), desk.world.examine().await), (0, Vec::new()));
}

async fn a_refund_that_the_statement_does_not_show_is_account_credit(db: TestDatabase) {
    let desk = Desk::new(db, Some(Fault::RequestLost)).await;
    let resolved = desk.resolve("FAILED", None).await;
    let refund = json!({ "status": "FAILED", "failureMessage": "The gateway's statement shows no such refund; nothing was paid back." });
    let payment = json!({ "status": "SUCCEEDED", "amountRefunded": { "amount": "0.00" } });
    assert_eq!((&resolved["refund"], &resolved["payment"]), (&refund, &payment));
    assert_eq!((desk.world.balance(desk.payer).await, desk.world.examine().await), (1_160, Vec::new()));
    desk.world.pass(SignedDuration::from_hours(2)).await;
    assert_eq!(desk.simulator.refunded().len(), 0);
}

async fn a_refund_that_is_not_unknown_is_not_resolved(db: TestDatabase) {
    let desk = Desk::new(db, None).await;
    assert_eq!(refused(&desk.resolve("FAILED", None).await), ("INVALID_TRANSITION".to_owned(), "refundId".to_owned()));
    assert_eq!(refused(&desk.resolve("FAILED", Some("re_1")).await), ("INVALID".to_owned(), "receipt".to_owned()));
    let nobody = Desk { refund: "ref_01h455vb4pex5vsknk084sn02q".to_owned(), ..desk };
    assert_eq!(refused(&nobody.resolve("SUCCEEDED", None).await), ("NOT_FOUND".to_owned(), "refundId".to_owned()));
    assert_eq!((nobody.world.balance(nobody.payer).await, nobody.world.examine().await), (0, Vec::new()));
}
