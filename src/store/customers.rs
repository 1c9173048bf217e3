//! Businesses, users, members, sessions.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait as _, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _, QuerySelect as _};

use super::Tenant;
use super::entity::customers::{business, member, session};
use super::types::Role;
use crate::error::Error;
use crate::ids::{SessionId, UserId};

pub use super::entity::customers::business::Model as Business;
pub use super::entity::customers::member::Model as Member;
pub use super::entity::customers::session::Model as Session;

/// What a session lets its person do now.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct SessionAccess {
    /// The person's role in the business.
    pub role: Role,
    /// Whether the session was ended.
    pub revoked: bool,
    /// Whether staff have suspended the business.
    pub business_suspended: bool,
}

/// The access of `user` by `session` to this business, in one statement; `None` where there is no such session or member.
///
/// # Errors
/// The database's fault.
pub async fn session_access(tenant: &Tenant, session: SessionId, user: UserId) -> Result<Option<SessionAccess>, Error> {
    let to_member = session::Entity::belongs_to(member::Entity)
        .from((session::Column::BusinessId, session::Column::UserId))
        .to((member::Column::BusinessId, member::Column::UserId))
        .into();
    let to_business =
        session::Entity::belongs_to(business::Entity).from(session::Column::BusinessId).to(business::Column::BusinessId).into();
    let found = tenant
        .select::<session::Entity>()
        .join(JoinType::InnerJoin, to_member)
        .join(JoinType::InnerJoin, to_business)
        .filter(session::Column::Id.eq(session))
        .filter(session::Column::UserId.eq(user))
        .select_only()
        .column_as(member::Column::Role, "role")
        .column_as(Expr::col((session::Entity, session::Column::RevokedAt)).is_not_null(), "revoked")
        .column_as(Expr::col((business::Entity, business::Column::SuspendedAt)).is_not_null(), "business_suspended")
        .all_as::<SessionAccess>()
        .await?;
    Ok(found.into_iter().next())
}

/// This business.
///
/// # Errors
/// [`Error::Corrupt`] where it is gone.
pub async fn business(tenant: &Tenant) -> Result<Business, Error> {
    tenant.by_id::<business::Entity, _>(tenant.business()).await?.ok_or_else(|| Error::Corrupt("a business is gone".into()))
}

/// This business, locked until the transaction ends: the first lock of everything that changes money or the audit trail.
///
/// # Errors
/// [`Error::Corrupt`] where it is gone.
pub async fn lock_business(tenant: &Tenant) -> Result<Business, Error> {
    tenant.lock_by_id::<business::Entity, _>(tenant.business()).await?.ok_or_else(|| Error::Corrupt("a business is gone".into()))
}
