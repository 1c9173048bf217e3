//! The verification of a business: what its country asks for, what it submits, what staff say of that, and how long it holds.
//!
//! A file is kept sealed under its business's own key, and never lies anywhere as it is. Nothing of it is believed: it stays in
//! quarantine until the scanner, where there is one, and staff have accepted it.

use jiff::Timestamp;
use jiff::civil::Time;

use crate::error::{Error, Outcome};
use crate::services::Ports;
use crate::services::billing::account::zone;
use crate::services::billing::rule as evaluated;
use crate::services::events::{self, Event, VerificationFacts, VerificationWhat};
use crate::store::customers::{self, Business};
use crate::store::jobs::{self, Finish, Job, NewJob};
use crate::store::types::{Day, DocumentKind, DocumentKinds, DocumentStatus, VerificationStatus};
use crate::store::verification::{self as rows, Document, EVERYWHERE, Rule, Verification};
use crate::store::{Tenant, TenantScope};

mod discard;
mod files;
mod links;
mod pictures;
mod review;
mod scan;
mod sealed;
mod states;
mod submit;

pub use files::{MAX_FILE_BYTES, MAX_FILES, Upload};
pub use links::{Download, download, link};
pub use review::{Decision, Review};
pub(in crate::services) use review::{renamed, review};
pub use sealed::registration_number;
pub(in crate::services) use sealed::{file_of, opened, seal_anew, seal_number_in_plain};
pub use submit::{NewDocument, SubmitVerification, VerificationService};

use states::{Turn, after};

/// The job that ends an approval; its key is the verification's id and which of its approvals.
const EXPIRE: &str = "expire_verification";
/// The job that has a document scanned; its key is the document's id.
const SCAN: &str = "scan_document";
/// The job that removes files of a submission that was not taken in the end; its key is the documents' ids.
const DISCARD: &str = "discard_documents";
/// The kinds of jobs that [`run_job`] does.
pub const JOB_KINDS: [&str; 3] = [EXPIRE, SCAN, DISCARD];

/// The most documents of a business, whatever became of them.
const MAX_DOCUMENTS: usize = 50;
/// What is asked for before a catalogue was seeded.
const USUAL: [DocumentKind; 2] = [DocumentKind::CertificateOfIncorporation, DocumentKind::DirectorId];
/// For how many days an approval holds then.
const USUAL_DAYS: i32 = 365;

/// Something that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// What is to be shown.
    pub kind: DocumentKind,
    /// Whether something is there that was not rejected.
    pub satisfied: bool,
}

/// What a country asks for, among all the rules.
pub fn rule_of(rules: &[Rule], country: &str) -> Rule {
    let of = |wanted: &str| rules.iter().find(|rule| rule.country == wanted).cloned();
    of(country).or_else(|| of(EVERYWHERE)).unwrap_or_else(|| Rule {
        country: EVERYWHERE.to_owned(),
        documents: USUAL.into_iter().collect(),
        approval_days: USUAL_DAYS,
    })
}

/// What is asked of a business: what its country asks for, and what its last review found missing.
pub fn requirements(rule: &Rule, missing: &DocumentKinds, documents: &[Document]) -> Vec<Requirement> {
    let asked: DocumentKinds = rule.documents.iter().chain(missing.iter()).collect();
    let has = |kind| documents.iter().any(|document| document.kind == kind && document.status != DocumentStatus::Rejected);
    asked.iter().map(|kind| Requirement { kind, satisfied: has(kind) }).collect()
}

/// Runs a job of one of [`JOB_KINDS`] for the business of `scope`, which the worker made from the job's claimed row.
///
/// # Errors
/// The fault of the database, or of where files are kept.
pub async fn run_job(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    match job.kind.as_str() {
        SCAN => scan::run(ports, scope, &job.job_key).await,
        DISCARD => discard::run(ports, scope, &job.job_key).await,
        _ => {
            let (outside, key) = (ports.clone(), job.job_key.clone());
            let write = move |tenant: Tenant| {
                let (ports, key) = (outside.clone(), key.clone());
                async move { Ok(run_out(&tenant, &ports.of(&tenant).await?, &key).await?) }
            };
            ports.store.write(scope, write).await
        }
    }
}

/// Ends the approval of a job's key, where it still holds.
async fn run_out(tenant: &Tenant, ports: &Ports, key: &str) -> Result<Finish, Error> {
    let mut business = customers::lock_business(tenant).await?;
    let Some(row) = rows::find(tenant).await?.filter(|row| expiry_key(row) == key) else { return Ok(Finish::Done) };
    let Some(status) = after(business.verification_status, Turn::RanOut) else { return Ok(Finish::Done) };
    business.verification_status = status;
    audited(tenant, ports, "verification.expired", "system", serde_json::json!({})).await?;
    told(tenant, ports, VerificationWhat::Expired, &business, &row).await?;
    customers::save_business(tenant, business).await?;
    ports.work.notify_one();
    Ok(Finish::Done)
}

/// The key of the job that ends an approval.
fn expiry_key(row: &Verification) -> String {
    format!("{}:{}", row.id, row.approvals)
}

/// Schedules the end of an approval, by the business's clock.
async fn schedule_expiry(tenant: &Tenant, ports: &Ports, row: &Verification) -> Result<(), Error> {
    let Some(due_at) = row.expires_at else { return Ok(()) };
    let (key, now) = (expiry_key(row), ports.now().into());
    let job = NewJob { id: ports.ids.next(), kind: EXPIRE, key: &key, due_at, clock: ports.test_clock(), now };
    jobs::schedule(tenant, job).await.map(drop)
}

/// The first instant after a day in a business's zone.
fn end_of(business: &Business, day: Day) -> Result<Timestamp, Error> {
    let next = day.get().tomorrow().map_err(|_| Error::Corrupt("an approval holds for ever".into()))?;
    zone(&business.time_zone)?.instant(next, Time::midnight()).map_err(evaluated)
}

/// Writes down what was done with a business's verification.
async fn audited(tenant: &Tenant, ports: &Ports, action: &str, actor: &str, details: serde_json::Value) -> Result<(), Error> {
    let subject = tenant.business().to_string();
    crate::services::audit::record(tenant, ports, crate::services::audit::Act { action, actor, subject: &subject, details }).await
}

/// Tells of what happened to a verification.
async fn told(tenant: &Tenant, ports: &Ports, what: VerificationWhat, business: &Business, row: &Verification) -> Result<(), Error> {
    let is_approved = business.verification_status == VerificationStatus::Approved;
    let facts = VerificationFacts {
        business_id: tenant.business().to_string(),
        status: business.verification_status.as_str().to_owned(),
        reason: row.reason.clone(),
        missing: row.missing.iter().map(|kind| kind.as_str().to_owned()).collect(),
        expires_at: row.expires_at.filter(|_| is_approved).map(|at| at.get().to_string()),
        at: ports.now().to_string(),
    };
    events::emit(tenant, ports, &Event::Verification(what, facts)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(country: &str, kinds: &[DocumentKind]) -> Rule {
        Rule { country: country.into(), documents: kinds.iter().copied().collect(), approval_days: 30 }
    }

    #[test]
    fn a_country_has_its_own_rule_or_everybodys_or_the_usual_one() {
        let rules = [rule("*", &[DocumentKind::DirectorId]), rule("KE", &[DocumentKind::TaxCertificate])];
        assert_eq!(rule_of(&rules, "KE"), rules[1]);
        assert_eq!(rule_of(&rules, "RW"), rules[0]);
        let usual = rule_of(&rules[1..], "RW");
        assert_eq!((usual.documents.iter().collect::<Vec<_>>(), usual.approval_days), (USUAL.to_vec(), 365));
    }

    #[test]
    fn what_is_missing_is_asked_for_beside_what_the_country_asks_for() {
        use DocumentKind::{DirectorId, ProofOfAddress, TaxCertificate};
        let document = |kind, status| Document {
            business_id: crate::ids::Id::from(uuid::Uuid::nil()),
            id: crate::ids::Id::from(uuid::Uuid::nil()),
            kind,
            file_name: "a.pdf".into(),
            content_type: "application/pdf".into(),
            byte_size: 1,
            sha256: String::new(),
            status,
            scan: crate::store::types::ScanStatus::Clean,
            reason: None,
            uploaded_at: Timestamp::UNIX_EPOCH.into(),
        };
        let documents = [document(TaxCertificate, DocumentStatus::Accepted), document(DirectorId, DocumentStatus::Rejected)];
        let missing: DocumentKinds = [ProofOfAddress].into_iter().collect();
        let asked = requirements(&rule("KE", &[DirectorId, TaxCertificate]), &missing, &documents);
        let expected = [(TaxCertificate, true), (DirectorId, false), (ProofOfAddress, false)];
        assert_eq!(asked, expected.map(|(kind, satisfied)| Requirement { kind, satisfied }));
    }
}
