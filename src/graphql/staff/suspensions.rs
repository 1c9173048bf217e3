//! Suspending and restoring businesses.

use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

use super::account::service;
use super::businesses::StaffBusiness;
use crate::graphql::context::{nullable, request};
use crate::graphql::errors::{UserError, split};
use crate::ids::BusinessId;
use crate::services::staff::Suspend;

/// Which business, and why.
#[derive(Debug, InputObject)]
pub struct SuspendBusinessInput {
    /// The business.
    business_id: ID,
    /// For staff: 1 to 500 characters.
    reason: String,
}

/// What `suspendBusiness` answers.
#[derive(Debug, SimpleObject)]
pub struct SuspendBusinessPayload {
    /// The business as it is now.
    business: Option<StaffBusiness>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Which business.
#[derive(Debug, InputObject)]
pub struct RestoreBusinessInput {
    /// The business.
    business_id: ID,
}

/// What `restoreBusiness` answers.
#[derive(Debug, SimpleObject)]
pub struct RestoreBusinessPayload {
    /// The business as it is now.
    business: Option<StaffBusiness>,
    /// What is to be put right; when there is any, nothing was changed.
    user_errors: Vec<UserError>,
}

/// Suspending and restoring businesses.
#[derive(Debug, Default)]
pub struct SuspensionMutation;

#[Object]
impl SuspensionMutation {
    /// Takes a business's people their access, until it is restored; billing goes on. COMPLIANCE and ADMIN.
    async fn suspend_business(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: SuspendBusinessInput,
    ) -> Option<Result<SuspendBusinessPayload>> {
        nullable(async {
            let request = request(context);
            let input = Suspend { business: BusinessId::parse(&input.business_id), reason: input.reason };
            let (row, user_errors) = split(service(context).suspend_business(request.caller, input).await)?;
            request.refresh();
            Ok(Some(SuspendBusinessPayload { business: row.map(StaffBusiness::new), user_errors }))
        })
        .await
    }
    /// Gives a business's people their access back. COMPLIANCE and ADMIN.
    async fn restore_business(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: RestoreBusinessInput,
    ) -> Option<Result<RestoreBusinessPayload>> {
        nullable(async {
            let request = request(context);
            let business = BusinessId::parse(&input.business_id);
            let (row, user_errors) = split(service(context).restore_business(request.caller, business).await)?;
            request.refresh();
            Ok(Some(RestoreBusinessPayload { business: row.map(StaffBusiness::new), user_errors }))
        })
        .await
    }
}
