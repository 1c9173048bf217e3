//! The business API, by noun: what SPA frontends, partners and dashboards see at `POST /graphql`.
#![expect(clippy::unused_async, reason = "a resolver is async whether it waits or not")]

pub mod account;
pub mod account_links;
pub mod api_keys;
pub mod audit;
pub mod catalog;
pub mod credit;
pub mod credit_notes;
pub mod invitations;
pub mod invoices;
pub mod live;
pub mod money_mutations;
pub mod node;
pub mod notifications;
pub mod payments;
pub mod people;
pub mod preview;
pub mod privacy;
pub mod profile;
pub mod refunds;
pub mod subscription_mutations;
pub mod subscriptions;
pub mod support;
pub mod two_factor;
pub mod usage;
pub mod verification;
pub mod webhooks;

use async_graphql::MergedObject;

use super::schema;

/// Every query.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    account::AccountQuery,
    profile::ProfileQuery,
    catalog::CatalogQuery,
    subscriptions::SubscriptionQuery,
    preview::PreviewQuery,
    invoices::InvoiceQuery,
    credit_notes::CreditNoteQuery,
    payments::PaymentQuery,
    usage::UsageQuery,
    notifications::NotificationQuery,
    support::SupportQuery,
    verification::VerificationQuery,
    webhooks::WebhookQuery,
    audit::AuditQuery,
    privacy::PrivacyQuery,
);

/// Every mutation.
#[derive(MergedObject, Default)]
pub struct Mutation(
    account::AccountMutation,
    api_keys::ApiKeyMutation,
    account_links::AccountLinkMutation,
    two_factor::TwoFactorMutation,
    profile::ProfileMutation,
    people::PeopleMutation,
    invitations::InvitationMutation,
    subscription_mutations::SubscriptionMutation,
    money_mutations::MoneyMutation,
    usage::UsageMutation,
    notifications::NotificationMutation,
    support::SupportMutation,
    verification::VerificationMutation,
    webhooks::WebhookMutation,
    privacy::PrivacyMutation,
);

/// The business schema.
pub type Schema = schema::Schema<Query, Mutation, live::SubscriptionRoot>;

/// Mutations that sign somebody in or try a secret (a password, digits, a mailed token): one operation has one of them at most.
pub const SIGN_INS: &[&str] = &[
    "acceptInvitation",
    "beginTwoFactor",
    "changeEmail",
    "changePassword",
    "confirmEmail",
    "confirmTwoFactor",
    "disableTwoFactor",
    "eraseBusiness",
    "refreshSession",
    "register",
    "requestDataExport",
    "requestPasswordReset",
    "resendConfirmation",
    "resetPassword",
    "signIn",
    "switchBusiness",
];

/// Builds the schema.
pub fn schema() -> Schema {
    schema::build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::front_door::{GraphqlRequest, Limits, Method};
    use crate::graphql::schema::{front_door, mutations_with_secrets, sdl};

    #[test]
    fn the_printed_schema_is_the_schema() {
        let printed = include_str!("../../../schema.graphql");
        assert_eq!(sdl(&schema()).trim_end(), printed.trim_end(), "run `cargo run -- schema > schema.graphql`");
    }

    #[test]
    fn the_front_door_reads_every_scalar() {
        let door = front_door(&schema(), SIGN_INS, Limits::default()).unwrap();
        assert_eq!(door.unchecked_scalars(), Vec::<&str>::new());
        let text = r#"{ node(id: "a") { id } plans { nodes { price(currency: "euros") { amount } } } usage(at: "now") { __typename } }"#;
        let request = GraphqlRequest { query: Some(text.to_owned()), ..GraphqlRequest::default() };
        let refusal = door.admit(request, Method::Post).unwrap_err();
        let told: Vec<_> = refusal.problems.iter().map(|problem| problem.message.split(':').next().unwrap()).collect();
        assert_eq!(told, ["Not a CurrencyCode", "Not a DateTime"]);
        let text = r#"mutation { requestPasswordReset(input: { email: "ann" }) { userErrors { code } } }"#;
        let request = GraphqlRequest { query: Some(text.to_owned()), ..GraphqlRequest::default() };
        assert!(door.admit(request, Method::Post).unwrap_err().to_string().starts_with("Not an EmailAddress: "));
    }

    #[test]
    fn every_mutation_that_takes_a_secret_is_one_of_those_of_which_an_operation_has_one() {
        let found = mutations_with_secrets(&sdl(&schema()));
        assert!(found.len() >= 9 && SIGN_INS.is_sorted(), "{found:?}");
        assert!(found.iter().all(|name| SIGN_INS.contains(&name.as_str())), "{found:?}");
    }
}
