//! Correcting what was billed: voiding an invoice, giving up on one, and credit notes by hand.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::account::service;
use crate::error::Outcome;
use crate::graphql::business::credit_notes::{CreditNote, CreditNoteReason};
use crate::graphql::business::invoices::Invoice;
use crate::graphql::business::money_mutations::{invoice_of, note_replay};
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::scalars::Decimal;
use crate::ids::{InvoiceId, InvoiceLineId};
use crate::services::staff::{ActOnInvoice, Corrected, CreditedLine, IssueCreditNote, Settlement};
use crate::store::reads::invoices;

/// Which invoice, and why.
#[derive(Debug, InputObject)]
pub struct VoidInvoiceInput {
    /// The invoice.
    invoice_id: ID,
    /// 1 to 500 characters, kept in the business's audit trail.
    reason: String,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// What `voidInvoice` answers.
#[derive(SimpleObject)]
pub struct VoidInvoicePayload {
    /// The invoice as it is now.
    invoice: Option<Invoice>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Which invoice, and why.
#[derive(Debug, InputObject)]
pub struct MarkInvoiceUncollectibleInput {
    /// The invoice.
    invoice_id: ID,
    /// 1 to 500 characters, kept in the business's audit trail.
    reason: String,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// What `markInvoiceUncollectible` answers.
#[derive(SimpleObject)]
pub struct MarkInvoiceUncollectiblePayload {
    /// The invoice as it is now.
    invoice: Option<Invoice>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Where a credit note goes. REFUND goes no further than what was paid by a gateway; the rest becomes account credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "Settlement")]
pub enum CreditNoteSettlement {
    /// It lowers what is due; the rest becomes account credit.
    AccountCredit,
    /// What gateways took for the invoice is paid back.
    Refund,
}

/// A part of an invoice's line to take back.
#[derive(Debug, InputObject)]
pub struct CreditNoteLineInput {
    /// The line.
    invoice_line_id: ID,
    /// Without exclusive tax.
    amount: Decimal,
}

/// A credit note to issue.
#[derive(Debug, InputObject)]
pub struct IssueCreditNoteInput {
    /// The invoice.
    invoice_id: ID,
    /// What is taken back: 1 to 100.
    lines: Vec<CreditNoteLineInput>,
    /// Why.
    reason: CreditNoteReason,
    /// In words, for the customer: at most 500 characters.
    memo: Option<String>,
    /// Where it goes.
    #[graphql(default_with = "CreditNoteSettlement::AccountCredit")]
    settlement: CreditNoteSettlement,
    /// Names this request: sent again, it acts once.
    idempotency_key: String,
}

/// What `issueCreditNote` answers.
#[derive(SimpleObject)]
pub struct IssueCreditNotePayload {
    /// The credit note.
    credit_note: Option<CreditNote>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

impl From<IssueCreditNoteInput> for IssueCreditNote {
    fn from(input: IssueCreditNoteInput) -> Self {
        let line = |line: CreditNoteLineInput| CreditedLine { line: InvoiceLineId::parse(&line.invoice_line_id), amount: line.amount.0 };
        Self {
            invoice: InvoiceId::parse(&input.invoice_id),
            lines: input.lines.into_iter().map(line).collect(),
            reason: input.reason.into(),
            memo: input.memo,
            settlement: input.settlement.into(),
            idempotency_key: input.idempotency_key,
        }
    }
}

/// Reads in a new view the invoice that was acted on.
async fn show(context: &Context<'_>, outcome: Outcome<Corrected>) -> Result<(Option<Invoice>, Vec<UserError>)> {
    let (done, user_errors) = split(outcome)?;
    request(context).refresh();
    note_replay(context, done.is_some_and(|done| done.replayed));
    Ok((invoice_of(context, done.map(|done| done.invoice)).await?, user_errors))
}

/// Corrections of what was billed.
#[derive(Debug, Default)]
pub struct CorrectionMutation;

#[Object]
impl CorrectionMutation {
    /// Calls an invoice off: nothing of it is owed any more, and what had lowered what was due on it becomes account credit. A
    /// subscription that waits for it to begin has expired. FINANCE and ADMIN.
    async fn void_invoice(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: VoidInvoiceInput,
    ) -> Option<Result<VoidInvoicePayload>> {
        nullable(async {
            let (invoice, reason) = (InvoiceId::parse(&input.invoice_id), input.reason);
            let input = ActOnInvoice { invoice, reason, idempotency_key: input.idempotency_key };
            let outcome = service(context).void_invoice(request(context).caller, input).await;
            let (invoice, user_errors) = show(context, outcome).await?;
            Ok(Some(VoidInvoicePayload { invoice, user_errors }))
        })
        .await
    }
    /// Gives up on what is due on an open invoice; it may still be paid. FINANCE and ADMIN.
    async fn mark_invoice_uncollectible(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: MarkInvoiceUncollectibleInput,
    ) -> Option<Result<MarkInvoiceUncollectiblePayload>> {
        nullable(async {
            let (invoice, reason) = (InvoiceId::parse(&input.invoice_id), input.reason);
            let input = ActOnInvoice { invoice, reason, idempotency_key: input.idempotency_key };
            let outcome = service(context).mark_invoice_uncollectible(request(context).caller, input).await;
            let (invoice, user_errors) = show(context, outcome).await?;
            Ok(Some(MarkInvoiceUncollectiblePayload { invoice, user_errors }))
        })
        .await
    }
    /// Takes a part of an invoice back, line by line. It lowers what is due on that invoice first, then on the subscription's other
    /// open ones, the oldest first; the rest becomes account credit. With REFUND, what gateways took for that invoice is paid back
    /// before other invoices are lowered; waits up to 5 seconds for the outcome. FINANCE and ADMIN.
    async fn issue_credit_note(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: IssueCreditNoteInput,
    ) -> Option<Result<IssueCreditNotePayload>> {
        nullable(async {
            let request = request(context);
            let (done, user_errors) = split(service(context).issue_credit_note(request.caller, input.into()).await)?;
            request.refresh();
            let Some(done) = done else { return Ok(Some(IssueCreditNotePayload { credit_note: None, user_errors })) };
            note_replay(context, done.replayed);
            let note = invoices::credit_note_by_id(&request.reader().await?, done.note).await?;
            Ok(Some(IssueCreditNotePayload { credit_note: note.map(CreditNote::new), user_errors }))
        })
        .await
    }
}
