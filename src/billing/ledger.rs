//! Double entry: what each event of money posts. Append-only; every entry adds up to zero in its currency.
//!
//! Debits are positive, credits negative. The receivable of a business is the sum of its invoices' amounts due.

use super::RuleError;
use super::exact::{difference, negated, sum};

text_enum! {
    /// Where postings go.
    Account {
        /// What the business owes on its invoices.
        Receivable = "RECEIVABLE",
        /// What gateways hold for us, and what came outside one.
        Cash = "CASH",
        /// Account credit: what we owe the business.
        AccountCredit = "ACCOUNT_CREDIT",
        /// What was sold, without tax.
        Revenue = "REVENUE",
        /// Tax that is owed to the state.
        TaxPayable = "TAX_PAYABLE",
        /// The cost of invoices given up on, and of disputes that nothing can be credited for.
        WriteOff = "WRITE_OFF",
        /// What stands against the receivable of those: they are still owed, and may still be paid.
        WriteOffAllowance = "WRITE_OFF_ALLOWANCE",
        /// Amounts below what a gateway takes.
        Rounding = "ROUNDING",
        /// Refunds that are decided and not paid.
        Refunds = "REFUNDS",
        /// Charges that a payer's bank has taken back or may.
        Disputes = "DISPUTES",
    }
}

text_enum! {
    /// What an entry is about; beside it stands the id of its subject.
    EntryKind {
        /// An invoice was issued; its subject is the invoice.
        InvoiceIssued = "INVOICE_ISSUED",
        /// Account credit was used on an invoice, its subject.
        CreditUsed = "CREDIT_USED",
        /// A payment, its subject, was captured.
        PaymentCaptured = "PAYMENT_CAPTURED",
        /// A credit note, its subject, was issued.
        CreditNoteIssued = "CREDIT_NOTE_ISSUED",
        /// An invoice, its subject, was called off.
        InvoiceVoided = "INVOICE_VOIDED",
        /// What was due on an invoice, its subject, is less than the gateway takes.
        RoundedOff = "ROUNDED_OFF",
        /// An invoice, its subject, was given up on, or a bank keeps what was paid on it.
        WrittenOff = "WRITTEN_OFF",
        /// An invoice, its subject, that was given up on is owed less after all.
        Recovered = "RECOVERED",
        /// A refund, its subject, was paid.
        RefundPaid = "REFUND_PAID",
        /// A refund, its subject, failed and became account credit.
        RefundFailed = "REFUND_FAILED",
        /// The charge of a payment, its subject, was taken back by the payer's bank.
        DisputeOpened = "DISPUTE_OPENED",
        /// That charge was given back.
        DisputeWon = "DISPUTE_WON",
    }
}

/// One side of an entry. Minor units, debit positive, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// Where.
    pub account: Account,
    /// How much.
    pub amount_minor: i64,
}

/// Postings that add up to zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(Vec<Posting>);

impl Entry {
    /// An entry of the postings that are not zero.
    ///
    /// # Errors
    /// [`RuleError::Unbalanced`] where they do not add up to zero.
    pub fn new(postings: impl IntoIterator<Item = (Account, i64)>) -> Result<Self, RuleError> {
        let kept: Vec<Posting> = postings
            .into_iter()
            .filter(|&(_, minor)| minor != 0)
            .map(|(account, amount_minor)| Posting { account, amount_minor })
            .collect();
        let balance = sum(kept.iter().map(|posting| posting.amount_minor))?;
        if balance == 0 { Ok(Self(kept)) } else { Err(RuleError::Unbalanced) }
    }

    /// The postings; none where the event moved nothing.
    pub fn postings(&self) -> &[Posting] {
        &self.0
    }
}

/// An invoice is issued: its total is owed, `tax_minor` of it to the state.
///
/// # Errors
/// As [`Entry::new`].
pub fn invoice_issued(total_minor: i64, tax_minor: i64) -> Result<Entry, RuleError> {
    let revenue = difference(tax_minor, total_minor)?;
    Entry::new([(Account::Receivable, total_minor), (Account::Revenue, revenue), (Account::TaxPayable, negated(tax_minor)?)])
}

/// Account credit is used on an invoice.
///
/// # Errors
/// As [`Entry::new`].
pub fn credit_used(amount_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([(Account::AccountCredit, amount_minor), (Account::Receivable, negated(amount_minor)?)])
}

/// A gateway took `captured_minor`, of which `due_minor` was due on the invoice; more becomes account credit.
///
/// # Errors
/// As [`Entry::new`].
pub fn payment_captured(captured_minor: i64, due_minor: i64) -> Result<Entry, RuleError> {
    let settled = due_minor.min(captured_minor);
    let over = difference(settled, captured_minor)?;
    Entry::new([(Account::Cash, captured_minor), (Account::Receivable, negated(settled)?), (Account::AccountCredit, over)])
}

/// Where a credit note went. All in minor units; the three add up to its total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditNotePosting {
    /// With tax.
    pub total_minor: i64,
    /// The tax in it.
    pub tax_minor: i64,
    /// Took off what was due on invoices.
    pub took_off_minor: i64,
    /// Became account credit.
    pub to_credit_minor: i64,
    /// Is to be refunded.
    pub to_refund_minor: i64,
}

/// A credit note is issued.
///
/// # Errors
/// As [`Entry::new`]: [`RuleError::Unbalanced`] where its parts do not add up to its total.
pub fn credit_note_issued(note: &CreditNotePosting) -> Result<Entry, RuleError> {
    Entry::new([
        (Account::Revenue, difference(note.total_minor, note.tax_minor)?),
        (Account::TaxPayable, note.tax_minor),
        (Account::Receivable, negated(note.took_off_minor)?),
        (Account::AccountCredit, negated(note.to_credit_minor)?),
        (Account::Refunds, negated(note.to_refund_minor)?),
    ])
}

/// A gateway paid a refund.
///
/// # Errors
/// As [`Entry::new`].
pub fn refund_paid(amount_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([(Account::Refunds, amount_minor), (Account::Cash, negated(amount_minor)?)])
}

/// A payer's bank keeps what it took back, and it was credited as a refund is.
///
/// # Errors
/// As [`Entry::new`].
pub fn refund_by_dispute(amount_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([(Account::Refunds, amount_minor), (Account::Disputes, negated(amount_minor)?)])
}

/// A payer's bank keeps what it took back, and nothing can be credited for it.
///
/// # Errors
/// As [`Entry::new`].
pub fn lost_to_dispute(amount_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([(Account::WriteOff, amount_minor), (Account::Disputes, negated(amount_minor)?)])
}

/// A refund failed for good and became account credit.
///
/// # Errors
/// As [`Entry::new`].
pub fn refund_failed(amount_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([(Account::Refunds, amount_minor), (Account::AccountCredit, negated(amount_minor)?)])
}

/// An invoice is void: what was due is owed no more, and what was used or paid on it is given back as account credit.
/// `total_minor` with `tax_minor` is what its credit notes have left of it; the other two add up to it.
///
/// # Errors
/// As [`Entry::new`]: [`RuleError::Unbalanced`] where they do not.
pub fn invoice_voided(total_minor: i64, tax_minor: i64, due_minor: i64, given_back_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([
        (Account::Revenue, difference(total_minor, tax_minor)?),
        (Account::TaxPayable, tax_minor),
        (Account::Receivable, negated(due_minor)?),
        (Account::AccountCredit, negated(given_back_minor)?),
    ])
}

/// What is due is below the least that a gateway takes: it is given as account credit, which is used on the invoice.
///
/// # Errors
/// As [`Entry::new`].
pub fn rounded_off(due_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([(Account::Rounding, due_minor), (Account::AccountCredit, negated(due_minor)?)])
}

/// An invoice is given up on with `due_minor` due. It stays a receivable, since it may still be paid.
///
/// # Errors
/// As [`Entry::new`].
pub fn given_up(due_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([(Account::WriteOff, due_minor), (Account::WriteOffAllowance, negated(due_minor)?)])
}

/// An invoice that was given up on was paid, credited or void after all by `amount_minor`.
///
/// # Errors
/// As [`Entry::new`].
pub fn recovered(amount_minor: i64) -> Result<Entry, RuleError> {
    given_up(negated(amount_minor)?)
}

/// A payer's bank took a charge back.
///
/// # Errors
/// As [`Entry::new`].
pub fn dispute_opened(amount_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([(Account::Disputes, amount_minor), (Account::Cash, negated(amount_minor)?)])
}

/// The dispute was won: the gateway gave the charge back.
///
/// # Errors
/// As [`Entry::new`].
pub fn dispute_won(amount_minor: i64) -> Result<Entry, RuleError> {
    Entry::new([(Account::Cash, amount_minor), (Account::Disputes, negated(amount_minor)?)])
}
