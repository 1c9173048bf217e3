//! What a business may ask of whoever holds data of it: all of it, as files, and that it be forgotten.
//!
//! What is held is listed column by column in `store::privacy`. It must never hand out what proves or unlocks something, nor put what is
//! personal into the audit trail.

use crate::error::{Error, Outcome};
use crate::store::TenantScope;
use crate::store::data_exports::DataExport;
use crate::store::jobs::{Finish, Job};

use super::Ports;
use super::sealing::SealedParts;

mod archive;
mod erase;
mod export;
mod links;

pub use export::PrivacyService;
pub use links::{download, link, status};

/// The job that makes an export; its key is the export's id.
const EXPORT: &str = "export_data";
/// The job that removes an export whose time is over; its key is the export's id.
const EXPIRE: &str = "expire_export";
/// The job that removes the files of an erased business; its key is which time.
const ERASE_FILES: &str = "erase_files";
/// The job that removes mails that were written to files; its key is their ids.
const FORGET_MAILS: &str = "forget_mails";
/// The kinds of jobs that [`run_job`] does.
pub const JOB_KINDS: [&str; 4] = [EXPORT, EXPIRE, ERASE_FILES, FORGET_MAILS];

/// Those that take as long as there is much: they are given the time, and few are run at once. No longer than after an erasure files that
/// came meanwhile are looked for.
pub const LONG_JOB_KINDS: [&str; 1] = [EXPORT];

/// Runs a job of one of [`JOB_KINDS`] for the business of `scope`, which the worker made from the job's claimed row.
///
/// # Errors
/// The fault of the database, or of where files are kept.
pub async fn run_job(ports: &Ports, scope: TenantScope, job: &Job) -> Outcome<Finish> {
    match job.kind.as_str() {
        EXPORT => Box::pin(export::make(ports, scope, &job.job_key)).await,
        EXPIRE => export::expire(ports, scope, &job.job_key).await,
        ERASE_FILES => erase::erase_files(ports, scope).await,
        _ => erase::forget_mails(ports, &job.job_key).await,
    }
}

/// An export's file.
pub(in crate::services) fn file_of(row: &DataExport) -> SealedParts {
    let folder = format!("{}/{}", row.business_id, row.id);
    SealedParts { folder, business: row.business_id.uuid(), table: "data_exports", row: row.id.uuid() }
}

/// How many bytes the file of an export has that is ready.
///
/// # Errors
/// [`Error::Corrupt`] where that is not said.
pub(in crate::services) fn size_of(row: &DataExport) -> Result<u64, Error> {
    let size = row.byte_size.and_then(|size| u64::try_from(size).ok());
    size.ok_or_else(|| Error::Corrupt("an export that is ready has no size".into()))
}
