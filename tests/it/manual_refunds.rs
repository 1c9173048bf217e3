//! Payments that staff pay back, to the cent: 16 % comes on top of every price of the shop.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::Client;
use crate::database::TestDatabase;
use crate::manual_payments::{came, owing};
use crate::manual_resolutions::{newest_payment, resolution};
use crate::world::World;
use crate::world_staff_money::{invoice, refused, shop};

both!(
    a_payment_is_paid_back_in_part_and_then_all_that_is_left,
    what_came_by_transfer_is_paid_out_by_hand_as_far_as_it_paid_its_invoice,
    what_was_resolved_without_a_receipt_is_paid_out_by_hand,
    two_who_pay_the_same_payment_back_at_once_pay_it_back_once,
    a_refund_that_cannot_be_is_refused_and_changes_nothing,
);

const REFUNDED: &str = "refund { status amount { amount } }
  creditNote { amount { amount } tax { amount } toRefund { amount } toAccountCredit { amount } tookOffAmountDue { amount } lines { amount { amount } } }
  payment { status amountRefunded { amount } }";

fn asked(payment: &str, amount: Option<&str>, key: &str) -> Value {
    json!({ "paymentId": payment, "amount": amount, "reason": "GOODWILL", "memo": "Sorry.", "idempotencyKey": key })
}

/// Pays back while a worker runs.
async fn pay_back(world: &World, staff: &Client, input: Value) -> Value {
    let payload = world.working(staff.payload("refundPayment", input, REFUNDED)).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
    payload
}

async fn a_payment_is_paid_back_in_part_and_then_all_that_is_left(db: TestDatabase) {
    let (world, server, payer, _) = shop(db, "basic").await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let payment = newest_payment(&staff, &invoice(&staff, 1).await).await;
    // Of 34.80: 11.60 with the 1.60 of tax in it, 11.60 × 0.16 ÷ 1.16; without it 10.00.
    let part = pay_back(&world, &staff, asked(&payment, Some("11.60"), "one")).await;
    assert_eq!(
        part["creditNote"],
        json!({
            "amount": { "amount": "11.60" }, "tax": { "amount": "1.60" }, "toRefund": { "amount": "11.60" },
            "toAccountCredit": { "amount": "0.00" }, "tookOffAmountDue": { "amount": "0.00" }, "lines": [{ "amount": { "amount": "10.00" } }],
        })
    );
    assert_eq!(part["refund"], json!({ "status": "SUCCEEDED", "amount": { "amount": "11.60" } }));
    assert_eq!(part["payment"], json!({ "status": "PARTIALLY_REFUNDED", "amountRefunded": { "amount": "11.60" } }));
    assert_eq!(world.examine().await, [""; 0]);
    // 0.07 with 0.01 of tax: 0.07 × 0.16 ÷ 1.16 is 0.0097.
    let little = pay_back(&world, &staff, asked(&payment, Some("0.07"), "two")).await;
    assert_eq!(little["creditNote"]["tax"]["amount"], json!("0.01"));
    // The rest, 23.13, takes the residue: 4.80 − 1.60 − 0.01.
    let rest = pay_back(&world, &staff, asked(&payment, None, "three")).await;
    assert_eq!((&rest["creditNote"]["amount"]["amount"], &rest["creditNote"]["tax"]["amount"]), (&json!("23.13"), &json!("3.19")));
    assert_eq!(rest["payment"], json!({ "status": "REFUNDED", "amountRefunded": { "amount": "34.80" } }));
    assert_eq!(pay_back(&world, &staff, asked(&payment, None, "three")).await["creditNote"], rest["creditNote"]);
    assert_eq!((world.gateway.refunds().await.unwrap().len(), world.balance(payer).await), (3, 0));
    let payload = staff.payload("refundPayment", asked(&payment, None, "four"), REFUNDED).await;
    assert_eq!(refused(&payload), ("INVALID_TRANSITION".to_owned(), "paymentId".to_owned()));
    assert_eq!(world.examine().await, [""; 0]);
}

async fn what_came_by_transfer_is_paid_out_by_hand_as_far_as_it_paid_its_invoice(db: TestDatabase) {
    let (world, server, payer, _) = owing(db, SandboxBehavior::TimesOut).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let second = invoice(&staff, 2).await;
    let lost = newest_payment(&staff, &second).await;
    staff.payload("resolvePayment", resolution(&lost, "FAILED", None), "payment { status }").await;
    // 20.00 for 17.40: 2.60 is account credit, which stays.
    staff.payload("recordPayment", came(&second, "20.00", "FT1"), "payment { status }").await;
    let payment = newest_payment(&staff, &second).await;
    // No worker runs: no gateway hears of it.
    let all = staff.payload("refundPayment", asked(&payment, None, "one"), REFUNDED).await;
    assert_eq!(all["refund"], json!({ "status": "SUCCEEDED", "amount": { "amount": "17.40" } }), "{all:#}");
    assert_eq!(
        (&all["creditNote"]["tax"]["amount"], &all["creditNote"]["lines"][0]["amount"]["amount"]),
        (&json!("2.40"), &json!("15.00"))
    );
    assert_eq!(all["payment"], json!({ "status": "PARTIALLY_REFUNDED", "amountRefunded": { "amount": "17.40" } }));
    assert_eq!((world.balance(payer).await, world.gateway.refunds().await.unwrap().len()), (260, 0));
    assert_eq!((world.count("jobs", "kind = 'refund'").await, world.examine().await), (0, Vec::new()));
}

async fn what_was_resolved_without_a_receipt_is_paid_out_by_hand(db: TestDatabase) {
    let (world, server, payer, _) = owing(db, SandboxBehavior::TimesOut).await;
    let staff = world.staff(&server, StaffRole::Admin).await;
    let payment = newest_payment(&staff, &invoice(&staff, 2).await).await;
    staff.payload("resolvePayment", resolution(&payment, "SUCCEEDED", None), "payment { status }").await;
    // No gateway could be asked for it.
    let all = staff.payload("refundPayment", asked(&payment, None, "one"), REFUNDED).await;
    assert_eq!(all["refund"], json!({ "status": "SUCCEEDED", "amount": { "amount": "17.40" } }), "{all:#}");
    assert_eq!(all["payment"], json!({ "status": "REFUNDED", "amountRefunded": { "amount": "17.40" } }));
    assert_eq!((world.gateway.refunds().await.unwrap().len(), world.balance(payer).await), (0, 0));
    assert_eq!(world.examine().await, [""; 0]);
}

async fn two_who_pay_the_same_payment_back_at_once_pay_it_back_once(db: TestDatabase) {
    let (world, server, _, _) = shop(db, "basic").await;
    let finance = world.staff(&server, StaffRole::Finance).await;
    let admin = world.staff(&server, StaffRole::Admin).await;
    let payment = newest_payment(&finance, &invoice(&finance, 1).await).await;
    let both = async {
        tokio::join!(
            finance.payload("refundPayment", asked(&payment, None, "one"), REFUNDED),
            admin.payload("refundPayment", asked(&payment, None, "one"), REFUNDED),
        )
    };
    let (one, two) = world.working(both).await;
    let (made, late) = if one["userErrors"] == json!([]) { (one, two) } else { (two, one) };
    assert_eq!(
        (&made["payment"]["status"], refused(&late)),
        (&json!("REFUNDED"), ("INVALID_TRANSITION".to_owned(), "paymentId".to_owned()))
    );
    assert_eq!((world.gateway.refunds().await.unwrap().len(), world.examine().await), (1, Vec::new()));
}

async fn a_refund_that_cannot_be_is_refused_and_changes_nothing(db: TestDatabase) {
    let (world, server, payer, _) = owing(db, SandboxBehavior::Declines).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let (first, second) = (invoice(&staff, 1).await, invoice(&staff, 2).await);
    let (paid, failed) = (newest_payment(&staff, &first).await, newest_payment(&staff, &second).await);
    let rows = world.rows_of(payer.scope.business().uuid()).await;
    for (payment, amount, code, field) in [
        (paid.as_str(), Some("34.81"), "TOO_LARGE", "amount"),
        (&paid, Some("0.00"), "INVALID", "amount"),
        (&paid, Some("-1.00"), "INVALID", "amount"),
        (&paid, Some("1.001"), "INVALID", "amount"),
        (&failed, None, "INVALID_TRANSITION", "paymentId"),
        ("pay_01h455vb4pex5vsknk084sn02q", None, "NOT_FOUND", "paymentId"),
    ] {
        let payload = staff.payload("refundPayment", asked(payment, amount, "one"), REFUNDED).await;
        assert_eq!(refused(&payload), (code.to_owned(), field.to_owned()), "{amount:?}");
    }
    let mut wordy = asked(&paid, None, "one");
    wordy["memo"] = json!("é".repeat(501));
    assert_eq!(refused(&staff.payload("refundPayment", wordy, REFUNDED).await), ("TOO_LONG".to_owned(), "memo".to_owned()));
    assert_eq!(world.rows_of(payer.scope.business().uuid()).await, rows);
}
