//! One call of `recordUsage` in its transaction: a bounded number of statements, however many events it has.

use std::collections::HashSet;

use super::placed::{Ground, Placed, Sound};
use super::tally::Tally;
use super::{MAX_EVENTS, REMEMBERED, RecordUsage, Recorded, Rejected, earlier};
use crate::error::{Error, Failure, Outcome, UserError, UserErrorCode};
use crate::services::Ports;
use crate::services::access::{Access, Caller, Need, check_change};
use crate::services::billing::bill_later;
use crate::services::events::{Event, emit_all};
use crate::store::customers::Business;
use crate::store::{Instant, Tenant, usage};

/// Counts the events of a call. The ids are claimed first, so that of two calls with the same event one waits for the other;
/// then the subscriptions are locked, so that no two calls are below a limit at the same time. Answers what came of it, and
/// whether somebody is to be told of a threshold.
///
/// # Errors
/// As [`super::UsageTrackingService::record`].
pub(super) async fn record(tenant: &Tenant, ports: &Ports, caller: Caller, input: &RecordUsage) -> Outcome<(Recorded, bool)> {
    let (ports, business) = ports.of_business(tenant).await?;
    let access = check_change(tenant, caller, Need::RecordUsage).await?;
    check_number(input)?;
    let now = Instant::from(ports.now());
    let mut recorded = Recorded::default();
    let mut sound = Vec::with_capacity(input.events.len());
    for (index, event) in input.events.iter().enumerate() {
        match Sound::of(index, event, now)? {
            Ok(event) => sound.push(event),
            Err(error) => recorded.reject(input, index, error),
        }
    }
    let ids: HashSet<&str> = sound.iter().map(|event| event.event.event_id.as_str()).collect();
    let ids = ids.into_iter().map(ToOwned::to_owned).collect();
    let fresh = usage::claim_event_ids(tenant, ids, now, earlier(now.get(), REMEMBERED)?.into()).await?;
    let all = sound.len();
    sound.retain(|event| fresh.contains(&event.event.event_id));
    recorded.duplicates = all.saturating_sub(sound.len());
    let mut told = false;
    if !sound.is_empty() {
        let (counted, reached) = count((tenant, &business), &ports, &access, (input, sound, now), &mut recorded).await?;
        told = !reached.is_empty();
        // Under the locks of the subscriptions, as whatever else is told of them.
        emit_all(tenant, &ports, &reached).await?;
        let released = fresh.into_iter().filter(|id| !counted.contains(id)).collect();
        usage::release_event_ids(tenant, released).await?;
    }
    recorded.rejected.sort_by_key(|rejected| rejected.index);
    Ok((recorded, told))
}

/// 1 to [`MAX_EVENTS`].
fn check_number(input: &RecordUsage) -> Result<(), UserError> {
    if input.events.is_empty() {
        return Err(UserError::at("events", UserErrorCode::Required, "Send at least one event."));
    }
    if input.events.len() > MAX_EVENTS {
        let sentence = format!("Send at most {MAX_EVENTS} events at a time.");
        return Err(UserError::at("events", UserErrorCode::TooLarge, sentence));
    }
    Ok(())
}

/// Counts the events that were not counted before; answers the ids of those that count now, and the thresholds that they reach.
async fn count(
    (tenant, business): (&Tenant, &Business),
    ports: &Ports,
    access: &Access,
    (input, sound, now): (&RecordUsage, Vec<Sound<'_>>, Instant),
    recorded: &mut Recorded,
) -> Result<(HashSet<String>, Vec<Event>), Error> {
    let ground = Ground::of((tenant, business), ports, access, &sound, now).await?;
    let mut placed: Vec<Placed<'_>> = Vec::with_capacity(sound.len());
    for event in sound {
        let index = event.index;
        match ground.place(event, input.enforce_limits)? {
            Ok(event) => placed.push(event),
            Err(error) => recorded.reject(input, index, error),
        }
    }
    let mut counted = HashSet::new();
    let mut tally = Tally::of(tenant, ports, (&ground, &placed), now).await?;
    for event in &placed {
        let id = &event.sound.event.event_id;
        if counted.contains(id) {
            recorded.duplicates = recorded.duplicates.saturating_add(1);
            continue;
        }
        match tally.count(event, input.enforce_limits) {
            Ok(()) => {
                recorded.accepted = recorded.accepted.saturating_add(1);
                counted.insert(id.clone());
            }
            Err(Failure::Refused(errors)) => errors.into_iter().for_each(|error| recorded.reject(input, event.sound.index, error)),
            Err(Failure::Fault(error)) => return Err(error),
        }
    }
    for (subscription, month) in tally.months() {
        bill_later(tenant, ports, subscription, month).await?;
    }
    let (rows, reached) = tally.counted();
    usage::write(tenant, rows).await?;
    Ok((counted, reached))
}

impl Recorded {
    /// Notes that an event was not counted.
    fn reject(&mut self, input: &RecordUsage, index: usize, error: UserError) {
        let event_id = input.events.get(index).map(|event| event.event_id.clone()).unwrap_or_default();
        self.rejected.push(Rejected { index, event_id, error });
    }
}
