//! What Stripe's reasons come to for the payer, and whether trying the card again is pointless.

use super::super::Decline;
use super::objects::StripeError;

/// The code that asks for the customer.
pub(super) const AUTHENTICATION_REQUIRED: &str = "authentication_required";

/// Reasons that no repetition mends: the card is gone, or its owner or bank has said never again.
const HARD: &[&str] = &[
    "lost_card",
    "stolen_card",
    "pickup_card",
    "expired_card",
    "invalid_account",
    "incorrect_number",
    "invalid_number",
    "revocation_of_authorization",
    "revocation_of_all_authorizations",
    "stop_payment_order",
    "fraudulent",
    "merchant_blacklist",
    "card_not_supported",
    "currency_not_supported",
];
/// Reasons that Stripe asks not to be told to whoever holds the card, who may not be its owner.
const NOT_TOLD: &[&str] = &["lost_card", "stolen_card", "pickup_card", "fraudulent", "merchant_blacklist", "restricted_card"];
/// Sentences for the reasons that a payer can do something about.
const SENTENCES: &[(&str, &str)] = &[
    ("insufficient_funds", "The card has not enough money on it."),
    ("expired_card", "The card has expired."),
    ("incorrect_cvc", "The card's security code is not right."),
    ("incorrect_number", "The card's number is not right."),
    ("invalid_number", "The card's number is not right."),
    ("card_velocity_exceeded", "The card has reached its limit."),
    ("withdrawal_count_limit_exceeded", "The card has reached its limit."),
    ("card_not_supported", "The card cannot be used for such a payment."),
    ("currency_not_supported", "The card cannot be charged in this currency."),
    ("payment_intent_authentication_failure", "The payment was not confirmed."),
    ("amount_too_small", "The amount is less than the card gateway takes."),
    ("amount_too_large", "The amount is more than the card gateway takes."),
    ("resource_missing", "The card is not known to the gateway any more; add it again."),
];
/// The sentence for all others.
const DECLINED: &str = "The payment was declined.";

/// The reason that says most: the bank's, else Stripe's.
pub(super) fn reason(error: &StripeError) -> &str {
    error.decline_code.as_deref().or(error.code.as_deref()).unwrap_or("card_declined")
}

/// Whether the bank asks for the customer, and nothing else is wrong.
pub(super) fn asks_for_customer(error: &StripeError) -> bool {
    error.code.as_deref() == Some(AUTHENTICATION_REQUIRED) || error.decline_code.as_deref() == Some(AUTHENTICATION_REQUIRED)
}

/// A refusal as a decline.
pub(super) fn decline(error: &StripeError) -> Decline {
    let reason = reason(error);
    if NOT_TOLD.contains(&reason) {
        tracing::warn!(reason, "a card was declined for a reason that is not told to the payer");
    }
    let told = if NOT_TOLD.contains(&reason) { "card_declined" } else { reason };
    let sentence = SENTENCES.iter().find(|(code, _)| *code == told).map_or(DECLINED, |(_, sentence)| sentence);
    // A card that Stripe does not know any more stays unknown.
    let hard = HARD.contains(&reason) || reason == "resource_missing";
    Decline { code: told.to_owned(), message: sentence.to_owned(), hard }
}

/// A decline of our own making.
pub(super) fn own(code: &str, message: &str, hard: bool) -> Decline {
    Decline { code: code.to_owned(), message: message.to_owned(), hard }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: Option<&str>, decline_code: Option<&str>) -> StripeError {
        StripeError {
            kind: "card_error".to_owned(),
            code: code.map(str::to_owned),
            decline_code: decline_code.map(str::to_owned),
            message: None,
            payment_intent: None,
            request_log_url: None,
        }
    }

    #[test]
    fn a_decline_says_what_the_payer_may_know_and_whether_to_try_again() {
        for (code, decline_code, told, hard) in [
            (Some("card_declined"), Some("insufficient_funds"), "insufficient_funds", false),
            (Some("card_declined"), Some("generic_decline"), "generic_decline", false),
            (Some("card_declined"), Some("lost_card"), "card_declined", true),
            (Some("card_declined"), Some("stolen_card"), "card_declined", true),
            (Some("card_declined"), Some("pickup_card"), "card_declined", true),
            (Some("expired_card"), None, "expired_card", true),
            (Some("processing_error"), None, "processing_error", false),
            (Some("resource_missing"), None, "resource_missing", true),
            (None, None, "card_declined", false),
        ] {
            let found = decline(&error(code, decline_code));
            assert_eq!((found.code.as_str(), found.hard), (told, hard), "{code:?} {decline_code:?}");
            assert!(found.message.ends_with('.'), "{found:?}");
        }
    }
}
