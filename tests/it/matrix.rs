//! Who may do what: every query and mutation of the printed schema, and every field of the objects that have secrets
//! of their own, asked by everybody there is. The answers are a snapshot, to be read and agreed to as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;
use evolve_business::ids::BusinessId;
use evolve_business::store::TenantScope;
use evolve_business::store::types::{ApiScope, Role};
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::TestDatabase;
use crate::world::World;
use crate::world_accounts::PASSWORD;
use crate::world_keys::{make_key, program};
use crate::world_lives::Life;

/// A harmless request for each query and mutation: those who may are answered by an object or a refusal that changes
/// nothing of what the others ask. `$business`, `$subscription`, `$invoice`, `$payment` and `$plan` are ids that exist.
const REQUESTS: &[(&str, &str)] = &[
    ("changePlanPreview", "(input: { subscriptionId: $subscription, planId: $plan }) { userErrors { code } }"),
    ("creditNotes", " { nodes { id } }"),
    ("invoice", "(id: $invoice) { id }"),
    ("invoices", " { nodes { id } }"),
    ("node", "(id: $business) { id }"),
    ("nodes", "(ids: [$business]) { id }"),
    ("notificationPreferences", " { kind }"),
    ("notifications", " { nodes { id } }"),
    ("payment", "(id: $payment) { id }"),
    ("paymentMethods", " { id }"),
    ("payments", " { nodes { id } }"),
    ("plans", " { nodes { id } }"),
    ("products", " { id }"),
    ("profile", " { id }"),
    ("sessions", " { id }"),
    ("subscribePreview", "(input: { planId: $plan, interval: MONTHLY }) { userErrors { code } }"),
    ("subscription", "(product: \"erp\") { id }"),
    ("subscriptions", " { nodes { id } }"),
    ("viewer", " { business { id } }"),
    ("addPaymentMethod", "(input: { source: { sandbox: DECLINES } }) { userErrors { code } }"),
    ("cancel", "(input: { subscriptionId: \"sub_none\", timing: NOW, idempotencyKey: \"m\" }) { userErrors { code } }"),
    ("cancelPlanChange", "(input: { subscriptionId: \"sub_none\" }) { userErrors { code } }"),
    ("changePassword", "(input: { currentPassword: \"wrong\", newPassword: \"wrong\" }) { userErrors { code } }"),
    ("changePlan", "(input: { subscriptionId: \"sub_none\", planId: $plan, idempotencyKey: \"m\" }) { userErrors { code } }"),
    ("confirmEmail", "(input: { token: \"none\" }) { userErrors { code } }"),
    ("createApiKey", "(input: { name: \"\", scopes: [] }) { userErrors { code } }"),
    ("markNotificationsRead", "(input: { ids: [\"ntf_none\"] }) { userErrors { code } }"),
    ("payInvoice", "(input: { invoiceId: \"inv_none\", idempotencyKey: \"m\" }) { userErrors { code } }"),
    ("reactivate", "(input: { subscriptionId: \"sub_none\" }) { userErrors { code } }"),
    ("refreshSession", "(input: { refreshToken: \"none\" }) { userErrors { code } }"),
    (
        "register",
        "(input: { businessName: \"\", businessEmail: \"a@example.com\", industry: \"\", companySize: SIZE_1, country: \"KE\", postalCode: \"\", fullName: \"\", email: \"a@example.com\", password: \"\" }) { userErrors { code } }",
    ),
    ("removePaymentMethod", "(input: { paymentMethodId: \"pm_none\" }) { userErrors { code } }"),
    ("requestPasswordReset", "(input: { email: \"nobody@example.com\" }) { userErrors { code } }"),
    ("resendConfirmation", "(input: { email: \"nobody@example.com\" }) { userErrors { code } }"),
    ("resetPassword", "(input: { token: \"none\", password: \"none\" }) { userErrors { code } }"),
    ("revokeApiKey", "(input: { apiKeyId: \"key_none\" }) { userErrors { code } }"),
    ("revokeSession", "(input: { sessionId: \"ses_none\" }) { userErrors { code } }"),
    ("setAutoRenewal", "(input: { subscriptionId: \"sub_none\", autoRenewal: true }) { userErrors { code } }"),
    ("setDefaultPaymentMethod", "(input: { paymentMethodId: \"pm_none\" }) { userErrors { code } }"),
    ("setNotificationPreference", "(input: { kind: \"none\", channel: EMAIL, enabled: true }) { userErrors { code } }"),
    ("signIn", "(input: { email: \"nobody@example.com\", password: \"wrong\" }) { userErrors { code } }"),
    // Nobody is asked for by it again: see `ask`.
    ("signOut", "(input: {}) { userErrors { code } }"),
    ("subscribe", "(input: { planId: \"pln_none\", interval: MONTHLY, idempotencyKey: \"m\" }) { userErrors { code } }"),
    ("updateProfile", "(input: {}) { userErrors { code } }"),
];

/// The objects with fields that not everybody may read who may read the object, and where one is found; `?` is the field.
const OBJECTS: &[(&str, &str)] = &[
    ("Business", "profile { ? }"),
    ("Invoice", "invoice(id: $invoice) { ? }"),
    ("Subscription", "subscription(product: \"erp\") { ? }"),
    ("Viewer", "viewer { ? }"),
];

/// The objects with an id whose fields are all for whoever may read the object, and why.
const AS_A_WHOLE: &[(&str, &str)] = &[
    ("ApiKey", "shown to who manages keys, and to itself"),
    ("CreditNote", "all of money"),
    ("Member", "part of the profile"),
    ("Notification", "one's own"),
    ("Payment", "all of money"),
    ("PaymentMethod", "all of money"),
    ("Plan", "public"),
    ("Product", "public"),
    ("User", "part of the profile"),
    ("UserSession", "one's own"),
];

both!(the_matrix_of_who_may_do_what_is_as_it_was_agreed);

/// Everybody there is, under the heads of the columns.
struct Everybody {
    callers: Vec<(String, Client)>,
    variables: Value,
    server: Server,
}

impl Everybody {
    /// Nobody, a person of each role, a key of each scope, and a key of a product that asks about the business.
    async fn of(world: &World) -> Self {
        let server = Server::start(world).await;
        let life = Life::lived(world, &server, "ann").await;
        let scope = TenantScope::proved(BusinessId::parse(&life.business).unwrap());
        let mut callers = vec![("nobody".to_owned(), server.client())];
        for role in [Role::Member, Role::Billing, Role::Admin, Role::Owner] {
            let name = role.as_str();
            world.colleague(scope, role, &address(name)).await;
            callers.push((name.to_owned(), signed_in(&server, name).await));
        }
        for scope in ApiScope::ALL {
            let (_, key) = make_key(&life.client, &[scope.as_str()]).await;
            callers.push((format!("sk {}", scope.as_str()), program(&server, &key)));
        }
        let mut product = program(&server, &world.service_key().await);
        product.about = Some(life.business.clone());
        callers.push(("svc".to_owned(), product));
        let id = |prefix: &str| life.ids.iter().find(|id| id.starts_with(prefix)).unwrap().clone();
        let variables = json!({
            "business": life.business, "subscription": life.subscription, "plan": life.dearer_plan,
            "invoice": id("inv_"), "payment": id("pay_"),
        });
        Self { callers, variables, server }
    }

    /// What each is answered to `selection` of `operation`, of which `field` is the answer that counts.
    async fn ask(&self, operation: &str, selection: &str, path: &str) -> Vec<&'static str> {
        let used: Vec<String> =
            self.variables.as_object().unwrap().keys().filter(|name| selection.contains(&format!("${name}"))).cloned().collect();
        let declared: Vec<String> = used.iter().map(|name| format!("${name}: ID!")).collect();
        let declared = if declared.is_empty() { String::new() } else { format!("({})", declared.join(", ")) };
        let variables: Value =
            used.iter().map(|name| (name.clone(), self.variables[name].clone())).collect::<serde_json::Map<_, _>>().into();
        let document = format!("{operation}{declared} {{ {selection} }}");
        let mut cells = Vec::new();
        for (name, client) in &self.callers {
            // Who signs out comes in once more for it, and goes.
            let answer = if path == "/signOut" && client.token.is_some() && Role::parse(name).is_some() {
                signed_in(&self.server, name).await.ask(&document, variables.clone()).await
            } else {
                client.ask(&document, variables.clone()).await
            };
            cells.push(cell(&answer, path));
        }
        cells
    }

    /// A table of rows by their names.
    fn table(&self, title: &str, rows: &BTreeMap<String, Vec<&'static str>>) -> String {
        let first = rows.keys().map(String::len).max().unwrap_or(0).max(title.len());
        let mut text = format!("{title:first$}");
        for (name, _) in &self.callers {
            write!(text, " | {name}").unwrap();
        }
        for (row, cells) in rows {
            write!(text, "\n{row:first$}").unwrap();
            for ((name, _), cell) in self.callers.iter().zip(cells) {
                write!(text, " | {cell:width$}", width = name.len()).unwrap();
            }
        }
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

fn address(name: &str) -> String {
    format!("{}@example.com", name.to_lowercase())
}

/// The person of a role, signed in.
async fn signed_in(server: &Server, name: &str) -> Client {
    let mut client = server.client();
    let input = json!({ "email": address(name), "password": PASSWORD });
    let came = client.mutate("signIn", input, "session { accessToken }").await;
    client.token = Some(came["session"]["accessToken"].as_str().unwrap().to_owned());
    client
}

/// An answer in one word: `yes`; `-` for nothing, without a word why; `no` for FORBIDDEN; `who?` for UNAUTHENTICATED.
fn cell(answer: &Value, path: &str) -> &'static str {
    let codes: Vec<&Value> = answer["errors"].as_array().into_iter().flatten().map(|error| &error["extensions"]["code"]).collect();
    match &codes[..] {
        [] => match answer["data"].pointer(path) {
            None | Some(Value::Null) => "-",
            Some(Value::Array(items)) if items.iter().all(Value::is_null) && !items.is_empty() => "-",
            Some(_) => "yes",
        },
        [code] if *code == "FORBIDDEN" => "no",
        [code] if *code == "UNAUTHENTICATED" => "who?",
        _ => panic!("{answer:#}"),
    }
}

async fn the_matrix_of_who_may_do_what_is_as_it_was_agreed(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    let everybody = Everybody::of(&world).await;
    let schema = Schema::parse(include_str!("../../schema.graphql"), "schema.graphql").unwrap();
    let mut tables = vec!["yes: answered; -: nothing, as for what does not exist; no: FORBIDDEN; who?: UNAUTHENTICATED".to_owned()];
    for (root, operation) in [("Query", "query"), ("Mutation", "mutation")] {
        let mut rows = BTreeMap::new();
        for field in fields(&schema, root) {
            let asked = REQUESTS.iter().find(|(name, _)| *name == field);
            let (_, rest) = asked.unwrap_or_else(|| panic!("add a harmless request for {root}.{field} to REQUESTS"));
            let cells = everybody.ask(operation, &format!("{field}{rest}"), &format!("/{field}")).await;
            rows.insert(field, cells);
        }
        tables.push(everybody.table(operation, &rows));
    }
    for (object, place) in OBJECTS {
        let (root, inside) = (place.split([' ', '(']).next().unwrap(), fields(&schema, object));
        let mut rows = BTreeMap::new();
        for field in inside {
            let leaf = if is_leaf(&schema, object, &field) { field.clone() } else { format!("{field} {{ __typename }}") };
            let cells = everybody.ask("query", &place.replace('?', &leaf), &format!("/{root}")).await;
            rows.insert(field, cells);
        }
        tables.push(everybody.table(object, &rows));
    }
    insta::assert_snapshot!("who_may_do_what", tables.join("\n\n"));
}

/// Objects that are new are looked at: each is in one list or the other.
#[test]
fn every_object_with_an_id_is_walked_or_readable_as_a_whole() {
    let schema = Schema::parse(include_str!("../../schema.graphql"), "schema.graphql").unwrap();
    let with_id = schema.types.iter().filter_map(|(name, definition)| match definition {
        ExtendedType::Object(object) if object.implements_interfaces.contains("Node") => Some(name.to_string()),
        _ => None,
    });
    let listed = |name: &String| OBJECTS.iter().chain(AS_A_WHOLE).any(|(listed, _)| listed == name);
    assert_eq!(with_id.filter(|name| !listed(name)).collect::<Vec<_>>(), Vec::<String>::new());
}

/// The names of an object's fields.
fn fields(schema: &Schema, object: &str) -> Vec<String> {
    let Some(ExtendedType::Object(object)) = schema.types.get(object) else { panic!("the schema has no {object}") };
    object.fields.keys().map(ToString::to_string).collect()
}

/// Whether a field has no fields of its own.
fn is_leaf(schema: &Schema, object: &str, field: &str) -> bool {
    let Some(ExtendedType::Object(object)) = schema.types.get(object) else { panic!("the schema has no {object}") };
    let named = object.fields[field].ty.inner_named_type();
    matches!(schema.types[named], ExtendedType::Scalar(_) | ExtendedType::Enum(_))
}
