//! Whether a business pays tax.

use serde_json::json;

use super::reason::reason;
use super::suspensions::locked;
use super::{Right, StaffService, check_right};
use crate::error::{Outcome, UserError, UserErrorCode};
use crate::ids::BusinessId;
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::store::customers::{self, Business};

/// Which business, whether it is exempt, and why.
#[derive(Debug, Clone)]
pub struct SetTaxExempt {
    /// The business; `None` for an id that names none.
    pub business: Option<BusinessId>,
    /// Whether it pays no tax.
    pub tax_exempt: bool,
    /// Why.
    pub reason: String,
}

impl StaffService {
    /// Exempts a business from tax, or takes that back. It counts for what is issued from then on.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not; NOT_FOUND, REQUIRED, TOO_LONG, INVALID; NO_CHANGE where it
    /// is so already; or the database's fault.
    pub async fn set_tax_exempt(&self, caller: Caller, input: SetTaxExempt) -> Outcome<Business> {
        let ports = self.ports.clone();
        let done = self.ports.store.write_system(move |system| {
            let (ports, input) = (ports.clone(), input.clone());
            async move {
                let access = check_right(&system, caller, Right::ExemptFromTax).await?;
                let reason = reason(&input.reason)?;
                let (tenant, mut row) = locked(&system, access, input.business).await?;
                if row.tax_exempt == input.tax_exempt {
                    return Err(UserError::at("taxExempt", UserErrorCode::NoChange, "It is so already.").into());
                }
                row.tax_exempt = input.tax_exempt;
                let row = customers::save_business(&tenant, row).await?;
                let (actor, subject) = (access.actor(), row.business_id.to_string());
                let details = json!({ "tax_exempt": row.tax_exempt, "reason": reason });
                let act = Act { action: "business.tax_exemption_set", actor: &actor, subject: &subject, details };
                audit::record(&tenant, &ports, act).await?;
                Ok(row)
            }
        });
        done.await
    }
}
