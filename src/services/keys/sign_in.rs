//! Finds whose a key is, at each request anew: a key that was ended a moment ago is none.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::realm;
use crate::error::{Error, Failure, Outcome};
use crate::ids::{ApiKeyId, BusinessId, ServiceKeyId};
use crate::security::access_key::{AccessKey, AccessKeyHash, KeyOwner};
use crate::services::Ports;
use crate::services::access::Caller;
use crate::store::{Instant, TenantScope, keys};

/// How exact the time of a key's last use is: within it, a key that is used all the time is written once.
const USE_NOTED_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How many uses are written at once. Where there are more, the next request of the key notes it.
const USES_NOTED_AT_ONCE: usize = 4;

/// Turns keys into callers.
#[derive(Clone)]
pub struct KeySignIn {
    /// What it needs of the outside.
    ports: Ports,
    /// Who may note a use now.
    slots: Arc<Semaphore>,
}

/// A key whose use is to be noted.
#[derive(Debug, Clone, Copy)]
enum Used {
    /// A business's.
    Api(TenantScope, ApiKeyId),
    /// A product's.
    Service(ServiceKeyId),
}

impl KeySignIn {
    /// On `ports`.
    pub fn new(ports: Ports) -> Self {
        Self { ports, slots: Arc::new(Semaphore::new(USES_NOTED_AT_ONCE)) }
    }

    /// Who calls by the key `text`. `business` is the one that the request names, which means something for a product's
    /// key alone: whoever names none, or none that exists, asks about what does not exist.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a key that is mistyped, unknown, ended or run out, in the same words for each; or
    /// the database's fault.
    pub async fn authenticate(&self, text: &str, business: Option<BusinessId>) -> Result<Caller, Error> {
        let key = AccessKey::parse(text).filter(|key| key.realm() == realm(&self.ports)).ok_or(Error::Unauthenticated)?;
        let now = self.ports.now();
        match key.owner() {
            KeyOwner::Business => self.of_business(key.hash(), now).await,
            KeyOwner::Product => self.of_product(key.hash(), business, now).await,
        }
    }

    /// A program of a business.
    async fn of_business(&self, hash: AccessKeyHash, now: Timestamp) -> Result<Caller, Error> {
        let found = self.ports.store.read_system(move |system| async move { Ok(keys::key_by_hash(&system, &hash).await?) });
        let found = fault(found.await)?.filter(|key| is_good(key.revoked_at, key.expires_at, now)).ok_or(Error::Unauthenticated)?;
        let scope = TenantScope::proved(found.business_id);
        self.note(Used::Api(scope, found.id), found.last_used_at, now);
        Ok(Caller::Key { key: found.id, scope })
    }

    /// A product of the platform.
    async fn of_product(&self, hash: AccessKeyHash, business: Option<BusinessId>, now: Timestamp) -> Result<Caller, Error> {
        let found = self.ports.store.read_system(move |system| async move {
            let Some(key) = keys::service_key_by_hash(&system, &hash).await? else { return Ok(None) };
            let business = match business {
                Some(id) if keys::business_exists(&system, id).await? => Some(id),
                _ => None,
            };
            Ok(Some((key, business)))
        });
        let good = fault(found.await)?.filter(|(key, _)| is_good(key.revoked_at, key.expires_at, now));
        let (key, business) = good.ok_or(Error::Unauthenticated)?;
        self.note(Used::Service(key.id), key.last_used_at, now);
        Ok(Caller::Service { key: key.id, product: key.product_id, scope: business.map(TenantScope::proved) })
    }

    /// Notes a use beside the request, which does not wait for it and does not fail by it.
    fn note(&self, used: Used, noted: Option<Instant>, now: Timestamp) {
        if noted.is_some_and(|at| now.duration_since(at.get()) < USE_NOTED_EVERY) {
            return;
        }
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
        let ports = self.ports.clone();
        let work = async move {
            let _slot = slot;
            if let Err(error) = write_use(&ports, used, now).await {
                tracing::warn!(?error, "the use of a key was not noted");
            }
        };
        tokio::spawn(work.in_current_span());
    }
}

/// Whether a key is good now.
fn is_good(revoked_at: Option<Instant>, expires_at: Option<Instant>, now: Timestamp) -> bool {
    revoked_at.is_none() && expires_at.is_none_or(|at| at.get() > now)
}

/// Writes the time of the last use, unless another request has done so meanwhile.
async fn write_use(ports: &Ports, used: Used, now: Timestamp) -> Outcome<()> {
    let before = now.checked_sub(USE_NOTED_EVERY).map_err(|error| Error::Task(Box::new(error)))?;
    let (now, before) = (Instant::from(now), Instant::from(before));
    match used {
        Used::Api(scope, id) => {
            let note = move |tenant| async move { Ok(keys::note_key_use(&tenant, id, now, before).await?) };
            ports.store.write(scope, note).await
        }
        Used::Service(id) => {
            let note = move |system| async move { Ok(keys::note_service_key_use(&system, id, now, before).await?) };
            ports.store.write_system(note).await
        }
    }
}

/// The fault of a look-up, which refuses nothing.
fn fault<T>(outcome: Outcome<T>) -> Result<T, Error> {
    outcome.map_err(|failure| match failure {
        Failure::Fault(error) => error,
        Failure::Refused(_) => Error::Corrupt("a look-up was refused".into()),
    })
}
