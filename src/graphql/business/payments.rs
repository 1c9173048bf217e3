//! Payments and ways to pay.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::invoices::Invoice;
use super::profile::Business;
use super::refunds::Refund;
use crate::billing::lifecycle;
use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::page::{Count, PageArguments, connection, count_of};
use crate::graphql::scalars::{CurrencyCode, Date, DateTime, Money, Url, show_id, stored_money};
use crate::ids::{BusinessId, InvoiceId, PaymentId};
use crate::services::access::Need;
use crate::services::payments::{self, client_secret, has_client_secret};
use crate::store::Reader;
use crate::store::catalog::sold_currencies;
use crate::store::customers::business;
use crate::store::page::{Page, Position};
use crate::store::reads::payments::{self as rows, PaymentFilter as Filter};
use crate::store::types;

/// Where a payment stands. One payment is one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PaymentStatus {
    /// Created, or being sent.
    Pending,
    /// The customer must act: confirm the M-Pesa prompt, pass 3-D Secure.
    RequiresAction,
    /// The gateway's answer was lost; it is being found out. Never charged again meanwhile.
    Unknown,
    /// The money is here.
    Succeeded,
    /// No money was taken.
    Failed,
    /// Given up before anything was charged: the prompt lapsed, or another method took its place.
    Canceled,
    /// A part was paid back.
    PartiallyRefunded,
    /// All was paid back.
    Refunded,
    /// The payer's bank has taken it back or may.
    Disputed,
}

impl From<lifecycle::PaymentStatus> for PaymentStatus {
    fn from(status: lifecycle::PaymentStatus) -> Self {
        match status {
            lifecycle::PaymentStatus::Created | lifecycle::PaymentStatus::Sending => Self::Pending,
            lifecycle::PaymentStatus::RequiresAction => Self::RequiresAction,
            lifecycle::PaymentStatus::Unknown => Self::Unknown,
            lifecycle::PaymentStatus::Succeeded => Self::Succeeded,
            lifecycle::PaymentStatus::Failed => Self::Failed,
            lifecycle::PaymentStatus::Canceled => Self::Canceled,
            lifecycle::PaymentStatus::PartiallyRefunded => Self::PartiallyRefunded,
            lifecycle::PaymentStatus::Refunded => Self::Refunded,
            lifecycle::PaymentStatus::Disputed => Self::Disputed,
        }
    }
}

impl PaymentStatus {
    /// The stored statuses that are shown as this one.
    pub(in crate::graphql) fn stored(self) -> Vec<lifecycle::PaymentStatus> {
        lifecycle::PaymentStatus::ALL.iter().copied().filter(|status| Self::from(*status) == self).collect()
    }
}

/// A way to pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::PaymentMethodKind")]
pub enum PaymentMethodKind {
    /// A card.
    Card,
    /// M-Pesa.
    Mpesa,
    /// Bank transfer.
    BankTransfer,
    /// The sandbox's.
    Sandbox,
}

/// How the customer acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum PaymentActionKind {
    /// Open `url`.
    Redirect,
    /// Hand `clientSecret` to the gateway's own script.
    ClientSecret,
    /// Confirm on the phone.
    Phone,
}

/// What the customer must do. REDIRECT: open `url`. CLIENT_SECRET: hand it to the gateway's own script. PHONE: confirm on the phone.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct PaymentAction {
    /// Which of them.
    kind: PaymentActionKind,
    /// For REDIRECT.
    url: Option<Url>,
    /// When it lapses.
    expires_at: DateTime,
    /// Whose it is.
    #[graphql(skip)]
    row: Arc<rows::Payment>,
}

/// What the customer must do.
#[ComplexObject]
impl PaymentAction {
    /// For CLIENT_SECRET.
    async fn client_secret(&self, context: &Context<'_>) -> Option<Result<String>> {
        nullable(async {
            if !has_client_secret(&self.row) {
                return Ok(None);
            }
            let request = request(context);
            let business = Business::of(request, self.row.business_id).await?;
            Ok(client_secret(&request.ports, business.row(), &self.row)?)
        })
        .await
    }
}

/// An attempt to pay an invoice.
#[derive(Clone)]
pub struct Payment {
    row: Arc<rows::Payment>,
}

impl Payment {
    /// The payment of a row.
    pub fn new(row: rows::Payment) -> Self {
        Self { row: Arc::new(row) }
    }
}

/// An attempt to pay an invoice.
#[Object]
impl Payment {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What it pays.
    async fn invoice(&self, context: &Context<'_>) -> Result<Invoice> {
        let invoice = request(context).view().loaders.invoices.load((self.row.business_id, self.row.invoice_id)).await?;
        Ok(Invoice::new(invoice.ok_or_else(|| Error::Corrupt("a payment's invoice is gone".into()))?))
    }
    /// How much.
    async fn amount(&self) -> Result<Money> {
        Ok(stored_money(self.row.amount_minor, self.row.currency)?)
    }
    /// How much of it was paid back.
    async fn amount_refunded(&self) -> Result<Money> {
        Ok(stored_money(self.row.refunded_minor, self.row.currency)?)
    }
    /// Where it stands.
    async fn status(&self) -> PaymentStatus {
        self.row.status.into()
    }
    /// Null once removed; `methodKind` and `methodLabel` stay.
    async fn method(&self, context: &Context<'_>) -> Option<Result<PaymentMethod>> {
        nullable(async {
            let Some(id) = self.row.method_id else { return Ok(None) };
            Ok(request(context).view().loaders.payment_methods.load((self.row.business_id, id)).await?.map(PaymentMethod::new))
        })
        .await
    }
    /// What kind of method it was.
    async fn method_kind(&self) -> PaymentMethodKind {
        self.row.method_kind.into()
    }
    /// The method, for people.
    async fn method_label(&self) -> &str {
        &self.row.method_label
    }
    /// Why it failed: the gateway's code.
    async fn failure_code(&self) -> Option<&str> {
        self.row.failure_code.as_deref()
    }
    /// Why it failed, in words.
    async fn failure_message(&self) -> Option<&str> {
        self.row.failure_message.as_deref()
    }
    /// What the customer can do while REQUIRES_ACTION.
    async fn action(&self) -> Option<Result<PaymentAction>> {
        nullable(async {
            let row = &self.row;
            let waiting = row.status == lifecycle::PaymentStatus::RequiresAction;
            let (Some(kind), Some(expires_at), true) = (row.action_kind.as_deref(), row.action_expires_at, waiting) else {
                return Ok(None);
            };
            let kind = match kind {
                "REDIRECT" => PaymentActionKind::Redirect,
                "CLIENT_SECRET" => PaymentActionKind::ClientSecret,
                "PHONE" => PaymentActionKind::Phone,
                _ => return Err(Error::Corrupt("a payment's action is of no known kind".into()).into()),
            };
            let url = row.action_url.clone().map(Url);
            Ok(Some(PaymentAction { kind, url, expires_at: DateTime(expires_at), row: Arc::clone(row) }))
        })
        .await
    }
    /// 1 for the first on this invoice.
    async fn attempt(&self) -> i32 {
        self.row.attempt
    }
    /// The gateway's receipt, e.g. M-Pesa's, for the customer's books.
    async fn receipt(&self) -> Option<&str> {
        self.row.receipt.as_deref()
    }
    /// What of it is paid back, or being paid back; the oldest first.
    async fn refunds(&self, context: &Context<'_>) -> Result<Vec<Refund>> {
        let refunds = request(context).view().loaders.payment_refunds.load((self.row.business_id, self.row.id)).await?;
        Ok(refunds.unwrap_or_default().into_iter().map(Refund::new).collect())
    }
    /// When it was begun.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
    /// When its outcome was known.
    async fn settled_at(&self) -> Option<DateTime> {
        self.row.settled_at.map(DateTime)
    }
}

/// A way in which the business pays.
#[derive(Clone)]
pub struct PaymentMethod {
    row: Arc<rows::PaymentMethod>,
}

impl PaymentMethod {
    /// The method of a row.
    pub fn new(row: rows::PaymentMethod) -> Self {
        Self { row: Arc::new(row) }
    }
}

/// A way in which the business pays.
#[Object]
impl PaymentMethod {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What kind it is.
    async fn kind(&self) -> PaymentMethodKind {
        self.row.kind.into()
    }
    /// For people: `Visa •••• 4242`, `M-Pesa •••• 678`.
    async fn label(&self) -> &str {
        &self.row.label
    }
    /// Whether it is charged where no other is named.
    async fn is_default(&self) -> bool {
        self.row.is_default
    }
    /// The last day of a card's last month.
    async fn expires_on(&self) -> Option<Date> {
        self.row.expires_on.map(Date)
    }
    /// When it was added.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

/// A way in which this business can pay, with what the gateway's script in the browser needs.
#[derive(SimpleObject)]
pub struct PaymentOption {
    /// What kind of method it makes.
    kind: PaymentMethodKind,
    /// The currencies that it takes, of those in which something is on sale.
    currencies: Vec<CurrencyCode>,
    /// What the gateway's own form is opened with.
    publishable_key: Option<String>,
    /// The most one payment can take.
    limit: Option<Money>,
    /// Shown to the payer of a bank transfer.
    instructions: Option<String>,
}

impl From<payments::PaymentOption> for PaymentOption {
    fn from(option: payments::PaymentOption) -> Self {
        Self {
            kind: option.kind.into(),
            currencies: option.currencies.into_iter().map(CurrencyCode).collect(),
            publishable_key: option.publishable_key,
            limit: option.limit.map(Money::from),
            instructions: option.instructions,
        }
    }
}

connection!(PaymentConnection, PaymentEdge, Payment, "payments");

/// Which payments; every member narrows.
#[derive(Debug, InputObject)]
pub struct PaymentFilter {
    /// Of these statuses.
    status: Option<Vec<PaymentStatus>>,
    /// Of this invoice.
    invoice_id: Option<ID>,
}

/// A page of those payments of `reader` that `filter` leaves; `list` names the list that its cursors belong to.
pub(in crate::graphql) async fn page(
    request: &RequestContext,
    reader: Reader,
    list: &str,
    filter: Filter,
    arguments: PageArguments,
) -> Result<PaymentConnection> {
    let window = arguments.window(request, list)?;
    let page = rows::page(&reader, &filter, window).await?;
    let filter = Arc::new(filter);
    let count: Count = Arc::new(move || {
        let (reader, filter) = (reader.clone(), Arc::clone(&filter));
        Box::pin(async move { rows::count(&reader, &filter).await })
    });
    Ok(shown(request, list, page, count))
}

/// The connection of a page.
fn shown(request: &RequestContext, list: &str, page: Page<rows::Payment>, count: Count) -> PaymentConnection {
    let placed = page.map(|row| (Position { at: row.created_at, id: row.id.uuid() }, Payment::new(row)));
    PaymentConnection::of(request, list, placed, count)
}

/// A page of one business's payments, read together with those of other businesses.
pub(in crate::graphql) async fn page_of_business(
    request: &RequestContext,
    business: BusinessId,
    arguments: PageArguments,
) -> Result<PaymentConnection> {
    let list = format!("{business}/payments");
    let window = arguments.window(request, &list)?;
    let page = request.view().loaders.business_payments.page(business, window).await?;
    Ok(shown(request, &list, page, count_of(request, business, |loaders| &loaders.business_payment_counts)))
}

/// Queries about payments.
#[derive(Default)]
pub struct PaymentQuery;

#[Object]
impl PaymentQuery {
    /// The business's payments, newest first.
    async fn payments(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Only such.")] filter: Option<PaymentFilter>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<PaymentConnection>> {
        nullable(async {
            request(context).require(Need::ReadMoney).await?;
            let request = request(context);
            let mut chosen = Filter::default();
            if let Some(filter) = filter {
                chosen.statuses = filter.status.map(|statuses| statuses.into_iter().flat_map(PaymentStatus::stored).collect());
                // An id that names nothing leaves nothing.
                chosen.invoice = filter.invoice_id.map(|id| InvoiceId::parse(&id).unwrap_or(InvoiceId::from(uuid::Uuid::nil())));
            }
            page(request, request.reader().await?, "payments", chosen, PageArguments { first, after, last, before }).await.map(Some)
        })
        .await
    }

    /// One payment.
    async fn payment(&self, context: &Context<'_>, #[graphql(desc = "The payment's id.")] id: ID) -> Option<Result<Payment>> {
        nullable(async {
            request(context).require(Need::ReadMoney).await?;
            let Some(id) = PaymentId::parse(&id) else { return Ok(None) };
            Ok(rows::by_id(&request(context).reader().await?, id).await?.map(Payment::new))
        })
        .await
    }

    /// The ways in which the business can pay.
    async fn payment_options(&self, context: &Context<'_>) -> Option<Result<Vec<PaymentOption>>> {
        nullable(async {
            let request = request(context);
            request.require(Need::ReadMoney).await?;
            let currency = business(&request.tenant().await?).await?.currency;
            let sold = sold_currencies(&request.catalogue().await?).await?;
            let options = payments::payment_options(&request.ports, currency, &sold)?;
            Ok(Some(options.into_iter().map(PaymentOption::from).collect()))
        })
        .await
    }

    /// The ways in which the business pays, the newest first.
    async fn payment_methods(&self, context: &Context<'_>) -> Option<Result<Vec<PaymentMethod>>> {
        nullable(async {
            request(context).require(Need::ReadMoney).await?;
            let methods = rows::methods(&request(context).reader().await?).await?;
            Ok(Some(methods.into_iter().map(PaymentMethod::new).collect()))
        })
        .await
    }
}
