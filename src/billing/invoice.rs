//! From lines to what is due: lines, discount, tax, account credit, amount due, in this order.

use jiff::Timestamp;

use super::RuleError;
use super::exact::{Fraction, difference, sum};
use super::tax::{Tax, TaxBehavior};

text_enum! {
    /// What a line is for.
    LineKind {
        /// A period of the plan, whole or partial.
        Recurring = "RECURRING",
        /// Unused time taken back; negative.
        ProrationCredit = "PRORATION_CREDIT",
        /// The rest of a period at a new price.
        ProrationCharge = "PRORATION_CHARGE",
        /// Metered use.
        Usage = "USAGE",
        /// Anything else.
        OneOff = "ONE_OFF",
    }
}

/// A line before tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What it is for.
    pub kind: LineKind,
    /// First instant it is for.
    pub start: Timestamp,
    /// First instant it is not for.
    pub end: Timestamp,
    /// The part of a whole period that it is for.
    pub fraction: Fraction,
    /// Price of a whole period; net of the discount on proration lines. Minor units.
    pub unit_price_minor: i64,
    /// As priced, with tax where the price includes it; negative for a credit. Minor units.
    pub amount_minor: i64,
    /// Taken off `amount_minor`; zero but on RECURRING lines. Minor units.
    pub discount_minor: i64,
    /// What it is taxed at.
    pub tax: Tax,
}

impl Line {
    /// What is taxed: the amount less its discount. Minor units.
    ///
    /// # Errors
    /// [`RuleError::TooLarge`].
    pub fn discounted_minor(&self) -> Result<i64, RuleError> {
        difference(self.amount_minor, self.discount_minor)
    }
}

/// A line with its share of the tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxedLine {
    /// The line.
    pub line: Line,
    /// Its share of the tax, contained or on top. Minor units.
    pub tax_minor: i64,
}

/// The tax of all lines of one rate and behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxSum {
    /// Rate and behaviour.
    pub tax: Tax,
    /// What is taxed, without the tax. Minor units.
    pub taxable_minor: i64,
    /// The tax. Minor units.
    pub amount_minor: i64,
}

/// What lines come to. All in minor units; a total below zero is no invoice but a credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The lines in their order, with their tax.
    pub lines: Vec<TaxedLine>,
    /// One for each rate above zero and behaviour, in order of first use.
    pub taxes: Vec<TaxSum>,
    /// Sum of the lines as priced.
    pub subtotal_minor: i64,
    /// Sum of the lines' discounts.
    pub discount_minor: i64,
    /// All tax, that contained in prices too.
    pub tax_minor: i64,
    /// `subtotal − discount + exclusive tax`.
    pub total_minor: i64,
    /// Account credit that is used.
    pub credit_applied_minor: i64,
    /// `total − credit applied`: due on issue.
    pub amount_due_minor: i64,
}

impl Totals {
    /// `total − tax`. Minor units.
    ///
    /// # Errors
    /// [`RuleError::TooLarge`].
    pub fn total_excluding_tax_minor(&self) -> Result<i64, RuleError> {
        difference(self.total_minor, self.tax_minor)
    }
}

/// Adds lines up and applies as much of `available_credit_minor` (not negative) as the total takes.
///
/// # Errors
/// [`RuleError::TooLarge`]; [`RuleError::Inconsistent`] for a credit below zero.
pub fn totals(lines: Vec<Line>, available_credit_minor: i64) -> Result<Totals, RuleError> {
    if available_credit_minor < 0 {
        return Err(RuleError::Inconsistent);
    }
    let subtotal_minor = sum(lines.iter().map(|line| line.amount_minor))?;
    let discount_minor = sum(lines.iter().map(|line| line.discount_minor))?;
    let mut with_tax: Vec<TaxedLine> = lines.into_iter().map(|line| TaxedLine { line, tax_minor: 0 }).collect();
    let taxes = tax_lines(&mut with_tax)?;
    let tax_minor = sum(taxes.iter().map(|tax| tax.amount_minor))?;
    let on_top = sum(taxes.iter().filter(|tax| tax.tax.behavior == TaxBehavior::Exclusive).map(|tax| tax.amount_minor))?;
    let total_minor = sum([difference(subtotal_minor, discount_minor)?, on_top])?;
    let credit_applied_minor = available_credit_minor.min(total_minor.max(0));
    let amount_due_minor = difference(total_minor, credit_applied_minor)?;
    Ok(Totals { lines: with_tax, taxes, subtotal_minor, discount_minor, tax_minor, total_minor, credit_applied_minor, amount_due_minor })
}

/// Taxes the lines of each rate and behaviour together and writes their shares on them.
fn tax_lines(lines: &mut [TaxedLine]) -> Result<Vec<TaxSum>, RuleError> {
    let mut kinds: Vec<Tax> = Vec::new();
    for taxed in lines.iter() {
        if !taxed.line.tax.rate.decimal().is_zero() && !kinds.contains(&taxed.line.tax) {
            kinds.push(taxed.line.tax);
        }
    }
    let mut sums = Vec::with_capacity(kinds.len());
    for tax in kinds {
        let mut group: Vec<&mut TaxedLine> = lines.iter_mut().filter(|taxed| taxed.line.tax == tax).collect();
        let priced = group.iter().map(|taxed| taxed.line.discounted_minor()).collect::<Result<Vec<_>, _>>()?;
        let shares = tax.shared(&priced)?;
        for (taxed, share) in group.iter_mut().zip(&shares) {
            taxed.tax_minor = *share;
        }
        let amount_minor = sum(shares)?;
        let priced_minor = sum(priced)?;
        let taxable_minor = match tax.behavior {
            TaxBehavior::Exclusive => priced_minor,
            TaxBehavior::Inclusive => difference(priced_minor, amount_minor)?,
        };
        sums.push(TaxSum { tax, taxable_minor, amount_minor });
    }
    Ok(sums)
}
