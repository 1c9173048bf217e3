//! What an event is about. It is a hint and no proof: it tells what to ask about, and is not asked what happened.

use std::collections::HashMap;

use serde::Deserialize;

use super::objects::{PAYMENT, REFUND};

/// The longest id or name of an event that is kept.
const MAX_BYTES: usize = 255;

/// An event of Stripe's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripeEvent {
    /// `evt_…`, the same each time that it is sent.
    pub id: String,
    /// What happened, e.g. `payment_intent.succeeded`.
    pub kind: String,
    /// Our payment, as the object names it.
    pub payment: Option<String>,
    /// Our refund, as the object names it.
    pub refund: Option<String>,
    /// The dispute that it is about, where it is about one of a charge that may be ours.
    pub dispute: Option<DisputeNamed>,
}

/// What an event about a dispute names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeNamed {
    /// The dispute.
    pub reference: String,
    /// The intent that a payer's bank disputes.
    pub intent: String,
}

#[derive(Deserialize)]
struct Body {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    id: Option<String>,
    #[serde(rename = "object", default)]
    name: String,
    #[serde(default)]
    metadata: Option<HashMap<String, String>>,
    // An id, or where it is expanded the object itself.
    #[serde(default)]
    payment_intent: serde_json::Value,
}

impl StripeEvent {
    /// Reads an event's body; `None` for what is none.
    pub fn read(body: &[u8]) -> Option<Self> {
        let Body { id, kind, data: Data { object } } = serde_json::from_slice(body).ok()?;
        let is_short = |text: &str| !text.is_empty() && text.len() <= MAX_BYTES && text.chars().all(|c| !c.is_control());
        if !is_short(&id) || !is_short(&kind) {
            return None;
        }
        let named = |name: &str| object.metadata.as_ref()?.get(name).cloned();
        let intent = object.payment_intent.as_str().or_else(|| object.payment_intent.get("id")?.as_str());
        let dispute = match (object.name.as_str(), &object.id, intent) {
            ("dispute", Some(reference), Some(intent)) if is_short(reference) && is_short(intent) => {
                Some(DisputeNamed { reference: reference.clone(), intent: intent.to_owned() })
            }
            _ => None,
        };
        Some(Self { payment: named(PAYMENT), refund: named(REFUND), dispute, id, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_tells_what_to_ask_about() {
        let intent = r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"object":"payment_intent","status":"succeeded","metadata":{"evolve_payment":"pay_1"}}}}"#;
        let found = StripeEvent::read(intent.as_bytes()).unwrap();
        assert_eq!(
            (found.id.as_str(), found.kind.as_str(), found.payment.as_deref()),
            ("evt_1", "payment_intent.succeeded", Some("pay_1"))
        );
        let refund = r#"{"id":"evt_2","type":"refund.updated","data":{"object":{"object":"refund","payment_intent":"pi_1","metadata":{"evolve_refund":"ref_1","evolve_payment":"pay_1"}}}}"#;
        let found = StripeEvent::read(refund.as_bytes()).unwrap();
        assert_eq!((found.refund.as_deref(), found.dispute), (Some("ref_1"), None));
        for intent in [r#""pi_1""#, r#"{"id":"pi_1"}"#] {
            let dispute = format!(
                r#"{{"id":"evt_3","type":"charge.dispute.created","data":{{"object":{{"id":"du_1","object":"dispute","payment_intent":{intent},"metadata":{{}}}}}}}}"#
            );
            let expected = DisputeNamed { reference: "du_1".to_owned(), intent: "pi_1".to_owned() };
            assert_eq!(StripeEvent::read(dispute.as_bytes()).unwrap().dispute, Some(expected));
        }
        let of_no_intent =
            r#"{"id":"evt_4","type":"charge.dispute.created","data":{"object":{"id":"du_1","object":"dispute","payment_intent":null}}}"#;
        assert_eq!(StripeEvent::read(of_no_intent.as_bytes()).unwrap().dispute, None);
    }

    #[test]
    fn what_is_no_event_is_none() {
        let long = format!(r#"{{"id":"{}","type":"x","data":{{"object":{{}}}}}}"#, "e".repeat(256));
        for body in ["", "{}", "[]", r#"{"id":"","type":"x","data":{"object":{}}}"#, r#"{"id":"evt_1","type":"x"}"#, &long] {
            assert_eq!(StripeEvent::read(body.as_bytes()), None, "{body}");
        }
        assert!(StripeEvent::read(br#"{"id":"evt_1","type":"account.updated","data":{"object":{"object":"account"}}}"#).is_some());
    }
}
