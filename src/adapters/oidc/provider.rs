//! The provider's keys, as they are known, and when it is asked for them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::client::ProviderClient;
use crate::clock::SharedClock;
use crate::config::OidcSettings;
use crate::error::{Cause, Error};
use crate::security::oidc::{Expected, ExternalClaims, KEY_SET_BYTES_MAX, KeySet, Refused, algorithm_named, may_be_good};

/// The least time between two questions for keys, whatever tokens say and however the last one ended.
pub const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// How long keys are used without asking whether they are still the provider's.
pub const KEYS_FRESH: SignedDuration = SignedDuration::from_mins(15);
/// How long keys are used while the provider cannot be asked.
pub const KEYS_KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Where a provider says of itself where its keys are, below its issuer.
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// The longest that it may say, in bytes.
const DISCOVERY_BYTES_MAX: usize = 64 * 1024;
/// How many tokens are remembered.
const READ_TOKENS_MAX: u64 = 10_000;

/// What a provider says of itself, as far as it is asked.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// What is known of the keys.
#[derive(Default)]
struct Known {
    /// The keys, and since when they are known to be the provider's.
    keys: Option<(Arc<KeySet>, Timestamp)>,
    /// When they were last asked for, with success or without.
    asked_at: Option<Timestamp>,
}

impl Known {
    /// Whether the keys may be asked for at `now`.
    fn may_ask(&self, now: Timestamp) -> bool {
        // Against a clock that was set back: what lies ahead is no reason to wait for it.
        self.asked_at.is_none_or(|at| now >= at.saturating_add(ASK_AGAIN_AFTER).unwrap_or(Timestamp::MAX) || now < at)
    }
}

/// An identity provider. Its clones share what they know.
#[derive(Clone)]
pub struct OidcProvider(Arc<Inner>);

/// What clones share.
struct Inner {
    /// What its tokens must say.
    expected: Expected,
    /// Where it says of itself where its keys are.
    discovery: Url,
    /// Asks it.
    client: ProviderClient,
    /// The present instant.
    clock: SharedClock,
    /// Held for an instant, never while it is asked.
    known: Mutex<Known>,
    /// Held while it is asked: by one at a time.
    asking: tokio::sync::Mutex<()>,
    /// What tokens say that were found good, by their hash. Times are checked anew each time.
    read: Cache<[u8; 32], Read>,
}

/// A token that was found good.
#[derive(Clone)]
struct Read {
    /// Under these keys: under others it is looked at again, since one may have been taken back.
    keys: Arc<KeySet>,
    /// What it says.
    claims: Arc<ExternalClaims>,
}

impl fmt::Debug for OidcProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OidcProvider").field("expected", &self.0.expected).finish_non_exhaustive()
    }
}

impl OidcProvider {
    /// The provider that the settings name, whose certificate may be of `authority` (PEM). It is asked when there is a first token, so that
    /// it may be down when we start.
    ///
    /// # Errors
    /// Where the issuer is no URL, TLS cannot be set up, or `authority` is no certificate.
    pub fn new(settings: &OidcSettings, authority: Option<&[u8]>, clock: SharedClock) -> Result<Self, Cause> {
        let discovery = Url::parse(&format!("{}{DISCOVERY}", settings.issuer.trim_end_matches('/')))?;
        let client = ProviderClient::new(&discovery, authority)?;
        let expected = Expected {
            issuer: settings.issuer.clone(),
            audiences: settings.audiences.clone(),
            algorithms: settings.algorithms.iter().filter_map(|name| algorithm_named(name)).collect(),
        };
        let (known, asking, read) = (Mutex::default(), tokio::sync::Mutex::default(), Cache::new(READ_TOKENS_MAX));
        Ok(Self(Arc::new(Inner { expected, discovery, client, clock, known, asking, read })))
    }

    /// Who its tokens are from.
    pub fn issuer(&self) -> &str {
        &self.0.expected.issuer
    }

    /// What a token says, where it is good now.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for whatever is wrong with it; [`Error::Adapter`] where the provider's keys are not known and cannot be
    /// asked for, so that nobody can tell.
    pub async fn verify(&self, token: &str) -> Result<Arc<ExternalClaims>, Error> {
        let now = self.0.clock.now();
        if !may_be_good(token, &self.0.expected) {
            return Err(Error::Unauthenticated);
        }
        let mut keys = self.keys(now).await?;
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Some(read) = self.0.read.get(&hash).filter(|read| Arc::ptr_eq(&read.keys, &keys)) {
            return if read.claims.is_good_at(now) { Ok(read.claims) } else { Err(Error::Unauthenticated) };
        }
        let mut verified = keys.verify(token, &self.0.expected, now);
        if verified == Err(Refused::UnknownKey)
            && let Some(newer) = self.newer_than(&keys, now).await
        {
            (verified, keys) = (newer.verify(token, &self.0.expected, now), newer);
        }
        let claims = Arc::new(verified.map_err(|_| Error::Unauthenticated)?);
        self.0.read.insert(hash, Read { keys, claims: Arc::clone(&claims) });
        Ok(claims)
    }

    /// The keys that are good at `now`: those that are known, while they are; those that are getting old are asked for beside the
    /// request.
    async fn keys(&self, now: Timestamp) -> Result<Arc<KeySet>, Error> {
        if let Some((keys, is_fresh, may_ask)) = self.known(now) {
            if !is_fresh && may_ask {
                let this = self.clone();
                tokio::spawn(async move { this.ask(now).await });
            }
            return Ok(keys);
        }
        self.ask(now).await;
        self.known(now).map(|(keys, ..)| keys).ok_or_else(|| Error::Adapter("the identity provider's keys are not known".into()))
    }

    /// The keys that are known and not too old at `now`, whether they are fresh, and whether they may be asked for.
    fn known(&self, now: Timestamp) -> Option<(Arc<KeySet>, bool, bool)> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (keys, since) = known.keys.as_ref()?;
        let age = now.duration_since(*since);
        (age < KEYS_KEPT).then(|| (Arc::clone(keys), age < KEYS_FRESH, known.may_ask(now)))
    }

    /// Keys that are newer than `keys`, which lack one; none where they were asked for a moment ago.
    async fn newer_than(&self, keys: &Arc<KeySet>, now: Timestamp) -> Option<Arc<KeySet>> {
        self.ask(now).await;
        self.known(now).map(|(newer, ..)| newer).filter(|newer| !Arc::ptr_eq(newer, keys))
    }

    /// Asks for the keys, unless that was done a moment ago; whoever comes while it is done waits for it. What fails leaves what is known.
    async fn ask(&self, now: Timestamp) {
        let _asking = self.0.asking.lock().await;
        {
            let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            if !known.may_ask(now) {
                return;
            }
            known.asked_at = Some(now);
        }
        match self.fetch().await {
            Ok(keys) => self.0.known.lock().unwrap_or_else(PoisonError::into_inner).keys = Some((Arc::new(keys), now)),
            Err(error) => tracing::warn!(
                issuer = self.issuer(),
                error = &*error as &dyn std::error::Error,
                "an identity provider's keys were not to be had"
            ),
        }
    }

    /// Asks where the keys are, and for them.
    async fn fetch(&self) -> Result<KeySet, Cause> {
        let Inner { client, discovery, expected, .. } = &*self.0;
        let said: Discovery = serde_json::from_slice(&client.get(discovery, DISCOVERY_BYTES_MAX).await?)?;
        if said.issuer != expected.issuer {
            return Err(format!("the provider calls itself {:?}", said.issuer).into());
        }
        Ok(KeySet::parse(&client.get(&Url::parse(&said.jwks_uri)?, KEY_SET_BYTES_MAX).await?)?)
    }
}
