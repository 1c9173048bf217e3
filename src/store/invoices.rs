//! Invoices with their lines and taxes, credit notes, account credit, and the numbers of documents.
//!
//! Whoever changes a row here holds the business's lock. Numbers come from one counter row per series and year, which
//! is locked until the transaction ends: take them after every other lock.

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait as _, FromQueryResult, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::Tenant;
use super::entity::customers::business;
use super::entity::invoices::{
    credit_entry, credit_note, credit_note_line, invoice, invoice_counter, invoice_line, invoice_register, invoice_tax,
};
use super::entity::payments::payment;
use super::live::Subject;
use super::tenant::ScopedUpdate;
use super::types::Instant;
use crate::billing::invoice::LineKind;
use crate::billing::lifecycle::{InvoiceStatus, PaymentStatus};
use crate::error::Error;
use crate::ids::{BusinessId, CreditNoteId, InvoiceId, PeriodId, SubscriptionId};

pub use super::entity::invoices::credit_entry::Model as CreditEntry;
pub use super::entity::invoices::credit_note::Model as CreditNote;
pub use super::entity::invoices::credit_note_line::Model as CreditNoteLine;
pub use super::entity::invoices::invoice::Model as Invoice;
pub use super::entity::invoices::invoice_line::Model as InvoiceLine;
pub use super::entity::invoices::invoice_tax::Model as InvoiceTax;

/// The payments that may still charge something.
const LIVE_PAYMENTS: [PaymentStatus; 4] =
    [PaymentStatus::Created, PaymentStatus::Sending, PaymentStatus::RequiresAction, PaymentStatus::Unknown];

/// The invoice of that id, if this business has it.
///
/// # Errors
/// The database's fault.
pub async fn find(tenant: &Tenant, id: InvoiceId) -> Result<Option<Invoice>, Error> {
    tenant.by_id::<invoice::Entity, _>(id).await
}

/// The same, locked until the transaction ends. The locks of the business and of its subscription come before it.
///
/// # Errors
/// The database's fault.
pub async fn lock(tenant: &Tenant, id: InvoiceId) -> Result<Option<Invoice>, Error> {
    tenant.lock_by_id::<invoice::Entity, _>(id).await
}

/// The lines of an invoice, in their order.
///
/// # Errors
/// The database's fault.
pub async fn lines(tenant: &Tenant, invoice: InvoiceId) -> Result<Vec<InvoiceLine>, Error> {
    let of_invoice = tenant.select::<invoice_line::Entity>().filter(invoice_line::Column::InvoiceId.eq(invoice));
    of_invoice.order_by_asc(invoice_line::Column::Position).all().await
}

/// The taxes of an invoice, in their order.
///
/// # Errors
/// The database's fault.
pub async fn taxes(tenant: &Tenant, invoice: InvoiceId) -> Result<Vec<InvoiceTax>, Error> {
    let of_invoice = tenant.select::<invoice_tax::Entity>().filter(invoice_tax::Column::InvoiceId.eq(invoice));
    of_invoice.order_by_asc(invoice_tax::Column::Position).all().await
}

/// The open invoices, of a subscription or of all, the oldest first.
///
/// # Errors
/// The database's fault.
pub async fn open(tenant: &Tenant, subscription: Option<SubscriptionId>) -> Result<Vec<Invoice>, Error> {
    let mut all = tenant.select::<invoice::Entity>().filter(invoice::Column::Status.eq(InvoiceStatus::Open));
    if let Some(subscription) = subscription {
        all = all.filter(invoice::Column::SubscriptionId.eq(subscription));
    }
    all.order_by_asc(invoice::Column::IssuedAt).order_by_asc(invoice::Column::Id).all().await
}

/// The invoices of a subscription that can be paid: the open ones, and those that were given up on.
///
/// # Errors
/// The database's fault.
pub async fn payable(tenant: &Tenant, subscription: SubscriptionId) -> Result<Vec<Invoice>, Error> {
    let of_subscription = tenant.select::<invoice::Entity>().filter(invoice::Column::SubscriptionId.eq(subscription));
    let payable = of_subscription.filter(invoice::Column::Status.is_in([InvoiceStatus::Open, InvoiceStatus::Uncollectible]));
    payable.order_by_asc(invoice::Column::IssuedAt).order_by_asc(invoice::Column::Id).all().await
}

/// Writes an invoice with its lines and taxes.
///
/// # Errors
/// The database's fault.
pub async fn insert(tenant: &Tenant, row: Invoice, lines: Vec<InvoiceLine>, taxes: Vec<InvoiceTax>) -> Result<Invoice, Error> {
    tenant.insert_many::<invoice::Entity, _>(vec![row.clone().into_active_model().reset_all()]).await?;
    insert_contents(tenant, lines, taxes).await?;
    tenant.changed(Subject::Invoice(row.id));
    Ok(row)
}

/// The drafts of a subscription, the oldest first.
///
/// # Errors
/// The database's fault.
pub async fn drafts(tenant: &Tenant, subscription: SubscriptionId) -> Result<Vec<Invoice>, Error> {
    let of_subscription = tenant.select::<invoice::Entity>().filter(invoice::Column::SubscriptionId.eq(subscription));
    let drafts = of_subscription.filter(invoice::Column::Status.eq(InvoiceStatus::Draft));
    drafts.order_by_asc(invoice::Column::CreatedAt).order_by_asc(invoice::Column::Id).all().await
}

/// Writes a draft anew, as it is issued, with its lines and taxes.
///
/// # Errors
/// The database's fault.
pub async fn replace(tenant: &Tenant, row: Invoice, lines: Vec<InvoiceLine>, taxes: Vec<InvoiceTax>) -> Result<Invoice, Error> {
    delete_contents(tenant, row.id).await?;
    save(tenant, &row).await?;
    insert_contents(tenant, lines, taxes).await?;
    Ok(row)
}

/// Deletes a draft with its lines and taxes. Nothing refers to it any more.
///
/// # Errors
/// The database's fault.
pub async fn delete_draft(tenant: &Tenant, id: InvoiceId) -> Result<(), Error> {
    delete_contents(tenant, id).await?;
    let this = Condition::all().add(invoice::Column::Id.eq(id)).add(invoice::Column::Status.eq(InvoiceStatus::Draft));
    tenant.delete_where::<invoice::Entity>(this).await
}

/// Writes the lines and taxes of an invoice.
async fn insert_contents(tenant: &Tenant, lines: Vec<InvoiceLine>, taxes: Vec<InvoiceTax>) -> Result<(), Error> {
    let lines = lines.into_iter().map(|line| line.into_active_model().reset_all()).collect();
    tenant.insert_many::<invoice_line::Entity, _>(lines).await?;
    let taxes = taxes.into_iter().map(|tax| tax.into_active_model().reset_all()).collect();
    tenant.insert_many::<invoice_tax::Entity, _>(taxes).await
}

/// Deletes the lines and taxes of a draft.
async fn delete_contents(tenant: &Tenant, draft: InvoiceId) -> Result<(), Error> {
    tenant.delete_where::<invoice_line::Entity>(Condition::all().add(invoice_line::Column::InvoiceId.eq(draft))).await?;
    tenant.delete_where::<invoice_tax::Entity>(Condition::all().add(invoice_tax::Column::InvoiceId.eq(draft))).await
}

/// Writes when an invoice is due, of one that was issued in this transaction.
///
/// # Errors
/// The database's fault.
pub async fn fall_due(tenant: &Tenant, id: InvoiceId, due_at: Instant) -> Result<(), Error> {
    let due = |update: ScopedUpdate<invoice::Entity>| update.set(invoice::Column::DueAt, due_at).filter(invoice::Column::Id.eq(id));
    tenant.update_where::<invoice::Entity>(due).await.map(drop)
}

/// Writes when an invoice is tried next, if it is.
///
/// # Errors
/// The database's fault.
pub async fn try_next_at(tenant: &Tenant, id: InvoiceId, at: Option<Instant>) -> Result<(), Error> {
    let next = |update: ScopedUpdate<invoice::Entity>| update.set(invoice::Column::NextAttemptAt, at).filter(invoice::Column::Id.eq(id));
    tenant.update_where::<invoice::Entity>(next).await.map(drop)
}

/// Writes every column of an invoice.
///
/// # Errors
/// The database's fault.
pub async fn save(tenant: &Tenant, row: &Invoice) -> Result<(), Error> {
    tenant.changed(Subject::Invoice(row.id));
    tenant.save::<invoice::Entity, _>(row.clone().into_active_model().reset_all()).await
}

/// Whether an attempt to pay the invoice may still charge something.
///
/// # Errors
/// The database's fault.
pub async fn has_live_attempt(tenant: &Tenant, invoice: InvoiceId) -> Result<bool, Error> {
    let of_invoice = tenant.select::<payment::Entity>().filter(payment::Column::InvoiceId.eq(invoice));
    Ok(of_invoice.filter(payment::Column::Status.is_in(LIVE_PAYMENTS)).one().await?.is_some())
}

/// The lines that charged any of those periods.
///
/// # Errors
/// The database's fault.
pub async fn charging_lines(tenant: &Tenant, periods: &[PeriodId]) -> Result<Vec<InvoiceLine>, Error> {
    let of_periods = tenant.select::<invoice_line::Entity>().filter(invoice_line::Column::PeriodId.is_in(periods.iter().copied()));
    let charges = of_periods.filter(invoice_line::Column::Kind.is_in([LineKind::Recurring, LineKind::ProrationCharge, LineKind::OneOff]));
    charges.order_by_asc(invoice_line::Column::Position).all().await
}

/// The invoices of those ids that stand (not void, not drafts), the newest first.
///
/// # Errors
/// The database's fault.
pub async fn standing(tenant: &Tenant, ids: &[InvoiceId]) -> Result<Vec<Invoice>, Error> {
    let those = tenant.select::<invoice::Entity>().filter(invoice::Column::Id.is_in(ids.iter().copied()));
    let stands = [InvoiceStatus::Open, InvoiceStatus::Paid, InvoiceStatus::Uncollectible];
    let those = those.filter(invoice::Column::Status.is_in(stands));
    those.order_by_desc(invoice::Column::IssuedAt).order_by_desc(invoice::Column::Id).all().await
}

/// The credit notes on those invoices, in the order of their issue.
///
/// # Errors
/// The database's fault.
pub async fn credit_notes(tenant: &Tenant, invoices: &[InvoiceId]) -> Result<Vec<CreditNote>, Error> {
    let on_those = tenant.select::<credit_note::Entity>().filter(credit_note::Column::InvoiceId.is_in(invoices.iter().copied()));
    on_those.order_by_asc(credit_note::Column::IssuedAt).order_by_asc(credit_note::Column::Id).all().await
}

/// The lines of those credit notes.
///
/// # Errors
/// The database's fault.
pub async fn credit_note_lines(tenant: &Tenant, notes: &[CreditNoteId]) -> Result<Vec<CreditNoteLine>, Error> {
    let of_notes = tenant.select::<credit_note_line::Entity>();
    of_notes.filter(credit_note_line::Column::CreditNoteId.is_in(notes.iter().copied())).all().await
}

/// Writes a credit note with its lines.
///
/// # Errors
/// The database's fault.
pub async fn insert_credit_note(tenant: &Tenant, row: CreditNote, lines: Vec<CreditNoteLine>) -> Result<CreditNote, Error> {
    tenant.changed(Subject::Invoice(row.invoice_id));
    let made = tenant.insert::<credit_note::Entity, _>(row.into_active_model().reset_all()).await?;
    let lines = lines.into_iter().map(|line| line.into_active_model().reset_all()).collect();
    tenant.insert_many::<credit_note_line::Entity, _>(lines).await?;
    Ok(made)
}

/// Writes a movement of account credit, and the balance that it leaves on the business.
///
/// # Errors
/// The database's fault: a balance below zero is one.
pub async fn post_credit(tenant: &Tenant, row: CreditEntry) -> Result<(), Error> {
    let balance_minor = row.balance_after_minor;
    tenant.insert_many::<credit_entry::Entity, _>(vec![row.into_active_model().reset_all()]).await?;
    let own = Condition::all().add(business::Column::BusinessId.eq(tenant.business()));
    let change =
        |update: super::tenant::ScopedUpdate<business::Entity>| update.set(business::Column::BalanceMinor, balance_minor).filter(own);
    tenant.update_where::<business::Entity>(change).await.map(drop)
}

/// The movements of account credit, in their order.
///
/// # Errors
/// The database's fault.
pub async fn credit_entries(tenant: &Tenant) -> Result<Vec<CreditEntry>, Error> {
    tenant.select::<credit_entry::Entity>().order_by_asc(credit_entry::Column::Id).all().await
}

/// The next number of `series` in `year`, and its place in the register. Its counter is locked until the transaction
/// ends, so a transaction that is rolled back leaves no gap.
///
/// # Errors
/// The database's fault.
pub async fn next_number(tenant: &Tenant, series: &str, year: i32, document: uuid::Uuid) -> Result<i64, Error> {
    let next = Expr::col((invoice_counter::Entity, invoice_counter::Column::LastNumber)).add(1);
    let mut taken = OnConflict::columns([invoice_counter::Column::Series, invoice_counter::Column::Year]);
    taken.value(invoice_counter::Column::LastNumber, next);
    let mut count = Query::insert();
    count
        .into_table(invoice_counter::Entity)
        .columns([invoice_counter::Column::Series, invoice_counter::Column::Year, invoice_counter::Column::LastNumber])
        .values_panic([series.into(), year.into(), 1_i64.into()])
        .on_conflict(taken)
        .returning_col(invoice_counter::Column::LastNumber);
    let row = tenant.connection().query_one(&count).await?.ok_or_else(|| Error::Corrupt("a counter gave no number".into()))?;
    let number: i64 = row.try_get_by_index(0)?;
    let business: BusinessId = tenant.business();
    let mut register = Query::insert();
    register
        .into_table(invoice_register::Entity)
        .columns([
            invoice_register::Column::Series,
            invoice_register::Column::Year,
            invoice_register::Column::Number,
            invoice_register::Column::BusinessId,
            invoice_register::Column::DocumentId,
        ])
        .values_panic([series.into(), year.into(), number.into(), business.into(), document.into()]);
    tenant.connection().execute(&register).await?;
    Ok(number)
}

/// The tax ids on this business's invoices, as they are sealed, each once: an invoice copies the business's as it is.
///
/// # Errors
/// The database's fault.
pub async fn billed_tax_ids(tenant: &Tenant) -> Result<Vec<Vec<u8>>, Error> {
    /// The one column.
    #[derive(FromQueryResult)]
    struct Sealed {
        /// The tax id.
        billed_tax_id_sealed: Vec<u8>,
    }
    let rows = tenant.select::<invoice::Entity>().filter(invoice::Column::BilledTaxIdSealed.is_not_null());
    let once = rows.select_only().column_as(invoice::Column::BilledTaxIdSealed, "billed_tax_id_sealed").distinct();
    Ok(once.all_as::<Sealed>().await?.into_iter().map(|row| row.billed_tax_id_sealed).collect())
}

/// Puts a tax id that is sealed anew in the place of what it was, on each of this business's invoices that has that.
///
/// # Errors
/// The database's fault.
pub async fn replace_billed_tax_id(tenant: &Tenant, sealed: Vec<u8>, anew: Vec<u8>) -> Result<(), Error> {
    let replace = |update: super::tenant::ScopedUpdate<invoice::Entity>| {
        update.set(invoice::Column::BilledTaxIdSealed, anew).filter(invoice::Column::BilledTaxIdSealed.eq(sealed))
    };
    tenant.update_where::<invoice::Entity>(replace).await.map(drop)
}
