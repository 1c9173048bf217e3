//! Anything by its id, whosever it is.

use async_graphql::{Context, ID, Interface, Object, Result};

use super::account::StaffUser;
use super::businesses::StaffBusiness;
use super::coupons::Coupon;
use super::differences::GatewayDifference;
use super::disputes::Dispute;
use super::ledger::JournalEntry;
use super::plans::StaffPlan;
use super::service_keys::ServiceKey;
use super::test_clocks::TestClock;
use crate::error::Error;
use crate::graphql::business::account::User;
use crate::graphql::business::api_keys::ApiKey;
use crate::graphql::business::audit::AuditEvent;
use crate::graphql::business::catalog::{Plan, Product};
use crate::graphql::business::credit::CreditEntry;
use crate::graphql::business::credit_notes::CreditNote;
use crate::graphql::business::invitations::Invitation;
use crate::graphql::business::invoices::Invoice;
use crate::graphql::business::node::MAX_NODES;
use crate::graphql::business::payments::{Payment, PaymentMethod};
use crate::graphql::business::profile::{Business, Member};
use crate::graphql::business::refunds::Refund;
use crate::graphql::business::subscriptions::Subscription;
use crate::graphql::business::support::{SupportTicket, TicketMessage};
use crate::graphql::business::verification::VerificationDocument;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::ids::{
    AuditEventId, BusinessId, CouponId, CreditEntryId, CreditNoteId, DisputeId, DocumentId, GatewayDifferenceId, InvitationId, InvoiceId,
    JournalEntryId, MemberId, PaymentId, PaymentMethodId, PlanId, ProductId, RefundId, ServiceKeyId, StaffId, SubscriptionId, TestClockId,
    TicketId, TicketMessageId, UserId,
};
use crate::services::staff::Right;
use crate::store::reads::{audit, credit, disputes, invoices, ledger, payments, refunds, subscriptions};

/// A thing with an id.
#[derive(Interface)]
#[graphql(name = "Node", field(name = "id", ty = "ID", desc = "Its id: opaque to clients."))]
pub enum StaffNode {
    /// A business, with what only staff see of it.
    StaffBusiness(StaffBusiness),
    /// A member of staff.
    StaffUser(StaffUser),
    /// A business as its own people see it: reached from what is its own; by its id it is a `StaffBusiness`.
    Business(Business),
    /// A person.
    User(User),
    /// A person's place in a business.
    Member(Member),
    /// Somebody who is invited to a business.
    Invitation(Invitation),
    /// A product.
    Product(Product),
    /// A plan, with what only staff see of it.
    StaffPlan(StaffPlan),
    /// A plan as customers see it: reached from what is on it; by its id it is a `StaffPlan`.
    Plan(Plan),
    /// A coupon.
    Coupon(Coupon),
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
    /// A dispute of a payment.
    Dispute(Dispute),
    /// Something in which a gateway's list and our rows differ.
    GatewayDifference(GatewayDifference),
    /// A way to pay.
    PaymentMethod(PaymentMethod),
    /// A key of a business: shown to its own people alone, and by no id to staff.
    ApiKey(ApiKey),
    /// A product's own key.
    ServiceKey(ServiceKey),
    /// A test clock.
    TestClock(TestClock),
    /// An entry of the ledger.
    JournalEntry(JournalEntry),
    /// Something that a business asks of support.
    SupportTicket(SupportTicket),
    /// Something that was said in a ticket.
    TicketMessage(TicketMessage),
    /// A document that a business submitted.
    VerificationDocument(VerificationDocument),
    /// One act that was written down.
    AuditEvent(AuditEvent),
}

/// Queries by id.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The thing of that id; null where there is none.
    async fn node(&self, context: &Context<'_>, #[graphql(desc = "The id of anything that has one.")] id: ID) -> Option<Result<StaffNode>> {
        nullable(async {
            request(context).staff_access().await?.require(Right::Read)?;
            Ok(find(request(context), &id).await?)
        })
        .await
    }

    /// Each thing of these ids, null where there is none; at most 100.
    async fn nodes(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Up to 100 ids.")] ids: Vec<ID>,
    ) -> Option<Result<Vec<Option<StaffNode>>>> {
        nullable(async {
            request(context).staff_access().await?.require(Right::Read)?;
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

/// The thing of an id.
async fn find(request: &RequestContext, id: &str) -> Result<Option<StaffNode>, Error> {
    if let Some(id) = BusinessId::parse(id) {
        return Ok(StaffBusiness::by_id(request, id).await?.map(StaffNode::StaffBusiness));
    }
    if let Some(id) = StaffId::parse(id) {
        return Ok(StaffUser::by_id(request, id).await?.map(StaffNode::StaffUser));
    }
    if let Some(id) = GatewayDifferenceId::parse(id) {
        return Ok(GatewayDifference::by_id(request, id).await?.map(StaffNode::GatewayDifference));
    }
    if let Some(found) = sent_in(request, id).await? {
        return Ok(Some(found));
    }
    if let Some(id) = ProductId::parse(id) {
        return Ok(Product::by_id(request, id).await?.map(StaffNode::Product));
    }
    if let Some(id) = PlanId::parse(id) {
        return Ok(StaffPlan::by_id(request, id).await?.map(StaffNode::StaffPlan));
    }
    if let Some(id) = CouponId::parse(id) {
        return Ok(Coupon::by_id(request, id).await?.map(StaffNode::Coupon));
    }
    if let Some(id) = UserId::parse(id) {
        return Ok(User::by_id(request, id).await?.map(StaffNode::User));
    }
    if let Some(id) = MemberId::parse(id) {
        return Ok(Member::by_id(request, id).await?.map(StaffNode::Member));
    }
    if let Some(id) = ServiceKeyId::parse(id) {
        return Ok(ServiceKey::by_id(request, id).await?.map(StaffNode::ServiceKey));
    }
    if let Some(id) = TestClockId::parse(id) {
        return Ok(TestClock::by_id(request, id).await?.map(StaffNode::TestClock));
    }
    let reader = request.reader().await?;
    if let Some(id) = AuditEventId::parse(id) {
        let found = match audit::by_id(&reader, id).await? {
            None => audit::of_platform_by_id(&request.system().await?, id).await?,
            found => found,
        };
        return Ok(found.map(AuditEvent::new).map(StaffNode::AuditEvent));
    }
    if let Some(id) = JournalEntryId::parse(id) {
        return Ok(ledger::by_id(&reader, id).await?.map(JournalEntry::new).map(StaffNode::JournalEntry));
    }
    if let Some(id) = InvitationId::parse(id) {
        return Ok(Invitation::by_id(request, id).await?.map(StaffNode::Invitation));
    }
    if let Some(id) = SubscriptionId::parse(id) {
        return Ok(subscriptions::by_id(&reader, id).await?.map(Subscription::new).map(StaffNode::Subscription));
    }
    if let Some(id) = InvoiceId::parse(id) {
        return Ok(invoices::by_id(&reader, id).await?.map(Invoice::new).map(StaffNode::Invoice));
    }
    if let Some(id) = CreditEntryId::parse(id) {
        return Ok(credit::by_id(&reader, id).await?.map(CreditEntry::new).map(StaffNode::CreditEntry));
    }
    if let Some(id) = CreditNoteId::parse(id) {
        return Ok(invoices::credit_note_by_id(&reader, id).await?.map(CreditNote::new).map(StaffNode::CreditNote));
    }
    if let Some(id) = PaymentMethodId::parse(id) {
        return Ok(payments::method_by_id(&reader, id).await?.map(PaymentMethod::new).map(StaffNode::PaymentMethod));
    }
    paid(request, id).await
}

/// The payment, refund or dispute of an id.
async fn paid(request: &RequestContext, id: &str) -> Result<Option<StaffNode>, Error> {
    let reader = request.reader().await?;
    if let Some(id) = PaymentId::parse(id) {
        return Ok(payments::by_id(&reader, id).await?.map(Payment::new).map(StaffNode::Payment));
    }
    if let Some(id) = RefundId::parse(id) {
        return Ok(refunds::by_id(&reader, id).await?.map(Refund::new).map(StaffNode::Refund));
    }
    if let Some(id) = DisputeId::parse(id) {
        return Ok(disputes::by_id(&reader, id).await?.map(Dispute::new).map(StaffNode::Dispute));
    }
    Ok(None)
}

/// The ticket, message or document of an id: what a business has sent in.
async fn sent_in(request: &RequestContext, id: &str) -> Result<Option<StaffNode>, Error> {
    if let Some(id) = TicketId::parse(id) {
        return Ok(SupportTicket::by_id(request, id).await?.map(StaffNode::SupportTicket));
    }
    if let Some(id) = TicketMessageId::parse(id) {
        return Ok(TicketMessage::by_id(request, id).await?.map(StaffNode::TicketMessage));
    }
    let Some(id) = DocumentId::parse(id) else { return Ok(None) };
    Ok(VerificationDocument::by_id(request, id).await?.map(StaffNode::VerificationDocument))
}
