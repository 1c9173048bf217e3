//! Businesses, users, members.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, SelectStatement, SimpleExpr};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, FromQueryResult, IntoActiveModel as _, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::entity::catalog::{plan, plan_price};
use super::entity::customers::{business, member, session, user};
use super::page::{self, Page, Window};
use super::rows::Places;
use super::tenant::{Catalogue, Scoped};
use super::test_clocks::{business_and_reading, join_clock, read_clock, select_clock};
use super::types::{Instant, Role};
use super::{Reader, System, Tenant};
use crate::error::Error;
use crate::ids::{BusinessId, MemberId, SessionId, UserId};
use crate::money::Currency;

pub use super::entity::customers::business::Model as Business;
pub use super::entity::customers::member::Model as Member;
/// A whole row of `users`, with its secrets: for the system alone. Others see a [`UserView`].
pub use super::entity::customers::user::Model as User;

/// The most businesses that one person belongs to.
pub const MAX_MEMBERSHIPS: u64 = 100;

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
    let to_session =
        business::Entity::belongs_to(session::Entity).from(business::Column::BusinessId).to(session::Column::BusinessId).into();
    let to_member = session::Entity::belongs_to(member::Entity)
        .from((session::Column::BusinessId, session::Column::UserId))
        .to((member::Column::BusinessId, member::Column::UserId))
        .into();
    let select = tenant
        .select::<business::Entity>()
        .join(JoinType::InnerJoin, to_session)
        .join(JoinType::InnerJoin, to_member)
        .filter(session::Column::BusinessId.eq(tenant.business()))
        .filter(session::Column::Id.eq(session))
        .filter(session::Column::UserId.eq(user));
    let columns = vec![
        (Expr::col((member::Entity, member::Column::Role)), "role"),
        (Expr::col((session::Entity, session::Column::RevokedAt)).is_not_null(), "revoked"),
    ];
    access(tenant, select, columns).await
}

/// What somebody may do, as `select` finds it by these columns and by `business_suspended`. A snapshot learns the whole
/// business besides, since most of what follows needs it.
pub(super) async fn access<A>(
    tenant: &Tenant,
    select: Scoped<business::Entity>,
    mut columns: Vec<(SimpleExpr, &'static str)>,
) -> Result<Option<A>, Error>
where
    A: FromQueryResult + Send + Sync,
{
    columns.push((Expr::col((business::Entity, business::Column::SuspendedAt)).is_not_null(), "business_suspended"));
    if !tenant.is_in_snapshot() {
        let select = columns.into_iter().fold(select.select_only(), |select, (column, name)| select.column_as(column, name));
        return Ok(select.all_as::<A>().await?.into_iter().next());
    }
    let more = |query: &mut SelectStatement| {
        for (column, name) in columns {
            query.expr_as(column, name);
        }
        select_clock(query);
    };
    let read = |business, places: &mut Places<'_>| Ok((business, read_clock(places.row())?, A::from_query_result(places.row(), "")?));
    let Some((business, reading, access)) = join_clock(select).all_and(more, read).await?.into_iter().next() else { return Ok(None) };
    tenant.know(&business, reading);
    Ok(Some(access))
}

/// This business.
///
/// # Errors
/// [`Error::Corrupt`] where it is gone.
pub async fn business(tenant: &Tenant) -> Result<Business, Error> {
    if tenant.is_in_snapshot() {
        return Ok(business_and_reading(tenant).await?.0);
    }
    tenant.by_id::<business::Entity, _>(tenant.business()).await?.ok_or_else(|| Error::Corrupt("a business is gone".into()))
}

/// This business, locked until the transaction ends: the first lock of everything that changes money or the audit trail.
///
/// # Errors
/// [`Error::Corrupt`] where it is gone.
pub async fn lock_business(tenant: &Tenant) -> Result<Business, Error> {
    tenant.lock_by_id::<business::Entity, _>(tenant.business()).await?.ok_or_else(|| Error::Corrupt("a business is gone".into()))
}

/// Adds a business, with the balance and the key that it says.
///
/// # Errors
/// The database's fault.
pub async fn insert_business(tenant: &Tenant, row: Business) -> Result<(), Error> {
    tenant.insert_many(vec![row.into_active_model().reset_all()]).await
}

/// Writes this business's row as a whole. The row must have been read locked, in this transaction.
///
/// # Errors
/// The database's fault.
pub async fn save_business(tenant: &Tenant, row: Business) -> Result<Business, Error> {
    tenant.update(row.into_active_model().reset_all()).await
}

/// The currencies that plans on sale have prices in.
///
/// # Errors
/// The database's fault.
pub async fn currencies_on_sale(catalogue: &Catalogue) -> Result<Vec<Currency>, Error> {
    /// The one column.
    #[derive(FromQueryResult)]
    struct Found {
        /// A currency.
        currency: Currency,
    }
    let current = plan_price::Entity::belongs_to(plan::Entity)
        .from((plan_price::Column::PlanId, plan_price::Column::Version))
        .to((plan::Column::Id, plan::Column::CurrentVersion))
        .into();
    let prices = catalogue
        .select::<plan_price::Entity>()
        .join(JoinType::InnerJoin, current)
        .filter(plan::Column::ArchivedAt.is_null())
        .select_only()
        .column(plan_price::Column::Currency)
        .distinct();
    Ok(prices.all_as::<Found>().await?.into_iter().map(|found| found.currency).collect())
}

/// What the colleagues of a person may see of them.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct UserView {
    /// The person.
    pub id: UserId,
    /// The address as it was given.
    pub email: String,
    /// The full name.
    pub full_name: String,
    /// A BCP 47 tag, for mails.
    pub locale: String,
    /// When the address was confirmed.
    pub email_verified_at: Option<Instant>,
    /// Since when signing in asks for a second factor.
    pub two_factor_at: Option<Instant>,
    /// When the account was made.
    pub created_at: Instant,
}

impl From<User> for UserView {
    fn from(row: User) -> Self {
        let User { id, email, full_name, locale, email_verified_at, two_factor_at, created_at, .. } = row;
        Self { id, email, full_name, locale, email_verified_at, two_factor_at, created_at }
    }
}

/// Those of `ids` who are people of the businesses that are read, in one statement; once for each of them.
///
/// # Errors
/// The database's fault.
pub async fn users(reader: &Reader, ids: Vec<UserId>) -> Result<Vec<UserView>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let to_user = member::Entity::belongs_to(user::Entity).from(member::Column::UserId).to(user::Column::Id).into();
    let of_members = reader.select::<member::Entity>().join(JoinType::InnerJoin, to_user).filter(member::Column::UserId.is_in(ids));
    of_members
        .select_only()
        .column_as(user::Column::Id, "id")
        .column_as(user::Column::Email, "email")
        .column_as(user::Column::FullName, "full_name")
        .column_as(user::Column::Locale, "locale")
        .column_as(user::Column::EmailVerifiedAt, "email_verified_at")
        .column_as(user::Column::TwoFactorAt, "two_factor_at")
        .column_as(user::Column::CreatedAt, "created_at")
        .all_as::<UserView>()
        .await
}

/// The same part of many businesses' lists of people, who joined last first, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn members(reader: &Reader, businesses: &[BusinessId], window: Window) -> Result<HashMap<BusinessId, Page<Member>>, Error> {
    let rows = || reader.select_of_businesses::<member::Entity>(businesses);
    let order = (member::Column::JoinedAt, member::Column::Id);
    page::newest_of_each(rows, businesses, member::Column::BusinessId, order, window, |row| row.business_id).await
}

/// One of its people, by the id of their place in it.
///
/// # Errors
/// The database's fault.
pub async fn member(reader: &Reader, id: MemberId) -> Result<Option<Member>, Error> {
    reader.by_id::<member::Entity, _>(id).await
}

/// How many people each of many businesses has, in one statement.
///
/// # Errors
/// The database's fault.
pub async fn count_members(reader: &Reader, businesses: &[BusinessId]) -> Result<HashMap<BusinessId, u64>, Error> {
    page::count_of_each(reader.select_of_businesses::<member::Entity>(businesses)).await
}

/// The place of a person in this business.
///
/// # Errors
/// The database's fault.
pub async fn member_of(tenant: &Tenant, user: UserId) -> Result<Option<Member>, Error> {
    tenant.select::<member::Entity>().filter(member::Column::UserId.eq(user)).one().await
}

/// Adds a person to this business.
///
/// # Errors
/// [`Error::UniqueViolation`] where they are in it.
pub async fn insert_member(tenant: &Tenant, row: Member) -> Result<(), Error> {
    tenant.insert_many(vec![row.into_active_model().reset_all()]).await
}

/// Gives a person of this business another role.
///
/// # Errors
/// The database's fault.
pub async fn set_role(tenant: &Tenant, held: &Member, role: Role) -> Result<Member, Error> {
    tenant.update(Member { role, ..held.clone() }.into_active_model().reset_all()).await
}

/// Takes a person out of this business.
///
/// # Errors
/// The database's fault.
pub async fn delete_member(tenant: &Tenant, id: MemberId) -> Result<(), Error> {
    tenant.delete_by_id::<member::Entity, _>(id).await
}

/// How many own this business, counted no further than two.
///
/// # Errors
/// The database's fault.
pub async fn count_owners(tenant: &Tenant) -> Result<u64, Error> {
    tenant.select::<member::Entity>().filter(member::Column::Role.eq(Role::Owner)).count_up_to(1).await
}

/// The locale of the owner who joined first: what is written for the business as a whole is in their language.
///
/// # Errors
/// The database's fault.
pub async fn locale(tenant: &Tenant) -> Result<Option<String>, Error> {
    let owners = tenant.select::<member::Entity>().filter(member::Column::Role.eq(Role::Owner));
    let first = owners.order_by_asc(member::Column::JoinedAt).order_by_asc(member::Column::Id).one().await?;
    let Some(owner) = first else { return Ok(None) };
    Ok(users(tenant, vec![owner.user_id]).await?.pop().map(|user| user.locale))
}

/// A business of a person.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Membership {
    /// The business.
    pub business_id: BusinessId,
    /// Its name.
    pub business_name: String,
    /// What the person may do there.
    pub role: Role,
    /// Since when.
    pub joined_at: Instant,
}

/// The businesses of a person, the first joined first.
///
/// # Errors
/// The database's fault.
pub async fn memberships(system: &System, user: UserId) -> Result<Vec<Membership>, Error> {
    let to_business = member::Entity::belongs_to(business::Entity).from(member::Column::BusinessId).to(business::Column::BusinessId).into();
    let of_user = system
        .select::<member::Entity>()
        .join(JoinType::InnerJoin, to_business)
        .filter(member::Column::UserId.eq(user))
        .order_by_asc(member::Column::JoinedAt)
        .order_by_asc(member::Column::Id)
        .limit(MAX_MEMBERSHIPS)
        .select_only()
        .column_as(member::Column::BusinessId, "business_id")
        .column_as(business::Column::BusinessName, "business_name")
        .column_as(member::Column::Role, "role")
        .column_as(member::Column::JoinedAt, "joined_at");
    Ok(of_user.into_model::<Membership>().all(system.connection()).await?)
}

/// Adds a person.
///
/// # Errors
/// [`Error::UniqueViolation`] where somebody has the address.
pub async fn insert_user(system: &System, row: User) -> Result<User, Error> {
    system.insert(row.into_active_model().reset_all()).await
}

/// Who has an address, by its canonical form.
///
/// # Errors
/// The database's fault.
pub async fn user_by_email(system: &System, email_key: &str) -> Result<Option<User>, Error> {
    Ok(system.select::<user::Entity>().filter(user::Column::EmailKey.eq(email_key)).one(system.connection()).await?)
}

/// A person.
///
/// # Errors
/// The database's fault.
pub async fn user(system: &System, id: UserId) -> Result<Option<User>, Error> {
    Ok(system.select::<user::Entity>().filter(user::Column::Id.eq(id)).one(system.connection()).await?)
}

/// A person whose password nobody else changes until the transaction ends.
///
/// # Errors
/// The database's fault.
pub async fn user_held(system: &System, id: UserId) -> Result<Option<User>, Error> {
    Ok(system.select::<user::Entity>().filter(user::Column::Id.eq(id)).lock_shared().one(system.connection()).await?)
}

/// A person whose account nobody else changes, or relies on, until the transaction ends. Rows that name them may still be written: a
/// session that is being opened holds their key, and waits for its business's.
///
/// # Errors
/// The database's fault.
pub async fn lock_user(system: &System, id: UserId) -> Result<Option<User>, Error> {
    let row = system.select::<user::Entity>().filter(user::Column::Id.eq(id)).lock(LockType::NoKeyUpdate);
    Ok(row.one(system.connection()).await?)
}

/// Gives a person another address, which is confirmed.
///
/// # Errors
/// [`Error::UniqueViolation`] where somebody has it.
pub async fn set_email(system: &System, id: UserId, (email, email_key): (&str, &str), now: Instant) -> Result<(), Error> {
    let update = system
        .update_many::<user::Entity>()
        .col_expr(user::Column::Email, Expr::value(email))
        .col_expr(user::Column::EmailKey, Expr::value(email_key))
        .col_expr(user::Column::EmailVerifiedAt, Expr::value(now))
        .col_expr(user::Column::UpdatedAt, Expr::value(now))
        .filter(user::Column::Id.eq(id));
    update.exec(system.connection()).await?;
    Ok(())
}

/// Notes since when signing in asks a person for a second factor; `None` where it does not.
///
/// # Errors
/// The database's fault.
pub async fn set_two_factor(system: &System, id: UserId, since: Option<Instant>, now: Instant) -> Result<(), Error> {
    let update = system
        .update_many::<user::Entity>()
        .col_expr(user::Column::TwoFactorAt, Expr::value(since))
        .col_expr(user::Column::UpdatedAt, Expr::value(now))
        .filter(user::Column::Id.eq(id));
    update.exec(system.connection()).await?;
    Ok(())
}

/// Replaces a person's password hash if it is still `old`; answers whether it was.
///
/// # Errors
/// The database's fault.
pub async fn replace_password(system: &System, id: UserId, old: &str, new: &str, now: Instant) -> Result<bool, Error> {
    let update = system
        .update_many::<user::Entity>()
        .col_expr(user::Column::PasswordHash, Expr::value(new))
        .col_expr(user::Column::UpdatedAt, Expr::value(now))
        .filter(user::Column::Id.eq(id))
        .filter(user::Column::PasswordHash.eq(old));
    Ok(update.exec(system.connection()).await?.rows_affected == 1)
}

/// Writes what a person says of themselves; what is `None` stays.
///
/// # Errors
/// The database's fault.
pub async fn update_user(
    system: &System,
    id: UserId,
    (full_name, locale): (Option<String>, Option<String>),
    now: Instant,
) -> Result<(), Error> {
    let mut update = system.update_many::<user::Entity>().col_expr(user::Column::UpdatedAt, Expr::value(now));
    if let Some(full_name) = full_name {
        update = update.col_expr(user::Column::FullName, Expr::value(full_name));
    }
    if let Some(locale) = locale {
        update = update.col_expr(user::Column::Locale, Expr::value(locale));
    }
    update.filter(user::Column::Id.eq(id)).exec(system.connection()).await?;
    Ok(())
}
