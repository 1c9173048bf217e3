//! The business API, by noun: what SPA frontends, partners and dashboards see at `POST /graphql`.
#![expect(clippy::unused_async, reason = "a resolver is async whether it waits or not")]

pub mod account;
pub mod account_links;
pub mod api_keys;
pub mod catalog;
pub mod credit_notes;
pub mod invoices;
pub mod money_mutations;
pub mod node;
pub mod notifications;
pub mod payments;
pub mod preview;
pub mod profile;
pub mod subscription_mutations;
pub mod subscriptions;

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, ValidationMode};

use super::front_door::{BuildError, FrontDoor, Limits};
use super::scalars;

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
    notifications::NotificationQuery,
);

/// Every mutation.
#[derive(MergedObject, Default)]
pub struct Mutation(
    account::AccountMutation,
    api_keys::ApiKeyMutation,
    account_links::AccountLinkMutation,
    profile::ProfileMutation,
    subscription_mutations::SubscriptionMutation,
    money_mutations::MoneyMutation,
    notifications::NotificationMutation,
);

/// The business schema.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema. Documents reach it through the front door alone, which validates them in full.
pub fn schema() -> Schema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription).validation_mode(ValidationMode::Fast).finish()
}

/// The schema's definition, as it is printed into `schema.graphql`.
pub fn sdl(schema: &Schema) -> String {
    let options = SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items().include_specified_by();
    schema.sdl_with_options(options)
}

/// The front door of the schema, which reads every scalar before anything runs.
///
/// # Errors
/// [`BuildError`] where the schema or a scalar's name is not valid: a fault of the build.
pub fn front_door(schema: &Schema, limits: Limits) -> Result<FrontDoor, BuildError> {
    let mut door = FrontDoor::new(&sdl(schema), limits)?;
    for (name, check) in scalars::CHECKS {
        door = door.with_scalar(name, *check)?;
    }
    Ok(door)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_schema_is_the_schema() {
        let printed = include_str!("../../../schema.graphql");
        assert_eq!(sdl(&schema()).trim_end(), printed.trim_end(), "run `cargo run -- schema > schema.graphql`");
    }

    #[test]
    fn the_front_door_reads_every_scalar() {
        let door = front_door(&schema(), Limits::default()).unwrap();
        assert_eq!(door.unchecked_scalars(), Vec::<&str>::new());
    }
}
