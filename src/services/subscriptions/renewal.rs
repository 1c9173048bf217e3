//! Taking back what is scheduled, and switching renewal on and off.

use serde_json::json;

use super::cancel::at_period_end;
use super::{SubscriptionService, locked};
use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::{Outcome, UserError, UserErrorCode};
use crate::ids::SubscriptionId;
use crate::services::Ports;
use crate::services::access::{Caller, Need, check_change};
use crate::services::billing::{Account, Change, Standing, clear_pending_change};
use crate::store::Tenant;

/// What is asked of a subscription's future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// No change of plan at the period's end.
    NoChange,
    /// No cancellation, which must be scheduled.
    Reactivate,
    /// Renewal or not, whatever is scheduled.
    Renew(bool),
}

impl SubscriptionService {
    /// Takes a scheduled change of plan back.
    ///
    /// # Errors
    /// NOT_FOUND at `subscriptionId`; INVALID_TRANSITION where none is scheduled; [`crate::error::Error::Unauthenticated`],
    /// [`crate::error::Error::Forbidden`] or the database's fault.
    pub async fn cancel_plan_change(&self, caller: Caller, subscription: Option<SubscriptionId>) -> Outcome<SubscriptionId> {
        self.wish(caller, subscription, Wish::NoChange).await
    }

    /// Takes a scheduled cancellation back, until its instant.
    ///
    /// # Errors
    /// NOT_FOUND at `subscriptionId`; INVALID_TRANSITION where none is scheduled or it has taken effect; as
    /// [`SubscriptionService::cancel_plan_change`].
    pub async fn reactivate(&self, caller: Caller, subscription: Option<SubscriptionId>) -> Outcome<SubscriptionId> {
        self.wish(caller, subscription, Wish::Reactivate).await
    }

    /// Switches renewal on or off; off is a cancellation at the period's end by another name.
    ///
    /// # Errors
    /// NOT_FOUND at `subscriptionId`; INVALID_TRANSITION where there is nothing to renew; as
    /// [`SubscriptionService::cancel_plan_change`].
    pub async fn set_auto_renewal(&self, caller: Caller, subscription: Option<SubscriptionId>, renews: bool) -> Outcome<SubscriptionId> {
        self.wish(caller, subscription, Wish::Renew(renews)).await
    }

    /// One transaction for all of them.
    async fn wish(&self, caller: Caller, subscription: Option<SubscriptionId>, wish: Wish) -> Outcome<SubscriptionId> {
        let scope = caller.require_scope()?;
        let outside = self.ports.clone();
        let write = move |tenant: Tenant| {
            let ports = outside.clone();
            async move {
                let access = check_change(&tenant, caller, Need::ChangeMoney).await?;
                let ports = ports.of(&tenant).await?;
                let mut account = Account::lock(&tenant, ports.now()).await?;
                let mut standing = locked(&tenant, &ports, &mut account, subscription).await?;
                grant(&tenant, &ports, &account, &mut standing, wish, &access.actor()).await?;
                Ok(standing.row.id)
            }
        };
        self.ports.store.write(scope, write).await
    }
}

/// Does what is wished, where the state allows it.
async fn grant(tenant: &Tenant, ports: &Ports, account: &Account, standing: &mut Standing, wish: Wish, actor: &str) -> Outcome<()> {
    use SubscriptionStatus::{Active, PastDue, Trialing};
    let row = &standing.row;
    let no = |sentence: &str| Err(UserError::at("subscriptionId", UserErrorCode::InvalidTransition, sentence).into());
    if !matches!(row.status, Trialing | Active | PastDue) {
        return no("The subscription's state does not allow this.");
    }
    let kind = match wish {
        Wish::NoChange if row.pending_plan_id.is_none() => return no("No change of plan is scheduled."),
        Wish::Reactivate if row.cancel_at.is_none() => return no("No cancellation is scheduled."),
        Wish::Renew(renews) if renews == row.auto_renewal => return Ok(()),
        Wish::Renew(false) => {
            let cancel_at = row.period_end.get();
            return at_period_end(tenant, ports, account, standing, cancel_at, actor).await;
        }
        Wish::NoChange => {
            clear_pending_change(standing);
            "change_withdrawn"
        }
        Wish::Reactivate | Wish::Renew(true) => {
            standing.row.cancel_at = None;
            standing.row.cancel_reason = None;
            standing.row.auto_renewal = true;
            "reactivated"
        }
    };
    Ok(standing.changed(tenant, ports, account, Change { kind, actor, at: account.at, details: json!({}) }).await?)
}
