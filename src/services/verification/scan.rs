//! Has a document scanned, by a job: the scanner is asked outside of any transaction, and as long as it has no verdict once more.

use jiff::SignedDuration;
use serde_json::json;

use super::sealed::opened;
use super::{Finish, Turn, VerificationWhat, after, audited, told};
use crate::adapters::scanner::Verdict;
use crate::error::{Error, Outcome};
use crate::ids::DocumentId;
use crate::services::Ports;
use crate::store::types::{DocumentStatus, ScanStatus};
use crate::store::verification::{self as rows, Document};
use crate::store::{Snapshot, Tenant, TenantScope, customers};

/// After so long a scanner that had no verdict is asked again.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// What the customer is told of a file in which something was found.
const HARMFUL: &str = "Something harmful was found in a file. Send it anew from a clean computer.";

/// Has the document of a job's key scanned.
///
/// # Errors
/// The fault of the database, or of where files are kept.
pub(super) async fn run(ports: &Ports, scope: TenantScope, key: &str) -> Outcome<Finish> {
    let id = DocumentId::parse(key).ok_or_else(|| Error::Corrupt("a job's key names no document".into()))?;
    let (business, document) = {
        let tenant = Snapshot::new(ports.store.clone(), Some(scope)).tenant().await?;
        (customers::business(&tenant).await?, rows::document(&tenant, id).await?)
    };
    let Some(document) = document.filter(|document| document.scan == ScanStatus::Waiting) else { return Ok(Finish::Done) };
    let verdict = match &ports.scanner {
        None => None,
        Some(scanner) => match scanner.scan(&opened(ports, scope, &business, &document).await?).await {
            Ok(verdict) => Some(verdict),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, document = %id, "a document is not scanned yet");
                return Ok(Finish::Again(ports.real_now().saturating_add(AGAIN_AFTER).unwrap_or(jiff::Timestamp::MAX).into()));
            }
        },
    };
    let outside = ports.clone();
    let write = move |tenant: Tenant| {
        let (ports, verdict) = (outside.clone(), verdict.clone());
        async move { Ok(settle(&tenant, &ports.of(&tenant).await?, id, verdict.as_ref()).await?) }
    };
    ports.store.write(scope, write).await?;
    ports.work.notify_one();
    Ok(Finish::Done)
}

/// Writes what the scanner said of a document. One in which it found something does not suffice, and another is asked for.
async fn settle(tenant: &Tenant, ports: &Ports, id: DocumentId, verdict: Option<&Verdict>) -> Result<(), Error> {
    let mut business = customers::lock_business(tenant).await?;
    let found = rows::document(tenant, id).await?.filter(|document| document.scan == ScanStatus::Waiting);
    let Some(document) = found else { return Ok(()) };
    let scan = match verdict {
        None => ScanStatus::NotScanned,
        Some(Verdict::Clean) => ScanStatus::Clean,
        Some(Verdict::Infected(_)) => ScanStatus::Infected,
    };
    let Some(Verdict::Infected(name)) = verdict else {
        return rows::save_document(tenant, Document { scan, ..document }).await;
    };
    tracing::warn!(document = %id, found = name, "the scanner found something in a document");
    let kind = document.kind;
    let rejected = Document { scan, status: DocumentStatus::Rejected, reason: Some(HARMFUL.to_owned()), ..document };
    rows::save_document(tenant, rejected).await?;
    audited(tenant, ports, "document.infected", "system", json!({ "document": id.to_string() })).await?;
    let (Some(status), Some(mut row)) = (after(business.verification_status, Turn::Asked), rows::find(tenant).await?) else {
        return Ok(());
    };
    business.verification_status = status;
    row.missing = row.missing.iter().chain([kind]).collect();
    row.reason = Some(HARMFUL.to_owned());
    row.reviewed_at = Some(ports.now().into());
    rows::save(tenant, row.clone()).await?;
    told(tenant, ports, VerificationWhat::NeedsInformation, &business, &row).await?;
    customers::save_business(tenant, business).await.map(drop)
}
