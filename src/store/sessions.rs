//! Sessions, and the refresh tokens that carry them on. The application may read its business's sessions; only the
//! system begins, carries on and ends them.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use super::entity::customers::{refresh_token, session};
use super::types::Instant;
use super::{System, Tenant};
use crate::error::Error;
use crate::ids::{BusinessId, SessionId, UserId};

pub use super::entity::customers::refresh_token::Model as RefreshToken;
pub use super::entity::customers::session::Model as Session;

/// The most sessions of one person that are listed.
const MAX_SESSIONS: u64 = 100;

/// Which sessions of a person to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<I> {
    /// This one.
    One(I),
    /// All but this one.
    Others(I),
    /// All.
    All,
}

/// The statements of one kind of sessions: the tables of sessions and of their refresh tokens, the type of a session's
/// id, and the column and type of who holds it.
macro_rules! session_statements {
    ($session:ident, $token:ident, $id:ty, $holder:ident: $holder_id:ty) => {
        /// Begins a session.
        ///
        /// # Errors
        /// The database's fault.
        pub async fn insert_session(system: &System, row: Session) -> Result<(), Error> {
            system.insert(row.into_active_model().reset_all()).await.map(drop)
        }

        /// Adds a refresh token to its session.
        ///
        /// # Errors
        /// The database's fault.
        pub async fn insert_refresh_token(system: &System, row: RefreshToken) -> Result<(), Error> {
            system.insert(row.into_active_model().reset_all()).await.map(drop)
        }

        /// The refresh token of a hash, locked until the transaction ends.
        ///
        /// # Errors
        /// The database's fault.
        pub async fn lock_refresh_token(system: &System, hash: &[u8]) -> Result<Option<RefreshToken>, Error> {
            let token = system.select::<$token::Entity>().filter($token::Column::Hash.eq(hash)).lock_exclusive();
            Ok(token.one(system.connection()).await?)
        }

        /// Marks a refresh token as spent. It must be locked by this transaction.
        ///
        /// # Errors
        /// The database's fault.
        pub async fn spend_refresh_token(system: &System, hash: &[u8], now: Instant) -> Result<(), Error> {
            let update = system
                .update_many::<$token::Entity>()
                .col_expr($token::Column::SpentAt, Expr::value(now))
                .filter($token::Column::Hash.eq(hash));
            update.exec(system.connection()).await?;
            Ok(())
        }

        /// A session, whosever it is.
        ///
        /// # Errors
        /// The database's fault.
        pub async fn session(system: &System, id: $id) -> Result<Option<Session>, Error> {
            Ok(system.select::<$session::Entity>().filter($session::Column::Id.eq(id)).one(system.connection()).await?)
        }

        /// Notes that a session was used and is good until `expires_at`.
        ///
        /// # Errors
        /// The database's fault.
        pub async fn carry_on(system: &System, id: $id, now: Instant, expires_at: Instant) -> Result<(), Error> {
            let update = system
                .update_many::<$session::Entity>()
                .col_expr($session::Column::LastUsedAt, Expr::value(now))
                .col_expr($session::Column::ExpiresAt, Expr::value(expires_at))
                .filter($session::Column::Id.eq(id));
            update.exec(system.connection()).await?;
            Ok(())
        }

        /// Ends sessions of a person that are not ended yet.
        ///
        /// # Errors
        /// The database's fault.
        pub async fn revoke(system: &System, holder: $holder_id, which: Which<$id>, now: Instant) -> Result<(), Error> {
            let mut update = system
                .update_many::<$session::Entity>()
                .col_expr($session::Column::RevokedAt, Expr::value(now))
                .filter($session::Column::$holder.eq(holder))
                .filter($session::Column::RevokedAt.is_null());
            match which {
                Which::One(id) => update = update.filter($session::Column::Id.eq(id)),
                Which::Others(id) => update = update.filter($session::Column::Id.ne(id)),
                Which::All => {}
            }
            update.exec(system.connection()).await?;
            Ok(())
        }
    };
}
pub(super) use session_statements;

session_statements!(session, refresh_token, SessionId, UserId: UserId);

/// Ends the sessions of a person in one business.
///
/// # Errors
/// The database's fault.
pub async fn revoke_in(system: &System, user: UserId, business: BusinessId, now: Instant) -> Result<(), Error> {
    let update = system
        .update_many::<session::Entity>()
        .col_expr(session::Column::RevokedAt, Expr::value(now))
        .filter(session::Column::UserId.eq(user))
        .filter(session::Column::BusinessId.eq(business))
        .filter(session::Column::RevokedAt.is_null());
    update.exec(system.connection()).await?;
    Ok(())
}

/// Where a person is signed in to this business, newest first.
///
/// # Errors
/// The database's fault.
pub async fn live_sessions(tenant: &Tenant, user: UserId, now: Instant) -> Result<Vec<Session>, Error> {
    let live = tenant
        .select::<session::Entity>()
        .filter(session::Column::UserId.eq(user))
        .filter(session::Column::RevokedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(now));
    live.order_by_desc(session::Column::CreatedAt).order_by_desc(session::Column::Id).limit(MAX_SESSIONS).all().await
}

/// The session of that id, if the person is signed in to this business by it.
///
/// # Errors
/// The database's fault.
pub async fn live_session(tenant: &Tenant, id: SessionId, user: UserId, now: Instant) -> Result<Option<Session>, Error> {
    let found = tenant.by_id::<session::Entity, _>(id).await?;
    Ok(found.filter(|row| row.user_id == user && row.revoked_at.is_none() && row.expires_at > now))
}
