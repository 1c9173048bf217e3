//! Credit notes by hand that are paid back, to the cent: 16 % comes on top of every price of the shop.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::Client;
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_staff::text;
use crate::world_staff_money::{MIDDLE, invoice, shop};

both!(
    staff_pay_a_part_of_an_invoice_back_once,
    a_note_by_hand_pays_back_what_gateways_took_and_the_rest_is_credit,
    a_note_by_hand_first_takes_off_what_is_due,
);

const NOTE: &str = "creditNote { amount { amount } tookOffAmountDue { amount } toRefund { amount } toAccountCredit { amount }
  refunds { status amount { amount } payment { status amountRefunded { amount } } } }";

/// A credit note on a line of an invoice that is to be paid back.
async fn input(staff: &Client, invoice: &str, line: usize, amount: &str, key: &str) -> Value {
    let found = staff.data("query($i: ID!) { node(id: $i) { ... on Invoice { lines { id } } } }", json!({ "i": invoice })).await;
    json!({
        "invoiceId": invoice, "lines": [{ "invoiceLineId": found["node"]["lines"][line]["id"], "amount": amount }],
        "reason": "GOODWILL", "settlement": "REFUND", "idempotencyKey": key,
    })
}

/// What a note came to: off what was due, paid back, account credit.
fn places(payload: &Value) -> [String; 3] {
    assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
    ["tookOffAmountDue", "toRefund", "toAccountCredit"].map(|field| text(&payload["creditNote"][field]["amount"]))
}

/// Issues one while a worker runs.
async fn pay_back(world: &World, staff: &Client, input: Value) -> Value {
    world.working(staff.payload("issueCreditNote", input, NOTE)).await
}

async fn staff_pay_a_part_of_an_invoice_back_once(db: TestDatabase) {
    let (world, server, payer, _) = shop(db, "basic").await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let on = invoice(&staff, 1).await;
    let asked = input(&staff, &on, 0, "10.00", "one").await;
    // 10.00 + 1.60 of 34.80.
    let made = pay_back(&world, &staff, asked.clone()).await;
    let expected = json!({
        "amount": { "amount": "11.60" }, "tookOffAmountDue": { "amount": "0.00" }, "toRefund": { "amount": "11.60" },
        "toAccountCredit": { "amount": "0.00" },
        "refunds": [{
            "status": "SUCCEEDED", "amount": { "amount": "11.60" },
            "payment": { "status": "PARTIALLY_REFUNDED", "amountRefunded": { "amount": "11.60" } },
        }],
    });
    assert_eq!(made["creditNote"], expected);
    assert_eq!(pay_back(&world, &staff, asked).await["creditNote"], expected);
    assert_eq!((world.gateway.refunds().await.unwrap().len(), world.balance(payer).await), (1, 0));
    // The rest, 20.00 + 3.20, and all of the payment is paid back.
    let rest = input(&staff, &on, 0, "20.00", "two").await;
    let all = pay_back(&world, &staff, rest).await;
    assert_eq!(places(&all), ["0.00", "23.20", "0.00"]);
    assert_eq!(all["creditNote"]["refunds"][0]["payment"], json!({ "status": "REFUNDED", "amountRefunded": { "amount": "34.80" } }));
    assert_eq!(world.examine().await, [""; 0]);
}

async fn a_note_by_hand_pays_back_what_gateways_took_and_the_rest_is_credit(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    // On 19 June 12 of 30 days are left: to 60.00 and back, 12.00 + 1.92 are credit.
    world.clock.set("2027-06-19T06:00:00Z".parse().unwrap());
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    world.change(payer, id, "basic", ChangeTiming::Now, Proration::ProrateNow).await;
    // July: 34.80, of which 13.92 by credit and 20.88 by the gateway.
    world.run_at("2027-06-30T21:00:00Z").await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let july = invoice(&staff, 3).await;
    let all = input(&staff, &july, 0, "30.00", "one").await;
    let made = pay_back(&world, &staff, all).await;
    assert_eq!(places(&made), ["0.00", "20.88", "13.92"]);
    assert_eq!((world.balance(payer).await, world.examine().await), (1_392, Vec::new()));
}

async fn a_note_by_hand_first_takes_off_what_is_due(db: TestDatabase) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.method(payer, SandboxBehavior::Declines).await;
    world.clock.set(MIDDLE.parse().unwrap());
    // 15/30 of 60.00 less as much of 30.00: 15.00 + 2.40, which nobody pays.
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let (first, second) = (invoice(&staff, 1).await, invoice(&staff, 2).await);
    // Nothing was taken for the second: 5.00 + 0.80 lower what is due on it.
    let asked = input(&staff, &second, 1, "5.00", "one").await;
    assert_eq!(places(&pay_back(&world, &staff, asked).await), ["5.80", "0.00", "0.00"]);
    // The first is paid: staff who ask for it pay it back, though another is open.
    let asked = input(&staff, &first, 0, "10.00", "two").await;
    assert_eq!(places(&pay_back(&world, &staff, asked).await), ["0.00", "11.60", "0.00"]);
    assert_eq!((world.billed(2, "amount_due_minor").await, world.balance(payer).await), (1_160, 0));
    assert_eq!(world.examine().await, [""; 0]);
}
