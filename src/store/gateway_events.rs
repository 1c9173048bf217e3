//! What gateways have said, for the system alone: whose business it is, only the payment that is meant tells.

use sea_orm::ActiveValue::Set;

use super::System;
use super::entity::payments::gateway_event;
use super::types::Instant;
use crate::error::Error;

/// An event to remember.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The gateway.
    pub gateway: &'static str,
    /// Its id there.
    pub event_id: String,
    /// What it says happened.
    pub kind: String,
    /// Now.
    pub at: Instant,
}

/// Remembers an event; answers whether it is new. Waits for a transaction that is remembering the same.
///
/// # Errors
/// The database's fault.
pub async fn remember(system: &System, new: NewEvent) -> Result<bool, Error> {
    let row = gateway_event::ActiveModel {
        gateway: Set(new.gateway.to_owned()),
        event_id: Set(new.event_id),
        kind: Set(new.kind),
        received_at: Set(new.at),
    };
    system.insert_if_new::<gateway_event::Entity, _>(row).await
}

/// Removes up to `most` events from before `until`; answers how many.
///
/// # Errors
/// The database's fault.
pub async fn remove(system: &System, until: Instant, most: i64) -> Result<u64, Error> {
    let sql = "delete from gateway_events where received_at < $1 and (gateway, event_id) in (
                 select gateway, event_id from gateway_events where received_at < $1 limit $2)";
    system.run_with(sql, vec![until.into(), most.into()]).await
}
