//! The platform's staff: accounts, sessions, the audit trail of acts that concern no business, and the suspensions of
//! businesses. And the indexes by which staff read across businesses.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!(
    "m0012_staff",
    "staff_users",
    "staff_sessions",
    "staff_refresh_tokens",
    "platform_audit_heads",
    "platform_audit_events",
    "suspensions";
    before: "drop index all_businesses_by_creation; \
     drop index all_subscriptions_by_creation; \
     drop index all_invoices_by_creation; \
     drop index all_payments_by_creation; \
     drop index all_audit_events_by_id; \
     drop index all_audit_events_by_time; \
     drop index audit_events_by_time; \
     drop index all_members_by_id; \
     drop index all_subscriptions_by_id; \
     drop index all_invoices_by_id; \
     drop index all_credit_notes_by_id; \
     drop index all_payments_by_id; \
     drop index all_payment_methods_by_id"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    accounts(manager).await?;
    // The head is the lock that makes the chain one line; its only row is written with the first event.
    table(
        manager,
        "platform_audit_heads",
        Wall::SystemOnly,
        "id {int} primary key check (id = 1),
         sequence {bigint} not null check (sequence >= 0),
         hash {bytes} not null",
    )
    .await?;
    table(
        manager,
        "platform_audit_events",
        Wall::SystemOnly,
        "id {uuid} primary key,
         sequence {bigint} not null unique check (sequence >= 1),
         action text not null,
         actor text not null,
         subject text not null,
         details text not null,
         at {timestamp} not null,
         previous_hash {bytes} not null,
         hash {bytes} not null",
    )
    .await?;
    run(manager, "create index platform_audit_events_by_time on platform_audit_events (at, id)").await?;
    // `businesses.suspended_at` is what counts; here stands who did it and why.
    table(
        manager,
        "suspensions",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         suspended_by {uuid} not null references staff_users (id),
         reason text not null,
         suspended_at {timestamp} not null,
         restored_by {uuid} references staff_users (id),
         restored_at {timestamp},
         primary key (business_id, id)",
    )
    .await?;
    run(
        manager,
        "create unique index suspensions_standing on suspensions (business_id) where restored_at is null;
         create index all_businesses_by_creation on businesses (created_at, business_id);
         create index all_subscriptions_by_creation on subscriptions (created_at, id);
         create index all_invoices_by_creation on invoices (created_at, id);
         create index all_payments_by_creation on payments (created_at, id);
         create index all_audit_events_by_id on audit_events (id);
         create index all_audit_events_by_time on audit_events (at, id);
         create index audit_events_by_time on audit_events (business_id, at, id);
         create index all_members_by_id on members (id);
         create index all_subscriptions_by_id on subscriptions (id);
         create index all_invoices_by_id on invoices (id);
         create index all_credit_notes_by_id on credit_notes (id);
         create index all_payments_by_id on payments (id);
         create index all_payment_methods_by_id on payment_methods (id)",
    )
    .await
}

/// Accounts and sessions: for the system alone.
async fn accounts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "staff_users",
        Wall::SystemOnly,
        "id {uuid} primary key,
         email text not null,
         email_key text not null,
         full_name text not null,
         password_hash text not null,
         role text not null check (role in ('SUPPORT', 'FINANCE', 'COMPLIANCE', 'ADMIN')),
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         removed_at {timestamp}",
    )
    .await?;
    // An address is free again once its account was removed.
    run(manager, "create unique index staff_users_by_email on staff_users (email_key) where removed_at is null").await?;
    table(
        manager,
        "staff_sessions",
        Wall::SystemOnly,
        "id {uuid} primary key,
         staff_id {uuid} not null references staff_users (id),
         user_agent text,
         created_at {timestamp} not null,
         last_used_at {timestamp} not null,
         expires_at {timestamp} not null,
         revoked_at {timestamp}",
    )
    .await?;
    run(manager, "create index staff_sessions_by_staff on staff_sessions (staff_id)").await?;
    table(
        manager,
        "staff_refresh_tokens",
        Wall::SystemOnly,
        "hash {bytes} primary key,
         session_id {uuid} not null references staff_sessions (id),
         created_at {timestamp} not null,
         expires_at {timestamp} not null,
         spent_at {timestamp}",
    )
    .await?;
    run(manager, "create index staff_refresh_tokens_by_session on staff_refresh_tokens (session_id)").await
}
