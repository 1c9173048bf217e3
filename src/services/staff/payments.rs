//! Payments that staff tell of: recorded by hand, settled by a gateway's statement, paid back.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::invoices::{Desk, Opened, made, open};
use super::reason::words;
use super::{Right, StaffService, check_right};
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::{CreditNoteId, InvoiceId, PaymentId, RefundId};
use crate::money::{Currency, Money, MoneyError};
use crate::services::access::Caller;
use crate::services::billing::credit::write_down;
use crate::services::billing::{RefundAsked, credit_for_refund};
use crate::services::customers::fields::line;
use crate::services::idempotency;
use crate::services::payments::{
    ByHand, Resolution, begin_refunds, pay_out_by_hand, record_by_hand, resolve, resolve_refund, wait_for_all,
};
use crate::store::payments::Payment;
use crate::store::types::{CreditNoteReason, Day};
use crate::store::{System, TenantScope, payments, reads};

/// The most characters of a receipt.
const MAX_RECEIPT_CHARS: usize = 64;
/// How many days ago money may have come that is recorded today: an earlier year is a slip of the pen.
const MAX_DAYS_AGO: i32 = 5 * 366;

/// Money that came outside any gateway, to record.
#[derive(Debug, Clone)]
pub struct RecordPayment {
    /// The invoice that it pays; `None` for an id that names none.
    pub invoice: Option<InvoiceId>,
    /// A decimal in `currency`.
    pub amount: String,
    /// The currency; must be the invoice's.
    pub currency: Currency,
    /// What it is called on the statement.
    pub receipt: String,
    /// The day on which it came.
    pub received_on: Day,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// A payment that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The payment.
    pub payment: PaymentId,
    /// The invoice.
    pub invoice: InvoiceId,
    /// Whether the key was sent before: nothing new was recorded.
    pub replayed: bool,
}

/// What a gateway's statement says of an attempt.
#[derive(Debug, Clone)]
pub struct ResolvePayment {
    /// The attempt; `None` for an id that names none.
    pub payment: Option<PaymentId>,
    /// Whether money was taken.
    pub is_charged: bool,
    /// What it is called on the statement.
    pub receipt: Option<String>,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// An attempt that was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// The payment.
    pub payment: PaymentId,
    /// Whether the key was sent before: nothing new was done.
    pub replayed: bool,
}

/// What a gateway's statement says of a refund.
#[derive(Debug, Clone)]
pub struct ResolveRefund {
    /// The refund; `None` for an id that names none.
    pub refund: Option<RefundId>,
    /// Whether it was paid.
    pub is_paid: bool,
    /// What it is called on the statement.
    pub receipt: Option<String>,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// A refund that was resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResolvedRefund {
    /// The refund.
    pub refund: RefundId,
    /// Its payment.
    pub payment: PaymentId,
    /// Whether the key was sent before: nothing new was done.
    pub replayed: bool,
}

/// A payment to pay back, or a part of one.
#[derive(Debug, Clone)]
pub struct RefundPayment {
    /// The payment; `None` for an id that names none.
    pub payment: Option<PaymentId>,
    /// A decimal in its currency, with tax; `None` is all that is left.
    pub amount: Option<String>,
    /// Why.
    pub reason: CreditNoteReason,
    /// In words, for the customer.
    pub memo: Option<String>,
    /// The idempotency key.
    pub idempotency_key: String,
}

/// A payment that is paid back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refunded {
    /// The refund.
    pub refund: RefundId,
    /// Why.
    pub note: CreditNoteId,
    /// The payment.
    pub payment: PaymentId,
    /// Whether the key was sent before: nothing new was begun.
    pub replayed: bool,
}

/// What is kept under the key of a refund: ids as text.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Made {
    /// The refund.
    refund: String,
    /// The credit note.
    note: String,
    /// The payment.
    payment: String,
}

impl StaffService {
    /// Records money that came outside any gateway: a bank transfer, a cheque or cash. What is due on the invoice goes down; more
    /// than that, or all of it where nothing was due any more, is account credit.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not; NOT_FOUND, INVALID_TRANSITION (a draft) or PAYMENT_IN_PROGRESS at `invoiceId`;
    /// INVALID, TOO_LARGE at `amount.amount`; CURRENCY_MISMATCH at `amount`; REQUIRED, TOO_LONG, INVALID, TAKEN at `receipt`; INVALID
    /// at `receivedOn`; those of idempotency keys; or the database's fault.
    pub async fn record_payment(&self, caller: Caller, input: RecordPayment) -> Outcome<Recorded> {
        let outside = self.ports.clone();
        let write = move |system: System| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let access = check_right(&system, caller, Right::HandlePayments).await?;
                let (amount, receipt) = (amount_of(&["amount", "amount"], &input.amount, input.currency)?, receipt(&input.receipt)?);
                let came = ByHand { amount, receipt, received_on: input.received_on };
                let canonical = json!([
                    input.invoice.map(|id| id.to_string()),
                    came.amount.to_string(),
                    came.receipt,
                    came.received_on.get().to_string(),
                ]);
                let key = (input.idempotency_key.as_str(), "recordPayment", &canonical);
                match open::<[String; 2]>(&system, &ports, access, input.invoice, key).await? {
                    Opened::Replay([payment, invoice]) => {
                        let (payment, invoice) = (made(PaymentId::parse(&payment))?, made(InvoiceId::parse(&invoice))?);
                        Ok(Recorded { payment, invoice, replayed: true })
                    }
                    Opened::New(desk) => Box::pin(record(*desk, came)).await,
                }
            }
        };
        let done = self.ports.store.write_system(write).await?;
        // What goes on may have begun to collect.
        self.ports.work.notify_one();
        Ok(done)
    }

    /// Settles an attempt that is UNKNOWN by what the gateway's statement says. With FAILED its invoice may be charged again.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not; NOT_FOUND, INVALID_TRANSITION at `paymentId`; REQUIRED, TOO_LONG, INVALID at
    /// `receipt`; those of idempotency keys; or the database's fault.
    pub async fn resolve_payment(&self, caller: Caller, input: ResolvePayment) -> Outcome<Resolved> {
        let outside = self.ports.clone();
        let write = move |system: System| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let access = check_right(&system, caller, Right::HandlePayments).await?;
                let resolution = resolution(input.is_charged, input.receipt.as_deref())?;
                let canonical = json!([input.payment.map(|id| id.to_string()), resolution.as_str(), resolution.receipt()]);
                let key = (input.idempotency_key.as_str(), "resolvePayment", &canonical);
                let payment = named(&system, input.payment).await?;
                match open::<String>(&system, &ports, access, Some(payment.invoice_id), key).await? {
                    Opened::Replay(payment) => Ok(Resolved { payment: made(PaymentId::parse(&payment))?, replayed: true }),
                    Opened::New(desk) => Box::pin(settle(*desk, payment.id, resolution)).await,
                }
            }
        };
        let done = self.ports.store.write_system(write).await?;
        self.ports.work.notify_one();
        Ok(done)
    }

    /// Settles a refund that is UNKNOWN by what the gateway's statement says. With FAILED it becomes account credit.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not; NOT_FOUND, INVALID_TRANSITION at `refundId`; REQUIRED, TOO_LONG, INVALID at
    /// `receipt`; those of idempotency keys; or the database's fault.
    pub async fn resolve_refund(&self, caller: Caller, input: ResolveRefund) -> Outcome<ResolvedRefund> {
        let outside = self.ports.clone();
        let write = move |system: System| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let access = check_right(&system, caller, Right::HandlePayments).await?;
                let resolution = resolution(input.is_paid, input.receipt.as_deref())?;
                let canonical = json!([input.refund.map(|id| id.to_string()), resolution.as_str(), resolution.receipt()]);
                let key = (input.idempotency_key.as_str(), "resolveRefund", &canonical);
                let missing = || UserError::at("refundId", UserErrorCode::NotFound, "There is no such refund.");
                let found = reads::refunds::by_id(&system.reader(), input.refund.ok_or_else(missing)?).await?.ok_or_else(missing)?;
                let payment = named(&system, Some(found.payment_id)).await?;
                let replayed = match open::<String>(&system, &ports, access, Some(payment.invoice_id), key).await? {
                    Opened::Replay(_) => true,
                    Opened::New(desk) => {
                        let Desk { tenant, ports, access, claimed, .. } = *desk;
                        Box::pin(resolve_refund(&tenant, &ports, &found, resolution, &access.actor())).await?;
                        idempotency::store(&tenant, claimed, &found.id.to_string()).await?;
                        false
                    }
                };
                Ok(ResolvedRefund { refund: found.id, payment: payment.id, replayed })
            }
        };
        let done = self.ports.store.write_system(write).await?;
        self.ports.work.notify_one();
        Ok(done)
    }

    /// Pays a payment back, or a part of it: writes a credit note on its invoice, and has the gateway that took it pay it back, which
    /// is waited for a while. What came outside a gateway is paid out by hand, and is over at once.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a role that may not; NOT_FOUND, INVALID_TRANSITION at `paymentId`; INVALID, TOO_LARGE at `amount`;
    /// TOO_LONG, INVALID at `memo`; those of idempotency keys; or the database's fault.
    pub async fn refund_payment(&self, caller: Caller, input: RefundPayment) -> Outcome<Refunded> {
        let outside = self.ports.clone();
        let write = move |system: System| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let access = check_right(&system, caller, Right::HandlePayments).await?;
                let memo = input.memo.as_deref().map(|memo| words("memo", memo)).transpose()?.filter(|memo| !memo.is_empty());
                let canonical = json!([input.payment.map(|id| id.to_string()), input.amount, input.reason.as_str(), memo]);
                let key = (input.idempotency_key.as_str(), "refundPayment", &canonical);
                let payment = named(&system, input.payment).await?;
                match open::<Made>(&system, &ports, access, Some(payment.invoice_id), key).await? {
                    Opened::Replay(kept) => {
                        let (refund, note) = (made(RefundId::parse(&kept.refund))?, made(CreditNoteId::parse(&kept.note))?);
                        Ok((Refunded { refund, note, payment: made(PaymentId::parse(&kept.payment))?, replayed: true }, None))
                    }
                    Opened::New(desk) => {
                        let (refunded, scope) = Box::pin(pay_back(*desk, payment.id, &input, memo)).await?;
                        Ok((refunded, Some(scope)))
                    }
                }
            }
        };
        let (done, scope) = self.ports.store.write_system(write).await?;
        self.ports.work.notify_one();
        if let Some(scope) = scope {
            wait_for_all(&self.ports, scope, None, &[done.refund]).await?;
        }
        Ok(done)
    }
}

/// The payment of an id, whosever it is.
async fn named(system: &System, id: Option<PaymentId>) -> Outcome<Payment> {
    let missing = || UserError::at("paymentId", UserErrorCode::NotFound, "There is no such payment.");
    let found = reads::payments::by_id(&system.reader(), id.ok_or_else(missing)?).await?;
    Ok(found.ok_or_else(missing)?)
}

/// What a payment is called on a statement: one line of 1 to 64 characters.
fn receipt(text: &str) -> Result<String, UserError> {
    line("receipt", text, MAX_RECEIPT_CHARS)
}

/// An amount above zero of that currency, for the input field of that path.
fn amount_of(path: &[&'static str], text: &str, currency: Currency) -> Result<Money, UserError> {
    let refuse = |code, message: String| UserError { code, message, field: path.iter().copied().map(Into::into).collect() };
    match Money::parse(text, currency) {
        Ok(money) if money.minor() > 0 => Ok(money),
        Err(MoneyError::TooLarge) => Err(refuse(UserErrorCode::TooLarge, "The amount is too large.".to_owned())),
        Ok(_) | Err(_) => {
            let digits = currency.digits();
            Err(refuse(UserErrorCode::Invalid, format!("Give an amount above zero with at most {digits} digits after the point.")))
        }
    }
}

/// What the statement says. What did not move has no receipt there.
fn resolution(has_moved: bool, called: Option<&str>) -> Result<Resolution, UserError> {
    let receipt = called.map(receipt).transpose()?;
    match (has_moved, receipt) {
        (true, receipt) => Ok(Resolution::Succeeded(receipt)),
        (false, None) => Ok(Resolution::Failed),
        (false, Some(_)) => Err(UserError::at("receipt", UserErrorCode::Invalid, "What did not move has no receipt.")),
    }
}

/// Records it, and keeps it under the key.
async fn record(desk: Desk, came: ByHand) -> Outcome<Recorded> {
    let Desk { tenant, ports, access, mut account, invoice, claimed } = desk;
    let (today, day) = (account.seller_zone.date_of(account.at), came.received_on.get());
    let refuse = |sentence| Err(UserError::at("receivedOn", UserErrorCode::Invalid, sentence).into());
    if day > today {
        return refuse("This day is still to come.");
    }
    if today.since(day).is_ok_and(|ago| ago.get_days() > MAX_DAYS_AGO) {
        return refuse("This day is more than five years ago.");
    }
    let payment = record_by_hand(&tenant, &ports, &mut account, &invoice, came, &access.actor()).await?;
    idempotency::store(&tenant, claimed, &[payment.to_string(), invoice.id.to_string()]).await?;
    Ok(Recorded { payment, invoice: invoice.id, replayed: false })
}

/// Settles it, and keeps it under the key.
async fn settle(desk: Desk, payment: PaymentId, resolution: Resolution) -> Outcome<Resolved> {
    let Desk { tenant, ports, access, mut account, claimed, .. } = desk;
    resolve(&tenant, &ports, &mut account, payment, resolution, &access.actor()).await?;
    idempotency::store(&tenant, claimed, &payment.to_string()).await?;
    Ok(Resolved { payment, replayed: false })
}

/// Writes the credit note and the refund, and keeps both under the key; answers also for whom.
async fn pay_back(desk: Desk, payment: PaymentId, input: &RefundPayment, memo: Option<String>) -> Outcome<(Refunded, TenantScope)> {
    let Desk { tenant, ports, access, mut account, invoice, claimed } = desk;
    let held = payments::lock_payment(&tenant, payment).await?;
    let amount = input.amount.as_deref().map(|text| amount_of(&["amount"], text, held.currency)).transpose()?;
    let asked = RefundAsked { amount_minor: amount.map(Money::minor), reason: input.reason, memo };
    let (note, part) = credit_for_refund(&tenant, &ports, &mut account, &invoice, held, asked).await?;
    write_down(&tenant, &ports, &note, &access.actor()).await?;
    let refund = if part.payment.is_paid_back_by_hand() {
        pay_out_by_hand(&tenant, &ports, &note, &part.payment, &access.actor()).await?
    } else {
        let begun = begin_refunds(&tenant, &ports, std::slice::from_ref(&note), std::slice::from_ref(&part)).await?;
        begun.first().copied().ok_or_else(|| Error::Corrupt("a refund was not begun".into()))?
    };
    let kept = Made { refund: refund.to_string(), note: note.id.to_string(), payment: payment.to_string() };
    idempotency::store(&tenant, claimed, &kept).await?;
    Ok((Refunded { refund, note: note.id, payment, replayed: false }, tenant.scope()))
}
