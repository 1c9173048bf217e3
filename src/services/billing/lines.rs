//! Lines on their way to an invoice, and what an invoice would look like.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::account::Account;
use super::rule;
use crate::billing::exact::Fraction;
use crate::billing::invoice::{Line, LineKind, TaxedLine, Totals};
use crate::billing::tax::Tax;
use crate::error::Error;
use crate::ids::{PeriodId, SubscriptionId};
use crate::money::{Money, Rate};
use crate::services::Ports;
use crate::store::Instant;
use crate::store::subscriptions::PendingLine;

/// Digits after the point of a quantity: enough to tell 21 of 31 days from 20, few enough to read.
const QUANTITY_DIGITS: u32 = 6;

/// A line with what is printed beside its figures.
#[derive(Debug, Clone)]
pub struct DraftLine {
    /// The figures.
    pub line: Line,
    /// What it is for, in words.
    pub description: String,
    /// How much of a whole period; of what is metered, how many units.
    pub quantity: Rate,
    /// The price of one, in major units, where it may be finer than a minor unit.
    pub unit_price: Option<Rate>,
    /// The period that it charges, or takes back.
    pub period: Option<PeriodId>,
}

impl DraftLine {
    /// A line of a period.
    pub fn new(line: Line, description: String, period: Option<PeriodId>) -> Self {
        let whole = Decimal::from(line.fraction.numerator()).checked_div(Decimal::from(line.fraction.denominator()));
        let quantity = Rate::from(whole.unwrap_or(Decimal::ONE).round_dp(QUANTITY_DIGITS));
        Self { line, description, quantity, unit_price: None, period }
    }

    /// A line that has waited. Where it names no rate, it is taxed at the issue's.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for a unit price that is none.
    pub fn waited(row: &PendingLine, account: &Account) -> Result<Self, Error> {
        let tax = row.tax_rate.map_or_else(|| account.tax(row.tax_behavior), |rate| Tax { rate, behavior: row.tax_behavior });
        let at = row.created_at.get();
        let line = Line {
            kind: row.kind,
            start: row.period_start.map_or(at, Instant::get),
            end: row.period_end.map_or(at, Instant::get),
            fraction: Fraction::WHOLE,
            unit_price_minor: minor_of(row.unit_price, account)?,
            amount_minor: row.amount_minor,
            discount_minor: row.discount_minor,
            tax,
        };
        let unit_price = (row.kind == LineKind::Usage).then_some(row.unit_price);
        Ok(Self { line, description: row.description.clone(), quantity: row.quantity, unit_price, period: row.period_id })
    }

    /// The price of one, in major units.
    pub(super) fn unit_price(&self, account: &Account) -> Rate {
        self.unit_price.unwrap_or_else(|| major(self.line.unit_price_minor, account))
    }

    /// The row of a line that is to wait.
    pub fn to_wait(&self, ports: &Ports, account: &Account, subscription: SubscriptionId) -> PendingLine {
        PendingLine {
            business_id: account.business.business_id,
            id: ports.ids.next(),
            subscription_id: subscription,
            period_id: self.period,
            kind: self.line.kind,
            description: self.description.clone(),
            period_start: Some(self.line.start.into()),
            period_end: Some(self.line.end.into()),
            quantity: self.quantity,
            unit_price: self.unit_price(account),
            amount_minor: self.line.amount_minor,
            discount_minor: self.line.discount_minor,
            tax_behavior: self.line.tax.behavior,
            tax_rate: Some(self.line.tax.rate),
            tax_name: Some(account.tax_name().to_owned()),
            invoice_id: None,
            created_at: account.instant(),
        }
    }
}

/// An amount in major units: a unit price as it is shown.
pub(super) fn major(minor: i64, account: &Account) -> Rate {
    Rate::from(Decimal::new(minor, account.business.currency.digits()))
}

/// A unit price in minor units; what is finer than one is cut off, since the line's amount is kept beside it.
pub(super) fn minor_of(unit_price: Rate, account: &Account) -> Result<i64, Error> {
    let scale = Decimal::from(10_u64.pow(account.business.currency.digits()));
    let minor = unit_price.decimal().checked_mul(scale).map(|minor| minor.trunc());
    minor.and_then(|minor| i64::try_from(minor).ok()).ok_or_else(|| Error::Corrupt("a unit price is too large".into()))
}

/// What would be billed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicePreview {
    /// The lines.
    pub lines: Vec<PreviewLine>,
    /// Sum of the lines as priced.
    pub subtotal: Money,
    /// Sum of their discounts.
    pub discount: Money,
    /// All tax.
    pub tax: Money,
    /// With tax; zero where something is credited instead.
    pub total: Money,
    /// Account credit that would be used.
    pub credit_applied: Money,
    /// What would be due.
    pub amount_due: Money,
    /// What would become account credit, with tax.
    pub credit_granted: Money,
    /// When.
    pub billed_at: Timestamp,
}

/// A line of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewLine {
    /// What it is for.
    pub kind: LineKind,
    /// In words.
    pub description: String,
    /// From when to when.
    pub period: (Timestamp, Timestamp),
    /// How much of a whole period.
    pub quantity: Rate,
    /// Of a whole period, in major units.
    pub unit_price: Rate,
    /// As priced.
    pub amount: Money,
    /// Taken off it.
    pub discount: Money,
    /// Its share of the tax.
    pub tax: Money,
}

impl InvoicePreview {
    /// The preview of lines that come to `totals`. Below zero nothing would be invoiced: `granted_minor` becomes
    /// account credit.
    ///
    /// # Errors
    /// [`Error::Corrupt`] past every limit.
    pub fn new(account: &Account, drafts: &[DraftLine], totals: &Totals, granted_minor: i64, billed_at: Timestamp) -> Result<Self, Error> {
        let is_credit = totals.total_minor < 0;
        let lines = drafts.iter().zip(&totals.lines).map(|(draft, taxed)| preview_line(account, draft, taxed));
        Ok(Self {
            lines: lines.collect::<Result<_, _>>()?,
            subtotal: account.money(totals.subtotal_minor)?,
            discount: account.money(totals.discount_minor)?,
            tax: account.money(totals.tax_minor)?,
            total: account.money(if is_credit { 0 } else { totals.total_minor })?,
            credit_applied: account.money(totals.credit_applied_minor)?,
            amount_due: account.money(if is_credit { 0 } else { totals.amount_due_minor })?,
            credit_granted: account.money(granted_minor)?,
            billed_at,
        })
    }

    /// The preview of an invoice of these lines, with the account credit at hand; `None` without a line.
    ///
    /// # Errors
    /// As [`InvoicePreview::new`].
    pub fn of(account: &Account, drafts: &[DraftLine], billed_at: Timestamp) -> Result<Option<Self>, Error> {
        if drafts.is_empty() {
            return Ok(None);
        }
        let lines = drafts.iter().map(|draft| draft.line).collect();
        let totals = crate::billing::invoice::totals(lines, account.business.balance_minor).map_err(rule)?;
        Self::new(account, drafts, &totals, 0, billed_at).map(Some)
    }
}

/// A line of a preview.
fn preview_line(account: &Account, draft: &DraftLine, taxed: &TaxedLine) -> Result<PreviewLine, Error> {
    Ok(PreviewLine {
        kind: draft.line.kind,
        description: draft.description.clone(),
        period: (draft.line.start, draft.line.end),
        quantity: draft.quantity,
        unit_price: draft.unit_price(account),
        amount: account.money(draft.line.amount_minor)?,
        discount: account.money(draft.line.discount_minor)?,
        tax: account.money(taxed.tax_minor)?,
    })
}
