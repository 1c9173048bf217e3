//! Invoices and credit notes as the API shows them.

use std::collections::HashMap;

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::{Of, grouped};
use crate::billing::lifecycle::InvoiceStatus;
use crate::error::Error;
use crate::ids::{BusinessId, CreditNoteId, InvoiceId, SubscriptionId};
use crate::money::Currency;
use crate::store::Reader;
use crate::store::entity::invoices::{credit_note, credit_note_line, invoice, invoice_line, invoice_tax};
use crate::store::page::{MAX_COUNT, Page, Window, count_of_each, newest_first, newest_of_each};
use crate::store::tenant::Scoped;
use crate::store::types::Instant;

pub use crate::store::entity::invoices::credit_note::Model as CreditNote;
pub use crate::store::entity::invoices::credit_note_line::Model as CreditNoteLine;
pub use crate::store::entity::invoices::invoice::Model as Invoice;
pub use crate::store::entity::invoices::invoice_line::Model as InvoiceLine;
pub use crate::store::entity::invoices::invoice_tax::Model as InvoiceTax;

/// Which invoices are asked for; every member narrows.
#[derive(Debug, Clone, Default)]
pub struct InvoiceFilter {
    /// Of this number.
    pub number: Option<String>,
    /// In this currency.
    pub currency: Option<Currency>,
    /// Open and due before then, or not so.
    pub overdue: Option<(bool, Instant)>,
    /// Of these statuses.
    pub statuses: Option<Vec<InvoiceStatus>>,
    /// Of these subscriptions.
    pub subscriptions: Option<Vec<SubscriptionId>>,
    /// Issued then or later.
    pub issued_from: Option<Instant>,
    /// Issued before then.
    pub issued_before: Option<Instant>,
}

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(reader: &Reader, id: InvoiceId) -> Result<Option<Invoice>, Error> {
    reader.by_id::<invoice::Entity, _>(id).await
}

/// Many by id.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(reader: &Reader, ids: &[Of<InvoiceId>]) -> Result<HashMap<Of<InvoiceId>, Invoice>, Error> {
    let rows = reader.select_of::<invoice::Entity, _>(invoice::Column::Id, ids).all().await?;
    Ok(rows.into_iter().map(|row| ((row.business_id, row.id), row)).collect())
}

/// A page, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(reader: &Reader, filter: &InvoiceFilter, window: Window) -> Result<Page<Invoice>, Error> {
    newest_first(filtered(reader, filter), invoice::Column::CreatedAt, invoice::Column::Id, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(reader: &Reader, filter: &InvoiceFilter) -> Result<u64, Error> {
    filtered(reader, filter).count_up_to(MAX_COUNT).await
}

/// The same part of many subscriptions' lists, each newest first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn pages_of_subscriptions(
    reader: &Reader,
    subscriptions: &[Of<SubscriptionId>],
    window: Window,
) -> Result<HashMap<Of<SubscriptionId>, Page<Invoice>>, Error> {
    let of = |row: &Invoice| row.subscription_id.map(|subscription| (row.business_id, subscription));
    let rows = || reader.select_of::<invoice::Entity, _>(invoice::Column::SubscriptionId, subscriptions);
    let order = (invoice::Column::CreatedAt, invoice::Column::Id);
    let parents: Vec<Option<Of<SubscriptionId>>> = subscriptions.iter().copied().map(Some).collect();
    let pages = newest_of_each(rows, &parents, invoice::Column::SubscriptionId, order, window, of).await?;
    Ok(pages.into_iter().filter_map(|(subscription, page)| Some((subscription?, page))).collect())
}

/// The same part of many businesses' lists, each newest first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn pages_of_businesses(
    reader: &Reader,
    businesses: &[BusinessId],
    window: Window,
) -> Result<HashMap<BusinessId, Page<Invoice>>, Error> {
    let rows = || reader.select_of_businesses::<invoice::Entity>(businesses);
    let order = (invoice::Column::CreatedAt, invoice::Column::Id);
    newest_of_each(rows, businesses, invoice::Column::BusinessId, order, window, |row| row.business_id).await
}

/// How many each of many businesses has, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn counts_of_businesses(reader: &Reader, businesses: &[BusinessId]) -> Result<HashMap<BusinessId, u64>, Error> {
    count_of_each(reader.select_of_businesses::<invoice::Entity>(businesses)).await
}

/// What `filter` leaves.
fn filtered(reader: &Reader, filter: &InvoiceFilter) -> Scoped<invoice::Entity> {
    let mut select = reader.select::<invoice::Entity>();
    if let Some(statuses) = &filter.statuses {
        select = select.filter(invoice::Column::Status.is_in(statuses.iter().copied()));
    }
    if let Some(subscriptions) = &filter.subscriptions {
        select = select.filter(invoice::Column::SubscriptionId.is_in(subscriptions.iter().copied()));
    }
    if let Some(number) = &filter.number {
        select = select.filter(invoice::Column::Number.eq(number.as_str()));
    }
    if let Some(currency) = filter.currency {
        select = select.filter(invoice::Column::Currency.eq(currency));
    }
    if let Some((overdue, now)) = filter.overdue {
        let is = Condition::all().add(invoice::Column::Status.eq(InvoiceStatus::Open)).add(invoice::Column::DueAt.lt(now));
        // What is not due at all is not overdue: a missing day would make the condition neither true nor false.
        let is_not = Condition::any()
            .add(invoice::Column::Status.ne(InvoiceStatus::Open))
            .add(invoice::Column::DueAt.is_null())
            .add(invoice::Column::DueAt.gte(now));
        select = select.filter(if overdue { is } else { is_not });
    }
    if let Some(from) = filter.issued_from {
        select = select.filter(invoice::Column::IssuedAt.gte(from));
    }
    if let Some(before) = filter.issued_before {
        select = select.filter(invoice::Column::IssuedAt.lt(before));
    }
    select
}

/// The lines of many invoices, each invoice's in their order.
///
/// # Errors
/// The database's fault.
pub async fn lines_of(reader: &Reader, invoices: &[Of<InvoiceId>]) -> Result<HashMap<Of<InvoiceId>, Vec<InvoiceLine>>, Error> {
    let select = reader.select_of::<invoice_line::Entity, _>(invoice_line::Column::InvoiceId, invoices);
    Ok(grouped(select.order_by_asc(invoice_line::Column::Position).all().await?, |line| (line.business_id, line.invoice_id)))
}

/// The taxes of many invoices, each invoice's in their order.
///
/// # Errors
/// The database's fault.
pub async fn taxes_of(reader: &Reader, invoices: &[Of<InvoiceId>]) -> Result<HashMap<Of<InvoiceId>, Vec<InvoiceTax>>, Error> {
    let select = reader.select_of::<invoice_tax::Entity, _>(invoice_tax::Column::InvoiceId, invoices);
    Ok(grouped(select.order_by_asc(invoice_tax::Column::Position).all().await?, |tax| (tax.business_id, tax.invoice_id)))
}

/// The credit notes of many invoices, oldest first.
///
/// # Errors
/// The database's fault.
pub async fn credit_notes_of(reader: &Reader, invoices: &[Of<InvoiceId>]) -> Result<HashMap<Of<InvoiceId>, Vec<CreditNote>>, Error> {
    let select = reader.select_of::<credit_note::Entity, _>(credit_note::Column::InvoiceId, invoices);
    let rows = select.order_by_asc(credit_note::Column::IssuedAt).order_by_asc(credit_note::Column::Id).all().await?;
    Ok(grouped(rows, |note| (note.business_id, note.invoice_id)))
}

/// A credit note by id.
///
/// # Errors
/// The database's fault.
pub async fn credit_note_by_id(reader: &Reader, id: CreditNoteId) -> Result<Option<CreditNote>, Error> {
    reader.by_id::<credit_note::Entity, _>(id).await
}

/// Many credit notes by id.
///
/// # Errors
/// The database's fault.
pub async fn credit_notes_by_ids(reader: &Reader, ids: &[Of<CreditNoteId>]) -> Result<HashMap<Of<CreditNoteId>, CreditNote>, Error> {
    let rows = reader.select_of::<credit_note::Entity, _>(credit_note::Column::Id, ids).all().await?;
    Ok(rows.into_iter().map(|row| ((row.business_id, row.id), row)).collect())
}

/// A page of credit notes, newest first.
///
/// # Errors
/// The database's fault.
pub async fn credit_note_page(reader: &Reader, window: Window) -> Result<Page<CreditNote>, Error> {
    newest_first(reader.select::<credit_note::Entity>(), credit_note::Column::IssuedAt, credit_note::Column::Id, window).await
}

/// How many credit notes there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn credit_note_count(reader: &Reader) -> Result<u64, Error> {
    reader.select::<credit_note::Entity>().count_up_to(MAX_COUNT).await
}

/// The lines of many credit notes, each note's in their order.
///
/// # Errors
/// The database's fault.
pub async fn credit_note_lines_of(
    reader: &Reader,
    notes: &[Of<CreditNoteId>],
) -> Result<HashMap<Of<CreditNoteId>, Vec<CreditNoteLine>>, Error> {
    let select = reader.select_of::<credit_note_line::Entity, _>(credit_note_line::Column::CreditNoteId, notes);
    Ok(grouped(select.order_by_asc(credit_note_line::Column::Position).all().await?, |line| (line.business_id, line.credit_note_id)))
}
