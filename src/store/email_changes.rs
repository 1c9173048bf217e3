//! Addresses that people have asked to change to: the newest of each person, for the system alone.

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, Condition, IntoActiveModel as _, QueryFilter as _};

use super::System;
use super::entity::customers::email_change;
use super::types::Instant;
use crate::error::Error;
use crate::ids::UserId;

pub use super::entity::customers::email_change::Model as EmailChange;

/// The newest change that a person asked for, confirmed or not.
///
/// # Errors
/// The database's fault.
pub async fn find(system: &System, user: UserId) -> Result<Option<EmailChange>, Error> {
    Ok(system.select::<email_change::Entity>().filter(email_change::Column::UserId.eq(user)).one(system.connection()).await?)
}

/// Writes a change in the place of the one that was asked for before. The person's row must be locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn put(system: &System, row: EmailChange) -> Result<(), Error> {
    system.delete_where::<email_change::Entity>(email_change::Column::UserId.eq(row.user_id)).await?;
    system.insert(row.into_active_model().reset_all()).await.map(drop)
}

/// Notes that a change took effect.
///
/// # Errors
/// The database's fault.
pub async fn conclude(system: &System, held: &EmailChange, now: Instant) -> Result<(), Error> {
    let row = EmailChange { confirmed_at: Some(now), ..held.clone() };
    system.update(row.into_active_model().reset_all()).await.map(drop)
}

/// Takes back a change that a person asked for, where it is not confirmed.
///
/// # Errors
/// The database's fault.
pub async fn withdraw(system: &System, user: UserId) -> Result<(), Error> {
    let open = Condition::all().add(email_change::Column::UserId.eq(user)).add(email_change::Column::ConfirmedAt.is_null());
    system.delete_where::<email_change::Entity>(open).await
}
