//! Two businesses in one database cannot see or touch each other: every field and mutation of the printed schema that
//! takes an id is tried as business B with business A's ids, and must answer the same bytes as for an id that does not
//! exist, and leave A's rows as they were.

use std::collections::BTreeSet;

use apollo_compiler::Schema;
use apollo_compiler::schema::ExtendedType;
use evolve_business::ids::{IdGen as _, SystemIds};
use evolve_business::store::types::StaffRole;
use serde_json::{Value, json};

use crate::client::{Client, Server};
use crate::database::{Kind, TestDatabase};
use crate::world::World;
use crate::world_lives::Life;

/// What is tried for an id argument: the path of the argument in the schema, and the documents with `$id` in its place.
struct Trial {
    /// `Query.invoice(id:)` or `CancelInput.subscriptionId`.
    argument: &'static str,
    /// Which of A's ids fit, by their prefix; empty: all of them.
    prefixes: &'static [&'static str],
    /// The document, with the variable `$id`.
    document: &'static str,
}

/// Arguments that name what is no tenant's. The list may only shrink.
const GLOBAL: &[(&str, &str)] = &[
    ("SubscribeInput.planId", "plans are the platform's"),
    ("SubscribePreviewInput.planId", "plans are the platform's"),
    ("ChangePlanInput.planId", "plans are the platform's"),
    ("ChangePlanPreviewInput.planId", "plans are the platform's"),
];

const TRIALS: &[Trial] = &[
    Trial { argument: "Query.node(id:)", prefixes: &[], document: "query($id: ID!) { node(id: $id) { __typename id } }" },
    Trial { argument: "Query.nodes(ids:)", prefixes: &[], document: "query($id: ID!) { nodes(ids: [$id]) { __typename id } }" },
    Trial { argument: "Query.invoice(id:)", prefixes: &[], document: "query($id: ID!) { invoice(id: $id) { id number } }" },
    Trial { argument: "Query.payment(id:)", prefixes: &[], document: "query($id: ID!) { payment(id: $id) { id status } }" },
    Trial {
        argument: "SubscriptionRoot.paymentChanged(paymentId:)",
        prefixes: &["pay"],
        document: "subscription($id: ID!) { paymentChanged(paymentId: $id) { id status } }",
    },
    Trial { argument: "Query.supportTicket(id:)", prefixes: &[], document: "query($id: ID!) { supportTicket(id: $id) { id status } }" },
    Trial {
        argument: "ReplyToSupportTicketInput.ticketId",
        prefixes: &["tkt"],
        document: "mutation($id: ID!) { replyToSupportTicket(input: { ticketId: $id, body: \"walk\" }) { ticket { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "CloseSupportTicketInput.ticketId",
        prefixes: &["tkt"],
        document: "mutation($id: ID!) { closeSupportTicket(input: { ticketId: $id }) { ticket { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "UpdateWebhookEndpointInput.endpointId",
        prefixes: &["whk"],
        document: "mutation($id: ID!) { updateWebhookEndpoint(input: { endpointId: $id, enabled: false }) { endpoint { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "RotateWebhookSecretInput.endpointId",
        prefixes: &["whk"],
        document: "mutation($id: ID!) { rotateWebhookSecret(input: { endpointId: $id }) { secret userErrors { code message field } } }",
    },
    Trial {
        argument: "ResendWebhookDeliveryInput.deliveryId",
        prefixes: &["dlv"],
        document: "mutation($id: ID!) { resendWebhookDelivery(input: { deliveryId: $id }) { delivery { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "DeleteWebhookEndpointInput.endpointId",
        prefixes: &["whk"],
        document: "mutation($id: ID!) { deleteWebhookEndpoint(input: { endpointId: $id }) { deletedId userErrors { code message field } } }",
    },
    Trial {
        argument: "PaymentFilter.invoiceId",
        prefixes: &["inv"],
        document: "query($id: ID!) { payments(filter: { invoiceId: $id }) { totalCount nodes { id } } }",
    },
    Trial {
        argument: "ChangePlanPreviewInput.subscriptionId",
        prefixes: &["sub"],
        document: "query($id: ID!, $plan: ID!) { changePlanPreview(input: { subscriptionId: $id, planId: $plan }) { preview { total { amount } } previewToken userErrors { code message field } } }",
    },
    Trial {
        argument: "SubscribeInput.paymentMethodId",
        prefixes: &["pm"],
        document: "mutation($id: ID!, $fresh: ID!) { subscribe(input: { planId: $fresh, interval: MONTHLY, trial: false, paymentMethodId: $id, idempotencyKey: \"walk\" }) { subscription { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "ChangePlanInput.subscriptionId",
        prefixes: &["sub"],
        document: "mutation($id: ID!, $plan: ID!) { changePlan(input: { subscriptionId: $id, planId: $plan, idempotencyKey: \"walk\" }) { subscription { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "ChangePlanInput.paymentMethodId",
        prefixes: &["pm"],
        document: "mutation($id: ID!, $plan: ID!, $own: ID!) { changePlan(input: { subscriptionId: $own, planId: $plan, timing: NOW, paymentMethodId: $id, idempotencyKey: \"walk\" }) { subscription { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "CancelPlanChangeInput.subscriptionId",
        prefixes: &["sub"],
        document: "mutation($id: ID!) { cancelPlanChange(input: { subscriptionId: $id }) { subscription { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "CancelInput.subscriptionId",
        prefixes: &["sub"],
        document: "mutation($id: ID!) { cancel(input: { subscriptionId: $id, timing: NOW, idempotencyKey: \"walk\" }) { subscription { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "ReactivateInput.subscriptionId",
        prefixes: &["sub"],
        document: "mutation($id: ID!) { reactivate(input: { subscriptionId: $id }) { subscription { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "SetAutoRenewalInput.subscriptionId",
        prefixes: &["sub"],
        document: "mutation($id: ID!) { setAutoRenewal(input: { subscriptionId: $id, autoRenewal: false }) { subscription { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "RemovePaymentMethodInput.paymentMethodId",
        prefixes: &["pm"],
        document: "mutation($id: ID!) { removePaymentMethod(input: { paymentMethodId: $id }) { removedId userErrors { code message field } } }",
    },
    Trial {
        argument: "SetDefaultPaymentMethodInput.paymentMethodId",
        prefixes: &["pm"],
        document: "mutation($id: ID!) { setDefaultPaymentMethod(input: { paymentMethodId: $id }) { paymentMethod { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "PayInvoiceInput.invoiceId",
        prefixes: &["inv"],
        document: "mutation($id: ID!) { payInvoice(input: { invoiceId: $id, idempotencyKey: \"walk\" }) { payment { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "PayInvoiceInput.paymentMethodId",
        prefixes: &["pm"],
        document: "mutation($id: ID!, $open: ID!) { payInvoice(input: { invoiceId: $open, paymentMethodId: $id, idempotencyKey: \"walk\" }) { payment { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "MarkNotificationsReadInput.ids",
        prefixes: &["ntf"],
        document: "mutation($id: ID!) { markNotificationsRead(input: { ids: [$id] }) { unreadCount userErrors { code message field } } }",
    },
    Trial {
        argument: "RevokeSessionInput.sessionId",
        prefixes: &["ses"],
        document: "mutation($id: ID!) { revokeSession(input: { sessionId: $id }) { revokedId userErrors { code message field } } }",
    },
    Trial {
        argument: "RevokeApiKeyInput.apiKeyId",
        prefixes: &["key"],
        document: "mutation($id: ID!) { revokeApiKey(input: { apiKeyId: $id }) { revokedId userErrors { code message field } } }",
    },
    Trial {
        argument: "UpdateMemberInput.memberId",
        prefixes: &["mem"],
        document: "mutation($id: ID!) { updateMember(input: { memberId: $id, role: MEMBER }) { member { id } userErrors { code message field } } }",
    },
    Trial {
        argument: "RemoveMemberInput.memberId",
        prefixes: &["mem"],
        document: "mutation($id: ID!) { removeMember(input: { memberId: $id }) { removedId userErrors { code message field } } }",
    },
    Trial {
        argument: "SwitchBusinessInput.businessId",
        prefixes: &["biz"],
        document: "mutation($id: ID!) { switchBusiness(input: { businessId: $id }) { viewer { role } userErrors { code message field } } }",
    },
    Trial {
        argument: "RevokeInvitationInput.invitationId",
        prefixes: &["ivt"],
        document: "mutation($id: ID!) { revokeInvitation(input: { invitationId: $id }) { revokedId userErrors { code message field } } }",
    },
    Trial {
        argument: "SignInInput.businessId",
        prefixes: &["biz"],
        document: "mutation($id: ID!, $email: EmailAddress!, $password: String!) { signIn(input: { email: $email, password: $password, businessId: $id }) { viewer { role } userErrors { code message field } } }",
    },
];

both!(another_business_s_ids_answer_as_ids_that_do_not_exist, no_id_crosses_by_the_database_s_own_wall);

/// With the application's filter and, on PostgreSQL, the database's own wall.
async fn another_business_s_ids_answer_as_ids_that_do_not_exist(db: TestDatabase) {
    let world = World::at(db, "2027-01-31T09:00:00Z").await;
    walk(&world).await;
}

/// PostgreSQL's wall alone: the application's own filter is switched off. SQLite has no such wall, so there the filter stays.
async fn no_id_crosses_by_the_database_s_own_wall(db: TestDatabase) {
    let alone = db.kind == Kind::Postgres;
    let world = World::with(db, "2027-01-31T09:00:00Z", |options| options.application_filter = !alone).await;
    walk(&world).await;
}

async fn walk(world: &World) {
    let server = Server::start(world).await;
    let mut a = Life::lived(world, &server, "ann").await;
    let (note, refund) = a.refunded(world, &world.staff(&server, StaffRole::Finance).await).await;
    let another = a.credited(world).await;
    a.ids.extend([note, refund, another, a.credit_entry().await]);
    let input = json!({ "email": "invited@example.com", "role": "MEMBER" });
    let invited = a.client.mutate("inviteMember", input, "invitation { id }").await;
    a.ids.push(invited["invitation"]["id"].as_str().unwrap().to_owned());
    let (ticket, message) = a.asked_support().await;
    a.ids.extend([ticket, message, a.submitted().await]);
    let (endpoint, delivery) = a.hooked(world).await;
    let asked = a.client.mutate("requestDataExport", json!({ "password": a.password }), "export { id }").await;
    a.ids.extend([endpoint, delivery, asked["export"]["id"].as_str().unwrap().to_owned()]);
    let b = Life::lived(world, &server, "ben").await;
    assert_eq!(every_id_argument(), listed(), "each id argument of the schema is tried, or listed as no tenant's");

    let before = world.rows_of(a.business_uuid()).await;
    for trial in TRIALS {
        for id in
            a.ids.iter().filter(|id| trial.prefixes.is_empty() || trial.prefixes.iter().any(|prefix| id.starts_with(&format!("{prefix}_"))))
        {
            let nobody = stranger(id);
            let foreign = answer(&b, trial.document, id).await;
            let absent = answer(&b, trial.document, &nobody).await;
            assert_eq!(foreign, absent, "{} with {id}", trial.argument);
        }
    }
    assert_eq!(world.rows_of(a.business_uuid()).await, before, "what B tried left A's rows as they were");
}

/// The answer's status and bytes, with the id that was sent blotted out.
async fn answer(life: &Life, document: &str, id: &str) -> (u16, String) {
    let mut variables = json!({ "id": id });
    for (name, value) in [
        ("plan", &life.dearer_plan),
        ("fresh", &life.fresh_plan),
        ("own", &life.subscription),
        ("open", &life.open_invoice),
        ("email", &life.email),
        ("password", &life.password),
    ] {
        if document.contains(&format!("${name}:")) {
            variables[name] = Value::String(value.clone());
        }
    }
    let client: &Client = &life.client;
    if document.starts_with("subscription") {
        return (200, client.begin(document, variables).await.to_string().replace(id, "ID"));
    }
    let (status, body) = client.raw_as("walk", document, &variables).await;
    (status, body.replace(id, "ID"))
}

/// An id of the same kind that nobody has.
fn stranger(id: &str) -> String {
    use type_safe_id::{DynamicType, TypeSafeId};
    let (prefix, _) = id.rsplit_once('_').unwrap();
    TypeSafeId::from_type_and_uuid(DynamicType::new(prefix).unwrap(), SystemIds.next_uuid()).to_string()
}

/// Every argument and input field of type `ID` that the printed schema has.
fn every_id_argument() -> BTreeSet<String> {
    let schema = Schema::parse(include_str!("../../schema.graphql"), "schema.graphql").unwrap();
    let mut found = BTreeSet::new();
    for (name, definition) in &schema.types {
        match definition {
            ExtendedType::Object(object) => {
                for (field, definition) in &object.fields {
                    for argument in definition.arguments.iter().filter(|argument| argument.ty.inner_named_type() == "ID") {
                        found.insert(format!("{name}.{field}({}:)", argument.name));
                    }
                }
            }
            ExtendedType::InputObject(input) => {
                for (field, _) in input.fields.iter().filter(|(_, definition)| definition.ty.inner_named_type() == "ID") {
                    found.insert(format!("{name}.{field}"));
                }
            }
            _ => {}
        }
    }
    found
}

/// The arguments that are tried, and those that are no tenant's.
fn listed() -> BTreeSet<String> {
    TRIALS.iter().map(|trial| trial.argument.to_owned()).chain(GLOBAL.iter().map(|(argument, _)| (*argument).to_owned())).collect()
}
