//! Reviewing what businesses submit to be verified.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use super::account::service;
use super::businesses::{StaffBusiness, StaffBusinessConnection};
use crate::error::Error;
use crate::graphql::business::verification::DocumentKind;
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::graphql::page::{Count, PageArguments};
use crate::graphql::scalars::Date;
use crate::ids::BusinessId;
use crate::services::staff::{ReviewVerification, Right};
use crate::services::verification as decisions;
use crate::store::page::{Page, Position};
use crate::store::reads::{businesses, verification as rows};

/// What staff decide on a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "decisions::Decision")]
pub enum ReviewDecision {
    /// The business is who it says it is.
    Approve,
    /// It is not taken.
    Reject,
    /// Something else is to be shown.
    RequestInformation,
}

/// A review.
#[derive(Debug, InputObject)]
pub struct ReviewVerificationInput {
    /// The business.
    business_id: ID,
    /// What is decided.
    decision: ReviewDecision,
    /// For the customer; needed for all but APPROVE.
    reason: Option<String>,
    /// What is to be shown anew; with REQUEST_INFORMATION alone.
    missing: Option<Vec<DocumentKind>>,
    /// Default: a setting by country.
    approved_until: Option<Date>,
}

/// What `reviewVerification` answers.
#[derive(Debug, SimpleObject)]
pub struct ReviewVerificationPayload {
    /// The business as it is now.
    business: Option<StaffBusiness>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Queries of verifications.
#[derive(Debug, Default)]
pub struct VerificationQuery;

#[Object]
impl VerificationQuery {
    /// Oldest submission first.
    async fn verification_queue(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The first so many: 20 unless asked, at most 100.")] first: Option<i32>,
        #[graphql(desc = "After this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many.")] last: Option<i32>,
        #[graphql(desc = "Before this cursor.")] before: Option<String>,
    ) -> Option<Result<StaffBusinessConnection>> {
        const LIST: &str = "verificationQueue";
        nullable(async {
            let request = request(context);
            request.staff_access().await?.require(Right::Read)?;
            let window = PageArguments { first, after, last, before }.window(request, LIST)?;
            let reader = request.reader().await?;
            let Page { rows: waiting, has_next, has_previous } = rows::queue(&reader, window).await?;
            let ids: Vec<BusinessId> = waiting.iter().map(|row| row.business_id).collect();
            let mut found = businesses::by_ids(&reader, &ids).await?;
            let mut placed = Vec::with_capacity(waiting.len());
            for row in waiting {
                let gone = || Error::Corrupt("a submission is nobody's".into());
                let business = found.remove(&row.business_id).ok_or_else(gone)?;
                placed.push((Position { at: row.submitted_at, id: row.business_id.uuid() }, StaffBusiness::new(business)));
            }
            let count: Count = Arc::new(move || {
                let reader = reader.clone();
                Box::pin(async move { rows::count(&reader).await })
            });
            Ok(Some(StaffBusinessConnection::of(request, LIST, Page { rows: placed, has_next, has_previous }, count)))
        })
        .await
    }
}

/// Reviewing.
#[derive(Debug, Default)]
pub struct VerificationMutation;

#[Object]
impl VerificationMutation {
    /// Decides on what a business has submitted. COMPLIANCE and ADMIN.
    async fn review_verification(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ReviewVerificationInput,
    ) -> Option<Result<ReviewVerificationPayload>> {
        nullable(async {
            let request = request(context);
            let input = ReviewVerification {
                business: BusinessId::parse(&input.business_id),
                decision: input.decision.into(),
                reason: input.reason,
                missing: input.missing.unwrap_or_default().into_iter().map(Into::into).collect(),
                approved_until: input.approved_until.map(|day| day.0),
            };
            let (row, user_errors) = split(service(context).review_verification(request.caller, input).await)?;
            request.refresh();
            Ok(Some(ReviewVerificationPayload { business: row.map(StaffBusiness::new), user_errors }))
        })
        .await
    }
}
