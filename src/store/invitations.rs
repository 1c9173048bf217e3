//! Invitations to a business. Of the token in a link the hash alone is kept, for the system alone.

use std::collections::HashMap;

use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, Condition, IntoActiveModel as _, QueryFilter as _, QuerySelect as _};

use super::entity::customers::{invitation, invitation_token};
use super::page::{self, Page, Window};
use super::types::Instant;
use super::{Reader, System, Tenant};
use crate::error::Error;
use crate::ids::{BusinessId, InvitationId};

pub use super::entity::customers::invitation::Model as Invitation;
pub use super::entity::customers::invitation_token::Model as InvitationToken;

impl Invitation {
    /// Whether it may be accepted at `now`.
    pub fn is_good(&self, now: Instant) -> bool {
        self.accepted_at.is_none() && self.revoked_at.is_none() && now < self.expires_at
    }
}

/// Neither accepted nor taken back.
fn open() -> Condition {
    Condition::all().add(invitation::Column::AcceptedAt.is_null()).add(invitation::Column::RevokedAt.is_null())
}

/// Writes an invitation.
///
/// # Errors
/// [`Error::UniqueViolation`] where the address has an open one.
pub async fn insert(tenant: &Tenant, row: Invitation) -> Result<(), Error> {
    tenant.insert_many::<invitation::Entity, _>(vec![row.into_active_model().reset_all()]).await
}

/// One of this business's, by id, whether it is open or not.
///
/// # Errors
/// The database's fault.
pub async fn find(tenant: &Tenant, id: InvitationId) -> Result<Option<Invitation>, Error> {
    tenant.by_id::<invitation::Entity, _>(id).await
}

/// One that is open, by id.
///
/// # Errors
/// The database's fault.
pub async fn open_by_id(reader: &Reader, id: InvitationId) -> Result<Option<Invitation>, Error> {
    reader.select::<invitation::Entity>().filter(open()).filter(invitation::Column::Id.eq(id)).one().await
}

/// How many of this business's are open, counted no further than `most` + 1.
///
/// # Errors
/// The database's fault.
pub async fn count_open(tenant: &Tenant, most: u64) -> Result<u64, Error> {
    tenant.select::<invitation::Entity>().filter(open()).count_up_to(most).await
}

/// How many of this business's may be accepted at `now`, counted no further than `most` + 1.
///
/// # Errors
/// The database's fault.
pub async fn count_good(tenant: &Tenant, now: Instant, most: u64) -> Result<u64, Error> {
    let good = open().add(invitation::Column::ExpiresAt.gt(now));
    tenant.select::<invitation::Entity>().filter(good).count_up_to(most).await
}

/// Takes the open invitation of an address back, where there is one.
///
/// # Errors
/// The database's fault.
pub async fn revoke_of(tenant: &Tenant, email_key: &str, now: Instant) -> Result<(), Error> {
    let change = |update: super::tenant::ScopedUpdate<invitation::Entity>| {
        update.set(invitation::Column::RevokedAt, now).filter(open()).filter(invitation::Column::EmailKey.eq(email_key))
    };
    tenant.update_where::<invitation::Entity>(change).await.map(drop)
}

/// Notes that an invitation was accepted.
///
/// # Errors
/// The database's fault.
pub async fn accept(tenant: &Tenant, held: &Invitation, now: Instant) -> Result<(), Error> {
    let row = Invitation { accepted_at: Some(now), ..held.clone() };
    tenant.update::<invitation::Entity, _>(row.into_active_model().reset_all()).await.map(drop)
}

/// The same part of many businesses' lists of open invitations, the newest first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn pages(reader: &Reader, businesses: &[BusinessId], window: Window) -> Result<HashMap<BusinessId, Page<Invitation>>, Error> {
    let rows = || reader.select_of_businesses::<invitation::Entity>(businesses).filter(open());
    let order = (invitation::Column::CreatedAt, invitation::Column::Id);
    page::newest_of_each(rows, businesses, invitation::Column::BusinessId, order, window, |row| row.business_id).await
}

/// How many open invitations each of many businesses has, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn counts(reader: &Reader, businesses: &[BusinessId]) -> Result<HashMap<BusinessId, u64>, Error> {
    page::count_of_each(reader.select_of_businesses::<invitation::Entity>(businesses).filter(open())).await
}

/// Writes the hash of a link's token.
///
/// # Errors
/// The database's fault.
pub async fn insert_token(system: &System, row: InvitationToken) -> Result<(), Error> {
    system.insert(row.into_active_model().reset_all()).await.map(drop)
}

/// What a token's hash is of.
///
/// # Errors
/// The database's fault.
pub async fn token(system: &System, hash: &[u8]) -> Result<Option<InvitationToken>, Error> {
    let found = system.select::<invitation_token::Entity>().filter(invitation_token::Column::Hash.eq(hash)).limit(1);
    Ok(found.one(system.connection()).await?)
}
