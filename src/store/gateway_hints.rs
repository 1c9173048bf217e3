//! What gateways that sign nothing have said of a business's payments: each body once.

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::entity::payments::gateway_hint;
use super::types::{HeardKind, Instant};
use super::{System, Tenant};
use crate::error::Error;
use crate::ids::{GatewayHintId, PaymentId, RefundId};

pub use super::entity::payments::gateway_hint::Model as GatewayHint;

/// The most that is kept of one payment: more than any gateway says.
const MOST: u64 = 32;

/// Something to keep.
#[derive(Debug, Clone)]
pub struct NewHint {
    /// Its id.
    pub id: GatewayHintId,
    /// The payment.
    pub payment: PaymentId,
    /// The refund of it that it tells of.
    pub refund: Option<RefundId>,
    /// Of what.
    pub heard_of: HeardKind,
    /// Of the body as it came.
    pub digest: String,
    /// The gateway's own id of the request.
    pub reference: String,
    /// Whether it says that money moved.
    pub succeeded: bool,
    /// Its code.
    pub code: String,
    /// What the payer's books call it.
    pub receipt: Option<String>,
    /// How much it says. Minor units.
    pub amount_minor: Option<i64>,
    /// To whom it says that money moved.
    pub receiver: Option<String>,
    /// Now.
    pub at: Instant,
}

/// Keeps what was said; answers whether it is new and was kept. The payment is locked.
///
/// # Errors
/// The database's fault.
pub async fn keep(tenant: &Tenant, new: NewHint) -> Result<bool, Error> {
    let of_payment = tenant.select::<gateway_hint::Entity>().filter(gateway_hint::Column::PaymentId.eq(new.payment));
    if of_payment.count_up_to(MOST).await? >= MOST {
        return Ok(false);
    }
    let row = gateway_hint::ActiveModel {
        id: Set(new.id),
        payment_id: Set(new.payment),
        refund_id: Set(new.refund),
        heard_of: Set(new.heard_of),
        digest: Set(new.digest),
        reference: Set(new.reference),
        succeeded: Set(new.succeeded),
        code: Set(new.code),
        receipt: Set(new.receipt),
        amount_minor: Set(new.amount_minor),
        receiver: Set(new.receiver),
        received_at: Set(new.at),
        ..Default::default()
    };
    tenant.insert_if_new(row).await
}

/// What was said of a payment, or of one refund of it, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn of(tenant: &Tenant, payment: PaymentId, refund: Option<RefundId>) -> Result<Vec<GatewayHint>, Error> {
    let all = tenant.select::<gateway_hint::Entity>().filter(gateway_hint::Column::PaymentId.eq(payment));
    let of = match refund {
        Some(refund) => all.filter(gateway_hint::Column::RefundId.eq(refund)),
        None => all.filter(gateway_hint::Column::RefundId.is_null()),
    };
    of.order_by_desc(gateway_hint::Column::ReceivedAt).order_by_desc(gateway_hint::Column::Id).all().await
}

/// Removes up to `most` that were said before `until`; answers how many.
///
/// # Errors
/// The database's fault.
pub async fn remove(system: &System, until: Instant, most: i64) -> Result<u64, Error> {
    let sql = "delete from gateway_hints where received_at < $1 and (business_id, id) in (
                 select business_id, id from gateway_hints where received_at < $1 limit $2)";
    system.run_with(sql, vec![until.into(), most.into()]).await
}
