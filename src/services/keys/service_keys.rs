//! Keys of the platform's own products, made and ended by staff.

use jiff::Timestamp;
use serde_json::json;

use super::{Made, generate, read_expiry, read_name};
use crate::error::{Failure, Outcome, UserError, UserErrorCode};
use crate::ids::ServiceKeyId;
use crate::security::access_key::KeyOwner;
use crate::services::Ports;
use crate::services::access::Caller;
use crate::services::audit::{self, Act};
use crate::services::customers::fields::Refusals;
use crate::services::staff::{Right, check_right};
use crate::store::keys::{self, ServiceKey};
use crate::store::{Instant, catalog};

/// The most live keys of one product.
const MAX_LIVE_KEYS: usize = 20;

/// What a new key of a product is to be.
#[derive(Debug, Clone)]
pub struct CreateServiceKey {
    /// What it is called.
    pub name: String,
    /// The product's code.
    pub product: String,
    /// Until when; without one it does not run out.
    pub expires_at: Option<Timestamp>,
}

/// The products' keys.
#[derive(Clone)]
pub struct ServiceKeyService {
    /// What it needs of the outside.
    ports: Ports,
}

impl ServiceKeyService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Makes a key for a product.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not. Every refusal of the input at once: REQUIRED, TOO_LONG,
    /// INVALID, and NOT_FOUND for the code of no product; LIMIT_EXCEEDED for one key too many; or the database's fault.
    pub async fn create(&self, caller: Caller, input: CreateServiceKey) -> Outcome<Made<ServiceKey>> {
        let (ports, now) = (self.ports.clone(), self.ports.now());
        let (prefix, hash, secret) = generate(&ports, KeyOwner::Product);
        let id: ServiceKeyId = ports.ids.next();
        let made = self.ports.store.write_system(move |system| {
            let (ports, input, prefix) = (ports.clone(), input.clone(), prefix.clone());
            async move {
                let access = check_right(&system, caller, Right::ManageServiceKeys).await?;
                // So that two who make one at a time cannot pass the limit together.
                catalog::lock_catalogue(&system).await?;
                let mut refusals = Refusals::default();
                let name = refusals.note(read_name(&input.name));
                let expires_at = refusals.note(read_expiry(input.expires_at, now));
                let products = catalog::products(&system.catalogue()).await?;
                let product = products.into_iter().find(|product| product.code == input.product);
                let none = || UserError::at("product", UserErrorCode::NotFound, "There is no such product.");
                let product = refusals.note(product.ok_or_else(none));
                let (Some(name), Some(expires_at), Some(product)) = (name, expires_at, product) else {
                    return Err(Failure::Refused(refusals.into_vec()));
                };
                let at = Instant::from(now);
                let live = keys::live_service_keys(&system, at).await?;
                if live.iter().filter(|key| key.product_id == product.id).count() >= MAX_LIVE_KEYS {
                    let sentence = format!("A product has at most {MAX_LIVE_KEYS} keys; revoke one first.");
                    return Err(UserError::at("product", UserErrorCode::LimitExceeded, sentence).into());
                }
                let row = ServiceKey {
                    id,
                    product_id: product.id,
                    name,
                    prefix,
                    hash: hash.to_vec(),
                    created_by: access.actor(),
                    created_at: at,
                    expires_at,
                    last_used_at: None,
                    revoked_by: None,
                    revoked_at: None,
                };
                keys::insert_service_key(&system, row.clone()).await?;
                let subject = row.id.to_string();
                let details = json!({ "product": input.product, "prefix": row.prefix });
                let act = Act { action: "service_key.created", actor: &row.created_by, subject: &subject, details };
                audit::record_platform(&system, &ports, act).await?;
                Ok(row)
            }
        });
        Ok(Made { key: made.await?, secret })
    }

    /// Ends a key, at once; answers its id.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not; NOT_FOUND for any but a live key; or the database's fault.
    pub async fn revoke(&self, caller: Caller, key: Option<ServiceKeyId>) -> Outcome<ServiceKeyId> {
        let (ports, now) = (self.ports.clone(), Instant::from(self.ports.now()));
        let revoked = self.ports.store.write_system(move |system| {
            let ports = ports.clone();
            async move {
                let access = check_right(&system, caller, Right::ManageServiceKeys).await?;
                let refusal = || UserError::at("serviceKeyId", UserErrorCode::NotFound, "There is no such key.");
                let key = keys::lock_live_service_key(&system, key.ok_or_else(refusal)?, now).await?.ok_or_else(refusal)?;
                let (actor, subject) = (access.actor(), key.id.to_string());
                keys::revoke_service_key(&system, key.id, &actor, now).await?;
                let act = Act { action: "service_key.revoked", actor: &actor, subject: &subject, details: json!({}) };
                audit::record_platform(&system, &ports, act).await?;
                Ok(key.id)
            }
        });
        revoked.await
    }
}
