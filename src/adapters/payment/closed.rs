//! No gateway: what a server has where none is configured. It takes no method and charges nothing.

use async_trait::async_trait;

use super::{
    AmountTerms, AttachError, AttachedMethod, CancelAnswer, ChargeAnswer, ChargeRequest, Decline, GatewayKind, LookUpAnswer, MethodSource,
    PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest,
};
use crate::money::Currency;

/// Takes nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClosedGateway;

/// Why nothing was charged.
fn declined() -> Decline {
    Decline { code: "no_gateway".to_owned(), message: "No payment gateway is configured.".to_owned(), hard: false }
}

#[async_trait]
impl PaymentGateway for ClosedGateway {
    fn kind(&self) -> GatewayKind {
        GatewayKind::Closed
    }

    fn terms(&self, _: Currency) -> Option<AmountTerms> {
        None
    }

    async fn attach(&self, _: MethodSource) -> Result<AttachedMethod, AttachError> {
        Err(AttachError::Unsupported)
    }

    async fn charge(&self, _: ChargeRequest) -> ChargeAnswer {
        ChargeAnswer::Failed(declined())
    }

    async fn look_up(&self, _: &str) -> LookUpAnswer {
        LookUpAnswer::NotFound
    }

    async fn cancel(&self, _: &str) -> CancelAnswer {
        CancelAnswer::Canceled
    }
    async fn refund(&self, _: RefundRequest) -> RefundAnswer {
        RefundAnswer::Failed(declined())
    }

    async fn look_up_refund(&self, _: &str) -> RefundLookUpAnswer {
        RefundLookUpAnswer::NotFound
    }
}
