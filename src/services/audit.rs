//! The audit trail: who changed what, in the transaction that changes it, hash-chained per business, and
//! in a chain of the platform for what concerns none.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::Ports;
use crate::error::{Error, Outcome};
use crate::ids::{AuditEventId, BusinessId};
use crate::store::reads::audit::{self as rows, AuditEvent};
use crate::store::types::Instant;
use crate::store::{Store, System, Tenant, staff, work};

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
    let last = work::audit_head(tenant).await?.map(|head| (head.sequence, head.hash));
    let event = next(ports, Some(tenant.business()), last.as_ref(), &act);
    let head = work::AuditHead { business_id: tenant.business(), sequence: event.sequence, hash: event.hash.clone() };
    work::insert_audit_event(tenant, event).await?;
    work::set_audit_head(tenant, head, last.is_none()).await
}

/// Writes down an act that concerns no business, in the platform's own chain.
///
/// # Errors
/// The database's fault.
pub async fn record_platform(system: &System, ports: &Ports, act: Act<'_>) -> Result<(), Error> {
    let (sequence, hash) = staff::lock_platform_chain(system).await?;
    let last = (sequence > 0).then_some((sequence, hash));
    staff::insert_platform_event(system, next(ports, None, last.as_ref(), &act)).await
}

/// The event of an act, behind the last one's number and hash.
fn next<'a>(ports: &Ports, chain: Option<BusinessId>, last: Option<&(i64, Vec<u8>)>, act: &Act<'a>) -> work::NewAuditEvent<'a> {
    let previous = last.map_or_else(|| FIRST.to_vec(), |(_, hash)| hash.clone());
    let sequence = last.map_or(1, |(sequence, _)| sequence.saturating_add(1));
    let mut event = work::NewAuditEvent {
        id: ports.ids.next(),
        sequence,
        action: act.action,
        actor: act.actor,
        subject: act.subject,
        details: act.details.to_string(),
        at: Instant::from(ports.real_now()),
        previous,
        // Nobody erases what the platform writes of itself.
        salt: chain.map_or_else(Vec::new, |_| ports.rng.bytes::<SALT_BYTES>().to_vec()),
        hash: Vec::new(),
    };
    let digest = digest_of(&event.salt, &event.details);
    event.hash = link(chain, &event.previous, (event.id, event.sequence, event.at), [event.action, event.actor, event.subject], &digest);
    event
}

/// How many bytes the details are hashed with, so that those that were erased cannot be guessed from their digest.
const SALT_BYTES: usize = 16;

/// What stands for the details of an event in its chain.
fn digest_of(salt: &[u8], details: &str) -> Vec<u8> {
    Sha256::new().chain_update(salt).chain_update(details.as_bytes()).finalize().to_vec()
}

/// The same, of an event that was written; of erased details their digest stayed, and nothing of them may have come back.
fn digest_of_event(event: &AuditEvent) -> Option<Vec<u8>> {
    match &event.details_digest {
        Some(digest) => (event.details == ERASED && event.salt.is_none()).then(|| digest.clone()),
        None => Some(digest_of(event.salt.as_deref().unwrap_or_default(), &event.details)),
    }
}

/// What is left of details that were erased.
const ERASED: &str = "{}";
/// The act after which details may be gone, and without which they may not.
pub const BUSINESS_ERASED: &str = "business.erased";
/// The details of how many events are in memory at once, and are erased by one statement.
const ERASED_AT_ONCE: u64 = 100;

/// Erases the details of each event of a business, but for those that say nothing. Their chain holds as before.
///
/// # Errors
/// The database's fault.
pub async fn erase_details(tenant: &Tenant) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let events = rows::with_details(tenant, after, ERASED_AT_ONCE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.sequence;
        let digests: Vec<_> = events.iter().filter_map(|event| Some((event.id, digest_of_event(event)?))).collect();
        work::erase_details(tenant, &digests).await?;
    }
}

/// What stands before the first event of a chain.
const FIRST: [u8; 32] = [0; 32];

/// The hash of an event: SHA-256 over the one before it, its chain, every field and the digest of its details, each with its length in front.
fn link(
    chain: Option<BusinessId>,
    previous: &[u8],
    (id, sequence, at): (AuditEventId, i64, Instant),
    [action, actor, subject]: [&str; 3],
    details_digest: &[u8],
) -> Vec<u8> {
    let mut hash = Sha256::new();
    for part in [
        previous,
        chain.map(BusinessId::uuid).unwrap_or_default().as_bytes(),
        id.uuid().as_bytes(),
        &sequence.to_be_bytes(),
        &at.get().as_microsecond().to_be_bytes(),
        action.as_bytes(),
        actor.as_bytes(),
        subject.as_bytes(),
        details_digest,
    ] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().to_vec()
}

/// The most breaks of chains that are told of; what lies behind a break is rarely news.
pub const MAX_BREAKS: usize = 100;
/// How many events are read at once.
const PART: u64 = 1_000;

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// Whose chain; `None` is the platform's own.
    pub chain: Option<BusinessId>,
    /// Behind which number the chain was good.
    pub after: i64,
    /// What is wrong there, in one sentence.
    pub what: String,
}

/// What was found of every chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many chains there are.
    pub chains: usize,
    /// How many events they have.
    pub events: u64,
    /// Where they do not hold: [`MAX_BREAKS`] at most, one a chain.
    pub breaks: Vec<Break>,
}

/// Recomputes every chain from its first event to its head: an event that was edited, removed, added or put elsewhere
/// breaks its chain. Changes nothing.
///
/// # Errors
/// The database's fault.
pub async fn verify(store: &Store) -> Outcome<Verified> {
    store.read_system(|system| async move { Ok(verify_all(&system).await?) }).await
}

/// The chains as one state of the database has them.
async fn verify_all(system: &System) -> Result<Verified, Error> {
    let mut found = Verified::default();
    let heads = rows::heads(system).await?;
    let mut walk = Walk::default();
    let mut from = None;
    loop {
        let part = rows::part_of_chains(system, from, PART).await?;
        for (business, event) in &part {
            walk.step(Some(*business), event);
        }
        found.events = found.events.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        let Some((business, last)) = part.last() else { break };
        from = Some((*business, last.sequence));
    }
    let mut after = 0;
    loop {
        let part = rows::part_of_platform(system, after, PART).await?;
        for event in &part {
            walk.step(None, event);
        }
        found.events = found.events.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        let Some(last) = part.last() else { break };
        after = last.sequence;
    }
    walk.end(&heads);
    found.chains = walk.ends.len();
    found.breaks = walk.breaks.into_values().take(MAX_BREAKS).collect();
    Ok(found)
}

/// The chains so far.
#[derive(Default)]
struct Walk {
    /// The last event of each chain: its number and hash as stored.
    ends: BTreeMap<Option<BusinessId>, (i64, Vec<u8>)>,
    /// The first event of each chain whose details are gone, though no erasure was met since.
    bare: BTreeMap<Option<BusinessId>, (i64, AuditEventId)>,
    /// The first break of each chain.
    breaks: BTreeMap<Option<BusinessId>, Break>,
}

impl Walk {
    /// Goes on to the next event of a chain.
    fn step(&mut self, chain: Option<BusinessId>, event: &AuditEvent) {
        let (after, hash) = self.ends.get(&chain).cloned().unwrap_or_else(|| (0, FIRST.to_vec()));
        let words = [event.action.as_str(), &event.actor, &event.subject];
        let digest = digest_of_event(event);
        let linked = digest.map(|digest| link(chain, &event.previous_hash, (event.id, event.sequence, event.at), words, &digest));
        if event.sequence != after.saturating_add(1) {
            self.note(chain, after, format!("event {} follows: those between are missing", event.sequence));
        } else if event.previous_hash != hash {
            self.note(chain, after, format!("{} does not follow the event before it", event.id));
        } else if linked.as_ref() != Some(&event.hash) {
            self.note(chain, after, format!("{} is not what was written", event.id));
        }
        self.ends.insert(chain, (event.sequence, event.hash.clone()));
        if event.details_digest.is_some() {
            self.bare.entry(chain).or_insert((event.sequence, event.id));
        }
        if event.action == BUSINESS_ERASED {
            self.bare.remove(&chain);
        }
    }

    /// Compares the ends of the chains with their heads.
    fn end(&mut self, heads: &BTreeMap<Option<BusinessId>, (i64, Vec<u8>)>) {
        for (chain, (sequence, hash)) in heads {
            let end = self.ends.entry(*chain).or_insert_with(|| (0, FIRST.to_vec())).clone();
            if end != (*sequence, hash.clone()) {
                self.note(*chain, end.0, format!("the head of the chain is event {sequence}, which is not what stands last"));
            }
        }
        for (chain, (sequence, id)) in std::mem::take(&mut self.bare) {
            self.note(chain, sequence.saturating_sub(1), format!("the details of {id} are gone, and nothing was erased since"));
        }
        let headless: Vec<_> =
            self.ends.iter().filter(|(chain, _)| !heads.contains_key(chain)).map(|(chain, end)| (*chain, end.0)).collect();
        for (chain, after) in headless {
            self.note(chain, after, "the chain has no head".to_owned());
        }
    }

    /// Notes the first break of a chain.
    fn note(&mut self, chain: Option<BusinessId>, after: i64, what: String) {
        self.breaks.entry(chain).or_insert(Break { chain, after, what });
    }
}
