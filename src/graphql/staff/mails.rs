//! Mails that did not go out.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result};

use super::money::reader_of;
use crate::graphql::business::account::User;
use crate::graphql::business::profile::Business;
use crate::graphql::context::{nullable, request};
use crate::graphql::page::{Count, PageArguments, connection};
use crate::graphql::scalars::DateTime;
use crate::services::staff::Right;
use crate::store::mails::{self as rows, StoredMail};
use crate::store::page::Position;

/// A mail that was given up.
#[derive(Debug, Clone)]
pub struct FailedMail {
    row: StoredMail,
}

/// A mail that was given up: a mail server refused it for good, or all tries failed. What it said is not kept here.
#[Object]
impl FailedMail {
    /// Whose mail it is.
    async fn business(&self, context: &Context<'_>) -> Result<Business> {
        Ok(Business::of(request(context), self.row.business_id).await?)
    }
    /// Whom it was for; null for the business's own address.
    async fn user(&self, context: &Context<'_>) -> Option<Result<User>> {
        nullable(async {
            let Some(id) = self.row.user_id else { return Ok(None) };
            Ok(User::by_id(request(context), id).await?)
        })
        .await
    }
    /// Which mail: `invoice.issued`.
    async fn kind(&self) -> &str {
        &self.row.kind
    }
    /// Why it did not go out, in the words of the mail server where it had any.
    async fn error(&self) -> Option<&str> {
        self.row.error.as_deref()
    }
    /// When it was called for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
    /// When it was given up.
    async fn failed_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

connection!(FailedMailConnection, FailedMailEdge, FailedMail, "mails that were given up");

/// Queries about mails.
#[derive(Debug, Default)]
pub struct MailQuery;

#[Object]
impl MailQuery {
    /// Mails that were given up, of a business or of all, the last one first.
    async fn failed_mails(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of this business alone.")] business_id: Option<ID>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<FailedMailConnection>> {
        nullable(async {
            const LIST: &str = "failedMails";
            let (request, arguments) = (request(context), PageArguments { first, after, last, before });
            request.staff_access().await?.require(Right::Read)?;
            let window = arguments.window(request, LIST)?;
            let reader = reader_of(request, business_id).await?;
            let page = rows::failed(&reader, window).await?;
            let count: Count = Arc::new(move || {
                let reader = reader.clone();
                Box::pin(async move { rows::count_failed(&reader).await })
            });
            let place = |row: StoredMail| (Position { at: row.updated_at, id: row.id.uuid() }, FailedMail { row });
            Ok(Some(FailedMailConnection::of(request, LIST, page.map(place), count)))
        })
        .await
    }
}
