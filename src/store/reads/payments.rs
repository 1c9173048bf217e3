//! Payments and payment methods as the API shows them.

use std::collections::HashMap;

use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::{Of, grouped};
use crate::billing::lifecycle::PaymentStatus;
use crate::error::Error;
use crate::ids::{BusinessId, InvoiceId, PaymentId, PaymentMethodId};
use crate::store::Reader;
use crate::store::entity::payments::{payment, payment_method};
use crate::store::page::{MAX_COUNT, Page, Window, count_of_each, newest_first, newest_of_each};
use crate::store::tenant::Scoped;

pub use crate::store::entity::payments::payment::Model as Payment;
pub use crate::store::entity::payments::payment_method::Model as PaymentMethod;

/// Which payments are asked for; every member narrows.
#[derive(Debug, Clone, Default)]
pub struct PaymentFilter {
    /// Of these statuses.
    pub statuses: Option<Vec<PaymentStatus>>,
    /// Of this invoice.
    pub invoice: Option<InvoiceId>,
    /// With this receipt of the gateway's.
    pub receipt: Option<String>,
}

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(reader: &Reader, id: PaymentId) -> Result<Option<Payment>, Error> {
    reader.by_id::<payment::Entity, _>(id).await
}

/// Many by id.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(reader: &Reader, ids: &[Of<PaymentId>]) -> Result<HashMap<Of<PaymentId>, Payment>, Error> {
    let rows = reader.select_of::<payment::Entity, _>(payment::Column::Id, ids).all().await?;
    Ok(rows.into_iter().map(|row| ((row.business_id, row.id), row)).collect())
}

/// A page, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(reader: &Reader, filter: &PaymentFilter, window: Window) -> Result<Page<Payment>, Error> {
    newest_first(filtered(reader, filter), payment::Column::CreatedAt, payment::Column::Id, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(reader: &Reader, filter: &PaymentFilter) -> Result<u64, Error> {
    filtered(reader, filter).count_up_to(MAX_COUNT).await
}

/// The same part of many businesses' lists, each newest first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn pages_of_businesses(
    reader: &Reader,
    businesses: &[BusinessId],
    window: Window,
) -> Result<HashMap<BusinessId, Page<Payment>>, Error> {
    let rows = || reader.select_of_businesses::<payment::Entity>(businesses);
    let order = (payment::Column::CreatedAt, payment::Column::Id);
    newest_of_each(rows, businesses, payment::Column::BusinessId, order, window, |row| row.business_id).await
}

/// How many each of many businesses has, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn counts_of_businesses(reader: &Reader, businesses: &[BusinessId]) -> Result<HashMap<BusinessId, u64>, Error> {
    count_of_each(reader.select_of_businesses::<payment::Entity>(businesses)).await
}

/// What `filter` leaves.
fn filtered(reader: &Reader, filter: &PaymentFilter) -> Scoped<payment::Entity> {
    let mut select = reader.select::<payment::Entity>();
    if let Some(statuses) = &filter.statuses {
        select = select.filter(payment::Column::Status.is_in(statuses.iter().copied()));
    }
    if let Some(invoice) = filter.invoice {
        select = select.filter(payment::Column::InvoiceId.eq(invoice));
    }
    if let Some(receipt) = &filter.receipt {
        select = select.filter(payment::Column::Receipt.eq(receipt.as_str()));
    }
    select
}

/// The payments of many invoices, each invoice's first attempt first.
///
/// # Errors
/// The database's fault.
pub async fn of_invoices(reader: &Reader, invoices: &[Of<InvoiceId>]) -> Result<HashMap<Of<InvoiceId>, Vec<Payment>>, Error> {
    let select = reader.select_of::<payment::Entity, _>(payment::Column::InvoiceId, invoices);
    Ok(grouped(select.order_by_asc(payment::Column::Attempt).all().await?, |payment| (payment.business_id, payment.invoice_id)))
}

/// A method by id, unless it is removed.
///
/// # Errors
/// The database's fault.
pub async fn method_by_id(reader: &Reader, id: PaymentMethodId) -> Result<Option<PaymentMethod>, Error> {
    Ok(reader.by_id::<payment_method::Entity, _>(id).await?.filter(|method| method.removed_at.is_none()))
}

/// The methods that are not removed, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn methods(reader: &Reader) -> Result<Vec<PaymentMethod>, Error> {
    let select = reader.select::<payment_method::Entity>().filter(payment_method::Column::RemovedAt.is_null());
    select.order_by_desc(payment_method::Column::CreatedAt).order_by_desc(payment_method::Column::Id).all().await
}

/// Many methods by id, those that are removed left out.
///
/// # Errors
/// The database's fault.
pub async fn methods_by_ids(reader: &Reader, ids: &[Of<PaymentMethodId>]) -> Result<HashMap<Of<PaymentMethodId>, PaymentMethod>, Error> {
    let select = reader.select_of::<payment_method::Entity, _>(payment_method::Column::Id, ids);
    let rows = select.filter(payment_method::Column::RemovedAt.is_null()).all().await?;
    Ok(rows.into_iter().map(|row| ((row.business_id, row.id), row)).collect())
}
