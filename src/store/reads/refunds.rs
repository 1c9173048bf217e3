//! Refunds as the API shows them.

use std::collections::HashMap;

use sea_orm::QueryOrder as _;

use super::{Of, grouped};
use crate::error::Error;
use crate::ids::{CreditNoteId, PaymentId, RefundId};
use crate::store::Reader;
use crate::store::entity::payments::refund;

pub use crate::store::entity::payments::refund::Model as Refund;

/// One by id.
///
/// # Errors
/// The database's fault.
pub async fn by_id(reader: &Reader, id: RefundId) -> Result<Option<Refund>, Error> {
    reader.by_id::<refund::Entity, _>(id).await
}

/// Many by id.
///
/// # Errors
/// The database's fault.
pub async fn by_ids(reader: &Reader, ids: &[Of<RefundId>]) -> Result<HashMap<Of<RefundId>, Refund>, Error> {
    let rows = reader.select_of::<refund::Entity, _>(refund::Column::Id, ids).all().await?;
    Ok(rows.into_iter().map(|row| ((row.business_id, row.id), row)).collect())
}

/// The refunds of many payments, the oldest first.
///
/// # Errors
/// The database's fault.
pub async fn of_payments(reader: &Reader, payments: &[Of<PaymentId>]) -> Result<HashMap<Of<PaymentId>, Vec<Refund>>, Error> {
    let select = reader.select_of::<refund::Entity, _>(refund::Column::PaymentId, payments);
    Ok(grouped(in_order(select).await?, |refund| (refund.business_id, refund.payment_id)))
}

/// The refunds of many credit notes, the oldest first.
///
/// # Errors
/// The database's fault.
pub async fn of_credit_notes(reader: &Reader, notes: &[Of<CreditNoteId>]) -> Result<HashMap<Of<CreditNoteId>, Vec<Refund>>, Error> {
    let select = reader.select_of::<refund::Entity, _>(refund::Column::CreditNoteId, notes);
    Ok(grouped(in_order(select).await?, |refund| (refund.business_id, refund.credit_note_id)))
}

/// The oldest first.
async fn in_order(select: crate::store::tenant::Scoped<refund::Entity>) -> Result<Vec<Refund>, Error> {
    select.order_by_asc(refund::Column::CreatedAt).order_by_asc(refund::Column::Id).all().await
}
