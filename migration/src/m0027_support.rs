//! Tickets of support, and what is said in them.

use sea_orm_migration::prelude::*;

use crate::dialect::{Wall, migration, run, table};

migration!("m0027_support", "support_tickets", "ticket_messages");

async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    // A ticket that a key opened has no person.
    table(
        manager,
        "support_tickets",
        Wall::Tenant,
        "business_id {uuid} not null references businesses (business_id),
         id {uuid} not null,
         number {bigint} not null check (number >= 1),
         subject text not null,
         status text not null check (status in ('OPEN', 'WAITING_FOR_CUSTOMER', 'RESOLVED', 'CLOSED')),
         priority text not null check (priority in ('LOW', 'NORMAL', 'HIGH', 'URGENT')),
         opened_by {uuid} references users (id),
         messages {int} not null check (messages >= 1),
         created_at {timestamp} not null,
         updated_at {timestamp} not null,
         primary key (business_id, id),
         unique (business_id, number)",
    )
    .await?;
    // The author's name is what it was then: people leave, and keys are revoked.
    table(
        manager,
        "ticket_messages",
        Wall::Tenant,
        "business_id {uuid} not null,
         id {uuid} not null,
         ticket_id {uuid} not null,
         author text not null,
         from_staff {bool} not null,
         body text not null,
         created_at {timestamp} not null,
         primary key (business_id, id),
         foreign key (business_id, ticket_id) references support_tickets (business_id, id)",
    )
    .await?;
    run(
        manager,
        "create index support_tickets_by_creation on support_tickets (business_id, created_at, id);
         create index all_support_tickets_by_creation on support_tickets (created_at, id);
         create index all_support_tickets_by_id on support_tickets (id);
         create index ticket_messages_by_creation on ticket_messages (business_id, ticket_id, created_at, id);
         create index all_ticket_messages_by_id on ticket_messages (id)",
    )
    .await
}
