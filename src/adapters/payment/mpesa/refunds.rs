//! Paying back, by reversal. It is answered on its way back alone, and cannot be sent twice: what was handed over once is waited for.

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::super::{HeardOf, RefundAnswer, RefundLookUpAnswer, RefundRequest};
use super::client::Refusal;
use super::objects::Taken;
use super::{MpesaGateway, codes, own, shillings};

impl MpesaGateway {
    /// Reverses a part of what was paid.
    pub(super) async fn refund_now(&self, request: &RefundRequest) -> RefundAnswer {
        if request.again {
            return match self.look_up_refund_now(request).await {
                RefundLookUpAnswer::Succeeded(reference) => RefundAnswer::Succeeded(reference),
                RefundLookUpAnswer::Failed(decline) => RefundAnswer::Failed(decline),
                RefundLookUpAnswer::Accepted => RefundAnswer::Accepted,
                RefundLookUpAnswer::NotFound | RefundLookUpAnswer::Unknown => RefundAnswer::Unknown,
            };
        }
        let Some(receipt) = &request.charge_receipt else {
            return RefundAnswer::Failed(own(
                "no_receipt",
                "M-Pesa did not tell the payment's receipt, without which it cannot be reversed.",
            ));
        };
        let Some(amount) = shillings(request.amount) else {
            return RefundAnswer::Failed(own("invalid_request", "M-Pesa pays back whole shillings alone."));
        };
        let address = self.address(&request.back.secret);
        let body = json!({
            "Initiator": self.initiator, "SecurityCredential": self.security_credential.expose_secret(),
            "CommandID": "TransactionReversal", "TransactionID": receipt, "Amount": amount.to_string(), "ReceiverParty": self.short_code,
            // Daraja spells it so.
            "RecieverIdentifierType": "11", "ResultURL": address, "QueueTimeOutURL": address, "Remarks": "Refund", "Occasion": "",
        });
        let refused = || RefundAnswer::Failed(own("reversal_refused", "M-Pesa did not pay the refund."));
        match self.client.post::<Taken>("/mpesa/reversal/v1/request", &body).await {
            Ok(taken) if taken.response_code == "0" => RefundAnswer::Accepted,
            Ok(taken) => {
                tracing::warn!(refund = request.key, code = taken.response_code, text = taken.response_description, "no reversal");
                refused()
            }
            Err(Refusal::Refused { status: 400..=499, .. } | Refusal::NotSent) => refused(),
            Err(Refusal::Lost | Refusal::Refused { .. }) => RefundAnswer::Unknown,
        }
    }

    /// What became of a reversal, by what came on its way back. That it was paid is believed when a query of its receipt has the same
    /// amount.
    pub(super) async fn look_up_refund_now(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        let minor = refund.amount.minor();
        let Some(heard) = refund.back.heard.iter().find(|heard| heard.of == HeardOf::Refund) else { return RefundLookUpAnswer::Unknown };
        if !heard.succeeded {
            return RefundLookUpAnswer::Failed(own(&format!("mpesa_{}", codes::plain(&heard.code)), "M-Pesa could not pay the refund."));
        }
        let Some(receipt) = &heard.receipt else { return RefundLookUpAnswer::Unknown };
        let is_same = |told: &super::super::Heard| {
            told.of == HeardOf::Status && told.succeeded && told.receipt.as_ref() == Some(receipt) && told.amount_minor == Some(minor)
        };
        if refund.back.heard.iter().any(is_same) {
            return RefundLookUpAnswer::Succeeded(receipt.clone());
        }
        self.ask_status(receipt, &refund.back.status_secret).await;
        RefundLookUpAnswer::Accepted
    }
}
