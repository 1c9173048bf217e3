//! Invoices.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Lookahead, Object, Result, SimpleObject};

use super::catalog::TaxBehavior;
use super::credit_notes::CreditNote;
use super::payments::Payment;
use super::profile::Business;
use super::subscriptions::{Period, Subscription};
use crate::billing::{invoice as rules, lifecycle};
use crate::graphql::context::{Allow, RequestContext, nullable, request};
use crate::graphql::in_turn::{AtHand, InTurn};
use crate::graphql::page::{Count, PageArguments, connection, count_of};
use crate::graphql::scalars::{CountryCode, DateTime, Decimal, Money, Url, show_id, stored_money};
use crate::ids::{BusinessId, InvoiceId, SubscriptionId};
use crate::services::access::Need;
use crate::services::billing::party::Party;
use crate::services::printing;
use crate::store::Reader;
use crate::store::page::{Page, Position};
use crate::store::reads::Of;
use crate::store::reads::invoices::{self as rows, InvoiceFilter as Filter};
use crate::store::reads::subscriptions;

/// Where an invoice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "lifecycle::InvoiceStatus")]
pub enum InvoiceStatus {
    /// Not issued yet: lines may still be added.
    Draft,
    /// Issued, and something is due.
    Open,
    /// Nothing is due any more.
    Paid,
    /// Called off; it keeps its number.
    Void,
    /// Given up on; it can still be paid.
    Uncollectible,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "rules::LineKind")]
pub enum InvoiceLineKind {
    /// The price of a period.
    Recurring,
    /// Unused time that is credited.
    ProrationCredit,
    /// The rest of a period at a new price.
    ProrationCharge,
    /// Usage past what is included.
    Usage,
    /// Anything else.
    OneOff,
}

/// An invoice. Once issued it never changes; corrections are credit notes.
#[derive(Clone)]
pub struct InvoiceFields {
    row: Arc<rows::Invoice>,
}

/// An invoice.
pub type Invoice = InTurn<InvoiceFields>;

impl Invoice {
    /// The invoice of a row.
    pub fn new(row: rows::Invoice) -> Self {
        Self(InvoiceFields { row: Arc::new(row) })
    }
}

impl AtHand for InvoiceFields {
    const WAIT: &'static [&'static str] = &["business", "subscription", "billedTo", "lines", "taxes", "payments", "creditNotes"];
}

impl InvoiceFields {
    /// An amount of it.
    fn money(&self, minor: i64) -> Result<Money> {
        Ok(stored_money(minor, self.row.currency)?)
    }
}

/// An invoice. Once issued it never changes; corrections are credit notes.
#[Object(name = "Invoice")]
impl InvoiceFields {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Consecutive without gaps, given when the invoice is issued; null for a draft.
    async fn number(&self) -> Option<&str> {
        self.row.number.as_deref()
    }
    /// Where it stands.
    async fn status(&self) -> InvoiceStatus {
        self.row.status.into()
    }
    /// Whom it bills.
    #[graphql(guard = "Allow(Need::Read)")]
    async fn business(&self, context: &Context<'_>) -> Result<Business> {
        Ok(Business::of(request(context), self.row.business_id).await?)
    }
    /// The subscription it bills.
    async fn subscription(&self, context: &Context<'_>) -> Option<Result<Subscription>> {
        nullable(async {
            let Some(id) = self.row.subscription_id else { return Ok(None) };
            Ok(request(context).view().loaders.subscriptions.load((self.row.business_id, id)).await?.map(Subscription::new))
        })
        .await
    }
    /// The currency of every amount on it.
    async fn currency(&self) -> crate::graphql::scalars::CurrencyCode {
        self.row.currency.into()
    }
    /// Who issued it, as it was then.
    async fn seller(&self) -> Result<InvoiceParty> {
        Ok(InvoiceParty::from(Party::of_seller(&self.row)?))
    }
    /// Whom it was issued to, as it was then.
    async fn billed_to(&self, context: &Context<'_>) -> Result<InvoiceParty> {
        let request = request(context);
        let business = Business::of(request, self.row.business_id).await?;
        Ok(InvoiceParty::from(Party::of_billed(business.row(), &request.ports, &self.row)?))
    }
    /// Sum of the lines as priced: with tax where the price includes it.
    async fn subtotal(&self) -> Result<Money> {
        self.money(self.row.subtotal_minor)
    }
    /// What the discount takes off.
    async fn discount(&self) -> Result<Money> {
        self.money(self.row.discount_minor)
    }
    /// All tax, that included in prices too.
    async fn tax(&self) -> Result<Money> {
        self.money(self.row.tax_minor)
    }
    /// The total without any tax.
    async fn total_excluding_tax(&self) -> Result<Money> {
        self.money(self.row.total_minor.saturating_sub(self.row.tax_minor))
    }
    /// What is to be paid in all.
    async fn total(&self) -> Result<Money> {
        self.money(self.row.total_minor)
    }
    /// Account credit that was used.
    async fn credit_applied(&self) -> Result<Money> {
        self.money(self.row.credit_applied_minor)
    }
    /// What payments brought.
    async fn amount_paid(&self) -> Result<Money> {
        self.money(self.row.amount_paid_minor)
    }
    /// What credit notes took off the amount due.
    async fn amount_credited(&self) -> Result<Money> {
        self.money(self.row.amount_credited_minor)
    }
    /// total - creditApplied - amountPaid - amountCredited
    async fn amount_due(&self) -> Result<Money> {
        self.money(self.row.amount_due_minor)
    }
    /// Name it with a bank transfer.
    async fn payment_reference(&self) -> String {
        self.row.number.clone().unwrap_or_else(|| self.row.id.to_string())
    }
    /// A printable document: whoever holds this link can open it for 15 minutes. Null for a draft.
    async fn document_url(&self, context: &Context<'_>) -> Option<Url> {
        printing::link(&request(context).ports, &self.row).map(Url)
    }
    /// How many payments were attempted.
    async fn attempts(&self) -> i32 {
        self.row.attempts
    }
    /// When the next automatic attempt or reminder is due.
    async fn next_attempt_at(&self) -> Option<DateTime> {
        self.row.next_attempt_at.map(DateTime)
    }
    /// When it was issued.
    async fn issued_at(&self) -> Option<DateTime> {
        self.row.issued_at.map(DateTime)
    }
    /// When it is to be paid by.
    async fn due_at(&self) -> Option<DateTime> {
        self.row.due_at.map(DateTime)
    }
    /// When nothing was due any more.
    async fn paid_at(&self) -> Option<DateTime> {
        self.row.paid_at.map(DateTime)
    }
    /// When it was called off.
    async fn voided_at(&self) -> Option<DateTime> {
        self.row.voided_at.map(DateTime)
    }
    /// What it bills, in order.
    async fn lines(&self, context: &Context<'_>) -> Result<Vec<InTurn<InvoiceLine>>> {
        let Some(lines) = request(context).view().loaders.invoice_lines.load((self.row.business_id, self.row.id)).await? else {
            return Ok(Vec::new());
        };
        let line = |index| InTurn(InvoiceLine { lines: Arc::clone(&lines), index, currency: self.row.currency });
        Ok((0..lines.len()).map(line).collect())
    }
    /// Its taxes, one a rate and behaviour.
    async fn taxes(&self, context: &Context<'_>) -> Result<Vec<InvoiceTax>> {
        let taxes = request(context).view().loaders.invoice_taxes.load((self.row.business_id, self.row.id)).await?.unwrap_or_default();
        taxes.into_iter().map(|tax| InvoiceTax::of(tax, self.row.currency)).collect()
    }
    /// Every attempt to pay it, the first first.
    async fn payments(&self, context: &Context<'_>) -> Result<Vec<Payment>> {
        let payments =
            request(context).view().loaders.invoice_payments.load((self.row.business_id, self.row.id)).await?.unwrap_or_default();
        Ok(payments.into_iter().map(Payment::new).collect())
    }
    /// Its credit notes, oldest first.
    async fn credit_notes(&self, context: &Context<'_>) -> Result<Vec<CreditNote>> {
        let notes =
            request(context).view().loaders.invoice_credit_notes.load((self.row.business_id, self.row.id)).await?.unwrap_or_default();
        Ok(notes.into_iter().map(CreditNote::new).collect())
    }
}

/// The seller or the buyer, as they were when the invoice was issued.
#[derive(SimpleObject)]
pub struct InvoiceParty {
    /// The name.
    name: String,
    /// The tax id.
    tax_id: Option<String>,
    /// Street and house.
    address_line: Option<String>,
    /// The city.
    city: Option<String>,
    /// The postal code.
    postal_code: Option<String>,
    /// The country.
    country: CountryCode,
}

impl From<Party> for InvoiceParty {
    fn from(party: Party) -> Self {
        let Party { name, tax_id, address_line, city, postal_code, country } = party;
        Self { name, tax_id, address_line, city, postal_code, country: CountryCode(country) }
    }
}

/// One line of an invoice.
pub struct InvoiceLine {
    /// All of the invoice's.
    lines: Arc<[rows::InvoiceLine]>,
    /// Which of them.
    index: usize,
    currency: crate::money::Currency,
}

impl InvoiceLine {
    /// Its row.
    fn row(&self) -> &rows::InvoiceLine {
        &self.lines[self.index]
    }
}

impl AtHand for InvoiceLine {}

/// One line of an invoice.
#[Object]
impl InvoiceLine {
    /// Its id.
    async fn id(&self) -> ID {
        show_id(self.row().id)
    }
    /// What it is for.
    async fn kind(&self) -> InvoiceLineKind {
        self.row().kind.into()
    }
    /// In words.
    async fn description(&self) -> &str {
        &self.row().description
    }
    /// The time it covers.
    async fn period(&self) -> Option<Period> {
        Period::of(self.row().period_start, self.row().period_end)
    }
    /// How many.
    async fn quantity(&self) -> Decimal {
        self.row().quantity.into()
    }
    /// Of one.
    async fn unit_price(&self) -> Decimal {
        self.row().unit_price.into()
    }
    /// Negative for a credit.
    async fn amount(&self) -> Result<Money> {
        Ok(stored_money(self.row().amount_minor, self.currency)?)
    }
    /// This line's share of the discount; zero on proration lines, which are net of it.
    async fn discount(&self) -> Result<Money> {
        Ok(stored_money(self.row().discount_minor, self.currency)?)
    }
    /// This line's share of the tax.
    async fn tax(&self) -> Result<Money> {
        Ok(stored_money(self.row().tax_minor, self.currency)?)
    }
    /// The rate: `0.16`.
    async fn tax_rate(&self) -> Decimal {
        self.row().tax_rate.into()
    }
    /// Whether the amount includes the tax.
    async fn tax_behavior(&self) -> TaxBehavior {
        self.row().tax_behavior.into()
    }
}

/// A tax of an invoice.
#[derive(SimpleObject)]
pub struct InvoiceTax {
    /// Its name: `VAT`.
    name: String,
    /// The rate: `0.16`.
    rate: Decimal,
    /// Whether the prices include it.
    behavior: TaxBehavior,
    /// What it is on.
    taxable: Money,
    /// What it comes to.
    amount: Money,
}

impl InvoiceTax {
    /// The tax of a row.
    fn of(row: rows::InvoiceTax, currency: crate::money::Currency) -> Result<Self> {
        let (taxable, amount) = (stored_money(row.taxable_minor, currency)?, stored_money(row.amount_minor, currency)?);
        Ok(Self { name: row.name, rate: row.rate.into(), behavior: row.behavior.into(), taxable, amount })
    }
}

connection!(InvoiceConnection, InvoiceEdge, Invoice, "invoices");

/// Which invoices; every member narrows.
#[derive(Debug, InputObject)]
pub struct InvoiceFilter {
    /// Of these statuses.
    status: Option<Vec<InvoiceStatus>>,
    /// Of this product's subscriptions: a `Product.code`.
    product: Option<String>,
    /// Issued then or later.
    issued_from: Option<DateTime>,
    /// Issued before then.
    issued_before: Option<DateTime>,
}

/// A page of those invoices of `reader` that `filter` leaves; `list` names the list that its cursors belong to.
pub(in crate::graphql) async fn page(
    request: &RequestContext,
    reader: Reader,
    list: &str,
    filter: Filter,
    arguments: PageArguments,
    asked: Lookahead<'_>,
) -> Result<InvoiceConnection> {
    let window = arguments.window(request, list)?;
    let page = rows::page(&reader, &filter, window).await?;
    if asked.field("nodes").field("lines").exists() || asked.field("edges").field("node").field("lines").exists() {
        // Every row will ask: read at once, none has to wait for the others to have asked too.
        let keys: Vec<Of<InvoiceId>> = page.rows.iter().map(|invoice| (invoice.business_id, invoice.id)).collect();
        let mut lines = rows::lines_of(&reader, &keys).await?;
        let of = |key: Of<InvoiceId>| (key, lines.remove(&key).map(Arc::from));
        request.view().loaders.invoice_lines.prime_many(keys.into_iter().map(of)).await;
    }
    Ok(connection_of(request, list, reader, filter, page))
}

/// A page of one subscription's invoices, read together with those of other subscriptions.
pub(super) async fn page_of_subscription(
    request: &RequestContext,
    (business, id): Of<SubscriptionId>,
    arguments: PageArguments,
) -> Result<InvoiceConnection> {
    let list = format!("{id}/invoices");
    let window = arguments.window(request, &list)?;
    let page = request.view().loaders.subscription_invoices.page((business, id), window).await?;
    let filter = Filter { subscriptions: Some(vec![id]), ..Filter::default() };
    Ok(connection_of(request, &list, request.reader_of(business).await?, filter, page))
}

/// The connection of a page of invoices that `filter` left.
fn connection_of(request: &RequestContext, list: &str, reader: Reader, filter: Filter, page: Page<rows::Invoice>) -> InvoiceConnection {
    let filter = Arc::new(filter);
    let count: Count = Arc::new(move || {
        let (reader, filter) = (reader.clone(), Arc::clone(&filter));
        Box::pin(async move { rows::count(&reader, &filter).await })
    });
    shown(request, list, page, count)
}

/// The connection of a page.
fn shown(request: &RequestContext, list: &str, page: Page<rows::Invoice>, count: Count) -> InvoiceConnection {
    let placed = page.map(|row| (Position { at: row.created_at, id: row.id.uuid() }, Invoice::new(row)));
    InvoiceConnection::of(request, list, placed, count)
}

/// A page of one business's invoices, read together with those of other businesses.
pub(in crate::graphql) async fn page_of_business(
    request: &RequestContext,
    business: BusinessId,
    arguments: PageArguments,
) -> Result<InvoiceConnection> {
    let list = format!("{business}/invoices");
    let window = arguments.window(request, &list)?;
    let page = request.view().loaders.business_invoices.page(business, window).await?;
    Ok(shown(request, &list, page, count_of(request, business, |loaders| &loaders.business_invoice_counts)))
}

/// Queries about invoices.
#[derive(Default)]
pub struct InvoiceQuery;

#[Object]
impl InvoiceQuery {
    /// The business's invoices, newest first.
    async fn invoices(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only such.")] filter: Option<InvoiceFilter>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<InvoiceConnection>> {
        nullable(async {
            request(context).require(Need::ReadMoney).await?;
            let request = request(context);
            let mut chosen = Filter::default();
            if let Some(filter) = filter {
                chosen.statuses = filter.status.map(|statuses| statuses.into_iter().map(Into::into).collect());
                chosen.issued_from = filter.issued_from.map(|at| at.0);
                chosen.issued_before = filter.issued_before.map(|at| at.0);
                if let Some(code) = filter.product {
                    let tenant = request.tenant().await?;
                    let product = super::subscriptions::product_of_code(request, &code).await?;
                    chosen.subscriptions = Some(match product {
                        Some(product) => subscriptions::ids_of_product(&tenant, product).await?,
                        None => Vec::new(),
                    });
                }
            }
            let reader = request.reader().await?;
            page(request, reader, "invoices", chosen, PageArguments { first, after, last, before }, context.look_ahead()).await.map(Some)
        })
        .await
    }

    /// One invoice.
    async fn invoice(&self, context: &Context<'_>, #[graphql(desc = "The invoice's id.")] id: ID) -> Option<Result<Invoice>> {
        nullable(async {
            request(context).require(Need::ReadMoney).await?;
            let Some(id) = InvoiceId::parse(&id) else { return Ok(None) };
            Ok(rows::by_id(&request(context).reader().await?, id).await?.map(Invoice::new))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::OutputType as _;
    use async_graphql::registry::Registry;

    use super::*;

    #[test]
    fn the_fields_of_an_invoice_that_wait_are_fields_of_it() {
        let mut registry = Registry::default();
        InvoiceFields::create_type_info(&mut registry);
        for name in InvoiceFields::WAIT {
            assert!(registry.types["Invoice"].field_by_name(name).is_some(), "{name}");
        }
    }
}
