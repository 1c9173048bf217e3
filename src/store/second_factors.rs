//! Second factors of people and of staff, and the hashes of their recovery codes: for the system alone.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, Condition, IntoActiveModel as _, QueryFilter as _, QuerySelect as _};
use uuid::Uuid;

use super::System;
use super::entity::customers::{recovery_code, second_factor};
use super::types::Instant;
use crate::error::Error;

pub use super::entity::customers::recovery_code::Model as RecoveryCode;
pub use super::entity::customers::second_factor::Model as SecondFactor;

/// The second factor of a holder, confirmed or only begun, locked until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn lock(system: &System, holder: Uuid) -> Result<Option<SecondFactor>, Error> {
    let row = system.select::<second_factor::Entity>().filter(second_factor::Column::HolderId.eq(holder)).lock_exclusive();
    Ok(row.one(system.connection()).await?)
}

/// Writes a second factor in the place of the one that its holder has. The holder's row must be locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn replace(system: &System, row: SecondFactor) -> Result<(), Error> {
    remove(system, row.holder_id).await?;
    system.insert(row.into_active_model().reset_all()).await.map(drop)
}

/// Confirms a second factor by the digits of a step, which are spent by it, and writes its recovery codes.
///
/// # Errors
/// The database's fault.
pub async fn confirm(system: &System, held: &SecondFactor, step: i64, codes: Vec<RecoveryCode>, now: Instant) -> Result<(), Error> {
    let row = SecondFactor { confirmed_at: Some(now), last_step: Some(step), ..held.clone() };
    system.update(row.into_active_model().reset_all()).await?;
    insert_codes(system, codes).await
}

/// Writes recovery codes of a second factor.
///
/// # Errors
/// The database's fault.
pub async fn insert_codes(system: &System, codes: Vec<RecoveryCode>) -> Result<(), Error> {
    system.insert_many(codes.into_iter().map(|code| code.into_active_model().reset_all()).collect()).await
}

/// Spends the digits of a step. The row must be locked by this transaction, and its last step lie before.
///
/// # Errors
/// The database's fault.
pub async fn spend_step(system: &System, held: &SecondFactor, step: i64) -> Result<(), Error> {
    let row = SecondFactor { last_step: Some(step), ..held.clone() };
    system.update(row.into_active_model().reset_all()).await.map(drop)
}

/// Spends a recovery code of a holder; answers whether there was one to spend. Of two who show it at once, one spends it.
///
/// # Errors
/// The database's fault.
pub async fn spend_code(system: &System, holder: Uuid, hash: &[u8], now: Instant) -> Result<bool, Error> {
    let update = system
        .update_many::<recovery_code::Entity>()
        .col_expr(recovery_code::Column::SpentAt, Expr::value(now))
        .filter(recovery_code::Column::Hash.eq(hash))
        .filter(recovery_code::Column::HolderId.eq(holder))
        .filter(recovery_code::Column::SpentAt.is_null());
    Ok(update.exec(system.connection()).await?.rows_affected == 1)
}

/// Removes the second factor of a holder with its recovery codes, where there is one.
///
/// # Errors
/// The database's fault.
pub async fn remove(system: &System, holder: Uuid) -> Result<(), Error> {
    system.delete_where::<recovery_code::Entity>(Condition::all().add(recovery_code::Column::HolderId.eq(holder))).await?;
    system.delete_where::<second_factor::Entity>(Condition::all().add(second_factor::Column::HolderId.eq(holder))).await
}
