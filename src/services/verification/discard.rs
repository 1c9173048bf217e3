//! Removes files that were stored for a submission which was not taken in the end: refused after all, or cut short.

use super::{Finish, file_of};
use crate::error::{Error, Outcome};
use crate::ids::DocumentId;
use crate::services::Ports;
use crate::store::verification as rows;
use crate::store::{Snapshot, TenantScope, customers};

/// What stands between the ids in a job's key.
const BETWEEN: char = ' ';

/// The key of the job that looks after these files.
pub(super) fn key(documents: &[DocumentId]) -> String {
    documents.iter().map(ToString::to_string).collect::<Vec<_>>().join(&BETWEEN.to_string())
}

/// Removes each file of a job's key that belongs to no document.
///
/// # Errors
/// The fault of the database, or of where files are kept.
pub(super) async fn run(ports: &Ports, scope: TenantScope, key: &str) -> Outcome<Finish> {
    let ids = key.split(BETWEEN).map(DocumentId::parse).collect::<Option<Vec<_>>>();
    let ids = ids.ok_or_else(|| Error::Corrupt("a job's key names no documents".into()))?;
    let (business, known) = {
        let tenant = Snapshot::new(ports.store.clone(), Some(scope)).tenant().await?;
        (customers::business(&tenant).await?, rows::documents(&tenant).await?)
    };
    for id in ids.into_iter().filter(|id| known.iter().all(|document| document.id != *id)) {
        ports.documents.delete(&file_of(&business, id).name).await?;
    }
    Ok(Finish::Done)
}
