//! What events tell of money that is taken back: invoices that are called off or given up on, credit notes and refunds.

use serde::{Deserialize, Serialize};

/// A credit note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreditNoteFacts {
    /// The credit note.
    pub credit_note_id: String,
    /// As it is printed.
    pub number: String,
    /// The invoice that it takes back a part of.
    pub invoice_id: String,
    /// Why.
    pub reason: String,
    /// ISO 4217.
    pub currency: String,
    /// How much, with tax.
    pub amount: String,
    /// What of it lowered what was due.
    pub took_off_due: String,
    /// What of it became account credit.
    pub to_credit: String,
    /// What of it is paid back.
    pub to_refund: String,
}

/// A refund that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RefundFacts {
    /// The refund.
    pub refund_id: String,
    /// The payment that it pays back a part of.
    pub payment_id: String,
    /// The credit note that it belongs to.
    pub credit_note_id: String,
    /// ISO 4217.
    pub currency: String,
    /// How much.
    pub amount: String,
}

/// A dispute that a payer's bank has begun about a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DisputeFacts {
    /// The dispute.
    pub dispute_id: String,
    /// The payment.
    pub payment_id: String,
    /// What it paid.
    pub invoice_id: String,
    /// The invoice's number.
    pub invoice_number: String,
    /// ISO 4217.
    pub currency: String,
    /// How much is disputed.
    pub amount: String,
    /// Why, in the gateway's word.
    pub reason: String,
    /// Its state.
    pub status: String,
    /// Until when evidence is taken, where that is known.
    pub respond_by: Option<String>,
}

impl CreditNoteFacts {
    /// One to show.
    pub(super) fn sample() -> Self {
        let text = str::to_owned;
        Self {
            credit_note_id: text("cn_01k2x3y4z5e8f9g0h1j2k3m4nf"),
            number: text("CN-2027-000003"),
            invoice_id: text("inv_01k2x3y4z5e8f9g0h1j2k3m4n9"),
            reason: text("CANCELLATION"),
            currency: text("KES"),
            amount: text("1160.00"),
            took_off_due: text("0.00"),
            to_credit: text("160.00"),
            to_refund: text("1000.00"),
        }
    }
}

impl RefundFacts {
    /// One to show.
    pub(super) fn sample() -> Self {
        let text = str::to_owned;
        Self {
            refund_id: text("ref_01k2x3y4z5e8f9g0h1j2k3m4ng"),
            payment_id: text("pay_01k2x3y4z5e8f9g0h1j2k3m4na"),
            credit_note_id: text("cn_01k2x3y4z5e8f9g0h1j2k3m4nf"),
            currency: text("KES"),
            amount: text("1000.00"),
        }
    }
}

impl DisputeFacts {
    /// One to show, in that state.
    pub(super) fn sample(status: &str) -> Self {
        let text = str::to_owned;
        Self {
            dispute_id: text("dsp_01k2x3y4z5e8f9g0h1j2k3m4nj"),
            payment_id: text("pay_01k2x3y4z5e8f9g0h1j2k3m4na"),
            invoice_id: text("inv_01k2x3y4z5e8f9g0h1j2k3m4n9"),
            invoice_number: text("INV-2027-000042"),
            currency: text("KES"),
            amount: text("4990.00"),
            reason: text("fraudulent"),
            status: text(status),
            respond_by: Some(text("2027-02-28T23:59:59Z")),
        }
    }
}
