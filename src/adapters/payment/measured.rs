//! A gateway whose calls are told of: which, what came of it, how long it took. Nothing of what was asked or answered.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use jiff::Timestamp;

use super::books::BooksAnswer;
use super::disputes::DisputeAnswer;
use super::{
    AmountTerms, AttachError, AttachedMethod, BegunCharge, CancelAnswer, ChargeAnswer, ChargeRequest, GatewayKind, LookUpAnswer,
    MethodSource, PaymentGateway, RefundAnswer, RefundLookUpAnswer, RefundRequest,
};
use crate::money::Currency;
use crate::telemetry::Telemetry;

/// A gateway, measured.
pub(super) struct Measured {
    /// The gateway.
    pub(super) gateway: Arc<dyn PaymentGateway>,
    /// Where it is told.
    pub(super) telemetry: Telemetry,
}

impl Measured {
    /// Tells of a call that began at `since`.
    fn tell(&self, call: &'static str, outcome: &'static str, since: Instant) {
        self.telemetry.gateway_call(self.gateway.kind().as_str(), call, outcome, since);
    }
}

#[async_trait]
impl PaymentGateway for Measured {
    fn kind(&self) -> GatewayKind {
        self.gateway.kind()
    }

    fn terms(&self, currency: Currency) -> Option<AmountTerms> {
        self.gateway.terms(currency)
    }

    fn publishable_key(&self) -> Option<&str> {
        self.gateway.publishable_key()
    }

    fn instructions(&self) -> Option<&str> {
        self.gateway.instructions()
    }

    async fn attach(&self, source: MethodSource) -> Result<AttachedMethod, AttachError> {
        let since = Instant::now();
        let answer = self.gateway.attach(source).await;
        let outcome = match &answer {
            Ok(_) => "succeeded",
            Err(AttachError::Unsupported) => "unsupported",
            Err(AttachError::Refused(_)) => "failed",
            Err(AttachError::Unavailable) => "unknown",
        };
        self.tell("attach", outcome, since);
        answer
    }

    async fn charge(&self, request: ChargeRequest) -> ChargeAnswer {
        let since = Instant::now();
        let answer = self.gateway.charge(request).await;
        let outcome = match &answer {
            ChargeAnswer::Succeeded(_) => "succeeded",
            ChargeAnswer::Failed(_) => "failed",
            ChargeAnswer::RequiresAction(_) => "requires_action",
            ChargeAnswer::Unknown => "unknown",
            ChargeAnswer::KeyReused => "key_reused",
        };
        self.tell("charge", outcome, since);
        answer
    }

    async fn look_up(&self, charge: &BegunCharge) -> LookUpAnswer {
        let since = Instant::now();
        let answer = self.gateway.look_up(charge).await;
        let outcome = match &answer {
            LookUpAnswer::Succeeded(_) => "succeeded",
            LookUpAnswer::Failed(_) => "failed",
            LookUpAnswer::RequiresAction(_) => "requires_action",
            LookUpAnswer::Canceled => "canceled",
            LookUpAnswer::NotFound => "not_found",
            LookUpAnswer::Unknown => "unknown",
        };
        self.tell("look_up", outcome, since);
        answer
    }

    async fn cancel(&self, charge: &BegunCharge) -> CancelAnswer {
        let since = Instant::now();
        let answer = self.gateway.cancel(charge).await;
        let outcome = match &answer {
            CancelAnswer::Canceled => "canceled",
            CancelAnswer::AlreadySucceeded(_) => "succeeded",
            CancelAnswer::AlreadyFailed(_) => "failed",
            CancelAnswer::Unknown => "unknown",
        };
        self.tell("cancel", outcome, since);
        answer
    }

    async fn refund(&self, request: RefundRequest) -> RefundAnswer {
        let since = Instant::now();
        let answer = self.gateway.refund(request).await;
        let outcome = match &answer {
            RefundAnswer::Succeeded(_) => "succeeded",
            RefundAnswer::Failed(_) => "failed",
            RefundAnswer::Accepted => "accepted",
            RefundAnswer::Unknown => "unknown",
            RefundAnswer::KeyReused => "key_reused",
        };
        self.tell("refund", outcome, since);
        answer
    }

    async fn look_up_refund(&self, refund: &RefundRequest) -> RefundLookUpAnswer {
        let since = Instant::now();
        let answer = self.gateway.look_up_refund(refund).await;
        let outcome = match &answer {
            RefundLookUpAnswer::Succeeded(_) => "succeeded",
            RefundLookUpAnswer::Failed(_) => "failed",
            RefundLookUpAnswer::Accepted => "accepted",
            RefundLookUpAnswer::NotFound => "not_found",
            RefundLookUpAnswer::Unknown => "unknown",
        };
        self.tell("look_up_refund", outcome, since);
        answer
    }

    async fn books(&self, from: Timestamp, until: Timestamp) -> BooksAnswer {
        let since = Instant::now();
        let answer = self.gateway.books(from, until).await;
        let outcome = match &answer {
            BooksAnswer::Books(_) => "succeeded",
            BooksAnswer::NotOffered => "unsupported",
            BooksAnswer::Unknown => "unknown",
        };
        self.tell("books", outcome, since);
        answer
    }

    async fn dispute(&self, reference: &str) -> DisputeAnswer {
        let since = Instant::now();
        let answer = self.gateway.dispute(reference).await;
        let outcome = match &answer {
            DisputeAnswer::Found(_) => "succeeded",
            DisputeAnswer::NotFound => "not_found",
            DisputeAnswer::Unknown => "unknown",
        };
        self.tell("dispute", outcome, since);
        answer
    }
}
