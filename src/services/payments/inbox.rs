//! What gateways tell us of by themselves. It is a hint, whoever signed it: the event is remembered, what it is about is asked of
//! the gateway, and nothing that it says is believed. So one that is sent twice, late, or before another one does no harm.

use jiff::SignedDuration;

use super::{LATE, LOOK_UP, Ports, REFUND, disputes};
use crate::adapters::payment::GatewayKind;
use crate::error::{Error, Failure, Outcome};
use crate::ids::{PaymentId, RefundId};
use crate::store::gateway_events::{self, NewEvent};
use crate::store::{Instant, System, gateway_hints, jobs};

/// How long an event is remembered: longer than any gateway sends one again.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The most events that are removed in one transaction.
const BATCH: u64 = 1_000;
/// The most transactions of one sweep.
const MOST_BATCHES: usize = 1_000;

/// What a gateway tells of.
#[derive(Debug, Clone)]
pub struct GatewayEvent {
    /// Which gateway.
    pub gateway: GatewayKind,
    /// The event's id there.
    pub id: String,
    /// What it says happened.
    pub kind: String,
    /// The payment that it names.
    pub payment: Option<PaymentId>,
    /// The refund that it names.
    pub refund: Option<RefundId>,
    /// The dispute that it names.
    pub dispute: Option<DisputeHeard>,
}

/// A dispute that a gateway tells of.
#[derive(Debug, Clone)]
pub struct DisputeHeard {
    /// The gateway's own id of it.
    pub reference: String,
    /// The gateway's own id of the charge.
    pub charge: String,
}

/// Takes an event: remembers it, and has the gateway asked at once about what it names. Answers whether it was new; one that was
/// taken before does nothing. What it names and nobody waits for does nothing either.
///
/// # Errors
/// The database's fault: nothing was remembered then, and the gateway is to send it again.
pub async fn take_event(ports: &Ports, event: GatewayEvent) -> Result<bool, Error> {
    let now = Instant::from(ports.real_now());
    let outside = ports.clone();
    let take = move |system: System| {
        let (ports, event) = (outside.clone(), event.clone());
        async move {
            let GatewayEvent { gateway, id, kind, payment, refund, dispute } = event;
            let new = NewEvent { gateway: gateway.as_str(), event_id: id.clone(), kind, at: now };
            if !gateway_events::remember(&system, new).await? {
                return Ok(false);
            }
            if let Some(heard) = dispute {
                disputes::ask_about(&system, &ports, gateway, &heard, &id).await?;
            }
            // A refund names its payment too, of which nothing is new.
            match (refund, payment) {
                (Some(refund), _) => jobs::hasten(&system, REFUND, &refund.to_string(), now).await?,
                (None, Some(payment)) => jobs::hasten(&system, LOOK_UP, &payment.to_string(), now).await?,
                (None, None) => {}
            }
            Ok(true)
        }
    };
    match ports.store.write_system(take).await {
        Ok(is_new) => {
            ports.work.notify_one();
            Ok(is_new)
        }
        Err(Failure::Fault(error)) => Err(error),
        Err(Failure::Refused(_)) => Err(Error::Corrupt("an event was refused".into())),
    }
}

/// Has those jobs run at once that ask whether an attempt that was over has succeeded all the same.
///
/// # Errors
/// The database's fault.
pub(super) async fn hasten_late(ports: &Ports, keys: Vec<String>) -> Result<(), Error> {
    let now = Instant::from(ports.real_now());
    let hasten = move |system: System| {
        let keys = keys.clone();
        async move {
            for key in &keys {
                jobs::hasten(&system, LATE, key, now).await?;
            }
            Ok(())
        }
    };
    match ports.store.write_system(hasten).await {
        Ok(()) => {
            ports.work.notify_one();
            Ok(())
        }
        Err(Failure::Fault(error)) => Err(error),
        Err(Failure::Refused(_)) => Err(Error::Corrupt("a job's date was refused".into())),
    }
}

/// Removes events that were kept long enough, in as many transactions as it takes; answers how many. It may be run by any number
/// of processes at once.
///
/// # Errors
/// The database's fault; what was done until then stays done.
pub async fn sweep_events(ports: &Ports) -> Outcome<u64> {
    let until = ports.real_now().checked_sub(KEPT_FOR).map_err(|error| Error::Task(Box::new(error)))?;
    let mut removed: u64 = 0;
    for _ in 0..MOST_BATCHES {
        let most = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let batch = move |system: System| async move {
            gateway_hints::remove(&system, Instant::from(until), most).await?;
            Ok(gateway_events::remove(&system, Instant::from(until), most).await?)
        };
        let count = ports.store.write_system(batch).await?;
        removed = removed.saturating_add(count);
        if count < BATCH {
            break;
        }
    }
    Ok(removed)
}
