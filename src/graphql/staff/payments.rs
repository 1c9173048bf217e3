//! Payments that staff tell of: what came outside a gateway, what a gateway's statement says, and what is paid back.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::account::service;
use super::plans::MoneyInput;
use crate::graphql::business::credit_notes::{CreditNote, CreditNoteReason};
use crate::graphql::business::invoices::Invoice;
use crate::graphql::business::money_mutations::{invoice_of, note_replay, payment_of};
use crate::graphql::business::payments::Payment;
use crate::graphql::business::refunds::Refund;
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::{Date, Decimal};
use crate::ids::{InvoiceId, PaymentId, RefundId};
use crate::services::staff::{RecordPayment, RefundPayment, ResolvePayment, ResolveRefund};
use crate::store::reads::{invoices, refunds};

/// Money that came outside a gateway, to record.
#[derive(Debug, InputObject)]
pub struct RecordPaymentInput {
    /// The invoice that it pays.
    invoice_id: ID,
    /// How much came, in the invoice's currency.
    amount: MoneyInput,
    /// What it is called on the statement: 1 to 64 characters. The same is not recorded twice for one business.
    receipt: String,
    /// The day on which it came; not a day that is still to come.
    received_on: Date,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// More than is due becomes account credit; less leaves the invoice OPEN.
#[derive(SimpleObject)]
pub struct RecordPaymentPayload {
    /// The payment, which has succeeded.
    payment: Option<Payment>,
    /// The invoice as it is now.
    invoice: Option<Invoice>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// What the gateway's statement says of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PaymentResolution {
    /// Money was taken.
    Succeeded,
    /// No money was taken, and none will be.
    Failed,
}

/// An attempt to settle.
#[derive(Debug, InputObject)]
pub struct ResolvePaymentInput {
    /// The attempt; it must be UNKNOWN.
    payment_id: ID,
    /// What the statement says.
    resolution: PaymentResolution,
    /// What it is called there: 1 to 64 characters. Without one, a payment that succeeded is paid back by hand alone.
    receipt: Option<String>,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// What `resolvePayment` answers.
#[derive(SimpleObject)]
pub struct ResolvePaymentPayload {
    /// The payment as it is now.
    payment: Option<Payment>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// A refund to settle.
#[derive(Debug, InputObject)]
pub struct ResolveRefundInput {
    /// The refund; it must be UNKNOWN.
    refund_id: ID,
    /// What the statement says: whether it was paid.
    resolution: PaymentResolution,
    /// What it is called there: 1 to 64 characters.
    receipt: Option<String>,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// What `resolveRefund` answers.
#[derive(SimpleObject)]
pub struct ResolveRefundPayload {
    /// The refund as it is now.
    refund: Option<Refund>,
    /// The payment as it is now.
    payment: Option<Payment>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// `amount` with tax; default: all that is left of it.
#[derive(Debug, InputObject)]
pub struct RefundPaymentInput {
    /// The payment.
    payment_id: ID,
    /// How much of it.
    amount: Option<Decimal>,
    /// Why.
    reason: CreditNoteReason,
    /// In words, for the customer: at most 500 characters.
    memo: Option<String>,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// What `refundPayment` answers.
#[derive(SimpleObject)]
pub struct RefundPaymentPayload {
    /// The refund; it may still be on its way.
    refund: Option<Refund>,
    /// The credit note on the payment's invoice.
    credit_note: Option<CreditNote>,
    /// The payment as it is now.
    payment: Option<Payment>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Payments by hand.
#[derive(Debug, Default)]
pub struct PaymentMutation;

#[Object]
impl PaymentMutation {
    /// Records a bank transfer, a cheque or cash that came outside a gateway. What is due on the invoice goes down by it; more becomes
    /// account credit, as all of it does where nothing is due any more. Refused while a payment of the invoice is under way. FINANCE and
    /// ADMIN.
    async fn record_payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RecordPaymentInput,
    ) -> Option<Result<RecordPaymentPayload>> {
        nullable(async {
            let MoneyInput { amount, currency } = input.amount;
            let asked = RecordPayment {
                invoice: InvoiceId::parse(&input.invoice_id),
                amount: amount.0,
                currency: currency.0,
                receipt: input.receipt,
                received_on: input.received_on.0,
                idempotency_key: input.idempotency_key,
            };
            let (done, user_errors) = split(service(context).record_payment(request(context).caller, asked).await)?;
            request(context).refresh();
            note_replay(context, done.is_some_and(|done| done.replayed));
            let payment = payment_of(context, done.map(|done| done.payment)).await?;
            let invoice = invoice_of(context, done.map(|done| done.invoice)).await?;
            Ok(Some(RecordPaymentPayload { payment, invoice, user_errors }))
        })
        .await
    }
    /// Settles an attempt that is UNKNOWN by what the gateway's statement says: with SUCCEEDED its invoice is settled, with FAILED it may be
    /// charged again. What the gateway itself tells later changes nothing. FINANCE and ADMIN.
    async fn resolve_payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ResolvePaymentInput,
    ) -> Option<Result<ResolvePaymentPayload>> {
        nullable(async {
            let asked = ResolvePayment {
                payment: PaymentId::parse(&input.payment_id),
                is_charged: input.resolution == PaymentResolution::Succeeded,
                receipt: input.receipt,
                idempotency_key: input.idempotency_key,
            };
            let (done, user_errors) = split(service(context).resolve_payment(request(context).caller, asked).await)?;
            request(context).refresh();
            note_replay(context, done.is_some_and(|done| done.replayed));
            let payment = payment_of(context, done.map(|done| done.payment)).await?;
            Ok(Some(ResolvePaymentPayload { payment, user_errors }))
        })
        .await
    }
    /// Settles a refund that is UNKNOWN by what the gateway's statement says: with SUCCEEDED it was paid, with FAILED it becomes account
    /// credit. What the gateway itself tells later changes nothing. FINANCE and ADMIN.
    async fn resolve_refund(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ResolveRefundInput,
    ) -> Option<Result<ResolveRefundPayload>> {
        nullable(async {
            let asked = ResolveRefund {
                refund: RefundId::parse(&input.refund_id),
                is_paid: input.resolution == PaymentResolution::Succeeded,
                receipt: input.receipt,
                idempotency_key: input.idempotency_key,
            };
            let (done, user_errors) = split(service(context).resolve_refund(request(context).caller, asked).await)?;
            let request = request(context);
            request.refresh();
            let Some(done) = done else { return Ok(Some(ResolveRefundPayload { refund: None, payment: None, user_errors })) };
            note_replay(context, done.replayed);
            let refund = refunds::by_id(&request.reader().await?, done.refund).await?.map(Refund::new);
            Ok(Some(ResolveRefundPayload { refund, payment: payment_of(context, Some(done.payment)).await?, user_errors }))
        })
        .await
    }
    /// Pays a payment back, or a part of it: a credit note on its invoice and its refund in one step. What is due on the invoice stays
    /// what it is, and what the payment brought beyond the invoice stays account credit. What came outside a gateway is recorded as paid
    /// out by hand; else waits up to 5 seconds for the outcome. FINANCE and ADMIN.
    async fn refund_payment(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RefundPaymentInput,
    ) -> Option<Result<RefundPaymentPayload>> {
        nullable(async {
            let asked = RefundPayment {
                payment: PaymentId::parse(&input.payment_id),
                amount: input.amount.map(|amount| amount.0),
                reason: input.reason.into(),
                memo: input.memo,
                idempotency_key: input.idempotency_key,
            };
            let (done, user_errors) = split(service(context).refund_payment(request(context).caller, asked).await)?;
            let request = request(context);
            request.refresh();
            let Some(done) = done else {
                return Ok(Some(RefundPaymentPayload { refund: None, credit_note: None, payment: None, user_errors }));
            };
            note_replay(context, done.replayed);
            let reader = request.reader().await?;
            let refund = refunds::by_id(&reader, done.refund).await?.map(Refund::new);
            let credit_note = invoices::credit_note_by_id(&reader, done.note).await?.map(CreditNote::new);
            Ok(Some(RefundPaymentPayload { refund, credit_note, payment: payment_of(context, Some(done.payment)).await?, user_errors }))
        })
        .await
    }
}
