//! Who may do what at the staff API: every query and mutation of the printed schema, as nobody and as each role.

use std::fmt::Write as _;

use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_lives::register;
use crate::world_staff::signed_in;

both!(each_role_may_do_what_the_table_says);

const SCHEMA: &str = include_str!("../../schema.staff.graphql");

/// Of each root field: its arguments and what is asked of its answer. What is allowed must come through the guard;
/// whether it is then refused for what it asks is told by other tests.
const FIELDS: &[(&str, &str, &str)] = &[
    ("archivePlan", "(input: { planId: \"pln_x\" })", "{ userErrors { code } }"),
    ("business", "(id: \"biz_x\")", "{ id }"),
    ("businesses", "", "{ nodes { id business { balance { amount } } } }"),
    (
        "createPlan",
        "(input: { product: \"erp\", code: \"x\", name: \"X\", description: \"X\", prices: [], features: [] })",
        "{ userErrors { code } }",
    ),
    ("invoices", "", "{ nodes { id } }"),
    ("node", "(id: \"inv_x\")", "{ id }"),
    ("nodes", "(ids: [\"inv_x\"])", "{ id }"),
    ("payments", "", "{ nodes { id } }"),
    ("plans", "", "{ id liveSubscriptions priceHistory { since } }"),
    ("restoreBusiness", "(input: { businessId: \"biz_x\" })", "{ userErrors { code } }"),
    (
        "setPlanPrice",
        "(input: { planId: \"pln_x\", price: { interval: MONTHLY, amount: { amount: \"1\", currency: \"KES\" }, taxBehavior: EXCLUSIVE } })",
        "{ userErrors { code } }",
    ),
    ("staffRefreshSession", "(input: { refreshToken: \"evr_x\" })", "{ userErrors { code } }"),
    ("staffSignIn", "(input: { email: \"nobody@staff.example\", password: \"x\" })", "{ userErrors { code } }"),
    ("staffSignOut", "(input: {})", "{ userErrors { code } }"),
    ("staffUsers", "", "{ id }"),
    ("staffViewer", "", "{ id }"),
    ("subscriptions", "", "{ nodes { id } }"),
    ("suspendBusiness", "(input: { businessId: \"biz_x\", reason: \"x\" })", "{ userErrors { code } }"),
];

/// Whether the guard let it through, or by which code it did not.
async fn verdict(client: &Client, document: &str, field: &str) -> String {
    let answer = client.ask(document, json!({})).await;
    match answer["errors"][0]["extensions"]["code"].as_str() {
        Some(code @ ("FORBIDDEN" | "UNAUTHENTICATED")) => {
            assert_eq!(answer["data"][field], Value::Null, "{document}: {answer:#}");
            code.to_owned()
        }
        Some(code) => panic!("{document} answers {code}: {answer:#}"),
        None => "allowed".to_owned(),
    }
}

async fn each_role_may_do_what_the_table_says(db: TestDatabase) {
    let world = World::at(db, "2027-01-10T09:00:00Z").await;
    world.seed_catalogue().await;
    let server = Server::start(&world).await;
    register(&server, "ann").await;
    let mut emails = Vec::new();
    for role in StaffRole::ALL {
        emails.push(world.add_staff(*role).await);
    }
    let schema = apollo_compiler::Schema::parse_and_validate(SCHEMA, "schema.staff.graphql").unwrap();
    let (mut table, mut walked) = (String::new(), Vec::new());
    for (root, operation) in [("Query", "query"), ("Mutation", "mutation")] {
        let mut fields: Vec<&str> = schema.get_object(root).unwrap().fields.keys().map(apollo_compiler::Name::as_str).collect();
        fields.sort_unstable();
        for field in fields {
            let trial = FIELDS.iter().find(|(name, ..)| *name == field);
            let (_, arguments, selection) = trial.unwrap_or_else(|| panic!("{field} is new: say how to try it, and who may"));
            let document = format!("{operation} {{ {field}{arguments} {selection} }}");
            write!(table, "{operation} {field}: nobody {}", verdict(&server.staff(), &document, field).await).unwrap();
            for (role, email) in StaffRole::ALL.iter().zip(&emails) {
                // Signed in anew for each: one of them signs out.
                let client = signed_in(&server, email).await;
                write!(table, ", {} {}", role.as_str(), verdict(&client, &document, field).await).unwrap();
            }
            table.push('\n');
            walked.push(field.to_owned());
        }
    }
    walked.sort_unstable();
    assert_eq!(walked, FIELDS.iter().map(|(name, ..)| *name).collect::<Vec<_>>(), "a trial of a field that is gone");
    insta::assert_snapshot!("staff_roles", table);
}
