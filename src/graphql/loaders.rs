//! Relations that a list shows for each row, loaded in one statement for all of them.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use dataloader::BatchFn;
use dataloader::cached;
use futures::future::BoxFuture;

use crate::billing::lifecycle::SubscriptionStatus;
use crate::error::Error;
use crate::ids::{BusinessId, UserId};
use crate::store::Snapshot;
use crate::store::customers::{self, UserView};

/// What a batch answers for a key: the row, none, or the fault that all keys of the batch share.
type Answer<V> = Result<Option<V>, Arc<Error>>;
/// Reads the rows of many keys.
type Fetch<K, V> = Arc<dyn Fn(Arc<Snapshot>, Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, Error>> + Send + Sync>;

/// One batch function.
pub struct Batch<K, V> {
    /// Where it reads.
    snapshot: Arc<Snapshot>,
    /// How.
    fetch: Fetch<K, V>,
}

impl<K: Ord + Clone + Hash + Eq, V: Clone> BatchFn<K, Answer<V>> for Batch<K, V> {
    async fn load(&mut self, keys: &[K]) -> HashMap<K, Answer<V>> {
        let mut sorted = keys.to_vec();
        sorted.sort_unstable();
        let mut found = match (self.fetch)(Arc::clone(&self.snapshot), sorted).await {
            Ok(found) => found,
            Err(error) => {
                let error = Arc::new(error);
                return keys.iter().map(|key| (key.clone(), Err(Arc::clone(&error)))).collect();
            }
        };
        // Every key is answered, so that a key without an answer can only mean that the batch was dropped.
        keys.iter().map(|key| (key.clone(), Ok(found.remove(key)))).collect()
    }
}

/// Loads rows by key, many at once, each once a view.
pub struct Loader<K: Eq + Hash + Clone + Ord + Send + Sync + Debug + 'static, V: Clone + Send + 'static> {
    /// The library's loader.
    inner: cached::Loader<K, Answer<V>, Batch<K, V>>,
}

impl<K: Eq + Hash + Clone + Ord + Send + Sync + Debug + 'static, V: Clone + Send + 'static> Loader<K, V> {
    /// A loader that reads by `fetch` from `snapshot`.
    pub fn new<F>(snapshot: &Arc<Snapshot>, fetch: F) -> Self
    where
        F: Fn(Arc<Snapshot>, Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, Error>> + Send + Sync + 'static,
    {
        Self { inner: cached::Loader::new(Batch { snapshot: Arc::clone(snapshot), fetch: Arc::new(fetch) }) }
    }

    /// The row of a key, if there is one.
    ///
    /// # Errors
    /// The batch's fault.
    pub async fn load(&self, key: K) -> Result<Option<V>, Error> {
        // A batch is run by one of those who wait for it; when that one is dropped (its sibling failed), the others
        // find no answer and load once more.
        let answer = match self.inner.try_load(key.clone()).await {
            Ok(answer) => answer,
            Err(_) => self.inner.try_load(key).await?,
        };
        answer.map_err(Error::Shared)
    }

    /// Puts a row that was read otherwise, so that it is not read again.
    pub async fn prime(&self, key: K, value: Option<V>) {
        self.inner.prime(key, Ok(value)).await;
    }
}

/// The loaders of one view.
pub struct Loaders {
    /// The caller's business, by its id.
    pub businesses: Loader<BusinessId, customers::Business>,
    /// The states of a business's subscriptions, each once.
    pub subscription_statuses: Loader<BusinessId, Vec<SubscriptionStatus>>,
    /// People of the caller's business.
    pub users: Loader<UserId, UserView>,
}

impl Loaders {
    /// Loaders that read from `snapshot`.
    pub fn new(snapshot: &Arc<Snapshot>) -> Self {
        Self {
            // A view shows one business: whatever ids are asked for, the one that is found is the caller's.
            businesses: Loader::new(snapshot, |snapshot, _| {
                Box::pin(async move {
                    let found = customers::business(&snapshot.tenant().await?).await?;
                    Ok(HashMap::from([(found.business_id, found)]))
                })
            }),
            subscription_statuses: Loader::new(snapshot, |snapshot, _| {
                Box::pin(async move {
                    let tenant = snapshot.tenant().await?;
                    Ok(HashMap::from([(tenant.business(), customers::subscription_statuses(&tenant).await?)]))
                })
            }),
            users: Loader::new(snapshot, |snapshot, ids| {
                Box::pin(async move {
                    let found = customers::users(&snapshot.tenant().await?, ids).await?;
                    Ok(found.into_iter().map(|user| (user.id, user)).collect())
                })
            }),
        }
    }
}
