//! Every text that the API takes, found by walking the printed schema, given more than it takes, and what no line holds.

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::{ExtendedType, FieldDefinition};
use serde_json::{Value, json};

use super::{lived, tells_nothing};
use crate::database::TestDatabase;
use crate::world_lives::{Life, PASSWORD, add_method};

both!(
    every_text_of_a_hundred_thousand_characters_is_refused,
    every_text_with_control_characters_is_refused,
    every_empty_text_is_answered,
    letters_of_all_scripts_are_kept_where_text_is_free,
);

/// Where a text may stand: below which field of the root, and at which path in its arguments.
struct Place {
    /// `mutation` or `query`.
    operation: &'static str,
    /// The field of the root.
    field: String,
    /// Its arguments as the schema declares them: name and type.
    arguments: Vec<(String, Type)>,
    /// From the arguments down to the text.
    path: Vec<String>,
    /// The text's type.
    scalar: String,
    /// Whether it stands in a list.
    listed: bool,
    /// Whether the field answers a payload.
    payload: bool,
}

impl Place {
    /// `cancel(input.reason)`.
    fn name(&self) -> String {
        format!("{}({})", self.field, self.path.join("."))
    }

    /// The document with a variable for each argument.
    fn document(&self, variables: &Value) -> String {
        let sent: Vec<_> = self.arguments.iter().filter(|(name, _)| variables.get(name).is_some()).collect();
        let declared: Vec<String> = sent.iter().map(|(name, ty)| format!("${name}: {ty}")).collect();
        let passed: Vec<String> = sent.iter().map(|(name, _)| format!("{name}: ${name}")).collect();
        let selection = match self.field.as_str() {
            // What is wrong with one event is said of it.
            "recordUsage" => "rejected { error { code field } } userErrors { code field }",
            _ if self.payload => "userErrors { code field }",
            _ => "__typename",
        };
        format!("{}({}) {{ {}({}) {{ {selection} }} }}", self.operation, declared.join(", "), self.field, passed.join(", "))
    }

    /// Good arguments but for `text` in this place.
    fn variables(&self, good: &Value, text: &str) -> Value {
        let mut variables = match good.get(&self.field) {
            // A query of several arguments.
            Some(good) if good.get("arguments").is_some() => good["arguments"].clone(),
            Some(input) => json!({ "input": input }),
            None => json!({}),
        };
        let (last, above) = self.path.split_last().unwrap();
        let mut object = &mut variables;
        for name in above {
            object = &mut object[name];
            if object.is_array() {
                object = &mut object[0];
            }
        }
        // Of a source there is exactly one kind.
        if above.last().is_some_and(|name| name == "source") {
            *object = json!({});
        }
        object[last] = if self.listed { json!([text]) } else { json!(text) };
        variables
    }
}

/// Every place of the printed schema's roots that takes a text.
fn places() -> Vec<Place> {
    let schema = Schema::parse(include_str!("../../../schema.graphql"), "schema.graphql").unwrap();
    let mut found = Vec::new();
    for (root, operation) in [("Mutation", "mutation"), ("Query", "query")] {
        let ExtendedType::Object(root) = &schema.types[root] else { panic!("{root} is an object") };
        for (field, definition) in &root.fields {
            for argument in &definition.arguments {
                let path = vec![argument.name.to_string()];
                below(&schema, operation, field, definition, path, &argument.ty, &mut found);
            }
        }
    }
    found
}

/// The places in a value of type `ty` at `path`.
fn below(
    schema: &Schema,
    operation: &'static str,
    field: &str,
    root: &FieldDefinition,
    path: Vec<String>,
    ty: &Type,
    found: &mut Vec<Place>,
) {
    let named = ty.inner_named_type();
    match &schema.types[named] {
        ExtendedType::InputObject(input) => {
            for (name, definition) in &input.fields {
                let path = path.iter().cloned().chain([name.to_string()]).collect();
                below(schema, operation, field, root, path, &definition.ty, found);
            }
        }
        ExtendedType::Scalar(_) if !["Int", "Boolean", "Float"].contains(&named.as_str()) => found.push(Place {
            operation,
            field: field.to_owned(),
            arguments: root.arguments.iter().map(|argument| (argument.name.to_string(), (*argument.ty).clone())).collect(),
            path,
            scalar: named.to_string(),
            listed: ty.is_list(),
            payload: root.ty.inner_named_type().ends_with("Payload"),
        }),
        _ => {}
    }
}

/// A good input of each field that takes one: sent as it is, it would do something.
fn good(life: &Life, method: &str) -> Value {
    json!({
        "addPaymentMethod": { "source": { "sandbox": "SUCCEEDS" } },
        "cancel": { "subscriptionId": life.subscription, "idempotencyKey": "good" },
        "cancelPlanChange": { "subscriptionId": life.subscription },
        "changePassword": { "currentPassword": PASSWORD, "newPassword": "some-other-lantern-42" },
        "changePlan": { "subscriptionId": life.subscription, "planId": life.dearer_plan, "idempotencyKey": "good" },
        "changePlanPreview": { "subscriptionId": life.subscription, "planId": life.dearer_plan },
        "confirmEmail": { "token": "none" },
        "featureAccess": { "arguments": { "product": "erp", "feature": "invoices.sent" } },
        "invoices": {},
        "markNotificationsRead": { "ids": ["none"] },
        "payInvoice": { "invoiceId": life.open_invoice, "paymentMethodId": method, "idempotencyKey": "good" },
        "payments": {},
        "reactivate": { "subscriptionId": life.subscription },
        "recordUsage": { "events": [{ "eventId": "good", "product": "erp", "feature": "invoices.sent", "quantity": "1" }] },
        "refreshSession": { "refreshToken": "none" },
        "requestPasswordReset": { "email": life.email },
        "resendConfirmation": { "email": life.email },
        "resetPassword": { "token": "none", "password": "some-other-lantern-42" },
        "register": {
            "businessName": "New", "businessEmail": "new@example.com", "industry": "Retail", "companySize": "SIZE_1", "country": "KE",
            "postalCode": "00100", "fullName": "New", "email": "new@example.com", "password": PASSWORD,
        },
        "removePaymentMethod": { "paymentMethodId": method },
        "revokeSession": { "sessionId": "none" },
        "setAutoRenewal": { "subscriptionId": life.subscription, "autoRenewal": false },
        "setNotificationPreference": { "kind": "invoice.issued", "channel": "EMAIL", "enabled": false },
        "setDefaultPaymentMethod": { "paymentMethodId": method },
        "signIn": { "email": life.email, "password": PASSWORD },
        "subscribe": { "planId": life.fresh_plan, "interval": "MONTHLY", "idempotencyKey": "good" },
        "subscribePreview": { "planId": life.fresh_plan, "interval": "MONTHLY" },
        "updateProfile": {},
    })
}

/// What a place may answer besides TOO_LONG and INVALID, since the text names or proves something.
fn also(place: &Place) -> &'static [&'static str] {
    match place.path.last().unwrap().as_str() {
        _ if place.scalar == "ID" => &["NOT_FOUND"],
        // Whatever else is wrong, the token is none.
        _ if place.field == "resetPassword" || place.field == "confirmEmail" => &["TOKEN_EXPIRED"],
        "kind" => &["NOT_FOUND"],
        "product" | "feature" if place.field == "recordUsage" => &["NOT_FOUND"],
        "coupon" => &["COUPON_NOT_APPLICABLE"],
        "previewToken" => &["STALE_PREVIEW"],
        "refreshToken" => &["TOKEN_EXPIRED"],
        "password" | "currentPassword" | "newPassword" => &["INVALID_CREDENTIALS", "WEAK_PASSWORD"],
        _ => &[],
    }
}

/// The codes of an answer: of its errors, or of its payload's refusals; none where it did what was asked.
fn codes(what: &str, answer: &Value, place: &Place) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    if let Some(errors) = answer.get("errors") {
        let codes: Vec<String> = errors.as_array().unwrap().iter().map(|error| text(&error["extensions"]["code"])).collect();
        assert!(codes.iter().all(|code| code == "BAD_USER_INPUT"), "{what}: {answer}");
        return codes;
    }
    let payload = &answer["data"][&place.field];
    let refusals = payload["userErrors"].as_array().into_iter().flatten();
    let rejected = payload["rejected"].as_array().into_iter().flatten().map(|rejected| &rejected["error"]);
    refusals.chain(rejected).map(|refusal| text(&refusal["code"])).collect()
}

/// A new password may be of any characters: it is hashed and never shown.
const NEW_PASSWORDS: [&str; 2] = ["changePassword(input.newPassword)", "register(input.password)"];

/// Sends `text` in every place but those of `free`; each must be refused or, in a query, find nothing, and nothing may change.
async fn every_place_refuses(db: TestDatabase, text: &str, free: &[&str]) {
    let (world, _server, life) = lived(db).await;
    let method = add_method(&life.client, "SUCCEEDS").await;
    let good = good(&life, &method);
    let before = world.rows_of(life.business_uuid()).await;
    let (businesses, mut tried) = (world.read_texts("select business_name from businesses").await, 0);
    for place in places().into_iter().filter(|place| !free.contains(&place.name().as_str())) {
        let variables = place.variables(&good, text);
        let (status, body) = life.client.raw(&place.document(&variables), &variables).await;
        let what = place.name();
        tells_nothing(&what, &body);
        assert!(body.len() < 10_000, "{what}: an answer does not say again what it was sent: {} bytes", body.len());
        assert!([200, 400].contains(&status), "{what}: {status} {body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        let codes = codes(&what, &answer, &place);
        let fits =
            |code: &String| ["BAD_USER_INPUT", "TOO_LONG", "INVALID"].contains(&code.as_str()) || also(&place).contains(&code.as_str());
        assert!(codes.iter().all(fits), "{what}: {body}");
        assert!(!codes.is_empty() || (place.operation == "query" && !place.payload), "{what} took it: {body}");
        tried += 1;
    }
    assert!(tried > 60, "{tried} places");
    assert_eq!(world.rows_of(life.business_uuid()).await, before);
    assert_eq!(world.read_texts("select business_name from businesses").await, businesses);
}

async fn every_text_of_a_hundred_thousand_characters_is_refused(db: TestDatabase) {
    every_place_refuses(db, &"x".repeat(100_000), &[]).await;
}

async fn every_text_with_control_characters_is_refused(db: TestDatabase) {
    every_place_refuses(db, "a\u{0}b\u{7}c\u{1b}[2J", &NEW_PASSWORDS).await;
}

async fn every_empty_text_is_answered(db: TestDatabase) {
    let (_world, _server, life) = lived(db).await;
    let method = add_method(&life.client, "SUCCEEDS").await;
    let good = good(&life, &method);
    let places = places();
    // Nothing needs no reason, and signing out ends the session that asks.
    for place in places.iter().filter(|place| place.path.last().unwrap() != "reason" && place.field != "signOut") {
        let variables = place.variables(&good, "");
        let (status, body) = life.client.raw(&place.document(&variables), &variables).await;
        let what = place.name();
        tells_nothing(&what, &body);
        assert!([200, 400].contains(&status), "{what}: {status} {body}");
        codes(&what, &serde_json::from_str(&body).unwrap(), place);
    }
}

async fn letters_of_all_scripts_are_kept_where_text_is_free(db: TestDatabase) {
    let (world, _server, life) = lived(db).await;
    for text in [
        "Café Ñandú & Söhne",
        "شركة النور",
        "חברת אור",
        "開発株式会社",
        "Ọjà 😀👩🏾‍🌾",
        "O'Brien; DROP TABLE businesses; --",
        "<script>alert(1)</script>",
    ] {
        let input = json!({ "businessName": text, "industry": text, "addressLine": text, "city": text });
        let shown = life.client.mutate("updateProfile", input, "business { businessName industry addressLine city }").await;
        let expected = json!({ "businessName": text, "industry": text, "addressLine": text, "city": text });
        assert_eq!(shown["business"], expected);
    }
    // What turns the direction of all that follows is no letter.
    let turned = life.client.payload("updateProfile", json!({ "city": "\u{202e}iboriaN" }), "business { city }").await;
    assert_eq!(turned["userErrors"][0]["code"], "INVALID", "{turned}");

    let reason = "سعر مرتفع 😀\nzweite Zeile";
    let input = json!({ "subscriptionId": life.subscription, "reason": reason, "idempotencyKey": "reason" });
    let canceled = life.client.mutate("cancel", input, "subscription { cancelAt }").await;
    assert!(canceled["subscription"]["cancelAt"].is_string(), "{canceled}");
    assert_eq!(world.read_texts("select cancel_reason from subscriptions where cancel_reason is not null").await, [reason]);
}
