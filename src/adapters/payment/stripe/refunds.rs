//! Paying back. A refund is looked for before it is sent, whatever its age: Stripe forgets keys, and its list of an intent's refunds
//! does not forget.

use super::super::{RefundAnswer, RefundLookUpAnswer, RefundRequest};
use super::client::{Form, Refusal};
use super::intents::Lost;
use super::objects::{Page, REFUND, StripeRefund};
use super::{StripeGateway, amounts, declines};

/// How many refunds of one intent are read: more parts are not paid back of one payment.
const PAGE: usize = 100;

impl StripeGateway {
    /// Pays a part of a charge back, once per key.
    pub(super) async fn refund_now(&self, request: &RefundRequest) -> RefundAnswer {
        let Some(wire) = amounts::part(request.amount) else {
            return RefundAnswer::Failed(declines::own("invalid_request", "The refund request is not valid.", true));
        };
        match self.find_refund(request).await {
            Ok(Some(made)) if made.amount != wire => return RefundAnswer::KeyReused,
            Ok(Some(made)) => return answer(&made),
            Ok(None) => {}
            Err(Lost) => return RefundAnswer::Unknown,
        }
        let form: Form<'_> = vec![
            ("payment_intent", request.charge_reference.clone()),
            ("amount", wire.to_string()),
            ("metadata[evolve_refund]", request.key.clone()),
            ("metadata[evolve_payment]", request.charge_key.clone()),
        ];
        match self.client.post::<StripeRefund>("/v1/refunds", &form, Some(&request.key)).await {
            Ok(made) => answer(&made),
            Err(Refusal::Lost) => RefundAnswer::Unknown,
            Err(Refusal::Refused { error, .. }) if error.kind == "idempotency_error" => RefundAnswer::KeyReused,
            Err(Refusal::Refused { error, .. }) => {
                tracing::warn!(refund = request.key, kind = error.kind, message = error.message, "Stripe does not pay back");
                let code = error.code.as_deref().unwrap_or("refund_refused");
                RefundAnswer::Failed(declines::own(code, "The gateway did not pay the refund.", true))
            }
        }
    }

    /// Asks what became of a refund.
    pub(super) async fn look_up_refund_now(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        match self.find_refund(refund).await {
            Ok(None) => RefundLookUpAnswer::NotFound,
            Err(Lost) => RefundLookUpAnswer::Unknown,
            Ok(Some(made)) => match answer(&made) {
                RefundAnswer::Succeeded(reference) => RefundLookUpAnswer::Succeeded(reference),
                RefundAnswer::Failed(decline) => RefundLookUpAnswer::Failed(decline),
                RefundAnswer::Accepted => RefundLookUpAnswer::Accepted,
                RefundAnswer::Unknown | RefundAnswer::KeyReused => RefundLookUpAnswer::Unknown,
            },
        }
    }

    /// The refund among those of its charge that carries its key.
    async fn find_refund(&self, refund: &RefundRequest) -> Result<Option<StripeRefund>, Lost> {
        let query: Form<'_> = vec![("payment_intent", refund.charge_reference.clone()), ("limit", PAGE.to_string())];
        let page = self.client.get::<Page<StripeRefund>>("/v1/refunds", &query).await?;
        let found = page.data.into_iter().find(|made| made.metadata.get(REFUND) == Some(&refund.key));
        if found.is_none() && page.has_more {
            tracing::error!(refund = refund.key, "a charge has more refunds than are read; somebody must look");
            return Err(Lost);
        }
        Ok(found)
    }
}

/// What a refund's state comes to.
fn answer(made: &StripeRefund) -> RefundAnswer {
    match made.status.as_deref() {
        Some("succeeded") => RefundAnswer::Succeeded(made.id.clone()),
        Some("pending" | "requires_action") => RefundAnswer::Accepted,
        Some("failed" | "canceled") => {
            let code = made.failure_reason.as_deref().unwrap_or("refund_failed");
            RefundAnswer::Failed(declines::own(code, "The gateway could not pay the refund.", true))
        }
        _ => RefundAnswer::Unknown,
    }
}
