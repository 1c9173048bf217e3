//! Tickets of support.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::profile::Business;
use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::page::{Count, PageArguments, connection};
use crate::graphql::scalars::{DateTime, show_id};
use crate::ids::{TicketId, TicketMessageId};
use crate::services::access::{Caller, Need};
use crate::services::support::{self as service, OpenTicket, SupportService, sees_those_of};
use crate::store::Reader;
use crate::store::page::Position;
use crate::store::reads::Of;
use crate::store::reads::support::{self as rows, TicketFilter};
use crate::store::types;

/// How far a ticket has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::TicketStatus")]
pub enum TicketStatus {
    /// Support is to answer.
    Open,
    /// The customer is to answer.
    WaitingForCustomer,
    /// The customer has said nothing more for a week.
    Resolved,
    /// Over: by the customer, or after another week.
    Closed,
}

/// How much a ticket presses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::TicketPriority")]
pub enum TicketPriority {
    /// It can wait.
    Low,
    /// As usual.
    Normal,
    /// Work is hindered.
    High,
    /// Work has stopped.
    Urgent,
}

/// Something that a business asks of support.
#[derive(Debug, Clone)]
pub struct SupportTicket {
    row: rows::Ticket,
}

impl SupportTicket {
    /// The ticket of a row.
    pub const fn new(row: rows::Ticket) -> Self {
        Self { row }
    }

    /// The ticket of an id, if the caller may see it.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: TicketId) -> Result<Option<Self>, Error> {
        let found = rows::by_id(&request.reader().await?, id).await?;
        Ok(found.filter(visible(request).await?).map(Self::new))
    }

    /// The same, read together with other tickets.
    ///
    /// # Errors
    /// The database's fault.
    pub(super) async fn load(request: &RequestContext, key: Of<TicketId>) -> Result<Option<Self>, Error> {
        let found = request.view().loaders.tickets.load(key).await?;
        Ok(found.filter(visible(request).await?).map(Self::new))
    }
}

/// Whether the caller may see a ticket: staff see all, and of a business's people those without a part in money their own.
async fn visible(request: &RequestContext) -> Result<impl Fn(&rows::Ticket) -> bool, Error> {
    let is_staff = matches!(request.caller, Caller::Staff { .. });
    let only = if is_staff { None } else { sees_those_of(&request.access().await?) };
    Ok(move |ticket: &rows::Ticket| only.is_none() || ticket.opened_by == only)
}

/// Something that a business asks of support.
#[Object]
impl SupportTicket {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What it is called when it is spoken of; counted within the business: `T-7`.
    async fn number(&self) -> String {
        service::number(&self.row)
    }
    /// What it is about.
    async fn subject(&self) -> &str {
        &self.row.subject
    }
    /// How far it has come.
    async fn status(&self) -> TicketStatus {
        self.row.status.into()
    }
    /// How much it presses.
    async fn priority(&self) -> TicketPriority {
        self.row.priority.into()
    }
    /// Whose it is.
    async fn business(&self, context: &Context<'_>) -> Result<Business> {
        Ok(Business::of(request(context), self.row.business_id).await?)
    }
    /// What was said, newest first.
    async fn messages(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Result<TicketMessageConnection> {
        let (request, name) = (request(context), format!("{}/messages", self.row.id));
        let window = PageArguments { first, after, last, before }.window(request, &name)?;
        let page = request.view().loaders.ticket_messages.page((self.row.business_id, self.row.id), window).await?;
        let number = u64::try_from(self.row.messages).unwrap_or_default();
        let count: Count = Arc::new(move || Box::pin(async move { Ok(number) }));
        let page = page.map(|row| (Position { at: row.created_at, id: row.id.uuid() }, TicketMessage { row }));
        Ok(TicketMessageConnection::of(request, &name, page, count))
    }
    /// When it was opened.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
    /// When something happened to it last.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

connection!(SupportTicketConnection, SupportTicketEdge, SupportTicket, "tickets");

/// Something that was said in a ticket.
#[derive(Debug, Clone)]
pub struct TicketMessage {
    row: rows::TicketMessage,
}

impl TicketMessage {
    /// The message of an id, if the caller may see its ticket.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: TicketMessageId) -> Result<Option<Self>, Error> {
        let Some(row) = rows::message_by_id(&request.reader().await?, id).await? else { return Ok(None) };
        Ok(SupportTicket::by_id(request, row.ticket_id).await?.map(|_| Self { row }))
    }
}

/// Something that was said in a ticket.
#[Object]
impl TicketMessage {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What its author was called then: a person, a member of staff, or a key.
    async fn author(&self) -> &str {
        &self.row.author
    }
    /// Whether the platform's staff said it.
    async fn from_staff(&self) -> bool {
        self.row.from_staff
    }
    /// What was said, in plain text.
    async fn body(&self) -> &str {
        &self.row.body
    }
    /// When.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

connection!(TicketMessageConnection, TicketMessageEdge, TicketMessage, "messages");

/// A page of the tickets of `reader`.
///
/// # Errors
/// BAD_USER_INPUT for arguments that ask for no page, or the database's fault.
pub(in crate::graphql) async fn page(
    request: &RequestContext,
    reader: Reader,
    filter: TicketFilter,
    arguments: PageArguments,
) -> Result<SupportTicketConnection> {
    const LIST: &str = "supportTickets";
    let page = rows::page(&reader, &filter, arguments.window(request, LIST)?).await?;
    let filter = Arc::new(filter);
    let count: Count = Arc::new(move || {
        let (reader, filter) = (reader.clone(), Arc::clone(&filter));
        Box::pin(async move { rows::count(&reader, &filter).await })
    });
    let page = page.map(|row| (Position { at: row.created_at, id: row.id.uuid() }, SupportTicket::new(row)));
    Ok(SupportTicketConnection::of(request, LIST, page, count))
}

/// The statuses that are asked for.
pub(in crate::graphql) fn statuses(asked: Option<Vec<TicketStatus>>) -> Option<Vec<types::TicketStatus>> {
    asked.map(|statuses| statuses.into_iter().map(Into::into).collect())
}

/// What is asked of support.
#[derive(InputObject)]
pub struct OpenSupportTicketInput {
    /// In one line of at most 200 characters.
    subject: String,
    /// The first message: plain text of at most 10,000 characters.
    body: String,
    /// How much it presses.
    #[graphql(default_with = "TicketPriority::Normal")]
    priority: TicketPriority,
}

/// What `openSupportTicket` answers.
#[derive(SimpleObject)]
pub struct OpenSupportTicketPayload {
    /// The ticket.
    ticket: Option<SupportTicket>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Something more to say in a ticket.
#[derive(InputObject)]
pub struct ReplyToSupportTicketInput {
    /// Which ticket.
    pub(in crate::graphql) ticket_id: ID,
    /// Plain text of at most 10,000 characters.
    pub(in crate::graphql) body: String,
}

/// What `replyToSupportTicket` answers.
#[derive(SimpleObject)]
pub struct ReplyToSupportTicketPayload {
    /// The ticket as it is now.
    pub(in crate::graphql) ticket: Option<SupportTicket>,
    /// What is to be put right; when there is any, nothing was changed.
    pub(in crate::graphql) user_errors: Vec<UserError>,
}

/// A ticket to close.
#[derive(InputObject)]
pub struct CloseSupportTicketInput {
    /// Which ticket.
    ticket_id: ID,
}

/// What `closeSupportTicket` answers.
#[derive(SimpleObject)]
pub struct CloseSupportTicketPayload {
    /// The ticket as it is now.
    ticket: Option<SupportTicket>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// The ticket that was changed, as the present view shows it. Whoever changed it may see it.
///
/// # Errors
/// The database's fault.
pub(in crate::graphql) async fn changed(request: &RequestContext, id: Option<TicketId>) -> Result<Option<SupportTicket>> {
    request.refresh();
    let Some(id) = id else { return Ok(None) };
    Ok(rows::by_id(&request.reader().await?, id).await?.map(SupportTicket::new))
}

/// Queries of support.
#[derive(Debug, Default)]
pub struct SupportQuery;

#[Object]
impl SupportQuery {
    /// The business's tickets, newest first; for a plain member, those that they opened.
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
            request.require(Need::Read).await?;
            let filter = TicketFilter { statuses: statuses(status), opened_by: sees_those_of(&request.access().await?) };
            page(request, request.reader().await?, filter, arguments).await.map(Some)
        })
        .await
    }

    /// A ticket by its id; null where the caller may see none such.
    async fn support_ticket(&self, context: &Context<'_>, #[graphql(desc = "The ticket's id.")] id: ID) -> Option<Result<SupportTicket>> {
        nullable(async {
            let request = request(context);
            request.require(Need::Read).await?;
            let Some(id) = TicketId::parse(&id) else { return Ok(None) };
            Ok(SupportTicket::by_id(request, id).await?)
        })
        .await
    }
}

/// Asking support.
#[derive(Debug, Default)]
pub struct SupportMutation;

/// The service of a request.
fn service_of(context: &Context<'_>) -> SupportService {
    SupportService::new(request(context).ports.clone())
}

#[Object]
impl SupportMutation {
    /// Asks something of support. A business that staff have suspended may, too.
    async fn open_support_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: OpenSupportTicketInput,
    ) -> Option<Result<OpenSupportTicketPayload>> {
        nullable(async {
            let request = request(context);
            let asked = OpenTicket { subject: input.subject, body: input.body, priority: input.priority.into() };
            let (opened, user_errors) = split(service_of(context).open(request.caller, asked).await)?;
            Ok(Some(OpenSupportTicketPayload { ticket: changed(request, opened).await?, user_errors }))
        })
        .await
    }

    /// Says something more in a ticket: staff are to answer then. A ticket that is closed stays closed.
    async fn reply_to_support_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ReplyToSupportTicketInput,
    ) -> Option<Result<ReplyToSupportTicketPayload>> {
        nullable(async {
            let (request, id) = (request(context), TicketId::parse(&input.ticket_id));
            let (replied, user_errors) = split(service_of(context).reply(request.caller, id, &input.body).await)?;
            Ok(Some(ReplyToSupportTicketPayload { ticket: changed(request, replied).await?, user_errors }))
        })
        .await
    }

    /// Closes a ticket: nothing more is said in it.
    async fn close_support_ticket(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CloseSupportTicketInput,
    ) -> Option<Result<CloseSupportTicketPayload>> {
        nullable(async {
            let (request, id) = (request(context), TicketId::parse(&input.ticket_id));
            let (closed, user_errors) = split(service_of(context).close(request.caller, id).await)?;
            Ok(Some(CloseSupportTicketPayload { ticket: changed(request, closed).await?, user_errors }))
        })
        .await
    }
}
