//! Usage: what a product asks all day. May this customer do that, and count it: checked and counted in one step, under the
//! lock of the subscription that is counted for.
//!
//! It answers from counters that are kept, never by adding events up. What it records is no change of money: billing reads
//! the counters when a usage period has ended.

use jiff::SignedDuration;

use crate::error::{Error, Outcome, UserError};
use crate::money::Rate;
use crate::services::Ports;
use crate::services::access::Caller;
use crate::store::types::UsageAction;
use crate::store::{Instant, Tenant};

mod course;
mod entitlement;
mod history;
mod people;
mod placed;
mod query;
mod record;
mod remembered;
pub mod retention;
mod storage;
mod tally;
mod thresholds;

pub use entitlement::{AccessReason, FeatureAccess, feature_access};
pub use history::{Hours, history};
pub use people::has_room_for_one;
pub use query::{Metric, Report, report};
pub use remembered::Remembered;
pub use storage::has_room_for_bytes;

/// The most events of one call.
pub const MAX_EVENTS: usize = 1_000;
/// The most characters of an event's id.
const MAX_EVENT_ID_CHARS: usize = 128;
/// The most bytes of an event's properties, as JSON.
const MAX_PROPERTIES_BYTES: usize = 4_096;
/// How late an event may be told of.
const LATEST: SignedDuration = SignedDuration::from_hours(35 * 24);
/// How long an event's id counts once.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Something that was used.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Names it: the same one counts once.
    pub event_id: String,
    /// A product's code.
    pub product: String,
    /// A feature's key.
    pub feature: String,
    /// What it does.
    pub action: UsageAction,
    /// How much.
    pub quantity: Rate,
    /// When; without it now.
    pub occurred_at: Option<Instant>,
    /// What the product wants to keep with it.
    pub properties: Option<serde_json::Value>,
}

/// What `recordUsage` asks.
#[derive(Debug, Clone)]
pub struct RecordUsage {
    /// 1 to [`MAX_EVENTS`].
    pub events: Vec<NewEvent>,
    /// Whether an event past a hard limit is refused.
    pub enforce_limits: bool,
}

/// What came of a call's events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// How many were counted.
    pub accepted: usize,
    /// How many had been counted already.
    pub duplicates: usize,
    /// Those that were not.
    pub rejected: Vec<Rejected>,
}

/// An event that was not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the call, from 0.
    pub index: usize,
    /// Its id.
    pub event_id: String,
    /// Why.
    pub error: UserError,
}

/// Records usage.
#[derive(Clone)]
pub struct UsageTrackingService {
    /// What it needs of the outside.
    ports: Ports,
}

impl UsageTrackingService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Counts events, each once, and says of each that it refuses why: the others are counted all the same.
    ///
    /// # Errors
    /// REQUIRED for no event, TOO_LARGE for more than [`MAX_EVENTS`]; [`Error::Unauthenticated`], [`Error::Forbidden`] for
    /// whoever may not, or for a business that staff have suspended; or the database's fault.
    pub async fn record(&self, caller: Caller, input: RecordUsage) -> Outcome<Recorded> {
        let scope = caller.require_scope()?;
        let (ports, input) = (self.ports.clone(), std::sync::Arc::new(input));
        let work = move |tenant: Tenant| {
            let (ports, input) = (ports.clone(), std::sync::Arc::clone(&input));
            async move { record::record(&tenant, &ports, caller, &input).await }
        };
        let (recorded, told) = self.ports.store.write(scope, work).await?;
        if told {
            self.ports.work.notify_one();
        }
        Ok(recorded)
    }
}

/// An instant so long before `now`.
fn earlier(now: jiff::Timestamp, by: SignedDuration) -> Result<jiff::Timestamp, Error> {
    now.checked_sub(by).map_err(|_| Error::Corrupt("the clock shows no time that can be".into()))
}
