//! What customers ask of support.

use async_graphql::{Context, Object, Result};

use super::account::service;
use crate::graphql::business::support::{
    ReplyToSupportTicketInput, ReplyToSupportTicketPayload, SupportTicketConnection, TicketStatus, changed, page, statuses,
};
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::split;
use crate::graphql::page::PageArguments;
use crate::ids::TicketId;
use crate::services::staff::Right;
use crate::store::reads::support::TicketFilter;

/// Queries of support.
#[derive(Debug, Default)]
pub struct SupportQuery;

#[Object]
impl SupportQuery {
    /// Tickets of all businesses, newest first.
    async fn support_tickets(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only those with one of these.")] status: Option<Vec<TicketStatus>>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<SupportTicketConnection>> {
        nullable(async {
            let (request, arguments) = (request(context), PageArguments { first, after, last, before });
            request.staff_access().await?.require(Right::Read)?;
            let filter = TicketFilter { statuses: statuses(status), opened_by: None };
            page(request, request.reader().await?, filter, arguments).await.map(Some)
        })
        .await
    }
}

/// Answering customers.
#[derive(Debug, Default)]
pub struct SupportMutation;

#[Object]
impl SupportMutation {
    /// Answers a ticket: the customer is told, and is to say something then.
    async fn reply_to_support_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ReplyToSupportTicketInput,
    ) -> Option<Result<ReplyToSupportTicketPayload>> {
        nullable(async {
            let (request, id) = (request(context), TicketId::parse(&input.ticket_id));
            let (answered, user_errors) = split(service(context).answer_ticket(request.caller, id, &input.body).await)?;
            Ok(Some(ReplyToSupportTicketPayload { ticket: changed(request, answered).await?, user_errors }))
        })
        .await
    }
}
