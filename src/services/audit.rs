//! The audit trail: who changed what, in the transaction that changes it, hash-chained per business, and
//! in a chain of the platform for what concerns none.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Ports;
use crate::error::Error;
use crate::store::types::Instant;
use crate::store::{System, Tenant, staff, work};

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
    let last = work::last_audit_event(tenant).await?.map(|event| (event.sequence, event.hash));
    work::insert_audit_event(tenant, next(ports, last, &act)).await
}

/// Writes down an act that concerns no business, in the platform's own chain.
///
/// # Errors
/// The database's fault.
pub async fn record_platform(system: &System, ports: &Ports, act: Act<'_>) -> Result<(), Error> {
    let (sequence, hash) = staff::lock_platform_chain(system).await?;
    let last = (sequence > 0).then_some((sequence, hash));
    staff::insert_platform_event(system, next(ports, last, &act)).await
}

/// The event of an act, behind the last one's number and hash.
fn next<'a>(ports: &Ports, last: Option<(i64, Vec<u8>)>, act: &Act<'a>) -> work::NewAuditEvent<'a> {
    let (sequence, previous) = last.map_or((1, vec![0; 32]), |(sequence, hash)| (sequence.saturating_add(1), hash));
    let at = Instant::from(ports.now());
    let details = act.details.to_string();
    let hash = link(&previous, sequence, at, act, &details);
    let (action, actor, subject) = (act.action, act.actor, act.subject);
    work::NewAuditEvent { id: ports.ids.next(), sequence, action, actor, subject, details, at, previous, hash }
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
