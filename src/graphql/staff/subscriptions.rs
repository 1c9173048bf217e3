//! What staff do to a subscription in its business's place.

use async_graphql::{Context, Object, Result};

use crate::graphql::business::subscription_mutations::{CancelInput, CancelPayload, ChangePlanInput, ChangePlanPayload, service};
use crate::graphql::context::{nullable, request};

/// Mutations of subscriptions.
#[derive(Debug, Default)]
pub struct SubscriptionMutation;

#[Object]
impl SubscriptionMutation {
    /// As the customer's own `cancel`, but not bound by `SubscriptionOptions`. FINANCE and ADMIN.
    async fn cancel_for_business(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: CancelInput,
    ) -> Option<Result<CancelPayload>> {
        nullable(async {
            let outcome = service(context).cancel_for_business(request(context).caller, input.into()).await;
            CancelPayload::of(context, outcome).await.map(Some)
        })
        .await
    }
    /// As the customer's own `changePlan`, but not bound by `SubscriptionOptions`. `previewToken` is one that the business's
    /// `changePlanPreview` gave. FINANCE and ADMIN.
    async fn change_plan_for_business(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "What is to be done.")] input: ChangePlanInput,
    ) -> Option<Result<ChangePlanPayload>> {
        nullable(async {
            let outcome = service(context).change_plan_for_business(request(context).caller, input.into()).await;
            ChangePlanPayload::of(context, outcome).await.map(Some)
        })
        .await
    }
}
