//! What a scenario came to, printed as JSON with amounts as text.

use jiff::Timestamp;
use serde::Serialize;

use super::super::RuleError;
use super::super::invoice::{Line, Totals};
use super::QuoteError;
use super::walk::Quoted;
use crate::money::{Currency, Money};

/// The whole answer.
#[derive(Serialize)]
struct Report {
    /// As they turned out.
    periods: Vec<Span>,
    /// In order.
    invoices: Vec<Invoice>,
    /// In order.
    credit_notes: Vec<Note>,
    /// Account credit at the end.
    credit_balance: String,
}

/// A half-open interval.
#[derive(Serialize)]
struct Span {
    /// Belongs to it.
    start: String,
    /// Does not.
    end: String,
}

/// An invoice, or the lines of a change that was credited.
#[derive(Serialize)]
struct Invoice {
    /// When it is issued.
    at: String,
    /// In order.
    lines: Vec<PrintedLine>,
    /// Sum of the lines.
    subtotal: String,
    /// Sum of their discounts.
    discount: String,
    /// All tax.
    tax: String,
    /// With tax; zero where it is credited instead.
    total: String,
    /// Account credit that was used.
    credit_applied: String,
    /// What is to be paid.
    due: String,
    /// What became account credit instead.
    credit_granted: String,
}

/// A line.
#[derive(Serialize)]
struct PrintedLine {
    /// In lower case.
    kind: String,
    /// First instant it is for.
    start: String,
    /// First instant it is not for.
    end: String,
    /// Units it is for …
    numerator: i64,
    /// … of those of a whole period.
    denominator: i64,
    /// As priced.
    amount: String,
}

/// A credit note.
#[derive(Serialize)]
struct Note {
    /// When it is issued.
    at: String,
    /// Without tax.
    net: String,
    /// The tax.
    tax: String,
    /// With tax.
    total: String,
    /// What became account credit.
    to_credit: String,
    /// What is paid back.
    to_refund: String,
}

/// An amount with exactly the currency's digits.
fn amount(minor: i64, currency: Currency) -> Result<String, QuoteError> {
    Money::new(minor, currency).map(Money::amount).map_err(|_| QuoteError::TooFar(RuleError::TooLarge))
}

/// A line as it is printed.
fn line(line: &Line, currency: Currency) -> Result<PrintedLine, QuoteError> {
    Ok(PrintedLine {
        kind: line.kind.as_str().to_ascii_lowercase(),
        start: line.start.to_string(),
        end: line.end.to_string(),
        numerator: line.fraction.numerator(),
        denominator: line.fraction.denominator(),
        amount: amount(line.amount_minor, currency)?,
    })
}

/// An invoice as it is printed; where credit was granted instead, nothing is due.
fn invoice(at: Timestamp, totals: &Totals, granted_minor: i64, currency: Currency) -> Result<Invoice, QuoteError> {
    Ok(Invoice {
        at: at.to_string(),
        lines: totals.lines.iter().map(|taxed| line(&taxed.line, currency)).collect::<Result<_, _>>()?,
        subtotal: amount(totals.subtotal_minor, currency)?,
        discount: amount(totals.discount_minor, currency)?,
        tax: amount(totals.tax_minor, currency)?,
        total: amount(totals.total_minor.max(0), currency)?,
        credit_applied: amount(totals.credit_applied_minor, currency)?,
        due: amount(totals.amount_due_minor.max(0), currency)?,
        credit_granted: amount(granted_minor, currency)?,
    })
}

/// Prints what a scenario came to.
///
/// # Errors
/// [`QuoteError::TooFar`] for an amount that is too large.
pub(super) fn print(quoted: &Quoted, currency: Currency) -> Result<String, QuoteError> {
    let span = |&(start, end): &(Timestamp, Timestamp)| Span { start: start.to_string(), end: end.to_string() };
    let report = Report {
        periods: quoted.periods.iter().map(span).collect(),
        invoices: quoted
            .invoices
            .iter()
            .map(|entry| invoice(entry.at, &entry.totals, entry.granted_minor, currency))
            .collect::<Result<_, _>>()?,
        credit_notes: quoted
            .credit_notes
            .iter()
            .map(|entry| {
                Ok(Note {
                    at: entry.at.to_string(),
                    net: amount(entry.note.net_minor, currency)?,
                    tax: amount(entry.note.tax_minor, currency)?,
                    total: amount(entry.note.total_minor, currency)?,
                    to_credit: amount(entry.to_credit_minor, currency)?,
                    to_refund: amount(entry.to_refund_minor, currency)?,
                })
            })
            .collect::<Result<_, QuoteError>>()?,
        credit_balance: amount(quoted.credit_minor, currency)?,
    };
    serde_json::to_string_pretty(&report).map_err(|error| QuoteError::Malformed(error.to_string()))
}
