//! Asking about a transaction by its receipt. The answer comes by itself, on the way back of what was asked about.

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::super::{Heard, HeardOf};
use super::MpesaGateway;
use super::objects::Taken;

impl MpesaGateway {
    /// Has Daraja tell about the transaction of that receipt.
    pub(super) async fn ask_status(&self, receipt: &str, secret: &str) {
        let address = self.address(secret);
        let body = json!({
            "Initiator": self.initiator, "SecurityCredential": self.security_credential.expose_secret(),
            "CommandID": "TransactionStatusQuery", "TransactionID": receipt, "PartyA": self.short_code, "IdentifierType": "4",
            "ResultURL": address, "QueueTimeOutURL": address, "Remarks": "Status", "Occasion": "",
        });
        match self.client.post::<Taken>("/mpesa/transactionstatus/v1/query", &body).await {
            Ok(taken) if taken.response_code == "0" => {}
            Ok(taken) => tracing::warn!(code = taken.response_code, text = taken.response_description, "Daraja does not tell a status"),
            Err(refusal) => tracing::warn!(?refusal, "Daraja does not tell a status"),
        }
    }

    /// Whether Daraja has told that the transaction of that receipt brought that much to our short code.
    pub(super) fn is_confirmed(&self, receipt: &str, minor: i64, heard: &[Heard]) -> bool {
        heard.iter().any(|heard| {
            heard.of == HeardOf::Status
                && heard.succeeded
                && heard.receipt.as_deref() == Some(receipt)
                && heard.amount_minor == Some(minor)
                && heard.receiver.as_deref() == Some(self.short_code.as_str())
        })
    }
}
