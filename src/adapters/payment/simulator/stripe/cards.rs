//! Cards, and the tokens by which Stripe lets anybody try them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// How long a card of a test token is good: years.
const GOOD_YEARS: i16 = 3;

/// How a card behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// Every charge succeeds.
    Good,
    /// It can be added, and every charge is declined for that reason.
    Declines(&'static str),
    /// The bank asks for its holder.
    Authenticates,
    /// Its bank refuses it as soon as it is added, for that reason.
    Refused(&'static str),
}

/// A card as Stripe's form takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnteredCard {
    /// How it behaves.
    pub card: Card,
    /// `visa`, `mastercard`, …
    pub brand: &'static str,
    /// Its last four digits.
    pub last4: &'static str,
    /// The month and the year in which it expires.
    pub expires: (i8, i16),
}

/// A payment method.
#[derive(Debug, Clone)]
pub(super) struct Method {
    /// Its card.
    pub(super) entered: EnteredCard,
    /// Whose it is by now.
    pub(super) customer: Option<String>,
}

/// What stands for a card that anybody may try, any number of times: Stripe's own names, and ours for what Stripe has no name for.
const TOKENS: &[(&str, Card, &str, &str)] = &[
    ("pm_card_visa", Card::Good, "visa", "4242"),
    ("pm_card_visa_debit", Card::Good, "visa", "5556"),
    ("pm_card_mastercard", Card::Good, "mastercard", "4444"),
    ("pm_card_mastercard_debit", Card::Good, "mastercard", "8210"),
    ("pm_card_mastercard_prepaid", Card::Good, "mastercard", "5100"),
    ("pm_card_amex", Card::Good, "amex", "0005"),
    ("pm_card_discover", Card::Good, "discover", "1117"),
    ("pm_card_diners", Card::Good, "diners", "0004"),
    ("pm_card_jcb", Card::Good, "jcb", "0505"),
    ("pm_card_unionpay", Card::Good, "unionpay", "0005"),
    ("pm_card_chargeCustomerFail", Card::Declines("generic_decline"), "visa", "0341"),
    ("pm_card_authenticationRequired", Card::Authenticates, "visa", "3184"),
    ("pm_card_authenticationRequiredOnSetup", Card::Authenticates, "visa", "3155"),
    ("pm_card_threeDSecure2Required", Card::Authenticates, "visa", "3220"),
    ("pm_card_chargeDeclined", Card::Refused("generic_decline"), "visa", "0002"),
    ("pm_card_visa_chargeDeclined", Card::Refused("generic_decline"), "visa", "0002"),
    ("pm_card_chargeDeclinedInsufficientFunds", Card::Refused("insufficient_funds"), "visa", "9995"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", Card::Refused("insufficient_funds"), "visa", "9995"),
    ("pm_card_visa_chargeDeclinedLostCard", Card::Refused("lost_card"), "visa", "9987"),
    ("pm_card_visa_chargeDeclinedStolenCard", Card::Refused("stolen_card"), "visa", "9979"),
    ("pm_card_chargeDeclinedExpiredCard", Card::Refused("expired_card"), "visa", "0069"),
    ("pm_card_chargeDeclinedIncorrectCvc", Card::Refused("incorrect_cvc"), "visa", "0127"),
    ("pm_card_chargeDeclinedProcessingError", Card::Refused("processing_error"), "visa", "0119"),
    ("pm_simulator_insufficient_funds", Card::Declines("insufficient_funds"), "visa", "9995"),
    ("pm_simulator_expired_card", Card::Declines("expired_card"), "visa", "0069"),
    ("pm_simulator_lost_card", Card::Declines("lost_card"), "visa", "9987"),
    ("pm_simulator_processing_error", Card::Declines("processing_error"), "visa", "0119"),
];

/// Every test token.
pub fn test_tokens() -> impl Iterator<Item = &'static str> {
    TOKENS.iter().map(|(name, ..)| *name)
}

/// The card that a test token stands for.
pub(super) fn of_token(token: &str, now: Timestamp) -> Option<EnteredCard> {
    let (_, card, brand, last4) = TOKENS.iter().find(|(name, ..)| *name == token)?;
    let year = now.to_zoned(TimeZone::UTC).year().saturating_add(GOOD_YEARS);
    Some(EnteredCard { card: *card, brand, last4, expires: (12, year) })
}

impl Method {
    /// As it is shown under its id.
    pub(super) fn shown(&self, id: &str) -> Value {
        let EnteredCard { brand, last4, expires: (month, year), .. } = &self.entered;
        let card = json!({ "brand": brand, "last4": last4, "exp_month": month, "exp_year": year });
        json!({ "object": "payment_method", "type": "card", "id": id, "customer": self.customer, "card": card })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_token_stands_for_a_card_that_is_good_for_years_and_nothing_else_does() {
        let now: Timestamp = "2027-06-01T00:00:00Z".parse().unwrap();
        let visa = EnteredCard { card: Card::Good, brand: "visa", last4: "4242", expires: (12, 2030) };
        assert_eq!(of_token("pm_card_visa", now), Some(visa));
        for other in ["pm_1", "pm_card_", "tok_visa", "", "PM_CARD_VISA"] {
            assert_eq!(of_token(other, now), None, "{other}");
        }
        let mut names: Vec<&str> = test_tokens().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TOKENS.len(), "each token stands there once");
    }
}
