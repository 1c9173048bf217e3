//! Keys that programs sign in by. A business's keys are its own rows; where a key is looked up by its hash, before
//! anybody is known, and the keys of products, are the system's alone.

use sea_orm::sea_query::{Cond, Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, FromQueryResult, IntoActiveModel as _, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::entity::customers::business;
use super::entity::keys::{api_key, api_key_hash, service_key};
use super::types::{Instant, Scopes};
use super::{System, Tenant, customers};
use crate::error::Error;
use crate::ids::{ApiKeyId, BusinessId, ServiceKeyId};

pub use super::entity::keys::api_key::Model as ApiKey;
/// A whole row of `service_keys`, with its hash: for the system alone.
pub use super::entity::keys::service_key::Model as ServiceKey;

/// The most live keys that are listed of a business, or of all products.
pub const MAX_LISTED: u64 = 200;

/// What a key lets its holder do now.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct KeyAccess {
    /// What it was made for.
    pub scopes: Scopes,
    /// Whether it was ended.
    pub revoked: bool,
    /// Whether staff have suspended the business.
    pub business_suspended: bool,
}

/// The access of a key to this business, in one statement; `None` where the business has no such key.
///
/// # Errors
/// The database's fault.
pub async fn key_access(tenant: &Tenant, key: ApiKeyId) -> Result<Option<KeyAccess>, Error> {
    let to_key = business::Entity::belongs_to(api_key::Entity).from(business::Column::BusinessId).to(api_key::Column::BusinessId).into();
    let select = tenant
        .select::<business::Entity>()
        .join(JoinType::InnerJoin, to_key)
        .filter(api_key::Column::BusinessId.eq(tenant.business()))
        .filter(api_key::Column::Id.eq(key));
    let columns = vec![
        (Expr::col((api_key::Entity, api_key::Column::Scopes)), "scopes"),
        (Expr::col((api_key::Entity, api_key::Column::RevokedAt)).is_not_null(), "revoked"),
    ];
    customers::access(tenant, select, columns).await
}

/// A key that was found by its hash.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct FoundKey {
    /// Whose it is.
    pub business_id: BusinessId,
    /// Which.
    pub id: ApiKeyId,
    /// Until when it is good.
    pub expires_at: Option<Instant>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Instant>,
    /// When it was ended.
    pub revoked_at: Option<Instant>,
}

/// The key of a hash, whosever it is.
///
/// # Errors
/// The database's fault.
pub async fn key_by_hash(system: &System, hash: &[u8]) -> Result<Option<FoundKey>, Error> {
    let to_key = api_key_hash::Entity::belongs_to(api_key::Entity)
        .from((api_key_hash::Column::BusinessId, api_key_hash::Column::KeyId))
        .to((api_key::Column::BusinessId, api_key::Column::Id))
        .into();
    let found = system
        .select::<api_key_hash::Entity>()
        .join(JoinType::InnerJoin, to_key)
        .filter(api_key_hash::Column::Hash.eq(hash))
        .select_only()
        .column_as(api_key::Column::BusinessId, "business_id")
        .column_as(api_key::Column::Id, "id")
        .column_as(api_key::Column::ExpiresAt, "expires_at")
        .column_as(api_key::Column::LastUsedAt, "last_used_at")
        .column_as(api_key::Column::RevokedAt, "revoked_at");
    Ok(found.into_model::<FoundKey>().one(system.connection()).await?)
}

/// Adds a key to its business, with the hash it is found by.
///
/// # Errors
/// The database's fault.
pub async fn insert_key(system: &System, tenant: &Tenant, row: ApiKey, hash: &[u8]) -> Result<(), Error> {
    let found_by = api_key_hash::Model { hash: hash.to_vec(), business_id: tenant.business(), key_id: row.id };
    tenant.insert_many(vec![row.into_active_model().reset_all()]).await?;
    system.insert(found_by.into_active_model().reset_all()).await.map(drop)
}

/// This business's keys that are good at `now`, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn live_keys(tenant: &Tenant, now: Instant) -> Result<Vec<ApiKey>, Error> {
    let live = tenant.select::<api_key::Entity>().filter(live_key(now));
    live.order_by_desc(api_key::Column::CreatedAt).order_by_desc(api_key::Column::Id).limit(MAX_LISTED).all().await
}

/// How many keys of this business are good at `now`, counted no further than `most` + 1.
///
/// # Errors
/// The database's fault.
pub async fn count_live_keys(tenant: &Tenant, now: Instant, most: u64) -> Result<u64, Error> {
    tenant.select::<api_key::Entity>().filter(live_key(now)).count_up_to(most).await
}

/// A key of this business that is good at `now`.
///
/// # Errors
/// The database's fault.
pub async fn live_key_by_id(tenant: &Tenant, id: ApiKeyId, now: Instant) -> Result<Option<ApiKey>, Error> {
    tenant.select::<api_key::Entity>().filter(live_key(now)).filter(api_key::Column::Id.eq(id)).one().await
}

/// The condition that a key is neither ended nor run out.
fn live_key(now: Instant) -> Cond {
    let lasts = Cond::any().add(api_key::Column::ExpiresAt.is_null()).add(api_key::Column::ExpiresAt.gt(now));
    Cond::all().add(api_key::Column::RevokedAt.is_null()).add(lasts)
}

/// Ends a key of this business.
///
/// # Errors
/// The database's fault.
pub async fn revoke_key(tenant: &Tenant, id: ApiKeyId, now: Instant) -> Result<(), Error> {
    let revoke = |update: super::tenant::ScopedUpdate<api_key::Entity>| {
        update.set(api_key::Column::RevokedAt, now).filter(api_key::Column::Id.eq(id))
    };
    tenant.update_where::<api_key::Entity>(revoke).await.map(drop)
}

/// Notes that a key was used, unless a use after `before` is noted already.
///
/// # Errors
/// The database's fault.
pub async fn note_key_use(tenant: &Tenant, id: ApiKeyId, now: Instant, before: Instant) -> Result<(), Error> {
    let stale = Cond::any().add(api_key::Column::LastUsedAt.is_null()).add(api_key::Column::LastUsedAt.lte(before));
    let note = |update: super::tenant::ScopedUpdate<api_key::Entity>| {
        update.set(api_key::Column::LastUsedAt, now).filter(api_key::Column::Id.eq(id)).filter(stale)
    };
    tenant.update_where::<api_key::Entity>(note).await.map(drop)
}

/// Adds a product's key.
///
/// # Errors
/// The database's fault.
pub async fn insert_service_key(system: &System, row: ServiceKey) -> Result<(), Error> {
    system.insert(row.into_active_model().reset_all()).await.map(drop)
}

/// The product's key of a hash.
///
/// # Errors
/// The database's fault.
pub async fn service_key_by_hash(system: &System, hash: &[u8]) -> Result<Option<ServiceKey>, Error> {
    Ok(system.select::<service_key::Entity>().filter(service_key::Column::Hash.eq(hash)).one(system.connection()).await?)
}

/// The products' keys that are good at `now`, the newest first.
///
/// # Errors
/// The database's fault.
pub async fn live_service_keys(system: &System, now: Instant) -> Result<Vec<ServiceKey>, Error> {
    let live = system.select::<service_key::Entity>().filter(live_service_key(now));
    let sorted = live.order_by_desc(service_key::Column::CreatedAt).order_by_desc(service_key::Column::Id).limit(MAX_LISTED);
    Ok(sorted.all(system.connection()).await?)
}

/// The product's key of an id, if it is good at `now`.
///
/// # Errors
/// The database's fault.
pub async fn live_service_key_by_id(system: &System, id: ServiceKeyId, now: Instant) -> Result<Option<ServiceKey>, Error> {
    let found = system.select::<service_key::Entity>().filter(live_service_key(now)).filter(service_key::Column::Id.eq(id));
    Ok(found.one(system.connection()).await?)
}

/// A product's key that is good at `now`, locked until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn lock_live_service_key(system: &System, id: ServiceKeyId, now: Instant) -> Result<Option<ServiceKey>, Error> {
    let found = system.select::<service_key::Entity>().filter(live_service_key(now)).filter(service_key::Column::Id.eq(id));
    Ok(found.lock_exclusive().one(system.connection()).await?)
}

/// The condition that a product's key is neither ended nor run out.
fn live_service_key(now: Instant) -> Cond {
    let lasts = Cond::any().add(service_key::Column::ExpiresAt.is_null()).add(service_key::Column::ExpiresAt.gt(now));
    Cond::all().add(service_key::Column::RevokedAt.is_null()).add(lasts)
}

/// Ends a product's key.
///
/// # Errors
/// The database's fault.
pub async fn revoke_service_key(system: &System, id: ServiceKeyId, by: &str, now: Instant) -> Result<(), Error> {
    let update = system
        .update_many::<service_key::Entity>()
        .col_expr(service_key::Column::RevokedAt, Expr::value(now))
        .col_expr(service_key::Column::RevokedBy, Expr::value(by))
        .filter(service_key::Column::Id.eq(id));
    update.exec(system.connection()).await?;
    Ok(())
}

/// Notes that a product's key was used, unless a use after `before` is noted already.
///
/// # Errors
/// The database's fault.
pub async fn note_service_key_use(system: &System, id: ServiceKeyId, now: Instant, before: Instant) -> Result<(), Error> {
    let stale = Cond::any().add(service_key::Column::LastUsedAt.is_null()).add(service_key::Column::LastUsedAt.lte(before));
    let update = system
        .update_many::<service_key::Entity>()
        .col_expr(service_key::Column::LastUsedAt, Expr::value(now))
        .filter(service_key::Column::Id.eq(id))
        .filter(stale);
    update.exec(system.connection()).await?;
    Ok(())
}

/// Whether there is a business of that id.
///
/// # Errors
/// The database's fault.
pub async fn business_exists(system: &System, id: BusinessId) -> Result<bool, Error> {
    /// The one column.
    #[derive(FromQueryResult)]
    struct Found {
        /// The business.
        business_id: BusinessId,
    }
    let found =
        system.select::<business::Entity>().filter(business::Column::BusinessId.eq(id)).select_only().column(business::Column::BusinessId);
    Ok(found.into_model::<Found>().one(system.connection()).await?.is_some_and(|found| found.business_id == id))
}
