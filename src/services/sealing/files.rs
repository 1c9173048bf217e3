//! Files that lie sealed under their business's own key: read, and sealed anew, though the key may be replaced meanwhile.

use std::borrow::Cow;

use bytes::Bytes;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{keys_of, seal_anew};
use crate::error::Error;
use crate::security::envelope::{KeyId, Place};
use crate::security::key_ring::BusinessKeys;
use crate::services::Ports;
use crate::store::customers::{self, Business};
use crate::store::{Snapshot, TenantScope};

/// A file: the name it is kept under, and where it opens, and nowhere else.
#[derive(Debug, Clone)]
pub(in crate::services) struct SealedFile {
    /// The name it is kept under.
    pub(in crate::services) name: String,
    /// Whose it is.
    pub(in crate::services) business: Uuid,
    /// The table of the row that it belongs to.
    pub(in crate::services) table: &'static str,
    /// What it is to that row.
    pub(in crate::services) column: Cow<'static, str>,
    /// That row.
    pub(in crate::services) row: Uuid,
}

impl SealedFile {
    /// Where it opens.
    pub(super) fn place(&self) -> Place<'_> {
        Place { business: self.business, table: self.table, column: &self.column, row: self.row }
    }

    /// What the file says.
    ///
    /// # Errors
    /// The fault of the database, or of where files are kept; [`Error::Corrupt`] where it does not open.
    pub(in crate::services) async fn open(
        &self,
        ports: &Ports,
        scope: TenantScope,
        business: &Business,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (mut sealed, mut keys): (Bytes, BusinessKeys) = (ports.documents.get(&self.name).await?, keys_of(ports, business)?);
        if KeyId::of_sealed(&sealed).is_some_and(|id| !keys.know(id)) {
            // Its key was replaced between the reading of the business and of the file.
            let business = customers::business(&Snapshot::new(ports.store.clone(), Some(scope)).tenant().await?).await?;
            (sealed, keys) = (ports.documents.get(&self.name).await?, keys_of(ports, &business)?);
        }
        let file = self.clone();
        let opening = tokio::task::spawn_blocking(move || keys.open(&file.place(), &sealed));
        Ok(opening.await.map_err(|error| Error::Task(Box::new(error)))??)
    }

    /// Keeps what the file is to say.
    ///
    /// # Errors
    /// The fault of where files are kept.
    pub(in crate::services) async fn keep(&self, ports: &Ports, keys: BusinessKeys, content: Bytes) -> Result<(), Error> {
        let (file, rng) = (self.clone(), std::sync::Arc::clone(&ports.rng));
        let sealing = tokio::task::spawn_blocking(move || keys.seal(rng.as_ref(), &file.place(), &content));
        ports.documents.put(&self.name, sealing.await.map_err(|error| Error::Task(Box::new(error)))??).await
    }

    /// Seals the file anew, under the present one of `keys`; answers whether it was not yet.
    ///
    /// # Errors
    /// The fault of where files are kept; [`Error::Corrupt`] where it does not open.
    pub(super) async fn seal_anew(&self, ports: &Ports, keys: BusinessKeys) -> Result<bool, Error> {
        let sealed = ports.documents.get(&self.name).await?;
        if KeyId::of_sealed(&sealed) == Some(keys.present()) {
            return Ok(false);
        }
        let (file, outside) = (self.clone(), ports.clone());
        let sealing = tokio::task::spawn_blocking(move || seal_anew(&outside, &keys, &file.place(), &sealed));
        ports.documents.put(&self.name, sealing.await.map_err(|error| Error::Task(Box::new(error)))??).await?;
        Ok(true)
    }
}
