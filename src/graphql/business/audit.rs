//! The audit trail.

use std::sync::Arc;

use async_graphql::types::Json;
use async_graphql::{Context, ID, Object, Result};

use crate::error::Error;
use crate::graphql::context::{RequestContext, nullable, request};
use crate::graphql::page::{Count, PageArguments, connection, count_of};
use crate::graphql::scalars::{BigInt, DateTime, show_id};
use crate::ids::BusinessId;
use crate::services::access::Need;
use crate::store::Reader;
use crate::store::page::Page;
use crate::store::reads::audit as rows;

/// One act that was written down.
#[derive(Debug, Clone)]
pub struct AuditEvent {
    row: rows::AuditEvent,
}

impl AuditEvent {
    /// The event of a row.
    pub const fn new(row: rows::AuditEvent) -> Self {
        Self { row }
    }
}

/// One act that was written down, in the transaction that did it. The events of a business are a chain, and so are those of
/// the platform: each has the hash of the one before it, so that none can be changed, removed or reordered unseen.
#[Object]
impl AuditEvent {
    /// Its id.
    pub async fn id(&self) -> ID {
        show_id(self.row.id)
    }
    /// Its number in its chain, from 1 without gaps.
    async fn sequence(&self) -> BigInt {
        BigInt(self.row.sequence)
    }
    /// What was done: `subscription.plan_changed`.
    async fn action(&self) -> &str {
        &self.row.action
    }
    /// Who did it: the id of a person, a key or a member of staff; `system` for the platform itself.
    async fn actor(&self) -> &str {
        &self.row.actor
    }
    /// What it was done to: an id.
    async fn subject(&self) -> &str {
        &self.row.subject
    }
    /// Before and after; no personal data.
    async fn details(&self) -> Result<Json<serde_json::Value>> {
        let details = serde_json::from_str(&self.row.details);
        Ok(Json(details.map_err(|_| Error::Corrupt("the details of an audit event are no JSON".into()))?))
    }
    /// When it was done.
    async fn at(&self) -> DateTime {
        DateTime(self.row.at)
    }
    /// The hash of the event before it; zeros before the first. Hexadecimal.
    async fn previous_hash(&self) -> String {
        hexadecimal(&self.row.previous_hash)
    }
    /// SHA-256 over the hash before it and every field. Hexadecimal.
    async fn hash(&self) -> String {
        hexadecimal(&self.row.hash)
    }
}

/// Bytes as hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

connection!(AuditEventConnection, AuditEventEdge, AuditEvent, "audit events");

/// A page of what was done to the businesses of `reader`; `list` names the list that its cursors belong to.
///
/// # Errors
/// BAD_USER_INPUT for arguments that ask for no page, or the database's fault.
pub(in crate::graphql) async fn page(
    request: &RequestContext,
    reader: Reader,
    list: &str,
    arguments: PageArguments,
) -> Result<AuditEventConnection, Error> {
    let page = rows::page(&reader, arguments.window(request, list)?).await?;
    let count: Count = Arc::new(move || {
        let reader = reader.clone();
        Box::pin(async move { rows::count(&reader).await })
    });
    Ok(connection_of(request, list, page, count))
}

/// The connection of a page.
pub(in crate::graphql) fn connection_of(
    request: &RequestContext,
    list: &str,
    page: Page<rows::AuditEvent>,
    count: Count,
) -> AuditEventConnection {
    AuditEventConnection::of(request, list, page.map(|row| (row.position(), AuditEvent::new(row))), count)
}

/// A page of what was done to one business, read together with those of other businesses.
///
/// # Errors
/// As [`page`].
pub(in crate::graphql) async fn page_of_business(
    request: &RequestContext,
    business: BusinessId,
    arguments: PageArguments,
) -> Result<AuditEventConnection, Error> {
    let list = format!("{business}/auditEvents");
    let window = arguments.window(request, &list)?;
    let page = request.view().loaders.business_audit_events.page(business, window).await?;
    Ok(connection_of(request, &list, page, count_of(request, business, |loaders| &loaders.business_audit_event_counts)))
}

/// Queries about the audit trail.
#[derive(Debug, Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// What was done to the business and by whom, newest first. For owners and admins.
    async fn audit_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<AuditEventConnection>> {
        nullable(async {
            let request = request(context);
            request.require(Need::ReadAudit).await?;
            let arguments = PageArguments { first, after, last, before };
            Ok(Some(page(request, request.reader().await?, "auditEvents", arguments).await?))
        })
        .await
    }
}
