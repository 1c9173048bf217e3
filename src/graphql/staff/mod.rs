//! The staff API, by noun: what internal dashboards and the back office see at `POST /staff/graphql`. Whatever is a
//! customer's is shown by the very types of the business API, read across businesses; nothing of this schema is in that one.

pub mod account;
pub mod audit;
pub mod businesses;
pub mod corrections;
pub mod coupons;
pub mod differences;
pub mod disputes;
pub mod ledger;
pub mod mails;
pub mod money;
pub mod node;
pub mod payments;
pub mod plans;
pub mod revenue;
pub mod service_keys;
pub mod subscriptions;
pub mod support;
pub mod suspensions;
pub mod tax;
pub mod test_clocks;
pub mod verifications;

use async_graphql::MergedObject;

use super::schema;
use crate::error::Error;

/// Every query.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    account::AccountQuery,
    businesses::BusinessQuery,
    money::MoneyQuery,
    disputes::DisputeQuery,
    differences::DifferenceQuery,
    ledger::LedgerQuery,
    revenue::ReportQuery,
    plans::PlanQuery,
    coupons::CouponQuery,
    audit::AuditQuery,
    mails::MailQuery,
    support::SupportQuery,
    verifications::VerificationQuery,
    service_keys::ServiceKeyQuery,
    test_clocks::TestClockQuery,
);

/// Every mutation.
#[derive(MergedObject, Default)]
pub struct Mutation(
    account::AccountMutation,
    suspensions::SuspensionMutation,
    tax::TaxMutation,
    plans::PlanMutation,
    coupons::CouponMutation,
    subscriptions::SubscriptionMutation,
    corrections::CorrectionMutation,
    payments::PaymentMutation,
    support::SupportMutation,
    verifications::VerificationMutation,
    service_keys::ServiceKeyMutation,
    test_clocks::TestClockMutation,
);

/// The staff schema.
pub type Schema = schema::Schema<Query, Mutation>;

/// Mutations that sign somebody in: one operation has one of them at most.
pub const SIGN_INS: &[&str] = &["staffRefreshSession", "staffSignIn"];

/// Builds the schema.
pub fn schema() -> Schema {
    schema::build()
}

/// A text that is looked for: 1 to `most` characters, none of them a control character.
///
/// # Errors
/// [`Error::BadUserInput`].
fn read_text(name: &str, text: &str, most: usize) -> Result<String, Error> {
    let fits = !text.trim().is_empty() && text.chars().nth(most).is_none() && !text.chars().any(char::is_control);
    let refusal = || Error::BadUserInput(format!("`{name}` takes 1 to {most} characters in one line.").into());
    fits.then(|| text.trim().to_owned()).ok_or_else(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::front_door::Limits;
    use crate::graphql::schema::{front_door, mutations_with_secrets, sdl};

    #[test]
    fn the_printed_staff_schema_is_the_schema() {
        let printed = include_str!("../../../schema.staff.graphql");
        assert_eq!(sdl(&schema()).trim_end(), printed.trim_end(), "run `cargo run -- schema --staff > schema.staff.graphql`");
    }

    #[test]
    fn the_front_door_reads_every_scalar_of_staff() {
        let door = front_door(&schema(), SIGN_INS, Limits::default()).unwrap();
        assert_eq!(door.unchecked_scalars(), Vec::<&str>::new());
    }

    #[test]
    fn nothing_of_staff_shows_in_the_business_schema() {
        // A message of a ticket says whether staff wrote it.
        let business = sdl(&crate::graphql::business::schema()).replace("fromStaff", "");
        assert!(!business.contains("Staff") && !business.contains("staff("), "the business schema tells of staff");
    }

    #[test]
    fn every_mutation_that_takes_a_secret_is_one_of_those_of_which_an_operation_has_one() {
        let found = mutations_with_secrets(&sdl(&schema()));
        assert!(found.len() >= 2 && SIGN_INS.is_sorted(), "{found:?}");
        assert!(found.iter().all(|name| SIGN_INS.contains(&name.as_str())), "{found:?}");
    }
}
