//! What becomes of a submission: staff review it, and a business that is then called otherwise must show who it is anew.

use jiff::{Timestamp, ToSpan as _};
use serde_json::json;

use super::{EXPIRE, Turn, VerificationWhat, after, audited, end_of, expiry_key, rule_of, schedule_expiry, told};
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::services::Ports;
use crate::services::billing::account::zone;
use crate::store::Tenant;
use crate::store::customers::Business;
use crate::store::jobs;
use crate::store::types::{Day, DocumentKind, DocumentKinds, DocumentStatus, Instant, ScanStatus};
use crate::store::verification::{self as rows, Document, Verification};

/// The most days for which an approval holds.
const MAX_APPROVAL_DAYS: i64 = 3_650;
/// What the customer is told where its own change ended an approval.
const RENAMED: &str = "The business's name, country or tax id was changed after it was approved. Submit it again.";

/// What staff decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is who it says it is.
    Approve,
    /// It is not taken.
    Reject,
    /// Something else is to be shown.
    RequestInformation,
}

/// A review, its words read.
#[derive(Debug, Clone)]
pub struct Review {
    /// What staff decide.
    pub decision: Decision,
    /// Why, for the customer; there for all but an approval.
    pub reason: Option<String>,
    /// What is to be shown anew.
    pub missing: Vec<DocumentKind>,
    /// The last day on which the approval holds; without one the rule of the country says it.
    pub approved_until: Option<Day>,
}

/// Reviews a business that is locked by this transaction. `ports` are those of the business; answers it as it is to be saved.
///
/// # Errors
/// INVALID at `missing` or `approvedUntil` where they do not go with the decision, or the day is past or too far; INVALID_TRANSITION
/// where there is nothing to decide so; or the database's fault.
pub(in crate::services) async fn review(
    tenant: &Tenant,
    ports: &Ports,
    mut business: Business,
    given: Review,
    actor: &str,
) -> Outcome<Business> {
    let (turn, what, action) = match given.decision {
        Decision::Approve => (Turn::Approved, VerificationWhat::Approved, "verification.approved"),
        Decision::Reject => (Turn::Rejected, VerificationWhat::Rejected, "verification.rejected"),
        Decision::RequestInformation => (Turn::Asked, VerificationWhat::NeedsInformation, "verification.information_requested"),
    };
    check(&given)?;
    let refusal = || UserError::new(UserErrorCode::InvalidTransition, "The business is not in a state in which this can be decided.");
    let status = after(business.verification_status, turn).ok_or_else(refusal)?;
    let mut row = rows::find(tenant).await?.ok_or_else(refusal)?;
    let documents = rows::documents(tenant).await?;
    if given.decision == Decision::Approve {
        let waits = |document: &Document| document.status == DocumentStatus::Quarantined && document.scan == ScanStatus::Waiting;
        if documents.iter().any(waits) {
            return Err(
                UserError::new(UserErrorCode::InvalidTransition, "A document is still being scanned; try again in a minute.").into()
            );
        }
        row.expires_at = Some(expiry(tenant, ports, &business, given.approved_until).await?.into());
        row.approvals = row.approvals.saturating_add(1);
    } else {
        withdraw(tenant, ports, &mut row).await?;
    }
    for document in documents {
        let judged = judge(&document, &given);
        if judged != document {
            rows::save_document(tenant, judged).await?;
        }
    }
    business.verification_status = status;
    row.reviewed_at = Some(Instant::from(ports.now()));
    row.reason.clone_from(&given.reason);
    row.missing = given.missing.iter().copied().collect();
    rows::save(tenant, row.clone()).await?;
    schedule_expiry(tenant, ports, &row).await?;
    let missing: Vec<&str> = row.missing.iter().map(DocumentKind::as_str).collect();
    audited(tenant, ports, action, actor, json!({ "missing": missing })).await?;
    told(tenant, ports, what, &business, &row).await?;
    Ok(business)
}

/// What goes with a decision, and what does not.
fn check(given: &Review) -> Result<(), UserError> {
    if given.decision != Decision::RequestInformation && !given.missing.is_empty() {
        return Err(UserError::at("missing", UserErrorCode::Invalid, "This goes with REQUEST_INFORMATION alone."));
    }
    if given.decision != Decision::Approve && given.approved_until.is_some() {
        return Err(UserError::at("approvedUntil", UserErrorCode::Invalid, "This goes with APPROVE alone."));
    }
    Ok(())
}

/// What a review makes of a document: an approval accepts what waits, a rejection refuses it, and what is to be shown anew does not
/// suffice any more.
fn judge(document: &Document, given: &Review) -> Document {
    let waits = document.status == DocumentStatus::Quarantined;
    let refused = || Document { status: DocumentStatus::Rejected, reason: given.reason.clone(), ..document.clone() };
    match given.decision {
        Decision::Approve if waits => Document { status: DocumentStatus::Accepted, ..document.clone() },
        Decision::Reject if waits => refused(),
        Decision::RequestInformation if document.status != DocumentStatus::Rejected && given.missing.contains(&document.kind) => refused(),
        _ => document.clone(),
    }
}

/// When an approval of now runs out: at the end of the day that is given, or as many days from now as the country's rule says.
async fn expiry(tenant: &Tenant, ports: &Ports, business: &Business, until: Option<Day>) -> Outcome<Timestamp> {
    let today = zone(&business.time_zone)?.date_of(ports.now());
    let Some(until) = until else {
        let days = rule_of(&rows::rules(&tenant.catalogue()).await?, &business.country).approval_days;
        let last = today.checked_add(days.days()).map_err(|_| Error::Corrupt("an approval holds for ever".into()))?;
        return Ok(end_of(business, Day::from(last))?);
    };
    let furthest = today.checked_add(MAX_APPROVAL_DAYS.days()).map_err(|_| Error::Corrupt("an approval holds for ever".into()))?;
    if until.get() < today || until.get() > furthest {
        let sentence = "Give a day from today on, at most ten years from now.";
        return Err(UserError::at("approvedUntil", UserErrorCode::Invalid, sentence).into());
    }
    Ok(end_of(business, until)?)
}

/// Takes back the end of an approval that holds no longer.
async fn withdraw(tenant: &Tenant, ports: &Ports, row: &mut Verification) -> Result<(), Error> {
    row.expires_at = None;
    jobs::withdraw(tenant, EXPIRE, &expiry_key(row), ports.now().into()).await
}

/// Ends the approval of a business whose name, country or tax id was changed; the business is locked by this transaction and saved by
/// whoever calls.
///
/// # Errors
/// The database's fault.
pub(in crate::services) async fn renamed(tenant: &Tenant, ports: &Ports, business: &mut Business, actor: &str) -> Result<(), Error> {
    let Some(status) = after(business.verification_status, Turn::Renamed) else { return Ok(()) };
    let Some(mut row) = rows::find(tenant).await? else { return Ok(()) };
    let ports = ports.of(tenant).await?;
    business.verification_status = status;
    withdraw(tenant, &ports, &mut row).await?;
    row.reason = Some(RENAMED.to_owned());
    row.missing = DocumentKinds::default();
    rows::save(tenant, row.clone()).await?;
    audited(tenant, &ports, "verification.ended", actor, json!({})).await?;
    told(tenant, &ports, VerificationWhat::NeedsInformation, business, &row).await
}
