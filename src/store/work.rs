//! Idempotency keys and audit events.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{CaseStatement, Expr};
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _};
use uuid::Uuid;

use super::Tenant;
use super::entity::work::{audit_event, audit_head, idempotency_key};
use super::types::Instant;
use crate::error::Error;
use crate::ids::{AuditEventId, IdempotencyKeyId};

pub use super::entity::work::audit_event::Model as AuditEvent;
pub use super::entity::work::audit_head::Model as AuditHead;
pub use super::entity::work::idempotency_key::Model as IdempotencyKey;

/// An idempotency key to claim.
#[derive(Debug, Clone)]
pub struct NewIdempotencyKey<'a> {
    /// The row's id.
    pub id: IdempotencyKeyId,
    /// Who sent it.
    pub actor: Uuid,
    /// The key.
    pub key: &'a str,
    /// The operation it was sent with.
    pub operation: &'a str,
    /// SHA-256 of operation and input.
    pub input_hash: Vec<u8>,
    /// Now.
    pub at: Instant,
}

/// Claims a key; answers the row that holds it already, if one does. Waits for a transaction that is claiming it.
///
/// # Errors
/// [`Error::LockTimeout`] where that takes too long.
pub async fn claim_idempotency_key(tenant: &Tenant, new: NewIdempotencyKey<'_>) -> Result<Option<IdempotencyKey>, Error> {
    let row = idempotency_key::ActiveModel {
        id: Set(new.id),
        actor: Set(new.actor),
        idempotency_key: Set(new.key.to_owned()),
        operation: Set(new.operation.to_owned()),
        input_hash: Set(new.input_hash),
        outcome: Set(String::new()),
        created_at: Set(new.at),
        ..Default::default()
    };
    if tenant.insert_if_new(row).await? {
        return Ok(None);
    }
    let held = tenant.select::<idempotency_key::Entity>().filter(idempotency_key::Column::IdempotencyKey.eq(new.key));
    held.filter(idempotency_key::Column::Actor.eq(new.actor)).one().await
}

/// Writes what was made under a key.
///
/// # Errors
/// The database's fault.
pub async fn set_idempotency_outcome(tenant: &Tenant, id: IdempotencyKeyId, outcome: String) -> Result<(), Error> {
    tenant
        .update_where::<idempotency_key::Entity>(|update| {
            update.set(idempotency_key::Column::Outcome, outcome).filter(idempotency_key::Column::Id.eq(id))
        })
        .await?;
    Ok(())
}

/// An audit event to write.
#[derive(Debug, Clone)]
pub struct NewAuditEvent<'a> {
    /// Its id.
    pub id: AuditEventId,
    /// Its place in the business's chain, from 1.
    pub sequence: i64,
    /// What was done.
    pub action: &'a str,
    /// Who did it.
    pub actor: &'a str,
    /// To what.
    pub subject: &'a str,
    /// Before and after, as JSON.
    pub details: String,
    /// When.
    pub at: Instant,
    /// The hash of the event before it.
    pub previous: Vec<u8>,
    /// What the details are hashed with.
    pub salt: Vec<u8>,
    /// Its own hash.
    pub hash: Vec<u8>,
}

/// The newest event of this business's chain.
///
/// # Errors
/// The database's fault.
pub async fn last_audit_event(tenant: &Tenant) -> Result<Option<AuditEvent>, Error> {
    tenant.select::<audit_event::Entity>().order_by_desc(audit_event::Column::Sequence).one().await
}

/// Adds an event to this business's chain.
///
/// # Errors
/// [`Error::UniqueViolation`] where its place is taken.
pub async fn insert_audit_event(tenant: &Tenant, new: NewAuditEvent<'_>) -> Result<(), Error> {
    let row = audit_event::ActiveModel {
        id: Set(new.id),
        sequence: Set(new.sequence),
        action: Set(new.action.to_owned()),
        actor: Set(new.actor.to_owned()),
        subject: Set(new.subject.to_owned()),
        details: Set(new.details),
        at: Set(new.at),
        previous_hash: Set(new.previous),
        hash: Set(new.hash),
        salt: Set(Some(new.salt)),
        ..Default::default()
    };
    tenant.insert_many(vec![row]).await
}

/// Erases the details of events of this business, in one statement. Their digests take their place in the chain, and what they were hashed
/// with goes with them.
///
/// # Errors
/// The database's fault.
pub async fn erase_details(tenant: &Tenant, digests: &[(AuditEventId, Vec<u8>)]) -> Result<(), Error> {
    let digest_of = digests
        .iter()
        .fold(CaseStatement::new(), |cases, (id, digest)| cases.case(audit_event::Column::Id.eq(*id), Expr::val(digest.clone())));
    let erase = tenant.update_where::<audit_event::Entity>(|update| {
        update
            .set(audit_event::Column::Details, "{}".to_owned())
            .set(audit_event::Column::Salt, None::<Vec<u8>>)
            .set_to(audit_event::Column::DetailsDigest, digest_of.finally(Expr::col(audit_event::Column::DetailsDigest)).into())
            .filter(audit_event::Column::Id.is_in(digests.iter().map(|(id, _)| *id)))
    });
    erase.await.map(drop)
}

/// The head of this business's chain: the number and the hash of its last event. `None` before the first.
///
/// # Errors
/// The database's fault.
pub async fn audit_head(tenant: &Tenant) -> Result<Option<AuditHead>, Error> {
    tenant.select::<audit_head::Entity>().filter(audit_head::Column::BusinessId.eq(tenant.business())).one().await
}

/// Moves the head of this business's chain on; `first` where it has none yet.
///
/// # Errors
/// The database's fault.
pub async fn set_audit_head(tenant: &Tenant, head: AuditHead, first: bool) -> Result<(), Error> {
    let row = head.into_active_model().reset_all();
    if first { tenant.insert_many(vec![row]).await } else { tenant.save::<audit_head::Entity, _>(row).await }
}
