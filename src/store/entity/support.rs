//! Tickets of support, and what is said in them.

/// `support_tickets`.
pub mod ticket {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, TicketId, UserId};
    use crate::store::types::{Instant, TicketPriority, TicketStatus};

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "support_tickets")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: TicketId,
        pub number: i64,
        pub subject: String,
        pub status: TicketStatus,
        pub priority: TicketPriority,
        pub opened_by: Option<UserId>,
        pub messages: i32,
        pub created_at: Instant,
        pub updated_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}

/// `ticket_messages`.
pub mod message {
    use sea_orm::entity::prelude::*;

    use crate::ids::{BusinessId, TicketId, TicketMessageId};
    use crate::store::types::Instant;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "ticket_messages")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub business_id: BusinessId,
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: TicketMessageId,
        pub ticket_id: TicketId,
        pub author: String,
        pub from_staff: bool,
        pub body: String,
        pub created_at: Instant,
    }

    crate::store::entity::tenant_entity!(BusinessId, Id);
}
