//! An export: asked for by an owner with their password, made by a job, kept sealed for a week.

use std::sync::Arc;

use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::archive::{Archive, Holder};
use super::{EXPIRE, EXPORT, file_of};
use crate::error::{Error, Outcome, UserError, UserErrorCode};
use crate::ids::DataExportId;
use crate::security::envelope::KeyId;
use crate::services::Ports;
use crate::services::access::{self, Caller, Need};
use crate::services::audit::{self, Act};
use crate::services::customers::{CustomerService, locked, same_password, succeed};
use crate::services::notifications::{EXPORT_READY, queue};
use crate::services::sealing::{Spool, keys_of};
use crate::services::verification::opened;
use crate::store::customers::{self, Business, User};
use crate::store::data_exports::{self as rows, DataExport};
use crate::store::jobs::{self, Finish, NewJob};
use crate::store::privacy::{TABLES, part};
use crate::store::types::{ExportStatus, Instant, ScanStatus};
use crate::store::verification::{self, Document};
use crate::store::{Snapshot, System, Tenant, TenantScope};

/// How long an export's file is kept.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The most exports whose files are kept at once.
const MOST_KEPT: usize = 5;

/// What a business may ask of whoever holds data of it.
#[derive(Clone)]
pub struct PrivacyService {
    /// What it needs of the outside.
    pub(super) ports: Ports,
}

impl PrivacyService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Begins to export what is held of the caller's business; answers the export that is being made, where one is.
    ///
    /// # Errors
    /// INVALID_CREDENTIALS at `password`, RATE_LIMITED after too many wrong ones; LIMIT_EXCEEDED where too many are kept;
    /// [`Error::Forbidden`] for whoever is no owner; [`Error::Unauthenticated`]; or the database's fault.
    pub async fn request_export(&self, caller: Caller, password: SecretString) -> Outcome<DataExport> {
        let people = CustomerService::new(self.ports.clone());
        let export = people.guarded(caller, self.ask(caller, password)).await?;
        self.ports.work.notify_one();
        Ok(export)
    }

    /// Writes down what is asked for, with the job that makes it.
    async fn ask(&self, caller: Caller, password: SecretString) -> Outcome<DataExport> {
        let (scope, user) = (caller.require_scope()?, self.owner(caller, password).await?);
        let ports = self.ports.clone();
        let asked = self.ports.store.write_system(move |system| {
            let (ports, user) = (ports.clone(), user.clone());
            async move {
                let tenant = system.tenant(scope);
                let (access, person, held) = locked(&system, &tenant, caller).await?;
                access.require(Need::Own)?;
                same_password(&held, &user)?;
                succeed(&system, &ports, &held).await?;
                let standing = rows::standing(&tenant).await?;
                if let Some(pending) = standing.iter().find(|row| row.status == ExportStatus::Pending) {
                    return Ok(pending.clone());
                }
                if standing.len() >= MOST_KEPT {
                    let sentence = format!("{MOST_KEPT} exports are kept already: download one of them, or wait until the oldest is gone.");
                    return Err(UserError::new(UserErrorCode::LimitExceeded, sentence).into());
                }
                let row = DataExport {
                    business_id: tenant.business(),
                    id: ports.ids.next(),
                    requested_by: person.user,
                    status: ExportStatus::Pending,
                    created_at: ports.real_now().into(),
                    expires_at: None,
                    byte_size: None,
                };
                rows::insert(&tenant, row.clone()).await?;
                schedule(&tenant, &ports, EXPORT, &row, row.created_at).await?;
                let (actor, subject) = (access.actor(), row.id.to_string());
                let act = Act { action: "data_export.requested", actor: &actor, subject: &subject, details: json!({}) };
                audit::record(&tenant, &ports, act).await?;
                Ok(row)
            }
        });
        asked.await
    }

    /// The caller, who owns the business, and whose password this is.
    pub(super) async fn owner(&self, caller: Caller, password: SecretString) -> Outcome<User> {
        let scope = caller.require_scope()?;
        {
            let tenant = Snapshot::new(self.ports.store.clone(), Some(scope)).tenant().await?;
            access::check_change(&tenant, caller, Need::Own).await?;
        }
        CustomerService::new(self.ports.clone()).proved_by_password(caller, password).await
    }
}

/// Writes a job about an export.
async fn schedule(tenant: &Tenant, ports: &Ports, kind: &str, row: &DataExport, due_at: Instant) -> Result<(), Error> {
    let (key, now) = (row.id.to_string(), ports.real_now().into());
    jobs::schedule(tenant, NewJob { id: ports.ids.next(), kind, key: &key, due_at, clock: None, now }).await.map(drop)
}

/// The export of a job's key.
async fn of_key(tenant: &Tenant, key: &str) -> Result<Option<DataExport>, Error> {
    let id = DataExportId::parse(key).ok_or_else(|| Error::Corrupt("a job's key names no export".into()))?;
    rows::find(tenant, id).await
}

/// Makes the file of a job's key: what the database has as one state of it, then the documents, outside of any transaction.
///
/// # Errors
/// The fault of the database, or of where files are kept.
pub(super) async fn make(ports: &Ports, scope: TenantScope, key: &str) -> Outcome<Finish> {
    let (outside, name) = (ports.clone(), key.to_owned());
    // What reads is a task of its own: it ends with this one, so that nobody reads on for nobody.
    let wanted = CancellationToken::new();
    let (over, _wanted) = (wanted.clone(), wanted.drop_guard());
    let read = move |system: System| {
        let (ports, key, over) = (outside.clone(), name.clone(), over.clone());
        async move {
            let tenant = system.tenant(scope);
            let Some(row) = of_key(&tenant, &key).await?.filter(|row| row.status == ExportStatus::Pending) else { return Ok(None) };
            let business = customers::business(&tenant).await?;
            let archive = Box::pin(read_all(&system, &ports, (&business, &row), &over)).await?;
            Ok(Some((row, business, archive, verification::documents(&tenant).await?)))
        }
    };
    let Some((row, business, archive, documents)) = ports.store.read_system(read).await? else { return Ok(Finish::Done) };
    let archive = Box::pin(add_documents(ports, scope, &business, archive, documents)).await?;
    let finishing = tokio::task::spawn_blocking(move || archive.finish());
    let spooled = finishing.await.map_err(|error| Error::Task(Box::new(error)))??;
    let size = i64::try_from(spooled.bytes()).map_err(|_| Error::Corrupt("an export is too large".into()))?;
    let sealed_by = keys_of(ports, &business)?.present();
    spooled.keep(ports).await?;
    let (outside, name) = (ports.clone(), key.to_owned());
    let write = move |tenant: Tenant| {
        let (ports, key) = (outside.clone(), name.clone());
        async move { Ok(conclude(&tenant, &ports, &key, size, sealed_by).await?) }
    };
    if !ports.store.write(scope, write).await? {
        // The business was erased meanwhile.
        file_of(&row).remove(ports).await?;
    }
    ports.work.notify_one();
    Ok(Finish::Done)
}

/// Everything that the database has of a business and its people, some rows at a time, unless it is `over`.
async fn read_all(
    system: &System,
    ports: &Ports,
    (business, row): (&Business, &DataExport),
    over: &CancellationToken,
) -> Result<Archive, Error> {
    let holder = holder(ports, business)?;
    let mut archive = Archive::begin(Spool::begin(file_of(row), holder.keys.clone(), Arc::clone(&ports.rng))?)?;
    for table in TABLES {
        let (mut rows, mut next) = part(system, table, business.business_id, None).await?;
        if rows.is_empty() {
            continue;
        }
        archive.begin_list(table)?;
        let mut is_first = true;
        loop {
            if over.is_cancelled() {
                return Err(Error::Task("nobody waits for the export any more".into()));
            }
            // Compressing is work for a thread of its own.
            let (given, key) = (archive, holder.clone());
            let writing = tokio::task::spawn_blocking(move || {
                let mut archive = given;
                archive.write_rows(table, &rows, &key, is_first).map(|()| archive)
            });
            archive = writing.await.map_err(|error| Error::Task(Box::new(error)))??;
            is_first = false;
            let Some(after) = next else { break };
            (rows, next) = part(system, table, business.business_id, Some(after)).await?;
        }
        archive.end_list()?;
    }
    Ok(archive)
}

/// Puts the documents in, but for those in which the scanner found something.
async fn add_documents(
    ports: &Ports,
    scope: TenantScope,
    business: &Business,
    mut archive: Archive,
    documents: Vec<Document>,
) -> Result<Archive, Error> {
    for document in documents.into_iter().filter(|document| document.scan != ScanStatus::Infected) {
        let content = opened(ports, scope, business, &document).await?;
        let name = format!("documents/{}-{}", document.id, document.file_name);
        let adding = tokio::task::spawn_blocking(move || archive.add(&name, &content).map(|()| archive));
        archive = adding.await.map_err(|error| Error::Task(Box::new(error)))??;
    }
    Ok(archive)
}

/// The business with its key.
fn holder(ports: &Ports, business: &Business) -> Result<Holder, Error> {
    let id = business.business_id.uuid();
    Ok(Holder { business: id, keys: keys_of(ports, business)? })
}

/// Writes that the file of a job's key is there, and tells who asked for it; answers whether the export is still wanted.
async fn conclude(tenant: &Tenant, ports: &Ports, key: &str, size: i64, sealed_by: KeyId) -> Result<bool, Error> {
    let business = customers::lock_business(tenant).await?;
    let Some(row) = of_key(tenant, key).await? else { return Ok(false) };
    if row.status != ExportStatus::Pending {
        return Ok(true);
    }
    if !keys_of(ports, &business)?.know(sealed_by) {
        // The job makes it once more.
        return Err(Error::Corrupt("a business's key was replaced while its export was made".into()));
    }
    let expires_at = Instant::from(ports.real_now().saturating_add(KEPT_FOR).unwrap_or(jiff::Timestamp::MAX));
    let row = DataExport { status: ExportStatus::Ready, expires_at: Some(expires_at), byte_size: Some(size), ..row };
    rows::save(tenant, row.clone()).await?;
    schedule(tenant, ports, EXPIRE, &row, expires_at).await?;
    queue(tenant, ports, row.requested_by, EXPORT_READY).await?;
    Ok(true)
}

/// Removes the file of a job's key, whose time is over.
///
/// # Errors
/// The fault of the database, or of where files are kept.
pub(super) async fn expire(ports: &Ports, scope: TenantScope, key: &str) -> Outcome<Finish> {
    let found = {
        let tenant = Snapshot::new(ports.store.clone(), Some(scope)).tenant().await?;
        of_key(&tenant, key).await?
    };
    let Some(row) = found else { return Ok(Finish::Done) };
    file_of(&row).remove(ports).await?;
    let write = move |tenant: Tenant| {
        let id = row.id;
        async move {
            customers::lock_business(&tenant).await?;
            if let Some(row) = rows::find(&tenant, id).await? {
                rows::save(&tenant, DataExport { status: ExportStatus::Expired, ..row }).await?;
            }
            Ok(Finish::Done)
        }
    };
    ports.store.write(scope, write).await
}
