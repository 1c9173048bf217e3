//! Disputes of payments. Whoever changes one has locked the business first, and the payment.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _};

use super::entity::payments::{dispute, payment};
use super::live::Subject;
use super::payments::Payment;
use super::types::Instant;
use super::{System, Tenant};
use crate::billing::dispute::{DisputeFunds, DisputeStatus, Stand};
use crate::billing::lifecycle::PaymentStatus;
use crate::error::Error;
use crate::ids::{BusinessId, DisputeId, PaymentId, RefundId};
use crate::money::Money;

pub use super::entity::payments::dispute::Model as Dispute;

/// The states of a dispute in which its payment counts as disputed.
const HOLDING: [DisputeStatus; 3] = [DisputeStatus::NeedsResponse, DisputeStatus::UnderReview, DisputeStatus::Lost];

impl Dispute {
    /// What is disputed.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for an amount that no amount can be.
    pub fn amount(&self) -> Result<Money, Error> {
        Money::new(self.amount_minor, self.currency).map_err(|_| Error::Corrupt("a dispute's amount is past what an amount may be".into()))
    }

    /// How it stands.
    pub const fn stand(&self) -> Stand {
        Stand { status: self.status, funds: self.funds }
    }
}

/// Whose the charge is that a gateway knows by `reference`; `None` where no payment is it.
///
/// # Errors
/// The database's fault.
pub async fn business_of_charge(system: &System, gateway: &str, reference: &str) -> Result<Option<BusinessId>, Error> {
    let of_it = system.select::<payment::Entity>().filter(payment::Column::GatewayReference.eq(reference));
    Ok(of_it.filter(payment::Column::Gateway.eq(gateway)).one(system.connection()).await?.map(|row| row.business_id))
}

/// The payment that a gateway knows by `reference`, the one that took money where several attempts carry it.
///
/// # Errors
/// The database's fault.
pub async fn payment_of_charge(tenant: &Tenant, gateway: &str, reference: &str) -> Result<Option<Payment>, Error> {
    let of_it = tenant.select::<payment::Entity>().filter(payment::Column::GatewayReference.eq(reference));
    let of_it = of_it.filter(payment::Column::Gateway.eq(gateway)).order_by_desc(payment::Column::SettledAt).all().await?;
    let took = of_it.iter().find(|payment| payment.settled_at.is_some() && !payment.status.is_live()).cloned();
    Ok(took.or_else(|| of_it.into_iter().next()))
}

/// A dispute by its id.
///
/// # Errors
/// The database's fault.
pub async fn find(tenant: &Tenant, id: DisputeId) -> Result<Option<Dispute>, Error> {
    tenant.by_id::<dispute::Entity, _>(id).await
}

/// A dispute by what its gateway calls it.
///
/// # Errors
/// The database's fault.
pub async fn by_reference(tenant: &Tenant, gateway: &str, reference: &str) -> Result<Option<Dispute>, Error> {
    let of_it = tenant.select::<dispute::Entity>().filter(dispute::Column::GatewayReference.eq(reference));
    of_it.filter(dispute::Column::Gateway.eq(gateway)).one().await
}

/// A dispute to write.
#[derive(Debug, Clone)]
pub struct NewDispute {
    /// Its id.
    pub id: DisputeId,
    /// What is disputed.
    pub payment: PaymentId,
    /// The gateway that tells of it.
    pub gateway: String,
    /// What that calls it.
    pub gateway_reference: String,
    /// How much of it.
    pub amount: Money,
    /// Why, in the gateway's word.
    pub reason: String,
    /// Its state; no money has moved by our books.
    pub status: DisputeStatus,
    /// Until when evidence is taken.
    pub respond_by: Option<Instant>,
    /// When the bank began it.
    pub opened_at: Instant,
    /// Now.
    pub at: Instant,
}

/// Writes a dispute; answers it.
///
/// # Errors
/// [`Error::UniqueViolation`] where it is there.
pub async fn insert(tenant: &Tenant, new: NewDispute) -> Result<Dispute, Error> {
    let id = new.id;
    let row = dispute::ActiveModel {
        id: Set(id),
        payment_id: Set(new.payment),
        gateway: Set(new.gateway),
        gateway_reference: Set(new.gateway_reference),
        currency: Set(new.amount.currency()),
        amount_minor: Set(new.amount.minor()),
        reason: Set(new.reason),
        status: Set(new.status),
        funds: Set(DisputeFunds::NotTaken),
        respond_by: Set(new.respond_by),
        refund_id: Set(None),
        loss_minor: Set(0),
        opened_at: Set(new.opened_at),
        closed_at: Set(None),
        created_at: Set(new.at),
        updated_at: Set(new.at),
        ..Default::default()
    };
    tenant.insert_next::<dispute::Entity, _>(row, dispute::Column::Ordinal, Expr::val(1).eq(1)).await?;
    find(tenant, id).await?.ok_or_else(|| Error::Corrupt("a dispute is gone".into()))
}

/// What changes of a dispute with its stand.
#[derive(Debug, Clone)]
pub struct DisputeChange {
    /// How it stands.
    pub stand: Stand,
    /// How much is disputed, which may change until it is taken. Minor units.
    pub amount_minor: i64,
    /// Why.
    pub reason: String,
    /// Until when evidence is taken.
    pub respond_by: Option<Instant>,
    /// What was written for what is lost.
    pub refund: Option<RefundId>,
    /// What nothing could be credited for. Minor units.
    pub loss_minor: i64,
    /// When it was known how it ended.
    pub closed_at: Option<Instant>,
}

/// Changes a dispute; answers it.
///
/// # Errors
/// The database's fault.
pub async fn change(tenant: &Tenant, held: &Dispute, change: DisputeChange, now: Instant) -> Result<Dispute, Error> {
    let row = dispute::ActiveModel {
        business_id: Set(held.business_id),
        id: Set(held.id),
        status: Set(change.stand.status),
        funds: Set(change.stand.funds),
        amount_minor: Set(change.amount_minor),
        reason: Set(change.reason),
        respond_by: Set(change.respond_by),
        refund_id: Set(change.refund),
        loss_minor: Set(change.loss_minor),
        closed_at: Set(change.closed_at),
        updated_at: Set(now),
        ..Default::default()
    };
    tenant.update(row).await
}

/// Whether another dispute of the payment than that one keeps it disputed.
///
/// # Errors
/// The database's fault.
pub async fn is_held_by_another(tenant: &Tenant, payment: PaymentId, than: DisputeId) -> Result<bool, Error> {
    let of_it = tenant.select::<dispute::Entity>().filter(dispute::Column::PaymentId.eq(payment));
    let holding = of_it.filter(dispute::Column::Status.is_in(HOLDING));
    Ok(holding.filter(dispute::Column::Id.ne(than)).one().await?.is_some())
}

/// Gives a locked payment the state that a dispute leaves it in; answers it.
///
/// # Errors
/// The database's fault.
pub async fn mark(tenant: &Tenant, payment: &Payment, status: PaymentStatus, now: Instant) -> Result<Payment, Error> {
    let row = payment::ActiveModel {
        business_id: Set(payment.business_id),
        id: Set(payment.id),
        status: Set(status),
        updated_at: Set(now),
        ..Default::default()
    };
    tenant.changed(Subject::Payment(payment.id));
    tenant.update(row).await
}
