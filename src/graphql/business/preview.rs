//! What would be billed: computed by the very code that bills.

use async_graphql::{Result, SimpleObject};

use super::invoices::InvoiceLineKind;
use super::subscriptions::Period;
use crate::graphql::scalars::{DateTime, Decimal, Money};
use crate::services::billing::preview;

/// What would be billed; computed by the very code that bills.
#[derive(SimpleObject)]
pub struct InvoicePreview {
    /// What it would bill, in order.
    lines: Vec<InvoiceLinePreview>,
    /// Sum of the lines as priced.
    subtotal: Money,
    /// What the discount takes off.
    discount: Money,
    /// All tax, that included in prices too.
    tax: Money,
    /// What would be to pay in all.
    total: Money,
    /// Account credit that would be used.
    credit_applied: Money,
    /// What would be left to pay.
    amount_due: Money,
    /// What becomes account credit instead, tax included, where the change is worth less than the unused time; `total` is zero then.
    credit_granted: Money,
    /// When it would be billed.
    billed_at: DateTime,
}

/// One line of what would be billed.
#[derive(SimpleObject)]
pub struct InvoiceLinePreview {
    /// What it is for.
    kind: InvoiceLineKind,
    /// In words.
    description: String,
    /// The time it covers.
    period: Option<Period>,
    /// How many.
    quantity: Decimal,
    /// Of one.
    unit_price: Decimal,
    /// Negative for a credit.
    amount: Money,
    /// This line's share of the discount.
    discount: Money,
    /// This line's share of the tax.
    tax: Money,
}
