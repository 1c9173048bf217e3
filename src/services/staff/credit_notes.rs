//! Credit notes by hand, on lines of an invoice.

use serde_json::json;

use super::invoices::{Desk, Opened, made, open};
use super::reason::words;
use super::{Right, StaffService, check_right};
use crate::error::{Outcome, UserError, UserErrorCode};
use crate::ids::{CreditNoteId, InvoiceId, InvoiceLineId, RefundId};
use crate::money::{Currency, Money, MoneyError};
use crate::services::access::Caller;
use crate::services::billing::credit::write_down;
use crate::services::billing::{LineCredit, OnLines, credit_on_lines};
use crate::services::idempotency;
use crate::services::payments::wait_for_all;
use crate::store::types::CreditNoteReason;
use crate::store::{System, TenantScope};

/// The operation's name under idempotency keys.
const OPERATION: &str = "issueCreditNote";
/// The most lines of a credit note.
const MAX_LINES: usize = 100;

/// Where a credit note goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It lowers what is due; the rest is account credit.
    AccountCredit,
    /// It is paid back as far as gateways took it.
    Refund,
}

impl Settlement {
    /// What makes two inputs the same.
    const fn as_str(self) -> &'static str {
        match self {
            Self::AccountCredit => "ACCOUNT_CREDIT",
            Self::Refund => "REFUND",
        }
    }
}

/// A part of an invoice's line to take back.
#[derive(Debug, Clone)]
pub struct CreditedLine {
    /// The line; `None` for an id that names none.
    pub line: Option<InvoiceLineId>,
    /// A decimal in the invoice's currency, without exclusive tax.
    pub amount: String,
}

/// A credit note to issue.
#[derive(Debug, Clone)]
pub struct IssueCreditNote {
    /// The invoice; `None` for an id that names none.
    pub invoice: Option<InvoiceId>,
    /// What is taken back.
    pub lines: Vec<CreditedLine>,
    /// Why.
    pub reason: CreditNoteReason,
    /// In words, for the customer.
    pub memo: Option<String>,
    /// Where it goes.
    pub settlement: Settlement,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// A credit note that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credited {
    /// The credit note.
    pub note: CreditNoteId,
    /// Whether the key was sent before: nothing new was issued.
    pub replayed: bool,
}

impl StaffService {
    /// Issues a credit note on lines of an invoice. It lowers what is due on that invoice, then on the subscription's other open
    /// ones, the oldest first; the rest is account credit. With REFUND, what gateways took for the invoice and is not due on it is
    /// paid back before that, and waited for a while.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not; NOT_FOUND at `invoiceId` or a line; REQUIRED, TOO_LARGE at `lines`;
    /// INVALID, TOO_LARGE at a line's amount; TOO_LONG, INVALID at `memo`; INVALID_TRANSITION for a draft or a void invoice; those
    /// of idempotency keys; or the database's fault.
    pub async fn issue_credit_note(&self, caller: Caller, input: IssueCreditNote) -> Outcome<Credited> {
        let outside = self.ports.clone();
        let write = move |system: System| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let access = check_right(&system, caller, Right::CorrectInvoices).await?;
                let memo = check(&input)?;
                let lines: Vec<_> = input.lines.iter().map(|line| (line.line.map(|id| id.to_string()), &line.amount)).collect();
                let canonical =
                    json!([input.invoice.map(|id| id.to_string()), lines, input.reason.as_str(), memo, input.settlement.as_str()]);
                let key = (input.idempotency_key.as_str(), OPERATION, &canonical);
                match open::<String>(&system, &ports, access, input.invoice, key).await? {
                    Opened::Replay(note) => Ok((Credited { note: made(CreditNoteId::parse(&note))?, replayed: true }, None)),
                    Opened::New(desk) => {
                        let (note, begun) = Box::pin(issue(*desk, &input, memo)).await?;
                        Ok((note, Some(begun)))
                    }
                }
            }
        };
        let (done, begun) = self.ports.store.write_system(write).await?;
        // What goes on may have begun to collect.
        self.ports.work.notify_one();
        if let Some((scope, refunds)) = begun {
            wait_for_all(&self.ports, scope, None, &refunds).await?;
        }
        Ok(done)
    }
}

/// What is wrong whatever the invoice; answers the memo as it is kept.
fn check(input: &IssueCreditNote) -> Result<Option<String>, UserError> {
    if input.lines.is_empty() {
        return Err(UserError::at("lines", UserErrorCode::Required, "Name a line of the invoice."));
    }
    if input.lines.len() > MAX_LINES {
        return Err(UserError::at("lines", UserErrorCode::TooLarge, format!("A credit note has {MAX_LINES} lines at most.")));
    }
    let memo = input.memo.as_deref().map(|memo| words("memo", memo)).transpose()?;
    Ok(memo.filter(|memo| !memo.is_empty()))
}

/// The amount of a line, above zero.
fn amount(place: usize, text: &str, currency: Currency) -> Result<i64, UserError> {
    let refuse = |code, message: String| {
        let field = vec!["lines".into(), place.to_string().into(), "amount".into()];
        UserError { code, message, field }
    };
    match Money::parse(text, currency) {
        Ok(money) if money.minor() > 0 => Ok(money.minor()),
        Err(MoneyError::TooLarge) => Err(refuse(UserErrorCode::TooLarge, "The amount is too large.".to_owned())),
        Ok(_) | Err(_) => {
            let digits = currency.digits();
            Err(refuse(UserErrorCode::Invalid, format!("Give an amount above zero with at most {digits} digits after the point.")))
        }
    }
}

/// Issues it, writes it down, and keeps it under the key; answers also which refunds it began, and for whom.
async fn issue(desk: Desk, input: &IssueCreditNote, memo: Option<String>) -> Outcome<(Credited, (TenantScope, Vec<RefundId>))> {
    let Desk { tenant, ports, access, mut account, invoice, claimed } = desk;
    let mut lines = Vec::with_capacity(input.lines.len());
    for (place, line) in input.lines.iter().enumerate() {
        lines.push(LineCredit { line: line.line, amount_minor: amount(place, &line.amount, invoice.currency)? });
    }
    let asked = OnLines { lines, reason: input.reason, memo, is_refunded: input.settlement == Settlement::Refund };
    let (note, refunds) = credit_on_lines(&tenant, &ports, &mut account, invoice, asked).await?;
    write_down(&tenant, &ports, &note, &access.actor()).await?;
    let subject = note.id.to_string();
    idempotency::store(&tenant, claimed, &subject).await?;
    Ok((Credited { note: note.id, replayed: false }, (tenant.scope(), refunds)))
}
