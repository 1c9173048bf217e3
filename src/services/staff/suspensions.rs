//! Suspending a business as a whole: its people can read and change nothing any more; billing goes on.

use serde_json::json;

use super::reason::reason;
use super::{Right, StaffAccess, StaffService, check_right, tenant};
use crate::error::{Outcome, UserError, UserErrorCode};
use crate::ids::BusinessId;
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::notifications::{BUSINESS_RESTORED, BUSINESS_SUSPENDED, queue_to_owners};
use crate::store::customers::{self, Business};
use crate::store::reads::businesses::{self, Suspension};
use crate::store::{System, Tenant, staff};

/// Which business to suspend, and why.
#[derive(Debug, Clone)]
pub struct Suspend {
    /// The business; `None` for an id that names none.
    pub business: Option<BusinessId>,
    /// Why, for staff.
    pub reason: String,
}

impl StaffService {
    /// Suspends a business.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not; NOT_FOUND, REQUIRED, TOO_LONG, INVALID;
    /// INVALID_TRANSITION where it is suspended; or the database's fault.
    pub async fn suspend_business(&self, caller: Caller, input: Suspend) -> Outcome<Business> {
        let (ports, now) = (self.ports.clone(), self.now());
        let done = self.ports.store.write_system(move |system| {
            let (ports, input) = (ports.clone(), input.clone());
            async move {
                let access = check_right(&system, caller, Right::SuspendBusinesses).await?;
                let reason = reason(&input.reason)?;
                let (tenant, mut row) = locked(&system, access, input.business).await?;
                if row.suspended_at.is_some() {
                    return Err(UserError::new(UserErrorCode::InvalidTransition, "The business is suspended already.").into());
                }
                row.suspended_at = Some(now);
                let row = customers::save_business(&tenant, row).await?;
                let suspension = Suspension {
                    business_id: row.business_id,
                    id: ports.ids.next(),
                    suspended_by: access.staff,
                    reason,
                    suspended_at: now,
                    restored_by: None,
                    restored_at: None,
                };
                staff::insert_suspension(&tenant, suspension).await?;
                let (actor, subject) = (access.actor(), row.business_id.to_string());
                let act = Act { action: "business.suspended", actor: &actor, subject: &subject, details: json!({}) };
                audit::record(&tenant, &ports, act).await?;
                queue_to_owners(&tenant, &ports, BUSINESS_SUSPENDED).await?;
                Ok(row)
            }
        });
        done.await
    }

    /// Restores a business that is suspended.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not; NOT_FOUND; INVALID_TRANSITION where it is not
    /// suspended; or the database's fault.
    pub async fn restore_business(&self, caller: Caller, business: Option<BusinessId>) -> Outcome<Business> {
        let (ports, now) = (self.ports.clone(), self.now());
        let done = self.ports.store.write_system(move |system| {
            let ports = ports.clone();
            async move {
                let access = check_right(&system, caller, Right::SuspendBusinesses).await?;
                let (tenant, mut row) = locked(&system, access, business).await?;
                if row.suspended_at.is_none() {
                    return Err(UserError::new(UserErrorCode::InvalidTransition, "The business is not suspended.").into());
                }
                row.suspended_at = None;
                let row = customers::save_business(&tenant, row).await?;
                staff::end_suspension(&tenant, access.staff, now).await?;
                let (actor, subject) = (access.actor(), row.business_id.to_string());
                let act = Act { action: "business.restored", actor: &actor, subject: &subject, details: json!({}) };
                audit::record(&tenant, &ports, act).await?;
                queue_to_owners(&tenant, &ports, BUSINESS_RESTORED).await?;
                Ok(row)
            }
        });
        done.await
    }
}

/// The business of an id, locked.
pub(super) async fn locked(system: &System, access: StaffAccess, business: Option<BusinessId>) -> Outcome<(Tenant, Business)> {
    let refusal = || UserError::at("businessId", UserErrorCode::NotFound, "There is no such business.");
    let id = business.ok_or_else(refusal)?;
    if businesses::by_ids(&system.reader(), &[id]).await?.is_empty() {
        return Err(refusal().into());
    }
    let tenant = tenant(system, access, id);
    let row = customers::lock_business(&tenant).await?;
    Ok((tenant, row))
}
