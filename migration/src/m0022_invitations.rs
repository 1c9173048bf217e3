//! Invitations to a business, the hashes of their links, and the mails that carry them.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!(
    "m0022_invitations",
    "invitations",
    "invitation_tokens";
    before: "alter table mails drop column invitation_id"
);

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    table(
        manager,
        "invitations",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         email text not null,
         email_key text not null,
         role text not null check (role in ('OWNER', 'ADMIN', 'BILLING', 'MEMBER')),
         invited_by {uuid} not null references users (id),
         created_at {timestamp} not null,
         expires_at {timestamp} not null,
         accepted_at {timestamp},
         revoked_at {timestamp},
         primary key (business_id, id)",
    )
    .await?;
    run(
        manager,
        "create unique index invitations_one_open on invitations (business_id, email_key) where accepted_at is null and revoked_at is null;
         create index invitations_by_creation on invitations (business_id, created_at, id)",
    )
    .await?;
    // Found by its hash before anybody is known.
    table(
        manager,
        "invitation_tokens",
        Wall::SystemOnly,
        "hash {bytes} primary key,
         business_id {uuid} not null,
         invitation_id {uuid} not null,
         created_at {timestamp} not null,
         foreign key (business_id, invitation_id) references invitations (business_id, id)",
    )
    .await?;
    // Such a mail goes to the invitation's address.
    run(manager, "alter table mails add column invitation_id {uuid}").await
}
