//! Anything by its id.

use async_graphql::{Context, ID, Interface, Object, Result};

use super::account::{User, UserSession};
use super::api_keys::ApiKey;
use super::audit::AuditEvent;
use super::catalog::{Plan, Product};
use super::credit::CreditEntry;
use super::credit_notes::CreditNote;
use super::invitations::Invitation;
use super::invoices::Invoice;
use super::notifications::Notification;
use super::payments::{Payment, PaymentMethod};
use super::privacy::DataExport;
use super::profile::{Business, Member};
use super::refunds::Refund;
use super::subscriptions::Subscription;
use super::support::{SupportTicket, TicketMessage};
use super::verification::VerificationDocument;
use super::webhooks::{WebhookDelivery, WebhookEndpoint};
use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::ids::{
    ApiKeyId, AuditEventId, BusinessId, CreditEntryId, CreditNoteId, DataExportId, DocumentId, InvitationId, InvoiceId, MemberId,
    NotificationId, PaymentId, PaymentMethodId, PlanId, ProductId, RefundId, SessionId, SubscriptionId, TicketId, TicketMessageId, UserId,
    WebhookDeliveryId, WebhookEndpointId,
};
use crate::services::access::Need;
use crate::store::Tenant;
use crate::store::reads::{audit, credit, invoices, payments, refunds, subscriptions};

/// The most ids that `nodes` takes.
pub(in crate::graphql) const MAX_NODES: usize = 100;

/// A thing with an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its id: opaque to clients."))]
pub enum Node {
    /// A business.
    Business(Business),
    /// A person.
    User(User),
    /// A place where a person is signed in.
    UserSession(UserSession),
    /// A person's place in a business.
    Member(Member),
    /// Somebody who is invited.
    Invitation(Invitation),
    /// A key of the business.
    ApiKey(ApiKey),
    /// A product.
    Product(Product),
    /// A plan.
    Plan(Plan),
    /// A subscription.
    Subscription(Subscription),
    /// An invoice.
    Invoice(Invoice),
    /// A credit note.
    CreditNote(CreditNote),
    /// A movement of account credit.
    CreditEntry(CreditEntry),
    /// A payment.
    Payment(Payment),
    /// A part of a payment that is paid back.
    Refund(Refund),
    /// A way to pay.
    PaymentMethod(PaymentMethod),
    /// Something that a person is told.
    Notification(Notification),
    /// Something that the business asks of support.
    SupportTicket(SupportTicket),
    /// Something that was said in a ticket.
    TicketMessage(TicketMessage),
    /// A document that the business submitted.
    VerificationDocument(VerificationDocument),
    /// Where the business wants to be told of events.
    WebhookEndpoint(WebhookEndpoint),
    /// An event that an endpoint is told of.
    WebhookDelivery(WebhookDelivery),
    /// One act that was written down.
    AuditEvent(AuditEvent),
    /// An export of what is held of the business.
    DataExport(DataExport),
}

/// Queries by id.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The thing of that id; null where there is none that the caller may see.
    async fn node(&self, context: &Context<'_>, #[graphql(desc = "The id of anything that has one.")] id: ID) -> Option<Result<Node>> {
        nullable(async { Ok(find(request(context), &id).await?) }).await
    }

    /// Each thing of these ids, null where there is none that the caller may see; at most 100.
    async fn nodes(&self, context: &Context<'_>, #[graphql(desc = "Up to 100 ids.")] ids: Vec<ID>) -> Option<Result<Vec<Option<Node>>>> {
        nullable(async {
            if ids.len() > MAX_NODES {
                return Err(Error::BadUserInput(format!("`nodes` takes at most {MAX_NODES} ids.").into()).into());
            }
            let mut found = Vec::with_capacity(ids.len());
            for id in ids {
                found.push(find(request(context), &id).await?);
            }
            Ok(Some(found))
        })
        .await
    }
}

/// The thing of an id. What the caller may not read answers as what does not exist.
async fn find(request: &RequestContext, id: &str) -> Result<Option<Node>, Error> {
    if let Some(id) = ProductId::parse(id) {
        return Ok(Product::by_id(request, id).await?.map(Node::Product));
    }
    if let Some(id) = PlanId::parse(id) {
        return Ok(Plan::by_id(request, id).await?.map(Node::Plan));
    }
    if request.caller.scope().is_none() {
        return Ok(None);
    }
    let access = request.access().await?;
    let tenant = request.tenant().await?;
    if let Some(id) = ApiKeyId::parse(id) {
        return Ok(ApiKey::by_id(request, id).await?.map(Node::ApiKey));
    }
    if !access.allows(Need::Read) {
        return Ok(None);
    }
    if let Some(id) = BusinessId::parse(id) {
        return Ok(if id == tenant.business() { Some(Node::Business(Business::of(request, id).await?)) } else { None });
    }
    if let Some(id) = UserId::parse(id) {
        return Ok(User::by_id(request, id).await?.map(Node::User));
    }
    if let Some(id) = SessionId::parse(id) {
        return Ok(UserSession::by_id(request, id).await?.map(Node::UserSession));
    }
    if let Some(id) = MemberId::parse(id) {
        return Ok(Member::by_id(request, id).await?.map(Node::Member));
    }
    if let Some(id) = NotificationId::parse(id) {
        return Ok(Notification::by_id(request, id).await?.map(Node::Notification));
    }
    if let Some(found) = sent_in(request, id).await? {
        return Ok(Some(found));
    }
    if let Some(id) = InvitationId::parse(id) {
        return Ok(if access.allows(Need::Manage) { Invitation::by_id(request, id).await?.map(Node::Invitation) } else { None });
    }
    if let Some(id) = SubscriptionId::parse(id) {
        return Ok(subscriptions::by_id(&tenant, id).await?.map(Subscription::new).map(Node::Subscription));
    }
    if let Some(id) = AuditEventId::parse(id) {
        let found = if access.allows(Need::ReadAudit) { audit::by_id(&tenant, id).await? } else { None };
        return Ok(found.map(AuditEvent::new).map(Node::AuditEvent));
    }
    if let Some(id) = DataExportId::parse(id) {
        return Ok(if access.allows(Need::Own) { DataExport::by_id(request, id).await?.map(Node::DataExport) } else { None });
    }
    if let Some(found) = find_webhook(request, id).await? {
        return Ok(Some(found));
    }
    if access.allows(Need::ReadMoney) { find_money(&tenant, id).await } else { Ok(None) }
}

/// An endpoint or a delivery, for those who may see them.
async fn find_webhook(request: &RequestContext, id: &str) -> Result<Option<Node>, Error> {
    if let Some(id) = WebhookEndpointId::parse(id) {
        return Ok(WebhookEndpoint::by_id(request, id).await?.map(Node::WebhookEndpoint));
    }
    match WebhookDeliveryId::parse(id) {
        Some(id) => Ok(WebhookDelivery::by_id(request, id).await?.map(Node::WebhookDelivery)),
        None => Ok(None),
    }
}

/// What is billed and paid, for those who may see all of money.
async fn find_money(tenant: &Tenant, id: &str) -> Result<Option<Node>, Error> {
    if let Some(id) = InvoiceId::parse(id) {
        return Ok(invoices::by_id(tenant, id).await?.map(Invoice::new).map(Node::Invoice));
    }
    if let Some(id) = CreditEntryId::parse(id) {
        return Ok(credit::by_id(tenant, id).await?.map(CreditEntry::new).map(Node::CreditEntry));
    }
    if let Some(id) = CreditNoteId::parse(id) {
        return Ok(invoices::credit_note_by_id(tenant, id).await?.map(CreditNote::new).map(Node::CreditNote));
    }
    if let Some(id) = PaymentId::parse(id) {
        return Ok(payments::by_id(tenant, id).await?.map(Payment::new).map(Node::Payment));
    }
    if let Some(id) = RefundId::parse(id) {
        return Ok(refunds::by_id(tenant, id).await?.map(Refund::new).map(Node::Refund));
    }
    if let Some(id) = PaymentMethodId::parse(id) {
        return Ok(payments::method_by_id(tenant, id).await?.map(PaymentMethod::new).map(Node::PaymentMethod));
    }
    Ok(None)
}

/// The ticket, message or document of an id: what the business has sent in.
async fn sent_in(request: &RequestContext, id: &str) -> Result<Option<Node>, Error> {
    if let Some(id) = TicketId::parse(id) {
        return Ok(SupportTicket::by_id(request, id).await?.map(Node::SupportTicket));
    }
    if let Some(id) = TicketMessageId::parse(id) {
        return Ok(TicketMessage::by_id(request, id).await?.map(Node::TicketMessage));
    }
    let Some(id) = DocumentId::parse(id) else { return Ok(None) };
    Ok(VerificationDocument::by_id(request, id).await?.map(Node::VerificationDocument))
}

/// What a notification is about, read together for a whole list of them.
///
/// # Errors
/// The database's fault.
pub(super) async fn subject_of(request: &RequestContext, subject: &str) -> Result<Option<Node>, Error> {
    let (loaders, business) = (&request.view().loaders, request.tenant().await?.business());
    if let Some(id) = BusinessId::parse(subject) {
        return Ok(loaders.businesses.load(id).await?.map(Business::new).map(Node::Business));
    }
    if let Some(id) = SubscriptionId::parse(subject) {
        return Ok(loaders.subscriptions.load((business, id)).await?.map(Subscription::new).map(Node::Subscription));
    }
    if let Some(id) = TicketId::parse(subject) {
        return Ok(SupportTicket::load(request, (business, id)).await?.map(Node::SupportTicket));
    }
    if let Some(id) = WebhookEndpointId::parse(subject) {
        return Ok(WebhookEndpoint::load(request, (business, id)).await?.map(Node::WebhookEndpoint));
    }
    match InvoiceId::parse(subject) {
        Some(id) if request.access().await?.allows(Need::ReadMoney) => {
            Ok(loaders.invoices.load((business, id)).await?.map(Invoice::new).map(Node::Invoice))
        }
        _ => Ok(None),
    }
}
