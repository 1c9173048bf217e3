//! Where files are kept: a folder, or a bucket of a service that speaks S3. What is kept is sealed before it comes here.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Place;
use object_store::{BackoffConfig, Error as StoreError, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};
use secrecy::ExposeSecret as _;

use super::bucket_client::BucketClient;
use crate::config::S3Settings;
use crate::error::{Cause, Error};

/// The folder below the data directory.
const DIRECTORY: &str = "documents";
/// How often a request to a bucket is sent again.
const RETRIES: usize = 2;
/// How long that may go on.
const RETRY_LIMIT: Duration = Duration::from_secs(30);

/// Keeps files by name.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The folder or the bucket.
    store: Arc<dyn ObjectStore>,
}

impl Documents {
    /// A folder in the data directory, for the server's own user alone. What is written there is on the disk when it is said to be.
    ///
    /// # Errors
    /// Where the folder cannot be made.
    pub fn in_folder(data_dir: &Path) -> Result<Self, Cause> {
        let folder = data_dir.join(DIRECTORY);
        let made = make_private(&folder).and_then(|()| Ok(LocalFileSystem::new_with_prefix(&folder)?));
        let store = made.map_err(|error| format!("The folder {} cannot be used: {error}.", folder.display()))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)) })
    }

    /// A bucket, which is not asked yet. `authority` (PEM) is trusted beside the authorities that browsers trust.
    ///
    /// # Errors
    /// Where the settings make no address, or `authority` is no certificate.
    pub fn in_bucket(settings: &S3Settings, authority: Option<&[u8]>) -> Result<Self, Cause> {
        let retry = RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: RETRY_LIMIT };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key.expose_secret())
            .with_retry(retry)
            .with_allow_http(settings.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")))
            .with_http_connector(BucketClient::new(authority)?);
        if let Some(endpoint) = &settings.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        Ok(Self { store: Arc::new(builder.build()?) })
    }

    /// Keeps `content` under `name`, instead of what is there.
    ///
    /// # Errors
    /// [`Error::Adapter`].
    pub async fn put(&self, name: &str, content: Vec<u8>) -> Result<(), Error> {
        self.store.put(&place(name)?, PutPayload::from(content)).await.map(drop).map_err(fault)
    }

    /// What is kept under `name`.
    ///
    /// # Errors
    /// [`Error::Adapter`], where there is nothing too.
    pub async fn get(&self, name: &str) -> Result<Bytes, Error> {
        let found = self.store.get(&place(name)?).await.map_err(fault)?;
        found.bytes().await.map_err(fault)
    }

    /// Removes what is kept under `name`, where something is.
    ///
    /// # Errors
    /// [`Error::Adapter`].
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        match self.store.delete(&place(name)?).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(fault(error)),
        }
    }

    /// Removes everything that is kept in the folder of that name.
    ///
    /// # Errors
    /// [`Error::Adapter`]; some of it may be gone then.
    pub async fn delete_below(&self, folder: &str) -> Result<(), Error> {
        let mut found = self.store.list(Some(&place(folder)?));
        while let Some(file) = found.try_next().await.map_err(fault)? {
            self.delete(file.location.as_ref()).await?;
        }
        Ok(())
    }
}

/// A name as the folder or the bucket has it.
fn place(name: &str) -> Result<Place, Error> {
    Place::parse(name).map_err(|error| Error::Adapter(Box::new(error)))
}

/// A fault of the folder or the bucket.
fn fault(error: StoreError) -> Error {
    Error::Adapter(Box::new(error))
}

/// Makes a folder that nobody else may look into.
fn make_private(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_keeps_gives_back_and_removes() {
        let data = tempfile::tempdir().unwrap();
        let documents = Documents::in_folder(data.path()).unwrap();
        documents.put("biz_1/doc_1", b"sealed".to_vec()).await.unwrap();
        documents.put("biz_1/doc_1", b"sealed anew".to_vec()).await.unwrap();
        assert_eq!(documents.get("biz_1/doc_1").await.unwrap(), "sealed anew");
        documents.delete("biz_1/doc_1").await.unwrap();
        documents.delete("biz_1/doc_1").await.unwrap();
        assert!(matches!(documents.get("biz_1/doc_1").await, Err(Error::Adapter(_))));
        for name in ["biz_1/doc_1", "biz_1/exp_1", "biz_10/doc_1"] {
            documents.put(name, b"sealed".to_vec()).await.unwrap();
        }
        documents.delete_below("biz_1").await.unwrap();
        documents.delete_below("biz_1").await.unwrap();
        assert!(documents.get("biz_1/doc_1").await.is_err() && documents.get("biz_1/exp_1").await.is_err());
        assert_eq!(documents.get("biz_10/doc_1").await.unwrap(), "sealed");
        for outside in ["../evolve.db", "biz_1/../../evolve.db", "/etc/../passwd", "a//b"] {
            assert!(documents.put(outside, b"x".to_vec()).await.is_err(), "{outside}");
        }
    }
}
