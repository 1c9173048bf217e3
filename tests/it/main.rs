//! One binary for every test that needs a store, each run on both databases: `…::sqlite` and `…::postgres`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

/// Makes two tests of each `async fn name(db: TestDatabase)` named: `name::sqlite` and `name::postgres`.
macro_rules! both {
    ($($name:ident),+ $(,)?) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                $crate::database::run($crate::database::Kind::Sqlite, super::$name).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                $crate::database::run($crate::database::Kind::Postgres, super::$name).await;
            }
        }
    )+ };
}

mod account_links;
mod accounts;
mod audit_trail;
mod bad_input;
mod billing_boundaries;
mod billing_changes;
mod billing_dunning;
mod catalog;
mod catalog_api;
mod client;
mod client_secrets;
mod collector;
mod concurrency;
mod coupons;
mod coupons_redeemed;
mod credit_entries;
mod database;
mod disputes;
mod disputes_charged_again;
mod downloads;
mod email_change;
mod erasure;
mod errors;
mod five_years;
mod foretold;
mod gateway_lists;
mod harness;
mod id_walk;
mod introspection;
mod invitations;
mod key_rotation;
mod key_service;
mod keys;
mod keys_service;
mod ledger;
mod live;
mod live_hostile;
mod live_processes;
mod localstripe;
mod long_jobs;
mod mails;
mod main_job;
mod manual_payments;
mod manual_refunds;
mod manual_resolutions;
mod matrix;
mod matrix_business;
mod matrix_staff;
mod mpesa_adapter;
mod mpesa_payments;
mod mpesa_pushed;
mod mpesa_simulator;
mod mpesa_storm;
mod notifications;
mod observed;
mod observed_live;
mod oidc;
mod outbox;
mod payment_methods;
mod payments;
mod people;
mod people_limit;
mod pool;
mod pooler;
mod postgres;
mod printing;
mod privacy;
mod profile;
mod rates;
mod refund_resolutions;
mod refunds;
mod refunds_staff;
mod rest;
mod retention;
mod revenue;
mod sandbox_action;
mod sign_in_tries;
mod smtp;
mod staff_accounts;
mod staff_audit;
mod staff_coupons;
mod staff_credit_notes;
mod staff_invoices;
mod staff_mails;
mod staff_money;
mod staff_plans;
mod staff_reading;
mod staff_suspension;
mod statements;
mod stored_documents;
mod stripe_adapter;
mod stripe_payments;
mod stripe_simulator;
mod stripe_storm;
mod subscriptions;
mod support;
mod tampering;
mod test_clocks;
mod traps;
mod two_factor;
mod usage;
mod usage_access;
mod usage_billing;
mod usage_grace;
mod usage_periods;
mod usage_retention;
mod usage_thresholds;
mod verification;
mod verification_files;
mod verification_s3;
mod verification_uploads;
mod walls;
mod walls_jobs;
mod walls_migrate;
mod walls_owner;
mod walls_raw;
mod walls_schema;
mod walls_snapshot;
mod walls_transaction;
mod webhooks;
mod webhooks_refused;
mod webhooks_signed;
mod webhooks_waiting;
mod worker;
mod world;
mod world_accounts;
mod world_catalog;
mod world_coupons;
mod world_keys;
mod world_live;
mod world_lives;
mod world_logs;
mod world_mail;
mod world_observed;
mod world_payments;
mod world_privacy;
mod world_rows;
mod world_staff;
mod world_staff_money;
mod world_subscriptions;
mod world_uploads;
mod world_usage;
mod world_webhooks;
