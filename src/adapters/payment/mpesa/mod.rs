//! M-Pesa, by Safaricom's Daraja: the customer is prompted on the phone (STK push), and confirms with a PIN.
//!
//! **There is no idempotency key.** A prompt whose answer was lost may have been shown, and a second one could be paid too: nothing is
//! handed over twice. What is in hand again ([`super::ChargeRequest::age`], [`super::RefundRequest::again`]) is asked about and not sent.
//!
//! **What became of a prompt** is asked by its `CheckoutRequestID`, which only the answer to the push tells. Where that was lost,
//! Daraja leaves nothing to ask by but its own callback. That is signed by nobody, so it comes by an address of this one attempt that
//! cannot be guessed, and is a hint all the same: the id that it names is asked about, and the receipt that it names must by a query of
//! the transaction's status be of the same amount and have gone to our short code. Without a callback the attempt fails after
//! [`HEARD_WITHIN`]; what comes after that is told apart by whoever holds the attempt.
//!
//! **Amounts are whole shillings.** A prompt cannot be called off: it ends by itself within [`PROMPT_LIFETIME`].

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use self::client::DarajaClient;
use super::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CALL_LIMIT, CancelAnswer, ChargeAnswer, ChargeRequest, Decline, GatewayKind,
    LookUpAnswer, MethodKind, MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest, within,
};
use crate::clock::SharedClock;
use crate::config::MpesaSettings;
use crate::error::Cause;
use crate::money::{Currency, Money};

pub mod callback;
mod client;
mod codes;
mod objects;
mod phone;
mod prompts;
mod refunds;
mod status;

/// Where Daraja sends what it tells of, below the address that it is given; the secret follows.
pub const EVENTS_PATH: &str = "/gateways/mpesa/events";
/// How long a prompt stands on the phone, with some time to spare.
pub const PROMPT_LIFETIME: Duration = Duration::from_mins(3);
/// How long a callback is waited for where the answer to a push was lost.
pub const HEARD_WITHIN: Duration = Duration::from_hours(1);
/// A whole shilling, in cents.
const SHILLING_MINOR: i64 = 100;
/// The most that one transaction takes: 250,000 shillings.
const MOST_MINOR: i64 = 25_000_000;

/// How Daraja is reached.
#[derive(Debug, Clone)]
pub struct MpesaOptions {
    /// What the operator gave.
    pub settings: MpesaSettings,
    /// How long one request may take.
    pub request_limit: Duration,
    /// How long a call of several requests may take.
    pub call_limit: Duration,
}

impl MpesaOptions {
    /// As the settings say.
    pub fn new(settings: &MpesaSettings) -> Self {
        Self { settings: settings.clone(), request_limit: Duration::from_secs(8), call_limit: CALL_LIMIT }
    }
}

/// The gateway. Its clones share their connections and their token.
#[derive(Clone)]
pub struct MpesaGateway {
    /// Asks.
    client: DarajaClient,
    /// The paybill number that is paid to.
    short_code: String,
    /// Makes the password of a push.
    passkey: SecretString,
    /// Who asks for reversals and states.
    initiator: String,
    /// Proves it: the initiator's password, encrypted for Safaricom.
    security_credential: SecretString,
    /// Where Daraja reaches us, without a slash at the end.
    callback_url: String,
    /// Tells the time that a push is stamped with.
    clock: SharedClock,
    /// How long a call of several requests may take.
    call_limit: Duration,
}

impl fmt::Debug for MpesaGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MpesaGateway").field("client", &self.client).field("short_code", &self.short_code).finish_non_exhaustive()
    }
}

impl MpesaGateway {
    /// A gateway that is not connected yet.
    ///
    /// # Errors
    /// Where TLS cannot be set up, or the keys are none that a header can hold.
    pub fn new(options: &MpesaOptions, clock: SharedClock) -> Result<Self, Cause> {
        let MpesaSettings { url, consumer_key, consumer_secret, short_code, passkey, initiator, security_credential, callback_url } =
            options.settings.clone();
        let client = DarajaClient::new(&url, &consumer_key, &consumer_secret, options.request_limit, clock.clone())?;
        let call_limit = options.call_limit;
        Ok(Self { client, short_code, passkey, initiator, security_credential, callback_url, clock, call_limit })
    }

    /// Where Daraja tells of what this secret names.
    fn address(&self, secret: &str) -> String {
        format!("{}{EVENTS_PATH}/{secret}", self.callback_url)
    }
}

/// What is taken of a currency.
fn terms(currency: Currency) -> Option<AmountTerms> {
    let shillings = AmountTerms { unit_minor: SHILLING_MINOR, least_minor: SHILLING_MINOR, most_minor: MOST_MINOR };
    (currency.code() == "KES").then_some(shillings)
}

/// Whole shillings; `None` for what M-Pesa does not take.
fn shillings(amount: Money) -> Option<i64> {
    terms(amount.currency()).filter(|terms| terms.take(amount.minor()))?;
    amount.minor().checked_div(SHILLING_MINOR)
}

/// A refusal of our own.
fn own(code: &str, message: &str) -> Decline {
    Decline { code: code.to_owned(), message: message.to_owned(), hard: false }
}

#[async_trait]
impl PaymentGateway for MpesaGateway {
    fn kind(&self) -> GatewayKind {
        GatewayKind::Mpesa
    }

    fn terms(&self, currency: Currency) -> Option<AmountTerms> {
        terms(currency)
    }

    async fn attach(&self, source: MethodSource) -> Result<AttachedMethod, AttachError> {
        let MethodSource::MpesaPhone(given) = source else { return Err(AttachError::Unsupported) };
        let number = phone::kenyan(&given)
            .ok_or_else(|| AttachError::Refused("M-Pesa needs a Kenyan mobile number, e.g. +254712345678.".to_owned()))?;
        Ok(AttachedMethod { kind: MethodKind::Mpesa, label: phone::label(&number), reference: number, expires_on: None })
    }

    async fn charge(&self, request: ChargeRequest) -> ChargeAnswer {
        within(self.call_limit, self.charge_now(&request), ChargeAnswer::Unknown).await
    }

    async fn look_up(&self, charge: &BegunCharge) -> LookUpAnswer {
        within(self.call_limit, self.look_up_now(charge), LookUpAnswer::Unknown).await
    }

    async fn cancel(&self, charge: &BegunCharge) -> CancelAnswer {
        // A prompt cannot be called off: it is over, or it is not.
        match within(self.call_limit, self.look_up_now(charge), LookUpAnswer::Unknown).await {
            LookUpAnswer::Succeeded(success) => CancelAnswer::AlreadySucceeded(success),
            LookUpAnswer::Failed(decline) => CancelAnswer::AlreadyFailed(decline),
            _ => CancelAnswer::Unknown,
        }
    }

    async fn refund(&self, request: RefundRequest) -> RefundAnswer {
        within(self.call_limit, self.refund_now(&request), RefundAnswer::Unknown).await
    }

    async fn look_up_refund(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        within(self.call_limit, self.look_up_refund_now(refund), RefundLookUpAnswer::Unknown).await
    }
}
