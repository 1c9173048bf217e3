//! Refunds: what was charged is paid back, once per key and never beyond what was taken. Those of a method whose charges succeed late
//! are paid at once too, and their first answer is lost.

use super::memory::{SandboxError, SandboxRefund};
use super::{Decline, RefundAnswer, RefundLookUpAnswer, RefundRequest, SandboxBehavior, SandboxGateway, behavior_of, decline, is_good_key};

impl SandboxGateway {
    /// Every refund that was asked for, in the order in which it was; those that were not paid say why.
    ///
    /// # Errors
    /// [`SandboxError`] when the file cannot be read.
    pub async fn refunds(&self) -> Result<Vec<SandboxRefund>, SandboxError> {
        self.memory.refunds().await
    }

    /// Answers a refund, and remembers what was answered.
    pub(super) async fn refund_now(&self, request: &RefundRequest) -> Result<RefundAnswer, SandboxError> {
        if !is_good_key(&request.key) || request.amount.minor() <= 0 {
            return Ok(RefundAnswer::Failed(decline("invalid_request", "The refund request is not valid.", true)));
        }
        let now = self.clock.now();
        let mut writing = self.memory.begin(&request.key, now).await?;
        if let Some(made) = writing.find_refund().await? {
            writing.commit().await?;
            return Ok(if made.charge_key == request.charge_key && made.amount == request.amount {
                answer(made)
            } else {
                RefundAnswer::KeyReused
            });
        }
        let charge = writing.refundable(&request.charge_key).await?;
        let refused = match &charge {
            Some((left, _)) if left.currency() == request.amount.currency() && request.amount.minor() <= left.minor() => None,
            Some(_) => Some(too_much()),
            None => Some(never_charged()),
        };
        let (key, charge_key) = (request.key.clone(), request.charge_key.clone());
        let made = SandboxRefund { key, charge_key, amount: request.amount, refused, asked_at: now };
        writing.insert_refund(&made).await?;
        writing.commit().await?;
        let is_late = charge.is_some_and(|(_, method)| behavior_of(&method) == Some(SandboxBehavior::SucceedsLate));
        Ok(if is_late { RefundAnswer::Unknown } else { answer(made) })
    }

    /// What is known of a refund's key.
    pub(super) async fn look_up_refund_now(&self, key: &str) -> Result<RefundLookUpAnswer, SandboxError> {
        Ok(match self.memory.refund_of(key).await? {
            None => RefundLookUpAnswer::NotFound,
            Some(SandboxRefund { refused: Some(refused), .. }) => RefundLookUpAnswer::Failed(refused),
            Some(SandboxRefund { key, .. }) => RefundLookUpAnswer::Succeeded(reference(&key)),
        })
    }
}

/// What a remembered refund is answered with.
fn answer(made: SandboxRefund) -> RefundAnswer {
    match made.refused {
        Some(refused) => RefundAnswer::Failed(refused),
        None => RefundAnswer::Succeeded(reference(&made.key)),
    }
}

/// The gateway's own id of a refund.
pub(super) fn reference(key: &str) -> String {
    format!("sbx_{key}")
}

fn too_much() -> Decline {
    decline("refund_exceeds_charge", "More was to be paid back than was taken and is left.", true)
}

fn never_charged() -> Decline {
    decline("charge_unknown", "Nothing was charged that could be paid back.", true)
}
