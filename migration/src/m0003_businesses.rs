//! Businesses (the tenants), users, members, sessions.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0003_businesses", "businesses", "users", "members", "sessions", "refresh_tokens");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "businesses",
        Wall::Tenant,
        "business_id {uuid} primary key,
         business_name text not null,
         business_email text not null,
         industry text not null,
         company_size text not null check (company_size in ('SIZE_1', 'SIZE_2_10', 'SIZE_11_50', 'SIZE_51_200', 'SIZE_201_500', 'SIZE_501_PLUS')),
         country text not null,
         postal_code text not null,
         address_line text,
         city text,
         phone_sealed {bytes},
         tax_id_sealed {bytes},
         wrapped_key {bytes} not null,
         tax_exempt {bool} not null,
         time_zone text not null,
         currency text not null,
         verification_status text not null check (verification_status in ('UNVERIFIED', 'PENDING', 'NEEDS_INFORMATION', 'APPROVED', 'REJECTED', 'EXPIRED')),
         balance_minor {bigint} not null check (balance_minor >= 0),
         suspended_at {timestamp},
         created_at {timestamp} not null,
         updated_at {timestamp} not null",
    )
    .await?;
    // `members` is under row-level security itself, so the tenant sees the people of its own business alone.
    // The table below names it before it exists on purpose: the policy is added once it does.
    table(
        manager,
        "users",
        Wall::SystemOnly,
        "id {uuid} primary key,
         email text not null,
         email_key text not null unique,
         full_name text not null,
         password_hash text not null,
         locale text not null,
         email_verified_at {timestamp},
         created_at {timestamp} not null,
         updated_at {timestamp} not null",
    )
    .await?;
    table(
        manager,
        "members",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         user_id {uuid} not null references users (id),
         role text not null check (role in ('OWNER', 'ADMIN', 'BILLING', 'MEMBER')),
         joined_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, user_id)",
    )
    .await?;
    run(manager, "create index members_by_user on members (user_id, joined_at)").await?;
    crate::dialect::on_postgres(
        manager,
        "create policy tenant on users for select to evolve_app using (id in (select user_id from members));
         grant select (id, email, full_name, locale, email_verified_at, created_at, updated_at) on users to evolve_app;",
    )
    .await?;
    table(
        manager,
        "sessions",
        Wall::Own { grants: "select", using: "business_id = (select app_tenant())", check: None },
        "id {uuid} primary key,
         user_id {uuid} not null references users (id),
         business_id {uuid} not null references businesses (business_id),
         user_agent text,
         created_at {timestamp} not null,
         last_used_at {timestamp} not null,
         expires_at {timestamp} not null,
         revoked_at {timestamp}",
    )
    .await?;
    run(manager, "create index sessions_by_user on sessions (user_id, created_at)").await?;
    table(
        manager,
        "refresh_tokens",
        Wall::SystemOnly,
        "hash {bytes} primary key,
         session_id {uuid} not null references sessions (id),
         created_at {timestamp} not null,
         expires_at {timestamp} not null,
         spent_at {timestamp}",
    )
    .await?;
    run(manager, "create index refresh_tokens_by_session on refresh_tokens (session_id)").await
}
