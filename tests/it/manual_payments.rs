//! Payments that came outside any gateway, to the cent: 16 % comes on top of every price of the shop.

use evolve_business::adapters::payment::SandboxBehavior;
use evolve_business::billing::change::{ChangeTiming, Proration};
use evolve_business::ids::SubscriptionId;
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_payments::Payer;
use crate::world_staff_money::{MIDDLE, invoice, member, refused, shop};

both!(
    a_transfer_lowers_what_is_due_settles_it_and_its_subscription_is_well_again,
    money_that_comes_for_a_paid_invoice_is_account_credit,
    the_same_receipt_is_recorded_once_whoever_records_it_at_the_same_time,
    nothing_is_recorded_while_a_payment_of_the_invoice_is_under_way,
    a_payment_that_cannot_be_so_is_refused_and_changes_nothing,
);

const RECORDED: &str = "payment { status methodKind methodLabel receipt attempt amount { amount } } invoice { status amountPaid { amount } amountDue { amount } }";

/// What came for an invoice, on the day of [`MIDDLE`].
pub(crate) fn came(invoice: &str, amount: &str, receipt: &str) -> Value {
    json!({
        "invoiceId": invoice, "amount": { "amount": amount, "currency": "KES" }, "receipt": receipt, "receivedOn": "2027-06-15",
        "idempotencyKey": receipt,
    })
}

/// A customer whose second invoice is declined: on 16 June 15 of 30 days are left, so that 60.00 for 30.00 is 15.00, and 2.40 of tax.
pub(crate) async fn owing(db: TestDatabase, behavior: SandboxBehavior) -> (World, Server, Payer, SubscriptionId) {
    let (world, server, payer, id) = shop(db, "basic").await;
    world.method(payer, behavior).await;
    world.clock.set(MIDDLE.parse().unwrap());
    world.change(payer, id, "plus", ChangeTiming::Now, Proration::ProrateNow).await;
    assert_eq!(world.billed(2, "amount_due_minor").await, 1_740);
    (world, server, payer, id)
}

async fn record(staff: &Client, input: Value) -> Value {
    let payload = staff.payload("recordPayment", input, RECORDED).await;
    assert_eq!(payload["userErrors"], json!([]), "{payload:#}");
    payload
}

async fn a_transfer_lowers_what_is_due_settles_it_and_its_subscription_is_well_again(db: TestDatabase) {
    let (world, server, payer, id) = owing(db, SandboxBehavior::Declines).await;
    assert_eq!(world.subscription(payer, id).await.status.as_str(), "PAST_DUE");
    let staff = world.staff(&server, StaffRole::Finance).await;
    let second = invoice(&staff, 2).await;
    // 17.40 less 10.00.
    let part = record(&staff, came(&second, "10.00", " FT2716A ")).await;
    assert_eq!(part["invoice"], json!({ "status": "OPEN", "amountPaid": { "amount": "10.00" }, "amountDue": { "amount": "7.40" } }));
    // The first attempt was the card's.
    let payment = json!({
        "status": "SUCCEEDED", "methodKind": "BANK_TRANSFER", "methodLabel": "Transfer, cheque or cash", "receipt": "FT2716A", "attempt": 2,
        "amount": { "amount": "10.00" },
    });
    assert_eq!((&part["payment"], world.subscription(payer, id).await.status.as_str()), (&payment, "PAST_DUE"));
    assert_eq!((world.balance(payer).await, world.examine().await), (0, Vec::new()));
    // 10.00 for 7.40: 2.60 is account credit.
    let rest = record(&staff, came(&second, "10.00", "FT2716B")).await;
    assert_eq!(rest["invoice"], json!({ "status": "PAID", "amountPaid": { "amount": "17.40" }, "amountDue": { "amount": "0.00" } }));
    assert_eq!((world.balance(payer).await, world.subscription(payer, id).await.status.as_str()), (260, "ACTIVE"));
    let reasons = world.read_texts("select reason from credit_entries").await;
    assert_eq!((reasons, world.examine().await), (vec!["OVERPAYMENT".to_owned()], Vec::new()));
    // The same key again answers the same payment.
    let document = format!("mutation($i: RecordPaymentInput!) {{ recordPayment(input: $i) {{ {RECORDED} userErrors {{ code }} }} }}");
    let again = staff.ask(&document, json!({ "i": came(&second, "10.00", "FT2716B") })).await;
    assert_eq!(again["data"]["recordPayment"]["payment"]["attempt"], json!(3), "{again:#}");
    assert_eq!(again["extensions"]["idempotentReplay"], json!([["recordPayment"]]));
    let mut other = came(&second, "11.00", "FT2716B");
    assert_eq!(refused(&staff.payload("recordPayment", other.clone(), RECORDED).await).0, "IDEMPOTENCY_KEY_REUSED");
    other["idempotencyKey"] = json!("another");
    assert_eq!(refused(&staff.payload("recordPayment", other, RECORDED).await), ("TAKEN".to_owned(), "receipt".to_owned()));
    let acts = world.read_texts("select actor from audit_events where action = 'payment.recorded'").await;
    let member = member(&staff).await;
    assert_eq!((acts, world.balance(payer).await), (vec![member.clone(), member], 260));
    // July is billed as ever: 60.00 and 9.60, less the credit of 2.60.
    world.method(payer, SandboxBehavior::Succeeds).await;
    world.run_at("2027-06-30T21:00:00Z").await;
    assert_eq!((world.billed(3, "credit_applied_minor").await, world.billed(3, "amount_paid_minor").await), (260, 6_700));
}

async fn money_that_comes_for_a_paid_invoice_is_account_credit(db: TestDatabase) {
    let (world, server, payer, _) = shop(db, "basic").await;
    world.clock.set(MIDDLE.parse().unwrap());
    let staff = world.staff(&server, StaffRole::Admin).await;
    let first = invoice(&staff, 1).await;
    // The card has paid 34.80, and the customer has transferred it too.
    let twice = record(&staff, came(&first, "34.80", "FT1")).await;
    assert_eq!(twice["invoice"], json!({ "status": "PAID", "amountPaid": { "amount": "34.80" }, "amountDue": { "amount": "0.00" } }));
    let reasons = world.read_texts("select reason from credit_entries").await;
    assert_eq!((reasons, world.balance(payer).await), (vec!["LATE_PAYMENT".to_owned()], 3_480));
    assert_eq!(world.examine().await, [""; 0]);
}

async fn the_same_receipt_is_recorded_once_whoever_records_it_at_the_same_time(db: TestDatabase) {
    let (world, server, payer, _) = owing(db, SandboxBehavior::Declines).await;
    let finance = world.staff(&server, StaffRole::Finance).await;
    let admin = world.staff(&server, StaffRole::Admin).await;
    let second = invoice(&finance, 2).await;
    let (one, two) = tokio::join!(
        finance.payload("recordPayment", came(&second, "10.00", "FT1"), RECORDED),
        admin.payload("recordPayment", came(&second, "10.00", "FT1"), RECORDED),
    );
    let (made, late) = if one["userErrors"] == json!([]) { (one, two) } else { (two, one) };
    assert_eq!((&made["payment"]["status"], refused(&late)), (&json!("SUCCEEDED"), ("TAKEN".to_owned(), "receipt".to_owned())));
    assert_eq!((world.billed(2, "amount_due_minor").await, world.count("payments", "gateway = 'manual'").await), (740, 1));
    assert_eq!((world.balance(payer).await, world.examine().await), (0, Vec::new()));
}

async fn nothing_is_recorded_while_a_payment_of_the_invoice_is_under_way(db: TestDatabase) {
    let (world, server, payer, _) = owing(db, SandboxBehavior::TimesOut).await;
    let staff = world.staff(&server, StaffRole::Finance).await;
    let second = invoice(&staff, 2).await;
    assert_eq!(world.count("payments", "status = 'UNKNOWN'").await, 1);
    let rows = world.rows_of(payer.scope.business().uuid()).await;
    let payload = staff.payload("recordPayment", came(&second, "17.40", "FT1"), RECORDED).await;
    assert_eq!(refused(&payload), ("PAYMENT_IN_PROGRESS".to_owned(), "invoiceId".to_owned()));
    assert_eq!(world.rows_of(payer.scope.business().uuid()).await, rows);
}

async fn a_payment_that_cannot_be_so_is_refused_and_changes_nothing(db: TestDatabase) {
    let (world, server, payer, _) = owing(db, SandboxBehavior::Declines).await;
    // Half past midnight of 16 June in Nairobi, where the seller is.
    world.clock.set("2027-06-15T21:30:00Z".parse().unwrap());
    let staff = world.staff(&server, StaffRole::Finance).await;
    let second = invoice(&staff, 2).await;
    let rows = world.rows_of(payer.scope.business().uuid()).await;
    let cases = [
        ("/amount/amount", "0", "INVALID", "amount.amount"),
        ("/amount/amount", "-1.00", "INVALID", "amount.amount"),
        ("/amount/amount", "1.005", "INVALID", "amount.amount"),
        ("/amount/amount", "99999999999999999", "TOO_LARGE", "amount.amount"),
        ("/amount/currency", "USD", "CURRENCY_MISMATCH", "amount"),
        ("/receipt", " ", "REQUIRED", "receipt"),
        ("/receipt", &"é".repeat(65), "TOO_LONG", "receipt"),
        ("/receipt", "FT\n1", "INVALID", "receipt"),
        ("/receivedOn", "2027-06-17", "INVALID", "receivedOn"),
        ("/receivedOn", "2017-06-15", "INVALID", "receivedOn"),
        ("/invoiceId", "inv_01h455vb4pex5vsknk084sn02q", "NOT_FOUND", "invoiceId"),
        ("/idempotencyKey", "", "INVALID", "idempotencyKey"),
    ];
    for (place, given, code, field) in cases {
        let mut input = came(&second, "17.40", "FT1");
        *input.pointer_mut(place).unwrap() = json!(given);
        let payload = staff.payload("recordPayment", input, RECORDED).await;
        assert_eq!(refused(&payload), (code.to_owned(), field.to_owned()), "{place} {given}");
    }
    assert_eq!(world.rows_of(payer.scope.business().uuid()).await, rows);
    // The longest receipt, and the day that it is there.
    let mut last = came(&second, "17.40", &"é".repeat(64));
    last["receivedOn"] = json!("2027-06-16");
    last["idempotencyKey"] = json!("last");
    assert_eq!(record(&staff, last).await["invoice"]["status"], json!("PAID"));
    assert_eq!(world.examine().await, [""; 0]);
}
