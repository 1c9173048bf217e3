//! How a balance came about, as the business and staff read it.

use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::database::TestDatabase;
use crate::statements::sign_in_again;
use crate::world_catalog::Statements;
use crate::world_staff::signed_in;
use crate::world_usage::Erp;

both!(what_moved_the_balance_is_listed_with_what_it_came_from, a_list_of_businesses_reads_their_movements_in_one_statement);

/// Reason, amount, balance after it, invoice and credit note of each movement.
fn told(page: &Value) -> Vec<[Value; 5]> {
    let nodes = page["nodes"].as_array().unwrap().iter();
    nodes
        .map(|node| {
            let amounts = (node["amount"]["amount"].clone(), node["balanceAfter"]["amount"].clone());
            [node["reason"].clone(), amounts.0, amounts.1, node["invoice"]["number"].clone(), node["creditNote"]["number"].clone()]
        })
        .collect()
}

const ENTRIES: &str = "totalCount pageInfo { hasNextPage endCursor }
  nodes { id reason amount { amount } balanceAfter { amount } invoice { number } creditNote { number } at }";

async fn what_moved_the_balance_is_listed_with_what_it_came_from(db: TestDatabase) {
    let mut erp = Erp::at(db, "2027-02-01T06:00:00Z", "big", "MONTHLY").await;
    // On the first day: 90.00 and 16 % back, 30.00 and 16 % charged: 69.60 are credit.
    erp.change("small", "PRORATE_NOW").await;
    erp.pass_to("2027-02-28T21:00:00Z").await;
    sign_in_again(&mut erp.owner, "ann").await;
    let query = format!("query($a: String) {{ profile {{ balance {{ amount }} creditEntries(first: 1, after: $a) {{ {ENTRIES} }} }} }}");
    let first = erp.owner.data(&query, json!({ "a": null })).await["profile"].take();
    // The renewal of 30.00 and 16 % is paid from it: 34.80.
    assert_eq!(first["balance"]["amount"], "34.80");
    let page = &first["creditEntries"];
    assert_eq!((&page["totalCount"], &page["pageInfo"]["hasNextPage"]), (&json!(2), &json!(true)));
    let used = ["APPLIED_TO_INVOICE", "-34.80", "34.80", "INV-2027-000002"].map(Value::from);
    assert_eq!(told(page), [[used[0].clone(), used[1].clone(), used[2].clone(), used[3].clone(), Value::Null]]);
    let next = erp.owner.data(&query, json!({ "a": page["pageInfo"]["endCursor"] })).await["profile"].take();
    let granted = ["CREDIT_NOTE", "69.60", "69.60", "INV-2027-000001", "CN-2027-000001"].map(Value::from);
    assert_eq!(told(&next["creditEntries"]), [granted]);
    let id = page["nodes"][0]["id"].as_str().unwrap();
    assert!(id.starts_with("cre_"), "{id}");
    let node = erp.owner.data("query($i: ID!) { node(id: $i) { ... on CreditEntry { reason } } }", json!({ "i": id })).await;
    assert_eq!(node["node"]["reason"], "APPLIED_TO_INVOICE");
}

async fn a_list_of_businesses_reads_their_movements_in_one_statement(db: TestDatabase) {
    let statements = Statements::default();
    let world = crate::world::World::with(db, "2027-02-01T06:00:00Z", |options| options.observer = Some(statements.observer())).await;
    let erp = Erp::of(world).await;
    let email = erp.world.add_staff(StaffRole::Finance).await;
    let staff = signed_in(&erp.server, &email).await;
    let query = format!("{{ businesses(first: 40) {{ nodes {{ business {{ creditEntries(first: 2) {{ {ENTRIES} }} }} }} }} }}");
    let mut counts = Vec::new();
    for more in ["bob", "eve"] {
        statements.clear();
        staff.data(&query, json!({})).await;
        counts.push(statements.texts().len());
        crate::world_lives::register(&erp.server, more).await;
    }
    assert_eq!(counts[0], counts[1]);
}
