//! The page of an invoice: every figure as the invoice has it, every day in the business's time zone. What a customer typed stands in it as
//! a value alone, escaped.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::words::{Words, grouped, words};
use crate::billing::lifecycle::PaymentStatus;
use crate::billing::period::Zone;
use crate::billing::tax::TaxBehavior;
use crate::error::Error;
use crate::money::{Currency, Money, Rate};
use crate::services::billing::party::Party;
use crate::store::Instant;
use crate::store::invoices::{CreditNote, Invoice, InvoiceLine, InvoiceTax};
use crate::store::payments::Payment;

/// How it looks, on paper above all.
const STYLE: &str = include_str!("../../../templates/print/document.css");

static PRESS: LazyLock<Result<Environment<'static>, String>> = LazyLock::new(|| {
    let mut press = Environment::new();
    press.set_undefined_behavior(UndefinedBehavior::Strict);
    press.set_trim_blocks(true);
    let layout = include_str!("../../../templates/print/invoice.html");
    press.add_template("invoice.html", layout).map_err(|error| error.to_string())?;
    Ok(press)
});

/// What a browser may do with a page: show it in the one style whose hash this is, and nothing else.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox")
});

/// An issued invoice with everything that its page shows.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) invoice: Invoice,
    pub(super) lines: Vec<InvoiceLine>,
    pub(super) taxes: Vec<InvoiceTax>,
    pub(super) payments: Vec<Payment>,
    pub(super) notes: Vec<CreditNote>,
    pub(super) seller: Party,
    pub(super) billed_to: Party,
    pub(super) zone: Zone,
}

/// The whole page.
#[derive(Serialize)]
struct Page<'a> {
    language: &'a str,
    words: &'a Words,
    style: &'a str,
    invoice: Head<'a>,
    parties: [Side<'a>; 2],
    lines: Vec<Line<'a>>,
    totals: Vec<Total>,
    payments: Vec<Paid<'a>>,
    notes: Vec<Credited<'a>>,
}

/// Its head.
#[derive(Serialize)]
struct Head<'a> {
    number: &'a str,
    state: &'a str,
    issued: Option<String>,
    due: Option<String>,
    paid: Option<String>,
    voided: Option<String>,
    is_payable: bool,
}

/// The seller, or the buyer.
#[derive(Serialize)]
struct Side<'a> {
    title: &'a str,
    name: &'a str,
    lines: Vec<String>,
}

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    description: &'a str,
    period: Option<String>,
    quantity: String,
    unit_price: String,
    discount: String,
    tax: String,
    amount: String,
}

/// A row under the lines.
#[derive(Serialize)]
struct Total {
    name: String,
    amount: String,
    is_due: bool,
}

/// A payment.
#[derive(Serialize)]
struct Paid<'a> {
    day: Option<String>,
    method: &'a str,
    receipt: &'a str,
    amount: String,
    refunded: String,
}

/// A credit note.
#[derive(Serialize)]
struct Credited<'a> {
    day: String,
    number: &'a str,
    amount: String,
}

/// Writes amounts and days.
struct Pen<'a> {
    words: &'a Words,
    currency: Currency,
    zone: &'a Zone,
}

impl Pen<'_> {
    /// An amount, without its currency.
    fn bare(&self, minor: i64) -> Result<String, Error> {
        let money = Money::new(minor, self.currency).map_err(|_| Error::Corrupt("an amount is past what an amount may be".into()))?;
        Ok(grouped(&money.amount()))
    }

    /// An amount.
    fn money(&self, minor: i64) -> Result<String, Error> {
        Ok(format!("{} {}", self.currency.code(), self.bare(minor)?))
    }

    /// The day of an instant.
    fn day(&self, at: Instant) -> String {
        self.words.day(self.zone.date_of(at.get()))
    }

    /// A unit price, which may be finer than a minor unit.
    fn price(&self, price: Rate) -> String {
        let mut decimal = price.decimal();
        decimal.rescale(decimal.scale().max(self.currency.digits()));
        grouped(&decimal.to_string())
    }
}

/// The page of an invoice in the language of a locale, and what it is called.
///
/// # Errors
/// [`Error::Corrupt`] for what no page can show; [`Error::Task`] where the layout does not print.
pub(super) fn print(facts: &Facts, locale: &str) -> Result<String, Error> {
    let (language, words) = words(locale)?;
    let invoice = &facts.invoice;
    let pen = Pen { words, currency: invoice.currency, zone: &facts.zone };
    let page = Page {
        language,
        words,
        style: STYLE,
        invoice: Head {
            number: number_of(invoice)?,
            state: words.state(invoice.status.as_str())?,
            issued: invoice.issued_at.map(|at| pen.day(at)),
            due: invoice.due_at.map(|at| pen.day(at)),
            paid: invoice.paid_at.map(|at| pen.day(at)),
            voided: invoice.voided_at.map(|at| pen.day(at)),
            is_payable: invoice.status.is_payable() && invoice.amount_due_minor > 0,
        },
        parties: [side(words, &words.seller, &facts.seller), side(words, &words.billed_to, &facts.billed_to)],
        lines: facts.lines.iter().map(|line| line_of(&pen, line)).collect::<Result<_, _>>()?,
        totals: totals(&pen, facts)?,
        payments: facts.payments.iter().filter(|payment| took(payment)).map(|payment| paid(&pen, payment)).collect::<Result<_, _>>()?,
        notes: facts.notes.iter().map(|note| credited(&pen, note)).collect::<Result<_, _>>()?,
    };
    let press = PRESS.as_ref().map_err(|_| Error::Corrupt("the layout of documents cannot be read".into()))?;
    let printed = press.get_template("invoice.html").and_then(|layout| layout.render(&page));
    printed.map_err(|error| Error::Task(Box::new(error)))
}

/// The number of an issued invoice.
pub(super) fn number_of(invoice: &Invoice) -> Result<&str, Error> {
    invoice.number.as_deref().ok_or_else(|| Error::Corrupt("an issued invoice has no number".into()))
}

/// A party with its address.
fn side<'a>(words: &Words, title: &'a str, party: &'a Party) -> Side<'a> {
    let town: Vec<&str> = [party.postal_code.as_deref(), party.city.as_deref()].into_iter().flatten().collect();
    let tax_id = party.tax_id.as_ref().map(|id| format!("{}: {id}", words.tax_id));
    let lines = [party.address_line.clone(), Some(town.join(" ")), Some(party.country.clone()), tax_id];
    Side { title, name: &party.name, lines: lines.into_iter().flatten().filter(|line| !line.is_empty()).collect() }
}

/// A line: its period by the first and the last day that are in it.
fn line_of<'a>(pen: &Pen<'_>, line: &'a InvoiceLine) -> Result<Line<'a>, Error> {
    let period = line.period_start.zip(line.period_end).map(|(start, end)| {
        // Half-open: the last day is that of the instant before the end.
        let last = end.get().checked_sub(jiff::SignedDuration::from_micros(1)).map_or(end, Instant::from).max(start);
        format!("{} \u{2013} {}", pen.day(start), pen.day(last))
    });
    let discount = if line.discount_minor == 0 { String::new() } else { pen.bare(line.discount_minor)? };
    Ok(Line {
        description: &line.description,
        period,
        quantity: grouped(&line.quantity.decimal().normalize().to_string()),
        unit_price: pen.price(line.unit_price),
        discount,
        tax: percent(line.tax_rate)?,
        amount: pen.bare(line.amount_minor)?,
    })
}

/// A rate in percent: `16 %`.
fn percent(rate: Rate) -> Result<String, Error> {
    let percent = rate.decimal().checked_mul(rust_decimal::Decimal::ONE_HUNDRED);
    let percent = percent.ok_or_else(|| Error::Corrupt("a rate is past what a rate may be".into()))?.normalize();
    Ok(format!("{percent}\u{a0}%"))
}

/// The rows under the lines: they lead from the subtotal to what is due.
fn totals(pen: &Pen<'_>, facts: &Facts) -> Result<Vec<Total>, Error> {
    let (invoice, words) = (&facts.invoice, pen.words);
    let row = |name: &str, minor: i64| Ok::<_, Error>(Total { name: name.to_owned(), amount: pen.money(minor)?, is_due: false });
    let less = |minor: i64| minor.checked_neg().ok_or_else(|| Error::Corrupt("an amount is past what an amount may be".into()));
    let mut rows = vec![row(&words.subtotal, invoice.subtotal_minor)?];
    if invoice.discount_minor != 0 {
        rows.push(row(&words.discount, less(invoice.discount_minor)?)?);
    }
    for tax in &facts.taxes {
        let mut name = format!("{} {} ({})", tax.name, percent(tax.rate)?, pen.money(tax.taxable_minor)?);
        if tax.behavior == TaxBehavior::Inclusive {
            name = format!("{name}, {}", words.included);
        }
        rows.push(row(&name, tax.amount_minor)?);
    }
    rows.push(row(&words.total, invoice.total_minor)?);
    for (name, minor) in [
        (&words.credit_applied, invoice.credit_applied_minor),
        (&words.amount_paid, invoice.amount_paid_minor),
        (&words.amount_credited, invoice.amount_credited_minor),
    ] {
        if minor != 0 {
            rows.push(row(name, less(minor)?)?);
        }
    }
    rows.push(Total { is_due: true, ..row(&words.amount_due, invoice.amount_due_minor)? });
    Ok(rows)
}

/// Whether a payment took money.
const fn took(payment: &Payment) -> bool {
    use PaymentStatus::{Disputed, PartiallyRefunded, Refunded, Succeeded};
    matches!(payment.status, Succeeded | PartiallyRefunded | Refunded | Disputed)
}

/// A payment: the day on which its money came.
fn paid<'a>(pen: &Pen<'_>, payment: &'a Payment) -> Result<Paid<'a>, Error> {
    let day = payment.received_on.map(|day| pen.words.day(day.get())).or_else(|| payment.settled_at.map(|at| pen.day(at)));
    let refunded = if payment.refunded_minor == 0 { String::new() } else { pen.bare(payment.refunded_minor)? };
    let receipt = payment.receipt.as_deref().unwrap_or_default();
    Ok(Paid { day, method: &payment.method_label, receipt, amount: pen.bare(payment.amount_minor)?, refunded })
}

/// A credit note on the invoice.
fn credited<'a>(pen: &Pen<'_>, note: &'a CreditNote) -> Result<Credited<'a>, Error> {
    Ok(Credited { day: pen.day(note.issued_at), number: &note.number, amount: pen.bare(note.amount_minor)? })
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
