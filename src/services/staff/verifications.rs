//! Reviewing what businesses submit to be verified.

use super::reason::{reason, words};
use super::suspensions::locked;
use super::{Right, StaffService, check_right};
use crate::error::Outcome;
use crate::ids::BusinessId;
use crate::services::access::Caller;
use crate::services::verification::{self, Decision, Review};
use crate::store::customers::{self, Business};
use crate::store::types::{Day, DocumentKind};

/// What staff decide on a submission.
#[derive(Debug, Clone)]
pub struct ReviewVerification {
    /// The business; `None` for an id that names none.
    pub business: Option<BusinessId>,
    /// What they decide.
    pub decision: Decision,
    /// Why, for the customer; needed for all but an approval.
    pub reason: Option<String>,
    /// What is to be shown anew.
    pub missing: Vec<DocumentKind>,
    /// The last day on which an approval holds.
    pub approved_until: Option<Day>,
}

impl StaffService {
    /// Reviews a submission.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not; NOT_FOUND at `businessId`; REQUIRED, TOO_LONG or INVALID at `reason`;
    /// INVALID at `missing` or `approvedUntil`; INVALID_TRANSITION where there is nothing to decide so; or the database's fault.
    pub async fn review_verification(&self, caller: Caller, input: ReviewVerification) -> Outcome<Business> {
        let outside = self.ports.clone();
        let done = self.ports.store.write_system(move |system| {
            let (outside, input) = (outside.clone(), input.clone());
            async move {
                let access = check_right(&system, caller, Right::ReviewVerifications).await?;
                let said = match (input.decision, input.reason.as_deref()) {
                    (Decision::Approve, None) => None,
                    (Decision::Approve, Some(text)) => Some(words("reason", text)?).filter(|text| !text.is_empty()),
                    (Decision::Reject | Decision::RequestInformation, given) => Some(reason(given.unwrap_or_default())?),
                };
                let (tenant, business) = locked(&system, access, input.business).await?;
                let ports = outside.of(&tenant).await?;
                let given = Review { decision: input.decision, reason: said, missing: input.missing, approved_until: input.approved_until };
                let business = verification::review(&tenant, &ports, business, given, &access.actor()).await?;
                Ok(customers::save_business(&tenant, business).await?)
            }
        });
        let done = done.await?;
        self.ports.work.notify_one();
        Ok(done)
    }
}
