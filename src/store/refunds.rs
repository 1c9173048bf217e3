//! Refunds: attempts to pay a part of a payment back. Whoever changes one has locked the business first.
//!
//! A payment's `refunding_minor` is what its refunds come to that have not failed: written with each of them, it is what keeps
//! them from coming to more than was taken.

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::Tenant;
use super::entity::payments::{payment, refund};
use super::live::Subject;
use super::payments::Payment;
use super::types::Instant;
use crate::billing::lifecycle::{PaymentStatus, RefundStatus};
use crate::error::Error;
use crate::ids::{CreditNoteId, InvoiceId, RefundId};
use crate::money::Money;

pub use super::entity::payments::refund::Model as Refund;

impl Refund {
    /// What is to be paid back.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for an amount that no amount can be.
    pub fn amount(&self) -> Result<Money, Error> {
        Money::new(self.amount_minor, self.currency).map_err(|_| Error::Corrupt("a refund's amount is past what an amount may be".into()))
    }
}

/// The states of payments that took money.
const TOOK: [PaymentStatus; 4] =
    [PaymentStatus::Succeeded, PaymentStatus::PartiallyRefunded, PaymentStatus::Refunded, PaymentStatus::Disputed];

/// The payments of these invoices that took money, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn captured(tenant: &Tenant, invoices: &[InvoiceId]) -> Result<Vec<Payment>, Error> {
    let of_invoices = tenant.select::<payment::Entity>().filter(payment::Column::InvoiceId.is_in(invoices.iter().copied()));
    let took = of_invoices.filter(payment::Column::Status.is_in(TOOK));
    took.order_by_desc(payment::Column::SettledAt).order_by_desc(payment::Column::Id).all().await
}

/// A refund to write.
#[derive(Debug, Clone)]
pub struct NewRefund<'a> {
    /// Its id, which is the key that the gateway is given.
    pub id: RefundId,
    /// What is paid back a part of, as it is now.
    pub payment: &'a Payment,
    /// Why.
    pub credit_note: CreditNoteId,
    /// Minor units, above zero.
    pub amount_minor: i64,
    /// Now.
    pub at: Instant,
}

/// Writes a refund as CREATED, and on its payment that so much more is being paid back; answers the payment as it is then.
///
/// # Errors
/// The database's fault: more than was taken is one.
pub async fn insert(tenant: &Tenant, new: NewRefund<'_>) -> Result<Payment, Error> {
    let row = refund::ActiveModel {
        id: Set(new.id),
        payment_id: Set(new.payment.id),
        credit_note_id: Set(new.credit_note),
        currency: Set(new.payment.currency),
        amount_minor: Set(new.amount_minor),
        status: Set(RefundStatus::Created),
        gateway: Set(new.payment.gateway.clone()),
        fence: Set(0),
        created_at: Set(new.at),
        updated_at: Set(new.at),
        ..Default::default()
    };
    tenant.insert_many(vec![row]).await?;
    let refunding_minor = new.payment.refunding_minor.saturating_add(new.amount_minor);
    refunding(tenant, new.payment, refunding_minor).await
}

/// Writes on a payment what its refunds come to that have not failed.
async fn refunding(tenant: &Tenant, payment: &Payment, refunding_minor: i64) -> Result<Payment, Error> {
    let row = payment::ActiveModel {
        business_id: Set(payment.business_id),
        id: Set(payment.id),
        refunding_minor: Set(refunding_minor),
        ..Default::default()
    };
    tenant.changed(Subject::Payment(payment.id));
    tenant.update(row).await
}

/// Writes on a locked payment that `amount_minor` of it is not being paid back after all.
///
/// # Errors
/// The database's fault.
pub async fn give_up(tenant: &Tenant, payment: &Payment, amount_minor: i64) -> Result<(), Error> {
    refunding(tenant, payment, payment.refunding_minor.saturating_sub(amount_minor)).await.map(drop)
}

/// Writes on a locked payment that `amount_minor` more of it was paid back, and the state that it has then.
///
/// # Errors
/// The database's fault: more than was being paid back is one.
pub async fn paid_back(tenant: &Tenant, payment: &Payment, amount_minor: i64, status: PaymentStatus, now: Instant) -> Result<(), Error> {
    let row = payment::ActiveModel {
        business_id: Set(payment.business_id),
        id: Set(payment.id),
        refunded_minor: Set(payment.refunded_minor.saturating_add(amount_minor)),
        status: Set(status),
        updated_at: Set(now),
        ..Default::default()
    };
    tenant.changed(Subject::Payment(payment.id));
    tenant.update(row).await.map(drop)
}

/// A refund, locked until the transaction ends. The lock of its payment comes before it.
///
/// # Errors
/// [`Error::Corrupt`] where it is gone: refunds are never deleted.
pub async fn lock(tenant: &Tenant, id: RefundId) -> Result<Refund, Error> {
    tenant.lock_by_id::<refund::Entity, _>(id).await?.ok_or_else(|| Error::Corrupt("a refund is gone".into()))
}

/// Takes a locked refund in hand: whoever had it before cannot write its outcome any more. Answers it with the new fence.
///
/// # Errors
/// The database's fault.
pub async fn take(tenant: &Tenant, held: &Refund, status: RefundStatus, now: Instant) -> Result<Refund, Error> {
    let since = if status == held.status { held.updated_at } else { now };
    let row = refund::ActiveModel {
        business_id: Set(held.business_id),
        id: Set(held.id),
        fence: Set(held.fence.saturating_add(1)),
        status: Set(status),
        updated_at: Set(since),
        ..Default::default()
    };
    tenant.update(row).await
}

/// What changes with a refund's state.
#[derive(Debug, Clone, Default)]
pub struct RefundChange {
    /// The gateway's own id of it.
    pub gateway_reference: Option<String>,
    /// Why it was not paid: a code, and a sentence.
    pub failure: Option<(String, String)>,
    /// When it was known what became of it.
    pub settled_at: Option<Instant>,
}

/// Gives a locked refund a new state.
///
/// # Errors
/// The database's fault.
pub async fn change_status(tenant: &Tenant, held: &Refund, to: RefundStatus, change: RefundChange, now: Instant) -> Result<Refund, Error> {
    let (code, message) = change.failure.unzip();
    let row = refund::ActiveModel {
        business_id: Set(held.business_id),
        id: Set(held.id),
        status: Set(to),
        gateway_reference: Set(change.gateway_reference),
        failure_code: Set(code),
        failure_message: Set(message),
        settled_at: Set(change.settled_at),
        updated_at: Set(now),
        ..Default::default()
    };
    tenant.update(row).await
}
