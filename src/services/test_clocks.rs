//! Test clocks: in a sandbox staff put businesses on a clock that stands still until it is advanced, so that a year of
//! billing passes in seconds. Advancing goes from one job to the next, in their order, up to the goal: whatever a worker
//! would have done in that time is done.
//!
//! Periods, trials, dunning and coupons go by the clock; sessions, links, mails, idempotency keys and the audit trail by
//! real time.

use jiff::{Timestamp, ToSpan};
use serde_json::json;

use super::Ports;
use super::access::Caller;
use super::audit::{self, Act};
use super::staff::{Right, check_right, tenant};
use crate::error::{Outcome, UserError, UserErrorCode};
use crate::ids::{BusinessId, TestClockId};
use crate::store::reads::businesses;
use crate::store::test_clocks::{self as clocks, TestClock};
use crate::store::types::TestClockStatus;
use crate::store::{Instant, System, customers, reads};

/// The most characters of a clock's name.
const MAX_NAME_CHARS: usize = 100;
/// The most years that a clock is advanced at once.
const MAX_YEARS: i64 = 2;
/// The years that a clock may show: tax rates and time zones mean something in them.
const YEARS: std::ops::RangeInclusive<i16> = 2000..=2199;

/// Test clocks.
#[derive(Clone)]
pub struct TestClockService {
    /// What it needs of the outside.
    ports: Ports,
}

impl TestClockService {
    /// The service on `ports`.
    pub const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Makes a clock that stands at `now`.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not; NOT_ALLOWED outside a sandbox; REQUIRED or TOO_LONG at `name`, INVALID
    /// at `now`; or the database's fault.
    pub async fn create(&self, caller: Caller, name: String, now: Timestamp) -> Outcome<TestClock> {
        let outside = self.ports.clone();
        let create = move |system: System| {
            let (ports, name) = (outside.clone(), name.clone());
            async move {
                let access = check_right(&system, caller, Right::MoveTestClocks).await?;
                check_sandbox(&ports)?;
                let at = Instant::from(ports.real_now());
                let row = TestClock {
                    id: ports.ids.next(),
                    name: read_name(&name)?,
                    now: read_instant("now", now)?,
                    status: TestClockStatus::Ready,
                    goal: None,
                    failure: None,
                    advanced_at: at,
                    created_at: at,
                };
                let made = clocks::insert(&system, row).await?;
                let details = json!({ "now": made.now.get().to_string() });
                let (actor, subject) = (access.actor(), made.id.to_string());
                audit::record_platform(&system, &ports, Act { action: "test_clock.created", actor: &actor, subject: &subject, details })
                    .await?;
                Ok(made)
            }
        };
        self.ports.store.write_system(create).await
    }

    /// Begins to advance a clock to `to`; a worker moves it from job to job until it is there. One that failed goes on.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not; NOT_ALLOWED outside a sandbox; NOT_FOUND at `testClockId`;
    /// INVALID_TRANSITION while it is advancing; INVALID at `to` for an instant that is not after its own, LIMIT_EXCEEDED
    /// for one more than two years after it; or the database's fault.
    pub async fn advance(&self, caller: Caller, clock: Option<TestClockId>, to: Timestamp) -> Outcome<TestClock> {
        let outside = self.ports.clone();
        let advance = move |system: System| {
            let ports = outside.clone();
            async move {
                let access = check_right(&system, caller, Right::MoveTestClocks).await?;
                check_sandbox(&ports)?;
                let mut row = standing_still(&system, clock).await?;
                let goal = read_instant("to", to)?;
                if goal <= row.now {
                    return Err(UserError::at("to", UserErrorCode::Invalid, "A clock is advanced to later than it shows.").into());
                }
                let most = row.now.get().to_zoned(jiff::tz::TimeZone::UTC).checked_add(MAX_YEARS.years());
                if most.is_ok_and(|most| goal.get() > most.timestamp()) {
                    let sentence = format!("A clock is advanced by {MAX_YEARS} years at most at once.");
                    return Err(UserError::at("to", UserErrorCode::LimitExceeded, sentence).into());
                }
                let details = json!({ "from": row.now.get().to_string(), "to": goal.get().to_string() });
                (row.status, row.goal, row.failure) = (TestClockStatus::Advancing, Some(goal), None);
                row.advanced_at = ports.real_now().into();
                let row = clocks::save(&system, row).await?;
                let (actor, subject) = (access.actor(), row.id.to_string());
                audit::record_platform(&system, &ports, Act { action: "test_clock.advanced", actor: &actor, subject: &subject, details })
                    .await?;
                Ok(row)
            }
        };
        let row = self.ports.store.write_system(advance).await?;
        self.ports.work.notify_one();
        Ok(row)
    }

    /// Puts a business that has had no subscription yet on a clock.
    ///
    /// # Errors
    /// [`crate::error::Error::Forbidden`] for a role that may not; NOT_ALLOWED outside a sandbox; NOT_FOUND at `testClockId` or
    /// `businessId`; INVALID_TRANSITION for a business that has subscribed, or while the clock is advancing; or the
    /// database's fault.
    pub async fn attach(
        &self,
        caller: Caller,
        clock: Option<TestClockId>,
        business: Option<BusinessId>,
    ) -> Outcome<(TestClock, customers::Business)> {
        let outside = self.ports.clone();
        let attach = move |system: System| {
            let ports = outside.clone();
            async move {
                let access = check_right(&system, caller, Right::MoveTestClocks).await?;
                check_sandbox(&ports)?;
                let row = standing_still(&system, clock).await?;
                let missing = || UserError::at("businessId", UserErrorCode::NotFound, "There is no such business.");
                let id = business.ok_or_else(missing)?;
                businesses::by_ids(&system.reader(), &[id]).await?.remove(&id).ok_or_else(missing)?;
                let tenant = tenant(&system, access, id);
                let business = customers::lock_business(&tenant).await?;
                if reads::subscriptions::count(&tenant, &reads::subscriptions::SubscriptionFilter::default()).await? > 0 {
                    let sentence = "Only a business that has not subscribed yet is put on a clock.";
                    return Err(UserError::at("businessId", UserErrorCode::InvalidTransition, sentence).into());
                }
                clocks::attach(&tenant, row.id).await?;
                let (actor, subject) = (access.actor(), id.to_string());
                let details = json!({ "test_clock": row.id.to_string() });
                let act = Act { action: "business.put_on_test_clock", actor: &actor, subject: &subject, details };
                audit::record(&tenant, &ports, act).await?;
                Ok((row, business))
            }
        };
        self.ports.store.write_system(attach).await
    }
}

/// Moves each clock that is advancing to the next job that is due by it, or to its goal; one by which work waits or runs
/// stands still until that is done, and one by which work was given up has failed. Answers whether any moved.
///
/// # Errors
/// The database's fault.
pub async fn step(ports: &Ports) -> Outcome<bool> {
    let step = |system: System| async move {
        let mut moved = false;
        for mut clock in clocks::lock_advancing(&system).await? {
            let Some(goal) = clock.goal else { continue };
            let due = clocks::next_due(&system, clock.id).await?;
            if let Some(job) = clocks::given_up(&system, clock.id, clock.advanced_at).await? {
                (clock.status, clock.goal, clock.failure) = (TestClockStatus::Failed, None, Some(format!("A job was given up: {job}.")));
            } else {
                match due {
                    Some(due) if due <= clock.now => continue,
                    Some(due) if due <= goal => clock.now = due,
                    Some(_) | None => (clock.now, clock.status, clock.goal) = (goal, TestClockStatus::Ready, None),
                }
            }
            clocks::save(&system, clock).await?;
            moved = true;
        }
        Ok(moved)
    };
    ports.store.write_system(step).await
}

/// The clock of that id, locked, where it is not advancing.
async fn standing_still(system: &System, clock: Option<TestClockId>) -> Outcome<TestClock> {
    let found = match clock {
        Some(id) => clocks::lock(system, id).await?,
        None => None,
    };
    let found = found.ok_or_else(|| UserError::at("testClockId", UserErrorCode::NotFound, "There is no such test clock."))?;
    if found.status == TestClockStatus::Advancing {
        return Err(
            UserError::at("testClockId", UserErrorCode::InvalidTransition, "The clock is advancing; wait until it is READY.").into()
        );
    }
    Ok(found)
}

/// Refuses everything outside a sandbox.
fn check_sandbox(ports: &Ports) -> Result<(), UserError> {
    if ports.sandbox { Ok(()) } else { Err(UserError::new(UserErrorCode::NotAllowed, "Test clocks exist in a sandbox alone.")) }
}

/// A name of 1 to [`MAX_NAME_CHARS`] characters.
fn read_name(name: &str) -> Result<String, UserError> {
    let name = name.trim();
    if name.is_empty() {
        return Err(UserError::at("name", UserErrorCode::Required, "A clock needs a name."));
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(UserError::at("name", UserErrorCode::TooLong, format!("A name has {MAX_NAME_CHARS} characters at most.")));
    }
    if name.chars().any(char::is_control) {
        return Err(UserError::at("name", UserErrorCode::Invalid, "A name is one line of text."));
    }
    Ok(name.to_owned())
}

/// An instant of the years that a clock may show.
fn read_instant(field: &'static str, at: Timestamp) -> Result<Instant, UserError> {
    if YEARS.contains(&at.to_zoned(jiff::tz::TimeZone::UTC).year()) {
        return Ok(at.into());
    }
    Err(UserError::at(field, UserErrorCode::Invalid, format!("A clock shows the years {} to {}.", YEARS.start(), YEARS.end())))
}
