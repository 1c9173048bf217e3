//! What is read of Stripe's objects, and nothing more of them.

use std::collections::HashMap;

use serde::Deserialize;

/// The name under which an intent carries our payment's id.
pub(super) const PAYMENT: &str = "evolve_payment";
/// The name under which a refund carries our refund's id.
pub(super) const REFUND: &str = "evolve_refund";

/// The body of a refusal.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    /// What it says.
    pub(super) error: StripeError,
}

/// Why something was not done.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StripeError {
    /// `card_error`, `invalid_request_error`, `idempotency_error`, `api_error`.
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    /// What was wrong.
    pub(super) code: Option<String>,
    /// Why a bank declined.
    pub(super) decline_code: Option<String>,
    /// A sentence.
    pub(super) message: Option<String>,
    /// The intent that was made all the same.
    pub(super) payment_intent: Option<Box<Intent>>,
    /// Where an operator reads about the request.
    pub(super) request_log_url: Option<String>,
}

/// How an intent stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IntentStatus {
    /// Nothing was taken: it waits for a method, its first or another one.
    RequiresPaymentMethod,
    /// It waits to be confirmed.
    RequiresConfirmation,
    /// The customer must act.
    RequiresAction,
    /// A bank is still at it.
    Processing,
    /// It is authorized and not captured, which we never ask for.
    RequiresCapture,
    /// It is called off for good.
    Canceled,
    /// Money was taken.
    Succeeded,
    /// One that this was not written for.
    #[serde(other)]
    Other,
}

/// A payment intent.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Intent {
    /// Its id.
    pub(super) id: String,
    /// How it stands.
    pub(super) status: IntentStatus,
    /// As Stripe writes it.
    pub(super) amount: i64,
    /// In lower case.
    pub(super) currency: String,
    /// For Stripe's script.
    pub(super) client_secret: Option<String>,
    /// Why the last try failed.
    pub(super) last_payment_error: Option<Box<StripeError>>,
    /// What we wrote on it.
    #[serde(default)]
    pub(super) metadata: HashMap<String, String>,
}

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    /// Its objects, the newest first.
    pub(super) data: Vec<T>,
    /// Whether there are older ones.
    pub(super) has_more: bool,
}

/// A refund.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StripeRefund {
    /// Its id.
    pub(super) id: String,
    /// As Stripe writes it.
    pub(super) amount: i64,
    /// In lower case.
    #[serde(default)]
    pub(super) currency: Option<String>,
    /// The intent that it is of, where it is of one.
    #[serde(default)]
    pub(super) payment_intent: serde_json::Value,
    /// `pending`, `requires_action`, `succeeded`, `failed` or `canceled`.
    pub(super) status: Option<String>,
    /// Why it failed.
    pub(super) failure_reason: Option<String>,
    /// What we wrote on it.
    #[serde(default)]
    pub(super) metadata: HashMap<String, String>,
}

/// A method of a customer.
#[derive(Debug, Deserialize)]
pub(super) struct StripeMethod {
    /// Its id.
    pub(super) id: String,
    /// Whose it is by now.
    pub(super) customer: Option<String>,
    /// What is known of a card.
    pub(super) card: Option<Card>,
}

/// A card.
#[derive(Debug, Deserialize)]
pub(super) struct Card {
    /// `visa`, `mastercard`, …
    pub(super) brand: String,
    /// Its last four digits.
    pub(super) last4: String,
    /// The month in which it expires, from 1.
    pub(super) exp_month: i8,
    /// The year in which it expires.
    pub(super) exp_year: i16,
}

/// What Stripe's form made of a card that was set up to be charged later.
#[derive(Debug, Deserialize)]
pub(super) struct SetupIntent {
    /// `succeeded` when it is done.
    pub(super) status: String,
    /// What was set up.
    pub(super) payment_method: Option<String>,
}

/// A customer.
#[derive(Debug, Deserialize)]
pub(super) struct Customer {
    /// Its id.
    pub(super) id: String,
}
