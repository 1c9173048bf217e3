//! What staff do to a subscription in its business's place: the same transactions, not bound by what the operator's
//! settings offer to customers, and audited with the member of staff as actor.

use super::{Agent, Billed, Cancel, ChangePlan, SubscriptionService, cancel, change, no_such_subscription, settled};
use crate::error::Outcome;
use crate::ids::SubscriptionId;
use crate::services::access::Caller;
use crate::services::staff::{self, Right, check_right};
use crate::store::reads::subscriptions;
use crate::store::{System, Tenant, TenantScope};

/// The name of a cancellation under the idempotency keys of staff.
const CANCEL: &str = "cancelForBusiness";
/// The name of a change of plan under the idempotency keys of staff.
const CHANGE_PLAN: &str = "changePlanForBusiness";

impl SubscriptionService {
    /// Cancels a business's subscription: at the end of its period, or at once.
    ///
    /// # Errors
    /// Those of [`SubscriptionService::cancel`]; [`crate::error::Error::Forbidden`] for a role that may not.
    pub async fn cancel_for_business(&self, caller: Caller, input: Cancel) -> Outcome<Billed> {
        let outside = self.ports.clone();
        let write = move |system: System| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let (tenant, scope, agent) = in_place(&system, caller, input.subscription).await?;
                Ok((scope, Box::pin(cancel::transact(&tenant, &ports.of(&tenant).await?, agent, &input, CANCEL)).await?))
            }
        };
        let (scope, billed) = self.ports.store.write_system(write).await?;
        settled(&self.ports, scope, billed).await
    }

    /// Changes a business's plan, at once or at the period's end. What is to be paid at once is collected as if the
    /// customer had changed it, and waited for a while.
    ///
    /// # Errors
    /// Those of [`SubscriptionService::change_plan`]; [`crate::error::Error::Forbidden`] for a role that may not.
    pub async fn change_plan_for_business(&self, caller: Caller, input: ChangePlan) -> Outcome<Billed> {
        let outside = self.ports.clone();
        let write = move |system: System| {
            let (ports, input) = (outside.clone(), input.clone());
            async move {
                let (tenant, scope, agent) = in_place(&system, caller, input.change.subscription).await?;
                Ok((scope, change::transact(&tenant, &ports.of(&tenant).await?, agent, &input, CHANGE_PLAN).await?))
            }
        };
        let (scope, billed) = self.ports.store.write_system(write).await?;
        settled(&self.ports, scope, billed).await
    }
}

/// The business of a subscription, in the same transaction, and the member of staff who acts in its place.
async fn in_place(system: &System, caller: Caller, subscription: Option<SubscriptionId>) -> Outcome<(Tenant, TenantScope, Agent)> {
    let access = check_right(system, caller, Right::ManageSubscriptions).await?;
    let found = match subscription {
        Some(id) => subscriptions::by_id(&system.reader(), id).await?,
        None => None,
    };
    let scope = staff::scope(access, found.ok_or_else(no_such_subscription)?.business_id);
    Ok((system.tenant(scope), scope, Agent::of_staff(&access)))
}
