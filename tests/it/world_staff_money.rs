//! What tests of staff and money share: a shop with a customer in June, and what staff ask of its invoices.

use evolve_business::ids::SubscriptionId;
use serde_json::{Value, json};

use crate::client::{Client, Server, input_type};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_payments::Payer;
use crate::world_staff::text;

/// The first of June at 09:00 in Nairobi: the period has 30 days.
pub(crate) const JUNE: &str = "2027-06-01T06:00:00Z";
/// 15 days are left, the day itself included.
pub(crate) const MIDDLE: &str = "2027-06-16T06:00:00Z";
/// The first of July in Nairobi.
pub(crate) const JULY: &str = "2027-06-30T21:00:00Z";

pub(crate) const SUBSCRIPTION: &str = "subscription { status plan { id } } invoice { total { amount } status } creditNotes { amount { amount } tax { amount } toAccountCredit { amount } }";
pub(crate) const INVOICE: &str = "invoice { id status amountDue { amount } }";

/// The shop in June, a customer who pays, and their subscription to a plan of `books`.
pub(crate) async fn shop(db: TestDatabase, plan: &str) -> (World, Server, Payer, SubscriptionId) {
    let world = World::shop_at(db, JUNE).await;
    let server = Server::start(&world).await;
    let payer = world.customer().await;
    let id = world.subscribe(payer, plan).await.subscription;
    (world, server, payer, id)
}

/// The id of the invoice with that number.
pub(crate) async fn invoice(staff: &Client, number: u32) -> String {
    let filter = json!({ "n": format!("INV-2027-{number:06}") });
    text(&staff.data("query($n: String) { invoices(filter: { number: $n }) { nodes { id } } }", filter).await["invoices"]["nodes"][0]["id"])
}

/// A mutation of `{ "invoiceId", "reason", "idempotencyKey" }`.
pub(crate) async fn correct(world: &World, staff: &Client, field: &str, invoice: &str, key: &str) -> Value {
    let input = json!({ "invoiceId": invoice, "reason": " Agreed by phone. ", "idempotencyKey": key });
    world.working(staff.payload(field, input, INVOICE)).await
}

/// The first error: its code, and its field without `input`.
pub(crate) fn refused(payload: &Value) -> (String, String) {
    let error = &payload["userErrors"][0];
    let field: Vec<&str> = error["field"].as_array().into_iter().flatten().skip(1).filter_map(Value::as_str).collect();
    (text(&error["code"]), field.join("."))
}

pub(crate) async fn member(staff: &Client) -> String {
    text(&staff.data("{ staffViewer { id } }", json!({})).await["staffViewer"]["id"])
}

/// The type of the input of a mutation of staff: what is done in a business's place has that of the customer's own.
pub(crate) fn staff_input(field: &str) -> String {
    match field {
        "cancelForBusiness" => "CancelInput".to_owned(),
        "changePlanForBusiness" => "ChangePlanInput".to_owned(),
        _ => input_type(field),
    }
}

/// The payload of a mutation of staff.
pub(crate) async fn asked(staff: &Client, field: &str, input: Value, selection: &str) -> Value {
    staff.payload_of(field, &staff_input(field), input, selection).await
}

/// The same, which must refuse nothing.
pub(crate) async fn done(staff: &Client, field: &str, input: Value, selection: &str) -> Value {
    let payload = asked(staff, field, input, selection).await;
    assert_eq!(payload["userErrors"], json!([]), "{field}: {payload:#}");
    payload
}
