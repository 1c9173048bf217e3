//! Mails: one row for each, from when it is called for until it was handed over or given up.

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _};

use super::Tenant;
use super::entity::notifications::mail;
use super::types::{Instant, MailStatus};
use crate::error::Error;
use crate::ids::{EventId, MailId, UserId};

pub use super::entity::notifications::mail::Model as StoredMail;

/// Writes mails.
///
/// # Errors
/// [`Error::UniqueViolation`] where a person has one of the event.
pub async fn insert(tenant: &Tenant, rows: Vec<StoredMail>) -> Result<(), Error> {
    tenant.insert_many::<mail::Entity, _>(rows.into_iter().map(|row| row.into_active_model().reset_all()).collect()).await
}

/// The people who have a mail of an event; `None` is the business's own address.
///
/// # Errors
/// The database's fault.
pub async fn people_of_event(tenant: &Tenant, event: EventId) -> Result<Vec<Option<UserId>>, Error> {
    let mails = tenant.select::<mail::Entity>().filter(mail::Column::EventId.eq(event)).all().await?;
    Ok(mails.into_iter().map(|mail| mail.user_id).collect())
}

/// The mail of that id, if this business has it.
///
/// # Errors
/// The database's fault.
pub async fn find(tenant: &Tenant, id: MailId) -> Result<Option<StoredMail>, Error> {
    tenant.by_id::<mail::Entity, _>(id).await
}

/// Writes what became of a mail. `error` is what the server said; it holds no text of the mail.
///
/// # Errors
/// The database's fault.
pub async fn conclude(tenant: &Tenant, id: MailId, status: MailStatus, error: Option<String>, now: Instant) -> Result<(), Error> {
    let change = |update: super::tenant::ScopedUpdate<mail::Entity>| {
        update
            .set(mail::Column::Status, status)
            .set(mail::Column::Error, error)
            .set(mail::Column::UpdatedAt, now)
            .filter(mail::Column::Id.eq(id))
    };
    tenant.update_where::<mail::Entity>(change).await.map(drop)
}
