//! Notifications of people in a business, and what they want of them.

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, FromQueryResult, IntoActiveModel as _, JoinType,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, RelationDef,
};

use super::entity::customers::{member, user};
use super::entity::notifications::{notification, notification_preference};
use super::live::Subject;
use super::page::{MAX_COUNT, Page, Window, newest_first};
use super::tenant::Scoped;
use super::types::{Channel, Instant, Role};
use super::{System, Tenant};
use crate::error::Error;
use crate::ids::{BusinessId, NotificationId, NotificationPreferenceId, UserId};

pub use super::entity::notifications::notification::Model as Notification;
pub use super::entity::notifications::notification_preference::Model as Preference;

/// Names what a person has said of the application in a statement.
const IN_APP: &str = "said_in_app";
/// Names what a person has said of mail in a statement.
const BY_MAIL: &str = "said_by_mail";

/// Somebody whom word may reach.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Recipient {
    /// The person.
    pub user_id: UserId,
    /// What they may do in the business.
    pub role: Role,
    /// The full name.
    pub full_name: String,
    /// The address as it was given.
    pub email: String,
    /// Their language, BCP 47.
    pub locale: String,
    /// What they have said of the kind in the application; `None` where nothing.
    pub in_app: Option<bool>,
    /// What they have said of the kind by mail; `None` where nothing.
    pub by_mail: Option<bool>,
}

impl Recipient {
    /// What they have said of the kind by a channel; `None` where nothing.
    pub const fn said(&self, channel: Channel) -> Option<bool> {
        match channel {
            Channel::InApp => self.in_app,
            Channel::Email => self.by_mail,
        }
    }
}

/// The people of this business with one of `roles`, and what they have said of a kind of notification.
///
/// # Errors
/// The database's fault.
pub async fn recipients(tenant: &Tenant, roles: &[Role], kind: &'static str) -> Result<Vec<Recipient>, Error> {
    let to_user = member::Entity::belongs_to(user::Entity).from(member::Column::UserId).to(user::Column::Id).into();
    let to_said = |channel: Channel| -> RelationDef {
        member::Entity::belongs_to(notification_preference::Entity)
            .from((member::Column::BusinessId, member::Column::UserId))
            .to((notification_preference::Column::BusinessId, notification_preference::Column::UserId))
            .on_condition(move |_, said| {
                let of = |column: notification_preference::Column| Expr::col((said.clone(), column));
                let this = Condition::all().add(of(notification_preference::Column::Kind).eq(kind));
                this.add(of(notification_preference::Column::Channel).eq(channel))
            })
            .into()
    };
    let enabled = |said: &'static str| Expr::col((Alias::new(said), notification_preference::Column::Enabled));
    tenant
        .select::<member::Entity>()
        .join(JoinType::InnerJoin, to_user)
        .join_as(JoinType::LeftJoin, to_said(Channel::InApp), Alias::new(IN_APP))
        .join_as(JoinType::LeftJoin, to_said(Channel::Email), Alias::new(BY_MAIL))
        .filter(member::Column::Role.is_in(roles.iter().copied()))
        .select_only()
        .column_as(member::Column::UserId, "user_id")
        .column_as(member::Column::Role, "role")
        .column_as(user::Column::FullName, "full_name")
        .column_as(user::Column::Email, "email")
        .column_as(user::Column::Locale, "locale")
        .expr_as(enabled(IN_APP), "in_app")
        .expr_as(enabled(BY_MAIL), "by_mail")
        .all_as::<Recipient>()
        .await
}

/// Writes notifications, but for those whose person has one of the event already.
///
/// # Errors
/// The database's fault.
pub async fn insert_new(tenant: &Tenant, rows: Vec<Notification>) -> Result<(), Error> {
    for row in &rows {
        tenant.changed(Subject::Notification(row.id, row.user_id));
    }
    tenant.insert_new::<notification::Entity, _>(rows.into_iter().map(|row| row.into_active_model().reset_all()).collect()).await
}

/// A person's notifications, all or those that are not read.
fn of_user(tenant: &Tenant, user: UserId, unread_only: bool) -> Scoped<notification::Entity> {
    let all = tenant.select::<notification::Entity>().filter(notification::Column::UserId.eq(user));
    if unread_only { all.filter(notification::Column::ReadAt.is_null()) } else { all }
}

/// A page of a person's notifications, newest first.
///
/// # Errors
/// The database's fault.
pub async fn page(tenant: &Tenant, user: UserId, unread_only: bool, window: Window) -> Result<Page<Notification>, Error> {
    newest_first(of_user(tenant, user, unread_only), notification::Column::CreatedAt, notification::Column::Id, window).await
}

/// How many there are, counted no further than [`MAX_COUNT`] + 1.
///
/// # Errors
/// The database's fault.
pub async fn count(tenant: &Tenant, user: UserId, unread_only: bool) -> Result<u64, Error> {
    of_user(tenant, user, unread_only).count_up_to(MAX_COUNT).await
}

/// Those of `ids` that are this person's.
///
/// # Errors
/// The database's fault.
pub async fn of_ids(tenant: &Tenant, user: UserId, ids: &[NotificationId]) -> Result<Vec<Notification>, Error> {
    of_user(tenant, user, false).filter(notification::Column::Id.is_in(ids.iter().copied())).all().await
}

/// Marks a person's unread notifications as read: those of `ids`, or all.
///
/// # Errors
/// The database's fault.
pub async fn mark_read(tenant: &Tenant, user: UserId, ids: Option<&[NotificationId]>, now: Instant) -> Result<(), Error> {
    let change = |update: super::tenant::ScopedUpdate<notification::Entity>| {
        let mut update = update.set(notification::Column::ReadAt, now).filter(notification::Column::UserId.eq(user));
        update = update.filter(notification::Column::ReadAt.is_null());
        match ids {
            Some(ids) => update.filter(notification::Column::Id.is_in(ids.iter().copied())),
            None => update,
        }
    };
    tenant.update_where::<notification::Entity>(change).await.map(drop)
}

/// What a person has said of each kind of notification.
///
/// # Errors
/// The database's fault.
pub async fn preferences(tenant: &Tenant, user: UserId) -> Result<Vec<Preference>, Error> {
    tenant.select::<notification_preference::Entity>().filter(notification_preference::Column::UserId.eq(user)).all().await
}

/// A preference to write.
#[derive(Debug, Clone, Copy)]
pub struct NewPreference<'a> {
    /// The row's id, where it is the first.
    pub id: NotificationPreferenceId,
    /// Whose.
    pub user: UserId,
    /// Of what kind.
    pub kind: &'a str,
    /// By which channel.
    pub channel: Channel,
    /// Whether they want it.
    pub enabled: bool,
    /// Now.
    pub now: Instant,
}

/// Writes what a person wants of a kind, over what they have said before.
///
/// # Errors
/// The database's fault.
pub async fn set_preference(tenant: &Tenant, new: NewPreference<'_>) -> Result<(), Error> {
    use notification_preference::Column;
    let row = Preference {
        business_id: tenant.business(),
        id: new.id,
        user_id: new.user,
        kind: new.kind.to_owned(),
        channel: new.channel,
        enabled: new.enabled,
        updated_at: new.now,
    };
    if tenant.insert_if_new::<notification_preference::Entity, _>(row.into_active_model().reset_all()).await? {
        return Ok(());
    }
    let change = |update: super::tenant::ScopedUpdate<notification_preference::Entity>| {
        update
            .set(Column::Enabled, new.enabled)
            .set(Column::UpdatedAt, new.now)
            .filter(Column::UserId.eq(new.user))
            .filter(Column::Kind.eq(new.kind))
            .filter(Column::Channel.eq(new.channel))
    };
    tenant.update_where::<notification_preference::Entity>(change).await.map(drop)
}

/// The notifications of these businesses whose ids were made after that one, the oldest first; `most` of them at most.
///
/// # Errors
/// The database's fault.
pub async fn since(system: &System, businesses: &[BusinessId], after: NotificationId, most: u64) -> Result<Vec<Notification>, Error> {
    let newer = system.reader().select_of_businesses::<notification::Entity>(businesses).filter(notification::Column::Id.gt(after));
    newer.order_by_asc(notification::Column::Id).limit(most).all().await
}
