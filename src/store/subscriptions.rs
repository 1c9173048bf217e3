//! Subscriptions, their periods and changes, and the lines that wait for the next invoice.
//!
//! Whoever changes a row here holds the business's lock and the subscription's.

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _};

use super::Tenant;
use super::entity::subscriptions::{pending_line, period, subscription, subscription_change};
use super::live::Subject;
use super::types::Instant;
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::Error;
use crate::ids::{InvoiceId, PeriodId, ProductId, SubscriptionChangeId, SubscriptionId};

pub use super::entity::subscriptions::pending_line::Model as PendingLine;
pub use super::entity::subscriptions::period::Model as Period;
pub use super::entity::subscriptions::subscription::Model as Subscription;
pub use super::entity::subscriptions::subscription_change::Model as SubscriptionChange;

/// The states in which a subscription is the business's one to its product.
const LIVE: [SubscriptionStatus; 5] = [
    SubscriptionStatus::Incomplete,
    SubscriptionStatus::Trialing,
    SubscriptionStatus::Active,
    SubscriptionStatus::PastDue,
    SubscriptionStatus::Suspended,
];

/// The subscription of that id, if this business has it.
///
/// # Errors
/// The database's fault.
pub async fn find(tenant: &Tenant, id: SubscriptionId) -> Result<Option<Subscription>, Error> {
    tenant.by_id::<subscription::Entity, _>(id).await
}

/// The same, locked until the transaction ends. The business's lock comes before it.
///
/// # Errors
/// The database's fault.
pub async fn lock(tenant: &Tenant, id: SubscriptionId) -> Result<Option<Subscription>, Error> {
    tenant.lock_by_id::<subscription::Entity, _>(id).await
}

/// The live subscription to a product.
///
/// # Errors
/// The database's fault.
pub async fn live(tenant: &Tenant, product: ProductId) -> Result<Option<Subscription>, Error> {
    let of_product = tenant.select::<subscription::Entity>().filter(subscription::Column::ProductId.eq(product));
    of_product.filter(subscription::Column::Status.is_in(LIVE)).one().await
}

/// Whether the business has had a trial of a product.
///
/// # Errors
/// The database's fault.
pub async fn had_trial(tenant: &Tenant, product: ProductId) -> Result<bool, Error> {
    let of_product = tenant.select::<subscription::Entity>().filter(subscription::Column::ProductId.eq(product));
    Ok(of_product.filter(subscription::Column::TrialEnd.is_not_null()).one().await?.is_some())
}

/// Writes a new subscription.
///
/// # Errors
/// [`Error::UniqueViolation`] where the product has a live one.
pub async fn insert(tenant: &Tenant, row: Subscription) -> Result<Subscription, Error> {
    tenant.changed(Subject::Subscription(row.id));
    tenant.insert::<subscription::Entity, _>(row.into_active_model().reset_all()).await
}

/// Writes every column of a subscription.
///
/// # Errors
/// The database's fault.
pub async fn save(tenant: &Tenant, row: &Subscription) -> Result<(), Error> {
    tenant.changed(Subject::Subscription(row.id));
    tenant.save::<subscription::Entity, _>(row.clone().into_active_model().reset_all()).await
}

/// The period of that number.
///
/// # Errors
/// The database's fault.
pub async fn period(tenant: &Tenant, subscription: SubscriptionId, number: i32) -> Result<Option<Period>, Error> {
    let of_subscription = tenant.select::<period::Entity>().filter(period::Column::SubscriptionId.eq(subscription));
    of_subscription.filter(period::Column::Number.eq(number)).one().await
}

/// The ids of the periods from that number on.
///
/// # Errors
/// The database's fault.
pub async fn periods_from(tenant: &Tenant, subscription: SubscriptionId, number: i32) -> Result<Vec<PeriodId>, Error> {
    let of_subscription = tenant.select::<period::Entity>().filter(period::Column::SubscriptionId.eq(subscription));
    let rows = of_subscription.filter(period::Column::Number.gte(number)).order_by_asc(period::Column::Number).all().await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Writes a new period.
///
/// # Errors
/// [`Error::UniqueViolation`] where the subscription has one of that number: it was billed already.
pub async fn insert_period(tenant: &Tenant, row: Period) -> Result<Period, Error> {
    tenant.insert_many::<period::Entity, _>(vec![row.clone().into_active_model().reset_all()]).await?;
    Ok(row)
}

/// Ends a period before its boundary.
///
/// # Errors
/// The database's fault.
pub async fn shorten_period(tenant: &Tenant, id: PeriodId, ends_at: Instant) -> Result<(), Error> {
    let change =
        |update: super::tenant::ScopedUpdate<period::Entity>| update.set(period::Column::EndsAt, ends_at).filter(period::Column::Id.eq(id));
    tenant.update_where::<period::Entity>(change).await.map(drop)
}

/// Notes which invoice charged a period as it was opened.
///
/// # Errors
/// The database's fault.
pub async fn set_period_invoice(tenant: &Tenant, id: PeriodId, invoice: InvoiceId) -> Result<(), Error> {
    let change = |update: super::tenant::ScopedUpdate<period::Entity>| {
        update.set(period::Column::InvoiceId, invoice).filter(period::Column::Id.eq(id))
    };
    tenant.update_where::<period::Entity>(change).await.map(drop)
}

/// Has the ladders of this business that gave up on a payment method try again: there is another one.
///
/// # Errors
/// The database's fault.
pub async fn forget_hard_declines(tenant: &Tenant) -> Result<(), Error> {
    let change = |update: super::tenant::ScopedUpdate<subscription::Entity>| {
        update.set(subscription::Column::DunningHard, false).filter(subscription::Column::DunningHard.eq(true))
    };
    tenant.update_where::<subscription::Entity>(change).await.map(drop)
}

/// A change to write down.
#[derive(Debug, Clone)]
pub struct NewChange<'a> {
    /// Its id.
    pub id: SubscriptionChangeId,
    /// Of which.
    pub subscription: SubscriptionId,
    /// The version that it makes.
    pub version: i32,
    /// What kind of change.
    pub kind: &'a str,
    /// When it took effect.
    pub at: Instant,
    /// What it did, as JSON.
    pub details: String,
}

/// Writes a change down.
///
/// # Errors
/// [`Error::UniqueViolation`] where that version was made already.
pub async fn insert_change(tenant: &Tenant, new: NewChange<'_>) -> Result<(), Error> {
    let row = subscription_change::ActiveModel {
        id: Set(new.id),
        subscription_id: Set(new.subscription),
        version: Set(new.version),
        kind: Set(new.kind.to_owned()),
        at: Set(new.at),
        details: Set(new.details),
        ..Default::default()
    };
    tenant.insert_many(vec![row]).await
}

/// Whether that version of a subscription was made for a dispute that was lost.
///
/// # Errors
/// The database's fault; [`Error::Corrupt`] for details that are none.
pub async fn is_for_dispute(tenant: &Tenant, subscription: SubscriptionId, version: i32) -> Result<bool, Error> {
    let this = tenant.select::<subscription_change::Entity>().filter(subscription_change::Column::SubscriptionId.eq(subscription));
    let Some(change) = this.filter(subscription_change::Column::Version.eq(version)).one().await? else { return Ok(false) };
    let details: serde_json::Value =
        serde_json::from_str(&change.details).map_err(|_| Error::Corrupt("a change's details are none".into()))?;
    Ok(!details["what"]["dispute"].is_null())
}

/// The lines that wait for the next invoice, the oldest first.
///
/// # Errors
/// The database's fault.
pub async fn pending_lines(tenant: &Tenant, subscription: SubscriptionId) -> Result<Vec<PendingLine>, Error> {
    let of_subscription = tenant.select::<pending_line::Entity>().filter(pending_line::Column::SubscriptionId.eq(subscription));
    let waiting = of_subscription.filter(pending_line::Column::InvoiceId.is_null());
    waiting.order_by_asc(pending_line::Column::CreatedAt).order_by_asc(pending_line::Column::Id).all().await
}

/// Adds lines that wait.
///
/// # Errors
/// The database's fault.
pub async fn insert_pending_lines(tenant: &Tenant, rows: Vec<PendingLine>) -> Result<(), Error> {
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all()).collect();
    tenant.insert_many::<pending_line::Entity, _>(rows).await
}

/// Notes that every line that waits stands on `invoice` now.
///
/// # Errors
/// The database's fault.
pub async fn take_pending_lines(tenant: &Tenant, subscription: SubscriptionId, invoice: InvoiceId) -> Result<(), Error> {
    let change = |update: super::tenant::ScopedUpdate<pending_line::Entity>| {
        let update = update.set(pending_line::Column::InvoiceId, invoice);
        update.filter(pending_line::Column::SubscriptionId.eq(subscription)).filter(pending_line::Column::InvoiceId.is_null())
    };
    tenant.update_where::<pending_line::Entity>(change).await.map(drop)
}

/// The lines that wait on a draft for its issue.
///
/// # Errors
/// The database's fault.
pub async fn draft_lines(tenant: &Tenant, draft: InvoiceId) -> Result<Vec<PendingLine>, Error> {
    let on_it = tenant.select::<pending_line::Entity>().filter(pending_line::Column::InvoiceId.eq(draft));
    on_it.order_by_asc(pending_line::Column::CreatedAt).order_by_asc(pending_line::Column::Id).all().await
}

/// Has the lines of a draft that is never issued wait for the subscription's next invoice, and its period stand without one.
///
/// # Errors
/// The database's fault.
pub async fn release_draft(tenant: &Tenant, draft: InvoiceId) -> Result<(), Error> {
    let lines = |update: super::tenant::ScopedUpdate<pending_line::Entity>| {
        let update = update.set(pending_line::Column::InvoiceId, Option::<InvoiceId>::None);
        update.filter(pending_line::Column::InvoiceId.eq(draft))
    };
    tenant.update_where::<pending_line::Entity>(lines).await?;
    let periods = |update: super::tenant::ScopedUpdate<period::Entity>| {
        update.set(period::Column::InvoiceId, Option::<InvoiceId>::None).filter(period::Column::InvoiceId.eq(draft))
    };
    tenant.update_where::<period::Entity>(periods).await.map(drop)
}
