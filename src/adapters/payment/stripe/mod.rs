//! Stripe: cards, by payment intents.
//!
//! A charge is one intent, made and confirmed in one request under our payment's id as its idempotency key, with that id in its
//! metadata. What becomes of a request whose answer was lost is told by the intent itself: by its id where we have it, else among
//! the intents of its customer (Stripe's lists show what was committed; its search does not, for a minute).
//!
//! **A late request is barred by its own key.** [`StripeGateway::cancel`] of a charge that Stripe does not know makes, under the same
//! key, an intent of the same amount that is *not confirmed*, and calls that off. Stripe keeps a key with the request it first came with
//! for 24 hours: if the bar was first, the late request is another request under a key that is taken, and is refused; if the late
//! request was first, the bar is refused, and its intent is there to be found. Neither order charges after we said that nothing was.
//!
//! **No key is sent again after [`RESEND_WITHIN`]**: Stripe forgets it an hour later, and would charge a second time.
//!
//! This room must never believe what a webhook says; [`signature`] only tells who said it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use self::client::StripeClient;
use super::books::BooksAnswer;
use super::disputes::DisputeAnswer;
use super::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CALL_LIMIT, CancelAnswer, ChargeAnswer, ChargeRequest, GatewayKind,
    LookUpAnswer, MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest, within,
};
use crate::clock::SharedClock;
use crate::config::StripeSettings;
use crate::error::Cause;
use crate::money::Currency;

mod amounts;
mod books;
mod client;
mod declines;
mod disputes;
pub mod event;
mod intents;
mod methods;
mod objects;
mod refunds;
pub mod signature;

/// Where Stripe is.
pub const STRIPE_URL: &str = "https://api.stripe.com";
/// How long after it was first handed over a charge may be handed over again: Stripe keeps keys for 24 hours.
pub const RESEND_WITHIN: Duration = Duration::from_hours(23);
/// How long a customer has to act. An intent waits for ever; we call it off.
pub const ACTION_LIFETIME: Duration = Duration::from_hours(1);

/// How Stripe is reached.
#[derive(Debug, Clone)]
pub struct StripeOptions {
    /// Where.
    pub url: String,
    /// Proves who asks.
    pub secret_key: SecretString,
    /// What the customer's browser asks Stripe with.
    pub publishable_key: String,
    /// How long one request may take.
    pub request_limit: Duration,
    /// How long a call of several requests may take.
    pub call_limit: Duration,
}

impl StripeOptions {
    /// As the settings say.
    pub fn new(settings: &StripeSettings) -> Self {
        Self {
            url: settings.url.clone(),
            secret_key: settings.secret_key.clone(),
            publishable_key: settings.publishable_key.clone(),
            request_limit: Duration::from_secs(8),
            call_limit: CALL_LIMIT,
        }
    }
}

/// The gateway. Its clones share their connections.
#[derive(Clone)]
pub struct StripeGateway {
    /// Asks.
    client: StripeClient,
    /// What the customer's browser asks with.
    publishable_key: String,
    /// How long a call of several requests may take.
    call_limit: Duration,
}

impl fmt::Debug for StripeGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StripeGateway").field("client", &self.client).finish_non_exhaustive()
    }
}

impl StripeGateway {
    /// A gateway that is not connected yet.
    ///
    /// # Errors
    /// Where TLS cannot be set up, or the key is none that a header can hold.
    pub fn new(options: &StripeOptions, clock: SharedClock) -> Result<Self, Cause> {
        Ok(Self {
            client: StripeClient::new(&options.url, &options.secret_key, options.request_limit, clock)?,
            publishable_key: options.publishable_key.clone(),
            call_limit: options.call_limit,
        })
    }
}

#[async_trait]
impl PaymentGateway for StripeGateway {
    fn kind(&self) -> GatewayKind {
        GatewayKind::Stripe
    }

    fn terms(&self, currency: Currency) -> Option<AmountTerms> {
        amounts::terms(currency)
    }

    fn publishable_key(&self) -> Option<&str> {
        Some(&self.publishable_key)
    }

    async fn attach(&self, source: MethodSource) -> Result<AttachedMethod, AttachError> {
        let MethodSource::CardToken(token) = source else { return Err(AttachError::Unsupported) };
        within(self.call_limit, self.attach_card(&token), Err(AttachError::Unavailable)).await
    }

    async fn charge(&self, request: ChargeRequest) -> ChargeAnswer {
        within(self.call_limit, self.charge_now(&request), ChargeAnswer::Unknown).await
    }

    async fn look_up(&self, charge: &BegunCharge) -> LookUpAnswer {
        within(self.call_limit, self.look_up_now(charge), LookUpAnswer::Unknown).await
    }

    async fn cancel(&self, charge: &BegunCharge) -> CancelAnswer {
        within(self.call_limit, self.cancel_now(charge), CancelAnswer::Unknown).await
    }

    async fn refund(&self, request: RefundRequest) -> RefundAnswer {
        within(self.call_limit, self.refund_now(&request), RefundAnswer::Unknown).await
    }

    async fn look_up_refund(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        within(self.call_limit, self.look_up_refund_now(refund), RefundLookUpAnswer::Unknown).await
    }

    async fn books(&self, from: Timestamp, until: Timestamp) -> BooksAnswer {
        self.books_now(from, until).await
    }

    async fn dispute(&self, reference: &str) -> DisputeAnswer {
        within(self.call_limit, self.dispute_now(reference), DisputeAnswer::Unknown).await
    }
}
