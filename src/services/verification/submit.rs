//! Submitting: what is submitted is read, noted, sealed and stored, and only then taken. What was stored and never taken is removed.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::json;

use super::files::{MAX_FILES, Sound, Upload, read as read_file};
use super::sealed::set_number;
use super::{DISCARD, MAX_DOCUMENTS, SCAN, Turn, VerificationWhat, after, audited, discard, file_of, requirements, rule_of, told};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::ids::DocumentId;
use crate::security::envelope::KeyId;
use crate::services::Ports;
use crate::services::access::{self, Access, Caller, Need};
use crate::services::customers::fields::{Refusals, TaxId, line};
use crate::services::customers::set_tax_id;
use crate::services::sealing::keys_of;
use crate::services::usage::has_room_for_bytes;
use crate::store::customers::{self, Business};
use crate::store::jobs::{self, NewJob};
use crate::store::types::{DocumentKind, DocumentKinds, DocumentStatus, Instant, ScanStatus};
use crate::store::verification::{self as rows, Document, Verification};
use crate::store::{Tenant, TenantScope};

/// The most characters of a registration number.
const MAX_NUMBER_CHARS: usize = 60;
/// After so long a file that was stored is part of a submission, or of none.
const DISCARD_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// How often files are sealed and stored for one submission, where the business's key is replaced meanwhile.
const MOST_ROUNDS: usize = 3;

/// What a business submits.
#[derive(Debug, Clone)]
pub struct SubmitVerification {
    /// Under which number it is registered.
    pub registration_number: String,
    /// As the tax office gave it; without one it stays as it is.
    pub tax_id: Option<String>,
    /// What it shows.
    pub documents: Vec<NewDocument>,
}

/// A document that is submitted.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// What it shows.
    pub kind: DocumentKind,
    /// The file; `None` where none came with the request.
    pub file: Option<Upload>,
}

/// What is submitted, read.
struct Parsed {
    registration_number: String,
    tax_id: Option<String>,
    documents: Vec<(DocumentId, DocumentKind, Sound)>,
}

/// The verification of businesses, as they see to it.
#[derive(Clone)]
pub struct VerificationService {
    /// What it needs of the outside.
    ports: Ports,
}

impl VerificationService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Submits a business for review.
    ///
    /// # Errors
    /// REQUIRED, TOO_LONG or INVALID at `registrationNumber` and `taxId`; REQUIRED at `documents` where something is still missing,
    /// TOO_LARGE or LIMIT_EXCEEDED for too many; UNSUPPORTED_FILE, TOO_LARGE or REQUIRED at a file; INVALID_TRANSITION for a business
    /// that is under review or approved; [`Error::Forbidden`], [`Error::Unauthenticated`], or the fault of the database or of where
    /// files are kept.
    pub async fn submit(&self, caller: Caller, input: SubmitVerification) -> Outcome<()> {
        let (scope, ports) = (caller.require_scope()?, self.ports.clone());
        let reading = tokio::task::spawn_blocking({
            let ports = ports.clone();
            move || read(&ports, input)
        });
        let parsed = Arc::new(reading.await.map_err(|error| Error::Task(Box::new(error)))?);
        // Once more where the business's key is replaced meanwhile, so that its files would not open.
        for _ in 0..MOST_ROUNDS {
            let business = self.prepare(scope, caller, &parsed).await?;
            let Ok(sound) = &*parsed else { return Err(Error::Corrupt("what was refused was prepared".into()).into()) };
            let key = keys_of(&ports, &business)?.present();
            for (id, _, file) in &sound.documents {
                store(&ports, &business, *id, file).await?;
            }
            let (outside, parsed) = (ports.clone(), Arc::clone(&parsed));
            let write = move |tenant: Tenant| {
                let (ports, parsed) = (outside.clone(), Arc::clone(&parsed));
                async move { take(&tenant, &ports, caller, &parsed, key).await }
            };
            if ports.store.write(scope, write).await? {
                ports.work.notify_one();
                return Ok(());
            }
        }
        Err(Error::Corrupt("a business's key is replaced again and again".into()).into())
    }

    /// Looks whether the submission can be taken, and notes the names of its files, before any is stored.
    async fn prepare(&self, scope: TenantScope, caller: Caller, parsed: &Arc<Result<Parsed, Vec<UserError>>>) -> Outcome<Business> {
        let (outside, parsed) = (self.ports.clone(), Arc::clone(parsed));
        let write = move |tenant: Tenant| {
            let (ports, parsed) = (outside.clone(), Arc::clone(&parsed));
            async move {
                let (business, _, sound) = weigh(&tenant, &ports, caller, &parsed).await?;
                let ids: Vec<DocumentId> = sound.documents.iter().map(|(id, ..)| *id).collect();
                if !ids.is_empty() {
                    let (key, now) = (discard::key(&ids), ports.real_now());
                    let due_at = now.saturating_add(DISCARD_AFTER).unwrap_or(jiff::Timestamp::MAX).into();
                    let job = NewJob { id: ports.ids.next(), kind: DISCARD, key: &key, due_at, clock: None, now: now.into() };
                    jobs::schedule(&tenant, job).await?;
                }
                Ok(business)
            }
        };
        self.ports.store.write(scope, write).await
    }
}

/// Seals a file, and stores it.
async fn store(ports: &Ports, business: &Business, id: DocumentId, file: &Sound) -> Result<(), Error> {
    file_of(business, id).keep(ports, keys_of(ports, business)?, file.content.clone()).await
}

/// The business, locked, where it may submit this now.
async fn weigh<'p>(
    tenant: &Tenant,
    ports: &Ports,
    caller: Caller,
    parsed: &'p Result<Parsed, Vec<UserError>>,
) -> Outcome<(Business, Access, &'p Parsed)> {
    let business = customers::lock_business(tenant).await?;
    // Who may not, is not told what is wrong with the input.
    let access = access::check_change(tenant, caller, Need::ChangeProfile).await?;
    let sound = parsed.as_ref().map_err(|refused| Failure::Refused(refused.clone()))?;
    if after(business.verification_status, Turn::Submitted).is_none() {
        let sentence = "The business is under review, or approved: nothing can be submitted now.";
        return Err(UserError::new(UserErrorCode::InvalidTransition, sentence).into());
    }
    let there = rows::documents(tenant).await?;
    if there.len().saturating_add(sound.documents.len()) > MAX_DOCUMENTS {
        let sentence = format!("A business has at most {MAX_DOCUMENTS} documents; ask support.");
        return Err(UserError::at("documents", UserErrorCode::LimitExceeded, sentence).into());
    }
    let missing = rows::find(tenant).await?.map(|row| row.missing).unwrap_or_default();
    let rule = rule_of(&rows::rules(&tenant.catalogue()).await?, &business.country);
    let given = |kind| sound.documents.iter().any(|(_, given, _)| *given == kind);
    let lacking: Vec<&str> = requirements(&rule, &missing, &there)
        .into_iter()
        .filter(|asked| !asked.satisfied && !given(asked.kind))
        .map(|asked| asked.kind.as_str())
        .collect();
    if !lacking.is_empty() {
        let sentence = format!("Still missing: {}.", lacking.join(", "));
        return Err(UserError::at("documents", UserErrorCode::Required, sentence).into());
    }
    let bytes = sound.documents.iter().fold(0_usize, |all, (_, _, file)| all.saturating_add(file.content.len()));
    if bytes > 0 && !has_room_for_bytes(tenant, ports, &business, bytes).await? {
        return Err(UserError::at("documents", UserErrorCode::LimitExceeded, "The plan's storage has no room for these.").into());
    }
    Ok((business, access, sound))
}

/// Takes the submission, whose files are stored, sealed under `key`; answers that it did, or not where the key was replaced.
async fn take(tenant: &Tenant, ports: &Ports, caller: Caller, parsed: &Result<Parsed, Vec<UserError>>, key: KeyId) -> Outcome<bool> {
    let (mut business, access, sound) = weigh(tenant, ports, caller, parsed).await?;
    if !sound.documents.is_empty() && !keys_of(ports, &business)?.know(key) {
        return Ok(false);
    }
    let business_ports = ports.of(tenant).await?;
    let now = Instant::from(business_ports.now());
    if let Some(tax_id) = &sound.tax_id {
        set_tax_id(ports, &mut business, tax_id)?;
    }
    business.verification_status = after(business.verification_status, Turn::Submitted).unwrap_or(business.verification_status);
    let row = submitted(tenant, ports, &business, sound, now).await?;
    let mut documents = Vec::with_capacity(sound.documents.len());
    for (id, kind, file) in &sound.documents {
        documents.push(document(tenant, (*id, *kind), file, now)?);
        let (key, at) = (id.to_string(), Instant::from(ports.real_now()));
        let job = NewJob { id: ports.ids.next(), kind: SCAN, key: &key, due_at: at, clock: None, now: at };
        jobs::schedule(tenant, job).await?;
    }
    let ids: Vec<DocumentId> = documents.iter().map(|document| document.id).collect();
    rows::insert_documents(tenant, documents).await?;
    jobs::withdraw(tenant, DISCARD, &discard::key(&ids), ports.real_now().into()).await?;
    let details = json!({ "documents": ids.iter().map(ToString::to_string).collect::<Vec<_>>() });
    audited(tenant, ports, "verification.submitted", &access.actor(), details).await?;
    told(tenant, &business_ports, VerificationWhat::Submitted, &business, &row).await?;
    customers::save_business(tenant, business).await?;
    Ok(true)
}

/// Writes the row of what is submitted. What a review said before is over.
async fn submitted(tenant: &Tenant, ports: &Ports, business: &Business, sound: &Parsed, now: Instant) -> Result<Verification, Error> {
    let found = rows::find(tenant).await?;
    let is_new = found.is_none();
    let mut row = Verification {
        business_id: tenant.business(),
        id: found.as_ref().map_or_else(|| ports.ids.next(), |row| row.id),
        registration_number: String::new(),
        registration_number_sealed: None,
        submitted_at: now,
        reviewed_at: None,
        reason: None,
        missing: DocumentKinds::default(),
        expires_at: None,
        approvals: found.map_or(0, |row| row.approvals),
    };
    set_number(ports, business, &mut row, &sound.registration_number)?;
    if is_new {
        rows::insert(tenant, row.clone()).await?;
    } else {
        rows::save(tenant, row.clone()).await?;
    }
    Ok(row)
}

/// The row of a document.
fn document(tenant: &Tenant, (id, kind): (DocumentId, DocumentKind), file: &Sound, now: Instant) -> Result<Document, Error> {
    Ok(Document {
        business_id: tenant.business(),
        id,
        kind,
        file_name: file.file_name.clone(),
        content_type: file.content_type.to_owned(),
        byte_size: i64::try_from(file.content.len()).map_err(|_| Error::Corrupt("a file is too large".into()))?,
        sha256: file.sha256.clone(),
        status: DocumentStatus::Quarantined,
        scan: ScanStatus::Waiting,
        reason: None,
        uploaded_at: now,
    })
}

/// Reads the input, or everything that is wrong with it.
fn read(ports: &Ports, input: SubmitVerification) -> Result<Parsed, Vec<UserError>> {
    let mut refusals = Refusals::default();
    let registration_number = refusals.note(line("registrationNumber", &input.registration_number, MAX_NUMBER_CHARS));
    let tax_id = input.tax_id.and_then(|text| refusals.note(TaxId::parse("taxId", &text).map(TaxId::into_string)));
    if input.documents.len() > MAX_FILES {
        let sentence = format!("At most {MAX_FILES} documents are submitted at once.");
        refusals.note::<()>(Err(UserError::at("documents", UserErrorCode::TooLarge, sentence)));
        return Err(refusals.into_vec());
    }
    let mut documents = Vec::with_capacity(input.documents.len());
    for (place, document) in input.documents.into_iter().enumerate() {
        let sound = document
            .file
            .as_ref()
            .map_or_else(|| Err(UserError::new(UserErrorCode::Required, "Send the file as a part of a multipart request.")), read_file);
        let at_file = |error: UserError| UserError { field: vec!["documents".into(), place.to_string().into(), "file".into()], ..error };
        documents.extend(refusals.note(sound.map_err(at_file)).map(|sound| (ports.ids.next(), document.kind, sound)));
    }
    let refused = refusals.into_vec();
    match registration_number {
        Some(registration_number) if refused.is_empty() => Ok(Parsed { registration_number, tax_id, documents }),
        _ => Err(refused),
    }
}
