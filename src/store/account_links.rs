//! Links in mails that prove whose an address is: of each the hash alone, for the system alone.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, IntoActiveModel as _, PaginatorTrait as _, QueryFilter as _, QuerySelect as _,
};
use uuid::Uuid;

use super::System;
use super::entity::customers::user;
use super::entity::notifications::{account_request, account_token};
use super::types::{Instant, LinkPurpose};
use crate::error::Error;
use crate::ids::UserId;

pub use super::entity::notifications::account_token::Model as AccountToken;

/// Writes a token, and forgets those of its person that are too old.
///
/// # Errors
/// The database's fault.
pub async fn insert(system: &System, row: AccountToken) -> Result<(), Error> {
    let old = Condition::all().add(account_token::Column::UserId.eq(row.user_id)).add(account_token::Column::ExpiresAt.lt(row.created_at));
    system.delete_where::<account_token::Entity>(old).await?;
    system.insert(row.into_active_model().reset_all()).await.map(drop)
}

/// The token of a hash, locked until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn lock(system: &System, hash: &[u8]) -> Result<Option<AccountToken>, Error> {
    let token = system.select::<account_token::Entity>().filter(account_token::Column::Hash.eq(hash)).lock_exclusive();
    Ok(token.one(system.connection()).await?)
}

/// The token of a hash, for a look that changes nothing.
///
/// # Errors
/// The database's fault.
pub async fn find(system: &System, hash: &[u8]) -> Result<Option<AccountToken>, Error> {
    Ok(system.select::<account_token::Entity>().filter(account_token::Column::Hash.eq(hash)).one(system.connection()).await?)
}

/// Spends every token of a person for a purpose.
///
/// # Errors
/// The database's fault.
pub async fn spend(system: &System, user: UserId, purpose: LinkPurpose, now: Instant) -> Result<(), Error> {
    let update = system
        .update_many::<account_token::Entity>()
        .col_expr(account_token::Column::SpentAt, Expr::value(now))
        .filter(account_token::Column::UserId.eq(user))
        .filter(account_token::Column::Purpose.eq(purpose))
        .filter(account_token::Column::SpentAt.is_null());
    update.exec(system.connection()).await?;
    Ok(())
}

/// Notes that something was asked for an address, known or not, and forgets what was asked before `forget_before`.
///
/// # Errors
/// The database's fault.
pub async fn note_request(
    system: &System,
    (id, email_hash): (Uuid, &[u8]),
    purpose: LinkPurpose,
    now: Instant,
    forget_before: Instant,
) -> Result<(), Error> {
    let row = account_request::ActiveModel { id: Set(id), email_hash: Set(email_hash.to_vec()), purpose: Set(purpose), at: Set(now) };
    system.insert_many::<account_request::Entity, _>(vec![row]).await?;
    system.delete_where::<account_request::Entity>(account_request::Column::At.lt(forget_before)).await
}

/// How often it was asked for an address since then.
///
/// # Errors
/// The database's fault.
pub async fn requests_since(system: &System, email_hash: &[u8], purpose: LinkPurpose, since: Instant) -> Result<u64, Error> {
    let asked = system
        .select::<account_request::Entity>()
        .filter(account_request::Column::EmailHash.eq(email_hash))
        .filter(account_request::Column::Purpose.eq(purpose))
        .filter(account_request::Column::At.gt(since));
    Ok(asked.count(system.connection()).await?)
}

/// Notes that a person's address is confirmed, if it is still `email_key`; answers whether it is.
///
/// # Errors
/// The database's fault.
pub async fn confirm_email(system: &System, id: UserId, email_key: &str, now: Instant) -> Result<bool, Error> {
    let update = system
        .update_many::<user::Entity>()
        .col_expr(user::Column::EmailVerifiedAt, Expr::value(now))
        .col_expr(user::Column::UpdatedAt, Expr::value(now))
        .filter(user::Column::Id.eq(id))
        .filter(user::Column::EmailKey.eq(email_key));
    Ok(update.exec(system.connection()).await?.rows_affected == 1)
}
