//! Mails to staff, who belong to no business: one row for each, from when it is called for until it was handed over or given up. For
//! the system alone.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::System;
use super::entity::staff::staff_mail;
use super::types::{Instant, MailStatus};
use crate::error::Error;

pub use super::entity::staff::staff_mail::Model as StaffMail;

/// Writes a mail.
///
/// # Errors
/// The database's fault.
pub async fn insert(system: &System, row: StaffMail) -> Result<(), Error> {
    system.insert(row.into_active_model().reset_all()).await.map(drop)
}

/// Takes up to `most` that are due at `now` in hand, which nobody else does before `until`; each is tried once more by that.
///
/// # Errors
/// The database's fault.
pub async fn take_due(system: &System, now: Instant, until: Instant, most: u64) -> Result<Vec<StaffMail>, Error> {
    let due = system
        .select::<staff_mail::Entity>()
        .filter(staff_mail::Column::Status.eq(MailStatus::Queued))
        .filter(staff_mail::Column::DueAt.lte(now))
        .order_by_asc(staff_mail::Column::DueAt)
        .limit(most)
        .lock_exclusive();
    let mut taken = Vec::new();
    for row in due.all(system.connection()).await? {
        let row = StaffMail { attempts: row.attempts.saturating_add(1), due_at: until, updated_at: now, ..row };
        system.update(row.clone().into_active_model().reset_all()).await?;
        taken.push(row);
    }
    Ok(taken)
}

/// Writes what became of a mail that was taken in hand, and has not been told of by another since.
///
/// # Errors
/// The database's fault.
pub async fn conclude(system: &System, taken: &StaffMail, after: StaffMail) -> Result<(), Error> {
    let update = system
        .update_many::<staff_mail::Entity>()
        .col_expr(staff_mail::Column::Status, Expr::value(after.status))
        .col_expr(staff_mail::Column::DueAt, Expr::value(after.due_at))
        .col_expr(staff_mail::Column::Error, Expr::value(after.error))
        .col_expr(staff_mail::Column::UpdatedAt, Expr::value(after.updated_at))
        .filter(staff_mail::Column::Id.eq(taken.id))
        .filter(staff_mail::Column::Attempts.eq(taken.attempts));
    update.exec(system.connection()).await?;
    Ok(())
}
