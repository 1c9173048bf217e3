//! Notifications, what people want of them, mails, and the links in mails that prove who an address belongs to.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0010_notifications", "notifications", "notification_preferences", "mails", "account_tokens", "account_requests",);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "notifications",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         event_id {uuid} not null,
         user_id {uuid} not null references users (id),
         kind text not null,
         title text not null,
         body text not null,
         subject text,
         created_at {timestamp} not null,
         read_at {timestamp},
         primary key (business_id, id),
         unique (business_id, event_id, user_id),
         foreign key (business_id, event_id) references events (business_id, id)",
    )
    .await?;
    run(
        manager,
        "create index notifications_by_user on notifications (business_id, user_id, created_at, id);
         create index notifications_unread on notifications (business_id, user_id) where read_at is null",
    )
    .await?;
    table(
        manager,
        "notification_preferences",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         user_id {uuid} not null references users (id),
         kind text not null,
         channel text not null check (channel in ('IN_APP', 'EMAIL')),
         enabled {bool} not null,
         updated_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, user_id, kind, channel)",
    )
    .await?;
    // A mail of an event names it, and there is one for each person; a mail that a person asked for names none. One without a
    // person goes to the business's own address, where invoices go.
    table(
        manager,
        "mails",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         event_id {uuid},
         user_id {uuid} references users (id),
         kind text not null,
         details text not null,
         status text not null check (status in ('QUEUED', 'SENT', 'FAILED')),
         error text,
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, event_id, user_id),
         foreign key (business_id, event_id) references events (business_id, id)",
    )
    .await?;
    run(manager, "create index mails_failed on mails (updated_at) where status = 'FAILED'").await?;
    table(
        manager,
        "account_tokens",
        Wall::SystemOnly,
        "hash {bytes} primary key,
         user_id {uuid} not null references users (id),
         purpose text not null check (purpose in ('CONFIRM_EMAIL', 'RESET_PASSWORD')),
         email_key text not null,
         created_at {timestamp} not null,
         expires_at {timestamp} not null,
         spent_at {timestamp}",
    )
    .await?;
    run(manager, "create index account_tokens_by_user on account_tokens (user_id, purpose)").await?;
    // What was asked for an address, known or not, to say no to too much of it. The address itself is not kept.
    table(
        manager,
        "account_requests",
        Wall::SystemOnly,
        "id {uuid} primary key,
         email_hash {bytes} not null,
         purpose text not null check (purpose in ('CONFIRM_EMAIL', 'RESET_PASSWORD')),
         at {timestamp} not null",
    )
    .await?;
    run(
        manager,
        "create index account_requests_by_address on account_requests (email_hash, purpose, at);
         create index account_requests_by_time on account_requests (at)",
    )
    .await
}
