//! Transfers: the customer pays an invoice at the bank, and staff record what came. Nothing is asked of anybody here, and nothing is charged.

use async_trait::async_trait;

use super::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, Decline, GatewayKind, LookUpAnswer,
    MethodKind, MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest,
};
use crate::money::{Currency, MAX_MINOR};

/// What the method is called.
const LABEL: &str = "Bank transfer";

/// The way to pay by transfer.
#[derive(Debug, Clone)]
pub struct TransferGateway {
    /// Which account, and what to write on the transfer.
    instructions: String,
}

impl TransferGateway {
    /// With these words for whoever pays.
    pub const fn new(instructions: String) -> Self {
        Self { instructions }
    }
}

/// What is said of a charge or a refund that should never have been asked for.
fn by_hand() -> Decline {
    let message = "A transfer is made by hand at the bank; nothing can be charged.".to_owned();
    Decline { code: "by_hand".to_owned(), message, hard: true }
}

#[async_trait]
impl PaymentGateway for TransferGateway {
    fn kind(&self) -> GatewayKind {
        GatewayKind::Transfer
    }

    fn terms(&self, _currency: Currency) -> Option<AmountTerms> {
        Some(AmountTerms { unit_minor: 1, least_minor: 1, most_minor: MAX_MINOR })
    }

    fn instructions(&self) -> Option<&str> {
        Some(&self.instructions)
    }

    async fn attach(&self, source: MethodSource) -> Result<AttachedMethod, AttachError> {
        let MethodSource::BankTransfer = source else { return Err(AttachError::Unsupported) };
        Ok(AttachedMethod { kind: MethodKind::BankTransfer, reference: String::new(), label: LABEL.to_owned(), expires_on: None })
    }

    async fn charge(&self, _request: ChargeRequest) -> ChargeAnswer {
        ChargeAnswer::Failed(by_hand())
    }

    async fn look_up(&self, _charge: &BegunCharge) -> LookUpAnswer {
        LookUpAnswer::Failed(by_hand())
    }

    async fn cancel(&self, _charge: &BegunCharge) -> CancelAnswer {
        CancelAnswer::Canceled
    }

    async fn refund(&self, _request: RefundRequest) -> RefundAnswer {
        RefundAnswer::Failed(by_hand())
    }

    async fn look_up_refund(&self, _refund: &RefundRequest) -> RefundLookUpAnswer {
        RefundLookUpAnswer::Failed(by_hand())
    }
}
