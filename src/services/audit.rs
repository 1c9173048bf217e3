//! The audit trail: who changed what, in the transaction that changes it, hash-chained per business.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Ports;
use crate::error::Error;
use crate::store::types::Instant;
use crate::store::{Tenant, work};

/// One act to write down.
#[derive(Debug, Clone)]
pub struct Act<'a> {
    /// What was done: `subscription.changed`.
    pub action: &'a str,
    /// Who did it: an id, or `system`.
    pub actor: &'a str,
    /// To what: an id.
    pub subject: &'a str,
    /// Before and after; no personal data.
    pub details: Value,
}

/// Writes down an act. The business's row must be locked by this transaction, which makes the chain one line.
///
/// # Errors
/// The database's fault.
pub async fn record(tenant: &Tenant, ports: &Ports, act: Act<'_>) -> Result<(), Error> {
    let last = work::last_audit_event(tenant).await?;
    let (sequence, previous) = last.map_or((1, vec![0; 32]), |event| (event.sequence.saturating_add(1), event.hash));
    let at = Instant::from(ports.now());
    let details = act.details.to_string();
    let hash = link(&previous, sequence, at, &act, &details);
    let event = work::NewAuditEvent {
        id: ports.ids.next(),
        sequence,
        action: act.action,
        actor: act.actor,
        subject: act.subject,
        details,
        at,
        previous,
        hash,
    };
    work::insert_audit_event(tenant, event).await
}

/// The hash of an event: SHA-256 over the one before it and every field, each with its length in front.
fn link(previous: &[u8], sequence: i64, at: Instant, act: &Act<'_>, details: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [
        previous,
        &sequence.to_be_bytes(),
        &at.get().as_microsecond().to_be_bytes(),
        act.action.as_bytes(),
        act.actor.as_bytes(),
        act.subject.as_bytes(),
        &Sha256::digest(details.as_bytes()),
    ] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}
