//! Time, as a port: nothing below the composition root asks the operating system what time it is.
//!
//! Instants are [`jiff::Timestamp`]s truncated to microseconds, the finest that both databases keep.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Where the present instant and waiting come from.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, in whole microseconds.
    fn now(&self) -> Timestamp;

    /// Waits for `duration` of real time.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// Drops what is finer than a microsecond, towards the past.
pub fn truncate_to_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_nanosecond().div_euclid(1_000).try_into().unwrap_or(i64::MAX)).unwrap_or(Timestamp::MAX)
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port that everything else asks")]
    fn now(&self) -> Timestamp {
        truncate_to_micros(Timestamp::now())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the port that everything else asks")]
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that stands still until it is moved: for tests and for the seeding of demo data.
/// Waiting on it still takes real time, since a connection pool runs on real time too.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Timestamp>,
}

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self { now: Mutex::new(truncate_to_micros(now)) }
    }

    /// Moves the clock to `now`, backwards too.
    pub fn set(&self, now: Timestamp) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = truncate_to_micros(now);
    }

    /// Moves the clock on by `by`, saturating at the end of time.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = now.saturating_add(by).unwrap_or(Timestamp::MAX);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        SystemClock.sleep(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_keeps_whole_microseconds() {
        let finer: Timestamp = "2027-01-31T09:00:00.123456789Z".parse().unwrap();
        assert_eq!(ManualClock::at(finer).now().to_string(), "2027-01-31T09:00:00.123456Z");
        assert_eq!(SystemClock.now().subsec_nanosecond() % 1_000, 0);
    }
}
