//! Mails: one row for each, from when it is called for until it was handed over or given up.

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _};

use super::entity::notifications::mail;
use super::page::{MAX_COUNT, Page, Window, newest_first};
use super::tenant::Scoped;
use super::types::{Instant, MailStatus};
use super::{Reader, Tenant};
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

/// A page of those that were given up, the last one first.
///
/// # Errors
/// The database's fault.
pub async fn failed(reader: &Reader, window: Window) -> Result<Page<StoredMail>, Error> {
    newest_first(given_up(reader), mail::Column::UpdatedAt, mail::Column::Id, window).await
}

/// How many were given up, counted no further than the API shows.
///
/// # Errors
/// The database's fault.
pub async fn count_failed(reader: &Reader) -> Result<u64, Error> {
    given_up(reader).count_up_to(MAX_COUNT).await
}

/// Those that were given up.
fn given_up(reader: &Reader) -> Scoped<mail::Entity> {
    reader.select::<mail::Entity>().filter(mail::Column::Status.eq(MailStatus::Failed))
}
