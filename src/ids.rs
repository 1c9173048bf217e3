//! Ids: a UUIDv7 in the database, a TypeID (`inv_01j9…`) at the API.
//!
//! An id that is malformed or of another type answers as one that does not exist, so parsing yields an `Option`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

/// What an id names; gives the TypeID its prefix.
pub trait Kind: 'static {
    /// The prefix before the underscore, e.g. `inv`.
    const PREFIX: &'static str;
}

/// An id of one kind of thing. Two kinds cannot be mixed up.
pub struct Id<K> {
    uuid: Uuid,
    kind: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// The id as the database keeps it.
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }
}

impl<K> From<Uuid> for Id<K> {
    fn from(uuid: Uuid) -> Self {
        Self { uuid, kind: PhantomData }
    }
}

impl<K: Kind> Id<K> {
    /// Reads a TypeID of this kind; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        // The crate cuts a prefix that is too long at its 63rd byte, in the middle of a character too, and panics there.
        let id: TypeSafeId<DynamicType> = text.is_ascii().then(|| text.parse().ok())??;
        (id.type_prefix() == K::PREFIX).then(|| Self::from(id.uuid()))
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.uuid.cmp(&other.uuid)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DynamicType::new(K::PREFIX) {
            Ok(prefix) => write!(f, "{}", TypeSafeId::from_type_and_uuid(prefix, self.uuid)),
            Err(_) => Err(fmt::Error),
        }
    }
}
impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Declares the kinds of things that have ids, their prefixes, and an alias for each id.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $alias:ident, $prefix:literal;)*) => {
        /// The kinds of things that have ids.
        pub mod kind {
            $($(#[$doc])* #[derive(Debug)] pub enum $kind {} impl super::Kind for $kind { const PREFIX: &'static str = $prefix; })*
        }
        $($(#[$doc])* pub type $alias = Id<kind::$kind>;)*

        /// Every prefix in use, for the lookup by `node(id:)`.
        pub const PREFIXES: &[&str] = &[$($prefix),*];
    };
}

kinds! {
    /// A business: the tenant.
    Business, BusinessId, "biz";
    /// A person who can sign in.
    User, UserId, "usr";
    /// A place where a person is signed in.
    Session, SessionId, "ses";
    /// A person's place in a business.
    Member, MemberId, "mem";
    /// An invitation to a business.
    Invitation, InvitationId, "ivt";
    /// A ticket of support.
    Ticket, TicketId, "tkt";
    /// A message of a ticket.
    TicketMessage, TicketMessageId, "tkm";
    /// What a business submitted to be verified; not shown at the API.
    Verification, VerificationId, "vrf";
    /// A document of a verification.
    Document, DocumentId, "doc";
    /// An export of what is held of a business.
    DataExport, DataExportId, "exp";
    /// Where a business wants to be told of events.
    WebhookEndpoint, WebhookEndpointId, "whk";
    /// An event that an endpoint is told of.
    WebhookDelivery, WebhookDeliveryId, "dlv";
    /// A product of the platform.
    Product, ProductId, "prd";
    /// A plan of a product (all of its versions).
    Plan, PlanId, "pln";
    /// A business's subscription to a product.
    Subscription, SubscriptionId, "sub";
    /// An invoice.
    Invoice, InvoiceId, "inv";
    /// A line of an invoice.
    InvoiceLine, InvoiceLineId, "lin";
    /// A payment: one attempt.
    Payment, PaymentId, "pay";
    /// A way to pay.
    PaymentMethod, PaymentMethodId, "pm";
    /// A credit note.
    CreditNote, CreditNoteId, "cn";
    /// A line of a credit note.
    CreditNoteLine, CreditNoteLineId, "cnl";
    /// A movement of account credit.
    CreditEntry, CreditEntryId, "cre";
    /// A coupon.
    Coupon, CouponId, "cpn";
    /// A key that a business's programs sign in by.
    ApiKey, ApiKeyId, "key";
    /// A key that a product's own programs sign in by.
    ServiceKey, ServiceKeyId, "skey";
    /// A refund.
    Refund, RefundId, "ref";
    /// A dispute of a payment, which its payer's bank has begun.
    Dispute, DisputeId, "dsp";
    /// Something in which a gateway's list and our rows differ.
    GatewayDifference, GatewayDifferenceId, "dif";
    /// What a gateway that signs nothing said of a payment; never shown.
    GatewayHint, GatewayHintId, "hnt";
    /// An entry of the ledger.
    JournalEntry, JournalEntryId, "jrn";
    /// A movement of recurring revenue; not shown at the API.
    RevenueMovement, RevenueMovementId, "rmv";
    /// A side of an entry; not shown at the API.
    Posting, PostingId, "pst";
    /// An audit event.
    AuditEvent, AuditEventId, "aud";
    /// A period of a subscription; not shown at the API.
    Period, PeriodId, "per";
    /// A change of a subscription; not shown at the API.
    SubscriptionChange, SubscriptionChangeId, "chg";
    /// A tax of an invoice; not shown at the API.
    InvoiceTax, InvoiceTaxId, "itx";
    /// A job; not shown at the API.
    Job, JobId, "job";
    /// An event of the outbox; consumers tell two deliveries of one by it.
    Event, EventId, "evt";
    /// A notification.
    Notification, NotificationId, "ntf";
    /// What a person wants of a kind of notification; not shown at the API.
    NotificationPreference, NotificationPreferenceId, "npf";
    /// A mail; not shown at the API.
    Mail, MailId, "mail";
    /// An idempotency key's row; not shown at the API.
    IdempotencyKey, IdempotencyKeyId, "idk";
    /// A member of the platform's staff.
    Staff, StaffId, "stf";
    /// A place where a member of staff is signed in; not shown at the API.
    StaffSession, StaffSessionId, "sts";
    /// A test clock.
    TestClock, TestClockId, "clk";
    /// A time for which staff suspended a business; not shown at the API.
    Suspension, SuspensionId, "sus";
    /// An event of usage as it was recorded; not shown at the API.
    UsageEvent, UsageEventId, "uev";
    /// What a metered feature comes to in a usage period; not shown at the API.
    UsageCounter, UsageCounterId, "ucn";
    /// A standing quantity; not shown at the API.
    UsageStanding, UsageStandingId, "ust";
    /// An hour of a feature's history; not shown at the API.
    UsageBucket, UsageBucketId, "ubk";
}

/// Where new ids come from.
pub trait IdGen: Send + Sync + 'static {
    /// A new UUIDv7, later than those before it.
    fn next_uuid(&self) -> Uuid;
}

/// A shared source of ids.
pub type SharedIdGen = Arc<dyn IdGen>;

impl dyn IdGen {
    /// A new id of kind `K`.
    pub fn next<K>(&self) -> Id<K> {
        Id::from(self.next_uuid())
    }
}

/// Ids by the operating system's clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemIds;

impl IdGen for SystemIds {
    #[expect(clippy::disallowed_methods, reason = "this is the port that everything else asks")]
    fn next_uuid(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_itself_and_as_no_other_kind() {
        let source: SharedIdGen = Arc::new(SystemIds);
        let id: InvoiceId = source.next();
        let text = id.to_string();
        assert!(text.starts_with("inv_"));
        assert_eq!(InvoiceId::parse(&text), Some(id));
        assert_eq!(PaymentId::parse(&text), None);
    }

    #[test]
    fn a_malformed_id_is_none() {
        // A prefix whose 63rd byte lies within a character.
        assert_eq!(InvoiceId::parse(&format!("{}ቝ_01h455vb4pex5vsknk084sn02q", "a".repeat(62))), None);
        for text in [
            "",
            "inv",
            "inv_",
            "inv_01j9",
            "INV_01h455vb4pex5vsknk084sn02q",
            "inv_81h455vb4pex5vsknk084sn02q",
            "inv_01h455vb4pex5vsknk084sn02q ",
            "inv_01h455vb4pex5vsknk084sn02ü",
            "\0",
        ] {
            assert_eq!(InvoiceId::parse(text), None, "{text:?}");
        }
    }
}
