//! A business's own keys: made, listed and ended by those who manage it.

use jiff::Timestamp;
use serde_json::json;

use super::{Made, generate, read_expiry, read_name};
use crate::error::{Failure, Outcome, UserError, UserErrorCode};
use crate::ids::ApiKeyId;
use crate::security::access_key::KeyOwner;
use crate::services::Ports;
use crate::services::access::{self, Caller, Need};
use crate::services::audit::{self, Act};
use crate::services::customers::fields::Refusals;
use crate::store::keys::{self, ApiKey};
use crate::store::types::{ApiScope, Scopes};
use crate::store::{Instant, customers};

/// The most live keys of a business.
const MAX_LIVE_KEYS: u64 = 50;

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct CreateApiKey {
    /// What it is called.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<ApiScope>,
    /// Until when; without one it does not run out.
    pub expires_at: Option<Timestamp>,
}

/// What a new key is to be, parsed.
#[derive(Debug, Clone)]
struct Wanted {
    name: String,
    scopes: Scopes,
    expires_at: Option<Instant>,
}

/// A business's keys.
#[derive(Clone)]
pub struct KeyService {
    /// What it needs of the outside.
    ports: Ports,
}

impl KeyService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// Every refusal of the input at once: REQUIRED, TOO_LONG, INVALID; LIMIT_EXCEEDED for one key too many;
    /// [`crate::error::Error::Forbidden`] for a role below ADMIN and for every key; or the database's fault.
    pub async fn create(&self, caller: Caller, input: CreateApiKey) -> Outcome<Made<ApiKey>> {
        let (scope, now, ports) = (caller.require_scope()?, self.ports.now(), self.ports.clone());
        let wanted = read(input, now);
        let (prefix, hash, secret) = generate(&ports, KeyOwner::Business);
        let id: ApiKeyId = ports.ids.next();
        let made = self.ports.store.write_system(move |system| {
            let (ports, wanted, prefix) = (ports.clone(), wanted.clone(), prefix.clone());
            async move {
                let (tenant, now) = (system.tenant(scope), Instant::from(now));
                customers::lock_business(&tenant).await?;
                // Who may not, is not told what is wrong with the input.
                let access = access::check_change(&tenant, caller, Need::Manage).await?;
                let Wanted { name, scopes, expires_at } = wanted.map_err(Failure::Refused)?;
                if keys::count_live_keys(&tenant, now, MAX_LIVE_KEYS).await? >= MAX_LIVE_KEYS {
                    let sentence = format!("A business has at most {MAX_LIVE_KEYS} keys; revoke one first.");
                    return Err(UserError::new(UserErrorCode::LimitExceeded, sentence).into());
                }
                let row = ApiKey {
                    business_id: tenant.business(),
                    id,
                    name,
                    prefix,
                    scopes,
                    created_at: now,
                    expires_at,
                    last_used_at: None,
                    revoked_at: None,
                };
                keys::insert_key(&system, &tenant, row.clone(), &hash).await?;
                let names: Vec<&str> = scopes.iter().map(ApiScope::as_str).collect();
                let expires_at = expires_at.map(|at| at.get().to_string());
                let details = json!({ "prefix": row.prefix, "scopes": names, "expiresAt": expires_at });
                let (actor, subject) = (access.actor(), id.to_string());
                audit::record(&tenant, &ports, Act { action: "api_key.created", actor: &actor, subject: &subject, details }).await?;
                Ok(row)
            }
        });
        Ok(Made { key: made.await?, secret })
    }

    /// Ends a key, at once; answers its id.
    ///
    /// # Errors
    /// NOT_FOUND for any but a live key of the business; [`crate::error::Error::Forbidden`] for a role below ADMIN and
    /// for every key; or the database's fault.
    pub async fn revoke(&self, caller: Caller, key: Option<ApiKeyId>) -> Outcome<ApiKeyId> {
        let (scope, now, ports) = (caller.require_scope()?, Instant::from(self.ports.now()), self.ports.clone());
        let revoked = self.ports.store.write(scope, move |tenant| {
            let ports = ports.clone();
            async move {
                customers::lock_business(&tenant).await?;
                let access = access::check_change(&tenant, caller, Need::Manage).await?;
                let refusal = || UserError::at("apiKeyId", UserErrorCode::NotFound, "There is no such key.");
                let key = keys::live_key_by_id(&tenant, key.ok_or_else(refusal)?, now).await?.ok_or_else(refusal)?;
                keys::revoke_key(&tenant, key.id, now).await?;
                let (actor, subject, details) = (access.actor(), key.id.to_string(), json!({ "prefix": key.prefix }));
                audit::record(&tenant, &ports, Act { action: "api_key.revoked", actor: &actor, subject: &subject, details }).await?;
                Ok(key.id)
            }
        });
        revoked.await
    }
}

/// Reads the input, or everything that is wrong with it.
fn read(input: CreateApiKey, now: Timestamp) -> Result<Wanted, Vec<UserError>> {
    let mut refusals = Refusals::default();
    let name = refusals.note(read_name(&input.name));
    let none = || UserError::at("scopes", UserErrorCode::Required, "Choose at least one scope.");
    let scopes = refusals.note(if input.scopes.is_empty() { Err(none()) } else { Ok(input.scopes.into_iter().collect()) });
    let expires_at = refusals.note(read_expiry(input.expires_at, now));
    match (name, scopes, expires_at) {
        (Some(name), Some(scopes), Some(expires_at)) => Ok(Wanted { name, scopes, expires_at }),
        _ => Err(refusals.into_vec()),
    }
}
