//! Payments and payment methods as the API shows them.

use std::collections::HashMap;

use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::grouped;
use crate::billing::lifecycle::PaymentStatus;
use crate::error::Error;
use crate::ids::{InvoiceId, PaymentId, PaymentMethodId};
use crate::store::Tenant;
use crate::store::entity::payments::{payment, payment_method};
use crate::store::page::{MAX_COUNT, Page, Window, newest_first};
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
}

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(tenant: &Tenant, id: PaymentId) -> Result<Option<Payment>, Error> {
    tenant.by_id::<payment::Entity, _>(id).await
}

/// A page, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(tenant: &Tenant, filter: &PaymentFilter, window: Window) -> Result<Page<Payment>, Error> {
    newest_first(filtered(tenant, filter), payment::Column::CreatedAt, payment::Column::Id, window).await
}

/// How many there are, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count(tenant: &Tenant, filter: &PaymentFilter) -> Result<u64, Error> {
    filtered(tenant, filter).count_up_to(MAX_COUNT).await
}

/// What `filter` leaves.
fn filtered(tenant: &Tenant, filter: &PaymentFilter) -> Scoped<payment::Entity> {
    let mut select = tenant.select::<payment::Entity>();
    if let Some(statuses) = &filter.statuses {
        select = select.filter(payment::Column::Status.is_in(statuses.iter().copied()));
    }
    if let Some(invoice) = filter.invoice {
        select = select.filter(payment::Column::InvoiceId.eq(invoice));
    }
    select
}

/// The payments of many invoices, each invoice's first attempt first.
///
/// # Errors
/// The database's fault.
pub async fn of_invoices(tenant: &Tenant, invoices: &[InvoiceId]) -> Result<HashMap<InvoiceId, Vec<Payment>>, Error> {
    let select = tenant.select::<payment::Entity>().filter(payment::Column::InvoiceId.is_in(invoices.iter().copied()));
    Ok(grouped(select.order_by_asc(payment::Column::Attempt).all().await?, |payment| payment.invoice_id))
}

/// The methods that are not removed, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn methods(tenant: &Tenant) -> Result<Vec<PaymentMethod>, Error> {
    let select = tenant.select::<payment_method::Entity>().filter(payment_method::Column::RemovedAt.is_null());
    select.order_by_desc(payment_method::Column::CreatedAt).order_by_desc(payment_method::Column::Id).all().await
}

/// Many methods by id, those that are removed left out.
///
/// # Errors
/// The database's fault.
pub async fn methods_by_ids(tenant: &Tenant, ids: &[PaymentMethodId]) -> Result<HashMap<PaymentMethodId, PaymentMethod>, Error> {
    let select = tenant.select::<payment_method::Entity>().filter(payment_method::Column::Id.is_in(ids.iter().copied()));
    let rows = select.filter(payment_method::Column::RemovedAt.is_null()).all().await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
