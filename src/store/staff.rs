//! The platform's staff, and the audit trail of what they did that concerns no business: for the system alone.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, FromQueryResult, IntoActiveModel as _, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::entity::staff::{platform_audit_event, platform_audit_head, staff_session, staff_user, suspension};
use super::reads::businesses::Suspension;
use super::types::{Instant, StaffRole};
use super::work::NewAuditEvent;
use super::{System, Tenant};
use crate::error::Error;
use crate::ids::{StaffId, StaffSessionId};

/// A whole row of `staff_users`, with its hash. Others see a [`StaffView`].
pub use super::entity::staff::staff_user::Model as Staff;

/// The most members of staff that are listed.
const MAX_STAFF: u64 = 1_000;
/// The one row of the chain's head.
const HEAD: i32 = 1;

/// What the members of staff may see of each other.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct StaffView {
    /// Who.
    pub id: StaffId,
    /// The address as it was given.
    pub email: String,
    /// The full name.
    pub full_name: String,
    /// What they may do.
    pub role: StaffRole,
    /// Since when signing in asks for a second factor.
    pub two_factor_at: Option<Instant>,
    /// When the account was made.
    pub created_at: Instant,
}

impl From<Staff> for StaffView {
    fn from(row: Staff) -> Self {
        let Staff { id, email, full_name, role, two_factor_at, created_at, .. } = row;
        Self { id, email, full_name, role, two_factor_at, created_at }
    }
}

/// What a session of a member of staff lets them do now.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct StaffSessionAccess {
    /// Their role.
    pub role: StaffRole,
    /// Whether the session was ended, or the account removed.
    pub revoked: bool,
}

/// The access of a member of staff by a session, in one statement; `None` where there is no such session.
///
/// # Errors
/// The database's fault.
pub async fn session_access(system: &System, session: StaffSessionId, staff: StaffId) -> Result<Option<StaffSessionAccess>, Error> {
    let to_staff =
        staff_session::Entity::belongs_to(staff_user::Entity).from(staff_session::Column::StaffId).to(staff_user::Column::Id).into();
    let over = Expr::col((staff_session::Entity, staff_session::Column::RevokedAt)).is_not_null();
    let removed = Expr::col((staff_user::Entity, staff_user::Column::RemovedAt)).is_not_null();
    let found = system
        .select::<staff_session::Entity>()
        .join(JoinType::InnerJoin, to_staff)
        .filter(staff_session::Column::Id.eq(session))
        .filter(staff_session::Column::StaffId.eq(staff))
        .select_only()
        .column_as(staff_user::Column::Role, "role")
        .column_as(over.or(removed), "revoked");
    Ok(found.into_model::<StaffSessionAccess>().one(system.connection()).await?)
}

/// Adds a member of staff.
///
/// # Errors
/// [`Error::UniqueViolation`] where one has the address.
pub async fn insert_staff(system: &System, row: Staff) -> Result<Staff, Error> {
    system.insert(row.into_active_model().reset_all()).await
}

/// The member of staff that has an address, by its canonical form.
///
/// # Errors
/// The database's fault.
pub async fn staff_by_email(system: &System, email_key: &str) -> Result<Option<Staff>, Error> {
    let found = system.select::<staff_user::Entity>().filter(staff_user::Column::EmailKey.eq(email_key));
    Ok(found.filter(staff_user::Column::RemovedAt.is_null()).one(system.connection()).await?)
}

/// A member of staff whose account nobody else changes until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn staff_held(system: &System, id: StaffId) -> Result<Option<Staff>, Error> {
    let found = system.select::<staff_user::Entity>().filter(staff_user::Column::Id.eq(id));
    Ok(found.filter(staff_user::Column::RemovedAt.is_null()).lock_shared().one(system.connection()).await?)
}

/// The members of staff, the longest there first; those who were removed left out.
///
/// # Errors
/// The database's fault.
pub async fn all_staff(system: &System) -> Result<Vec<StaffView>, Error> {
    let select = system.select::<staff_user::Entity>().filter(staff_user::Column::RemovedAt.is_null());
    let ordered = select.order_by_asc(staff_user::Column::CreatedAt).order_by_asc(staff_user::Column::Id).limit(MAX_STAFF);
    Ok(ordered.into_model::<StaffView>().all(system.connection()).await?)
}

/// Those of `ids` who are or were members of staff, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn staff_by_ids(system: &System, ids: &[StaffId]) -> Result<Vec<StaffView>, Error> {
    let select = system.select::<staff_user::Entity>().filter(staff_user::Column::Id.is_in(ids.iter().copied()));
    Ok(select.into_model::<StaffView>().all(system.connection()).await?)
}

/// Notes since when signing in asks a member of staff for a second factor, `None` where it does not; their row is locked by that until
/// the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn set_two_factor(system: &System, id: StaffId, since: Option<Instant>, now: Instant) -> Result<(), Error> {
    let update = system
        .update_many::<staff_user::Entity>()
        .col_expr(staff_user::Column::TwoFactorAt, Expr::value(since))
        .col_expr(staff_user::Column::UpdatedAt, Expr::value(now))
        .filter(staff_user::Column::Id.eq(id));
    update.exec(system.connection()).await?;
    Ok(())
}

/// Replaces the hash of a member's password if it is still `old`; answers whether it was.
///
/// # Errors
/// The database's fault.
pub async fn replace_password(system: &System, id: StaffId, old: &str, new: &str, now: Instant) -> Result<bool, Error> {
    let update = system
        .update_many::<staff_user::Entity>()
        .col_expr(staff_user::Column::PasswordHash, Expr::value(new))
        .col_expr(staff_user::Column::UpdatedAt, Expr::value(now))
        .filter(staff_user::Column::Id.eq(id))
        .filter(staff_user::Column::PasswordHash.eq(old));
    Ok(update.exec(system.connection()).await?.rows_affected == 1)
}

/// Removes a member of staff; answers whether they were one until now.
///
/// # Errors
/// The database's fault.
pub async fn remove_staff(system: &System, id: StaffId, now: Instant) -> Result<bool, Error> {
    let update = system
        .update_many::<staff_user::Entity>()
        .col_expr(staff_user::Column::RemovedAt, Expr::value(now))
        .filter(staff_user::Column::Id.eq(id))
        .filter(staff_user::Column::RemovedAt.is_null());
    Ok(update.exec(system.connection()).await?.rows_affected == 1)
}

/// The number and the hash of the platform's last audit event, 0 and nothing before the first, locked until the
/// transaction ends: whoever adds an event holds it, so that the chain is one line.
///
/// # Errors
/// The database's fault.
pub async fn lock_platform_chain(system: &System) -> Result<(i64, Vec<u8>), Error> {
    let first = platform_audit_head::ActiveModel { id: Set(HEAD), sequence: Set(0), hash: Set(Vec::new()) };
    system.insert_if_new(first).await?;
    let head = system.select::<platform_audit_head::Entity>().filter(platform_audit_head::Column::Id.eq(HEAD)).lock_exclusive();
    let head = head.one(system.connection()).await?.ok_or_else(|| Error::Corrupt("the platform's audit trail has no head".into()))?;
    Ok((head.sequence, head.hash))
}

/// Adds an event to the platform's chain, whose head must be locked by this transaction.
///
/// # Errors
/// The database's fault.
pub async fn insert_platform_event(system: &System, new: NewAuditEvent<'_>) -> Result<(), Error> {
    let head = platform_audit_head::ActiveModel { id: Set(HEAD), sequence: Set(new.sequence), hash: Set(new.hash.clone()) };
    system.update(head).await?;
    let row = platform_audit_event::ActiveModel {
        id: Set(new.id),
        sequence: Set(new.sequence),
        action: Set(new.action.to_owned()),
        actor: Set(new.actor.to_owned()),
        subject: Set(new.subject.to_owned()),
        details: Set(new.details),
        at: Set(new.at),
        previous_hash: Set(new.previous),
        hash: Set(new.hash),
    };
    system.insert_many(vec![row]).await
}

/// Writes down who suspended a business and why.
///
/// # Errors
/// [`Error::UniqueViolation`] where a suspension of it stands.
pub async fn insert_suspension(tenant: &Tenant, row: Suspension) -> Result<(), Error> {
    tenant.insert_many(vec![row.into_active_model().reset_all()]).await
}

/// Ends the suspension of a business that stands.
///
/// # Errors
/// The database's fault.
pub async fn end_suspension(tenant: &Tenant, by: StaffId, now: Instant) -> Result<(), Error> {
    let end = |update: super::tenant::ScopedUpdate<suspension::Entity>| {
        let ended = update.set(suspension::Column::RestoredBy, by).set(suspension::Column::RestoredAt, now);
        ended.filter(suspension::Column::RestoredAt.is_null())
    };
    tenant.update_where(end).await.map(drop)
}
