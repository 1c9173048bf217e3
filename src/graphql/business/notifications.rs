//! Notifications, and what people want of them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::node::{Node, subject_of};
use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::page::{Count, PageArguments, connection};
use crate::graphql::scalars::{DateTime, show_id};
use crate::ids::NotificationId;
use crate::services::access::{Need, Person};
use crate::services::notifications::{self as service, NotificationService};
use crate::store::notifications as rows;
use crate::store::page::Position;
use crate::store::types;

/// How word reaches a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "types::Channel")]
pub enum NotificationChannel {
    /// In the application: `notifications`.
    InApp,
    /// By mail.
    Email,
}

/// Something that a person is told.
#[derive(Debug, Clone)]
pub struct Notification {
    row: rows::Notification,
}

impl Notification {
    /// The caller's own notification of an id.
    ///
    /// # Errors
    /// The database's fault.
    pub async fn by_id(request: &RequestContext, id: NotificationId) -> Result<Option<Self>, Error> {
        // A key is nobody, and was told nothing.
        let Ok(Person { user, .. }) = request.access().await?.person() else { return Ok(None) };
        let found = rows::of_ids(&request.tenant().await?, user, &[id]).await?;
        Ok(found.into_iter().next().map(|row| Self { row }))
    }
}

/// Something that a person is told.
#[Object]
impl Notification {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// What happened, e.g. `invoice.issued`.
    async fn kind(&self) -> &str {
        &self.row.kind
    }
    /// One line, in the person's language.
    async fn title(&self) -> &str {
        &self.row.title
    }
    /// A sentence or two.
    async fn body(&self) -> &str {
        &self.row.body
    }
    /// What it is about; null where the caller may not see it.
    async fn subject(&self, context: &Context<'_>) -> Option<Result<Node>> {
        nullable(async {
            let Some(subject) = &self.row.subject else { return Ok(None) };
            Ok(subject_of(request(context), subject).await?)
        })
        .await
    }
    /// When it was written.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
    /// When it was marked as read.
    async fn read_at(&self) -> Option<DateTime> {
        self.row.read_at.map(DateTime)
    }
}

connection!(NotificationConnection, NotificationEdge, Notification, "notifications");

/// Whether a kind of notification comes to the caller by a channel.
#[derive(SimpleObject)]
pub struct NotificationPreference {
    /// What happened, e.g. `invoice.issued`.
    kind: String,
    /// How they are told.
    channel: NotificationChannel,
    /// Whether they are.
    enabled: bool,
    /// Whether that cannot be switched off.
    mandatory: bool,
}

impl From<service::Preference> for NotificationPreference {
    fn from(preference: service::Preference) -> Self {
        let service::Preference { kind, channel, enabled, mandatory } = preference;
        Self { kind: kind.to_owned(), channel: channel.into(), enabled, mandatory }
    }
}

/// Which notifications were read.
#[derive(InputObject)]
pub struct MarkNotificationsReadInput {
    /// These, at most 100.
    ids: Option<Vec<ID>>,
    /// Instead of ids: all of them.
    #[graphql(default)]
    all: bool,
}

/// What `markNotificationsRead` answers.
#[derive(SimpleObject)]
pub struct MarkNotificationsReadPayload {
    /// How many are not read; counted no further than 10,000.
    unread_count: i32,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// What the caller wants of a kind of notification.
#[derive(InputObject)]
pub struct SetNotificationPreferenceInput {
    /// One of `notificationPreferences`.
    kind: String,
    /// How they are told.
    channel: NotificationChannel,
    /// Whether they are to be.
    enabled: bool,
}

/// What `setNotificationPreference` answers.
#[derive(SimpleObject)]
pub struct SetNotificationPreferencePayload {
    /// All of the caller's, as they are now.
    preferences: Option<Vec<NotificationPreference>>,
    /// What is to be put right.
    user_errors: Vec<UserError>,
}

/// The service of a request.
fn service_of(context: &Context<'_>) -> NotificationService {
    NotificationService::new(request(context).ports.clone())
}

/// The caller's preferences, as the present view shows them.
async fn preferences(context: &Context<'_>) -> Result<Vec<NotificationPreference>> {
    let request = request(context);
    let found = service_of(context).preferences(&request.tenant().await?, request.caller).await?;
    Ok(found.into_iter().map(NotificationPreference::from).collect())
}

/// How many of the caller's notifications are not read.
async fn unread(request: &RequestContext) -> Result<i32> {
    let user = request.access().await?.person()?.user;
    let count = rows::count(&request.tenant().await?, user, true).await?;
    Ok(i32::try_from(count).unwrap_or(i32::MAX))
}

/// Queries of notifications.
#[derive(Debug, Default)]
pub struct NotificationQuery;

#[Object]
impl NotificationQuery {
    /// What the caller was told in this business, newest first.
    async fn notifications(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Whether those that were read are left out.", default)] unread_only: bool,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<NotificationConnection>> {
        nullable(async {
            let request = request(context);
            request.require(Need::OwnAccount).await?;
            let user = request.access().await?.person()?.user;
            let list = format!("notifications/{user}/{unread_only}");
            let window = PageArguments { first, after, last, before }.window(request, &list)?;
            let tenant = request.tenant().await?;
            let page = rows::page(&tenant, user, unread_only, window).await?;
            let count: Count = Arc::new(move || {
                let tenant = tenant.clone();
                Box::pin(async move { rows::count(&tenant, user, unread_only).await })
            });
            let page = page.map(|row| (Position { at: row.created_at, id: row.id.uuid() }, Notification { row }));
            Ok(Some(NotificationConnection::of(request, &list, page, count)))
        })
        .await
    }

    /// What the caller is told of, and how.
    async fn notification_preferences(&self, context: &Context<'_>) -> Option<Result<Vec<NotificationPreference>>> {
        nullable(async {
            request(context).require(Need::OwnAccount).await?;
            Ok(Some(preferences(context).await?))
        })
        .await
    }
}

/// Changes of notifications.
#[derive(Debug, Default)]
pub struct NotificationMutation;

#[Object]
impl NotificationMutation {
    /// Marks the caller's notifications as read.
    async fn mark_notifications_read(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: MarkNotificationsReadInput,
    ) -> Option<Result<MarkNotificationsReadPayload>> {
        nullable(async {
            let request = request(context);
            let ids = input.ids.map(|ids| ids.iter().map(|id| NotificationId::parse(id)).collect());
            let (_, user_errors) = split(service_of(context).mark_read(request.caller, ids, input.all).await)?;
            request.refresh();
            Ok(Some(MarkNotificationsReadPayload { unread_count: unread(request).await?, user_errors }))
        })
        .await
    }

    /// Sets whether a kind of notification comes to the caller by a channel.
    async fn set_notification_preference(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SetNotificationPreferenceInput,
    ) -> Option<Result<SetNotificationPreferencePayload>> {
        nullable(async {
            let request = request(context);
            let SetNotificationPreferenceInput { kind, channel, enabled } = input;
            let set = service_of(context).set_preference(request.caller, &kind, channel.into(), enabled).await;
            let (done, user_errors) = split(set)?;
            request.refresh();
            let preferences = if done.is_some() { Some(preferences(context).await?) } else { None };
            Ok(Some(SetNotificationPreferencePayload { preferences, user_errors }))
        })
        .await
    }
}
