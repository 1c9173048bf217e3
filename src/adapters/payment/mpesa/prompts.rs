//! Prompting a phone, and asking what became of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::super::{Action, ActionKind, BegunCharge, ChargeAnswer, ChargeRequest, Heard, HeardOf, LookUpAnswer, Success};
use super::client::Refusal;
use super::codes::{Fate, fate};
use super::objects::{Pushed, Queried};
use super::{HEARD_WITHIN, MpesaGateway, PROMPT_LIFETIME, own, phone, shillings};

/// The longest reference that a payer is shown, in characters.
const MOST_REFERENCE: usize = 12;
/// What a prompt that is still on the phone is said to be.
const IN_PROCESS: &str = "500.001.1001";

/// Nobody knows.
#[derive(Debug)]
struct Lost;

impl MpesaGateway {
    /// Prompts the phone. Once: what was handed over before is asked about.
    #[expect(clippy::match_same_arms, reason = "what is answered without a name and what is not answered are not known alike")]
    pub(super) async fn charge_now(&self, request: &ChargeRequest) -> ChargeAnswer {
        let (Some(amount), Some(number)) = (shillings(request.amount), phone::kenyan(&request.method_reference)) else {
            return ChargeAnswer::Failed(own("invalid_request", "The payment request is not valid."));
        };
        if !request.age.is_zero() {
            return ChargeAnswer::Unknown;
        }
        let (password, timestamp) = self.password();
        let body = json!({
            "BusinessShortCode": self.short_code, "Password": password, "Timestamp": timestamp,
            "TransactionType": "CustomerPayBillOnline", "Amount": amount.to_string(), "PartyA": number, "PartyB": self.short_code,
            "PhoneNumber": number, "CallBackURL": self.address(&request.back.secret),
            "AccountReference": reference(&request.description), "TransactionDesc": "Invoice",
        });
        match self.client.post::<Pushed>("/mpesa/stkpush/v1/processrequest", &body).await {
            Ok(pushed) if pushed.response_code == "0" && !pushed.checkout_request_id.is_empty() => ChargeAnswer::RequiresAction(Action {
                kind: ActionKind::Phone,
                url: None,
                client_secret: None,
                expires_in: PROMPT_LIFETIME,
                reference: Some(pushed.checkout_request_id),
            }),
            Ok(pushed) if pushed.response_code == "0" => ChargeAnswer::Unknown,
            Ok(pushed) => {
                tracing::info!(payment = request.key, code = pushed.response_code, message = pushed.response_description, "no prompt");
                ChargeAnswer::Failed(own("prompt_not_sent", "The M-Pesa prompt could not be sent."))
            }
            Err(Refusal::Lost) => ChargeAnswer::Unknown,
            Err(Refusal::NotSent) => ChargeAnswer::Failed(own("gateway_unavailable", "M-Pesa cannot be reached at the moment.")),
            Err(Refusal::Refused { said, .. }) if said.code == IN_PROCESS && said.message.contains("lock subscriber") => {
                ChargeAnswer::Failed(own(
                    "payer_busy",
                    "Another M-Pesa transaction of this number is under way. Try again in some minutes.",
                ))
            }
            // A refusal of what was asked; everything else that fails says that Daraja is not well, and may have prompted.
            Err(Refusal::Refused { status: 400..=499, .. }) => {
                ChargeAnswer::Failed(own("prompt_not_sent", "The M-Pesa prompt could not be sent."))
            }
            Err(Refusal::Refused { .. }) => ChargeAnswer::Unknown,
        }
    }

    /// Asks what became of a prompt: by its id where its answer told that, else by what Daraja said of it by itself.
    pub(super) async fn look_up_now(&self, charge: &BegunCharge) -> LookUpAnswer {
        match &charge.reference {
            Some(id) => self.look_up_by(charge, id).await,
            None => self.look_up_heard(charge).await,
        }
    }

    /// By the id that the answer to our own push told: it stands for our amount and our short code.
    async fn look_up_by(&self, charge: &BegunCharge, id: &str) -> LookUpAnswer {
        let (ours, others): (Vec<&Heard>, Vec<&Heard>) = charge
            .back
            .heard
            .iter()
            .filter(|heard| heard.of == HeardOf::Charge && heard.succeeded)
            .partition(|heard| heard.reference == *id && heard.amount_minor == Some(charge.amount.minor()));
        if !others.is_empty() {
            tracing::error!(payment = charge.key, "a callback tells of another amount or prompt than was asked for; somebody must look");
        }
        match self.query(id).await {
            Ok(Fate::Paid) => {
                let receipt = ours.first().and_then(|heard| heard.receipt.clone());
                LookUpAnswer::Succeeded(Success { reference: id.to_owned(), receipt })
            }
            Ok(Fate::Over(decline)) => LookUpAnswer::Failed(decline),
            Ok(Fate::Open) | Err(Lost) => LookUpAnswer::Unknown,
        }
    }

    /// By what came on the way back, where the answer to the push was lost. That a prompt was paid is believed when the query of it says
    /// so, and a query of its receipt has the same amount and our short code.
    async fn look_up_heard(&self, charge: &BegunCharge) -> LookUpAnswer {
        let mut may_be_paid = false;
        for heard in charge.back.heard.iter().filter(|heard| heard.of == HeardOf::Charge) {
            if heard.succeeded && heard.amount_minor != Some(charge.amount.minor()) {
                tracing::error!(payment = charge.key, "a callback tells of another amount than was asked for; somebody must look");
                continue;
            }
            match (self.query(&heard.reference).await, heard.succeeded) {
                (Ok(Fate::Over(decline)), _) => return LookUpAnswer::Failed(decline),
                (Ok(Fate::Paid), true) => {
                    let Some(receipt) = &heard.receipt else { continue };
                    if self.is_confirmed(receipt, charge.amount.minor(), &charge.back.heard) {
                        let (reference, receipt) = (heard.reference.clone(), Some(receipt.clone()));
                        return LookUpAnswer::Succeeded(Success { reference, receipt });
                    }
                    self.ask_status(receipt, &charge.back.status_secret).await;
                    return LookUpAnswer::Unknown;
                }
                (Ok(Fate::Paid | Fate::Open) | Err(Lost), _) => may_be_paid = true,
            }
        }
        if may_be_paid || charge.age < HEARD_WITHIN {
            return LookUpAnswer::Unknown;
        }
        tracing::error!(payment = charge.key, "the answer to a prompt was lost, and no callback came; somebody must look");
        LookUpAnswer::Failed(own("no_callback", "The M-Pesa prompt may not have reached the phone; no payment was reported."))
    }

    /// Asks Daraja about a prompt to our short code.
    async fn query(&self, id: &str) -> Result<Fate, Lost> {
        let (password, timestamp) = self.password();
        let body = json!({
            "BusinessShortCode": self.short_code, "Password": password, "Timestamp": timestamp, "CheckoutRequestID": id,
        });
        match self.client.post::<Queried>("/mpesa/stkpushquery/v1/query", &body).await {
            Ok(queried) if queried.checkout_request_id == id => {
                tracing::debug!(id, code = queried.result_code, text = queried.result_desc, "what became of a prompt");
                Ok(fate(&queried.result_code))
            }
            Err(Refusal::Refused { said, .. }) if said.code == IN_PROCESS => Ok(Fate::Open),
            Ok(_) | Err(_) => Err(Lost),
        }
    }

    /// The password of a push or a query of one, and the time that it is of.
    fn password(&self) -> (String, String) {
        let timestamp = stamp(self.clock.now());
        let text = format!("{}{}{timestamp}", self.short_code, self.passkey.expose_secret());
        (STANDARD.encode(text), timestamp)
    }
}

/// The time of East Africa, as Daraja writes it.
fn stamp(now: Timestamp) -> String {
    now.to_zoned(TimeZone::fixed(Offset::constant(3))).strftime("%Y%m%d%H%M%S").to_string()
}

/// What the payer is shown as the account: the end of an invoice's number.
fn reference(description: &str) -> String {
    let name = description.rsplit(' ').next().unwrap_or_default();
    let characters = name.chars().count();
    let end: String = name.chars().skip(characters.saturating_sub(MOST_REFERENCE)).collect();
    end.trim_start_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_stamped_by_the_clocks_of_east_africa() {
        assert_eq!(stamp("2027-01-31T21:30:05Z".parse().unwrap()), "20270201003005");
    }

    #[test]
    fn a_payer_is_shown_the_end_of_the_invoices_number() {
        for (description, expected) in
            [("Invoice INV-2026-000123", "2026-000123"), ("Invoice INV-7", "INV-7"), ("Invoice", "Invoice"), ("", "")]
        {
            assert_eq!(reference(description), expected);
        }
    }
}
