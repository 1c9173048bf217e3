//! Disputes: what a payer's bank does about a charge. They are asked about and never answered from here: evidence is for people.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::disputes::{DisputeAnswer, DisputeFound, DisputeState};
use super::client::{Form, Refusal};
use super::{StripeGateway, amounts};

/// The longest id that is asked about, in bytes.
const MAX_ID_BYTES: usize = 255;

/// A dispute.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StripeDispute {
    /// Its id.
    pub(super) id: String,
    /// As Stripe writes it.
    amount: i64,
    /// In lower case.
    currency: String,
    /// The intent that was charged; none for a charge that was made without one, which is not ours.
    #[serde(default)]
    payment_intent: serde_json::Value,
    /// Why.
    #[serde(default)]
    reason: String,
    /// Where it stands.
    status: String,
    /// When it was begun, in seconds.
    created: i64,
    /// What was taken for it, and given back.
    #[serde(default)]
    balance_transactions: Vec<BalanceTransaction>,
    /// About the evidence.
    #[serde(default)]
    evidence_details: Option<EvidenceDetails>,
}

/// Money that moved on our account, in the account's own currency.
#[derive(Debug, Clone, Deserialize)]
struct BalanceTransaction {
    /// Below zero where it was taken from us.
    amount: i64,
}

/// About the evidence.
#[derive(Debug, Clone, Deserialize)]
struct EvidenceDetails {
    /// Until when it is taken, in seconds.
    #[serde(default)]
    due_by: Option<i64>,
}

impl StripeGateway {
    /// Asks about a dispute.
    pub(super) async fn dispute_now(&self, reference: &str) -> DisputeAnswer {
        let is_id = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if reference.is_empty() || reference.len() > MAX_ID_BYTES || !reference.chars().all(is_id) {
            return DisputeAnswer::NotFound;
        }
        match self.client.get::<StripeDispute>(&format!("/v1/disputes/{reference}"), &Form::new()).await {
            Ok(dispute) => answer(&dispute),
            Err(Refusal::Refused { status: 404, .. }) => DisputeAnswer::NotFound,
            Err(Refusal::Refused { .. } | Refusal::Lost) => DisputeAnswer::Unknown,
        }
    }
}

/// What a dispute of Stripe's comes to.
fn answer(dispute: &StripeDispute) -> DisputeAnswer {
    let Some(intent) = dispute.intent() else { return DisputeAnswer::NotFound };
    let (Some(amount), Some(state), Ok(opened_at)) =
        (amounts::money(dispute.amount, &dispute.currency), state(&dispute.status), Timestamp::from_second(dispute.created))
    else {
        tracing::error!(
            dispute = dispute.id,
            status = dispute.status,
            "Stripe tells of a dispute what this was not written for; somebody must look"
        );
        return DisputeAnswer::Unknown;
    };
    let due_by = dispute.evidence_details.as_ref().and_then(|details| details.due_by);
    DisputeAnswer::Found(Box::new(DisputeFound {
        reference: dispute.id.clone(),
        charge_reference: intent.to_owned(),
        amount,
        reason: dispute.reason.chars().filter(|c| !c.is_control()).take(MAX_ID_BYTES).collect(),
        state,
        is_taken: dispute.balance_transactions.iter().map(|moved| i128::from(moved.amount)).sum::<i128>() < 0,
        // Stripe writes 0 where there is none any more.
        respond_by: due_by.filter(|due| *due > 0).and_then(|due| Timestamp::from_second(due).ok()),
        opened_at,
    }))
}

impl StripeDispute {
    /// The id of the intent that was charged.
    pub(super) fn intent(&self) -> Option<&str> {
        self.payment_intent.as_str().or_else(|| self.payment_intent.get("id")?.as_str())
    }
}

/// The state of a name of Stripe's.
fn state(status: &str) -> Option<DisputeState> {
    Some(match status {
        "warning_needs_response" | "warning_under_review" => DisputeState::Inquiry,
        // What was prevented was settled with the bank before it became a dispute.
        "warning_closed" | "prevented" => DisputeState::InquiryClosed,
        "needs_response" => DisputeState::NeedsResponse,
        "under_review" => DisputeState::UnderReview,
        "won" => DisputeState::Won,
        "lost" => DisputeState::Lost,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dispute of that state, with what moved for it.
    fn told(status: &str, moved: &[i64]) -> DisputeAnswer {
        let moved: Vec<_> = moved.iter().map(|amount| serde_json::json!({ "amount": amount, "fee": 1500 })).collect();
        let dispute = serde_json::json!({
            "id": "du_1", "object": "dispute", "amount": 3480, "currency": "kes", "payment_intent": "pi_1", "charge": "ch_1", "reason": "fraudulent",
            "status": status, "created": 1_801_386_000, "balance_transactions": moved, "evidence_details": { "due_by": 1_802_044_799, "has_evidence": false },
            "is_charge_refundable": false, "livemode": false, "metadata": {},
        });
        answer(&serde_json::from_value(dispute).unwrap())
    }

    #[test]
    fn each_state_of_stripes_is_read_and_others_are_not_guessed_at() {
        use DisputeState::{Inquiry, InquiryClosed, Lost, NeedsResponse, UnderReview, Won};
        for (status, moved, expected) in [
            ("warning_needs_response", &[][..], Some((Inquiry, false))),
            ("warning_under_review", &[], Some((Inquiry, false))),
            ("warning_closed", &[], Some((InquiryClosed, false))),
            ("prevented", &[], Some((InquiryClosed, false))),
            ("needs_response", &[], Some((NeedsResponse, false))),
            ("needs_response", &[-27], Some((NeedsResponse, true))),
            ("under_review", &[-27], Some((UnderReview, true))),
            ("won", &[-27, 27], Some((Won, false))),
            ("lost", &[-27], Some((Lost, true))),
            ("charge_refunded_by_tomorrow", &[], None),
        ] {
            let found = match told(status, moved) {
                DisputeAnswer::Found(found) => Some((found.state, found.is_taken)),
                DisputeAnswer::NotFound | DisputeAnswer::Unknown => None,
            };
            assert_eq!(found, expected, "{status} {moved:?}");
        }
    }

    #[test]
    fn a_dispute_is_read_in_our_units_and_one_without_an_intent_is_not_ours() {
        let DisputeAnswer::Found(found) = told("needs_response", &[-27]) else { panic!("a dispute") };
        assert_eq!((found.reference.as_str(), found.charge_reference.as_str(), found.reason.as_str()), ("du_1", "pi_1", "fraudulent"));
        assert_eq!(found.amount.to_string(), "KES 34.80");
        assert_eq!(found.respond_by.unwrap().to_string(), "2027-02-07T23:59:59Z");
        let alone =
            serde_json::json!({ "id": "du_2", "amount": 1, "currency": "kes", "status": "lost", "created": 1, "payment_intent": null });
        assert_eq!(answer(&serde_json::from_value(alone).unwrap()), DisputeAnswer::NotFound);
    }
}
