//! The port to payment gateways: what every gateway is asked, and the closed list of what it may answer.
//!
//! A lost answer is [`ChargeAnswer::Unknown`], never a failure: money may have moved, so the caller asks again by
//! [`PaymentGateway::look_up`] until it knows. The key of a charge is our payment's id: it is written down before
//! the gateway is called, and the same key never charges twice. No gateway is called inside a database transaction.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use self::books::BooksAnswer;
use self::disputes::DisputeAnswer;
use crate::money::{Currency, Money};

pub mod books;
pub mod disputes;
mod measured;
pub mod mpesa;
pub mod registry;
pub mod sandbox;
pub mod simulator;
pub mod stripe;
pub mod transfer;
mod wire;

/// The most that one call to a gateway may take before its answer counts as lost.
pub const CALL_LIMIT: Duration = Duration::from_secs(10);

/// The longest key a gateway is given, in bytes.
pub const MAX_KEY_BYTES: usize = 255;

/// Which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GatewayKind {
    /// The one that only pretends to move money.
    Sandbox,
    /// Stripe, for cards.
    Stripe,
    /// M-Pesa, by Safaricom's Daraja.
    Mpesa,
    /// Transfers that customers make at their bank: nothing is charged by it.
    Transfer,
}

impl GatewayKind {
    /// The name that is stored and that appears in paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Stripe => "stripe",
            Self::Mpesa => "mpesa",
            Self::Transfer => "transfer",
        }
    }

    /// Whether methods of this kind are its own.
    pub const fn takes(self, method: MethodKind) -> bool {
        matches!(
            (self, method),
            (Self::Sandbox, MethodKind::Sandbox)
                | (Self::Stripe, MethodKind::Card)
                | (Self::Mpesa, MethodKind::Mpesa)
                | (Self::Transfer, MethodKind::BankTransfer)
        )
    }

    /// Reads a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sandbox, Self::Stripe, Self::Mpesa, Self::Transfer].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What kind of method a customer pays with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MethodKind {
    /// A card; charged without the customer.
    Card,
    /// M-Pesa; the customer confirms a prompt on the phone.
    Mpesa,
    /// A transfer that the customer makes.
    BankTransfer,
    /// One that behaves as a [`SandboxBehavior`] says.
    Sandbox,
}

/// How a sandbox method behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SandboxBehavior {
    /// Every charge succeeds.
    Succeeds,
    /// Every charge is declined, softly: a retry makes sense.
    Declines,
    /// The customer must act first.
    RequiresAction,
    /// The charge never reaches the gateway, and no answer comes.
    TimesOut,
    /// The charge is made, but its answer is lost.
    SucceedsLate,
}

/// What a customer gives to be charged later. Holds what identifies a payer: it is never logged, hence no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum MethodSource {
    /// The token that a gateway's own form gave.
    CardToken(String),
    /// A phone number in E.164.
    MpesaPhone(String),
    /// The customer will transfer the money.
    BankTransfer,
    /// A sandbox method.
    Sandbox(SandboxBehavior),
}

impl MethodSource {
    /// What kind of method it makes.
    pub const fn kind(&self) -> MethodKind {
        match self {
            Self::CardToken(_) => MethodKind::Card,
            Self::MpesaPhone(_) => MethodKind::Mpesa,
            Self::BankTransfer => MethodKind::BankTransfer,
            Self::Sandbox(_) => MethodKind::Sandbox,
        }
    }
}

/// A source that the gateway has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedMethod {
    /// Its kind.
    pub kind: MethodKind,
    /// What [`ChargeRequest::method_reference`] names it by.
    pub reference: String,
    /// For people: `Visa •••• 4242`.
    pub label: String,
    /// The last day on which it can be charged; `None` without one.
    pub expires_on: Option<Date>,
}

/// Why a source was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// This gateway does not take such a source.
    #[error("This way to pay is not offered.")]
    Unsupported,
    /// The gateway refused it; the sentence may be shown to a person.
    #[error("{0}")]
    Refused(String),
    /// No answer came; trying again may help.
    #[error("The payment gateway does not answer.")]
    Unavailable,
}

/// What a gateway takes of one currency, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AmountTerms {
    /// Amounts are whole multiples of this (M-Pesa: 100, a whole shilling).
    pub unit_minor: i64,
    /// The least that one charge may be.
    pub least_minor: i64,
    /// The most that one charge may be.
    pub most_minor: i64,
}

impl AmountTerms {
    /// Whether `minor` can be charged as it is.
    pub const fn take(self, minor: i64) -> bool {
        self.least_minor <= minor && minor <= self.most_minor && minor % self.unit_minor == 0
    }
}

/// What a gateway that signs nothing told of by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeardOf {
    /// A charge.
    Charge,
    /// A question that was asked about what moved: its answer, which comes by itself too.
    Status,
    /// A refund.
    Refund,
}

/// What a gateway that signs nothing told of by itself. A hint what to ask about, and never more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Of what.
    pub of: HeardOf,
    /// The gateway's own id of the request that it tells of.
    pub reference: String,
    /// Whether it says that money moved.
    pub succeeded: bool,
    /// Its code, where it says why not.
    pub code: String,
    /// What the payer's books call it.
    pub receipt: Option<String>,
    /// How much it says. Minor units.
    pub amount_minor: Option<i64>,
    /// To whom it says that money moved.
    pub receiver: Option<String>,
}

/// The ways back from a gateway that signs nothing, for one charge or refund, and what came by them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WayBack {
    /// Names the charge or refund in the address that the gateway is given, and cannot be guessed.
    pub secret: String,
    /// The same, for the answers to questions about it.
    pub status_secret: String,
    /// What the gateway said, the newest first.
    pub heard: Vec<Heard>,
}

/// A charge to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeRequest {
    /// Our payment's id as text: the idempotency key. 1 to [`MAX_KEY_BYTES`] letters, digits, `_` or `-`.
    pub key: String,
    /// What to take; more than zero.
    pub amount: Money,
    /// The [`AttachedMethod::reference`] to take it from.
    pub method_reference: String,
    /// For the payer's statement.
    pub description: String,
    /// How long ago this charge was first handed over; zero the first time, and then alone. A gateway that forgets keys must not be
    /// handed an old one again, and one that has none nothing twice.
    pub age: Duration,
    /// The ways back, for a gateway that signs nothing.
    pub back: WayBack,
}

/// A charge that was handed over, or was about to be: what there is to find it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunCharge {
    /// Its key, as [`ChargeRequest::key`].
    pub key: String,
    /// What was to be taken.
    pub amount: Money,
    /// From which method.
    pub method_reference: String,
    /// The gateway's own id of it, where an answer has told.
    pub reference: Option<String>,
    /// How long ago it came to stand where it stands.
    pub age: Duration,
    /// The ways back, for a gateway that signs nothing.
    pub back: WayBack,
}

/// Money was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// The gateway's own id of the charge.
    pub reference: String,
    /// What the payer's books call it, where the gateway gives one.
    pub receipt: Option<String>,
}

/// No money was taken, and none will be under this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decline {
    /// A code in lower case, e.g. `card_declined`.
    pub code: String,
    /// A sentence for the payer.
    pub message: String,
    /// Whether trying the same method again is pointless (lost, stolen, closed).
    pub hard: bool,
}

/// How the customer acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// Open [`Action::url`].
    Redirect,
    /// Hand [`Action::client_secret`] to the gateway's own script.
    ClientSecret,
    /// Confirm on the phone.
    Phone,
}

/// What the customer must do before money moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// How.
    pub kind: ActionKind,
    /// For [`ActionKind::Redirect`].
    pub url: Option<String>,
    /// For [`ActionKind::ClientSecret`].
    pub client_secret: Option<String>,
    /// How long there is left to do it, from this answer on.
    pub expires_in: Duration,
    /// The gateway's own id of the charge, where it has one by now.
    pub reference: Option<String>,
}

/// What became of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeAnswer {
    /// Money was taken.
    Succeeded(Success),
    /// No money was taken.
    Failed(Decline),
    /// No money was taken yet.
    RequiresAction(Action),
    /// The answer was lost: money may have been taken.
    Unknown,
    /// The key stands for another amount or method. This call took nothing, but what the key first stood for may
    /// have: a fault of ours, never a failed payment.
    KeyReused,
}

/// What the gateway knows of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookUpAnswer {
    /// Money was taken.
    Succeeded(Success),
    /// No money was taken.
    Failed(Decline),
    /// The customer has not acted yet.
    RequiresAction(Action),
    /// It was called off, or the customer let it lapse; nothing was taken and nothing will be.
    Canceled,
    /// The gateway has never heard of the key. It may still do so, if the request is on its way: [`PaymentGateway::cancel`] bars that.
    NotFound,
    /// This answer was lost too.
    Unknown,
}

/// What became of a call to cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelAnswer {
    /// Nothing was taken, and a charge with this key will not take anything, even one that arrives later.
    Canceled,
    /// It was too late: money was taken.
    AlreadySucceeded(Success),
    /// There was nothing left to cancel.
    AlreadyFailed(Decline),
    /// The answer was lost.
    Unknown,
}

/// A part of a charge to pay back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    /// Our refund's id as text: the idempotency key, as [`ChargeRequest::key`].
    pub key: String,
    /// The key of the charge.
    pub charge_key: String,
    /// The gateway's own id of the charge.
    pub charge_reference: String,
    /// What the payer's books call the charge, where the gateway gave it a name.
    pub charge_receipt: Option<String>,
    /// What to pay back; more than zero, and with what was paid back before no more than was taken.
    pub amount: Money,
    /// Whether it was handed over before, and nobody wrote down the answer.
    pub again: bool,
    /// The ways back, for a gateway that signs nothing.
    pub back: WayBack,
}

/// What became of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundAnswer {
    /// It was paid; the gateway's own id of it.
    Succeeded(String),
    /// It was not paid, and will not be under this key.
    Failed(Decline),
    /// The gateway has it in hand and tells later.
    Accepted,
    /// The answer was lost: it may have been paid.
    Unknown,
    /// The key stands for another charge or amount: a fault of ours.
    KeyReused,
}

/// What the gateway knows of a refund's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundLookUpAnswer {
    /// It was paid; the gateway's own id of it.
    Succeeded(String),
    /// It was not paid, and will not be.
    Failed(Decline),
    /// The gateway has it in hand.
    Accepted,
    /// The gateway has never heard of the key: the same request may be sent again, since the key pays once.
    NotFound,
    /// This answer was lost too.
    Unknown,
}

/// A payment gateway. Every call ends within [`CALL_LIMIT`] or what its adapter sets below that.
#[async_trait]
pub trait PaymentGateway: Send + Sync + 'static {
    /// Which gateway it is.
    fn kind(&self) -> GatewayKind;

    /// What it takes of `currency`; `None` where it takes none of it.
    fn terms(&self, currency: Currency) -> Option<AmountTerms>;

    /// What the customer's browser asks the gateway with, where its own form takes the source.
    fn publishable_key(&self) -> Option<&str> {
        None
    }

    /// What is shown to a customer who pays by hand.
    fn instructions(&self) -> Option<&str> {
        None
    }

    /// Makes a customer's source chargeable. Charges nothing.
    async fn attach(&self, source: MethodSource) -> Result<AttachedMethod, AttachError>;

    /// Takes the money, once per key: the same request again gives what became of the first.
    async fn charge(&self, request: ChargeRequest) -> ChargeAnswer;

    /// Asks what became of a charge.
    async fn look_up(&self, charge: &BegunCharge) -> LookUpAnswer;

    /// Calls a charge off, if it has not taken money yet.
    async fn cancel(&self, charge: &BegunCharge) -> CancelAnswer;

    /// Pays a part of a charge back, once per key: the same request again gives what became of the first.
    async fn refund(&self, request: RefundRequest) -> RefundAnswer;

    /// Asks what became of a refund.
    async fn look_up_refund(&self, refund: &RefundRequest) -> RefundLookUpAnswer;

    /// What it lists of what was begun from `from` to before `until`. It may take many requests, each within its own time.
    async fn books(&self, _from: Timestamp, _until: Timestamp) -> BooksAnswer {
        BooksAnswer::NotOffered
    }

    /// Asks about a dispute by the gateway's own id of it. Where banks take nothing back there is none.
    async fn dispute(&self, _reference: &str) -> DisputeAnswer {
        DisputeAnswer::NotFound
    }
}

/// The answer of `call`, or `lost` when it does not come within `limit`.
pub async fn within<T: Send>(limit: Duration, call: impl Future<Output = T> + Send, lost: T) -> T {
    tokio::time::timeout(limit, call).await.unwrap_or(lost)
}
