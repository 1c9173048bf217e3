//! Cards: what Stripe's own form made becomes a method of a customer of its own, which is what can be charged later.

use jiff::civil::Date;

use super::super::{AttachError, AttachedMethod, MethodKind};
use super::StripeGateway;
use super::client::{Form, Refusal};
use super::declines;
use super::objects::{Card, Customer, SetupIntent, StripeMethod};

/// The longest id of Stripe's that is taken.
const MAX_ID_BYTES: usize = 128;

/// What a stored method names: a customer and a card of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// `cus_…`
    pub(super) customer: String,
    /// `pm_…`
    pub(super) method: String,
}

impl Reference {
    /// Reads a stored reference.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (customer, method) = text.split_once(':')?;
        (is_id(customer) && is_id(method)).then(|| Self { customer: customer.to_owned(), method: method.to_owned() })
    }

    /// As it is stored.
    fn text(&self) -> String {
        format!("{}:{}", self.customer, self.method)
    }
}

/// Whether a text may be an id: it becomes a part of a path.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID_BYTES && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl StripeGateway {
    /// Makes a card chargeable: a customer of its own, with the card attached. What belongs to a customer already is refused: whoever
    /// knows the id of somebody else's card must not be able to charge it.
    pub(super) async fn attach_card(&self, token: &str) -> Result<AttachedMethod, AttachError> {
        let method = self.method_of(token).await?;
        let path = format!("/v1/payment_methods/{method}");
        let found: StripeMethod = self.client.get(&path, &Form::new()).await.map_err(|refusal| not_taken(&refusal))?;
        let Some(card) = &found.card else { return Err(refused("This is no card.")) };
        if found.customer.is_some() {
            return Err(refused("This card was added before; enter it again to add it once more."));
        }
        let expires_on = last_day(card).ok_or(AttachError::Unavailable)?;
        let form = vec![("payment_method", found.id.clone())];
        // Without a key: it would give what the first request made to whoever sends the same card again. An answer that is lost leaves
        // a customer at Stripe that nothing refers to.
        let customer: Customer = self.client.post("/v1/customers", &form, None).await.map_err(|refusal| not_taken(&refusal))?;
        let reference = Reference { customer: customer.id, method: found.id };
        if Reference::parse(&reference.text()).is_none() {
            tracing::error!("Stripe answers with an id that is none");
            return Err(AttachError::Unavailable);
        }
        Ok(AttachedMethod {
            kind: MethodKind::Card,
            reference: reference.text(),
            label: format!("{} •••• {}", brand(&card.brand), card.last4),
            expires_on: Some(expires_on),
        })
    }

    /// The method that a token stands for: itself, or what a setup intent has set up.
    async fn method_of(&self, token: &str) -> Result<String, AttachError> {
        if !is_id(token) {
            return Err(refused("This is no token of a card."));
        }
        if token.starts_with("pm_") {
            return Ok(token.to_owned());
        }
        if !token.starts_with("seti_") {
            return Err(refused("This is no token of a card."));
        }
        let path = format!("/v1/setup_intents/{token}");
        let setup: SetupIntent = self.client.get(&path, &Form::new()).await.map_err(|refusal| not_taken(&refusal))?;
        match setup.payment_method.filter(|id| setup.status == "succeeded" && is_id(id)) {
            Some(method) => Ok(method),
            None => Err(refused("The card's setup was not finished.")),
        }
    }
}

/// A sentence for a person.
fn refused(sentence: &str) -> AttachError {
    AttachError::Refused(sentence.to_owned())
}

/// What a refusal of Stripe's says of a card.
fn not_taken(refusal: &Refusal) -> AttachError {
    match refusal {
        Refusal::Lost => AttachError::Unavailable,
        Refusal::Refused { status: 402, error } => AttachError::Refused(declines::decline(error).message),
        Refusal::Refused { error, .. } if error.code.as_deref() == Some("resource_missing") => refused("This is no token of a card."),
        Refusal::Refused { error, .. } => {
            tracing::warn!(kind = error.kind, message = error.message, "Stripe does not take a card");
            refused("The card was not taken.")
        }
    }
}

/// The last day of the month in which a card expires.
fn last_day(card: &Card) -> Option<Date> {
    Some(Date::new(card.exp_year, card.exp_month, 1).ok()?.last_of_month())
}

/// A brand as people write it.
fn brand(brand: &str) -> &str {
    match brand {
        "visa" => "Visa",
        "mastercard" => "Mastercard",
        "amex" => "American Express",
        "discover" => "Discover",
        "diners" => "Diners Club",
        "jcb" => "JCB",
        "unionpay" => "UnionPay",
        _ => "Card",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_expires_on_the_last_day_of_its_month() {
        for (exp_month, exp_year, expected) in [(2, 2028, "2028-02-29"), (2, 2027, "2027-02-28"), (12, 2030, "2030-12-31")] {
            let card = Card { brand: "visa".into(), last4: "4242".into(), exp_month, exp_year };
            assert_eq!(last_day(&card).unwrap().to_string(), expected);
        }
        assert_eq!(last_day(&Card { brand: "visa".into(), last4: "4242".into(), exp_month: 13, exp_year: 2030 }), None);
    }

    #[test]
    fn a_reference_names_a_customer_and_a_card_and_nothing_that_could_leave_its_path() {
        let reference = Reference { customer: "cus_1".into(), method: "pm_1".into() };
        assert_eq!(Reference::parse(&reference.text()), Some(reference));
        for text in ["", "cus_1", "cus_1:", ":pm_1", "cus_1:pm_1/../x", "cus_1:pm_1?a=b", "cus 1:pm_1"] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }
}
