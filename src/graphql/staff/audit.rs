//! What was done, and by whom.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result};

use super::money::reader_of;
use crate::graphql::business::audit::{self, AuditEventConnection};
use crate::graphql::context::{nullable, request};
use crate::graphql::page::{Count, PageArguments};
use crate::services::staff::Right;
use crate::store::reads::audit as rows;

/// Queries about the audit trail.
#[derive(Debug, Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// What was done to a business, or to all businesses and to the platform itself, newest first.
    async fn audit_events(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "Of this business alone.")] business_id: Option<ID>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<AuditEventConnection>> {
        nullable(async {
            const LIST: &str = "auditEvents";
            let (request, arguments) = (request(context), PageArguments { first, after, last, before });
            request.staff_access().await?.require(Right::Read)?;
            if business_id.is_some() {
                let reader = reader_of(request, business_id).await?;
                return Ok(Some(audit::page(request, reader, LIST, arguments).await?));
            }
            let system = request.system().await?;
            let page = rows::page_of_all(&system, arguments.window(request, LIST)?).await?;
            let count: Count = Arc::new(move || {
                let system = system.clone();
                Box::pin(async move { rows::count_of_all(&system).await })
            });
            Ok(Some(audit::connection_of(request, LIST, page, count)))
        })
        .await
    }
}
