//! Invoices and credit notes as the API shows them.

use std::collections::HashMap;

use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::grouped;
use crate::billing::lifecycle::InvoiceStatus;
use crate::error::Error;
use crate::ids::{CreditNoteId, InvoiceId, SubscriptionId};
use crate::store::Tenant;
use crate::store::entity::invoices::{credit_note, credit_note_line, invoice, invoice_line, invoice_tax};
use crate::store::page::{MAX_COUNT, Page, Window, newest_first};
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
pub async fn by_id(tenant: &Tenant, id: InvoiceId) -> Result<Option<Invoice>, Error> {
    tenant.by_id::<invoice::Entity, _>(id).await
}

/// Many by id.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(tenant: &Tenant, ids: &[InvoiceId]) -> Result<HashMap<InvoiceId, Invoice>, Error> {
    let rows = tenant.select::<invoice::Entity>().filter(invoice::Column::Id.is_in(ids.iter().copied())).all().await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// A page, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(tenant: &Tenant, filter: &InvoiceFilter, window: Window) -> Result<Page<Invoice>, Error> {
    newest_first(filtered(tenant, filter), invoice::Column::CreatedAt, invoice::Column::Id, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(tenant: &Tenant, filter: &InvoiceFilter) -> Result<u64, Error> {
    filtered(tenant, filter).count_up_to(MAX_COUNT).await
}

/// What `filter` leaves.
fn filtered(tenant: &Tenant, filter: &InvoiceFilter) -> Scoped<invoice::Entity> {
    let mut select = tenant.select::<invoice::Entity>();
    if let Some(statuses) = &filter.statuses {
        select = select.filter(invoice::Column::Status.is_in(statuses.iter().copied()));
    }
    if let Some(subscriptions) = &filter.subscriptions {
        select = select.filter(invoice::Column::SubscriptionId.is_in(subscriptions.iter().copied()));
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
pub async fn lines_of(tenant: &Tenant, invoices: &[InvoiceId]) -> Result<HashMap<InvoiceId, Vec<InvoiceLine>>, Error> {
    let select = tenant.select::<invoice_line::Entity>().filter(invoice_line::Column::InvoiceId.is_in(invoices.iter().copied()));
    Ok(grouped(select.order_by_asc(invoice_line::Column::Position).all().await?, |line| line.invoice_id))
}

/// The taxes of many invoices, each invoice's in their order.
///
/// # Errors
/// The database's fault.
pub async fn taxes_of(tenant: &Tenant, invoices: &[InvoiceId]) -> Result<HashMap<InvoiceId, Vec<InvoiceTax>>, Error> {
    let select = tenant.select::<invoice_tax::Entity>().filter(invoice_tax::Column::InvoiceId.is_in(invoices.iter().copied()));
    Ok(grouped(select.order_by_asc(invoice_tax::Column::Position).all().await?, |tax| tax.invoice_id))
}

/// The credit notes of many invoices, oldest first.
///
/// # Errors
/// The database's fault.
pub async fn credit_notes_of(tenant: &Tenant, invoices: &[InvoiceId]) -> Result<HashMap<InvoiceId, Vec<CreditNote>>, Error> {
    let select = tenant.select::<credit_note::Entity>().filter(credit_note::Column::InvoiceId.is_in(invoices.iter().copied()));
    let rows = select.order_by_asc(credit_note::Column::IssuedAt).order_by_asc(credit_note::Column::Id).all().await?;
    Ok(grouped(rows, |note| note.invoice_id))
}

/// A credit note by id.
///
/// # Errors
/// The database's fault.
pub async fn credit_note_by_id(tenant: &Tenant, id: CreditNoteId) -> Result<Option<CreditNote>, Error> {
    tenant.by_id::<credit_note::Entity, _>(id).await
}

/// A page of credit notes, newest first.
///
/// # Errors
/// The database's fault.
pub async fn credit_note_page(tenant: &Tenant, window: Window) -> Result<Page<CreditNote>, Error> {
    newest_first(tenant.select::<credit_note::Entity>(), credit_note::Column::IssuedAt, credit_note::Column::Id, window).await
}

/// How many credit notes there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn credit_note_count(tenant: &Tenant) -> Result<u64, Error> {
    tenant.select::<credit_note::Entity>().count_up_to(MAX_COUNT).await
}

/// The lines of many credit notes, each note's in their order.
///
/// # Errors
/// The database's fault.
pub async fn credit_note_lines_of(tenant: &Tenant, notes: &[CreditNoteId]) -> Result<HashMap<CreditNoteId, Vec<CreditNoteLine>>, Error> {
    let select = tenant.select::<credit_note_line::Entity>().filter(credit_note_line::Column::CreditNoteId.is_in(notes.iter().copied()));
    Ok(grouped(select.order_by_asc(credit_note_line::Column::Position).all().await?, |line| line.credit_note_id))
}
