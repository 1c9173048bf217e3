//! People of an identity provider: whom its subjects are here, and the sessions that its tokens carry. For the system alone.

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _};

use super::System;
use super::entity::customers::{external_identity, external_session};
use super::types::Instant;
use crate::error::Error;
use crate::ids::{SessionId, UserId};

pub use super::entity::customers::external_identity::Model as ExternalIdentity;
pub use super::entity::customers::external_session::Model as ExternalSession;

/// Whom a subject of an issuer is here.
///
/// # Errors
/// The database's fault.
pub async fn user_of(system: &System, issuer: &str, subject: &str) -> Result<Option<UserId>, Error> {
    let found = system
        .select::<external_identity::Entity>()
        .filter(external_identity::Column::Issuer.eq(issuer))
        .filter(external_identity::Column::Subject.eq(subject));
    Ok(found.one(system.connection()).await?.map(|row| row.user_id))
}

/// Whether some subject of an issuer is a person here.
///
/// # Errors
/// The database's fault.
pub async fn is_linked(system: &System, issuer: &str, user: UserId) -> Result<bool, Error> {
    let found = system
        .select::<external_identity::Entity>()
        .filter(external_identity::Column::UserId.eq(user))
        .filter(external_identity::Column::Issuer.eq(issuer));
    Ok(found.one(system.connection()).await?.is_some())
}

/// Takes back that any subject is a person; answers whether there was one.
///
/// # Errors
/// The database's fault.
pub async fn remove_identities(system: &System, user: UserId) -> Result<bool, Error> {
    let of_user = system.select::<external_identity::Entity>().filter(external_identity::Column::UserId.eq(user));
    let had = of_user.one(system.connection()).await?.is_some();
    system.delete_where::<external_identity::Entity>(external_identity::Column::UserId.eq(user)).await?;
    Ok(had)
}

/// The sessions of a person that are carried by tokens of an identity provider are over.
///
/// # Errors
/// The database's fault.
pub async fn end_sessions(system: &System, user: UserId, now: Instant) -> Result<(), Error> {
    let sql = "update sessions set revoked_at = $1 where user_id = $2 and revoked_at is null
                 and id in (select session_id from external_sessions)";
    system.run_with(sql, vec![now.into(), user.into()]).await.map(drop)
}

/// Says whom a subject is.
///
/// # Errors
/// [`Error::UniqueViolation`] where that is said already, or the person is another subject of the same issuer.
pub async fn insert_identity(system: &System, row: ExternalIdentity) -> Result<(), Error> {
    system.insert(row.into_active_model().reset_all()).await.map(drop)
}

/// The session of a hash.
///
/// # Errors
/// The database's fault.
pub async fn session_of(system: &System, hash: &[u8]) -> Result<Option<SessionId>, Error> {
    let found = system.select::<external_session::Entity>().filter(external_session::Column::Hash.eq(hash));
    Ok(found.one(system.connection()).await?.map(|row| row.session_id))
}

/// Says which session a hash is of.
///
/// # Errors
/// [`Error::UniqueViolation`] where that is said already.
pub async fn insert_session(system: &System, row: ExternalSession) -> Result<(), Error> {
    system.insert(row.into_active_model().reset_all()).await.map(drop)
}

/// Whether a session is carried by tokens of an identity provider.
///
/// # Errors
/// The database's fault.
pub async fn carries(system: &System, session: SessionId) -> Result<bool, Error> {
    let found = system.select::<external_session::Entity>().filter(external_session::Column::SessionId.eq(session));
    Ok(found.one(system.connection()).await?.is_some())
}
