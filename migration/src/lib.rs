//! The truth about the tables of evolve-business, on SQLite and on PostgreSQL: one file per aggregate.
//!
//! Tables are written as SQL in which `{uuid}`, `{timestamp}` and the like stand for a type of the database at
//! hand (see [`dialect`]). A tenant's table has the primary key `(business_id, id)`, composite foreign keys
//! that lead with `business_id`, and on PostgreSQL row-level security that is enabled and forced.
#![forbid(unsafe_code)]
#![expect(clippy::too_many_lines, reason = "a table is as long as its columns")]
#![expect(clippy::disallowed_methods, reason = "migrations are raw SQL by nature; nothing in them comes from outside")]

mod dialect;
mod m0001_roles;
mod m0002_catalogue;
mod m0003_businesses;
mod m0004_subscriptions;
mod m0005_invoices;
mod m0006_payments;
mod m0007_work;
mod m0009_outbox;
mod m0010_notifications;
mod m0011_keys;
mod m0012_staff;
mod m0013_ledger;
mod m0014_coupons;
mod m0015_settings;
mod m0016_test_clocks;
mod m0017_jobs_in_order;
mod m0018_refunds;
mod m0019_usage;
mod m0022_invitations;
mod m0023_usage_thresholds;
mod m0024_two_factor;
mod m0025_usage_retention;
mod m0026_sign_in;
mod m0027_support;
mod m0028_verification;
mod m0029_webhooks;
mod m0030_drafts;
mod m0031_revenue;
mod m0032_credit_order;
mod m0033_gateway_events;
mod m0034_privacy;
mod m0035_manual_payments;
mod m0036_key_rotation;
mod m0037_oidc;
mod m0038_disputes;
mod m0039_gateway_differences;
mod m0041_pushed_payments;
mod m0044_staff_mails;
mod m0045_usage_references;
mod m0046_sealed_actions;

use sea_orm_migration::prelude::*;
pub use sea_orm_migration::prelude::{MigratorTrait, SchemaManager};

/// Every migration, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_roles::Migration),
            Box::new(m0002_catalogue::Migration),
            Box::new(m0003_businesses::Migration),
            Box::new(m0004_subscriptions::Migration),
            Box::new(m0005_invoices::Migration),
            Box::new(m0006_payments::Migration),
            Box::new(m0007_work::Migration),
            Box::new(m0009_outbox::Migration),
            Box::new(m0010_notifications::Migration),
            Box::new(m0011_keys::Migration),
            Box::new(m0012_staff::Migration),
            Box::new(m0013_ledger::Migration),
            Box::new(m0014_coupons::Migration),
            Box::new(m0015_settings::Migration),
            Box::new(m0016_test_clocks::Migration),
            Box::new(m0017_jobs_in_order::Migration),
            Box::new(m0018_refunds::Migration),
            Box::new(m0019_usage::Migration),
            Box::new(m0022_invitations::Migration),
            Box::new(m0023_usage_thresholds::Migration),
            Box::new(m0024_two_factor::Migration),
            Box::new(m0025_usage_retention::Migration),
            Box::new(m0026_sign_in::Migration),
            Box::new(m0027_support::Migration),
            Box::new(m0028_verification::Migration),
            Box::new(m0029_webhooks::Migration),
            Box::new(m0030_drafts::Migration),
            Box::new(m0031_revenue::Migration),
            Box::new(m0032_credit_order::Migration),
            Box::new(m0033_gateway_events::Migration),
            Box::new(m0034_privacy::Migration),
            Box::new(m0035_manual_payments::Migration),
            Box::new(m0036_key_rotation::Migration),
            Box::new(m0037_oidc::Migration),
            Box::new(m0038_disputes::Migration),
            Box::new(m0039_gateway_differences::Migration),
            Box::new(m0041_pushed_payments::Migration),
            Box::new(m0044_staff_mails::Migration),
            Box::new(m0045_usage_references::Migration),
            Box::new(m0046_sealed_actions::Migration),
        ]
    }
}
